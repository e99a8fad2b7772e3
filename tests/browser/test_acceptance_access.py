"""Items 15 and 16: who may listen, and what a viewer may not.

And what comes with them on a shared screen: a person signs in over it, acts by name, and
is signed out when nothing is done, while the screen stays as it was.
"""

import asyncio
import contextlib
import json
import uuid

import msgspec
import pytest

from playwright.async_api import Browser
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from icu_stream import bus
from icu_stream.access import accounts, passwords, store
from icu_stream.access.roles import Role
from icu_stream.contracts import topics
from icu_stream.contracts.audit import AuditEntry, Deed
from tests.browser.chain import Chain
from tests.browser.hospital import WardView
from tests.browser.screen import DIGITS, FULL_HD, MESSAGE, PATIENCE_S, strip, until
from tests.browser.test_signin import fetch


pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "correct horse battery"
SESSION = "document.querySelector('#session').textContent"


async def first_frame(view: WardView, origin: str | None, cookie: str | None) -> str:
    """The first frame of the live socket, or how it was closed."""
    url = view.address.replace("http", "ws") + "live"
    headers = {} if cookie is None else {"Cookie": f"icu_ward={cookie}"}
    async with connect(url, origin=origin, additional_headers=headers) as socket:
        with contextlib.suppress(ConnectionClosed):
            return str(await asyncio.wait_for(socket.recv(), 5))
        return f"closed {socket.close_code}"


async def add(view: WardView, name: str, role: Role) -> None:
    """An account, made while the ward runs."""
    hash_ = await asyncio.to_thread(passwords.hashed, PASSWORD)
    await store.accounts(view.settings).add(accounts.new(name, role, hash_, 0))


async def test_15_the_socket_opens_for_our_page_with_a_session(chain: Chain):
    view = chain.view

    frame = await first_frame(view, view.address.strip("/"), view.cookie)

    assert '"k":"snap"' in frame


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.test", "http://127.0.0.1:1"]
)
async def test_15_the_socket_is_closed_for_any_other_origin(
    chain: Chain, origin: str | None
):
    view = chain.view

    assert await first_frame(view, origin, view.cookie) == "closed 4403"


@pytest.mark.parametrize("cookie", [None, "", "made-up"])
async def test_15_the_socket_is_closed_without_a_session(
    chain: Chain, cookie: str | None
):
    view = chain.view

    assert await first_frame(view, view.address.strip("/"), cookie) == "closed 4403"


async def test_16_a_viewer_has_no_control_and_the_server_refuses(
    chain: Chain, browser: Browser
):
    """Signed in with a password, by the form, in a browser of their own."""
    view = chain.view
    await add(view, "visitor", Role.VIEWER)
    context = await browser.new_context(
        viewport={"width": FULL_HD[0], "height": FULL_HD[1]}
    )
    page = await context.new_page()
    problems: list[str] = []
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    async with chain.take(1) as (bed,):
        bed.pinned = {"spo2": 79}
        await page.goto(view.address)
        await page.fill("[name=name]", "visitor")
        await page.fill("[name=password]", PASSWORD)
        problems.clear()  # the 401 of the first page
        await page.press("[name=password]", "Enter")
        await page.wait_for_selector(".tile:not(.skeleton)")
        await until(page, f"{strip(bed.bed)} === '!!! SpO₂ 79 < 80'")
        await page.click(f".tile[data-bed='{bed.bed}']")
        await page.wait_for_selector("#bed .alarm .why")
        shown = await page.inner_text("#bed")
        buttons = await page.locator("button").all_inner_texts()
        await page.focus(f".tile[data-bed='{bed.bed}']")
        await page.keyboard.press("a")
        (cookie,) = await context.cookies()
        wish = {
            "id": str(uuid.uuid4()),
            "type": "acknowledge",
            "patient": bed.patient_id,
            "alert": f"{bed.patient_id}:spo2.desat:0",
        }
        status, _, body = await fetch(
            view,
            "/commands",
            "POST",
            json.dumps(wish),
            Cookie=f"{cookie['name']}={cookie['value']}",
            Origin=view.address[:-1],
            **{"Content-Type": "application/json"},
        )
        # A busy machine may have kept frames back for a moment, and then nothing is shown.
        await until(page, f"{strip(bed.bed)} === '!!! SpO₂ 79 < 80'")
    await context.close()

    assert "SpO₂ 79" in shown
    assert not [text for text in buttons if "Acknowledge" in text or "Pause" in text]
    assert (status, json.loads(body)["reason"]) == (
        409,
        "a viewer may not: acknowledge",
    )
    assert problems == []


