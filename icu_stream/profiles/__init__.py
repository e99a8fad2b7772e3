"""Alarm profiles: TOML files of limits, delays and priorities, each with its source.

`load` turns one into `icu_stream.domain.limits.Rules` and refuses what contradicts
itself: a profile with a mistake does not start.
"""

import dataclasses
import importlib

from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

import msgspec

from icu_stream.contracts.alerts import Kind, Priority
from icu_stream.contracts.signals import BY_CODE, SIGNALS
from icu_stream.domain import contradictions
from icu_stream.domain.limits import (
    STRENGTH,
    UNIT_BELOW,
    Advisory,
    Condition,
    Row,
    Rule,
    Rules,
    quiet_bands,
)
from icu_stream.domain.news2 import SINGLE as MOST_POINTS
from icu_stream.domain.patient import STATUSES
from icu_stream.domain.risk import Risk
from icu_stream.errors import ConfigurationError
from icu_stream.profiles import document


_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
_Code = Annotated[
    str, msgspec.Meta(pattern=r"^[a-z0-9_*]+\.[a-z0-9_]+$", max_length=64)
]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
_Some = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
_T = TypeVar("_T", bound=msgspec.Struct)

_BED_CODES = (
    "bed.no_data",
    "bed.clock_jump",
    "bed.monitoring_fault",
    "bed.two_devices",
    "bed.pause",
)
_ECG_FAULT = "hr.ecg_fault"
_SINGLE = "bed.news2_single"
_UNUSUAL = "bed.unusual"
_ANY_NO_DATA = "*.no_data"
_ANY_INVALID = "*.invalid"
_ANY_UNIT = "*.unit"
_ANY_STATUS = tuple(f"*.{word}" for word in STATUSES)
_TECHNICAL = tuple(f".{what}" for what in ("no_data", *STATUSES, "unit", "invalid"))


class _Meta(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_-]{1,32}$")]
    version: Annotated[int, msgspec.Meta(ge=1)]
    population: _Text


class _Silence(msgspec.Struct, forbid_unknown_fields=True):
    bed_s: _Some
    intervals: _Some
    spoken_intervals: _Some
    source: _Text


class _Reminder(msgspec.Struct, forbid_unknown_fields=True):
    after_s: _Some
    source: _Text


class _Standing(msgspec.Struct, forbid_unknown_fields=True):
    every_s: _Some
    source: _Text


class _Pause(msgspec.Struct, forbid_unknown_fields=True):
    # No profile may allow more: CLINICAL.md, "States".
    longest_s: Annotated[float, msgspec.Meta(ge=1, le=600)]
    source: _Text


class _Corroboration(msgspec.Struct, forbid_unknown_fields=True):
    window_s: _Seconds
    pulse_pressure: _Some
    source: _Text


class _Clock(msgspec.Struct, forbid_unknown_fields=True):
    tolerance_s: _Some
    intervals: _Some
    steady_s: _Some
    messages: Annotated[int, msgspec.Meta(ge=1, le=100)]
    source: _Text


class _Technical(msgspec.Struct, forbid_unknown_fields=True):
    code: _Code
    source: _Text
    priority: Priority | None = None
    delay_s: _Seconds = 0
    clear_s: _Seconds = 0


class _Limit(msgspec.Struct, forbid_unknown_fields=True):
    code: _Code
    condition: Condition
    limit: float
    delay_s: _Seconds
    priority: Priority
    deadband: Annotated[float, msgspec.Meta(ge=0)]
    clear_s: _Seconds
    source: _Text
    range: tuple[float, float] | None = None
    longest_delay_s: _Seconds | None = None
    range_source: _Text | None = None


class _News2(msgspec.Struct, forbid_unknown_fields=True):
    code: Literal["bed.news2_single", "bed.news2_urgent", "bed.news2_emergency"]
    points: Annotated[int, msgspec.Meta(ge=1, le=20)]
    priority: Priority
    delay_s: _Seconds
    clear_s: _Seconds
    source: _Text


