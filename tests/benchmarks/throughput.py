"""Messages a second: the whole pipeline, beside programs that do less with the same topic."""

import asyncio
import contextlib
import time
import uuid

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from icu_stream import bus
from icu_stream.settings import Settings
from tests.benchmarks import load, peers, states
from tests.benchmarks.courses import Course
from tests.benchmarks.peers import Timing
from tests.benchmarks.trace import Entry, Kind, TracedWorker
from tests.kafka import Kafka


PATIENCE_S = 240


class Hospital(NamedTuple):
    """A preloaded topic, and the patients who were there before it began.

    Attributes:
        settings: Of its topics.
        beds: Who is measured.
        count: Records of the topic.
        patients: A day behind them; the beds' states are theirs.
    """

    settings: Settings
    beds: Sequence[load.Bed]
    count: int
    patients: Sequence[states.Aged]


def hospital(
    kafka: Kafka,
    beds: int,
    points: int,
    patients: Sequence[states.Aged],
    courses: Sequence[Course],
    begin_ms: int,
) -> Hospital:
    """Fill a topic with some seconds of beds, from where their patients' day ended."""
    settings = kafka.settings(create=False)
    asyncio.run(load.make_topics(settings))
    made = load.beds(beds, courses, settings.partitions)
    stretch = load.Stretch(made, begin_ms, points, first=states.POINTS)
    count = asyncio.run(load.preload(settings, stretch))
    return Hospital(settings, made, count, patients)


def fresh(place: Hospital) -> tuple[Settings, int]:
    """Another application on the same topic, at its beginning, with a day of state.

    Returns:
        Its settings, and the bytes of that state.
    """
    name = uuid.uuid4().hex[:8]
    data_dir = place.settings.data_dir / name
    data_dir.mkdir()
    settings = place.settings.model_copy(
        update={"app_id": f"w-{name}", "data_dir": data_dir}
    )
    asyncio.run(bus.create_topics(settings))
    size = asyncio.run(states.write_changelog(settings, place.beds, place.patients))
    asyncio.run(load.commit(settings, states.SAVED))
    return settings, size


class Run(NamedTuple):
    """One worker through one topic.

    Attributes:
        timing: From the first record applied.
        alerts: That it said.
        checkpoint_s: Its longest checkpoint.
        again: Records that were delivered again, after a rebalance.
    """

    timing: Timing
    alerts: float
    checkpoint_s: float
    again: int


def one_worker(place: Hospital) -> Run:
    """Let one worker apply and save the whole topic."""
    settings, _ = fresh(place)
    with TracedWorker(settings) as worker:
        trace = worker.wait_until_saved(place.count, PATIENCE_S)
        alerts = worker.metric("icu_alerts_total")
    chunks = [e for e in trace if e.kind is Kind.CHUNK]
    saves = [e for e in trace if e.kind is Kind.CHECKPOINT]
    count = place.count - states.SAVED * place.settings.partitions
    delivered = round(sum(e.rest[3] for e in chunks))
    assert delivered >= count, f"{delivered} of {count} records in the trace"
    timing = Timing(
        count,
        chunks[0].started,
        chunks[-1].ended,
        saves[-1].ended,
        chunks[-1].rest[5] - chunks[0].rest[4],
    )
    longest_s = max(e.ended - e.started for e in saves)
    return Run(timing, alerts, longest_s, delivered - count)


class Pair(NamedTuple):
    """Some workers on one topic, while all of them had something to do.

    Attributes:
        rate: Records a second of all together.
        seconds: How long they all had.
        busy: Share of one core that each of them used.
    """

    rate: float
    seconds: float
    busy: list[float]


def workers(place: Hospital, count: int) -> Pair:
    """Start workers at once and measure while all of them apply records."""
    settings, _ = fresh(place)
    with contextlib.ExitStack() as stack:
        started = [TracedWorker(settings, f"w{n}") for n in range(count)]
        for worker in started:
            worker.start(wait=False)
            stack.callback(worker.kill)
        deadline = time.monotonic() + PATIENCE_S
        while sum(_saved(started).values()) < place.count:
            assert time.monotonic() < deadline, started[0].log_tail()
            time.sleep(0.5)
        traces = [worker.entries() for worker in started]
    chunks = [[e for e in trace if e.kind is Kind.CHUNK] for trace in traces]
    assert all(chunks), "a worker had nothing to do: give the topic more records"
    begin = max(own[0].started for own in chunks)
    end = min(own[-1].ended for own in chunks)
    within = [list(_within(own, begin, end)) for own in chunks]
    return Pair(
        sum(e.rest[3] for own in within for e in own) / (end - begin),
        end - begin,
        [(own[-1].rest[5] - own[0].rest[4]) / (end - begin) for own in within],
    )


def _saved(started: Sequence[TracedWorker]) -> dict[int, int]:
    reached: dict[int, int] = {}
    for worker in started:
        for number, count in worker.saved().items():
            reached[number] = max(count, reached.get(number, 0))
    return reached


def _within(entries: Sequence[Entry], begin: float, end: float) -> Iterator[Entry]:
    return (e for e in entries if e.started >= begin and e.ended <= end)


def raw(place: Hospital) -> Timing:
    """Read and decode only."""
    settings = place.settings
    return peers.run(
        "raw_decode", settings.broker, settings.topic_prefix + "vitals", place.count
    )


def quix(place: Hospital) -> Timing:
    """Quix Streams counts."""
    settings = place.settings
    return peers.run(
        "quix_counter",
        settings.broker,
        settings.topic_prefix + "vitals",
        place.count,
        settings.data_dir / uuid.uuid4().hex,
        timeout_s=PATIENCE_S,
    )


def faust(place: Hospital, count: int) -> Timing:
    """The same rules, one message at a time, on the first records of the topic."""
    name = uuid.uuid4().hex[:8]
    settings = place.settings
    return peers.run(
        "faust_per_message",
        settings.broker,
        settings.topic_prefix,
        f"f-{name}",
        count,
        settings.data_dir / name,
        timeout_s=PATIENCE_S,
    )
