"""Why an alert was raised: one sentence for a nurse, and the rest as data.

Theory of operation. A sentence is made of parts. The first one says what is: value and
limit. The others say how long, how bad, what is usual, what a person did, and why; one
that would make it longer than 90 characters is left out. This module decides which parts
are said; the words are those of the catalogue of the rules' language, and what a row
always says alike is put into words once (`_Phrase`).

Everything is taken from the patient's state and the moment, so the same log gives the
same bytes. Numbers are rounded to what a person can use; a value is never rounded onto
or over the limit that it is held against.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from icu_stream.contracts.alerts import Alert, Event, Explanation, State
from icu_stream.contracts.signals import BY_CODE, SIGNALS, Signal
from icu_stream.domain import news2, notes
from icu_stream.domain.alarm import Alarm
from icu_stream.domain.catalogue import LANGUAGES, Catalogue
from icu_stream.domain.limits import Condition, Row, Rules
from icu_stream.domain.notes import Reason
from icu_stream.domain.patient import Patient


LONGEST = 90

_UNITS = {"mm[Hg]": "mmHg", "Cel": "°C"}
_CODES = tuple(signal.code for signal in SIGNALS)
# A value that is nearer to its limit is shown this many decimals beside it.
_MOST_DIGITS = 6
# mmHg in a kPa. NIST SP 811, 2008, appendix B.8: 1 mmHg is 1.333 224 E+02 Pa.
_MMHG_A_KPA = 1000 / 133.3224
# Ours: what is left beside the longest sentence that names a person.
_LONGEST_NAME = 32
# Ours: two of them, and what is said of them, fit.
_LONGEST_DEVICE = 12
# Ours: a reason of which less can be shown says nothing.
_SHORTEST_REASON = 12
_NEWS2_FROM = {
    "bed.news2_single": news2.SINGLE,
    "bed.news2_urgent": news2.URGENT,
    "bed.news2_emergency": news2.EMERGENCY,
}
_NEWS2_INPUTS = len(news2.INPUTS)
# 9999-12-31 23:59:59 UTC: no later one can be written as a date.
_LAST_SECOND = 253_402_300_799
_OVER = frozenset({State.LATCHED, State.CLEARED})


class _Phrase(NamedTuple):
    """What a row always says alike, in one language."""

    signal: Signal | None
    name: str
    unit: str
    condition: str  # of the code
    edge: str
    holds: str  # a limit that is violated, without a value
    tell: "_Tell"


class _Moment(NamedTuple):
    """One transition, about to be told.

    `is_over`: the alarm has ended, or waits to be seen. `is_gone`: because its condition
    went away; a discharge ends an alarm whose condition may well hold.
    """

    patient: Patient
    row: Row
    alarm: Alarm
    event: Event
    time: int
    words: Catalogue
    phrase: _Phrase
    lasted_ms: int
    usual: float | None
    is_over: bool
    is_gone: bool

    @property
    def lasted(self) -> str:
        """How long the condition has held, or had."""
        return _span(self.words, self.lasted_ms)


_Tell = Callable[[_Moment], list[str]]


def alert(
    patient: Patient,
    rules: Rules,
    alarm: Alarm,
    event: Event,
    time: int,
    *,
    annunciate: bool = False,
    by: str | None = None,
    reason: str = "",
) -> Alert:
    """The message of one transition that the alarm has just made.

    Args:
        patient: Settled; not changed.
        rules: The patient's.
        alarm: After the transition.
        event: The transition.
        time: Its moment, epoch ms, measurement time.
        annunciate: Should it make a sound?
        by: Who, where a person did it.
        reason: Why, where the value does not say it: a `notes.Reason`, alone or before
            ": " and a person's own words.
    """
    row = rules.rows[alarm.code]
    words = LANGUAGES[rules.language]
    phrase = _phrase(row, rules.language)
    signal = phrase.signal
    usual = None
    if row.condition is not None:
        usual = patient.windows.usual(row.signal or "")
    is_over = alarm.state in _OVER
    moment = _Moment(
        patient,
        row,
        alarm,
        event,
        time,
        words,
        phrase,
        max(0, (alarm.ended or time) - alarm.onset),
        usual,
        is_over,
        is_over and alarm.ended > 0,
    )
    if reason:
        reason = _in_language(words, phrase, reason)
    return Alert(
        alert_id=alarm.alert_id(patient.patient_id),
        transition=alarm.transition,
        event=event,
        patient_id=patient.patient_id,
        bed=patient.bed,
        code=alarm.code,
        kind=row.kind,
        priority=alarm.priority,
        # move() has set it: an alarm that is spoken of has a state.
        state=alarm.state,  # type: ignore[arg-type]
        annunciate=annunciate,
        onset=alarm.onset,
        time=time,
        text=_sentence(moment, by, reason),
        signal=row.signal,
        value=alarm.value,
        limit=row.limit,
        unit=None if signal is None else signal.unit,
        delay_s=row.delay_ms / 1000 if row.delay_ms or row.condition else None,
        by=by,
        explanation=_explanation(moment, rules, reason),
    )


def own_source(
    rules: Rules, *, by: str, since_ms: int, until_ms: int, reason: str
) -> str:
    """Where a limit of one patient comes from, as the source of its row.

    Args:
        rules: Of the language.
        by: Who set it.
        since_ms: When, epoch ms; said in UTC.
        until_ms: Until when, likewise.
        reason: Why, in that person's words.
    """
    words = LANGUAGES[rules.language]
    return words.own_source.format(
        by=by,
        since=_moment_of(words, since_ms),
        until=_moment_of(words, until_ms),
        reason=reason,
    )


def _explanation(moment: _Moment, rules: Rules, reason: str) -> Explanation:
    patient, row, alarm, _, time, _, phrase = moment[:7]
    signal, usual, change = phrase.signal, moment.usual, None
    if usual is not None and signal is not None:
        usual = round(usual, signal.digits + 1)
        if alarm.value is not None:
            change = round(alarm.value - usual, signal.digits + 1)
    tracks = patient.tracks
    current: dict[str, float] = {}
    expected = 0
    for code in _CODES:
        track = tracks.get(code)
        if track is not None and track.is_expected:
            expected += 1
            if track.valid == track.time and time - track.time < track.no_data_ms:
                current[code] = track.value
    completeness = f"{len(current)}/{expected}" if expected else ""
    if row.signal is not None:
        current.pop(row.signal, None)
    label = rules.label
    population = None if patient.is_admitted else rules.population
    versions = {"profile": label}
    if patient.model is not None:
        versions["model"] = patient.model.name
    return Explanation(
        rule=in_words(row, rules),
        limit_source=_source(row, rules.language, label, population),
        violation_s=moment.lasted_ms / 1000,
        extreme=alarm.extreme,
        usual=usual,
        change=change,
        contributing=current,
        completeness=completeness,
        reason=reason,
        versions=versions,
    )


@lru_cache(maxsize=4096)
def _source(row: Row, language: str, label: str, population: str | None) -> str:
    """Where the numbers come from; for whom, where nobody is admitted."""
    source = f"{label}: {row.source}"
    if population is None:
        return source
    words = LANGUAGES[language]
    return words.unadmitted.format(source=source, population=population)


def _in_language(words: Catalogue, phrase: _Phrase, reason: str) -> str:
    """A reason of ours in words; a person's own stay as they are."""
    ours, colon, theirs = reason.partition(": ")
    text = words.reasons.get(ours)
    if text is None:
        return reason
    return text.format(signal=phrase.name) + colon + theirs


