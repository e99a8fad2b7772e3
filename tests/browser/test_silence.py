"""What is not heard is not shown: a bed, all monitors, the worker, Kafka itself."""

import asyncio
import json

import pytest

from playwright.async_api import Browser, Page

from icu_stream.contracts.alerts import Priority
from tests.browser.hospital import Hospital, WardView, showing
from tests.browser.screen import (
    MESSAGE,
    chip,
    open_context,
    open_page,
    strip,
    until,
    value,
)
from tests.kafka import Kafka


pytestmark = pytest.mark.asyncio(loop_scope="session")

NO_DATA = "NO DATA FROM MONITORS. Use bedside monitors."


async def test_a_silent_bed_shows_no_value_and_a_technical_alarm(
    shared: tuple[Hospital, WardView], page: Page
):
    hospital, _ = shared
    patient = hospital.patients[12]
    before = await page.evaluate(chip("medium"))

    patient.is_silent = True
    await until(page, f"{value(patient.bed, 'hr')} === '---'", 11)
    tile = page.locator(f".tile[data-bed='{patient.bed}']")

    assert await page.evaluate(value(patient.bed, "spo2")) == "---"
    assert await page.evaluate(strip(patient.bed)) == "!! Tech HR, SpO₂ no data"
    assert "technical" in (await tile.get_attribute("class") or "")
    assert patient.bed in await page.inner_text("#attn")
    assert await page.evaluate(chip("medium")) == before + 1

    patient.is_silent = False
    await until(page, f"{strip(patient.bed)} === ''", 3)
    assert await page.evaluate(value(patient.bed, "hr")) != "---"


async def test_when_all_monitors_are_silent_the_bar_says_so(
    kafka: Kafka, browser: Browser
):
    async with showing(kafka.settings(), 16) as (hospital, view):
        page = await open_page(browser, view)

        hospital.is_silent = True
        await until(page, f"{MESSAGE} === '{NO_DATA}'", 11)

        hospital.is_silent = False
        await until(page, f"{MESSAGE} !== '{NO_DATA}'", 3)
        # The worker is the next to fall silent: numbers without anybody's alarms.
        hospital.worker_runs = False
        await until(page, f"{MESSAGE}.startsWith('ALARMS NOT RUNNING for 16 p')", 12)
        off = ".tile .sign[data-kind='alarm-off']"
        await until(page, f'document.querySelectorAll("{off}").length === 16', 2)
        assert "ALARMS OFF" in await page.locator(".tile .hd").first.inner_text()
        assert await page.evaluate(value(hospital.patients[0].bed, "hr")) != "---"
        await page.context.close()


async def test_kafka_may_come_late_and_go_and_come_back(
    own_kafka: Kafka, browser: Browser
):
    settings = own_kafka.settings()
    own_kafka.stop()
    view = WardView(settings)
    await asyncio.to_thread(view.start)
    await asyncio.to_thread(view.sign_in)
    try:
        context = await open_context(browser, view)
        page = await context.new_page()
        await page.goto(view.address)
        await page.wait_for_selector(".message")
        await until(page, f"{MESSAGE} === '{NO_DATA}'", 5)
        assert await page.evaluate("document.querySelectorAll('.n').length") == 0

        await asyncio.to_thread(own_kafka.start)
        async with Hospital(settings, 4) as hospital:
            await hospital.alarm(1, "spo2.desat", Priority.HIGH, value=79, limit=80)
            bed = hospital.patients[1].bed
            await page.wait_for_selector(".tile:not(.skeleton)", timeout=15_000)
            await until(page, f"{strip(bed)} === '!!! SpO₂ 79 < 80'", 5)

            await asyncio.to_thread(own_kafka.restart)
            hospital.patients[1].pinned = {"hr": 133}
            await until(page, f"{value(bed, 'hr')} === '133'", 30)
        await context.close()
    finally:
        view.kill()


async def test_who_starts_late_knows_the_open_alarms_and_says_until_when_it_collects(
    kafka: Kafka, browser: Browser
):
    settings = kafka.settings()
    async with Hospital(settings, 4) as hospital:
        await hospital.alarm(2, "hr.extreme_low", Priority.HIGH, value=34, limit=40)
    async with showing(settings, 4) as (hospital, view):
        page = await open_page(browser, view)
        in_a_minute = await open_page(browser, view, frames=a_minute_later)

        promise = await page.evaluate(MESSAGE)
        kept = await in_a_minute.evaluate(MESSAGE)
        promised = promise.removeprefix("Still collecting alarms: complete at ")

        assert await page.evaluate(strip(hospital.patients[2].bed)) == "!!! HR 34 < 40"
        assert kept == f"Alarms complete at {promised}"
        assert await page.inner_text("#bar time") < promised
        await page.context.close()
        await in_a_minute.context.close()


def a_minute_later(frame: str) -> str:
    """The same frame from a server whose clock is a minute on."""
    fields = json.loads(frame)
    fields["t"] += 60_000
    fields["w"] += 60_000
    return json.dumps(fields)
