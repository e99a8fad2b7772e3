"""Limits of one patient, and the profile that a patient is admitted with.

Rules 29 and 30 of `docs/alarms.md`. Nothing is widened by itself: a person sets a limit,
with a reason and an end, within the profile's hard range; what the formulas of the
monitors' manuals give is a proposal, until a person takes it.
"""

import dataclasses

from collections.abc import Callable, Iterable, Mapping

import msgspec

from icu_stream.contracts.alerts import Event, Kind
from icu_stream.contracts.commands import LimitChange
from icu_stream.contracts.signals import BY_CODE
from icu_stream.domain import annunciation, contradictions, explain
from icu_stream.domain.alarm import Alarm
from icu_stream.domain.annunciation import Bedside
from icu_stream.domain.limits import NEVER, Condition, Row, Rules, quiet_bands
from icu_stream.domain.notes import Reason
from icu_stream.domain.patient import Own, Patient


# Mindray BeneVision N Series operator manual, 10.5.4: auto limits of adults. SpO2 is not
# among them; extreme limits and carbon dioxide are left alone (ours).
_FORMULAS: dict[str, Callable[[float], float]] = {
    "hr.low": lambda x: max(0.8 * x, 40),
    "hr.high": lambda x: min(1.25 * x, 240),
    "rr.low": lambda x: max(0.5 * x, 6),
    "rr.high": lambda x: min(1.5 * x, 30),
    "abp_sys.low": lambda x: 0.68 * x + 10,
    "abp_sys.high": lambda x: 0.86 * x + 38,
    "abp_mean.low": lambda x: 0.68 * x + 8,
    "abp_mean.high": lambda x: 0.86 * x + 35,
    "nibp_sys.low": lambda x: 0.68 * x + 10,
    "nibp_sys.high": lambda x: 0.86 * x + 38,
    "temp.low": lambda x: x - 0.5,
    "temp.high": lambda x: x + 0.5,
}


def rules_of(patient: Patient, rules: Rules) -> Rules:
    """What decides for a patient: the worker's rules, unless a person chose others.

    Args:
        patient: Its rules are kept, once they are made.
        rules: The worker's.
    """
    if patient.profile is None and not patient.own:
        return rules
    if patient.rules is None or patient.rules[0] is not rules:
        profile = rules.profiles.get(patient.profile or rules.name, rules)
        patient.rules = rules, moved(profile, patient.own)
    return patient.rules[1]


def bedside_of(patient: Patient, rules: Rules) -> Bedside:
    """Where a record is applied, by what decides for the patient.

    Alarms and conditions whose code is gone from the profile since they were saved, as
    an edited file may leave them, end here: nothing else could end them.
    """
    bedside = Bedside(patient, rules_of(patient, rules), [])
    rows = bedside.rules.rows
    if not patient.runs.keys() <= rows.keys():
        for code in patient.runs.keys() - rows.keys():
            del patient.runs[code]
        patient.count_busy()
    if not patient.alarms.keys() <= rows.keys():
        for alarm in [a for a in patient.alarms.values() if a.code not in rows]:
            _end_unknown(bedside, alarm)
    return bedside


def _end_unknown(bedside: Bedside, alarm: Alarm) -> None:
    signal = alarm.code.partition(".")[0]
    row = Row(
        code=alarm.code,
        signal=signal if signal in BY_CODE else None,
        kind=Kind.PHYSIOLOGICAL if signal in BY_CODE else Kind.TECHNICAL,
        priority=alarm.priority,
        rank=len(bedside.rules.rows),
        source=Reason.OTHER_PROFILE,
        words=alarm.code,
    )
    rows = {**bedside.rules.rows, row.code: row}
    known = bedside._replace(rules=dataclasses.replace(bedside.rules, rows=rows))
    annunciation.change(
        known,
        alarm,
        Event.CLEARED,
        bedside.patient.now,
        reason=Reason.OTHER_PROFILE,
    )


def profile_of(rules: Rules) -> Rules:
    """A patient's rules without limits of its own."""
    return rules.base or rules


def moved(profile: Rules, own: Mapping[str, Own]) -> Rules:
    """A profile with some limits moved; those that it lacks or forbids are left out."""
    rows = dict(profile.rows)
    for code, limit in own.items():
        row = rows.get(code)
        if row is not None and forbidden(row, limit.limit, limit.delay_ms) is None:
            rows[code] = _moved(profile, row, limit)
    limits = {
        signal: tuple(rows[row.code] for row in of_signal)
        for signal, of_signal in profile.limits.items()
    }
    if not own or contradictions.first(_all(limits)) is not None:
        return profile
    quiet = quiet_bands(limits)
    for rule in profile.added:
        quiet |= dict.fromkeys(rule.signals, NEVER)
    return profile.moved(rows, limits, quiet)