# --- the sentence


def _sentence(moment: _Moment, by: str | None, reason: str) -> str:
    words, event = moment.words, moment.event
    parts = moment.phrase.tell(moment)
    who = None if by is None else _cut(by, _LONGEST_NAME)
    if event is Event.PAUSED:
        reason = ""  # the note has it: it is said again each minute
    elif event is Event.ESCALATED:
        parts.append(words.escalated)
    elif event is Event.REMINDED:
        is_paused = reason == words.reasons[Reason.PAUSE_OVER]
        parts.append(words.pause_over if is_paused else words.reminded)
        reason = "" if is_paused else reason
    elif event is Event.ACKNOWLEDGED:
        if who is not None:
            parts.append(words.acknowledged.format(by=who))
    elif moment.is_over:
        if who is not None:
            parts.append(words.ended_by.format(by=who))
        if moment.alarm.state is State.LATCHED:
            parts.append(words.unseen)
    return fitted(parts, words.because.format(reason=reason) if reason else "")


def fitted(parts: list[str], rest: str = "") -> str:
    """Join the parts into at most 90 characters.

    Args:
        parts: The first one is cut where it is too long; of the others, those that do
            not fit are left out.
        rest: A reason; what does not fit of it is cut.
    """
    text = "".join(parts) + rest
    if len(text) > LONGEST:
        text = _cut(parts[0], LONGEST)
        for part in parts[1:]:
            if len(text) + len(part) <= LONGEST:
                text += part
        room = LONGEST - len(text)
        if len(rest) <= room or room >= _SHORTEST_REASON:
            text += _cut(rest, room)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " for c in text)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _tell_limit(moment: _Moment) -> list[str]:
    _, row, alarm, event, _, words, phrase = moment[:7]
    signal, value, limit = BY_CODE[row.signal or ""], alarm.value, row.limit
    if moment.is_over and value is not None:
        shown = f"{_number(words, signal, value, limit)} {phrase.unit}"
        parts = [
            words.limit_over.format(
                signal=phrase.name,
                value=shown,
                edge=phrase.edge,
                duration=moment.lasted,
            )
        ]
    elif event is Event.RAISED and value is not None:
        shown = f"{_number(words, signal, value, limit)} {phrase.unit}"
        parts = [
            words.limit_new.format(signal=phrase.name, value=shown, edge=phrase.edge)
        ]
        if row.delay_ms:
            parts.append(words.lasting.format(duration=moment.lasted))
    else:
        parts = [
            phrase.holds,
            words.lasting.format(duration=moment.lasted),
        ]
        worst = alarm.extreme
        if event is Event.WORSENED and value is not None:
            shown = _number(words, signal, value, limit)
            parts.append(words.worse.format(value=shown))
        elif worst is not None:
            is_high = row.condition is Condition.HIGH
            how = words.highest if is_high else words.lowest
            parts.append(how.format(value=_number(words, signal, worst, limit)))
    if moment.usual is not None:
        usual = _number(words, signal, moment.usual)
        parts.append(words.usual.format(value=usual))
    return parts


