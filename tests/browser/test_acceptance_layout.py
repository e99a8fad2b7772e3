"""Acceptance of layout and language: items 1, 2, 10, 24 and 25 of the specification's list.

Items 1 and 24 want the widest value in every place of every bed at once, with alarms of
every kind: a ward whose messages the test makes itself (`full`). The others are shown on
the real chain, as far as it has what they are about.
"""

import json

from collections.abc import AsyncIterator
from importlib import resources
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from playwright.async_api import Browser, Page

from icu_stream import clock
from icu_stream.contracts.alerts import Event, Priority, State
from icu_stream.ward import colours
from tests.browser.chain import Chain
from tests.browser.fitting import CUT, OVERLAP, SCROLLS, SMALL, fill_with_the_widest
from tests.browser.hospital import Hospital, WardView, showing
from tests.browser.screen import open_context, open_page, strip, until, value
from tests.kafka import Kafka, free_port


pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
PHONE = (390, 844)
PRINTED = r"Printed \d\d\/\d\d\/\d{4} \d\d:\d\d by RN Okafor"
# What is neither dark on white nor, as the drawings, an image.
NOT_ON_PAPER = """() => {
  const light = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return a === 0 ? null : (0.3 * r + 0.6 * g + 0.1 * b) / 255;
  };
  const wrong = [];
  for (const e of document.body.querySelectorAll("*:not(svg, svg *, canvas, script, style)")) {
    if (!e.checkVisibility() || e.closest(".unseen")) continue;
    const { color, backgroundColor } = getComputedStyle(e);
    const hasText = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    const ground = light(backgroundColor);
    if ((ground !== null && ground < 0.9) || (hasText && light(color) > 0.45))
      wrong.push(`${e.tagName} ${e.id || e.className} ${color} on ${backgroundColor}`);
  }
  return [...new Set(wrong)].slice(0, 10);
}"""
NUMBERED = """[...document.styleSheets]
  .flatMap((sheet) => [...sheet.cssRules])
  .some((rule) => rule instanceof CSSPageRule && rule.cssText.includes("counter(pages)"))"""
DENSITIES = {16: "l", 40: "m", 100: "s", 200: "xs"}
# Each shows something before its callbacks are done; this is there when they are.
PAGES = {
    "": ".tile:not(.skeleton)",
    "bed/{patient}": "#bed .chart",
    "alarms": ".report.log .grid",
    "burden": ".report .figures",
    "whatif": ".report",
    "limits": ".report",
    "limits/{patient}": ".report",
    "system": ".report",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def full(
    kafka: Kafka, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Hospital, WardView]]:
    """A ward of so many beds, with the widest value in every place of each."""
    async with showing(kafka.settings(), request.param) as (hospital, view):
        await fill_with_the_widest(hospital)
        yield hospital, view


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def patient(chain: Chain, browser: Browser) -> AsyncIterator[str]:
    """A patient with a high alarm beside one with a low one; all of it is real."""
    async with chain.take(2) as (desaturated, other):
        desaturated.pinned = {"spo2": 79}
        other.pinned = {"temp": 39.4}
        page = await open_page(browser, chain.view)
        await until(page, f"{strip(desaturated.bed)} === '!!! SpO₂ 79 < 80'")
        await until(page, f"{strip(other.bed)} === '! Temp 39.4 > 39'")
        await page.context.close()
        yield desaturated.patient_id


@pytest_asyncio.fixture(loop_scope="session")
async def screen(chain: Chain, browser: Browser, patient: str) -> AsyncIterator[Page]:
    """A charge nurse's screen of that chain."""
    opened = await open_page(browser, chain.view)
    yield opened
    await opened.context.close()


async def all_fits(page: Page, hospital: Hospital, pressure: str) -> None:
    """Nothing is clipped, nothing meets, nothing scrolls; every bed is there."""
    beds = len(hospital.patients)
    await until(page, f"{value(hospital.patients[-1].bed, 'hr')} === '250'")
    await until(page, "document.querySelectorAll('.tile.high').length > 0")

    assert await page.locator(".tile").count() == beds
    assert await page.get_attribute("#ward", "data-density") == DENSITIES[beds]
    assert await page.evaluate(CUT) == []
    assert await page.evaluate(OVERLAP) == []
    assert await page.evaluate(SCROLLS) == [False, False]
    if beds < 200:  # the smallest tiles have no pressure; the list has all of its alarm
        shown = await page.evaluate(value(hospital.patients[0].bed, "bp"))
        assert shown == pressure


