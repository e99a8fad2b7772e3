"""Shifts: times of the week in a time zone, and which of them a moment belongs to.

A shift begins and ends when the clock on the wall says so, and the wall's clock is put
forward and back. A time that is skipped is the moment at which the clock was put forward;
of one that comes twice the first counts. So of shifts that cover the week each moment
belongs to exactly one, whatever the clock does.

Pure: it is told the moment, and reads no clock.
"""

import datetime as dt

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MIN = 24 * 60
WEEK_MIN = 7 * DAY_MIN


class Shift(NamedTuple):
    """A time of the week.

    Attributes:
        name: What the rota calls it.
        days: On which it begins, 0 is Monday.
        begin: Minutes after midnight.
        end: Likewise; at or before `begin`: on the next day.
        zone: Whose wall clock.
    """

    name: str
    days: frozenset[int]
    begin: int
    end: int
    zone: ZoneInfo

    @property
    def length(self) -> int:
        """Minutes on the wall; as long as a day when it ends as it begins."""
        return (self.end - self.begin - 1) % DAY_MIN + 1

    def holds(self, now_ms: int) -> bool:
        """Is this moment in it? The first one is, the last one is the next shift's.

        >>> zone = ZoneInfo("Europe/Berlin")
        >>> night = Shift("night", frozenset(range(7)), 19 * 60, 7 * 60, zone)
        >>> at = lambda text: round(1000 * dt.datetime.fromisoformat(text).timestamp())
        >>> night.holds(at("2026-11-24T18:59:59+01:00"))
        False
        >>> night.holds(at("2026-11-24T19:00+01:00"))
        True
        >>> night.holds(at("2026-11-25T06:59:59+01:00"))
        True
        """
        today = dt.datetime.fromtimestamp(now_ms / 1000, self.zone).date()
        # One that began yesterday may last until today.
        for day in (today - dt.timedelta(days=1), today):
            if day.weekday() not in self.days:
                continue
            last = day + dt.timedelta(days=int(self.begin + self.length >= DAY_MIN))
            begin_ms = moment_ms(day, self.begin, self.zone)
            if begin_ms <= now_ms < moment_ms(last, self.end, self.zone):
                return True
        return False

    def minutes(self) -> Iterator[int]:
        """Minutes of the week, from Monday's midnight, that it covers."""
        for day in self.days:
            start = day * DAY_MIN + self.begin
            for minute in range(start, start + self.length):
                yield minute % WEEK_MIN


def moment_ms(day: dt.date, minute: int, zone: ZoneInfo) -> int:
    """When the wall's clock shows a time first, epoch ms; when it is skipped: the skip.

    >>> berlin = ZoneInfo("Europe/Berlin")
    >>> spring, autumn = dt.date(2026, 3, 29), dt.date(2026, 10, 25)
    >>> when = lambda *a: dt.datetime.fromtimestamp(moment_ms(*a) / 1000, dt.UTC)
    >>> when(spring, 150, berlin).isoformat(), when(autumn, 150, berlin).isoformat()
    ('2026-03-29T01:00:00+00:00', '2026-10-25T00:30:00+00:00')
    """
    wall = dt.datetime.combine(day, dt.time(minute // 60, minute % 60))
    found = wall.replace(tzinfo=zone).astimezone(dt.UTC)
    if found.astimezone(zone).replace(tzinfo=None) != wall:
        found = _skip(wall, zone)
    return round(found.timestamp() * 1000)


def uncovered(shifts: Iterable[Shift]) -> tuple[int, int] | None:
    """The first minutes of the week in which no shift is; None where there is none.

    Returns:
        The first one and the one after the last, from Monday's midnight.
    """
    covered = {minute for shift in shifts for minute in shift.minutes()}
    first = next((m for m in range(WEEK_MIN) if m not in covered), None)
    if first is None:
        return None
    end = next((m for m in range(first, WEEK_MIN) if m in covered), WEEK_MIN)
    return first, end


def _skip(wall: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """The moment of the jump over a time that is never shown."""
    # PEP 495: with the offset after the jump it is before it, and the other way round.
    before = wall.replace(tzinfo=zone, fold=1).astimezone(dt.UTC)
    after = wall.replace(tzinfo=zone, fold=0).astimezone(dt.UTC)
    new = after.astimezone(zone).utcoffset()
    while after - before > dt.timedelta(seconds=1):
        half = before + (after - before) // 2
        if half.astimezone(zone).utcoffset() == new:
            after = half
        else:
            before = half
    return after.replace(microsecond=0)
