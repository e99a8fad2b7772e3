"""What the pager's tests share: alerts, a plan, and a receiver that answers as it is told."""

import asyncio
import base64
import contextlib
import signal
import socket
import struct
import subprocess

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from aiohttp import web

from icu_stream import clock
from icu_stream.contracts.alerts import Alert, Event, Kind, Priority, State
from icu_stream.pager import plan, signature
from icu_stream.pager.plan import Plan
from icu_stream.settings import Settings
from tests.kafka import free_port
from tests.launch import ICU_STREAM, launch


ONSET = 1_795_492_541_000
# Of the receivers; base64 of 32 letters.
KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def alert(
    transition: int = 1,
    event: Event = Event.RAISED,
    state: State = State.ACTIVE,
    **changes: Any,
) -> Alert:
    """An alert; a high one at ICU1-07 unless told otherwise."""
    code = changes.pop("code", "spo2.desat")
    patient_id = changes.pop("patient_id", "p-0007")
    onset = changes.pop("onset", ONSET)
    fields: dict[str, Any] = {
        "bed": "ICU1-07",
        "kind": Kind.PHYSIOLOGICAL,
        "priority": Priority.HIGH,
        "annunciate": event is not Event.STANDING and state is State.ACTIVE,
        "time": onset + 15_000,
        "text": "SpO₂ 79 %, below 80 (usual 94)",
    }
    return Alert(
        alert_id=f"{patient_id}:{code}:{onset}",
        transition=transition,
        event=event,
        patient_id=patient_id,
        code=code,
        state=state,
        onset=onset,
        **(fields | changes),
    )


def after(before: Alert, event: Event, state: State, **changes: Any) -> Alert:
    """The next transition of an alarm."""
    return msgspec.structs.replace(
        before,
        transition=before.transition + 1,
        event=event,
        state=state,
        annunciate=changes.pop("annunciate", state is State.ACTIVE),
        **changes,
    )


class Got(NamedTuple):
    """One request that a receiver was sent."""

    path: str
    id: str
    body: dict[str, Any]
    headers: dict[str, str]
    raw: bytes
    at_s: float

    @property
    def data(self) -> dict[str, Any]:
        """Of a webhook."""
        data: dict[str, Any] = self.body["data"]
        return data

    @property
    def action(self) -> str:
        """Of a webhook."""
        return str(self.data["action"])


Act = Callable[[Got], "int | tuple[int, dict[str, str]] | str"]


class Receiver:
    """An HTTP server on loopback that keeps what it gets; use as `async with`.

    Attributes:
        got: Every request, answered or not.
        act: Chooses what to do with one: a status, a status with headers, `hang`, or
            `reset`.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self.got: list[Got] = []
        self.act: Act = lambda _: 200
        self._came = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "Receiver":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_post("/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        """Close the port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        """Its address; add a path."""
        return f"http://127.0.0.1:{self.port}/"

    def of(self, path: str, action: str | None = None) -> list[Got]:
        """Webhooks that came to a path."""
        return [
            got
            for got in self.got
            if got.path == path and (action is None or got.action == action)
        ]

    async def until(
        self, is_enough: Callable[["Receiver"], object], timeout_s: float = 60
    ) -> None:
        """Wait until what came is enough."""
        async with asyncio.timeout(timeout_s):
            while not is_enough(self):
                self._came.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await self._came.wait()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        got = Got(
            request.match_info["path"],
            request.headers.get(signature.ID, ""),
            msgspec.json.decode(raw),
            {name.lower(): value for name, value in request.headers.items()},
            raw,
            clock.monotonic_s(),
        )
        self.got.append(got)
        self._came.set()
        answer = self.act(got)
        if answer == "hang":
            await asyncio.sleep(60)
            return web.Response(status=504)
        if answer == "reset":
            assert request.transport is not None
            held = request.transport.get_extra_info("socket")
            # Lingering for 0 s: what is sent is a reset, and no orderly end.
            held.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            request.transport.abort()
            return web.Response()
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        return web.Response(status=int(status), headers=headers)


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver."""
    async with Receiver() as running:
        yield running


def written(
    directory: Path,
    url: str,
    *,
    people: tuple[str, ...] = ("okafor", "lindqvist"),
    chain: str = '{ after_s = 0, page = ["okafor"] }, { after_s = 60, page = ["lindqvist"] }',
    medium: str | None = None,
    repeat_s: float = 600,
    window_s: float = 900,
    timeout_s: float = 5,
    backup: str | None = None,
    more: str = "",
) -> Path:
    """A pager's configuration whose people have a webhook each, at `url/NAME`."""
    directory.mkdir(parents=True, exist_ok=True)
    secret = directory / "secret"
    secret.write_text(SECRET + "\n")
    rows = "\n".join(
        f"""
[person.{name}]
name = "RN {name.capitalize()}"
answers = {{ file = "{secret}" }}
[person.{name}.target.hook]
channel = "webhook"
url = "{url}{name}"
secret = {{ file = "{secret}" }}
"""
        for name in people
    )
    text = f"""
time_zone = "Europe/Berlin"
window_s = {window_s}
timeout_s = {timeout_s}
{rows}
[unit.all]
beds = ["*"]
[unit.all.high]
repeat_s = {repeat_s}
level = [{chain}]
[unit.all.medium]
level = [{medium or f'{{ after_s = 0, page = ["{people[0]}"] }}'}]

[backup.target.engineer]
channel = "webhook"
url = "{backup or "http://127.0.0.1:10/engineer"}"
secret = {{ file = "{secret}" }}
{more}
"""
    path = directory / "pager.toml"
    path.write_text(text)
    return path


def planned(directory: Path, url: str, **changes: Any) -> Plan:
    """The same, read."""
    return plan.load(written(directory, url, **changes))


class PagerProcess:
    """The real `icu-stream pager`; ready when it is made.

    Attributes:
        log: What it wrote.
        address: Where it takes answers; add a person.
    """

    def __init__(self, settings: Settings, config: Path, directory: Path) -> None:
        self.log = directory / "pager.log"
        more = {"pager_config": config, "log_level": "debug"}
        chosen = settings.model_copy(update=more)
        command = [*ICU_STREAM, "pager"]
        self._process = launch(
            command, chosen, self.log, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert "answers at http://127.0.0.1:" in line, self.log.read_text()
        self.address = line.split()[-1]

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        self._process.send_signal(how)
        code = self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code
