"""Drawings of the report, as SVG text: bars, curves, leads, strips.

Own and small: a report with a plotting library inside is 5 MB, with these 100 kB. Text is
escaped here; colours are classes of the report's style sheet, so that it can be printed.
"""

import itertools
import math

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from icu_stream.contracts.alerts import Priority
from icu_stream.domain.limits import Condition
from icu_stream.evaluation import findings
from icu_stream.evaluation.backtest import Setting
from icu_stream.evaluation.strips import Strip
from icu_stream.evaluation.trial import Episode


WIDTH = 860
_LEFT, _RIGHT = 56, 16
# Of a strip: room for the profiles' names, and what fits it.
_NAMES, _LONGEST_NAME = 100, 14
# Gaps longer than so many usual spacings are no line: nothing was measured there (ours,
# the multiple of a no-data time).
_GAP = 2.5
# A signal is shown over at least so much, so that noise does not look like a fall.
# UI.md, section 3.
_MINIMUM_SPANS = {"hr": 20.0, "spo2": 10.0, "rr": 10.0, "temp": 2.0}
_MINIMUM_SPAN = 20.0


class Line(NamedTuple):
    """One line of a chart."""

    name: str
    style: str
    points: list[tuple[float, float]]


class Axis(NamedTuple):
    """From values to places of a drawing."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Where a value lies."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.begin + share * (self.end - self.begin)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values between the ends.

        >>> Axis(0, 10, 0, 100).ticks(5)
        [0, 2, 4, 6, 8, 10]
        """
        rough = (self.high - self.low) / most or 1.0
        power = 10 ** math.floor(math.log10(rough))
        step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(n * step, 10) for n in range(first, last + 1)]


def stack(parts: Sequence[tuple[str, float]], most: float) -> str:
    """One bar of several parts, as wide as its share of the largest.

    Args:
        parts: Class and size of each part.
        most: The size of a full bar.
    """
    width, height, at = 240.0, 14, 0.0
    drawn = []
    for style, size in parts:
        length = width * size / most if most else 0.0
        if length > 0:
            drawn.append(
                f'<rect class="{style}" x="{at:.1f}" y="1" width="{max(length, 0.8):.1f}" '
                f'height="{height - 2}"/>'
            )
            at += length
    return (
        f'<svg class="stack" viewBox="0 0 {width:g} {height}" '
        f'preserveAspectRatio="none" aria-hidden="true">{"".join(drawn)}</svg>'
    )


def chart(
    lines: Sequence[Line],
    *,
    x_name: str,
    y_name: str,
    marks: Sequence[tuple[float, float, str]] = (),
    height: int = 280,
) -> str:
    """Lines over a common axis that begins at zero.

    Args:
        lines: At least one, with a point or more.
        x_name: Under the axis.
        y_name: Over the axis.
        marks: Single points of another source, with their names.
        height: Of the drawing.
    """
    xs = [x for line in lines for x, _ in line.points] + [x for x, _, _ in marks]
    ys = [y for line in lines for _, y in line.points] + [y for _, y, _ in marks]
    x_axis = Axis(min(0.0, *xs), max(xs) or 1.0, _LEFT, WIDTH - 190)
    y_axis = Axis(0.0, (max(ys) or 1.0) * 1.05, height - 40, 24)
    drawn = [*_grid(x_axis, y_axis, x_name, y_name)]
    # Names stand at the lines' ends, moved apart where they would cover each other.
    ends = sorted(
        (y_axis.at(line.points[-1][1]), number) for number, line in enumerate(lines)
    )
    below = -math.inf
    for at, number in ends:
        line = lines[number]
        below = max(at, below + 15)
        path = " ".join(
            f"{x_axis.at(x):.1f},{y_axis.at(y):.1f}" for x, y in line.points
        )
        drawn.append(f'<polyline class="line {line.style}" points="{path}"/>')
        for x, y in line.points:
            told = f"{line.name}: {x:g} {x_name}, {findings.number(y)}"
            drawn.append(
                f'<circle class="dot {line.style}" cx="{x_axis.at(x):.1f}" '
                f'cy="{y_axis.at(y):.1f}" r="3.5"><title>{escape(told)}</title></circle>'
            )
        drawn.append(_text(x_axis.end + 10, below + 4, line.name, f"name {line.style}"))
    for x, y, name in marks:
        left, top = x_axis.at(x), y_axis.at(y)
        drawn.append(
            f'<path class="mark" d="M{left - 5:.1f} {top:.1f}h10M{left:.1f} {top - 5:.1f}v10"/>'
        )
        drawn.append(_text(left + 8, top - 6, name, "marked"))
    return _svg(height, drawn, f"{y_name} by {x_name}")


