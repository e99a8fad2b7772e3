"""What a traced worker wrote down (`traced.py`), read back."""

import time

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import msgspec

from icu_stream.settings import Settings
from tests.worker import Worker


TRACE = "trace"  # the file, in the worker's data directory


class Kind(StrEnum):
    """What a line is about; after it come two moments: from and to."""

    CHUNK = "chunk"  # partition, first and last offset, count, cpu before and after
    CHECKPOINT = "checkpoint"  # partition, records saved of it, partition, ...
    ACK = "ack"  # partition
    COLLECTION = "collection"  # generation
    STALL = "stall"


class Entry(NamedTuple):
    """One line.

    Attributes:
        kind: What it is about.
        started: From, monotonic seconds.
        ended: To.
        rest: By kind.
    """

    kind: Kind
    started: float
    ended: float
    rest: tuple[float, ...]


class TracedWorker(Worker):
    """A worker that writes down when it did what."""

    def __init__(self, settings: Settings, name: str = "w") -> None:
        super().__init__(settings, name, "tests.benchmarks.traced")
        self.trace = self.settings.data_dir / TRACE
        self.trace.touch()

    def entries(self) -> list[Entry]:
        """All that was written until now."""
        return list(_read(self.trace))

    def saved(self) -> dict[int, int]:
        """Records in a checkpoint, by partition."""
        reached: dict[int, int] = {}
        for line in self.trace.read_bytes().splitlines():
            if line.startswith(b'["checkpoint"'):
                done = msgspec.json.decode(line)[3:]
                for number, count in zip(done[::2], done[1::2], strict=True):
                    reached[number] = max(count, reached.get(number, 0))
        return reached

    def wait_until_saved(self, count: int, patience_s: float) -> list[Entry]:
        """Wait until a checkpoint holds so many records; everything written until then.

        Args:
            count: How many.
            patience_s: How long it may go without saving any more.

        Raises:
            AssertionError: It ended, or it stood still; with its log's end.
        """
        reached, since_s = 0, time.monotonic()
        while time.monotonic() - since_s < patience_s:
            assert self.process is not None
            assert self.process.poll() is None, f"worker ended:\n{self.log_tail()}"
            saved = sum(self.saved().values())
            if saved >= count:
                return self.entries()
            if saved > reached:
                reached, since_s = saved, time.monotonic()
            time.sleep(0.1)
        msg = (
            f"worker saved {reached} of {count} records, none more in {patience_s} s:\n"
            f"{self.log_tail()}"
        )
        raise AssertionError(msg)


def _read(path: Path) -> Iterator[Entry]:
    for line in path.read_bytes().splitlines():
        kind, started, ended, *rest = msgspec.json.decode(line)
        yield Entry(Kind(kind), started, ended, tuple(rest))
