"""A screen on the ward: a page of a signed-in browser, and how a test looks at it."""

import asyncio
import contextlib
import time

from collections.abc import AsyncIterator, Callable
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, WebSocketRoute

from tests.browser.hospital import WardView


# As root there is no sandbox; a test's browser calls nobody.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
FULL_HD = (1920, 1080)
# For what a machine that does much else may take; how soon is measured by `make bench-ward`.
PATIENCE_S = 60.0
# A hop that dies is told on every page within this time, whatever else goes on.
TOLD_S = 10.0
_LOOK_S = 0.05


async def open_context(
    browser: Browser, view: WardView, size: tuple[int, int] = FULL_HD, **options: Any
) -> BrowserContext:
    """A browser of its own that is signed in."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]}, **options
    )
    context.set_default_timeout(1000 * PATIENCE_S)
    await context.add_cookies(
        [{"name": "icu_ward", "value": view.cookie, "url": view.address}]
    )
    return context


async def open_page(
    browser: Browser,
    view: WardView,
    size: tuple[int, int] = FULL_HD,
    *,
    frames: Callable[[str], str | None] | None = None,
    there: str = ".tile:not(.skeleton)",
    **options: Any,
) -> Page:
    """The ward on a screen of a size, with its tiles drawn.

    Args:
        browser: Where.
        view: Which.
        size: Of the screen.
        frames: What becomes of each frame on its way to the page; None: it is lost.
        there: What is waited for.
        options: Of the browser's context.
    """
    context = await open_context(browser, view, size, **options)
    page = await context.new_page()
    if frames is not None:
        await page.route_web_socket("**/live", lambda route: _pass_on(route, frames))
    await page.goto(view.address)
    await page.wait_for_selector(there)
    return page


@contextlib.asynccontextmanager
async def faultless(
    browser: Browser, view: WardView, *, console: bool = False
) -> AsyncIterator[Page]:
    """The ward on a screen; what goes wrong in the page fails the test.

    Args:
        browser: Where.
        view: Which.
        console: What the page writes as an error is one, too.
    """
    page = await open_page(browser, view)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    if console:
        page.on(
            "console", lambda m: errors.append(m.text) if m.type == "error" else None
        )
    yield page
    await page.context.close()
    assert not errors


def _pass_on(route: WebSocketRoute, change: Callable[[str], str | None]) -> None:
    def forward(frame: str | bytes) -> None:
        if (changed := change(str(frame))) is not None:
            route.send(changed)

    route.connect_to_server().on_message(forward)


async def until(page: Page, condition: str, timeout_s: float = PATIENCE_S) -> float:
    """Wait until an expression is true in the page.

    Args:
        page: Which.
        condition: JavaScript.
        timeout_s: For what must be seen within a time, whatever else goes on.

    Returns:
        How long it took, s.

    Raises:
        AssertionError: It was not true in time.
    """
    began = time.monotonic()
    # Not wait_for_function: the page's own policy forbids it to evaluate text.
    while not await page.evaluate(condition):
        took_s = time.monotonic() - began
        assert took_s < timeout_s, f"not within {timeout_s} s: {condition}"
        await asyncio.sleep(_LOOK_S)
    return time.monotonic() - began


def strip(bed: str) -> str:
    """Expression: the text of a bed's alarm strip."""
    return f"document.querySelector('.tile[data-bed=\"{bed}\"] .al').textContent"


def value(bed: str, signal: str) -> str:
    """Expression: what is shown for a bed's signal."""
    return (
        f"document.querySelector('.tile[data-bed=\"{bed}\"] .n.{signal} span')"
        ".textContent"
    )


def chip(level: str) -> str:
    """Expression: how many alarms the bar counts: high, medium, low, acknowledged."""
    return (
        f"parseInt(document.querySelector('.counts [aria-label$=\" {level}\"]')"
        ".getAttribute('aria-label'))"
    )


MESSAGE = "document.querySelector('.message').textContent"
DIGITS = (
    "[...document.querySelectorAll('.n')].filter(e => /\\d/.test(e.textContent)).length"
)
FRAME = "Number(document.documentElement.dataset.frame)"
