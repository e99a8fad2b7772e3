"""Speed and start of a source: how measurement time and wall clock go together."""

import asyncio
import contextlib
import math

from datetime import UTC, datetime

from icu_stream import clock
from icu_stream.contracts import envelope
from icu_stream.contracts.envelope import Headers
from icu_stream.errors import ConfigurationError


# Shorter waits are not slept: a timer of the event loop is about that exact.
GRAIN_S = 0.002


def speed(text: str) -> float:
    """Read a speed: a multiple of real time, or `max` (infinite).

    Raises:
        ConfigurationError: Neither a positive number nor `max`.

    >>> speed("60"), speed("max")
    (60.0, inf)
    """
    if text == "max":
        return math.inf
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        msg = f"speed {text!r}: want a number above 0 (60 = 60 times real time) or max"
        raise ConfigurationError(msg)
    return value


def start(text: str) -> int | None:
    """Read a start: `now` and `original` are None, an ISO moment is epoch ms UTC.

    A moment without a zone is UTC.

    Raises:
        ConfigurationError: No moment.

    >>> start("2026-11-24T03:55:41Z")
    1795492541000
    """
    if text in {"now", "original"}:
        return None
    return moment("start", text, besides="now, original or ")


def moment(what: str, text: str, *, besides: str = "") -> int:
    """Read an ISO moment as epoch ms UTC; without a zone it is UTC.

    Args:
        what: Whose value it is, for the refusal.
        text: The moment.
        besides: What is allowed, too, for the refusal.

    Raises:
        ConfigurationError: No moment.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{what} {text!r}: want {besides}a moment like 2026-11-24T08:00Z"
        raise ConfigurationError(msg) from None
    if read.tzinfo is None:
        read = read.replace(tzinfo=UTC)
    return round(read.timestamp() * 1000)


def headers(live: bool, speed: float) -> Headers:
    """Headers of a source's records: what is not live is marked as a replay."""
    if live:
        return []
    told = "max" if math.isinf(speed) else f"{speed:g}"
    return [(envelope.REPLAY, told.encode())]


class Pace:
    """Tells a source how long to wait.

    Measurement time `anchor_ms` is now; from then on it goes `speed` times as fast as
    the wall clock.

    Attributes:
        speed: Measured seconds a second.
        unbounded: As fast as it goes: nothing ever waits.
    """

    def __init__(self, speed: float, anchor_ms: int, stop: asyncio.Event) -> None:
        self.unbounded = math.isinf(speed)
        self.speed = speed
        self._anchor_ms = anchor_ms
        self._anchor_s = clock.monotonic_s()
        self._stop = stop

    def wait_s(self, time_ms: float) -> float:
        """Seconds until a message of this measurement time is due; 0 when it is."""
        if self.unbounded:
            return 0.0
        due_s = self._anchor_s + (time_ms - self._anchor_ms) / 1000 / self.speed
        wait_s = due_s - clock.monotonic_s()
        return wait_s if wait_s > GRAIN_S else 0.0

    async def sleep(self, wait_s: float) -> bool:
        """Wait; True, and at once, when the source shall stop.

        A wait of 0 lets the event loop do what else is due.
        """
        if not wait_s:
            await asyncio.sleep(0)
            return self._stop.is_set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), wait_s)
        return self._stop.is_set()
