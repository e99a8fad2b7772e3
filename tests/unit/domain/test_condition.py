"""Rule 26 of docs/alarms.md: an alarm that gets worse is told again."""

import pytest

from tests.unit.domain.bed import Bed


def with_low_rate() -> Bed:
    """`hr.low` raised at 6 s, with 48 /min as the worst value."""
    bed = Bed()
    bed.every_second(0, 6, hr=48)
    return bed


@pytest.mark.parametrize(("hr", "told"), [(38.01, []), (38, ["7 hr.low worsened"])])
def test_rule_26_a_value_worse_by_a_fifth_of_the_limit_worsens(hr, told):
    bed = with_low_rate()

    assert bed.at(7, hr=hr) == told


def test_rule_26_the_worst_value_before_it_was_raised_is_what_counts():
    bed = Bed()
    bed.every_second(0, 4, rr=4)
    bed.every_second(5, 14, rr=7)

    told = bed.at(15, rr=2.5)

    assert told == []
    assert bed.at(16, rr=2.4) == ["16 rr.low worsened"]


def test_rule_26_the_one_that_worsened_it_is_what_counts_from_then_on():
    bed = Bed()
    bed.every_second(0, 10, abp_sys=85)

    assert bed.at(11, abp_sys=67) == ["11 abp_sys.low worsened"]
    assert bed.at(12, abp_sys=49.1) == []
    assert bed.at(13, abp_sys=49) == ["13 abp_sys.low worsened"]


def test_rule_26_high_limits_worsen_upwards():
    bed = Bed()
    bed.every_second(0, 14, rr=32)

    assert bed.at(15, rr=37.9) == []
    assert bed.at(16, rr=38) == ["16 rr.high worsened"]


def test_rule_26_an_acknowledged_alarm_is_heard_again():
    bed = with_low_rate()
    bed.acknowledge(7, "hr.low")

    told = bed.at(8, hr=38)

    assert told == ["8 hr.low worsened"]
    assert (bed.last.state, bed.last.annunciate) == ("active", True)
    assert (bed.last.value, bed.last.explanation.extreme) == (38, 38)
    # No reminder is due any more: it sounds again by itself.
    bed.every_second(9, 186, hr=45)
    assert "reminded" not in {a.event for a in bed.alerts}


def test_rule_26_a_weaker_alarm_is_no_louder_than_the_stronger_one():
    bed = with_low_rate()
    bed.every_second(7, 12, hr=39)

    bed.at(13, hr=31)

    worsened = [(a.code, a.annunciate) for a in bed.alerts if a.event == "worsened"]
    assert worsened == [("hr.extreme_low", True), ("hr.low", False)]


def test_rule_26_the_escalation_counts_anew():
    bed = Bed()
    bed.every_second(0, 20, rr=7)
    bed.acknowledge(21, "rr.low")
    bed.at(22, rr=5.4)
    assert bed.last.event == "worsened"

    bed.every_second(23, 141, rr=5.4)
    assert bed.patient.alarms["rr.low"].priority == "medium"
    told = bed.at(142, rr=5.4)

    assert told[0] == "142 rr.low escalated"


def test_rule_26_what_has_risen_does_not_rise_again():
    bed = Bed()
    bed.every_second(0, 140, rr=7)
    bed.at(141, rr=5)
    assert bed.last.event == "worsened"

    bed.every_second(142, 300, rr=5)

    assert [a.event for a in bed.alerts].count("escalated") == 1


def test_rule_26_zero_has_no_worse():
    bed = Bed()

    bed.every_second(0, 60, rr=0)

    assert not {a.event for a in bed.alerts if a.code == "rr.apnoea"} - {
        "raised",
        "standing",
    }


def test_rule_26_survives_a_restart():
    bed = with_low_rate()
    bed.at(7, hr=38)

    bed.saved_and_restored()

    assert bed.at(8, hr=28.1) == []
    assert "worsened" in bed.at(9, hr=28)[0]


# --- rule 27: chattering


def flapping(times: int, apart: float) -> Bed:
    """A cuff's alarm that comes and goes."""
    bed = Bed()
    for number in range(times):
        bed.at(number * apart, nibp_sys=85, interval_s=60)
        if number < times - 1:
            bed.at(number * apart + apart / 2, nibp_sys=120, interval_s=60)
    return bed


@pytest.mark.parametrize(("apart", "reason"), [(19.9, "comes and goes"), (20, "")])
def test_rule_27_the_fourth_time_in_a_minute_is_chattering(apart, reason):
    bed = flapping(4, apart)

    assert (bed.last.event, bed.last.explanation.reason) == ("raised", reason)


def test_rule_27_three_times_is_not():
    assert flapping(3, 5).last.explanation.reason == ""


def test_rule_27_it_is_over_when_it_was_inside_for_a_minute():
    bed = flapping(4, 10)

    assert bed.at(40, nibp_sys=120, interval_s=60) == []
    assert bed.at(99.9, nibp_sys=120, interval_s=60) == ["90 nibp_sys.low standing"]
    assert "100 nibp_sys.low cleared" in bed.at(100, nibp_sys=120, interval_s=60)


def test_rule_27_flapping_meanwhile_is_one_alarm():
    bed = flapping(4, 10)
    said = len(bed.alerts)

    for second in range(40, 70, 2):
        bed.at(second, nibp_sys=85 if second % 4 else 120, interval_s=60)

    assert len(bed.alerts) == said


def test_rule_27_a_high_alarm_never_chatters():
    bed = Bed()
    for number in range(5):
        bed.at(number * 12, spo2=75)
        bed.every_second(number * 12 + 1, number * 12 + 7, spo2=97)
        if "spo2.desat" in bed.states():
            bed.acknowledge(number * 12 + 8, "spo2.desat")

    assert "comes and goes" not in {a.explanation.reason for a in bed.alerts}
    assert [a.event for a in bed.alerts].count("raised") == 5


def test_rule_27_invalid_values_chatter_too_and_a_restart_forgets_nothing():
    bed = Bed()
    for number in range(3):
        bed.at(number * 12, temp=60)
        bed.every_second(number * 12 + 1, number * 12 + 8, temp=37)

    bed.saved_and_restored().at(36, temp=60)

    assert bed.last.explanation.reason == "comes and goes"
