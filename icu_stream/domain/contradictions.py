"""What limits must not do to one another, whoever set them: a profile, or a person.

Rows of one signal and direction stand strongest first, and each weaker one is reached
before the stronger. Between the low and the high ones there is room to be inside.
"""

import itertools
import math

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from icu_stream.contracts.signals import BY_CODE, SIGNALS
from icu_stream.domain.limits import STRENGTH, Condition, Row


class Contradiction(NamedTuple):
    """One row, and why it cannot be."""

    code: str
    reason: str


def first(limits: Iterable[Row]) -> Contradiction | None:
    """The first contradiction among limits; None when there is none.

    Args:
        limits: Of known signals, in the order of the profile.
    """
    rows = list(limits)
    for row in rows:
        reason = _alone(row)
        if reason is not None:
            return Contradiction(row.code, reason)
    for signal in SIGNALS:
        own = [row for row in rows if row.signal == signal.code]
        lows = [row for row in own if row.condition is not Condition.HIGH]
        highs = [row for row in own if row.condition is Condition.HIGH]
        found = (
            _order(lows, lambda weaker, stronger: weaker > stronger)
            or _order(highs, lambda weaker, stronger: weaker < stronger)
            or _room(lows, highs)
        )
        if found is not None:
            return found
    return None


def _alone(row: Row) -> str | None:
    signal = BY_CODE[row.signal or ""]
    limit, inside = _numbers(row)
    if not (math.isfinite(limit) and signal.low <= limit <= signal.high):
        return (
            f"limit {limit:g} {signal.unit} is outside what the instrument can "
            f"show ({signal.low:g} to {signal.high:g})"
        )
    if not signal.low <= inside <= signal.high:
        return f"no value is inside by the deadband of {_deadband(row):g}"
    return None


def _order(
    rows: Sequence[Row], is_outer: Callable[[float, float], bool]
) -> Contradiction | None:
    for stronger, weaker in itertools.pairwise(rows):
        if STRENGTH[weaker.priority] > STRENGTH[stronger.priority]:
            reason = f"it is stronger than {stronger.code}: put it before"
            return Contradiction(weaker.code, reason)
        if not is_outer(_numbers(weaker)[0], _numbers(stronger)[0]):
            reason = (
                f"{_edge(weaker)} is not reached before {_edge(stronger)} of "
                f"{stronger.code}; swap the limits"
            )
            return Contradiction(weaker.code, reason)
    return None


def _room(lows: Sequence[Row], highs: Sequence[Row]) -> Contradiction | None:
    for low, high in itertools.product(lows, highs):
        if _numbers(low)[1] > _numbers(high)[1]:
            reason = (
                f"{_edge(low)} with its deadband of {_deadband(low):g} leaves "
                f"nothing inside {_edge(high)} of {high.code}"
            )
            return Contradiction(low.code, reason)
    return None


def _numbers(row: Row) -> tuple[float, float]:
    return row.limit or 0.0, row.inside or 0.0


def _deadband(row: Row) -> float:
    limit, inside = _numbers(row)
    return round(abs(inside - limit), 6)


def _edge(row: Row) -> str:
    return f"the {row.condition} limit {row.limit or 0:g}"
