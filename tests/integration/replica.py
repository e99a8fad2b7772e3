"""What must come out of a log: the same records applied once, without Kafka or a crash.

The log is read back from the vitals topic, with the ticks and commands that the worker
put there, so what is expected is a function of what was there to be read.
"""

import asyncio
import collections
import time

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from aiokafka import ConsumerRecord, TopicPartition
from faust.types import TP

from agents import vitals
from icu_stream import bus, profiles
from icu_stream.contracts import topics
from icu_stream.domain import patient
from icu_stream.engine.partition import SEPARATOR, Codec, Partition
from icu_stream.settings import Settings


CODEC = Codec(patient.new, patient.save, patient.restore)


class Outcome(NamedTuple):
    """What a log leads to.

    Attributes:
        alerts: The alerts' bytes, by ce_id.
        dead: The keys of the dead letters.
        pieces: The saved state by (patient_id, piece).
    """

    alerts: dict[str, bytes]
    dead: set[bytes]
    pieces: dict[tuple[str, bytes], bytes]


async def read(
    settings: Settings, *full_names: str, isolation: str = "read_committed"
) -> list[ConsumerRecord]:
    """Every record of some topics up to their present end, in the order of offsets."""
    consumer = bus.consumer(
        settings, auto_offset_reset="earliest", isolation_level=isolation
    )
    await consumer.start()
    try:
        tps = [
            TopicPartition(name, number)
            for name in full_names
            for number in sorted(await _partitions(consumer, name))
        ]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        records: list[ConsumerRecord] = []
        while any([await consumer.position(tp) < ends[tp] for tp in tps]):
            for fetched in (await consumer.getmany(timeout_ms=200)).values():
                records += fetched
    finally:
        await consumer.stop()
    return sorted(records, key=lambda r: (r.topic, r.partition, r.offset))


async def _partitions(consumer: Any, name: str) -> set[int]:
    cluster = await consumer._client.fetch_all_metadata()
    partitions: set[int] = cluster.partitions_for_topic(name)
    assert partitions, f"no topic {name}"
    return partitions


async def log_of(settings: Settings) -> list[ConsumerRecord]:
    """The one log: all records of the vitals topic."""
    return await read(settings, settings.topic_prefix + topics.VITALS.name)


async def applied_log(settings: Settings) -> list[ConsumerRecord]:
    """The log as far as the workers, which have stopped, have committed it."""
    log = await log_of(settings)
    consumer = bus.consumer(settings, group_id=settings.app_id)
    await consumer.start()
    try:
        done = {
            number: await consumer.committed(TopicPartition(log[0].topic, number)) or 0
            for number in range(settings.partitions)
        }
    finally:
        await consumer.stop()
    return [record for record in log if record.offset < done[record.partition]]


def outcome(settings: Settings, log: Iterable[ConsumerRecord]) -> Outcome:
    """Apply a log, partition by partition."""
    rules = profiles.load(settings.profile, settings.language)
    by_partition: dict[int, list[ConsumerRecord]] = collections.defaultdict(list)
    for record in log:
        by_partition[record.partition].append(record)
    alerts: dict[str, bytes] = {}
    dead: set[bytes] = set()
    pieces: dict[tuple[str, bytes], bytes] = {}
    for number, records in by_partition.items():
        name = settings.topic_prefix + topics.VITALS.name
        part = Partition(TP(name, number), CODEC, None, settings)
        vitals.apply(part, records, rules)
        for out in part._out:
            if out.topic.endswith(topics.ALERTS.name):
                alerts[dict(out.headers)["ce_id"].decode()] = out.value
            elif out.topic.endswith(topics.DEAD_LETTERS.name):
                dead.add(out.key)
        for key, value in part.snapshot().items():
            owner, _, piece = key.partition(SEPARATOR)
            pieces[owner.decode(), piece] = value
    return Outcome(alerts, dead, pieces)


async def found(settings: Settings) -> Outcome:
    """What is in the topics; one id with two different contents fails here."""
    alerts: dict[str, bytes] = {}
    for record in await read(settings, settings.topic_prefix + topics.ALERTS.name):
        ce_id = dict(record.headers)["ce_id"].decode()
        assert alerts.setdefault(ce_id, record.value) == record.value, (
            f"two contents of {ce_id}:\n{alerts[ce_id]!r}\n{record.value!r}"
        )
    letters = await read(settings, settings.topic_prefix + topics.DEAD_LETTERS.name)
    pieces: dict[tuple[str, bytes], bytes] = {}
    for record in await read(settings, topics.changelog(settings.app_id)):
        owner, _, piece = record.key.partition(SEPARATOR)
        pieces[owner.decode(), piece] = record.value or b""
    return Outcome(alerts, {letter.key for letter in letters}, pieces)


def assert_same(expected: Outcome, actual: Outcome) -> None:
    """Nothing missing, nothing invented, every byte the same, state equal."""
    missing = sorted(expected.alerts.keys() - actual.alerts.keys())
    invented = sorted(actual.alerts.keys() - expected.alerts.keys())
    assert not missing, f"{len(missing)} alerts missing, first: {missing[:3]}"
    assert not invented, f"{len(invented)} alerts invented, first: {invented[:3]}"
    for ce_id, value in expected.alerts.items():
        assert actual.alerts[ce_id] == value, ce_id
    assert expected.dead == actual.dead
    for key, value in expected.pieces.items():
        assert key in actual.pieces, f"no saved state {key}"
        assert actual.pieces[key] == value, f"saved state {key} differs"


async def wait_until_applied(settings: Settings, timeout_s: float = 60) -> None:
    """Wait until the workers have committed the whole log and it grows no more.

    Args:
        settings: Whose log.
        timeout_s: So long without any progress fails.
    """
    deadline = time.monotonic() + timeout_s
    last: dict[TopicPartition, int] = {}
    name = settings.topic_prefix + topics.VITALS.name
    consumer = bus.consumer(settings, group_id=settings.app_id)
    await consumer.start()
    try:
        tps = [TopicPartition(name, n) for n in range(settings.partitions)]
        while True:
            ends = await consumer.end_offsets(tps)
            consumer.assign(tps)
            done = {tp: await consumer.committed(tp) or 0 for tp in tps}
            if done == ends:
                return
            if done != last:
                last, deadline = done, time.monotonic() + timeout_s
            assert time.monotonic() < deadline, f"not applied: {done} of {ends}"
            await asyncio.sleep(0.2)
    finally:
        await consumer.stop()


def decoded(alerts: dict[str, bytes]) -> list[dict[str, Any]]:
    """The alerts as plain objects, in the order of their moments."""
    rows = [msgspec.json.decode(value) for value in alerts.values()]
    return sorted(rows, key=lambda row: (row["patient_id"], row["time"], row["code"]))
