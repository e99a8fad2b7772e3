"""One run a person, a bounded number in all, and each can be stopped."""

import threading

from collections.abc import Callable

from icu_stream.access.whatif import MOST_RUNS, Answer, Question, Run, Runs, Source
from icu_stream.contracts.commands import LimitChange
from icu_stream.errors import ConfigurationError


QUESTION = Question(
    source=Source.SIMULATED,
    patients=[],
    title="",
    hours=1,
    change=LimitChange("spo2.low", 87),
)


class Waiting:
    """A runner that works until it is told to go on, or to stop."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def run(
        self,
        question: Question,
        *,
        progress: Callable[[float], None],
        cancel: threading.Event,
    ) -> Answer:
        progress(0.5)
        while not self.go.wait(0.01):
            if cancel.is_set():
                msg = "cancelled"
                raise ConfigurationError(msg)
        return Answer(
            question=question,
            read="",
            patients=1,
            days=1,
            figures=[],
            codes=[],
            notes=[],
            examples=[],
        )


def over(runs: Runs, by: str) -> Run:
    """The run of a person, once it is over."""
    for thread in threading.enumerate():
        if thread.name == "what-if":
            thread.join(5)
    run = runs.of(by)
    assert run is not None
    assert run.is_over
    return run


def test_a_person_has_one_run_at_a_time_and_all_together_so_many():
    runner = Waiting()
    runs = Runs(lambda: runner)

    begun = [runs.begin(f"RN {n}", QUESTION) for n in (0, 0, *range(1, MOST_RUNS + 1))]
    runner.go.set()

    assert begun == [True, False, *[True] * (MOST_RUNS - 1), False]
    assert over(runs, "RN 0").answer is not None
    assert runs.begin("RN 0", QUESTION)
    over(runs, "RN 0")


def test_a_run_that_is_cancelled_says_so_and_another_one_may_begin():
    runner = Waiting()
    runs = Runs(lambda: runner)
    runs.begin("RN", QUESTION)

    runs.cancel("RN")
    runs.cancel("nobody")

    assert over(runs, "RN").failure == "cancelled"
    runner.go.set()
    assert runs.begin("RN", QUESTION)
    over(runs, "RN")


def test_a_runner_that_fails_is_a_failure_with_a_name():
    def none() -> Waiting:
        msg = "no memory"
        raise OSError(msg)

    runs = Runs(none)
    runs.begin("RN", QUESTION)

    assert over(runs, "RN").failure == "OSError"
