"""The pages beside the ward: who sees which, what they say, and that the ward goes on."""

import asyncio
import json
import re

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from playwright.async_api import Browser, Page

from icu_stream.contracts.commands import CommandType
from tests.browser.chain import Chain
from tests.browser.hospital import Hospital, Patient, WardView
from tests.browser.screen import (
    FRAME,
    chip,
    faultless,
    open_context,
    strip,
    until,
)
from tests.browser.test_signin import fetch


pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = "document.querySelector('#page').innerText"


@pytest_asyncio.fixture(loop_scope="session")
async def charge(browser: Browser, chain: Chain) -> AsyncIterator[Page]:
    """A charge nurse's screen; what goes wrong in the page fails the test."""
    async with faultless(browser, chain.view, console=True) as opened:
        yield opened


async def proposing(view: WardView) -> int:
    """What-if's callback that proposes, called by who never saw the page."""
    body = {
        "output": "whatif-proposed.children",
        "outputs": {"id": "whatif-proposed", "property": "children"},
        "inputs": [{"id": "whatif-propose", "property": "n_clicks", "value": 1}],
        "state": [{"id": "whatif-reason", "property": "value", "value": "so"}],
        "changedPropIds": ["whatif-propose.n_clicks"],
    }
    status, _, _ = await fetch(
        view,
        "/_dash-update-component",
        "POST",
        json.dumps(body),
        **{
            "Content-Type": "application/json",
            "Cookie": f"icu_ward={view.cookie}",
            "Origin": view.address.strip("/"),
        },
    )
    return status


async def test_the_keyboard_goes_to_every_page_and_the_ward_stays_live(charge: Page):
    links = charge.locator("#nav a")
    titles = await links.all_inner_texts()
    first = await charge.get_attribute("#nav a[aria-current='page']", "href")

    await links.nth(1).focus()
    await charge.keyboard.press("Enter")
    await charge.get_by_role("heading", name="Alarm log").wait_for()
    frame = await charge.evaluate(FRAME)
    await until(charge, f"{FRAME} > {frame}")

    assert titles == ["Ward", "Alarms", "Burden", "What-if", "Limits", "System"]
    assert first == "/"
    assert await charge.get_attribute("#nav a[aria-current]", "href") == "/alarms"
    assert await charge.evaluate("document.querySelectorAll('.counts .chip').length")
    await charge.go_back()
    await charge.wait_for_selector(".tile:not(.skeleton)")


async def test_what_a_role_may_not_see_is_refused_by_the_server(
    browser: Browser, shared: tuple[Hospital, WardView]
):
    """A viewer: neither the page, nor what is below it, nor its callbacks."""
    _, view = shared
    cookie = {"Cookie": f"icu_ward={view.cookie}"}

    statuses = {
        path: (await fetch(view, path, **cookie))[0]
        for path in (
            "/alarms",
            "/limits",
            "/burden",
            "/whatif",
            "/system",
            "/alarms.csv",
        )
    }
    refused = await proposing(view)
    page = await (await open_context(browser, view)).new_page()
    await page.goto(f"{view.address}limits")
    await page.wait_for_selector("#nav a")
    shown = await page.locator("#nav a").all_inner_texts()
    await page.context.close()

    assert statuses == {
        "/alarms": 200,
        "/limits": 200,
        "/alarms.csv": 200,
        "/burden": 403,
        "/whatif": 403,
        "/system": 403,
    }
    assert refused == 403
    assert shown == ["Ward", "Alarms", "Limits"]


async def go(page: Page, view: WardView, path: str, heading: str) -> None:
    """Open a page by its address, as a bookmark does."""
    await page.goto(f"{view.address}{path}")
    await page.get_by_role("heading", name=heading).wait_for()


async def paused(chain: Chain, bed: Patient) -> None:
    """A bed with an alarm, and a pause that somebody asked for elsewhere."""
    bed.pinned = {"spo2": 79}
    await asyncio.sleep(1.5)
    await chain.hospital.ask(
        bed, CommandType.PAUSE, reason="=suction", station="ICU1 desk", seconds=60
    )


