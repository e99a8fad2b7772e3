"""The API on real Kafka, with the real worker, archive and PostgreSQL."""

import asyncio
import contextlib
import json
import os
import re
import uuid

from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from icu_stream import clock
from icu_stream.access.desk import Change
from icu_stream.access.roles import Role
from icu_stream.api.messages import Done
from icu_stream.client import ApiError, Client
from icu_stream.contracts.alerts import Event, State
from tests import service
from tests.integration import feed, replica
from tests.kafka import ROOT
from tests.service import House, Process


WAIT_S = 60.0


async def until(ask: Callable[[], Awaitable[Any]], what: str = "it") -> Any:
    """Ask until the answer is a yes."""
    deadline = clock.monotonic_s() + WAIT_S
    while clock.monotonic_s() < deadline:
        if answer := await ask():
            return answer
        await asyncio.sleep(0.1)
    pytest.fail(f"{what} did not come within {WAIT_S} s")


@pytest_asyncio.fixture
async def nurse(house: House) -> AsyncIterator[Client]:
    async with Client(house.api.url, house.tokens[Role.NURSE]) as client:
        yield client


class Monitor:
    """One patient of a test's own."""

    def __init__(self, house: House) -> None:
        self.patient_id = f"t-{uuid.uuid4().hex[:8]}"
        self.bed = f"T-{self.patient_id[2:]}"
        self._settings = house.settings

    async def send(self, **values: float) -> int:
        """One message now; its time."""
        now_ms = clock.now_ms()
        said = {
            "patient_id": self.patient_id,
            "time": now_ms,
            "bed": self.bed,
            "device": "mon",
            "values": feed.CALM | values,
        }
        await feed.send(self._settings, [said])
        return now_ms

    async def desaturate(self, client: Client) -> str:
        """Below 80 % there is no delay: high, at once. The alarm's id."""
        await self.send()
        await until(lambda: known(client, self.patient_id))
        await self.send(spo2=78)

        async def found() -> str:
            alerts = await client.alerts(patient_id=self.patient_id)
            return next((a.alert_id for a in alerts if a.priority == "high"), "")

        return str(await until(found, "the alarm"))


async def known(client: Client, patient_id: str) -> bool:
    return patient_id in {one.patient_id for one in await client.patients()}


async def test_an_alarm_is_acknowledged_and_its_course_is_told(
    house: House, nurse: Client
):
    monitor = Monitor(house)
    alert_id = await monitor.desaturate(nurse)

    done = await nurse.acknowledge(alert_id)
    detail = await until(lambda: _acknowledged(nurse, alert_id))
    now = await nurse.patient(monitor.patient_id)

    assert done.command_id.startswith("nurse Okafor/")
    assert [step.event for step in detail.transitions] == [
        Event.RAISED,
        Event.ACKNOWLEDGED,
    ]
    assert detail.is_whole
    assert detail.alert.by == "nurse Okafor"
    assert (now.bed, now.values["spo2"].value) == (monitor.bed, 78)
    assert now.alarms[0].state is State.ACKNOWLEDGED


async def _acknowledged(client: Client, alert_id: str) -> Any:
    detail = await client.alert(alert_id)
    return detail if detail.alert.state is State.ACKNOWLEDGED else None


async def test_what_the_worker_refuses_is_a_problem_with_its_reason(
    house: House, nurse: Client
):
    with pytest.raises(ApiError, match=r"no patient .* is known") as caught:
        await nurse.pause("nobody", "suction")

    assert caught.value.problem.status == 409
    assert caught.value.problem.type == "urn:icu-stream:problem:refused"


async def test_a_command_in_whose_middle_the_api_is_killed_is_done_once(
    house: House, nurse: Client
):
    monitor = Monitor(house)
    await monitor.send()
    await until(lambda: known(nurse, monitor.patient_id))
    key = str(uuid.uuid4())
    url = f"{house.api.url}/v1/patients/{monitor.patient_id}/pause"
    headers = house.headers(Role.NURSE) | {"Idempotency-Key": key}
    body = {"reason": "suction", "seconds": 60}
    house.worker.freeze()  # so that it is in Kafka, and nobody has answered
    try:
        async with aiohttp.ClientSession() as http:
            asked = asyncio.create_task(http.post(url, json=body, headers=headers))
            await until(lambda: _is_sent(house, monitor.patient_id), "the command")
            house.api.kill()
            with pytest.raises(aiohttp.ClientError):
                await asked
    finally:
        house.worker.thaw()
    house.api.start()

    async with Client(house.api.url, house.tokens[Role.NURSE]) as again:
        await until(lambda: known(again, monitor.patient_id))
        done = await again.pause(monitor.patient_id, "suction", seconds=60, key=key)
        twice = await again.pause(monitor.patient_id, "suction", seconds=60, key=key)
        with pytest.raises(ApiError) as another:
            await again.pause(monitor.patient_id, "turning", key=key)

    rows = await _commands(house, monitor.patient_id)
    assert done == twice
    assert {row["command_id"] for row in rows} == {done.command_id}
    # Done once: a second pause would have been refused, "the alarms are paused already".
    results = await _results(house, monitor.patient_id)
    assert {(row["command_id"], row["accepted"]) for row in results} == {
        (done.command_id, True)
    }
    assert another.value.problem.status == 422


