"""Who is on duty, on the days when the clocks are changed, too."""

import datetime as dt

from zoneinfo import ZoneInfo

import pytest

from hypothesis import given
from hypothesis import strategies as st

from icu_stream.pager.shifts import DAY_MIN, Shift, moment_ms, uncovered


BERLIN = ZoneInfo("Europe/Berlin")
EVERY_DAY = frozenset(range(7))


def shift(begin: str, end: str, days=EVERY_DAY, zone=BERLIN) -> Shift:
    def minutes(clock: str) -> int:
        return int(clock[:2]) * 60 + int(clock[3:])

    return Shift("s", days, minutes(begin), minutes(end), zone)


def at(text: str) -> int:
    return round(dt.datetime.fromisoformat(text).timestamp() * 1000)


DAY, NIGHT = shift("07:00", "19:00"), shift("19:00", "07:00")


@pytest.mark.parametrize(
    ("moment", "is_day"),
    [
        ("2026-11-24T06:59:59.999+01:00", False),
        ("2026-11-24T07:00:00+01:00", True),
        ("2026-11-24T18:59:59.999+01:00", True),
        ("2026-11-24T19:00:00+01:00", False),
        ("2026-07-01T07:00:00+02:00", True),
    ],
)
def test_the_first_moment_is_in_a_shift_and_the_last_is_the_next_ones(moment, is_day):
    assert DAY.holds(at(moment)) is is_day
    assert NIGHT.holds(at(moment)) is not is_day


def test_a_night_in_which_the_clocks_go_forward_is_an_hour_shorter():
    begin, end = at("2026-03-28T19:00+01:00"), at("2026-03-29T07:00+02:00")

    assert end - begin == 11 * 3_600_000
    assert NIGHT.holds(begin)
    assert NIGHT.holds(end - 1)
    assert not NIGHT.holds(end)


def test_a_night_in_which_the_clocks_go_back_is_an_hour_longer():
    begin, end = at("2026-10-24T19:00+02:00"), at("2026-10-25T07:00+01:00")

    assert end - begin == 13 * 3_600_000
    assert NIGHT.holds(begin)
    assert NIGHT.holds(end - 1)
    assert not NIGHT.holds(end)


def test_a_change_at_a_time_that_is_skipped_happens_at_the_skip():
    early, late = shift("19:00", "02:30"), shift("02:30", "19:00")
    skip = at("2026-03-29T03:00+02:00")

    assert early.holds(skip - 1)
    assert not early.holds(skip)
    assert late.holds(skip)
    assert not late.holds(skip - 1)


def test_a_change_at_a_time_that_comes_twice_happens_the_first_time():
    early, late = shift("19:00", "02:30"), shift("02:30", "19:00")
    first, second = at("2026-10-25T02:30+02:00"), at("2026-10-25T02:15+01:00")

    assert early.holds(first - 1)
    assert late.holds(first)
    assert late.holds(second)
    assert not early.holds(second)


def test_a_shift_on_some_days_belongs_to_the_day_on_which_it_begins():
    friday_night = shift("19:00", "07:00", frozenset({4}))

    assert friday_night.holds(at("2026-11-27T23:00+01:00"))
    assert friday_night.holds(at("2026-11-28T06:59+01:00"))
    assert not friday_night.holds(at("2026-11-28T23:00+01:00"))


def test_a_shift_that_ends_as_it_begins_lasts_a_day():
    whole = shift("08:00", "08:00", frozenset({0}))

    assert whole.length == DAY_MIN
    assert whole.holds(at("2026-11-23T08:00+01:00"))
    assert whole.holds(at("2026-11-24T07:59+01:00"))
    assert not whole.holds(at("2026-11-24T08:00+01:00"))


@given(
    marks=st.sets(st.integers(0, DAY_MIN - 1), min_size=1, max_size=4),
    zone=st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]
    ),
    minute=st.integers(0, 366 * DAY_MIN),
)
def test_each_moment_of_a_year_belongs_to_exactly_one_of_the_shifts_that_cover_it(
    marks, zone, minute
):
    starts = sorted(marks)
    ends = [*starts[1:], starts[0]]
    shifts = [
        Shift(str(begin), EVERY_DAY, begin, end, ZoneInfo(zone))
        for begin, end in zip(starts, ends, strict=True)
    ]
    now_ms = at("2026-01-01T00:00+00:00") + minute * 60_000

    assert uncovered(shifts) is None
    assert sum(shift.holds(now_ms) for shift in shifts) == 1


def test_the_hours_that_nobody_covers_are_told():
    weekdays = frozenset(range(5))

    gap = uncovered([shift("07:00", "19:00", weekdays), NIGHT])

    assert gap == (5 * DAY_MIN + 7 * 60, 5 * DAY_MIN + 19 * 60)


def test_a_skipped_time_of_half_an_hour_is_found_to_the_second():
    """Lord Howe puts its clocks forward by 30 min, at 02:00."""
    zone = ZoneInfo("Australia/Lord_Howe")

    assert moment_ms(dt.date(2026, 10, 4), 135, zone) == at("2026-10-04T02:30+11:00")
