"""Reads Kafka for the page: vitals, alerts, scores, answers, who lives, in one consumer.

It belongs to no group and commits nothing: each view sees every partition, and none of
them takes anything from another reader.

At start it reads back: alerts three minutes, in which the worker states every open alarm
three times; scores two; vitals the ten minutes that a tile's line shows; the answers to
commands the 72 h that a patient's own limits may hold. Alarms are called
complete 60 s after the start all the same, since the worker may have been down before it.

A broker that is away, now or later, is waited for without end. The page shows meanwhile
that it has no data, because values and alarms age by themselves.
"""

from collections.abc import Callable

import msgspec

from aiokafka import ConsumerRecord

from icu_stream import bus, clock
from icu_stream.contracts import topics
from icu_stream.contracts.alerts import Alert
from icu_stream.contracts.canary import is_canary
from icu_stream.contracts.commands import Command, CommandResult
from icu_stream.contracts.heartbeats import Heartbeat
from icu_stream.contracts.pagers import PagerReport
from icu_stream.contracts.scores import Scores
from icu_stream.domain import decoding
from icu_stream.observability import log
from icu_stream.settings import Settings
from icu_stream.ward.canary import Canary
from icu_stream.ward.deadman import PAGER_MS, WORKER_MS
from icu_stream.ward.tiles import (
    CONFIRMED_MS,
    POINT_MS,
    POINTS,
    Ward,
)


# The worker states every alarm once a minute: docs/alarms.md, rule 19.
COMPLETE_MS = 60_000

_ALERT = msgspec.json.Decoder(Alert)
_SCORES = msgspec.json.Decoder(Scores)
_RESULT = msgspec.json.Decoder(CommandResult)
_HEARTBEAT = msgspec.json.Decoder(Heartbeat)
_PAGER = msgspec.json.Decoder(PagerReport)


class Feed:
    """Kafka's messages on their way to the page.

    Args:
        settings: Where Kafka is.
        ward: What the page shows.
        heed: Gets the outcome of each command, whoever asked.
        canary: Gets what comes of its tests; nothing else here sees a canary.
    """

    def __init__(
        self,
        settings: Settings,
        ward: Ward,
        heed: Callable[[CommandResult], None] = lambda _: None,
        canary: Canary | None = None,
    ) -> None:
        self._canary = canary
        self._settings = settings
        self._ward = ward
        self._heed = heed
        self._follower = bus.Follower(
            settings,
            {
                topics.VITALS.name: (POINT_MS * POINTS, self._read_vitals),
                topics.ALERTS.name: (CONFIRMED_MS, self._read_alert),
                topics.SCORES.name: (120_000, self._read_scores),
                topics.HEARTBEATS.name: (WORKER_MS, self._read_heartbeat),
                topics.PAGERS.name: (PAGER_MS, self._read_pager),
                # Limits of one patient hold for 72 h at most: docs/alarms.md, rule 29.
                topics.COMMAND_RESULTS.name: (72 * topics.HOUR_MS, self._read_result),
            },
            opened=self._opened,
            lost=self._lost,
            turned=self._turned,
            passed=self._passed,
        )

    @property
    def refused(self) -> int:
        """Records that could not be read; the worker dead-letters them."""
        return self._follower.refused

    async def run(self) -> None:
        """Read until cancelled; a broker that is away is tried again for ever."""
        await self._follower.run()

    def _opened(self, partitions: int) -> None:
        now_ms = clock.now_ms()
        self._ward.listen(now_ms, now_ms + COMPLETE_MS)
        if self._canary is not None:
            self._canary.open()
        broker = self._settings.broker
        log.info("ward_feed_open", broker=broker, partitions=partitions)

    def _lost(self, reason: str) -> None:
        log.warning("ward_feed_lost", broker=self._settings.broker, reason=reason)

    def _turned(self) -> None:
        self._ward.deadman.behind = self._follower.behind
        self._ward.caught_up = self._follower.is_caught_up

    def _passed(self, record: ConsumerRecord, arrived_ms: int) -> None:
        name = record.topic.removeprefix(self._settings.topic_prefix)
        self._ward.deadman.heard[name] = arrived_ms

    def _read_vitals(self, record: ConsumerRecord, arrived_ms: int) -> None:
        said = decoding.heard(record.value, record.headers)
        if said is None:
            return
        if isinstance(said, Command):
            if not is_canary(said.patient_id):
                self._ward.obey(said, record.partition)
        elif not is_canary(said.patient_id):
            self._ward.measure(said, arrived_ms, record.partition)
        elif self._canary is not None:
            self._canary.read(said, clock.now_ms())

    def _read_alert(self, record: ConsumerRecord, arrived_ms: int) -> None:
        alert = _ALERT.decode(record.value or b"")
        if not is_canary(alert.patient_id):
            self._ward.state(alert, arrived_ms, record.partition)
        elif self._canary is not None:
            self._canary.hear(alert, clock.now_ms())

    def _read_scores(self, record: ConsumerRecord, arrived_ms: int) -> None:
        scores = _SCORES.decode(record.value or b"")
        if not is_canary(scores.patient_id):
            self._ward.score(scores, arrived_ms)

    def _read_heartbeat(self, record: ConsumerRecord, arrived_ms: int) -> None:
        beat = _HEARTBEAT.decode(record.value or b"")
        self._ward.deadman.beat(beat, arrived_ms)

    def _read_pager(self, record: ConsumerRecord, arrived_ms: int) -> None:
        report = _PAGER.decode(record.value or b"")
        self._ward.deadman.hear_pager(report, arrived_ms)

    def _read_result(self, record: ConsumerRecord, _arrived_ms: int) -> None:
        result = _RESULT.decode(record.value or b"")
        self._ward.answer(result)
        self._heed(result)
