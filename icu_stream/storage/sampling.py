"""Fewer points for a chart, none of which is invented and none of which is averaged away.

`min_max` gives each step's least, greatest, mean and last value and how many there were: the
highest spike and the deepest dip of a step are in it, whatever its length. `lttb` gives
original points alone, those that make the shape, and always the extremes of the whole. A
step without a value gives nothing: a gap stays a gap.

Nothing here does input or output.
"""

import itertools

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple


class Figures(NamedTuple):
    """What the values of one signal in one step came to.

    Attributes:
        time_ms: Begin of the step, epoch ms UTC.
        low: Least value.
        high: Greatest value.
        mean: Of all values.
        n: How many there were; at least one.
        latest: The last one by time.
    """

    time_ms: int
    low: float
    high: float
    mean: float
    n: int
    latest: float


Point = tuple[int, float]


def min_max(points: Iterable[Point], step_ms: int) -> list[Figures]:
    """The figures of each step that has a value.

    Args:
        points: Time (epoch ms) and value, in order of time.
        step_ms: Length of a step; steps begin at multiples of it.

    >>> min_max([(0, 80.0), (1_000, 0.0), (3_000, 82.0), (9_000, 81.0)], 4_000)
    [Figures(time_ms=0, low=0.0, high=82.0, mean=54.0, n=3, latest=82.0), \
Figures(time_ms=8000, low=81.0, high=81.0, mean=81.0, n=1, latest=81.0)]
    """
    steps = []
    for number, group in itertools.groupby(points, key=lambda p: p[0] // step_ms):
        values = [value for _, value in group]
        steps.append(
            Figures(
                number * step_ms,
                min(values),
                max(values),
                sum(values) / len(values),
                len(values),
                values[-1],
            )
        )
    return steps


def fold(figures: Iterable[Figures], step_ms: int) -> list[Figures]:
    """Figures of short steps as figures of longer ones, as if made of the values.

    Args:
        figures: In order of time; each lies in one longer step.
        step_ms: Length of a longer step.

    >>> fold([Figures(0, 1.0, 9.0, 4.0, 3, 2.0), Figures(60_000, 5.0, 5.0, 5.0, 1, 5.0)], 900_000)
    [Figures(time_ms=0, low=1.0, high=9.0, mean=4.25, n=4, latest=5.0)]
    """
    steps = []
    for number, group in itertools.groupby(figures, key=lambda f: f.time_ms // step_ms):
        parts = list(group)
        count = sum(part.n for part in parts)
        steps.append(
            Figures(
                number * step_ms,
                min(part.low for part in parts),
                max(part.high for part in parts),
                sum(part.mean * part.n for part in parts) / count,
                count,
                parts[-1].latest,
            )
        )
    return steps


def lttb(points: Sequence[Point], most: int, gap_ms: int | None = None) -> list[Point]:
    """At most so many of the points, by largest triangle of three buckets.

    First and last point stay; between them each bucket gives the point that makes the
    largest triangle with the one chosen before and the mean of the next bucket. The least
    and the greatest value of all are put in the place of what their buckets would have
    given, since a triangle is no promise that a spike stays.

    Args:
        points: Time (epoch ms) and value, in order of time.
        most: How many may be left; 4 or more, so that both extremes have a place.
        gap_ms: Points further apart than this have a gap between them: the points on
            either side stay as long as there is room. None: gaps are not looked for.

    Source:
        Steinarsson. Downsampling Time Series for Visual Representation. University of
        Iceland, 2013, section 4.2.

    >>> [t for t, _ in lttb([(t, 99.0 if t == 517 else 1.0) for t in range(1000)], 5)]
    [0, 332, 517, 666, 999]
    """
    if most < 4:
        msg = f"{most} points: want 4 or more"
        raise ValueError(msg)
    if len(points) <= most:
        return list(points)
    kept = set(_extremes(points))
    if gap_ms is not None:
        edges = _edges(points, gap_ms)
        kept |= set(edges[: max(0, most - len(kept))])
    chosen = _triangles(points, most)
    # What must be kept takes the place of the nearest chosen point.
    for index in sorted(kept - set(chosen)):
        free = [c for c in chosen if c not in kept]
        if not free:
            break
        chosen.remove(min(free, key=lambda c: (abs(c - index), c)))
        chosen.append(index)
    return [points[i] for i in sorted(chosen)]


def _extremes(points: Sequence[Point]) -> Iterator[int]:
    """Indices that stay whatever happens."""
    indices = range(len(points))
    yield 0
    yield len(points) - 1
    yield min(indices, key=lambda i: points[i][1])
    yield max(indices, key=lambda i: points[i][1])


def _edges(points: Sequence[Point], gap_ms: int) -> list[int]:
    """Indices of the points on either side of each gap."""
    return [
        at
        for i in range(1, len(points))
        if points[i][0] - points[i - 1][0] > gap_ms
        for at in (i - 1, i)
    ]


def _triangles(points: Sequence[Point], most: int) -> list[int]:
    count = len(points)
    width = (count - 2) / (most - 2)
    chosen = [0]
    for bucket in range(most - 2):
        start, end = 1 + int(bucket * width), 1 + int((bucket + 1) * width)
        after = points[end : max(end + 1, 1 + int((bucket + 2) * width))]
        mean_t = sum(t for t, _ in after) / len(after)
        mean_v = sum(v for _, v in after) / len(after)
        t0, v0 = points[chosen[-1]]

        def area(
            i: int, t0: float = t0, v0: float = v0, t: float = mean_t, v: float = mean_v
        ) -> float:
            return abs((t0 - t) * (points[i][1] - v0) - (t0 - points[i][0]) * (v - v0))

        chosen.append(max(range(start, end), key=area))
    return [*chosen, count - 1]
