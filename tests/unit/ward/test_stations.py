"""What is known of the screens: whether an alarm would be heard there."""

import json

from typing import Any

import pytest

from icu_stream.access.roles import Person, Role
from icu_stream.ward.stations import HEARD_MS, KEPT_MS, MOST, Stations


T0 = 1_795_492_540_000
NURSE = Person("RN Okafor", Role.NURSE, T0, "ICU1 desk")


def said(n: int = 1, **fields: Any) -> str:
    return json.dumps({"id": f"{n:016x}", "sound": "on", "volume": 80} | fields)


def test_a_screen_whose_sound_is_locked_is_silent_until_it_says_otherwise():
    stations = Stations()

    stations.hear(said(sound="locked"), NURSE, T0)
    (locked,) = stations
    stations.hear(said(), NURSE, T0 + 1)
    (open_,) = stations

    assert locked.is_silent(T0)
    assert not open_.is_silent(T0 + 1)
    assert (open_.name, open_.by, open_.report.volume) == ("ICU1 desk", "RN Okafor", 80)


def test_a_screen_that_is_not_heard_of_any_more_is_silent():
    stations = Stations()
    stations.hear(said(), NURSE, T0)
    (station,) = stations

    assert not station.is_silent(T0 + HEARD_MS)
    assert station.is_silent(T0 + HEARD_MS + 1)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "not json",
        b"\xff",
        said(sound="loud"),
        said(volume=101),
        said(id="../desk"),
        said(by="somebody else"),
    ],
)
def test_what_is_no_report_is_counted_and_passed_over(message: str | bytes):
    stations = Stations()

    stations.hear(message, NURSE, T0)

    assert (list(stations), stations.refused) == ([], 1)


def test_screens_are_bounded_and_those_of_the_last_shift_go():
    stations = Stations()
    for n in range(MOST + 1):
        stations.hear(said(n), NURSE, T0 + n)

    ids = [station.id for station in stations]
    stations.hear(said(), NURSE, T0 + MOST + KEPT_MS)
    left = [station.id for station in stations]

    assert len(ids) == MOST
    assert ids[0] == f"{1:016x}"  # the one that was silent for the longest time left
    assert left == [ids[-1], f"{1:016x}"]
