"""How an alarm is seen through its states, and what is no alarm is kept apart."""

import pytest

from playwright.async_api import Browser, Page

from icu_stream import clock
from icu_stream.contracts.alerts import Alert, Event, Kind, Priority, State
from icu_stream.contracts.commands import CommandType
from tests.browser.chain import Chain
from tests.browser.hospital import Hospital, WardView
from tests.browser.screen import open_page, strip, until


pytestmark = pytest.mark.asyncio(loop_scope="session")


async def clear(hospital: Hospital, *alerts: Alert) -> None:
    for alert in alerts:
        await hospital.again(alert, Event.CLEARED, State.CLEARED)


async def test_an_alarm_goes_through_its_states_before_the_eyes(
    shared: tuple[Hospital, WardView], page: Page
):
    hospital, _ = shared
    bed = hospital.patients[0].bed
    row = page.locator(".row", has_text=bed)

    raised = await hospital.alarm(
        0, "spo2.desat", Priority.HIGH, "SpO₂ 79 %, below 80", value=79, limit=80
    )
    await until(page, f"{strip(bed)} === '!!! SpO₂ 79 < 80'")
    spoken = await page.inner_text("#live-alarm p:last-child")
    latched = await hospital.again(raised, Event.LATCHED, State.LATCHED)
    await until(page, f"{strip(bed)}.startsWith('(!!!) SpO₂ 79 < 80, ended ')")
    over = await row.inner_text()
    acknowledged = await hospital.again(
        latched, Event.ACKNOWLEDGED, State.ACKNOWLEDGED, by="RN Okafor"
    )
    await until(page, f"/^!!! SpO₂ 79 < 80 +✓ RO$/.test({strip(bed)})")
    seen = await row.inner_text()
    await clear(hospital, acknowledged)
    await until(page, f"{strip(bed)} === ''")

    assert spoken == f"Bed {bed}: SpO₂ 79 %, below 80"
    assert "not acknowledged" in over
    assert "✓ acknowledged" in seen
    assert "by RN Okafor" in seen
    assert await row.count() == 0


async def test_a_pause_is_said_in_words(shared: tuple[Hospital, WardView], page: Page):
    hospital, _ = shared
    head = f".tile[data-bed='{hospital.patients[1].bed}'] .hd"
    text = f'document.querySelector("{head}").textContent'

    pause = await hospital.pause(1, clock.now_ms() + 30_000)
    await until(page, f"/paused 0:2\\d RO/.test({text})")
    with_a_sign = await page.locator(f"{head} .sign").is_visible()
    await hospital.again(pause, Event.RESUMED, State.CLEARED)
    await until(page, f"!{text}.includes('paused')")

    assert with_a_sign
    assert not await page.locator(f"{head} .sign").is_visible()


async def test_what_grows_worse_flashes_again_and_is_read_out_again(
    shared: tuple[Hospital, WardView], page: Page
):
    hospital, _ = shared
    bed = hospital.patients[9].bed
    fields = {"value": 85, "limit": 90}
    raised = await hospital.alarm(9, "spo2.low", Priority.HIGH, "SpO₂ 85 %", **fields)
    seen = await hospital.again(
        raised, Event.ACKNOWLEDGED, State.ACKNOWLEDGED, by="RN Okafor"
    )
    await until(page, f"/✓ RO$/.test({strip(bed)})")

    worse = await hospital.again(
        seen, Event.WORSENED, State.ACTIVE, by=None, value=70, text="SpO₂ 70 %"
    )
    await until(page, f"{strip(bed)} === '!!!▲ SpO₂ 70 < 90'")
    flashes = "document.querySelector('.tile.worse').matches('.high:not(.ack)')"

    assert await page.evaluate(flashes)
    spoken = await page.inner_text("#live-alarm p:last-child")
    assert spoken == f"Bed {bed}: worse, SpO₂ 70 %"
    await clear(hospital, worse)


async def test_a_hint_is_shown_apart_and_counted_nowhere(
    shared: tuple[Hospital, WardView], page: Page
):
    hospital, _ = shared
    bed = hospital.patients[10].bed
    before = await page.inner_text(".counts")

    hint = await hospital.alarm(
        10, "bed.unusual", Priority.LOW, kind=Kind.ADVISORY, signal=None
    )
    await until(page, f"{strip(bed)} === '◇ Hint: unusual for this patient'")

    assert await page.inner_text(".counts") == before
    assert await page.locator(".row", has_text=bed).count() == 0
    assert bed in await page.inner_text("#attn .hints")
    await clear(hospital, hint)
    await until(page, f"{strip(bed)} === ''")


async def test_the_bed_of_who_was_discharged_stays_in_its_place_and_is_empty(
    chain: Chain, browser: Browser
):
    page = await open_page(browser, chain.view)
    async with chain.take(1) as (bed,):
        empty = f".tile.empty[data-bed='{bed.bed}']"
        await chain.hospital.ask(bed, CommandType.DISCHARGE)
        bed.is_silent = True
        await page.wait_for_selector(empty)

        assert await page.inner_text(f"{empty} .al") == "Empty"
        beds = "[...document.querySelectorAll('.tile')].map((t) => t.dataset.bed)"
        patients = chain.hospital.patients
        assert await page.evaluate(beds) == [patient.bed for patient in patients]
    await page.context.close()
