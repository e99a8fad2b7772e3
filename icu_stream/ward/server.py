"""The ward view as one process: Kafka's feed, the hub, and the web server around Dash."""

import asyncio
import contextlib
import ipaddress
import secrets
import socket

from collections.abc import Awaitable, Callable, Iterator

import msgspec
import uvicorn

from dash import Dash
from fastapi import FastAPI, Request, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from icu_stream import clock, process, profiles
from icu_stream.access.desk import Desk, Fate, Wish
from icu_stream.access.door import Door
from icu_stream.access.ledger import Ledger
from icu_stream.access.roles import Page
from icu_stream.access.sessions import Sessions
from icu_stream.access.whatif import Runner
from icu_stream.domain.limits import Rules
from icu_stream.observability import log
from icu_stream.settings import Settings
from icu_stream.ward import callbacks, colours, layout, stored, wording
from icu_stream.ward.bed import chartable
from icu_stream.ward.canary import Canary
from icu_stream.ward.deadman import DeadMan
from icu_stream.ward.feed import Feed
from icu_stream.ward.frames import Hub, Mailbox
from icu_stream.ward.history import STEPS_MS, History, Seen
from icu_stream.ward.pages import guard, system
from icu_stream.ward.pages.house import House
from icu_stream.ward.recall import Recall
from icu_stream.ward.signin import CLOSE_CODE, Gate, Ticket, about
from icu_stream.ward.stations import Stations
from icu_stream.ward.tiles import Ward


STOP_S = 1  # what open connections get to end; the whole stop takes less than 2 s
_BACKLOG = 128
_MAX_MESSAGE_BYTES = 1_024  # a browser says little on the socket: its sound
_MAX_WISH_BYTES = 4_096
_HOURS = frozenset(map(str, STEPS_MS))
_SESSION_LOOK_S = 1.0
_NO_STORE = {"Cache-Control": "no-store"}