def _tell_zero(moment: _Moment) -> list[str]:
    _, row, alarm, event, _, words, phrase = moment[:7]
    signal = BY_CODE[row.signal or ""]
    on, over = {
        "hr": (words.no_pulse, words.no_pulse_over),
        "rr": (words.no_breath, words.no_breath_over),
    }.get(signal.code, (words.zero, words.zero_over))
    if moment.is_over and alarm.value is not None:
        value = f"{_number(words, signal, alarm.value, 0.0)} {phrase.unit}"
        text = over.format(signal=phrase.name, value=value, duration=moment.lasted)
        parts = [text]
    else:
        parts = [on.format(signal=phrase.name, zero=f"0 {phrase.unit}")]
        if row.delay_ms or event is not Event.RAISED:
            parts.append(words.lasting.format(duration=moment.lasted))
    if moment.usual is not None:
        usual = _number(words, signal, moment.usual)
        parts.append(words.usual.format(value=usual))
    return parts


def _tell_no_data(moment: _Moment) -> list[str]:
    words, phrase = moment.words, moment.phrase
    track = moment.patient.tracks.get(moment.row.signal or "")
    if track is None:
        return [words.no_data_on.format(signal=phrase.name, duration=moment.lasted)]
    if moment.is_over and track.is_expected and track.time >= moment.time:
        return [words.no_data_over.format(signal=phrase.name, duration=moment.lasted)]
    silent = _span(words, moment.time - track.heard)
    return [words.no_data_on.format(signal=phrase.name, duration=silent)]


def _tell_invalid(moment: _Moment) -> list[str]:
    _, row, alarm, event, _, words, phrase = moment[:7]
    signal, value = BY_CODE[row.signal or ""], alarm.value
    if value is None or not signal.low <= value <= signal.high:
        parts = [_fault(words, phrase, signal, alarm)]
        if event is not Event.RAISED:
            parts.append(words.lasting_apart.format(duration=moment.lasted))
        return parts
    shown = f"{_number(words, signal, value)} {phrase.unit}"
    return [words.valid_again.format(signal=phrase.name, value=shown)]


def _fault(words: Catalogue, phrase: _Phrase, signal: Signal, alarm: Alarm) -> str:
    """What is wrong with an invalid value."""
    value = alarm.value
    if value is None:
        return words.not_a_number.format(signal=phrase.name, value=alarm.note)
    shown = f"{value:g}"
    if signal.low <= float(shown) <= signal.high:
        shown = repr(value)
    shown = _localised(words, shown)
    celsius = (value - 32) / 1.8
    if signal.unit == "Cel" and signal.low <= celsius <= signal.high < value:
        return words.fahrenheit.format(
            signal=phrase.name, value=shown, celsius=_number(words, signal, celsius)
        )
    return words.outside.format(
        signal=phrase.name,
        value=shown,
        low=_localised(words, f"{signal.low:g}"),
        high=_localised(words, f"{signal.high:g}"),
    )


