"""Reads back what Kafka still holds of the last day, quietly, for the pages of the beds.

The feed begins ten minutes before the view was started, because nobody waits longer for
the first tile. From there this goes back, slice by slice, each of ten minutes: vitals into
the trends, scores into their course, alerts into the history of alarms. A page so knows
more and more of the time before, and says since when. It ends 24 h back, or where the
topics begin.

It must not keep the browsers from their frames: it works for `WORK_S`, then leaves the
processor alone for so long that all of it takes about a fifth of one core. To take a
record of seven values costs 20 us (timed over 200 beds), to fetch it about as much again.
By that a day of 200 beds at one message a second, 17 million records, is known within the
hour, the last hour of it within three minutes.

Nothing here raises an alarm or shows a number as current. Records of patients who are not
on the ward now are passed over without being read.
"""

import asyncio
import contextlib

import msgspec

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from icu_stream import bus, clock
from icu_stream.contracts import topics
from icu_stream.contracts.alerts import Alert
from icu_stream.contracts.scores import Scores
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import decoding, pause
from icu_stream.errors import ContractError
from icu_stream.observability import log
from icu_stream.settings import Settings
from icu_stream.ward.history import Slices
from icu_stream.ward.tiles import POINT_MS, POINTS, Ward


SLICE_MS = 600_000
WORK_S = 0.02
_RESTS = 8  # times the work that is seen here, which is half of it
_LOOK_S = 0.5
_WAIT_MS = 500
_FEW = 200  # records at once: what is handled without a pause
_ALERT = msgspec.json.Decoder(Alert)
_SCORES = msgspec.json.Decoder(Scores)


class Recall:
    """The way back, once for each start of the view.

    Args:
        settings: Where Kafka is.
        ward: Whose patients.
        day_ms: How far back.

    Attributes:
        since_ms: From when on all that Kafka held is known; None before the first slice.
    """

    def __init__(
        self, settings: Settings, ward: Ward, *, day_ms: int = topics.DAY_MS
    ) -> None:
        self.since_ms: int | None = None
        self._settings = settings
        self._ward = ward
        self._day_ms = day_ms
        prefix = settings.topic_prefix
        self._vitals = prefix + topics.VITALS.name
        self._alerts = prefix + topics.ALERTS.name
        self._scores = prefix + topics.SCORES.name

    async def run(self) -> None:
        """Read back until all is known; a broker that fails ends it, and says so."""
        if self._settings.broker_kind == "embedded":
            return  # it does not know offsets by time, and the feed read all that it has
        while not self._ward.caught_up:  # noqa: ASYNC110 - the feed says it to many
            await asyncio.sleep(_LOOK_S)
        consumer = bus.consumer(self._settings)
        try:
            await consumer.start()
            await self._go_back(consumer)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("ward_recall_ended", since=self.since_ms, reason=str(error))
        finally:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await consumer.stop()

    async def _go_back(self, consumer: AIOKafkaConsumer) -> None:
        parts = [
            TopicPartition(name, number)
            for name in (self._vitals, self._alerts, self._scores)
            for number in range(self._settings.partitions)
        ]
        consumer.assign(parts)
        now_ms = clock.now_ms()
        first = await consumer.beginning_offsets(parts)
        until_ms = now_ms - POINT_MS * POINTS
        ends = await self._offsets(consumer, parts, until_ms)
        # The feed goes back less far for these: docs of the feed.
        newest = await consumer.end_offsets(parts)
        ends |= {tp: newest[tp] for tp in parts if tp.topic != self._vitals}
        while until_ms > now_ms - self._day_ms and any(
            ends[tp] > first[tp] for tp in parts
        ):
            begin_ms = until_ms - SLICE_MS
            starts = await self._offsets(consumer, parts, begin_ms)
            await self._read(consumer, starts, ends)
            self.since_ms = until_ms = begin_ms
            ends = starts
        log.info("ward_recall_done", since=self.since_ms)

    @staticmethod
    async def _offsets(
        consumer: AIOKafkaConsumer, parts: list[TopicPartition], at_ms: int
    ) -> dict[TopicPartition, int]:
        """Where the records of a moment begin; the end where there is none after it."""
        found = await consumer.offsets_for_times(dict.fromkeys(parts, at_ms))
        ends = await consumer.end_offsets(parts)
        return {
            tp: ends[tp] if (at := found[tp]) is None else at.offset for tp in parts
        }

    async def _read(
        self,
        consumer: AIOKafkaConsumer,
        starts: dict[TopicPartition, int],
        ends: dict[TopicPartition, int],
    ) -> None:
        """Read one slice, with pauses; it is known as a whole at its end."""
        for tp, start in starts.items():
            consumer.seek(tp, start)
        wanted = {tp for tp, start in starts.items() if start < ends[tp]}
        consumer.resume(*wanted)
        consumer.pause(*(starts.keys() - wanted))
        slices: dict[str, Slices] = {}
        busy_s = 0.0
        while wanted:
            batches = await consumer.getmany(
                *wanted, timeout_ms=_WAIT_MS, max_records=_FEW
            )
            began_s = clock.monotonic_s()
            for tp, records in batches.items():
                for record in records:
                    if record.offset < ends[tp]:
                        self._take(record, slices)
            busy_s += clock.monotonic_s() - began_s
            # The end may be a marker of a transaction, which is never handed on.
            over = {tp for tp in wanted if await consumer.position(tp) >= ends[tp]}
            consumer.pause(*over)
            wanted -= over
            if busy_s >= WORK_S:
                await asyncio.sleep(_RESTS * busy_s)
                busy_s = 0.0
        for patient_id, told in slices.items():
            if (past := self._ward.past(patient_id)) is not None:
                past.fill(told)

    def _take(self, record: ConsumerRecord, slices: dict[str, Slices]) -> None:
        patient_id = (record.key or b"").decode(errors="replace")
        patient = self._ward.patient(patient_id)
        if patient is None:
            return
        try:
            if record.topic == self._vitals:
                message = decoding.heard(record.value, record.headers)
                if not isinstance(message, Vitals):
                    return
                values = decoding.plausible(message.values)
                told = slices.setdefault(patient_id, Slices())
                told.measure(values, message.time, record.timestamp)
            elif record.topic == self._scores:
                scores = _SCORES.decode(record.value or b"")
                patient.record.past.score(scores, record.timestamp)
            else:
                alert = _ALERT.decode(record.value or b"")
                if alert.code != pause.CODE:
                    patient.record.state(alert)
        except (ContractError, msgspec.MsgspecError, UnicodeDecodeError):
            return  # the feed counts such records, and the worker dead-letters them