async def _is_sent(house: House, patient_id: str) -> bool:
    return bool(await _commands(house, patient_id))


async def _commands(house: House, patient_id: str) -> list[dict[str, Any]]:
    return await _read(house, "commands", patient_id)


async def _results(house: House, patient_id: str) -> list[dict[str, Any]]:
    return await _read(house, "command-results", patient_id)


async def _read(house: House, topic: str, patient_id: str) -> list[dict[str, Any]]:
    rows = await _read_all(house, topic)
    return [row for row in rows if row.get("patient_id") == patient_id]


async def _read_all(house: House, topic: str) -> list[dict[str, Any]]:
    found = await replica.read(house.settings, house.settings.topic_prefix + topic)
    return [json.loads(record.value) for record in found if record.value]


async def test_a_stream_that_was_cut_off_goes_on_where_it_was(
    house: House, nurse: Client
):
    monitor, seen = Monitor(house), []
    events = nurse.stream("vitals", "alerts", patient_id=monitor.patient_id)
    first = asyncio.create_task(anext(events))
    while not first.done():
        await monitor.send()
        await asyncio.wait({first}, timeout=0.3)
    seen.append(first.result())
    await events.aclose()
    for hr in (91, 92, 93):
        await monitor.send(hr=hr)

    async for event in nurse.stream(
        "vitals", "alerts", patient_id=monitor.patient_id, last_id=seen[-1].id
    ):
        seen.append(event)
        if event.message.values.get("hr") == 93:
            break

    times = [event.message.time for event in seen]
    assert [event.message.values["hr"] for event in seen[-3:]] == [91, 92, 93]
    assert times == sorted(set(times))  # nothing twice


async def test_an_alarm_comes_on_a_stream_as_it_is_raised(house: House, nurse: Client):
    monitor = Monitor(house)
    events = nurse.stream(patient_id=monitor.patient_id)
    raised = asyncio.create_task(anext(events))

    alert_id = await monitor.desaturate(nurse)
    event = await asyncio.wait_for(raised, WAIT_S)
    await events.aclose()

    assert (event.message.alert_id, event.message.event) == (alert_id, Event.RAISED)


async def test_a_stream_ends_when_its_session_does(house: House):
    async with Client(house.api.url) as client:
        await client.sign_in(service.NAMES[Role.NURSE], service.PASSWORD)
        url = f"{house.api.url}/v1/stream"
        async with (
            aiohttp.ClientSession(headers=client._headers()) as http,
            http.get(url) as answer,
        ):
            await answer.content.readuntil(b"\n\n")
            await client.sign_out()
            rest = await asyncio.wait_for(answer.content.read(), WAIT_S)

    assert rest.endswith(b"event: over\ndata: {}\n\n")


async def test_a_spike_of_a_second_is_in_every_course(house: House, nurse: Client):
    monitor = Monitor(house)
    for spo2 in (97, 97, 70, 97, 97):
        await monitor.send(spo2=spo2)
    await until(lambda: known(nurse, monitor.patient_id))

    async def courses() -> Any:
        steps = await nurse.vitals(
            monitor.patient_id, signals=["spo2"], step_ms=3_600_000
        )
        return steps if "spo2" in steps.signals else None

    steps = (await until(courses)).signals["spo2"]
    points = await nurse.vitals(monitor.patient_id, signals=["spo2"], method="lttb")
    few = await nurse.vitals(monitor.patient_id, points=4, method="lttb")

    assert (min(steps.low or []), max(steps.high or []), sum(steps.n or [])) == (
        70,
        97,
        5,
    )
    assert points.signals["spo2"].values == [97, 97, 70, 97, 97]
    assert 70 in few.signals["spo2"].values
    assert points.signals["spo2"].unit == "%"


