"""The whole chain on one machine: monitors, real Kafka, the real worker, the real ward.

`Measuring` is a hospital that only measures. It states no alarm, no score, no answer and
no heartbeat: whatever the page shows of these, the real worker decided from the values.
A command goes from the page through the worker, and comes back.

The session fixture `chain` (conftest.py) is one chain of 16 beds for all tests. A test
takes beds of its own, and leaves the others alone::

    async def test_11_an_alarm_is_acknowledged(chain: Chain, browser: Browser):
        async with chain.take(2) as (desaturated, other):
            page = await open_page(browser, chain.view)
            desaturated.pinned = {"spo2": 79}       # spo2.desat: high, at once
            await until(page, f"{strip(desaturated.bed)} === '!!! SpO₂ 79 < 80'", 5)

What is pinned is sent from the next second on, and None takes the signal out of the
messages; `is_silent` stops the monitor, `status` is what it says (`{"spo2": "sensor_off"}`).
When the block ends, the patient is discharged and a new one lies in the bed: no alarm and
no pause is left for the next test.

Free beds have no alarm: their values lie within the limits, and NEWS2 is 0 to 1. How soon
a value alarms is in `icu_stream/profiles/adult.toml`; those without a delay are `spo2`
below 80 (high), `temp` above 39 (low) and a cuff beyond its limits (medium), and `hr`
above 120 takes 6 s (medium), above 140 another 5 s (high), 0 takes 4 s (high). A step of
more than 60 /min or 20 % of saturation is suspect and adds 10 s to what is not high. NEWS2
comes at the end of a patient's first 10 s, its alarms 60 s after that.

The page of `chain.view` is a charge nurse's, `chain.by`. A test that kills a ward or wants
another person takes `chain.another_view(...)`, one that kills a worker or Kafka a chain of
its own: `async with linked(own_kafka.settings()) as chain`. Then all of it may break.
"""

import asyncio
import contextlib
import math

from collections.abc import AsyncIterator
from typing import Any

from icu_stream import clock
from icu_stream.contracts import topics
from icu_stream.contracts.commands import Command, CommandType
from icu_stream.contracts.vitals import Vitals
from icu_stream.settings import Settings
from tests.browser.hospital import Hospital, Patient, WardView
from tests.kafka import free_port
from tests.worker import Worker


BEDS = 16
BY = "RN Okafor"


class Bed(Patient):
    """One bed whose values are within all limits; each patient in it has an id of its own."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self._admitted = 0

    def values(self, second: float) -> dict[str, float]:
        """Values that move a little, none of which scores in NEWS2; what is pinned stays."""
        i = self.index
        wave = math.sin(second / (7 + i % 5) + i)
        values: dict[str, float | None] = {
            "hr": round(70 + i % 10 + 3 * wave),
            "spo2": 97 + i % 2,
            "rr": round(14 + i % 3 + wave),
            "temp": round(36.6 + i % 8 / 10 + wave / 20, 1),
        }
        if i % 3 != 2:
            sys, dia = round(118 + i + 4 * wave), round(66 + i % 5 + 2 * wave)
            values |= {"abp_sys": sys, "abp_dia": dia, "abp_mean": (sys + 2 * dia) // 3}
        values |= self.pinned
        return {code: value for code, value in values.items() if value is not None}

    def change_patients(self) -> str:
        """Another patient lies here from now on; the id of the one before."""
        before = self.patient_id
        self._admitted += 1
        self.patient_id = f"p-{4001 + self.index}-{self._admitted}"
        self.pinned, self.status, self.is_silent = {}, {}, False
        return before


class Measuring(Hospital):
    """Monitors and cuffs alone; the worker is the real one."""

    def __init__(self, settings: Settings, beds: int) -> None:
        super().__init__(settings, beds)
        self.patients = [Bed(index) for index in range(beds)]
        self.worker_runs = False

    async def news(self) -> None:
        """The worker scores."""

    async def cuff(self, bed: Patient, systolic: float, diastolic: float) -> None:
        """One reading of a cuff."""
        vitals = Vitals(
            patient_id=bed.patient_id,
            time=clock.now_ms(),
            bed=bed.bed,
            device=f"cuff-{bed.index}",
            values={
                "nibp_sys": systolic,
                "nibp_dia": diastolic,
                "nibp_mean": (systolic + 2 * diastolic) // 3,
            },
            interval_s=1800,
        )
        await self.send(topics.VITALS, bed, vitals)

    async def ask(self, bed: Patient, what: CommandType, **fields: Any) -> None:
        """A command by another way than the page: into the commands topic."""
        now_ms = clock.now_ms()
        command = Command(
            command_id=f"chain-{bed.patient_id}-{what}-{now_ms}",
            type=what,
            patient_id=bed.patient_id,
            by=fields.pop("by", BY),
            time=now_ms,
            **fields,
        )
        await self.send(topics.COMMANDS, bed, command)


class Chain:
    """Monitors, worker and ward on one Kafka.

    Attributes:
        settings: Of all of them.
        hospital: The monitors.
        worker: The worker process.
        view: The ward process, whose page is signed in.
        by: Who is signed in there.
    """

    def __init__(
        self, settings: Settings, hospital: Measuring, worker: Worker, view: WardView
    ) -> None:
        self.settings = settings
        self.hospital = hospital
        self.worker = worker
        self.view = view
        self.by = settings.ward_user
        self._free = list(hospital.patients)

    @contextlib.asynccontextmanager
    async def take(self, count: int) -> AsyncIterator[list[Patient]]:
        """Beds for one test; new patients lie in them afterwards."""
        assert count <= len(self._free), "no bed is free"
        beds, self._free = self._free[:count], self._free[count:]
        try:
            yield beds
        finally:
            for bed in beds:
                assert isinstance(bed, Bed)
                left = Bed(bed.index)
                left.patient_id = bed.change_patients()
                await self.hospital.ask(left, CommandType.DISCHARGE)
            self._free += beds

    @contextlib.asynccontextmanager
    async def another_view(self, **settings: Any) -> AsyncIterator[WardView]:
        """One more ward process on the same topics, which may be killed; signed in.

        Args:
            settings: What differs: `ward_user`, `ward_role`, `language`, ...
        """
        port = free_port()
        data_dir = self.settings.data_dir / f"ward-{port}"
        data_dir.mkdir()
        own = {"ward_port": port, "data_dir": data_dir}
        view = WardView(self.settings.model_copy(update=own | settings))
        try:
            await asyncio.to_thread(view.start)
            await asyncio.to_thread(view.sign_in)
            yield view
        finally:
            view.kill()


@contextlib.asynccontextmanager
async def linked(
    settings: Settings, beds: int = BEDS, hospital: type[Measuring] = Measuring
) -> AsyncIterator[Chain]:
    """A chain of its own; ready when the worker has every partition and the ward serves.

    Args:
        settings: With topics; whose page it is, if nobody else's, is a charge nurse's.
        beds: How many.
        hospital: What measures.
    """
    if not settings.ward_user:
        person = {"ward_user": BY, "ward_role": "charge"}
        settings = settings.model_copy(update=person)
    # One that a test stops for seconds, on a machine that does much else, does not give up.
    patient = settings.model_copy(update={"session_timeout_s": 30.0})
    worker, view = Worker(patient), WardView(settings)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(worker.kill)
        stack.callback(view.kill)
        # In threads: both take seconds, and neither needs the other.
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(worker.start))
            group.create_task(asyncio.to_thread(view.start))
        await asyncio.to_thread(view.sign_in)
        running = hospital(settings, beds)
        await stack.enter_async_context(running)
        yield Chain(settings, running, worker, view)
