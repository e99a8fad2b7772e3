"""What a person asks about a patient, and what comes of it.

A command happens at its arrival, as a tick does. It is done once: its outcome is kept by
`command_id` (the last 64), and a command that is seen again is answered again.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from icu_stream.contracts.alerts import Event, named
from icu_stream.contracts.commands import (
    Command,
    CommandResult,
    CommandType,
    LimitChange,
)
from icu_stream.contracts.signals import BY_CODE
from icu_stream.domain import annunciation, assessment, pause, personal, status
from icu_stream.domain.alarm import Alarm
from icu_stream.domain.annunciation import Bedside
from icu_stream.domain.notes import Reason
from icu_stream.domain.patient import Answer, Own, Patient, Proposal
from icu_stream.errors import TransitionError


_LONGEST_BED = 128
_LONGEST_REASON = 200
# More digits are no epoch milliseconds, and Python reads no more than 4,300.
_LONGEST_ONSET = 16
_SHORTEST_PAUSE_MS = 1000
# Longer than anything that is allowed: the seconds that a person asks for are cut to it
# before they are held against what is.
_FAR_S = 1e9
# Ours: limits of one patient are looked at again in each shift, and at the latest after a
# long weekend; a proposal that nobody takes at once is of a patient as it was.
_LIMITS_LAST_MS = 12 * 3_600_000
_LIMITS_LONGEST_MS = 72 * 3_600_000
_PROPOSAL_LASTS_MS = 600_000


class Refusal(StrEnum):
    """Why a command is not done."""

    UNKNOWN_ALARM = "this patient has no such alarm"
    ALREADY_OVER = "the alarm is already over"
    ALREADY_ACKNOWLEDGED = "the alarm is already acknowledged"
    ALERT_ID_MISSING = "alert_id is missing: say which alarm"
    BED_MISSING = "bed is missing: say where to, in at most 128 characters"
    SIGNAL_MISSING = "signal is missing: say which signal is taken off"
    UNKNOWN_SIGNAL = "there is no such signal"
    NOT_MEASURED = "the signal is not measured, or is taken off already"
    UNKNOWN_PROFILE = "there is no such profile here"
    REASON_MISSING = "reason is missing: say why"
    ALREADY_PAUSED = "the alarms are paused already"
    NOT_PAUSED = "the alarms are not paused"
    A_PAUSE = "a pause is not acknowledged: resume the alarms instead"
    LIMITS_MISSING = "limits is missing: say which, and what they shall be"
    LIMIT_TWICE = "a code is there twice"
    EXPIRY = "expires is not within the next 72 h"
    NO_OWN_LIMITS = "this patient has no limits of its own"
    NOTHING_TO_PROPOSE = "nothing to propose: too little history, or all is as it is"
    UNKNOWN_PROPOSAL = "there is no such proposal, or it is too late"
    PROPOSAL_AND_LIMITS = "a proposal is taken as it is: leave limits out"
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
    outcome = _DEEDS[command.type](bedside, command, time)
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
        station=command.station,
    )


def _wall(bedside: Bedside, time: int) -> int:
    """A moment of measurement time by our clock."""
    last = bedside.patient.last
    return time if last is None else time - last.skew


def _ms(seconds: float) -> int:
    return round(max(-_FAR_S, min(seconds, _FAR_S)) * 1000)


def _why(command: Command) -> str:
    return (command.reason or "").strip()[:_LONGEST_REASON]


def _admit(bedside: Bedside, command: Command, time: int) -> Outcome:
    rules, name = bedside.rules, command.profile
    is_other = name is not None and name != rules.name
    if is_other and name not in rules.profiles:
        return Refusal.UNKNOWN_PROFILE
    if command.bed is not None:
        if not 0 < len(command.bed) <= _LONGEST_BED:
            return Refusal.BED_MISSING
        bedside.patient.bed = command.bed
    if name is not None and is_other:
        personal.take_profile(bedside, name, time, command.by)
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
    alarm = _alarm_of(patient, command.alert_id)
    if alarm is None:
        return _absent(patient, command.alert_id)
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
    if _alarm_of(patient, command.alert_id) is not None:
        return _DONE
    code, onset = _parts(patient, command.alert_id)
    last = patient.ended.get(code, -1)
    # Where an alarm of the code is there, the last that is over is the one before it.
    before = last if code in patient.alarms else patient.ended_before.get(code, -1)
    is_known = code and (onset == last or onset <= before)
    return _DONE if is_known else Refusal.UNKNOWN_ALARM


def _pause(bedside: Bedside, command: Command, time: int) -> Outcome:
    longest_ms = bedside.rules.pause_ms
    length_ms = longest_ms if command.seconds is None else _ms(command.seconds)
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


def _observe(bedside: Bedside, command: Command, time: int) -> Outcome:
    refusal = assessment.observe(bedside, command, time)
    return _DONE if refusal is None else refusal


def _set_limits(bedside: Bedside, command: Command, time: int) -> Outcome:
    patient = bedside.patient
    until = time + _LIMITS_LAST_MS
    if command.expires is not None:
        until = command.expires + time - _wall(bedside, time)
    changes = command.limits
    refusal: str | None
    if command.proposal is None:
        refusal = _limits_refusal(command)
    else:
        refusal = _proposal_refusal(patient, command, time)
        if patient.proposal is not None:
            changes = patient.proposal.limits
    if not time < until <= time + _LIMITS_LONGEST_MS:
        refusal = refusal or Refusal.EXPIRY
    if refusal is not None:
        return refusal
    own = _with(bedside, command, changes, time, until)
    refusal = personal.refused(personal.profile_of(bedside.rules), own)
    if refusal is not None:
        return refusal
    personal.change(bedside, own)
    return Granted(tuple(changes), _wall(bedside, until))


def _with(
    bedside: Bedside,
    command: Command,
    changes: Iterable[LimitChange],
    time: int,
    until: int,
) -> dict[str, Own]:
    """The patient's own limits and these."""
    own = dict(bedside.patient.own)
    for change in changes:
        before = own.get(change.code, Own(None, None))
        delay_ms = None if change.delay_s is None else _ms(change.delay_s)
        own[change.code] = Own(
            before.limit if change.limit is None else change.limit,
            before.delay_ms if delay_ms is None else delay_ms,
            until,
            command.by,
            _why(command),
            _wall(bedside, time),
            _wall(bedside, until),
        )
    return own


