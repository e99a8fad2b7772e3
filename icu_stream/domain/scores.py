"""MEWS, qSOFA, the vital part of SIRS and the shock index, from one set of observations.

An input may be missing (None): it scores nothing and never counts as normal, and the
score says that it is "at least" so much. With no input at all there is no score. Values
are rounded to the chart's precision first, half up, as for NEWS2.
"""

from bisect import bisect_right
from typing import NamedTuple

from icu_stream.domain.news2 import charted


# What is published beside a score, so that a later table cannot be taken for this one.
VERSIONS = {
    "mews": "Subbe 2001",
    "qsofa": "Sepsis-3 2016",
    "sirs_vital": "ACCP/SCCM 1992, temperature, heart and respiratory rate alone",
    "shock_index": "Allgoewer 1967",
}

# The model of one patient (models.py), which most who want its name do not need.
HINTS = "baseline+hst 1"

# Subbe CP et al. QJM 2001;94:521, table 1. It has no band for a pulse of 40 or for none
# between 35.0 and 38.4 and 38.5 but the halves: edges sit on the halves here, and 40
# counts with what is below it, the more serious side.
_MEWS_SYS = ((70.5, 80.5, 100.5, 199.5), (3, 2, 1, 0, 2))
_MEWS_HR = ((40.5, 50.5, 100.5, 110.5, 129.5), (2, 1, 0, 1, 2, 3))
_MEWS_RR = ((8.5, 14.5, 20.5, 29.5), (2, 0, 1, 2, 3))
_MEWS_TEMP = ((34.95, 38.45), (2, 0, 2))
# The score has AVPU. New confusion is not alert: it counts as V (ours).
_MEWS_AVPU = {"A": 0, "C": 1, "V": 1, "P": 2, "U": 3}


class Score(NamedTuple):
    """A score and how much of it is known.

    Attributes:
        value: Points, or a ratio.
        known: Inputs that were there.
        wanted: Inputs that there are.
    """

    value: float
    known: int
    wanted: int

    @property
    def is_at_least(self) -> bool:
        """Is an input missing, so that the true score may be higher?"""
        return self.known < self.wanted


def mews(
    *,
    sys: float | None = None,
    hr: float | None = None,
    rr: float | None = None,
    temp: float | None = None,
    acvpu: str | None = None,
) -> Score | None:
    """The Modified Early Warning Score, 0 to 14; 5 or more went with deaths.

    Args:
        sys: Systolic pressure, mmHg.
        hr: Heart rate, /min.
        rr: Respiratory rate, /min.
        temp: Temperature, Cel.
        acvpu: A, C, V, P or U; C counts as V, since the score has AVPU alone.

    Returns:
        The score; None when every input is missing.

    Source:
        Subbe CP, Kruger M, Rutherford P, Gemmel L. Validation of a modified Early
        Warning Score in medical admissions. QJM 2001;94:521-6, table 1.

    >>> mews(sys=70.4), mews(sys=70.5)
    (Score(value=3, known=1, wanted=5), Score(value=2, known=1, wanted=5))
    >>> mews() is None
    True
    """
    points = [
        _points(sys, 0, _MEWS_SYS),
        _points(hr, 0, _MEWS_HR),
        _points(rr, 0, _MEWS_RR),
        _points(temp, 1, _MEWS_TEMP),
        None if acvpu is None else _MEWS_AVPU[acvpu],
    ]
    return _sum(points)


def qsofa(
    *,
    rr: float | None = None,
    sys: float | None = None,
    acvpu: str | None = None,
    gcs: float | None = None,
) -> Score | None:
    """The quick SOFA, 0 to 3; 2 or more with a suspected infection ask for sepsis.

    Args:
        rr: Respiratory rate, /min; 22 or more counts.
        sys: Systolic pressure, mmHg; 100 or less counts.
        acvpu: Anything but A is an altered mentation.
        gcs: Below 15 is an altered mentation. Where both are charted, the more
            serious one counts (ours).

    Returns:
        The score; None when every input is missing.

    Source:
        Singer M et al. The Third International Consensus Definitions for Sepsis and
        Septic Shock (Sepsis-3). JAMA 2016;315:801-10, box 4.

    >>> qsofa(rr=21.4, sys=100.5, acvpu="A"), qsofa(rr=21.5, sys=100.4, gcs=14)
    (Score(value=0, known=3, wanted=3), Score(value=3, known=3, wanted=3))
    """
    is_altered = None
    if acvpu is not None or gcs is not None:
        is_altered = acvpu not in {None, "A"} or (gcs is not None and gcs < 15)
    points = [
        None if rr is None else int(charted(rr) >= 22),
        None if sys is None else int(charted(sys) <= 100),
        None if is_altered is None else int(is_altered),
    ]
    return _sum(points)


def sirs_vital(
    *,
    temp: float | None = None,
    hr: float | None = None,
    rr: float | None = None,
) -> Score | None:
    """The vital part of SIRS, 0 to 3: without PaCO2 and white cells it is not SIRS.

    Args:
        temp: Temperature, Cel; above 38.0 or below 36.0 counts.
        hr: Heart rate, /min; above 90 counts.
        rr: Respiratory rate, /min; above 20 counts.

    Returns:
        The score; None when every input is missing.

    Source:
        Bone RC et al. Definitions for sepsis and organ failure (ACCP/SCCM). Chest
        1992;101:1644-55.

    >>> sirs_vital(temp=38.04, hr=90.4, rr=20.4), sirs_vital(temp=38.05, hr=90.5, rr=20.5)
    (Score(value=0, known=3, wanted=3), Score(value=3, known=3, wanted=3))
    """
    points = [
        None if temp is None else int(not 36.0 <= charted(temp, 1) <= 38.0),
        None if hr is None else int(charted(hr) > 90),
        None if rr is None else int(charted(rr) > 20),
    ]
    return _sum(points)


def shock_index(*, hr: float | None = None, sys: float | None = None) -> Score | None:
    """Heart rate over systolic pressure; about 0.5 in health, from 0.9 on a warning.

    Args:
        hr: Heart rate, /min.
        sys: Systolic pressure, mmHg.

    Returns:
        The ratio, to two decimals; None without both, or without a pressure.

    Source:
        Allgoewer M, Burri C. Schockindex. Dtsch Med Wochenschr 1967;92:1947-50. Rady MY
        et al. Ann Emerg Med 1994;24:685-90: above 0.9.

    >>> shock_index(hr=110, sys=100)
    Score(value=1.1, known=2, wanted=2)
    >>> shock_index(hr=110, sys=0) is None
    True
    """
    if hr is None or sys is None or sys <= 0:
        return None
    return Score(charted(hr / sys, 2), 2, 2)


def _points(
    value: float | None,
    digits: int,
    bands: tuple[tuple[float, ...], tuple[int, ...]],
) -> int | None:
    edges, points = bands
    return (
        None if value is None else points[bisect_right(edges, charted(value, digits))]
    )


def _sum(points: list[int | None]) -> Score | None:
    known = [p for p in points if p is not None]
    return Score(sum(known), len(known), len(points)) if known else None
