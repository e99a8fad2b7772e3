"""What is not heard is not shown: a bed, all monitors, the worker, Kafka itself."""

import asyncio
import json

import pytest

from playwright.async_api import Browser

from icu_stream.contracts.alerts import Priority
from tests.browser.hospital import Hospital, WardView, showing
from tests.browser.screen import (
    MESSAGE,
    TOLD_S,
    open_context,
    open_page,
    strip,
    until,
    value,
)
from tests.kafka import Kafka


pytestmark = pytest.mark.asyncio(loop_scope="session")

NO_KAFKA = f"{MESSAGE}.startsWith('KAFKA NOT ANSWERING')"


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
        await until(page, NO_KAFKA)
        assert await page.evaluate("document.querySelectorAll('.n').length") == 0

        await asyncio.to_thread(own_kafka.start)
        async with Hospital(settings, 4) as hospital:
            await hospital.alarm(1, "spo2.desat", Priority.HIGH, value=79, limit=80)
            bed = hospital.patients[1].bed
            await page.wait_for_selector(f".tile[data-bed='{bed}']")
            await until(page, f"{strip(bed)} === '!!! SpO₂ 79 < 80'")

            await asyncio.to_thread(own_kafka.stop)
            await until(page, NO_KAFKA, TOLD_S)
            await asyncio.to_thread(own_kafka.start)
            hospital.patients[1].pinned = {"hr": 133}
            await until(page, f"{value(bed, 'hr')} === '133'")
            await until(page, f"!{NO_KAFKA}")
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
        # A test alarm that came through is the newest that is known of the chain.
        await until(in_a_minute, f"{MESSAGE}.startsWith('Alarms complete, tested ')")
        promised = promise.removeprefix("Still collecting alarms: complete at ")

        assert await page.evaluate(strip(hospital.patients[2].bed)) == "!!! HR 34 < 40"
        assert await page.inner_text("#bar time") < promised
        await page.context.close()
        await in_a_minute.context.close()


def a_minute_later(frame: str) -> str:
    """The same frame from a server whose clock is a minute on."""
    fields = json.loads(frame)
    fields["t"] += 60_000
    fields["w"] += 60_000
    return json.dumps(fields)
