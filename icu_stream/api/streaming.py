"""Live streams as server-sent events, which resume where they were: WHATWG HTML, 9.2.

Every event's id is a place in Kafka: the next offset of each partition of the stream's
topics. A reader that comes back with `Last-Event-ID` first gets what it missed, from Kafka,
and then what is new; nothing is lost and nothing is said twice.

::

    hub (what the feed reads) --> mailbox of each reader, bounded --> its connection
    Kafka, from the reader's place to the hub's, without a mailbox --^

A reader that is slower than the ward is told so (`cut`) and disconnected when its mailbox
is full; it has its place and may come back. Nothing waits for it, neither the feed nor
another reader.
"""

import asyncio
import contextlib
import re

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

import aiokafka
import msgspec

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from icu_stream import bus
from icu_stream.api.problems import Kind, ProblemError, retry, unknown
from icu_stream.contracts import topics
from icu_stream.contracts.canary import is_canary
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import decoding
from icu_stream.domain.burden import unit_of
from icu_stream.errors import ContractError
from icu_stream.settings import Settings


# Ours: of a ward of 200 beds, vitals and all, some 7 s; of alarms, an hour.
MAILBOX = 2_000
BEAT_S = 10.0
OF_ONE = 8  # streams of one person at a time
_ASK_S = 5.0
_FEW = 200
_ID = re.compile(r"([avsr])([0-9]+(?:\.[0-9]+)*)")
_LETTERS = {
    topics.ALERTS.name: "a",
    topics.VITALS.name: "v",
    topics.SCORES.name: "s",
    topics.COMMAND_RESULTS.name: "r",
}
_EVENTS = {
    topics.ALERTS.name: "alert",
    topics.VITALS.name: "vitals",
    topics.SCORES.name: "scores",
    topics.COMMAND_RESULTS.name: "command-result",
}


class Wanted(msgspec.Struct, frozen=True):
    """What a reader wants.

    Attributes:
        topics: Names without the prefix.
        patient_id: Of this patient alone.
        unit: Of this unit alone; answers to commands have none.
    """

    topics: frozenset[str]
    patient_id: str | None = None
    unit: str | None = None


class _Place(msgspec.Struct):
    """As much of a message as says whom it is about."""

    patient_id: str | None = None
    bed: str = ""


_place = msgspec.json.Decoder(_Place).decode


class Said(msgspec.Struct, frozen=True):
    """One record that may be told."""

    topic: str
    partition: int
    offset: int
    patient_id: str
    unit: str
    data: bytes


