"""The named scenarios, on the real worker over real Kafka."""

import pytest

from tests.kafka import ROOT
from tests.scenarios import book


@pytest.mark.parametrize(
    "number",
    [pytest.param(s.number, id=f"{s.number} {s.name}") for s in book.stories()],
)
def test_scenario(outcomes, number):
    assert outcomes[number].wrong == [], outcomes[number].seen


def test_the_page_is_that_of_the_scenarios():
    page = (ROOT / "docs" / "conformance.md").read_text()

    assert page == book.page(), "run: python -m tests.scenarios"
