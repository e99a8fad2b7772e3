"""What is usual for one patient, and how unusual the last 10 s were: a hint, never an alarm.

Two parts see each aggregate (the means of 10 s, by signal):

1. A *baseline* a signal: a robust centre and spread. A deviation counts for at most two
   spreads when it is learnt, so a patient who deteriorates stays unusual for hours and
   does not become the new normal at once.
2. River's *half-space trees* over the signals that a monitor sends all the time: they
   know combinations, such as a heart rate and a pressure that are each usual, but never
   together. Their raw score says more about how restless a patient is than about this
   moment, so it has a baseline of its own, like a signal.

The score is the mean of two numbers, each squashed to 0..1 by ``z^2 / (z^2 + half^2)``:
the largest deviation of a signal from its baseline (half 4), and how far the trees' score
is above its own (half 2.5). A signal's share is its part of the sum of squared deviations.

The trees remember one to two windows, 42 to 83 minutes: what lasts longer is usual for
them and stays unusual for the baseline.

Nothing is filled in for a signal that is missing: it has no deviation and no share, and
the trees are walked past it (see `FlatHalfSpaceTrees`).
"""

import itertools
import math
import struct
import zlib

from array import array
from collections.abc import Hashable, Iterator
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import msgspec

from icu_stream.domain.scores import HINTS
from icu_stream.errors import StateError
from icu_stream.lean import without


# A third of the time that importing River takes, and 80 MB.
with without("pyarrow", "sklearn", "sqlalchemy"):
    from river import anomaly, base


class _Row(NamedTuple):
    """How the model sees one signal.

    Attributes:
        floor: Smallest spread, in the signal's unit: less is no clinical change.
        low: What the trees take as 0, in the signal's unit; None = not in the trees.
        high: What the trees take as 1.
    """

    floor: float
    low: float | None = None
    high: float = 0.0


# Floors: the deadbands of CLINICAL.md, "Default adult limits" (hr and pulse 2, spo2 1,
# rr 1, pressures 3, temp 0.1, etco2 2): a change that a monitor does not count as one.
# CVP: 2, ours, because its whole scale is a sixth of an arterial pressure's.
#
# Ranges: ours, the part of each scale that adults' numbers move in: the default alarm
# limits and about as much again. Wider ones waste the trees' six levels on values that
# nobody has; a value outside falls on the outer side of each split and stays unusual.
#
# Not in the trees: pulse (the same rhythm as hr, which would count twice), abp_dia
# (follows from sys and mean), cuff pressures and temp (a value now and then, so that
# their absence is the rule), cvp (moves with the height of the bed, and a feature that
# most patients lack costs them depth). fio2 is set by people and has no baseline.
_ROWS = {
    "hr": _Row(2.0, 30.0, 190.0),
    "pulse": _Row(2.0),
    "spo2": _Row(1.0, 75.0, 100.0),
    "rr": _Row(1.0, 0.0, 45.0),
    "abp_sys": _Row(3.0, 50.0, 210.0),
    "abp_dia": _Row(3.0),
    "abp_mean": _Row(3.0, 30.0, 150.0),
    "nibp_sys": _Row(3.0),
    "nibp_dia": _Row(3.0),
    "nibp_mean": _Row(3.0),
    "temp": _Row(0.1),
    "etco2": _Row(2.0, 10.0, 70.0),
    "cvp": _Row(2.0),
}
FEATURES = tuple(code for code, row in _ROWS.items() if row.low is not None)
_INDEX = {code: i for i, code in enumerate(_ROWS)}
# The trees' own score is one more row. Floor: ours, about what the score moves by when
# one tree of ten sees a value cross a split.
_TREES = len(_ROWS)
_FLOORS = (*(row.floor for row in _ROWS.values()), 0.05)
# For each signal: code, row, place among the features or -1, low, width.
_PLAN = tuple(
    (code, i, -1, 0.0, 1.0)
    if row.low is None
    else (code, i, FEATURES.index(code), row.low, row.high - row.low)
    for i, (code, row) in enumerate(_ROWS.items())
)

