"""What a backtest counts, of logs whose alarms can be told by hand."""

import pickle

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from icu_stream import profiles
from icu_stream.contracts.alerts import Alert, Kind, Priority
from icu_stream.contracts.commands import CommandType, LimitChange
from icu_stream.domain import monitor, patient
from icu_stream.domain.limits import Condition, Row, Rule
from icu_stream.errors import ConfigurationError
from icu_stream.evaluation import backtest, delays, outcomes
from icu_stream.evaluation.logs import Recording, SimulatedWard, Unreadable
from icu_stream.evaluation.trial import Trial, without_statements
from icu_stream.sources.beds import Happening
from icu_stream.sources.truth import truth
from tests.unit.evaluation.past import DAY, Past, ms


ADULT = profiles.load("adult")
GOOD = {"hr": 80, "spo2": 97, "rr": 16}


def later(code, seconds):
    """The adult profile, but for the delay of one limit."""
    (rules,) = delays.variants(ADULT, delays.sweep(f"{code}={seconds}"))
    return rules


def run(log, *rules, **options):
    return backtest.run(log, rules or [ADULT], processes=1, **options)


def tally(log, *rules, **options):
    return run(log, *rules, **options).profiles[0].tally


def desaturated(seconds: int) -> Past:
    """A minute of 97 %, so many seconds of 85 %, a minute of 97 %."""
    past = Past().every(range(60), **GOOD)
    past.every(range(60, 60 + seconds), **(GOOD | {"spo2": 85}))
    return past.every(range(60 + seconds, 120 + seconds), **GOOD)


def encoded(result) -> bytes:
    return msgspec.json.Encoder(order="deterministic").encode(result)


# --- counting


def test_an_alarm_is_counted_once_however_long_it_holds():
    code = tally(desaturated(100)).codes["spo2.low"]

    assert code.alarms == {"medium": 1}
    assert code.annunciations == {"medium": 1}
    assert code.kind is Kind.PHYSIOLOGICAL


def test_it_holds_from_the_moment_it_was_raised_until_it_was_over():
    code = tally(desaturated(100)).codes["spo2.low"]

    # Raised 15 s after the onset, over 5 s after the first value inside.
    assert code.holding_ms == (100 - 15 + 5) * 1000


def test_time_in_alarm_counts_once_what_holds_together():
    past = Past().every(range(60), hr=130, rr=40)

    counted = tally(past)

    held = {code: one.holding_ms for code, one in counted.codes.items()}
    assert held == {"hr.high": 54_000, "rr.high": 46_000}
    assert counted.holding_ms["any"] == 54_000


def test_another_delay_is_another_alarm():
    result = run(desaturated(20), ADULT, later("spo2.low", 21))

    assert [p.tally.alarms() for p in result.profiles] == [1, 0]


def test_events_are_counted_by_their_name():
    # Low for so long that it rises to high, then away unseen.
    counted = tally(desaturated(200)).codes["spo2.low"]

    assert counted.events == {"raised": 1, "escalated": 1, "latched": 1}
    assert counted.annunciations == {"medium": 1, "high": 1}


def test_restatements_are_left_out():
    assert "standing" not in tally(desaturated(1000)).events()


def test_what_was_read_is_counted_whatever_the_profile():
    past = desaturated(20).at(0, patient="p-2", interval_s=3600, temp=37, hr=70)

    seen = run(past, ADULT, ADULT).seen

    assert (seen.patients, seen.messages, seen.values) == (2, 141, 422)
    assert seen.signals == {"hr": 141, "spo2": 140, "rr": 140, "temp": 1}
    assert seen.spacings == {"1": 140, "3600": 1}
    assert seen.monitored_ms == 140_000 + 3_600_000


def test_the_first_profile_alone_has_curves_of_its_delays():
    result = run(desaturated(20), ADULT, sweeps=[delays.sweep("spo2.low=0,20,21")])

    (curve,) = result.curves
    assert [(p.x, p.tally.alarms()) for p in curve.points] == [(0, 1), (20, 0), (21, 0)]
    assert curve.label == "adult 1"


def test_two_profiles_of_the_same_name_can_be_told_apart():
    labels = [p.label for p in run(desaturated(5), ADULT, ADULT).profiles]

    assert labels == ["adult 1 (1)", "adult 1 (2)"]


# --- silence


def test_what_falls_due_in_silence_is_raised_before_the_next_message():
    past = Past().every(range(60), **GOOD).every(range(300, 310), **GOOD)

    code = tally(past).codes["bed.no_data"]

    # 60 s unseen and it rises to high; the message at 300 s ends it.
    assert code.events == {"raised": 1, "escalated": 1, "latched": 1}
    assert code.holding_ms == (300 - 69) * 1000