async def test_16_a_person_signs_in_over_the_screen_and_leaves_it_when_idle(
    chain: Chain, browser: Browser
):
    """The screen's own session is a viewer's; who acts there does so by name, for a while."""
    station = {"ward_user": "", "ward_role": "viewer", "ward_station": "ICU1 desk"}
    async with (
        chain.another_view(**station, ward_idle_s=6) as view,
        chain.take(1) as (bed,),
    ):
        await add(view, "RN Adeyemi", Role.NURSE)
        bed.pinned = {"spo2": 79}
        context = await browser.new_context(
            viewport={"width": FULL_HD[0], "height": FULL_HD[1]}
        )
        await context.add_cookies(
            [{"name": "icu_ward", "value": view.cookie, "url": view.address}]
        )
        page = await context.new_page()
        await page.goto(view.address)
        await page.wait_for_selector(".tile:not(.skeleton)")
        await until(page, f"{strip(bed.bed)} === '!!! SpO₂ 79 < 80'")
        before = await page.evaluate("window.icuCommands.may('acknowledge')")

        await page.click("#session button")
        await page.fill("#signin [name=name]", "RN Adeyemi")
        await page.fill("#signin [name=password]", "not the password")
        await page.press("#signin [name=password]", "Enter")
        await page.wait_for_selector("#signin .no:has-text('wrong')")
        await page.fill("#signin [name=password]", PASSWORD)
        await page.press("#signin [name=password]", "Enter")
        await until(page, f"{SESSION}.includes('Sign out')")
        await page.focus(f".tile[data-bed='{bed.bed}']")
        await page.keyboard.press("a")
        await until(page, f"/✓ RA/.test({strip(bed.bed)})")
        in_s = await until(page, f"{SESSION}.includes('nothing was done')")
        after = await page.evaluate("window.icuCommands.may('acknowledge')")
        live = await page.evaluate(DIGITS)
        bar = await page.evaluate(MESSAGE)
        entries = await audit(chain, "RN Adeyemi", 4)
        await context.close()

    assert (before, after) == (False, False)
    assert in_s > 2  # since the key was pressed
    assert live > 0
    assert "SIGNED OUT" not in bar
    assert [entry.deed for entry in entries] == [
        Deed.REFUSAL,
        Deed.SIGN_IN,
        Deed.COMMAND,
        Deed.SESSION_OVER,
    ]
    assert {entry.station for entry in entries} == {"ICU1 desk"}
    assert (entries[2].outcome, entries[3].reason) == ("done", "idle")


async def audit(chain: Chain, by: str, count: int) -> list[AuditEntry]:
    """What the topic says that somebody did, once there is enough of it."""
    reader = bus.consumer(
        chain.settings, topics.AUDIT.name, auto_offset_reset="earliest"
    )
    await reader.start()
    entries: list[AuditEntry] = []
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for record in reader:
                entry = msgspec.json.decode(record.value, type=AuditEntry)
                mine = entry.by == by and entry.deed is not Deed.ACCOUNT
                entries += [entry] if mine else []
                if len(entries) == count:
                    return entries
    finally:
        await reader.stop()
    return entries


async def test_16_without_a_screen_of_its_own_a_browser_whose_session_ends_shows_nothing(
    chain: Chain, browser: Browser
):
    """The form works without scripts; then another password is set, by an administrator."""
    view = chain.view
    await add(view, "RN Brandt", Role.NURSE)
    plain = await browser.new_context(java_script_enabled=False)
    form = await plain.new_page()
    await form.goto(view.address)
    await form.fill("[name=name]", "rn brandt")
    await form.fill("[name=password]", PASSWORD)
    await form.click("button")
    await form.wait_for_selector("footer")
    (cookie,) = await plain.cookies()
    await plain.close()
    context = await browser.new_context()
    await context.add_cookies(
        [{"name": cookie["name"], "value": cookie["value"], "url": view.address}]
    )
    page = await context.new_page()
    await page.goto(view.address)
    await page.wait_for_selector(".tile:not(.skeleton)")
    await until(page, f"{DIGITS} > 0")

    another = await asyncio.to_thread(passwords.hashed, PASSWORD * 2)
    await store.accounts(view.settings).change("RN Brandt", hash_=another)
    await until(page, f"{MESSAGE}.startsWith('SIGNED OUT')", 8)
    left = await page.evaluate(DIGITS)
    await page.click("#session button:has-text('Sign in')")
    await page.fill("#signin [name=name]", "RN Brandt")
    await page.fill("#signin [name=password]", PASSWORD * 2)
    await page.press("#signin [name=password]", "Enter")
    await until(page, f"{DIGITS} > 0")
    await context.close()

    assert left == 0
