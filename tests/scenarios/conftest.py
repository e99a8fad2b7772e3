"""All scenarios are performed once, together; their table is printed at the end."""

import time

import pytest

from tests.kafka import Kafka
from tests.scenarios import book, stage
from tests.scenarios.stage import Outcome


_performed = pytest.StashKey[tuple[list[Outcome], float]]()


@pytest.fixture(scope="session")
def outcomes(kafka: Kafka, request: pytest.FixtureRequest) -> dict[int, Outcome]:
    """How each scenario ended, by number."""
    started = time.monotonic()
    outcomes = stage.perform(kafka, book.stories())
    request.config.stash[_performed] = outcomes, time.monotonic() - started
    return {outcome.story.number: outcome for outcome in outcomes}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    performed = terminalreporter.config.stash.get(_performed, None)
    if performed is not None:
        outcomes, seconds = performed
        terminalreporter.section("conformance")
        terminalreporter.write_line(f"{book.table(outcomes)} in {seconds:.0f} s")
