"""Limits of one patient's own, as the answers to commands tell them: for whoever shows them.

The worker decides by `personal.py`; this is what a view or the API knows of it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from icu_stream.contracts.commands import CommandResult, CommandType
from icu_stream.domain.limits import Condition, Row, Rules


class Own(msgspec.Struct, frozen=True):
    """One limit of this patient's own.

    Attributes:
        limit: None: as the profile.
        delay_s: Likewise.
        by: Who set it.
        set_ms: When.
        until_ms: The first moment at which it does not hold.
    """

    limit: float | None
    delay_s: float | None
    by: str | None
    set_ms: int
    until_ms: int


class InForce(NamedTuple):
    """One limit that holds.

    Attributes:
        row: The profile's.
        signal: Of the row.
        condition: Likewise.
        limit: In the signal's unit.
        delay_s: How long it must be passed.
        own: The patient's own, where it has one now.
    """

    row: Row
    signal: str
    condition: Condition
    limit: float
    delay_s: float
    own: Own | None


class Granted:
    """What one patient was granted."""

    def __init__(self) -> None:
        self._own: dict[str, Own] = {}

    def answer(self, result: CommandResult) -> None:
        """Take the outcome of a command that was accepted; a discharge ends all."""
        if result.type is CommandType.SET_LIMITS:
            for change in result.limits:
                before = self._own.get(change.code)
                limit, delay_s = change.limit, change.delay_s
                if before is not None:
                    limit = before.limit if limit is None else limit
                    delay_s = before.delay_s if delay_s is None else delay_s
                self._own[change.code] = Own(
                    limit, delay_s, result.by, result.time or 0, result.expires or 0
                )
        elif result.type is CommandType.RESET_LIMITS:
            for change in result.limits:
                self._own.pop(change.code, None)
        elif result.type is CommandType.DISCHARGE:
            self._own.clear()

    def in_force(self, now_ms: int, rules: Rules) -> Iterator[InForce]:
        """Each limit in force, in the profile's order.

        Args:
            now_ms: The moment, by our clock.
            rules: The profile.
        """
        for row in rules.rows.values():
            if row.condition is None or row.limit is None or row.signal is None:
                continue
            own = self._own.get(row.code)
            if own is not None and own.until_ms <= now_ms:
                own = None
            limit, delay_s = row.limit, row.delay_ms / 1000
            if own is not None:
                limit = limit if own.limit is None else own.limit
                delay_s = delay_s if own.delay_s is None else own.delay_s
            yield InForce(row, row.signal, row.condition, limit, delay_s, own)
