"""What a nurse asks from the page, through Kafka to the real worker and back."""

import asyncio
import json
import uuid

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from playwright.async_api import Browser, Page

from icu_stream.contracts.alerts import Priority
from tests.browser.hospital import Hospital, WardView, showing
from tests.browser.screen import open_page, strip, until
from tests.browser.test_signin import fetch
from tests.kafka import Kafka
from tests.worker import Worker


pytestmark = pytest.mark.asyncio(loop_scope="session")

Chain = tuple[Hospital, WardView, Worker]
SAID = "document.querySelector('#said').textContent"
# Above 120 and not above 140: one alarm, hr.high, so that a tile shows it and no other.
TACHYCARDIA = 130


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def chain(kafka: Kafka) -> AsyncIterator[Chain]:
    """Six beds whose alarms the real worker raises, and a nurse at the page."""
    settings = kafka.settings(ward_role="nurse", ward_user="RN Okafor")
    worker = Worker(settings)
    await asyncio.to_thread(worker.start)
    try:
        async with showing(settings, 6) as (hospital, view):
            hospital.worker_runs = False  # it speaks for itself
            # All that the tests need begins now; each takes some seconds to be an alarm.
            hospital.patients[1].pinned = {"hr": TACHYCARDIA}
            yield hospital, view, worker
    finally:
        worker.kill()


@pytest_asyncio.fixture(loop_scope="session")
async def nurse(browser: Browser, chain: Chain) -> AsyncIterator[Page]:
    """The nurse's screen; what goes wrong in the page fails the test."""
    opened = await open_page(browser, chain[1])
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    await opened.context.close()
    assert not errors


def tile(hospital: Hospital, index: int) -> str:
    return f".tile[data-bed='{hospital.patients[index].bed}']"


async def is_alarming(page: Page, hospital: Hospital, index: int) -> None:
    bed = hospital.patients[index].bed
    await until(page, f"{strip(bed)}.startsWith('!!')", 40)


async def test_a_pause_counts_down_survives_a_reload_and_is_ended(
    chain: Chain, nurse: Page
):
    hospital, _, _ = chain
    head = f'document.querySelector("{tile(hospital, 2)} .hd").textContent'
    await nurse.focus(tile(hospital, 2))
    await nurse.keyboard.press("Enter")
    pause = nurse.get_by_role("button", name="Pause 2 min")
    await pause.wait_for()
    without_a_reason = await pause.is_disabled()
    await nurse.select_option("#bed select", "suction")
    await pause.click()
    await until(nurse, f"/paused 1:5\\d RO/.test({head})", 5)
    said = await nurse.inner_text("#bed .pausing")
    await nurse.reload()
    await nurse.wait_for_selector(tile(hospital, 2))
    await until(nurse, f"/1:[45]\\d RO/.test({head})", 10)
    await nurse.get_by_role("button", name="Resume").click()
    await until(nurse, f"!/RO/.test({head})", 5)

    assert without_a_reason
    assert "Alarms paused by RN Okafor: suction" in said
    assert "High alarms still break through" in said


async def test_an_open_bed_says_why_and_takes_what_a_person_thinks_of_an_alarm(
    chain: Chain, nurse: Page
):
    hospital, _, _ = chain
    await is_alarming(nurse, hospital, 1)
    await nurse.click(tile(hospital, 1))
    why = nurse.locator("#bed .alarm .why").first
    await why.wait_for()
    shown = await why.inner_text()

    first = nurse.locator("#bed .alarm").first
    await first.get_by_role("button", name="No", exact=True).click()
    judged = nurse.locator("#bed .judged", has_text="Not worth it (RN Okafor)")
    await judged.first.wait_for(timeout=5_000)
    await nurse.keyboard.press("Escape")
    await nurse.wait_for_selector("#bed", state="hidden")

    assert "Rule" in shown
    assert "adult" in shown
    focused = "document.activeElement.dataset.bed"
    assert await nurse.evaluate(focused) == hospital.patients[1].bed
    assert await nurse.evaluate("location.hash") == ""


async def test_a_refusal_says_why(chain: Chain):
    hospital, view, _ = chain
    patient = hospital.patients[0].patient_id
    status, answer = await post(
        view, type="acknowledge", patient=patient, alert=f"{patient}:hr.high:1"
    )

    assert (status, answer["fate"]) == (409, "refused")
    assert answer["reason"] == "this patient has no such alarm"


async def post(view: WardView, **wish: Any) -> tuple[int, dict[str, str]]:
    """One command, as the page posts it."""
    status, _, body = await ask(view, json.dumps({"id": str(uuid.uuid4())} | wish))
    return status, json.loads(body)


async def ask(
    view: WardView, body: str, *, content: str = "application/json", origin: str = ""
) -> tuple[int, dict[str, str], str]:
    return await fetch(
        view,
        "/commands",
        "POST",
        body=body,
        Cookie=f"icu_ward={view.cookie}",
        Origin=origin or view.address.strip("/"),
        **{"Content-Type": content},
    )


async def test_a_viewer_has_no_control_and_the_server_refuses(
    shared: tuple[Hospital, WardView], page: Page
):
    hospital, view = shared
    patient = hospital.patients[4]
    alert = await hospital.alarm(4, "hr.high", Priority.MEDIUM, value=131, limit=120)
    await until(page, f"{strip(patient.bed)} !== ''", 3)

    await page.focus(f".tile[data-bed='{patient.bed}']")
    await page.keyboard.press("a")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#bed .alarm")
    await page.get_by_role("button", name="4 h").wait_for()
    controls = await page.locator("#bed button").all_inner_texts()
    status, answer = await post(
        view, type="acknowledge", patient=patient.patient_id, alert=alert.alert_id
    )

    assert controls == ["✕ Back", "1 h", "2 h", "4 h"]
    assert await page.inner_text("#me") == "Looking only (viewer)"
    assert (status, answer) == (
        409,
        {"fate": "refused", "reason": "a viewer may not: acknowledge"},
    )


@pytest.mark.parametrize(
    ("body", "options", "status"),
    [
        ("{}", {}, 400),
        ("not json", {}, 400),
        ('{"id": "1", "type": "resume", "patient": "p"}', {}, 400),
        ('{"by": "somebody else"}', {}, 400),
        ("{}", {"content": "text/plain"}, 415),
        ("{}", {"origin": "http://evil.test"}, 403),
        ("x" * 5_000, {}, 413),
    ],
)
async def test_what_is_no_command_of_our_page_is_turned_away(
    shared: tuple[Hospital, WardView], body: str, options: dict[str, str], status: int
):
    assert (await ask(shared[1], body, **options))[0] == status
