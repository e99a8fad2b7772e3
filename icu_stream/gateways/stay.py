"""`icu-stream export`: one patient's stay as a FHIR Bundle or CSV, from Kafka's topics.

Both are written piece by piece, so a week at one message a second takes no memory. A topic
is read twice at most: the patient's partition of vitals, then that of alerts.
"""

import asyncio

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from icu_stream import bus, clock
from icu_stream.contracts import envelope, topics
from icu_stream.contracts.alerts import Alert
from icu_stream.contracts.commands import Command, CommandType
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import decoding
from icu_stream.errors import ConfigurationError, ContractError
from icu_stream.gateways import fhir, flatfile
from icu_stream.gateways.fhir import Stay
from icu_stream.settings import Settings


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


class Log:
    """What Kafka's topics hold of one patient.

    Args:
        settings: Where Kafka is.
        span: What is wanted.

    Attributes:
        bed: The last one, once the vitals have been read.
        is_over: Was the patient discharged after the last message?
        first_ms: Of the first message, likewise.
        last_ms: Of the last one.
    """

    def __init__(self, settings: Settings, span: Span) -> None:
        self.bed = ""
        self.is_over = False
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self._settings = settings
        self._span = span

    @property
    def stay(self) -> Stay:
        """The stay as the vitals tell it."""
        return Stay(
            self._span.patient_id, self.bed, self.first_ms, self.last_ms, self.is_over
        )

    async def vitals(self) -> AsyncIterator[Arrived]:
        """What was measured, in the order of arrival."""
        async for value, headers, arrived_ms in self._records(topics.VITALS.name):
            if envelope.COMMAND in headers:
                self._heed(value)
            elif envelope.TICK not in headers:
                try:
                    found = decoding.decode(value)
                except ContractError:
                    continue  # the worker has kept it in dead-letters
                if not found.values and not found.status:
                    continue
                self.bed = found.bed or self.bed
                self.is_over = False
                first, last = self.first_ms, self.last_ms
                self.first_ms = found.time if first is None else min(first, found.time)
                self.last_ms = found.time if last is None else max(last, found.time)
                yield Arrived(found, arrived_ms)

    async def alarms(self) -> list[list[Alert]]:
        """The alerts of each alarm, in the order of their onsets."""
        found: dict[str, list[Alert]] = {}
        seen: set[tuple[str, int]] = set()
        async for value, _, _ in self._records(topics.ALERTS.name):
            try:
                alert = _ALERT.decode(value)
            except (msgspec.DecodeError, msgspec.ValidationError):
                continue
            key = (alert.alert_id, alert.transition)
            if key not in seen:  # a restatement, or a repeat after a crash
                seen.add(key)
                found.setdefault(alert.alert_id, []).append(alert)
        return sorted(found.values(), key=lambda alerts: alerts[0].onset)

    def _heed(self, value: bytes) -> None:
        """A patient's coming, going and moving."""
        try:
            command = _COMMAND.decode(value)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return
        if command.type is CommandType.DISCHARGE:
            self.is_over = True
        elif command.type in {CommandType.ADMIT, CommandType.TRANSFER}:
            self.is_over = False
            self.bed = command.bed or self.bed

    async def _records(
        self, name: str
    ) -> AsyncIterator[tuple[bytes, dict[str, bytes], int]]:
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
                            yield record.value, dict(record.headers), record.timestamp
        finally:
            await consumer.stop()


_ALERT = msgspec.json.Decoder(Alert)
_COMMAND = msgspec.json.Decoder(Command)


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


def export(settings: Settings, span: Span, path: Path) -> Counts:
    """Write a stay to a file, which is there when it is whole.

    Args:
        settings: Where Kafka is.
        span: What is wanted.
        path: `.csv` for CSV, `.json` for a FHIR Bundle.

    Raises:
        ConfigurationError: Kafka or the file is not as it must be, or nothing is known of
            the patient.
    """
    write = _WRITERS.get(path.suffix)
    if write is None:
        msg = f"{path}: want a name that ends in .csv or .json"
        raise ConfigurationError(msg)
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            counts = asyncio.run(write(Log(settings, span), file.write))
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
        msg = f"nothing of patient {span.patient_id} in {settings.topic_prefix}{topics.VITALS.name}; see ICU_TOPIC_PREFIX and ICU_PARTITIONS"
        raise ConfigurationError(msg)
    part.replace(path)
    return counts


async def _csv(log: Log, write: Callable[[str], object]) -> Counts:
    write(flatfile.HEADER)
    count = 0
    async for arrived in log.vitals():
        line = flatfile.row(arrived.vitals)
        count += bool(line)
        write(line)
    return Counts(count, 0)


async def _fhir(log: Log, write: Callable[[str], object]) -> Counts:
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
