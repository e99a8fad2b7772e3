"""Other limits and delays on a log that is past: what would have been alarmed.

`run` steps every patient of a log through the same core as the live worker, once for each
profile, and adds up what was said. A patient is counted in one process from first to
last, and everything that is added is a whole number, so the result is the same with any
number of processes.
"""

import os
import threading

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from icu_stream.contracts.alerts import Priority
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain.limits import Condition, Rules
from icu_stream.evaluation import delays, pool, strips
from icu_stream.evaluation.delays import Sweep
from icu_stream.evaluation.logs import End, Log, Part, Record, Unreadable
from icu_stream.evaluation.outcomes import Knowledge, Outcomes
from icu_stream.evaluation.strips import Candidate, Strip
from icu_stream.evaluation.tally import MOST_REASONS, SPACINGS_S, ProfileTally, Seen
from icu_stream.evaluation.trial import Trial, without_statements


# Records between two words about progress.
_STRIDE = 2000


class Progress(msgspec.Struct, kw_only=True):
    """How far a backtest has come.

    Attributes:
        records: Read so far.
        records_total: Of all; 0 where nobody knows before the end.
        parts: Done so far.
        parts_total: Of all.
    """

    records: int = 0
    records_total: int = 0
    parts: int = 0
    parts_total: int = 0

    @property
    def share(self) -> float:
        """0 to 1."""
        if self.parts == self.parts_total:
            return 1.0
        if self.records_total:
            return min(1.0, self.records / self.records_total)
        return self.parts / self.parts_total


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One limit of a profile.

    Attributes:
        code: Of its alarm.
        signal: Whose limit.
        condition: On which side a value violates it.
        limit: In the signal's unit.
        delay_s: How long the condition must hold.
        priority: When it is raised.
        longest_delay_s: The longest delay that anybody may set; None = not said.
        source: Where the numbers come from.
    """

    code: str
    signal: str
    condition: Condition
    limit: float
    delay_s: float
    priority: Priority
    longest_delay_s: float | None = None
    source: str


class ProfileResult(msgspec.Struct, kw_only=True):
    """What one profile would have said.

    Attributes:
        label: Its name and version, and a number where two are the same.
        settings: Its limits.
        tally: What was counted.
    """

    label: str
    settings: list[Setting]
    tally: ProfileTally


class Point(msgspec.Struct, kw_only=True):
    """One delay of a curve."""

    x: float
    tally: ProfileTally


class Curve(msgspec.Struct, kw_only=True):
    """Alarms by delay.

    Attributes:
        sweep: Which delays, and what they become.
        label: Of the profile whose delays these are.
        points: In the order of the sweep.
    """

    sweep: Sweep
    label: str
    points: list[Point]


class Result(msgspec.Struct, kw_only=True):
    """What came of it.

    Attributes:
        source: What was read.
        is_live: People's commands and live arrivals were in it.
        outcomes: What is known to be true, in one line; empty = nothing.
        knowledge: How much that is; None = nothing.
        seen: What was read, counted.
        profiles: In the order in which they were given.
        curves: One a sweep.
        strips: Where the profiles after the first differ from it.
    """

    source: str
    is_live: bool
    outcomes: str
    knowledge: Knowledge | None
    seen: Seen
    profiles: list[ProfileResult]
    curves: list[Curve]
    strips: list[Strip]


class Job(NamedTuple):
    """What every process must know.

    Attributes:
        rules: One for each trial: the profiles, then all points of all sweeps.
        compared: So many of them are profiles.
        outcomes: What is true, if that is known.
    """

    rules: list[Rules]
    compared: int
    outcomes: Outcomes | None


class Counted(msgspec.Struct):
    """What some patients add to the result."""

    seen: Seen
    tallies: list[ProfileTally]
    candidates: list[Candidate]

    def add(self, other: "Counted") -> None:
        """Count what the other has counted, too."""
        self.seen.add(other.seen)
        for mine, theirs in zip(self.tallies, other.tallies, strict=True):
            mine.add(theirs)
        self.candidates = strips.fewest([*self.candidates, *other.candidates])


def run(
    log: Log,
    profiles: Sequence[Rules],
    *,
    sweeps: Sequence[Sweep] = (),
    outcomes: Outcomes | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    cancel: threading.Event | None = None,
    processes: int | None = None,
    nice: int = 0,
) -> Result:
    """Step a log through the core under each profile.

    May be called from any thread; does not touch signals, and reads no settings.

    Args:
        log: What to read.
        profiles: At least one; the first is what the others are compared with.
        sweeps: Curves of the first profile's delays.
        outcomes: What is known to be true.
        progress: Is told each few thousand records, in the calling thread.
        cancel: Set it, from any thread, to stop.
        processes: How many; None for as many as this process may use cores.
        nice: How far they stand back for others, 0 to 19; above 0, none is this one.

    Raises:
        ConfigurationError: The log or a sweep is not as it must be.
        StoppedError: It was cancelled.
        WorkerLostError: A process was killed.
    """
    stop = threading.Event() if cancel is None else cancel
    workers = len(os.sched_getaffinity(0)) if processes is None else processes
    points = [delays.variants(profiles[0], sweep) for sweep in sweeps]
    rules = [*profiles, *(variant for own in points for variant in own)]
    job = Job([without_statements(r) for r in rules], len(profiles), outcomes)
    parts = log.parts(workers)
    told = Progress(
        parts_total=len(parts),
        records_total=_total(part.records_total for part in parts),
    )

    def tell(records: int, done: int) -> None:
        told.records += records
        told.parts += done
        progress(told)

    counted = _empty(job)

    def work(function: pool.Work, tasks: list[Any], tell_: pool.Telling) -> list[Any]:
        return pool.work(
            function,
            job,
            tasks,
            processes=workers,
            tell=tell_,
            cancel=stop,
            nice=nice,
        )

    for one in work(count, list(enumerate(parts)), tell):
        counted.add(one)
    shown = _shown(counted, parts, work)
    tallies = iter(counted.tallies)
    named = [
        ProfileResult(label=label, settings=_settings(rules), tally=next(tallies))
        for label, rules in zip(_labels(profiles), profiles, strict=True)
    ]
    curves = [
        Curve(
            sweep=sweep,
            label=profiles[0].label,
            points=[Point(x=x, tally=next(tallies)) for x in sweep.values],
        )
        for sweep in sweeps
    ]
    return Result(
        source=log.title,
        is_live=log.is_live,
        outcomes="" if outcomes is None else outcomes.title,
        knowledge=None if outcomes is None else outcomes.knowledge,
        seen=counted.seen,
        profiles=named,
        curves=curves,
        strips=shown,
    )


def count(job: Job, numbered: tuple[int, Part], tell: pool.Tell) -> Counted:
    """Step the patients of one part and count what was said."""
    number, part = numbered
    counted = _empty(job)
    courses: dict[str, _Course] = {}
    done = 0
    for read in part.read():
        done += 1
        if done == _STRIDE:
            tell(done)
            done = 0
        if isinstance(read, Unreadable):
            counted.seen.unreadable += 1
            if len(counted.seen.reasons) < MOST_REASONS:
                counted.seen.reasons.append(read.reason)
        elif isinstance(read, End):
            for course in courses.values():
                course.pass_time(read.arrived_ms)
        else:
            course_or_none = courses.get(read.patient_id)
            if course_or_none is None:
                course_or_none = courses[read.patient_id] = _Course(
                    read.patient_id, job
                )
            course_or_none.take(read)
    tell(done)
    # In the order of their names: parts, too, must not depend on what came first.
    for patient_id in sorted(courses):
        counted.add(courses.pop(patient_id).closed(job, number))
    return counted


class _Course:
    """One patient, under every profile."""

    def __init__(self, patient_id: str, job: Job) -> None:
        self.patient_id = patient_id
        self._trials = [Trial(patient_id, rules) for rules in job.rules]
        self._seen = Seen()
        self._signals: dict[str, int] = {}
        self._spacings = [0] * len(SPACINGS_S)
        self._first_ms = 0
        self._last_ms = 0
        self._interval_ms = 1000

    def take(self, record: Record) -> None:
        message = record.message
        if isinstance(message, Vitals):
            self._see(message)
        else:
            self._seen.commands += 1
        for trial in self._trials:
            trial.take(record)

    def _see(self, vitals: Vitals) -> None:
        seen, signals, time = self._seen, self._signals, vitals.time
        seen.messages += 1
        for code in vitals.values:
            signals[code] = signals.get(code, 0) + 1
        interval_s = vitals.interval_s or 1.0
        for place, edge in enumerate(SPACINGS_S):
            if interval_s <= edge:
                self._spacings[place] += 1
                break
        if time > self._last_ms:
            self._last_ms = time
            self._interval_ms = round(interval_s * 1000)
        if not self._first_ms or time < self._first_ms:
            self._first_ms = time

    def pass_time(self, arrived_ms: int) -> None:
        for trial in self._trials:
            trial.pass_time(arrived_ms)

    def closed(self, job: Job, part: int) -> Counted:
        """What this patient adds; the log has ended."""
        seen = self._seen
        seen.patients = 1
        seen.signals = self._signals
        seen.values = sum(self._signals.values())
        seen.spacings = {
            f"{edge:g}": number
            for edge, number in zip(SPACINGS_S, self._spacings, strict=True)
            if number
        }
        end = self._last_ms + self._interval_ms
        seen.monitored_ms = end - self._first_ms if self._first_ms else 0
        for trial in self._trials:
            trial.close(end)
            if job.outcomes is not None:
                trial.tally.judged = job.outcomes.judge(self.patient_id, trial.episodes)
        return Counted(
            seen,
            [trial.tally for trial in self._trials],
            list(self._candidates(job, part, end)),
        )

    def _candidates(self, job: Job, part: int, end: int) -> Iterator[Candidate]:
        first, *others = self._trials[: job.compared]
        for profile, other in enumerate(others, 1):
            yield from strips.candidates(
                self.patient_id,
                part,
                profile,
                first.episodes,
                other.episodes,
                interval_ms=self._interval_ms,
                log_end=end,
            )


def _shown(
    counted: Counted,
    parts: Sequence[Part],
    work: Callable[[pool.Work, list[Any], pool.Telling], list[Any]],
) -> list[Strip]:
    """Read again what the examples show."""
    by_part: dict[int, list[tuple[int, Candidate]]] = {}
    for number, candidate in enumerate(strips.chosen(counted.candidates)):
        by_part.setdefault(candidate.part, []).append((number, candidate))
    tasks = [(parts[part], wanted) for part, wanted in sorted(by_part.items())]
    found: dict[int, Strip] = {}
    for filled in work(_fill, tasks, lambda *_: None):
        found |= filled
    return [found[number] for number in sorted(found)]


def _fill(
    _: Job, task: tuple[Part, list[tuple[int, Candidate]]], tell: pool.Tell
) -> dict[int, Strip]:
    part, wanted = task

    def records() -> Iterator[object]:
        spans = [candidate.span for _, candidate in wanted]
        for number, record in enumerate(part.read(spans)):
            if number % _STRIDE == 0:
                tell(0)
            yield record

    return strips.filled(wanted, records())


def _empty(job: Job) -> Counted:
    return Counted(Seen(), [ProfileTally() for _ in job.rules], [])


def _total(records: Iterator[int]) -> int:
    """The sum, or 0 where one of them is not known."""
    numbers = list(records)
    return sum(numbers) if all(numbers) else 0


def _settings(rules: Rules) -> list[Setting]:
    return [
        Setting(
            code=row.code,
            signal=row.signal,
            condition=row.condition,
            limit=row.limit,
            delay_s=row.delay_ms / 1000,
            priority=row.priority,
            longest_delay_s=None
            if row.longest_delay_ms is None
            else row.longest_delay_ms / 1000,
            source=row.source,
        )
        for row in rules.rows.values()
        if row.signal is not None
        and row.condition is not None
        and row.limit is not None
    ]


def _labels(profiles: Sequence[Rules]) -> list[str]:
    """Names and versions, numbered where two are the same."""
    labels = [rules.label for rules in profiles]
    return [
        label
        if labels.count(label) == 1
        else f"{label} ({labels[: n + 1].count(label)})"
        for n, label in enumerate(labels)
    ]
