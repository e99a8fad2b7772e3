"""Who may what: every route and socket of the API and of the ward view, by role.

The routers are asked what there is, and the rows here say whom it is for; a new route
without a row fails. Nobody is somebody who has not signed in.
"""

import asyncio
import json

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aiohttp.test_utils import TestClient, TestServer
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from icu_stream import profiles
from icu_stream.access.desk import Desk
from icu_stream.access.door import Door
from icu_stream.access.ledger import Ledger
from icu_stream.access.roles import MAY, Role
from icu_stream.access.sessions import Sessions
from icu_stream.api.server import create_app
from icu_stream.contracts.commands import CommandType
from icu_stream.settings import Settings
from icu_stream.ward import server, wording
from icu_stream.ward.frames import Hub
from icu_stream.ward.pages.house import House
from icu_stream.ward.signin import CLOSE_CODE, PERSON_COOKIE, Gate
from icu_stream.ward.stations import Stations
from icu_stream.ward.tiles import Ward
from tests import service


NOBODY = "nobody"
SIGNED_IN = frozenset(Role)
EVERYBODY = SIGNED_IN | {NOBODY}
NURSING = {Role.NURSE, Role.PHYSICIAN, Role.CHARGE}
LIMITS = {Role.PHYSICIAN, Role.CHARGE}
CHARGE = {Role.CHARGE}
SYSTEM = {Role.CHARGE, Role.ENGINEER}
HOSPITAL = {Role.INTEGRATION}
CALLERS = [NOBODY, *Role]

API: dict[str, set[Any] | frozenset[Any]] = {
    "POST /v1/session": EVERYBODY,
    "GET /v1/session": SIGNED_IN,
    "DELETE /v1/session": SIGNED_IN,
    "GET /v1/beds": SIGNED_IN,
    "GET /v1/patients": SIGNED_IN,
    "GET /v1/patients/{patient_id}": SIGNED_IN,
    "GET /v1/patients/{patient_id}/vitals": SIGNED_IN,
    "GET /v1/patients/{patient_id}/scores": SIGNED_IN,
    "GET /v1/patients/{patient_id}/scores/history": SIGNED_IN,
    "POST /v1/patients/{patient_id}/pause": NURSING,
    "POST /v1/patients/{patient_id}/resume": NURSING,
    "POST /v1/patients/{patient_id}/observe": NURSING | HOSPITAL,
    "POST /v1/patients/{patient_id}/admit": HOSPITAL,
    "POST /v1/patients/{patient_id}/transfer": HOSPITAL,
    "POST /v1/patients/{patient_id}/discharge": HOSPITAL,
    "GET /v1/alerts": SIGNED_IN,
    "GET /v1/alerts/{alert_id}": SIGNED_IN,
    "POST /v1/alerts/{alert_id}/acknowledge": NURSING,
    "POST /v1/alerts/{alert_id}/feedback": NURSING,
    "GET /v1/patients/{patient_id}/limits": SIGNED_IN,
    "POST /v1/patients/{patient_id}/limits": LIMITS,
    "POST /v1/patients/{patient_id}/limits/reset": LIMITS,
    "POST /v1/patients/{patient_id}/limits/propose": LIMITS,
    "POST /v1/patients/{patient_id}/limits/withdraw": LIMITS,
    "GET /v1/stream": SIGNED_IN,
    "GET /v1/burden": CHARGE,
    "POST /v1/backtests": CHARGE,
    "GET /v1/backtests": CHARGE,
    "GET /v1/backtests/{backtest_id}": CHARGE,
    "DELETE /v1/backtests/{backtest_id}": CHARGE,
    "GET /v1/health": EVERYBODY,
    "GET /readyz": EVERYBODY,
    "GET /healthz": EVERYBODY,
    "GET /v1/system": SYSTEM,
    "GET /metrics": SYSTEM,
    "GET /v1/openapi.json": EVERYBODY,
    "GET /v1/docs": EVERYBODY,
    "GET /v1/schemas": EVERYBODY,
    "GET /v1/schemas/{name}": EVERYBODY,
}
WARD: dict[str, set[Any] | frozenset[Any]] = {
    "GET /who": SIGNED_IN,
    "GET /words.js": SIGNED_IN,
    "GET /colours.css": SIGNED_IN,
    "GET /beds": SIGNED_IN,
    "GET /courses": SIGNED_IN,
    "GET /charted": SIGNED_IN,
    "POST /commands": SIGNED_IN,  # which of them: WISHES
    "GET /alarms.csv": SIGNED_IN,
    "GET /alarms.html": SIGNED_IN,
    "MOUNT /assets": SIGNED_IN,
    "GET /_dash-component-suites/{package_name}/{fingerprinted_path:path}": SIGNED_IN,
    "GET /_dash-layout": SIGNED_IN,
    "GET /_dash-dependencies": SIGNED_IN,
    "POST /_dash-update-component": SIGNED_IN,  # of a page: guard.callback
    "GET /_reload-hash": SIGNED_IN,
    "GET /_favicon.ico": SIGNED_IN,
    "GET /": SIGNED_IN,
    "SOCKET /live": SIGNED_IN,
}
# Pages are addresses of the one page that Dash has.
PAGES: dict[str, set[Any] | frozenset[Any]] = {
    "/bed/p-1": SIGNED_IN,
    "/alarms": SIGNED_IN,
    "/limits": SIGNED_IN,
    "/limits/p-1": SIGNED_IN,
    "/burden": CHARGE,
    "/whatif": CHARGE,
    "/system": SYSTEM,
}
# What the gate answers before anything else.
GATE: dict[str, set[Any] | frozenset[Any]] = {
    "GET /signin": EVERYBODY,
    "POST /signin": EVERYBODY,
    "GET /signin/oidc": EVERYBODY,
    "GET /signin/oidc/done": EVERYBODY,
    "POST /signout": SIGNED_IN,
    "POST /act": SIGNED_IN,
}
WISHES: dict[CommandType, set[Role]] = {
    CommandType.ADMIT: HOSPITAL,
    CommandType.TRANSFER: HOSPITAL,
    CommandType.DISCHARGE: HOSPITAL,
    CommandType.ACKNOWLEDGE: NURSING,
    CommandType.PAUSE: NURSING,
    CommandType.RESUME: NURSING,
    CommandType.SET_LIMITS: LIMITS,
    CommandType.RESET_LIMITS: LIMITS,
    CommandType.PROPOSE_LIMITS: LIMITS,
    CommandType.OBSERVE: NURSING | HOSPITAL,
    CommandType.SIGNAL_OFF: set(),
    CommandType.FEEDBACK: NURSING,
}
NAMED = {
    "patient_id": "p-1",
    "alert_id": "p-1:hr.high:0",
    "backtest_id": "0" * 32,
    "name": "alerts",
    "package_name": "dash",
    "fingerprinted_path:path": "x.js",
}


