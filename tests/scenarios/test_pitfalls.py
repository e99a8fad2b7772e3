"""What common ways make of the very messages of a scenario."""

import pytest

from tests.scenarios import book  # noqa: F401 - registers the scenarios
from tests.scenarios.bed import STORIES, samples
from tests.scenarios.pitfalls import PITFALLS, Pitfall


@pytest.mark.parametrize("pitfall", PITFALLS, ids=lambda p: p.monitor.__name__)
def test_a_common_way_fails_on_the_scenarios_own_messages(pitfall: Pitfall):
    bed = STORIES[pitfall.number].told()

    said = pitfall.monitor(samples(bed))

    assert pitfall.is_shown(said), said
