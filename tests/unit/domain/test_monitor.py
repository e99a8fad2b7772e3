"""One record: faults of rules, added rules, scores, and the usual path."""

import math

import msgspec
import pytest

from icu_stream.contracts.alerts import Kind, Priority
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import decoding, models, monitor
from icu_stream.domain.limits import NO_BANDS, Row, Rule, Verdict
from icu_stream.domain.monitor import RuleError
from icu_stream.domain.scores import HINTS
from tests.unit.domain.bed import ADULT, Bed, ms, scores, told


def shock(view, vitals, time):
    """Heart rate above the systolic pressure: a shock index above 1."""
    rate, pressure = view.value("hr"), view.value("abp_sys")
    if rate is None or not pressure:
        return None
    if rate > pressure:
        return Verdict.VIOLATED
    return Verdict.INSIDE if rate < 0.9 * pressure else Verdict.BETWEEN


def mistaken(view, vitals, time):
    """Raises at 66 /min."""
    if vitals.values.get("hr") == 66:
        msg = "planted"
        raise ZeroDivisionError(msg)


def rule(decide, **changes) -> Rule:
    fields = {
        "code": "hr.shock",
        "signal": "hr",
        "kind": Kind.PHYSIOLOGICAL,
        "priority": Priority.MEDIUM,
        "rank": 0,
        "source": "a test",
        "delay_ms": 5000,
        "clear_ms": 5000,
        "words": "heart rate above systolic pressure",
    }
    return Rule(Row(**(fields | changes)), ("hr", "abp_sys"), decide)


# --- a rule that raises


def test_rule_21_a_rule_that_raises_does_not_stop_the_others():
    bed = Bed(ADULT.with_rule(rule(mistaken)))
    bed.at(0, hr=80, spo2=97)

    with pytest.raises(RuleError, match="planted") as caught:
        bed.at(1, hr=66, spo2=45)

    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert told(caught.value.messages) == ["1 spo2.desat raised"]
    assert bed.states() == {"spo2.desat": "active"}
    assert bed.at(2, hr=80, spo2=45) == []


def test_rule_21_the_first_of_two_exceptions_is_told():
    def worse(view, vitals, time):
        msg = "second"
        raise KeyError(msg)

    rules = ADULT.with_rule(rule(mistaken)).with_rule(rule(worse, code="hr.worse"))
    bed = Bed(rules)

    with pytest.raises(RuleError) as caught:
        bed.at(1, hr=66)

    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_rule_21_a_fault_is_a_high_technical_alarm_until_60_s_without():
    bed = Bed()
    bed.at(0, hr=80)

    assert bed.fault(0) == ["0 bed.monitoring_fault raised"]
    assert (bed.last.kind, bed.last.priority) == ("technical", "high")
    assert bed.last.annunciate
    assert bed.last.text == "Monitoring fault, watch the patient: planted"
    bed.every_second(1, 30, hr=80)
    assert bed.fault(30) == []
    assert bed.patient.faults == 2
    bed.every_second(31, 89, hr=80)
    assert bed.states() == {"bed.monitoring_fault": "active"}
    assert bed.at(90, hr=80) == ["90 bed.monitoring_fault latched"]


def test_rule_21_a_patient_of_whom_nothing_is_known_can_have_a_fault():
    bed = Bed()

    assert bed.fault(5) == ["5 bed.monitoring_fault raised"]
    assert bed.last.onset == ms(5)
    assert bed.due_s() == 65
    assert bed.saved_and_restored().states() == {"bed.monitoring_fault": "active"}


def test_a_model_that_raises_does_not_stop_the_rules():
    bed = Bed()
    bed.every_second(0, 9, hr=80, spo2=97)
    # A model of another shape raises.
    bed.patient.model = models.PatientModel()
    bed.patient.model.centres = []

    with pytest.raises(RuleError) as caught:
        bed.at(10, hr=80, spo2=45)

    assert isinstance(caught.value.__cause__, IndexError)
    assert told(caught.value.messages) == ["10 spo2.desat raised"]


# --- a rule that is added


def test_an_added_rule_has_delay_and_time_inside_as_a_limit_has():
    bed = Bed(ADULT.with_rule(rule(shock)))
    bed.at(0, hr=80, abp_sys=120)

    bed.every_second(1, 6, hr=110, abp_sys=100)
    assert bed.told == ["6 hr.shock raised"]
    assert bed.last.text == "heart rate above systolic pressure, for 5 s"
    assert bed.last.explanation.rule == "heart rate above systolic pressure"
    assert bed.last.value == 110
    assert bed.every_second(7, 20, hr=95, abp_sys=100) == []
    assert bed.every_second(21, 26, hr=80, abp_sys=100) == ["26 hr.shock cleared"]


