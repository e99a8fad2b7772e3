"""Who asks, and may this person see that page? Decided here, whatever the browser shows.

Everything that belongs to a page is refused to whoever may not see it: its address, what
is fetched below it, and each of its callbacks, which a browser can call without the page.
"""

import functools
import inspect
import secrets

from collections.abc import Callable
from contextvars import ContextVar
from html import escape
from typing import Any

from dash import Dash, set_props
from fastapi import HTTPException
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from icu_stream.access.roles import Page, Person
from icu_stream.observability import log
from icu_stream.ward import pages, wording


_person: ContextVar[Person] = ContextVar("ward_person")

_REFUSED = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{title}</title></head>
<body><main><h1>{title}</h1><p>{reason}</p><p><a href="/">{home}</a></p>
<p>{note}</p></main></body></html>"""


def person() -> Person:
    """Who asks for what is being answered."""
    return _person.get()


def may_see(who: Person, address: str) -> bool:
    """May this person see what is there? What is no page is for the server to answer."""
    place = pages.place(address)
    return place is None or who.sees(place.page)


class Guard:
    """Between the gate and the pages: knows the person, and refuses others' pages.

    Args:
        app: What is guarded.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it here."""
        who: Person | None = scope.get("state", {}).get("person")
        if who is None or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not may_see(who, scope["path"]):
            text = _REFUSED.format(
                title=escape(wording.say("page.refused")),
                reason=escape(_refusal(who, scope["path"])),
                home=escape(wording.say("page.home")),
                note=escape(wording.say("page.note")),
            )
            await HTMLResponse(text, 403)(scope, receive, send)
            return
        token = _person.set(who)
        try:
            await self._app(scope, receive, send)
        finally:
            _person.reset(token)


def callback(
    app: Dash, page: Page, *places: Any, **options: Any
) -> Callable[[Callable[..., Any]], None]:
    """Attach a callback of a page, which only those who may see the page may call.

    It may be a coroutine function; one that takes more than some milliseconds must be,
    and leave the work to a thread: Dash runs all of them where the frames are made.

    Args:
        app: The app.
        page: Whose.
        places: Outputs, inputs and states, as of `Dash.callback`.
        options: Likewise.
    """

    def attach(function: Callable[..., Any]) -> None:
        @functools.wraps(function)
        async def checked(*values: Any) -> Any:
            who = person()
            if not who.sees(page):
                raise HTTPException(403, _refusal(who, f"/{page}"))
            answer = function(*values)
            return await answer if inspect.isawaitable(answer) else answer

        app.callback(*places, **options)(checked)

    return attach


def failed(error: Exception) -> None:
    """A callback raised: say so on the page, with a code that is in the log, too.

    Raises:
        HTTPException: It was refused, which is no failure.
    """
    if isinstance(error, HTTPException):
        raise error
    code = secrets.token_hex(3)
    log.error("ward_callback_failed", code=code, exc_info=error)
    set_props("problem-text", {"children": wording.say("page.problem", code=code)})
    set_props("problem", {"hidden": False})


def _refusal(who: Person, address: str) -> str:
    place = pages.place(address)
    title = address if place is None else place.title
    role = wording.say(f"role.{who.role}")
    return wording.say("page.refused_to", page=title, role=role)
