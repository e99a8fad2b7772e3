"""The pager end to end: story, high alarm, page, second level, answer, ward view."""

import pytest

from playwright.async_api import Page

from tests.browser import paging_run
from tests.browser.chain import Chain
from tests.postgres import Postgres


@pytest.mark.asyncio(loop_scope="session")
async def test_a_page_that_nobody_answers_goes_to_the_second_level_who_acknowledges_it(
    chain: Chain, nurse: Page, postgres_server: Postgres, tmp_path
):
    moments = await paging_run.run(chain, postgres_server, nurse, tmp_path, after_s=2)

    at_ms = {(m.lane, m.text.split(":")[0]): m.at_ms for m in moments}
    raised = at_ms["worker", "raised"]
    first = at_ms["first level", "RN Okafor is paged"]
    second = at_ms["second level", "RN Lindqvist is paged"]
    answered = at_ms["second level", "accepted, by a signed webhook"]
    shown = at_ms["ward view", "shows who has seen it"]
    assert [
        lane for lane in paging_run.LANES if lane not in {m.lane for m in moments}
    ] == []
    # Moments are noted when they are seen: a busy machine sees them late, never early.
    assert raised <= first
    assert first + 1_800 <= second <= answered <= shown
    assert "<svg" in paging_run.drawing(moments)
