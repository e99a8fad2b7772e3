"""Recordings of real patients through the core and through the reference.

Every transition must be the same one, field by field, restatements included.
"""

import itertools

from collections.abc import Iterator

import pytest

from tests.integration import core, recordings, reference
from tests.integration.recordings import Message
from tests.integration.reference import Record


# In each run, and in `make chaos`.
PHYSIONET_STAYS = (150, pytest.param(400, marks=pytest.mark.chaos))
EICU_STAYS = (100, pytest.param(200, marks=pytest.mark.chaos))


def replayed(messages: list[Message]) -> list[Record]:
    """Messages as a replay of an earlier day puts them into the log."""
    return [
        Record(message, recordings.START_MS + index, "vitals", replay=True)
        for index, message in enumerate(messages)
    ]


def live(messages: list[Message]) -> list[Record]:
    """Messages as if measured now, with the worker's clock ticking in between."""
    return list(itertools.chain.from_iterable(map(_with_ticks, messages)))


def _with_ticks(message: Message) -> Iterator[Record]:
    time = message["time"]
    yield Record(message, time)
    for second in range(5, message["interval_s"], 17):
        wall = time + second * 1000
        yield Record({"patient_id": message["patient_id"], "time": wall}, wall, "tick")


@pytest.fixture(scope="module")
def mimic3() -> list[Message]:
    """One patient, a message a minute for 32 hours."""
    recordings.need(recordings.MIMIC3.with_suffix(".hea"))
    return recordings.mimic3()


def test_a_patient_of_mimic_iii_gives_the_same_alarms_twice(
    mimic3: list[Message],
) -> None:
    records = replayed(mimic3)

    assert core.differences("mimic3", records) == []
    outcome = reference.expected("mimic3", records)
    assert (outcome.messages, outcome.late, outcome.duplicates) == (1936, 0, 0)


def test_it_gives_the_same_alarms_with_the_clock_ticking(
    mimic3: list[Message],
) -> None:
    assert core.differences("mimic3", live(mimic3)) == []


def test_the_clock_changes_no_alarm_of_the_patient(mimic3: list[Message]) -> None:
    def raised(records: list[Record]) -> list[str]:
        outcome = reference.expected("mimic3", records)
        return [t.alert_id for t in outcome.transitions if t.event == "raised"]

    assert sorted(raised(live(mimic3))) == sorted(raised(replayed(mimic3)))


def test_the_core_publishes_what_the_reference_wants(mimic3: list[Message]) -> None:
    records = replayed(mimic3)

    outcomes = reference.run({"mimic3": records})
    _, alerts = core.expected("mimic3", records)

    assert reference.compare(outcomes, itertools.chain.from_iterable(alerts)) == []


@pytest.mark.parametrize("stays", PHYSIONET_STAYS)
def test_stays_of_the_challenge_2012_give_the_same_alarms_twice(stays: int) -> None:
    recordings.need(recordings.PHYSIONET_2012)
    logs = recordings.physionet_2012(stays)

    unlike = {name: core.differences(name, replayed(log)) for name, log in logs.items()}

    assert len(unlike) == stays
    assert {name: found for name, found in unlike.items() if found} == {}


@pytest.mark.parametrize("stays", EICU_STAYS)
def test_stays_of_the_eicu_demo_give_the_same_alarms_twice(stays: int) -> None:
    recordings.need(recordings.EICU)
    logs = recordings.eicu(stays)

    unlike = {name: core.differences(name, replayed(log)) for name, log in logs.items()}

    assert len(unlike) == stays
    assert {name: found for name, found in unlike.items() if found} == {}
