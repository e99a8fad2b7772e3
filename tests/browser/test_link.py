"""A screen never shows an old value as a live one, and comes back by itself."""

import asyncio
import time

import pytest

from playwright.async_api import Browser, Page

from icu_stream.contracts.alerts import Priority
from tests.browser.hospital import Hospital, WardView, showing
from tests.browser.screen import (
    DIGITS,
    FRAME,
    MESSAGE,
    open_context,
    open_page,
    strip,
    until,
)
from tests.kafka import Kafka


pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_killed_server_hides_every_value_and_a_restart_brings_them_back(
    kafka: Kafka, browser: Browser
):
    async with showing(kafka.settings(), 16) as (hospital, view):
        page = await open_page(browser, view)
        await hospital.alarm(3, "spo2.desat", Priority.HIGH, value=79, limit=80)
        await until(page, "document.querySelector('.row') !== null", 5)
        await page.evaluate("() => { window.isStillTheSame = true; }")

        view.kill()
        hidden_s = await until(page, f"{DIGITS} === 0", 4)

        assert hidden_s <= 4
        assert (await page.evaluate(MESSAGE)).startswith("CONNECTION LOST")
        assert await page.inner_text("#attn h2") >= "Last known "
        look = "getComputedStyle(document.querySelector('.tile')).borderTopStyle"
        assert await page.evaluate(look) == "dotted"
        assert await page.evaluate("document.getAnimations().length") == 0

        view.settings = view.settings.model_copy(
            update={"ward_port": int(view.address.rsplit(":", 1)[1].strip("/"))}
        )
        await asyncio.to_thread(view.start)
        await until(page, f"{DIGITS} > 0", 12)

        assert await page.evaluate("window.isStillTheSame")
        await until(page, f"{strip(hospital.patients[3].bed)} !== ''", 5)
        await page.context.close()


async def test_a_term_signal_ends_the_server_within_two_seconds(
    kafka: Kafka, browser: Browser
):
    async with showing(kafka.settings(), 16) as (_, view):
        page = await open_page(browser, view)

        began = time.monotonic()
        code = await asyncio.to_thread(view.stop)

        assert code == 0, view.log_tail()
        assert time.monotonic() - began < 2
        assert "Cancel" not in view.log_tail()
        await page.context.close()


async def test_eight_tabs_are_all_live(
    browser: Browser, shared: tuple[Hospital, WardView]
):
    _, view = shared
    context = await open_context(browser, view)
    pages: list[Page] = []
    for _ in range(8):
        page = await context.new_page()
        await page.goto(view.address)
        await page.wait_for_selector(".tile:not(.skeleton)", state="attached")
        pages.append(page)

    before = [await page.evaluate(FRAME) for page in pages]
    await asyncio.sleep(2)
    after = [await page.evaluate(FRAME) for page in pages]

    assert all(b - a >= 2 for a, b in zip(before, after, strict=True))
    assert [await page.evaluate(DIGITS) > 0 for page in pages] == [True] * 8
    await context.close()
