"""Steps the patients through the records of their partition's log, one by one.

The log holds what devices measured, the worker's ticks, and commands in their order:
all that changes a patient. Nothing awaits between two records of a chunk.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from aiokafka import ConsumerRecord
from faust.types import StreamT

from icu_stream import observability
from icu_stream.contracts import envelope, topics
from icu_stream.contracts.commands import Command, CommandResult, CommandType
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import decoding, monitor
from icu_stream.domain.annunciation import Message
from icu_stream.domain.limits import Rules
from icu_stream.domain.patient import Patient
from icu_stream.engine.application import app
from icu_stream.engine.partition import Partition
from icu_stream.errors import ContractError


_COMMAND = msgspec.json.Decoder(Command)


@app.watcher(topics.VITALS)
async def watch_vitals(stream: StreamT[Any]) -> None:
    """Step the patients of each chunk; the checkpoint does the rest."""
    async for chunk in app.chunks(stream):
        apply(app.parts[chunk.tp], chunk.records, app.rules)


def apply(
    part: Partition[Patient], records: Sequence[ConsumerRecord], rules: Rules
) -> None:
    """Apply records in order; what one of them raises concerns that one alone."""
    decode, step = decoding.decode_usual, monitor.step
    hot, dirty, unreadable = part.hot, part.dirty, part.unreadable
    for record in records:
        value = record.value
        try:
            vitals = decode(value)
        except Exception:  # noqa: BLE001 - read again there, and refused if it must be
            _apply_rare(part, record, rules)
            continue
        patient_id = vitals.patient_id
        patient = hot.get(patient_id)
        if (
            patient is None
            or record.headers
            or unreadable
            or len(value) > decoding.MAX_BYTES
        ):
            _apply_rare(part, record, rules)
            continue
        if record.offset <= patient.last_offset:
            observability.REPEATED.inc()
            continue
        patient.last_offset = record.offset
        dirty.add(patient_id)
        try:
            said = step(patient, vitals, record.timestamp, rules)
        except Exception as error:  # noqa: BLE001 - said aloud at the bed
            said = _fault(part, record, patient, vitals, rules, error)
        if said:
            part.say(said)


def _apply_rare(part: Partition[Patient], record: ConsumerRecord, rules: Rules) -> None:
    """A record that is not as it should be, or has headers; or of a patient without state.

    That is a patient who is not in memory, or whose saved state could not be read.
    """
    try:
        vitals = decoding.decode(record.value)
    except Exception as error:  # noqa: BLE001 - never a crash loop over one record
        part.refuse(
            record, str(error), None if isinstance(error, ContractError) else error
        )
        return
    patient_id = vitals.patient_id
    headers = {name for name, _ in record.headers}
    if envelope.COMMAND in headers:
        _apply_command(part, record, rules)
        return
    patient = part.patient(patient_id)
    if patient is None:
        part.forward(record, patient_id)
        return
    if record.offset <= patient.last_offset:
        observability.REPEATED.inc()
        return
    patient.last_offset = record.offset
    part.dirty.add(patient_id)
    if (why := part.unreadable.pop(patient_id, None)) is not None:
        part.say(monitor.fault(patient, vitals.time, why, rules))
    try:
        if envelope.TICK in headers:
            said = monitor.tick(patient, record.timestamp, rules)
        else:
            replay = envelope.REPLAY in headers
            said = monitor.step(patient, vitals, record.timestamp, rules, replay=replay)
    except Exception as error:  # noqa: BLE001 - said aloud at the bed
        said = _fault(part, record, patient, vitals, rules, error)
    part.say(said)


def _apply_command(
    part: Partition[Patient], record: ConsumerRecord, rules: Rules
) -> None:
    try:
        command = _COMMAND.decode(record.value)
    except msgspec.MsgspecError as error:
        part.refuse(record, f"command: {error}")
        return
    patient = part.hot.get(command.patient_id)
    if patient is None and command.type is not CommandType.ADMIT:
        refusal = CommandResult(
            command_id=command.command_id,
            accepted=False,
            reason=f"no patient {command.patient_id} is known",
            patient_id=command.patient_id,
            time=record.timestamp,
            type=command.type,
            by=command.by,
            station=command.station,
        )
        part.say([refusal])
        return
    patient = patient or part.patient(command.patient_id)
    if patient is None:
        part.forward(record, command.patient_id)
        return
    if record.offset <= patient.last_offset:
        observability.REPEATED.inc()
        return
    patient.last_offset = record.offset
    part.dirty.add(command.patient_id)
    try:
        result, said = monitor.command(patient, command, record.timestamp, rules)
    except Exception as error:  # noqa: BLE001 - said aloud at the bed
        part.refuse(record, f"command raised {error!r}", error)
        part.say(monitor.fault(patient, record.timestamp, repr(error), rules))
        return
    part.say([result, *said])


def _fault(
    part: Partition[Patient],
    record: ConsumerRecord,
    patient: Patient,
    vitals: Vitals,
    rules: Rules,
    error: Exception,
) -> list[Message]:
    """A rule raised: the record to dead-letters, the bed told, the rest as decided."""
    observability.FAULTS.inc()
    cause = error.__cause__ or error
    part.refuse(record, f"rule raised {cause!r}", cause)
    said = list(error.messages) if isinstance(error, monitor.RuleError) else []
    return said + list(monitor.fault(patient, vitals.time, repr(cause), rules))
