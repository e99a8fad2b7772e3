"""Where the time of a message goes, without Kafka: decode, step, say, save.

    python -m tests.benchmarks.profiling plain|cprofile|loop [BEDS] [SECONDS]

`plain` times the parts, `cprofile` prints the functions that cost most, and `loop` runs
when it is told to, for a sampling profiler that draws the picture.
"""

import cProfile
import io
import pstats
import sys
import time

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from aiokafka import ConsumerRecord
from faust.types import TP

from agents import vitals
from icu_stream import profiles
from icu_stream.domain import decoding, patient
from icu_stream.domain.limits import Rules
from icu_stream.engine.partition import Codec, Partition
from tests.benchmarks import load, states
from tests.benchmarks.courses import courses


COURSES = 24
CHUNK = 500
# Records between two checkpoints at 100,000 a second.
SAVE_EVERY = 100_000


class Parts(msgspec.Struct, frozen=True):
    """Microseconds of processor time a message.

    Attributes:
        beds: How many.
        messages: How many.
        decode: From bytes to a struct, alone.
        apply: Decode, step, and encode what is said.
        save: The pieces of a checkpoint, of all beds, each 100,000 messages.
        said: Messages out for each message in.
    """

    beds: int
    messages: int
    decode: float
    apply: float
    save: float
    said: float


class Bench:
    """One partition with patients who have been there for a day, and their next records."""

    def __init__(self, beds: int, points: int) -> None:
        self.settings = load.settings_of(partitions=1)
        self.rules: Rules = profiles.load("adult")
        made = courses(COURSES, states.POINTS + points)
        start_ms = 1_795_500_000_000
        old = states.aged(states.day(COURSES, made, 1, start_ms), self.rules)
        self.beds = load.beds(beds, made, 1)
        codec = Codec(patient.new, patient.save, patient.restore)
        self.part: Partition[patient.Patient] = Partition(
            TP("vitals", 0), codec, Any, self.settings
        )
        self.part.load(
            sorted(
                (key, value)
                for bed, one in zip(self.beds, _cycle(old, beds), strict=True)
                for key, value, _ in states.records([(bed, one)])
            )
        )
        stretch = load.Stretch(self.beds, start_ms, points, first=states.POINTS)
        self.records = [
            _record(bed, time_ms, value, offset)
            for offset, (bed, time_ms, value) in enumerate(stretch.records())
        ]

    def run(self) -> tuple[float, float, int]:
        """Apply all records; seconds of applying and of saving, and what was said."""
        apply_s = save_s = 0.0
        said = unsaved = 0
        part, rules, clock = self.part, self.rules, time.process_time
        for first in range(0, len(self.records), CHUNK):
            chunk = self.records[first : first + CHUNK]
            started = clock()
            vitals.apply(part, chunk, rules)
            apply_s += clock() - started
            said += len(part._out)
            part._out.clear()
            unsaved += len(chunk)
            if unsaved >= SAVE_EVERY:
                unsaved = 0
                started = clock()
                part.snapshot()
                save_s += clock() - started
        return apply_s, save_s, said


def _cycle(old: Sequence[states.Aged], count: int) -> Iterator[states.Aged]:
    return (old[i % len(old)] for i in range(count))


def _record(bed: load.Bed, time_ms: int, value: bytes, offset: int) -> Any:
    return ConsumerRecord(
        topic="vitals",
        partition=0,
        offset=offset,
        timestamp=time_ms,
        timestamp_type=0,
        key=bed.key,
        value=value,
        checksum=None,
        serialized_key_size=len(bed.key),
        serialized_value_size=len(value),
        headers=(),
    )


def plain(beds: int, points: int) -> Parts:
    """Time the parts without a profiler."""
    bench = Bench(beds, points)
    count = len(bench.records)
    decode = decoding.decode
    started = time.process_time()
    for record in bench.records:
        decode(record.value)
    decode_s = time.process_time() - started
    apply_s, save_s, said = bench.run()
    each = 1e6 / count
    return Parts(
        beds,
        count,
        round(decode_s * each, 2),
        round(apply_s * each, 2),
        round(save_s * each, 2),
        round(said / count, 5),
    )


def functions(beds: int, points: int, most: int = 40) -> str:
    """What cProfile finds; it makes calls look dearer than they are."""
    bench = Bench(beds, points)
    profiler = cProfile.Profile()
    profiler.runcall(bench.run)
    out = io.StringIO()
    pstats.Stats(profiler, stream=out).strip_dirs().sort_stats("tottime").print_stats(
        most
    )
    return out.getvalue()


if __name__ == "__main__":
    way, *numbers = sys.argv[1:]
    how_many = (
        int(numbers[0]) if numbers else 200,
        int(numbers[1]) if len(numbers) > 1 else 1_500,
    )
    if way == "plain":
        sys.stdout.write(
            msgspec.json.format(msgspec.json.encode(plain(*how_many))).decode() + "\n"
        )
    elif way == "cprofile":
        sys.stdout.write(functions(*how_many))
    else:
        ready = Bench(*how_many)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        ready.run()
