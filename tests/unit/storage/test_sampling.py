"""Fewer points: a spike stays, a gap stays, and nothing is invented."""

import pytest

from hypothesis import given
from hypothesis import strategies as st

from icu_stream.storage.sampling import fold, lttb, min_max


POINTS = st.lists(
    st.tuples(st.integers(0, 100_000), st.floats(-1e6, 1e6)),
    min_size=1,
    max_size=200,
    unique_by=lambda point: point[0],
).map(sorted)


def test_a_spike_of_one_second_is_in_its_quarter_of_an_hour():
    points = [(second * 1_000, 80.0) for second in range(900)]
    points[517] = (517_000, 220.0)
    points[518] = (518_000, 0.0)  # zero is a value

    [step] = min_max(points, 900_000)

    assert (step.low, step.high, step.n, step.latest) == (0.0, 220.0, 900, 80.0)


def test_a_step_without_a_value_gives_nothing():
    points = [(0, 1.0), (9_999, 2.0), (30_000, 3.0)]

    assert [step.time_ms for step in min_max(points, 10_000)] == [0, 30_000]


@given(POINTS)
def test_longer_steps_are_the_same_from_values_as_from_shorter_steps(points):
    direct = min_max(points, 12_000)
    folded = fold(min_max(points, 3_000), 12_000)

    assert [(s.time_ms, s.low, s.high, s.n, s.latest) for s in folded] == [
        (s.time_ms, s.low, s.high, s.n, s.latest) for s in direct
    ]
    assert [s.mean for s in folded] == pytest.approx([s.mean for s in direct])


@given(POINTS, st.integers(4, 50))
def test_lttb_gives_points_that_there_are_with_both_extremes(points, most):
    chosen = lttb(points, most)
    values = [value for _, value in points]

    assert len(chosen) == min(most, len(points))
    assert set(chosen) <= set(points)
    assert chosen == sorted(chosen)
    assert {chosen[0], chosen[-1]} >= {points[0], points[-1]}
    assert min(value for _, value in chosen) == min(values)
    assert max(value for _, value in chosen) == max(values)


def test_lttb_keeps_both_sides_of_a_gap():
    points = [(t * 1_000, 1.0) for t in range(500)]
    points += [(t * 1_000, 1.0) for t in range(3_000, 3_500)]

    chosen = lttb(points, 20, gap_ms=10_000)

    assert {(499_000, 1.0), (3_000_000, 1.0)} <= set(chosen)
    assert len(chosen) == 20


def test_lttb_wants_room_for_both_extremes():
    with pytest.raises(ValueError, match="want 4 or more"):
        lttb([(0, 1.0)] * 9, 3)
