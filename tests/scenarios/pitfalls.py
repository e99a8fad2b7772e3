"""What is common elsewhere: short monitors that each do one thing in a usual, wrong way.

Each takes what was measured of one bed in the order it was sent and returns what it
would say. They are here to be compared with, on the very messages of a scenario; nothing
of icu-stream uses them.
"""

import collections
import statistics

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple


Sample = tuple[float, dict[str, Any]]
Said = list[tuple[float, str]]


def clip(samples: Iterable[Sample]) -> Said:
    """Values are clipped to what is plausible before they are looked at."""
    said = []
    for second, values in samples:
        hr = min(max(values["hr"], 30), 220)
        if hr == 0:
            said.append((second, "asystole"))
        elif hr < 25:
            said.append((second, "extreme bradycardia"))
    return said


def smooth(samples: Iterable[Sample]) -> Said:
    """Limits look at the mean of the last 10 s."""
    said = []
    window: collections.deque[float] = collections.deque(maxlen=10)
    for second, values in samples:
        window.append(values["spo2"])
        if statistics.fmean(window) < 80:
            said.append((second, "desaturation"))
    return said


def forward_fill(samples: Iterable[Sample]) -> Said:
    """A signal that is missing keeps its last value."""
    said = []
    last: dict[str, Any] = {}
    for second, values in samples:
        last |= values
        if last.get("spo2") is None:
            said.append((second, "no data"))
        elif last["spo2"] < 80:
            said.append((second, "desaturation"))
    return said


def value_or_previous(samples: Iterable[Sample]) -> Said:
    """`value or previous`: zero is false."""
    said = []
    previous = None
    for second, values in samples:
        hr = values.get("hr") or previous
        if hr == 0:
            said.append((second, "asystole"))
        previous = hr
    return said


def first_reading_silence(samples: Iterable[Sample]) -> Said:
    """An alarm is a change from good to bad, and the first reading is no change."""
    said = []
    was_low = None
    for second, values in samples:
        is_low = values["spo2"] < 80
        if is_low and was_low is False:
            said.append((second, "desaturation"))
        was_low = is_low
    return said


def fixed_cooldown(samples: Iterable[Sample]) -> Said:
    """After an alarm the same one is held back for 5 min, against floods."""
    said: Said = []
    silent_until = float("-inf")
    for second, values in samples:
        if values["hr"] == 0 and second >= silent_until:
            said.append((second, "asystole"))
            silent_until = second + 300
    return said


def told_once(samples: Iterable[Sample]) -> Said:
    """An alarm that is there is not told again until it is over."""
    said = []
    is_told = False
    for second, values in samples:
        is_high = values["rr"] > 30
        if is_high and not is_told:
            said.append((second, "tachypnoea"))
        is_told = is_high
    return said


def every_sample(samples: Iterable[Sample]) -> Said:
    """Each value beyond the limit is an alert."""
    return [(second, "low") for second, values in samples if values["spo2"] < 90]


def coalesced_to_zero(samples: Iterable[Sample]) -> Said:
    """`COALESCE(hr, 0)`: what was not measured is zero."""
    said = []
    for second, values in samples:
        hr = values.get("hr")
        if (0 if hr is None else hr) == 0:
            said.append((second, "asystole"))
    return said


def integer_bands(samples: Iterable[Sample]) -> Said:
    """The chart's bands as they are printed, for whole numbers."""
    said = []
    for second, values in samples:
        spo2, points = values["spo2"], 0
        if spo2 <= 91:
            points = 3
        elif 92 <= spo2 <= 93:
            points = 2
        elif 94 <= spo2 <= 95:
            points = 1
        said.append((second, f"spo2 {points} points"))
    return said


