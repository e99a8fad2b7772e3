"""NEWS2 at both sides of every band's edge: RCP, NEWS2, 2017, charts 1 and 2."""

import itertools
import math

import pytest

from icu_stream.domain import news2
from icu_stream.domain.news2 import Reading
from icu_stream.errors import ImplausibleValueError


# Chart 1, read off again: the last charted value of each band and its points; the next
# band begins one step of the chart above. Not taken from the module.
CHART = {
    news2.rr_points: (1, [(8, 3), (11, 1), (20, 0), (24, 2), (300, 3)]),
    news2.spo2_points: (1, [(91, 3), (93, 2), (95, 1), (100, 0)]),
    news2.sys_points: (1, [(90, 3), (100, 2), (110, 1), (219, 0), (375, 3)]),
    news2.pulse_points: (1, [(40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (350, 3)]),
    news2.temp_points: (0.1, [(35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1), (47.0, 2)]),
}
SCALE_2_ON_OXYGEN = [(83, 3), (85, 2), (87, 1), (92, 0), (94, 1), (96, 2), (100, 3)]
SCALE_2_ON_AIR = [(83, 3), (85, 2), (87, 1), (100, 0)]

EDGES = [
    pytest.param(points, step, last, below, above, id=f"{points.__name__}-{last}")
    for points, (step, bands) in CHART.items()
    for (last, below), (_, above) in itertools.pairwise(bands)
]
# The chart's own numbers: nothing is wrong with this patient.
NORMAL = {
    "rr": Reading(16.0),
    "spo2": Reading(98.0),
    "on_oxygen": Reading(False),
    "sys": Reading(120.0),
    "pulse": Reading(70.0),
    "acvpu": Reading("A"),
    "temp": Reading(37.0),
}


@pytest.mark.parametrize(("points", "step", "last", "below", "above"), EDGES)
def test_each_band_ends_where_the_chart_says(points, step, last, below, above):
    assert points(last) == below
    assert points(round(last + step, 1)) == above


@pytest.mark.parametrize(("points", "step", "last", "below", "above"), EDGES)
def test_a_half_is_rounded_up_into_the_next_band(points, step, last, below, above):
    half = round(last + step / 2, 2)

    assert points(half - step / 10) == below
    assert points(half) == above


def test_the_lowest_and_the_highest_that_an_instrument_shows_are_scored():
    assert [news2.rr_points(v) for v in (0, 300)] == [3, 3]
    assert [news2.spo2_points(v) for v in (0, 100)] == [3, 0]
    assert [news2.sys_points(v) for v in (0, 375)] == [3, 3]
    assert [news2.pulse_points(v) for v in (0, 350)] == [3, 3]
    assert [news2.temp_points(v) for v in (14.2, 47)] == [3, 2]


@pytest.mark.parametrize(
    ("on_oxygen", "bands"), [(True, SCALE_2_ON_OXYGEN), (False, SCALE_2_ON_AIR)]
)
def test_scale_2_ends_its_bands_where_the_chart_says(on_oxygen, bands):
    for (last, below), (_, above) in itertools.pairwise(bands):
        for value, points in (
            (last, below),
            (last + 0.4, below),
            (last + 0.5, above),
            (last + 1, above),
        ):
            scored = news2.spo2_scale_2_points(value, on_oxygen=on_oxygen)
            assert scored == points, value


def test_on_scale_2_a_high_saturation_hangs_on_oxygen_and_a_low_one_does_not():
    assert news2.spo2_scale_2_points(92.4, on_oxygen=None) == 0
    assert news2.spo2_scale_2_points(92.5, on_oxygen=None) is None


def test_91_5_percent_scores_as_92_and_40_5_beats_as_41():
    """Scenario 6 of the clinical rules."""
    score = news2.news2({"spo2": Reading(91.5), "pulse": Reading(40.5)})

    assert score is not None
    assert (score.inputs["spo2"].value, score.inputs["spo2"].points) == (92, 2)
    assert (score.inputs["pulse"].value, score.inputs["pulse"].points) == (41, 1)


@pytest.mark.parametrize(
    ("value", "digits", "want"),
    [
        (91.5, 0, 92),
        (91.49, 0, 91),
        (92.5, 0, 93),
        (0.5, 0, 1),
        (35.05, 1, 35.1),
        (35.04, 1, 35.0),
        (38.05, 1, 38.1),
        (36.449999999999996, 2, 36.45),
    ],
)
def test_a_chart_rounds_half_up(value, digits, want):
    assert news2.charted(value, digits) == want


def test_a_mean_that_floating_point_put_below_the_half_scores_as_the_half():
    mean = sum([35.1, 35.0] * 5) / 10

    assert news2.temp_points(mean) == news2.temp_points(35.1) == 1


@pytest.mark.parametrize("letter", "CVPU")
def test_anybody_who_is_not_alert_scores_3(letter):
    assert news2.acvpu_points(letter) == 3


def test_oxygen_scores_2_and_air_none():
    assert (news2.oxygen_points(True), news2.oxygen_points(False)) == (2, 0)


@pytest.mark.parametrize(
    "points",
    [
        news2.rr_points,
        news2.spo2_points,
        news2.sys_points,
        news2.pulse_points,
        news2.temp_points,
    ],
)
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, -math.inf, 1e308, True])
def test_what_no_patient_can_have_is_not_scored(points, value):
    with pytest.raises(ImplausibleValueError, match="want"):
        points(value)


