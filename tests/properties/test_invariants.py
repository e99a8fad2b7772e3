"""What must never happen, whatever is measured, said and asked.

Logs of one bed with one or two monitors: values around every limit and far from it, words
about sensors, a primary device, pauses, acknowledgements, limits of the patient's own.
"""

import dataclasses
import math

from collections.abc import Sequence
from typing import Any

import msgspec

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icu_stream import profiles
from icu_stream.contracts.alerts import Alert, Event, Priority, State
from icu_stream.contracts.commands import Command, CommandType, LimitChange
from icu_stream.contracts.signals import BY_CODE
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import monitor, patient
from icu_stream.domain.condition import HELD_MS
from icu_stream.domain.limits import Verdict, verdict
from icu_stream.domain.patient import Patient


# Without NEWS2's own alarms, which are of 10 s and not of a value.
WARD = dataclasses.replace(profiles.load_all("adult"), news2=())
START = 1_700_002_790_000
PATIENT = "p-1"

VALUES = {
    "hr": [80, 80, 39, 49, 30, 121, 141, 160],
    "spo2": [97, 97, 79, 89, 70, 60],
    "rr": [16, 7, 5, 31, 0],
    "abp_sys": [120, 89, 70, 161, 16],
    "abp_dia": [70, 70, 87, 60, 9],
    "abp_mean": [87, 59, 39, 30, 111],
}
STEPS_MS = [1000] * 8 + [500, 4999, 5000, 10_000, 31_000]
# Words about what is measured doubt it; they are never about a pulse, which decides
# whether there is an asystole at all (rule 7).
DOUBTS = [{}, {}, {"spo2": "sensor_off"}, {"nibp_sys": "measuring"}, {"rr": "lead_off"}]
WORDS = ["sensor_off", "lead_off", "searching", "disconnected", "weak"]

few = settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

Log = list[tuple[int, Vitals | Command | int]]  # by arrival; a number is a tick's


@st.composite
def messages(draw: st.DrawFn, *, devices: int = 1, words: bool = False) -> Log:
    """What monitors say; the same for some seconds, so that delays pass."""
    log: Log = []
    now = START
    while len(log) < draw(st.integers(1, 60)):
        codes = draw(st.sets(st.sampled_from(list(VALUES)), min_size=1))
        held = {c: float(draw(st.sampled_from(VALUES[c]))) for c in sorted(codes)}
        status = dict(draw(st.sampled_from(DOUBTS)))
        if words and draw(st.booleans()):
            status[draw(st.sampled_from(list(VALUES)))] = draw(st.sampled_from(WORDS))
        primary = draw(st.booleans())
        for _ in range(draw(st.integers(1, 12))):
            now += draw(st.sampled_from(STEPS_MS))
            device = f"d{draw(st.integers(1, devices))}"
            message = Vitals(
                patient_id=PATIENT,
                time=now,
                device=device,
                bed="B",
                values=held,
                status=status,
                primary=primary and device == "d1" and devices > 1,
            )
            log.append((now, message))
    return log


@st.composite
def asked(draw: st.DrawFn, log: Log) -> Log:
    """The same, and people who ask in between."""
    found: Log = []
    for number, (arrived, record) in enumerate(log):
        found.append((arrived, record))
        kind = draw(st.integers(0, 11))
        if kind > 4:
            continue
        limit = draw(st.sampled_from([80, 86, 88, 94]))
        command = Command(
            command_id=f"c-{number}",
            type=(
                CommandType.ACKNOWLEDGE,
                CommandType.ACKNOWLEDGE,
                CommandType.PAUSE,
                CommandType.RESUME,
                CommandType.SET_LIMITS,
            )[kind],
            patient_id=PATIENT,
            by="nurse",
            time=arrived,
            reason="a test",
            seconds=draw(st.sampled_from([None, 1, 20, 120])),
            limits=[LimitChange("spo2.low", limit)] if kind == 4 else [],
            expires=arrived + draw(st.sampled_from([1000, 20_000])),
            alert_id=str(draw(st.integers(0, 5))),
        )
        found.append((arrived, command))
        if draw(st.booleans()):
            found.append((arrived, arrived))
    return found


def stepped(known: Patient, arrived: int, record: Vitals | Command | int) -> list[Any]:
    """Apply one record."""
    if isinstance(record, int):
        return list(monitor.tick(known, record, WARD))
    if isinstance(record, Vitals):
        return list(monitor.step(known, record, arrived, WARD))
    if record.type is CommandType.ACKNOWLEDGE and known.alarms:
        alarms = list(known.alarms.values())
        alarm = alarms[int(record.alert_id or 0) % len(alarms)]
        alert_id = f"{PATIENT}:{alarm.code}:{alarm.onset}"
        record = msgspec.structs.replace(record, alert_id=alert_id)
    result, said = monitor.command(known, record, arrived, WARD)
    return [result, *said]