@pytest.mark.parametrize("full", [16, 40, 100, 200], indirect=True)
async def test_01_at_full_hd_nothing_is_clipped_and_nothing_scrolls(
    browser: Browser, full: tuple[Hospital, WardView]
):
    hospital, view = full

    page = await open_page(browser, view)

    await all_fits(page, hospital, "188/102")
    # The window of a browser with its own bars is lower: then the tiles may scroll.
    await page.set_viewport_size({"width": 1920, "height": 900})
    assert await page.evaluate(CUT) == []
    assert await page.evaluate(SCROLLS) == [False, False]
    await page.context.close()


# The smallest tiles show nothing that has a unit: HR and SpO2.
@pytest.mark.parametrize("full", [16, 40, 100], indirect=True)
async def test_24_nothing_is_clipped_in_german_fahrenheit_and_kilopascal(
    browser: Browser, full: tuple[Hospital, WardView]
):
    hospital, first = full
    port = free_port()
    settings = first.settings.model_copy(
        update={
            "ward_port": port,
            "data_dir": first.settings.data_dir / f"ward-{port}",
            "language": "de",
            "ward_pressure": "kPa",
            "ward_temperature": "F",
        }
    )
    settings.data_dir.mkdir()
    view = WardView(settings).start()
    try:
        view.sign_in()
        page = await open_page(browser, view)

        await all_fits(page, hospital, "25,1/13,6")
        assert await page.get_attribute("html", "lang") == "de"
        assert await page.inner_text("#attn h2") == "Braucht Hilfe"
        assert "Maßgeblich ist der Monitor am Bett" in await page.inner_text("#note")
        if len(hospital.patients) <= 40:
            temp = await page.evaluate(value(hospital.patients[0].bed, "temp"))
            assert temp == "106,7"
        await page.context.close()
    finally:
        view.kill()


@pytest.mark.parametrize("size", [(1899, 1000), (1280, 800), PHONE])
async def test_02_smaller_screens_scroll_downwards_only_and_can_be_touched(
    page: Page, size: tuple[int, int]
):
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    await until(page, "document.querySelector('#ward').dataset.density === 'm'")

    across, _ = await page.evaluate(SCROLLS)
    narrowest = await page.evaluate(
        "Math.min(...[...document.querySelectorAll('.tile')].map(e => e.offsetWidth))"
    )

    assert not across
    assert narrowest >= 170
    assert await page.evaluate(SMALL) == []
    assert await page.evaluate(CUT) == []
    assert await page.evaluate(OVERLAP) == []


async def test_02_my_patients_are_first_on_a_phone_and_stay_chosen(
    browser: Browser, shared: tuple[Hospital, WardView]
):
    hospital, view = shared
    mine = hospital.patients[9]
    page = await open_page(browser, view, PHONE)
    assert "None chosen yet" in await page.inner_text("#mine")

    await page.click(f".tile[data-bed='{mine.bed}']")
    await page.click("#bed .chooser")
    assert await page.get_attribute("#bed .chooser", "aria-pressed") == "true"
    await page.reload()
    await page.click("#bed .close")

    first = await page.eval_on_selector(".tile", "e => e.dataset.bed")
    assert first == mine.bed
    assert await page.locator(f".tile[data-bed='{mine.bed}']").count() == 1
    tabs = "[...document.querySelectorAll('#tabs a, #tabs button')]"
    shown = f"{tabs}.filter(e => e.offsetParent).map(e => e.textContent)"
    assert await page.evaluate(shown) == ["Ward", "Alarms", "Me"]
    await page.click("#own-tab")
    assert await page.get_by_label("Colours").is_visible()
    await page.context.close()


async def test_02_every_page_fits_a_phone(screen: Page, patient: str, chain: Chain):
    page = screen
    await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})

    wrong: dict[str, Any] = {}
    for path, there in PAGES.items():
        await page.goto(chain.view.address + path.format(patient=patient))
        await page.wait_for_selector(there)
        across, _ = await page.evaluate(SCROLLS)
        if across or await page.evaluate(SMALL):
            wrong[path] = [across, await page.evaluate(SMALL)]

    assert wrong == {}


