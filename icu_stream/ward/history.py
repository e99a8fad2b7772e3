"""What became of one patient over hours: trends of the signals, course of the scores.

A page asks a `History` for a `Course`: so many hours up to now, in at most 360 steps. Who
keeps the past is the history's business, and the course says who it was and since when it
knows: `Seen` is what this view has heard itself, since it was started, and it is gone with
the view.

`Past` is one patient's, in bounded memory. A signal has two rings: minutes of 24 h, and
10 s of the last hour for the chart of 1 h. Each slot has least, greatest and mean value in
tenths, 16 bits each: 10.8 kB a signal, 140 kB a patient with ten signals and scores,
28 MB for 200 beds (`python -m tests.benchmarks.history`).

A value is placed at the moment at which it was measured, while the device's clock is at
most 10 min behind ours; what came out of a monitor's memory so fills its own gap. With any
other clock it is placed at its arrival. A slot without a value is a gap, and stays one.
"""

from array import array
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np

from numpy.typing import NDArray

from icu_stream.contracts.scores import Scores
from icu_stream.contracts.signals import INDEX
from icu_stream.contracts.topics import DAY_MS, HOUR_MS


# UI, pages: "trends 1/4/12/24 h"; the step of each, so that a chart has 360 (ours: more
# than so many cannot be told apart in a column of a screen).
STEPS_MS = {1: 10_000, 4: 60_000, 12: 120_000, 24: 240_000}
_FINE_MS, _FINE = 10_000, 360
_SLOT_MS = 60_000
_SLOTS = DAY_MS // _SLOT_MS
# Scores are stated once a minute; three missed statements are silence.
SCORE_MS = 180_000
_HELD_SLOTS = SCORE_MS // _SLOT_MS - 1
# How far behind a device's clock may be to be believed (ours: a monitor that was cut off
# sends some minutes from its memory; a clock that is further off is a wrong clock).
_BELIEVED_MS = 600_000
_NONE = -32_768  # no value; a tenth of a value that a signal can show is far from it
_TOP = 32_767
_PER_MILLE = 1_000
_PERCENT = 100


Points = list[float | None]
Numbers = NDArray[np.int16]


