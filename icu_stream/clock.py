"""The only reader of the clock; everything else takes the time as an argument."""

import time


def now_ms() -> int:
    """Milliseconds since the epoch, UTC, by this machine's wall clock."""
    return time.time_ns() // 1_000_000


def monotonic_s() -> float:
    """Seconds of a clock that never goes back: for durations, never for records."""
    return time.monotonic()
