"""A checkpoint loses nothing, wherever it is cut: fault runs alone prove little.

The first engine forgot what was dirty when it took the snapshot; twenty kills and two
rebalances had passed with it. So every await point is cut by itself here.
"""

import asyncio

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from aiokafka.errors import ProducerFenced
from faust.types import TP

from icu_stream import settings
from icu_stream.contracts.alerts import Alert, Event, Kind, Priority, State
from icu_stream.engine import checkpoint
from icu_stream.engine.checkpoint import Checkpointer, Exit
from icu_stream.engine.partition import COVERS, Codec, Partition
from tests.fakes import kafka


VITALS = TP("icu.vitals", 0)
CHANGELOG = "w-patients-changelog"


class Patient(msgspec.Struct):
    patient_id: str
    last_offset: int = -1
    count: int = 0


CODEC: Codec[Patient] = Codec(
    new=Patient,
    save=lambda patient: {b"s": b"%d" % patient.count},
    restore=lambda patient_id, pieces: Patient(patient_id, count=int(pieces[b"s"])),
)


def alert(transition: int) -> Alert:
    return Alert(
        alert_id="p:hr.high:1",
        transition=transition,
        event=Event.RAISED,
        patient_id="p",
        bed="1",
        code="hr.high",
        kind=Kind.PHYSIOLOGICAL,
        priority=Priority.HIGH,
        state=State.ACTIVE,
        annunciate=True,
        onset=1,
        time=1,
        text="",
    )


class Worker:
    """One partition with one patient, and everything it touches in memory."""

    def __init__(self, log: kafka.Log, *, transactions: bool) -> None:
        self.log = log
        self.settings = settings.Settings(
            _env_file=None,
            app_id="w",
            broker_kind="kafka" if transactions else "embedded",
        )
        self.outlet = kafka.Producer("outlet", log)
        self.database: dict[bytes, bytes] = {}
        self.state_table = SimpleNamespace(
            changelog_topic_name=CHANGELOG,
            data=SimpleNamespace(
                offset_key=b"__offset", _db_for_partition=lambda _: self
            ),
        )
        self.part = Partition(VITALS, CODEC, self.outlet, self.settings)
        self.parts = {VITALS: self.part}
        self.vitals_name = VITALS.topic
        self.commands_name = "icu.commands"
        self.ended: list[tuple[Exit, BaseException | None]] = []
        self.checkpointer = Checkpointer(self)
        self.checkpointer._transactional = lambda _: kafka.Producer("fence", log)
        self.applied = 0

    # what the checkpointer asks of the app

    def write(self, batch: Any) -> None:
        self.log.events.append(("rocksdb", None))

    def fatal(self, code: Exit, why: str, error: BaseException | None = None) -> None:
        self.ended.append((code, error))

    async def commit_through(self, offsets: dict[TP, int]) -> None:
        await self.log.at("consumer.commit")
        self.log.events.append(("committed", dict(offsets)))

    # what an agent does

    def apply(self) -> None:
        patient = self.part.patient("p") or Patient("p")
        self.applied += 1
        patient.count = self.applied
        patient.last_offset = self.part.pos = self.applied - 1
        self.part.hot["p"] = patient
        self.part.dirty.add("p")
        self.part.say([alert(self.applied)])

    # what must hold

    def assert_nothing_lost(self) -> None:
        """At each commit of offset n, alerts 1..n and a state of count >= n are out."""
        alerts: set[int] = set()
        state = 0
        for point, what in self.log.events:
            if point == "sent" and what[0] == "icu.alerts":
                alerts |= {
                    msgspec.json.decode(value)["transition"] for _, value in what[2]
                }
            elif point == "sent" and what[0] == CHANGELOG:
                state = max(int(value) for key, value in what[2] if key != COVERS)
            elif point == "committed":
                offset = max(what.values())
                assert alerts >= set(range(1, offset + 1))
                assert state >= offset


async def worker_of(log: kafka.Log, *, transactions: bool) -> Worker:
    worker = Worker(log, transactions=transactions)
    await worker.checkpointer.fence([0])
    return worker


