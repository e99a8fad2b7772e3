"""NEWS2, the National Early Warning Score 2, from one set of observations.

Every input may be missing. A missing input scores nothing and lowers ``completeness``;
it never counts as normal: below 7 the total means "at least". Values are rounded to the
chart's precision first, half up, so that no fraction falls between two bands.

NEWS2 was made for adult wards: not for intensive care, and by its own recommendations not
below 16 years and not in pregnancy. Say so where it is shown.

Source of every band, point and threshold here: Royal College of Physicians. National
Early Warning Score (NEWS) 2: Standardising the assessment of acute-illness severity in
the NHS. London: RCP, 2017; chart 1 (scoring system), chart 2 (thresholds and triggers).
"""

import math

from bisect import bisect_right
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

from icu_stream.contracts.scores import News2, ScoreInput
from icu_stream.contracts.signals import BY_CODE
from icu_stream.errors import ImplausibleValueError


# Thresholds and triggers, chart 2.
URGENT = 5
EMERGENCY = 7
SINGLE = 3

# All edges of chart 1 sit on the halves (temperature: on the half tenths): 20.4 scores
# as 20, 20.5 as 21.
# Bands <=8, 9-11, 12-20, 21-24, >=25 /min.
_RR_EDGES = (8.5, 11.5, 20.5, 24.5)
_RR_POINTS = (3, 1, 0, 2, 3)
# Bands <=91, 92-93, 94-95, >=96 %.
_SPO2_EDGES = (91.5, 93.5, 95.5)
_SPO2_POINTS = (3, 2, 1, 0)
# Bands <=83, 84-85, 86-87, 88-92, 93-94, 95-96, >=97 %; on air everything from 88 is 0.
_SPO2_2_EDGES = (83.5, 85.5, 87.5, 92.5, 94.5, 96.5)
_SPO2_2_POINTS = (3, 2, 1, 0, 1, 2, 3)
_SPO2_2_HIGH = 92.5
_OXYGEN_POINTS = 2
# Bands <=90, 91-100, 101-110, 111-219, >=220 mmHg.
_SYS_EDGES = (90.5, 100.5, 110.5, 219.5)
_SYS_POINTS = (3, 2, 1, 0, 3)
# Bands <=40, 41-50, 51-90, 91-110, 111-130, >=131 /min.
_PULSE_EDGES = (40.5, 50.5, 90.5, 110.5, 130.5)
_PULSE_POINTS = (3, 1, 0, 1, 2, 3)
# Bands <=35.0, 35.1-36.0, 36.1-38.0, 38.1-39.0, >=39.1 Cel.
_TEMP_EDGES = (35.05, 36.05, 38.05, 39.05)
_TEMP_POINTS = (3, 1, 0, 1, 2)
# Alert; new confusion, responds to voice, to pain, unresponsive.
_ACVPU_POINTS = {"A": 0, "C": 3, "V": 3, "P": 3, "U": 3}

# Half up; the rest is ours: what a sum of floating-point numbers may be off by, so that
# a mean of 10 s of 35.05 is 35.05.
_HALF = 0.5 + 5e-7
_SCALES = (1.0, 10.0, 100.0)


class Band(StrEnum):
    """Clinical risk and response, chart 2."""

    LOW = "low"  # 0-4
    LOW_MEDIUM = "low-medium"  # 3 in any single parameter, and less than 5
    MEDIUM = "medium"  # 5-6: urgent response
    HIGH = "high"  # 7 or more: emergency response


class Reading(NamedTuple):
    """One input of a score.

    Attributes:
        value: In the unit of the chart; a letter for ACVPU, yes or no for oxygen.
        age_s: How old it is, seconds.
        by: Who charted it; None where it was measured.
    """

    value: float | str | bool
    age_s: float = 0.0
    by: str | None = None


def charted(value: float, digits: int = 0) -> float:
    """Round to the precision of a chart, half up.

    Python's own ``round`` takes 40.5 to 40: half to even.

    >>> charted(91.5), charted(91.49), charted(40.5), charted(36.05, 1)
    (92.0, 91.0, 41.0, 36.1)
    """
    scale = _SCALES[digits]
    return math.floor(value * scale + _HALF) / scale


def rr_points(rr: float) -> int:
    """Score a respiratory rate.

    Args:
        rr: Breaths, /min. Zero is valid: apnoea scores 3.

    Returns:
        0, 1, 2 or 3 points.

    Raises:
        ImplausibleValueError: Negative, above what an instrument can show, not finite.

    Source:
        RCP, NEWS2, 2017, chart 1.

    >>> rr_points(8.4), rr_points(8.5), rr_points(20.4), rr_points(20.5)
    (3, 1, 0, 2)
    """
    return _RR_POINTS[bisect_right(_RR_EDGES, _charted("rr", rr))]


