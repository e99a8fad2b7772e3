"""Nothing is clipped and nothing jumps, at every number of beds and on every screen."""

import pytest

from playwright.async_api import Browser, Page

from icu_stream import clock
from icu_stream.contracts.alerts import Event, Kind, Priority, State
from icu_stream.contracts.scores import News2, Scores
from icu_stream.contracts.topics import SCORES
from tests.browser.hospital import Hospital, showing
from tests.browser.screen import open_page, until, value
from tests.kafka import Kafka


pytestmark = pytest.mark.asyncio(loop_scope="session")

# The widest values that a monitor shows, all doubted by their device.
WIDEST = {"hr": 250, "spo2": 100, "rr": 45, "temp": 41.5}
ARTERIAL = {"abp_sys": 188, "abp_dia": 102, "abp_mean": 130}
DOUBTED = dict.fromkeys((*WIDEST, *ARTERIAL), "questionable")

# What is cut: wider than its place, or outside of its tile.
CUT = """() => {
  const cut = [];
  const visible = (e) => e.offsetParent && e.textContent;
  for (const e of document.querySelectorAll(".n, .al, .hd, .hd b, .row *, #bar-live *"))
    if (visible(e) && e.scrollWidth > e.clientWidth && getComputedStyle(e).display !== "inline")
      cut.push(`${e.className || e.tagName} "${e.textContent}" ${e.scrollWidth}>${e.clientWidth}`);
  for (const tile of document.querySelectorAll(".tile")) {
    const { left, right, top, bottom } = tile.getBoundingClientRect();
    for (const e of tile.querySelectorAll(".n, .n i, .n span, .n small, .hd span")) {
      const box = e.getBoundingClientRect();
      if (!visible(e) || !box.width) continue;
      if (box.left < left || box.right > right || box.top < top || box.bottom > bottom)
        cut.push(`${tile.dataset.bed} ${e.parentElement.className} "${e.textContent}"`);
    }
  }
  return [...new Set(cut)].slice(0, 10);
}"""
OVERLAP = """() => {
  const met = [];
  for (const box of document.querySelectorAll(".large, .others, .hd")) {
    const all = [...box.children].filter((e) => e.offsetParent && e.textContent);
    for (let i = 1; i < all.length; i += 1) {
      const [a, b] = [all[i - 1], all[i]].map((e) => e.getBoundingClientRect());
      if (a.right > b.left + 0.5 && a.bottom > b.top + 0.5 && a.top < b.top + 0.5)
        met.push(`${all[i - 1].textContent} | ${all[i].textContent}`);
    }
  }
  return [...new Set(met)].slice(0, 10);
}"""
SCROLLS = """() => [
  document.documentElement.scrollWidth > innerWidth,
  document.documentElement.scrollHeight > innerHeight,
]"""


