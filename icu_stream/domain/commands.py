"""What a person asks about a patient, and what comes of it.

A command happens at its arrival, as a tick does. It is done once: its outcome is kept by
`command_id` (the last 64), and a command that is seen again is answered again.
"""

from collections.abc import Callable
from enum import StrEnum

from icu_stream.contracts.alerts import Event
from icu_stream.contracts.commands import Command, CommandResult, CommandType
from icu_stream.contracts.signals import BY_CODE
from icu_stream.domain import annunciation
from icu_stream.domain.annunciation import Bedside
from icu_stream.domain.patient import Answer
from icu_stream.errors import TransitionError


_LONGEST_BED = 128


class Refusal(StrEnum):
    """Why a command is not done."""

    NOT_SUPPORTED = "not supported yet"
    UNKNOWN_ALARM = "this patient has no such alarm"
    ALREADY_OVER = "the alarm is already over"
    ALREADY_ACKNOWLEDGED = "the alarm is already acknowledged"
    ALERT_ID_MISSING = "alert_id is missing: say which alarm"
    BED_MISSING = "bed is missing: say where to, in at most 128 characters"
    SIGNAL_MISSING = "signal is missing: say which signal is taken off"
    UNKNOWN_SIGNAL = "there is no such signal"
    NOT_MEASURED = "the signal is not measured, or is taken off already"
    OTHER_PROFILE = "another profile is in use here for all patients"


def answered(bedside: Bedside, command: Command) -> CommandResult | None:
    """The outcome of a command that was seen before."""
    answer = bedside.patient.commands.get(command.command_id)
    return None if answer is None else _result(bedside, command, answer)


def obey(
    bedside: Bedside, command: Command, time: int, arrived_ms: int
) -> CommandResult:
    """Do what is asked, or say why not; changes the patient.

    Args:
        bedside: Advanced to `time`.
        command: Not seen before.
        time: Its measurement time.
        arrived_ms: By our clock.
    """
    deed = _DEEDS.get(command.type)
    refusal = Refusal.NOT_SUPPORTED if deed is None else deed(bedside, command, time)
    answer = Answer(
        refusal is None, None if refusal is None else str(refusal), arrived_ms
    )
    bedside.patient.remember_answer(command.command_id, answer)
    return _result(bedside, command, answer)


def _result(bedside: Bedside, command: Command, answer: Answer) -> CommandResult:
    return CommandResult(
        command_id=command.command_id,
        accepted=answer.accepted,
        reason=answer.reason,
        patient_id=bedside.patient.patient_id,
        time=answer.time,
        type=command.type,
        by=command.by,
        alert_id=command.alert_id,
        actionable=command.actionable,
    )


def _admit(bedside: Bedside, command: Command, _time: int) -> Refusal | None:
    if command.profile not in {None, bedside.rules.name}:
        return Refusal.OTHER_PROFILE
    if command.bed is not None:
        if not 0 < len(command.bed) <= _LONGEST_BED:
            return Refusal.BED_MISSING
        bedside.patient.bed = command.bed
    bedside.patient.is_admitted = True
    return None


def _transfer(bedside: Bedside, command: Command, _time: int) -> Refusal | None:
    """Alarms go with the patient."""
    if not command.bed or len(command.bed) > _LONGEST_BED:
        return Refusal.BED_MISSING
    bedside.patient.bed = command.bed
    return None


def _discharge(bedside: Bedside, command: Command, time: int) -> Refusal | None:
    """Every alarm ends, nothing is expected any more, history and model are gone."""
    patient = bedside.patient
    reason = (command.reason or "")[:200]
    reason = f"discharged: {reason}" if reason else "discharged"
    for alarm in list(patient.alarms.values()):
        annunciation.change(
            bedside, alarm, Event.CLEARED, time, by=command.by, reason=reason
        )
    patient.forget()
    return None


def _acknowledge(bedside: Bedside, command: Command, time: int) -> Refusal | None:
    patient = bedside.patient
    if not command.alert_id:
        return Refusal.ALERT_ID_MISSING
    for alarm in patient.alarms.values():
        if command.alert_id == f"{patient.patient_id}:{alarm.code}:{alarm.onset}":
            break
    else:
        return _absent(bedside, command.alert_id)
    try:
        annunciation.change(bedside, alarm, Event.ACKNOWLEDGED, time, by=command.by)
    except TransitionError:
        return Refusal.ALREADY_ACKNOWLEDGED
    return None


def _absent(bedside: Bedside, alert_id: str) -> Refusal:
    """Was there such an alarm? Only the last of each code is remembered."""
    patient = bedside.patient
    rest, _, onset = alert_id.rpartition(":")
    owner, _, code = rest.rpartition(":")
    if owner != patient.patient_id or not onset.isdecimal():
        return Refusal.UNKNOWN_ALARM
    # Episodes of one code follow one another: an earlier onset is over.
    if int(onset) <= patient.ended.get(code, -1):
        return Refusal.ALREADY_OVER
    return Refusal.UNKNOWN_ALARM


def _signal_off(bedside: Bedside, command: Command, time: int) -> Refusal | None:
    """The signal is not expected until it comes again; its alarms end."""
    patient = bedside.patient
    code = command.signal
    if not code:
        return Refusal.SIGNAL_MISSING
    if code not in BY_CODE:
        return Refusal.UNKNOWN_SIGNAL
    track = patient.tracks.get(code)
    if track is None or not track.is_expected:
        return Refusal.NOT_MEASURED
    for alarm in list(patient.alarms.values()):
        if bedside.rules.rows[alarm.code].signal == code:
            annunciation.change(
                bedside,
                alarm,
                Event.CLEARED,
                time,
                by=command.by,
                reason=f"{BY_CODE[code].name} taken off",
            )
    for run in [run for run in patient.runs if run.partition(".")[0] == code]:
        del patient.runs[run]
    track.take_off()
    patient.count_busy()
    patient.unbind()
    return None


_DEEDS: dict[CommandType, Callable[[Bedside, Command, int], Refusal | None]] = {
    CommandType.ADMIT: _admit,
    CommandType.TRANSFER: _transfer,
    CommandType.DISCHARGE: _discharge,
    CommandType.ACKNOWLEDGE: _acknowledge,
    CommandType.SIGNAL_OFF: _signal_off,
}
