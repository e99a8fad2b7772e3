"""The risk of one patient by a population's prior: an additive score, never an alarm.

A *prior* is learnt offline, stay by stay (`icu-stream train`), from patients whose outcome
is known, and is shipped as a small file. It is a scorecard: each input (a vital sign, a
laboratory value, an age) adds log-odds for its last value and for its mean of the last
half day, read off a line through a few knots. Outside its outermost knots an input adds
no more, so that no artefact decides a score by itself. The sum is a probability.

Nothing is filled in. An input that was never measured, or too long ago, adds nothing and
is named in `RiskScore.missing`; that an input is known at all has log-odds of its own
(`known`), learnt also from patients who had it taken away (docs/models).

What is observed should be what a nurse would chart: a laboratory value as it comes, a
monitor's signal as its median of five minutes or so, never each second of it.
"""

import math
import struct
import zlib

from array import array
from bisect import bisect_right
from itertools import pairwise
from typing import Annotated, NamedTuple

import msgspec

from icu_stream.errors import ConfigurationError, StateError


FORMAT = 1
_HOUR_MS = 3_600_000
# The mean forgets with this time constant: a value of half a day ago weighs e^-1. Ours,
# chosen before any outcome was looked at: one shift.
MEAN_H = 12.0
# Two values closer together than this count as so far apart in the mean (ours): the
# first hour's five pressures weigh as one and a bit.
_CLOSEST_H = 0.25
# What is computed from two others: a ratio with its numerator's time. The denominator
# may be this old: an inspired fraction is charted when it is changed.
_RATIOS = {
    # Allgoewer M, Burri C. Dtsch Med Wochenschr 1967;92:1947.
    "hr": ("shock_index", "sys", 1.0, 2.0),
    # Horowitz index, mmHg: PaO2 by the fraction of inspired oxygen.
    "pao2": ("horowitz", "fio2", 100.0, 24.0),
}
# What a patient has only one of: the last of arterial and cuff pressure, of a pulse
# oximeter's and a blood gas's saturation. Haematocrit = 3 x haemoglobin, the usual rule
# (CLSI H07); recordings have the one or the other.
_SAME = {
    "abp_sys": ("sys", 1.0),
    "nibp_sys": ("sys", 1.0),
    "abp_dia": ("dia", 1.0),
    "nibp_dia": ("dia", 1.0),
    "abp_mean": ("map", 1.0),
    "nibp_mean": ("map", 1.0),
    "sao2": ("spo2", 1.0),
    "haemoglobin": ("haematocrit", 3.0),
}
_LOGIT_BOUND = 30.0

_Finite = Annotated[float, msgspec.Meta(gt=-1e9, lt=1e9)]


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One input of a prior, and what its values add.

    Attributes:
        code: As in messages; `sys`, `dia` and `map` are arterial or cuff pressure.
        low: Below it a value is no patient's and is not taken.
        high: Above it, likewise.
        valid_h: A last value older than this is missing.
        knots: Rising, in the input's unit.
        last: Log-odds that the last value adds, at each knot; the first is 0.
        mean: Log-odds that the mean adds, at each knot; empty = does not count.
        known: Log-odds for being known.
        usual: What the input adds to the average patient of those it was learnt from.
    """

    code: str
    low: _Finite
    high: _Finite
    valid_h: Annotated[float, msgspec.Meta(gt=0)]
    knots: Annotated[list[_Finite], msgspec.Meta(min_length=2, max_length=12)]
    last: list[_Finite]
    mean: list[_Finite] = []
    known: _Finite = 0.0
    usual: _Finite = 0.0


class Prior(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a prior's file holds, and nothing else: numbers and names, no code.

    Attributes:
        format: Of this struct: `FORMAT`.
        name: What it foretells: `mortality`, `sepsis`.
        version: Counts up with each training that is published.
        outcome: In words, as it is shown beside the number.
        data: What it was learnt from.
        stays: How many stays that were.
        intercept: Log-odds of the average patient.
        inputs: In this order in a patient's state.
    """

    format: Annotated[int, msgspec.Meta(ge=FORMAT, le=FORMAT)]
    name: str
    version: Annotated[int, msgspec.Meta(ge=1)]
    outcome: str
    data: str
    stays: int
    intercept: _Finite
    inputs: Annotated[list[Input], msgspec.Meta(min_length=1, max_length=64)]


class Reading(NamedTuple):
    """What a patient's state knows of one input.

    Attributes:
        last: In the input's unit.
        mean: Weighted by time, see `MEAN_H`.
        age_ms: Of the last value.
    """

    last: float
    mean: float
    age_ms: int


