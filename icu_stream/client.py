"""A client of the REST API: typed, asynchronous, and patient with a server that restarts.

    async with Client("http://127.0.0.1:8060", token=token) as icu:
        for alert in await icu.alerts():
            print(alert.bed, alert.text)
        async for event in icu.stream():
            ...

Answers are the structs that the server answers with. A command is sent with a key of its
own, and again with the same key when nobody has confirmed it: it is done once. A stream that
breaks goes on where it was. docs/api.md.
"""

import asyncio
import uuid

from collections.abc import AsyncIterator, Iterable, Mapping
from types import NoneType, TracebackType
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from icu_stream.access.desk import Change
from icu_stream.api.messages import (
    AlertDetail,
    Backtest,
    Bed,
    Burden,
    Done,
    Limits,
    Me,
    PatientNow,
    Session,
    Subject,
    System,
    Vitals,
)
from icu_stream.api.problems import Problem
from icu_stream.api.table import Listed
from icu_stream.contracts.alerts import Alert, Priority
from icu_stream.contracts.commands import CommandResult
from icu_stream.contracts.scores import Scores
from icu_stream.contracts.vitals import Vitals as Measured
from icu_stream.errors import IcuStreamError


T = TypeVar("T")

_TIMEOUT_S = 30.0
_AGAIN = frozenset({429, 502, 503, 504})
_TRIES = 5
_LONGEST_WAIT_S = 30.0
# The server says something each 10 s: docs/api.md.
_SILENT_S = 30.0
_KINDS: Mapping[str, type[msgspec.Struct]] = {
    "alert": Alert,
    "scores": Scores,
    "vitals": Measured,
    "command-result": CommandResult,
}