class Line(msgspec.Struct, frozen=True):
    """One signal: least, greatest and mean of each step; null where nothing came."""

    low: Points
    high: Points
    mean: Points


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one patient over some hours, oldest step first.

    Attributes:
        source: Who kept it: a word of the page.
        since: From when on it is known, epoch ms; null: nothing is.
        start: Begin of the first step, epoch ms.
        step: Length of a step, ms.
        lines: By signal, those that had a value.
        news2: Greatest NEWS2 of each step.
        complete: Inputs that it had, of 7.
        unusual: Greatest score of the model, 0 to 1.
        shares: By signal: its part of that, 0 to 1.
    """

    source: str
    since: int | None
    start: int
    step: int
    lines: dict[str, Line]
    news2: Points
    complete: Points
    unusual: Points
    shares: dict[str, Points]


class History(Protocol):
    """Who keeps the past of the patients."""

    async def course(self, patient_id: str, hours: int, now_ms: int) -> Course | None:
        """The last hours of one patient.

        Args:
            patient_id: Whose.
            hours: A key of `STEPS_MS`.
            now_ms: The end.

        Returns:
            None for a patient who is not known.

        Raises:
            StorageError: The past cannot be had now.
        """


class Ring:
    """Least, greatest and mean of one signal in slots of equal length, the newest ones.

    Args:
        slot_ms: Length of a slot.
        slots: How many are kept.
    """

    def __init__(self, slot_ms: int, slots: int) -> None:
        self._slot_ms = slot_ms
        self._slots = slots
        self._low = array("h", [_NONE]) * slots
        self._high = array("h", [_NONE]) * slots
        self._mean = array("h", [_NONE]) * slots
        self._last = -1
        self._sum = 0.0
        self._count = 0

    def add(self, value: float, at_ms: int) -> None:
        """Take one value; 1.5 us, timed over 200 beds.

        In a slot that is not the newest, it widens least and greatest; the mean stays
        what it was, since how many values it is of is not kept.
        """
        number = at_ms // self._slot_ms
        if number <= self._last - self._slots:
            return
        if number > self._last:
            self._advance(number)
        i = number % self._slots
        tenths = round(10 * value)
        if self._low[i] == _NONE:
            self._low[i] = self._high[i] = self._mean[i] = tenths
        elif tenths < self._low[i]:
            self._low[i] = tenths
        elif tenths > self._high[i]:
            self._high[i] = tenths
        if number == self._last:
            self._sum += value
            self._count += 1
            self._mean[i] = round(10 * self._sum / self._count)

    def put(self, number: int, low: float, high: float, mean: float) -> None:
        """Fill a slot of the past; one that has values is widened, as by `add`."""
        if number > self._last:
            self._advance(number)
        elif number <= self._last - self._slots:
            return
        i = number % self._slots
        if self._low[i] == _NONE:
            self._low[i], self._high[i] = round(10 * low), round(10 * high)
            self._mean[i] = round(10 * mean)
        else:
            self._low[i] = min(self._low[i], round(10 * low))
            self._high[i] = max(self._high[i], round(10 * high))

    def line(self, start: int, count: int, fold: int) -> Line | None:
        """Slots from a number on, some of them folded into one; None: no value at all."""
        places, known = _places(start, count * fold, self._last, self._slots)
        low, high, mean = (
            np.where(known, np.frombuffer(values, np.int16)[places], _NONE).reshape(
                count, fold
            )
            for values in (self._low, self._high, self._mean)
        )
        there = low != _NONE
        if not there.any():
            return None
        filled = there.sum(axis=1)
        lows = np.where(there, low, _TOP).min(axis=1)
        means = np.where(there, mean, 0).sum(axis=1) / np.maximum(filled, 1)
        return Line(
            _points(lows / 10, filled),
            _points(high.max(axis=1) / 10, filled),
            _points(np.round(means) / 10, filled),
        )

    def _advance(self, number: int) -> None:
        """Begin a slot; those that were passed over are gaps."""
        first = max(self._last + 1, number - self._slots + 1)
        for passed in range(first, number + 1):
            self._low[passed % self._slots] = _NONE
            self._high[passed % self._slots] = _NONE
            self._mean[passed % self._slots] = _NONE
        self._last, self._sum, self._count = number, 0.0, 0


class Minutes(NamedTuple):
    """What was scored in each of some minutes; `_NONE`: nothing was stated."""

    news2: Numbers
    complete: Numbers
    unusual: Numbers
    shares: dict[str, Numbers]


class ScoreRing:
    """The greatest NEWS2 and the greatest score of the model in each minute of 24 h."""

    def __init__(self) -> None:
        self._news2 = array("h", [_NONE]) * _SLOTS
        self._complete = array("h", [_NONE]) * _SLOTS
        self._unusual = array("h", [_NONE]) * _SLOTS  # per mille
        self._shares: dict[str, array[int]] = {}  # per cent
        self._last = -1

    def add(self, scores: Scores, at_ms: int) -> None:
        """Take one statement."""
        number = at_ms // _SLOT_MS
        if number <= self._last - _SLOTS:
            return
        if number > self._last:
            self._advance(number)
        i = number % _SLOTS
        if scores.news2 is not None and scores.news2.total >= self._news2[i]:
            self._news2[i] = scores.news2.total
            self._complete[i] = scores.news2.completeness
        anomaly = scores.anomaly
        if anomaly is None or not anomaly.warm:
            return
        score = round(_PER_MILLE * anomaly.score)
        if score < self._unusual[i]:
            return
        self._unusual[i] = score
        for shares in self._shares.values():
            shares[i] = 0
        for code, share in anomaly.shares.items():
            # A name that no model of ours has must not take memory without end.
            if code not in self._shares and code in INDEX:
                self._shares[code] = array("h", [0]) * _SLOTS
            if code in self._shares:
                self._shares[code][i] = round(_PERCENT * share)

    def minutes(self, first: int, count: int) -> Minutes:
        """Minutes from a number on, each with what was stated to hold in it.

        A statement holds until the next one, for `SCORE_MS` at most.
        """
        places, known = _places(first, count, self._last, _SLOTS)
        news2, unusual = (
            np.where(known, np.frombuffer(values, np.int16)[places], _NONE)
            for values in (self._news2, self._unusual)
        )
        complete = np.frombuffer(self._complete, np.int16)[places]
        scored, warm = _held(news2), _held(unusual)
        return Minutes(
            news2[scored],
            complete[scored],
            unusual[warm],
            {
                code: np.frombuffer(shares, np.int16)[places][warm]
                for code, shares in self._shares.items()
            },
        )

    def _advance(self, number: int) -> None:
        first = max(self._last + 1, number - _SLOTS + 1)
        for passed in range(first, number + 1):
            i = passed % _SLOTS
            self._news2[i] = self._complete[i] = self._unusual[i] = _NONE
        self._last = number


class Slices:
    """What was measured of one patient in some minutes that are over, not yet in order.

    Attributes:
        since_ms: The earliest of it; None: nothing.
    """

    def __init__(self) -> None:
        self.since_ms: int | None = None
        # By signal and number of ten seconds: least, greatest, sum, count.
        self.told: dict[str, dict[int, tuple[float, float, float, int]]] = {}

    def measure(
        self, values: Mapping[str, float], time_ms: int, arrived_ms: int
    ) -> None:
        """Take the values of one message."""
        at_ms = _placed(time_ms, arrived_ms)
        if self.since_ms is None or at_ms < self.since_ms:
            self.since_ms = at_ms
        number = at_ms // _FINE_MS
        for code, value in values.items():
            slots = self.told.setdefault(code, {})
            low, high, total, count = slots.get(number, (value, value, 0.0, 0))
            slots[number] = min(low, value), max(high, value), total + value, count + 1


class Past:
    """One patient's past, as this view has heard it.

    Attributes:
        since_ms: From when on it is known; None: nothing is.
    """

    def __init__(self) -> None:
        self.since_ms: int | None = None
        self._rings: dict[str, tuple[Ring, Ring]] = {}
        self._scores: ScoreRing | None = None

    def measure(
        self, values: Mapping[str, float], time_ms: int, arrived_ms: int
    ) -> None:
        """Take the values of one message, each one that its instrument can show."""
        at_ms = _placed(time_ms, arrived_ms)
        if self.since_ms is None or at_ms < self.since_ms:
            self.since_ms = at_ms
        for code, value in values.items():
            for ring in self._rings_of(code):
                ring.add(value, at_ms)

    def fill(self, told: Slices) -> None:
        """Take minutes that are over, after newer ones."""
        if told.since_ms is None:
            return
        self.since_ms = min(self.since_ms or told.since_ms, told.since_ms)
        each = _SLOT_MS // _FINE_MS
        for code, slots in told.told.items():
            fine, coarse = self._rings_of(code)
            minutes: dict[int, tuple[float, float, float, int]] = {}
            for number, (low, high, total, count) in sorted(slots.items()):
                fine.put(number, low, high, total / count)
                known = minutes.get(number // each, (low, high, 0.0, 0))
                minutes[number // each] = (
                    min(known[0], low),
                    max(known[1], high),
                    known[2] + total,
                    known[3] + count,
                )
            for number, (low, high, total, count) in minutes.items():
                coarse.put(number, low, high, total / count)

    def score(self, scores: Scores, arrived_ms: int) -> None:
        """Take scores."""
        if self._scores is None:
            self._scores = ScoreRing()
        self._scores.add(scores, _placed(scores.time, arrived_ms))

    def _rings_of(self, code: str) -> tuple[Ring, Ring]:
        """Ten seconds, and minutes; made with a signal's first value."""
        rings = self._rings.get(code)
        if rings is None:
            rings = Ring(_FINE_MS, _FINE), Ring(_SLOT_MS, _SLOTS)
            self._rings[code] = rings
        return rings

    def course(self, hours: int, now_ms: int) -> Course:
        """The last hours; 2 ms, 70 kB as it is sent, for ten signals."""
        step_ms = STEPS_MS[hours]
        count = hours * HOUR_MS // step_ms
        end = now_ms // step_ms + 1
        start = end - count
        is_fine = step_ms < _SLOT_MS
        fold = 1 if is_fine else step_ms // _SLOT_MS
        lines = {}
        for code in sorted(self._rings, key=INDEX.__getitem__):
            ring = self._rings[code][0 if is_fine else 1]
            if (line := ring.line(start * fold, count, fold)) is not None:
                lines[code] = line
        return Course(
            source="seen",
            since=self.since_ms,
            start=start * step_ms,
            step=step_ms,
            lines=lines,
            **self._scored(start * step_ms, step_ms, count),
        )

    def _scored(self, start_ms: int, step_ms: int, count: int) -> dict[str, Any]:
        """Scores by the minute, in longer or shorter steps."""
        first = start_ms // _SLOT_MS
        last = (start_ms + count * step_ms - 1) // _SLOT_MS
        steps = np.arange(count)
        scored = (self._scores or ScoreRing()).minutes(first, last - first + 1)

        def minute_of(values: Numbers) -> NDArray[np.int64]:
            """For each step the minute that it shows: the one with the greatest."""
            if step_ms < _SLOT_MS:
                minutes: NDArray[np.int64] = (start_ms + steps * step_ms) // _SLOT_MS
                return minutes - first
            fold = step_ms // _SLOT_MS
            best: NDArray[np.int64] = values.reshape(count, fold).argmax(axis=1)
            return steps * fold + best

        at = minute_of(scored.news2)
        is_scored = scored.news2[at] != _NONE
        hint = minute_of(scored.unusual)
        is_warm = scored.unusual[hint] != _NONE
        return {
            "news2": _points(scored.news2[at], is_scored),
            "complete": _points(scored.complete[at], is_scored),
            "unusual": _points(scored.unusual[hint] / _PER_MILLE, is_warm),
            "shares": {
                code: _points(shares[hint] / _PERCENT, is_warm)
                for code, shares in scored.shares.items()
                if shares[hint][is_warm].any()
            },
        }