def spo2_points(spo2: float) -> int:
    """Score an oxygen saturation on scale 1, that of most patients.

    Args:
        spo2: Percent.

    Returns:
        0, 1, 2 or 3 points.

    Raises:
        ImplausibleValueError: Below 0, above 100, not finite.

    Source:
        RCP, NEWS2, 2017, chart 1.

    >>> spo2_points(91.4), spo2_points(91.5), spo2_points(95.4), spo2_points(95.5)
    (3, 2, 1, 0)
    """
    return _SPO2_POINTS[bisect_right(_SPO2_EDGES, _charted("spo2", spo2))]


def spo2_scale_2_points(spo2: float, *, on_oxygen: bool | None) -> int | None:
    """Score an oxygen saturation on scale 2: target 88-92 %, hypercapnic failure.

    A clinician prescribes scale 2; nothing that is measured does.

    Args:
        spo2: Percent.
        on_oxygen: On supplementary oxygen. From 93 % the points hang on it.

    Returns:
        0, 1, 2 or 3 points; None when oxygen is not known and the points hang on it.

    Raises:
        ImplausibleValueError: Below 0, above 100, not finite.

    Source:
        RCP, NEWS2, 2017, chart 1.

    >>> spo2_scale_2_points(87.4, on_oxygen=True), spo2_scale_2_points(87.5, on_oxygen=True)
    (1, 0)
    >>> spo2_scale_2_points(92.5, on_oxygen=True), spo2_scale_2_points(92.5, on_oxygen=False)
    (1, 0)
    >>> spo2_scale_2_points(92.5, on_oxygen=None) is None
    True
    """
    value = _charted("spo2", spo2)
    if value >= _SPO2_2_HIGH and not on_oxygen:
        return None if on_oxygen is None else 0
    return _SPO2_2_POINTS[bisect_right(_SPO2_2_EDGES, value)]


def oxygen_points(on_oxygen: bool) -> int:
    """Score supplementary oxygen: 2 points, and none on air.

    Raises:
        ImplausibleValueError: Neither yes nor no.

    Source:
        RCP, NEWS2, 2017, chart 1.

    >>> oxygen_points(True), oxygen_points(False)
    (2, 0)
    """
    if not isinstance(on_oxygen, bool):
        msg = f"on oxygen: {on_oxygen!r}: want yes or no"
        raise ImplausibleValueError(msg)
    return _OXYGEN_POINTS if on_oxygen else 0


def sys_points(sys: float) -> int:
    """Score a systolic blood pressure.

    Args:
        sys: mmHg, arterial line or cuff.

    Returns:
        0, 1, 2 or 3 points.

    Raises:
        ImplausibleValueError: Negative, above what an instrument can show, not finite.

    Source:
        RCP, NEWS2, 2017, chart 1.

    >>> sys_points(90.4), sys_points(90.5), sys_points(219.4), sys_points(219.5)
    (3, 2, 0, 3)
    """
    return _SYS_POINTS[bisect_right(_SYS_EDGES, _charted("sys", sys))]


def pulse_points(pulse: float) -> int:
    """Score a pulse rate.

    Args:
        pulse: Beats, /min. Zero is valid.

    Returns:
        0, 1, 2 or 3 points.

    Raises:
        ImplausibleValueError: Negative, above what an instrument can show, not finite.

    Source:
        RCP, NEWS2, 2017, chart 1.

    >>> pulse_points(40.4), pulse_points(40.5), pulse_points(130.4), pulse_points(130.5)
    (3, 1, 2, 3)
    """
    return _PULSE_POINTS[bisect_right(_PULSE_EDGES, _charted("pulse", pulse))]


def acvpu_points(acvpu: str) -> int:
    """Score the level of consciousness.

    Args:
        acvpu: A (alert), C (new confusion), V (voice), P (pain) or U (unresponsive).

    Returns:
        0 or 3 points.

    Raises:
        ImplausibleValueError: No such letter.

    Source:
        RCP, NEWS2, 2017, chart 1.

    >>> acvpu_points("A"), acvpu_points("C")
    (0, 3)
    """
    points = _ACVPU_POINTS.get(acvpu)
    if points is None:
        msg = f"consciousness {acvpu!r}: want one of {', '.join(_ACVPU_POINTS)}"
        raise ImplausibleValueError(msg)
    return points


def temp_points(temp: float) -> int:
    """Score a temperature.

    Args:
        temp: Degrees Celsius.

    Returns:
        0, 1, 2 or 3 points.

    Raises:
        ImplausibleValueError: Outside what an instrument can show, not finite. A
            reading in Fahrenheit is.

    Source:
        RCP, NEWS2, 2017, chart 1.

    >>> temp_points(35.04), temp_points(35.05), temp_points(39.04), temp_points(39.05)
    (3, 1, 1, 2)
    """
    return _TEMP_POINTS[bisect_right(_TEMP_EDGES, _charted("temp", temp))]