async def test_10_axe_finds_nothing_in_both_themes_on_every_page(
    screen: Page, patient: str, chain: Chain
):
    """The contrasts of the themes are worked out anew in tests/unit/ward/test_colours.py."""
    page = screen

    found = []
    for path, there in PAGES.items():
        await page.goto(chain.view.address + path.format(patient=patient))
        await page.wait_for_selector(there)
        # What is not of colour is the same in both.
        for theme, rules in (("dark", ()), ("light", ("color-contrast",))):
            await page.get_by_label("Colours").select_option(theme)
            lines = await violations(page, *rules)
            found += [f"/{path} {theme}: {line}" for line in lines]

    assert found == []


async def test_10_axe_finds_nothing_where_one_signs_in(browser: Browser, chain: Chain):
    context = await open_context(browser, chain.view)
    await context.clear_cookies()
    page = await context.new_page()

    await page.goto(chain.view.address)

    assert await violations(page) == []
    await context.close()


async def violations(page: Page, *rules: str) -> list[str]:
    """What axe finds, a line each; with names of rules, only by these."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    found = await page.evaluate(f"axe.run(document, {json.dumps(options)})")
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:160]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


async def test_10_the_colours_on_the_page_are_those_of_the_table(page: Page):
    for theme, table in colours.themes().items():
        await page.get_by_label("Colours").select_option(theme)
        names = json.dumps(list(table))
        shown = await page.evaluate(
            f"""() => {{
              const style = getComputedStyle(document.documentElement);
              return {names}.map((name) => style.getPropertyValue("--" + name));
            }}"""
        )
        assert dict(zip(table, shown, strict=True)) == table


async def test_at_night_the_page_is_black_and_alarms_are_as_bright_as_by_day(
    browser: Browser, shared: tuple[Hospital, WardView]
):
    hospital, view = shared
    # Where it is 23 o'clock now: Etc/GMT-3 is three hours ahead of Greenwich.
    ahead = (23 - clock.now_ms() // 3_600_000 + 12) % 24 - 12
    zone = f"Etc/GMT{-ahead:+}" if ahead else "Etc/GMT"
    alarm = await hospital.alarm(3, "spo2.desat", Priority.HIGH, value=79, limit=80)

    page = await open_page(browser, view, timezone_id=zone)
    await until(page, "document.querySelector('.tile.high') !== null")

    assert await page.get_attribute("html", "data-theme") == "night"
    ground = "getComputedStyle(document.body).backgroundColor"
    assert await page.evaluate(ground) == "rgb(0, 0, 0)"
    border = "getComputedStyle(document.querySelector('.tile.high')).borderTopColor"
    assert await page.evaluate(border) == "rgb(208, 2, 27)"
    await page.context.close()
    await hospital.again(alarm, Event.CLEARED, State.CLEARED)


async def test_25_paper_is_black_on_white_with_marks_patient_and_time(
    screen: Page, patient: str, chain: Chain
):
    """Page n of m is in the margin, which a test cannot read: the rule is there."""
    page = screen
    sheets = {
        "": ".tile:not(.skeleton)",
        f"bed/{patient}": "#bed .chart table",
        f"alarms.html?{urlencode({'bed': patient})}": "tbody tr",
        "burden": ".report .figures",
    }
    # The sheet opens the browser's dialogue by itself, beside which no page is printed.
    await page.add_init_script("window.print = () => { window.isAsked = true; }")

    for path, there in sheets.items():
        await page.emulate_media(media="screen")
        await page.goto(chain.view.address + path)
        await page.wait_for_selector(there)
        await page.emulate_media(media="print")
        await until(page, f"/{PRINTED}/.test(document.body.innerText)")

        assert await page.evaluate(NOT_ON_PAPER) == [], path
        assert await page.evaluate(NUMBERED), path
        assert bool(await page.evaluate("window.isAsked")) == path.startswith("alarms")
        text = await page.inner_text("body")
        if path != "burden":
            assert "!!!" in text, path
            assert patient in text, path
        assert (await page.pdf(prefer_css_page_size=True)).startswith(b"%PDF"), path
