"""The online scorer of a population's prior: what it adds up, and what it refuses."""

import math
import pickle

import msgspec
import pytest

from icu_stream.domain.risk import Input, Prior, Risk
from icu_stream.errors import ConfigurationError, StateError
from icu_stream.evaluation import priors


HOUR_MS = 3_600_000


def an_input(code, **fields):
    given = {
        "low": 0,
        "high": 1000,
        "valid_h": 12,
        "knots": [10, 20, 40],
        "last": [0, 1, 3],
    }
    return Input(code=code, **(given | fields))


def a_prior(*inputs, intercept=-2.0):
    return Prior(
        format=1,
        name="test",
        version=1,
        outcome="a test",
        data="none",
        stays=0,
        intercept=intercept,
        inputs=list(inputs),
    )


def a_patient(*inputs):
    return Risk(a_prior(*inputs)).patient()


def log_odds(score):
    return math.log(score.probability / (1 - score.probability))


@pytest.mark.parametrize(
    ("value", "added"),
    [(5, 0), (10, 0), (15, 0.5), (20, 1), (30, 2), (40, 3), (999, 3)],
)
def test_a_value_adds_what_the_line_says_and_no_more_beyond_its_ends(value, added):
    patient = a_patient(an_input("hr"))

    patient.observe("hr", value, 0)

    assert log_odds(patient.score(0)) == pytest.approx(-2 + added)


def test_what_was_never_measured_adds_nothing_and_is_named():
    patient = a_patient(an_input("hr"), an_input("lactate", known=0.7))

    patient.observe("hr", 20, 0)

    score = patient.score(0)
    assert score.missing == ("lactate",)
    assert log_odds(score) == pytest.approx(-1)


def test_being_known_has_log_odds_of_its_own():
    patient = a_patient(an_input("lactate", known=0.7))

    patient.observe("lactate", 10, 0)

    assert log_odds(patient.score(0)) == pytest.approx(-1.3)


def test_a_value_that_is_too_old_is_missing_and_not_carried_on():
    patient = a_patient(an_input("hr"))
    patient.observe("hr", 40, 0)

    in_time, late = patient.score(12 * HOUR_MS), patient.score(12 * HOUR_MS + 1)

    assert (in_time.missing, late.missing) == ((), ("hr",))
    assert log_odds(late) == pytest.approx(-2)


@pytest.mark.parametrize("value", [-0.1, 1000.1, math.nan, math.inf])
def test_what_is_no_patients_value_is_not_taken(value):
    patient = a_patient(an_input("hr"))

    assert not patient.observe("hr", value, 0)
    assert patient.score(0).missing == ("hr",)


def test_a_late_value_does_not_replace_a_newer_one():
    patient = a_patient(an_input("hr"))
    patient.observe("hr", 40, HOUR_MS)

    assert not patient.observe("hr", 10, HOUR_MS - 1)
    assert patient.reading(0, HOUR_MS).last == 40


def test_a_code_that_the_prior_does_not_know_is_passed_over():
    assert not a_patient(an_input("hr")).observe("etco2", 35, 0)


def test_the_mean_follows_over_half_a_day():
    patient = a_patient(an_input("hr", mean=[0, 0, 0]))
    for hour in range(48):
        patient.observe("hr", 20 if hour < 24 else 40, hour * HOUR_MS)

    reading = patient.reading(0, 47 * HOUR_MS)

    # 24 hours of 40 after 20: all but e^-2 of the way.
    assert reading.last == 40
    assert reading.mean == pytest.approx(40 - 20 * math.exp(-2), abs=0.5)


def test_arterial_and_cuff_pressure_are_one_input():
    patient = a_patient(an_input("sys"))

    patient.observe("nibp_sys", 120, 0)
    patient.observe("abp_sys", 90, 1)

    assert patient.reading(0, 1).last == 90


def test_ratios_want_a_denominator_of_the_same_time():
    patient = a_patient(
        an_input("hr"), an_input("sys"), an_input("shock_index", low=0.1, high=5)
    )

    patient.observe("abp_sys", 100, 0)
    patient.observe("hr", 90, HOUR_MS)
    together = patient.reading(2, HOUR_MS)
    patient.observe("hr", 200, HOUR_MS * 2 + 1)
    apart = patient.reading(2, HOUR_MS * 2 + 1)

    assert together.last == pytest.approx(0.9)
    assert apart.last == together.last
    assert apart.age_ms == HOUR_MS + 1


