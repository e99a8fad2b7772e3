"""What an alarm keeps for its sentence is read as it was made, or says nothing."""

import math

import pytest

from icu_stream.contracts.scores import News2, ScoreInput
from icu_stream.domain import notes


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (98.6, ""),
        (-1, ""),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (True, "'True'"),
        (None, "'None'"),
        ("a\x00b\n" + "c" * 99, "'ab" + "c" * 21 + "…'"),
    ],
)
def test_what_is_no_number_is_kept_as_it_came(value, note):
    assert notes.reading(value) == note


def test_what_was_kept_is_read():
    assert notes.read_clock(notes.clock(-3_600_000, "mon 1")) == (-3600, "mon 1")
    assert notes.read_devices(notes.devices("spo2", ["a", "b", "c"])) == (
        "spo2",
        ["a", "b"],
    )
    assert notes.read_shares(notes.shares({"hr": 0.2, "rr": 0.8})) == ["rr", "hr"]
    assert notes.read_pause(notes.pause(5, "a\tb", "x\ty")) == (5, "a b", "x\ty")


def test_the_input_with_the_most_points_is_read_first():
    points = {"rr": 2, "spo2": 3, "pulse": 0, "temp": 2}
    inputs = {n: ScoreInput(value=1.0, points=p, age_s=0) for n, p in points.items()}
    score = News2(total=7, band="high", completeness=4, inputs=inputs)

    assert notes.read_news2(notes.news2(score)) == (
        4,
        (("spo2", 3), ("rr", 2), ("temp", 2)),
    )


def test_what_is_kept_is_bounded():
    assert len(notes.clock(1, "x" * 999)) < 140
    assert len(notes.devices("spo2", ["x" * 999] * 9)) < 270
    assert len(notes.pause(1, "x" * 999, "y" * 999)) < 340


@pytest.mark.parametrize(
    "note", ["", "\t", "=", " ", "x=y", "9" * 5000, "²", "+", "\t\t\t"]
)
def test_a_note_of_another_shape_says_nothing_and_raises_nothing(note):
    assert notes.read_clock(note)[0] == 0
    assert notes.read_pause(note).until_ms == 0
    assert notes.read_news2(note).known == 0
    assert isinstance(notes.read_devices(note)[1], list)
    assert isinstance(notes.read_shares(note), list)