class ApiError(IcuStreamError):
    """The server said no.

    Attributes:
        problem: What it said.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}")
        self.problem = problem


class Happened(NamedTuple):
    """One event of a stream.

    Attributes:
        id: Its place: give it to `stream` to go on behind it.
        message: What happened, as it stands in Kafka.
    """

    id: str
    message: Alert | Scores | Measured | CommandResult


class Client:
    """One server, asked as one person or program.

    Args:
        url: Of the server, without `/v1`.
        token: Of a program, or of a session.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Client":
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        self._http = aiohttp.ClientSession(timeout=timeout)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._http is not None:
            await self._http.close()

    # --- who asks

    async def sign_in(self, name: str, password: str) -> Session:
        """Sign in; everything after it is asked as this person."""
        said = {"name": name, "password": password}
        session = await self._ask("POST", "/v1/session", Session, said=said)
        self._token = session.token
        return session

    async def sign_out(self) -> None:
        """End the session."""
        await self._ask("DELETE", "/v1/session", type(None))
        self._token = None

    async def me(self) -> Me:
        """Who asks, and what may be asked."""
        return await self._ask("GET", "/v1/session", Me)

    # --- what there is

    async def beds(self, *, unit: str | None = None) -> list[Bed]:
        """Every bed with a patient."""
        return await self._all("/v1/beds", Bed, unit=unit)

    async def patients(self, *, unit: str | None = None) -> list[PatientNow]:
        """Every patient, with the newest values and open alarms."""
        return await self._all("/v1/patients", PatientNow, unit=unit)

    async def patient(self, patient_id: str) -> PatientNow:
        """One patient."""
        return await self._ask("GET", _patient(patient_id), PatientNow)

    async def vitals(
        self,
        patient_id: str,
        *,
        first_ms: int | None = None,
        last_ms: int | None = None,
        signals: Iterable[str] = (),
        step_ms: int | None = None,
        points: int | None = None,
        method: Literal["minmax", "lttb"] = "minmax",
    ) -> Vitals:
        """What was measured; without times, the last hour."""
        query = {
            "from": first_ms,
            "to": last_ms,
            "signals": ",".join(signals) or None,
            "step": step_ms,
            "points": points,
            "method": method,
        }
        path = f"{_patient(patient_id)}/vitals"
        return await self._ask("GET", path, Vitals, query=query)

    async def scores(self, patient_id: str) -> Scores:
        """The scores that hold now."""
        return await self._ask("GET", f"{_patient(patient_id)}/scores", Scores)

    async def alerts(
        self,
        *,
        state: Literal["open", "any"] = "open",
        patient_id: str | None = None,
        priority: Priority | None = None,
        first_ms: int | None = None,
        last_ms: int | None = None,
    ) -> list[Alert]:
        """Alarms: open ones by urgency, or any by onset, the newest first."""
        return await self._all(
            "/v1/alerts",
            Alert,
            state=state,
            patient_id=patient_id,
            priority=priority,
            **{"from": first_ms, "to": last_ms},
        )

    async def alert(self, alert_id: str) -> AlertDetail:
        """One alarm, with what happened to it."""
        return await self._ask("GET", _alert(alert_id), AlertDetail)

    async def limits(self, patient_id: str) -> Limits:
        """The limits in force."""
        return await self._ask("GET", f"{_patient(patient_id)}/limits", Limits)

    async def burden(
        self, *, hours: int = 24, unit: str | None = None, bed: str | None = None
    ) -> Burden:
        """What alarms asked of people: of all, of a unit's beds, of one bed."""
        query = {"hours": hours, "unit": unit, "bed": bed}
        return await self._ask("GET", "/v1/burden", Burden, query=query)

    async def system(self) -> System:
        """The state of the chain."""
        return await self._ask("GET", "/v1/system", System)

    # --- what is asked for

    async def acknowledge(self, alert_id: str, *, key: str | None = None) -> Done:
        """Somebody has seen an alarm."""
        return await self._do(f"{_alert(alert_id)}/acknowledge", {}, key)

    async def judge(
        self, alert_id: str, *, actionable: bool, key: str | None = None
    ) -> Done:
        """Was an alarm worth it?"""
        said = {"actionable": actionable}
        return await self._do(f"{_alert(alert_id)}/feedback", said, key)

    async def pause(
        self,
        patient_id: str,
        reason: str,
        *,
        seconds: float | None = None,
        key: str | None = None,
    ) -> Done:
        """Silence what is not high, for a while."""
        said = {"reason": reason, "seconds": seconds}
        return await self._do(f"{_patient(patient_id)}/pause", said, key)

    async def resume(self, patient_id: str, *, key: str | None = None) -> Done:
        """End a pause."""
        return await self._do(f"{_patient(patient_id)}/resume", {}, key)

    async def observe(
        self,
        patient_id: str,
        *,
        values: Mapping[str, float] | None = None,
        key: str | None = None,
        **charted: str | bool | int,
    ) -> Done:
        """Chart `acvpu`, `on_oxygen`, `spo2_scale`, or a laboratory's values."""
        said = {"values": dict(values or {}), **charted}
        return await self._do(f"{_patient(patient_id)}/observe", said, key)

    async def set_limits(
        self,
        patient_id: str,
        reason: str,
        limits: Iterable[Change] = (),
        *,
        hours: float | None = None,
        proposal: str | None = None,
        key: str | None = None,
    ) -> Done:
        """Give a patient limits of its own, or accept a proposal."""
        said = {
            "reason": reason,
            "limits": list(limits),
            "hours": hours,
            "proposal": proposal,
        }
        return await self._do(f"{_patient(patient_id)}/limits", said, key)

    async def reset_limits(
        self, patient_id: str, codes: Iterable[str] = (), *, key: str | None = None
    ) -> Done:
        """Go back to the profile's limits: of these alarms, or of all."""
        said = {"codes": list(codes)}
        return await self._do(f"{_patient(patient_id)}/limits/reset", said, key)

    async def propose_limits(
        self,
        patient_id: str,
        limits: Iterable[Change] = (),
        *,
        reason: str | None = None,
        key: str | None = None,
    ) -> Done:
        """Propose limits: these, or what the monitors' formulas say."""
        said = {"limits": list(limits), "reason": reason}
        return await self._do(f"{_patient(patient_id)}/limits/propose", said, key)

    async def withdraw_proposal(
        self,
        patient_id: str,
        proposal: str,
        reason: str,
        *,
        key: str | None = None,
    ) -> Done:
        """Take a proposal back."""
        said = {"proposal": proposal, "reason": reason}
        return await self._do(f"{_patient(patient_id)}/limits/withdraw", said, key)

    async def admit(
        self,
        patient_id: str,
        bed: str,
        *,
        profile: str | None = None,
        key: str | None = None,
    ) -> Done:
        """A patient comes."""
        said = {"bed": bed, "profile": profile}
        return await self._do(f"{_patient(patient_id)}/admit", said, key)

    async def transfer(
        self, patient_id: str, bed: str, *, key: str | None = None
    ) -> Done:
        """A patient changes the bed."""
        return await self._do(f"{_patient(patient_id)}/transfer", {"bed": bed}, key)

    async def discharge(self, patient_id: str, *, key: str | None = None) -> Done:
        """A patient goes."""
        return await self._do(f"{_patient(patient_id)}/discharge", {}, key)

    async def backtest(
        self, change: Change, patients: Iterable[str], *, hours: int = 24
    ) -> Backtest:
        """Begin a backtest; see `backtest_of`."""
        said = {"change": change, "patients": list(patients), "hours": hours}
        return await self._ask("POST", "/v1/backtests", Backtest, said=said)

    async def backtest_of(self, backtest_id: str) -> Backtest:
        """How far a backtest is, and its result."""
        return await self._ask("GET", f"/v1/backtests/{backtest_id}", Backtest)

    async def cancel_backtest(self, backtest_id: str) -> None:
        """Stop a backtest."""
        await self._ask("DELETE", f"/v1/backtests/{backtest_id}", NoneType)

    # --- what happens

    async def stream(
        self,
        *subjects: Subject,
        patient_id: str | None = None,
        unit: str | None = None,
        last_id: str | None = None,
    ) -> AsyncIterator[Happened]:
        """What happens, for ever; a connection that breaks is made again.

        Args:
            subjects: alerts (without any), scores, vitals, command-results.
            patient_id: Of one patient.
            unit: Of one unit.
            last_id: The id of the last event that was seen; None: from now on.

        Raises:
            ApiError: The server lets nobody in like this.
        """
        query = {
            "topics": ",".join(subjects) or None,
            "patient_id": patient_id,
            "unit": unit,
        }
        tries = 0
        while True:
            wait_s = min(_LONGEST_WAIT_S, 0.5 * 2**tries)
            try:
                async for name, id_, data in self._events(query, last_id):
                    tries, last_id = 0, id_ or last_id
                    if (kind := _KINDS.get(name)) is not None:
                        message: Any = msgspec.json.decode(data, type=kind)
                        yield Happened(last_id or "", message)
            except ApiError as error:
                if error.problem.status not in _AGAIN:
                    raise
            except (aiohttp.ClientError, TimeoutError, OSError):
                pass  # it may be started again just now
            tries += 1
            await asyncio.sleep(wait_s)

    async def _events(
        self, query: Mapping[str, Any], last_id: str | None
    ) -> AsyncIterator[tuple[str, str, bytes]]:
        headers = self._headers() | ({"Last-Event-ID": last_id} if last_id else {})
        timeout = aiohttp.ClientTimeout(sock_connect=_TIMEOUT_S, sock_read=_SILENT_S)
        async with self._session.get(
            f"{self._url}/v1/stream",
            params=_given(query),
            headers=headers,
            timeout=timeout,
        ) as answer:
            if answer.status != 200:
                raise ApiError(_problem(await answer.read(), answer.status))
            name, id_, data = "", "", b""
            async for line in _lines(answer.content):
                field, _, value = line.partition(b": ")
                if not line:
                    if name:
                        yield name, id_, data
                    name, id_, data = "", "", b""
                elif field == b"event":
                    name = value.decode()
                elif field == b"id":
                    id_ = value.decode()
                elif field == b"data":
                    data = value

    # --- one request

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            msg = "use it as: async with Client(...) as icu"
            raise RuntimeError(msg)
        return self._http

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    async def _all(self, path: str, kind: type[T], **query: Any) -> list[T]:
        """Every page of a list."""
        found: list[T] = []
        cursor: str | None = None
        while True:
            asked = query | {"limit": 1_000, "cursor": cursor}
            page: Any = await self._ask("GET", path, Listed[kind], query=asked)  # type: ignore[valid-type]
            found += page.items
            if (cursor := page.next) is None:
                return found

    async def _do(self, path: str, said: Mapping[str, Any], key: str | None) -> Done:
        """A command, done once however often it is sent."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        for tries in range(_TRIES):
            try:
                return await self._ask("POST", path, Done, said=said, headers=headers)
            except ApiError as error:
                is_under_way = error.problem.type.endswith(":under-way")
                if error.problem.status not in _AGAIN and not is_under_way:
                    raise
                last: Exception = error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                last = error
            await asyncio.sleep(0.5 * 2**tries)
        raise last

    async def _ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        query: Mapping[str, Any] | None = None,
        said: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        sent = self._headers() | dict(headers or {})
        body = None
        if said is not None:
            sent["Content-Type"] = "application/json"
            body = msgspec.json.encode(_given(said))
        async with self._session.request(
            method,
            self._url + path,
            params=_given(query or {}),
            data=body,
            headers=sent,
        ) as answer:
            data = await answer.read()
            if answer.status >= 400:
                raise ApiError(_problem(data, answer.status))
            return msgspec.json.decode(data or b"null", type=kind)


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines, however long: `readline` of aiohttp has a limit."""
    rest = b""
    async for part in content.iter_any():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line


def _given(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


def _problem(data: bytes, status: int) -> Problem:
    try:
        return msgspec.json.decode(data, type=Problem)
    except msgspec.MsgspecError:  # somebody on the way answered in its place
        return Problem(type="about:blank", title="no answer of ours", status=status)


def _patient(patient_id: str) -> str:
    return f"/v1/patients/{quote(patient_id, safe='')}"


def _alert(alert_id: str) -> str:
    return f"/v1/alerts/{quote(alert_id, safe='')}"
