"""The course of a patient's signals: from the store, and its newest end from Kafka."""

import itertools

from collections.abc import Iterable

from icu_stream.access.roles import Page
from icu_stream.api.messages import UNSET, Course, OfPatient, Trace, Vitals
from icu_stream.api.present import TAIL_MS, Patient
from icu_stream.api.problems import Kind, ProblemError, unknown
from icu_stream.api.table import Ask, Route
from icu_stream.clock import now_ms
from icu_stream.contracts.signals import BY_CODE
from icu_stream.contracts.topics import HOUR_MS
from icu_stream.storage import sampling
from icu_stream.storage.sampling import Figures, Point


# Ours: so long a span comes as it was measured before it is thinned; a signal at one value
# a second has 86,400 of them. Beyond that the store makes steps.
_RAW_MS = 24 * HOUR_MS
_MINUTE_MS = 60_000
_GAP_MS = 60_000  # of `lttb`: a line is not drawn over a longer silence


async def trace(ask: Ask[OfPatient, Trace, None]) -> Vitals:
    """Every signal that was asked for, thinned so that no spike is lost."""
    query, at_ms = ask.query, now_ms()
    last = at_ms if query.last is UNSET else query.last
    patient = ask.parts.present.patient(ask.path.patient_id)
    tail_from = max(ask.parts.present.opened_ms, at_ms) - TAIL_MS
    if patient is not None and patient.tail:
        tail_from = patient.tail[0].time
    if query.first is not UNSET:
        first = query.first
    elif ask.parts.records is None:
        first = max(last - HOUR_MS, tail_from)
    else:
        first = last - HOUR_MS
    is_stored = ask.parts.records is not None and first < tail_from
    if ask.parts.records is None:
        _require_tail(patient, first, last, tail_from)
    signals: list[str] = [*dict.fromkeys(query.signals)] or [*BY_CODE]
    courses: dict[str, Course] = {}
    if first >= last:
        pass  # nothing lies between
    elif query.method == "lttb":
        courses = await _points(ask, patient, signals, first, last)
    else:
        courses = await _steps(ask, patient, signals, first, last, at_ms)
    if not courses and patient is None:
        raise unknown(what=f"nothing is known of patient {ask.path.patient_id} then")
    return Vitals(
        patient_id=ask.path.patient_id,
        first=first,
        last=last,
        stored=is_stored,
        tail_from=tail_from,
        signals=courses,
    )


def _require_tail(
    patient: Patient | None, first: int, last: int, tail_from: int
) -> None:
    if patient is None:
        raise unknown(what="no such patient is on the ward now")
    if first < tail_from and first < last:
        detail = f"only what came since {tail_from} is known: ask with from={tail_from}"
        raise ProblemError(Kind.NO_STORE, detail)


async def _points(
    ask: Ask[OfPatient, Trace, None],
    patient: Patient | None,
    signals: list[str],
    first: int,
    last: int,
) -> dict[str, Course]:
    """Measured points alone; of a long span the extremes of its steps, in their order."""
    found: dict[str, list[Point]] = {}
    if ask.parts.records is not None:
        begin = max(first, last - _RAW_MS)
        series = ask.parts.records.series
        found = await series.values(ask.path.patient_id, signals, begin, last)
        if begin > first:
            early = await series.figures(
                ask.path.patient_id, signals, first, begin, _MINUTE_MS, now_ms()
            )
            for code, figures in early.items():
                found[code] = _extremes(figures, begin) + found.get(code, [])
    courses = {}
    for code in signals:
        points = _merged(found.get(code, []), _tail(patient, code, first, last))
        if points:
            kept = sampling.lttb(points, ask.query.points, _GAP_MS)
            courses[code] = _of_points(code, kept)
    return courses


async def _steps(
    ask: Ask[OfPatient, Trace, None],
    patient: Patient | None,
    signals: list[str],
    first: int,
    last: int,
    at_ms: int,
) -> dict[str, Course]:
    """Least, greatest and last value of each step; points where there are few."""
    query, records = ask.query, ask.parts.records
    patient_id = ask.path.patient_id
    step = _step(first, last, query.points) if query.step is UNSET else query.step
    # A step that was given is kept to, and cut where that would be more than `points`.
    step = max(step, -(-(last - first) // query.points))
    is_short = query.step is UNSET and last - first <= 1_000 * query.points
    stored: dict[str, list[Point]] = {}
    figures: dict[str, list[Figures]] = {}
    if records is not None and last - first <= _RAW_MS:
        stored = await records.series.values(patient_id, signals, first, last)
    elif records is not None:
        step = -(-step // _MINUTE_MS) * _MINUTE_MS
        figures = await records.series.figures(
            patient_id, signals, first, last, step, at_ms
        )
    courses = {}
    for code in signals:
        points = _merged(stored.get(code, []), _tail(patient, code, first, last))
        if is_short and len(points) <= query.points and points and not figures:
            courses[code] = _of_points(code, points)
            continue
        steps = _joined(figures.get(code, []), sampling.min_max(points, step))
        if steps:
            courses[code] = _of_steps(code, steps, step)
    return courses


def _step(first: int, last: int, points: int) -> int:
    return max(1_000, -(-(last - first) // points))


def _tail(patient: Patient | None, code: str, first: int, last: int) -> list[Point]:
    if patient is None:
        return []
    return [
        (sample.time, sample.values[code])
        for sample in patient.tail
        if code in sample.values and first <= sample.time < last
    ]


def _merged(stored: list[Point], tail: list[Point]) -> list[Point]:
    """Both, by time; what is in both once."""
    return [point for point, _ in itertools.groupby(sorted({*stored, *tail}))]


def _joined(stored: list[Figures], tail: list[Figures]) -> list[Figures]:
    """The store's steps, and of the tail those that the store does not have, or has in part."""
    steps = {figures.time_ms: figures for figures in stored}
    for figures in tail:
        known = steps.get(figures.time_ms)
        steps[figures.time_ms] = figures if known is None else _wider(known, figures)
    return [steps[time_ms] for time_ms in sorted(steps)]


def _wider(one: Figures, other: Figures) -> Figures:
    """Of one step, from two sources that may each lack something."""
    most = max(one, other, key=lambda figures: figures.n)
    return most._replace(low=min(one.low, other.low), high=max(one.high, other.high))


def _extremes(figures: Iterable[Figures], before: int) -> list[Point]:
    """The extremes of each step as points, within it; their true places are not kept."""
    points: list[Point] = []
    for step in figures:
        if step.time_ms < before:
            points.append((step.time_ms, step.low))
            if step.high != step.low:
                points.append((step.time_ms + _MINUTE_MS // 2, step.high))
    return points


def _of_points(code: str, points: list[Point]) -> Course:
    return Course(
        unit=BY_CODE[code].unit,
        step=None,
        times=[time for time, _ in points],
        values=[value for _, value in points],
    )


def _of_steps(code: str, steps: list[Figures], step: int) -> Course:
    return Course(
        unit=BY_CODE[code].unit,
        step=step,
        times=[figures.time_ms for figures in steps],
        values=[figures.latest for figures in steps],
        low=[figures.low for figures in steps],
        high=[figures.high for figures in steps],
        n=[figures.n for figures in steps],
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/patients/{patient_id}/vitals",
        summary="What was measured, thinned so that no spike is lost",
        detail="Without a store only the last five minutes are known; the rest is a "
        "problem `no-store`.",
        handle=trace,
        needs=Page.BED,
        where=OfPatient,
        query=Trace,
        answer=Vitals,
        problems=(Kind.NO_STORE, Kind.STORE),
    ),
)
