"""How alarms are seen: all of them, by mark as well as by colour, in one phase."""

import asyncio

import pytest

from playwright.async_api import Browser, Page

from icu_stream import clock
from icu_stream.contracts.alerts import Alert, Event, Kind, Priority, State
from icu_stream.contracts.commands import CommandType
from tests.browser.hospital import Hospital, WardView, showing
from tests.browser.screen import chip, open_page, strip, until
from tests.kafka import Kafka


pytestmark = pytest.mark.asyncio(loop_scope="session")


async def clear(hospital: Hospital, *alerts: Alert) -> None:
    for alert in alerts:
        await hospital.again(alert, Event.CLEARED, State.CLEARED)


async def test_of_twenty_alarms_at_once_twenty_appear(kafka: Kafka, browser: Browser):
    async with showing(kafka.settings(), 24) as (hospital, view):
        page = await open_page(browser, view)

        for index in range(20):
            await hospital.alarm(
                index, "hr.extreme_high", Priority.HIGH, value=150, limit=140
            )
        await until(page, "document.querySelectorAll('.tile.high').length === 20", 2)

        assert await page.evaluate(chip("high")) == 20
        assert await page.locator(".row").count() == 8
        assert await page.inner_text("#attn .more") == "+ 12 more beds with alarms"
        await page.context.close()


async def test_an_alarm_goes_through_its_states_before_the_eyes(
    shared: tuple[Hospital, WardView], page: Page
):
    hospital, _ = shared
    bed = hospital.patients[0].bed
    row = page.locator(".row", has_text=bed)

    raised = await hospital.alarm(
        0, "spo2.desat", Priority.HIGH, "SpO₂ 79 %, below 80", value=79, limit=80
    )
    await until(page, f"{strip(bed)} === '!!! SpO₂ 79 < 80'", 2)
    spoken = await page.inner_text("#live-alarm p:last-child")
    latched = await hospital.again(raised, Event.LATCHED, State.LATCHED)
    await until(page, f"{strip(bed)}.startsWith('(!!!) SpO₂ 79 < 80, ended ')", 2)
    over = await row.inner_text()
    acknowledged = await hospital.again(
        latched, Event.ACKNOWLEDGED, State.ACKNOWLEDGED, by="RN Okafor"
    )
    await until(page, f"/^!!! SpO₂ 79 < 80 +✓ RO$/.test({strip(bed)})", 2)
    seen = await row.inner_text()
    await clear(hospital, acknowledged)
    await until(page, f"{strip(bed)} === ''", 2)

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
    await until(page, f"/paused 0:2\\d RO/.test({text})", 2)
    with_a_sign = await page.locator(f"{head} .sign").is_visible()
    await hospital.again(pause, Event.RESUMED, State.CLEARED)
    await until(page, f"!{text}.includes('paused')", 2)

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
    await until(page, f"/✓ RO$/.test({strip(bed)})", 2)

    worse = await hospital.again(
        seen, Event.WORSENED, State.ACTIVE, by=None, value=70, text="SpO₂ 70 %"
    )
    await until(page, f"{strip(bed)} === '!!!▲ SpO₂ 70 < 90'", 2)
    flashes = (
        "getComputedStyle(document.querySelector('.tile.worse .al')).animationName"
    )

    assert await page.evaluate(flashes) == "flash-high"
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
    await until(page, f"{strip(bed)} === '◇ Hint: unusual for this patient'", 2)

    assert await page.inner_text(".counts") == before
    assert await page.locator(".row", has_text=bed).count() == 0
    assert bed in await page.inner_text("#attn .hints")
    await clear(hospital, hint)
    await until(page, f"{strip(bed)} === ''", 2)


