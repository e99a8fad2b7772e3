"""The API on real Kafka, with the real worker, archive and PostgreSQL."""

import asyncio
import json
import uuid

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from icu_stream import clock
from icu_stream.access.roles import Role
from icu_stream.client import ApiError, Client
from icu_stream.contracts.alerts import Event, State
from tests.integration import feed, replica
from tests.service import House


WAIT_S = 20.0


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
    found = await replica.read(house.settings, house.settings.topic_prefix + topic)
    rows = [json.loads(record.value) for record in found if record.value]
    return [row for row in rows if row.get("patient_id") == patient_id]