def run(log: Log, restarts: Sequence[int] = ()) -> tuple[list[bytes], Patient]:
    """All that is said, on the wire, and the patient; restarted before some records."""
    known = patient.new(PATIENT)
    said: list[bytes] = []
    pieces: dict[bytes, bytes] = {}
    for number, (arrived, record) in enumerate(log):
        if number in restarts:
            pieces.update(patient.save(known))
            known = patient.restore(PATIENT, pieces)
        said += [msgspec.json.encode(m) for m in stepped(known, arrived, record)]
    return said, known


def alerts(said: Sequence[bytes]) -> list[Alert]:
    """The alerts among what was said."""
    return [
        msgspec.json.decode(message, type=Alert)
        for message in said
        if message.startswith(b'{"alert_id"') and b'"transition"' in message
    ]


def high(said: Sequence[bytes]) -> list[tuple[str, int, bool]]:
    """The high alarms of values: which, when, and whether it made a sound."""
    codes = {
        row.code
        for rows in WARD.limits.values()
        for row in rows
        if row.priority is Priority.HIGH
    }
    return [
        (alert.alert_id, alert.time, alert.annunciate)
        for alert in alerts(said)
        if alert.code in codes and alert.event is Event.RAISED
    ]


@few
@given(messages())
def test_nothing_violates_past_its_delay_without_an_alarm_that_is_not_over(log):
    """A value that is doubted may hold what is not high back by 10 s, and no longer."""
    known = patient.new(PATIENT)
    since: dict[str, int] = {}
    until: dict[str, float] = {}
    for arrived, record in log:
        stepped(known, arrived, record)
        for code, value in record.values.items():
            if record.time >= until.get(code, -math.inf):
                for row in WARD.limits[code]:
                    since.pop(row.code, None)
            until[code] = record.time + (BY_CODE[code].no_data_s or math.inf) * 1000
            for row in WARD.limits[code]:
                if verdict(row, value) is not Verdict.VIOLATED:
                    since.pop(row.code, None)
                    continue
                held_ms = 0 if row.priority is Priority.HIGH else HELD_MS
                onset = since.setdefault(row.code, record.time)
                if record.time >= onset + row.delay_ms + held_ms:
                    assert known.is_holding(row.code), row.code


@few
@given(messages(devices=2, words=True).flatmap(asked))
def test_every_pause_ends(log):
    said, known = run(log)
    end = log[-1][0]

    last = [msgspec.json.encode(m) for m in monitor.tick(known, end + 600_000, WARD)]

    found = [a for a in alerts(said + last) if a.code == "bed.pause"]
    begun = {a.alert_id: a.time for a in found if a.event is Event.PAUSED}
    ended = {a.alert_id: a.time for a in found if a.event is Event.RESUMED}
    assert begun.keys() == ended.keys()
    assert all(begun[i] <= ended[i] <= begun[i] + WARD.pause_ms for i in begun)
    assert known.pause_until == 0


@few
@given(messages(devices=2, words=True).flatmap(asked))
def test_an_acknowledgement_never_outlives_its_alarm(log):
    said, known = run(log)

    over = set()
    begun = set()
    for alert in alerts(said):
        assert alert.alert_id not in over
        if alert.alert_id not in begun:
            assert alert.state is State.ACTIVE
            begun.add(alert.alert_id)
        if alert.state is State.CLEARED:
            over.add(alert.alert_id)
    for alarm in known.alarms.values():
        assert f"{PATIENT}:{alarm.code}:{alarm.onset}" not in over


@few
@given(messages(), st.data())
def test_neither_pause_nor_acknowledgement_keeps_a_high_alarm_back(log, data):
    """No limit is moved here: a person may move one, and nothing else may."""
    commands = [
        (arrived, record)
        for arrived, record in data.draw(asked(log))
        if not isinstance(record, Command) or record.type is not CommandType.SET_LIMITS
    ]

    alone, _ = run(log)
    among_people, _ = run(commands)

    assert high(among_people) == high(alone)
    assert all(is_loud for _, _, is_loud in high(among_people))


@few
@given(messages())
def test_no_doubt_keeps_a_high_alarm_back(log):
    believed: Log = [
        (arrived, msgspec.structs.replace(record, status={})) for arrived, record in log
    ]

    assert high(run(log)[0]) == high(run(believed)[0])


@few
@given(messages())
def test_no_model_keeps_a_high_alarm_back(log):
    """A patient whose model was lost at each record has the same high alarms."""
    known = patient.new(PATIENT)
    said: list[bytes] = []
    for arrived, record in log:
        known.model = None
        said += [msgspec.json.encode(m) for m in stepped(known, arrived, record)]

    assert high(said) == high(run(log)[0])


@few
@given(
    messages(devices=2, words=True).flatmap(asked),
    st.sets(st.integers(0, 200)),
    st.data(),
)
def test_any_prefix_twice_and_restarted_anywhere_says_the_same_bytes(log, at, data):
    prefix = log[: data.draw(st.integers(1, len(log)))]

    first, _ = run(prefix)

    assert run(prefix)[0] == first
    assert run(prefix, sorted(at))[0] == first
    assert run(log)[0][: len(first)] == first