async def fill_with_the_widest(hospital: Hospital) -> None:
    """The widest values, alarms with the longest texts, pauses, hints."""
    for patient in hospital.patients:
        patient.pinned = dict(WIDEST)
        patient.status = DOUBTED
        if patient.index % 3 != 2:
            patient.pinned |= ARTERIAL
        score = News2(total=20, band="", completeness=6, inputs={})
        scores = Scores(
            patient_id=patient.patient_id, bed=patient.bed, time=0, news2=score
        )
        await hospital.send(SCORES, patient, scores)
    kinds = [
        ("spo2.desat", Priority.HIGH, Kind.PHYSIOLOGICAL, {"value": 79.6, "limit": 80}),
        (
            "abp_mean.extreme_low",
            Priority.HIGH,
            Kind.PHYSIOLOGICAL,
            {"value": 39, "limit": 40},
        ),
        ("bed.clock_jump", Priority.MEDIUM, Kind.TECHNICAL, {"signal": None}),
        (
            "nibp_sys.high",
            Priority.MEDIUM,
            Kind.PHYSIOLOGICAL,
            {"value": 188, "limit": 160},
        ),
        ("temp.high", Priority.LOW, Kind.PHYSIOLOGICAL, {"value": 41.5, "limit": 39}),
        (
            "etco2.high",
            Priority.MEDIUM,
            Kind.PHYSIOLOGICAL,
            {"value": 112, "limit": 50},
        ),
    ]
    for index in range(0, len(hospital.patients), 3):
        for extra in range(1 + index % 2):
            code, priority, kind, fields = kinds[(index // 3 + extra) % len(kinds)]
            text = f"{code}: a sentence of ninety characters, which is as long as any sentence is."
            alert = await hospital.alarm(
                index, code, priority, text, kind=kind, **fields
            )
            if index % 2:
                await hospital.again(alert, Event.WORSENED, State.ACTIVE)
    for index in range(0, len(hospital.patients), 4):
        await hospital.pause(index, clock.now_ms() + 119_000)
    for index in range(1, len(hospital.patients), 6):
        await hospital.alarm(
            index,
            "bed.unusual",
            Priority.LOW,
            kind=Kind.ADVISORY,
            signal=None,
            annunciate=False,
        )


@pytest.mark.parametrize("beds", [16, 48, 110, 200])
async def test_no_value_and_no_alarm_is_clipped_and_nothing_scrolls(
    kafka: Kafka, browser: Browser, beds: int
):
    async with showing(kafka.settings(), beds) as (hospital, view):
        await fill_with_the_widest(hospital)
        page = await open_page(browser, view)
        last = hospital.patients[-1].bed
        await until(page, f"{value(last, 'hr')} === '250'", 10)
        await until(page, "document.querySelectorAll('.tile.high').length > 0", 10)

        assert await page.locator(".tile").count() == beds
        assert await page.evaluate(CUT) == []
        assert await page.evaluate(OVERLAP) == []
        assert await page.evaluate(SCROLLS) == [False, False]
        if beds <= 110:
            pressure = await page.evaluate(value(hospital.patients[0].bed, "bp"))
            assert pressure == "188/102"
        # The window of a browser with its own bars is lower: then the tiles may scroll.
        await page.set_viewport_size({"width": 1920, "height": 900})
        assert await page.evaluate(CUT) == []
        assert await page.evaluate(SCROLLS) == [False, False]
        await page.context.close()


@pytest.mark.parametrize("size", [(1899, 1000), (1280, 800), (390, 844)])
async def test_smaller_screens_scroll_downwards_only_and_can_be_touched(
    page: Page, size: tuple[int, int]
):
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    await until(page, "document.querySelector('#ward').dataset.density === 'm'", 2)

    across, _ = await page.evaluate(SCROLLS)
    small = await page.evaluate(
        """() => [...document.querySelectorAll("button, a, select, .row")]
        .filter((e) => e.offsetParent)
        .map((e) => [e.textContent, e.getBoundingClientRect()])
        .filter(([, box]) => box.height < 44 || box.width < 44)
        .map(([text]) => text)"""
    )

    assert not across
    assert small == []
    assert await page.evaluate(CUT) == []
    assert await page.evaluate(OVERLAP) == []


async def test_from_49_beds_a_screen_may_show_one_unit_and_keeps_it(
    kafka: Kafka, browser: Browser
):
    async with showing(kafka.settings(), 52) as (hospital, view):
        page = await open_page(browser, view)
        await hospital.alarm(30, "spo2.desat", Priority.HIGH, value=79, limit=80)
        await until(page, "document.querySelector('#units .high') !== null", 5)

        await page.click("#units button:has-text('ICU1')")
        await page.reload()
        await page.wait_for_selector(".tile:not(.skeleton)")
        await until(page, "document.querySelectorAll('.tile').length === 25", 5)

        assert await page.get_attribute("#ward", "data-density") == "m"
        # The alarm of the other unit is on its tab and in the bar.
        assert "!!! 1" in await page.inner_text("#units button:has-text('ICU2')")
        await page.context.close()
