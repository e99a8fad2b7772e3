"""How often a caller may ask: a bucket of turns for each, which fills up again by itself."""

import math

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from icu_stream import clock


WINDOW_S = 60
MOST = 10_000  # callers that are remembered; then the one that asked longest ago goes


class Turn(NamedTuple):
    """What became of one.

    Attributes:
        is_free: There was one.
        left: Turns that are left.
        full_s: Seconds until all are there again.
        wait_s: Seconds until the next one; 0 when there is one now.
    """

    is_free: bool
    left: int
    full_s: int
    wait_s: int


class Pace:
    """Hands out turns.

    Args:
        most: Turns a minute, and at once.
        now_s: A clock that never goes back.
    """

    def __init__(
        self, most: int, now_s: Callable[[], float] = clock.monotonic_s
    ) -> None:
        self.most = most
        self._a_second = most / WINDOW_S
        self._now_s = now_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def turn(self, caller: str) -> Turn:
        """Take a turn, if there is one."""
        now_s = self._now_s()
        left, since_s = self._left.pop(caller, (float(self.most), now_s))
        left = min(float(self.most), left + (now_s - since_s) * self._a_second)
        is_free = left >= 1
        left -= is_free
        self._left[caller] = (left, now_s)
        if len(self._left) > MOST:
            self._left.popitem(last=False)
        wait_s = max(0.0, (1 - left) / self._a_second)
        full_s = (self.most - left) / self._a_second
        return Turn(is_free, int(left), math.ceil(full_s), math.ceil(wait_s))