class Server(uvicorn.Server):
    """Uvicorn as a part of this process: the process handles the signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


async def serve(
    settings: Settings,
    *,
    stop: asyncio.Event,
    runner: Callable[[], Runner],
    say: Callable[[str], None] = print,
) -> None:
    """Run the ward view until `stop` is set; it then ends within 2 s.

    Args:
        settings: `ward_host`, `ward_port` (0: any free port), `ward_token`, and where
            Kafka is. Without a token one is made, and its link is said.
        stop: Set it to end.
        runner: Makes who works out what-ifs, when the first one is asked.
        say: Gets one line with the address, once browsers can connect.

    Raises:
        ConfigurationError: The port is taken, the data directory is not writable, or
            there is no such profile.
    """
    given = settings.ward_token.get_secret_value() if settings.ward_token else ""
    token = given or secrets.token_urlsafe(32)
    listener = _listen(settings)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(listener)
        sessions = Sessions(
            settings.data_dir / "ward-sessions.json", settings.ward_idle_s
        )
        ledger = Ledger(settings)
        door = Door(settings, sessions, ledger, token)
        rules = profiles.load(settings.profile, settings.language)
        ward = Ward()
        hub = Hub(ward)
        desk = Desk(settings, ledger, wording.refusal)
        house = House(settings, ward, desk, rules, runner)
        history = await stack.enter_async_context(stored.opened(settings, ward.past))
        config = uvicorn.Config(
            create_app(
                settings, hub, door, ward, desk, rules, Stations(), house, history
            ),
            lifespan="on",
            ws="websockets-sansio",
            ws_max_size=_MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,  # 3.8 % of a core at 300 browsers, for little
            access_log=False,  # it would write the token of the link
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=STOP_S,
        )
        server = Server(config)
        async with asyncio.TaskGroup() as group:
            canary = Canary(settings, ward.deadman, listener.getsockname()[1])
            feed = Feed(settings, ward, desk.heed, canary)
            # What runs until the pages are served no more.
            parts = (feed, Recall(settings, ward), canary, hub, house, ledger)
            tasks = [group.create_task(part.run()) for part in parts]
            tasks.append(group.create_task(door.watch()))
            group.create_task(
                _announce(server, listener, "" if given else token, say, stop)
            )
            group.create_task(_stop(server, stop))
            await server.serve(sockets=[listener])
            stop.set()
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
    """Run the ward view until SIGTERM or SIGINT."""
    stop = process.told_to_end()
    await serve(settings, stop=stop, runner=runner, say=say)


def create_app(
    settings: Settings,
    hub: Hub,
    door: Door,
    ward: Ward,
    desk: Desk,
    rules: Rules,
    stations: Stations,
    house: House,
    history: History | None = None,
) -> Gate:
    """The whole web application: Dash, the live socket, and the gate around both.

    Args:
        settings: How the gate is reached, and what it says.
        hub: Makes the frames.
        door: Who may pass.
        ward: What is known of each bed.
        desk: Where commands go.
        rules: The profile whose limits a bed's page shows.
        stations: What the screens say of their sound.
        house: The pages beside the ward.
        history: Who keeps the past; None: this view itself.
    """
    # Our own FastAPI: the documentation pages of the default one load from a CDN.
    api = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app = Dash(
        "icu_stream.ward",
        server=False,  # init_app below
        backend="fastapi",
        title=wording.say("page.title"),
        update_title="",
        index_string=layout.index(),
        assets_ignore="watchdog",  # runs in a Worker, which loads it itself
        use_pages=False,
        serve_locally=True,
        add_log_handler=False,
        suppress_callback_exceptions=True,  # `#page` is filled by a callback
        on_error=guard.failed,
    )
    # Otherwise every browser opens a second socket, for callbacks that we do not have.
    app.backend.websocket_capability = False
    # Before Dash's own, one of which takes every other address.
    api.add_api_route("/who", who, methods=["GET"])
    api.add_api_route("/words.js", words, methods=["GET"])
    api.add_api_route("/colours.css", style, methods=["GET"])
    api.add_api_route("/beds", beds(ward, rules), methods=["GET"])
    api.add_api_route("/courses", courses(history or Seen(ward.past)), methods=["GET"])
    api.add_api_route("/charted", charted, methods=["GET"])
    api.add_api_route("/commands", commands(desk), methods=["POST"])
    house.routes(api)
    app.init_app(api)
    app.layout = layout.page
    shows = {Page.SYSTEM: system.register(app, ward, stations, rules)}
    callbacks.register(app, shows | dict(house.shows(app)))
    # Else a page that is opened before the ward itself would come without scripts.
    app._setup_server()  # type: ignore[no-untyped-call]  # noqa: SLF001 - public is none
    api.add_api_websocket_route("/live", live(hub, stations, ward.deadman))
    hashes = " ".join(app.csp_hashes())
    policy = (
        f"default-src 'none'; script-src 'self' {hashes}; "
        # Dash's components bring their style as elements; styles cannot call out.
        "style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Gate(guard.Guard(api), door, policy, settings)


async def style() -> Response:
    """The colours of this ward, before all other styles of a page."""
    return Response(colours.style(colours.ours()), 200, _NO_STORE, "text/css")


async def words() -> Response:
    """The words and units of this ward, before all other scripts of a page."""
    return Response(wording.ours().script(), 200, _NO_STORE, "text/javascript")


async def who(request: Request) -> Response:
    """Whose session this is, and what the page may offer."""
    return _json(about(request.state.person, request.state.ticket))


def beds(ward: Ward, rules: Rules) -> Callable[[Request], Awaitable[Response]]:
    """What is known of one patient beyond the tile: `/beds?patient=...`."""

    async def handle(request: Request) -> Response:
        patient = ward.patient(request.query_params.get("patient", ""))
        if patient is None:
            return Response("no such patient", 404, _NO_STORE)
        return _json(patient.record.page(clock.now_ms(), rules))

    return handle


def courses(history: History) -> Callable[[Request], Awaitable[Response]]:
    """What became of one patient over hours: `/courses?patient=...&hours=4`."""

    async def handle(request: Request) -> Response:
        asked = request.query_params.get("hours", "")
        hours = int(asked) if asked in _HOURS else min(STEPS_MS)
        patient_id = request.query_params.get("patient", "")
        course = await history.course(patient_id, hours, clock.now_ms())
        if course is None:
            return Response("no such patient", 404, _NO_STORE)
        return _json(course)

    return handle


async def charted() -> Response:
    """What a person may chart, each with its plausible range."""
    return _json(chartable())


# What an outcome is in HTTP: asked in vain, and not done, are not the same.
_STATUS = {Fate.DONE: 200, Fate.REFUSED: 409, Fate.UNSENT: 502, Fate.UNKNOWN: 504}


def commands(desk: Desk) -> Callable[[Request], Awaitable[Response]]:
    """Where a page posts what its person asks; the gate has checked the origin."""

    async def handle(request: Request) -> Response:
        if request.headers.get("content-type") != "application/json":
            return Response("want application/json", 415)
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_WISH_BYTES:
                return Response("too long", 413)
        try:
            wish = msgspec.json.decode(body, type=Wish)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Response(f"not a command: {error}", 400)
        outcome = await desk.ask(request.state.person, wish)
        return _json(outcome, _STATUS[outcome.fate])

    return handle


def _json(content: object, status: int = 200) -> Response:
    body = msgspec.json.encode(content)
    return Response(body, status, _NO_STORE, "application/json")


def live(
    hub: Hub, stations: Stations, deadman: DeadMan
) -> Callable[[WebSocket], Awaitable[None]]:
    """The socket that carries the hub's frames, and what the screen says of itself."""

    async def handle(socket: WebSocket) -> None:
        await socket.accept()
        mailbox = hub.join()
        gone = asyncio.create_task(_listen_to(socket, mailbox, stations, deadman))
        over = asyncio.create_task(_over(socket.state.ticket, mailbox))
        try:
            while (frame := await mailbox.get()) is not None:
                await socket.send_text(frame)
            if over.done():
                await socket.close(CLOSE_CODE, "the session is over")
        except WebSocketDisconnect:
            pass
        finally:
            gone.cancel()
            over.cancel()
            hub.leave(mailbox)

    return handle


