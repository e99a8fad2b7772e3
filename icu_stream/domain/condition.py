"""A condition on its way to an alarm: idle, pending, active, and over.

Rules 8 to 10, 26 and 27 of `docs/alarms.md`, for whatever can be violated: a limit, an ECG
fault, a value that is not valid, an added rule. A run is kept only while it is not idle.
"""

from icu_stream.contracts.alerts import Event, Priority
from icu_stream.domain import annunciation
from icu_stream.domain.alarm import Alarm
from icu_stream.domain.annunciation import Bedside
from icu_stream.domain.limits import Condition, Row, Verdict
from icu_stream.domain.patient import Patient, Run


# Worse by so much of the limit is worse: CLINICAL.md, "States".
WORSE_BY = 0.2
# More than three times a minute is one chattering alarm: CLINICAL.md, "States".
CHATTER_TIMES = 3
CHATTER_MS = 60_000
# A suspect value holds an alarm back by at most so much: CLINICAL.md, "Corroboration".
HELD_MS = 10_000
_DIGITS = 6  # differences are compared as a profile can mean them


def follow(
    bedside: Bedside,
    row: Row,
    verdict: Verdict,
    time: int,
    *,
    value: float | None,
    is_gap: bool,
    is_suspect: bool = False,
    note: str = "",
) -> None:
    """Let one value decide one condition; changes the patient, says what follows.

    Args:
        bedside: Where.
        row: The condition's alarm.
        verdict: What the value means for it.
        time: The value's, measurement time.
        value: What the alert carries; None where it is no number.
        is_gap: The time since the last deciding value reaches the no-data time.
        is_suspect: It raises an alarm that is not high later, and worsens none (rule 22).
        note: What the sentence needs, where it begins and where it ends.
    """
    patient = bedside.patient
    runs = patient.runs
    run = runs.get(row.code)
    if run is not None and run.is_active:
        if is_suspect and verdict is Verdict.VIOLATED and _may_wait(row):
            is_suspect = patient.alarms[row.code].priority is not Priority.HIGH
        else:
            is_suspect = False
        _follow_active(
            bedside,
            row,
            run,
            verdict,
            time,
            value,
            is_gap=is_gap,
            is_held=is_suspect,
            note=note,
        )
        return
    if verdict is not Verdict.VIOLATED:
        if run is not None:
            del runs[row.code]
        return
    if run is None or is_gap:
        run = runs[row.code] = Run(onset=time)
    run.extreme = _worse(row, run.extreme, value)
    delay_ms = row.delay_ms
    if is_suspect and row.priority is not Priority.HIGH and _may_wait(row):
        delay_ms += HELD_MS
    if time >= run.onset + delay_ms:
        run.is_active = True
        annunciation.begin(
            bedside,
            row,
            run.onset,
            time,
            value=value,
            extreme=run.extreme,
            note=note,
            is_chattering=_is_chattering(patient, row, time),
        )


def _follow_active(
    bedside: Bedside,
    row: Row,
    run: Run,
    verdict: Verdict,
    time: int,
    value: float | None,
    *,
    is_gap: bool,
    is_held: bool,
    note: str,
) -> None:
    patient = bedside.patient
    if verdict is not Verdict.INSIDE:
        run.inside = 0
        if verdict is Verdict.VIOLATED:
            run.extreme = _worse(row, run.extreme, value)
            alarm = patient.alarms[row.code]
            if alarm.worst is None:  # of a state that was saved before it was kept
                alarm.worst = alarm.extreme
            alarm.extreme = run.extreme
            if value is not None and not is_held and has_worsened(row, alarm, value):
                alarm.value = alarm.worst = value
                annunciation.change(bedside, alarm, Event.WORSENED, time)
        return
    if not run.inside or is_gap:
        run.inside = time
    is_chattering = patient.alarms[row.code].is_chattering
    if time >= run.inside + (CHATTER_MS if is_chattering else row.clear_ms):
        del patient.runs[row.code]
        if note:
            patient.alarms[row.code].note = note
        annunciation.end(bedside, row.code, time, value=value)


def _may_wait(row: Row) -> bool:
    """Is it a limit on a value that does not stand for itself, as a cuff's does?"""
    return row.condition is not None and row.clear_ms > 0


def _is_chattering(patient: Patient, row: Row, time: int) -> bool:
    """Is it the fourth time within a minute, or more (rule 27)? Counts this time."""
    if row.priority is Priority.HIGH:
        return False
    if row.condition is None and not row.code.endswith(".invalid"):
        return False
    before = patient.raised.get(row.code, [])
    patient.raised[row.code] = [*before, time][-CHATTER_TIMES:]
    return len(before) == CHATTER_TIMES and time - before[-CHATTER_TIMES] < CHATTER_MS


def has_worsened(row: Row, alarm: Alarm, value: float) -> bool:
    """Is a violating value worse by a fifth of the limit or more (rule 26)?"""
    if alarm.worst is None or not row.limit:  # a zero, too, has no worse
        return False
    is_high = row.condition is Condition.HIGH
    by = value - alarm.worst if is_high else alarm.worst - value
    return round(by, _DIGITS) >= round(WORSE_BY * abs(row.limit), _DIGITS)


def _worse(row: Row, extreme: float | None, value: float | None) -> float | None:
    if row.condition is None or value is None:
        return None
    if extreme is None:
        return value
    worse = max if row.condition is Condition.HIGH else min
    return worse(extreme, value)
