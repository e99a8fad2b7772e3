"""Vitals of many beds for the benchmarks: a few simulated patients, each in many beds.

Values are simulated once and kept as encoded JSON, so that what is measured is never the
simulator. A record's Kafka timestamp is its measurement time: the worker sees clocks that agree.
"""

import asyncio

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from icu_stream import bus
from icu_stream.contracts.topics import VITALS
from icu_stream.settings import Settings
from tests.benchmarks.courses import Course


_MAX_IN_FLIGHT = 64


class Bed(NamedTuple):
    """Where one patient lies and what is measured of them.

    Attributes:
        key: Kafka key: the patient's id.
        head: The message up to the time.
        middle: The message from the time to the values.
        partition: Of the vitals topic.
        course: The values, encoded.
    """

    key: bytes
    head: bytes
    middle: bytes
    partition: int
    course: Course

    def message(self, point: int, time_ms: int) -> bytes:
        """The message at a point of this bed's course."""
        values = self.course[point % len(self.course)]
        return b"%b%d%b%b}" % (self.head, time_ms, self.middle, values)


def beds(
    count: int,
    courses: Sequence[Course],
    partitions: int,
    interval_s: float | None = None,
) -> list[Bed]:
    """Beds of a hospital: twenty to a unit.

    Args:
        count: How many.
        courses: What is measured; each is used by every n-th bed.
        partitions: Of the vitals topic.
        interval_s: What the messages declare, when it is not the default.
    """
    declared = b"" if interval_s is None else b'"interval_s":%g,' % interval_s
    made = []
    # The device's name holds the patient's id, so that saved state with another id is
    # that of another bed's device, too.
    for i in range(count):
        patient_id = f"p-{i:05d}"
        bed = f"ICU{i // 20 + 1}-{i % 20 + 1:02d}"
        made.append(
            Bed(
                patient_id.encode(),
                b'{"patient_id":"%b","bed":"%b","device":"mon-%b","time":'
                % (patient_id.encode(), bed.encode(), patient_id.encode()),
                b"," + declared + b'"values":',
                bus.partition_of(patient_id, partitions),
                courses[i % len(courses)],
            )
        )
    return made


class Stretch(NamedTuple):
    """Some time of all beds, point after point.

    Attributes:
        beds: Who is measured.
        start_ms: Time of the first point.
        points: How many of each bed.
        step_ms: Measurement time between two of them.
        first: The point of the course to begin with.
    """

    beds: Sequence[Bed]
    start_ms: int
    points: int
    step_ms: int = 1_000
    first: int = 0

    @property
    def end_ms(self) -> int:
        """Time of the point after the last."""
        return self.start_ms + self.points * self.step_ms

    @property
    def count(self) -> int:
        """Messages of all beds."""
        return len(self.beds) * self.points

    def records(self) -> Iterator[tuple[Bed, int, bytes]]:
        """Bed, time and message of each record, in the order of their times."""
        for point in range(self.points):
            time_ms = self.start_ms + point * self.step_ms
            for bed in self.beds:
                yield bed, time_ms, bed.message(self.first + point, time_ms)


async def preload(settings: Settings, *stretches: Stretch) -> int:
    """Write stretches into the vitals topic as fast as the broker takes them.

    Returns:
        How many records the topic got.
    """
    topic = settings.topic_prefix + VITALS.name
    producer = bus.producer(settings)
    await producer.start()
    try:
        count = 0
        for stretch in stretches:
            await _write(producer, topic, settings.partitions, stretch)
            count += stretch.count
        await producer.flush()
    finally:
        await producer.stop()
    return count


async def _write(
    producer: AIOKafkaProducer, topic: str, partitions: int, stretch: Stretch
) -> None:
    batches = [producer.create_batch() for _ in range(partitions)]
    acks: set[asyncio.Future[object]] = set()

    async def send(partition: int) -> None:
        nonlocal acks
        batch = batches[partition]
        acks.add(await producer.send_batch(batch, topic, partition=partition))
        batches[partition] = producer.create_batch()
        if len(acks) >= _MAX_IN_FLIGHT:
            done, acks = await asyncio.wait(acks, return_when=asyncio.FIRST_COMPLETED)
            for ack in done:
                ack.result()

    for bed, time_ms, value in stretch.records():
        partition = bed.partition
        while (
            batches[partition].append(key=bed.key, value=value, timestamp=time_ms)
            is None
        ):
            await send(partition)
    for partition in range(partitions):
        if batches[partition].record_count():
            await send(partition)
    for ack in acks:
        await ack


def settings_of(**fields: object) -> Settings:
    """Settings of a process that the benchmarks start; no file is read."""
    options: dict[str, Any] = {"_env_file": None, **fields}
    return Settings(**options)


async def make_topics(settings: Settings) -> None:
    """Make the topics; that of the vitals takes times to come and keeps what is old.

    What is fed faster than it is measured runs ahead of the clock, which Kafka refuses
    after an hour; and its arrival is its measurement, not the moment of the feeding.
    """
    vitals = bus.wanted(settings)[settings.topic_prefix + VITALS.name]
    vitals.topic_configs |= {
        "message.timestamp.type": "CreateTime",
        "message.timestamp.after.max.ms": str(2**63 - 1),
        "message.timestamp.before.max.ms": str(2**63 - 1),
        "retention.ms": "-1",
    }
    admin = AIOKafkaAdminClient(**bus.connection(settings))
    await admin.start()
    try:
        await admin.create_topics([vitals])
    finally:
        await admin.close()
    await bus.create_topics(settings)


async def commit(settings: Settings, offset: int) -> None:
    """Let an application that does not run have saved each vitals partition so far."""
    topic = settings.topic_prefix + VITALS.name
    offsets = {
        TopicPartition(topic, number): offset for number in range(settings.partitions)
    }
    consumer = AIOKafkaConsumer(
        **bus.connection(settings),
        group_id=settings.app_id,
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        consumer.assign(list(offsets))
        await consumer.commit(offsets)
    finally:
        await consumer.stop()