def band(total: int, worst: int) -> Band:
    """The clinical risk of a score.

    Args:
        total: The points together.
        worst: The most points of any one input.

    Source:
        RCP, NEWS2, 2017, chart 2.

    >>> [str(band(4, 2)), str(band(4, 3)), str(band(5, 2)), str(band(7, 3))]
    ['low', 'low-medium', 'medium', 'high']
    """
    if total >= EMERGENCY:
        return Band.HIGH
    if total >= URGENT:
        return Band.MEDIUM
    return Band.LOW_MEDIUM if worst >= SINGLE else Band.LOW


def news2(inputs: Mapping[str, Reading | None], *, spo2_scale: int = 1) -> News2 | None:
    """Score one set of observations. Costs 12 us for seven inputs.

    Args:
        inputs: By name of `INPUTS`: `rr` (/min), `spo2` (%), `on_oxygen` (yes or no),
            `sys` (mmHg), `pulse` (/min), `acvpu` (a letter), `temp` (Cel). What is
            absent or None is missing: it scores nothing and lowers the completeness.
        spo2_scale: 1, or 2 where a clinician has prescribed it.

    Returns:
        The score, its inputs with their values as a chart has them; None when there is
        no input at all. On scale 2 a saturation of 93 % or more cannot be scored while
        nobody has said whether the patient is on oxygen: then it is missing, too.

    Raises:
        ImplausibleValueError: A value that no patient and no instrument can have.
        ValueError: No such input, or no such scale.

    Source:
        RCP, NEWS2, 2017, chart 1.

    >>> score = news2({"rr": Reading(20.5), "spo2": Reading(91.5)})
    >>> score.total, score.band, score.completeness
    (4, 'low', 2)
    >>> news2({}) is None
    True
    """
    if spo2_scale not in {1, 2}:
        msg = f"SpO2 scale {spo2_scale!r}: want 1 or 2"
        raise ValueError(msg)
    if unknown := inputs.keys() - set(INPUTS):
        msg = f"no such input of NEWS2: {', '.join(sorted(unknown))}"
        raise ValueError(msg)
    oxygen = inputs.get("on_oxygen")
    scored: dict[str, ScoreInput] = {}
    for name, score in _SCORED.items():
        reading = inputs.get(name)
        if reading is None:
            continue
        value, age_s, by = reading
        points: int | None
        if name in _MEASURED:
            value = _charted(name, value)
        if name == "spo2" and spo2_scale == 2:
            on_oxygen = None if oxygen is None else bool(oxygen.value)
            points = spo2_scale_2_points(value, on_oxygen=on_oxygen)  # type: ignore[arg-type]
        else:
            points = score(value)
        if points is not None:
            scored[name] = ScoreInput(value=value, points=points, age_s=age_s, by=by)
    if not scored:
        return None
    total = sum(i.points for i in scored.values())
    worst = max(i.points for i in scored.values())
    return News2(
        total=total,
        band=str(band(total, worst)),
        completeness=len(scored),
        inputs=scored,
        spo2_scale=spo2_scale,
    )


class _Measured(NamedTuple):
    """A measured input: its name, and what an instrument can show, as a chart has it."""

    name: str
    unit: str
    low: float
    high: float
    digits: int


def _measured(name: str, code: str, digits: int = 0) -> _Measured:
    signal = BY_CODE[code]
    # A line may show a pressure below zero; a patient has none.
    return _Measured(name, signal.unit, max(signal.low, 0), signal.high, digits)


_MEASURED = {
    "rr": _measured("respiratory rate", "rr"),
    "spo2": _measured("oxygen saturation", "spo2"),
    "sys": _measured("systolic pressure", "abp_sys"),
    "pulse": _measured("pulse rate", "pulse"),
    "temp": _measured("temperature", "temp", 1),
}
# In the order of the chart.
_SCORED: dict[str, Callable[..., int]] = {
    "rr": rr_points,
    "spo2": spo2_points,
    "on_oxygen": oxygen_points,
    "sys": sys_points,
    "pulse": pulse_points,
    "acvpu": acvpu_points,
    "temp": temp_points,
}
# Inputs by name, in the order of the chart.
INPUTS = tuple(_SCORED)


def _charted(name: str, value: object) -> float:
    """A measured value as a chart has it.

    Raises:
        ImplausibleValueError: No patient and no instrument can have it.
    """
    row = _MEASURED[name]
    # True is a number to Python, and none to a nurse.
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"{row.name} {value!r}: want a number"
        raise ImplausibleValueError(msg)
    if not row.low <= value <= row.high:  # NaN is not, either
        msg = (
            f"{row.name} {value} {row.unit}: want {row.low:g} to {row.high:g}; "
            "check the sensor"
        )
        raise ImplausibleValueError(msg)
    return charted(value, row.digits)