def test_a_temperature_in_fahrenheit_is_not_scored():
    with pytest.raises(ImplausibleValueError, match=r"98\.6 Cel: want 14\.2 to 47"):
        news2.temp_points(98.6)


@pytest.mark.parametrize(
    ("points", "value"),
    [(news2.acvpu_points, "X"), (news2.acvpu_points, ""), (news2.oxygen_points, 1)],
)
def test_what_is_no_answer_is_not_scored(points, value):
    with pytest.raises(ImplausibleValueError):
        points(value)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("value", ["98", True, math.nan])
def test_a_saturation_that_is_no_number_is_not_scored_on_either_scale(scale, value):
    with pytest.raises(ImplausibleValueError):
        news2.news2({"spo2": Reading(value)}, spo2_scale=scale)


def test_a_whole_set_is_complete():
    score = news2.news2(NORMAL)

    assert score is not None
    assert (score.total, score.band, score.completeness) == (0, "low", 7)
    assert list(score.inputs) == list(news2.INPUTS)


@pytest.mark.parametrize("missing", news2.INPUTS)
def test_a_missing_input_is_absent_and_lowers_the_completeness(missing):
    """Scenario 7 of the clinical rules."""
    rest = {name: None if name == missing else r for name, r in NORMAL.items()}

    score = news2.news2(rest)

    assert score is not None
    assert missing not in score.inputs
    assert score.completeness == 6


def test_of_nothing_there_is_no_score():
    assert news2.news2({}) is None
    assert news2.news2(dict.fromkeys(news2.INPUTS)) is None


def test_on_scale_2_a_high_saturation_is_missing_while_nobody_spoke_of_oxygen():
    inputs = NORMAL | {"spo2": Reading(95.0), "on_oxygen": None}

    score = news2.news2(inputs, spo2_scale=2)

    assert score is not None
    assert "spo2" not in score.inputs
    assert score.completeness == 5


def test_the_scale_changes_what_a_saturation_scores():
    inputs = NORMAL | {"spo2": Reading(90.0)}
    totals = [news2.news2(inputs, spo2_scale=scale).total for scale in (1, 2)]

    assert totals == [3, 0]


def test_an_age_goes_with_its_input():
    score = news2.news2({"temp": Reading(36.0, age_s=5400)})

    assert score is not None
    assert score.inputs["temp"].age_s == 5400


@pytest.mark.parametrize(
    ("total", "worst", "band"),
    [
        (0, 0, "low"),
        (4, 2, "low"),
        (3, 3, "low-medium"),
        (4, 3, "low-medium"),
        (5, 2, "medium"),
        (6, 3, "medium"),
        (7, 2, "high"),
        (20, 3, "high"),
    ],
)
def test_the_band_is_that_of_chart_2(total, worst, band):
    assert news2.band(total, worst) == band


def test_the_worst_that_a_patient_can_be_scores_20():
    worst = {
        "rr": Reading(0.0),
        "spo2": Reading(70.0),
        "on_oxygen": Reading(True),
        "sys": Reading(60.0),
        "pulse": Reading(150.0),
        "acvpu": Reading("U"),
        "temp": Reading(34.0),
    }

    score = news2.news2(worst)

    assert score is not None
    assert (score.total, score.band) == (20, "high")


def test_an_unknown_input_or_scale_is_refused():
    with pytest.raises(ValueError, match="no such input of NEWS2: hr"):
        news2.news2({"hr": Reading(80.0)})
    with pytest.raises(ValueError, match="SpO2 scale 3"):
        news2.news2({"spo2": Reading(95.0)}, spo2_scale=3)
