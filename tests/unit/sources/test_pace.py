"""Speed, start, and which records are marked as a replay."""

import math

import pytest

from icu_stream.errors import ConfigurationError
from icu_stream.sources import pace


@pytest.mark.parametrize("text", ["0", "-1", "fast", "inf", "nan", ""])
def test_a_speed_is_a_number_above_zero_or_max(text: str):
    with pytest.raises(ConfigurationError, match="or max"):
        pace.speed(text)

    assert pace.speed("max") == math.inf
    assert pace.speed("0.5") == 0.5


def test_a_start_without_a_zone_is_utc():
    assert pace.start("2026-11-24T03:55:41") == 1_795_492_541_000
    assert pace.start("2026-11-24T04:55:41+01:00") == 1_795_492_541_000
    assert pace.start("now") is pace.start("original") is None
    with pytest.raises(ConfigurationError, match="want now, original"):
        pace.start("yesterday")


@pytest.mark.parametrize(
    ("live", "speed", "headers"),
    [
        (True, 1.0, []),
        (False, 1.0, [("icu-replay", b"1")]),
        (False, 60.0, [("icu-replay", b"60")]),
        (False, math.inf, [("icu-replay", b"max")]),
    ],
)
def test_what_is_not_live_is_marked_as_a_replay(
    live: bool, speed: float, headers: list[tuple[str, bytes]]
):
    assert pace.headers(live, speed) == headers