def named(path: str) -> str:
    """An address of a route."""
    for name, value in NAMED.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def settings(tmp_path: Path) -> Settings:
    given = {"broker": service.NOBODY_LISTENS, "data_dir": tmp_path}
    return Settings(_env_file=None, **given)


# --- the API


class Api:
    """An API in this process, and a token of each role."""

    def __init__(self, client: TestClient, tokens: dict[Role, str]) -> None:
        self.client = client
        self.tokens = tokens

    @property
    def rows(self) -> set[str]:
        """What its router has."""
        found = {
            f"{route.method} {route.resource.canonical}"
            for route in self.client.app.router.routes()
            if route.resource is not None
        }
        return {row for row in found if not row.startswith("HEAD ")}

    async def status(self, row: str, caller: str) -> int:
        """What somebody gets there."""
        method, path = row.split()
        headers = {}
        if caller != NOBODY:
            headers["Authorization"] = f"Bearer {self.tokens[Role(caller)]}"
        async with self.client.request(method, named(path), headers=headers) as answer:
            return int(answer.status)


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    chosen = settings(tmp_path)
    tokens = await service.make_accounts(chosen)
    parts = service.parts(chosen)
    await parts.door.look()
    async with TestClient(TestServer(create_app(parts))) as client:
        yield Api(client, tokens)


async def test_every_route_of_the_api_is_for_whom_its_row_says(api: Api):
    assert api.rows == API.keys()

    wrong = []
    for row, may in API.items():
        for caller in CALLERS:
            status = await api.status(row, caller)
            wanted = 401 if caller == NOBODY and may != EVERYBODY else 403
            if (
                (status in {401, 403}) == (caller in may) and row != "POST /v1/session"
            ) or (caller not in may and status != wanted):
                wrong.append((row, caller, status))

    assert wrong == []


async def test_a_head_is_for_whom_its_get_is(api: Api):
    for row, may in API.items():
        if row.startswith("GET ") and row != "GET /v1/stream":  # nothing but a body
            status = await api.status(row.replace("GET", "HEAD"), NOBODY)
            assert (status == 401) == (NOBODY not in may), row


# --- the ward view