class RiskScore(NamedTuple):
    """A risk and what it is made of.

    Attributes:
        probability: 0..1, of the prior's outcome.
        pushes: By input: log-odds more (> 0) or less than the average patient has from
            this input. They and the prior's intercept sum to the probability's own
            log-odds.
        shares: By input: its part of all pushes of the same direction as the score
            deviates from the average patient, the largest first; they sum to 1, or there
            are none.
        missing: Inputs that are not known now.
    """

    probability: float
    pushes: dict[str, float]
    shares: dict[str, float]
    missing: tuple[str, ...]


_decoder = msgspec.json.Decoder(Prior)


class _Line(NamedTuple):
    """A line through knots, extended flat on both sides: ``base[i] + slope[i] * x``.

    Attributes:
        knots: Rising; `i` is how many of them are at or below x.
        base: One more than knots.
        slope: One more than knots; 0 outside.
    """

    knots: tuple[float, ...]
    base: tuple[float, ...]
    slope: tuple[float, ...]


def _line(knots: list[float], heights: list[float]) -> _Line:
    slopes = [
        (after - before) / (high - low)
        for (low, high), (before, after) in zip(
            pairwise(knots), pairwise(heights), strict=True
        )
    ]
    inner = [
        height - slope * knot
        for knot, height, slope in zip(knots, heights, slopes, strict=False)
    ]
    return _Line(tuple(knots), (heights[0], *inner, heights[-1]), (0.0, *slopes, 0.0))


class _Row(NamedTuple):
    """An input, ready to be added up."""

    code: str
    valid_ms: float
    last: _Line
    mean: _Line | None
    known: float
    usual: float


class Risk:
    """A prior that is ready to score; one for all patients, never changed.

    Attributes:
        prior: What was loaded.
    """

    def __init__(self, prior: Prior) -> None:
        _check(prior)
        self.prior = prior
        self.index = {one.code: i for i, one in enumerate(prior.inputs)}
        self.ranges = [(one.low, one.high) for one in prior.inputs]
        self.rows = [
            _Row(
                one.code,
                one.valid_h * _HOUR_MS,
                _line(one.knots, one.last),
                _line(one.knots, one.mean) if one.mean else None,
                one.known,
                one.usual,
            )
            for one in prior.inputs
        ]
        # What the numbers in a snapshot mean: the inputs and their order. Learning the
        # same inputs anew leaves the patients' states as they are.
        self.shape = zlib.crc32(repr(sorted(self.index.items())).encode())
        # Ratios that nobody looks at are not worked out; a denominator has to be kept.
        self.ratios = {
            code: (self.index[ratio], self.index[below], factor, hours * _HOUR_MS)
            for code, (ratio, below, factor, hours) in _RATIOS.items()
            if ratio in self.index and below in self.index
        }

    @classmethod
    def load(cls, raw: bytes) -> "Risk":
        """Read a prior's file.

        Only the fields of `Prior` and `Input` are read, and nothing in them can be run.

        Raises:
            ConfigurationError: Not such a file, or one that contradicts itself.
        """
        try:
            prior = _decoder.decode(raw)
        except msgspec.MsgspecError as error:
            msg = f"risk prior of {len(raw)} bytes: {error}; train it anew"
            raise ConfigurationError(msg) from error
        return cls(prior)

    def patient(self) -> "RiskState":
        """A patient of whom nothing is known yet."""
        return RiskState(self)

    def restore(self, raw: bytes) -> "RiskState":
        """Read what `RiskState.snapshot` saved.

        Raises:
            StateError: Damaged, or of a prior with other inputs.
        """
        state = RiskState(self)
        size = len(state.numbers) * state.numbers.itemsize
        if len(raw) != _HEAD.size + size:
            msg = (
                f"risk state of {len(raw)} bytes, want {_HEAD.size + size}; start anew"
            )
            raise StateError(msg)
        shape, crc = _HEAD.unpack_from(raw)
        body = raw[_HEAD.size :]
        if shape != self.shape or crc != zlib.crc32(body):
            msg = (
                f"risk state of {len(raw)} bytes is damaged or of another prior than "
                f"{self.prior.name} {self.prior.version}; start anew"
            )
            raise StateError(msg)
        state.numbers = array("d", struct.unpack(f"<{len(state.numbers)}d", body))
        return state


# Shape of the prior and CRC-32 of the numbers, little-endian like the numbers.
_HEAD = struct.Struct("<II")
# For each input: last value, its time (ms), mean, how many values.
_WIDTH = 4


