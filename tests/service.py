"""The API as programs meet it: real Kafka, real worker, real PostgreSQL, a token a role."""

import asyncio
import os
import re
import signal
import subprocess

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest

from icu_stream import clock, profiles
from icu_stream.access import accounts, passwords, store, tokens
from icu_stream.access.desk import Desk
from icu_stream.access.door import Door
from icu_stream.access.ledger import Ledger
from icu_stream.access.roles import Role
from icu_stream.access.sessions import Sessions
from icu_stream.access.whatif import Runs
from icu_stream.api import document
from icu_stream.api.feed import Feed
from icu_stream.api.keys import Keys
from icu_stream.api.pace import Pace
from icu_stream.api.parts import Parts
from icu_stream.api.present import Present
from icu_stream.api.routes import ROUTES
from icu_stream.api.streaming import Hub
from icu_stream.settings import Settings
from tests import postgres
from tests.kafka import ROOT, Kafka
from tests.launch import ICU_STREAM, launch
from tests.postgres import Postgres
from tests.worker import Worker


PASSWORD = "correct horse battery"
NAMES = {role: f"{role.value} Okafor" for role in Role}


class Process:
    """One `icu-stream` command; may be killed and started again.

    Args:
        settings: Its own.
        arguments: Of the command.
    """

    def __init__(self, settings: Settings, *arguments: str) -> None:
        self.settings = settings
        self.line = ""
        self.log = settings.data_dir / f"{arguments[0]}.log"
        self._arguments = arguments
        self._process: subprocess.Popen[str] | None = None

    def start(self, *, waits: bool = True) -> "Process":
        """Start it and, unless told not to, wait for its line."""
        command = [*ICU_STREAM, *self._arguments]
        self._process = launch(
            command, self.settings, self.log, stdout=subprocess.PIPE, text=True
        )
        return self.wait() if waits else self

    def wait(self) -> "Process":
        """Wait for its line."""
        assert self._process is not None
        assert self._process.stdout is not None
        self.line = self._process.stdout.readline()
        assert self.line, self.said()
        return self

    @property
    def url(self) -> str:
        """The address in its line."""
        found = re.search(r"http://[^\s/]+", self.line)
        assert found, self.line
        return found[0]

    def said(self) -> str:
        """All that it logged."""
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """SIGKILL."""
        self.end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self.end(signal.SIGTERM)

    def end(self, how: signal.Signals, timeout_s: float = 5) -> int:
        """End it, and wait."""
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            os.kill(process.pid, how)
        code = process.wait(timeout_s)
        assert process.stdout is not None
        process.stdout.close()
        return code


class House:
    """A ward with an API, and a token of each role.

    Attributes:
        settings: Of all processes.
        worker: The real one.
        api: The real one.
        tokens: By role.
    """

    def __init__(
        self, settings: Settings, worker: Worker, api: Process, tokens_: dict[Role, str]
    ) -> None:
        self.settings = settings
        self.worker = worker
        self.api = api
        self.tokens = tokens_

    def headers(self, role: Role) -> dict[str, str]:
        """Of a request as somebody."""
        return {"Authorization": f"Bearer {self.tokens[role]}"}


_TOLD = document.document(ROUTES)
NOBODY_LISTENS = "127.0.0.1:9"  # the discard port


def parts(settings: Settings, **given: Any) -> Parts:
    """The parts of an API in this process; nothing runs, and no store is configured."""
    ledger, present, hub = Ledger(settings), Present(), Hub(settings)
    sessions = Sessions(settings.data_dir / "api-sessions.json", settings.ward_idle_s)
    desk = Desk(settings, ledger)
    made: dict[str, Any] = {
        "settings": settings,
        "door": Door(settings, sessions, ledger, "no link"),
        "desk": desk,
        "present": present,
        "hub": hub,
        "feed": Feed(settings, present, hub, desk.heed),
        "records": None,
        "runs": Runs(_nobody),
        "keys": Keys(),
        "pace": Pace(settings.api_rate),
        "rules": profiles.load("adult"),
        "document": _TOLD,
        "page": document.page(_TOLD),
    }
    return Parts(**(made | given))


def _nobody() -> NoReturn:
    pytest.fail("nobody works out a backtest here")


async def make_accounts(settings: Settings) -> dict[Role, str]:
    """An account of each role, with one password and a token."""
    made = {}
    kept = store.accounts(settings)
    hash_ = passwords.hashed(PASSWORD)
    for role, name in NAMES.items():
        await kept.add(accounts.new(name, role, hash_, clock.now_ms()))
        secret, token = tokens.make(f"test {role.value}", 1, clock.now_ms())
        await kept.keep_token(name, token)
        made[role] = secret
    return made


@contextmanager
def house(
    kafka: Kafka, server: Postgres | None, **overrides: object
) -> Iterator[House]:
    """Worker, archive, monitors and API on one Kafka; without a server, no archive."""
    given: dict[str, object] = {"api_port": 0, "api_rate": 1_000_000, **overrides}
    if server is not None:
        given |= {
            "postgres_dsn": server.database(),
            "postgres_password": postgres.PASSWORD,
        }
    settings = kafka.settings(**given)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    made = asyncio.run(make_accounts(settings))
    others = [Process(settings, "simulate", "--beds", "4", "--stories", "loop")]
    if server is not None:
        done = subprocess.run(
            [*ICU_STREAM, "migrate"],
            cwd=ROOT,
            env=Kafka.env(settings),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        others.append(Process(settings, "archive"))
    api = Process(settings, "api")
    with Worker(settings) as worker:
        try:
            for process in others:
                process.start(waits=False)
            api.start()
            yield House(settings, worker, api, made)
        finally:
            for process in [api, *others]:
                process.kill()