def missing_scores_zero(samples: Iterable[Sample]) -> Said:
    """`COALESCE(points, 0)`: what was not measured adds nothing to the total."""
    said = []
    for second, values in samples:
        rr, temp = values.get("rr"), values.get("temp")
        points = [
            None if rr is None else 2 if 21 <= rr <= 24 else 0,
            None if temp is None else 3 if temp <= 35 else 0,
        ]
        said.append((second, f"NEWS2 {sum(one or 0 for one in points)}"))
    return said


def whatever_comes_last(samples: Iterable[Sample]) -> Said:
    """The state is what the last message to arrive says, whenever it was measured."""
    said = []
    is_low = False
    for second, values in samples:
        if (values["spo2"] < 80) is not is_low:
            is_low = not is_low
            said.append((second, "desaturation" if is_low else "recovered"))
    return said


class Pitfall(NamedTuple):
    """One common way, and what becomes of a scenario's messages in it.

    Attributes:
        number: Of the scenario.
        way: In words.
        outcome: What it says of the scenario's messages, in words.
        monitor: The way.
        is_shown: Is that what `monitor` said?
    """

    number: int
    way: str
    outcome: str
    monitor: Callable[[Iterable[Sample]], Said]
    is_shown: Callable[[Said], bool]


PITFALLS = (
    Pitfall(
        1,
        "clip: values outside 30 to 220 /min are moved to its edge",
        "hr 0 becomes 30: asystole is never seen",
        clip,
        lambda said: not said,
    ),
    Pitfall(
        1,
        "`value or previous`: zero counts as missing",
        "hr 0 becomes the 80 before it: asystole is never seen",
        value_or_previous,
        lambda said: not said,
    ),
    Pitfall(
        3,
        "smoothing: limits look at the mean of the last 10 s",
        "2 s of 45 % are a mean of 86.6 %: no desaturation",
        smooth,
        lambda said: not said,
    ),
    Pitfall(
        4,
        "first-reading silence: an alarm is a change, and the first reading is none",
        "a patient who comes with 72 % never alarms",
        first_reading_silence,
        lambda said: not said,
    ),
    Pitfall(
        6,
        "integer bands: 92-93 is one, up to 91 the next",
        "91.5 % is in no band and scores 0, as a healthy saturation does",
        integer_bands,
        lambda said: {what for _, what in said} == {"spo2 0 points"},
    ),
    Pitfall(
        7,
        "`COALESCE(points, 0)`: a missing input adds nothing",
        "NEWS2 is 2, as if the temperature were normal; nothing says that it is missing",
        missing_scores_zero,
        lambda said: {what for _, what in said} == {"NEWS2 2"},
    ),
    Pitfall(
        8,
        "an alarm that is there is not told again until it is over",
        "rr 40, and 47 after it, come in silence behind the 33 that was acknowledged",
        told_once,
        lambda said: said == [(0, "tachypnoea")],
    ),
    Pitfall(
        9,
        "fixed cooldown: 5 min of silence after an alarm",
        "the second asystole, 3 min after the first, is not said",
        fixed_cooldown,
        lambda said: [second for second, _ in said] == [10],
    ),
    Pitfall(
        10,
        "an alert for each value beyond the limit",
        "3,601 alerts in an hour for one desaturation",
        every_sample,
        lambda said: len(said) == 3601,
    ),
    Pitfall(
        11,
        "forward-fill: a missing value is the last one",
        "97 % is shown for ever: a sensor that fell off is never noticed",
        forward_fill,
        lambda said: not said,
    ),
    Pitfall(
        13,
        "whatever comes last counts, whenever it was measured",
        "a late 70 % raises an alarm, and late 97 % end a desaturation that goes on",
        whatever_comes_last,
        lambda said: (
            said == [(10, "desaturation"), (60, "recovered"), (73, "desaturation")]
        ),
    ),
    Pitfall(
        34,
        "`COALESCE(hr, 0)`: what was not measured is zero",
        "a monitor without ECG is an asystole, with all that follows",
        coalesced_to_zero,
        lambda said: said[0] == (10, "asystole"),
    ),
)
