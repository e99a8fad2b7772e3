"""Reads Kafka for the API: what is known now, answers to commands, and the live streams.

At start it reads back: alerts three minutes, in which the worker states every open alarm
three times; scores two; vitals as long as the tail is; the answers to commands the 72 h
that a patient's own limits may hold. Streams get only what comes after that.
"""

from collections.abc import Callable

import msgspec

from aiokafka import ConsumerRecord

from icu_stream import bus, clock
from icu_stream.api.present import TAIL_MS, Present
from icu_stream.api.streaming import Hub
from icu_stream.contracts import topics
from icu_stream.contracts.alerts import Alert
from icu_stream.contracts.canary import is_canary
from icu_stream.contracts.commands import Command, CommandResult
from icu_stream.contracts.heartbeats import Heartbeat
from icu_stream.contracts.scores import Scores
from icu_stream.domain import decoding
from icu_stream.observability import log
from icu_stream.settings import Settings


_ALERT = msgspec.json.Decoder(Alert)
_SCORES = msgspec.json.Decoder(Scores)
_RESULT = msgspec.json.Decoder(CommandResult)
_HEARTBEAT = msgspec.json.Decoder(Heartbeat)


class Feed:
    """Kafka's messages on their way to whoever asks.

    Args:
        settings: Where Kafka is.
        present: What is known now.
        hub: The live streams.
        heed: Gets the outcome of each command.

    Attributes:
        is_connected: Kafka answered when it was asked last.
    """

    def __init__(
        self,
        settings: Settings,
        present: Present,
        hub: Hub,
        heed: Callable[[CommandResult], None],
    ) -> None:
        self.is_connected = False
        self._settings = settings
        self._present = present
        self._hub = hub
        self._heed = heed
        self._follower = bus.Follower(
            settings,
            {
                topics.VITALS.name: (TAIL_MS, self._read_vitals),
                topics.ALERTS.name: (180_000, self._read_alert),
                topics.SCORES.name: (120_000, self._read_scores),
                topics.HEARTBEATS.name: (10_000, self._read_heartbeat),
                # Limits of one patient hold for 72 h at most: docs/alarms.md, rule 29.
                topics.COMMAND_RESULTS.name: (72 * topics.HOUR_MS, self._read_result),
            },
            opened=self._opened,
            lost=self._lost,
            turned=self._turned,
            passed=lambda record, _: hub.take(record),
        )

    @property
    def is_ready(self) -> bool:
        """Is what Kafka had at the start read, and does it answer?"""
        return self.is_connected and self._follower.is_caught_up

    @property
    def behind(self) -> int:
        """Records that Kafka has and this has not read."""
        return self._follower.behind

    async def run(self) -> None:
        """Read until cancelled; a broker that is away is tried again for ever."""
        await self._follower.run()

    def _opened(self, partitions: int) -> None:
        self.is_connected = True
        self._present.opened_ms = clock.now_ms()
        self._hub.seek(self._follower.next)
        broker = self._settings.broker
        log.info("api_feed_open", broker=broker, partitions=partitions)

    def _lost(self, reason: str) -> None:
        self.is_connected = False
        log.warning("api_feed_lost", broker=self._settings.broker, reason=reason)

    def _turned(self) -> None:
        self.is_connected = True

    def _read_vitals(self, record: ConsumerRecord, arrived_ms: int) -> None:
        if is_canary(record.key):
            return
        said = decoding.heard(record.value, record.headers)
        if isinstance(said, Command):
            self._present.obey(said, record.partition)
        elif said is not None:
            self._present.measure(said, arrived_ms, record.partition)

    def _read_alert(self, record: ConsumerRecord, arrived_ms: int) -> None:
        if not is_canary(record.key):
            alert = _ALERT.decode(record.value or b"")
            self._present.state(alert, arrived_ms, record.partition)

    def _read_scores(self, record: ConsumerRecord, arrived_ms: int) -> None:
        if not is_canary(record.key):
            self._present.score(_SCORES.decode(record.value or b""), arrived_ms)

    def _read_heartbeat(self, record: ConsumerRecord, arrived_ms: int) -> None:
        self._present.beat(_HEARTBEAT.decode(record.value or b""), arrived_ms)

    def _read_result(self, record: ConsumerRecord, _arrived_ms: int) -> None:
        result = _RESULT.decode(record.value or b"")
        self._present.answer(result)
        self._heed(result)
