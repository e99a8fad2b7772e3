"""Which beds a screen shows; that they fit is in test_acceptance_layout.py."""

import json

import pytest

from playwright.async_api import Browser

from icu_stream.contracts.alerts import Priority
from tests.browser.hospital import Hospital, WardView, showing
from tests.browser.screen import DIGITS, open_page, until
from tests.kafka import Kafka


pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_from_49_beds_a_screen_may_show_one_unit_and_keeps_it(
    kafka: Kafka, browser: Browser
):
    async with showing(kafka.settings(), 52) as (hospital, view):
        page = await open_page(browser, view)
        await hospital.alarm(30, "spo2.desat", Priority.HIGH, value=79, limit=80)
        await until(page, "document.querySelector('#units .high') !== null")

        await page.click("#units button:has-text('ICU1')")
        await page.reload()
        await page.wait_for_selector(".tile:not(.skeleton)")
        await until(page, "document.querySelectorAll('.tile').length === 25")

        assert await page.get_attribute("#ward", "data-density") == "m"
        # The alarm of the other unit is on its tab and in the bar.
        assert "!!! 1" in await page.inner_text("#units button:has-text('ICU2')")
        await page.context.close()


async def test_a_ward_without_patients_is_no_longer_loading_when_frames_come(
    browser: Browser, shared: tuple[Hospital, WardView]
):
    _, view = shared
    is_cut = True

    def frames(frame: str) -> str | None:
        return None if is_cut else json.dumps(json.loads(frame) | {"b": []})

    page = await open_page(browser, view, frames=frames, there=".tile.skeleton")
    await until(page, "document.body.classList.contains('lost')")
    is_cut = False
    await page.wait_for_selector(".nobody")

    assert await page.locator(".tile.skeleton").count() == 0
    await page.context.close()


async def test_while_it_loads_and_without_patients_a_ward_shows_no_digit(
    browser: Browser, shared: tuple[Hospital, WardView]
):
    """The ward without patients is one whose frames lost theirs on the way."""
    _, view = shared
    loading = await open_page(browser, view, frames=lambda _: None, there=".tile")
    assert await loading.locator(".tile.skeleton").count() > 0
    assert await loading.evaluate(DIGITS) == 0
    await loading.context.close()

    def without_patients(frame: str) -> str:
        return json.dumps(json.loads(frame) | {"b": []})

    page = await open_page(browser, view, frames=without_patients, there=".nobody")

    assert await page.inner_text(".nobody") == "No beds assigned."
    assert await page.evaluate(DIGITS) == 0
    await page.context.close()
