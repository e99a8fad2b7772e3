"""What was measured beside the priors: scores on the same rows, learnt where they learn.

Every candidate sees the stays in one order, the training part first. It scores a row
before it learns it; one that needs outcomes learns a stay when it is over. So its
scores on the test part are of stays that it never saw.
"""

import math
import statistics

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from river import anomaly, drift, linear_model, optim, preprocessing

from icu_stream.contracts.signals import BY_CODE
from icu_stream.domain import news2
from icu_stream.domain.limits import STRENGTH, Rules, Verdict, verdict
from icu_stream.domain.news2 import Reading
from icu_stream.domain.risk import Prior
from icu_stream.errors import ConfigurationError
from icu_stream.evaluation import learner, training
from icu_stream.evaluation.learner import Vector
from icu_stream.evaluation.training import Table


# Signals of the adult profile by input of a prior; cuff pressures have the same limits.
_SIGNALS = {
    "hr": "hr",
    "rr": "rr",
    "spo2": "spo2",
    "temp": "temp",
    "sys": "abp_sys",
    "map": "abp_mean",
}
VITALS = tuple(_SIGNALS)
# GCS 15 is alert; everything less is not. Which letter makes no difference to NEWS2.
_ALERT_GCS = 15
# Air is 21 %; what is charted as 21 may be rounded.
_AIR = 21.5
_SEED = 1


def places(prior: Prior) -> dict[str, int]:
    """Column of each input's last value in a table's readings."""
    return {one.code: 2 * i for i, one in enumerate(prior.inputs)}


def by_stay(table: Table) -> Iterator[slice]:
    """Rows of one stay after the other."""
    edges = np.flatnonzero(np.r_[True, np.diff(table.stays) != 0, True])
    for first, end in pairwise(edges.tolist()):
        yield slice(first, end)


def news2_totals(table: Table, prior: Prior) -> Vector:
    """NEWS2 of each row; what is missing scores nothing (the score is "at least")."""
    at = places(prior)
    totals = []
    for row in table.read:
        value = {code: float(row[column]) for code, column in at.items()}
        readings: dict[str, Reading | None] = {
            name: Reading(value[code])
            for name, code in (
                ("rr", "rr"),
                ("spo2", "spo2"),
                ("sys", "sys"),
                ("pulse", "hr"),
                ("temp", "temp"),
            )
            if math.isfinite(value[code])
        }
        if math.isfinite(value["fio2"]):
            readings["on_oxygen"] = Reading(value["fio2"] > _AIR)
        if math.isfinite(value["gcs"]):
            readings["acvpu"] = Reading("A" if value["gcs"] >= _ALERT_GCS else "V")
        score = news2.news2(readings)
        totals.append(0.0 if score is None else float(score.total))
    return np.array(totals)


def running(table: Table, scores: Vector, worth: Callable[[Vector], float]) -> Vector:
    """For each row what `worth` makes of the stay's scores until then."""
    result = np.zeros(len(scores))
    for rows in by_stay(table):
        its = scores[rows]
        result[rows] = [worth(its[: i + 1]) for i in range(len(its))]
    return result


def persisting(scores: Vector) -> float:
    """A score that held for three hours: the least of the last three."""
    return float(scores[-3:].min())


def limits(table: Table, prior: Prior, rules: Rules) -> Vector:
    """How many limits the last values violate; a medium one counts 2, a high one 3."""
    at = places(prior)
    totals = np.zeros(len(table.read))
    for code, signal in _SIGNALS.items():
        column = table.read[:, at[code]]
        for limit in rules.limits[signal]:
            totals += [
                STRENGTH[limit.priority]
                * (math.isfinite(value) and verdict(limit, value) is Verdict.VIOLATED)
                for value in column.tolist()
            ]
    return totals


def robust_baseline(table: Table, prior: Prior) -> Vector:
    """The largest deviation of a vital sign from the stay's own median, in MADs.

    From the fourth value; a spread is at least five of the smallest steps that a monitor
    shows (ours).
    """
    at = places(prior)
    result = np.zeros(len(table.read))
    for rows in by_stay(table):
        for code, signal in _SIGNALS.items():
            floor = 5 * 10.0 ** -BY_CODE[signal].digits
            past: list[float] = []
            for row, value in enumerate(
                table.read[rows, at[code]].tolist(), rows.start
            ):
                if not math.isfinite(value):
                    continue
                if len(past) >= 3:
                    centre = statistics.median(past)
                    away = statistics.median([abs(one - centre) for one in past])
                    # 1.4826 MAD of a normal value is its standard deviation.
                    spread = max(1.4826 * away, floor)
                    result[row] = max(result[row], abs(value - centre) / spread)
                past.append(value)
    return result


def _vitals(table: Table, prior: Prior) -> list[dict[str, float]]:
    """Vital signs on 0..1 of their knots; what is missing is absent."""
    at = places(prior)
    knots = {one.code: one.knots for one in prior.inputs}
    return [
        {
            code: (float(row[at[code]]) - knots[code][0])
            / (knots[code][-1] - knots[code][0])
            for code in VITALS
            if math.isfinite(row[at[code]])
        }
        for row in table.read
    ]


