"""Alarms of a patient begin, change and end here, and each change is a message.

All go through `icu_stream.domain.alarm`'s table. `Bedside` is what is needed to speak:
the patient, its rules, and what has been said so far on one record.
"""

from typing import NamedTuple

from icu_stream.contracts.alerts import Alert, Event, Priority, State
from icu_stream.contracts.scores import Scores
from icu_stream.domain import explain
from icu_stream.domain.alarm import Alarm
from icu_stream.domain.limits import STRENGTH, Condition, Row, Rules
from icu_stream.domain.notes import Reason
from icu_stream.domain.patient import Patient


Message = Alert | Scores

_SOUNDING = frozenset({Event.RAISED, Event.ESCALATED, Event.WORSENED, Event.REMINDED})


class Bedside(NamedTuple):
    """One patient while one record is applied.

    Attributes:
        patient: Settled; changed.
        rules: The patient's.
        said: Messages so far; appended to.
    """

    patient: Patient
    rules: Rules
    said: list[Message]


def begin(
    bedside: Bedside,
    row: Row,
    onset: int,
    time: int,
    *,
    value: float | None = None,
    extreme: float | None = None,
    note: str = "",
    is_chattering: bool = False,
) -> None:
    """Raise an alarm; a latched one of the same code makes place for it (rule 11)."""
    patient = bedside.patient
    latched = patient.alarms.get(row.code)
    if latched is not None:
        change(bedside, latched, Event.CLEARED, time, reason=Reason.NEW_EPISODE)
    alarm = Alarm(
        row.code,
        onset,
        row.priority,
        value=value,
        extreme=extreme,
        note=note,
        worst=extreme,
        is_chattering=is_chattering,
    )
    alarm.raised = time
    if row.escalate_ms is not None:
        alarm.escalate = time + row.escalate_ms
    patient.alarms[row.code] = alarm
    reason = Reason.CHATTERING if is_chattering else ""
    change(bedside, alarm, Event.RAISED, time, reason=reason)


def end(bedside: Bedside, code: str, time: int, *, value: float | None = None) -> None:
    """The condition has gone away: cleared, or latched if high and unseen (rule 11)."""
    alarm = bedside.patient.alarms.get(code)
    if alarm is None or not alarm.is_holding:
        return
    alarm.value, alarm.ended = value, time
    is_unseen = alarm.state is State.ACTIVE and alarm.priority is Priority.HIGH
    change(bedside, alarm, Event.LATCHED if is_unseen else Event.CLEARED, time)


def change(
    bedside: Bedside,
    alarm: Alarm,
    event: Event,
    time: int,
    *,
    by: str | None = None,
    reason: str = "",
) -> None:
    """Move an alarm by an event and say so, aloud where rules 12 and 28 say so.

    Raises:
        TransitionError: The alarm's state does not allow it; nothing was changed.
    """
    patient, rules, said = bedside
    alarm.move(event)
    row = rules.rows[alarm.code]
    alarm.restate = time + rules.standing_ms
    if event is Event.ACKNOWLEDGED:
        alarm.escalate = 0
        alarm.remind = time + rules.remind_ms
    elif event is not Event.STANDING:
        alarm.remind = 0
        if event is Event.WORSENED:
            alarm.escalate = _rises(row, alarm, time)
        elif event not in {Event.RAISED, Event.REMINDED}:
            alarm.escalate = 0
    said.append(
        explain.alert(
            patient,
            rules,
            alarm,
            event,
            time,
            annunciate=event in _SOUNDING and _is_loud(bedside, row, alarm, event),
            by=by,
            reason=reason,
        )
    )
    if alarm.state is State.CLEARED:
        del patient.alarms[alarm.code]
        patient.remember_end(alarm.code, alarm.onset)
        return
    falls_due = [m for m in (alarm.restate, alarm.escalate, alarm.remind) if m]
    patient.due = min(patient.due, *falls_due)


def _rises(row: Row, alarm: Alarm, time: int) -> int:
    """When an alarm that counts anew will rise; 0 where it has, or never does."""
    if row.escalate_ms is None or row.escalate_to is None:
        return 0
    has_risen = STRENGTH[alarm.priority] >= STRENGTH[row.escalate_to]
    return 0 if has_risen else time + row.escalate_ms


def _is_loud(bedside: Bedside, row: Row, alarm: Alarm, event: Event) -> bool:
    patient = bedside.patient
    if event is not Event.ESCALATED and has_stronger(
        patient, bedside.rules, row, alarm.priority
    ):
        return False
    # A high alarm and a worsening break through a pause.
    is_silenced = alarm.priority is not Priority.HIGH and event is not Event.WORSENED
    return not (patient.pause_until and is_silenced)


def has_stronger(patient: Patient, rules: Rules, row: Row, priority: Priority) -> bool:
    """Does a stronger alarm of the same signal and direction stand for it (rule 12)?"""
    if row.condition is None or row.signal is None:
        stronger = (patient.alarms.get(code) for code in row.covered_by)
        return any(
            alarm is not None
            and alarm.is_holding
            and STRENGTH[alarm.priority] > STRENGTH[priority]
            for alarm in stronger
        )
    is_high = row.condition is Condition.HIGH
    for other in rules.limits[row.signal]:
        if (other.condition is Condition.HIGH) is not is_high:
            continue
        alarm = patient.alarms.get(other.code)
        if alarm is None or not alarm.is_holding:
            continue
        if STRENGTH[alarm.priority] > STRENGTH[priority]:
            return True
    return False
