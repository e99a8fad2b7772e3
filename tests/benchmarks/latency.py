"""From a monitor's message to a readable alert, and where the time of the slowest went."""

import bisect
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from icu_stream.settings import Settings
from tests.benchmarks.bedside import Received, Sent
from tests.benchmarks.trace import Entry, Kind, TracedWorker
from tests.kafka import ROOT, Kafka


# A frozen process may answer late, not never.
PATIENCE_S = 60
CODE, EVENT = "spo2.desat", "raised"
# The reader stays for what is late, also after a worker was killed.
_AFTER_S = 6
_ENDS = "tests.benchmarks.bedside"


class Alerted(NamedTuple):
    """One alert and the message that brought it about."""

    sent: Sent
    received: float

    @property
    def seconds(self) -> float:
        """From giving the message to Kafka to having the alert."""
        return self.received - self.sent.sent


class Spread(msgspec.Struct, frozen=True):
    """Latencies in milliseconds."""

    count: int
    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, alerted: Sequence[Alerted]) -> "Spread":
        """Of these alerts."""
        ms = np.array([each.seconds for each in alerted]) * 1_000
        p50, p95, p99 = (round(float(p), 2) for p in np.percentile(ms, (50, 95, 99)))
        return cls(len(ms), p50, p95, p99, round(float(ms.max()), 1))


