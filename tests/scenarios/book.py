"""All scenarios in their order, and the page about them."""

from collections.abc import Iterable, Sequence

from tests.scenarios import (
    clinical,
    limits,
    news,
    people,
    personal,
    silences,
    worse,
    worth,
)
from tests.scenarios.bed import STORIES, Story
from tests.scenarios.pitfalls import PITFALLS
from tests.scenarios.stage import Outcome


CHAPTERS = (clinical, limits, silences, worth, worse, people, personal, news)

# The first ones are those that every icu-stream must show.
CLINICAL = 20

_HEAD = """# Conformance

Each line is a scenario that the real worker goes through over a real Kafka, at each `make test` and by itself with
`make conformance`, which also prints what was seen. Scenarios 1 to {clinical} are what an alarm system for a bed must be seen
to do; the others hold the [rules](alarms.md) to their edges. This page is made from the scenarios
(`python -m tests.scenarios`), and a test compares it with them.

| | scenario | what is sent | what must be heard |
|---|---|---|---|
"""

_BESIDE = """
## Beside what is common

What programs that watch vital signs commonly do with the same messages. Each is a short function in
`tests/scenarios/pitfalls.py`, and a test shows what it makes of the scenario's own messages.

| scenario | a common way | what becomes of the same messages |
|---|---|---|
"""


def stories() -> list[Story]:
    """All scenarios, by number."""
    return [STORIES[number] for number in sorted(STORIES)]


def page() -> str:
    """The page `docs/conformance.md`."""
    lines = [_HEAD.format(clinical=CLINICAL)]
    for told in stories():
        bed = told.told()
        checks = [check.text for one in (bed, *bed.twins) for check in one.checks]
        row = (str(told.number), told.name, told.sent, "; ".join(checks))
        lines.append(_row(row))
    lines.append(_BESIDE)
    for pitfall in PITFALLS:
        scenario = f"{pitfall.number} {STORIES[pitfall.number].name}"
        lines.append(_row((scenario, pitfall.way, pitfall.outcome)))
    return "".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"


def table(outcomes: Sequence[Outcome]) -> str:
    """One line each: number, name, sent, expected, seen, pass."""
    lines = []
    for outcome in outcomes:
        told = outcome.story
        cells = (
            f"{told.number:>2}",
            told.name,
            told.sent,
            "; ".join(outcome.expected),
            outcome.seen,
            "pass" if not outcome.wrong else "FAIL: " + "; ".join(outcome.wrong),
        )
        lines.append(" | ".join(cells))
    passed = sum(not outcome.wrong for outcome in outcomes)
    return "\n".join([*lines, f"{passed} of {len(outcomes)} scenarios pass"])
