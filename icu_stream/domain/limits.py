"""Limits: the rows of a profile, which value violates one, and the quiet band of a signal.

A `Rules` is made once, by `icu_stream.profiles.load`, and never changes. Every alarm
that can be raised has a `Row` in it, whatever it is about, so its priority, delay and
source are found in one place. A patient is stepped with one `Rules` for life.

The *quiet band* of a signal is the closed interval in which a value violates no limit
and is valid. While nothing of the signal is pending or active, a value in its band
changes no alarm, which is what makes the usual message cheap.
"""

import math

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import NamedTuple, Protocol, cast

import msgspec

from icu_stream.contracts.alerts import Kind, Priority
from icu_stream.contracts.signals import SIGNALS
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain.risk import Risk


STRENGTH = {Priority.LOW: 1, Priority.MEDIUM: 2, Priority.HIGH: 3}

Band = tuple[float, float]
Bands = dict[str, Band]

# No value lies in it, not even NaN: the signal takes the careful path.
NEVER: Band = (math.inf, -math.inf)
# Matches no message: one without values has another length, and no signal's code, known
# or not, is None.
NO_BANDS: Bands = {cast("str", None): NEVER}

# Longer than any stay: the no-data time of a signal that has none.
FOREVER_MS = 2**53

# Below, the value may be in kPa where mmHg is expected (rule 23): it must be looked at.
# A systole of 35 kPa is 262 mmHg; 8 kPa of CO2 are 60 mmHg.
UNIT_BELOW = {"abp_sys": 35.0, "nibp_sys": 35.0, "etco2": 8.0}

# Sets of signals whose bands are kept ready. A ward's devices send a few dozen; a
# sender that invents new ones all the time pays for it itself.
_MAX_BANDS = 512


class Condition(StrEnum):
    """On which side of the limit a value violates it."""

    LOW = "low"
    HIGH = "high"
    ZERO = "zero"