async def test_all_flashing_has_one_phase_and_two_speeds_and_none_when_not_wanted(
    shared: tuple[Hospital, WardView], browser: Browser, page: Page
):
    hospital, view = shared
    alerts = []
    for index, priority in enumerate(
        (Priority.HIGH, Priority.MEDIUM, Priority.LOW) * 2
    ):
        alerts.append(
            await hospital.alarm(index, "hr.high", priority, value=150, limit=140)
        )
        await asyncio.sleep(0.13)
    await until(page, "document.querySelectorAll('.tile.low').length === 2", 2)
    still = await open_page(browser, view, reduced_motion="reduce")
    await until(still, "document.querySelectorAll('.tile.low').length === 2", 2)

    flashes = await page.evaluate(
        "document.getAnimations().map((a) => [a.effect.getTiming().duration, a.startTime])"
    )
    underlined = await still.evaluate(
        "getComputedStyle(document.querySelector('.tile.high .al')).textDecorationLine"
    )

    assert sorted(flashes) == [[500, 0]] * 2 + [[1600, 0]] * 2
    assert await still.evaluate("document.getAnimations().length") == 0
    assert underlined == "underline"
    await still.context.close()
    await clear(hospital, *alerts)


# Luminance of the text on its strip, in both halves of a flash, without any colour.
GRAY = """() => [...document.querySelectorAll(".tile.high, .tile.medium, .tile.low")].map((tile) => {
  const strip = tile.querySelector(".al");
  const gray = (css) => {
    const [r, g, b] = css.match(/[\\d.]+/g).map((v) => {
      const c = v / 255;
      return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = () => {
    const style = getComputedStyle(strip);
    const [a, b] = [gray(style.color), gray(style.backgroundColor)].sort();
    return (b + 0.05) / (a + 0.05);
  };
  const [flash] = strip.getAnimations();
  const ratios = [contrast()];
  if (flash) {
    const half = flash.effect.getTiming().duration / 2;
    flash.pause();
    ratios.length = 0;
    for (const time of [0, half]) { flash.currentTime = time; ratios.push(contrast()); }
    flash.play();
  }
  return [tile.dataset.bed, strip.textContent, Math.min(...ratios)];
})"""


async def test_priority_and_kind_are_readable_without_colour(
    shared: tuple[Hospital, WardView], page: Page
):
    hospital, _ = shared
    high, medium, low = Priority.HIGH, Priority.MEDIUM, Priority.LOW
    alerts = [
        await hospital.alarm(5, "spo2.desat", high, value=79, limit=80),
        await hospital.alarm(6, "hr.high", medium, value=131, limit=120),
        await hospital.alarm(7, "temp.high", low, value=39.4, limit=39),
        await hospital.alarm(8, "hr.ecg_fault", medium, kind=Kind.TECHNICAL),
    ]
    await until(page, "document.querySelectorAll('.tile.technical').length === 1", 2)

    shown = {bed: (text, ratio) for bed, text, ratio in await page.evaluate(GRAY)}
    texts = [shown[hospital.patients[n].bed][0] for n in range(5, 9)]

    assert texts == [
        "!!! SpO₂ 79 < 80",
        "!! HR 131 > 120",
        "! Temp 39.4 > 39",
        "!! Tech ECG fault",
    ]
    assert all(ratio >= 4.5 for _, ratio in shown.values())
    dashed = f".tile[data-bed='{hospital.patients[8].bed}']"
    style = f"getComputedStyle(document.querySelector(`{dashed}`)).borderTopStyle"
    assert await page.evaluate(style) == "dashed"
    await clear(hospital, *alerts)


async def test_the_order_of_the_beds_never_changes(kafka: Kafka, browser: Browser):
    async with showing(kafka.settings(), 16) as (hospital, view):
        page = await open_page(browser, view)
        await page.evaluate(
            """() => {
              window.orders = new Set();
              const look = () => window.orders.add(
                [...document.querySelectorAll(".tile")].map((t) => t.dataset.bed).join());
              new MutationObserver(look).observe(document.querySelector("#ward"),
                { childList: true, subtree: true, attributes: true, characterData: true });
              look();
            }"""
        )

        for turn in range(60):
            alert = await hospital.alarm(
                turn * 7 % 16,
                "hr.high",
                list(Priority)[turn % 3],
                value=131,
                limit=120,
            )
            if turn % 2:
                await clear(hospital, alert)
            await asyncio.sleep(0.1)
        await hospital.command(5, type=CommandType.DISCHARGE)
        hospital.patients[5].is_silent = True
        empty = f".tile.empty[data-bed='{hospital.patients[5].bed}']"
        await page.wait_for_selector(empty)

        assert await page.inner_text(f"{empty} .al") == "Empty"
        assert await page.evaluate("[...window.orders]") == [
            ",".join(patient.bed for patient in hospital.patients)
        ]
        await page.context.close()
