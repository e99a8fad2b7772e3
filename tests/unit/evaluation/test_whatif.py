"""The ward's what-if: one limit changed, on a simulated ward whose truth is known."""

import threading

import pytest

from icu_stream import profiles
from icu_stream.access.whatif import Mark, Question, Source
from icu_stream.contracts.alerts import Kind, Priority
from icu_stream.contracts.commands import LimitChange
from icu_stream.errors import ConfigurationError
from icu_stream.evaluation import whatif
from icu_stream.evaluation.pool import StoppedError
from icu_stream.evaluation.trial import Episode
from icu_stream.settings import Settings


ADULT = profiles.load_all("adult")


def question(limit: float | None, delay_s: float | None = None) -> Question:
    return Question(
        source=Source.SIMULATED,
        patients=[],
        title="",
        hours=1,
        change=LimitChange("spo2.low", limit, delay_s),
    )


def test_a_change_is_for_everybody_as_a_patient_may_be_changed():
    changed = whatif.changed(ADULT, question(86, 20))

    row = changed.rows["spo2.low"]
    assert (row.limit, row.inside, row.delay_ms) == (86, 87, 20_000)
    assert changed.base is None  # a patient's own limits are moved from there
    assert ADULT.rows["spo2.low"].limit == 90


@pytest.mark.parametrize(("limit", "delay_s"), [(20, None), (None, 900), (79, None)])
def test_what_nobody_may_set_is_not_worked_out(limit, delay_s):
    with pytest.raises(ConfigurationError, match=r"spo2\.low"):
        whatif.changed(ADULT, question(limit, delay_s))


def test_a_run_that_is_cancelled_ends_without_an_answer():
    cancel = threading.Event()
    cancel.set()
    runner = whatif.Whatif(Settings(_env_file=None), ADULT)

    with pytest.raises(StoppedError):
        runner.run(question(86), progress=lambda _: None, cancel=cancel)


def episode(onset: int, code: str = "spo2.low") -> Episode:
    return Episode(
        code=code,
        kind=Kind.PHYSIOLOGICAL,
        signal="spo2",
        priority=Priority.MEDIUM,
        onset=onset,
        raised=onset,
        ended=onset + 30_000,
    )


@pytest.mark.parametrize(
    ("episodes", "missed"),
    [
        ([episode(1_000_000)], 0),
        ([episode(1_060_000)], 0),
        ([episode(1_060_001)], 1),
        ([episode(969_999)], 1),
        ([episode(1_000_000, "hr.high")], 1),
        ([], 1),
    ],
)
def test_an_alarm_that_people_called_worth_it_is_missed_without_its_like(
    episodes, missed
):
    worth = whatif.Worth(by_patient={"p": [Mark("p", "spo2.low", 1_000_000)]})

    judged = worth.judge("p", episodes)

    assert judged is not None
    assert sum(judged.missed.values()) == missed
    assert sum(judged.caught.values()) == 1 - missed
