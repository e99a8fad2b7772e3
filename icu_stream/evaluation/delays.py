"""A profile with other delays: for the curve of delay against alarms.

Only the delays of limits change. What a published delay does to a ward's alarms: with
14 s half of the ignored and ineffective ones are gone, with 19 s two thirds (Goerges,
Markewitz, Westenskow. Anesth Analg 2009;108:1546-52; 1,214 alarms in 200 h).
"""

import dataclasses
import fnmatch

from collections.abc import Callable

import msgspec

from icu_stream.domain.limits import Row, Rules
from icu_stream.errors import ConfigurationError


# Longer delays than this are no alarms any more (ours; a profile's own bound is a day).
LONGEST_S = 3600.0
LARGEST_SCALE = 100.0
# More curves' points than that nobody reads, and each costs a run of the core (ours).
MOST_POINTS = 25


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """Which delays, and what they become.

    Attributes:
        codes: Codes of limits; a `*` stands for anything.
        values: Seconds; or, where `is_scale`, multiples of the profile's own delay.
        is_scale: See `values`.
    """

    codes: str
    values: list[float]
    is_scale: bool = False

    @property
    def title(self) -> str:
        """What is changed."""
        if self.is_scale:
            return "every delay of the profile, multiplied"
        told = "every limit" if self.codes == "*" else self.codes
        return f"delay of {told}"

    @property
    def unit(self) -> str:
        """Of `values`."""
        return "x" if self.is_scale else "s"


def scale(text: str) -> Sweep:
    """Read `0,0.5,1,1.5,2`.

    Raises:
        ConfigurationError: No such numbers.
    """
    values = _numbers(text, "--delay-scale", LARGEST_SCALE)
    return Sweep(codes="*", values=values, is_scale=True)


def sweep(text: str) -> Sweep:
    """Read `CODE=5,10,15`; `*` in the code stands for anything.

    Raises:
        ConfigurationError: Not written so.
    """
    codes, equals, numbers = text.partition("=")
    if not (codes and equals):
        msg = f"--sweep {text!r}: want CODE=SECONDS,SECONDS, like spo2.low=5,10,15"
        raise ConfigurationError(msg)
    return Sweep(codes=codes, values=_numbers(numbers, "--sweep", LONGEST_S))


def variants(rules: Rules, sweep: Sweep) -> list[Rules]:
    """The profile with each of a sweep's delays, in their order.

    Raises:
        ConfigurationError: The profile has no limit of such a code.
    """
    codes = {
        row.code
        for row in rules.rows.values()
        if row.condition is not None and fnmatch.fnmatchcase(row.code, sweep.codes)
    }
    if not codes:
        known = ", ".join(
            r.code for r in rules.rows.values() if r.condition is not None
        )
        msg = f"--sweep {sweep.codes}: profile {rules.label} has no such limit; it has {known}"
        raise ConfigurationError(msg)

    def made(value: float) -> Rules:
        def delay_ms(row: Row) -> int:
            if row.code not in codes:
                return row.delay_ms
            return round(value * (row.delay_ms if sweep.is_scale else 1000))

        return with_delays(rules, delay_ms)

    return [made(value) for value in sweep.values]


def with_delays(rules: Rules, delay_ms: Callable[[Row], int]) -> Rules:
    """The profile with other delays of its limits; all else as it is."""

    def changed(row: Row) -> Row:
        if row.condition is None:
            return row
        return msgspec.structs.replace(row, delay_ms=delay_ms(row))

    rows = {code: changed(row) for code, row in rules.rows.items()}
    limits = {
        signal: tuple(rows[row.code] for row in own)
        for signal, own in rules.limits.items()
    }
    return dataclasses.replace(rules, rows=rows, limits=limits, _bands={})


def _numbers(text: str, option: str, most: float) -> list[float]:
    try:
        values = sorted({float(number) for number in text.split(",")})
    except ValueError:
        values = []
    if not values or not (values[0] >= 0 and values[-1] <= most):
        msg = f"{option} {text!r}: want numbers from 0 to {most:g}, separated by commas"
        raise ConfigurationError(msg)
    if len(values) > MOST_POINTS:
        msg = f"{option}: {len(values)} values, want at most {MOST_POINTS}"
        raise ConfigurationError(msg)
    return values
