"""The ward view's what-if: a backtest of one changed limit on the ward's own past.

It is the `Runner` that the page is given: processes with the lowest standing do the work,
never the one that makes the frames.
"""

import dataclasses
import os
import threading

from collections.abc import Callable, Iterator, Sequence

import msgspec

from icu_stream import clock
from icu_stream.access.whatif import (
    Answer,
    Code,
    Example,
    Figure,
    Mark,
    Question,
    Source,
    Span,
)
from icu_stream.contracts.alerts import Priority
from icu_stream.contracts.topics import HOUR_MS
from icu_stream.domain import personal
from icu_stream.domain.limits import Rules
from icu_stream.domain.patient import Own
from icu_stream.errors import ConfigurationError
from icu_stream.evaluation import backtest, findings, logs, outcomes
from icu_stream.evaluation.backtest import Progress, Result
from icu_stream.evaluation.outcomes import Knowledge, Outcomes
from icu_stream.evaluation.strips import Strip
from icu_stream.evaluation.tally import Judged, ProfileTally
from icu_stream.evaluation.trial import Episode
from icu_stream.settings import Settings
from icu_stream.sources import simulator
from icu_stream.sources.truth import truth


NICE = 19
# Ours: each story once, at some bed; the truth of it is known.
_SIMULATED_BEDS = 10
_SIMULATED_S = 3_600
_EXAMPLES = 4
_CODES = 10
# An alarm with other limits begins earlier or later; it is the same when it holds at a
# moment at which the other one began, or begins within so much of it (ours).
_NEAR_MS = 60_000
_WORTH = "called worth it"


class Whatif:
    """Answers the page's questions.

    Args:
        settings: Where Kafka is.
        rules: The ward's profile.
    """

    def __init__(self, settings: Settings, rules: Rules) -> None:
        self._settings = settings
        self._rules = rules

    def run(
        self,
        question: Question,
        *,
        progress: Callable[[float], None],
        cancel: threading.Event,
    ) -> Answer:
        """Work an answer out; see `icu_stream.access.whatif.Runner`.

        Raises:
            ConfigurationError: The change is not allowed, or there is nothing to read.
            StoppedError: It was cancelled.
        """
        log, known = self._log(question)

        def tell(told: Progress) -> None:
            progress(told.share)

        result = backtest.run(
            log,
            [self._rules, changed(self._rules, question)],
            outcomes=known,
            progress=tell,
            cancel=cancel,
            # One core is the ward's.
            processes=max(1, len(os.sched_getaffinity(0)) - 1),
            nice=NICE,
        )
        if not result.seen.patients:
            msg = f"{log.title}: nothing of these patients is in it"
            raise ConfigurationError(msg)
        return _answer(question, result)

    def _log(self, question: Question) -> tuple[logs.Log, Outcomes | None]:
        if question.source is Source.SIMULATED:
            ward = logs.SimulatedWard(
                _SIMULATED_BEDS,
                _SIMULATED_S,
                happenings=simulator.stories("all", _SIMULATED_BEDS),
            )
            lines = truth(ward.ward(), until_s=_SIMULATED_S, live=True)
            told = outcomes.told([one for _, one in lines], "the truth of its stories")
            return ward, told
        from_ms = clock.now_ms() - question.hours * HOUR_MS
        # The demo's broker does not know offsets by time; it keeps little.
        is_embedded = self._settings.broker_kind == "embedded"
        topic = logs.Topic(
            self._settings,
            None if is_embedded else from_ms,
            patients=frozenset(question.patients),
        )
        return topic, _worth(question.worth)


def changed(rules: Rules, question: Question) -> Rules:
    """The profile with the change, as one patient's own limits may be moved.

    Raises:
        ConfigurationError: It goes too far, or contradicts the other limits.
    """
    change = question.change
    delay_ms = None if change.delay_s is None else round(1000 * change.delay_s)
    own = {change.code: Own(change.limit, delay_ms)}
    if (reason := personal.refused(rules, own)) is not None:
        raise ConfigurationError(reason)
    # For whom it is a profile: a patient's own limits are moved from there.
    return dataclasses.replace(personal.moved(rules, own), base=None)


