"""Checkpoints: alerts acknowledged, then changelog and offsets, then RocksDB.

Theory of operation, for each partition by itself::

    1 snapshot   changed pieces of the patients, and the last applied offset: no await
    2 alerts     everything said until then is acknowledged by the broker
    3 changelog  the pieces, and the source offset, in one Kafka transaction
    4 RocksDB    the pieces and the changelog's offset, in one write batch

A kill between any two steps loses nothing: before 3 commits, the restart reads the same
records again and says the same alerts under the same ids; after it, the changelog
brings the table up to date. The transactional id belongs to the partition, so a new
owner fences the old one *before* it reads the changelog: a worker that was paused past
its session and wakes up cannot overwrite what is newer.

The state says itself up to which offset of the log it is (`COVERS`): one that is behind
the committed offset, whatever brought that about, is caught up from the log.

A checkpoint runs as a task of its own and is never cut in the middle by whoever asked
for it. Where the embedded broker has no transactions, 3 is the changelog, awaited, and
then the offset.
"""

import asyncio

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import rocksdict

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from icu_stream import bus, clock, observability
from icu_stream.contracts.envelope import Headers
from icu_stream.engine.partition import COVERS, Partition, send


if TYPE_CHECKING:
    from icu_stream.engine.application import IcuApp


class Exit(IntEnum):
    """Why the worker ended itself; each is a process's exit code."""

    CONFIGURATION = 1
    CHECKPOINT = 70
    STALLED = 71
    AGENT = 72
    FENCED = 73
    GAP = 74
    CRASHED = 75


# A checkpoint may take at most this share of the time: under load they grow rarer.
MAX_SHARE = 0.2
# ... but never rarer than this, so that a restart has little to read again. Ours.
MAX_INTERVAL_S = 5.0


class Checkpointer:
    """Saves the partitions of one worker and keeps other workers' hands off them."""

    def __init__(self, app: "IcuApp") -> None:
        self._app = app
        self._lock = asyncio.Lock()
        self._fences: dict[int, AIOKafkaProducer] = {}
        self.saved_at = clock.monotonic_s()
        self.took_s = 0.0

    @property
    def interval_s(self) -> float:
        """Seconds to wait before the next checkpoint."""
        wanted = max(self._app.settings.checkpoint_s, self.took_s / MAX_SHARE)
        return min(wanted, max(MAX_INTERVAL_S, self._app.settings.checkpoint_s))

    @property
    def age_s(self) -> float:
        """Seconds since everything applied was last saved."""
        return clock.monotonic_s() - self.saved_at

    async def fence(self, partitions: Iterable[int]) -> None:
        """Shut earlier owners of these partitions out; before the changelog is read.

        Also forgets partitions that are not ours any more.
        """
        wanted = set(partitions)
        for number in set(self._fences) - wanted:
            await self._fences.pop(number).stop()
        if self._app.settings.broker_kind == "embedded":
            return
        new = sorted(wanted - set(self._fences))
        producers = [self._transactional(number) for number in new]
        await asyncio.gather(*(producer.start() for producer in producers))
        self._fences |= dict(zip(new, producers, strict=True))

    def _transactional(self, number: int) -> AIOKafkaProducer:
        settings = self._app.settings
        return bus.producer(
            settings, transactional_id=f"{settings.app_id}-patients-{number}"
        )

    async def run(self, *, final: bool = False) -> None:
        """Save every partition that has something new.

        Args:
            final: The partitions are being given back: their hot state is dropped.

        Something that was not written ends the worker (`IcuApp.fatal`); nothing is
        forgotten before that.
        """
        # A task of its own: cancelling the caller (a stop, a rebalance) must not leave
        # a transaction half way. A later call waits for this one at the lock.
        task = asyncio.create_task(self._run(final))
        task.add_done_callback(self._ended)
        await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, ProducerFenced):
            self._app.fatal(Exit.FENCED, "another worker owns what this one had", error)
        elif error is not None:
            self._app.fatal(Exit.CHECKPOINT, "checkpoint failed", error)

    async def _run(self, final: bool) -> None:
        async with self._lock:
            started = clock.monotonic_s()
            saved = {self._app.vitals_name, self._app.commands_name}
            parts = [p for p in self._app.parts.values() if p.tp.topic in saved]
            results = await asyncio.gather(
                *(
                    self._save(part)
                    for part in parts
                    if part.pos > part.done or part.unsaved
                ),
                return_exceptions=True,
            )
            for result in results:
                if isinstance(result, BaseException):
                    raise result
            if final:
                for part in parts:
                    await part.settled()
                self._app.parts.clear()
            self.saved_at = clock.monotonic_s()
            self.took_s = self.saved_at - started
            observability.CHECKPOINT_S.observe(self.took_s)

    async def _save(self, part: Partition[Any]) -> None:
        pieces, pos = part.snapshot(), part.pos
        try:
            await part.settled()
            await self._write(part, pieces, pos)
        except BaseException:
            part.put_back(pieces)
            raise
        part.done = pos

    async def _write(
        self, part: Partition[Any], pieces: dict[bytes, bytes], pos: int
    ) -> None:
        if part.tp.topic != self._app.vitals_name:
            await self._app.commit_through({part.tp: pos + 1})
            return
        number = part.tp.partition
        table = self._app.state_table
        topic = table.changelog_topic_name
        # An empty piece is one that is gone.
        rows = {key: value or None for key, value in pieces.items()}
        rows[COVERS] = b"%d" % pos
        messages: list[tuple[bytes, bytes | None, Headers]] = [
            (key, value, []) for key, value in rows.items()
        ]
        fence = self._fences.get(number)
        if fence is not None:
            try:
                async with fence.transaction():
                    acks = await send(fence, topic, number, messages)
                    await fence.send_offsets_to_transaction(
                        {TopicPartition(*part.tp): pos + 1}, self._app.settings.app_id
                    )
            except BaseException as error:
                # What became of the transaction is not known: the next one needs a
                # producer that starts clean (and fences this one).
                if not isinstance(error, ProducerFenced):
                    await self._renew(number)
                raise
            write(table, number, rows, max(ack.result().offset for ack in acks))
            return
        acks = await send(self._app.outlet, topic, number, messages)
        await asyncio.wait(acks)
        write(table, number, rows, max(ack.result().offset for ack in acks))
        await self._app.commit_through({part.tp: pos + 1})

    async def _renew(self, number: int) -> None:
        old = self._fences.pop(number)
        try:
            await old.stop()
        except KafkaError:
            observability.log.warning("transaction_abandoned", partition=number)
        producer = self._transactional(number)
        await producer.start()
        self._fences[number] = producer

    async def close(self) -> None:
        """Stop the transactional producers."""
        await self.fence(())


def write(
    table: Any, partition: int, pieces: Mapping[bytes, bytes | None], offset: int
) -> None:
    """Write pieces and the changelog's offset into RocksDB in one atomic batch.

    Args:
        table: The Faust table.
        partition: Whose database.
        pieces: Table key to value; None deletes.
        offset: Changelog offset up to which the database is then complete. The last
            *batch's* base offset is a lower bound of it, which costs a restart a few
            records to read again and never skips one.
    """
    batch = rocksdict.WriteBatch(raw_mode=True)
    for key, value in pieces.items():
        if value is None:
            batch.delete(key)
        else:
            batch.put(key, value)
    batch.put(table.data.offset_key, b"%d" % offset)
    table.data._db_for_partition(partition).write(batch)  # noqa: SLF001