def half_space_trees(table: Table, prior: Prior) -> Vector:
    """River's half-space trees over all patients' vital signs: 10 trees of height 6."""
    trees = anomaly.HalfSpaceTrees(n_trees=10, height=6, window_size=250, seed=_SEED)
    return _unsupervised(trees, _vitals(table, prior))


def one_class_svm(table: Table, prior: Prior) -> Vector:
    """River's one-class SVM over all patients' standardised vital signs."""
    scaler = preprocessing.StandardScaler()
    return _unsupervised(scaler | anomaly.OneClassSVM(nu=0.1), _vitals(table, prior))


def _unsupervised(model: Any, rows: list[dict[str, float]]) -> Vector:
    scores = []
    for x in rows:
        scores.append(float(model.score_one(x)))
        model.learn_one(x)
    return np.array(scores)


def adwin(table: Table, prior: Prior) -> Vector:
    """How many drifts ADWIN has told of in a stay's vital signs in the last 12 h."""
    at = places(prior)
    result = np.zeros(len(table.read))
    for rows in by_stay(table):
        read, told = table.read[rows], np.zeros(rows.stop - rows.start)
        for code in VITALS:
            # Hourly values are few: look each time, and at short windows, too.
            detector: Any = drift.ADWIN(  # type: ignore[no-untyped-call]  # River's is not annotated
                delta=0.05, clock=1, min_window_length=3, grace_period=5
            )
            for i, value in enumerate(read[:, at[code]].tolist()):
                if math.isfinite(value):
                    detector.update(value)
                    told[i] += detector.drift_detected
        sums = np.cumsum(np.r_[np.zeros(12), told])
        result[rows] = sums[12:] - sums[:-12]
    return result


def score_deltas(table: Table, prior: Prior, news: Vector) -> Vector:
    """River's logistic regression on how scores changed over 1, 3, 6 and 12 h."""
    at = places(prior)
    shock = table.read[:, at["shock_index"]]
    rows: list[dict[str, float]] = []
    for its in by_stay(table):
        scores = {"news2": news[its], "shock_index": shock[its]}
        rows += [
            {
                f"{name} {hours} h": float(score[i] - score[i - hours])
                for name, score in scores.items()
                for hours in (1, 3, 6, 12)
                if i >= hours and math.isfinite(score[i] - score[i - hours])
            }
            for i in range(its.stop - its.start)
        ]
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression(
        optimizer=optim.SGD(0.01)
    )
    return _supervised(model, table, rows)


def river_logistic(
    table: Table, prior: Prior, learnable: Sequence[bool] | None = None
) -> Vector:
    """River's logistic regression on the prior's own features, by AdaGrad.

    Args:
        table: Rows.
        prior: Whose inputs and knots.
        learnable: Rows that are learnt; all by default.
    """
    names = learner.names(prior)
    features = learner.features(prior, table.read)
    rows = [dict(zip(names, row, strict=True)) for row in features.tolist()]
    model = linear_model.LogisticRegression(optimizer=optim.AdaGrad(0.05))
    return _supervised(model, table, rows, learnable)


def _supervised(
    model: Any,
    table: Table,
    rows: list[dict[str, float]],
    learnable: Sequence[bool] | None = None,
) -> Vector:
    scores = np.zeros(len(rows))
    for its in by_stay(table):
        span = range(its.start, its.stop)
        for i in span:
            scores[i] = model.predict_proba_one(rows[i]).get(True, 0.5)
        for i in span:
            if learnable is None or learnable[i]:
                model.learn_one(rows[i], bool(table.labels[i]))
    return scores


def boosting(training_rows: Table, table: Table, *, timed: bool = False) -> Vector:
    """Offline gradient boosting, for comparison: it sees the training part at once.

    Args:
        training_rows: Rows to learn from.
        table: Rows to score.
        timed: May it see how long the patient has been there?

    Raises:
        ConfigurationError: scikit-learn is not there.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415
    except ImportError as error:
        msg = "scikit-learn is not installed: pip install 'icu-stream[dev]'"
        raise ConfigurationError(msg) from error
    # It refuses an input that nobody in the training part has, such as a GCS in eICU's.
    had = np.isfinite(training_rows.read).any(axis=0)
    rows, asked = training_rows.read[:, had], table.read[:, had]
    if timed:
        rows = np.column_stack([rows, training_rows.hours])
        asked = np.column_stack([asked, table.hours])
    model = HistGradientBoostingClassifier(
        max_iter=120,
        learning_rate=0.05,
        max_leaf_nodes=8,
        min_samples_leaf=50,
        l2_regularization=5.0,
        random_state=_SEED,
    )
    weights = training.weights(training_rows)
    model.fit(rows, training_rows.labels, sample_weight=weights / weights.mean())
    scores: Vector = model.predict_proba(asked)[:, 1]
    return scores
