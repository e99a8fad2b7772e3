"""What the documents point to is there: files, headings, commands, targets."""

import re

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from icu_stream import reference, settings
from icu_stream.cli import app
from icu_stream.engine.checkpoint import Exit
from tests.kafka import ROOT


DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *#*$", re.MULTILINE)
COMMAND = re.compile(r"\bicu-stream ((?:[a-z0-9]+(?:-[a-z0-9]+)*)(?: [a-z]+)?)")
TARGET = re.compile(r"\bmake ([a-z]+)\b")
PATH = re.compile(r"`((?:icu_stream|agents|tables|tests|docs|docker)/[\w./-]+)`")


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub makes of the headings of a file."""
    return anchors_of(document.read_text())


def anchors_of(text: str) -> set[str]:
    """The same, of a text."""
    text = FENCE.sub("", text)
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in HEADING.findall(text)
    }


def made(document: Path) -> set[str]:
    """The anchors of a page that is made when the site is built; empty for others."""
    if document.parent != ROOT / "docs" / "reference":
        return set()
    group = typer.main.get_group(app)
    return anchors_of(reference.page(reference.Page(document.stem), group))


def code(document: Path) -> str:
    """Everything that is set as code: fenced blocks and words in backticks."""
    text = document.read_text()
    inline = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    return "\n".join(FENCE.findall(text) + inline)


def commands(group: typer.core.TyperGroup, prefix: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        yield prefix + name
        if isinstance(command, typer.core.TyperGroup):
            yield from commands(command, f"{prefix}{name} ")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_relative_link_leads_to_a_file_and_a_heading(document: Path):
    broken = []
    for link in LINK.findall(FENCE.sub("", document.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        known = made(target) or (anchors(target) if target.suffix == ".md" else set())
        if not (target.exists() or made(target)) or (anchor and anchor not in known):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_command_and_target_named_as_code_exists(document: Path):
    known = set(commands(typer.main.get_command(app)))
    targets = set(
        re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )
    text = code(document)

    unknown = [
        words
        for words in COMMAND.findall(text)
        if words not in known and words.split()[0] not in known
    ]
    unknown += [f"make {name}" for name in TARGET.findall(text) if name not in targets]

    assert unknown == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_file_of_the_project_named_as_code_exists(document: Path):
    missing = [p for p in PATH.findall(document.read_text()) if not (ROOT / p).exists()]

    assert missing == []


def test_the_documented_settings_are_those_of_the_code():
    text = (ROOT / "docs" / "guide.md").read_text()

    assert settings.table() in text, f"want:\n{settings.table()}"


def test_the_documented_exit_codes_are_those_of_the_worker():
    section = (ROOT / "docs" / "guide.md").read_text().split("### 3. Workers")[1]
    documented = {
        int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)
    }

    assert documented == {0} | {int(code) for code in Exit}
