"""The API as one process: Kafka's feed, the stores, and aiohttp around the route table.

A request passes, from the outside in: `_answered` (every error is a problem, headers,
origins), then its route: who asks, how often, path, query, headers, body, handler, ETag.
What a route needs is in its row and nowhere else.
"""

import asyncio
import contextlib
import logging
import secrets
import uuid

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from icu_stream import process, profiles
from icu_stream.access.desk import Desk
from icu_stream.access.door import Door
from icu_stream.access.ledger import Ledger
from icu_stream.access.roles import Person
from icu_stream.access.sessions import Sessions
from icu_stream.access.whatif import Runner, Runs
from icu_stream.api import auth, document, keys, problems
from icu_stream.api.feed import Feed
from icu_stream.api.keys import Keys
from icu_stream.api.pace import WINDOW_S, Pace, Turn
from icu_stream.api.parts import Parts
from icu_stream.api.present import Present
from icu_stream.api.problems import Fault, Kind, ProblemError, retry
from icu_stream.api.routes import ROUTES
from icu_stream.api.streaming import Hub
from icu_stream.api.table import Ask, Nothing, Reply, Route, etag, matches
from icu_stream.errors import ContractError, StorageError
from icu_stream.observability import log
from icu_stream.settings import Settings
from icu_stream.storage import records


MAX_BODY_BYTES = 65_536
STOP_S = 1.0
_BODY_S = 10.0
_PARTS: web.AppKey[Parts] = web.AppKey("parts", Parts)
_ORIGINS: web.AppKey[frozenset[str]] = web.AppKey("origins", frozenset)
_INSTANCE: web.RequestKey[str] = web.RequestKey("instance", str)
_TURN: web.RequestKey[Turn] = web.RequestKey("turn", Turn)
_PREFLIGHT_S = 600
_HSTS = "max-age=31536000"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}
_EXPOSED = "ETag, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
_ASKED = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID"


async def serve(
    settings: Settings,
    *,
    stop: asyncio.Event,
    runner: Callable[[], Runner],
    say: Callable[[str], None] = print,
) -> None:
    """Run the API until `stop` is set; it then ends within 3 s.

    Args:
        settings: `api_*`, and where Kafka, accounts and stores are.
        stop: Set it to end.
        runner: Makes who works out backtests, when the first one is asked.
        say: Gets one line with the address, once it can be asked.

    Raises:
        ConfigurationError: The port is taken, the data directory is not writable, or
            there is no such profile.
    """
    ledger = Ledger(settings)
    sessions = Sessions(settings.data_dir / "api-sessions.json", settings.ward_idle_s)
    # There is no link by which a screen could sign in here.
    door = Door(settings, sessions, ledger, secrets.token_urlsafe(32))
    desk = Desk(settings, ledger)
    present, hub, runs = Present(), Hub(settings), Runs(runner)
    feed = Feed(settings, present, hub, desk.heed)
    told = document.document(ROUTES)
    async with _stored(settings) as stored, asyncio.TaskGroup() as group:
        parts = Parts(
            settings=settings,
            door=door,
            desk=desk,
            present=present,
            hub=hub,
            feed=feed,
            records=stored,
            runs=runs,
            keys=Keys(),
            pace=Pace(settings.api_rate),
            rules=profiles.load(settings.profile, settings.language),
            document=told,
            page=document.page(told),
        )
        await door.look()
        async with process.listening(
            create_app(parts),
            settings.api_host,
            settings.api_port,
            setting="ICU_API",
            stop_s=STOP_S,
            log=_http_log(),
        ) as port:
            tasks = [group.create_task(part.run()) for part in (feed, ledger)]
            tasks.append(group.create_task(door.watch()))
            say(f"api: http://{process.place(settings.api_host, port)}/v1/docs")
            try:
                await stop.wait()
            finally:
                runs.close()
        for task in tasks:
            task.cancel()
        await desk.close()
        await door.close()


async def run(
    settings: Settings,
    *,
    runner: Callable[[], Runner],
    say: Callable[[str], None] = print,
) -> None:
    """Run the API until SIGTERM or SIGINT."""
    stop = process.told_to_end()
    await serve(settings, stop=stop, runner=runner, say=say)


def create_app(parts: Parts) -> web.Application:
    """The web application of some parts."""
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_answered])
    app[_PARTS] = parts
    app[_ORIGINS] = frozenset(parts.settings.api_origins.split(",")) - {""}
    app.on_response_prepare.append(_dress)
    for route in ROUTES:
        # A HEAD is a GET without its body, which the document need not say; a stream has
        # nothing else.
        if route.method == "GET" and route.media != "text/event-stream":
            app.router.add_get(route.path, _handler(route), allow_head=True)
        else:
            app.router.add_route(route.method, route.path, _handler(route))
    return app