def _tell_ecg_fault(moment: _Moment) -> list[str]:
    words = moment.words
    text = words.ecg_fault_over if moment.is_gone else words.ecg_fault_on
    return [text.format(signal=moment.phrase.name, duration=moment.lasted)]


def _tell_status(moment: _Moment) -> list[str]:
    words, phrase = moment.words, moment.phrase
    end = "over" if moment.is_gone else "on"
    text: str = getattr(words, f"{phrase.condition}_{end}")
    parts = [text.format(signal=phrase.name, duration=moment.lasted)]
    if not moment.is_gone and moment.lasted_ms:
        parts.append(words.lasting.format(duration=moment.lasted))
    return parts


def _tell_unit(moment: _Moment) -> list[str]:
    _, row, alarm, event, _, words, phrase = moment[:7]
    signal, value = BY_CODE[row.signal or ""], alarm.value
    if value is None:
        return _tell_other(moment)
    if moment.is_gone:
        shown = f"{_number(words, signal, value)} {phrase.unit}"
        text = words.unit_over
        return [text.format(signal=phrase.name, value=shown, duration=moment.lasted)]
    text = words.unit_on.format(
        signal=phrase.name,
        # One decimal more: devices show kPa so.
        value=_localised(words, f"{value:.{signal.digits + 1}f}"),
        mmhg=_number(words, signal, value * _MMHG_A_KPA),
    )
    if event is Event.RAISED:
        return [text]
    return [text, words.lasting_apart.format(duration=moment.lasted)]


def _tell_added(moment: _Moment) -> list[str]:
    words = moment.words
    text = words.added_over if moment.is_gone else words.added_on
    return [
        text.format(words=moment.row.words),
        words.lasting_apart.format(duration=moment.lasted),
    ]


def _tell_other(moment: _Moment) -> list[str]:
    words = moment.words
    text = words.other_over if moment.is_gone else words.other_on
    return [text.format(code=moment.row.code, duration=moment.lasted)]


def _tell_bed_no_data(moment: _Moment) -> list[str]:
    words, patient = moment.words, moment.patient
    if moment.is_gone:
        return [words.bed_no_data_over.format(duration=moment.lasted)]
    silent_ms = moment.time - patient.heard if patient.heard else moment.lasted_ms
    return [words.bed_no_data_on.format(duration=_span(words, silent_ms))]


def _tell_clock(moment: _Moment) -> list[str]:
    words = moment.words
    if moment.is_gone:
        return [words.clock_over]
    seconds, device = notes.read_clock(moment.alarm.note)
    wrong = words.seconds.format(n=f"{seconds:+d}")
    if device:
        wrong += f" ({_cut(device, _LONGEST_NAME)})"
    return [words.clock_on.format(wrong=wrong)]


def _tell_two_devices(moment: _Moment) -> list[str]:
    words = moment.words
    if moment.is_gone:
        return [words.two_devices_over.format(duration=moment.lasted)]
    code, devices = notes.read_devices(moment.alarm.note)
    name = words.signals.get(code)
    head = words.two_devices_unnamed
    if name is not None:
        head = words.two_devices_on.format(signal=name)
    parts = [head, words.lasting.format(duration=moment.lasted)]
    if devices:
        named = ", ".join(_cut(device, _LONGEST_DEVICE) for device in devices)
        parts.append(words.two_devices_named.format(devices=named))
    return [*parts, words.two_devices_rule]


def _tell_fault(moment: _Moment) -> list[str]:
    words = moment.words
    if moment.is_gone:
        return [words.fault_over.format(duration=moment.lasted)]
    note = moment.alarm.note
    text = words.fault_on
    if note:
        text += words.because.format(reason=note)
    return [text]


def _tell_news2(moment: _Moment) -> list[str]:
    alarm, words, code = moment.alarm, moment.words, moment.row.code
    known, points = notes.read_news2(alarm.note)
    total = "" if alarm.value is None else f"{alarm.value:.0f}"
    if not total:
        score = words.news2_unknown
    elif known < _NEWS2_INPUTS:
        score = words.news2_least.format(total=total, known=known)
    else:
        score = words.news2.format(total=total)
    is_single = code == "bed.news2_single"
    limit = _news2_from(moment.row)
    if moment.is_gone:
        text = words.news2_single_over if is_single else words.news2_over
        return [text.format(score=score, limit=limit, duration=moment.lasted)]
    text = {
        "bed.news2_single": words.news2_single,
        "bed.news2_urgent": words.news2_urgent,
    }.get(code, words.news2_emergency)
    parts = [
        score + text.format(limit=limit),
        words.lasting_apart.format(duration=moment.lasted),
    ]
    text = words.news2_first
    for name, number in points:
        name_ = words.inputs.get(name, name)
        parts.append(text.format(input=name_, points=number))
        text = words.news2_next
    return parts