def test_an_added_rule_that_does_not_decide_leaves_its_alarm_as_it_is():
    bed = Bed(ADULT.with_rule(rule(shock)))
    bed.every_second(0, 5, hr=110, abp_sys=100)
    bed.every_second(6, 15, hr=110)

    bed.every_second(16, 40, hr=80)

    assert bed.states()["hr.shock"] == "active"


def test_an_added_rule_starts_anew_after_a_gap():
    bed = Bed(ADULT.with_rule(rule(shock)))
    bed.at(0, hr=110, abp_sys=100)
    bed.at(10, hr=110, abp_sys=100)

    assert "hr.shock" not in bed.states()
    assert bed.every_second(11, 15, hr=110, abp_sys=100) == ["15 hr.shock raised"]


def test_an_added_rule_is_restored_with_the_rest():
    bed = Bed(ADULT.with_rule(rule(shock)))
    bed.every_second(0, 3, hr=110, abp_sys=100)

    told = bed.saved_and_restored().every_second(4, 5, hr=110, abp_sys=100)

    assert told == ["5 hr.shock raised"]


def test_the_view_of_an_added_rule_tells_values_ages_and_what_is_usual():
    seen = {}

    def look(view, vitals, time):
        seen["id"] = view.patient_id
        for code in ("hr", "abp_sys", "temp", "rr"):
            seen[code] = (view.value(code), view.age_s(code), view.usual(code))

    bed = Bed(ADULT.with_rule(rule(look)))
    for minute in range(40):
        bed.at(60 * minute, interval_s=60, hr=80, abp_sys=120)
    bed.at(2400, temp=37, rr=16)
    bed.at(2435, hr=90)

    assert seen == {
        "id": "p-1",
        "hr": (90, 0, 80),
        "abp_sys": (120, 95, 120),
        "temp": (37, 35, None),
        "rr": (None, 35, None),
    }


def test_an_added_rule_must_be_named_for_its_signal():
    with pytest.raises(ValueError, match="want hr"):
        ADULT.with_rule(rule(shock, code="abp_sys.shock"))


# --- scores


def test_the_first_ten_seconds_are_scored_and_then_within_each_minute():
    bed = Bed()

    bed.every_second(0, 200, hr=80, spo2=97)

    found = scores(bed.said)
    assert [(s.time - ms(0)) / 1000 for s in found] == [10, 60, 110, 160]
    assert {(s.patient_id, s.bed) for s in found} == {("p-1", "ICU1-01")}
    assert found[0].anomaly.model == HINTS
    assert not found[0].anomaly.warm


def test_a_score_that_moves_is_told_at_once():
    bed = Bed()
    for step in range(300):
        bed.at(10 * step, interval_s=10, hr=80 + step % 3, spo2=97)
    before = len(scores(bed.said))
    bed.at(3000, interval_s=10, hr=115, spo2=97)
    bed.at(3010, interval_s=10, hr=115, spo2=97)

    last = scores(bed.said[-1:])[0]
    assert len(scores(bed.said)) > before
    assert last.anomaly.warm
    assert last.anomaly.score > 0.05
    assert list(last.anomaly.shares) == ["hr"]
    assert sum(last.anomaly.shares.values()) == pytest.approx(1)


def test_the_model_does_not_learn_during_a_physiological_alarm():
    bed = Bed()
    bed.every_second(0, 10, hr=80, spo2=97)
    learnt = bed.patient.model.readings[0]
    bed.every_second(11, 100, hr=80, spo2=70)
    assert bed.patient.model.readings[0] == learnt
    bed.acknowledge(100, "spo2.desat")
    bed.acknowledge(100, "spo2.low")

    bed.every_second(101, 120, hr=80, spo2=70)
    assert bed.patient.model.readings[0] == learnt
    bed.every_second(121, 151, hr=80, spo2=97)
    assert bed.patient.model.readings[0] > learnt


def test_the_model_learns_during_a_technical_alarm():
    bed = Bed()

    bed.every_second(0, 50, hr=80, temp=99)

    assert bed.patient.model.readings[0] == 5


def test_a_bucket_ends_whatever_the_next_message_holds():
    """Else a restored patient would score at another message than one that stayed."""
    stayed, restored = Bed(), Bed()
    for bed in (stayed, restored):
        bed.every_second(0, 9, hr=80, spo2=97)
    restored.saved_and_restored()

    for bed in (stayed, restored):
        bed.at(10, gcs=15)
        bed.at(11, gcs=15, other=1)

    assert len(scores(stayed.said)) == len(scores(restored.said)) == 1