# Ours: centre and spread remember about the last 1,024 readings: 2 h 50 min of a signal
# that is measured all the time, the whole stay of a cuff or a charted temperature.
_MEMORY = 1024
# Huber's bound, in spreads, and E min(|Z|, 2) of a standard normal Z, with which the
# spread of a normal signal is its standard deviation.
# Source: Huber PJ. Robust estimation of a location parameter. Ann Math Stat 1964;35:73.
_BOUND = 2.0
_CONSISTENT = 0.7809
# Ours: a deviation from a baseline of n readings is divided by sqrt(1 + 60 / n). Values
# 10 s apart resemble each other, so ten minutes of them say little about a spread.
_CERTAINTY = (0.0, *(1 / math.sqrt(1 + 60 / n) for n in range(1, _MEMORY + 1)))
# Ours: no deviation counts for more, so that no artefact hides every other share.
_LARGEST_Z = 20.0
# A rounding error, not a deviation: it would get the whole share of a still moment.
_SMALLEST_Z = 1e-6
# Ours: what scores one half, near the 99th percentile of stable patients
# (`python -m tests.benchmarks.models`). It is lower for the trees, whose score can rise
# no further than 1.
_HALF_SIGNAL = 4.0
_HALF_TREES = 2.5

# Trees and window: River's defaults; the window is 41 min 40 s. Height 6 is ours:
# River's 8 takes four times the memory, and 250 samples cannot fill 256 leaves.
_TREE_COUNT = 10
_HEIGHT = 6
_WINDOW = 250
_SEED = 1
_SIZE_LIMIT = 0.1 * _WINDOW
_MAX_SCORE = _TREE_COUNT * _WINDOW * (2 ** (_HEIGHT + 1) - 1)
_MASSES = _TREE_COUNT * (2 ** (_HEIGHT + 1) - 1)
# Ours: a feature that half of a window had is learnt in the next one; it counts in
# scores when nine tenths of the reference had it, so that gaps have not thinned it.
_ENOUGH_TO_LEARN = _WINDOW // 2
_ENOUGH_TO_COUNT = _WINDOW * 9 // 10

# A row of `_PLAN`, and the floor.
_PlanRow = tuple[str, int, int, float, float, float]

# Place of the node's mass, feature, threshold, left, right; a leaf has no children.
# A recursive type cannot be written for 3.11, so the children are Any.
_Node = tuple[int, int, float, Any, Any]


def _grow() -> tuple[_Node, ...]:
    """Let River grow the trees that all patients share, and number their nodes."""
    grown = anomaly.HalfSpaceTrees(
        n_trees=_TREE_COUNT, height=_HEIGHT, window_size=_WINDOW, seed=_SEED
    )
    grown.learn_one(dict.fromkeys(FEATURES, 0.5))  # type: ignore[no-untyped-call]  # River's is not annotated
    places = itertools.count()

    def number(node: Any, levels: int) -> _Node:
        place = next(places)
        if not levels:
            return place, -1, 0.0, None, None
        left, right = (number(child, levels - 1) for child in node.children)
        return place, FEATURES.index(node.feature), node.threshold, left, right

    return tuple(number(tree, _HEIGHT) for tree in grown.trees)


_ROOTS = _grow()


def _inner(node: _Node, weight: int = 1) -> Iterator[tuple[int, int, int, int]]:
    place, _, _, left, right = node
    if left is not None:
        yield place, left[0], right[0], 2 * weight
        yield from _inner(left, 2 * weight)
        yield from _inner(right, 2 * weight)


# For each node with children, parents first: places of the node, its left and its right
# child, and by how much a score multiplies the children's masses.
_INNER = tuple(row for root in _ROOTS for row in _inner(root))
# For each height, from the leaves' parents up to the roots: how many bits the right
# children's bytes are from their parents', and a mask of the parents' bytes. The left
# child is always the next byte.
_LEVELS = tuple(
    (
        8 * 2**height,
        sum(
            0xFF << 8 * node
            for node, _, right, _ in _INNER
            if right - node == 2**height
        ),
    )
    for height in range(1, _HEIGHT + 1)
)
# All bytes that no mask above has: the leaves'.
_LEAVES = (1 << 8 * _MASSES) - 1 - sum(mask for _, mask in _LEVELS)

_VERSION = 1
# What the numbers in a snapshot mean; one of another shape is not read.
_SHAPE = zlib.crc32(repr((_PLAN, _FLOORS, _MEMORY, _WINDOW, _ROOTS)).encode())


