"""What falls due with time: pauses, silence, escalation, reminders, statements, scores.

Rules 15 to 20 of `docs/alarms.md`. Every due moment is in the patient's state or follows
from it, so it does not matter what brings time forward: the next message, a tick of the
worker's clock, or a command.
"""

from collections.abc import Container, Iterator
from typing import NamedTuple

from icu_stream.contracts.alerts import Event
from icu_stream.contracts.signals import INDEX, SIGNALS
from icu_stream.domain import absence, annunciation, assessment, pause, personal
from icu_stream.domain.annunciation import Bedside
from icu_stream.domain.limits import FOREVER_MS, Rules
from icu_stream.domain.patient import Patient


class _Sort(NamedTuple):
    """Something due, in the order in which such things happen (rule 20)."""

    moment: int
    kind: int
    rank: int
    code: str


_PAUSE, _LIMITS, _NO_DATA, _ESCALATION, _REMINDER, _STANDING, _SCORES = range(7)
_SHORTEST_MS = round(
    1000 * min(s.no_data_s for s in SIGNALS if s.no_data_s is not None)
)


def start_clock(patient: Patient, skew_ms: int) -> None:
    """Move what falls due to the clock of the first message (rule 5).

    What was asked before it was stamped by our clock; a pause must not last an hour
    because the monitor's clock is an hour behind.
    """
    patient.now = 0
    patient.due = 0
    pause.move(patient, skew_ms)
    personal.move(patient, skew_ms)


def advance(bedside: Bedside, until: int) -> Bedside:
    """Let everything happen that falls due up to a moment, itself included.

    Returns:
        The bedside; with other rules, where limits of the patient's own ended.
    """
    patient = bedside.patient
    if until >= patient.due:
        while True:
            due = min(_all(patient, bedside.rules, until), default=None)
            if due is None or due.moment > until:
                break
            if due.kind == _LIMITS:
                bedside = personal.expire(bedside, due.moment)
            else:
                _happen(bedside, due)
        patient.due = bound(patient)
    patient.now = max(patient.now, until)
    return bedside


def due(patient: Patient) -> int | None:
    """The next moment at which something falls due if nothing else comes, exactly."""
    moments = list(_silences(patient))
    if patient.pause_until:
        moments.append((patient.pause_until, 0, pause.CODE))
    moments += [(own.until, 0, code) for code, own in patient.own.items()]
    for alarm in patient.alarms.values():
        moments += [(m, 0, "") for m in (alarm.escalate, alarm.remind) if m]
        moments.append((alarm.restate, 0, ""))
    scores = assessment.due(patient)
    if scores is not None:
        moments.append((scores, 0, ""))
    return min(moments)[0] if moments else None


def _silences(patient: Patient) -> Iterator[tuple[int, int, str]]:
    moment = absence.bed_due(patient)
    if moment is not None:
        yield moment, 0, absence.BED
    for code, track in patient.expected():
        moment = absence.signal_due(patient, code, track)
        if moment is not None:
            yield moment, 1 + INDEX[code], code


def _all(patient: Patient, rules: Rules, until: int) -> Iterator[_Sort]:
    if patient.pause_until:
        yield _Sort(patient.pause_until, _PAUSE, 0, pause.CODE)
    for code, own in patient.own.items():
        yield _Sort(own.until, _LIMITS, 0, code)
    for moment, rank, code in _silences(patient):
        yield _Sort(moment, _NO_DATA, rank, code)
    for alarm in patient.alarms.values():
        rank = rules.rows[alarm.code].rank
        if alarm.escalate:
            yield _Sort(alarm.escalate, _ESCALATION, rank, alarm.code)
        if alarm.remind:
            yield _Sort(alarm.remind, _REMINDER, rank, alarm.code)
        # A long gap brings one statement, at the last full minute of it (rule 19).
        passed = max(0, until - alarm.restate) // rules.standing_ms
        moment = alarm.restate + passed * rules.standing_ms
        yield _Sort(moment, _STANDING, rank, alarm.code)
    scores = assessment.due(patient, until)
    if scores is not None:
        yield _Sort(scores, _SCORES, 0, "")


def _happen(bedside: Bedside, due: _Sort) -> None:
    patient, rules, _ = bedside
    if due.kind == _PAUSE:
        pause.end(bedside, due.moment)
    elif due.kind == _NO_DATA and due.code == absence.BED:
        absence.begin_bed(bedside, due.moment)
    elif due.kind == _NO_DATA:
        absence.begin_signal(bedside, due.code, due.moment)
    elif due.kind == _SCORES:
        assessment.fall_due(bedside, due.moment)
    else:
        alarm = patient.alarms[due.code]
        row = rules.rows[due.code]
        if due.kind == _ESCALATION:
            alarm.priority = row.escalate_to or alarm.priority
            annunciation.change(bedside, alarm, Event.ESCALATED, due.moment)
        elif due.kind == _REMINDER:
            annunciation.change(bedside, alarm, Event.REMINDED, due.moment)
        else:
            annunciation.change(bedside, alarm, Event.STANDING, due.moment)


def bound(patient: Patient, besides: Container[str] = ()) -> int:
    """Nothing falls due before; at most what `due` says.

    Args:
        patient: Settled, but for the signals of `besides`.
        besides: Signals that have just been heard: only the shortest no-data time of
            any is counted for them.
    """
    bound = patient.pause_until or FOREVER_MS
    for own in patient.own.values():
        bound = min(bound, own.until)
    scores = assessment.due(patient)
    if scores is not None:
        bound = min(bound, scores)
    if not patient.is_holding(absence.BED):
        if patient.heard:
            # The device that speaks next decides, and may be a faster one.
            others = [device.bed_ms for device in patient.devices.values()]
            moment = patient.heard + min(patient.bed_ms, *others, _SHORTEST_MS)
            bound = min(bound, moment)
        for code, track in patient.tracks.items():
            moment = track.heard + track.no_data_ms
            if moment >= bound or not track.is_expected or code in besides:
                continue
            if not patient.is_missing(code):
                bound = moment
    for alarm in patient.alarms.values():
        bound = min(
            bound, alarm.restate, alarm.escalate or bound, alarm.remind or bound
        )
    return bound
