"""One Chromium, and two wards of 16 beds for all tests of the page, and not for others.

Of the one (`chain`) everything is real but the monitors; for the other (`shared`) a test
says itself what the worker stated. A test takes beds of its own, or a ward of its own.
"""

from collections.abc import AsyncIterator

import pytest_asyncio

from playwright.async_api import Browser, Page, async_playwright

from tests.browser.chain import Chain, linked
from tests.browser.hospital import Hospital, WardView, showing
from tests.browser.screen import ARGUMENTS, faultless
from tests.kafka import Kafka


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """The browser."""
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=chromium, args=ARGUMENTS
        )
        yield running
        await running.close()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def shared(kafka: Kafka) -> AsyncIterator[tuple[Hospital, WardView]]:
    """A ward of 16 beds that all speak."""
    async with showing(kafka.settings(), 16) as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def chain(kafka: Kafka) -> AsyncIterator[Chain]:
    """Monitors, the real worker and the real ward: tests.browser.chain says how to use it."""
    async with linked(kafka.settings()) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def page(
    browser: Browser, shared: tuple[Hospital, WardView]
) -> AsyncIterator[Page]:
    """The shared ward on a screen; what goes wrong in the page fails the test."""
    _, view = shared
    async with faultless(browser, view) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def nurse(browser: Browser, chain: Chain) -> AsyncIterator[Page]:
    """A screen of the chain; what goes wrong in the page fails the test."""
    async with faultless(browser, chain.view) as opened:
        yield opened
