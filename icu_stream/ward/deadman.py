"""Does the chain live, from the monitors to this page? What says so is heard, not assumed.

Silence is the only sign of a hop that died, so each hop is asked all the time:

==========  ===========================================================================
hop         dead when
==========  ===========================================================================
`kafka`     it has not taken a test record (`canary.py`) for `TAKEN_MS`
`reading`   it took the record, and this view has not read it for `READ_MS`
`worker`    no worker has spoken for a partition for `WORKER_MS`; one speaks each second
`alerts`    a worker speaks, but the record's alarm has not come for `ANSWERED_MS`; or it
            says for `STUCK_MS` that it applies nothing of what a partition holds
==========  ===========================================================================

The first that holds is named, for what is behind it cannot be known. Test records leave
each `EVERY_MS`, one for each worker, to its partitions by turns: every partition at once
would make most of all alerts tests. So what fails for one partition is taken to fail for
every other that nothing newer speaks for. The longest wait and the longest silence together
stay below the 10 s in which the page must say it.

That the page's own socket died is for the page to see (assets/watchdog.js), and that the
monitors are silent is in the age of the vitals.

Pure: it is told what happened and when, and reads no clock.
"""

import math
import statistics

from collections import Counter, deque
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from icu_stream.contracts.heartbeats import Heartbeat
from icu_stream.contracts.pagers import PagerReport
from icu_stream.contracts.topics import HOUR_MS


EVERY_MS = 5_000
TAKEN_MS = 3_000
READ_MS = 3_000
ANSWERED_MS = 4_000
STUCK_MS = 5_000
# A worker speaks every second of each partition; a rebalance silences it for 1.5 s.
WORKER_MS = 8_500
# A pager speaks every 5 s. One that ends says no farewell, and is shown for an hour.
PAGER_MS = HOUR_MS
PAGER_SILENT_MS = 30_000

# How often the ages and lags of a status are looked at.
LOOK_MS = 1_000

_KEPT = 720  # an hour of round trips
_OUTSTANDING = 100


class Hop(StrEnum):
    """A part of the chain, as `frames.py` names it."""

    KAFKA = "kafka"
    READING = "reading"
    WORKER = "worker"
    ALERTS = "alerts"


# What a test record passes, one after the other.
_ORDER = (Hop.KAFKA, Hop.READING, Hop.ALERTS)


class Painted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a screen says on its socket when it has drawn a proof.

    Attributes:
        painted: The proof's number.
    """

    painted: int


_PAINTED = msgspec.json.Decoder(Painted)


class Trouble(NamedTuple):
    """A hop that is dead, and the partitions that it is dead for."""

    hop: Hop
    partitions: frozenset[int]


class Spread(NamedTuple):
    """Round trips of the last hour, ms; `n` is how many."""

    last: int
    p50: int
    p95: int
    n: int

    @classmethod
    def over(cls, times_ms: Iterable[int]) -> "Spread | None":
        """Of these; None of none."""
        known = list(times_ms)
        if not known:
            return None
        ordered = sorted(known)
        return cls(
            known[-1],
            round(statistics.median(ordered)),
            ordered[math.ceil(0.95 * len(ordered)) - 1],  # the nearest rank
            len(ordered),
        )


class _Way:
    """One partition's test records on their way."""

    def __init__(self) -> None:
        self.sent: dict[int, int] = {}  # number to when, oldest first
        self.reached = dict.fromkeys(_ORDER, 0)
        self.newest = 0

    def send(self, number: int, now_ms: int) -> None:
        self.sent[number] = now_ms
        self.newest = number
        if len(self.sent) > _OUTSTANDING:
            # The oldest says how long it lasts; the newest what comes next.
            del self.sent[list(self.sent)[1]]

    def reach(self, hop: Hop, number: int) -> None:
        # What is read was taken, and what is answered was read.
        for passed in _ORDER[: _ORDER.index(hop) + 1]:
            self.reached[passed] = max(self.reached[passed], number)
        done = self.reached[Hop.ALERTS]
        self.sent = {n: at for n, at in self.sent.items() if n > done}

    def missing(self, hop: Hop) -> tuple[int, int] | None:
        """The first record that has not come so far, and when it left."""
        return next(
            ((n, at) for n, at in self.sent.items() if n > self.reached[hop]), None
        )


