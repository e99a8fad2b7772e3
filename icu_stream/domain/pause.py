"""A pause of one patient's alarms: a silence with an end, told at both ends.

Rule 28 of `docs/alarms.md`. That an alarm is not loud meanwhile is decided in
`annunciation`; the end is one of the moments that fall due (`escalation`).
"""

from icu_stream.contracts.alerts import Event, State
from icu_stream.domain import annunciation, notes
from icu_stream.domain.alarm import Alarm
from icu_stream.domain.annunciation import Bedside
from icu_stream.domain.notes import Reason
from icu_stream.domain.patient import Patient


CODE = "bed.pause"


def begin(bedside: Bedside, time: int, until: int, by: str, reason: str) -> None:
    """Pause the alarms from now until a moment; changes the patient and says so.

    Args:
        bedside: Not paused.
        time: Of the command, measurement time.
        until: The first moment that is not paused.
        by: Who.
        reason: Why.
    """
    patient, rules, _ = bedside
    # Two pauses may begin at one moment; their ids must differ.
    onset = max(time, patient.ended.get(CODE, 0) + 1)
    alarm = Alarm(CODE, onset, rules.rows[CODE].priority)
    alarm.raised = time
    alarm.note = notes.pause(until, by, reason)
    patient.alarms[CODE] = alarm
    patient.pause_until = until
    patient.due = min(patient.due, until)
    annunciation.change(bedside, alarm, Event.PAUSED, time, by=by, reason=reason)


def end(
    bedside: Bedside, time: int, *, by: str | None = None, reason: str = ""
) -> None:
    """Let the alarms be heard again, and remind of each that is active.

    Args:
        bedside: Paused.
        time: When, measurement time.
        by: Who, where a person did it.
        reason: Why, where a person said so.
    """
    patient, rules, _ = bedside
    stop(bedside, time, by=by, reason=reason)
    alarms = sorted(patient.alarms.values(), key=lambda a: rules.rows[a.code].rank)
    for alarm in alarms:
        if alarm.state is State.ACTIVE:
            annunciation.change(
                bedside, alarm, Event.REMINDED, time, reason=Reason.PAUSE_OVER
            )


def move(patient: Patient, by_ms: int) -> None:
    """Let a pause that began before the first message end by that one's clock."""
    if not patient.pause_until:
        return
    patient.pause_until += by_ms
    alarm = patient.alarms[CODE]
    alarm.restate += by_ms
    told = notes.read_pause(alarm.note)
    alarm.note = notes.pause(patient.pause_until, told.by, told.reason)


def stop(
    bedside: Bedside, time: int, *, by: str | None = None, reason: str = ""
) -> None:
    """Say that the pause is over, and no more."""
    patient = bedside.patient
    patient.pause_until = 0
    alarm = patient.alarms[CODE]
    annunciation.change(bedside, alarm, Event.RESUMED, time, by=by, reason=reason)