class Seen:
    """The history that this view keeps itself.

    Args:
        find: The past of a patient; None for one who is not known.
    """

    def __init__(self, find: Callable[[str], Past | None]) -> None:
        self._find = find

    async def course(self, patient_id: str, hours: int, now_ms: int) -> Course | None:
        """The last hours of one patient; see `History`."""
        past = self._find(patient_id)
        return None if past is None else past.course(hours, now_ms)


def _placed(time_ms: int, arrived_ms: int) -> int:
    """When it was, by our clock."""
    return time_ms if 0 <= arrived_ms - time_ms <= _BELIEVED_MS else arrived_ms


def _places(
    start: int, count: int, last: int, slots: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where slots are in a ring, and which of them it has."""
    numbers = np.arange(start, start + count)
    return numbers % slots, (numbers <= last) & (numbers > last - slots)


def _held(values: Numbers) -> NDArray[np.int64]:
    """For each slot the one whose statement holds in it: itself where nothing does."""
    at = np.arange(len(values))
    last = np.maximum.accumulate(np.where(values != _NONE, at, -_SLOTS))
    return np.where(at - last <= _HELD_SLOTS, last, at)


def _points(values: NDArray[Any], there: NDArray[Any]) -> Points:
    return [
        value if is_there else None
        for value, is_there in zip(values.tolist(), there.tolist(), strict=True)
    ]
