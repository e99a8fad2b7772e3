"""The wheel holds what the processes need, and nothing of the tests."""

import subprocess
import sys
import zipfile

from email.parser import Parser
from pathlib import Path

import pytest

from tests.kafka import ROOT


PACKAGES = ("icu_stream", "agents", "tables")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    [made] = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as an installer lays it out, beside the packages it depends on."""
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def run(installed: Path, code: str, *arguments: str) -> str:
    # -P: the working directory is not on the path; the wheel comes first on it.
    first = f"import sys; sys.path.insert(0, {str(installed)!r}); "
    done = subprocess.run(
        [sys.executable, "-P", "-c", first + code, *arguments],
        cwd=installed,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_each_file_of_the_packages_and_nothing_else(wheel: Path):
    expected = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    held = {
        name
        for name in zipfile.ZipFile(wheel).namelist()
        if not name.split("/")[0].endswith(".dist-info")
    }

    assert held == expected


def test_the_console_script_runs_from_the_wheel(installed: Path):
    where = run(installed, "import icu_stream; print(icu_stream.__file__)")
    version = run(installed, "from icu_stream.cli import main; main()", "--version")

    assert where.strip() == str(installed / "icu_stream" / "__init__.py")
    assert version.startswith("icu-stream ")


def test_faust_finds_the_transport_that_the_wheel_declares(installed: Path):
    code = (
        "from importlib.metadata import distribution as d; "
        "print([e.load().__module__ for e in d('icu-stream').entry_points"
        " if e.group == 'faust.transports' and e.name == 'chunked'])"
    )

    assert run(installed, code).strip() == "['icu_stream.engine.transport']"


def test_every_profile_loads_from_the_wheel(installed: Path):
    names = sorted(p.stem for p in (ROOT / "icu_stream" / "profiles").glob("*.toml"))
    code = (
        "from icu_stream import profiles; "
        "print(*[type(profiles.load(n)).__name__ for n in sys.argv[1:]])"
    )

    assert names
    assert run(installed, code, *names).split() == ["Rules"] * len(names)


def test_the_licence_and_the_supported_pythons_are_declared(wheel: Path):
    archive = zipfile.ZipFile(wheel)
    [name] = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]

    metadata = Parser().parsestr(archive.read(name).decode())

    assert metadata["License-Expression"] == "MIT"
    assert metadata["License-File"] == "LICENSE"
    assert set(metadata["Requires-Python"].split(",")) == {">=3.11", "<3.14"}
