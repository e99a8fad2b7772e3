"""Reads the log of the ward from Kafka: what comes, and backwards what was before.

A consumer of its own, beside the live feed: a topic's past is read in chunks, from each
partition's end to its beginning, always in the partition that is known for the shortest
time. So the newest is there first, and from when on nothing is missing can be said at each
moment. It goes slowly, with a pause after each few records, for the frames are made in the
same process; it ends at the topics' beginnings, when the log is full, or after `READ_MOST`
records, most of which are restatements.

Of the scores only samples are read back, to know who was monitored: a minute and a bit of
each ten minutes of the last day, and of each hour of the week before.
"""

import asyncio
import contextlib

from collections.abc import Callable, Iterable, Iterator

import msgspec

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from icu_stream import bus, clock
from icu_stream.contracts import topics
from icu_stream.contracts.canary import is_canary
from icu_stream.contracts.commands import Command, CommandResult
from icu_stream.errors import ConfigurationError
from icu_stream.observability import log
from icu_stream.settings import Settings
from icu_stream.ward.pages.chronicle import Chronicle, Told
from icu_stream.ward.pages.watched import STEP_MS, STEPS, Watched


# Ours: some minutes of reading, and then the log is as long as it will be.
READ_MOST = 1_000_000
_CHUNK = 2_000
# 200 records take 5 ms; so at most a quarter of the time goes into the past.
_SLICE = 200
_REST_S = 0.015
_WAIT_MS = 200
_SILENT_S = 10.0
_RETRY_S = 5.0

# Each patient's scores are stated at least once a minute: docs/alarms.md, rule 32.
_SAMPLE_MS = 70_000
_DENSE_STEPS = 24 * 6
_SPARSE = 6
# A sample wants some hundred records, not the megabyte that Kafka would send.
_SAMPLE_BYTES = 65_536

_TOLD = msgspec.json.Decoder(Told)
_COMMAND = msgspec.json.Decoder(Command)
_RESULT = msgspec.json.Decoder(CommandResult)


class Scored(msgspec.Struct, gc=False):
    """What of `Scores` is looked at."""

    patient_id: str
    bed: str
    time: int


_SCORED = msgspec.json.Decoder(Scored)


class Stretch(msgspec.Struct):
    """What of one partition is to be read back still.

    Attributes:
        begin: Its first offset that Kafka keeps.
        position: All from there on was read.
        known_ms: Since when, therefore, it is known.
        kept_ms: Since when Kafka keeps it.
    """

    begin: int
    position: int
    known_ms: int
    kept_ms: int

    @property
    def is_done(self) -> bool:
        """Is there nothing before?"""
        return self.position <= self.begin

    @property
    def limit_ms(self) -> int:
        """Before this moment something may be missing; 0: nothing ever was deleted."""
        if not self.is_done:
            return self.known_ms
        return self.kept_ms if self.begin else 0


def complete_since(stretches: Iterable[Stretch], now_ms: int) -> int:
    """From when on all partitions together are known.

    Where nothing was deleted and all was read, that is the first record's moment.

    >>> complete_since([Stretch(0, 0, 50, 1), Stretch(0, 9, 70, 1)], 99)
    70
    >>> complete_since([Stretch(0, 0, 50, 1), Stretch(0, 0, 40, 1)], 99)
    40
    >>> complete_since([Stretch(0, 0, 50, 1), Stretch(9, 9, 99, 1)], 99)
    1
    """
    known = list(stretches)
    limit = max((s.limit_ms for s in known), default=0)
    return limit or min((s.known_ms for s in known), default=now_ms)