async def test_what_was_archived_is_read_back(house: House, nurse: Client):
    monitor = Monitor(house)
    alert_id = await monitor.desaturate(nurse)

    async def stored() -> Any:
        alerts = await nurse.alerts(state="any", patient_id=monitor.patient_id)
        return [alert.alert_id for alert in alerts if alert.priority == "high"]

    found = await until(stored, "the alarm in the store")
    await nurse.judge(alert_id, actionable=False)
    await nurse.judge(alert_id, actionable=True)
    async with Client(house.api.url, house.tokens[Role.CHARGE]) as charge:

        async def judged() -> Any:
            asked = await charge.burden(hours=1, bed=monitor.bed)
            return asked if asked.total.feedback.actionable else None

        burden = await until(judged, "the last word on it")

    assert found == [alert_id]
    assert burden.total.alarms["high"] >= 1
    assert burden.total.bed_days > 0
    assert burden.total.feedback.marked == 1


async def tag_of(client: Client, path: str) -> str:
    async with (
        aiohttp.ClientSession(headers=client._headers()) as http,
        http.get(client._url + path) as answer,
    ):
        return answer.headers["ETag"]


async def test_limits_are_set_only_as_they_were_seen_and_reset(house: House):
    monitor = Monitor(house)
    async with Client(house.api.url, house.tokens[Role.PHYSICIAN]) as doctor:
        await monitor.send()
        await until(lambda: known(doctor, monitor.patient_id))

        before = await tag_of(doctor, f"/v1/patients/{monitor.patient_id}/limits")
        change = [Change(code="spo2.low", limit=86)]
        await doctor.set_limits(monitor.patient_id, "COPD, 88-92 %", change, hours=2)

        async def own() -> Any:
            limits = (await doctor.limits(monitor.patient_id)).limits
            return [one for one in limits if one.by is not None]

        [limit] = await until(own, "the limit")
        seen = await tag_of(doctor, f"/v1/patients/{monitor.patient_id}/limits")
        proposed = await doctor.propose_limits(
            monitor.patient_id, change, reason="COPD"
        )
        with pytest.raises(ApiError) as changed:
            await doctor._ask(
                "POST",
                f"/v1/patients/{monitor.patient_id}/limits/reset",
                Done,
                said={},
                headers={"If-Match": before, "Idempotency-Key": str(uuid.uuid4())},
            )
        still = await own()
        await doctor.withdraw_proposal(
            monitor.patient_id, proposed.proposal or "", "another was set"
        )
        await doctor.reset_limits(monitor.patient_id, ["spo2.low"])

        async def reset() -> bool:
            return not await own()

        await until(reset)

    assert (limit.code, limit.limit, limit.by) == ("spo2.low", 86, "physician Okafor")
    assert changed.value.problem.status == 412
    assert seen != before
    assert still == [limit]


async def test_another_system_admits_moves_and_discharges(house: House, nurse: Client):
    patient_id = f"t-{uuid.uuid4().hex[:8]}"
    async with Client(house.api.url, house.tokens[Role.INTEGRATION]) as hospital:
        await hospital.admit(patient_id, "T-adm")
        await until(lambda: known(nurse, patient_id))
        await hospital.transfer(patient_id, "T-other")

        async def moved() -> bool:
            return (await nurse.patient(patient_id)).bed == "T-other"

        await until(moved)
        await hospital.discharge(patient_id)

        async def gone() -> bool:
            return not await known(nurse, patient_id)

        await until(gone)
        with pytest.raises(ApiError) as canary:
            await hospital.admit("icu-canary-x", "T-x")

    assert canary.value.problem.status == 409


async def test_a_backtest_is_begun_watched_and_cancelled(house: House):
    async with Client(house.api.url, house.tokens[Role.CHARGE]) as charge:
        patient_id = (await charge.patients())[0].patient_id
        job = await charge.backtest(
            Change(code="hr.high", limit=110), [patient_id], hours=1
        )

        async def over() -> Any:
            now = await charge.backtest_of(job.backtest_id)
            return now if now.state != "running" else None

        done = await until(over, "the result")
        again = await charge.backtest(
            Change(code="hr.high", limit=115), [patient_id], hours=24
        )
        await charge.cancel_backtest(again.backtest_id)

        async def ended() -> Any:
            now = await charge.backtest_of(again.backtest_id)
            return now if now.state != "running" else None

        stopped = await until(ended, "the end")

    assert stopped.state == "cancelled"
    assert stopped.result is None
    assert (done.state, done.failure) == ("done", None)
    assert {figure.name for figure in done.result.figures} >= {"alarms", "sounds"}


