"""Learning priors: splits, the learner, metrics, and that what is learnt is scored."""

import math

import numpy as np
import pytest

from icu_stream.domain.risk import Risk
from icu_stream.evaluation import (
    candidates,
    designs,
    learner,
    metrics,
    splits,
    training,
)
from icu_stream.evaluation.cohorts import HOUR_MS, Stay
from icu_stream.evaluation.learner import OnlineLogistic
from icu_stream.evaluation.metrics import Events, Ranked


def stays(count=60, hours=12, seed=1):
    """Stays that end badly the more often the faster their hearts beat."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        rate = random.uniform(50, 140)
        bad = bool(random.random() < 1 / (1 + math.exp((110 - rate) / 8)))
        values = [
            (hour * HOUR_MS, code, value)
            for hour in range(hours)
            for code, value in (("hr", rate + hour % 3), ("abp_sys", 120.0))
        ]
        made.append(Stay(f"{number}", values, [(h * HOUR_MS, bad) for h in (6, 12)]))
    return made


def test_a_stays_side_depends_on_its_id_alone():
    all_of_them = stays()
    few = splits.by_half(all_of_them[::-1][:30], "eicu")
    many = splits.by_half(all_of_them, "eicu")

    assert {s.stay_id for s in few.training} <= {s.stay_id for s in many.training}
    assert not {s.stay_id for s in many.training} & {s.stay_id for s in many.test}
    assert splits.place("eicu", "141765") == 5998216200876435617


def test_what_was_learnt_is_what_is_scored():
    cohort = stays()
    design = designs.MORTALITY
    table = training.tabulate(cohort, design.empty)
    model = training.train(design, table)
    logits = model.logits(learner.features(design.empty, table.read))
    risk = Risk(learner.written(design.empty, model, len(cohort)))

    scored = []
    for stay in cohort:
        training.replay(
            stay,
            risk,
            lambda state, time_ms, _: scored.append(state.score(time_ms).probability),
        )

    # Log-odds at the knots are rounded to four digits.
    assert scored == pytest.approx((1 / (1 + np.exp(-logits))).tolist(), abs=2e-3)


def test_nothing_after_a_label_is_known_at_it():
    stay = Stay("1", [(0, "hr", 80.0), (HOUR_MS + 1, "hr", 140.0)], [(HOUR_MS, False)])

    table = training.tabulate([stay], designs.SEPSIS.empty)

    assert table.read[0, 0] == 80


def test_the_learner_comes_to_what_all_rows_at_once_come_to():
    random = np.random.default_rng(3)
    rows = random.normal(size=(3000, 3))
    truth = np.array([1.0, -0.5, 0.0])
    labels = random.random(3000) < 1 / (1 + np.exp(1 - rows @ truth))
    model = OnlineLogistic(("a", "b", "c"), variance=10.0, intercept=0.0)

    for row, label in zip(rows, labels, strict=True):
        model.learn_row(row, bool(label))

    assert model.weights.tolist() == pytest.approx([-1, 1, -0.5, 0], abs=0.12)


def test_the_learner_speaks_rivers_verbs():
    model = OnlineLogistic(("a", "b"), variance=1.0, intercept=0.0)
    x = {"a": 1.0, "new": 5.0}

    before = model.predict_proba_one(x)
    model.learn_one(x, y=True)

    assert before == {False: 0.5, True: 0.5}
    assert model.predict_proba_one(x)[True] > 0.5
    assert x == {"a": 1.0, "new": 5.0}
    assert model.predict_one(x) is True


def test_a_row_is_scored_before_its_stay_is_learnt():
    design = designs.SEPSIS
    table = training.tabulate(stays(), design.empty)
    first = table.stays == 0
    untouched = training.fresh(design, table)

    logits = training.prequential(training.fresh(design, table), design, table)

    rows = learner.features(design.empty, table.read)
    assert logits[first].tolist() == untouched.logits(rows[first]).tolist()
    assert logits[-1] != untouched.logits(rows[-1])


def test_learning_twice_gives_the_same_prior():
    table = training.tabulate(stays(), designs.MORTALITY.empty)
    first, second = (training.train(designs.MORTALITY, table) for _ in range(2))

    assert first.weights.tolist() == second.weights.tolist()


def test_a_stay_counts_once_however_many_hours_it_is_asked():
    table = training.tabulate(stays(10), designs.SEPSIS.empty)

    weights = training.weights(table)

    assert np.bincount(table.stays.astype(int), weights) == pytest.approx(np.ones(10))
    assert weights[1] > weights[0]


@pytest.mark.parametrize(
    ("scores", "area"),
    [
        ([1, 2, 3, 4], 1.0),
        ([4, 3, 2, 1], 0.0),
        ([1, 1, 1, 1], 0.5),
        ([1, 3, 2, 4], 0.75),
    ],
)
def test_equal_scores_count_half(scores, area):
    labels = np.array([0.0, 0.0, 1.0, 1.0])

    assert Ranked(labels, np.array(scores, float)).areas()[0] == pytest.approx(area)


def test_weights_stand_for_repeated_rows():
    random = np.random.default_rng(5)
    labels, scores = random.integers(0, 2, 50).astype(float), random.normal(size=50)
    times = random.integers(0, 4, 50)

    weighted = Ranked(labels, scores).areas(times.astype(float))

    repeated = Ranked(np.repeat(labels, times), np.repeat(scores, times)).areas()
    assert weighted == pytest.approx(repeated)


def test_an_interval_is_over_patients_not_rows():
    random = np.random.default_rng(7)
    labels, scores = random.integers(0, 2, 40).astype(float), random.normal(size=40)
    patients = np.arange(40.0)
    once = metrics.worths(labels, patients, {"a": scores}, "a", resamples=200)["a"]

    copies = metrics.worths(
        np.tile(labels, 25),
        np.tile(patients, 25),
        {"a": np.tile(scores, 25)},
        "a",
        resamples=200,
    )["a"]

    assert copies.auroc == pytest.approx(once.auroc)
    assert once.gain == (0, 0, 0)


def test_a_probability_that_means_what_it_says_has_slope_one():
    random = np.random.default_rng(9)
    logits = random.normal(size=20_000)
    labels = (random.random(20_000) < 1 / (1 + np.exp(-logits))).astype(float)

    right = metrics.calibration(labels, logits)
    sure = metrics.calibration(labels, 2 * logits + 1)

    assert (right.slope, right.intercept) == pytest.approx((1, 0), abs=0.06)
    assert sure.slope == pytest.approx(0.5, abs=0.03)
    assert sure.brier > right.brier


def test_an_alarm_budget_is_kept_and_warnings_are_counted_by_patient():
    # Two patients for a day each; the first falls ill at hour 20.
    patients = np.repeat([0.0, 1.0], 24)
    hours = np.tile(np.arange(24.0), 2)
    until = np.where(patients == 0, 20 - hours, np.nan)
    warns = (until >= 0) & (until <= 12)
    events = Events(warns, warns, until, 1)
    scores = np.where((patients == 0) & (hours >= 15), 3.0, np.where(hours < 2, 2.0, 0))

    few = metrics.alarming(scores, patients, events, 5)
    more = metrics.alarming(scores, patients, events, 7)

    assert few.alarms == pytest.approx(4.5)
    assert (few.sensitivity, few.lead_h) == (1.0, 5.0)
    assert few.ppv == pytest.approx(6 / 9)
    assert more.false_alarms == pytest.approx((9 - 6 + 4) / 2)
    assert metrics.alarming(scores, patients, events, 1) is None


def test_within_a_stratum_what_the_stratum_gives_away_is_out():
    labels = np.array([0.0, 0, 0, 1, 0, 1, 1, 1])
    strata = np.repeat([0.0, 1.0], 4)

    assert Ranked(labels, strata).areas()[0] == pytest.approx(0.75)
    assert metrics.within_strata(labels, strata, strata) == pytest.approx(0.5)


def test_a_missing_input_of_news2_scores_nothing():
    stay = Stay(
        "1",
        [(0, "hr", 135.0), (0, "rr", 26.0)],
        [(0, False), (13 * HOUR_MS, False)],
    )
    table = training.tabulate([stay], designs.MORTALITY.empty)

    # 3 for the pulse and 3 for the breaths; half a day later nothing is known.
    assert candidates.news2_totals(table, designs.MORTALITY.empty).tolist() == [6, 0]


def test_the_sepsis_prior_begins_as_news2():
    design = designs.SEPSIS
    table = training.tabulate(stays(), design.empty)
    risk = Risk(learner.written(design.empty, training.fresh(design, table), 0))
    at_rest, fast = risk.patient(), risk.patient()
    at_rest.observe("hr", 70, 0)
    fast.observe("hr", 140, 0)

    more = fast.score(0).pushes["hr"] - at_rest.score(0).pushes["hr"]

    # Three points more; each is worth 0.2 before anything is learnt.
    assert more == pytest.approx(0.6)


def test_who_asks_says_how_long_the_patient_has_been_there():
    at = candidates.places(designs.SEPSIS.empty)

    table = training.tabulate(stays(1), designs.SEPSIS.empty)

    assert table.read[:, at["stay_h"]].tolist() == [6, 12]
