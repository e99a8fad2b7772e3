"""What a sample is worth: valid, suspect, or invalid, or a heart rate that is none.

Rules 6, 7, 22 and 23 of `docs/alarms.md`. A value is judged, never replaced.
"""

import math

from collections.abc import Container, Mapping, Sequence
from typing import Any

from icu_stream.contracts.signals import Signal
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import condition, notes, status
from icu_stream.domain.annunciation import Bedside
from icu_stream.domain.limits import UNIT_BELOW, Rules, Verdict
from icu_stream.domain.patient import Patient


Values = Mapping[str, float]

ARTERIAL = ("abp_sys", "abp_dia", "abp_mean")
# Steps between neighbouring values beyond which one of them is doubted, and what is no
# change of heart rate and saturation: CLINICAL.md, "Corroboration and artefact"; 10 /min
# and 3 % are ours.
STEPS = {
    "hr": 60.0,
    "pulse": 60.0,
    "spo2": 20.0,
    "abp_sys": 60.0,
    "abp_dia": 60.0,
    "abp_mean": 60.0,
}
FLAT_MMHG = 5
_UNCHANGED = {"hr": 10.0, "spo2": 3.0}
# A pressure that no oximeter reads at, and no heart beats at: it is in kPa (ours).
_UNIT_FROM = 2.0
_UNIT_SPO2 = 85.0
_UNIT_HR = 30.0
# By the value that tells: those that are in the same unit.
OF_UNIT = {
    "abp_sys": ARTERIAL,
    "nibp_sys": ("nibp_sys", "nibp_dia", "nibp_mean"),
    "etco2": ("etco2",),
}
_DIASTOLIC = {"abp_sys": "abp_dia", "nibp_sys": "nibp_dia"}


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


def doubted(patient: Patient, vitals: Vitals, carried: Values, time: int) -> set[str]:
    """The signals of a message whose values are suspect by a, b, d or e of rule 22.

    Args:
        patient: As before the message.
        vitals: The message.
        carried: Its valid values that are neither late nor put aside.
        time: Its measurement time.
    """
    found: set[str] = set()
    if is_line_doubted(carried) or (
        is_flat(carried) and _is_calm(patient, carried, time)
    ):
        found.update(ARTERIAL)
    if vitals.status:
        found |= doubted_by_status(vitals, carried)
    return found


def doubted_by_status(vitals: Vitals, carried: Values) -> set[str]:
    """The signals whose values are suspect by d or e of rule 22."""
    found = {code for code in carried if status.is_about(vitals, code)}
    if status.BELOW_A_CUFF in carried and status.is_cuff_measuring(vitals):
        found.add(status.BELOW_A_CUFF)
    return found


def is_line_doubted(values: Values) -> bool:
    """Are arterial pressures in an order that no pulse has (rule 22 a)?"""
    mean = values.get("abp_mean")
    if mean is None:
        return False
    return values.get("abp_dia", -math.inf) >= mean or (
        values.get("abp_sys", math.inf) <= mean
    )


def is_flat(values: Values) -> bool:
    """Does the arterial line not beat: flushed, or closed (rule 22 b)?"""
    systolic, diastolic = values.get("abp_sys"), values.get("abp_dia")
    if systolic is None or diastolic is None:
        return False
    return systolic - diastolic < FLAT_MMHG


def _is_calm(patient: Patient, carried: Values, time: int) -> bool:
    """Do heart rate and saturation say that nothing happened?"""
    known = 0
    for code, most in _UNCHANGED.items():
        value, track = carried.get(code), patient.tracks.get(code)
        if value is None or track is None or time >= track.valid_until:
            continue
        if abs(value - track.value) > most or (code == "hr" and value == 0):
            return False
        known += 1
    return known > 0


def is_step(code: str, value: float, before: float | None) -> bool:
    """Is it further from the value before than a patient goes (rule 22 c)?

    >>> is_step("spo2", 77, 97), is_step("spo2", 76.9, 97), is_step("spo2", 77, None)
    (False, True, False)
    """
    if before is None:
        return False
    return abs(value - before) > STEPS.get(code, math.inf)


def is_other_unit(patient: Patient, code: str, carried: Values, time: int) -> bool:
    """Does a pressure read as kPa (rule 23)?

    Args:
        patient: With all values of the message in their tracks.
        code: `abp_sys`, `nibp_sys` or `etco2`, carried.
        carried: The message's valid values that are neither late nor put aside.
        time: Its measurement time.
    """
    value = carried[code]
    if not _UNIT_FROM <= value < UNIT_BELOW[code]:
        return False
    if not _is_at_least(patient, "spo2", _UNIT_SPO2, time):
        return False
    if code == "etco2":
        return True
    diastolic = carried.get(_DIASTOLIC[code])
    if diastolic is None or value - diastolic < _UNIT_FROM:
        return False
    return _is_at_least(patient, "hr", _UNIT_HR, time)


def _is_at_least(patient: Patient, code: str, least: float, time: int) -> bool:
    track = patient.tracks.get(code)
    return track is not None and time < track.valid_until and track.value >= least


def judge_unit(
    bedside: Bedside, code: str, value: Any, time: int, *, is_other: bool | None
) -> None:
    """Raise or clear `<signal>.unit` (rule 23).

    Args:
        bedside: Where.
        code: The signal that tells.
        value: Its value.
        time: When it is decided.
        is_other: None when the value is not valid: it tells nothing, and breaks the row
            of those that are right.
    """
    row = bedside.rules.rows[f"{code}.unit"]
    verdict = Verdict.BETWEEN
    if is_other is not None:
        verdict = Verdict.VIOLATED if is_other else Verdict.INSIDE
    condition.follow(bedside, row, verdict, time, value=finite(value), is_gap=False)


def in_rows(rows: Sequence[Values]) -> bool:
    """Is any message of a bucket doubted by a of rule 22, or flat?

    Costs about 1 us for ten messages with an arterial line, when none is (timeit).
    """
    try:
        for row in rows:
            diastolic, systolic = row["abp_dia"], row["abp_sys"]
            if not diastolic < row["abp_mean"] < systolic:
                return True
            if systolic - diastolic < FLAT_MMHG:
                return True
    except KeyError:
        return any(is_line_doubted(row) or is_flat(row) for row in rows)
    return False


def has_pulse(
    patient: Patient, rules: Rules, time: int, carried: Container[str] = ()
) -> bool:
    """Does the pleth or the arterial line beat (rule 7)?

    Args:
        patient: With all signals of the message in their tracks.
        rules: How old a pulse may be, and what a beat of the line is.
        time: When the heart rate of zero is decided.
        carried: Signals of the same message: they are not old.
    """
    pulse = _latest(patient, rules, "pulse", time, carried)
    if pulse is not None and pulse > 0:
        return True
    systolic = _latest(patient, rules, "abp_sys", time, carried)
    diastolic = _latest(patient, rules, "abp_dia", time, carried)
    if systolic is None or diastolic is None:
        return False
    return systolic - diastolic >= rules.pulse_pressure


def _latest(
    patient: Patient, rules: Rules, code: str, time: int, carried: Container[str]
) -> float | None:
    track = patient.tracks.get(code)
    if track is None or not track.valid or track.is_off:
        return None
    is_old = time - track.valid > rules.corroboration_ms and code not in carried
    return None if is_old else track.value