async def test_every_act_is_in_the_audit_trail_and_no_secret_is(
    house: House, nurse: Client
):
    monitor = Monitor(house)
    alert_id = await monitor.desaturate(nurse)
    await nurse.acknowledge(alert_id)
    with pytest.raises(ApiError, match="a nurse may not"):
        await nurse.admit(monitor.patient_id, "T-x")

    async def entries() -> Any:
        rows = await _read_all(house, "audit")
        own = [row for row in rows if row.get("alert_id") == alert_id]
        refused = [row for row in rows if "admit" in row.get("how", "")]
        return (own[0], refused[0], rows) if own and refused else None

    own, refused, rows = await until(entries, "the trail")

    assert (own["by"], own["role"], own["station"], own["outcome"]) == (
        "nurse Okafor",
        "nurse",
        "test nurse",
        "done",
    )
    assert (refused["by"], refused["reason"]) == ("nurse Okafor", "may_not")
    written = json.dumps(rows) + house.api.said()
    assert [s for s in house.tokens.values() if s in written] == []
    assert service.PASSWORD not in written


async def test_what_is_no_http_is_refused_and_what_it_held_is_not_logged(house: House):
    secret = "icu_a-token-in-a-damaged-header"
    sent = f"GET /v1/beds HTTP/1.1\r\nHost: x\r\nAuthorization {secret}\r\n\r\n"

    reader, writer = await asyncio.open_connection(*house.api.url[7:].split(":"))
    writer.write(sent.encode())
    answer = await asyncio.wait_for(reader.read(), WAIT_S)
    writer.close()

    async def logged() -> bool:
        return "a request is no HTTP" in house.api.said()

    await until(logged)
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert secret not in house.api.said()


SECTION = (ROOT / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)


async def test_what_the_documentation_says_to_curl_works(house: House, nurse: Client):
    monitor = Monitor(house)
    environment = {
        "PATH": os.environ["PATH"],
        "ICU": house.api.url,
        "TOKEN": house.tokens[Role.NURSE],
        "PATIENT": monitor.patient_id,
        "ALERT": await monitor.desaturate(nurse),
    }
    scripts = [text for kind, text in BLOCKS if kind == "sh" and "curl" in text]
    assert len(scripts) == 3

    async def scored() -> bool:
        with contextlib.suppress(ApiError):
            return bool(await nurse.scores(monitor.patient_id))
        await monitor.send()
        return False

    await until(scored, "scores")
    for script in scripts:
        process = await asyncio.create_subprocess_exec(
            "bash", "-euc", script, env=environment, stdout=PIPE, stderr=STDOUT
        )
        said, _ = await asyncio.wait_for(process.communicate(), WAIT_S)
        assert process.returncode == 0, said.decode()


async def test_what_the_documentation_says_in_python_works(house: House, nurse: Client):
    [example] = [text for kind, text in BLOCKS if kind == "python"]
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102 - our own document
    watching = asyncio.create_task(
        names["watch"](house.api.url, house.tokens[Role.NURSE])
    )

    async def over() -> bool:
        if not watching.done():
            await Monitor(house).desaturate(nurse)
        return watching.done()

    await until(over, "an acknowledgement")
    said = await watching

    assert "nurse Okafor/" in said


async def test_it_ends_on_sigterm_though_a_stream_is_open_and_sessions_outlive_it(
    house: House,
):
    async with Client(house.api.url) as client:
        session = await client.sign_in(service.NAMES[Role.NURSE], service.PASSWORD)
        events = client.stream("scores", "vitals")
        coming = asyncio.create_task(anext(events))
        await coming

        code = await asyncio.to_thread(house.api.stop)  # 5 s at most
        house.api.start()
        await events.aclose()

    async with Client(house.api.url, session.token) as again:
        assert (await again.me()).by == service.NAMES[Role.NURSE]
    assert code == 0


def test_a_port_that_is_taken_is_named_with_its_setting(house: House):
    port = int(house.api.url.rpartition(":")[2])
    taken = house.settings.model_copy(update={"api_port": port})
    second = Process(taken, "api")

    with pytest.raises(AssertionError, match="ICU_API_PORT"):
        second.start()
    second.kill()