async def _over(ticket: Ticket, mailbox: Mailbox) -> None:
    """Wait until nobody is signed in there any more, by time or by somebody's act."""
    while (session := ticket.session) is not None:
        left_s = (session.end_ms - clock.now_ms()) / 1000
        await asyncio.sleep(min(left_s, _SESSION_LOOK_S))
    mailbox.close()


async def _listen_to(
    socket: WebSocket, mailbox: Mailbox, stations: Stations, deadman: DeadMan
) -> None:
    """Hear what the browser says until it is gone."""
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        said = message.get("text") or message.get("bytes") or b""
        if not deadman.hear_screen(said, clock.now_ms()):
            stations.hear(said, socket.state.person, clock.now_ms())
    mailbox.close()


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.ward_host, settings.ward_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise process.cannot_listen(host, port, error, "ICU_WARD") from error
    return listener


async def _announce(
    server: Server,
    listener: socket.socket,
    token: str,
    say: Callable[[str], None],
    stop: asyncio.Event,
) -> None:
    while not server.started:
        if stop.is_set():
            return
        await asyncio.sleep(0.02)
    host, port = listener.getsockname()[:2]
    if not ipaddress.ip_address(host).is_loopback:
        log.warning("ward_not_loopback", host=host, advice="put TLS in front of it")
    address = f"http://{process.place(host, port)}/"
    if token:
        say(f"ward view (this link signs in once): {address}signin?token={token}")
    else:
        say(f"ward view (sign in with the token that was set): {address}")


async def _stop(server: Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True
