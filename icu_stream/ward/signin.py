"""The gate before the ward view: sessions, sign-in pages, origins and headers.

The gate lets nothing through without a session: no page, no asset, no endpoint of Dash, no
socket. Who is let in, `icu_stream.access` decides; here it is said in HTTP.

A browser may hold two sessions. The screen's own comes from the one-time link, and stays; a
person's comes on top of it and goes by itself, and what is left is the screen's. So a screen
on the wall is never dark, and whoever acts there is somebody by name.

===============================  ========================================================
request                          does
===============================  ========================================================
GET /signin                      the form; with ?token= it spends the link
POST /signin                     name and password; JSON to whoever accepts it
GET /signin/oidc, .../oidc/done  to the identity provider, and back
POST /signout                    ends the person's session, else the screen's
POST /act                        a person did something here: the session goes on
===============================  ========================================================
"""

import base64
import hashlib
import re

from html import escape
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlsplit

import msgspec

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from icu_stream import clock
from icu_stream.access.door import Door, Refused, SignedIn, Why
from icu_stream.access.oidc import DONE_PATH, STARTED_S
from icu_stream.access.roles import MAY, Person
from icu_stream.access.sessions import PERSON_S, STATION_S, Kind, Session
from icu_stream.settings import Settings
from icu_stream.ward import wording


COOKIE = "icu_ward"  # the screen's
PERSON_COOKIE = "icu_person"
STATE_COOKIE = "icu_oidc"
# The socket is accepted to be closed: before that, a browser would not see the code.
CLOSE_CODE = 4403
_MAX_BODY_BYTES = 4_096
_HSTS_S = 31_536_000
# An address of this server to go on to: no scheme, no host, no query.
_PATH = re.compile(r"/(?![/\\])[\w./~-]*")
_NO_STORE = {"Cache-Control": "no-store"}

_STYLE = """
body{margin:0;background:#0B0F14;color:#F2F5F7;font:18px/1.5 system-ui,sans-serif}
main{max-width:26em;margin:8vh auto;padding:0 16px}
h1{font-size:1.5em}
label{display:block;margin:12px 0}
input{display:block;box-sizing:border-box;width:100%;min-height:44px;padding:0 12px;
font:inherit;color:#F2F5F7;background:#141A21;border:1px solid #9AA7B4;border-radius:4px}
button,.button{display:block;box-sizing:border-box;width:100%;min-height:44px;padding:8px 12px;
margin:16px 0;font:inherit;font-weight:600;text-align:center;text-decoration:none;color:#0B0F14;
background:#F2F5F7;border:0;border-radius:4px;cursor:pointer}
.other{color:#F2F5F7;background:#0B0F14;border:1px solid #9AA7B4}
:focus-visible{outline:3px solid #33D6F0;outline-offset:2px}
a{color:#F2F5F7}
.no{padding:8px 12px;border:2px solid #F2F5F7}
.muted{color:#9AA7B4}
"""
_PAGE = """<!DOCTYPE html>
<html lang="{language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">{more}
<title>{title} - icu-stream</title><style>{style}</style></head>
<body><main><h1>{title}</h1>{body}
<p class="muted">{note}</p></main></body></html>"""
_FORM = """<form method="post" action="/signin">
<input type="hidden" name="next" value="{next}">
<label>{name_word}<input name="name" value="{name}" autocomplete="username"
autocapitalize="none" maxlength="64" required></label>
<label>{password_word}<input name="password" type="password"
autocomplete="current-password" required></label>
<button>{do}</button></form>"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# Of the pages made here: their one style, and their form to this server; nothing else.
_OWN_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_STATUS = {
    Why.WRONG: 401,
    Why.LINK: 401,
    Why.TOO_OFTEN: 429,
    Why.STORE: 503,
    Why.PROVIDER: 403,
}


class Ticket:
    """What a browser came with: its cookies, and whose sessions they are now.

    Args:
        door: Whose sessions.
        headers: Of its request.
    """

    def __init__(self, door: Door, headers: Headers) -> None:
        self._sessions = door.sessions
        self.provider = door.label
        cookies = _cookies(headers)
        self.person_cookie = cookies.get(PERSON_COOKIE, "")
        self.screen_cookie = cookies.get(COOKIE, "")

    @property
    def screen(self) -> Session | None:
        """The screen's own session."""
        return self._found(self.screen_cookie, Kind.STATION)

    @property
    def session(self) -> Session | None:
        """The person's session, else the screen's; None when both are over."""
        return self._found(self.person_cookie, Kind.PERSON) or self.screen

    @property
    def left_s(self) -> int:
        """For how long the session lasts if nothing is done."""
        session = self.session
        return (session.end_ms - clock.now_ms()) // 1000 if session else 0

    def act(self) -> None:
        """A person did something here."""
        if self.person_cookie:
            self._sessions.act(self.person_cookie)

    def _found(self, cookie: str, kind: Kind) -> Session | None:
        # A cookie of the one kind is not taken for the other.
        session = self._sessions.find(cookie) if cookie else None
        return session if session is not None and session.kind is kind else None