class _Risk(msgspec.Struct, forbid_unknown_fields=True):
    code: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_]{1,32}$")]
    source: _Text
    file: str | None = None  # a site's own; without it, the one that is shipped


class _Advisory(msgspec.Struct, forbid_unknown_fields=True):
    bound: Annotated[float, msgspec.Meta(gt=0, le=1)]
    buckets: Annotated[int, msgspec.Meta(ge=1, le=60)]
    budget: Annotated[int, msgspec.Meta(ge=0, le=100)]
    clear_s: _Seconds
    # A model alone never raises a high alarm: CLINICAL.md, "Two lanes".
    priority: Literal["low", "medium"]
    shadow: bool
    source: _Text


class _Escalation(msgspec.Struct, forbid_unknown_fields=True):
    code: _Code
    after_s: _Some
    to: Priority
    source: _Text


class _Added(msgspec.Struct, forbid_unknown_fields=True):
    code: _Code
    function: Annotated[str, msgspec.Meta(pattern=r"^[\w.]+:\w+$")]
    signals: Annotated[list[str], msgspec.Meta(min_length=1)]
    priority: Priority
    kind: Kind
    delay_s: _Seconds
    clear_s: _Seconds
    words: _Text
    source: _Text


_SECTIONS = {
    "meta",
    "silence",
    "reminder",
    "standing",
    "pause",
    "corroboration",
    "clock",
    "technical",
    "limit",
    "news2",
    "advisory",
    "risk",
    "escalation",
    "rule",
}


def load(name_or_path: str, language: str = "en") -> Rules:
    """Read a profile.

    Args:
        name_or_path: The name of a profile that is shipped, or the path of a `.toml`.
        language: Of the alerts' texts: one of `catalogue.LANGUAGES`.

    Raises:
        ConfigurationError: No such file, not TOML, a key that is unknown or missing, a
            value that is not allowed, or rows that contradict one another; the message
            names file, line, row and reason.
    """
    return _Reader(document.read(name_or_path)).rules(language)


def load_all(name_or_path: str, language: str = "en", *, shadow: bool = False) -> Rules:
    """Read a worker's profiles: the one of all beds, and the shipped ones by name.

    Args:
        name_or_path: Of the one that counts where a person chose none.
        language: As in `load`.
        shadow: Models' hints are counted and not given, whatever the profiles say.

    Returns:
        The first one; all of them, itself too, are in its `profiles`.

    Raises:
        ConfigurationError: As `load`, or two differ where devices' clocks are judged.
    """
    first = load(name_or_path, language)
    profiles: dict[str, Rules] = {}
    for rules in [first, *(load(name, language) for name in document.shipped())]:
        if _clock(rules) != _clock(first):
            msg = (
                f"profile {rules.name}, section clock: differs from that of "
                f"{first.name}, but a device's clock is the same for all patients"
            )
            raise ConfigurationError(msg)
        if rules.name not in profiles:
            is_shadow = shadow or rules.advisory.is_shadow
            profiles[rules.name] = dataclasses.replace(
                rules,
                profiles=profiles,
                advisory=rules.advisory._replace(is_shadow=is_shadow),
            )
    return profiles[first.name]


