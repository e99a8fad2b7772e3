"""Does paging itself live? Asked all the time, since silence is the only sign that it does not.

==========  ===========================================================================
hop         in trouble when, for `SILENT_MS`
==========  ===========================================================================
`worker`    no worker has spoken for a partition; each speaks every second
`lag`       a worker has more to apply each time, or no less: its alarms come too late
`store`     PostgreSQL has not answered
`alerts`    this pager has read none of the alerts that Kafka has, or nothing from Kafka
`pages`     a page that is due has not been tried
==========  ===========================================================================

A trouble is over when it has not been one for `STEADY_MS`. What is told goes out by the
second channel (`backup.py`), past the outbox, which may be what has failed. That the pager's
own process is gone it cannot tell: run two, or have its `/healthz` watched.

Pure: it is told what happened and when, and reads no clock.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from icu_stream.contracts.heartbeats import Heartbeat


# Issue: "no heartbeats or growing lag for 30 s".
SILENT_MS = 30_000
# Ours: what comes and goes is one trouble.
STEADY_MS = 5_000


class Hop(StrEnum):
    """A part of the way from a worker to a page."""

    WORKER = "worker"
    LAG = "lag"
    STORE = "store"
    ALERTS = "alerts"
    PAGES = "pages"


# One sentence each, for somebody who is woken by it.
TEXTS = {
    Hop.WORKER: "no worker speaks for partitions {where}: their alarms may not come",
    Hop.LAG: "a worker falls behind on partitions {where}: their alarms come late",
    Hop.STORE: "the pager's PostgreSQL does not answer: nobody is paged",
    Hop.ALERTS: "the pager reads no alerts from Kafka: nobody is paged",
    Hop.PAGES: "pages wait and are not sent: see the pager's log",
}


class Change(NamedTuple):
    """A trouble that began, or is over.

    Attributes:
        hop: Where.
        text: What to tell; empty: it is over.
    """

    hop: Hop
    text: str


class DeadMan:
    """What is known of each hop.

    Args:
        now_ms: When it began to listen.
        partitions: For which a worker must speak.
    """

    def __init__(self, now_ms: int, partitions: int) -> None:
        self._beat_ms = dict.fromkeys(range(partitions), now_ms)
        self._fallen_ms = dict.fromkeys(range(partitions), now_ms)
        self._lags: dict[int, int] = {}
        self._well_ms = dict.fromkeys((Hop.STORE, Hop.ALERTS, Hop.PAGES), now_ms)
        self._bad_ms: dict[Hop, int] = {}
        self.troubles: set[Hop] = set()

    # --- what is heard

    def beat(self, heartbeat: Heartbeat, now_ms: int) -> None:
        """A worker speaks for one partition."""
        number, lag = heartbeat.partition, heartbeat.lag
        self._beat_ms[number] = now_ms
        if lag == 0 or lag < self._lags.get(number, lag):
            self._fallen_ms[number] = now_ms
        self._lags[number] = lag

    def well(self, hop: Hop, now_ms: int) -> None:
        """PostgreSQL has answered; alerts were read; pages go out."""
        self._well_ms[hop] = now_ms

    # --- what is known

    def changes(self, now_ms: int) -> list[Change]:
        """Troubles that began or ended since this was asked last."""
        changes = []
        bad = self._bad(now_ms)
        for hop, where in bad.items():
            self._bad_ms[hop] = now_ms
            if hop not in self.troubles:
                self.troubles.add(hop)
                changes.append(Change(hop, TEXTS[hop].format(where=_listed(where))))
        for hop in sorted(self.troubles - bad.keys()):
            if now_ms - self._bad_ms[hop] >= STEADY_MS:
                self.troubles.discard(hop)
                changes.append(Change(hop, ""))
        return changes

    def _bad(self, now_ms: int) -> dict[Hop, list[int]]:
        bad: dict[Hop, list[int]] = {}
        silent = _older(self._beat_ms, now_ms)
        if silent:
            bad[Hop.WORKER] = silent
        behind = [p for p in _older(self._fallen_ms, now_ms) if p not in silent]
        if behind:
            bad[Hop.LAG] = behind
        for hop, at in self._well_ms.items():
            if now_ms - at >= SILENT_MS:
                bad[hop] = []
        if Hop.STORE in bad:
            # What waits for the store is no trouble of its own, nor is it right after.
            for hop in {Hop.ALERTS, Hop.PAGES} - self.troubles:
                self._well_ms[hop] = now_ms
                bad.pop(hop, None)
        return bad


def _older(moments: dict[int, int], now_ms: int) -> list[int]:
    return sorted(p for p, at in moments.items() if now_ms - at >= SILENT_MS)


def _listed(numbers: Iterable[int]) -> str:
    """Numbers as a person writes them.

    >>> _listed([0, 1, 2, 5, 7, 8])
    '0-2, 5, 7, 8'
    """
    rows: list[list[int]] = []
    for number in numbers:
        if rows and rows[-1][-1] == number - 1:
            rows[-1].append(number)
        else:
            rows.append([number])
    return ", ".join(
        f"{row[0]}-{row[-1]}" if len(row) > 2 else ", ".join(map(str, row))
        for row in rows
    )
