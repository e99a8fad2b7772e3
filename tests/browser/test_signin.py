"""Nothing is seen without a session, and a link signs in one browser."""

import asyncio
import http.client
import urllib.parse

from pathlib import Path

import pytest

from playwright.async_api import Browser
from pydantic import SecretStr

from icu_stream.settings import Settings
from tests.browser.hospital import Hospital, WardView
from tests.browser.screen import PATIENCE_S
from tests.identity import IdentityProvider
from tests.kafka import Kafka, free_port


pytestmark = pytest.mark.asyncio(loop_scope="session")

Shared = tuple[Hospital, WardView]


async def fetch(
    view: WardView, path: str, method: str = "GET", body: str = "", **headers: str
) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of one request."""

    def ask() -> tuple[int, dict[str, str], str]:
        host = urllib.parse.urlsplit(view.address).netloc
        client = http.client.HTTPConnection(host, timeout=PATIENCE_S)
        try:
            client.request(method, path, body or None, headers=headers)
            answer = client.getresponse()
            names = {k.lower(): v for k, v in answer.getheaders()}
            return answer.status, names, answer.read().decode(errors="replace")
        finally:
            client.close()

    return await asyncio.to_thread(ask)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/anything"),
        ("GET", "/assets/ward.js"),
        ("GET", "/assets/watchdog.js"),
        ("GET", "/who"),
        ("GET", "/beds?patient=p-4001"),
        ("POST", "/commands"),
        ("GET", "/_dash-layout"),
        ("GET", "/_dash-dependencies"),
        ("GET", "/_dash-component-suites/dash/deps/react@18.js"),
        ("POST", "/_dash-update-component"),
        ("POST", "/signout"),
        ("POST", "/act"),
        ("GET", "/openapi.json"),
        ("GET", "/signin"),
        ("GET", "/signin?token=wrong"),
        ("GET", "SPENT LINK"),  # spent by the fixture
    ],
)
async def test_without_a_session_there_is_nothing_but_how_to_sign_in(
    shared: Shared, method: str, path: str
):
    _, view = shared
    path = path.replace("SPENT LINK", view.link.removeprefix(view.address[:-1]))

    status, headers, body = await fetch(view, path, method, Origin=view.address[:-1])

    assert status == 401
    assert '<form method="post" action="/signin">' in body
    assert "<script" not in body
    assert "set-cookie" not in headers


async def test_a_cookie_that_was_made_up_opens_nothing(shared: Shared):
    status, _, _ = await fetch(shared[1], "/", Cookie="icu_ward=made-up")

    assert status == 401


async def test_a_session_opens_the_page_and_every_answer_is_guarded(shared: Shared):
    _, view = shared

    status, headers, body = await fetch(view, "/", Cookie=f"icu_ward={view.cookie}")

    assert status == 200
    assert "https://" not in body
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "'unsafe-eval'" not in headers["content-security-policy"]
    assert "server" not in headers


async def test_another_site_cannot_post_with_our_session(shared: Shared):
    _, view = shared
    cookie = f"icu_ward={view.cookie}"

    status, _, _ = await fetch(
        view,
        "/_dash-update-component",
        "POST",
        Cookie=cookie,
        Origin="http://evil.test",
    )

    assert status == 403


async def test_the_link_signs_in_one_browser_and_leaves_no_token_in_the_address(
    kafka: Kafka, browser: Browser
):
    settings = kafka.settings(ward_token=SecretStr("a-token-of-its-own"))
    view = WardView(settings)
    await asyncio.to_thread(view.start)
    try:
        context = await browser.new_context()
        page = await context.new_page()
        problems: list[str] = []
        requests: list[str] = []
        page.on(
            "console", lambda m: problems.append(m.text) if m.type == "error" else None
        )
        page.on("request", lambda request: requests.append(request.url))

        await page.goto(view.link)
        await page.wait_for_selector("#ward")
        (cookie,) = await context.cookies()
        other = await browser.new_context()
        second = await (await other.new_page()).goto(view.link)

        assert "a-token-of-its-own" not in view.line
        assert page.url == view.address
        assert cookie.get("httpOnly") is True
        assert cookie.get("sameSite") == "Strict"
        assert second is not None
        assert second.status == 401
        assert problems == []  # nothing that the page needs is forbidden to it
        assert all(url.startswith((view.address, "ws://", "data:")) for url in requests)
        await context.close()
        await other.close()
    finally:
        view.kill()


async def test_the_hospitals_provider_signs_a_person_in_from_another_site(
    browser: Browser, tmp_path: Path
):
    port = free_port()
    with IdentityProvider() as provider:
        settings = Settings(
            _env_file=None,
            broker="127.0.0.1:9",  # the discard port: no Kafka is needed for this
            data_dir=tmp_path,
            ward_port=port,
            ward_url=f"http://127.0.0.1:{port}/",
            oidc_issuer=provider.issuer,
            oidc_client_id=provider.client_id,
            oidc_client_secret=provider.client_secret,
            oidc_roles={"icu-doctors": "physician"},
            oidc_label="Example Hospital",
        )
        provider.redirect = f"{settings.ward_url}signin/oidc/done"
        view = WardView(settings)
        await asyncio.to_thread(view.start)
        try:
            context = await browser.new_context()
            page = await context.new_page()
            await page.goto(view.address)
            await page.click("text=Sign in with Example Hospital")
            await page.click("#back")
            await page.wait_for_selector("#me:has-text('dr.weiss (physician)')")
            await page.wait_for_selector("#session button:has-text('Sign out')")
            (cookie,) = await context.cookies()

            provider.person["groups"] = ["visitors"]
            await page.goto(view.address + "signin")
            await page.click("text=Sign in with Example Hospital")
            await page.click("#back")
            refused = await page.inner_text("[role=alert]")
            await context.close()
        finally:
            view.kill()

    assert page.url.startswith(view.address)
    assert (cookie.get("name"), cookie.get("sameSite")) == ("icu_person", "Strict")
    assert "dr.weiss has no role on this ward" in refused
