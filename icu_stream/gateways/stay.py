"""`icu-stream export`: one patient's stay as a FHIR Bundle or CSV.

From Kafka's topics, which keep the last days, or from the records that the archive keeps.
Either way it is written piece by piece, so a week at one message a second takes no memory.
"""

import asyncio
import contextlib

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from icu_stream import bus, clock
from icu_stream.contracts import topics
from icu_stream.contracts.alerts import Alert
from icu_stream.contracts.commands import Command, CommandType
from icu_stream.contracts.envelope import Headers
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import decoding
from icu_stream.errors import ConfigurationError, ContractError, StorageError
from icu_stream.gateways import fhir, flatfile
from icu_stream.gateways.fhir import Stay
from icu_stream.settings import Settings
from icu_stream.storage import records
from icu_stream.storage.records import Records


class Arrived(NamedTuple):
    """One message, and when Kafka had it.

    Attributes:
        vitals: The message.
        arrived_ms: Kafka's clock, epoch ms.
    """

    vitals: Vitals
    arrived_ms: int


class Span(NamedTuple):
    """What of the patient is wanted.

    Attributes:
        patient_id: Who.
        from_ms: First arrival; None: all that Kafka keeps.
        to_ms: No arrival from then on; None: to the present end.
    """

    patient_id: str
    from_ms: int | None = None
    to_ms: int | None = None


class Told:
    """What the messages of a stay, one after the other, tell of it.

    Args:
        patient_id: Whose.
    """

    def __init__(self, patient_id: str) -> None:
        self._stay = Stay(patient_id, "", None, None, False)

    @property
    def stay(self) -> Stay:
        """The stay, as far as it was told."""
        return self._stay

    def measured(self, bed: str, time: int) -> None:
        """Something was measured."""
        told = self._stay
        self._stay = told._replace(
            bed=bed or told.bed,
            first_ms=time if told.first_ms is None else min(told.first_ms, time),
            last_ms=time if told.last_ms is None else max(told.last_ms, time),
            is_over=False,
        )

    def asked(self, command: Command) -> None:
        """The patient came, went or was moved."""
        if command.type is CommandType.DISCHARGE:
            self._stay = self._stay._replace(is_over=True)
        elif command.type in {CommandType.ADMIT, CommandType.TRANSFER}:
            bed = command.bed or self._stay.bed
            self._stay = self._stay._replace(is_over=False, bed=bed)


class Source(Protocol):
    """Where a stay is read."""

    @property
    def stay(self) -> Stay:
        """The stay, once its vitals have been read."""

    def vitals(self) -> AsyncIterator[Arrived]:
        """What was measured, from the beginning on."""

    async def alarms(self) -> list[list[Alert]]:
        """The alerts of each alarm, in the order of their onsets."""


