"""The patients of one partition in memory, and what they have to say.

Nothing here awaits between a change of a patient and the queueing of what follows from
it. A record is refused alone: it goes to dead-letters and the next one is processed.
"""

import asyncio
import traceback

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from aiokafka import AIOKafkaProducer, ConsumerRecord
from faust.types import TP

from icu_stream import bus, observability
from icu_stream.contracts import dead_letters, envelope, topics
from icu_stream.contracts.alerts import Alert
from icu_stream.contracts.commands import CommandResult
from icu_stream.contracts.envelope import Headers
from icu_stream.contracts.scores import Scores
from icu_stream.errors import StateError
from icu_stream.settings import Settings


# Between a patient's id and the name of a piece of its state, in keys of the table.
SEPARATOR = b"\0"
# Key under which the table says up to which offset of the log its patients are.
COVERS = SEPARATOR + b"covers"


class Kept(Protocol):
    """What the engine must know of a patient."""

    patient_id: str
    last_offset: int


P = TypeVar("P", bound=Kept)


class Codec(NamedTuple, Generic[P]):
    """How a patient is made, saved in pieces, and restored from them.

    Attributes:
        new: A patient that is seen for the first time.
        save: The pieces that changed since the last call; an empty one is gone.
        restore: The patient from all of its pieces; StateError when that cannot be.
    """

    new: Callable[[str], P]
    save: Callable[[P], dict[bytes, bytes]]
    restore: Callable[[str, Mapping[bytes, bytes]], P]


