"""Patients' logs: everything that changed each patient, in order, read again.

A log comes from a recording, from a simulated ward or from the vitals topic. It is read
in parts, each by one process; all records of a patient are in one part, so that it does
not matter how many processes there are. A part is a few bytes that say where to read, or
a small recording itself; nothing is read before a process iterates over it.

Recordings and simulated wards hold no ticks. Those of the topic are passed over: when
something falls due in silence depends on the limits, so each profile is told the time
anew (`icu_stream.evaluation.trial`).
"""

import asyncio
import itertools
import zlib

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from icu_stream import bus
from icu_stream.contracts import envelope, topics
from icu_stream.contracts.canary import is_canary
from icu_stream.contracts.commands import Command
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import decoding
from icu_stream.errors import ConfigurationError, ContractError
from icu_stream.settings import Settings
from icu_stream.sources import readers
from icu_stream.sources.beds import Happening, Ward
from icu_stream.sources.progress import utc
from icu_stream.sources.readers import Stream


# Parts a process: enough for an even load and a bar that moves, few enough that opening
# one costs nothing (ours).
_PARTS_A_PROCESS = 12
# Records of one fetch, and how long to wait for one, ms.
_FETCH = 5000
_FETCH_MS = 1000
# A broker that is silent for so many fetches is not there.
_SILENT_FETCHES = 30


class Record(NamedTuple):
    """One record about one patient.

    Attributes:
        patient_id: Whose.
        message: What a device measured, or what a person asked.
        arrived_ms: When it came, by our clock.
        is_replay: It was recorded earlier: its arrival says nothing.
    """

    patient_id: str
    message: Vitals | Command
    arrived_ms: int
    is_replay: bool


class Unreadable(NamedTuple):
    """A record that is of no use; the live worker sends it to dead-letters."""

    reason: str


class End(NamedTuple):
    """The log goes on, but is read no further: time passes until then, by our clock."""

    arrived_ms: int


class Span(NamedTuple):
    """A stretch of measurement time of one patient, both ends included."""

    patient_id: str
    from_ms: int
    to_ms: int


class Part(Protocol):
    """Some of a log's patients, whole; can be sent to another process."""

    @property
    def records_total(self) -> int:
        """How many records, where that is known before reading; else 0."""

    def read(
        self, spans: Sequence[Span] | None = None
    ) -> Iterator[Record | Unreadable | End]:
        """Read the records, each patient's in order.

        Args:
            spans: Only these are wanted: what lies outside may be left out, if that
                is quicker.

        Raises:
            ConfigurationError: It cannot be read to its end; says where and why.
        """


class Log(Protocol):
    """What a backtest can read."""

    @property
    def title(self) -> str:
        """One line that says what it is."""

    @property
    def is_live(self) -> bool:
        """Arrivals are those of a live ward, and people's commands are in it."""

    def parts(self, processes: int) -> list[Part]:
        """Divide it; together the parts hold every patient, each in one of them.

        Raises:
            ConfigurationError: It is not there or not as it must be.
        """


# --- recordings


@dataclass
class Recording:
    """A recording of any format that `icu-stream replay` reads.

    Attributes:
        path: A file or a directory.
        limit: Only the first so many patients; None for all.
    """

    path: Path
    limit: int | None = None
    is_live: bool = False

    @property
    def title(self) -> str:
        """The name of the file."""
        first = f", the first {self.limit} patients" if self.limit else ""
        return f"recording {self.path.name}{first}"

    def parts(self, processes: int) -> list[Part]:
        """Some patients each; a format that is one stream is read by every process."""
        streams = readers.open_recording(self.path, self.limit)
        if len(streams) == 1:
            return [
                _Recorded(streams, number, processes) for number in range(processes)
            ]
        count = min(len(streams), processes * _PARTS_A_PROCESS)
        return [_Recorded(streams[number::count]) for number in range(count)]


@dataclass
class _Recorded:
    """Streams of a recording.

    Attributes:
        streams: To be read one after the other.
        number: Of this part, where several read the same stream.
        shares: So many do.
    """

    streams: list[Stream]
    number: int = 0
    shares: int = 1
    records_total: int = 0

    def read(
        self, spans: Sequence[Span] | None = None
    ) -> Iterator[Record | Unreadable | End]:
        """Each message arrives when it was measured."""
        wanted = None if spans is None else {span.patient_id for span in spans}
        for stream in self.streams:
            for vitals in stream.read(0):
                patient_id = vitals.patient_id
                if wanted is not None and patient_id not in wanted:
                    if self.shares == 1:
                        break
                    continue
                if self.shares > 1 and _share(patient_id, self.shares) != self.number:
                    continue
                yield Record(patient_id, vitals, vitals.time, True)


