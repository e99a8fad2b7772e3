"""How often somebody may try to sign in: a wait that grows with each failure.

Three counts, each with its own patience: a name tried from one address, an address, and a
name from anywhere. A wait never grows beyond half a minute and is forgotten after a quarter
of an hour without a failure, so that nobody can lock a ward out for ever: a name that is
under attack from elsewhere still signs in at its own station within seconds.
"""

import math

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from icu_stream import clock


class Patience(NamedTuple):
    """One count's rule.

    Attributes:
        free: Failures that cost nothing.
        longest_s: The longest wait.
    """

    free: int
    longest_s: float


# Ours. A ward behind a proxy that is not trusted is one address: it gets more.
PAIR = Patience(5, 30)
ADDRESS = Patience(30, 10)
NAME = Patience(30, 5)
FORGOTTEN_S = 900
MOST = 10_000  # counts that are kept; then the oldest go


class _Count(NamedTuple):
    failures: int
    last_s: float
    until_s: float


_NONE = _Count(0, -math.inf, -math.inf)


class Limiter:
    """Counts failures; keeps at most `MOST` counts.

    Args:
        now_s: A clock that never goes back.
    """

    def __init__(self, now_s: Callable[[], float] = clock.monotonic_s) -> None:
        self._now_s = now_s
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()

    def attempt(self, name: str, address: str) -> float:
        """Count a try as a failure, until it has succeeded; tries at once are all counted.

        Returns:
            How long to wait before the next try, s; 0: go on. A try that has to wait is
            not counted.
        """
        now_s = self._now_s()
        counted = _counted(name, address)
        wait_s = (
            max(self._counts.get(what, _NONE).until_s for what, _ in counted) - now_s
        )
        if wait_s > 0:
            return wait_s
        for what, patience in counted:
            count = self._counts.pop(what, _NONE)
            is_forgotten = now_s - count.last_s > FORGOTTEN_S
            failures = 1 if is_forgotten else count.failures + 1
            over = min(failures - patience.free, 10)
            wait_s = min(2.0**over, patience.longest_s) if over > 0 else 0.0
            self._counts[what] = _Count(failures, now_s, now_s + wait_s)
        while len(self._counts) > MOST:
            self._counts.popitem(last=False)
        return 0.0

    def succeeded(self, name: str, address: str) -> None:
        """Take back the try that was counted, and the failures of this name at this address."""
        counted = _counted(name, address)
        for what, _ in counted:
            count = self._counts.get(what, _NONE)
            if count.failures > 1 and what != (address, name):
                self._counts[what] = count._replace(
                    failures=count.failures - 1, until_s=count.last_s
                )
            else:
                self._counts.pop(what, None)

    def __len__(self) -> int:
        return len(self._counts)


def _counted(name: str, address: str) -> list[tuple[tuple[str, str], Patience]]:
    """What a try counts for. A link has no name."""
    rows = [((address, ""), ADDRESS)]
    if name:
        rows = [((address, name), PAIR), *rows, (("", name), NAME)]
    return rows
