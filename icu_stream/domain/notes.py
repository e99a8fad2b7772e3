"""What an alarm keeps for its sentence and no value says: made here, read here.

`Alarm.note` is saved with the patient and is data, in no language: the words come from
the catalogue when the alarm is spoken of. Reading never fails: a note of another shape
says nothing. All are bounded by what goes in, which is cut here.

======================  ===============================================================
alarm                   note
======================  ===============================================================
`<signal>.invalid`      `reading(value)`; the number itself is the alarm's value
`bed.clock_jump`        `clock(wrong_ms, device)`
`bed.two_devices`       `devices(signal, names)`
`bed.news2_*`           `news2(score)`; the total is the alarm's value
`bed.unusual`           `shares(of the model)`; the score is the alarm's value
`bed.pause`             `pause(until_ms, by, reason)`
`bed.monitoring_fault`  the reason itself, in words
======================  ===============================================================
"""

import math

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from icu_stream.contracts.scores import News2


_LONGEST_TEXT = 24
_LONGEST_NAME = 128
_LONGEST_REASON = 200
_MOST_SHARES = 3
_MOST_DIGITS = 18
_BREAK = "\t"


class Reason(StrEnum):
    """Why an alarm changed, where its value does not say it.

    It is what is given as `reason` to `annunciation.change`, alone or before ": " and a
    person's own words: `f"{Reason.DISCHARGED}: {text}"`. The catalogue has each of them
    in its language.
    """

    NEW_EPISODE = "a new episode began"
    TAKEN_OFF = "taken off"
    DISCHARGED = "discharged"
    CHATTERING = "chattering"
    PAUSE_OVER = "the pause is over"
    OTHER_PROFILE = "not in the new profile"


class Pause(NamedTuple):
    """A pause of the alarms: until when (epoch ms, 0 = not known), by whom, why."""

    until_ms: int
    by: str
    reason: str


class Score(NamedTuple):
    """A NEWS2: how many of its inputs are known, and which have points, most first."""

    known: int
    points: tuple[tuple[str, int], ...]


def reading(value: Any) -> str:
    """Keep what came instead of a finite number; empty where it is one.

    >>> reading(98.6), reading(float("nan")), reading("eighty"), reading([1])
    ('', 'nan', "'eighty'", "'[1]'")
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = value if isinstance(value, str) else repr(value)
        return f"'{_cut(_printable(text), _LONGEST_TEXT)}'"
    return "" if math.isfinite(value) else str(float(value))


def clock(wrong_ms: float, device: str) -> str:
    """Keep how far a device's clock jumped, and whose.

    >>> clock(-3_600_000, ""), read_clock(clock(90_000, "mon-1"))
    ('-3600', (90, 'mon-1'))
    """
    seconds = f"{wrong_ms / 1000:+.0f}"
    return seconds if not device else f"{seconds}{_BREAK}{_cut(device, _LONGEST_NAME)}"


def read_clock(note: str) -> tuple[int, str]:
    """Seconds that a clock is wrong by, and the device; 0 where it is not said."""
    seconds, _, device = note.partition(_BREAK)
    return _whole(seconds), device


def devices(signal: str, names: Sequence[str]) -> str:
    """Keep which devices measure the same signal."""
    return _BREAK.join([signal, *(_cut(name, _LONGEST_NAME) for name in names[:2])])


def read_devices(note: str) -> tuple[str, list[str]]:
    """Signal and devices."""
    signal, *names = note.split(_BREAK)
    return signal, [name for name in names if name]


def news2(score: News2) -> str:
    """Keep where the points of a score come from.

    >>> from icu_stream.contracts.scores import ScoreInput
    >>> inputs = {
    ...     "rr": ScoreInput(value=22, points=2, age_s=1),
    ...     "spo2": ScoreInput(value=91, points=3, age_s=1),
    ...     "pulse": ScoreInput(value=80, points=0, age_s=1),
    ... }
    >>> news2(News2(total=5, band="medium", completeness=3, inputs=inputs))
    '3 spo2=3 rr=2'
    """
    points = [(name, i.points) for name, i in score.inputs.items() if i.points > 0]
    points.sort(key=lambda pair: -pair[1])  # stable: in the order of the chart
    return " ".join([str(score.completeness), *(f"{n}={p}" for n, p in points)])


def read_news2(note: str) -> Score:
    """What `news2` kept."""
    known, *pairs = note.split(" ")
    points = []
    for pair in pairs:
        name, _, number = pair.partition("=")
        points.append((name, _whole(number)))
    return Score(_whole(known), tuple(points))


def shares(of_signals: Mapping[str, float]) -> str:
    """Keep which signals deviate most, at most three.

    >>> shares({"rr": 0.1, "hr": 0.5, "spo2": 0.3, "temp": 0.1})
    'hr spo2 rr'
    """
    largest = sorted(of_signals, key=lambda code: -of_signals[code])
    return " ".join(largest[:_MOST_SHARES])


def read_shares(note: str) -> list[str]:
    """Signals, the one that deviates most first."""
    return note.split()


def pause(until_ms: int, by: str, reason: str) -> str:
    """Keep until when alarms are paused, by whom and why."""
    who = _cut(by, _LONGEST_NAME).replace(_BREAK, " ")
    return _BREAK.join([str(until_ms), who, _cut(reason, _LONGEST_REASON)])


def read_pause(note: str) -> Pause:
    """What `pause` kept."""
    until, _, rest = note.partition(_BREAK)
    by, _, reason = rest.partition(_BREAK)
    return Pause(_whole(until), by, reason)


def _whole(text: str) -> int:
    digits = text[1:] if text[:1] in {"+", "-"} else text
    is_whole = digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS
    return int(text) if is_whole else 0


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())