class FlatHalfSpaceTrees(base.AnomalyDetector):
    """River's ``anomaly.HalfSpaceTrees`` in 6 KB a patient instead of 285 KB.

    All patients share the splits; a patient has two masses a node, a byte each, which
    a window of 250 cannot overflow.

    River adds up a score on its way to a leaf, and counts the sample in each node on
    the way. Both depend on the leaf alone: what a score adds up is prepared for every
    leaf when the first score asks for it after a pivot, and the mass of a node is the
    sum of its leaves'. So a sample is counted in ten leaves, and one walk to them is
    enough to score and to learn it.

    `learn_one` and `score_one` are River's, to the last bit. River walks past a missing
    feature by the masses of the current window. They are zero after each pivot, when it
    always turns left: a lost lead would look like a change in the patient every 42
    minutes, and a new arterial line like a patient never seen. `score_known`,
    `learn_known` and both in one, `score_and_learn_known`, which the patient's model
    uses, walk past it by the reference, and a feature that comes or goes waits for a
    window that has it from end to end.

    Attributes:
        warm: Is there a reference: has a window been completed?
        reference: Masses of the last full window, by place; replaced, never changed.
        current: Masses of the window being filled, by place: of the leaves alone, and 0
            elsewhere. `masses` has them all.
        counter: Samples in the current window.
        seen: How many of them had each feature.
        learning: Which features the current window learns.
        counting: Which features a score counts: those that the reference learnt and
            had in nine tenths of its samples.
    """

    def __init__(self) -> None:
        self.warm = False
        self.reference = bytearray(_MASSES)
        self.current = bytearray(_MASSES)
        self.counter = 0
        self.seen = [0] * len(FEATURES)
        self.learning = [True] * len(FEATURES)
        self.counting = [False] * len(FEATURES)
        self._totals: array[int] | None = None

    def masses(self) -> bytearray:
        """Add up the masses of the window being filled, by place."""
        return _added_up(self.current)

    def learn_one(self, x: dict[Hashable, Any]) -> None:
        """Count a sample in the current window; a full window becomes the reference.

        Args:
            x: Feature to value on 0..1; features may be missing.
        """
        self._learn(_walk([x.get(feature) for feature in FEATURES], self.masses()))

    def score_one(self, x: dict[Hashable, Any]) -> float:
        """Score a sample: 0 where all of the reference was, 1 where it never was.

        Args:
            x: Feature to value on 0..1; features may be missing.

        Returns:
            0..1; 0 while there is no reference.
        """
        return self._score(
            _walk([x.get(feature) for feature in FEATURES], self.masses())
        )

    def learn_known(self, point: list[float | None]) -> bool:
        """Count a sample in the current window.

        Args:
            point: A value on 0..1 for each of `FEATURES`; None = missing.

        Returns:
            Will scores count other features from now on? Then they do not compare with
            those before.
        """
        guide = self.reference if self.warm else self.masses()
        return self._learn_known(point, _walk(_masked(point, self.learning), guide))

    def score_known(self, point: list[float | None]) -> float:
        """Score a sample by the features that the reference knows.

        Args:
            point: A value on 0..1 for each of `FEATURES`; None = missing.

        Returns:
            0..1; 0 while there is no reference.
        """
        if not self.warm:
            return 0.0
        return self._score(_walk(_masked(point, self.counting), self.reference))

    def score_and_learn_known(self, point: list[float | None]) -> tuple[float, bool]:
        """Score a sample, then learn it: `score_known` and `learn_known` in one walk.

        It takes two where a feature is measured that is learnt, but does not count yet.

        Args:
            point: A value on 0..1 for each of `FEATURES`; None = missing.

        Returns:
            What `score_known` and `learn_known` return.
        """
        if not self.warm:
            return 0.0, self.learn_known(point)
        counted = learnt = _masked(point, self.counting)
        if self.learning != self.counting:
            learnt = _masked(point, self.learning)
        leaves = _walk(counted, self.reference)
        score = self._score(leaves)
        if learnt != counted:
            leaves = _walk(learnt, self.reference)
        return score, self._learn_known(point, leaves)

    def _learn_known(self, point: list[float | None], leaves: list[int]) -> bool:
        """Count a sample in its leaves, and its features in `seen`."""
        seen = self.seen
        for i, value in enumerate(point):
            if value is not None:
                seen[i] += 1
        self._learn(leaves)
        if self.counter:
            return False
        counted = self.counting
        self.counting = [
            learnt and count >= _ENOUGH_TO_COUNT
            for learnt, count in zip(self.learning, seen, strict=True)
        ]
        self.learning = [count >= _ENOUGH_TO_LEARN for count in seen]
        self.seen = [0] * len(FEATURES)
        return self.counting != counted

    def _learn(self, leaves: list[int]) -> None:
        current = self.current
        for leaf in leaves:
            current[leaf] += 1
        self.counter += 1
        if self.counter == _WINDOW:
            self.warm = True
            self.reference = self.masses()
            self.current = bytearray(_MASSES)
            self.counter = 0
            self._totals = None

    def _score(self, leaves: list[int]) -> float:
        if not self.warm:
            return 0.0
        totals = self._totals
        if totals is None:
            totals = self._totals = _path_totals(self.reference)
        total = 0
        for leaf in leaves:
            total += totals[leaf]
        score: float = 1 - total / _MAX_SCORE
        return score


