"""A hospital that speaks to Kafka as gateways and the worker do, and a ward view of it.

It makes the messages themselves, by the contracts, so the page can be shown what a test is
about: no simulator and no worker decide anything here.
"""

import asyncio
import contextlib
import http.client
import math
import os
import re
import signal
import subprocess
import urllib.parse

from collections.abc import AsyncIterator, Iterable
from typing import Any

import aiokafka
import msgspec

from icu_stream import bus, clock, profiles
from icu_stream.contracts import envelope, topics
from icu_stream.contracts.alerts import Alert, Event, Explanation, Kind, Priority, State
from icu_stream.contracts.canary import is_canary
from icu_stream.contracts.commands import Command, CommandResult, CommandType
from icu_stream.contracts.heartbeats import Heartbeat
from icu_stream.contracts.scores import News2, Scores
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import news2
from icu_stream.domain.news2 import Reading
from icu_stream.settings import Settings
from icu_stream.ward import canary
from tests.launch import ICU_STREAM, launch


ADULT = profiles.load("adult")
BEDS_A_UNIT = 25


class Patient:
    """One patient and the values that the monitor sends each second."""

    def __init__(self, index: int) -> None:
        unit, place = divmod(index, BEDS_A_UNIT)
        self.index = index
        self.patient_id = f"p-{4001 + index}"
        self.bed = f"ICU{unit + 1}-{place + 1:02}"
        self.pinned: dict[str, float | None] = {}
        self.status: dict[str, str] = {}
        self.is_silent = False

    def values(self, second: float) -> dict[str, float]:
        """Plausible values that move a little; what is pinned stays."""
        i = self.index
        wave = math.sin(second / (7 + i % 5) + i)
        values: dict[str, float | None] = {
            "hr": round(72 + i * 7 % 40 + 3 * wave),
            "spo2": round(min(100, 95 + i % 5 + wave)),
            "rr": round(14 + i % 9 + wave),
            "temp": round(36.5 + i % 12 / 10 + wave / 20, 1),
        }
        sys, dia = round(112 + i * 3 % 40 + 4 * wave), round(62 + i % 20 + 2 * wave)
        if i % 3 != 2:
            values |= {"abp_sys": sys, "abp_dia": dia, "abp_mean": (sys + 2 * dia) // 3}
        values |= self.pinned
        return {code: value for code, value in values.items() if value is not None}


class Hospital:
    """Beds whose monitors speak every second while it runs; use as `async with`."""

    def __init__(self, settings: Settings, beds: int, past_s: int = 0) -> None:
        self.settings = settings
        self.patients = [Patient(index) for index in range(beds)]
        self.is_silent = False
        self.worker_runs = True
        self._past_s = past_s
        self._producer: aiokafka.AIOKafkaProducer | None = None
        self._reader: aiokafka.AIOKafkaConsumer | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Hospital":
        self._producer = bus.producer(self.settings, linger_ms=5)
        await self._producer.start()
        for ago_s in range(self._past_s, 0, -1):
            await self.measure(self.patients, ago_ms=1000 * ago_s)
        await self.cuffs()
        await self.news()
        self._tasks.append(asyncio.create_task(self._beat()))
        if self.worker_runs:
            self._reader = bus.consumer(self.settings, topics.VITALS.name)
            await self._reader.start()
            self._tasks.append(asyncio.create_task(self._prove(self._reader)))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._producer is not None
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._reader is not None:
            # A loop that stood still between two tests finds a fetch that timed out.
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader.stop()
        await self._producer.stop()

    async def _beat(self) -> None:
        while True:
            began = clock.monotonic_s()
            # Spread over the second, as the devices of a real ward are.
            step = max(1, len(self.patients) // 10)
            for start in range(0, len(self.patients), step):
                if not self.is_silent:
                    await self.measure(self.patients[start : start + step])
                await asyncio.sleep(0.8 * step / len(self.patients))
            if self.worker_runs:
                await self.heartbeat()
            await asyncio.sleep(max(0.0, 1 - (clock.monotonic_s() - began)))

    async def _prove(self, reader: aiokafka.AIOKafkaConsumer) -> None:
        """Raise the alarms of the view's own tests, as the worker does."""
        async for record in reader:
            if not is_canary(record.key):
                continue
            test = msgspec.json.decode(record.value, type=Vitals)
            if not (test.status and self.worker_runs):
                continue
            alert = Alert(
                alert_id=f"{test.patient_id}:{canary.CODE}:{test.time}",
                transition=1,
                event=Event.RAISED,
                patient_id=test.patient_id,
                bed=test.bed,
                code=canary.CODE,
                kind=Kind.TECHNICAL,
                priority=Priority.LOW,
                state=State.ACTIVE,
                annunciate=True,
                onset=test.time,
                time=test.time,
                text="a test",
            )
            await self._send(topics.ALERTS, record.partition, record.key, alert)

    async def measure(self, patients: Iterable[Patient], ago_ms: int = 0) -> None:
        """One message of each monitor that is not silent, now or some time ago."""
        now_ms = clock.now_ms() - ago_ms
        for patient in patients:
            if patient.is_silent:
                continue
            values = patient.values(now_ms / 1000)
            vitals = Vitals(
                patient_id=patient.patient_id,
                time=now_ms,
                bed=patient.bed,
                device=f"mon-{patient.index}",
                values=values,
                status=patient.status,
            )
            await self.send(topics.VITALS, patient, vitals, timestamp_ms=now_ms)

    async def cuffs(self) -> None:
        """A cuff's reading for those without an arterial line."""
        # Less than a clock may be off before the worker doubts it: rule 4.
        now_ms = clock.now_ms() - 50_000
        for patient in self.patients:
            if patient.index % 3 == 2:
                vitals = Vitals(
                    patient_id=patient.patient_id,
                    time=now_ms,
                    bed=patient.bed,
                    device=f"cuff-{patient.index}",
                    values={"nibp_sys": 128, "nibp_dia": 74, "nibp_mean": 92},
                    interval_s=1800,
                )
                await self.send(topics.VITALS, patient, vitals)

    async def news(self) -> None:
        """A NEWS2 for each patient; each third lacks an input."""
        for patient in self.patients:
            scores = Scores(
                patient_id=patient.patient_id,
                bed=patient.bed,
                time=clock.now_ms(),
                news2=self._news2(patient),
            )
            await self.send(topics.SCORES, patient, scores)

    @staticmethod
    def _news2(patient: Patient) -> News2 | None:
        values = patient.values(clock.now_ms() / 1000)
        measured = {
            "rr": values.get("rr"),
            "spo2": values.get("spo2"),
            "sys": values.get("abp_sys", 128),
            "pulse": values.get("hr"),
            "temp": values.get("temp"),
            "on_oxygen": patient.index % 4 == 1,
        }
        inputs = {
            name: Reading(value, age_s=4)
            for name, value in measured.items()
            if value is not None
        }
        if patient.index % 3:
            inputs["acvpu"] = Reading("A", age_s=2_400, by="RN Okafor")
        return news2.news2(inputs)

    async def heartbeat(self) -> None:
        """The worker lives, and has every partition."""
        for partition in range(self.settings.partitions):
            beat = Heartbeat(
                worker="w",
                partition=partition,
                time=clock.now_ms(),
                lag=0,
                patients=1,
                applied=0,
                checkpoint_age_s=0,
            )
            await self._send(topics.HEARTBEATS, 0, b"w", beat)

    async def alarm(
        self,
        index: int,
        code: str,
        priority: Priority,
        text: str = "",
        **fields: Any,
    ) -> Alert:
        """The worker states an alarm of one patient."""
        patient = self.patients[index]
        now_ms = clock.now_ms()
        onset = fields.pop("onset", now_ms)
        timestamp_ms = fields.pop("timestamp_ms", None)
        alert = Alert(
            alert_id=f"{patient.patient_id}:{code}:{onset}",
            patient_id=patient.patient_id,
            bed=patient.bed,
            code=code,
            priority=priority,
            onset=onset,
            text=text or f"{code} at bed {patient.bed}",
            **(
                {
                    "transition": 1,
                    "event": Event.RAISED,
                    "kind": Kind.PHYSIOLOGICAL,
                    "state": State.ACTIVE,
                    "annunciate": True,
                    "time": now_ms,
                    "signal": code.split(".", maxsplit=1)[0],
                }
                | fields
            ),
        )
        await self.send(topics.ALERTS, patient, alert, timestamp_ms=timestamp_ms)
        return alert

    async def again(
        self,
        alert: Alert,
        event: Event,
        state: State,
        time_ms: int | None = None,
        **fields: Any,
    ) -> Alert:
        """The next transition of an alarm, now or at another time."""
        patient = next(p for p in self.patients if p.patient_id == alert.patient_id)
        following = msgspec.structs.replace(
            alert,
            transition=alert.transition + 1,
            event=event,
            state=state,
            time=clock.now_ms() if time_ms is None else time_ms,
            **fields,
        )
        await self.send(topics.ALERTS, patient, following, timestamp_ms=time_ms)
        return following

    async def command(self, index: int, **fields: Any) -> None:
        """A command, in the log where the worker put it."""
        patient = self.patients[index]
        now_ms = clock.now_ms()
        command = Command(
            command_id=f"c-{now_ms}",
            patient_id=patient.patient_id,
            by="RN Okafor",
            time=now_ms,
            **fields,
        )
        headers = [(envelope.COMMAND, b"1")]
        await self.send(topics.VITALS, patient, command, headers=headers)

    async def pause(self, index: int, until_ms: int) -> Alert:
        """The worker grants a pause and says so."""
        patient = self.patients[index]
        result = CommandResult(
            command_id=f"RN Okafor/{until_ms}",
            accepted=True,
            type=CommandType.PAUSE,
            patient_id=patient.patient_id,
            by="RN Okafor",
            time=clock.now_ms(),
            expires=until_ms,
        )
        await self.send(topics.COMMAND_RESULTS, patient, result)
        return await self.alarm(
            index,
            "bed.pause",
            Priority.LOW,
            "Alarms paused by RN Okafor, but not the high ones: suction",
            event=Event.PAUSED,
            kind=Kind.TECHNICAL,
            annunciate=False,
            signal=None,
            by="RN Okafor",
            explanation=Explanation(reason="suction"),
        )

    async def send(
        self, topic: topics.Topic, patient: Patient, message: Any, **options: Any
    ) -> None:
        """Send a message to its patient's partition."""
        partition = bus.partition_of(patient.patient_id, self.settings.partitions)
        key = patient.patient_id.encode()
        await self._send(topic, partition, key, message, **options)

    async def _send(
        self,
        topic: topics.Topic,
        partition: int,
        key: bytes,
        message: Any,
        **options: Any,
    ) -> None:
        assert self._producer is not None
        await self._producer.send(
            self.settings.topic_prefix + topic.name,
            msgspec.json.encode(message),
            key=key,
            partition=partition,
            **options,
        )


async def every_kind_of_alarm(hospital: Hospital) -> None:
    """Alarms of all priorities and states, some silent beds, one doubtful value."""
    now_ms = clock.now_ms()
    n = len(hospital.patients)
    high, medium, low = Priority.HIGH, Priority.MEDIUM, Priority.LOW
    technical = Kind.TECHNICAL

    def at(part: float) -> int:
        return int(part * n)

    hospital.patients[at(0.1)].pinned = {"spo2": 83, "hr": 118}
    over = await hospital.alarm(
        at(0.1),
        "hr.high",
        medium,
        "Heart rate 124 /min, above 120 for 9 s",
        value=124,
        limit=120,
        onset=now_ms - 200_000,
        time=now_ms - 190_000,
    )
    await hospital.again(over, Event.CLEARED, State.CLEARED)
    desaturation = await hospital.alarm(
        at(0.1),
        "spo2.desat",
        high,
        "SpO₂ 79 %, below 80 for 12 s (usual 94)",
        value=79,
        limit=80,
        onset=now_ms - 14_000,
        explanation=Explanation(
            rule="SpO₂ below 80 % for 10 s",
            limit_source=f"{ADULT.label}: {ADULT.rows['spo2.desat'].source}",
            violation_s=12,
            extreme=79,
            usual=94,
            change=-15,
            contributing={"hr": 118, "rr": 29, "abp_mean": 71},
            completeness="7/7",
            versions={"profile": ADULT.label},
        ),
    )
    await hospital.again(
        msgspec.structs.replace(
            desaturation, value=71, text="SpO₂ 71 %, below 80 for 14 s (usual 94)"
        ),
        Event.WORSENED,
        State.ACTIVE,
        explanation=msgspec.structs.replace(
            desaturation.explanation, extreme=71, change=-23
        ),
    )
    await hospital.pause(at(0.25), now_ms + 100_000)
    await hospital.alarm(
        at(0.6),
        "bed.unusual",
        low,
        "Unusual for this patient: respiratory rate and heart rate together",
        kind=Kind.ADVISORY,
        annunciate=False,
        signal=None,
    )
    await hospital.alarm(
        at(0.1),
        "spo2.low",
        medium,
        "SpO₂ 84 %, below 90 for 31 s (usual 94)",
        value=84,
        limit=90,
        annunciate=False,
        onset=now_ms - 31_000,
    )
    hospital.patients[at(0.2)].pinned = {"hr": 133}
    await hospital.alarm(
        at(0.2),
        "hr.high",
        medium,
        "Heart rate 138 /min, above 120 for 2 min (usual 96)",
        value=131,
        limit=120,
        explanation=Explanation(extreme=138),
        onset=now_ms - 120_000,
    )
    hospital.patients[at(0.35)].pinned = {"temp": 39.4}
    await hospital.alarm(
        at(0.35),
        "temp.high",
        low,
        "Temperature 39.4 °C, above 39.0",
        value=39.4,
        limit=39,
        onset=now_ms - 900_000,
    )
    await hospital.alarm(
        at(0.45),
        "hr.ecg_fault",
        medium,
        "ECG shows no heart beat, the arterial line shows a pulse: check the electrodes",
        kind=technical,
        onset=now_ms - 20_000,
    )
    asystole = await hospital.alarm(
        at(0.55),
        "hr.asystole",
        high,
        "Heart rate 0 for 6 s and no pulse",
        value=0,
        onset=now_ms - 60_000,
    )
    await hospital.again(asystole, Event.LATCHED, State.LATCHED)
    low_pressure = await hospital.alarm(
        at(0.65),
        "abp_mean.low",
        medium,
        "Mean arterial pressure 56 mmHg, below 60 for 4 min",
        value=56,
        limit=60,
        onset=now_ms - 240_000,
    )
    await hospital.again(
        low_pressure, Event.ACKNOWLEDGED, State.ACKNOWLEDGED, by="RN Okafor"
    )
    hospital.patients[at(0.75)].is_silent = True  # all its values stale, no digits
    hospital.patients[at(0.85)].pinned = {"temp": None, "spo2": 91}
    hospital.patients[at(0.85)].status = {"spo2": "questionable"}
    await hospital.alarm(
        at(0.95),
        "rr.high",
        medium,
        "Respiratory rate 34 /min, above 30 for 40 s",
        value=34,
        limit=30,
        onset=now_ms - 300_000,
        timestamp_ms=now_ms - 178_000,  # and never stated again
    )


class WardView:
    """The real `icu-stream ward` as a process of its own; may be killed and restarted.

    Args:
        settings: Of this ward; with `ward_token`, that is the token of its link.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.line = ""
        self.log = settings.data_dir / "ward.log"
        self.address = ""
        self.cookie = ""
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> "WardView":
        """Start it and wait for the line with its address."""
        command = [*ICU_STREAM, "ward"]
        self.process = launch(
            command, self.settings, self.log, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        found = re.search(r"(http://\S+?/)(?:signin\S+)?$", self.line)
        assert found, f"no address: {self.line!r}\n{self.log_tail()}"
        self.address = found[1]
        return self

    @property
    def link(self) -> str:
        """The link that signs in once."""
        if (token := self.settings.ward_token) is not None:
            return f"{self.address}signin?token={token.get_secret_value()}"
        return self.line.split()[-1]

    def sign_in(self) -> None:
        """Spend the token, as a browser does, and keep the cookie."""
        host = urllib.parse.urlsplit(self.address).netloc
        with contextlib.closing(http.client.HTTPConnection(host, timeout=60)) as client:
            client.request("GET", self.link.removeprefix(self.address.rstrip("/")))
            answer = client.getresponse()
            assert answer.status == 303, answer.read()
            header = answer.getheader("Set-Cookie") or ""
        self.cookie = header.split(";")[0].split("=", 1)[1]

    @property
    def pid(self) -> int:
        """Process id."""
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self._reap()

    def stop(self, timeout_s: float = 10) -> int:
        """SIGTERM, and wait; the exit code."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(timeout_s)
        self._reap()
        return code

    def _reap(self) -> None:
        if self.process is not None:
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()

    def log_tail(self) -> str:
        """The end of what it wrote."""
        return self.log.read_text(errors="replace")[-4_000:]


@contextlib.asynccontextmanager
async def showing(
    settings: Settings, beds: int, *, past_s: int = 0
) -> AsyncIterator[tuple[Hospital, WardView]]:
    """A hospital, with some past in Kafka, and its ward view, both running."""
    async with Hospital(settings, beds, past_s) as hospital:
        view = WardView(settings)
        try:
            await asyncio.to_thread(view.start)
            await asyncio.to_thread(view.sign_in)
            yield hospital, view
        finally:
            view.kill()