def _limits_refusal(command: Command) -> Refusal | None:
    changes = command.limits
    if not _why(command):
        return Refusal.REASON_MISSING
    if not changes or any(c.limit is None and c.delay_s is None for c in changes):
        return Refusal.LIMITS_MISSING
    if len({change.code for change in changes}) < len(changes):
        return Refusal.LIMIT_TWICE
    return None


def _proposal_refusal(patient: Patient, command: Command, time: int) -> Refusal | None:
    proposal = patient.proposal
    if command.limits:
        return Refusal.PROPOSAL_AND_LIMITS
    if proposal is None or proposal.command_id != command.proposal:
        return Refusal.UNKNOWN_PROPOSAL
    if time >= proposal.until:
        return Refusal.UNKNOWN_PROPOSAL
    return None if _why(command) else Refusal.REASON_MISSING


def _reset_limits(bedside: Bedside, command: Command, _time: int) -> Outcome:
    patient = bedside.patient
    codes = [change.code for change in command.limits] or sorted(patient.own)
    if not codes:
        return Refusal.NO_OWN_LIMITS
    for code in codes:
        if code not in patient.own:
            return f"{code}: the limit is not this patient's own"
    own = {code: limit for code, limit in patient.own.items() if code not in codes}
    reason = personal.refused(personal.profile_of(bedside.rules), own)
    if reason is not None:
        return reason
    personal.change(bedside, own)
    return Granted(tuple(LimitChange(code) for code in codes))


def _propose_limits(bedside: Bedside, command: Command, time: int) -> Outcome:
    """Nothing changes until a person takes them."""
    if command.proposal is not None:
        return _withdraw(bedside.patient, command, time)
    until = time + _PROPOSAL_LASTS_MS
    changes = tuple(command.limits)
    if changes:
        until = time + _LIMITS_LAST_MS
        refusal: str | None = _limits_refusal(command)
        if refusal is None:
            own = _with(bedside, command, changes, time, until)
            refusal = personal.refused(personal.profile_of(bedside.rules), own)
        if refusal is not None:
            return refusal
    else:
        changes = personal.proposed(bedside.patient, bedside.rules)
    if not changes:
        return Refusal.NOTHING_TO_PROPOSE
    bedside.patient.propose(Proposal(command.command_id, list(changes), until))
    return Granted(changes, _wall(bedside, until))


def _withdraw(patient: Patient, command: Command, time: int) -> Outcome:
    """Nobody can take it any more."""
    refusal = _proposal_refusal(patient, command, time)
    if refusal is not None:
        return refusal
    patient.propose(None)
    return _DONE


def _alarm_of(patient: Patient, alert_id: str) -> Alarm | None:
    for alarm in patient.alarms.values():
        if alert_id == alarm.alert_id(patient.patient_id):
            return alarm
    return None


def _parts(patient: Patient, alert_id: str) -> tuple[str, int]:
    """Code and onset of an alarm's id; no code where it cannot be this patient's."""
    owner, code, onset = named(alert_id)
    is_ours = owner == patient.patient_id and len(onset) <= _LONGEST_ONSET
    return (code, int(onset)) if is_ours and onset.isdecimal() else ("", 0)


def _absent(patient: Patient, alert_id: str) -> Refusal:
    """Was there such an alarm? Only the last of each code is remembered."""
    code, onset = _parts(patient, alert_id)
    # Episodes of one code follow one another: an earlier onset is over.
    if code and onset <= patient.ended.get(code, -1):
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
    CommandType.SET_LIMITS: _set_limits,
    CommandType.RESET_LIMITS: _reset_limits,
    CommandType.PROPOSE_LIMITS: _propose_limits,
    CommandType.OBSERVE: _observe,
    CommandType.SIGNAL_OFF: _signal_off,
    CommandType.FEEDBACK: _feedback,
}
