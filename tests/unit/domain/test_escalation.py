"""Rules 18 to 20 of docs/alarms.md: what falls due with time."""

import pytest

from tests.unit.domain.bed import Bed


def with_low_saturation(second: int = 15) -> Bed:
    """`spo2.low` raised at 15 s."""
    bed = Bed()
    bed.every_second(0, second, spo2=85, hr=80)
    return bed


@pytest.mark.parametrize(
    ("code", "values", "raised"),
    [
        ("spo2.low", {"spo2": 85}, 15),
        ("abp_mean.low", {"abp_mean": 50}, 4),
        ("rr.low", {"rr": 5}, 14),
    ],
)
def test_rule_18_what_kills_rises_to_high_after_120_s(code, values, raised):
    bed = Bed()
    bed.every_second(0, raised + 119, **values)
    assert bed.patient.alarms[code].priority == "medium"

    told = bed.at(raised + 120, **values)

    assert told[0] == f"{raised + 120} {code} escalated"
    assert (bed.last.priority, bed.last.annunciate) == ("high", True)


def test_rule_18_other_alarms_do_not_rise():
    bed = Bed()

    bed.every_second(0, 400, hr=130)

    assert bed.last.priority == "medium"


def test_rule_18_what_somebody_acknowledged_does_not_rise():
    bed = with_low_saturation()
    bed.acknowledge(16, "spo2.low")

    bed.every_second(17, 250, spo2=85, hr=80)

    assert "escalated" not in {a.event for a in bed.alerts}
    assert bed.states() == {"spo2.low": "active"}


def test_rule_18_it_is_stamped_with_its_due_whatever_brings_it():
    by_message, by_clock = with_low_saturation(), with_low_saturation()

    by_message.at(200.5, spo2=85, hr=80)
    by_clock.tick(135)

    for bed in (by_message, by_clock):
        assert "135 spo2.low escalated" in bed.told


def test_rule_18_an_alarm_that_holds_180_s_after_it_was_acknowledged_is_reminded():
    bed = Bed()
    bed.every_second(0, 6, hr=130)
    bed.acknowledge(10, "hr.high")
    bed.every_second(11, 189, hr=130)
    assert bed.states() == {"hr.high": "acknowledged"}

    assert bed.at(190, hr=130) == ["190 hr.high reminded"]
    assert bed.last.annunciate
    assert bed.states() == {"hr.high": "active"}


def test_rule_18_an_alarm_that_is_over_is_not_reminded():
    bed = Bed()
    bed.every_second(0, 6, hr=130)
    bed.acknowledge(10, "hr.high")

    bed.every_second(11, 300, hr=80)

    assert bed.told[-1] == "16 hr.high cleared"


def test_rule_18_a_reminder_beside_a_stronger_alarm_makes_no_sound():
    bed = Bed()
    bed.every_second(0, 15, spo2=70)
    bed.acknowledge(16, "spo2.low")

    bed.every_second(17, 196, spo2=70)

    reminded = next(a for a in bed.alerts if a.event == "reminded")
    assert (reminded.code, reminded.annunciate) == ("spo2.low", False)


def test_rule_19_an_alarm_is_stated_again_each_minute_with_the_same_number():
    bed = Bed()
    bed.every_second(0, 186, hr=130)

    assert bed.told == [
        "6 hr.high raised",
        "66 hr.high standing",
        "126 hr.high standing",
        "186 hr.high standing",
    ]
    assert {a.transition for a in bed.alerts} == {1}
    assert [a.annunciate for a in bed.alerts] == [True, False, False, False]


def test_rule_19_the_minute_counts_from_whatever_was_stated_last():
    bed = Bed()
    bed.every_second(0, 30, hr=130)
    bed.acknowledge(30, "hr.high")

    assert bed.every_second(31, 89, hr=130) == []
    assert bed.at(90, hr=130) == ["90 hr.high standing"]
    assert bed.last.transition == 2


def test_rule_19_a_long_gap_brings_one_statement_at_its_last_full_minute():
    bed = Bed()
    bed.at(0, nibp_sys=80, interval_s=3600)

    assert bed.tick(1000) == ["960 nibp_sys.low standing"]


def test_rule_19_a_latched_alarm_is_stated_too():
    bed = Bed()
    bed.at(0, spo2=70)
    bed.every_second(1, 66, spo2=97)

    assert bed.told[-1] == "66 spo2.desat standing"
    assert bed.last.state == "latched"


def test_rule_20_what_is_due_together_comes_in_the_order_of_its_moments():
    bed = with_low_saturation()

    told = bed.at(300, spo2=85, hr=80)

    assert told == [
        "25 bed.no_data raised",
        "85 bed.no_data escalated",
        "135 spo2.low escalated",
        "255 spo2.low standing",
        "265 bed.no_data standing",
        "300 bed.no_data latched",
    ]


def test_rule_20_at_one_moment_no_data_comes_before_statements():
    bed = Bed()
    bed.at(0, interval_s=24, hr=80, nibp_sys=80)

    assert bed.tick(60) == ["60 bed.no_data raised", "60 nibp_sys.low standing"]


def test_rule_20_at_one_moment_escalation_comes_before_statements():
    bed = Bed()
    bed.at(0, interval_s=3600, abp_mean=50, nibp_sys=80)
    bed.at(4, interval_s=3600, abp_mean=50, nibp_sys=80)

    told = bed.tick(124)

    assert told == ["120 nibp_sys.low standing", "124 abp_mean.low escalated"]


def test_the_next_due_is_exact_and_by_our_clock():
    bed = Bed()
    assert bed.due_s() is None
    bed.at(0, arrived=100, hr=80)
    assert bed.due_s() == 110

    bed.tick(109.999)
    assert bed.told == []
    bed.tick(110)

    assert bed.told == ["10 bed.no_data raised"]
    assert bed.due_s() == 100 + 20  # nobody has ended the first 10 s: they are scored
    bed.tick(120)
    assert bed.due_s() == 100 + 70


def test_what_is_due_never_stays_due_after_a_tick():
    """A worker would write ticks for ever."""
    bed = with_low_saturation()
    for _ in range(200):
        due = bed.due_s()
        bed.tick(due)
        assert bed.due_s() > due
