"""What a story promises is what the core says: the two share no code, so each judges.

Sources of limits and delays: CLINICAL.md, "Default adult limits", and docs/alarms.md.
"""

import itertools

from collections.abc import Iterable

import msgspec
import pytest

from icu_stream import profiles
from icu_stream.contracts.alerts import Alert, Event, Kind, Priority
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import monitor, patient
from icu_stream.sources import simulator
from icu_stream.sources.beds import EVENTS, Happening, Ward
from icu_stream.sources.truth import Expected, Truth, truth


START_MS = 1_795_492_541_263
RULES = profiles.load("adult")
TECHNICAL_OR_REAL = {Kind.PHYSIOLOGICAL, Kind.TECHNICAL}


def raised(ward: Ward, until_s: int) -> list[Alert]:
    """Every alarm that the core raises on a ward's messages."""
    decode = msgspec.json.Decoder(Vitals).decode
    patients = {key: patient.new(key.decode()) for key in ward.keys}
    arrival = {
        ward.patient_id(bed).encode(): ward.time_ms(bed, 0) for bed in range(ward.beds)
    }
    alerts = []
    for t in range(until_s):
        for key, value in simulator.messages(ward, t):
            arrived_ms = arrival[key] + 1000 * t
            said = monitor.step(patients[key], decode(value), arrived_ms, RULES)
            alerts += [
                alert
                for alert in said
                if isinstance(alert, Alert)
                and alert.event == Event.RAISED
                and alert.kind in TECHNICAL_OR_REAL
            ]
    return alerts


def told_at(alert: Alert) -> int:
    """The moment by which an alarm belongs to a story.

    NEWS2's by its onset: a cuff's reading counts until the next one, which may be half an
    hour after the story, and the alarm comes a minute after the score.
    """
    return alert.onset if alert.code.startswith("bed.news2_") else alert.time


def wrong(told: Iterable[Truth], alerts: list[Alert]) -> list[str]:
    """What of the truth the alerts do not keep, in words."""
    told = list(told)
    found = [
        f"{alert.patient_id} {alert.code} at {alert.time - START_MS} ms: not in the story"
        for alert in alerts
        if not any(
            line.patient_id == alert.patient_id
            and line.start <= told_at(alert) <= (line.end or alert.time)
            and line.allows(alert.code)
            for line in told
        )
    ]
    for line in told:
        for must in line.must:
            if not any(
                alert.patient_id == line.patient_id
                and (alert.code, alert.priority) == (must.code, must.priority)
                and must.earliest <= alert.time <= must.latest
                for alert in alerts
            ):
                when = f"{must.earliest - START_MS} to {must.latest - START_MS} ms"
                found.append(f"{line.patient_id} {line.story}: no {must.code} {when}")
    return found


def judged(ward: Ward, until_s: int) -> list[str]:
    ward.start_ms = START_MS
    told = [line for _, line in truth(ward, until_s=until_s, live=True)]
    return wrong(told, raised(ward, until_s))


@pytest.mark.parametrize("name", EVENTS)
def test_every_story_brings_its_alarms_in_time_and_no_others(name: str):
    story = EVENTS[name]
    happenings = [
        Happening(name, bed, 90, int(story.duration_s)) for bed in range(1, 9)
    ]

    assert (
        judged(Ward(8, seed=7, happenings=happenings), 150 + int(story.duration_s))
        == []
    )


@pytest.mark.parametrize("name", EVENTS)
def test_a_story_keeps_its_promise_at_its_shortest(name: str):
    seconds = int(EVENTS[name].shortest_s)
    happenings = [Happening(name, bed, 70, seconds) for bed in range(1, 9)]

    assert judged(Ward(8, seed=3, happenings=happenings), 130 + seconds) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_demo_is_as_it_is_told_in_every_loop(seed: int):
    assert judged(simulator.demo_ward(seed), 500) == []


def test_healthy_beds_are_silent():
    assert judged(Ward(48, seed=5), 900) == []


def test_in_the_demo_an_alarm_comes_every_20_s_and_a_high_one_in_each_loop():
    ward = simulator.demo_ward()
    ward.start_ms = START_MS

    alerts = [a for a in raised(ward, 400) if a.time >= START_MS + 120_000]

    times = sorted(alert.time for alert in alerts)
    assert max(b - a for a, b in itertools.pairwise(times)) <= 20_000
    high = {a.time // 120_000 for a in alerts if a.priority == Priority.HIGH}
    assert len(high) >= 2


def test_every_story_but_the_flushed_line_promises_an_alarm():
    ward = Ward(16, happenings=simulator.everything(16), start_ms=START_MS)

    promised = {line.story: line.must for _, line in truth(ward, live=True)}

    assert promised.keys() == {*EVENTS, ""}
    assert {name for name, must in promised.items() if not must} == {"", "line_flush"}


def test_a_missing_and_an_unexpected_alarm_are_both_found():
    ward = Ward(1, happenings=[Happening("asystole", 1, 10, 30)], start_ms=START_MS)
    [told] = [line for _, line in truth(ward)]
    alerts = raised(ward, 60)

    missed = wrong([told], [a for a in alerts if a.code != "hr.asystole"])
    strange = wrong([msgspec.structs.replace(told, must=[])], alerts)

    assert ["no hr.asystole" in line for line in missed] == [True]
    assert any("hr.asystole" in line for line in strange)


def test_what_would_come_after_the_end_need_not_come():
    ward = Ward(1, happenings=[Happening("asystole", 1, 10, 30)], start_ms=START_MS)

    [(at, told)] = truth(ward, until_s=18)

    assert at == 10
    assert "hr.asystole" in {must.code for must in told.must}
    assert "spo2.no_data" in told.may
    assert list(truth(ward, until_s=10)) == []


def test_a_clock_that_jumps_in_a_replay_is_seen_by_nobody():
    ward = Ward(1, happenings=[Happening("clock_jump", 1, 10, 30)], start_ms=START_MS)

    [(_, told)] = truth(ward, live=False)

    assert told.must == []
    assert told.allows("bed.clock_jump")


def test_stories_that_begin_anew_are_told_anew():
    ward = Ward(
        1,
        happenings=[Happening("asystole", 1, 10, 30)],
        period_s=60,
        start_ms=START_MS,
    )

    starts = [line.start for _, line in itertools.islice(truth(ward), 3)]

    assert [b - a for a, b in itertools.pairwise(starts)] == [60_000, 60_000]


def test_the_truth_is_one_json_line_a_story():
    ward = Ward(1, happenings=[Happening("tachyarrhythmia", 1, 10, 40)])
    [(_, told)] = truth(ward)

    line = msgspec.json.encode(told)

    assert msgspec.json.decode(line, type=Truth) == told
    assert told.must[0] == Expected(
        code="hr.extreme_high",
        priority=Priority.HIGH,
        earliest=ward.time_ms(0, 15),
        latest=ward.time_ms(0, 16),
    )
