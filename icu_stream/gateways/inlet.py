"""What gateways take, on its way to Kafka: nothing is said to be taken before Kafka has it.

The producer tries for ever: what is handed over is written sooner or later, unless the
process ends. A sender is answered only once all of its message is written; one that is
not answered in time sends again, and a message that then comes twice changes nothing
(docs/alarms.md, rule 3). While Kafka does not answer, no more than `WAITING_MOST` records
wait; who sends more is not answered, either.
"""

import asyncio
import hashlib

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from icu_stream import bus, clock
from icu_stream.contracts import dead_letters, topics
from icu_stream.contracts.commands import Command
from icu_stream.contracts.vitals import Vitals
from icu_stream.errors import StorageError
from icu_stream.observability import log
from icu_stream.settings import Settings


# Ours: some seconds of the largest ward, 20 MB.
WAITING_MOST = 20_000
# Ours: shorter than the 30 s that senders wait as a rule.
WRITTEN_S = 20.0
# Ours: dead letters a second; a sender that sends nothing else must not fill the topic.
LETTERS_S = 10
_START_AGAIN_S = (1.0, 2.0, 5.0)
_STOP_S = 1.0


class _Record(NamedTuple):
    topic: str
    key: bytes
    value: bytes


class Inlet:
    """The topics as gateways write them.

    Args:
        settings: Where Kafka is.

    Attributes:
        waiting: Records that Kafka has not confirmed.
        is_open: Is Kafka connected, and was it there when last asked?
    """

    def __init__(self, settings: Settings) -> None:
        self.waiting = 0
        self.is_open = False
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._handing: set[asyncio.Future[None]] = set()
        self._letters = 0
        self._second = 0
        self._number = 0

    async def open(self) -> None:
        """Connect; a Kafka that is away is waited for.

        Raises:
            ConfigurationError: Its topics are not as they must be.
        """
        tries = 0
        while True:
            producer = bus.producer(self._settings)
            try:
                await producer.start()
                break
            except KafkaError as error:
                await producer.stop()
                if not tries:
                    log.warning(
                        "kafka_awaited", broker=self._settings.broker, reason=str(error)
                    )
                await asyncio.sleep(_START_AGAIN_S[min(tries, len(_START_AGAIN_S) - 1)])
                tries += 1
        self._producer = producer
        # The embedded broker makes its topics itself and has no admin interface.
        if self._settings.broker_kind == "kafka":
            await bus.check_topics(self._settings)
        self.is_open = True

    async def close(self) -> None:
        """Let go; what is on its way is waited for, but not for ever."""
        producer, self._producer = self._producer, None
        self.is_open = False
        if producer is not None:
            if self._handing:
                await asyncio.wait(self._handing, timeout=_STOP_S)
            await bus.stop(producer, patience_s=_STOP_S)

    async def put(
        self, vitals: Iterable[Vitals] = (), commands: Iterable[Command] = ()
    ) -> None:
        """Write what a message says, all of it.

        Raises:
            StorageError: Kafka has not confirmed it in time; it may be written later.
        """
        records = [
            _Record(topics.VITALS.name, _key(v.patient_id), msgspec.json.encode(v))
            for v in vitals
        ]
        records += [
            _Record(topics.COMMANDS.name, _key(c.patient_id), msgspec.json.encode(c))
            for c in commands
        ]
        await self._write([(record, None) for record in records])

    async def bury(self, gateway: str, reason: str, kept: bytes, whole: bytes) -> bool:
        """Keep what could not be taken in dead-letters.

        Args:
            gateway: Who did not take it.
            reason: Why; no names.
            kept: What of it may be kept.
            whole: All of it: its length and its hash are kept.

        Returns:
            False when there were too many in this second; they are only counted.

        Raises:
            StorageError: Kafka has not confirmed it in time.
        """
        now_ms = clock.now_ms()
        if now_ms // 1000 != self._second:
            self._second, self._letters = now_ms // 1000, 0
        self._letters += 1
        if self._letters > LETTERS_S:
            return False
        self._number += 1
        name = f"gateway-{gateway}"
        digest = hashlib.sha256(whole).hexdigest()
        headers = dead_letters.headers(
            name, self._number, now_ms, reason, len(whole), f"sha256 {digest}"
        )
        letter = _Record(
            topics.DEAD_LETTERS.name,
            dead_letters.key(name, self._number, now_ms),
            kept[: dead_letters.MAX_VALUE_BYTES],
        )
        await self._write([(letter, headers)])
        return True

    async def _write(
        self, records: list[tuple[_Record, list[tuple[str, bytes]] | None]]
    ) -> None:
        if not records:
            return
        producer = self._producer
        if producer is None or self.waiting + len(records) > WAITING_MOST:
            self.is_open = False
            msg = f"Kafka at {self._settings.broker} has not confirmed {self.waiting} records"
            raise StorageError(msg, retry_after_s=WRITTEN_S)
        handing = asyncio.ensure_future(self._hand_over(producer, records))
        self.waiting += len(records)
        self._handing.add(handing)
        handing.add_done_callback(lambda done: self._settled(done, len(records)))
        done, _ = await asyncio.wait({handing}, timeout=WRITTEN_S)
        if not done:
            self.is_open = False
            msg = f"Kafka at {self._settings.broker} has confirmed nothing for {WRITTEN_S:g} s"
            raise StorageError(msg, retry_after_s=WRITTEN_S)
        try:
            handing.result()
        except KafkaError as error:
            self.is_open = False
            msg = f"Kafka at {self._settings.broker}: {type(error).__name__}: {error}"
            raise StorageError(msg, retry_after_s=1.0) from error
        self.is_open = True

    async def _hand_over(
        self,
        producer: AIOKafkaProducer,
        records: list[tuple[_Record, list[tuple[str, bytes]] | None]],
    ) -> None:
        """Send, and wait for each to be confirmed."""
        prefix = self._settings.topic_prefix
        sent = [
            await producer.send(
                prefix + record.topic, record.value, key=record.key, headers=headers
            )
            for record, headers in records
        ]
        await asyncio.gather(*sent)

    def _settled(self, done: "asyncio.Future[None]", count: int) -> None:
        self.waiting -= count
        self._handing.discard(done)
        if not done.cancelled():
            done.exception()  # nobody may be waiting for it any more


def _key(patient_id: str) -> bytes:
    return patient_id.encode()
