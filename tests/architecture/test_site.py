"""The documentation's site builds without a warning and fetches nothing from elsewhere."""

import ast
import os
import re
import subprocess
import sys

from html.parser import HTMLParser
from pathlib import Path

import prometheus_client
import pytest
import typer

from icu_stream import permissions, reference
from icu_stream.cli import app
from tests.kafka import ROOT


# What a browser fetches by itself: of these elements, this attribute.
FETCHED = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "use": "href",
}


class Fetched(HTMLParser):
    """Addresses of other places that a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        value = dict(attrs).get(FETCHED.get(tag, ""))
        if value and re.match(r"(https?:)?//", value):
            self.elsewhere.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    config = ROOT / "docs" / "site" / "mkdocs.yml"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-q", "-f", config, "-d", directory],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return directory


def test_every_page_is_there_and_fetches_nothing_from_elsewhere(site: Path):
    written = {p.stem for p in (ROOT / "docs").rglob("*.md")}
    made = {*reference.Page, *(p.stem for p in (ROOT / "docs").rglob("*.ipynb"))}
    found = {}
    for page in site.rglob("*.html"):
        parser = Fetched()
        parser.feed(page.read_text())
        found[page.stem] = parser.elsewhere

    assert (written | made) - {"README"} <= found.keys()
    assert {page: urls for page, urls in found.items() if urls} == {}
    styles = "".join(path.read_text() for path in site.rglob("*.css"))
    assert re.findall(r"url\(['\"]?https?:", styles) == []


@pytest.mark.parametrize("name", reference.Page)
def test_a_reference_page_is_made_from_the_code(name: reference.Page):
    text = reference.page(name, typer.main.get_group(app))

    assert text.startswith("# ")
    assert re.search(r"^\|---", text, re.MULTILINE)
    if name is reference.Page.COMMANDS:
        assert "## icu-stream topics grant" in text


def test_every_metric_of_ours_is_in_the_reference():
    documented = {name for name, *_ in reference.metrics()}

    registered = {
        metric.name + ("_total" if metric.type == "counter" else "")
        for metric in prometheus_client.REGISTRY.collect()
        if metric.name.startswith("icu_")
    }
    assert registered <= documented
    declared = {
        path
        for path in (ROOT / "icu_stream").rglob("*.py")
        if re.search(r"= (Counter|Gauge|Histogram)\(\s*\"icu_", path.read_text())
    }
    assert {
        ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in declared
    } == set(reference.METERED)


def test_the_documented_rights_are_those_of_the_code():
    text = (ROOT / "docs" / "security.md").read_text()

    assert permissions.table() in text, f"want:\n{permissions.table()}"


def test_every_test_that_the_safety_case_names_exists():
    text = (ROOT / "docs" / "safety.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)

    assert len(named) > 30
    missing = []
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text())
        if name not in {getattr(node, "name", "") for node in tree.body}:
            missing.append(f"{path}::{name}")
    assert missing == []


def test_every_hazard_of_the_safety_case_is_shown_by_a_test():
    text = (ROOT / "docs" / "safety.md").read_text()
    rows = re.findall(r"^\| \*\*(H\d+)\*\* .*$", text, re.MULTILINE)
    shown = re.findall(r"^\| \*\*(H\d+)\*\* .*`tests/.*$", text, re.MULTILINE)

    assert rows == [f"H{number}" for number in range(1, len(rows) + 1)]
    assert shown == rows