class Outgoing(NamedTuple):
    """One message on its way out."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: Headers


class Chunk(NamedTuple):
    """Records of one partition as one fetch brought them, in order."""

    tp: TP
    records: Sequence[ConsumerRecord]


class Partition(Generic[P]):
    """One partition of a source topic: hot state, dirty marks, outbox.

    Attributes:
        hot: Patients by id.
        dirty: Ids of patients that changed since the last snapshot.
        unsaved: Pieces of a snapshot whose checkpoint did not end, by table key.
        pos: Offset of the last applied record; -1 at first.
        done: Offset of the last record that a checkpoint covers.
        covers: Offset up to which the state was that `load` read; -1 when there is none.
        unreadable: Why the saved state of a patient could not be read, by id.
    """

    def __init__(
        self,
        tp: TP,
        codec: Codec[P],
        producer: AIOKafkaProducer,
        settings: Settings,
    ) -> None:
        self.tp = tp
        self.codec = codec
        self.settings = settings
        self.hot: dict[str, P] = {}
        self.dirty: set[str] = set()
        self.unsaved: dict[bytes, bytes] = {}
        self.pos = -1
        self.done = -1
        self.covers = -1
        self.unreadable: dict[str, str] = {}
        self._producer = producer
        self._foreign: dict[str, int] = {}
        self._out: list[Outgoing] = []
        self._sending = asyncio.Lock()
        self._handing: asyncio.Task[None] | None = None
        self._acks: list[asyncio.Future[Any]] = []
        prefix = settings.topic_prefix
        self._vitals = prefix + topics.VITALS.name
        self._alerts = prefix + topics.ALERTS.name
        self._scores = prefix + topics.SCORES.name
        self._results = prefix + topics.COMMAND_RESULTS.name
        self._dead = prefix + topics.DEAD_LETTERS.name

    # --- patients

    def load(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Restore every patient from the table's pairs, which are ordered by key."""
        pieces: dict[bytes, bytes] = {}
        current = b""
        for key, value in items:
            if key == COVERS:
                self.covers = int(value)
                continue
            owner, _, piece = key.partition(SEPARATOR)
            if owner != current and pieces:
                self._restore(current.decode(), pieces)
                pieces = {}
            current = owner
            pieces[piece] = value
        if pieces:
            self._restore(current.decode(), pieces)

    def _restore(self, patient_id: str, pieces: dict[bytes, bytes]) -> None:
        try:
            patient = self.codec.restore(patient_id, pieces)
        except StateError as error:
            # Kept aside, byte for byte; the patient starts anew and its bed says so
            # at its next record, which the clock brings within a second.
            self.unreadable[patient_id] = str(error)
            observability.UNREADABLE.inc()
            for piece, value in pieces.items():
                self._letter(
                    f"state {error}", value, patient_id.encode() + b"/" + piece
                )
            patient = self.codec.new(patient_id)
        self.hot[patient_id] = patient

    def patient(self, patient_id: str) -> P | None:
        """The patient, new if it was never seen; None if it belongs elsewhere.

        A patient that belongs to another partition comes from a producer that does
        not use Kafka's murmur2; `forward` sends such a record on.
        """
        patient = self.hot.get(patient_id)
        if patient is None and patient_id not in self._foreign:
            home = bus.partition_of(patient_id, self.settings.partitions)
            if home == self.tp.partition:
                patient = self.hot[patient_id] = self.codec.new(patient_id)
            else:
                self._foreign[patient_id] = home
        return patient

    def snapshot(self) -> dict[bytes, bytes]:
        """Take the pieces that changed, by table key, and clear the dirty marks."""
        pieces, self.unsaved = self.unsaved, {}
        for patient_id in self.dirty:
            owner = patient_id.encode() + SEPARATOR
            for piece, value in self.codec.save(self.hot[patient_id]).items():
                pieces[owner + piece] = value
        self.dirty.clear()
        return pieces

    def drop(self, patient_id: str, pieces: Iterable[bytes]) -> None:
        """Forget a patient, and the saved pieces of these names with it."""
        del self.hot[patient_id]
        self.dirty.discard(patient_id)
        owner = patient_id.encode() + SEPARATOR
        self.unsaved |= {owner + piece: b"" for piece in pieces}

    def put_back(self, pieces: dict[bytes, bytes]) -> None:
        """Return a snapshot that was not saved; what is newer stays."""
        self.unsaved = pieces | self.unsaved

    # --- what goes out

    def say(self, messages: Iterable[Alert | Scores | CommandResult]) -> None:
        """Queue messages of a patient of this partition."""
        number = self.tp.partition
        for message in messages:
            headers: Headers = []
            if isinstance(message, Alert):
                topic = self._alerts
                headers = envelope.alert_headers(message)
                observability.ALERTS.labels(message.priority, message.event).inc()
            elif isinstance(message, Scores):
                topic = self._scores
            else:
                topic = self._results
            key = (message.patient_id or "").encode()
            value = msgspec.json.encode(message)
            self._out.append(Outgoing(topic, number, key, value, headers))

    def queue(self, out: Outgoing) -> None:
        """Queue one message as it is."""
        self._out.append(out)

    def append(self, patient_id: str, value: bytes, headers: Headers) -> None:
        """Queue a record for the patient's place in the one log (ticks, commands)."""
        number = bus.partition_of(patient_id, self.settings.partitions)
        out = Outgoing(self._vitals, number, patient_id.encode(), value, headers)
        self._out.append(out)

    def forward(self, record: ConsumerRecord, patient_id: str) -> None:
        """Send a record of another partition on to its own, once."""
        headers = list(record.headers)
        if any(name == envelope.FORWARDED for name, _ in headers):
            self.refuse(record, "forwarded twice: partition counts differ")
            return
        observability.FORWARDED.inc()
        headers.append((envelope.FORWARDED, str(record.partition).encode()))
        self.append(patient_id, record.value, headers)

    def refuse(
        self, record: ConsumerRecord, reason: str, error: BaseException | None = None
    ) -> None:
        """Send a record to dead-letters, with the traceback of what it raised."""
        observability.DEAD_LETTERS.inc()
        detail = "".join(traceback.format_exception(error)) if error else ""
        topic, number, offset = record.topic, record.partition, record.offset
        value = record.value or b""
        self._out.append(
            Outgoing(
                self._dead,
                0,
                dead_letters.key(topic, number, offset),
                value[: dead_letters.MAX_VALUE_BYTES],
                dead_letters.headers(topic, number, offset, reason, len(value), detail),
            )
        )

    def _letter(self, reason: str, value: bytes, key: bytes) -> None:
        """Send bytes that are no record of a topic (saved state) to dead-letters."""
        headers = dead_letters.headers(
            "patients", self.tp.partition, -1, reason, len(value)
        )
        self._out.append(Outgoing(self._dead, 0, key, value, headers))

    @property
    def waiting(self) -> int:
        """Messages that the producer does not have yet."""
        return len(self._out)

    def flush_soon(self) -> None:
        """Hand what is queued to the producer while the next records are applied.

        A batch waits until the one before it has been sent, which takes milliseconds;
        waiting here for each chunk's halved the throughput. What goes wrong leaves the
        queue whole and is raised by the next `flush`, at the latest in `settled`.
        """
        if self._out and (self._handing is None or self._handing.done()):
            self._handing = asyncio.create_task(self._hand_over())
            self._handing.add_done_callback(_noticed)

    async def _hand_over(self) -> None:
        while self._out:
            await self.flush()

    async def flush(self) -> None:
        """Hand what is queued to the producer, in order; acks come later.

        Cancelled in the middle, it leaves the queue whole: what was already handed over
        is sent again under the same ids.
        """
        async with self._sending:
            count = len(self._out)
            if not count:
                return
            acks: list[asyncio.Future[Any]] = []
            routes: dict[tuple[str, int], list[Outgoing]] = {}
            for out in self._out[:count]:
                routes.setdefault((out.topic, out.partition), []).append(out)
            try:
                for (topic, number), batch in routes.items():
                    acks += await send(
                        self._producer,
                        topic,
                        number,
                        ((out.key, out.value, out.headers) for out in batch),
                    )
            finally:
                self._acks += acks
            del self._out[:count]

    async def settled(self) -> None:
        """Wait until the broker has acknowledged all that was said until now.

        Raises:
            KafkaError: A message was not delivered.
        """
        await self.flush()
        acks = list(self._acks)
        if acks:
            # asyncio.wait, not gather: cancelling us must not cancel the alerts.
            await asyncio.wait(acks)
            for ack in acks:
                ack.result()
            settled = set(acks)
            self._acks = [ack for ack in self._acks if ack not in settled]


def _noticed(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()


async def send(
    producer: AIOKafkaProducer,
    topic: str,
    partition: int,
    messages: Iterable[tuple[bytes, bytes | None, Headers]],
) -> list[asyncio.Future[Any]]:
    """Hand messages to a producer as whole batches, in order.

    Returns:
        The futures of the broker's acknowledgements.

    Raises:
        ValueError: One message is larger than a batch may be.
    """
    acks: list[asyncio.Future[Any]] = []
    batch = producer.create_batch()
    for key, value, headers in messages:
        if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
            acks.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            if (
                batch.append(key=key, value=value, timestamp=None, headers=headers)
                is None
            ):
                msg = f"message {key!r} for {topic} is larger than a batch may be"
                raise ValueError(msg)
    acks.append(await producer.send_batch(batch, topic, partition=partition))
    return acks
