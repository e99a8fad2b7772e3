"""Everything on this machine, from one command: `icu-stream demo`.

Broker, worker, ward view and a source of vitals run as they would run anywhere else, each
a process with its own log. None outlives the demo: they are told to end, then killed;
and should the demo itself be killed, Linux kills them.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import webbrowser

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import aiohttp

from pydantic import SecretStr

from icu_stream import bus, settings
from icu_stream.contracts import topics
from icu_stream.errors import ConfigurationError
from icu_stream.process import told_to_end
from icu_stream.settings import Settings


WARD_PORT = 8050
# Each process may take so long to become ready: 10 times what two cores need.
START_TIMEOUT_S = 60
# From the wish to end until all are gone it takes less than 5 s: those that may still
# have something to say get the first time, then the broker gets the second.
STOP_TIMEOUT_S = 3.5
BROKER_STOP_TIMEOUT_S = 0.5
POLL_S = 0.1
LOG_LINES = 15

# PR_SET_PDEATHSIG = 1: the kernel kills the process when the thread that started it ends.
# In an interpreter of its own: between fork and exec no Python may run where there are
# threads. The parent may be gone before the wish is known, hence the comparison.
_TETHER = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Options(NamedTuple):
    """What a person may choose.

    Attributes:
        beds: Simulated beds; of a replay, its first patients.
        replay: A recording instead of simulated patients.
        speed: Measured seconds a second.
        port: Of the page; None takes 8050, or a free one when 8050 is taken.
        browser: Open the page.
    """

    beds: int = 16
    replay: Path | None = None
    speed: float = 1.0
    port: int | None = None
    browser: bool = False


class _Child(NamedTuple):
    name: str
    process: asyncio.subprocess.Process
    log: Path


def tethered(command: Sequence[str]) -> list[str]:
    """The command of a child process that dies with the calling thread (on Linux)."""
    return [sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid()), *command]


async def run(options: Options, say: Callable[[str], None]) -> None:
    """Run the demo until SIGINT or SIGTERM, or a replay's worth of watching.

    Args:
        options: What a person chose.
        say: Gets one line at a time: what starts, and the address of the page.

    Raises:
        ConfigurationError: A process did not become ready, or ended; with its name, the
            end of its log and where the log is.
    """
    stop = told_to_end(signal.SIGHUP)
    if options.replay is not None:
        options = options._replace(replay=options.replay.resolve())
    port = _ward_port(options.port)
    directory = Path(tempfile.mkdtemp(prefix="icu-demo-"))
    house = _House(directory)
    stopped = asyncio.create_task(stop.wait())
    show = asyncio.create_task(_show(house, options, port, say))
    try:
        await asyncio.wait({stopped, show}, return_when=asyncio.FIRST_COMPLETED)
        if show.done():
            show.result()
        say("ending")
    finally:
        for task in (stopped, show):
            task.cancel()
        await asyncio.gather(stopped, show, return_exceptions=True)
        await house.close()
    # Not when something went wrong: then the logs are what is left to look at.
    shutil.rmtree(directory, ignore_errors=True)


async def _show(
    house: "_House", options: Options, port: int, say: Callable[[str], None]
) -> None:
    """Start everything in order, say where it is, and watch over it for ever."""
    chosen = _settings(house.directory, port)
    say("starting the broker")
    house.surroundings = settings.environment(chosen)
    broker = await house.launch("broker", "icu_stream.broker", pipe=True)
    chosen = chosen.model_copy(update={"broker": await house.first_line(broker)})
    house.surroundings = settings.environment(chosen)

    say("starting the worker and the ward view")
    worker = await house.launch("worker", "faust", "-A", "icu_stream.app", "worker")
    ward = await house.launch("ward", "icu_stream", "ward")
    async with aiohttp.ClientSession() as http:
        health = f"http://127.0.0.1:{chosen.web_port}/readyz"
        await house.ready(worker, lambda: _answers(http, health, 200))
        speed = f"{options.speed:g}"
        if options.replay is None:
            say(f"starting {options.beds} simulated beds")
            source = ["simulate", "--beds", str(options.beds), "--speed", speed]
        else:
            say(f"starting the replay of {options.replay.name}")
            recording = [str(options.replay), "--patients", str(options.beds)]
            source = ["replay", *recording, "--speed", speed]
        sender = await house.launch("source", "icu_stream", *source)
        page = f"http://127.0.0.1:{port}/"
        # Without a session the ward view refuses, but it answers.
        await house.ready(ward, lambda: _answers(http, page, 401))
        await house.ready(sender, lambda: _flows(chosen))

    token = chosen.ward_token.get_secret_value() if chosen.ward_token else ""
    url = f"{page}signin?token={token}"
    say(f"\nOpen {url}\n(the link signs in once)  Ctrl-C ends the demo.")
    say("Secondary notification only, not a medical device.")
    if options.browser:
        await asyncio.to_thread(webbrowser.open, url)
    await house.watch(say)


class _House:
    """The processes of the demo.

    Attributes:
        directory: Of this start alone: data and logs.
        surroundings: Environment of the processes that are launched next.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.surroundings: dict[str, str] = {}
        self._children: list[_Child] = []

    async def launch(self, name: str, *module: str, pipe: bool = False) -> _Child:
        """Start `python -m module ...`; it is in a group of its own.

        Ctrl-C in a terminal reaches the demo alone, which then ends them in order.
        """
        log = self.directory / f"{name}.log"
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *tethered([sys.executable, "-m", *module]),
                # Away from the user's .env file.
                cwd=self.directory,
                env=self.surroundings,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if pipe else file,
                stderr=file,
                start_new_session=True,
            )
        child = _Child(name, process, log)
        self._children.append(child)
        return child

    async def first_line(self, child: _Child) -> str:
        """What a process says first, on its standard output."""
        assert child.process.stdout is not None  # noqa: S101 - launched with a pipe
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                line = await child.process.stdout.readline()
        except TimeoutError:
            raise _failure(child, f"said nothing in {START_TIMEOUT_S} s") from None
        if not line:
            raise _failure(child, f"ended with code {await child.process.wait()}")
        return line.decode().strip()

    async def ready(self, child: _Child, check: Callable[[], Awaitable[bool]]) -> None:
        """Wait until a process is ready, and see that none has ended meanwhile."""
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        while not await check():
            self._require_all()
            if asyncio.get_running_loop().time() > deadline:
                raise _failure(child, f"was not ready in {START_TIMEOUT_S} s")
            await asyncio.sleep(POLL_S)

    async def watch(self, say: Callable[[str], None]) -> None:
        """Return never; raise when a process ends. A replay may come to its end."""
        running = {
            asyncio.create_task(child.process.wait()): child for child in self._children
        }
        try:
            while running:
                done, _ = await asyncio.wait(
                    running, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    child = running.pop(task)
                    if child.name != "source" or task.result() != 0:
                        raise _failure(child, f"ended with code {task.result()}")
                    say("the source has come to its end; the ward stays as it is")
        finally:
            for task in running:
                task.cancel()

    async def close(self) -> None:
        """End every process: the broker last, so that the others can finish."""
        broker, others = self._children[:1], self._children[1:]
        await _end(others, STOP_TIMEOUT_S)
        await _end(broker, BROKER_STOP_TIMEOUT_S)

    def _require_all(self) -> None:
        for child in self._children:
            code = child.process.returncode
            if code is not None and (child.name != "source" or code != 0):
                raise _failure(child, f"ended with code {code}")


async def _end(children: list[_Child], timeout_s: float) -> None:
    running = [child.process for child in children if child.process.returncode is None]
    if not running:
        return
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    waits = [asyncio.create_task(process.wait()) for process in running]
    await asyncio.wait(waits, timeout=timeout_s)
    for process in running:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    await asyncio.gather(*waits)


def _failure(child: _Child, what: str) -> ConfigurationError:
    lines = child.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
    tail = "\n".join(f"  | {line}" for line in lines) or "  | (nothing)"
    msg = f"the {child.name} {what}. The end of {child.log}:\n{tail}"
    return ConfigurationError(msg)


def _settings(directory: Path, port: int) -> Settings:
    """The settings of the demo: its own, whatever the user's point to.

    Only the alarm profile and the log level are the user's.
    """
    given = settings.load()
    profile = given.profile
    if Path(profile).suffix == ".toml":
        profile = str(Path(profile).resolve())
    # Not the constructor, which would read the environment for all that is not given.
    return Settings.model_construct(
        broker_kind="embedded",
        data_dir=directory,
        web_port=_free_port(),
        ward_port=port,
        ward_token=SecretStr(secrets.token_urlsafe(32)),
        ward_user="demo charge nurse",
        ward_role="charge",
        profile=profile,
        log_level=given.log_level,
    )


def _ward_port(wanted: int | None) -> int:
    """The page's port: as wanted, or the usual one, or any.

    Raises:
        ConfigurationError: The wanted one is taken.
    """
    if wanted is None:
        try:
            return _free_port(WARD_PORT)
        except OSError:
            return _free_port()
    try:
        return _free_port(wanted)
    except OSError as error:
        msg = f"port {wanted} is taken ({error.strerror}); give another with --port"
        raise ConfigurationError(msg) from error


def _free_port(wanted: int = 0) -> int:
    with socket.socket() as probe:
        # As the servers do: a connection that lingers does not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", wanted))
        return int(probe.getsockname()[1])


async def _answers(http: aiohttp.ClientSession, url: str, status: int) -> bool:
    try:
        async with http.get(url, timeout=aiohttp.ClientTimeout(2)) as answer:
            return answer.status == status
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _flows(chosen: Settings) -> bool:
    """Is there a record in the vitals topic?"""
    reader = bus.consumer(chosen, topics.VITALS.name)
    await reader.start()
    try:
        ends = await reader.end_offsets(list(reader.assignment()))
    finally:
        await reader.stop()
    return any(ends.values())