def _tell_unusual(moment: _Moment) -> list[str]:
    words, patient = moment.words, moment.patient
    if moment.is_gone:
        return [words.unusual_over.format(duration=moment.lasted)]
    parts = [words.unusual_on]
    if moment.event is not Event.RAISED:
        parts.append(words.lasting.format(duration=moment.lasted))
    text = words.unusual_first
    for code in notes.read_shares(moment.alarm.note):
        track = patient.tracks.get(code)
        usual = patient.windows.usual(code)
        if track is None or not track.valid or usual is None:
            continue
        signal = BY_CODE[code]
        parts.append(
            text.format(
                signal=words.signals[code],
                value=_number(words, signal, track.value),
                usual=_number(words, signal, usual),
            )
        )
        text = words.unusual_next
    return parts


def _tell_pause(moment: _Moment) -> list[str]:
    words = moment.words
    if moment.is_over:
        return [words.pause_ended.format(duration=moment.lasted)]
    until_ms, by, reason = notes.read_pause(moment.alarm.note)
    text = words.pause_new if moment.event is Event.PAUSED else words.pause_on
    parts = [
        text.format(
            by=_cut(by, _LONGEST_NAME), duration=_span(words, until_ms - moment.time)
        ),
        words.but_high,
    ]
    if reason:
        used = sum(map(len, parts))
        parts.append(_cut(words.because.format(reason=reason), LONGEST - used))
    return parts


_TELL: dict[str, _Tell] = {
    "bed.no_data": _tell_bed_no_data,
    "bed.clock_jump": _tell_clock,
    "bed.two_devices": _tell_two_devices,
    "bed.monitoring_fault": _tell_fault,
    "bed.news2_single": _tell_news2,
    "bed.news2_urgent": _tell_news2,
    "bed.news2_emergency": _tell_news2,
    "bed.unusual": _tell_unusual,
    "bed.pause": _tell_pause,
}
_TELL_SIGNAL: dict[str, _Tell] = {
    "no_data": _tell_no_data,
    "invalid": _tell_invalid,
    "ecg_fault": _tell_ecg_fault,
    "lead_off": _tell_status,
    "sensor_off": _tell_status,
    "disconnected": _tell_status,
    "searching": _tell_status,
    "unit": _tell_unit,
}


@lru_cache(maxsize=4096)
def _phrase(row: Row, language: str) -> _Phrase:
    words = LANGUAGES[language]
    condition = row.code.partition(".")[2]
    if row.signal is None:
        tell = _tell_added if row.words else _TELL.get(row.code, _tell_other)
        return _Phrase(None, "", "", condition, "", "", tell)
    signal = BY_CODE[row.signal]
    name, unit = words.signals[row.signal], _UNITS.get(signal.unit, signal.unit)
    edge = holds = ""
    tell = _TELL_SIGNAL.get(condition, _tell_other)
    if row.words:
        tell = _tell_added
    elif row.condition is Condition.ZERO:
        tell = _tell_zero
    elif row.condition is not None:
        tell = _tell_limit
        side = words.above if row.condition is Condition.HIGH else words.below
        limit = row.limit or 0.0
        edge = side.format(limit=_number(words, signal, limit, limit))
        holds = words.limit_on.format(signal=name, edge=edge)
    return _Phrase(signal, name, unit, condition, edge, holds, tell)


# --- the rule


def in_words(row: Row, rules: Rules) -> str:
    """The rule as a person says it."""
    return _rule(row, rules.language, rules.bed_ms, rules.clock_ms)