def _moved(profile: Rules, row: Row, own: Own) -> Row:
    limit, inside, delay_ms = row.limit, row.inside, row.delay_ms
    if own.limit is not None and limit is not None and inside is not None:
        inside = round(own.limit + inside - limit, 6)
        limit = own.limit
    if own.delay_ms is not None:
        delay_ms = own.delay_ms
    source = explain.own_source(
        profile,
        by=own.by,
        since_ms=own.since,
        until_ms=own.expires,
        reason=own.reason,
    )
    return msgspec.structs.replace(
        row, limit=limit, inside=inside, delay_ms=delay_ms, source=source
    )


def _all(limits: Mapping[str, tuple[Row, ...]]) -> Iterable[Row]:
    return (row for of_signal in limits.values() for row in of_signal)


def forbidden(row: Row, limit: float | None, delay_ms: int | None) -> str | None:
    """Why a row may not be moved so for one patient; None when it may."""
    if limit is not None:
        if row.condition is Condition.ZERO:
            return "a zero cannot be moved"
        if row.range is None:
            return "the profile says no range for it"
        low, high = row.range
        if not low <= limit <= high:
            return f"limit {limit:g} is outside its range of {low:g} to {high:g}"
    if delay_ms is not None:
        if row.longest_delay_ms is None:
            return "the profile says no longest delay for it"
        if not 0 <= delay_ms <= row.longest_delay_ms:
            longest_s = row.longest_delay_ms / 1000
            return f"delay {delay_ms / 1000:g} s is outside 0 to {longest_s:g} s"
    return None


def refused(profile: Rules, own: Mapping[str, Own]) -> str | None:
    """Why limits of one patient cannot stand together; None when they can."""
    for code, limit in own.items():
        row = profile.rows.get(code)
        if row is None or row.condition is None:
            return f"{code}: there is no such limit"
        reason = forbidden(row, limit.limit, limit.delay_ms)
        if reason is not None:
            return f"{code}: {reason}"
    rows = [
        _moved(profile, row, own[row.code]) if row.code in own else row
        for row in _all(profile.limits)
    ]
    found = contradictions.first(rows)
    return None if found is None else f"{found.code}: {found.reason}"


def change(bedside: Bedside, own: dict[str, Own]) -> Bedside:
    """Let other limits count for the patient from now on; changes it.

    Returns:
        The same bedside with the new rules.
    """
    patient = bedside.patient
    home = bedside.rules if patient.rules is None else patient.rules[0]
    patient.take_limits(own)
    if own:
        patient.due = min(patient.due, *(limit.until for limit in own.values()))
    return bedside._replace(rules=rules_of(patient, home))


def move(patient: Patient, by_ms: int) -> None:
    """Let limits that were set before the first message end by that one's clock."""
    if patient.own:
        moved_on = {
            code: msgspec.structs.replace(own, until=own.until + by_ms)
            for code, own in patient.own.items()
        }
        patient.take_limits(moved_on)


def expire(bedside: Bedside, moment: int) -> Bedside:
    """Take back the limits that end at a moment, and what cannot stand without them."""
    patient = bedside.patient
    profile = profile_of(bedside.rules)
    left = {code: own for code, own in patient.own.items() if own.until > moment}
    gone = patient.own.keys() - left.keys()
    if refused(profile, left) is not None:
        signals = {code.partition(".")[0] for code in gone}
        left = {c: own for c, own in left.items() if c.partition(".")[0] not in signals}
    return change(bedside, left)


def take_profile(bedside: Bedside, name: str, time: int, by: str) -> None:
    """Let another profile count from now on: alarms that it lacks end."""
    patient, rules, _ = bedside
    home = rules if patient.rules is None else patient.rules[0]
    profile = home.profiles[name]
    for alarm in list(patient.alarms.values()):
        row = profile.rows.get(alarm.code)
        if row is None:
            annunciation.change(
                bedside, alarm, Event.CLEARED, time, by=by, reason=Reason.OTHER_PROFILE
            )
        elif row.escalate_to is None:
            alarm.escalate = 0
    for code in patient.runs.keys() - profile.rows.keys():
        del patient.runs[code]
    patient.take_limits({})
    patient.profile = name
    patient.count_busy()


def proposed(patient: Patient, rules: Rules) -> tuple[LimitChange, ...]:
    """What the manuals' formulas give for a patient, where it differs from what is.

    Args:
        patient: With at least 30 min of history of a signal.
        rules: The patient's.
    """
    profile = profile_of(rules)
    own = dict(patient.own)
    changes = []
    for code, formula in _FORMULAS.items():
        row = rules.rows.get(code)
        if row is None or row.range is None or row.signal is None:
            continue
        usual = patient.windows.usual(row.signal)
        if usual is None:
            continue
        low, high = row.range
        digits = BY_CODE[row.signal].digits
        limit = min(max(round(formula(usual), digits), low), high)
        before = own.get(code)
        tried = Own(limit=limit, delay_ms=None if before is None else before.delay_ms)
        if limit == row.limit or refused(profile, own | {code: tried}) is not None:
            continue
        own[code] = tried
        changes.append(LimitChange(code, limit))
    return tuple(changes)