class Mailbox:
    """What waits for one reader.

    Attributes:
        is_open: It has caught up, and takes what is new.
        is_cut: It was too slow.
    """

    def __init__(self, wanted: Wanted, most: int) -> None:
        self.wanted = wanted
        self.is_open = False
        self.is_cut = False
        self._most = most
        self._waiting: deque[Said] = deque()
        self._is_waiting = asyncio.Event()

    def put(self, said: Said) -> None:
        """Put a record in, unless it is full."""
        if self.is_cut or not self.is_open or not fits(self.wanted, said):
            return
        if len(self._waiting) >= self._most:
            self.is_cut = True
            self._waiting.clear()
        else:
            self._waiting.append(said)
        self._is_waiting.set()

    @property
    def is_empty(self) -> bool:
        """Does nothing wait?"""
        return not self._waiting

    async def wait(self, timeout_s: float) -> None:
        """Wait until there is something, or for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._is_waiting.wait()

    def take(self) -> Said | None:
        """The oldest; None when there is none."""
        if self._waiting:
            return self._waiting.popleft()
        self._is_waiting.clear()
        return None


class Hub:
    """All streams of this process.

    Args:
        settings: Where Kafka is, and how many streams there may be.
    """

    def __init__(self, settings: Settings, mailbox: int = MAILBOX) -> None:
        self._settings = settings
        self._most_waiting = mailbox
        self._mailboxes: dict[Mailbox, str] = {}
        self._next: dict[tuple[str, int], int] = {}

    def __len__(self) -> int:
        return len(self._mailboxes)

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """The feed reads on from there."""
        for tp, offset in offsets.items():
            name = tp.topic.removeprefix(self._settings.topic_prefix)
            if name in _LETTERS:
                self._next[name, tp.partition] = offset

    def take(self, record: ConsumerRecord) -> None:
        """Hand one record to whoever wants it."""
        name = record.topic.removeprefix(self._settings.topic_prefix)
        if name not in _LETTERS:
            return
        self._next[name, record.partition] = record.offset + 1
        if self._mailboxes and (said := read(name, record)) is not None:
            for mailbox in self._mailboxes:
                mailbox.put(said)

    def place(self, names: frozenset[str]) -> dict[tuple[str, int], int]:
        """The next offsets of some topics."""
        return {at: offset for at, offset in self._next.items() if at[0] in names}

    async def read(
        self, by: str, wanted: Wanted, last_id: str | None
    ) -> AsyncGenerator[bytes, None]:
        """The events of one reader, for ever.

        Args:
            by: Who reads: nobody has more than `OF_ONE` streams.
            wanted: What.
            last_id: The id of the last event that came; None: from now on.

        Yields:
            One event, or a comment while nothing happens.

        Raises:
            ProblemError: Too many streams, Kafka is not read yet, or there is no such id.
        """
        if not self.place(wanted.topics):
            raise retry(Kind.UNSENT, 2, "Kafka is not read yet")
        own = sum(owner == by for owner in self._mailboxes.values())
        if own >= OF_ONE or len(self._mailboxes) >= self._settings.api_streams:
            raise retry(Kind.TOO_MANY, 5, "too many live streams are open")
        here = self.place(wanted.topics)
        if last_id is not None:
            here |= self._since(last_id, here)
        mailbox = Mailbox(wanted, self._most_waiting)
        self._mailboxes[mailbox] = by
        try:
            yield b"retry: 2000\n" + beat(here)
            while not mailbox.is_open:
                goal = self.place(wanted.topics)
                left = sum(goal[at] - offset for at, offset in here.items())
                # What comes while the rest is read has room in the mailbox.
                mailbox.is_open = left <= _FEW
                async for said in self._missed(here, goal, wanted):
                    here[said.topic, said.partition] = said.offset + 1
                    yield event(said, here)
                here |= goal
            async for part in self._new(here, mailbox):
                yield part
        finally:
            del self._mailboxes[mailbox]

    async def _new(
        self, here: dict[tuple[str, int], int], mailbox: Mailbox
    ) -> AsyncIterator[bytes]:
        while not mailbox.is_cut:
            said = mailbox.take()
            if said is None:
                await mailbox.wait(BEAT_S)
                if mailbox.is_empty and not mailbox.is_cut:
                    # So far, whatever was not for this reader.
                    here |= self.place(mailbox.wanted.topics)
                    yield beat(here)
            elif said.offset >= here[said.topic, said.partition]:
                here[said.topic, said.partition] = said.offset + 1
                yield event(said, here)
        reason = {"reason": "you read too slowly: come back with the last id"}
        yield b"event: cut\ndata: " + msgspec.json.encode(reason) + b"\n\n"

    def _since(
        self, last_id: str, here: Mapping[tuple[str, int], int]
    ) -> dict[tuple[str, int], int]:
        """The place that an id names."""
        names = {letter: name for name, letter in _LETTERS.items()}
        found: dict[tuple[str, int], int] = {}
        for part in last_id.split("~"):
            if (match := _ID.fullmatch(part)) is None:
                raise unknown(
                    what="no stream has such a Last-Event-ID: begin without one"
                )
            name = names[match[1]]
            for number, text in enumerate(match[2].split(".")):
                at = name, number
                # Of a topic that was rebuilt, or of another stream: from now on.
                if at in here and len(text) < 19:
                    found[at] = min(int(text), here[at])
        return found

    async def _missed(
        self,
        here: Mapping[tuple[str, int], int],
        goal: Mapping[tuple[str, int], int],
        wanted: Wanted,
    ) -> AsyncIterator[Said]:
        """What Kafka has from one place to another."""
        prefix = self._settings.topic_prefix
        starts, ends = {}, {}
        for (name, number), offset in here.items():
            if offset < goal[name, number]:
                tp = TopicPartition(prefix + name, number)
                starts[tp], ends[tp] = offset, goal[name, number]
        if not starts:
            return
        reader = bus.consumer(self._settings, auto_offset_reset="earliest")
        try:
            async with asyncio.timeout(_ASK_S):
                await reader.start()
            async for record in _between(reader, starts, ends):
                name = record.topic.removeprefix(prefix)
                said = read(name, record)
                if said is not None and fits(wanted, said):
                    yield said
        except (KafkaError, OSError, TimeoutError) as error:
            detail = f"what was missed cannot be read: {error or 'no answer'}"
            raise ProblemError(Kind.UNSENT, detail) from error
        finally:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await reader.stop()


async def _between(
    reader: aiokafka.AIOKafkaConsumer,
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> AsyncIterator[ConsumerRecord]:
    reader.assign(list(starts))
    for tp, offset in starts.items():
        reader.seek(tp, offset)
    left = set(starts)
    while left:
        batches = await reader.getmany(*left, timeout_ms=500, max_records=_FEW)
        for tp, records in batches.items():
            for record in records:
                if record.offset < ends[tp]:
                    yield record
        # The last one may be the marker of a transaction, which is never handed on.
        left = {tp for tp in left if await reader.position(tp) < ends[tp]}


def read(name: str, record: ConsumerRecord) -> Said | None:
    """A record as it is told; None for canaries, ticks, commands and what is no message."""
    if is_canary(record.key):
        return None
    data = record.value or b""
    try:
        if name == topics.VITALS.name:
            message = decoding.heard(data, record.headers)
            if not isinstance(message, Vitals):
                return None
            values = decoding.plausible(message.values)
            told = msgspec.structs.replace(message, values=values)
            data = msgspec.json.encode(told)
        place = _place(data)
    except (ContractError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    # What another producer wrote may have line breaks, which end a field.
    if b"\n" in data or b"\r" in data:
        data = msgspec.json.format(data, indent=-1)
    return Said(
        name,
        record.partition,
        record.offset,
        place.patient_id or "",
        unit_of(place.bed),
        data,
    )


def fits(wanted: Wanted, said: Said) -> bool:
    """Is a record for this reader?"""
    return (
        said.topic in wanted.topics
        and wanted.patient_id in {None, said.patient_id}
        and wanted.unit in {None, said.unit}
    )


def event(said: Said, here: Mapping[tuple[str, int], int]) -> bytes:
    """A record as an event."""
    head = f"id: {place_id(here)}\nevent: {_EVENTS[said.topic]}\ndata: "
    return head.encode() + said.data + b"\n\n"


def beat(here: Mapping[tuple[str, int], int]) -> bytes:
    """An event that says only how far the stream is: the connection lives."""
    return f"id: {place_id(here)}\nevent: beat\ndata: {{}}\n\n".encode()


def place_id(here: Mapping[tuple[str, int], int]) -> str:
    """A place in Kafka as the id of an event.

    >>> place_id({("alerts", 0): 12, ("alerts", 1): 5, ("scores", 0): 7})
    'a12.5~s7'
    """
    names = sorted({name for name, _ in here})
    return "~".join(
        _LETTERS[name] + ".".join(str(here[at]) for at in sorted(here) if at[0] == name)
        for name in names
    )
