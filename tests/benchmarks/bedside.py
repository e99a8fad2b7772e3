"""The two ends of the latency measurement, each a process of its own.

`send`: monitors of many beds, one message a second each, spread evenly over the second.
`read`: whoever wants the alerts. Both write down when, by the machine's monotonic clock.

    python -m tests.benchmarks.bedside send BROKER PREFIX PARTITIONS BEDS SECONDS FILE
    python -m tests.benchmarks.bedside read BROKER PREFIX SECONDS FILE
"""

import asyncio
import functools
import sys
import time

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from icu_stream import bus, clock
from icu_stream.contracts.topics import ALERTS, VITALS
from icu_stream.settings import Settings
from tests.benchmarks import load
from tests.benchmarks.courses import desaturating
from tests.benchmarks.peers import say


class Sent(NamedTuple):
    """One message of a monitor: whose, its time, when Kafka got it, and where it is.

    Attributes:
        patient_id: Whose.
        time: Measurement time, epoch ms.
        raises: Must it raise an alarm?
        sent: When it was given to the producer.
        acked: When the broker's acknowledgement was there.
        partition: Where it is.
        offset: Where it is there.
    """

    patient_id: str
    time: int
    raises: bool
    sent: float
    acked: float
    partition: int
    offset: int


class Received(NamedTuple):
    """One alert: what it says, and when the reader had it."""

    patient_id: str
    time: int
    code: str
    event: str
    received: float


class _Alert(msgspec.Struct):
    patient_id: str
    time: int
    code: str
    event: str


async def send(settings: Settings, count: int, seconds: float) -> list[Sent]:
    """Send one message a bed and second, and wait until all are acknowledged."""
    beds = load.beds(count, desaturating(), settings.partitions)
    topic = settings.topic_prefix + VITALS.name
    producer = bus.producer(settings)
    await producer.start()
    log: list[Sent] = []
    try:
        started = time.monotonic()
        for n in range(int(count * seconds)):
            await asyncio.sleep(max(0.0, started + n / count - time.monotonic()))
            point, place = divmod(n, count)
            bed = beds[place]
            now_ms = clock.now_ms()
            sent = time.monotonic()
            value = bed.message(point, now_ms)
            ack = await producer.send(
                topic,
                value,
                bed.key,
                partition=bed.partition,
                timestamp_ms=now_ms,
            )
            ack.add_done_callback(
                functools.partial(
                    _note, log, bed.key.decode(), now_ms, b'"spo2":70' in value, sent
                )
            )
        await producer.flush()
    finally:
        await producer.stop()
    return log


def _note(
    log: list[Sent],
    patient_id: str,
    now_ms: int,
    raises: bool,
    sent: float,
    ack: asyncio.Future[Any],
) -> None:
    where, now = ack.result(), time.monotonic()
    log.append(
        Sent(patient_id, now_ms, raises, sent, now, where.partition, where.offset)
    )


async def read(settings: Settings, seconds: float) -> list[Received]:
    """Read alerts as they come."""
    decode = msgspec.json.Decoder(_Alert).decode
    consumer = bus.consumer(settings, ALERTS.name)
    await consumer.start()
    await consumer.seek_to_end()
    say("reading")
    log = []
    try:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            fetched = await consumer.getmany(timeout_ms=int(left * 1000) + 1)
            now = time.monotonic()
            for records in fetched.values():
                for record in records:
                    alert = decode(record.value)
                    log.append(
                        Received(
                            alert.patient_id, alert.time, alert.code, alert.event, now
                        )
                    )
    finally:
        await consumer.stop()
    return log


def _main() -> None:
    way, broker, prefix, *numbers, file = sys.argv[1:]
    settings = load.settings_of(broker=broker, topic_prefix=prefix)
    log: list[Sent] | list[Received]
    if way == "send":
        partitions, count, seconds = numbers
        settings = settings.model_copy(update={"partitions": int(partitions)})
        log = asyncio.run(send(settings, int(count), float(seconds)))
    else:
        log = asyncio.run(read(settings, float(numbers[0])))
    Path(file).write_bytes(msgspec.msgpack.encode(log))


if __name__ == "__main__":
    _main()
