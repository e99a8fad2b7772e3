"""Rules 8 to 12 of docs/alarms.md, at both sides of every edge of every row."""

import math

import pytest

from icu_stream.contracts.alerts import Kind, Priority
from icu_stream.contracts.signals import BY_CODE
from icu_stream.domain import limits
from icu_stream.domain.limits import Condition, Row, Verdict, verdict
from tests.unit.domain.bed import ADULT, Bed, ms


ROWS = [row for rows in ADULT.limits.values() for row in rows]
STEP = 0.01
USUAL = {
    "hr": 80,
    "spo2": 97,
    "rr": 16,
    "abp_sys": 120,
    "abp_mean": 87,
    "nibp_sys": 120,
    "temp": 37,
    "etco2": 38,
}


def outside(row: Row, by: float = STEP) -> float:
    """A value just beyond the limit."""
    if row.condition is Condition.ZERO:
        return 0.0
    sign = 1 if row.condition is Condition.HIGH else -1
    return round(row.limit + sign * by, 6)


def inside(row: Row) -> float:
    """The last value of the deadband's edge that is inside."""
    return row.inside


def between(row: Row) -> float:
    """A value that is neither outside nor inside."""
    sign = 1 if row.condition is Condition.HIGH else -1
    return round(row.inside + sign * STEP, 6)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code)
def test_a_value_on_the_limit_does_not_violate_and_one_beyond_does(row):
    if row.condition is not Condition.ZERO:
        assert verdict(row, row.limit) is Verdict.BETWEEN
    assert verdict(row, outside(row)) is Verdict.VIOLATED


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code)
def test_the_edge_of_the_deadband_is_inside_and_the_value_before_is_not(row):
    assert verdict(row, inside(row)) is Verdict.INSIDE
    assert verdict(row, between(row)) is Verdict.BETWEEN


def test_a_zero_is_asystole_also_when_it_is_negative():
    assert verdict(ADULT.rows["hr.asystole"], -0.0) is Verdict.VIOLATED
    assert verdict(ADULT.rows["hr.asystole"], 0.1) is Verdict.BETWEEN


def test_a_row_without_a_limit_cannot_judge_a_value():
    with pytest.raises(TypeError, match="no limit"):
        verdict(ADULT.rows["hr.no_data"], 1.0)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code)
def test_an_alarm_is_raised_at_its_delay_and_not_one_millisecond_before(row):
    delay_s = row.delay_ms / 1000
    bed = Bed()
    bed.at(0, **{row.signal: USUAL[row.signal]})
    for second in range(1, 1 + math.ceil(delay_s)):
        bed.at(second, **{row.signal: outside(row)})
    if delay_s:
        bed.at(1 + delay_s - 0.001, **{row.signal: outside(row)})
        assert row.code not in bed.patient.alarms

    told = bed.at(1 + delay_s, **{row.signal: outside(row)})

    assert f"{1 + delay_s:g} {row.code} raised" in told
    alert = next(alert for alert in bed.alerts if alert.code == row.code)
    assert alert.onset == ms(1)
    assert alert.limit == row.limit
    assert alert.value == outside(row)
    assert alert.delay_s == delay_s
    assert alert.kind is Kind.PHYSIOLOGICAL
    assert alert.priority is row.priority
    assert alert.unit == BY_CODE[row.signal].unit


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code)
def test_an_alarm_is_over_after_its_time_inside_and_not_one_millisecond_before(row):
    bed = Bed()
    end = math.ceil(row.delay_ms / 1000) + 1
    bed.every_second(0, end, **{row.signal: outside(row)})
    assert row.code in bed.patient.alarms
    bed.at(end + 1, **{row.signal: between(row)})
    assert bed.patient.alarms[row.code].is_holding
    clear_s = row.clear_ms / 1000
    begin = end + 2
    if clear_s:
        bed.at(begin, **{row.signal: inside(row)})
        for second in range(begin + 1, begin + int(clear_s)):
            bed.at(second, **{row.signal: inside(row)})
        bed.at(begin + clear_s - 0.001, **{row.signal: inside(row)})
        assert bed.patient.alarms[row.code].is_holding

    told = bed.at(begin + clear_s, **{row.signal: inside(row)})

    event = "latched" if row.priority is Priority.HIGH else "cleared"
    assert f"{begin + clear_s:g} {row.code} {event}" in told


def test_rule_8_a_delay_of_zero_is_raised_at_the_first_value_of_a_new_patient():
    bed = Bed()

    told = bed.at(0, spo2=45)

    assert told == ["0 spo2.desat raised"]
    assert bed.last.priority is Priority.HIGH
    assert bed.last.annunciate


def test_rule_9_one_value_that_does_not_violate_starts_the_delay_anew():
    bed = Bed()
    bed.every_second(0, 14, spo2=89)
    bed.at(15, spo2=90)

    assert bed.every_second(16, 30, spo2=89) == []
    assert bed.at(31, spo2=89) == ["31 spo2.low raised"]


def test_rule_9_a_gap_of_the_no_data_time_starts_the_delay_anew():
    bed = Bed()
    bed.at(0, spo2=85)
    bed.at(9, spo2=85)

    bed.at(19, spo2=85)

    assert "spo2.low" not in bed.patient.alarms
    assert bed.patient.runs["spo2.low"].onset == bed.patient.tracks["spo2"].time


def test_rule_9_a_shorter_gap_does_not():
    bed = Bed()
    bed.at(0, spo2=85)
    bed.at(9, spo2=85)

    assert bed.at(18.999, spo2=85) == ["18.999 spo2.low raised"]


def test_rule_9_the_gap_is_measured_by_the_interval_of_the_value_before_it():
    bed = Bed()
    bed.at(0, spo2=85, interval_s=60)

    assert bed.at(60, spo2=85) == ["60 spo2.low raised"]