def await_points(transactions: bool) -> list[str]:
    async def run() -> list[str]:
        log = kafka.Log()
        worker = await worker_of(log, transactions=transactions)
        worker.apply()
        await worker.checkpointer.run()
        return log.points

    return asyncio.run(run())


POINTS = [
    pytest.param(transactions, number, id=f"{kind}-{number}-{point}")
    for transactions, kind in ((True, "kafka"), (False, "embedded"))
    for number, point in enumerate(await_points(transactions))
]


def test_the_alerts_are_out_before_the_state_and_the_offset_comes_with_it():
    assert await_points(True) == [
        "outlet.send",
        "fence.begin",
        "fence.send",
        "fence.offsets",
        "fence.commit",
    ]


@pytest.mark.parametrize(("transactions", "number"), POINTS)
async def test_a_checkpoint_whose_caller_is_cancelled_loses_nothing(
    transactions, number
):
    log = kafka.Log(hold=number)
    worker = await worker_of(log, transactions=transactions)
    worker.apply()
    run = asyncio.create_task(worker.checkpointer.run())
    await log.held.wait()

    run.cancel()
    worker.apply()
    log.go_on.set()
    await asyncio.gather(run, return_exceptions=True)
    await worker.checkpointer.run(final=True)

    worker.assert_nothing_lost()
    assert max(log.of("committed")[-1].values()) == 2
    assert worker.ended == []
    assert worker.parts == {}


@pytest.mark.parametrize(("transactions", "number"), POINTS)
async def test_a_checkpoint_that_is_itself_cancelled_forgets_nothing(
    transactions, number
):
    log = kafka.Log(hold=number)
    worker = await worker_of(log, transactions=transactions)
    worker.apply()
    inner = asyncio.create_task(worker.checkpointer._run(final=False))
    await log.held.wait()

    inner.cancel()
    log.go_on.set()
    await asyncio.gather(inner, return_exceptions=True)
    await worker.checkpointer.run(final=True)

    worker.assert_nothing_lost()
    assert max(log.of("committed")[-1].values()) == 1


@pytest.mark.parametrize(("transactions", "number"), POINTS)
async def test_a_checkpoint_that_fails_ends_the_worker_and_commits_nothing(
    transactions, number
):
    log = kafka.Log(fail=number)
    worker = await worker_of(log, transactions=transactions)
    worker.apply()

    with pytest.raises(ConnectionError):
        await worker.checkpointer.run()
    await asyncio.sleep(0)

    assert [code for code, _ in worker.ended] == [Exit.CHECKPOINT]
    assert worker.part.done == -1
    assert worker.part.unsaved
    worker.assert_nothing_lost()


async def test_a_fenced_worker_ends_and_writes_nothing():
    log = kafka.Log()
    worker = await worker_of(log, transactions=True)
    worker.apply()
    fence = worker.checkpointer._fences[0]

    async def fenced(*_: object) -> None:
        raise ProducerFenced

    fence.send_offsets_to_transaction = fenced
    with pytest.raises(ProducerFenced):
        await worker.checkpointer.run()
    await asyncio.sleep(0)

    assert [code for code, _ in worker.ended] == [Exit.FENCED]
    assert log.of("rocksdb") == []
    assert log.of("committed") == []


async def test_what_is_applied_while_a_checkpoint_runs_is_in_the_next_one():
    log = kafka.Log(hold=3)
    worker = await worker_of(log, transactions=True)
    worker.apply()
    run = asyncio.create_task(worker.checkpointer.run())
    await log.held.wait()

    worker.apply()
    log.go_on.set()
    await run

    assert worker.part.done == 0
    assert worker.part.dirty == {"p"}
    await worker.checkpointer.run()
    assert worker.part.done == 1
    worker.assert_nothing_lost()


def test_rocksdb_gets_the_pieces_and_the_changelog_offset_in_one_batch():
    written: list[Any] = []
    database = SimpleNamespace(write=written.append)
    table = SimpleNamespace(
        data=SimpleNamespace(offset_key=b"o", _db_for_partition=lambda _: database)
    )

    checkpoint.write(table, 0, {b"a": b"1", b"b": None}, 7)

    assert [batch.len() for batch in written] == [3]
