"""Acceptance of one bed's page: items 12, 17 and 19 of the specification, and its parts.

Monitors, Kafka, worker and ward are the real ones (`chain`). Where a test needs hours that
have passed, it takes the ward whose messages it makes itself (`shared`), and says so.
"""

import urllib.parse

import pytest

from playwright.async_api import Browser, Page

from tests.browser.chain import Chain
from tests.browser.hospital import Hospital, Patient, WardView
from tests.browser.screen import open_context, strip, until, value


pytestmark = pytest.mark.asyncio(loop_scope="session")

PATH = "location.pathname"
FOCUSED = "document.activeElement.dataset.bed"
FRAME = "Number(document.documentElement.dataset.frame)"
NOTHING = "\N{EN DASH}"
# The same key again and again, and what is read out after each.
STEPS_BACK = """(count) => Array.from({ length: count }, () => {
  const stack = document.querySelector("#bed .stack");
  stack.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
  return stack.getAttribute("aria-valuetext");
})"""
READ_OUT = "document.querySelector('#bed .stack').getAttribute('aria-valuetext')"


def tile(bed: Patient) -> str:
    return f".tile[data-bed='{bed.bed}']"


def head(bed: Patient) -> str:
    """Expression: what a tile says beside its bed."""
    return f'(document.querySelector("{tile(bed)} .hd")?.textContent ?? "")'


def path(bed: Patient) -> str:
    return f"/bed/{urllib.parse.quote(bed.patient_id, safe='')}"


async def open_bed(page: Page, bed: Patient) -> None:
    await page.click(tile(bed))
    await until(page, f"{PATH} === '{path(bed)}'")


def asked(bed: Patient, type_: str, fields: str) -> str:
    """Expression: the wish as it is settled, asked as the pages ask."""
    return (
        f"window.icuCommands.ask('{type_}', '{bed.patient_id}', '{bed.bed}', "
        f"{{patient: '{bed.patient_id}', {fields}}}).then((w) => "
        "({state: w.state, reason: w.reason, answer: w.answer}))"
    )


async def test_12_a_pause_counts_down_survives_a_reload_ends_by_itself_and_no_high_waits(
    chain: Chain, nurse: Page
):
    async with chain.take(2) as (bed, short):
        await open_bed(nurse, bed)
        pause = nurse.get_by_role("button", name="Pause 2 min")
        await pause.wait_for()
        without_a_reason = await pause.is_disabled()
        await nurse.select_option("#bed .pausing select", "suction")
        await pause.click()
        await until(nurse, f"/1:5\\d RO/.test({head(bed)})")
        said = await nurse.inner_text("#bed .pausing")
        await until(nurse, f"/1:5[0-7] RO/.test({head(bed)})")
        await nurse.reload()
        await until(nurse, f"/1:[345]\\d RO/.test({head(bed)})")
        assert await nurse.evaluate(PATH) == path(bed)
        # Six seconds, in which a saturation of 79 breaks through.
        settled = await nurse.evaluate(asked(short, "pause", "seconds: 6, reason: 'x'"))
        await until(nurse, f"/0:0[1-6] RO/.test({head(short)})")
        short.pinned = {"spo2": 79}
        await until(nurse, f"{strip(short.bed)}.startsWith('!!! SpO₂ 79')")
        while_paused = await nurse.evaluate(head(short))
        await until(nurse, f"!/RO/.test({head(short)})")
        await nurse.get_by_role("button", name="Resume").click()
        await until(nurse, f"!/RO/.test({head(bed)})")

    assert without_a_reason
    assert "Alarms paused by RN Okafor: suction" in said
    assert "High alarms still break through" in said
    assert settled["state"] == "done"
    assert "RO" in while_paused


