"""NEWS2 a second time, as a person reads it off the chart; no code is shared.

Source: Royal College of Physicians. National Early Warning Score (NEWS) 2, 2017,
charts 1 and 2.
"""

import decimal

from collections.abc import Mapping
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from icu_stream.contracts.scores import News2
from icu_stream.domain import news2
from icu_stream.domain.news2 import Reading


# One line a band, as printed: points, the lowest and the highest charted value.
RR = ((3, 0, 8), (1, 9, 11), (0, 12, 20), (2, 21, 24), (3, 25, 300))
SPO2_SCALE_1 = ((3, 0, 91), (2, 92, 93), (1, 94, 95), (0, 96, 100))
SPO2_SCALE_2 = ((3, 0, 83), (2, 84, 85), (1, 86, 87), (0, 88, 92))
SPO2_SCALE_2_ON_OXYGEN = ((1, 93, 94), (2, 95, 96), (3, 97, 100))
SYSTOLIC = (
    *((3, 0, 90), (2, 91, 100), (1, 101, 110)),
    *((0, 111, 219), (3, 220, 375)),
)
PULSE = (
    *((3, 0, 40), (1, 41, 50), (0, 51, 90)),
    *((1, 91, 110), (2, 111, 130), (3, 131, 350)),
)
TENTHS_OF_TEMPERATURE = (
    *((3, 142, 350), (1, 351, 360), (0, 361, 380)),
    *((1, 381, 390), (2, 391, 470)),
)


def points(inputs: Mapping[str, Any], scale: int) -> dict[str, int]:
    """What each input that is there scores; one that cannot be scored is absent."""
    scored: dict[str, int] = {}
    for name, value in inputs.items():
        if name == "rr":
            scored[name] = band_of(value, RR)
        elif name == "sys":
            scored[name] = band_of(value, SYSTOLIC)
        elif name == "pulse":
            scored[name] = band_of(value, PULSE)
        elif name == "temp":
            scored[name] = band_of(value * 10, TENTHS_OF_TEMPERATURE)
        elif name == "acvpu":
            scored[name] = 0 if value == "A" else 3
        elif name == "on_oxygen":
            scored[name] = 2 if value else 0
    if "spo2" in inputs:
        of_spo2 = spo2_points(inputs["spo2"], scale, inputs.get("on_oxygen"))
        if of_spo2 is not None:
            scored["spo2"] = of_spo2
    return scored


def spo2_points(value: float, scale: int, on_oxygen: bool | None) -> int | None:
    """Both scales; on the second a high value means nothing without the oxygen."""
    if scale == 1:
        return band_of(value, SPO2_SCALE_1)
    if charted(value) <= 92:
        return band_of(value, SPO2_SCALE_2)
    if on_oxygen is None:
        return None
    return band_of(value, SPO2_SCALE_2_ON_OXYGEN) if on_oxygen else 0


def band_of(value: float, bands: tuple[tuple[int, int, int], ...]) -> int:
    """The points of the one band in which the charted value lies."""
    [one] = [scored for scored, low, high in bands if low <= charted(value) <= high]
    return one


def charted(value: float) -> int:
    """To the next whole number, the half up, as a nurse rounds.

    Nine decimals first: a mean of ten readings may miss the half by less than that.
    """
    exact = decimal.Decimal(repr(round(value, 9)))
    return int((exact + decimal.Decimal("0.5")).to_integral_value(decimal.ROUND_FLOOR))


def band(scored: Mapping[str, int]) -> str:
    """Chart 2: clinical risk."""
    total = sum(scored.values())
    if total >= 7:
        return "high"
    if total >= 5:
        return "medium"
    return "low-medium" if 3 in scored.values() else "low"


def number(low: float, high: float, digits: int) -> st.SearchStrategy[float]:
    """Mostly about the chart's edges: halves, and a hundredth to either side."""
    step = 10**-digits
    on_the_chart = st.integers(round(low / step), round(high / step))
    beside = st.sampled_from((0, 0.5, 0.49, 0.51, 0.4, 0.6))
    at_an_edge = st.builds(lambda n, by: (n + by) * step, on_the_chart, beside)
    return st.one_of(
        at_an_edge.filter(lambda value: low <= value <= high), st.floats(low, high)
    )


READINGS = st.fixed_dictionaries(
    {},
    optional={
        "rr": number(0, 300, 0),
        "spo2": number(0, 100, 0),
        "on_oxygen": st.booleans(),
        "sys": number(0, 375, 0),
        "pulse": number(0, 350, 0),
        "acvpu": st.sampled_from("ACVPU"),
        "temp": number(14.2, 47, 1),
    },
)


def scored_by_the_core(inputs: Mapping[str, Any], scale: int) -> News2 | None:
    """The domain's NEWS2 of the same readings."""
    readings = {name: Reading(value) for name, value in inputs.items()}
    return news2.news2(readings, spo2_scale=scale)


@given(inputs=READINGS, scale=st.sampled_from((1, 2)))
@example(inputs={"spo2": 91.5, "pulse": 40.5}, scale=1)
@example(inputs={"spo2": 92.5}, scale=2)
@example(inputs={"temp": 35.05, "rr": 8.5, "sys": 219.5}, scale=1)
def test_a_person_and_the_core_read_the_same_off_the_chart(
    inputs: dict[str, Any], scale: int
) -> None:
    wanted = points(inputs, scale)

    score = scored_by_the_core(inputs, scale)

    if not wanted:
        assert score is None or score.completeness == 0
        return
    assert score is not None
    assert {name: one.points for name, one in score.inputs.items()} == wanted
    assert score.total == sum(wanted.values())
    assert score.completeness == len(wanted)
    assert score.band == band(wanted)


@given(inputs=READINGS, scale=st.sampled_from((1, 2)), missing=st.data())
def test_what_is_missing_never_raises_the_score(
    inputs: dict[str, Any], scale: int, missing: st.DataObject
) -> None:
    if not inputs:
        return
    name = missing.draw(st.sampled_from(sorted(inputs)))
    rest = {other: value for other, value in inputs.items() if other != name}

    whole, less = scored_by_the_core(inputs, scale), scored_by_the_core(rest, scale)

    assert (0 if less is None else less.total) <= (0 if whole is None else whole.total)