async def test_the_log_tells_who_did_what_where_and_why(chain: Chain, charge: Page):
    async with chain.take(1) as (bed,):
        patient_id = bed.patient_id
        await paused(chain, bed)
        await go(charge, chain.view, f"alarms/{patient_id}", "Alarm log")
        row = ".ag-row:has-text('alarms paused')"
        await charge.wait_for_selector(row)
        cells = await charge.locator(f"{row} .ag-cell").all_inner_texts()
        rows = await charge.inner_text(".ag-center-cols-container")
        cookie = {"Cookie": f"icu_ward={chain.view.cookie}"}
        query = f"bed={patient_id}"
        status, headers, table = await fetch(
            chain.view, f"/alarms.csv?{query}", **cookie
        )
        _, _, other = await fetch(chain.view, "/alarms.csv?bed=nobody", **cookie)
        _, _, paper = await fetch(
            chain.view, f"/alarms.html?{query}&priority=high", **cookie
        )

    assert cells[1:3] == [bed.bed, patient_id]
    assert cells[-3:] == [chain.by, "ICU1 desk", "=suction"]
    assert "!!! high" in rows
    assert "SpO₂ 79 %, below 80" in rows
    assert (status, headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert "'=suction" in table  # no formula for a spreadsheet
    assert len(other.splitlines()) == 1
    assert "SpO₂ 79 %, below 80" in paper
    assert "suction" not in paper
    assert f"by {chain.by}" in paper


async def test_a_view_that_starts_later_reads_the_log_back(chain: Chain):
    async with chain.take(1) as (bed,):
        bed.pinned = {"spo2": 78}
        await asyncio.sleep(3)
        async with chain.another_view() as view:
            cookie = {"Cookie": f"icu_ward={view.cookie}"}
            query = f"/alarms.csv?bed={bed.patient_id}&event=raised"
            table = ""
            for _ in range(100):
                _, _, table = await fetch(view, query, **cookie)
                if "SpO₂ 78 %" in table:
                    break
                await asyncio.sleep(0.1)

    assert "SpO₂ 78 %" in table


async def test_the_burden_is_counted_and_each_drawing_is_told_in_words(
    chain: Chain, charge: Page
):
    async with chain.take(1) as (bed,):
        bed.pinned = {"temp": 39.6}
        await go(charge, chain.view, "burden", "Alarm burden")
        top = ".report section:has-text('most frequent') tbody tr"
        await until(charge, chip("low") + " > 0")
        await charge.click("#burden-hours")
        await charge.locator(".dash-dropdown-option", has_text="last 8 h").click()
        await charge.wait_for_selector(top)
        words = await charge.locator(".drawing").evaluate_all(
            "drawings => drawings.map(d => d.ariaLabel)"
        )
        figures = await charge.inner_text(".figures")
        most = await charge.locator(top).first.inner_text()

    assert "alarms a bed-day" in figures
    assert re.match(r"Each hour: \d+ alarms in \d+ hours", words[0])
    assert re.match(r"By priority: high \d+ %, medium \d+ %, low \d+ %", words[1])
    assert re.match(r"ICU1-\d\d\s+\w+\.\w+\s+\d+\s+\d+ %", most)


async def test_a_limit_is_set_in_two_steps_and_taken_back(chain: Chain, charge: Page):
    async with chain.take(1) as (bed,):
        patient_id = bed.patient_id
        await go(charge, chain.view, f"limits/{patient_id}", "Limits")
        field = charge.locator("fieldset", has=charge.get_by_title("spo2.low"))
        await field.locator("input").first.fill("87")
        await charge.click("#limits-review")
        await until(charge, f"{PAGE}.includes('Say why')")
        await charge.fill("#limits-reason", "COPD")
        await charge.click("#limits-review")
        confirm = charge.get_by_role("button", name="Confirm")
        await confirm.wait_for()
        asked = await charge.inner_text("#limits-confirm")
        before = await charge.locator("tr.own").count()
        await confirm.click()
        own = "tr.own:has-text('87 %')"
        await charge.wait_for_selector(own)
        shown = await charge.inner_text(own)
        await charge.locator(own).get_by_role("button", name="Take back").click()
        await confirm.click()
        await charge.wait_for_selector(own, state="detached")

    assert f"patient {patient_id}. spo2.low 87 %. For 12 h. Reason: COPD." in asked
    assert before == 0
    assert "< 90 %, 15 s" in shown
    assert f"{chain.by}, " in shown
    assert "COPD" in shown


async def choose(page: Page, field: str, text: str) -> None:
    await page.click(f"#{field}")
    await page.locator(".dash-dropdown-option", has_text=text).first.click()


async def test_what_if_proposes_and_the_ward_goes_on_meanwhile(
    chain: Chain, charge: Page
):
    async with chain.take(1) as (bed,):
        bed.pinned = {"temp": 39.4}  # above 39: temp.high, low, at once
        await until(charge, f"{strip(bed.bed)}.startsWith('!')")
        await go(charge, chain.view, "whatif", "What-if")
        await choose(charge, "whatif-whom", bed.patient_id)
        await choose(charge, "whatif-code", "Temp > 39")
        await charge.fill("#whatif-limit", "40")
        frame = await charge.evaluate(FRAME)
        await charge.click("#whatif-run")
        await charge.wait_for_selector("#whatif-progress progress")
        await until(charge, f"{FRAME} > {frame} + 3")
        gone = "tr:has-text('temp.high')"
        await charge.wait_for_selector(gone)
        counts = await charge.inner_text(gone)
        await charge.click("#whatif-propose")
        await until(charge, f"{PAGE}.includes('Say why')")
        await charge.fill("#whatif-reason", "usual for this patient")
        await charge.click("#whatif-propose")
        await charge.wait_for_selector("#whatif-proposed a")
        await charge.click("#whatif-proposed a")
        await charge.wait_for_selector(".offer")
        offer = await charge.inner_text(".offer")
        own = await charge.locator("tr.own").count()
        await charge.fill("#limits-reason", "agreed")
        await charge.get_by_role("button", name="Accept").click()
        await charge.get_by_role("button", name="Confirm").click()
        await charge.wait_for_selector("tr.own:has-text('40 °C')")
        await charge.wait_for_selector(".offer", state="detached")

    assert counts.split()[-2:] == ["1", "0"]
    assert f"{chain.by} proposes: temp.high 40.0 °C" in offer
    assert own == 0  # nothing is applied by itself


async def test_a_run_is_cancelled(chain: Chain, charge: Page):
    await go(charge, chain.view, "whatif", "What-if")
    await choose(charge, "whatif-source", "simulated")
    await choose(charge, "whatif-code", "SpO₂ < 90")
    await charge.fill("#whatif-limit", "86")
    await charge.click("#whatif-run")
    await charge.wait_for_selector("#whatif-progress progress")
    is_free = await charge.is_disabled("#whatif-run")
    await charge.click("#whatif-cancel")
    await until(charge, f"{PAGE}.includes('No answer: cancelled')")

    assert is_free
    assert not await charge.is_disabled("#whatif-run")


async def test_a_page_that_fails_says_a_code_and_the_ward_goes_on(
    browser: Browser, chain: Chain
):
    page = await (await open_context(browser, chain.view)).new_page()
    await go(page, chain.view, "whatif", "What-if")
    await page.fill("#whatif-limit", "86")
    await page.evaluate("dash_clientside.set_props('whatif-code', {value: 'nonsense'})")
    await page.click("#whatif-run")
    problem = "document.querySelector('#problem-text').textContent"
    await until(page, f"/code [0-9a-f]{{6}}/.test({problem})")
    said = await page.evaluate(problem)
    code = said.partition("(code ")[2].partition(")")[0]
    frame = await page.evaluate(FRAME)
    await until(page, f"{FRAME} > {frame}")
    await page.click("#retry")
    await page.wait_for_selector("#problem", state="hidden")

    assert code in chain.view.log_tail()
    await page.get_by_role("heading", name="What-if").wait_for()
    await page.context.close()
