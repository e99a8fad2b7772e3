"""What is kept beside the alarms: after them, at its own pace, never in their way."""

import asyncio

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from faust.types import TP

from icu_stream import settings
from icu_stream.engine.notebook import Notebook
from icu_stream.engine.partition import COVERS, Codec, Partition
from tests.fakes import kafka


ALERTS, RESULTS = TP("icu.alerts", 0), TP("icu.command-results", 0)
CHANGELOG = "w-burden-changelog"


class Entry(msgspec.Struct):
    patient_id: str
    last_offset: int = -1
    count: int = 0


CODEC: Codec[Entry] = Codec(
    new=Entry,
    save=lambda entry: {b"s": b"%d" % entry.count},
    restore=lambda patient_id, pieces: Entry(patient_id, count=int(pieces[b"s"])),
)


class Worker:
    """One partition with one entry, and everything it touches in memory."""

    def __init__(self, log: kafka.Log) -> None:
        self.log = log
        self.outlet = kafka.Producer("outlet", log)
        table = SimpleNamespace(
            changelog_topic_name=CHANGELOG,
            data=SimpleNamespace(
                offset_key=b"__offset", _db_for_partition=lambda _: self
            ),
        )
        self.book = Notebook(self, table, CODEC, ALERTS.topic, {RESULTS.topic})
        fields = settings.Settings(_env_file=None)
        self.parts = {
            tp: Partition(tp, CODEC, self.outlet, fields) for tp in (ALERTS, RESULTS)
        }
        self.count = 0

    def write(self, batch: Any) -> None:
        self.log.events.append(("rocksdb", None))

    async def commit_through(self, offsets: dict[TP, int]) -> None:
        await self.log.at("consumer.commit")
        self.log.events.append(("committed", dict(offsets)))

    def read(self, tp: TP) -> None:
        """One more record of a topic, which goes into the entry."""
        part, entries = self.parts[tp], self.parts[ALERTS]
        self.count += 1
        part.pos += 1
        entry = entries.hot.setdefault("p", Entry("p"))
        entry.count = self.count
        entries.dirty.add("p")

    def assert_nothing_lost(self) -> None:
        """What is committed is in an entry that was saved before."""
        saved = 0
        done: dict[TP, int] = {}
        for point, what in self.log.events:
            if point == "sent":
                rows = dict(what[2])
                saved = max(saved, int(rows.get(b"p\0s", saved)))
                assert COVERS in rows
            elif point == "committed":
                done |= what
                assert sum(done.values()) <= saved


def await_points() -> list[str]:
    async def run() -> list[str]:
        log = kafka.Log()
        worker = Worker(log)
        worker.read(ALERTS)
        worker.read(RESULTS)
        await worker.book.save(worker.parts)
        return log.points

    return asyncio.run(run())


POINTS = [
    pytest.param(number, id=f"{number}-{point}")
    for number, point in enumerate(await_points())
]


@pytest.mark.parametrize("number", POINTS)
async def test_a_save_that_fails_anywhere_ends_nothing_and_is_made_up_for(number):
    log = kafka.Log(fail=number)
    worker = Worker(log)
    worker.read(ALERTS)
    worker.read(RESULTS)

    await worker.book.save(worker.parts)
    worker.read(ALERTS)
    await worker.book.save(worker.parts)

    worker.assert_nothing_lost()
    assert worker.parts[ALERTS].done == 1
    assert worker.parts[RESULTS].done == 0


@pytest.mark.parametrize("number", POINTS)
async def test_a_save_that_is_cancelled_anywhere_loses_nothing(number):
    log = kafka.Log(hold=number)
    worker = Worker(log)
    worker.read(ALERTS)
    worker.read(RESULTS)

    save = asyncio.create_task(worker.book.save(worker.parts))
    await log.held.wait()
    save.cancel()
    with pytest.raises(asyncio.CancelledError):
        await save
    await worker.book.save(worker.parts)

    worker.assert_nothing_lost()
    assert worker.parts[ALERTS].done == worker.parts[RESULTS].done == 0


async def test_nothing_new_is_not_saved_again():
    log = kafka.Log()
    worker = Worker(log)
    worker.read(ALERTS)
    await worker.book.save(worker.parts)
    count = len(log.events)

    await worker.book.save(worker.parts)

    assert len(log.events) == count


async def test_an_entry_that_was_dropped_is_deleted_from_the_table():
    log = kafka.Log()
    worker = Worker(log)
    worker.read(ALERTS)
    await worker.book.save(worker.parts)

    worker.parts[ALERTS].drop("p", [b"s"])
    await worker.book.save(worker.parts)

    assert dict(log.of("sent")[-1][2])[b"p\0s"] is None
