"""The order of tests: what takes long in the background begins first and ends last."""

import pytest


FIRST = "test_mimic_replay_at_200x_begins"
LAST = "test_mimic_replay_at_200x_gives_the_alarms_of_the_reference"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the two ends of the long replay to the ends of the run."""
    items.sort(key=lambda item: (item.name == LAST) - (item.name == FIRST))