def test_the_end_of_a_record_is_not_silence():
    assert tally(Past().every(range(60), **GOOD)).codes == {}


def test_time_passes_until_the_end_of_a_range_that_was_cut_out():
    counted = tally(Past().every(range(60), **GOOD).until(120))

    assert counted.codes["bed.no_data"].events == {"raised": 1}
    # It is not known whether anybody was there: silence is no time in alarm.
    assert counted.codes["bed.no_data"].holding_ms == 0


def test_a_trial_says_what_the_worker_says_with_its_clock():
    """A message that comes late meets the same alarm that the worker's tick raised."""
    past = Past(is_live=True)
    for second in (*range(30), *range(31, 60), *range(75, 90)):
        past.at(second, arrived=second + (12 if second >= 75 else 0.2), **GOOD)
    worker = patient.new("p-1")
    told = []
    for beat in range(110):
        now_ms = DAY + 1000 * beat
        due = monitor.due_ms(worker)
        if due is not None and due <= now_ms:
            told += monitor.tick(worker, now_ms, ADULT)
        for record in past.records:
            if now_ms < record.arrived_ms <= now_ms + 1000:
                told += monitor.step(worker, record.message, record.arrived_ms, ADULT)
    wanted = Counter(
        (alert.code, str(alert.event))
        for alert in told
        if isinstance(alert, Alert) and alert.event != "standing"
    )

    trial = Trial("p-1", without_statements(ADULT))
    for record in past.records:
        trial.take(record)

    codes = trial.tally.codes.items()
    counted = {(c, e): n for c, one in codes for e, n in one.events.items()}
    assert counted == wanted
    assert ("bed.no_data", "raised") in counted


# --- people


def test_commands_are_obeyed_under_every_profile():
    past = Past().every(range(60, 100), **(GOOD | {"spo2": 85}))
    past.asked(100, CommandType.ACKNOWLEDGE, alert_id=f"p-1:spo2.low:{ms(60)}")
    past.every(range(101, 130), **(GOOD | {"spo2": 85}))

    result = run(past, ADULT, later("spo2.low", 60))

    first, second = (p.tally for p in result.profiles)
    assert result.seen.commands == 1
    assert first.codes["spo2.low"].events == {"raised": 1, "acknowledged": 1}
    assert first.answers == {"accepted": 1}
    # Under the other there was nothing to acknowledge yet.
    assert second.answers == {"refused": 1}


def admitted(name: str) -> Past:
    past = Past().asked(0, CommandType.ADMIT, profile=name, bed="ICU1-01")
    return past.every(range(60), **(GOOD | {"spo2": 89}))


def test_who_was_admitted_with_another_profile_keeps_it():
    every = profiles.load_all("adult")
    assert every.profiles.keys() == {"adult", "adult_spo2_88_92"}

    default, other = (
        run(admitted("adult"), every),
        run(admitted("adult_spo2_88_92"), every),
    )

    assert default.profiles[0].tally.codes["spo2.low"].alarms == {"medium": 1}
    assert "spo2.low" not in other.profiles[0].tally.codes


def test_who_was_admitted_with_the_profile_by_name_gets_its_other_delays():
    every = profiles.load_all("adult")
    (never,) = delays.variants(every, delays.sweep("spo2.low=600"))

    assert "spo2.low" not in tally(admitted("adult"), never).codes


def test_limits_set_by_hand_count_under_every_profile_of_that_range():
    change = LimitChange(code="hr.high", limit=130.0)
    past = Past().every(range(5), **GOOD)
    past.asked(5, CommandType.SET_LIMITS, limits=[change], reason="fever")
    past.every(range(6, 60), **(GOOD | {"hr": 125}))

    result = run(past, profiles.load_all("adult"), later("rr.high", 3))

    assert [p.tally.alarms() for p in result.profiles] == [0, 0]
    assert result.profiles[0].tally.answers == {"accepted": 1}


def test_a_command_about_somebody_who_was_never_seen_is_refused():
    past = Past().asked(5, CommandType.PAUSE, seconds=60, reason="washing")

    assert tally(past).answers == {"refused": 1}


# --- what is wrong with the data, or with a rule


def test_records_that_cannot_be_read_are_counted_and_told():
    past = desaturated(20)
    past.records[30:30] = [Unreadable(f"offset {n}: not JSON") for n in range(7)]

    result = run(past)

    assert result.seen.unreadable == 7
    assert result.seen.reasons[0] == "offset 0: not JSON"
    assert len(result.seen.reasons) == 5
    assert result.profiles[0].tally.alarms() == 1