class Log:
    """What Kafka's topics hold of one patient.

    Args:
        settings: Where Kafka is.
        span: What is wanted, by arrival.
    """

    def __init__(self, settings: Settings, span: Span) -> None:
        self._told = Told(span.patient_id)
        self._settings = settings
        self._span = span

    @property
    def stay(self) -> Stay:
        """The stay, once its vitals have been read."""
        return self._told.stay

    async def vitals(self) -> AsyncIterator[Arrived]:
        """What was measured, in the order of arrival."""
        async for value, headers, arrived_ms in self._records(topics.VITALS.name):
            try:
                found = decoding.heard(value, headers)
            except ContractError:
                continue  # the worker has kept it in dead-letters
            if isinstance(found, Command):
                self._told.asked(found)
            elif found is not None and (found.values or found.status):
                self._told.measured(found.bed, found.time)
                yield Arrived(found, arrived_ms)

    async def alarms(self) -> list[list[Alert]]:
        """The alerts of each alarm, in the order of their onsets."""
        found = []
        async for value, _, _ in self._records(topics.ALERTS.name):
            with contextlib.suppress(msgspec.DecodeError, msgspec.ValidationError):
                found.append(_ALERT.decode(value))
        return _by_alarm(found)

    async def _records(self, name: str) -> AsyncIterator[tuple[bytes, Headers, int]]:
        """The patient's records of a topic up to its present end."""
        span = self._span
        key = span.patient_id.encode()
        consumer = bus.consumer(self._settings)
        try:
            await consumer.start()
            number = bus.partition_of(span.patient_id, self._settings.partitions)
            part = TopicPartition(self._settings.topic_prefix + name, number)
            consumer.assign([part])
            end = (await consumer.end_offsets([part]))[part]
            start = (await consumer.beginning_offsets([part]))[part]
            if span.from_ms is not None:
                at = (await consumer.offsets_for_times({part: span.from_ms}))[part]
                start = end if at is None else at.offset
            consumer.seek(part, start)
            while await consumer.position(part) < end:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        late = span.to_ms is not None and record.timestamp >= span.to_ms
                        if record.offset >= end or late:
                            return
                        if record.key == key and record.value is not None:
                            yield record.value, record.headers, record.timestamp
        finally:
            await consumer.stop()


class Kept:
    """What the archive keeps of one patient.

    Args:
        kept: The records.
        span: What is wanted, by the device's clock.
        now_ms: By ours.
    """

    def __init__(self, kept: Records, span: Span, now_ms: int) -> None:
        self._told = Told(span.patient_id)
        self._kept = kept
        self._patient_id = span.patient_id
        self._start_ms = span.from_ms or 0
        # Devices' clocks may be ahead of ours.
        self._end_ms = now_ms + topics.DAY_MS if span.to_ms is None else span.to_ms

    @property
    def stay(self) -> Stay:
        """The stay, once its vitals have been read."""
        return self._told.stay

    async def vitals(self) -> AsyncIterator[Arrived]:
        """What was measured, in the order of its time."""
        # At most once a shift: they fit into one page.
        moves = [c for c in await self._commands() if c.type in _MOVES]
        after: str | None = None
        while True:
            page = await self._kept.series.vitals(
                self._patient_id, self._start_ms, self._end_ms, after=after, most=_PAGE
            )
            for row in page.rows:
                while moves and moves[0].time <= row.time_ms:
                    self._told.asked(moves.pop(0))
                self._told.measured(row.bed, row.time_ms)
                yield Arrived(
                    Vitals(
                        patient_id=row.patient_id,
                        time=row.time_ms,
                        bed=row.bed,
                        device=row.device,
                        values=dict(row.values),
                        status=dict(row.status),
                        interval_s=row.interval_s,
                        primary=row.is_primary,
                    ),
                    row.arrived_ms,
                )
            after = page.after
            if after is None:
                break
        for move in moves:
            self._told.asked(move)

    async def alarms(self) -> list[list[Alert]]:
        """The alerts of each alarm, in the order of their onsets."""
        found: list[Alert] = []
        after: str | None = None
        while True:
            page = await self._kept.transitions(
                patient_id=self._patient_id,
                start_ms=self._start_ms,
                end_ms=self._end_ms,
                standing=False,
                after=after,
                most=_PAGE,
            )
            found += page.rows
            after = page.after
            if after is None:
                return _by_alarm(found)

    async def _commands(self) -> list[Command]:
        """Who asked what, the oldest first."""
        found: list[Command] = []
        after: str | None = None
        while True:
            page = await self._kept.commands(
                patient_id=self._patient_id,
                start_ms=self._start_ms,
                end_ms=self._end_ms,
                after=after,
                most=_PAGE,
            )
            found += page.rows
            after = page.after
            if after is None:
                return found[::-1]


_ALERT = msgspec.json.Decoder(Alert)
_MOVES = frozenset({CommandType.ADMIT, CommandType.TRANSFER, CommandType.DISCHARGE})
_PAGE = 1_000
_VITALS = topics.VITALS.name


