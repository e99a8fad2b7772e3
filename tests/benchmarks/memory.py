"""Memory of a worker whose patients have been there for a day."""

import asyncio
import time

import msgspec
import psutil

from tests.benchmarks import load, states
from tests.benchmarks.courses import Course
from tests.benchmarks.trace import TracedWorker
from tests.kafka import Kafka


PATIENCE_S = 60
# After the last record: the checkpoint is over and its buffers are given back.
_SETTLE_S = 2.0


class Memory(msgspec.Struct, frozen=True):
    """What a worker holds.

    Attributes:
        beds: Patients in memory.
        records: Applied since the start.
        mb: Resident, megabytes.
    """

    beds: int
    records: int
    mb: float


def after_a_day(kafka: Kafka, beds: int, courses: list[Course], end_ms: int) -> Memory:
    """Feed a worker a day of beds, as fast as it takes it, and look at its size."""
    settings = kafka.settings(create=False)
    asyncio.run(load.make_topics(settings))
    day = states.day(beds, courses, settings.partitions, end_ms)
    count = asyncio.run(load.preload(settings, *day))
    with TracedWorker(settings) as worker:
        worker.wait_until_saved(count, PATIENCE_S)
        time.sleep(_SETTLE_S)
        assert worker.metric("icu_patients") == beds
        resident = psutil.Process(worker.pid).memory_info().rss
    return Memory(beds, count, resident / 1e6)


def empty(kafka: Kafka) -> float:
    """Megabytes of a worker without patients."""
    with TracedWorker(kafka.settings()) as worker:
        time.sleep(_SETTLE_S)
        resident: int = psutil.Process(worker.pid).memory_info().rss
    return resident / 1e6