async def test_17_from_tile_to_bed_and_back_the_ward_lives_and_the_focus_returns(
    chain: Chain, nurse: Page
):
    async with chain.take(2) as (bed, other):
        await nurse.focus(tile(bed))
        await nurse.keyboard.press("Enter")
        await until(nurse, f"{PATH} === '{path(bed)}'")
        close = "document.activeElement.className"
        assert await nurse.evaluate(close) == "close"
        other.pinned = {"hr": 88}
        await until(nurse, f"{value(other.bed, 'hr')} === '88'")
        await nurse.go_back()
        await nurse.wait_for_selector("#bed", state="hidden")
        await until(nurse, f"{FOCUSED} === '{bed.bed}'")
        before = await nurse.evaluate(FRAME)
        await nurse.go_forward()
        await nurse.wait_for_selector("#bed .numbers")
        await nurse.reload()
        await nurse.wait_for_selector("#bed .numbers")
        title = await nurse.inner_text("#bed h2")
        await nurse.keyboard.press("Escape")
        await nurse.wait_for_selector("#bed", state="hidden")
        await until(nurse, f"{FOCUSED} === '{bed.bed}'")

        assert title == f"{bed.bed}{bed.patient_id}"
        assert await nurse.evaluate(PATH) == "/"
        await until(nurse, f"{FRAME} > {before} + 5")


async def test_17_a_beds_address_is_shared_and_says_when_its_patient_is_gone(
    chain: Chain, browser: Browser
):
    async with chain.take(1) as (bed,):
        context = await open_context(browser, chain.view)
        page = await context.new_page()
        await page.goto(chain.view.address.rstrip("/") + path(bed))
        await page.wait_for_selector("#bed .numbers")
        gone = Patient(bed.index)
        gone.patient_id = bed.patient_id
    await until(page, "document.querySelector('#bed .gone') !== null")
    said = await page.inner_text("#bed .gone")
    await page.click("#bed .close")
    await page.wait_for_selector("#bed", state="hidden")

    assert f"No patient {gone.patient_id} lies on this ward now" in said
    assert await page.evaluate(PATH) == "/"
    await context.close()


async def test_19_an_input_of_news2_that_is_missing_is_never_zero(
    chain: Chain, nurse: Page
):
    row = "#bed .chart tbody tr:has-text('{}')"
    async with chain.take(1) as (bed,):
        await open_bed(nurse, bed)
        # Nobody has charted consciousness and oxygen of a patient who is new.
        total = "(document.querySelector('#bed .total')?.textContent ?? '')"
        await nurse.wait_for_selector("#bed .total")
        known = 4 if bed.index % 3 == 2 else 5  # without an arterial line
        await until(nurse, f"/{known}\\/7 inputs/.test({total})")
        missing = await nurse.inner_text(row.format("Air or oxygen"))
        form = nurse.locator("#bed .charting")
        await form.locator("select").first.select_option("A")
        await form.get_by_role("button", name="Chart").click()
        await until(nurse, f"/{known + 1}\\/7 inputs/.test({total})")
        text = await nurse.evaluate(total)
        cells = (
            await nurse.locator(row.format("Air or oxygen"))
            .locator("td")
            .all_inner_texts()
        )
        charted = await nurse.inner_text(row.format("Consciousness"))
        chip = await nurse.evaluate(head(bed))

    assert missing.split()[:4] == ["Air", "or", "oxygen", "missing"]
    assert cells[:2] == [NOTHING, NOTHING]
    assert "0" not in cells[:2]
    assert text.startswith("at least ")
    assert "RN Okafor" in charted
    assert "≥" in chip


async def test_what_is_not_plausible_is_told_before_it_is_sent(
    chain: Chain, nurse: Page
):
    async with chain.take(1) as (bed,):
        await open_bed(nurse, bed)
        form = nurse.locator("#bed .charting")
        await form.locator("option[value='ph']").wait_for(state="attached")
        await form.locator(".value select").select_option("ph")
        await form.locator("input").fill("9,1")
        said = await form.locator(".said").inner_text()
        chart = form.get_by_role("button", name="Chart")
        is_disabled = await chart.is_disabled()
        refused = await nurse.evaluate(asked(bed, "observe", "values: {ph: 9.1}"))
        await form.locator("input").fill("7,31")
        await chart.click()
        await until(
            nurse, "document.querySelector('#bed .charting input').value === ''"
        )

    assert said == "pH: want 6.5 to 8"
    assert is_disabled
    assert (refused["state"], refused["reason"]) == (
        "refused",
        "ph is 9.1 [pH]: want 6.5 to 8",
    )


