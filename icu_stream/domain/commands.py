"""What a person asks about a patient, and what comes of it.

A command happens at its arrival, as a tick does. It is done once: its outcome is kept by
`command_id` (the last 64), and a command that is seen again is answered again.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from icu_stream.contracts.alerts import Event
from icu_stream.contracts.commands import (
    Command,
    CommandResult,
    CommandType,
    LimitChange,
)
from icu_stream.contracts.signals import BY_CODE
from icu_stream.domain import annunciation, pause, status
from icu_stream.domain.annunciation import Bedside
from icu_stream.domain.notes import Reason
from icu_stream.domain.patient import Answer
from icu_stream.errors import TransitionError


_LONGEST_BED = 128
_LONGEST_REASON = 200
_SHORTEST_PAUSE_MS = 1000


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
    REASON_MISSING = "reason is missing: say why"
    ALREADY_PAUSED = "the alarms are paused already"
    NOT_PAUSED = "the alarms are not paused"
    A_PAUSE = "a pause is not acknowledged: resume the alarms instead"
    ACTIONABLE_MISSING = "actionable is missing: say whether the alarm was worth it"


class Granted(NamedTuple):
    """What was done, where the answer says more than that it was.

    Attributes:
        limits: That changed, or are proposed.
        expires: Until when, by our clock.
    """

    limits: tuple[LimitChange, ...] = ()
    expires: int | None = None


# What a deed comes to: why not, or what was done.
Outcome = str | Granted
_DONE = Granted()


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
    outcome = Refusal.NOT_SUPPORTED if deed is None else deed(bedside, command, time)
    if isinstance(outcome, Granted):
        limits = list(outcome.limits) or None
        answer = Answer(True, None, arrived_ms, limits, outcome.expires)
    else:
        answer = Answer(False, str(outcome), arrived_ms)
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
        limits=answer.limits or [],
        expires=answer.expires,
    )


def _wall(bedside: Bedside, time: int) -> int:
    """A moment of measurement time by our clock."""
    last = bedside.patient.last
    return time if last is None else time - last.skew


def _why(command: Command) -> str:
    return (command.reason or "").strip()[:_LONGEST_REASON]


def _admit(bedside: Bedside, command: Command, _time: int) -> Outcome:
    if command.profile not in {None, bedside.rules.name}:
        return Refusal.OTHER_PROFILE
    if command.bed is not None:
        if not 0 < len(command.bed) <= _LONGEST_BED:
            return Refusal.BED_MISSING
        bedside.patient.bed = command.bed
    bedside.patient.is_admitted = True
    return _DONE


def _transfer(bedside: Bedside, command: Command, _time: int) -> Outcome:
    """Alarms go with the patient."""
    if not command.bed or len(command.bed) > _LONGEST_BED:
        return Refusal.BED_MISSING
    bedside.patient.bed = command.bed
    return _DONE


def _discharge(bedside: Bedside, command: Command, time: int) -> Outcome:
    """Every alarm ends, nothing is expected any more, history and model are gone."""
    patient = bedside.patient
    reason = _why(command)
    reason = f"{Reason.DISCHARGED}: {reason}" if reason else Reason.DISCHARGED
    for alarm in list(patient.alarms.values()):
        if alarm.code == pause.CODE:
            pause.stop(bedside, time, by=command.by, reason=reason)
            continue
        annunciation.change(
            bedside, alarm, Event.CLEARED, time, by=command.by, reason=reason
        )
    patient.forget()
    return _DONE


def _acknowledge(bedside: Bedside, command: Command, time: int) -> Outcome:
    patient = bedside.patient
    if not command.alert_id:
        return Refusal.ALERT_ID_MISSING
    for alarm in patient.alarms.values():
        if command.alert_id == f"{patient.patient_id}:{alarm.code}:{alarm.onset}":
            break
    else:
        return _absent(bedside, command.alert_id)
    if alarm.code == pause.CODE:
        return Refusal.A_PAUSE
    try:
        annunciation.change(bedside, alarm, Event.ACKNOWLEDGED, time, by=command.by)
    except TransitionError:
        return Refusal.ALREADY_ACKNOWLEDGED
    return _DONE


def _feedback(bedside: Bedside, command: Command, _time: int) -> Outcome:
    """Nothing changes: the answer is the record of it."""
    if not command.alert_id:
        return Refusal.ALERT_ID_MISSING
    if command.actionable is None:
        return Refusal.ACTIONABLE_MISSING
    patient = bedside.patient
    for alarm in patient.alarms.values():
        if command.alert_id == f"{patient.patient_id}:{alarm.code}:{alarm.onset}":
            return _DONE
    absent = _absent(bedside, command.alert_id)
    return _DONE if absent is Refusal.ALREADY_OVER else absent


def _pause(bedside: Bedside, command: Command, time: int) -> Outcome:
    longest_ms = bedside.rules.pause_ms
    length_ms = longest_ms if command.seconds is None else round(command.seconds * 1000)
    if not _why(command):
        return Refusal.REASON_MISSING
    if not _SHORTEST_PAUSE_MS <= length_ms <= longest_ms:
        return f"seconds is {command.seconds:g}: want 1 to {longest_ms / 1000:g}"
    if bedside.patient.pause_until:
        return Refusal.ALREADY_PAUSED
    until = time + length_ms
    pause.begin(bedside, time, until, command.by, _why(command))
    return Granted(expires=_wall(bedside, until))


def _resume(bedside: Bedside, command: Command, time: int) -> Outcome:
    if not bedside.patient.pause_until:
        return Refusal.NOT_PAUSED
    pause.end(bedside, time, by=command.by, reason=_why(command))
    return _DONE


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


def _signal_off(bedside: Bedside, command: Command, time: int) -> Outcome:
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
                reason=Reason.TAKEN_OFF,
            )
    for run in [run for run in patient.runs if run.partition(".")[0] == code]:
        del patient.runs[run]
    for told in [told for told in patient.raised if told.partition(".")[0] == code]:
        del patient.raised[told]
    status.break_rows(patient, code)
    track.take_off()
    patient.count_busy()
    patient.unbind()
    return _DONE


_DEEDS: dict[CommandType, Callable[[Bedside, Command, int], Outcome]] = {
    CommandType.ADMIT: _admit,
    CommandType.TRANSFER: _transfer,
    CommandType.DISCHARGE: _discharge,
    CommandType.ACKNOWLEDGE: _acknowledge,
    CommandType.PAUSE: _pause,
    CommandType.RESUME: _resume,
    CommandType.SIGNAL_OFF: _signal_off,
    CommandType.FEEDBACK: _feedback,
}
