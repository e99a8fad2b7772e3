"""`icu-stream archive`: from Kafka into the stores, each record at least once.

A lane reads some topics as one consumer group and writes them to one store, so a store that
stands still holds back nothing but itself:

| lane | topics | store |
|---|---|---|
| `series` | vitals, scores | InfluxDB; PostgreSQL without one |
| `trail` | alerts, commands, command-results, audit | PostgreSQL |

A lane takes a batch, writes it until the store has it, and then takes the next: during an
outage it holds one batch and what its client has fetched, and Kafka keeps the rest. Offsets
are committed after the write. What is written twice is there once, whatever was committed.

Of vitals, the figures of each minute are owed once it is over. An offset is committed when
the figures of all before it are made, so they are never lost: the committed offset is up to
75 s behind what is written, and a start reads these seconds again.

A record that no store will take goes to dead-letters by itself, with the reason: of a batch
that is refused, each half is tried, down to the one.
"""

import asyncio
import contextlib

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple, TypeVar

import aiokafka

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from prometheus_client import Counter, Gauge, Histogram

from icu_stream import bus, clock, process, status
from icu_stream.contracts import dead_letters, topics
from icu_stream.errors import ConfigurationError, ContractError, StorageError
from icu_stream.observability import log
from icu_stream.settings import Settings
from icu_stream.storage import influx, intake, postgres
from icu_stream.storage.influx import InfluxSeries
from icu_stream.storage.intake import Measured, Row
from icu_stream.storage.series import MINUTE_MS, Minute, PostgresSeries, Store
from icu_stream.storage.trail import PostgresTrail


# The group's name begins as the rights of the process want it: permissions.py.
GROUP = "icu-archive"
BATCH = 5_000
# One write each half a second, and not one for each record: a store takes 10 rows as fast
# as 1, and nobody waits for the archive.
_LINGER_S = 0.5
_WAIT_MS = 500
_FETCH_BYTES = 8 * 1024 * 1024
# Longer than any outage that is waited for: who does not fetch because the store stands
# still must not be taken for dead. A process that is dead sends no heartbeats.
_SILENT_MS = 7 * 24 * 3_600_000
_LONGEST_WAIT_S = 5.0
_RECONNECT_S = 2.0
_SETTLE_S = 5.0
_TEND_S = 3_600.0
_TEND_AGAIN_S = 60.0
# Twice: of the batch that is being written, and of what is owed at the end.
_STOP_S = 1.5
# A minute is over when the clock is so far past its end (ours: a device's clock and the way
# of its messages), or when its record has waited as long: a clock may be years ahead.
_GRACE_MS = 10_000

SERIES = (topics.VITALS.name, topics.SCORES.name)
TRAIL = (
    topics.ALERTS.name,
    topics.COMMANDS.name,
    topics.COMMAND_RESULTS.name,
    topics.AUDIT.name,
)