# --- the usual path


def is_usual(bed: Bed) -> bool:
    """Is the next message with the same signals on the usual path?"""
    return bed.patient.devices["mon"].bands is not NO_BANDS


def test_a_quiet_message_leaves_no_trace_but_what_was_measured():
    bed = Bed()
    bed.at(0, hr=80, spo2=97)
    bed.at(1, hr=81, spo2=96)

    device = bed.patient.devices["mon"]
    assert is_usual(bed)
    assert device.vitals.values == {"hr": 81, "spo2": 96}
    assert bed.patient.rows[-1] is device.vitals.values
    assert bed.patient.tracks["hr"].value == 80
    bed.patient.settle()
    assert bed.patient.tracks["hr"].value == 81


def test_only_what_is_busy_leaves_the_usual_path():
    bed = Bed()
    bed.at(0, hr=80, spo2=85)
    bed.at(1, hr=80, spo2=85)

    low, high = bed.patient.devices["mon"].bands["spo2"]
    assert low > high
    assert bed.patient.devices["mon"].bands["hr"] == (50, 120)


def test_a_monitor_that_sends_more_than_we_know_stays_on_the_usual_path():
    bed = Bed()
    bed.at(0, hr=80, gcs=15)
    bed.at(1, hr=80, gcs=15)

    assert is_usual(bed)
    assert bed.patient.unknown_signals == 2
    assert bed.patient.rows == [{"hr": 80}, {"hr": 80}]
    assert bed.every_second(2, 7, hr=45, gcs=15) == []
    assert bed.at(8, hr=45, gcs=15) == ["8 hr.low raised"]


def test_a_sender_of_endless_names_is_not_prepared_for():
    bed = Bed()

    bed.at(0, hr=80, **{f"s{number}": 1 for number in range(33)})

    assert not is_usual(bed)


@pytest.mark.parametrize("value", [math.nan, math.inf, "97", 1e308, 49.9])
def test_nothing_but_a_quiet_number_passes(value):
    bed = Bed()
    bed.at(0, hr=80)
    bed.at(1, hr=80)

    bed.at(2, hr=value)

    assert bed.patient.runs


@pytest.mark.parametrize("value", [True, "8"])
def test_a_message_that_was_read_slowly_never_passes(value):
    bed = Bed()
    bed.at(0, cvp=8)
    raw = {"patient_id": "p-1", "time": ms(1), "device": "mon", "bed": "ICU1-01"}

    vitals = decoding.decode(msgspec.json.encode(raw | {"values": {"cvp": value}}))
    bed.take(vitals, ms(1))

    assert bed.told == ["1 cvp.invalid raised"]


def test_a_bed_with_an_endless_name_is_cut_and_kept_where_a_person_put_it():
    bed = Bed()
    bed.at(0, bed="x" * 5000, hr=80)
    bed.ask(1, "transfer", bed="ICU2-01")

    bed.at(2, bed="x" * 5000, hr=80)

    assert bed.patient.bed == "ICU2-01"
    assert len(bed.patient.devices["mon"].bed) == 128


def test_a_bed_or_interval_that_changes_is_seen_at_once():
    bed = Bed()
    bed.every_second(0, 3, hr=80)

    bed.at(4, bed="ICU9-09", hr=80)
    assert bed.patient.bed == "ICU9-09"
    bed.at(5, bed="ICU9-09", interval_s=60, hr=80)
    assert bed.patient.tracks["hr"].no_data_ms == 150_000
    bed.at(6, bed="", interval_s=60, hr=80)
    assert bed.patient.bed == "ICU9-09"


def test_messages_are_counted_on_either_path():
    bed = Bed()
    bed.every_second(0, 30, hr=80)
    bed.at(31, hr=45)

    assert bed.patient.messages == 32


def test_a_field_that_was_left_out_is_counted():
    bed = Bed()
    vitals = decoding.decode(
        b'{"patient_id":"p-1","time":%d,"bed":7,"values":{"hr":80}}' % ms(0)
    )

    bed.take(vitals, ms(0))

    assert bed.patient.mended == 1


def test_vitals_that_a_test_or_tool_makes_are_stepped_as_decoded_ones():
    bed = Bed()
    vitals = Vitals(patient_id="p-1", time=ms(0), values={"spo2": 45})

    assert told(monitor.step(bed.patient, vitals, ms(0), ADULT)) == [
        "0 spo2.desat raised"
    ]
