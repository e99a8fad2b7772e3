"""A canary's test raises and ends its alarm at once, for ever, and is no patient."""

import asyncio

import pytest

from icu_stream import bus, profiles
from icu_stream.contracts.alerts import Alert, Event, Priority
from icu_stream.contracts.canary import is_canary
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import monitor
from icu_stream.domain.patient import Patient
from icu_stream.settings import Settings
from icu_stream.ward import canary
from icu_stream.ward.canary import CODE, Canary, names, records
from icu_stream.ward.deadman import EVERY_MS, DeadMan


T0 = 1_795_492_541_000


def test_there_is_one_canary_in_each_partition_and_always_the_same():
    found = names(8050, 8)

    assert sorted(found.values()) == list(range(8))
    assert all(bus.partition_of(name, 8) == p for name, p in found.items())
    assert all(is_canary(name) for name in found)
    assert names(8050, 8) == found
    assert not names(8051, 8).keys() & found.keys()


@pytest.mark.parametrize("profile", ["adult", "adult_spo2_88_92"])
def test_each_test_raises_one_alarm_with_its_own_time_and_ends_it(profile: str):
    rules = profiles.load(profile)
    (name,) = names(8050, 1)
    patient = Patient(name)

    for test in range(720):  # an hour: it may neither chatter nor latch
        number = T0 + test * EVERY_MS
        said = [
            alert
            for record in records(name, number)
            for alert in monitor.step(patient, record, number + 5, rules)
            if isinstance(alert, Alert)
        ]

        assert [(a.code, a.event, a.time) for a in said] == [
            (CODE, Event.RAISED, number),
            (CODE, Event.CLEARED, number + 1),
        ]
        assert {a.priority for a in said} == {Priority.LOW}


def test_an_alarm_that_a_crash_left_behind_does_not_spoil_the_next_test():
    rules = profiles.load("adult")
    (name,) = names(8050, 1)
    patient = Patient(name)
    for record in records(name, T0)[:2]:
        monitor.step(patient, record, T0, rules)

    number = T0 + EVERY_MS
    said = [
        alert
        for record in records(name, number)
        for alert in monitor.step(patient, record, number, rules)
    ]

    assert [(a.event, a.time) for a in said if isinstance(a, Alert)] == [
        (Event.CLEARED, number - 1),
        (Event.RAISED, number),
        (Event.CLEARED, number + 1),
    ]


def test_the_times_go_forward_though_the_clock_was_set_back(settings_of_two: Settings):
    deadman = DeadMan()
    own = Canary(settings_of_two, deadman, 8050)
    name = next(iter(names(8050, 2)))
    # What the view wrote in its last life, by a clock that was an hour ahead.
    ahead = canary.clock.now_ms() + 3_600_000
    own.read(Vitals(patient_id=name, time=ahead), T0)

    first, second = own._number(), own._number()

    assert ahead < first - 1
    assert first + 1 < second - 1


@pytest.fixture
def settings_of_two() -> Settings:
    return Settings(_env_file=None, partitions=2)


async def test_it_is_known_that_kafka_is_away_before_it_was_ever_there(
    settings_of_two: Settings,
):
    deadman = DeadMan()
    task = asyncio.create_task(Canary(settings_of_two, deadman, 8050).run())
    await asyncio.sleep(0)
    task.cancel()

    waits = deadman.waits_ms(canary.clock.now_ms() + 4_000)
    assert set(waits) == {0, 1}
    assert min(waits.values()) >= 4_000
