"""A screen never shows an old value as a live one, and comes back by itself."""

import asyncio

import pytest

from playwright.async_api import Browser

from tests.browser.hospital import showing
from tests.browser.screen import open_page
from tests.kafka import Kafka


pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_term_signal_ends_the_server_though_a_page_is_open(
    kafka: Kafka, browser: Browser
):
    async with showing(kafka.settings(), 16) as (_, view):
        page = await open_page(browser, view)

        code = await asyncio.to_thread(view.stop, 5)  # the promise of every process

        assert code == 0, view.log_tail()
        assert "Cancel" not in view.log_tail()
        await page.context.close()