def _share(patient_id: str, shares: int) -> int:
    return zlib.crc32(patient_id.encode()) % shares


# --- simulated wards


@dataclass
class SimulatedWard:
    """A simulated ward (`icu-stream simulate`) that nobody has to send anywhere.

    Attributes:
        beds: How many.
        duration_s: Measured seconds.
        seed: Of everything that is random.
        happenings: Its stories.
        period_s: After it all stories begin anew; None = they happen once.
        start_ms: Measurement time of second 0.
    """

    beds: int
    duration_s: int
    seed: int = 1
    happenings: Sequence[Happening] = ()
    period_s: int | None = None
    start_ms: int = readers.UNDATED_MS
    is_live: bool = False

    @property
    def title(self) -> str:
        """How large, how long, and which one."""
        return (
            f"simulated ward of {self.beds} beds, {self.duration_s:,} s each, "
            f"seed {self.seed}, {len(self.happenings)} stories"
        )

    def ward(self, beds: int | None = None) -> Ward:
        """The ward, or its first beds.

        Raises:
            ConfigurationError: A story does not fit.
        """
        beds = self.beds if beds is None else beds
        happenings = self.happenings
        if beds < self.beds:
            happenings = [
                happening for happening in happenings if happening.bed <= beds
            ]
        return Ward(
            beds,
            seed=self.seed,
            happenings=happenings,
            period_s=self.period_s,
            start_ms=self.start_ms,
        )

    def parts(self, processes: int) -> list[Part]:
        """Neighbouring beds each; a bed is the same in a ward of any size."""
        self.ward()
        count = min(self.beds, processes)
        edges = [self.beds * number // count for number in range(count + 1)]
        return [_Beds(self, first, end) for first, end in itertools.pairwise(edges)]


@dataclass
class _Beds:
    """Beds of a simulated ward, counted from 0, the last one not included."""

    ward: SimulatedWard
    first: int
    end: int

    @property
    def records_total(self) -> int:
        """One a bed and second; a silent device sends fewer."""
        return (self.end - self.first) * self.ward.duration_s

    def read(
        self, spans: Sequence[Span] | None = None
    ) -> Iterator[Record | Unreadable | End]:
        """Each message arrives at its true moment, whatever its device's clock says."""
        ward = self.ward.ward(self.end)
        beds = [
            (place, bed, ward.keys[place].decode())
            for place, bed in enumerate(ward.order)
            if bed >= self.first
        ]
        decode = decoding.decode
        for t in self._seconds(spans):
            messages = ward.second(t).messages
            for place, bed, patient_id in beds:
                message = messages[place]
                if message is not None:
                    arrived_ms = ward.time_ms(bed, t)
                    yield Record(patient_id, decode(message), arrived_ms, False)

    def _seconds(self, spans: Sequence[Span] | None) -> Iterator[int]:
        if spans is None:
            yield from range(self.ward.duration_s)
            return
        seconds: set[int] = set()
        for span in spans:
            first = (span.from_ms - self.ward.start_ms) // 1000 - 1
            last = (span.to_ms - self.ward.start_ms) // 1000 + 1
            seconds.update(range(max(0, first), min(self.ward.duration_s, last + 1)))
        yield from sorted(seconds)


# --- the topic


@dataclass
class Topic:
    """A range of the vitals topic, by arrival.

    Attributes:
        settings: Where Kafka is.
        from_ms: First arrival, epoch ms; None for all that Kafka still keeps.
        to_ms: Arrivals from then on are not read; None for all that are there now.
        patients: Whose records; None for everybody's, and what cannot be read, too.
    """

    settings: Settings
    from_ms: int | None = None
    to_ms: int | None = None
    is_live: bool = True
    patients: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """The topic's full name."""
        return self.settings.topic_prefix + topics.VITALS.name

    @property
    def title(self) -> str:
        """Which topic, and from when to when."""
        first = "its beginning" if self.from_ms is None else utc(self.from_ms)
        last = "now" if self.to_ms is None else utc(self.to_ms)
        whose = "" if self.patients is None else f", {len(self.patients)} patients"
        return f"topic {self.name}, arrivals from {first} to {last}{whose}"

    def parts(self, processes: int) -> list[Part]:  # noqa: ARG002 - Kafka's own parts
        """One a partition."""
        first, last = self.from_ms, self.to_ms
        if first is not None and last is not None and first >= last:
            msg = f"{self.title}: the end is not after the beginning"
            raise ConfigurationError(msg)
        return asyncio.run(self._parts())

    async def _parts(self) -> list[Part]:
        await bus.check_topics(self.settings)
        consumer = bus.consumer(self.settings)
        await consumer.start()
        try:
            tps = [TopicPartition(self.name, n) for n in self._homes()]
            firsts = await self._offsets(consumer, tps, self.from_ms, first=True)
            ends = await self._offsets(consumer, tps, self.to_ms, first=False)
        finally:
            await consumer.stop()
        return [
            _Partition(self, tp.partition, firsts[tp], ends[tp])
            for tp in tps
            if ends[tp] > firsts[tp]
        ]

    def _homes(self) -> list[int]:
        """The partitions of the patients."""
        count = self.settings.partitions
        if self.patients is None:
            return list(range(count))
        return sorted({bus.partition_of(patient, count) for patient in self.patients})

    @staticmethod
    async def _offsets(
        consumer: AIOKafkaConsumer,
        tps: list[TopicPartition],
        moment_ms: int | None,
        *,
        first: bool,
    ) -> dict[TopicPartition, int]:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(tps)
        if moment_ms is None:
            if not first:
                return ends
            begins: dict[TopicPartition, int] = await consumer.beginning_offsets(tps)
            return begins
        found = await consumer.offsets_for_times(dict.fromkeys(tps, moment_ms))
        return {tp: ends[tp] if found[tp] is None else found[tp].offset for tp in tps}


@dataclass
class _Partition:
    """Offsets of one partition, the last one not included."""

    topic: Topic
    number: int
    first: int
    end: int

    @property
    def records_total(self) -> int:
        """The last record, or some in between, may be a transaction's mark."""
        return self.end - self.first

    def read(
        self, spans: Sequence[Span] | None = None
    ) -> Iterator[Record | Unreadable | End]:
        """What devices and people sent; ticks and other partitions' patients are left out."""
        wanted = self.topic.patients
        if spans is not None:
            wanted = frozenset(span.patient_id for span in spans)
        arrived_ms = self.topic.from_ms or 0
        partitions = self.topic.settings.partitions
        homes: dict[str, int] = {}
        for fetched in self._fetches():
            for record in fetched:
                arrived_ms = record.timestamp
                read = _understood(record)
                if read is None:
                    continue
                if isinstance(read, Unreadable):
                    # It belongs to nobody: it is told where everybody's are read.
                    if self.topic.patients is not None:
                        continue
                else:
                    patient_id = read.patient_id
                    home = homes.get(patient_id)
                    if home is None:
                        home = bus.partition_of(patient_id, partitions)
                        homes[patient_id] = home
                    # The worker sends it on to its own partition, where it is read.
                    if home != self.number:
                        continue
                    if wanted is not None and patient_id not in wanted:
                        continue
                yield read
        yield End(arrived_ms if self.topic.to_ms is None else self.topic.to_ms)

    def _fetches(self) -> Iterator[list[ConsumerRecord]]:
        """The records in order, as Kafka brings them."""
        loop = asyncio.new_event_loop()
        consumer = None
        try:
            consumer = loop.run_until_complete(self._started())
            tp = TopicPartition(self.topic.name, self.number)
            silent = 0
            while loop.run_until_complete(consumer.position(tp)) < self.end:
                fetched = loop.run_until_complete(
                    consumer.getmany(tp, timeout_ms=_FETCH_MS, max_records=_FETCH)
                )
                records = [r for r in fetched.get(tp, ()) if r.offset < self.end]
                silent = 0 if tp in fetched else silent + 1
                if silent == _SILENT_FETCHES:
                    msg = (
                        f"topic {self.topic.name}, partition {self.number}: no record "
                        f"for {_SILENT_FETCHES} s; is the broker there?"
                    )
                    raise ConfigurationError(msg)
                yield records
        except KafkaError as error:
            msg = f"topic {self.topic.name}, partition {self.number}: {error!r}"
            raise ConfigurationError(msg) from error
        finally:
            if consumer is not None:
                loop.run_until_complete(consumer.stop())
            loop.close()

    async def _started(self) -> AIOKafkaConsumer:
        consumer = bus.consumer(self.topic.settings)
        await consumer.start()
        tp = TopicPartition(self.topic.name, self.number)
        consumer.assign([tp])
        consumer.seek(tp, self.first)
        return consumer


def _understood(record: ConsumerRecord) -> Record | Unreadable | None:
    """A record of the topic as the worker takes it; None for a tick or a canary's."""
    try:
        said = decoding.heard(record.value, record.headers)
    except ContractError as error:
        where = f"partition {record.partition}, offset {record.offset}"
        return Unreadable(f"{where}: {error}")
    if said is None or is_canary(said.patient_id):
        return None
    is_replay = any(name == envelope.REPLAY for name, _ in record.headers)
    return Record(said.patient_id, said, record.timestamp, is_replay)
