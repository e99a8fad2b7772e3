"""The chart says what the score counts.

Source: Royal College of Physicians. National Early Warning Score (NEWS) 2, 2017, chart 1.
"""

from collections.abc import Callable

import pytest

from icu_stream.domain import news2
from icu_stream.ward import score_chart


@pytest.mark.parametrize(
    ("name", "points", "tenths"),
    [
        ("rr", news2.rr_points, range(700)),
        ("spo2", news2.spo2_points, range(1_001)),
        ("sys", news2.sys_points, range(3_000)),
        ("pulse", news2.pulse_points, range(3_000)),
        ("temp", news2.temp_points, range(250, 450)),
    ],
)
def test_every_value_is_in_the_column_of_its_points(
    name: str, points: Callable[[float], int], tenths: range
):
    for tenth in tenths:
        column = score_chart.column(name, tenth / 10, 1, None)

        assert column is not None
        assert score_chart.POINTS[column] == points(tenth / 10), tenth / 10


@pytest.mark.parametrize("on_oxygen", [True, False, None])
def test_on_scale_2_a_high_saturation_hangs_on_oxygen(on_oxygen: bool | None):
    for tenth in range(1_001):
        column = score_chart.column("spo2", tenth / 10, 2, on_oxygen)
        points = news2.spo2_scale_2_points(tenth / 10, on_oxygen=on_oxygen)

        assert (None if column is None else score_chart.POINTS[column]) == points


@pytest.mark.parametrize(
    ("name", "value", "points"),
    [("on_oxygen", True, 2), ("on_oxygen", False, 0)]
    + [("acvpu", letter, news2.acvpu_points(letter)) for letter in "ACVPU"],
)
def test_what_a_person_charts_is_in_the_column_of_its_points(
    name: str, value: str | bool, points: int
):
    column = score_chart.column(name, value, 1, None)

    assert column is not None
    assert score_chart.POINTS[column] == points