class Verdict(Enum):
    """What one value means for one condition."""

    VIOLATED = 1
    BETWEEN = 2  # neither outside nor inside by the deadband
    INSIDE = 3


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm as the profile has it.

    Attributes:
        code: `signal.condition` or `bed.condition`.
        signal: Whose; None for a bed's alarm.
        kind: What it is about.
        priority: At `raised`.
        rank: Its place among all rows: the order at equal moments.
        source: Where the numbers come from.
        delay_ms: How long the condition must hold.
        clear_ms: How long it must have gone away.
        condition: Which side; None when it is no limit on a value.
        limit: In the signal's unit.
        inside: The edge of the deadband, in the signal's unit; itself inside.
        escalate_ms: From `raised` to `escalated`, if not acknowledged; None = never.
        escalate_to: The priority it rises to.
        words: The condition as a person says it, for an added rule.
        covered_by: Codes whose alarm stands for this one while it is stronger, where
            signal and direction do not say it.
        range: Within which the limit of one patient may be moved, both ends included;
            None = it may not.
        longest_delay_ms: The longest delay of one patient; None = it may not be changed.
    """

    code: str
    signal: str | None
    kind: Kind
    priority: Priority
    rank: int
    source: str
    delay_ms: int = 0
    clear_ms: int = 0
    condition: Condition | None = None
    limit: float | None = None
    inside: float | None = None
    escalate_ms: int | None = None
    escalate_to: Priority | None = None
    words: str = ""
    covered_by: tuple[str, ...] = ()
    range: Band | None = None
    longest_delay_ms: int | None = None


def verdict(row: Row, value: float) -> Verdict:
    """Hold a valid value against a limit (`docs/alarms.md`, rule 8).

    Args:
        row: A row with a condition.
        value: In the signal's unit. The limit itself does not violate; the edge of the
            deadband is inside.
    """
    limit, inside = row.limit, row.inside
    if limit is None or inside is None:
        msg = f"{row.code} is no limit on a value"
        raise TypeError(msg)
    if row.condition is Condition.HIGH:
        if value > limit:
            return Verdict.VIOLATED
        return Verdict.INSIDE if value <= inside else Verdict.BETWEEN
    is_violated = value == 0 if row.condition is Condition.ZERO else value < limit
    if is_violated:
        return Verdict.VIOLATED
    return Verdict.INSIDE if value >= inside else Verdict.BETWEEN


class View(Protocol):
    """What an added rule may see of a patient."""

    @property
    def patient_id(self) -> str:
        """Whose."""

    def value(self, signal: str) -> float | None:
        """The last valid value, None when the signal is silent."""

    def age_s(self, signal: str) -> float | None:
        """Seconds since that value, measurement time."""

    def usual(self, signal: str) -> float | None:
        """The mean of the signal's own history, None before there are 30 min of it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule beyond limits on one value: how to add one.

    It is asked at each message that is not late and that carries one of its signals,
    after the limits. What it answers goes through the same delay, deadband time and
    states as a limit; None decides nothing. It must depend on its arguments alone, so
    that a replay says the same. What it raises concerns this rule on this record alone.

    Attributes:
        row: Its alarm.
        signals: Which signals bring it about; the first one's gaps count as its own.
        decide: From the patient, the message and its measurement time to a verdict.
    """

    row: Row
    signals: tuple[str, ...]
    decide: Callable[[View, Vitals, int], Verdict | None]


class Advisory(NamedTuple):
    """When a model's hint is given (`docs/alarms.md`, rule 33).

    Attributes:
        bound: The score, 0 to 1, from which a bucket counts as unusual.
        buckets: So many in a row begin one.
        budget: At most so many begin in 24 h.
        clear_ms: It is over when the score was below half of the bound for so long.
        is_shadow: Count them, raise none.
    """

    bound: float
    buckets: int
    budget: int
    clear_ms: int
    is_shadow: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All that decides, from one profile. Made once, never changed.

    Attributes:
        name: Of the profile.
        version: Of the profile.
        population: Whom it is for.
        rows: Every alarm by code, in the order of `rank`.
        limits: Rows with a limit by signal, in the order of the profile.
        added: Rules beyond limits, in order.
        quiet: By signal: the closed interval where a value is valid and violates nothing.
        bed_ms: The bed's no-data time.
        intervals: A no-data time is at least so many times the message's interval.
        spoken_intervals: After so many intervals the bed has spoken without a signal.
        remind_ms: From `acknowledged` to `reminded`.
        standing_ms: From one statement to the next.
        pause_ms: The length of a pause that says none, and the longest.
        corroboration_ms: A pulse that is older says nothing about the heart now.
        pulse_pressure: mmHg between systole and diastole of a line that beats.
        clock_ms: A skew that differs by more is suspicious.
        clock_intervals: Or by more than so many intervals.
        clock_steady_ms: How well suspicious skews must agree.
        clock_messages: How many of them are a jump.
        advisory: When a model's hint is given.
        news2: Rows of NEWS2's alarms, the strongest first.
        risks: Models of risk that are scored; no alarm follows from them.
        language: Of the alerts' texts: one of `catalogue.LANGUAGES`.
        profiles: All that the worker knows, by name; these rules among them.
        base: The profile, where a patient's own limits have been moved; None = itself.
    """

    name: str
    version: int
    population: str
    rows: Mapping[str, Row]
    limits: Mapping[str, tuple[Row, ...]]
    quiet: Mapping[str, Band]
    bed_ms: int
    intervals: float
    spoken_intervals: float
    remind_ms: int
    standing_ms: int
    pause_ms: int
    corroboration_ms: int
    pulse_pressure: float
    clock_ms: int
    clock_intervals: float
    clock_steady_ms: int
    clock_messages: int
    advisory: Advisory
    news2: tuple[Row, ...] = ()
    risks: tuple[Risk, ...] = ()
    added: tuple[Rule, ...] = ()
    language: str = "en"
    profiles: Mapping[str, "Rules"] = field(
        default_factory=dict, repr=False, compare=False
    )
    base: "Rules | None" = field(default=None, repr=False, compare=False)
    _bands: dict[frozenset[str], Bands] = field(
        default_factory=dict, repr=False, compare=False
    )

    def moved(
        self,
        rows: Mapping[str, Row],
        limits: Mapping[str, tuple[Row, ...]],
        quiet: Mapping[str, Band],
    ) -> "Rules":
        """These rules with other limits: those of one patient."""
        return replace(
            self, rows=rows, limits=limits, quiet=quiet, base=self, _bands={}
        )

    @property
    def label(self) -> str:
        """Name and version, as alerts carry them."""
        return f"{self.name} {self.version}"

    def bands(self, codes: frozenset[str]) -> Bands:
        """The quiet bands of a set of known signals; shared, not to be changed."""
        bands = self._bands.get(codes)
        if bands is None:
            bands = {code: self.quiet[code] for code in sorted(codes)}
            if len(self._bands) < _MAX_BANDS:
                self._bands[codes] = bands
        return bands

    def with_rule(self, rule: Rule) -> "Rules":
        """These rules and one more.

        Its signals take the careful path at each message, which costs a few
        microseconds (`python -m tests.benchmarks.core`).

        Raises:
            ValueError: The code does not begin with the first signal.
        """
        if not rule.row.code.startswith(f"{rule.signals[0]}."):
            msg = f"{rule.row.code}: want {rule.signals[0]}.<condition>"
            raise ValueError(msg)
        quiet = dict(self.quiet) | dict.fromkeys(rule.signals, NEVER)
        row = msgspec.structs.replace(rule.row, rank=len(self.rows))
        return replace(
            self,
            rows=dict(self.rows) | {row.code: row},
            added=(*self.added, replace(rule, row=row)),
            quiet=quiet,
            _bands={},
        )


def quiet_bands(limits: Mapping[str, tuple[Row, ...]]) -> dict[str, Band]:
    """The quiet band of each signal: its instrument's range within all its limits."""
    bands = {}
    for signal in SIGNALS:
        low, high = signal.low, signal.high
        for row in limits.get(signal.code, ()):
            limit = row.limit or 0.0
            if row.condition is Condition.HIGH:
                high = min(high, limit)
            elif row.condition is Condition.LOW:
                low = max(low, limit)
            else:
                # Above zero: the smallest number that is not it.
                low = max(low, math.nextafter(0.0, 1.0))
        bands[signal.code] = (max(low, UNIT_BELOW.get(signal.code, low)), high)
    return bands
