"""Learning a prior from a cohort, stay by stay, and scoring stays with it.

A stay is learnt when it is over, for only then is its outcome known: all hours of a stay
are scored before any of them is learnt.
"""

import math

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from numpy.typing import NDArray

from icu_stream.domain.risk import Prior, Risk, RiskState
from icu_stream.evaluation import learner, splits
from icu_stream.evaluation.cohorts import HOUR_MS, Stay
from icu_stream.evaluation.designs import Design
from icu_stream.evaluation.learner import OnlineLogistic, Vector


Mask = NDArray[np.bool_]

# Hours of a stay that a prior of its end is learnt from, each counting as a part of a
# stay: so it can be asked at any hour. A prior of an hour learns every hour.
LANDMARKS_H = (6, 12, 24, 36, 48)
_SEED = 2012


class Table(NamedTuple):
    """A cohort as rows, one a label, by stay and time.

    Attributes:
        stays: (n,) place of the row's stay in the cohort.
        hours: (n,) since admission.
        labels: (n,) 0 or 1.
        read: (n, 2 x inputs) last and mean of each input, NaN = missing.
    """

    stays: Vector
    hours: Vector
    labels: Vector
    read: Vector

    def rows(self, wanted: Mask) -> "Table":
        """Those rows where `wanted` is true."""
        return Table(*(column[wanted] for column in self))


def tabulate(stays: Sequence[Stay], empty: Prior) -> Table:
    """Let each stay's values come by, and note what is known at each label."""
    risk = Risk(empty)
    rows: list[tuple[float, float, float]] = []
    read: list[list[float]] = []

    for number, stay in enumerate(stays):

        def note(
            state: RiskState, time_ms: int, label: bool, number: int = number
        ) -> None:
            rows.append((number, time_ms / HOUR_MS, label))
            read.append(learner.readings(state, len(empty.inputs), time_ms))

        replay(stay, risk, note)
    stay_of, hours, labels = np.array(rows, float).reshape(-1, 3).T
    return Table(stay_of, hours, labels, np.array(read))


def replay(
    stay: Stay, risk: Risk, ask: Callable[[RiskState, int, bool], None]
) -> RiskState:
    """Let a stay's values come by in time; `ask` is called at each label.

    Who asks says how long the patient has been there (`stay_h`).
    """
    state = risk.patient()
    values = iter(stay.values)
    value = next(values, None)
    for time_ms, label in stay.labels:
        while value is not None and value[0] <= time_ms:
            state.observe(value[1], value[2], value[0])
            value = next(values, None)
        state.observe("stay_h", time_ms / HOUR_MS, time_ms)
        ask(state, time_ms, label)
    return state


def fresh(design: Design, table: Table) -> OnlineLogistic:
    """A learner that knows its inputs, their average, and no outcome yet.

    Args:
        design: Inputs, variance.
        table: Rows to learn from: their average is the average patient.
    """
    rows = learner.features(design.empty, table.read)
    model = OnlineLogistic(
        learner.names(design.empty),
        variance=design.variance,
        intercept=design.empty.intercept,
        centre=rows.mean(axis=0),
    )
    if design.start:
        model.weights[1:] = learner.started(design.empty, design.start)
    for i, name in enumerate(model.names, 1):
        variance = design.free.get(name.partition(".")[0])
        if variance is not None:
            model.covariance[i, i] = variance
    return model


def learn(
    model: OnlineLogistic, design: Design, table: Table, *, seed: int = _SEED
) -> None:
    """Learn the rows in their order, once; changes the model.

    Args:
        model: What learns.
        design: With which chance an input is taken away before a row is learnt.
        table: Rows of whole stays; of a stay with several landmarks each counts as a
            part of it when all its labels are the same.
        seed: Of the taking away.
    """
    read = table.read
    if design.drop:
        gone = np.random.default_rng(seed).random(len(read)) < design.drop
        read = read.copy()
        for i, one in enumerate(design.empty.inputs):
            if one.code in design.taken:
                read[gone, 2 * i : 2 * i + 2] = math.nan
    rows = learner.features(design.empty, read)
    for row, label, weight in zip(rows, table.labels, weights(table), strict=True):
        model.learn_row(row, bool(label), float(weight))


def weights(table: Table) -> Vector:
    """How much each row counts.

    Where a stay has one outcome its rows together count as one, later hours, when more
    is known, in proportion to the hour. Where labels change each row counts as one.
    """
    if not _one_outcome(table):
        return np.ones(len(table.labels))
    _, where = np.unique(table.stays, return_inverse=True)
    hours = table.hours + 1.0
    result: Vector = hours / np.bincount(where, hours)[where]
    return result


def _one_outcome(table: Table) -> bool:
    """Is a stay's label the same at all its hours?"""
    bad = set(table.stays[table.labels > 0].tolist())
    return not any(stay in bad for stay in set(table.stays[table.labels == 0].tolist()))


def landmarks(table: Table) -> Table:
    """Only the hours that a prior of a stay's end learns from."""
    return table.rows(np.isin(table.hours, LANDMARKS_H))


def train(design: Design, table: Table) -> OnlineLogistic:
    """Learn a prior from rows in one pass."""
    model = fresh(design, table)
    learn(model, design, table)
    return model


def cross_validate(design: Design, stays: Sequence[Stay], table: Table) -> Vector:
    """Log-odds of each row by a model that did not see its fold."""
    folds = np.array([splits.fold(stay) for stay in stays])[table.stays.astype(int)]
    logits = np.zeros(len(folds))
    for fold in range(splits.FOLDS):
        held = folds == fold
        model = train(design, table.rows(~held))
        logits[held] = model.logits(learner.features(design.empty, table.read[held]))
    return logits


def prequential(
    model: OnlineLogistic, design: Design, table: Table, learnable: Mask | None = None
) -> Vector:
    """Log-odds of each row before its stay is learnt; changes the model.

    Args:
        model: What scores and learns.
        design: Its inputs.
        table: Rows by stay and time.
        learnable: (n,) bool, rows that are learnt; all by default.
    """
    rows = learner.features(design.empty, table.read)
    wanted = np.ones(len(rows), bool) if learnable is None else learnable
    counts = np.zeros(len(rows))
    counts[wanted] = weights(table.rows(wanted))
    logits = np.zeros(len(rows))
    for stay in dict.fromkeys(table.stays.tolist()):
        its = np.flatnonzero(table.stays == stay)
        logits[its] = model.logits(rows[its])
        for i in its[wanted[its]]:
            model.learn_row(rows[i], bool(table.labels[i]), float(counts[i]))
    return logits


def columns(table: Table, whole: Prior, part: Prior) -> Table:
    """The same rows with the readings of some inputs alone.

    Args:
        table: Rows with the inputs of `whole`.
        whole: Has every input of `part`, and the same range and validity for it.
        part: Whose inputs are kept, in its order.
    """
    at = {one.code: 2 * i for i, one in enumerate(whole.inputs)}
    kept = [at[one.code] + j for one in part.inputs for j in (0, 1)]
    return table._replace(read=table.read[:, kept])
