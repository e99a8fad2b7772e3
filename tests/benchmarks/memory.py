"""Memory of a worker whose patients have been there for a day."""

import time

import msgspec
import psutil

from tests.benchmarks.throughput import PATIENCE_S, Hospital, fresh
from tests.benchmarks.trace import TracedWorker
from tests.kafka import Kafka


# What the beds get after their day: buckets end, and scores are stated.
SECONDS = 120
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


def after_a_day(place: Hospital) -> Memory:
    """Give a worker beds with a day of state, let it apply the topic, look at its size."""
    settings, _ = fresh(place)
    beds = len(place.beds)
    with TracedWorker(settings) as worker:
        worker.wait_until_saved(place.count, PATIENCE_S)
        time.sleep(_SETTLE_S)
        assert worker.metric("icu_patients") == beds
        resident = psutil.Process(worker.pid).memory_info().rss
    return Memory(beds, place.count, resident / 1e6)


def empty(kafka: Kafka) -> float:
    """Megabytes of a worker without patients."""
    with TracedWorker(kafka.settings()) as worker:
        time.sleep(_SETTLE_S)
        resident: int = psutil.Process(worker.pid).memory_info().rss
    return resident / 1e6
