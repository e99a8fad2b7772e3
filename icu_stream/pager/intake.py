"""Reads alerts from Kafka into the outbox: first written, then committed.

A group of its own, so that any number of pagers share the partitions and none of them
slows an alarm. A pager that was never there begins three minutes ago, in which every open
alarm was stated; after that it goes on where its group was.
"""

import asyncio
import contextlib

from collections.abc import Callable

import msgspec

from aiokafka import (
    AIOKafkaConsumer,
    ConsumerRebalanceListener,
    ConsumerRecord,
    TopicPartition,
)
from aiokafka.errors import IllegalStateError, KafkaError

from icu_stream import bus, clock
from icu_stream.contracts import topics
from icu_stream.contracts.alerts import Alert
from icu_stream.errors import ConfigurationError, ContractError, StorageError
from icu_stream.observability import log
from icu_stream.pager import metrics
from icu_stream.pager.deadman import DeadMan, Hop
from icu_stream.pager.outbox import Lost, Outbox
from icu_stream.settings import Settings
from icu_stream.storage import intake


GROUP = "pager"
# Three statements of every open alarm: docs/alarms.md, rule 19.
_BACK_MS = 180_000
_WAIT_MS = 200
_MOST = 500
_RETRY_S = 2.0

_ALERT = msgspec.json.Decoder(Alert)


class Intake:
    """One member of the group.

    Args:
        settings: Where Kafka is.
        outbox: Gets the alerts.
        deadman: Is told that they are read.
        lost: Is told of each page that cannot be sent.
        wake: Is called when there may be pages to send.

    Attributes:
        is_caught_up: Set once what was there at the start has been read.
    """

    def __init__(
        self,
        settings: Settings,
        outbox: Outbox,
        deadman: DeadMan,
        lost: Callable[[Lost], None],
        wake: Callable[[], None],
    ) -> None:
        self.is_caught_up = asyncio.Event()
        self._settings = settings
        self._topic = settings.topic_prefix + topics.ALERTS.name
        self._outbox = outbox
        self._deadman = deadman
        self._lost = lost
        self._wake = wake

    async def run(self) -> None:
        """Read until cancelled; a broker that is away is tried again for ever."""
        said = ""
        while True:
            consumer = bus.consumer(
                self._settings,
                group_id=self._settings.topic_prefix + GROUP,
                session_timeout_ms=round(1000 * self._settings.session_timeout_s),
                heartbeat_interval_ms=round(300 * self._settings.session_timeout_s),
                auto_offset_reset="earliest",
            )
            try:
                await self._open(consumer)
                said = ""
                await self._follow(consumer)
            except (KafkaError, ConfigurationError, OSError, TimeoutError) as error:
                reason = str(error) or type(error).__name__
                if reason != said:  # once, and not every two seconds all night
                    log.warning("pager_reads_nothing", reason=reason)
                    said = reason
                await asyncio.sleep(_RETRY_S)
            finally:
                with contextlib.suppress(KafkaError, OSError, TimeoutError):
                    await consumer.stop()

    async def _open(self, consumer: AIOKafkaConsumer) -> None:
        await consumer.start()
        if self._topic not in await consumer.topics():
            msg = f"topic {self._topic} missing; run: icu-stream topics create"
            raise ConfigurationError(msg)
        consumer.subscribe(
            topics=[self._topic], listener=_Starts(consumer, self._settings)
        )

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            batches = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=_MOST)
            for records in batches.values():
                await self._take(records)
            if batches:
                await self._commit(consumer, batches)
                self._wake()
            behind = await _behind(consumer)
            if batches or not behind:
                self._deadman.well(Hop.ALERTS, clock.now_ms())
            if consumer.assignment() and not behind:
                self.is_caught_up.set()

    async def _take(self, records: list[ConsumerRecord]) -> None:
        """Write what follows from them; PostgreSQL is waited for."""
        alerts = [alert for record in records if (alert := _read(record)) is not None]
        is_said = False
        while alerts:
            try:
                lost = await self._outbox.take_all(alerts)
            except StorageError as error:
                # Heeded ones are found heeded when the whole batch is tried again.
                if not is_said:
                    log.warning("pager_waits_for_store", reason=str(error))
                    is_said = True
                await asyncio.sleep(error.retry_after_s)
                continue
            metrics.ALERTS.inc(len(alerts))
            for one in lost:
                self._lost(one)
            return

    async def _commit(
        self,
        consumer: AIOKafkaConsumer,
        batches: dict[TopicPartition, list[ConsumerRecord]],
    ) -> None:
        offsets = {tp: records[-1].offset + 1 for tp, records in batches.items()}
        mine = consumer.assignment()
        try:
            await consumer.commit({tp: at for tp, at in offsets.items() if tp in mine})
        except (KafkaError, IllegalStateError) as error:
            # Another pager has the partition by now: it reads them again, which is harmless.
            log.info("pager_not_committed", reason=str(error))


class _Starts(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Where a group that was never there begins."""

    def __init__(self, consumer: AIOKafkaConsumer, settings: Settings) -> None:
        self._consumer = consumer
        self._settings = settings

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """What was read is written: nothing to do."""

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Go back to when every open alarm was stated."""
        fresh = [tp for tp in assigned if await self._consumer.committed(tp) is None]
        if not fresh:
            return
        if self._settings.broker_kind == "embedded":
            # It does not know offsets by time, and it keeps only what the demo wrote.
            await self._consumer.seek_to_beginning(*fresh)
            return
        since_ms = clock.now_ms() - _BACK_MS
        found = await self._consumer.offsets_for_times(dict.fromkeys(fresh, since_ms))
        ends = await self._consumer.end_offsets(fresh)
        for tp in fresh:
            at = found[tp]
            self._consumer.seek(tp, ends[tp] if at is None else at.offset)


def _read(record: ConsumerRecord) -> Alert | None:
    """An alert about a patient; one that cannot be read is counted and passed over."""
    try:
        said = intake.alerts(record)
    except ContractError as error:
        metrics.REFUSED_ALERTS.inc()
        log.error(
            "pager_alert_refused",
            partition=record.partition,
            offset=record.offset,
            reason=str(error),
        )
        return None
    # Its body is free of what PostgreSQL cannot keep.
    return None if said is None else _ALERT.decode(said.body)


async def _behind(consumer: AIOKafkaConsumer) -> bool:
    """Has Kafka alerts that may be read and were not?"""
    for tp in consumer.assignment():
        end = consumer.last_stable_offset(tp)
        if end is None or await consumer.position(tp) < end:
            return True
    return False