@contextlib.contextmanager
def _process(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@contextlib.contextmanager
def peer(name: str, *arguments: object) -> Iterator[None]:
    """A peer between the two ends; ready when it says so."""
    with _process(f"tests.benchmarks.peers.{name}", *arguments) as process:
        assert process.stdout is not None
        assert process.stdout.readline(), f"{name} did not start"
        yield


def exchange(
    settings: Settings,
    beds: int,
    seconds: float,
    during: Callable[[], None] | None = None,
) -> tuple[list[Sent], list[Received]]:
    """Send and read through whatever stands between.

    Args:
        settings: Of the topics.
        beds: At one message a second each.
        seconds: How long.
        during: Called in the middle.

    Returns:
        All messages and all alerts.
    """
    with tempfile.TemporaryDirectory() as scratch:
        sent, read = Path(scratch, "sent"), Path(scratch, "read")
        where = (settings.broker, settings.topic_prefix)
        with _process(_ENDS, "read", *where, seconds + _AFTER_S, read) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline(), "the reader did not start"
            sending = (*where, settings.partitions, beds, seconds, sent)
            with _process(_ENDS, "send", *sending) as sender:
                if during is not None:
                    time.sleep(seconds / 2)
                    during()
                assert sender.wait(seconds + PATIENCE_S) == 0, "the sender failed"
            assert reader.wait(seconds + PATIENCE_S) == 0, "the reader failed"
        return (
            msgspec.msgpack.decode(sent.read_bytes(), type=list[Sent]),
            msgspec.msgpack.decode(read.read_bytes(), type=list[Received]),
        )


class Span(NamedTuple):
    """How long to measure.

    Attributes:
        warm_up_s: Not counted: the broker's compiler, connections, caches.
        seconds: Counted.
    """

    warm_up_s: float
    seconds: float


def measure(settings: Settings, beds: int, span: Span) -> list[Alerted]:
    """Send and read for some time; each alert after the warm-up.

    Raises:
        AssertionError: An alert that must come did not.
    """
    sent, received = exchange(settings, beds, span.warm_up_s + span.seconds)
    warm = min(each.sent for each in sent) + span.warm_up_s
    wanted = {
        (each.patient_id, each.time): each
        for each in sent
        if each.raises and each.sent >= warm
    }
    alerted: dict[tuple[str, int], Alerted] = {}
    for each in received:
        origin = wanted.get((each.patient_id, each.time))
        if origin is not None and (each.code, each.event) == (CODE, EVENT):
            alerted.setdefault(
                (each.patient_id, each.time), Alerted(origin, each.received)
            )
    lost = len(wanted) - len(alerted)
    assert not lost, f"{lost} of {len(wanted)} alerts did not come"
    return list(alerted.values())


# --- where the time of the slowest went


class Cause(msgspec.Struct, frozen=True):
    """Something that went on, and how often it met the slow and all alerts.

    Attributes:
        slow: Share of the slowest hundredth during which it went on.
        all: Share of all alerts; without a connection both are alike.
        longest_ms: Its longest one.
        count: How often it went on.
    """

    slow: float
    all: float
    longest_ms: float
    count: int


class Tail(msgspec.Struct, frozen=True):
    """The slowest hundredth of the alerts.

    Attributes:
        over_ms: All of them took longer.
        stages: Mean milliseconds of each part of the way, of the slowest.
        usual: The same of all alerts.
        causes: What went on meanwhile.
    """

    over_ms: float
    stages: dict[str, float]
    usual: dict[str, float]
    causes: dict[str, Cause]


def explain(
    alerted: Sequence[Alerted], trace: Sequence[Entry], pauses: Sequence[Entry]
) -> Tail:
    """Follow the slowest hundredth through the worker's trace and the broker's pauses."""
    ordered = sorted(alerted, key=lambda each: each.seconds)
    slow = ordered[-max(1, len(ordered) // 100) :]
    going_on = {
        "checkpoint": [e for e in trace if e.kind is Kind.CHECKPOINT],
        "worker's collector": [e for e in trace if e.kind is Kind.COLLECTION],
        "worker's loop held": [e for e in trace if e.kind is Kind.STALL],
        "broker's pause": list(pauses),
    }
    causes = {
        name: Cause(
            round(_share(slow, entries), 3),
            round(_share(ordered, entries), 3),
            round(max((e.ended - e.started) * 1_000 for e in entries), 1),
            len(entries),
        )
        for name, entries in going_on.items()
        if entries
    }
    ways = _Ways(trace)
    return Tail(
        round(slow[0].seconds * 1_000, 2), ways.mean(slow), ways.mean(ordered), causes
    )


def _share(alerted: Sequence[Alerted], entries: Sequence[Entry]) -> float:
    """Share of alerts on whose way one of the entries went on; none overlap."""
    ordered = sorted(entries, key=lambda e: e.ended)
    ends = [e.ended for e in ordered]
    met = 0
    for each in alerted:
        place = bisect.bisect_left(ends, each.sent.sent)
        met += place < len(ends) and ordered[place].started < each.received
    return met / len(alerted)


class _Ways:
    """Finds the chunk that held a message, and the batch that held its alert."""

    def __init__(self, trace: Sequence[Entry]) -> None:
        self._chunks: dict[float, list[Entry]] = defaultdict(list)
        self._acks: dict[float, list[Entry]] = defaultdict(list)
        for entry in trace:
            if entry.kind is Kind.CHUNK:
                self._chunks[entry.rest[0]].append(entry)
            elif entry.kind is Kind.ACK:
                self._acks[entry.rest[0]].append(entry)
        for acks in self._acks.values():
            acks.sort(key=lambda e: e.started)

    def mean(self, alerted: Sequence[Alerted]) -> dict[str, float]:
        """Mean milliseconds of each part of the way."""
        sums: dict[str, float] = defaultdict(float)
        count = 0
        for each in alerted:
            stages = self._stages(each)
            count += bool(stages)
            for name, seconds in stages.items():
                sums[name] += seconds * 1_000
        return {name: round(total / count, 2) for name, total in sums.items()}

    def _stages(self, each: Alerted) -> dict[str, float]:
        chunks = self._chunks[each.sent.partition]
        place = bisect.bisect_left(
            chunks, each.sent.offset, key=lambda chunk: chunk.rest[2]
        )
        if place == len(chunks):
            return {}
        chunk = chunks[place]
        acks = self._acks[each.sent.partition]
        place = bisect.bisect_left(acks, chunk.started, key=lambda ack: ack.started)
        if place == len(acks):
            return {}
        ack = acks[place]
        return {
            "message to broker and back": each.sent.acked - each.sent.sent,
            "message to worker": chunk.started - each.sent.sent,
            "in the worker": ack.started - chunk.started,
            "alert to broker and back": ack.ended - ack.started,
            "alert to reader": each.received - ack.started,
        }


# --- the broker's virtual machine

_PAUSE = re.compile(rb"^\[(\d+)ns\].*Total: +(\d+) ns", re.MULTILINE)


@contextlib.contextmanager
def broker_options(log: Path, *options: str) -> Iterator[None]:
    """Let a Kafka that is started inside write its pauses to a file.

    Args:
        log: The file.
        options: More options of the Java virtual machine; they win over Kafka's own.
    """
    name = "_JAVA_OPTIONS"
    before = os.environ.get(name)
    os.environ[name] = " ".join((f"-Xlog:safepoint:file={log}:tn", *options))
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def broker_pauses(log: Path) -> list[Entry]:
    """The moments at which no thread of the broker ran; its clock is ours."""
    return [
        Entry(Kind.STALL, int(end) / 1e9 - int(total) / 1e9, int(end) / 1e9, ())
        for end, total in _PAUSE.findall(log.read_bytes())
    ]


def through_worker(
    kafka: Kafka, beds: int, span: Span, **overrides: object
) -> tuple[list[Alerted], list[Entry]]:
    """Measure the worker on fresh topics."""
    settings = kafka.settings(**overrides)
    with TracedWorker(settings) as worker:
        return measure(settings, beds, span), worker.entries()
