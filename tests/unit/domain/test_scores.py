"""MEWS, qSOFA, SIRS and the shock index at both sides of every edge."""

import itertools

import pytest

from icu_stream.domain import scores
from icu_stream.domain.scores import Score


# Subbe et al., QJM 2001;94:521, table 1, read off again: the last value of each band.
MEWS = {
    "sys": (1, [(70, 3), (80, 2), (100, 1), (199, 0), (300, 2)]),
    "hr": (1, [(40, 2), (50, 1), (100, 0), (110, 1), (129, 2), (300, 3)]),
    "rr": (1, [(8, 2), (14, 0), (20, 1), (29, 2), (80, 3)]),
    "temp": (0.1, [(34.9, 2), (38.4, 0), (42.0, 2)]),
}


@pytest.mark.parametrize("name", MEWS)
def test_each_band_of_mews_ends_where_its_table_says(name):
    """Subbe CP et al. QJM 2001;94:521, table 1."""
    step, bands = MEWS[name]

    for (last, below), (_, above) in itertools.pairwise(bands):
        for value, points in (
            (last, below),
            (last + step * 0.4, below),
            (last + step * 0.5, above),
            (last + step, above),
        ):
            assert scores.mews(**{name: round(value, 3)}) == Score(points, 1, 5), value


@pytest.mark.parametrize(
    ("letter", "points"), [("A", 0), ("C", 1), ("V", 1), ("P", 2), ("U", 3)]
)
def test_consciousness_in_mews(letter, points):
    assert scores.mews(acvpu=letter) == Score(points, 1, 5)


def test_the_worst_mews_is_14():
    worst = scores.mews(sys=60, hr=140, rr=35, temp=40, acvpu="U")

    assert worst == Score(14, 5, 5)
    assert not worst.is_at_least


@pytest.mark.parametrize(
    ("inputs", "points"),
    [
        ({"rr": 21.4}, 0),
        ({"rr": 21.5}, 1),
        ({"sys": 100.4}, 1),
        ({"sys": 100.5}, 0),
        ({"acvpu": "A"}, 0),
        ({"acvpu": "C"}, 1),
        ({"gcs": 15}, 0),
        ({"gcs": 14}, 1),
        ({"acvpu": "A", "gcs": 14}, 1),
        ({"acvpu": "V", "gcs": 15}, 1),
    ],
)
def test_each_criterion_of_qsofa_at_its_edge(inputs, points):
    """Singer M et al. JAMA 2016;315:801, box 4."""
    assert scores.qsofa(**inputs) == Score(points, 1, 3)


@pytest.mark.parametrize(
    ("inputs", "points"),
    [
        ({"temp": 35.94}, 1),
        ({"temp": 35.95}, 0),
        ({"temp": 38.04}, 0),
        ({"temp": 38.05}, 1),
        ({"hr": 90.4}, 0),
        ({"hr": 90.5}, 1),
        ({"rr": 20.4}, 0),
        ({"rr": 20.5}, 1),
    ],
)
def test_each_criterion_of_the_vital_part_of_sirs_at_its_edge(inputs, points):
    """Bone RC et al. Chest 1992;101:1644."""
    assert scores.sirs_vital(**inputs) == Score(points, 1, 3)


def test_a_missing_input_makes_a_score_at_least_so_much():
    score = scores.qsofa(rr=24)

    assert score == Score(1, 1, 3)
    assert score.is_at_least


@pytest.mark.parametrize("score", [scores.mews, scores.qsofa, scores.sirs_vital])
def test_of_nothing_there_is_no_score(score):
    assert score() is None


def test_the_shock_index_wants_both_and_a_pressure():
    """Allgoewer M, Burri C. Dtsch Med Wochenschr 1967;92:1947."""
    assert scores.shock_index(hr=90, sys=120) == Score(0.75, 2, 2)
    assert scores.shock_index(hr=0, sys=120) == Score(0.0, 2, 2)
    assert scores.shock_index(hr=90) is None
    assert scores.shock_index(sys=120) is None
    assert scores.shock_index(hr=90, sys=0) is None
    assert scores.shock_index(hr=90, sys=-3) is None


def test_every_score_has_its_version():
    assert set(scores.VERSIONS) == {"mews", "qsofa", "sirs_vital", "shock_index"}