class Gate:
    """The outermost layer of the server.

    What is let through finds in its state the `person` who asks and the browser's `ticket`.

    Args:
        app: What is guarded.
        door: Who may pass.
        policy: The Content-Security-Policy of every answer of what is guarded.
        settings: Which proxy is believed, and how the page speaks.
    """

    def __init__(
        self, app: ASGIApp, door: Door, policy: str, settings: Settings
    ) -> None:
        self._app = app
        self._door = door
        self._has_proxy = settings.ward_proxy
        self._is_tls = (settings.ward_url or "").startswith("https:")
        self._headers = {
            "Content-Security-Policy": policy,
            "X-Frame-Options": "DENY",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, answer it here, or close it."""
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, self._guarded(scope, send))
        else:
            await self._app(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        ticket = Ticket(self._door, headers)
        session = ticket.session
        if session is None or not _is_own(headers):
            await receive()
            await send({"type": "websocket.accept"})
            reason = "sign in" if session is None else "another origin"
            await send(
                {"type": "websocket.close", "code": CLOSE_CODE, "reason": reason}
            )
            return
        self._admit(scope, session, ticket)
        await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        ticket = Ticket(self._door, headers)
        path, method = scope["path"], scope["method"]
        answer: ASGIApp
        if method not in {"GET", "HEAD"} and not _is_own(headers):
            answer = Response("another origin", 403)
        elif path in {"/signin", "/signin/oidc", "/" + DONE_PATH}:
            answer = await self._signing_in(Request(scope, receive), ticket)
        elif (session := ticket.session) is None:
            answer = self._form(wording.say("signin.none"), 401, goes_to=path)
        elif path in {"/signout", "/act"}:
            answer = self._about_session(path, method, ticket)
        else:
            if path == "/commands":
                ticket.act()
            self._admit(scope, session, ticket)
            answer = self._app
        await answer(scope, receive, send)

    @staticmethod
    def _admit(scope: Scope, session: Session, ticket: Ticket) -> None:
        state = scope.setdefault("state", {})
        state["person"] = session.person
        state["ticket"] = ticket

    async def _signing_in(self, request: Request, ticket: Ticket) -> Response:
        path, method = request.url.path, request.method
        if path == "/signin" and method == "POST":
            return await self._password(request, ticket)
        if method != "GET":
            return Response("want GET", 405, {"Allow": "GET"})
        if path == "/signin/oidc":
            return await self._to_provider(request)
        if path == "/" + DONE_PATH:
            return await self._from_provider(request, ticket)
        return self._link(request, ticket)

    def _link(self, request: Request, ticket: Ticket) -> Response:
        if (token := request.query_params.get("token")) is None:
            return self._form("", 401 if ticket.session is None else 200)
        outcome = self._door.by_link(token, self._address(request))
        if isinstance(outcome, Refused):
            return self._refusal(outcome)
        # The redirect takes the token out of the address, the history and the bookmarks.
        response = RedirectResponse("/", 303, headers=_NO_STORE)
        self._keep(response, request, COOKIE, outcome.cookie, STATION_S)
        return response

    async def _password(self, request: Request, ticket: Ticket) -> Response:
        fields = await _fields(request)
        if fields is None:
            return Response("want a form of at most 4 KiB", 400)
        outcome = await self._door.by_password(
            fields.get("name", "").strip(),
            fields.get("password", ""),
            self._address(request),
            self._station(request, ticket),
        )
        goes_to = fields.get("next", "/")
        is_asked_by_script = "application/json" in request.headers.get("accept", "")
        if isinstance(outcome, Refused):
            if not is_asked_by_script:
                return self._refusal(outcome, goes_to, fields.get("name", ""))
            said = {"reason": self._words(outcome)}
            body = msgspec.json.encode(said)
            headers = _NO_STORE | _retry(outcome)
            status = _STATUS[outcome.why]
            return Response(body, status, headers, "application/json")
        response = (
            Response(b"{}", 200, _NO_STORE, "application/json")
            if is_asked_by_script
            else RedirectResponse(_inner(goes_to), 303, headers=_NO_STORE)
        )
        self._keep_person(response, request, ticket, outcome)
        return response

    async def _to_provider(self, request: Request) -> Response:
        start = await self._door.to_provider()
        if isinstance(start, Refused):
            return self._refusal(start)
        response = RedirectResponse(start.url, 303, headers=_NO_STORE)
        # Lax: the provider's page sends the browser back, and the cookie must come, too.
        response.set_cookie(
            STATE_COOKIE,
            start.state,
            max_age=STARTED_S,
            path="/" + DONE_PATH,
            httponly=True,
            samesite="lax",
            secure=self._is_https(request),
        )
        return response

    async def _from_provider(self, request: Request, ticket: Ticket) -> Response:
        outcome = await self._door.from_provider(
            dict(request.query_params),
            _cookies(request.headers).get(STATE_COOKIE, ""),
            self._address(request),
            self._station(request, ticket),
        )
        if isinstance(outcome, Refused):
            response = self._refusal(outcome)
        else:
            # Not a redirect: that would still be the provider's navigation, on which a
            # browser sends no strict cookie.
            title = escape(wording.say("signin.welcome", by=outcome.session.by))
            go = f'<a class="button" href="/">{escape(wording.say("page.home"))}</a>'
            refresh = '<meta http-equiv="refresh" content="0;url=/">'
            response = _page(title, go, 200, refresh)
            self._keep_person(response, request, ticket, outcome)
        response.delete_cookie(STATE_COOKIE, path="/" + DONE_PATH)
        return response

    def _about_session(self, path: str, method: str, ticket: Ticket) -> Response:
        if method != "POST":
            return Response("want POST", 405, {"Allow": "POST"})
        if path == "/act":
            ticket.act()
            body = msgspec.json.encode({"left_s": ticket.left_s})
            return Response(body, 200, _NO_STORE, "application/json")
        response = Response(status_code=204, headers=_NO_STORE)
        session = ticket.session
        is_screen = session is not None and session.kind is Kind.STATION
        self._door.sign_out(ticket.screen_cookie if is_screen else ticket.person_cookie)
        response.delete_cookie(COOKIE if is_screen else PERSON_COOKIE)
        return response

    def _keep_person(
        self, response: Response, request: Request, ticket: Ticket, outcome: SignedIn
    ) -> None:
        """Who was signed in here before is signed out."""
        if ticket.person_cookie:
            self._door.sign_out(ticket.person_cookie)
        self._keep(response, request, PERSON_COOKIE, outcome.cookie, PERSON_S)

    def _keep(
        self, response: Response, request: Request, name: str, value: str, age_s: int
    ) -> None:
        response.set_cookie(
            name,
            value,
            max_age=age_s,
            httponly=True,
            samesite="strict",
            secure=self._is_https(request),
        )

    def _is_https(self, request: Request) -> bool:
        forwarded = request.headers.get("x-forwarded-proto", "")
        is_forwarded = self._has_proxy and forwarded == "https"
        return self._is_tls or request.scope["scheme"] == "https" or is_forwarded

    def _address(self, request: Request) -> str:
        """Of the browser, as far as we can know it."""
        # The last one is our own proxy's word; what is before it, anybody's.
        forwarded = (
            request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        )
        if self._has_proxy and forwarded:
            return forwarded[:64]
        return request.client.host if request.client else ""

    def _station(self, request: Request, ticket: Ticket) -> str:
        screen = ticket.screen
        return screen.station if screen else self._address(request)

    def _refusal(
        self, refused: Refused, goes_to: str = "/", name: str = ""
    ) -> Response:
        return self._form(
            self._words(refused),
            _STATUS[refused.why],
            goes_to=goes_to,
            name=name,
            headers=_retry(refused),
        )

    @staticmethod
    def _words(refused: Refused) -> str:
        return wording.say(
            f"signin.{refused.why}", s=refused.retry_after_s, why=refused.detail
        )

    def _form(
        self,
        reason: str,
        status: int,
        *,
        goes_to: str = "/",
        name: str = "",
        headers: dict[str, str] | None = None,
    ) -> Response:
        """The page to sign in with: no script, so that it works in any browser."""
        say = wording.say
        fields = _FORM.format(
            next=escape(_inner(goes_to)),
            name=escape(name[:64]),
            name_word=escape(say("signin.name")),
            password_word=escape(say("signin.password")),
            do=escape(say("signin.do")),
        )
        parts = [f'<p class="no" role="alert">{escape(reason)}</p>'] if reason else []
        parts.append(fields)
        if self._door.label:
            by = escape(say("signin.by", label=self._door.label))
            parts.append(f'<a class="button other" href="/signin/oidc">{by}</a>')
        parts.append(f'<p class="muted">{escape(say("signin.link_hint"))}</p>')
        title = escape(say("signin.title"))
        return _page(title, "\n".join(parts), status, headers=headers)

    def _guarded(self, scope: Scope, send: Send) -> Send:
        is_https = self._is_https(Request(scope))

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if is_https:
                    headers["Strict-Transport-Security"] = f"max-age={_HSTS_S}"
            await send(message)

        return with_headers


def about(person: Person, ticket: Ticket) -> dict[str, object]:
    """Whose session this is, what the page may offer, for how long, and who else signs in."""
    session = ticket.session
    return {
        "by": person.by,
        "role": person.role,
        "may": sorted(MAY[person.role]) if person.by else [],
        "station": person.station,
        "isPersonal": session is not None and session.kind is Kind.PERSON,
        "isScreen": ticket.screen is not None,
        "left_s": ticket.left_s,
        "provider": ticket.provider,
    }


def _page(
    title: str,
    body: str,
    status: int,
    more: str = "",
    headers: dict[str, str] | None = None,
) -> HTMLResponse:
    html = _PAGE.format(
        language=wording.ours().language,
        more=more,
        title=title,
        style=_STYLE,
        body=body,
        note=escape(wording.say("page.note")),
    )
    own = {
        "Content-Security-Policy": _OWN_POLICY,
        # Without a referrer a browser calls the origin of a form `null`.
        "Referrer-Policy": "same-origin",
    }
    return HTMLResponse(html, status, _NO_STORE | own | (headers or {}))


async def _fields(request: Request) -> dict[str, str] | None:
    """The fields of a form; None when it is none, or too long."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY_BYTES:
                return None
        if kind != "application/x-www-form-urlencoded":
            return None
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=8)
        return dict(pairs)
    except (ClientDisconnect, ValueError):
        return None


def _retry(refused: Refused) -> dict[str, str]:
    seconds = refused.retry_after_s
    return {"Retry-After": str(seconds)} if seconds else {}


def _inner(path: str) -> str:
    """An address of this server, or the ward."""
    return path if _PATH.fullmatch(path) and path != "/signout" else "/"


def _is_own(headers: Headers) -> bool:
    """Was this asked for by a page of this server? Browsers always say so."""
    # Without the scheme: behind a proxy that ends TLS we do not know it.
    return urlsplit(headers.get("origin", "")).netloc == headers.get("host", " ")


def _cookies(headers: Headers) -> dict[str, str]:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in cookies.items()}