@lru_cache(maxsize=4096)
def _rule(row: Row, language: str, bed_ms: int, clock_ms: int) -> str:
    words = LANGUAGES[language]
    if row.words:
        return row.words
    phrase = _phrase(row, language)
    delay_s = _localised(words, f"{row.delay_ms / 1000:g}")
    after = ""
    if row.delay_ms:
        after = words.after.format(delay=words.seconds.format(n=delay_s))
    if row.signal is None:
        return _bed_rule(row, words, after, bed_ms, clock_ms)
    signal = BY_CODE[row.signal]
    text = {
        Condition.LOW: words.rule_below,
        Condition.HIGH: words.rule_above,
        Condition.ZERO: words.rule_zero,
    }.get(row.condition or Condition.ZERO, "")
    if row.condition is Condition.ZERO and row.signal == "hr":
        text = words.rule_no_pulse
    elif row.condition is None:
        text = {
            "no_data": words.rule_no_data,
            "invalid": words.rule_invalid,
            "ecg_fault": words.rule_ecg_fault,
            "lead_off": words.rule_lead_off,
            "sensor_off": words.rule_sensor_off,
            "disconnected": words.rule_disconnected,
            "searching": words.rule_searching,
            "unit": words.rule_unit,
        }.get(phrase.condition, words.rule_other)
    return text.format(
        code=row.code,
        signal=phrase.name,
        unit=phrase.unit,
        after=after,
        limit="" if row.limit is None else _localised(words, f"{row.limit:g}"),
        low=_localised(words, f"{signal.low:g}"),
        high=_localised(words, f"{signal.high:g}"),
    )


def _bed_rule(
    row: Row, words: Catalogue, after: str, bed_ms: int, clock_ms: int
) -> str:
    text = {
        "bed.no_data": words.rule_bed_no_data,
        "bed.clock_jump": words.rule_clock,
        "bed.two_devices": words.rule_two_devices,
        "bed.monitoring_fault": words.rule_fault,
        "bed.news2_single": words.rule_news2_single,
        "bed.news2_urgent": words.rule_news2_urgent,
        "bed.news2_emergency": words.rule_news2_emergency,
        "bed.unusual": words.rule_unusual,
        "bed.pause": words.rule_pause,
    }.get(row.code, words.rule_other)
    seconds = (clock_ms if row.code == "bed.clock_jump" else bed_ms) / 1000
    rule = text.format(
        code=row.code,
        after=after,
        limit=_news2_from(row),
        seconds=_localised(words, f"{seconds:g}"),
    )
    return words.not_for_icu.format(rule=rule) if row.code in _NEWS2_FROM else rule


def _news2_from(row: Row) -> str:
    limit = _NEWS2_FROM.get(row.code, 0) if row.limit is None else row.limit
    return f"{limit:g}"


# --- numbers


def duration(ms: int, language: str = "en") -> str:
    """A span as a person says it: 12 s, 3 min, 2 h; parts of a unit are left out."""
    return _span(LANGUAGES[language], ms)


def _span(words: Catalogue, ms: int) -> str:
    seconds = max(0, ms) // 1000
    if seconds < 120:
        return words.seconds.format(n=seconds)
    if seconds < 7200:
        return words.minutes.format(n=seconds // 60)
    return words.hours.format(n=seconds // 3600)


def number(signal: Signal, value: float, *, beyond: float | None = None) -> str:
    """A value with the digits of its signal, and more where they are needed.

    Args:
        signal: Whose.
        value: In its unit.
        beyond: A limit that the shown number must not be rounded onto or over.

    >>> from icu_stream.contracts.signals import BY_CODE
    >>> number(BY_CODE["spo2"], 79.0, beyond=80), number(BY_CODE["spo2"], 79.97, beyond=80)
    ('79', '79.97')
    >>> number(BY_CODE["spo2"], 80 - 1e-12, beyond=80)
    '79.999999'
    """
    text = f"{value:.{signal.digits}f}"
    if beyond is not None and value % 1:  # a whole number is shown as it is
        for digits in range(signal.digits, _MOST_DIGITS + 1):
            text = f"{value:.{digits}f}"
            shown = float(text)
            if (shown < beyond, shown > beyond) == (value < beyond, value > beyond):
                break
        else:
            step = 10**-_MOST_DIGITS if value > beyond else -(10**-_MOST_DIGITS)
            text = f"{beyond + step:.{_MOST_DIGITS}f}"
    return text.lstrip("-") if text[:2] == "-0" and float(text) == 0 else text


def _number(
    words: Catalogue, signal: Signal, value: float, beyond: float | None = None
) -> str:
    return _localised(words, number(signal, value, beyond=beyond))


def _localised(words: Catalogue, text: str) -> str:
    return text if words.decimal == "." else text.replace(".", words.decimal)


def _moment_of(words: Catalogue, ms: int) -> str:
    second = min(max(0, ms // 1000), _LAST_SECOND)
    return datetime.fromtimestamp(second, UTC).strftime(words.moment)