def _clock(rules: Rules) -> tuple[float, ...]:
    return (
        rules.clock_ms,
        rules.clock_intervals,
        rules.clock_steady_ms,
        rules.clock_messages,
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


class _Reader:
    """One profile on its way from TOML to rules; a refusal names file, line and row."""

    def __init__(self, read: document.Document) -> None:
        self.read = read
        self.document = read.content
        if unknown := sorted(self.document.keys() - _SECTIONS):
            msg = f"unknown, want one of {', '.join(sorted(_SECTIONS))}"
            self.refuse("section", unknown[0], msg)

    def refuse(self, section: str, code: object, reason: str) -> NoReturn:
        msg = f"{self.read.where(section, code)}, {section} {code}: {reason}"
        raise ConfigurationError(msg)

    def section(self, name: str, kind: type[_T]) -> _T:
        if name not in self.document:
            self.refuse("section", name, "missing")
        return self.convert(self.document[name], kind, "section", name)

    def table(self, name: str, kind: type[_T]) -> list[_T]:
        raw = self.document.get(name, [])
        if not isinstance(raw, list):
            reason = f"want rows: [[{name}]]"
            self.refuse("section", name, reason)
        rows = []
        seen = set()
        for number, item in enumerate(raw, 1):
            code = item.get("code") if isinstance(item, dict) else None
            row = self.convert(item, kind, name, code or number)
            if code in seen:
                self.refuse(name, code, "there are two rows of this code")
            seen.add(code)
            rows.append(row)
        return rows

    def convert(self, raw: Any, kind: type[_T], section: str, code: object) -> _T:
        try:
            return msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            self.refuse(section, code, str(error))

    # --- the parts

    def rules(self, language: str) -> Rules:
        meta = self.section("meta", _Meta)
        silence = self.section("silence", _Silence)
        corroboration = self.section("corroboration", _Corroboration)
        clock = self.section("clock", _Clock)
        limits = self.table("limit", _Limit)
        self.check_limits(limits)
        escalations = {row.code: row for row in self.table("escalation", _Escalation)}
        rows: dict[str, Row] = {}
        technical = self.technical()
        for code in _BED_CODES:
            rows[code] = self.technical_row(technical[code], code, None, len(rows))
        news2 = self.news2(len(rows))
        rows |= {row.code: row for row in news2}
        advisory = self.section("advisory", _Advisory)
        rows[_UNUSUAL] = _advisory_row(advisory, len(rows))
        for limit in limits:
            rows[limit.code] = _limit_row(limit, len(rows))
        rows[_ECG_FAULT] = self.technical_row(
            technical[_ECG_FAULT], _ECG_FAULT, "hr", len(rows)
        )
        for signal in SIGNALS:
            code = f"{signal.code}.no_data"
            no_data = technical.get(code, technical[_ANY_NO_DATA])
            rows[code] = self.technical_row(no_data, code, signal.code, len(rows))
            whats = [*STATUSES, "invalid"]
            if signal.code in UNIT_BELOW:
                whats.insert(-1, "unit")
            for what in whats:
                own = f"{signal.code}.{what}"
                row = technical.get(own, technical[f"*.{what}"])
                rows[own] = self.technical_row(
                    row, own, signal.code, len(rows), rows[code].priority
                )
        for escalation in escalations.values():
            self.escalate(rows, escalation)
        by_signal = {
            signal.code: tuple(
                row
                for row in rows.values()
                if row.signal == signal.code and row.condition is not None
            )
            for signal in SIGNALS
        }
        rules = Rules(
            name=meta.name,
            version=meta.version,
            population=meta.population,
            rows=rows,
            limits=by_signal,
            quiet=quiet_bands(by_signal),
            bed_ms=_ms(silence.bed_s),
            intervals=silence.intervals,
            spoken_intervals=silence.spoken_intervals,
            remind_ms=_ms(self.section("reminder", _Reminder).after_s),
            standing_ms=_ms(self.section("standing", _Standing).every_s),
            pause_ms=_ms(self.section("pause", _Pause).longest_s),
            corroboration_ms=_ms(corroboration.window_s),
            pulse_pressure=corroboration.pulse_pressure,
            clock_ms=_ms(clock.tolerance_s),
            clock_intervals=clock.intervals,
            clock_steady_ms=_ms(clock.steady_s),
            clock_messages=clock.messages,
            advisory=Advisory(
                bound=advisory.bound,
                buckets=advisory.buckets,
                budget=advisory.budget,
                clear_ms=_ms(advisory.clear_s),
                is_shadow=advisory.shadow,
            ),
            news2=news2,
            risks=tuple(self.risk(row) for row in self.table("risk", _Risk)),
            language=language,
        )
        for added in self.table("rule", _Added):
            rules = rules.with_rule(self.added(added, rules))
        return rules

    def risk(self, row: _Risk) -> Risk:
        """A model of risk: a site's own file, or one that is shipped."""
        try:
            risk = _own_prior(row.file) if row.file else _prior(row.code)
        except (OSError, ConfigurationError) as error:
            why = f"{row.file}: {error}" if row.file else "there is no such model"
            self.refuse("risk", row.code, why)
        if risk.prior.name != row.code:
            self.refuse("risk", row.code, f"{row.file} is named {risk.prior.name!r}")
        return risk

    def news2(self, rank: int) -> tuple[Row, ...]:
        """Rows of NEWS2's alarms; a ward that wants none of them leaves them out."""
        rows: list[Row] = []
        for number, row in enumerate(self.table("news2", _News2)):
            is_single = row.code == _SINGLE
            if is_single and row.points > MOST_POINTS:
                self.refuse("news2", row.code, f"no input has {row.points} points")
            if rows and STRENGTH[row.priority] > STRENGTH[rows[-1].priority]:
                reason = f"it is stronger than {rows[-1].code}: put it before"
                self.refuse("news2", row.code, reason)
            for other in rows:
                limit = other.limit or 0
                if not is_single and other.code != _SINGLE and row.points >= limit:
                    reason = (
                        f"{row.points} points are not reached before the {limit:g} of "
                        f"{other.code}; swap them"
                    )
                    self.refuse("news2", row.code, reason)
            rows.append(
                Row(
                    code=row.code,
                    signal=None,
                    kind=Kind.PHYSIOLOGICAL,
                    priority=row.priority,
                    rank=rank + number,
                    source=row.source,
                    delay_ms=_ms(row.delay_s),
                    clear_ms=_ms(row.clear_s),
                    limit=row.points,
                    covered_by=tuple(other.code for other in rows),
                )
            )
        return tuple(rows)

    def technical(self) -> dict[str, _Technical]:
        rows = {row.code: row for row in self.table("technical", _Technical)}
        needed = (
            *_BED_CODES,
            _ECG_FAULT,
            _ANY_NO_DATA,
            *_ANY_STATUS,
            _ANY_UNIT,
            _ANY_INVALID,
        )
        allowed = {*needed, *(f"{code}.unit" for code in UNIT_BELOW)} | {
            f"{signal.code}.{what}"
            for signal in SIGNALS
            for what in ("no_data", *STATUSES, "invalid")
        }
        for code in rows:
            if code not in allowed:
                self.refuse("technical", code, "there is no such alarm")
        for code in needed:
            if code not in rows:
                self.refuse("technical", code, "missing")
        return rows

    def technical_row(
        self,
        row: _Technical,
        code: str,
        signal: str | None,
        rank: int,
        priority: Priority | None = None,
    ) -> Row:
        priority = row.priority or priority
        if priority is None:
            self.refuse("technical", row.code, "priority missing")
        return Row(
            code=code,
            signal=signal,
            kind=Kind.TECHNICAL,
            priority=priority,
            rank=rank,
            source=row.source,
            delay_ms=_ms(row.delay_s),
            clear_ms=_ms(row.clear_s),
        )

    def escalate(self, rows: dict[str, Row], escalation: _Escalation) -> None:
        row = rows.get(escalation.code)
        if row is None:
            self.refuse("escalation", escalation.code, "there is no such alarm")
        if STRENGTH[escalation.to] <= STRENGTH[row.priority]:
            reason = f"to {escalation.to} does not rise above {row.priority}"
            self.refuse("escalation", escalation.code, reason)
        rows[row.code] = msgspec.structs.replace(
            row, escalate_ms=_ms(escalation.after_s), escalate_to=escalation.to
        )

    def added(self, added: _Added, rules: Rules) -> Rule:
        if added.code in rules.rows:
            self.refuse("rule", added.code, "there is an alarm of this code")
        for signal in added.signals:
            if signal not in BY_CODE:
                self.refuse("rule", added.code, f"unknown signal {signal!r}")
        if _signal(added) != added.signals[0]:
            reason = f"want {added.signals[0]}.<condition>: the first of its signals"
            self.refuse("rule", added.code, reason)
        module, _, name = added.function.partition(":")
        try:
            decide = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            self.refuse("rule", added.code, f"function {added.function}: {error}")
        row = Row(
            code=added.code,
            signal=added.signals[0],
            kind=added.kind,
            priority=added.priority,
            rank=0,
            source=added.source,
            delay_ms=_ms(added.delay_s),
            clear_ms=_ms(added.clear_s),
            words=added.words,
        )
        return Rule(row, tuple(added.signals), decide)

    # --- contradictions

    def check_limits(self, limits: Sequence[_Limit]) -> None:
        for limit in limits:
            self.check_alone(limit)
        found = contradictions.first(_limit_row(limit, 0) for limit in limits)
        if found is not None:
            self.refuse("limit", *found)
        for limit in limits:
            self.check_range(limit)

    def check_alone(self, row: _Limit) -> None:
        if _signal(row) not in BY_CODE:
            self.refuse("limit", row.code, f"unknown signal {_signal(row)!r}")
        if row.code == _ECG_FAULT or row.code.endswith(_TECHNICAL):
            self.refuse("limit", row.code, "this code is a technical alarm's")
        if row.condition is Condition.ZERO and (row.limit or not row.deadband):
            self.refuse("limit", row.code, "a zero has limit 0 and a deadband above 0")

    def check_range(self, row: _Limit) -> None:
        """Within what the limit of one patient may be moved."""
        is_movable = row.range is not None or row.longest_delay_s is not None
        if is_movable and row.range_source is None:
            self.refuse("limit", row.code, "range_source missing: who says the range?")
        if row.range is not None:
            low, high = row.range
            if row.condition is Condition.ZERO:
                self.refuse("limit", row.code, "a zero has no range")
            if not low <= row.limit <= high:
                reason = f"limit {row.limit:g} is outside its range {low:g} to {high:g}"
                self.refuse("limit", row.code, reason)
        if row.longest_delay_s is not None and row.delay_s > row.longest_delay_s:
            reason = (
                f"delay {row.delay_s:g} s is above the longest of "
                f"{row.longest_delay_s:g} s"
            )
            self.refuse("limit", row.code, reason)


def _signal(row: _Limit | _Added) -> str:
    return row.code.partition(".")[0]


@lru_cache(maxsize=8)
def _prior(name: str) -> Risk:
    """Read once: all profiles of a worker, and all of its patients, share it."""
    file = resources.files("icu_stream") / "priors" / f"{name}.json"
    return Risk.load(file.read_bytes())


@lru_cache(maxsize=8)
def _own_prior(path: str) -> Risk:
    """A site's own, likewise."""
    return Risk.load(Path(path).read_bytes())


def _advisory_row(advisory: _Advisory, rank: int) -> Row:
    return Row(
        code=_UNUSUAL,
        signal=None,
        kind=Kind.ADVISORY,
        priority=Priority(advisory.priority),
        rank=rank,
        source=advisory.source,
        clear_ms=_ms(advisory.clear_s),
        limit=advisory.bound,
    )


def _limit_row(limit: _Limit, rank: int) -> Row:
    sign = -1 if limit.condition is Condition.HIGH else 1
    return Row(
        code=limit.code,
        signal=_signal(limit),
        kind=Kind.PHYSIOLOGICAL,
        priority=limit.priority,
        rank=rank,
        source=limit.source,
        delay_ms=_ms(limit.delay_s),
        clear_ms=_ms(limit.clear_s),
        condition=limit.condition,
        limit=limit.limit,
        # Rounded to what a profile can mean: 35.0 + 0.1 must be 35.1.
        inside=round(limit.limit + sign * limit.deadband, 6),
        range=limit.range,
        longest_delay_ms=(
            None if limit.longest_delay_s is None else _ms(limit.longest_delay_s)
        ),
    )