class View:
    """A ward view in this process."""

    def __init__(self, gate: Gate, sessions: Sessions) -> None:
        self._gate = gate
        self._cookies = {
            role: sessions.open_person(f"{role} Okafor", role, "desk", "test")
            for role in Role
        }

    @property
    def routes(self) -> list[BaseRoute]:
        """What its router has."""
        return self._gate._app._app.routes

    def scope(self, caller: str, path: str, **more: Any) -> dict[str, Any]:
        """Of a request of somebody."""
        headers = {"host": "ward.test", "origin": "http://ward.test"}
        if caller != NOBODY:
            headers["cookie"] = f"{PERSON_COOKIE}={self._cookies[Role(caller)]}"
        headers |= more.pop("headers", {})
        return {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "scheme": "http",
            "http_version": "1.1",
            "server": ("ward.test", 80),
            "client": ("10.0.0.1", 1),
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
            **more,
        }

    async def ask(self, scope: dict[str, Any], body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of an answer; of a socket, the code with which it is closed."""
        sent: list[Any] = []
        is_socket = scope["type"] == "websocket"
        coming = [{"type": "http.request", "body": body, "more_body": False}]
        if is_socket:
            coming = [
                {"type": f"websocket.{what}"} for what in ("connect", "disconnect")
            ]

        async def receive() -> dict[str, Any]:
            if not coming:
                await asyncio.Event().wait()  # whoever asked waits for the answer
            return coming.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        await self._gate(scope, receive, send)
        if is_socket:
            codes = [m.get("code") for m in sent if m["type"] == "websocket.close"]
            return (codes or [0])[0], b""
        return sent[0]["status"], b"".join(m.get("body", b"") for m in sent[1:])


@pytest.fixture
def view(tmp_path: Path) -> View:
    chosen = settings(tmp_path)
    ledger = Ledger(chosen)
    sessions = Sessions(tmp_path / "sessions.json")
    door = Door(chosen, sessions, ledger, "the-token")
    ward, rules = Ward(), profiles.load("adult")
    desk = Desk(chosen, ledger, wording.refusal)
    house = House(chosen, ward, desk, rules, service.parts)  # nobody asks a what-if
    made = server.create_app(
        chosen, Hub(ward), door, ward, desk, rules, Stations(), house
    )
    return View(made, sessions)


def rows_of(routes: list[BaseRoute]) -> set[str]:
    """Routes, mounts and sockets, as they are named here."""
    rows = set()
    for route in routes:
        if isinstance(route, Mount):
            rows.add(f"MOUNT {route.path}")
        elif isinstance(route, WebSocketRoute):
            rows.add(f"SOCKET {route.path}")
        else:
            assert isinstance(route, Route)
            rows |= {f"{m} {route.path}" for m in (route.methods or ()) if m != "HEAD"}
    return rows


async def test_every_route_and_socket_of_the_ward_view_wants_a_session(view: View):
    assert rows_of(view.routes) == WARD.keys()

    wrong = []
    for row, may in WARD.items():
        method, path = row.split()
        is_socket = method == "SOCKET"
        for caller in CALLERS:
            more = {"type": "websocket"} if is_socket else {"method": method}
            if method == "MOUNT":
                more, path = {}, "/assets/ward.css"
            status, _ = await view.ask(view.scope(caller, named(path), **more))
            is_refused = status in {401, 403, CLOSE_CODE}
            if is_refused == (caller in may):
                wrong.append((row, caller, status))

    assert wrong == []


@pytest.mark.parametrize("caller", CALLERS)
async def test_a_page_of_the_ward_view_is_for_whom_its_row_says(
    view: View, caller: str
):
    refused = 401 if caller == NOBODY else 403
    seen = {path: (await view.ask(view.scope(caller, path)))[0] for path in PAGES}

    assert {path for path, status in seen.items() if status == refused} == {
        path for path, may in PAGES.items() if caller not in may
    }
    assert not {401, 403} & ({*seen.values()} - {refused})


async def test_what_the_gate_answers_itself_is_for_whom_its_row_says(view: View):
    for row, may in GATE.items():
        method, path = row.split()
        status, body = await view.ask(view.scope(NOBODY, path, method=method))
        # Of /signin 401 is the form itself, or a wrong password.
        is_refused = status == 401 and not path.startswith("/signin")
        assert is_refused == (NOBODY not in may), (row, status, body)


async def test_every_command_is_for_whom_its_row_says(view: View):
    assert WISHES.keys() == set(CommandType)
    assert {type_: {r for r in Role if type_ in MAY[r]} for type_ in WISHES} == WISHES

    wrong = []
    for type_, may in WISHES.items():
        body = json.dumps(
            {"id": "0" * 36, "patient": "p-1", "type": type_, **said(type_)}
        )
        for caller in CALLERS:
            json_ = {"content-type": "application/json"}
            scope = view.scope(caller, "/commands", method="POST", headers=json_)
            status, _ = await view.ask(scope, body.encode())
            # 409: refused before it is sent. 502: it would have been, were there a Kafka.
            wanted = 401 if caller == NOBODY else 502 if caller in may else 409
            if status != wanted:
                wrong.append((type_, caller, status))

    assert wrong == []


def said(type_: CommandType) -> dict[str, Any]:
    """What a wish of this type must say."""
    said: dict[CommandType, dict[str, Any]] = {
        CommandType.ADMIT: {"bed": "A-1"},
        CommandType.TRANSFER: {"bed": "A-1"},
        CommandType.ACKNOWLEDGE: {"alert": "p-1:hr.high:0"},
        CommandType.FEEDBACK: {"alert": "p-1:hr.high:0", "actionable": True},
        CommandType.PAUSE: {"reason": "suction"},
        CommandType.SET_LIMITS: {"reason": "COPD"},
    }
    return said.get(type_, {})