class RiskState:
    """What is remembered of one patient: four numbers an input, about 1 KB.

    Attributes:
        numbers: `_WIDTH` an input: last value, its time, mean, count.
    """

    __slots__ = ("_risk", "numbers")

    def __init__(self, risk: Risk) -> None:
        self._risk = risk
        self.numbers = array("d", bytes(8 * _WIDTH * len(risk.rows)))

    def observe(self, code: str, value: float, time_ms: int) -> bool:
        """Take in a value. Costs about 1 us (`python -m tests.benchmarks.risk`).

        Args:
            code: A signal or an observation; one that the prior has no use for is
                passed over.
            value: In the code's unit.
            time_ms: When it was measured; values come in the order of their time.

        Returns:
            Was it taken? Not when the prior has no such input, the value is no
            patient's, or it is older than the last one.
        """
        code, factor = _SAME.get(code, (code, 1.0))
        risk = self._risk
        i = risk.index.get(code)
        if i is None or not self._take(i, value * factor, time_ms):
            return False
        ratio = risk.ratios.get(code)
        if ratio is not None:
            place, below, factor, valid_ms = ratio
            under, at_ms, _, count = self.numbers[below * _WIDTH : (below + 1) * _WIDTH]
            if count and under > 0 and time_ms - at_ms <= valid_ms:
                self._take(place, factor * value / under, time_ms)
        return True

    def _take(self, i: int, value: float, time_ms: int) -> bool:
        low, high = self._risk.ranges[i]
        if not low <= value <= high:  # NaN is not, either
            return False
        numbers = self.numbers
        at = i * _WIDTH
        count = numbers[at + 3]
        if not count:
            numbers[at] = numbers[at + 2] = value
        else:
            hours = (time_ms - numbers[at + 1]) / _HOUR_MS
            if hours < 0:
                return False
            weight = 1.0 - math.exp(-max(hours, _CLOSEST_H) / MEAN_H)
            # The first values are a plain mean: one of them is not the past half day.
            weight = max(weight, 1.0 / (count + 1.0))
            numbers[at] = value
            numbers[at + 2] += weight * (value - numbers[at + 2])
        numbers[at + 1] = time_ms
        numbers[at + 3] = count + 1.0
        return True

    def reading(self, i: int, time_ms: int) -> Reading | None:
        """What is known of an input now; None = nothing, or nothing recent enough."""
        last, at_ms, mean, count = self.numbers[i * _WIDTH : (i + 1) * _WIDTH]
        age_ms = time_ms - at_ms
        if not count or age_ms > self._risk.rows[i].valid_ms:
            return None
        return Reading(last, mean, int(age_ms))

    def score(self, time_ms: int) -> RiskScore:
        """Add up the inputs; changes nothing.

        Costs about 50 us for 35 inputs (`python -m tests.benchmarks.risk`): score when
        a charted value comes, or every few minutes.
        """
        numbers = self.numbers
        pushes: dict[str, float] = {}
        missing: list[str] = []
        at = 0
        for code, valid_ms, last, mean, known, usual in self._risk.rows:
            push = -usual
            if numbers[at + 3] and time_ms - numbers[at + 1] <= valid_ms:
                knots, base, slope = last
                value = numbers[at]
                i = bisect_right(knots, value)
                push += known + base[i] + slope[i] * value
                if mean is not None:
                    knots, base, slope = mean
                    value = numbers[at + 2]
                    i = bisect_right(knots, value)
                    push += base[i] + slope[i] * value
            else:
                missing.append(code)
            at += _WIDTH
            pushes[code] = push
        away = sum(pushes.values())
        logit = self._risk.prior.intercept + away
        same = sorted(
            ((push, code) for code, push in pushes.items() if push * away > 0),
            reverse=away > 0,
        )
        total = sum(push for push, _ in same)
        shares = {code: push / total for push, code in same}
        bounded = max(-_LOGIT_BOUND, min(_LOGIT_BOUND, logit))
        return RiskScore(
            1.0 / (1.0 + math.exp(-bounded)), pushes, shares, tuple(missing)
        )

    def snapshot(self) -> bytes:
        """Save the state; `Risk.restore` gives one that scores the same."""
        body = struct.pack(f"<{len(self.numbers)}d", *self.numbers)
        return _HEAD.pack(self._risk.shape, zlib.crc32(body)) + body


def _check(prior: Prior) -> None:
    codes = [one.code for one in prior.inputs]
    if len(set(codes)) != len(codes):
        msg = f"risk prior {prior.name}: an input is there twice; train it anew"
        raise ConfigurationError(msg)
    for one in prior.inputs:
        rising = all(low < high for low, high in pairwise(one.knots))
        if not rising or one.low >= one.high:
            msg = f"risk prior {prior.name}: knots or range of {one.code} do not rise"
            raise ConfigurationError(msg)
        if len(one.last) != len(one.knots) or len(one.mean) not in {0, len(one.knots)}:
            msg = f"risk prior {prior.name}: {one.code} wants log-odds at each knot"
            raise ConfigurationError(msg)