class DeadMan:
    """What is known of each hop.

    Attributes:
        heard: When each topic last brought a message, by its name without the prefix.
        beats: The last word of a worker for each partition.
        pagers: The last word of each pager of the last hour, and when it came.
        proven: Number of the newest round of test records that all came back; 0: none.
        took_ms: How long that took, from Kafka's producer to the alert here.
        behind: Records that this view has not read yet.
    """

    def __init__(self) -> None:
        self.heard: dict[str, int] = {}
        self.beats: dict[int, Heartbeat] = {}
        self.pagers: dict[str, tuple[PagerReport, int]] = {}
        self.proven = 0
        self.took_ms = 0
        self.behind = 0
        self._beat_ms: dict[int, int] = {}
        self._moved_ms: dict[int, int] = {}
        self._listening_ms: int | None = None
        self._ways: dict[int, _Way] = {}
        self._rounds: dict[int, tuple[int, set[int]]] = {}
        self._trips: deque[int] = deque(maxlen=_KEPT)
        self._painted: deque[int] = deque(maxlen=_KEPT)
        self._proven_sent_ms = 0
        self._looked_ms = 0
        self._look: dict[str, int] = {}

    # --- what is heard

    def listen(self, now_ms: int) -> None:
        """Kafka is there from now on, and so may be what it keeps."""
        self._listening_ms = now_ms

    def beat(self, heartbeat: Heartbeat, arrived_ms: int) -> None:
        """Take the sign of life of one worker for one partition."""
        number = heartbeat.partition
        before = self.beats.get(number)
        is_done = not heartbeat.lag
        if is_done or before is None or heartbeat.applied != before.applied:
            self._moved_ms[number] = arrived_ms
        self.beats[number] = heartbeat
        self._beat_ms[number] = arrived_ms

    def hear_pager(self, report: PagerReport, arrived_ms: int) -> None:
        """Take what a pager says of itself; who is silent for an hour is forgotten."""
        self.pagers[report.pager] = report, arrived_ms
        self.pagers = {
            name: told
            for name, told in self.pagers.items()
            if arrived_ms - told[1] < PAGER_MS
        }

    def expect(self, partitions: Iterable[int]) -> None:
        """These are to be tested."""
        for partition in partitions:
            self._ways.setdefault(partition, _Way())

    def due(self) -> set[int]:
        """Partitions to be tested next: of each worker, the one tested longest ago.

        And each whose last test is missing: it may have been lost with what failed.
        """
        turns: dict[str, int] = {}
        missing = set()
        for partition, way in self._ways.items():
            worker = self._worker(partition)
            if worker not in turns or way.newest < self._ways[turns[worker]].newest:
                turns[worker] = partition
            if way.missing(Hop.ALERTS) is not None:
                missing.add(partition)
        return {*turns.values(), *missing}

    def send(self, number: int, partitions: Iterable[int], now_ms: int) -> None:
        """A round of test records leaves to some partitions, all of one number."""
        expected = set(partitions)
        for partition in expected:
            self._ways.setdefault(partition, _Way()).send(number, now_ms)
        self._rounds[number] = (now_ms, expected)
        while len(self._rounds) > _OUTSTANDING:
            del self._rounds[next(iter(self._rounds))]

    def reach(self, hop: Hop, partition: int, number: int, now_ms: int) -> None:
        """A test record has come through a hop; one that was never sent says nothing."""
        way = self._ways.get(partition)
        if way is None or number not in self._rounds:
            return
        way.reach(hop, number)
        if hop is not Hop.ALERTS:
            return
        sent_ms, missing = self._rounds[number]
        missing.discard(partition)
        if not missing and number > self.proven:
            self.proven, self.took_ms = number, max(0, now_ms - sent_ms)
            self._proven_sent_ms = sent_ms
            self._trips.append(self.took_ms)
            self._rounds = {n: r for n, r in self._rounds.items() if n > number}

    def paint(self, number: int, now_ms: int) -> None:
        """A screen has drawn a proof; of an older one it says so too late to be measured."""
        if number == self.proven:
            self._painted.append(max(0, now_ms - self._proven_sent_ms))

    def hear_screen(self, said: str | bytes, now_ms: int) -> bool:
        """Take what a screen says; False when it says something else."""
        try:
            painted = _PAINTED.decode(said)
        except (msgspec.MsgspecError, UnicodeError):
            return False
        self.paint(painted.painted, now_ms)
        return True

    # --- what is known

    def trouble(self, now_ms: int, occupied: Iterable[int] = ()) -> Trouble | None:
        """The first hop that is dead.

        Args:
            now_ms: When.
            occupied: Partitions that have patients: a worker must speak for them, too,
                when none ever has.
        """
        for hop, longest_ms in ((Hop.KAFKA, TAKEN_MS), (Hop.READING, READ_MS)):
            if late := self._late(hop, longest_ms, now_ms):
                return Trouble(hop, late)
        if silent := self._unwatched(now_ms, occupied):
            return Trouble(Hop.WORKER, silent)
        late = self._late(Hop.ALERTS, ANSWERED_MS, now_ms) | self._stuck()
        return Trouble(Hop.ALERTS, late) if late else None

    def dead(self, now_ms: int, occupied: Iterable[int]) -> frozenset[int]:
        """Partitions whose patients' alarms are not known to run."""
        trouble = self.trouble(now_ms, occupied)
        return frozenset() if trouble is None else trouble.partitions

    def silent_ms(self, partition: int, now_ms: int) -> int:
        """Since when no worker has spoken for a partition; since the epoch if never."""
        return abs(now_ms - self._beat_ms.get(partition, 0))

    @property
    def trips(self) -> Spread | None:
        """From producing to the alert being here."""
        return Spread.over(self._trips)

    @property
    def painted(self) -> Spread | None:
        """From producing to the proof being on a screen, by what the pages say."""
        return Spread.over(self._painted)

    def waits_ms(self, now_ms: int) -> dict[int, int]:
        """How long the alarm of a partition's test has been awaited; 0 when it is not."""
        missing = {p: way.missing(Hop.ALERTS) for p, way in self._ways.items()}
        return {p: max(0, now_ms - m[1]) if m else 0 for p, m in missing.items()}

    def row(self, now_ms: int, occupied: Iterable[int]) -> dict[str, Any]:
        """The status that every page gets: see `frames.py`.

        Args:
            now_ms: When.
            occupied: The partition of each patient.
        """
        places = Counter(occupied)
        trouble = self.trouble(now_ms, places)
        dead = trouble and {
            "h": trouble.hop,
            "n": sum(places[partition] for partition in trouble.partitions),
        }
        if not 0 <= now_ms - self._looked_ms < LOOK_MS:
            # Ages change all the time; a frame of every one of their milliseconds would not
            # be read, and each change is sent to every page.
            self._looked_ms = now_ms
            silent = (self.silent_ms(p, now_ms) for p in self.beats)
            self._look = {
                "hb": round(max(silent, default=0) / 1000),
                "lag": sum(beat.lag for beat in self.beats.values()),
            }
        return {"dead": dead, "k": self.proven, "ms": self.took_ms, **self._look}

    def _unwatched(self, now_ms: int, occupied: Iterable[int]) -> frozenset[int]:
        if self._listening_ms is None or now_ms - self._listening_ms < WORKER_MS:
            return frozenset()
        known = {*self._ways, *self._beat_ms, *occupied}
        return frozenset(p for p in known if self.silent_ms(p, now_ms) > WORKER_MS)

    def _late(self, hop: Hop, longest_ms: int, now_ms: int) -> frozenset[int]:
        """Partitions whose test is missing, and those of which nothing newer is known."""
        first: dict[str, int] = {}
        late = set()
        for partition, way in self._ways.items():
            missing = way.missing(hop)
            if missing is not None and now_ms - missing[1] > longest_ms:
                late.add(partition)
                owner = self._owner(hop, partition)
                first[owner] = min(missing[0], first.get(owner, missing[0]))
        for partition, way in self._ways.items():
            number = first.get(self._owner(hop, partition))
            if number is not None and way.reached[hop] < number:
                late.add(partition)
        return frozenset(late)

    def _stuck(self) -> frozenset[int]:
        """Partitions whose worker says that it does not apply what there is."""
        return frozenset(
            p for p, at in self._moved_ms.items() if self._beat_ms[p] - at > STUCK_MS
        )

    def _owner(self, hop: Hop, partition: int) -> str:
        """Who may have failed with this partition's test: its worker, else all of Kafka."""
        return self._worker(partition) if hop is Hop.ALERTS else ""

    def _worker(self, partition: int) -> str:
        beat = self.beats.get(partition)
        return "" if beat is None else beat.worker