def _walk(point: list[float | None], guide: bytearray) -> list[int]:
    """Find a sample's leaf in each tree; `guide` leads past missing features."""
    leaves = []
    for root in _ROOTS:
        place, feature, threshold, left, right = root
        while left is not None:
            value = point[feature]
            if value is None:
                node = right if guide[left[0]] < guide[right[0]] else left
            else:
                node = left if value < threshold else right
            place, feature, threshold, left, right = node
        leaves.append(place)
    return leaves


def _path_totals(reference: bytearray) -> "array[int]":
    """For each place, what a score adds up from the root to there.

    River stops where the reference is thin, so nothing is added below such a node. The
    largest total, 127 times a mass, fits two bytes.
    """
    totals = array("H", list(reference))
    for place, left, right, weight in _INNER:
        total = totals[place]
        if reference[place] < _SIZE_LIMIT:
            totals[left] = totals[right] = total
        else:
            totals[left] = total + weight * reference[left]
            totals[right] = total + weight * reference[right]
    return totals


def _added_up(leaves: bytearray) -> bytearray:
    """Give each node the sum of its leaves.

    All nodes of one height at once: the masses are one large number with a byte for
    each, none of which a window of 250 can overflow. Node by node costs some forty
    times as much.
    """
    masses = int.from_bytes(leaves, "little")
    for right, parents in _LEVELS:
        masses |= (masses >> 8 & parents) + (masses >> right & parents)
    return bytearray(masses.to_bytes(_MASSES, "little"))


def _masked(point: list[float | None], kept: list[bool]) -> list[float | None]:
    """Take out what is not kept; most often that is nothing, and `point` is returned."""
    for value, keep in zip(point, kept, strict=True):
        if value is not None and not keep:
            return [v if k else None for v, k in zip(point, kept, strict=True)]
    return point


