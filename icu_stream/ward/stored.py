"""One patient's past from the archive's store, where one is configured.

It is kept over a restart of the view and longer than this view may have run. What the
store does not have yet, or lost with an archive that stands still, is filled from what this
view has seen itself, step by step. A store that does not answer in time is left alone for a
while: the page then shows what was seen, and says so.
"""

import asyncio

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from icu_stream import clock
from icu_stream.contracts.signals import BY_CODE, INDEX
from icu_stream.contracts.topics import HOUR_MS
from icu_stream.errors import ConfigurationError, StorageError
from icu_stream.observability import log
from icu_stream.settings import Settings
from icu_stream.storage.reading import MOST, SeriesReader
from icu_stream.storage.sampling import Figures
from icu_stream.ward.history import STEPS_MS, Course, History, Line, Past, Points, Seen


# Somebody waits at the page, who would rather see less than wait.
_TIMEOUT_S = 3.0
_ALONE_S = 15.0


class Stored:
    """The history that the store keeps, with this view's own beside it.

    Args:
        reader: Of the store.
        seen: What this view keeps itself.
    """

    def __init__(self, reader: SeriesReader, seen: Seen) -> None:
        self._reader = reader
        self._seen = seen
        self._alone_until_s = 0.0

    async def course(self, patient_id: str, hours: int, now_ms: int) -> Course | None:
        """The last hours of one patient; see `History`."""
        seen = await self._seen.course(patient_id, hours, now_ms)
        kept = await self._kept(patient_id, hours, now_ms)
        if kept is None:
            if seen is None:
                return None
            return msgspec.structs.replace(seen, source="unanswered")
        if seen is None:
            return kept if kept.lines else None
        return _filled(kept, seen)

    async def _kept(self, patient_id: str, hours: int, now_ms: int) -> Course | None:
        """What the store has; None when it does not answer."""
        if clock.monotonic_s() < self._alone_until_s:
            return None
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await self._read(patient_id, hours, now_ms)
        except (StorageError, ConfigurationError, TimeoutError) as error:
            self._alone_until_s = clock.monotonic_s() + _ALONE_S
            log.warning("history_unanswered", reason=str(error) or "no answer in time")
            return None

    async def _read(self, patient_id: str, hours: int, now_ms: int) -> Course:
        step_ms = STEPS_MS[hours]
        count = hours * HOUR_MS // step_ms
        end_ms = (now_ms // step_ms + 1) * step_ms
        start_ms = end_ms - count * step_ms
        figures = await self._reader.figures(
            patient_id, None, start_ms, end_ms, step_ms, now_ms
        )
        scores = await self._reader.scores(patient_id, start_ms, end_ms, most=MOST)
        past = Past()
        for one in scores.rows:
            past.score(one, one.time)
        told = past.course(hours, now_ms)
        lines = {
            code: _line(code, figures[code], start_ms, step_ms, count)
            for code in sorted(figures.keys() & INDEX.keys(), key=INDEX.__getitem__)
        }
        first = [all_[0].time_ms for all_ in figures.values() if all_]
        return msgspec.structs.replace(
            told, source="store", since=min(first, default=None), lines=lines
        )


@asynccontextmanager
async def opened(
    settings: Settings, find: Callable[[str], Past | None]
) -> AsyncIterator[History]:
    """The history of a ward view: of the store where one is configured, else its own."""
    seen = Seen(find)
    if settings.influx_url is None and settings.postgres_dsn is None:
        yield seen
        return
    # pandas, which the client of InfluxDB brings, takes half a second to import.
    from icu_stream.storage import records  # noqa: PLC0415

    async with records.opened_series(settings) as reader:
        yield Stored(reader, seen)


def _line(
    code: str, figures: Sequence[Figures], start_ms: int, step_ms: int, count: int
) -> Line:
    """Figures as steps; what no instrument can show is none, as everywhere on the page."""
    signal = BY_CODE[code]
    low: Points = [None] * count
    high: Points = [None] * count
    mean: Points = [None] * count
    for one in figures:
        i = (one.time_ms - start_ms) // step_ms
        if 0 <= i < count and signal.low <= one.low and one.high <= signal.high:
            low[i], high[i], mean[i] = one.low, one.high, round(one.mean, 1)
    return Line(low, high, mean)


def _filled(kept: Course, seen: Course) -> Course:
    """What the store has, and what was seen where it has nothing."""
    lines = {}
    for code in sorted(kept.lines.keys() | seen.lines.keys(), key=INDEX.__getitem__):
        mine, own = kept.lines.get(code), seen.lines.get(code)
        if mine is None or own is None:
            lines[code] = mine or own or Line([], [], [])
            continue
        there = [value is not None for value in mine.mean]
        lines[code] = Line(
            _either(there, mine.low, own.low),
            _either(there, mine.high, own.high),
            _either(there, mine.mean, own.mean),
        )
    scored = [value is not None for value in kept.news2]
    warm = [value is not None for value in kept.unusual]
    nothing: Points = [None] * len(warm)
    since = [moment for moment in (kept.since, seen.since) if moment is not None]
    return msgspec.structs.replace(
        kept,
        since=min(since, default=None),
        lines=lines,
        news2=_either(scored, kept.news2, seen.news2),
        complete=_either(scored, kept.complete, seen.complete),
        unusual=_either(warm, kept.unusual, seen.unusual),
        shares={
            code: _either(
                warm, kept.shares.get(code, nothing), seen.shares.get(code, nothing)
            )
            for code in kept.shares | seen.shares
        },
    )


def _either(there: Sequence[bool], mine: Points, own: Points) -> Points:
    return [
        a if is_there else b for is_there, a, b in zip(there, mine, own, strict=True)
    ]