class Reader:
    """Kafka's alerts, commands and answers on their way to the log.

    Args:
        settings: Where Kafka is.
        chronicle: The log.
        watched: Who was monitored when.
    """

    def __init__(
        self, settings: Settings, chronicle: Chronicle, watched: Watched
    ) -> None:
        self._settings = settings
        self._log = chronicle
        self._watched = watched
        self._sampled = False
        self._next: dict[TopicPartition, int] = {}
        self._stretches: dict[TopicPartition, Stretch] = {}
        prefix = settings.topic_prefix
        self._readers: dict[str, Callable[[bytes], None]] = {
            prefix + topics.ALERTS.name: self._read_alert,
            prefix + topics.COMMANDS.name: self._read_command,
            prefix + topics.COMMAND_RESULTS.name: self._read_result,
            prefix + topics.SCORES.name: self._read_score,
        }
        self._scores = prefix + topics.SCORES.name

    async def run(self) -> None:
        """Read until cancelled; a broker that is away is tried again for ever."""
        while True:
            consumer = bus.consumer(self._settings)
            try:
                await consumer.start()
                await self._begin(consumer)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._follow(consumer))
                    group.create_task(self._look_back())
                    group.create_task(self._sample())
            except* (KafkaError, ConfigurationError, OSError, TimeoutError) as errors:
                reason = (
                    str(errors.exceptions[0]) or type(errors.exceptions[0]).__name__
                )
                log.warning("ward_log_lost", reason=reason)
                await asyncio.sleep(_RETRY_S)
            finally:
                with contextlib.suppress(KafkaError, OSError, TimeoutError):
                    await consumer.stop()

    async def _begin(self, consumer: AIOKafkaConsumer) -> None:
        """Go to where reading goes on; at the first time, to the end."""
        present = await consumer.topics()
        if missing := self._readers.keys() - present:
            msg = f"topics missing: {', '.join(sorted(missing))}"
            raise ConfigurationError(msg)
        tps = [
            TopicPartition(name, number)
            for name in self._readers
            for number in range(self._settings.partitions)
        ]
        consumer.assign(tps)
        if not self._next:
            self._next = await consumer.end_offsets(tps)
            begins = await consumer.beginning_offsets(tps)
            now_ms = clock.now_ms()
            prefix = self._settings.topic_prefix
            keeps = {prefix + t.name: t.retention_ms for t in topics.TOPICS}
            self._stretches = {
                tp: Stretch(
                    begins[tp], self._next[tp], now_ms, now_ms - keeps[tp.topic]
                )
                for tp in tps
                if tp.topic != self._scores
            }
            self._log.read_back(now_ms)
        for tp, offset in self._next.items():
            consumer.seek(tp, offset)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            batches = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=_SLICE)
            for tp, records in batches.items():
                for record in records:
                    self._take(record)
                self._next[tp] = records[-1].offset + 1
            await asyncio.sleep(0)

    async def _look_back(self) -> None:
        """Read the past, chunk by chunk, until there is none or it is enough."""
        if self._log.is_read_back:
            return
        read = 0
        # Not where there is nothing to read: aiokafka cancels who stops a consumer that
        # has only been started.
        if self._unread():
            consumer = bus.consumer(self._settings)
            await consumer.start()
            try:
                read = await self._read_chunks(consumer)
            finally:
                with contextlib.suppress(KafkaError, OSError, TimeoutError):
                    await consumer.stop()
        self._log.is_read_back = True
        log.info("ward_log_read_back", records=read, since_ms=self._log.since_ms)

    def _unread(self) -> list[TopicPartition]:
        return [tp for tp, stretch in self._stretches.items() if not stretch.is_done]

    async def _read_chunks(self, consumer: AIOKafkaConsumer) -> int:
        read = 0
        while read < READ_MOST and not self._log.is_full:
            if not (unread := self._unread()):
                break
            tp = max(unread, key=lambda tp: self._stretches[tp].known_ms)
            read += await self._read_chunk(consumer, tp, self._stretches[tp])
            self._log.read_back(
                complete_since(self._stretches.values(), clock.now_ms())
            )
        return read

    async def _sample(self) -> None:
        """Read who was monitored before this view was started, newest first."""
        if self._sampled:
            return
        consumer = bus.consumer(self._settings, max_partition_fetch_bytes=_SAMPLE_BYTES)
        await consumer.start()
        try:
            tps = [tp for tp in self._next if tp.topic == self._scores]
            consumer.assign(tps)
            if self._settings.broker_kind == "embedded":
                # It does not know offsets by time, and keeps what the demo wrote.
                await consumer.seek_to_beginning(*tps)
                ends = await consumer.end_offsets(tps)
                await self._read_sample(consumer, ends, None, 1)
            else:
                newest = clock.now_ms() // STEP_MS
                for ago in _samples():
                    begin_ms = (newest - ago) * STEP_MS
                    if not await self._read_step(consumer, tps, begin_ms, ago):
                        break
        finally:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await consumer.stop()
        self._sampled = True

    async def _read_step(
        self,
        consumer: AIOKafkaConsumer,
        tps: list[TopicPartition],
        begin_ms: int,
        ago: int,
    ) -> bool:
        """One sample; was there anything of it or before it?"""
        found = await consumer.offsets_for_times(dict.fromkeys(tps, begin_ms))
        starts = {tp: at.offset for tp, at in found.items() if at is not None}
        begins = await consumer.beginning_offsets(list(starts))
        for tp, offset in starts.items():
            consumer.seek(tp, offset)
        ends = {tp: self._next[tp] for tp in starts}
        steps = 1 if ago < _DENSE_STEPS else _SPARSE
        await self._read_sample(consumer, ends, begin_ms + _SAMPLE_MS, steps)
        # Kafka answers with the first record it has for all that is older than that.
        return any(starts[tp] > begins[tp] for tp in starts)

    async def _read_sample(
        self,
        consumer: AIOKafkaConsumer,
        ends: dict[TopicPartition, int],
        until_ms: int | None,
        steps: int,
    ) -> None:
        """Read each partition to its end, or to a moment."""
        open_ = dict(ends)
        until_s = clock.monotonic_s() + _SILENT_S
        while open_ and clock.monotonic_s() < until_s:
            for tp in list(open_):
                if await consumer.position(tp) >= open_[tp]:
                    del open_[tp]
            if not open_:
                break
            batches = await consumer.getmany(
                *open_, timeout_ms=_WAIT_MS, max_records=_SLICE
            )
            for tp, records in batches.items():
                until_s = clock.monotonic_s() + _SILENT_S
                for record in records:
                    if until_ms is not None and record.timestamp >= until_ms:
                        open_.pop(tp, None)
                        break
                    if not is_canary(record.key):
                        with contextlib.suppress(msgspec.MsgspecError):
                            self._read_score(record.value or b"", steps)
            await asyncio.sleep(_REST_S)

    async def _read_chunk(
        self, consumer: AIOKafkaConsumer, tp: TopicPartition, stretch: Stretch
    ) -> int:
        """Read the records before what is known of one partition."""
        first = max(stretch.begin, stretch.position - _CHUNK)
        consumer.assign([tp])
        consumer.seek(tp, first)
        read, known_ms = 0, stretch.known_ms
        until_s = clock.monotonic_s() + _SILENT_S
        while await consumer.position(tp) < stretch.position:
            batches = await consumer.getmany(
                tp, timeout_ms=_WAIT_MS, max_records=_SLICE
            )
            for record in batches.get(tp, ()):
                if record.offset >= stretch.position:
                    break
                known_ms = min(known_ms, record.timestamp)
                read += 1
                self._take(record)
            if batches:
                until_s = clock.monotonic_s() + _SILENT_S
            elif clock.monotonic_s() > until_s:
                break  # a transaction's mark was the last there is
            await asyncio.sleep(_REST_S)
        stretch.position, stretch.known_ms = first, known_ms
        return read

    def _take(self, record: ConsumerRecord) -> None:
        if is_canary(record.key):
            return
        # What cannot be read is counted and told by the feed, which reads it, too.
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            self._readers[record.topic](record.value or b"")

    def _read_alert(self, value: bytes) -> None:
        self._log.tell(_TOLD.decode(value))

    def _read_command(self, value: bytes) -> None:
        self._log.ask(_COMMAND.decode(value))

    def _read_result(self, value: bytes) -> None:
        self._log.answer(_RESULT.decode(value))

    def _read_score(self, value: bytes, steps: int = 1) -> None:
        scored = _SCORED.decode(value)
        self._watched.see(scored.patient_id, scored.bed, scored.time, steps)


def _samples() -> Iterator[int]:
    """So many steps ago a sample is read, the newest first."""
    yield from range(_DENSE_STEPS)
    yield from range(_DENSE_STEPS, STEPS, _SPARSE)