def raises_at_90(patient, vitals, time):
    if vitals.values.get("hr") == 90:
        msg = "planted"
        raise ArithmeticError(msg)


PLANTED = Rule(
    Row(
        code="hr.planted",
        signal="hr",
        kind=Kind.PHYSIOLOGICAL,
        priority=Priority.LOW,
        rank=0,
        source="a test",
    ),
    ("hr",),
    raises_at_90,
)


def test_a_rule_that_raises_is_counted_and_the_rest_goes_on():
    past = Past().every(range(10), **GOOD).at(10, hr=90, spo2=70, rr=16)
    past.every(range(11, 20), **GOOD)

    counted = tally(past, ADULT.with_rule(PLANTED))

    assert counted.faults == 1
    assert counted.codes["bed.monitoring_fault"].alarms == {"high": 1}
    assert counted.codes["spo2.desat"].alarms == {"high": 1}


def test_a_recording_that_cannot_be_read_to_its_end_is_an_error_not_a_result(
    tmp_path: Path,
):
    good = "Time,Parameter,Value\n00:00,HR,80\n00:10,HR,80\n"
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text(good)
    (tmp_path / "9.txt").write_text("Time,Parameter,Value\n00:10,HR,80\n00:00,HR,80\n")

    with pytest.raises(ConfigurationError, match=r"9\.txt line 3, Time: '00:00' is be"):
        run(Recording(tmp_path))


# --- truth


def ward(beds: int = 6, duration_s: int = 200) -> SimulatedWard:
    stories = [Happening("desaturation", 2, 20, 60), Happening("asystole", 5, 30, 30)]
    return SimulatedWard(beds, duration_s, happenings=stories)


def told(log: SimulatedWard):
    lines = truth(log.ward(), until_s=log.duration_s, live=True)
    return outcomes.told([line for _, line in lines], "truth")


def test_every_story_of_a_simulated_ward_is_caught_and_nothing_else_is_alarmed():
    judged = tally(ward(), outcomes=told(ward())).judged

    assert judged.total
    assert judged.caught == judged.total
    assert judged.wrong == judged.missed == judged.late == {}
    assert judged.patients == {"with": 2, "alarmed_with": 2, "without": 4}


def test_longer_delays_alarm_late_or_not_at_all():
    (longest,) = delays.variants(ADULT, delays.sweep("*=40"))

    judged = tally(ward(), longest, outcomes=told(ward())).judged

    assert judged.missed["asystole (high)"] == 2
    assert judged.total == {
        what: sum(n.get(what, 0) for n in (judged.caught, judged.late, judged.missed))
        for what in judged.total
    }


# --- processes


def test_the_result_is_the_same_with_any_number_of_processes():
    log, longer = ward(), later("spo2.low", 30)
    options = {"outcomes": told(log), "sweeps": [delays.scale("0,2")]}

    one = backtest.run(log, [ADULT, longer], processes=1, **options)
    two = backtest.run(log, [ADULT, longer], processes=2, **options)

    assert one.strips
    assert encoded(one) == encoded(two)


def test_the_parts_hold_every_patient_and_each_once(tmp_path: Path):
    rows = [f"p{s % 7},{DAY + 1000 * s},{80 + s % 90}" for s in range(70)]
    path = tmp_path / "seven.csv"
    path.write_text("\n".join(["patient_id,time,hr", *rows]))

    for log in (ward(7, 10), Recording(path)):
        parts = [{r.patient_id for r in part.read()} for part in log.parts(3)]

        assert len(parts) == 3
        assert sum(len(part) for part in parts) == len(set.union(*parts)) == 7


def test_a_part_can_be_sent_to_another_process(tmp_path: Path):
    path = tmp_path / "0.txt"
    path.write_text("Time,Parameter,Value\n00:00,HR,80\n00:10,HR,80\n")

    for log in (ward(6, 5), Recording(path)):
        for part in log.parts(2):
            again = pickle.loads(pickle.dumps(part))  # noqa: S301 - our own

            assert list(again.read()) == list(part.read())


def test_progress_ends_where_all_is_done():
    shares = []

    run(ward(6, 1000), progress=lambda p: shares.append((p.records, p.share)))

    assert shares[0][1] == 0
    assert shares == sorted(shares)
    assert shares[-1] == (6000, 1.0)


def test_the_limits_of_each_profile_are_in_the_result():
    first, second = run(desaturated(5), ADULT, later("spo2.low", 30)).profiles

    own = [{s.code: s for s in p.settings}["spo2.low"] for p in (first, second)]
    assert [s.delay_s for s in own] == [15, 30]
    assert own[0].condition is Condition.LOW
    assert own[0].limit == 90
    assert all(s.source for s in first.settings)