def test_pushes_sum_to_the_score_and_shares_to_one():
    patient = a_patient(
        an_input("hr", usual=0.5), an_input("rr", usual=0.2), an_input("temp", usual=2)
    )
    patient.observe("hr", 40, 0)
    patient.observe("rr", 20, 0)
    patient.observe("temp", 10, 0)

    score = patient.score(0)

    assert score.pushes == pytest.approx({"hr": 2.5, "rr": 0.8, "temp": -2.0})
    assert log_odds(score) == pytest.approx(-2 + 2.5 + 0.8 - 2.0)
    assert list(score.shares) == ["hr", "rr"]
    assert sum(score.shares.values()) == pytest.approx(1)


def test_scoring_changes_nothing():
    patient = priors.load("mortality").patient()
    patient.observe("hr", 120, 0)
    before = patient.snapshot()

    assert patient.score(HOUR_MS) == patient.score(HOUR_MS)
    assert patient.snapshot() == before


def test_a_restored_patient_scores_the_same_and_goes_on_the_same():
    risk = priors.load("mortality")
    patient = risk.patient()
    for hour in range(10):
        patient.observe("hr", 80.1 + hour, hour * HOUR_MS)
        patient.observe("lactate", 1.7 * hour, hour * HOUR_MS)

    restored = risk.restore(patient.snapshot())
    for one in (patient, restored):
        one.observe("hr", 131, 10 * HOUR_MS)

    assert restored.score(11 * HOUR_MS) == patient.score(11 * HOUR_MS)


@pytest.mark.parametrize("name", priors.NAMES)
def test_a_patient_is_a_kilobyte(name):
    assert len(priors.load(name).patient().snapshot()) <= 1200


def test_a_snapshot_of_another_prior_is_refused():
    snapshot = priors.load("sepsis").patient().snapshot()

    with pytest.raises(StateError, match="start anew"):
        priors.load("mortality").restore(snapshot)


def test_every_damaged_byte_of_a_snapshot_is_noticed():
    risk = Risk(a_prior(an_input("hr")))
    patient = risk.patient()
    patient.observe("hr", 80, 0)
    snapshot = bytearray(patient.snapshot())
    for i in range(len(snapshot)):
        damaged = snapshot.copy()
        damaged[i] ^= 1

        with pytest.raises(StateError):
            risk.restore(bytes(damaged))


@pytest.mark.parametrize(
    "raw",
    [
        pickle.dumps({"name": "foreign"}),
        b"{}",
        b'{"py/object": "os.system"}',
        msgspec.json.encode(
            {**msgspec.to_builtins(a_prior(an_input("hr"))), "class": "x"}
        ),
        msgspec.json.encode(
            {**msgspec.to_builtins(a_prior(an_input("hr"))), "format": 2}
        ),
    ],
    ids=["pickle", "empty", "a class", "an unknown field", "another format"],
)
def test_a_file_that_is_no_prior_is_refused(raw):
    with pytest.raises(ConfigurationError, match="train it anew"):
        Risk.load(raw)


@pytest.mark.parametrize(
    "inputs",
    [
        [an_input("hr"), an_input("hr")],
        [an_input("hr", knots=[10, 10, 40])],
        [an_input("hr", last=[0, 1])],
        [an_input("hr", mean=[0, 1])],
        [an_input("hr", low=5, high=5)],
    ],
    ids=["twice", "flat knots", "short line", "short mean", "no range"],
)
def test_a_prior_that_contradicts_itself_is_refused(inputs):
    with pytest.raises(ConfigurationError, match="risk prior test"):
        Risk(a_prior(*inputs))


@pytest.mark.parametrize("name", priors.NAMES)
def test_a_shipped_prior_stays_a_probability_at_every_extreme(name):
    risk = priors.load(name)
    for pick in (lambda one: one.low, lambda one: one.high):
        patient = risk.patient()
        for one in risk.prior.inputs:
            patient.observe(one.code, pick(one), 0)

        assert 0 < patient.score(0).probability < 1


def test_a_sicker_patient_has_a_higher_risk_of_death():
    well, ill = (priors.load("mortality").patient() for _ in range(2))
    for code, good, bad in [
        ("hr", 75, 135),
        ("abp_sys", 125, 75),
        ("gcs", 15, 4),
        ("lactate", 1, 9),
        ("urine_ml_h", 90, 5),
        ("bun", 12, 90),
        ("age", 40, 85),
    ]:
        well.observe(code, good, 0)
        ill.observe(code, bad, 0)

    assert well.score(0).probability < 0.1
    assert ill.score(0).probability > 0.6
    assert "gcs" in list(ill.score(0).shares)[:4]