RECORDS = Counter("icu_archive_records", "Records read.", ["lane", "topic"])
WRITTEN = Counter("icu_archive_written", "Rows a store has taken.", ["lane"])
REFUSED = Counter("icu_archive_refused", "Records sent to dead-letters.", ["lane"])
EXPIRED = Counter("icu_archive_expired", "Rows older than the retention.", ["lane"])
RETRIES = Counter("icu_archive_retries", "Writes that were tried again.", ["lane"])
FIGURED = Counter("icu_archive_minutes", "Minutes of patients figured.", ["lane"])
LAG = Gauge("icu_archive_lag", "Records not written yet.", ["lane"])
OUTAGE_S = Gauge("icu_archive_outage_seconds", "Since the store takes none.", ["lane"])
WRITE_S = Histogram(
    "icu_archive_write_seconds",
    "Time a batch took to write.",
    ["lane"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)

T = TypeVar("T")


class _Taken(NamedTuple):
    """A row and where it was read."""

    row: Row
    record: ConsumerRecord


class Owed:
    """Minutes whose figures are to be made, and the first record of each."""

    def __init__(self) -> None:
        self._first: dict[tuple[TopicPartition, str, int], tuple[int, int]] = {}

    def add(
        self,
        place: TopicPartition,
        offset: int,
        patient_id: str,
        time_ms: int,
        now_ms: int,
    ) -> None:
        """Something of a minute was written; 0.4 us."""
        begin = time_ms // MINUTE_MS * MINUTE_MS
        self._first.setdefault((place, patient_id, begin), (offset, now_ms))

    def due(self, now_ms: int) -> set[Minute]:
        """Minutes that are over, or whose record has waited for longer than one."""
        before = now_ms - MINUTE_MS - _GRACE_MS
        return {
            Minute(patient_id, begin)
            for (_, patient_id, begin), (_, since_ms) in self._first.items()
            if begin <= before or since_ms <= before
        }

    def all(self) -> set[Minute]:
        """Every minute, over or not."""
        return {Minute(patient_id, begin) for _, patient_id, begin in self._first}

    def done(self, minutes: set[Minute]) -> None:
        """The figures of some minutes are made."""
        self._first = {
            key: first
            for key, first in self._first.items()
            if Minute(*key[1:]) not in minutes
        }

    def forget(self, places: Iterable[TopicPartition]) -> None:
        """Somebody else reads some partitions now, and owes what is open in them."""
        gone = set(places)
        self._first = {k: f for k, f in self._first.items() if k[0] not in gone}

    def floors(self) -> dict[TopicPartition, int]:
        """By partition, the first record of which something is owed."""
        found: dict[TopicPartition, int] = {}
        for (place, _, _), (offset, _) in self._first.items():
            found[place] = min(offset, found.get(place, offset))
        return found


class Lane(aiokafka.ConsumerRebalanceListener):  # type: ignore[misc]
    """Some topics on their way into one store.

    Args:
        name: In metrics, in the group's name and on `/readyz`.
        names: Topics, without the prefix.
        store: Where they go.
        opening: Is asked until it does not raise, before anything is read.
        settings: Where Kafka is.
    """

    def __init__(
        self,
        name: str,
        names: Sequence[str],
        store: Store,
        opening: Callable[[], Awaitable[None]],
        settings: Settings,
    ) -> None:
        self.name = name
        self.error: str | None = None
        self._counts: dict[Counter, int] = {}
        self._topics = {settings.topic_prefix + one: one for one in names}
        self._store = store
        self._opening = opening
        self._settings = settings
        self._owed = Owed()
        self._next: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._lag: dict[TopicPartition, int] = {}
        self._since_s: float | None = None
        self._is_reading = False
        self._letters: aiokafka.AIOKafkaProducer | None = None
        self._settled_s = self._tended_s = clock.monotonic_s()

    @property
    def group(self) -> str:
        """Of its consumers; one for each set of topics, as different prefixes are."""
        prefix = self._settings.topic_prefix.rstrip(".-_")
        return f"{GROUP}-{self.name}" + (f"-{prefix}" if prefix else "")

    def report(self) -> dict[str, Any]:
        """What `/readyz` says of it."""
        outage_s = None
        if self._since_s is not None:
            outage_s = round(clock.monotonic_s() - self._since_s, 1)
        OUTAGE_S.labels(self.name).set(outage_s or 0)
        return {
            "ready": self.is_ready,
            "group": self.group,
            "lag": sum(self._lag.values()),
            "written": self._counts.get(WRITTEN, 0),
            "refused": self._counts.get(REFUSED, 0),
            "expired": self._counts.get(EXPIRED, 0),
            "retries": self._counts.get(RETRIES, 0),
            "outage_s": outage_s,
            "error": self.error,
        }

    @property
    def is_ready(self) -> bool:
        """It reads, and its store takes what it writes."""
        return self._is_reading and self._since_s is None

    async def run(self) -> None:
        """Read and write for ever; whatever is away is waited for."""
        await self._persist(self._opening)
        await self._tend()
        while True:
            try:
                await self._connected()
            except (KafkaError, OSError, TimeoutError) as error:
                self._is_reading = False
                self._fail(f"Kafka: {error or type(error).__name__}")
                await asyncio.sleep(_RECONNECT_S)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Somebody else goes on from what was committed."""
        places = set(revoked)
        self._owed.forget(places)
        for place in places:
            self._next.pop(place, None)
            self._committed.pop(place, None)
            self._lag.pop(place, None)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Nothing to do: reading starts at what was committed."""

    async def _connected(self) -> None:
        consumer = bus.consumer(
            self._settings,
            group_id=self.group,
            # Who has a name is back at once; without one the group waits for the dead.
            group_instance_id=self._settings.instance_id,
            session_timeout_ms=round(1_000 * self._settings.session_timeout_s),
            auto_offset_reset="earliest",
            max_poll_interval_ms=_SILENT_MS,
            fetch_max_bytes=_FETCH_BYTES,
            max_poll_records=BATCH,
        )
        consumer.subscribe(list(self._topics), listener=self)
        self._letters = bus.producer(self._settings)
        try:
            await consumer.start()
            await self._letters.start()
            while True:
                await self._step(consumer)
        finally:
            # Both are stopped also when the stop of the other fails, or is cancelled.
            try:
                await self._finish(consumer)
            finally:
                await asyncio.gather(
                    consumer.stop(), self._letters.stop(), return_exceptions=True
                )

    async def _step(self, consumer: aiokafka.AIOKafkaConsumer) -> None:
        got = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=BATCH)
        if not self._is_reading and consumer.assignment():
            self._is_reading = True
            self._mend()
        if got:
            await self._whole(self._take(consumer, got))
        self._look(consumer)
        await self._settle(clock.now_ms())
        await self._commit(consumer)
        if clock.monotonic_s() > self._tended_s:
            await self._tend()
        if sum(map(len, got.values())) < BATCH // 2:
            await asyncio.sleep(_LINGER_S)

    async def _whole(self, act: Coroutine[Any, Any, None]) -> None:
        """Do all of something, also when the lane is to end; but not wait for a store."""
        task = asyncio.create_task(act)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task}, timeout=_STOP_S if self.is_ready else 0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise

    async def _take(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        got: Mapping[TopicPartition, Sequence[ConsumerRecord]],
    ) -> None:
        """Write what was fetched, and note what is owed and where to go on."""
        taken = await self._read(got)
        if taken:
            started = clock.monotonic_s()
            await self._keep(taken)
            WRITE_S.labels(self.name).observe(clock.monotonic_s() - started)
        now_ms = clock.now_ms()
        for row, record in taken:
            if isinstance(row, Measured):
                place = TopicPartition(record.topic, record.partition)
                self._owed.add(
                    place, record.offset, row.patient_id, row.time_ms, now_ms
                )
        assigned = consumer.assignment()
        for place, records in got.items():
            if place in assigned:  # it may have gone to somebody else meanwhile
                self._next[place] = records[-1].offset + 1

    async def _read(
        self, got: Mapping[TopicPartition, Sequence[ConsumerRecord]]
    ) -> list[_Taken]:
        """Rows of the records; what cannot be read becomes a dead letter."""
        taken = []
        for place, records in got.items():
            name = self._topics[place.topic]
            read = intake.READERS[name]
            RECORDS.labels(self.name, name).inc(len(records))
            for record in records:
                try:
                    row = read(record)
                except ContractError as error:
                    await self._refuse(record, str(error))
                else:
                    if row is not None:
                        taken.append(_Taken(row, record))
        return taken

    async def _keep(self, taken: Sequence[_Taken]) -> None:
        """Write rows until the store has them; one that it never takes is a dead letter."""
        rows = [one.row for one in taken]
        try:
            expired = await self._persist(
                lambda: self._store.write(rows, clock.now_ms())
            )
        except ContractError as error:
            if len(taken) == 1:
                await self._refuse(taken[0].record, str(error))
                return
            middle = len(taken) // 2
            await self._keep(taken[:middle])
            await self._keep(taken[middle:])
            return
        self._count(WRITTEN, len(rows) - expired)
        self._count(EXPIRED, expired)

    async def _persist(self, act: Callable[[], Awaitable[T]]) -> T:
        """Try until the store answers."""
        tries = 0
        while True:
            try:
                done = await act()
            except (StorageError, ConfigurationError) as error:
                self._fail(str(error))
                self._count(RETRIES)
                first_s = getattr(error, "retry_after_s", 1.0)
                await asyncio.sleep(min(first_s * 2 ** min(tries, 8), _LONGEST_WAIT_S))
                tries += 1
            else:
                self._mend()
                return done

    async def _refuse(self, record: ConsumerRecord, reason: str) -> None:
        """Send a record to dead-letters; a repeat is the same letter."""
        assert self._letters is not None  # noqa: S101 - it lives as long as the consumer
        where = record.topic, record.partition, record.offset
        value = record.value or b""
        await self._letters.send_and_wait(
            self._settings.topic_prefix + topics.DEAD_LETTERS.name,
            value[: dead_letters.MAX_VALUE_BYTES],
            key=dead_letters.key(*where),
            headers=dead_letters.headers(*where, f"archive: {reason}", len(value)),
        )
        self._count(REFUSED)
        log.warning(
            "archive_refused",
            lane=self.name,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )

    async def _settle(self, now_ms: int, *, everything: bool = False) -> None:
        """Make the figures that are due, now and then."""
        if not everything and clock.monotonic_s() < self._settled_s + _SETTLE_S:
            return
        self._settled_s = clock.monotonic_s()
        minutes = self._owed.all() if everything else self._owed.due(now_ms)
        if not minutes:
            return
        try:
            await self._store.settle(minutes, now_ms)
        except StorageError as error:
            self._fail(str(error))  # the next write waits, if the store is away
            self._count(RETRIES)
            return
        self._owed.done(minutes)
        self._count(FIGURED, len(minutes))
        self._mend()

    async def _commit(self, consumer: aiokafka.AIOKafkaConsumer) -> None:
        floors = self._owed.floors()
        wanted = {
            place: min(at, floors.get(place, at)) for place, at in self._next.items()
        }
        news = {p: at for p, at in wanted.items() if self._committed.get(p) != at}
        if not news:
            return
        try:
            await consumer.commit(news)
        except (CommitFailedError, IllegalStateError):
            # The partitions have gone to another one, who reads these records again.
            log.info("archive_commit_refused", lane=self.name)
        else:
            self._committed |= news

    async def _finish(self, consumer: aiokafka.AIOKafkaConsumer) -> None:
        """Owe nothing at the end, if the store is there and quick."""
        if self._since_s is not None or not self._is_reading:
            return
        with contextlib.suppress(KafkaError, OSError, TimeoutError, StorageError):
            async with asyncio.timeout(_STOP_S):
                await self._settle(clock.now_ms(), everything=True)
                await self._commit(consumer)

    async def _tend(self) -> None:
        """Let the store do what is to be done now and then; a failure is not waited for."""
        self._tended_s = clock.monotonic_s() + _TEND_S
        try:
            await self._store.tend(clock.now_ms())
        except StorageError as error:
            self._tended_s = clock.monotonic_s() + _TEND_AGAIN_S
            log.warning("archive_untended", lane=self.name, reason=str(error))

    def _look(self, consumer: aiokafka.AIOKafkaConsumer) -> None:
        for place, at in self._next.items():
            with contextlib.suppress(IllegalStateError):
                self._lag[place] = max(0, (consumer.highwater(place) or at) - at)
        LAG.labels(self.name).set(sum(self._lag.values()))

    def _count(self, counter: Counter, number: int = 1) -> None:
        """Count for `/metrics` and for `/readyz`."""
        counter.labels(self.name).inc(number)
        self._counts[counter] = self._counts.get(counter, 0) + number

    def _fail(self, reason: str) -> None:
        if self._since_s is None:
            self._since_s = clock.monotonic_s()
            log.warning("archive_waits", lane=self.name, reason=reason)
        self.error = reason

    def _mend(self) -> None:
        if self._since_s is not None:
            lasted_s = round(clock.monotonic_s() - self._since_s, 1)
            log.info("archive_goes_on", lane=self.name, outage_s=lasted_s)
            self._since_s = None