def _grid(x_axis: Axis, y_axis: Axis, x_name: str, y_name: str) -> Iterator[str]:
    for y in y_axis.ticks():
        at = y_axis.at(y)
        yield f'<path class="grid" d="M{x_axis.begin} {at:.1f}H{x_axis.end}"/>'
        yield _text(x_axis.begin - 8, at + 4, f"{y:g}", "tick end")
    for x in x_axis.ticks(10):
        yield _text(x_axis.at(x), y_axis.begin + 18, f"{x:g}", "tick middle")
    yield _text(x_axis.begin, 12, y_name, "axis")
    yield _text(x_axis.end, y_axis.begin + 34, x_name, "axis end")


def leads(rows: Sequence[tuple[str, str, Sequence[int]]]) -> str:
    """A dot an event, before it to the left and after its beginning to the right.

    Args:
        rows: Name, class, and the lead of each event, ms; negative = after.
    """
    values = [lead for _, _, own in rows for lead in own]
    unit, unit_ms = (
        ("h", 3_600_000) if max(map(abs, values)) > 7_200_000 else ("s", 1000)
    )
    low, high = min(-v for v in values) / unit_ms, max(-v for v in values) / unit_ms
    left = 250
    axis = Axis(min(low, 0.0), max(high, 0.0), left, WIDTH - _RIGHT)
    height = 22 * len(rows) + 44
    drawn = []
    for tick in axis.ticks(8):
        at = axis.at(tick)
        drawn.append(f'<path class="grid" d="M{at:.1f} 4V{height - 38}"/>')
        drawn.append(_text(at, height - 22, f"{tick:g}", "tick middle"))
    zero = axis.at(0.0)
    drawn.append(f'<path class="zero" d="M{zero:.1f} 4V{height - 38}"/>')
    for number, (name, style, own) in enumerate(rows):
        middle = 16 + 22 * number
        drawn.append(_text(left - 10, middle + 4, name, "tick end"))
        for lead in own:
            at = axis.at(-lead / unit_ms)
            drawn.append(
                f'<circle class="dot thin {style}" cx="{at:.1f}" cy="{middle}" r="4"/>'
            )
        median = findings.median_ms(own)
        if median is not None:
            at = axis.at(-median / unit_ms)
            drawn.append(f'<path class="median" d="M{at:.1f} {middle - 8}v16"/>')
    about = f"{unit} from the event; upright bar: median"
    drawn.append(_text(WIDTH - _RIGHT, height - 6, about, "axis end"))
    return _svg(height, drawn, "first alarm of each event")


# --- strips


class Shown(NamedTuple):
    """One profile on a strip."""

    name: str
    style: str
    settings: Sequence[Setting]
    episodes: Sequence[Episode]


def strip(example: Strip, profiles: Sequence[Shown]) -> str:
    """A signal with its limits, and under it what each profile alarms.

    Args:
        example: With its samples.
        profiles: In their order.
    """
    told = example.candidate
    limits = [
        (shown, setting)
        for shown in profiles
        for setting in shown.settings
        if setting.signal == told.signal
    ]
    top, bottom, lane = 10, 130, 24
    y_axis = _value_axis(told.signal, example.values, [s.limit for _, s in limits])
    y_axis = y_axis._replace(begin=bottom, end=top)
    x_axis = Axis(told.from_ms, told.to_ms, _NAMES, WIDTH - _RIGHT - 120)
    drawn = []
    for tick in y_axis.ticks(4):
        at = y_axis.at(tick)
        drawn.append(f'<path class="grid" d="M{x_axis.begin} {at:.1f}H{x_axis.end}"/>')
        drawn.append(_text(x_axis.begin - 8, at + 4, f"{tick:g}", "tick end"))
    drawn += _limits(limits, x_axis, y_axis, told.code)
    for points in _segments(example.times, example.values):
        path = " ".join(f"{x_axis.at(t):.1f},{y_axis.at(v):.1f}" for t, v in points)
        drawn.append(f'<polyline class="signal" points="{path}"/>')
        if len(example.times) <= 80:
            drawn += [
                f'<circle class="sample" cx="{x_axis.at(t):.1f}" cy="{y_axis.at(v):.1f}" r="2.2"/>'
                for t, v in points
            ]
    at = bottom + 12
    for shown in profiles:
        drawn.append(
            _text(
                x_axis.begin - 8,
                at + 13,
                shown.name[:_LONGEST_NAME],
                f"lane end {shown.style}",
            )
        )
        drawn += _lane(shown.episodes, told.code, x_axis, at)
        at += lane
    drawn += _times(x_axis, at + 12)
    return _svg(at + 32, drawn, f"{told.code} of {told.patient_id}")


