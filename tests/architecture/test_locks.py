"""The lock files hold what pyproject.toml asks for, with hashes and without hosts."""

import re
import tomllib

import pytest

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.kafka import ROOT


LOCKS = {
    "requirements.lock": (),
    "requirements-dev.lock": ("dev",),
    "requirements-bench.lock": ("dev", "bench"),
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def locked(name: str) -> dict[str, set[str]]:
    """Package to its versions; several where they depend on the Python."""
    versions: dict[str, set[str]] = {}
    found = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE)
    for package, version in found:
        versions.setdefault(canonicalize_name(package), set()).add(version)
    return versions


def asked(extras: tuple[str, ...]) -> list[Requirement]:
    project = PROJECT["project"]
    texts = project["dependencies"] + PROJECT["dependency-groups"]["build"]
    for extra in extras:
        texts = texts + project["optional-dependencies"][extra]
    return [r for r in map(Requirement, texts) if r.name != "icu-stream"]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_satisfies_what_is_asked_for(name: str):
    versions = locked(name)

    unmet = [
        str(wanted)
        for wanted in asked(LOCKS[name])
        if not any(
            wanted.specifier.contains(version)
            for version in versions.get(canonicalize_name(wanted.name), ())
        )
    ]

    assert unmet == [], "run: make lock"


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_a_hash_for_each_package_and_names_no_host(name: str):
    text = (ROOT / name).read_text()
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]

    assert blocks
    assert [b.splitlines()[0] for b in blocks if "--hash=sha256:" not in b] == []
    assert re.findall(r"://|--index|--find-links", text) == []


def test_the_tests_run_on_the_versions_that_the_demo_runs_on():
    runtime, development = locked("requirements.lock"), locked("requirements-dev.lock")

    assert {p: development.get(p) for p in runtime} == runtime