class _Unread(logging.Filter):
    """Of a request that is no HTTP, says only that: what it holds may be a token."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the record, without what was sent."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.exc_info, record.exc_text = None, None
            record.msg, record.args = "a request is no HTTP", ()
        return True


def _http_log() -> logging.Logger:
    found = logging.getLogger("icu_stream.api.http")
    if not found.filters:
        found.addFilter(_Unread())
    return found


@contextlib.asynccontextmanager
async def _stored(settings: Settings) -> AsyncIterator[records.Records | None]:
    """The past; None where no store is configured."""
    if settings.postgres_dsn is None and settings.influx_url is None:
        log.info("api_without_store", advice="see ICU_POSTGRES_DSN")
        yield None
    else:
        async with records.opened(settings) as opened:
            yield opened


# --- around every request


@web.middleware
async def _answered(
    request: web.Request,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    """Answer whatever happens: every error is a problem."""
    instance = f"urn:uuid:{uuid.uuid4()}"
    request[_INSTANCE] = instance
    try:
        if (preflight := _preflight(request)) is not None:
            return preflight
        return await handler(request)
    except ProblemError as error:
        return _problem(error, instance)
    except web.HTTPException as error:
        return _problem(_of_aiohttp(error), instance)
    except StorageError as error:
        log.warning("api_store_failed", reason=str(error), instance=instance)
        seconds = max(1, round(error.retry_after_s))
        return _problem(retry(Kind.STORE, seconds), instance)
    except (ConnectionError, asyncio.CancelledError):
        raise  # nobody waits for an answer any more
    except Exception as error:  # noqa: BLE001 - answered and logged, with its number
        route = request.match_info.route
        log.error(
            "api_failed", route=str(route.name), instance=instance, exc_info=error
        )
        return _problem(ProblemError(Kind.FAULT), instance)


def _of_aiohttp(error: web.HTTPException) -> ProblemError:
    """What aiohttp refuses by itself, as a problem."""
    kinds = {404: Kind.UNKNOWN, 405: Kind.METHOD, 413: Kind.TOO_LONG}
    kind = kinds.get(error.status, Kind.INVALID)
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    details = {
        Kind.UNKNOWN: "there is nothing at this address: see /v1/docs",
        Kind.METHOD: f"want {headers.get('Allow', 'another method')}",
        Kind.TOO_LONG: f"want at most {MAX_BODY_BYTES} bytes",
    }
    return ProblemError(kind, details.get(kind, ""), headers=headers)


def _problem(error: ProblemError, instance: str) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(error.problem(instance)),
        status=error.kind.status,
        headers={"Content-Type": problems.MEDIA_TYPE, **error.headers},
    )


def _is_allowed_origin(request: web.Request) -> bool:
    origin = request.headers.get("Origin")
    return origin is not None and origin in request.app[_ORIGINS]


def _preflight(request: web.Request) -> web.Response | None:
    """The answer to a browser that asks before it asks; None for anything else."""
    wanted = request.headers.get("Access-Control-Request-Method")
    if request.method != "OPTIONS" or wanted is None or not _is_allowed_origin(request):
        return None
    headers = {
        "Access-Control-Allow-Methods": "GET, POST, DELETE",
        "Access-Control-Allow-Headers": _ASKED,
        "Access-Control-Max-Age": str(_PREFLIGHT_S),
    }
    return web.Response(status=204, headers=headers)


async def _dress(request: web.Request, response: web.StreamResponse) -> None:
    """The headers of every answer, whatever made it."""
    headers = response.headers
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers.pop("Server", None)
    headers["X-Request-Id"] = request.get(_INSTANCE, "").removeprefix("urn:uuid:")
    parts = request.app[_PARTS]
    if parts.settings.api_origins:
        headers["Vary"] = "Origin"
    if _is_allowed_origin(request):
        headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        headers["Access-Control-Expose-Headers"] = _EXPOSED
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if parts.settings.api_proxy and request.headers.get("X-Forwarded-Proto") == "https":
        headers["Strict-Transport-Security"] = _HSTS
    turn = request.get(_TURN)
    if turn is not None:
        most = parts.pace.most
        headers["RateLimit-Policy"] = f'"default";q={most};w={WINDOW_S}'
        headers["RateLimit"] = f'"default";r={turn.left};t={turn.full_s}'


# --- one route


def _handler(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    lists = _lists(route.query)

    async def handle(request: web.Request) -> web.StreamResponse:
        parts = request.app[_PARTS]
        person = _let_in(request, route, parts)
        ask = Ask(
            parts,
            person,
            _path(request, route),
            _query(request, route, lists),
            None,
            request,
        )
        if route.is_command:
            _require_key(request)
        if route.body is not None:
            ask.body = await _body(request, route)
        answer = await _handled(route, ask)
        if isinstance(answer, web.StreamResponse):
            return answer
        return _encoded(request, route, answer)

    handle.__name__ = route.name
    return handle


async def _handled(route: Route, ask: Ask[Any, Any, Any]) -> Any:
    try:
        return await route.handle(ask)
    except ContractError as error:  # a cursor that no list gave out
        raise problems.unknown(str(error)) from error


def _let_in(request: web.Request, route: Route, parts: Parts) -> Person:
    """Who asks; those who may not, and those who ask too often, go no further."""
    caller = auth.address(request, parts.settings)
    try:
        person = auth.person(request, route, parts.door, parts.settings)
        if person.by:
            caller = f"{person.by}/{person.station}"
    finally:
        turn = request[_TURN] = parts.pace.turn(caller)
    if not turn.is_free:
        raise retry(Kind.TOO_MANY, turn.wait_s, f"want {parts.pace.most} a minute")
    return person


def _path(request: web.Request, route: Route) -> Any:
    try:
        return msgspec.convert(dict(request.match_info), type=route.where)
    except msgspec.ValidationError as error:
        errors = [Fault("path", str(error))]
        detail = "nothing can be called so"
        raise ProblemError(Kind.UNKNOWN, detail, errors=errors) from error


def _query(request: web.Request, route: Route, lists: frozenset[str]) -> Any:
    if route.query is Nothing:
        return Nothing()  # what is not asked for is not looked at
    query = request.query
    given: dict[str, Any] = {}
    for name in query:
        if len(query.getall(name)) > 1:
            what = f"{name} is there twice" + (": want a,b" if name in lists else "")
            raise ProblemError(Kind.INVALID, errors=[Fault("query", what)])
        text = query[name]
        given[name] = _split(text) if name in lists else text
    try:
        return msgspec.convert(given, type=route.query, strict=False)
    except msgspec.ValidationError as error:
        errors = [Fault("query", str(error))]
        raise ProblemError(Kind.INVALID, errors=errors) from error


def _split(text: str) -> list[str]:
    return text.split(",") if text else []


def _lists(query: type[msgspec.Struct]) -> frozenset[str]:
    """Names in a query that take several values, as a,b."""
    info = msgspec.inspect.type_info(query)
    assert isinstance(info, msgspec.inspect.StructType)  # noqa: S101 - it is one
    return frozenset(
        field.encode_name
        for field in info.fields
        if isinstance(field.type, msgspec.inspect.ListType)
    )


def _require_key(request: web.Request) -> None:
    key = request.headers.get(keys.HEADER)
    if key is None or not keys.is_key(key):
        what = f"{keys.HEADER}: want 1 to 64 visible characters, made anew each time"
        raise ProblemError(Kind.INVALID, errors=[Fault("header", what)])


async def _body(request: web.Request, route: Route) -> Any:
    assert route.body is not None  # noqa: S101 - the caller looked
    try:
        async with asyncio.timeout(_BODY_S):
            data = await request.read()
    except TimeoutError:
        raise ProblemError(Kind.SLOW) from None
    if not data and route.may_skip_body:
        return route.body()
    if (
        request.content_type != "application/json"
        or "Content-Encoding" in request.headers
    ):
        raise ProblemError(Kind.MEDIA, "want application/json, not compressed")
    try:
        return msgspec.json.decode(data, type=route.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        errors = [Fault("body", _without_input(error))]
        raise ProblemError(Kind.INVALID, errors=errors) from error


def _without_input(error: Exception) -> str:
    return str(error) if isinstance(error, msgspec.ValidationError) else "want JSON"


def _encoded(request: web.Request, route: Route, answer: Any) -> web.Response:
    reply = answer if isinstance(answer, Reply) else Reply(content=answer)
    status = reply.status or route.status
    if status == 204:
        return web.Response(status=204, headers=reply.headers)
    body = msgspec.json.encode(reply.content)
    headers = {"Content-Type": "application/json", **reply.headers}
    if request.method in {"GET", "HEAD"} and status == 200:
        tag = reply.tag or etag(body)
        # It may be kept, but must be asked for each time: by the ETag.
        headers |= {"ETag": tag, "Cache-Control": "private, no-cache"}
        wanted = request.headers.get("If-None-Match")
        if wanted is not None and matches(wanted, tag):
            return web.Response(status=304, headers=headers)
    return web.Response(body=body, status=status, headers=headers)