async def test_limits_of_this_patient_are_shown_with_whose_and_until_when(
    chain: Chain, nurse: Page
):
    async with chain.take(1) as (bed,):
        await open_bed(nurse, bed)
        nothing = await nurse.evaluate(asked(bed, "propose_limits", ""))
        change = "limits: [{code: 'spo2.low', limit: 88}], hours: 2, reason: 'x'"
        done = await nurse.evaluate(asked(bed, "set_limits", change))
        own = nurse.locator("#bed .limits .in > table .own")
        await own.wait_for()
        shown = await own.inner_text()
        back = await nurse.evaluate(asked(bed, "reset_limits", ""))
        await own.wait_for(state="detached")
        link = await nurse.get_attribute("#bed .limits .change", "href")
        address = path(bed)

    assert nothing["state"] == "refused"  # it wants half an hour of values
    assert (done["state"], back["state"]) == ("done", "done")
    assert done["answer"]["limits"] == [{"code": "spo2.low", "limit": 88}]
    assert "< 88 %" in shown
    assert "own: RN Okafor" in shown
    assert link == address.replace("/bed/", "/limits/")


async def test_a_crosshair_reads_out_all_charts_and_a_gap_is_no_value(
    shared: tuple[Hospital, WardView], page: Page
):
    """Minutes that have passed: messages of a planted producer."""
    hospital, _ = shared
    patient = hospital.patients[6]
    patient.pinned = {"etco2": 41}  # nothing else sends it
    for ago_s in (540, 530, 300):
        await hospital.measure([patient], ago_ms=1_000 * ago_s)
    patient.pinned = {"hr": 111}
    # What comes after it has been read: so has it.
    await until(page, f"{value(patient.bed, 'hr')} === '111'")
    patient.pinned = {}
    await page.click(f".tile[data-bed='{patient.bed}']")
    await page.wait_for_selector("#bed .plot .main-svg")

    await page.focus("#bed .stack")
    await page.keyboard.press("ArrowLeft")
    seen = [await page.evaluate(READ_OUT), *await page.evaluate(STEPS_BACK, 59)]
    await page.keyboard.press("End")
    last = await page.evaluate(READ_OUT)
    names = await page.locator("#bed .labels b").all_inner_texts()
    since = await page.inner_text("#bed .since")

    assert sum("etCO₂ 41 mmHg" in text for text in seen) == 3
    assert sum(f"etCO₂ {NOTHING}" in text for text in seen) == 57
    assert "SpO₂" in last
    assert names[:2] == ["HR", "SpO₂"]
    assert "Seen by this view itself, since " in since
    for hours in ("4 h", "12 h", "24 h"):
        await page.get_by_role("button", name=hours, exact=True).click()
        await until(
            page,
            "document.querySelector('#bed .stack').getAttribute('aria-label')"
            f".includes('{hours}')",
        )


async def test_an_alarm_of_this_bed_has_its_steps_and_takes_feedback(
    chain: Chain, nurse: Page
):
    async with chain.take(1) as (bed,):
        await open_bed(nurse, bed)
        bed.pinned = {"spo2": 79}
        alarm = nurse.locator("#bed .alarm.high")
        await alarm.wait_for()
        await alarm.locator(".why").wait_for()
        why = await alarm.locator(".why").inner_text()
        sentence = await alarm.locator(".strip").inner_text()
        await alarm.get_by_role("button", name="Acknowledge").click()
        await nurse.locator("#bed .alarm.high.ack").wait_for()
        bed.pinned = {}
        past = nurse.locator("#bed .past", has_text="SpO₂")
        await past.first.wait_for()
        await past.first.locator("summary").click()
        steps = await past.first.locator("li").all_inner_texts()
        await past.first.get_by_role("button", name="No", exact=True).click()
        await past.first.locator(".judged", has_text="Not worth it").wait_for()

    assert sentence.startswith("!!! SpO₂ 79 %, below 80")
    assert "Rule" in why
    assert "Limit from" in why
    assert [step[9:] for step in steps] == [
        "began",
        "acknowledged by RN Okafor",
        "ended",
    ]
