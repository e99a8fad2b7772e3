"""How well scores tell patients apart, with intervals over patients, and what alarms cost.

Rows of one patient are no independent observations: every interval here draws patients,
with all their rows, not rows.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from numpy.typing import NDArray


Vector = NDArray[np.float64]
RESAMPLES = 1000
_SEED = 95
_INTERVAL = (2.5, 97.5)
_NEWTON_STEPS = 25


class Interval(NamedTuple):
    """A figure and its patient-bootstrap 95 % interval."""

    value: float
    low: float
    high: float


class Ranked:
    """Scores in order, to be asked many times with other weights of the rows.

    Args:
        labels: (n,) 0 or 1.
        scores: (n,) higher = more likely; equal scores count half.
    """

    def __init__(self, labels: Vector, scores: Vector) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ordered = scores[self._order]
        self._firsts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self._labels = labels[self._order]

    def areas(self, weights: Vector | None = None) -> tuple[float, float]:
        """Areas under the ROC curve and under precision by recall (average precision).

        Args:
            weights: (n,) how often each row counts; once by default.

        Returns:
            NaN, NaN when there is only one outcome.
        """
        each = np.ones(len(self._order)) if weights is None else weights[self._order]
        bad = np.add.reduceat(each * self._labels, self._firsts)
        both = np.add.reduceat(each, self._firsts)
        good = both - bad
        total_bad, total_good = bad.sum(), good.sum()
        if not total_bad or not total_good:
            return float("nan"), float("nan")
        above = np.cumsum(good)
        roc = float((bad * (total_good - above + good / 2)).sum())
        so_far = np.maximum(np.cumsum(both), 1e-12)
        precision = np.cumsum(bad) / so_far
        return roc / float(total_bad * total_good), float(
            (bad * precision).sum() / total_bad
        )


class Worth(NamedTuple):
    """How well a score tells, and how much better than a reference on the same rows."""

    auroc: Interval
    auprc: Interval
    gain: Interval
    gain_auprc: Interval


def worths(
    labels: Vector,
    patients: Vector,
    scores: Mapping[str, Vector],
    reference: str,
    *,
    resamples: int = RESAMPLES,
) -> dict[str, Worth]:
    """Compare scores on the same rows, with a paired bootstrap over patients.

    Args:
        labels: (n,) 0 or 1.
        patients: (n,) whose row it is.
        scores: Name to (n,) scores.
        reference: Name of the score that gains are measured against.
        resamples: How many times patients are drawn, the same for every score.
    """
    _, where = np.unique(patients, return_inverse=True)
    count = int(where.max()) + 1
    random = np.random.default_rng(_SEED)
    ranked = {name: Ranked(labels, score) for name, score in scores.items()}
    found = {name: one.areas() for name, one in ranked.items()}
    drawn: dict[str, list[tuple[float, float]]] = {name: [] for name in scores}
    for _ in range(resamples):
        times = np.bincount(random.integers(0, count, count), minlength=count)
        weights = times[where].astype(float)
        for name, one in ranked.items():
            drawn[name].append(one.areas(weights))
    base, base_drawn = np.array(found[reference]), np.array(drawn[reference])
    result = {}
    for name in scores:
        value, draws = np.array(found[name]), np.array(drawn[name])
        gain, gains = value - base, draws - base_drawn
        result[name] = Worth(
            _interval(value[0], draws[:, 0]),
            _interval(value[1], draws[:, 1]),
            _interval(gain[0], gains[:, 0]),
            _interval(gain[1], gains[:, 1]),
        )
    return result


def _interval(value: float, draws: Vector) -> Interval:
    low, high = np.nanpercentile(draws, _INTERVAL)
    return Interval(float(value), float(low), float(high))


def within_strata(labels: Vector, scores: Vector, strata: Vector) -> float:
    """AUROC of pairs of one stratum alone: what the stratum itself gives away is out.

    Args:
        labels: (n,) 0 or 1.
        scores: (n,).
        strata: (n,) such as the hour of the stay.
    """
    won = pairs = 0.0
    for stratum in np.unique(strata):
        inside = strata == stratum
        bad = float(labels[inside].sum())
        number = bad * (float(inside.sum()) - bad)
        if number:
            won += Ranked(labels[inside], scores[inside]).areas()[0] * number
            pairs += number
    return won / pairs if pairs else float("nan")


class Calibration(NamedTuple):
    """Do probabilities mean what they say?

    Attributes:
        brier: Mean squared error; `brier_of_rate` is that of always saying the rate.
        brier_of_rate: See there.
        slope: Of the outcome's log-odds on the score's; 1 is right, less is too sure.
        intercept: Of the same line; 0 is right.
        said: Mean probability of each fifth of the rows, from the lowest.
        came: Rate of the outcome in it.
    """

    brier: float
    brier_of_rate: float
    slope: float
    intercept: float
    said: list[float]
    came: list[float]


def calibration(labels: Vector, logits: Vector) -> Calibration:
    """Compare probabilities, given as log-odds, with what came."""
    p = 1.0 / (1.0 + np.exp(-np.clip(logits, -30, 30)))
    x = np.stack([np.ones_like(logits), logits], axis=1)
    line = np.array([0.0, 1.0])
    for _ in range(_NEWTON_STEPS):
        q = 1.0 / (1.0 + np.exp(-np.clip(x @ line, -30, 30)))
        curve = (x * (q * (1 - q))[:, None]).T @ x + 1e-9 * np.eye(2)
        line = line + np.linalg.solve(curve, x.T @ (labels - q))
    rate = float(labels.mean())
    fifths = np.array_split(np.argsort(p, kind="stable"), 5)
    return Calibration(
        float(np.mean((p - labels) ** 2)),
        rate * (1 - rate),
        float(line[1]),
        float(line[0]),
        [float(p[part].mean()) for part in fifths],
        [float(labels[part].mean()) for part in fifths],
    )


class Alarming(NamedTuple):
    """What a score is worth as an alarm within a budget.

    Attributes:
        alarms: A patient-day; at most the budget.
        false_alarms: A patient-day: at a patient or at a time that it was no warning of.
        sensitivity: Share of events that were warned of.
        ppv: Share of alarms that were no false ones.
        lead_h: Median hours from an event's first warning to the event; None where
            nobody knows the hour of the event.
    """

    alarms: float
    false_alarms: float
    sensitivity: float
    ppv: float
    lead_h: float | None


class Events(NamedTuple):
    """Of which events rows can warn.

    Attributes:
        warns: (n,) bool: an alarm here is a warning in time.
        tells: (n,) bool: an alarm here is no false one, in time or late.
        until_h: (n,) hours to the event, where `warns`; NaN where nobody knows.
        number: How many events there are.
    """

    warns: NDArray[np.bool_]
    tells: NDArray[np.bool_]
    until_h: Vector
    number: int


def alarming(
    scores: Vector, patients: Vector, events: Events, budget: float
) -> Alarming | None:
    """Alarm at each hourly row whose score reaches a threshold.

    The threshold is the lowest that keeps the budget over all rows: it looks at the
    scores and at no label. Scores with few values cannot use up a budget.

    Args:
        scores: (n,) hourly.
        patients: (n,) whose row it is.
        events: What can be warned of.
        budget: Alarms a patient-day.

    Returns:
        None when even the highest score comes more often than that.
    """
    days = len(scores) / 24
    values, counts = np.unique(scores, return_counts=True)
    at_least = np.cumsum(counts[::-1])[::-1]
    kept = np.flatnonzero(at_least <= budget * days)
    if not kept.size:
        return None
    return _alarming(scores >= values[kept[0]], patients, events, days)


def _alarming(
    alarm: NDArray[np.bool_], patients: Vector, events: Events, days: float
) -> Alarming:
    warned = alarm & events.warns
    firsts = np.unique(patients[warned], return_index=True)[1]
    until = events.until_h[warned][firsts]
    told = int((alarm & events.tells).sum())
    total = int(alarm.sum())
    known = until[np.isfinite(until)]
    return Alarming(
        total / days,
        (total - told) / days,
        len(firsts) / events.number,
        told / total,
        float(np.median(known)) if known.size else None,
    )