class PatientModel:
    """What is usual for one patient; one a patient, resident in memory.

    Attributes:
        name: Name and version, as on the scores topic.
        centres: One a row: the signals, and last the trees' own score.
        spreads: One a row, not below its floor.
        readings: One a row: values learnt, at most `_MEMORY`.
        trees: What is usual together.
    """

    __slots__ = ("centres", "readings", "spreads", "trees")

    name = HINTS

    def __init__(self) -> None:
        self.centres = [0.0] * len(_FLOORS)
        self.spreads = list(_FLOORS)
        self.readings = [0] * len(_FLOORS)
        self.trees = FlatHalfSpaceTrees()

    @property
    def warm(self) -> bool:
        """Has the model learnt 250 aggregates (41 min 40 s)?

        250 is the trees' first window: before it they have nothing to compare with. It
        is enough for the baselines: if values two minutes apart are taken as
        independent, 21 of them put the centre within a quarter of a spread.
        """
        return self.trees.warm

    def usual(self, signal: str) -> float | None:
        """Give the patient's own centre of a signal, in its unit; None = not known."""
        i = _INDEX.get(signal)
        return None if i is None or not self.readings[i] else self.centres[i]

    def step(
        self, means: dict[str, float], learn: bool
    ) -> tuple[float, dict[str, float]]:
        """Score the last 10 s, then learn them.

        Changes the model when `learn`. Nine signals cost 15 us, 9 us without learning
        (`python -m tests.benchmarks.models`).

        Args:
            means: Signal code to mean, in the signal's unit. What is absent, not finite
                or without a baseline (`fio2`) is not measured.
            learn: False during an alarm and for suspect values.

        Returns:
            The score, 0 as always to 1 never seen, and the share of each signal that
            deviates; shares sum to 1. ``(0.0, {})`` until the model is warm and when
            nothing deviates.
        """
        squares, point = self._step_signals(means, learn)

        trees = self.trees
        warm = trees.warm
        trees_z = 0.0
        if point is not None and (warm or learn):
            others = False
            if learn:
                score, others = trees.score_and_learn_known(point)
            else:
                score = trees.score_known(point)
            if warm:
                # Only upwards: more usual than ever is nothing to show.
                trees_z = max(0.0, self._deviation(_TREES, score))
                if learn:
                    self._learn(_TREES, score)
            if others:
                self.readings[_TREES] = 0
                self.spreads[_TREES] = _FLOORS[_TREES]

        if not warm or not squares:
            return 0.0, {}
        values = squares.values()
        largest, total, square = max(values), sum(values), trees_z * trees_z
        score = (
            largest / (largest + _HALF_SIGNAL * _HALF_SIGNAL)
            + square / (square + _HALF_TREES * _HALF_TREES)
        ) / 2
        return score, {code: square / total for code, square in squares.items()}

    def _step_signals(
        self, means: dict[str, float], learn: bool
    ) -> tuple[dict[str, float], list[float | None] | None]:
        """Compare each signal with its baseline, then learn it if told to.

        `_deviation` and `_learn` are written out, as two calls for each of nine signals
        would cost twice as much. Comparisons say ``not`` so that what is not a number (a
        huge first value times a certainty of 0) is bounded as well.

        Returns:
            Signal code to squared deviation of those that deviate, and the point for
            the trees; None = no feature of theirs is measured.
        """
        if not math.isfinite(sum(means.values())):
            means = {code: v for code, v in means.items() if math.isfinite(v)}
        centres, spreads, readings = self.centres, self.spreads, self.readings
        squares: dict[str, float] = {}
        point: list[float | None] = [None] * len(FEATURES)
        has_feature = False
        for code, i, feature, low, width, floor in _rows_of(tuple(means)):
            value = means[code]
            centre, spread, n = centres[i], spreads[i], readings[i]
            away = value - centre
            z = away / spread * _CERTAINTY[n]
            if not -_SMALLEST_Z <= z <= _SMALLEST_Z:
                if not -_LARGEST_Z < z < _LARGEST_Z:
                    z = max(-_LARGEST_Z, min(_LARGEST_Z, z))
                squares[code] = z * z
            if feature >= 0:
                point[feature] = (value - low) / width
                has_feature = True
            if not learn:
                continue
            if n < _MEMORY:
                if not n:
                    centres[i] = value
                    readings[i] = 1
                    continue
                readings[i] = n = n + 1
            bound = _BOUND * spread
            if not -bound < away < bound:
                away = max(-bound, min(bound, away))
            centres[i] = centre + away / n
            spread += (abs(away) / _CONSISTENT - spread) / n
            spreads[i] = spread if spread > floor else floor  # noqa: FURB136 - faster
        return squares, point if has_feature else None

    def _deviation(self, i: int, value: float) -> float:
        """How many spreads from the centre, less where the baseline is young."""
        z = (value - self.centres[i]) / self.spreads[i]
        z *= _CERTAINTY[self.readings[i]]
        return max(-_LARGEST_Z, min(_LARGEST_Z, z))

    def _learn(self, i: int, value: float) -> None:
        """Move centre and spread a little; a far value moves them by a bounded step."""
        readings = self.readings[i]
        if not readings:
            self.centres[i] = value
            self.readings[i] = 1
            return
        if readings < _MEMORY:
            readings += 1
            self.readings[i] = readings
        spread = self.spreads[i]
        bound = _BOUND * spread
        step = max(-bound, min(bound, value - self.centres[i]))
        self.centres[i] += step / readings
        spread += (abs(step) / _CONSISTENT - spread) / readings
        self.spreads[i] = max(_FLOORS[i], spread)


# A ward's patients have a few dozen sets of signals.
@lru_cache(maxsize=1024)
def _rows_of(codes: tuple[str, ...]) -> tuple[_PlanRow, ...]:
    """What the model needs of each of these signals that has a baseline, in order."""
    return tuple((*row, _FLOORS[row[1]]) for row in _PLAN if row[0] in codes)


