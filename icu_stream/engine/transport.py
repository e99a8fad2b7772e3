"""`chunked://`: one fetched chunk of one partition is one Faust event.

Also restores the table by whole chunks instead of an event for each record, reads the
changelog only as far as transactions committed, and turns Faust's "wait until all events
are acknowledged" into a final checkpoint.

Recovery is over when the consumer's *position* has reached the end: the markers of
transactions take offsets and are not records.

Three things that Faust does lost records or state at a restart, and are done otherwise:

- It hands the consumer's thread its *live* set of partitions to fetch. At the end of
  recovery the set is emptied, which aiokafka takes as "all": records of the sources were
  fetched, thrown away as not wanted, and the position had moved. `_getmany` gives a copy.
- It resumes the source partitions before it seeks them, while its fetcher runs, and
  drops what is below an offset that it read before. Nothing of a source partition is
  fetched here until its seek is done, and no chunk is dropped for its offset: a
  patient's `last_offset` knows what was applied.

- The event that ends a recovery stays set for up to 5 s: the next recovery within that
  time ended before it had read anything. `IcuApp` clears it when one begins.

`starts` says where the first chunk of a partition must begin; one that begins later ends
the worker (`IcuApp.chunks`).
"""

import asyncio

from collections.abc import AsyncIterator, Iterable
from typing import Any

import aiokafka

from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from icu_stream import observability
from icu_stream.engine.checkpoint import write


# Records of one event: small enough that timers and heartbeats run between two of them
# (500 take about 5 ms), large enough that Faust's cost an event does not count.
CHUNK = 500
# How long a fetch waits at the broker when there is nothing, ms. Faust has 1500 written
# into it, which the embedded broker takes literally.
FETCH_WAIT_MS = 100
RECOVERY_POLL_S = 0.05


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer, reading only what transactions have committed."""

    def _create_worker_consumer(
        self, transport: driver.Transport
    ) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001
        return consumer


class Consumer(driver.Consumer):
    """Hands over chunks, and saves before partitions are given back."""

    app: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.starts: dict[TP, int] = {}
        self._held: set[TP] = set()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(
        self,
        timeout: float,  # noqa: ASYNC109 - Faust's signature
    ) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Fetch, and yield each partition's records in chunks."""
        # Before Faust lets the flow go, the ends it knows are those of the last recovery.
        recovering = self.app.in_recovery and self.flow_active
        if recovering:
            await self._note_recovered()
        records, active = await self._wait_next_records(
            RECOVERY_POLL_S if recovering else timeout
        )
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        if not self.flow_active:
            # As Faust does: what was fetched meanwhile must be fetched again.
            await super().perform_seek()
            return
        changelogs = self.app.tables.changelog_topics
        for tp, fetched in records.items():
            if (
                active is not None
                and tp not in active
                and tp not in self._buffered_partitions
            ):
                continue
            if tp.topic in changelogs:
                self._restore(tp, fetched)
                await asyncio.sleep(0)
                continue
            for start in range(0, len(fetched), CHUNK):
                if self._is_stale(generation):
                    return
                chunk = fetched[start : start + CHUNK]
                message: Any = self._to_message(tp, chunk[-1])
                message.value = chunk
                self._read_offset[tp] = None  # Faust would drop what it read before
                yield tp, message

    async def _getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109 - Faust's signature
    ) -> Any:
        return await self._thread.getmany(set(active_partitions or ()), timeout)

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Let partitions be fetched; those of sources only once they are sought."""
        sources = {tp for tp in tps if tp.topic in self.app.sources}
        self._held |= sources
        super().resume_partitions(set(tps) - sources)

    async def perform_seek(self) -> None:
        """Seek to the committed offsets, then let the source partitions be fetched."""
        held, self._held = self._held, set()
        await super().perform_seek()
        earliest = await self.earliest_offsets(*held)
        for tp in held:
            committed = self._read_offset[tp] or 0
            start = min(committed, self.app.covered(tp) + 1)
            where = {"topic": tp.topic, "partition": tp.partition}
            if start < committed:
                observability.BEHIND.inc()
                observability.log.error("state_behind", **where, by=committed - start)
            if start and start < earliest[tp]:
                lost = earliest[tp] - start
                observability.EXPIRED.inc(lost)
                observability.log.error("records_expired", **where, lost=lost)
            self.starts[tp] = max(start, earliest[tp])
        # aiokafka's own seek leaves a partition of which nothing was committed alone.
        await self.seek_wait({tp: self.starts[tp] for tp in held})
        super().resume_partitions(held)

    def _is_stale(self, generation: int) -> bool:
        """Has a rebalance begun since this generation's records were fetched?"""
        return not self.flow_active or self.app.consumer_generation_id != generation

    def _restore(self, tp: TP, fetched: list[Any]) -> None:
        """Write a chunk of the changelog into the table in one batch."""
        recovery = self.app.tables.recovery
        if tp in recovery.active_tps:
            offsets = recovery.active_offsets
        elif tp in recovery.standby_tps:
            offsets = recovery.standby_offsets
        else:
            return
        seen = offsets[tp]
        fresh = [r for r in fetched if seen is None or r.offset > seen]
        if fresh:
            table = recovery.tp_to_table[tp]
            pieces = {r.key: r.value for r in fresh}
            write(table, tp.partition, pieces, fresh[-1].offset)
            offsets[tp] = fresh[-1].offset

    async def _note_recovered(self) -> None:
        recovery = self.app.tables.recovery
        for tp in list(recovery.active_tps):
            end = recovery.active_highwaters.get(tp)
            have = recovery.active_offsets.get(tp)
            if end is None or have is None or have >= end:
                continue
            position = await self.position(tp)
            if position is not None and position > end:
                recovery.active_offsets[tp] = end
        if recovery.in_recovery and not recovery.need_recovery():
            recovery._set_recovery_ended()  # noqa: SLF001
            recovery.signal_recovery_end.set()

    async def wait_empty(self) -> None:
        """Save for the last time; Faust calls this on revoke and on stop."""
        await self.app.give_back()


class Transport(driver.Transport):
    """The transport behind the URL scheme `chunked`."""

    Consumer = Consumer
