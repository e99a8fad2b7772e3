"""What another limit would have alarmed: the question, the answer, and the runs under way.

Neither ward nor API knows the evaluation. Who works an answer out is a `Runner`, which comes
in from outside (`cli.py`), works in processes of its own that stand back for everybody else,
and can be stopped. One person has one run at a time, and there are at most `MOST_RUNS`.
"""

import threading
import uuid

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import msgspec

from icu_stream.contracts.commands import LimitChange
from icu_stream.errors import IcuStreamError
from icu_stream.observability import log


# Ours: each takes a core as far as nobody else wants it, and some 200 MB.
MOST_RUNS = 2


class Source(StrEnum):
    """What is read."""

    TOPIC = "topic"
    SIMULATED = "simulated"


class Mark(msgspec.Struct, frozen=True):
    """An alarm that somebody called worth it."""

    patient_id: str
    code: str
    onset: int


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked.

    Attributes:
        source: What is read.
        patients: Whose past; of a simulated ward, none.
        title: Whose, in words.
        hours: How far back, to now.
        change: What would have been different.
        worth: Alarms of these patients that people called worth it.
    """

    source: Source
    patients: list[str]
    title: str
    hours: int
    change: LimitChange
    worth: list[Mark] = []


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number, under the profile and with the change.

    Attributes:
        name: A word of the catalogue, below `whatif.figure`.
        before: Under the profile.
        after: With the change.
        is_harm: More of it is worse, whoever counts: events missed.
    """

    name: str
    before: float
    after: float
    is_harm: bool = False


class Span(msgspec.Struct, frozen=True):
    """An alarm in an example: from when to when, and its priority at the end."""

    begin: int
    end: int
    priority: str


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm that is not the same with the change.

    Attributes:
        patient_id: Whose.
        code: Of the alarm.
        signal: What is drawn.
        change: gone, new, later or earlier.
        shift_ms: How much later it was raised; negative: earlier.
        times: Of the samples, measurement time.
        values: In the signal's unit.
        before: Alarms of the signal under the profile.
        after: With the change.
        limits: Before and after.
    """

    patient_id: str
    code: str
    signal: str
    change: str
    shift_ms: int
    times: list[int]
    values: list[float]
    before: list[Span]
    after: list[Span]
    limits: tuple[float | None, float | None]


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """Alarms of one code that differ."""

    code: str
    before: int
    after: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    Attributes:
        question: What was asked.
        read: What was read.
        patients: How many were in it.
        days: Patient-days.
        figures: Before and after.
        codes: Alarms by code, where they differ.
        notes: What these data can and cannot show.
        examples: Some that changed.
    """

    question: Question
    read: str
    patients: int
    days: float
    figures: list[Figure]
    codes: list[Code]
    notes: list[str]
    examples: list[Example]


class Runner(Protocol):
    """Who works an answer out."""

    def run(
        self,
        question: Question,
        *,
        progress: Callable[[float], None],
        cancel: threading.Event,
    ) -> Answer:
        """Work it out; called in a thread, and free to take minutes.

        Args:
            question: What is asked.
            progress: Is told the share that is done, 0 to 1.
            cancel: Set by somebody who no longer wants to know.

        Raises:
            IcuStreamError: It was stopped, or cannot be answered; says why.
        """


class Run(msgspec.Struct):
    """One run.

    Attributes:
        question: What is asked.
        cancel: Set to stop it.
        id: Which.
        share: How much is done.
        answer: Once there is one.
        failure: Why there is none.
        is_over: It is over, well or not.
    """

    question: Question
    cancel: threading.Event
    id: str = msgspec.field(default_factory=lambda: uuid.uuid4().hex)
    share: float = 0.0
    answer: Answer | None = None
    failure: str = ""
    is_over: bool = False


class Runs:
    """The runs under way, and the last answer of each person.

    Args:
        runner: Makes who works them out, when the first one is asked.
    """

    def __init__(self, runner: Callable[[], Runner]) -> None:
        self._runner = runner
        self._runs: dict[str, Run] = {}

    def of(self, by: str) -> Run | None:
        """The last run of a person."""
        return self._runs.get(by)

    def begin(self, by: str, question: Question) -> bool:
        """Begin a run of a person.

        Returns:
            False when the person has one under way, or there are too many.
        """
        under_way = [who for who, run in self._runs.items() if not run.is_over]
        if by in under_way or len(under_way) >= MOST_RUNS:
            return False
        run = self._runs[by] = Run(question, threading.Event())
        # A daemon: the end of the process does not wait for it, nor do its processes.
        threading.Thread(
            target=self._work, args=(by, run), name="what-if", daemon=True
        ).start()
        return True

    def cancel(self, by: str) -> None:
        """The person no longer wants to know."""
        if (run := self._runs.get(by)) is not None:
            run.cancel.set()

    def close(self) -> None:
        """End all."""
        for run in self._runs.values():
            run.cancel.set()

    def _work(self, by: str, run: Run) -> None:
        def progress(share: float) -> None:
            run.share = share

        try:
            run.answer = self._runner().run(
                run.question, progress=progress, cancel=run.cancel
            )
        except IcuStreamError as error:
            run.failure = str(error)
        except Exception as error:  # noqa: BLE001 - told where it is waited for
            log.error("whatif_failed", by=by, exc_info=error)
            run.failure = type(error).__name__
        finally:
            run.is_over = True