# A snapshot is MessagePack of `_Saved`, then its CRC-32 (4 bytes, big-endian): a wrong
# byte in a mass or a centre would otherwise be read as a number like any other.
_CRC = struct.Struct(">I")

_OfFeatures = msgspec.Meta(min_length=len(FEATURES), max_length=len(FEATURES))
_OfRows = msgspec.Meta(min_length=len(_FLOORS), max_length=len(_FLOORS))


class _Head(msgspec.Struct, frozen=True, array_like=True):
    """The first two elements of every version's snapshot."""

    version: int
    shape: int


class _Saved(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False
):
    """A model at rest: only these types are read, and nothing in it can be run.

    The fields are those of `PatientModel` and `FlatHalfSpaceTrees`; `shape` stands for
    the signals, ranges, sizes and splits, and `masses` are the reference and the current
    window's, zlib.
    """

    version: int
    shape: int
    centres: Annotated[list[float], _OfRows]
    spreads: Annotated[list[Annotated[float, msgspec.Meta(gt=0)]], _OfRows]
    readings: Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=_MEMORY)]], _OfRows]
    counter: Annotated[int, msgspec.Meta(ge=0, lt=_WINDOW)]
    seen: Annotated[list[Annotated[int, msgspec.Meta(ge=0, lt=_WINDOW)]], _OfFeatures]
    learning: Annotated[list[bool], _OfFeatures]
    counting: Annotated[list[bool], _OfFeatures]
    masses: bytes


_encoder = msgspec.msgpack.Encoder()
_head_decoder = msgspec.msgpack.Decoder(_Head)
_decoder = msgspec.msgpack.Decoder(_Saved)


def snapshot(model: PatientModel) -> bytes:
    """Save a model; `restore` gives one that scores the same to the last bit.

    Costs 11 us, most of it zlib, and gives some 630 bytes
    (`python -m tests.benchmarks.models`); uncompressed they would be 2.8 KB.
    """
    trees = model.trees
    body = _encoder.encode(
        _Saved(
            version=_VERSION,
            shape=_SHAPE,
            centres=model.centres,
            spreads=model.spreads,
            readings=model.readings,
            counter=trees.counter,
            seen=trees.seen,
            learning=trees.learning,
            counting=trees.counting,
            masses=zlib.compress(trees.reference + trees.masses(), 1),
        )
    )
    return body + _CRC.pack(zlib.crc32(body))


def restore(raw: bytes) -> PatientModel:
    """Read what `snapshot` saved.

    Raises:
        StateError: Not a snapshot, damaged, or of another version or shape.
    """
    body, crc = raw[: -_CRC.size], raw[-_CRC.size :]
    try:
        head = _head_decoder.decode(body)
        if (head.version, head.shape) == (_VERSION, _SHAPE):
            saved = _decoder.decode(body)
            # One byte more than wanted, so that a longer one is seen, and no further.
            unpacked = zlib.decompressobj().decompress(saved.masses, 2 * _MASSES + 1)
    except (msgspec.MsgspecError, zlib.error) as error:
        msg = f"model snapshot of {len(raw)} bytes: {error}; start the model anew"
        raise StateError(msg) from error
    if (head.version, head.shape) != (_VERSION, _SHAPE):
        msg = (
            f"model snapshot of version {head.version}, shape {head.shape:08x}: want "
            f"{_VERSION}, {_SHAPE:08x}; start the model anew"
        )
        raise StateError(msg)
    if crc != _CRC.pack(zlib.crc32(body)) or len(unpacked) != 2 * _MASSES:
        msg = f"model snapshot of {len(raw)} bytes is damaged; start the model anew"
        raise StateError(msg)

    model = PatientModel()
    model.centres, model.spreads = saved.centres, saved.spreads
    model.readings = saved.readings
    trees = model.trees
    trees.reference = bytearray(unpacked[:_MASSES])
    current = int.from_bytes(unpacked[_MASSES:], "little") & _LEAVES
    trees.current = bytearray(current.to_bytes(_MASSES, "little"))
    trees.counter = saved.counter
    trees.seen = saved.seen
    trees.learning, trees.counting = saved.learning, saved.counting
    trees.warm = unpacked[0] > 0
    return model
