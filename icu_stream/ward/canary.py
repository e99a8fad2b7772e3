"""Sends the test records whose alarms prove that the chain lives.

A canary is a patient by id (`contracts/canary.py`) and nothing else; there is one in each
partition. Every `EVERY_MS` the "device" of one for each worker sends three records, one
behind the other:

1. a value of `SIGNAL`, which ends whatever was left of the last time;
2. the word that its sensor is off, without a value: an alarm, at once;
3. a value again: the alarm is over, at once.

The alarm of the second record, which carries the record's own time, is the proof. Kafka
took it, the worker that owns the partition read it, decided it by its rules and told it,
and this view read that. `deadman.py` judges what did not come.

Why this alarm: rule 24 of docs/alarms.md has no delay, in no profile, and its end none
either, so a proof takes milliseconds and is never open while nobody sends; a limit's alarm
waits for its delay, counts as chattering when it comes often, and stays latched when it is
high. It is of low priority: should a canary ever be taken for a patient, nobody is paged.
`SIGNAL` takes part in no score and no baseline.

The times of the records only go forward, whatever the clock does: a record that the worker
takes for late would say nothing.
"""

import asyncio
import contextlib
import platform

import aiokafka
import msgspec

from aiokafka.errors import KafkaError

from icu_stream import bus, clock
from icu_stream.contracts import canary, topics
from icu_stream.contracts.alerts import Alert, Event
from icu_stream.contracts.vitals import Vitals
from icu_stream.settings import Settings
from icu_stream.ward.deadman import EVERY_MS, DeadMan, Hop


SIGNAL = "fio2"
_ROOM_AIR = 21.0  # %
CODE = f"{SIGNAL}.sensor_off"
DEVICE = "canary"
# The longest that a message may promise: a canary whose view is gone is not missed.
_INTERVAL_S = 86_400
_TAKE_S = 30.0
_CONNECT_S = 5.0
_RETRY_S = 1.0
_STOP_S = 0.5


def names(port: int, partitions: int) -> dict[str, int]:
    """The canaries of the ward process at a port, one for each partition.

    They are the same at each start, so that a worker never remembers more of them than
    there are partitions, and no other process has them.

    Args:
        port: Where the process listens.
        partitions: Of the vitals topic.

    Returns:
        Partition by patient id.
    """
    own = f"{canary.PREFIX}{platform.node() or 'ward'}-{port}"
    found: dict[int, str] = {}
    number = 0
    while len(found) < partitions:
        name = f"{own}-{number}"
        found.setdefault(bus.partition_of(name, partitions), name)
        number += 1
    return {name: partition for partition, name in sorted(found.items())}


def records(patient_id: str, number: int) -> list[Vitals]:
    """One test: the three records of a canary, the second at the number's moment."""
    air = {SIGNAL: _ROOM_AIR}
    said: list[tuple[int, dict[str, float], dict[str, str]]] = [
        (-1, air, {}),
        (0, {}, {SIGNAL: "sensor_off"}),
        (1, air, {}),
    ]
    return [
        Vitals(
            patient_id=patient_id,
            time=number + offset,
            device=DEVICE,
            bed=DEVICE,
            values=values,
            status=status,
            interval_s=_INTERVAL_S,
        )
        for offset, values, status in said
    ]


class Canary:
    """Sends the test records, and knows its own when they come back.

    Args:
        settings: Where Kafka is, and how many partitions.
        deadman: Is told what left and what came.
        port: Where this ward process listens.
    """

    def __init__(self, settings: Settings, deadman: DeadMan, port: int) -> None:
        self._settings = settings
        self._deadman = deadman
        self._names = names(port, settings.partitions)
        self._name_of = {partition: name for name, partition in self._names.items()}
        self._topic = settings.topic_prefix + topics.VITALS.name
        self._opened = asyncio.Event()
        self._newest_ms = 0

    # --- what comes back

    def open(self) -> None:
        """The topics are there: sending to one that is not could make it, and wrongly."""
        self._opened.set()

    def read(self, message: Vitals, now_ms: int) -> None:
        """A canary's record in the log, as every view reads it."""
        if (partition := self._names.get(message.patient_id)) is not None:
            # Those of this view's last life, too: our clock may have been set back.
            self._newest_ms = max(self._newest_ms, message.time)
            self._deadman.reach(Hop.READING, partition, message.time, now_ms)

    def hear(self, alert: Alert, now_ms: int) -> None:
        """A canary's alarm."""
        partition = self._names.get(alert.patient_id)
        if partition is not None and alert.code == CODE and alert.event is Event.RAISED:
            self._deadman.reach(Hop.ALERTS, partition, alert.time, now_ms)

    # --- what leaves

    async def run(self) -> None:
        """Send until cancelled; what Kafka does not take is judged, and not kept."""
        self._deadman.expect(self._name_of)
        # The first test waits for Kafka: that it is away is known before it was there.
        self._deadman.send(self._number(), self._name_of, clock.now_ms())
        producer = await self._connect()
        partitions = set(self._name_of)
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    number = self._number()
                    self._deadman.send(number, partitions, clock.now_ms())
                    for partition in partitions:
                        group.create_task(self._send(producer, partition, number))
                    await asyncio.sleep(EVERY_MS / 1000)
                    partitions = self._deadman.due()
        finally:
            await _stop(producer)

    def _number(self) -> int:
        """The next test's: a moment after all records of the one before."""
        self._newest_ms = max(clock.now_ms(), self._newest_ms + 2) + 1
        return self._newest_ms - 1

    async def _connect(self) -> aiokafka.AIOKafkaProducer:
        while True:
            await self._opened.wait()
            producer = bus.producer(self._settings)
            is_started = False
            try:
                async with asyncio.timeout(_CONNECT_S):
                    await producer.start()
                is_started = True
            except (KafkaError, OSError, TimeoutError):
                await asyncio.sleep(_RETRY_S)
            else:
                return producer
            finally:
                if not is_started:
                    await _stop(producer)

    async def _send(
        self, producer: aiokafka.AIOKafkaProducer, partition: int, number: int
    ) -> None:
        """Send one canary's test, and say when Kafka has taken it."""
        name = self._name_of[partition]
        try:
            async with asyncio.timeout(_TAKE_S):
                for record in records(name, number):
                    taken = await producer.send(
                        self._topic,
                        msgspec.json.encode(record),
                        key=name.encode(),
                        partition=partition,
                    )
                await taken
        except (KafkaError, OSError, TimeoutError):
            return  # the dead-man sees that it is missing
        self._deadman.reach(Hop.KAFKA, partition, number, clock.now_ms())


async def _stop(producer: aiokafka.AIOKafkaProducer) -> None:
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(_STOP_S):
            await producer.stop()
