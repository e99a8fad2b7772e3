"""Slopes over an hour, and how far a value is from the patient's usual one."""

import numpy as np
import pytest

from icu_stream.domain import trend


def line(per_h: float, start: float = 80.0) -> np.ndarray:
    return start + per_h * np.arange(60) / 60


def noise(rng: np.random.Generator, r: float, hours: int) -> np.ndarray:
    """Hours of AR(1) noise: each minute resembles the one before by r."""
    steps = rng.normal(size=(hours, 160))
    for minute in range(1, 160):
        steps[:, minute] += r * steps[:, minute - 1]
    return steps[:, 100:]


def held(r: float) -> float:
    """The part of trendless hours in whose interval zero lies."""
    slopes = [
        trend.slope(80 + hour) for hour in noise(np.random.default_rng(1), r, 800)
    ]
    known = [s for s in slopes if s is not None]
    return sum(s.low <= 0 <= s.high for s in known) / len(known)


@pytest.mark.parametrize(("r", "at_least"), [(0.0, 0.93), (0.6, 0.90), (0.8, 0.86)])
def test_an_hour_without_a_trend_has_zero_in_its_interval(r, at_least):
    """Santer BD et al. J Geophys Res 2000;105:7337: plain least squares holds 48 % at 0.8."""
    assert at_least < held(r) < 0.98


def test_a_clean_line_is_its_own_slope():
    slope = trend.slope(line(12.0))

    assert slope is not None
    assert slope.per_h == pytest.approx(12.0)
    assert slope.low == pytest.approx(12.0)
    assert slope.minutes == 60
    assert slope.is_clear


def test_a_rise_in_noise_is_found_and_its_interval_holds_it():
    hour = line(15.0) + noise(np.random.default_rng(2), 0.3, 1)[0]

    slope = trend.slope(hour)

    assert slope is not None
    assert slope.low < 15.0 < slope.high
    assert slope.is_clear


def test_minutes_that_resemble_each_other_widen_the_interval():
    rng = np.random.default_rng(3)
    widths = []
    for r in (0.0, 0.7):
        hour = noise(rng, r, 1)[0]
        slope = trend.slope(80 + hour / hour.std())
        assert slope is not None
        widths.append(slope.high - slope.low)

    assert widths[1] > 1.5 * widths[0]


def test_a_gap_is_no_value_and_moves_nothing():
    whole, holed = line(6.0), line(6.0)
    holed[10:30] = np.nan

    slope = trend.slope(holed)

    assert slope is not None
    assert slope.per_h == pytest.approx(trend.slope(whole).per_h)
    assert slope.minutes == 40


@pytest.mark.parametrize(("minutes", "is_known"), [(19, False), (20, True)])
def test_fewer_than_twenty_minutes_are_no_trend(minutes, is_known):
    hour = np.full(60, np.nan)
    hour[:minutes] = 80.0

    assert (trend.slope(hour) is not None) is is_known


def test_every_third_minute_is_enough_and_says_nothing_of_neighbours():
    hour = np.full(60, np.nan)
    hour[::3] = line(6.0)[::3] + np.random.default_rng(4).normal(size=20)

    slope = trend.slope(hour)

    assert slope is not None
    assert slope.minutes == 20


def test_an_hour_that_is_one_slow_wave_is_too_little_to_say():
    hour = 80 + 10 * np.sin(np.arange(60) / 60 * 2 * np.pi)

    assert trend.slope(hour) is None


@pytest.mark.parametrize(
    ("freedom", "table"),
    [(3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042), (58, 2.002)],
)
def test_the_quantile_is_that_of_students_tables(freedom, table):
    assert trend._quantile(freedom) == pytest.approx(table, rel=0.01)


def test_each_signal_has_its_own_slope():
    noisy = line(6.0) + np.random.default_rng(5).normal(size=60)
    holed = noisy.copy()
    holed[::4] = np.nan
    rows = [line(12.0), np.full(60, np.nan), noisy, holed]

    assert trend.slopes(np.array(rows)) == [trend.slope(row) for row in rows]
    assert trend.slopes(np.empty((0, 60))) == []


def test_a_deviation_wants_both():
    assert trend.deviation(70.0, 80.0) == -10.0
    assert trend.deviation(None, 80.0) is None
    assert trend.deviation(70.0, None) is None