# --- what must not be missed


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """Alarms that people called worth it, as events that must not be missed.

    Attributes:
        by_patient: Of each patient.
    """

    by_patient: dict[str, list[Mark]]
    title: str = "what people said of alarms"
    knowledge: Knowledge = Knowledge.TRUTH

    def judge(self, patient_id: str, episodes: Sequence[Episode]) -> Judged | None:
        """Is there an alarm of the code at, or soon after, each of them?"""
        judged = Judged()
        for mark in self.by_patient.get(patient_id, []):
            _count(judged.total)
            is_there = any(
                episode.code == mark.code
                and episode.onset <= mark.onset + _NEAR_MS
                and (episode.ended is None or episode.ended >= mark.onset)
                for episode in episodes
            )
            _count(judged.caught if is_there else judged.missed)
        return judged


def _count(counts: dict[str, int]) -> None:
    counts[_WORTH] = counts.get(_WORTH, 0) + 1


def _worth(marks: Sequence[Mark]) -> Worth | None:
    by_patient: dict[str, list[Mark]] = {}
    for mark in marks:
        by_patient.setdefault(mark.patient_id, []).append(mark)
    return Worth(by_patient=by_patient) if by_patient else None


# --- what came of it


def _answer(question: Question, result: Result) -> Answer:
    before, after = (profile.tally for profile in result.profiles)
    limits = [
        next((s.limit for s in p.settings if s.code == question.change.code), None)
        for p in result.profiles
    ]
    is_simulated = question.source is Source.SIMULATED
    return Answer(
        question=question,
        read=result.source,
        patients=result.seen.patients,
        days=result.seen.days,
        figures=list(_figures(before, after)),
        codes=list(_codes(before, after))[:_CODES],
        notes=findings.notes(result, truth=is_simulated),
        examples=[
            _example(strip, (limits[0], limits[1]), question)
            for strip in result.strips[:_EXAMPLES]
        ],
    )


def _figures(before: ProfileTally, after: ProfileTally) -> Iterator[Figure]:
    def figure(name: str, of: Callable[[ProfileTally], float]) -> Figure:
        return Figure(name=name, before=of(before), after=of(after))

    yield figure("alarms", lambda t: t.alarms())
    for priority in Priority:
        yield figure(priority.value, lambda t, p=priority: t.alarms(p))  # type: ignore[misc]
    yield figure("sounds", lambda t: t.annunciations())
    yield figure("minutes", lambda t: t.holding_ms.get("any", 0) / 60_000)
    if before.judged is None or after.judged is None:
        return
    for name in ("caught", "late", "missed"):
        yield Figure(
            name=name,
            before=sum(getattr(before.judged, name).values()),
            after=sum(getattr(after.judged, name).values()),
            is_harm=name != "caught",
        )


def _codes(before: ProfileTally, after: ProfileTally) -> Iterator[Code]:
    def count(tally: ProfileTally, code: str) -> int:
        known = tally.codes.get(code)
        return 0 if known is None else sum(known.alarms.values())

    codes = [
        Code(code=code, before=count(before, code), after=count(after, code))
        for code in sorted(before.codes.keys() | after.codes.keys())
    ]
    differing = [code for code in codes if code.before != code.after]
    yield from sorted(differing, key=lambda c: (-abs(c.before - c.after), c.code))


def _example(
    strip: Strip, limits: tuple[float | None, float | None], question: Question
) -> Example:
    told = strip.candidate
    is_moved = told.code == question.change.code

    def spans(episodes: Sequence[Episode]) -> list[Span]:
        return [
            Span(e.raised, min(e.end(told.to_ms), told.to_ms), str(e.last_priority))
            for e in episodes
            if e.code == told.code
        ]

    return Example(
        patient_id=told.patient_id,
        code=told.code,
        signal=told.signal,
        change=str(told.change),
        shift_ms=told.shift_ms,
        times=strip.times,
        values=strip.values,
        before=spans(told.before),
        after=spans(told.after),
        limits=limits if is_moved else (None, None),
    )