def _by_alarm(alerts: list[Alert]) -> list[list[Alert]]:
    """Without restatements and what came twice after a crash."""
    found: dict[str, dict[int, Alert]] = {}
    for alert in alerts:
        found.setdefault(alert.alert_id, {}).setdefault(alert.transition, alert)
    told = [list(transitions.values()) for transitions in found.values()]
    return sorted(told, key=lambda transitions: transitions[0].onset)


class Counts(NamedTuple):
    """What was written.

    Attributes:
        messages: Of vitals.
        alarms: Of alerts, one each; 0 in CSV.
    """

    messages: int
    alarms: int


def span(patient_id: str, first: str | None, last: str | None) -> Span:
    """What is wanted, as a person says it.

    Args:
        patient_id: Who.
        first: ISO moment, UTC where it does not say; None: all that Kafka keeps.
        last: Likewise.

    Raises:
        ConfigurationError: One is no moment.
    """
    return Span(patient_id, _moment(first), _moment(last))


def export(settings: Settings, span: Span, path: Path, *, from_records: bool) -> Counts:
    """Write a stay to a file, which is there when it is whole.

    Args:
        settings: Where Kafka and the stores are.
        span: What is wanted.
        path: `.csv` for CSV, `.json` for a FHIR Bundle.
        from_records: What the archive keeps, instead of Kafka.

    Raises:
        ConfigurationError: Kafka, a store or the file is not as it must be, or nothing is
            known of the patient.
        StorageError: A store does not answer.
    """

    async def fill(write_out: Callable[[str], object]) -> Counts:
        if not from_records:
            return await write(Log(settings, span), write_out)
        async with records.opened(settings) as kept:
            return await write(Kept(kept, span, clock.now_ms()), write_out)

    if path.suffix not in _WRITERS:
        msg = f"{path}: want a name that ends in .csv or .json"
        raise ConfigurationError(msg)
    write = _WRITERS[path.suffix]
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            counts = asyncio.run(fill(file.write))
    except StorageError:
        part.unlink(missing_ok=True)
        raise
    except OSError as error:
        part.unlink(missing_ok=True)
        msg = f"{path}: {error.strerror or error}"
        raise ConfigurationError(msg) from error
    except KafkaError as error:
        part.unlink(missing_ok=True)
        msg = f"Kafka at {settings.broker}: {error}; see ICU_BROKER"
        raise ConfigurationError(msg) from error
    if not counts.messages:
        part.unlink()
        where = "the records" if from_records else settings.topic_prefix + _VITALS
        msg = f"nothing of patient {span.patient_id} in {where}"
        raise ConfigurationError(msg)
    part.replace(path)
    return counts


async def _csv(log: Source, write: Callable[[str], object]) -> Counts:
    write(flatfile.HEADER)
    count = 0
    async for arrived in log.vitals():
        line = flatfile.row(arrived.vitals)
        count += bool(line)
        write(line)
    return Counts(count, 0)


async def _fhir(log: Source, write: Callable[[str], object]) -> Counts:
    out = fhir.Bundle(clock.now_ms())
    write(out.begin())
    write(out.entry(fhir.patient(log.stay.patient_id)))
    count = 0
    async for arrived in log.vitals():
        count += 1
        for resource in fhir.vital_signs(arrived.vitals, arrived.arrived_ms):
            write(out.entry(resource))
    # Only now is it known when the stay began and whether it is over.
    write(out.entry(fhir.encounter(log.stay)))
    alarms = await log.alarms()
    for alerts in alarms:
        write(out.entry(fhir.detected_issue(alerts)))
    write(out.end())
    return Counts(count, len(alarms))


_WRITERS = {".csv": _csv, ".json": _fhir}


def _moment(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is no moment; want ISO 8601, as 2026-03-01T08:00:00Z"
        raise ConfigurationError(msg) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