def _value_axis(signal: str, values: Sequence[float], limits: Sequence[float]) -> Axis:
    """Wide enough for the values and the limits near them."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    least = _MINIMUM_SPANS.get(signal, _MINIMUM_SPAN)
    reach = max(high - low, least)
    near = [limit for limit in limits if low - reach <= limit <= high + reach]
    low, high = min([low, *near]), max([high, *near])
    short = max(0.0, least - (high - low)) / 2
    margin = 0.05 * (high - low)
    return Axis(low - short - margin, high + short + margin, 0, 0)


def _limits(
    limits: Sequence[tuple[Shown, Setting]], x_axis: Axis, y_axis: Axis, code: str
) -> Iterator[str]:
    """A line each; one that is the same in several profiles is drawn once."""
    drawn: dict[float, tuple[Setting, list[Shown]]] = {}
    for shown, setting in limits:
        if y_axis.low <= setting.limit <= y_axis.high:
            drawn.setdefault(setting.limit, (setting, []))[1].append(shown)
    below = -math.inf
    for limit in sorted(drawn, reverse=True):
        setting, owners = drawn[limit]
        at = y_axis.at(limit)
        style = owners[0].style if len({o.style for o in owners}) == 1 else "both"
        weight = "strong" if setting.code == code else "faint"
        yield f'<path class="limit {weight} {style}" d="M{x_axis.begin} {at:.1f}H{x_axis.end}"/>'
        below = max(at, below + 12)
        sign = {Condition.HIGH: ">", Condition.LOW: "<", Condition.ZERO: "="}
        name = f"{sign[setting.condition]} {limit:g} {setting.code.partition('.')[2]}"
        yield _text(x_axis.end + 6, below + 4, name, f"limitname {style}")


def _segments(
    times: Sequence[int], values: Sequence[float]
) -> Iterator[list[tuple[int, float]]]:
    """The samples, cut where nothing was measured."""
    if not times:
        return
    steps = sorted(b - a for a, b in itertools.pairwise(times))
    usual = steps[len(steps) // 2] if steps else 0
    points = [(times[0], values[0])]
    for (before, _), (time, value) in itertools.pairwise(
        zip(times, values, strict=True)
    ):
        if time - before > _GAP * usual:
            yield points
            points = []
        points.append((time, value))
    yield points


def _lane(
    episodes: Sequence[Episode], code: str, x_axis: Axis, top: float
) -> Iterator[str]:
    """Pending, then on, of the strip's alarm; the signal's other alarms are faint."""
    yield (
        f'<rect class="track" x="{x_axis.begin}" y="{top}" '
        f'width="{x_axis.end - x_axis.begin:.1f}" height="18"/>'
    )
    for episode in sorted(episodes, key=lambda e: (e.code == code, e.raised)):
        faint = "" if episode.code == code else " faint"
        begin, raised = _inside(x_axis, episode.onset), _inside(x_axis, episode.raised)
        end = x_axis.end if episode.ended is None else _inside(x_axis, episode.ended)
        about = f"{episode.code}, {episode.priority}"
        yield f'<g class="episode{faint}"><title>{escape(about)}</title>'
        if raised > begin:
            yield (
                f'<rect class="pending" x="{begin:.1f}" y="{top + 6}" '
                f'width="{raised - begin:.1f}" height="6"/>'
            )
        levels = episode.levels()
        for (moment, priority), until in itertools.zip_longest(
            levels, [moment for moment, _ in levels[1:]]
        ):
            from_x = _inside(x_axis, moment)
            to_x = end if until is None else min(end, _inside(x_axis, until))
            yield (
                f'<rect class="{priority}" x="{from_x:.1f}" y="{top + 2}" '
                f'width="{max(to_x - from_x, 1.5):.1f}" height="14"/>'
            )
            mark = _MARKS[priority]
            if not faint and to_x - from_x > 7 * len(mark) + 8:
                yield _text(from_x + 5, top + 13, mark, f"inbar {priority}")
        for sound in episode.sounds:
            if x_axis.low <= sound <= x_axis.high:
                at = x_axis.at(sound)
                yield f'<path class="sound" d="M{at:.1f} {top - 1}v20"/>'
        yield "</g>"


_MARKS = {Priority.HIGH: "!!!", Priority.MEDIUM: "!!", Priority.LOW: "!"}


def _inside(axis: Axis, value: float) -> float:
    return axis.at(min(max(value, axis.low), axis.high))


def _times(axis: Axis, at: float) -> Iterator[str]:
    """Since the strip's beginning: recordings have no true date."""
    span_s = (axis.high - axis.low) / 1000
    unit, unit_s = next(
        (name, size) for name, size in _TIMES if span_s >= 2 * size or size == 1
    )
    scale = Axis(0.0, span_s / unit_s, axis.begin, axis.end)
    ticks = scale.ticks(8)
    for tick in ticks:
        told = f"{tick:g}" + (f" {unit}" if tick == ticks[-1] else "")
        yield _text(scale.at(tick), at + 6, told, "tick middle")


_TIMES = (("h", 3600), ("min", 60), ("s", 1))


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _svg(height: float, drawn: Sequence[str], about: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" '
        f'aria-label="{escape(about)}">{"".join(drawn)}</svg>'
    )
