"""The learner of priors: a logistic regression that remembers how sure it is.

It learns one row at a time and scores before it learns, in River's verbs. Unlike
gradient descent it keeps the covariance of its weights (an extended Kalman filter for a
logistic output), so one pass over a few thousand stays comes as close to the optimum
as many passes of an optimiser would, without a learning rate to tune.
"""

import math

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from numpy.typing import NDArray
from river import base

from icu_stream.domain.risk import Input, Prior, RiskState


Vector = NDArray[np.float64]
# Newton's steps to the row's own optimum; each doubles the digits.
_STEPS = 8
_BOUND = 30.0
_DIGITS = 4


class OnlineLogistic(base.Classifier):
    """Logistic regression with a covariance; a row costs 50 us at 60 weights.

    Args:
        names: Features, in the order of rows. A dict without one of them has 0 there.
        variance: Prior variance of each weight.
        intercept: Prior log-odds; its variance is 4, ours: any rate between 1 in 1,000
            and nine of ten.
        centre: Subtracted from each row, so that the intercept is the average
            patient's.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        variance: float,
        intercept: float,
        centre: Vector | None = None,
    ) -> None:
        self.names = tuple(names)
        self.centre = np.zeros(len(names)) if centre is None else centre
        self.weights = np.zeros(len(names) + 1)
        self.weights[0] = intercept
        self.covariance = np.diag([4.0] + [variance] * len(names))

    def predict_proba_one(self, x: dict[Hashable, Any]) -> dict[bool, float]:  # type: ignore[override]  # River's keys are any label
        """River's verb: the probability of each outcome; learns nothing."""
        yes = self.score_row(self._row(x))
        return {False: 1.0 - yes, True: yes}

    def learn_one(self, x: dict[Hashable, Any], y: bool) -> None:  # type: ignore[override]  # River's y is any label
        """River's verb: learn one row."""
        self.learn_row(self._row(x), y)

    def _row(self, x: dict[Hashable, Any]) -> Vector:
        return np.array([x.get(name, 0.0) for name in self.names], float)

    def logits(self, rows: Vector) -> Vector:
        """Log-odds of (n, features) rows at once, or of one."""
        logits: Vector = self.weights[0] + (rows - self.centre) @ self.weights[1:]
        return logits

    def score_row(self, row: Vector) -> float:
        """Probability of one row."""
        return _logistic(float(self.logits(row)))

    def learn_row(self, row: Vector, y: bool, weight: float = 1.0) -> None:
        """Learn one row, which counts as `weight` rows."""
        x = np.empty(len(self.weights))
        x[0] = 1.0
        np.subtract(row, self.centre, out=x[1:])
        gain = self.covariance @ x
        spread = float(x @ gain)
        before = at = float(self.weights @ x)
        for _ in range(_STEPS):
            p = _logistic(at)
            at -= (at - before - spread * weight * (y - p)) / (
                1.0 + spread * weight * p * (1.0 - p)
            )
        p = _logistic(at)
        curve = weight * p * (1.0 - p)
        self.weights += gain * (weight * (y - p))
        self.covariance -= np.outer(gain, gain * (curve / (1.0 + curve * spread)))


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-_BOUND, min(_BOUND, x))))


def names(prior: Prior) -> list[str]:
    """Features of a prior: for each input its parts of the lines, and `known`."""
    return [
        name
        for one in prior.inputs
        for name in (
            *(f"{one.code}.last.{knot:g}" for knot in one.knots[1:]),
            *(f"{one.code}.mean.{knot:g}" for knot in one.knots[1:] if one.mean),
            f"{one.code}.known",
        )
    ]


def started(prior: Prior, start: Mapping[str, Sequence[float]]) -> Vector:
    """Weights of lines that are known before anything is learnt.

    Args:
        prior: Whose features; without means.
        start: By input: log-odds at each knot. An input that is not there begins flat.
    """
    weights: list[float] = []
    for one in prior.inputs:
        line = start.get(one.code, (0.0,) * len(one.knots))
        weights += [*np.diff(line).tolist(), 0.0]
    return np.array(weights)


def readings(state: RiskState, inputs: int, time_ms: int) -> list[float]:
    """Last and mean of each input, NaN where it is missing."""
    row: list[float] = []
    for i in range(inputs):
        found = state.reading(i, time_ms)
        row += (math.nan, math.nan) if found is None else found[:2]
    return row


def features(prior: Prior, read: Vector) -> Vector:
    """Turn readings into features.

    Args:
        prior: Whose inputs and knots.
        read: (n, 2 x inputs): last and mean of each input, NaN = missing.

    Returns:
        (n, features): how far each value is along each part between two knots, 0 to 1;
        all of a missing input's features are 0, its `known` too.
    """
    columns: list[Vector] = []
    for i, one in enumerate(prior.inputs):
        for j in range(2 if one.mean else 1):
            value = read[:, 2 * i + j]
            columns += [
                np.nan_to_num(np.clip((value - low) / (high - low), 0.0, 1.0))
                for low, high in zip(one.knots, one.knots[1:], strict=False)
            ]
        columns.append(np.isfinite(read[:, 2 * i]).astype(float))
    return np.stack(columns, axis=1)


def written(prior: Prior, model: OnlineLogistic, stays: int) -> Prior:
    """Write what was learnt into a prior: log-odds at each knot, rounded."""
    weights, centre = model.weights[1:], model.centre
    inputs: list[Input] = []
    at = 0
    for one in prior.inputs:
        first = at
        lines: list[list[float]] = []
        for _ in range(2 if one.mean else 1):
            parts = len(one.knots) - 1
            line = np.concatenate([[0.0], np.cumsum(weights[at : at + parts])])
            lines.append(np.round(line, _DIGITS).tolist())
            at += parts
        known = float(weights[at])
        at += 1
        usual = float(weights[first:at] @ centre[first:at])
        inputs.append(
            Input(
                code=one.code,
                low=one.low,
                high=one.high,
                valid_h=one.valid_h,
                knots=one.knots,
                last=lines[0],
                mean=lines[1] if one.mean else [],
                known=round(known, _DIGITS),
                usual=round(usual, _DIGITS),
            )
        )
    return Prior(
        format=prior.format,
        name=prior.name,
        version=prior.version,
        outcome=prior.outcome,
        data=prior.data,
        stays=stays,
        intercept=round(float(model.weights[0]), _DIGITS),
        inputs=inputs,
    )
