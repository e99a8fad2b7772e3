"""Where a signal is going: its slope over the last hour, and how far from its usual it is.

The slope is a least-squares line through the means of the minutes that have one. Minutes
of one patient resemble each other, so that a plain confidence interval would be far too
narrow and every drift a finding. The residuals' lag-1 autocorrelation ``r`` makes ``n``
minutes worth ``n (1 - r) / (1 + r)``, in the standard error and in the degrees of freedom
alike (Santer BD et al. J Geophys Res 2000;105:7337-56, section 2.2). On simulated hours
of AR(1) noise without a trend the 95 % interval holds zero in 95 % at r = 0, 93 % at 0.6
and 90 % at 0.8 (plain least squares: 95, 68 and 48 %; `tests/unit/domain/test_trend.py`):
read an interval that just misses zero as a hint.
"""

import math

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


HOUR_MIN = 60
# Ours: a third of the hour. Fewer minutes are no trend of an hour.
LEAST_MINUTES = 20
# Fewer independent minutes say nothing; the quantile below is good from there on.
_LEAST_FREEDOM = 3.0
_Z = 1.959964  # standard normal, 97.5 %
# A line without noise: what floating point leaves of zero, a part of the values' square.
_STILL = 1e-12


class Slope(NamedTuple):
    """A slope over the last hour.

    Attributes:
        per_h: Change in one hour, in the signal's unit.
        low: Lower end of its 95 % confidence interval.
        high: Upper end.
        minutes: Minutes that had a value, of 60.
    """

    per_h: float
    low: float
    high: float
    minutes: int

    @property
    def is_clear(self) -> bool:
        """Does the interval leave out no change at all?"""
        return self.low > 0 or self.high < 0


def slope(minutes: npt.NDArray[np.float64]) -> Slope | None:
    """Fit a line through one hour. Costs 40 us.

    Args:
        minutes: ``(60,) float64``, oldest first, NaN = nothing measured.

    Returns:
        The slope; None with fewer than 20 minutes, or with minutes so alike that they
        are worth fewer than five.

    Source:
        Santer BD et al. J Geophys Res 2000;105:7337-56, section 2.2.

    >>> hour = np.full(60, np.nan)
    >>> hour[41:] = 80.0
    >>> slope(hour) is None
    True
    >>> hour[40] = 80.0
    >>> slope(hour)
    Slope(per_h=0.0, low=0.0, high=0.0, minutes=20)
    """
    (at,) = np.nonzero(~np.isnan(minutes))
    n = len(at)
    if n < LEAST_MINUTES:
        return None
    values = minutes[at]
    x = at - at.mean()
    y = values - values.mean()
    sum_xx = float(x @ x)
    per_minute = float(x @ y) / sum_xx
    rest = y - per_minute * x
    squares = float(rest @ rest)
    if squares <= _STILL * float(values @ values):
        per_h = per_minute * HOUR_MIN
        return Slope(per_h, per_h, per_h, n)
    # Neighbours are a minute apart: a pair across a gap says nothing about the lag.
    is_next = np.diff(at) == 1
    pairs = int(is_next.sum())
    lagged = float(rest[:-1][is_next] @ rest[1:][is_next]) / max(pairs, 1)
    r = min(max(lagged / (squares / n), 0.0), 1.0)
    freedom = n * (1 - r) / (1 + r) - 2
    if freedom < _LEAST_FREEDOM:
        return None
    error = math.sqrt(squares / freedom / sum_xx)
    reach = _quantile(freedom) * error * HOUR_MIN
    per_h = per_minute * HOUR_MIN
    return Slope(per_h, per_h - reach, per_h + reach, n)


def deviation(now: float | None, usual: float | None) -> float | None:
    """How far a value is from the patient's own last 24 h, in the signal's unit.

    Args:
        now: The mean of the last minute with a value; None when the signal is silent.
        usual: The mean of the minutes of the last 24 h; None when there are not 30.

    >>> deviation(112.0, 84.5), deviation(112.0, None)
    (27.5, None)
    """
    return None if now is None or usual is None else now - usual


def _quantile(freedom: float) -> float:
    """Student's t, 97.5 %; within 1 % of its tables from 3 degrees of freedom on.

    Source:
        Abramowitz M, Stegun IA. Handbook of Mathematical Functions, 1964, 26.7.5.
    """
    z, f = _Z, freedom
    return (
        z
        + (z**3 + z) / (4 * f)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * f**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * f**3)
    )