def test_rule_10_a_value_between_starts_the_time_inside_anew():
    bed = Bed()
    bed.every_second(0, 15, spo2=85)
    bed.every_second(16, 19, spo2=91)
    bed.at(20, spo2=90.9)

    assert bed.every_second(21, 25, spo2=91) == []
    assert bed.at(26, spo2=91) == ["26 spo2.low cleared"]


def test_rule_10_a_gap_starts_the_time_inside_anew():
    bed = Bed()
    bed.every_second(0, 15, spo2=85)
    bed.at(16, spo2=95)

    told = bed.at(26, spo2=95)

    assert "26 spo2.low cleared" not in told
    assert bed.patient.alarms["spo2.low"].is_holding
    assert "31 spo2.low cleared" in bed.every_second(27, 31, spo2=95)


def test_rule_10_each_cuff_reading_stands_for_itself():
    bed = Bed()

    assert bed.at(0, nibp_sys=89) == ["0 nibp_sys.low raised"]
    assert bed.at(9, nibp_sys=92.9) == []
    assert bed.at(18, nibp_sys=93) == ["18 nibp_sys.low cleared"]


def test_rule_11_a_high_alarm_that_nobody_saw_is_latched_and_stays():
    bed = Bed()
    bed.at(0, spo2=70)
    bed.every_second(1, 6, spo2=97)

    assert bed.told == ["0 spo2.desat raised", "6 spo2.desat latched"]
    assert not bed.last.annunciate
    assert bed.last.value == 97


def test_rule_11_a_latched_alarm_is_over_when_somebody_acknowledges_it():
    bed = Bed()
    bed.at(0, spo2=70)
    bed.every_second(1, 6, spo2=97)

    assert bed.acknowledge(7, "spo2.desat").accepted

    assert (bed.last.event, bed.last.state, bed.last.by) == (
        "acknowledged",
        "cleared",
        "nurse",
    )
    assert bed.states() == {}


def test_rule_11_a_high_alarm_that_was_acknowledged_is_cleared():
    bed = Bed()
    bed.at(0, spo2=70)
    bed.acknowledge(0, "spo2.desat")

    assert bed.every_second(1, 6, spo2=97) == ["6 spo2.desat cleared"]


def test_rule_11_a_new_episode_takes_the_place_of_a_latched_one():
    bed = Bed()
    bed.at(0, spo2=70)
    bed.every_second(1, 6, spo2=97)

    told = bed.at(7, spo2=71)

    assert told == ["7 spo2.desat cleared", "7 spo2.desat raised"]
    old, new = bed.alerts[-2:]
    assert old.explanation.reason == "a new episode began"
    assert old.alert_id != new.alert_id
    assert new.transition == 1


def test_rule_12_a_weaker_alarm_makes_no_sound_beside_a_stronger_one():
    bed = Bed()

    bed.every_second(0, 15, spo2=70)

    assert [(a.code, a.annunciate) for a in bed.alerts] == [
        ("spo2.desat", True),
        ("spo2.low", False),
    ]


def test_rule_12_the_stronger_comes_first_when_both_are_raised_at_once():
    bed = Bed()

    told = bed.every_second(0, 4, abp_mean=35)

    assert told == ["4 abp_mean.extreme_low raised", "4 abp_mean.low raised"]
    assert [a.annunciate for a in bed.alerts] == [True, False]


def test_rule_12_a_latched_stronger_one_does_not_silence():
    bed = Bed()
    bed.at(0, spo2=70)
    bed.every_second(1, 6, spo2=85)

    bed.every_second(7, 20, spo2=85)

    assert [(a.code, a.event, a.annunciate) for a in bed.alerts] == [
        ("spo2.desat", "raised", True),
        ("spo2.desat", "latched", False),
        ("spo2.low", "raised", True),
    ]


def test_rule_12_the_other_direction_does_not_silence():
    bed = Bed()
    bed.every_second(0, 5, hr=150)

    bed.every_second(6, 12, hr=45)

    assert [(a.code, a.annunciate) for a in bed.alerts if a.event == "raised"] == [
        ("hr.extreme_high", True),
        ("hr.low", True),
    ]


def test_rule_13_the_id_is_patient_code_and_onset():
    bed = Bed()
    bed.at(0, hr=80)

    bed.every_second(1, 7, hr=45)

    assert bed.last.alert_id == f"p-1:hr.low:{bed.last.onset}"
    assert bed.last.time - bed.last.onset == 6000


def test_an_hour_of_violation_is_one_alarm_and_not_3600():
    bed = Bed()

    bed.every_second(0, 3600, hr=130)

    assert [a.event for a in bed.alerts if a.event != "standing"] == ["raised"]
    assert len(bed.alerts) == 1 + 59


def test_the_quiet_band_of_a_signal_is_its_range_within_its_limits():
    assert ADULT.quiet["hr"] == (50, 120)
    assert ADULT.quiet["spo2"] == (90, 100)
    assert ADULT.quiet["cvp"] == (-20, 100)


def test_nothing_is_in_the_band_of_a_busy_signal():
    low, high = limits.NEVER

    assert not any(low <= v <= high for v in (0.0, math.inf, -math.inf, math.nan))


def test_bands_are_shared_and_many_sets_of_signals_do_not_pile_up():
    codes = frozenset({"hr", "spo2"})

    assert ADULT.bands(codes) is ADULT.bands(codes)

    signals = list(ADULT.quiet)
    for number in range(2 * limits._MAX_BANDS):
        chosen = {s for bit, s in enumerate(signals) if number >> bit & 1}
        assert ADULT.bands(frozenset(chosen)).keys() == chosen
    assert len(ADULT._bands) <= limits._MAX_BANDS
