"""What a sample is worth: valid, or invalid, or a heart rate of zero that is not one.

Rules 6 and 7 of `docs/alarms.md`. A value is judged, never replaced.
"""

import math

from typing import Any

from icu_stream.contracts.signals import Signal
from icu_stream.domain import condition, notes
from icu_stream.domain.annunciation import Bedside
from icu_stream.domain.limits import Rules, Verdict
from icu_stream.domain.patient import Patient


def is_valid(signal: Signal, value: Any) -> bool:
    """Is it a finite number that the instrument can show, the ends included?

    >>> from icu_stream.contracts.signals import BY_CODE
    >>> is_valid(BY_CODE["hr"], 350.0), is_valid(BY_CODE["hr"], True)
    (True, False)
    """
    if type(value) is not float and (
        isinstance(value, bool) or not isinstance(value, int | float)
    ):
        return False
    # NaN compares as false.
    return bool(signal.low <= value <= signal.high)


def finite(value: Any) -> float | None:
    """A value as an alert can carry it; None where it is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def judge(bedside: Bedside, code: str, value: Any, time: int, *, valid: bool) -> None:
    """Raise or clear `<signal>.invalid` (rule 6)."""
    row = bedside.rules.rows[f"{code}.invalid"]
    condition.follow(
        bedside,
        row,
        Verdict.INSIDE if valid else Verdict.VIOLATED,
        time,
        value=finite(value),
        is_gap=False,
        note="" if valid else notes.reading(value),
    )


def has_pulse(patient: Patient, rules: Rules, time: int) -> bool:
    """Does the pleth or the arterial line beat (rule 7)?

    Args:
        patient: With all signals of the message at `time` in their tracks.
        rules: How old a pulse may be, and what a beat of the line is.
        time: Of the heart rate of zero.
    """
    pulse = _latest(patient, rules, "pulse", time)
    if pulse is not None and pulse > 0:
        return True
    systolic = _latest(patient, rules, "abp_sys", time)
    diastolic = _latest(patient, rules, "abp_dia", time)
    if systolic is None or diastolic is None:
        return False
    return systolic - diastolic >= rules.pulse_pressure


def _latest(patient: Patient, rules: Rules, code: str, time: int) -> float | None:
    track = patient.tracks.get(code)
    if track is None or not track.valid:
        return None
    return None if time - track.valid > rules.corroboration_ms else track.value
