"""docs/sources.md has every story, every recorded name and every unit of the code."""

import re

from collections.abc import Iterable

import pytest

from icu_stream.sources.beds import EVENTS
from icu_stream.sources.readers import eicu, physionet2012, wfdb_numerics
from icu_stream.sources.story import Story
from tests.kafka import ROOT


PAGE = (ROOT / "docs" / "sources.md").read_text()
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line[:2] == "| "]


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def seconds(story: Story) -> str:
    span = f"{story.shortest_s:g} or more"
    if story.longest_s < 3600:
        span = f"{story.shortest_s:g} to {story.longest_s:g}"
    return f"{story.duration_s:g} ({span})"


def recorded(names: Iterable[str]) -> dict[str, str]:
    """The page's recorded names of a format, with their signals."""
    wanted = set(names)
    return {
        name: codes(row[1])[0]
        for row in ROWS
        for name in codes(row[0])
        if name in wanted and len(row) == 3
    }


@pytest.mark.parametrize("name", EVENTS)
def test_a_story_is_on_the_page_as_it_is_in_the_code(name: str):
    story = EVENTS[name]
    [row] = [row for row in ROWS if row[0] == f"`{name}`"]

    assert row[1:3] == [story.summary, seconds(story)]
    assert codes(row[3]) == [must.code for must in story.must]
    assert codes(row[4]) == list(story.must_not)


def test_every_recorded_name_is_on_the_page_with_its_signal():
    parameters = {name: p.signal for name, p in physionet2012.PARAMETERS.items()}

    assert recorded(parameters) == parameters
    assert recorded(wfdb_numerics.SIGNALS) == wfdb_numerics.SIGNALS
    assert recorded(eicu.COLUMNS) == eicu.COLUMNS