async def run(settings: Settings, say: Callable[[str], None] = print) -> None:
    """Run the archive until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: The port is taken, the tables are not those of this version, or
            the embedded PostgreSQL does not start.
    """
    await serve(settings, stop=process.told_to_end(), say=say)


async def serve(
    settings: Settings, *, stop: asyncio.Event, say: Callable[[str], None] = print
) -> None:
    """Run the archive until `stop` is set."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            postgres.pool(settings, name="icu-stream archive")
        )
        # Wrong tables end the process now; a server that is away is waited for.
        with contextlib.suppress(StorageError):
            await postgres.require_current(pool)

        async def tables() -> None:
            await postgres.require_current(pool)

        series: Store
        if settings.influx_url is None:
            series, opening, name = PostgresSeries(pool, settings), tables, "postgres"
        else:
            there = await stack.enter_async_context(influx.opened(settings))
            series, opening, name = (
                InfluxSeries(there, settings),
                there.prepare,
                "influx",
            )
        lanes = [
            Lane(f"{name}-series", SERIES, series, opening, settings),
            Lane("postgres-trail", TRAIL, PostgresTrail(pool), tables, settings),
        ]

        def report() -> status.Report:
            said = {lane.name: lane.report() for lane in lanes}
            return status.Report(all(lane.is_ready for lane in lanes), {"lanes": said})

        port = await stack.enter_async_context(
            status.served(settings.archive_host, settings.archive_port, report)
        )
        tasks = [asyncio.create_task(lane.run()) for lane in lanes]
        stopped: asyncio.Task[Any] = asyncio.create_task(stop.wait())
        say(
            f"the archive writes vitals and scores to {_place(settings, 'series')}, "
            f"the rest to {_place(settings, 'trail')}; "
            f"http://{settings.archive_host}:{port}/readyz says how it is"
        )
        try:
            await asyncio.wait({stopped, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in (stopped, *tasks):
                task.cancel()
            await asyncio.gather(stopped, *tasks, return_exceptions=True)


def _place(settings: Settings, what: str) -> str:
    if what == "series" and settings.influx_url is not None:
        return "InfluxDB"
    return "PostgreSQL" if settings.postgres_dsn else "the embedded PostgreSQL"
