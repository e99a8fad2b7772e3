"""Who may look: a one-time link, a session, and a gate before everything else.

Whoever opens `/signin?token=...` with the right token gets a session cookie, and the token
is spent. The gate lets nothing through without a session: no page, no asset, no endpoint
of Dash, no socket. A session is a person with a role, and what the role may do is decided
here on the server: the page only leaves out what would be refused. Sessions outlive a restart of the server, so that a screen on the ward
comes back by itself: their digests are in a file, the cookies themselves are not.
"""

import hashlib
import hmac
import os
import secrets

from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from icu_stream import clock
from icu_stream.access.roles import Person, Role
from icu_stream.errors import ConfigurationError


SESSION_S = 12 * 3600  # one shift
COOKIE = "icu_ward"
# The socket is accepted to be closed: before that, a browser would not see the code.
CLOSE_CODE = 4403


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in - icu-stream</title>
<style>body{{margin:0;background:#0B0F14;color:#F2F5F7;font:18px/1.5 system-ui,sans-serif}}
main{{max-width:34em;margin:12vh auto;padding:0 16px}}code{{color:#9AA7B4}}</style></head>
<body><main><h1>Sign in to the ward view</h1><p>{reason}</p>
<p>Open the link that <code>icu-stream ward</code> (or <code>icu-stream demo</code>)
printed when it started. It works once, in one browser; start the command again for
a new one.</p>
<p>Secondary notification only. Use the bedside monitor.</p></main></body></html>"""


class _Saved(msgspec.Struct):
    """The file: digests of sessions with their persons, and of spent tokens."""

    people: dict[str, Person] = {}
    spent: list[str] = []


class Sessions:
    """Open sessions and the one-time token.

    Args:
        path: The file that outlives a restart.
        token: The one-time token.
        by: Whom it signs in.
        role: As what.
        now_ms: The clock.

    Raises:
        ConfigurationError: The file cannot be read or written.
    """

    def __init__(
        self,
        path: Path,
        token: str,
        by: str = "",
        role: Role = Role.VIEWER,
        now_ms: Callable[[], int] = clock.now_ms,
    ) -> None:
        self._path = path
        self._token = token
        self._by = by
        self._role = role
        self._now_ms = now_ms
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._saved = (
                msgspec.json.decode(path.read_bytes(), type=_Saved)
                if path.exists()
                else _Saved()
            )
            self._save()
        except (OSError, msgspec.MsgspecError) as error:
            msg = f"sessions of the ward view in {path}: {error}; see ICU_DATA_DIR"
            raise ConfigurationError(msg) from error

    def open(self, token: str) -> str | None:
        """Spend the token for a session; None when it is wrong or spent."""
        # Bytes: compare_digest refuses text that is not ASCII.
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return None
        digest = _digest(token)
        if digest in self._saved.spent:
            return None
        cookie = secrets.token_urlsafe(32)
        self._saved.spent.append(digest)
        until_ms = self._now_ms() + 1000 * SESSION_S
        self._saved.people[_digest(cookie)] = Person(self._by, self._role, until_ms)
        self._save()
        return cookie

    def person(self, cookie: str) -> Person | None:
        """Whose session a cookie is; None when there is none, or it is over."""
        person = self._saved.people.get(_digest(cookie))
        return person if person and self._now_ms() < person.until_ms else None

    def _save(self) -> None:
        """Write what is not over, so that a crash leaves the old file or the new."""
        now_ms = self._now_ms()
        self._saved.people = {
            digest: person
            for digest, person in self._saved.people.items()
            if now_ms < person.until_ms
        }
        self._saved.spent = self._saved.spent[-100:]
        part = self._path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(self._saved))
        part.replace(self._path)


class Gate:
    """The outermost layer of the server: sessions, origins, headers.

    Args:
        app: What is guarded.
        sessions: Who may pass.
        policy: The Content-Security-Policy of every answer.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions, policy: str) -> None:
        self._app = app
        self._sessions = sessions
        self._headers = {
            "Content-Security-Policy": policy,
            "X-Frame-Options": "DENY",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, answer it here, or close it."""
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, self._guarded(send))
        else:
            await self._app(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        person = self._session(headers)
        if person is None or not _is_own(headers):
            await receive()
            await send({"type": "websocket.accept"})
            reason = "sign in" if person is None else "another origin"
            await send(
                {"type": "websocket.close", "code": CLOSE_CODE, "reason": reason}
            )
            return
        scope.setdefault("state", {})["person"] = person
        await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        answer: ASGIApp
        if scope["path"] == "/signin" and scope["method"] == "GET":
            answer = self._sign_in(scope)
        elif (person := self._session(headers)) is None:
            answer = _refusal("This browser is not signed in, or its session is over.")
        elif scope["method"] not in {"GET", "HEAD"} and not _is_own(headers):
            answer = Response("another origin", 403)
        else:
            scope.setdefault("state", {})["person"] = person
            answer = self._app
        await answer(scope, receive, send)

    def _sign_in(self, scope: Scope) -> Response:
        tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        cookie = self._sessions.open(tokens[0])
        if cookie is None:
            return _refusal("This link is wrong, or it was used before.")
        # The redirect takes the token out of the address, the history and the bookmarks.
        response = RedirectResponse("/", 303, headers={"Cache-Control": "no-store"})
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=SESSION_S,
            httponly=True,
            samesite="strict",
            secure=scope["scheme"] == "https",
        )
        return response

    def _session(self, headers: Headers) -> Person | None:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return None
        morsel = cookies.get(COOKIE)
        return None if morsel is None else self._sessions.person(morsel.value)

    def _guarded(self, send: Send) -> Send:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
            await send(message)

        return with_headers


def _refusal(reason: str) -> Response:
    return HTMLResponse(
        _PAGE.format(reason=reason), 401, headers={"Cache-Control": "no-store"}
    )


def _is_own(headers: Headers) -> bool:
    """Was this asked for by a page of this server? Browsers always say so."""
    # Without the scheme: behind a proxy that ends TLS we do not know it.
    return urlsplit(headers.get("origin", "")).netloc == headers.get("host", " ")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
