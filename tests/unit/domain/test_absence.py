"""Rules 14 to 17 of docs/alarms.md: silence."""

import pytest

from icu_stream.contracts.signals import SIGNALS
from tests.unit.domain.bed import Bed, ms


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.code)
def test_rule_14_a_signal_is_silent_at_its_no_data_time_and_not_before(signal):
    bed = Bed()
    usual = {"temp": 37, "spo2": 97, "nibp_sys": 120, "fio2": 40}.get(signal.code, 80)
    other = "cvp" if signal.code != "cvp" else "hr"
    bed.at(0, interval_s=1, **{signal.code: usual if signal.code != "rr" else 16})
    no_data_s = signal.no_data_s or 7200
    bed.at(no_data_s - 0.5, interval_s=3600, **{other: 10 if other == "cvp" else 80})

    assert f"{signal.code}.no_data" not in bed.patient.alarms
    before = bed.tick(no_data_s - 0.001)
    told = bed.tick(no_data_s)

    code = f"{signal.code}.no_data"
    assert not [line for line in before if code in line]
    if signal.no_data_s is None:
        assert not [line for line in told if code in line]
    else:
        assert f"{no_data_s:g} {code} raised" in told


def test_rule_14_a_signal_that_was_never_there_is_not_missed():
    bed = Bed()

    bed.every_second(0, 60, hr=80)

    assert bed.told == []


def test_rule_14_a_declared_interval_lengthens_the_no_data_time():
    bed = Bed()
    bed.at(0, interval_s=60, hr=80, spo2=97)
    bed.at(60, interval_s=60, spo2=97)
    bed.at(120, interval_s=60, spo2=97)

    assert bed.tick(149.999) == []
    assert bed.tick(150) == ["150 hr.no_data raised"]


def test_rule_14_an_invalid_value_is_no_silence():
    bed = Bed()

    bed.every_second(0, 30, hr=999)

    assert bed.told == ["0 hr.invalid raised"]


def test_rule_14_a_signal_that_was_taken_off_is_not_missed_until_it_comes_again():
    bed = Bed()
    bed.at(0, hr=80, spo2=97)
    bed.ask(1, "signal_off", signal="spo2")

    assert bed.every_second(2, 40, hr=80) == []
    bed.at(41, hr=80, spo2=97)
    assert bed.every_second(42, 52, hr=80) == ["51 spo2.no_data raised"]


@pytest.mark.parametrize(("interval_s", "due"), [(None, 10), (4, 10), (60, 150)])
def test_rule_15_the_bed_is_silent_at_its_time_and_not_before(interval_s, due):
    bed = Bed()
    bed.at(0, interval_s=interval_s, hr=80, spo2=97, rr=16)

    assert bed.tick(due - 0.001) == []
    assert bed.tick(due) == [f"{due} bed.no_data raised"]
    assert bed.last.onset == ms(due)
    assert bed.last.signal is None


def test_rule_15_seven_signals_that_stop_are_one_alarm():
    bed = Bed()
    bed.at(0, hr=80, pulse=80, spo2=97, rr=16, abp_sys=120, abp_dia=70, abp_mean=87)

    bed.tick(59)

    assert bed.told == ["10 bed.no_data raised"]


def test_rule_15_silence_that_nobody_acknowledges_rises_to_high_after_60_s():
    bed = Bed()
    bed.at(0, hr=80)

    assert bed.tick(69.999) == ["10 bed.no_data raised"]
    assert bed.tick(70) == ["70 bed.no_data escalated"]
    assert bed.last.priority == "high"
    assert bed.last.annunciate


def test_rule_15_a_message_without_values_is_no_sign_of_life():
    bed = Bed()
    bed.at(0, hr=80)
    bed.at(5)
    bed.at(9, gcs=15)

    assert bed.tick(10) == ["10 bed.no_data raised"]


def test_rule_15_a_bed_of_which_nothing_is_expected_is_not_missed():
    bed = Bed()
    bed.at(0, hr=80)
    bed.ask(1, "signal_off", signal="hr")

    assert bed.tick(1000) == []
    assert bed.due_s() is None


def test_rule_16_the_onset_is_the_due_whether_clock_or_message_notices():
    by_clock, by_message = Bed(), Bed()
    for bed in (by_clock, by_message):
        bed.at(0, hr=80, spo2=97)
        bed.every_second(1, 9, hr=80)
    by_clock.tick(10)
    by_message.at(60, hr=80)

    for bed in (by_clock, by_message):
        first = bed.alerts[0]
        assert (first.code, first.onset, first.time) == (
            "spo2.no_data",
            ms(10),
            ms(10),
        )


def test_rule_16_a_bed_that_falls_silent_signal_by_signal_is_one_alarm():
    bed = Bed()
    bed.at(0, hr=80, spo2=97)
    bed.at(1.4, spo2=97)

    assert bed.tick(11.3) == []
    assert bed.tick(11.4) == ["11.4 bed.no_data raised"]


def test_rule_16_a_bed_that_speaks_on_misses_the_signal():
    bed = Bed()
    bed.at(0, hr=80, spo2=97)
    bed.at(1.5, spo2=97)

    assert bed.tick(10) == ["10 hr.no_data raised"]


def test_rule_16_its_moment_is_not_before_the_bed_spoke():
    bed = Bed()
    bed.at(0, hr=80, spo2=97)
    bed.at(1, spo2=97)
    bed.at(10.8, spo2=97)

    assert bed.tick(11) == ["10.8 hr.no_data raised"]
    assert bed.last.onset == ms(10)


def test_rule_16_a_slow_device_does_not_hide_the_silence_of_a_fast_one():
    """The bed's own time is 2.5 h after a charted message: nobody would come."""
    bed = Bed()
    bed.at(0, device="monitor", hr=80)
    bed.at(0.5, device="chart", interval_s=3600, temp=37)

    assert bed.tick(10) == ["10 hr.no_data raised"]


@pytest.mark.parametrize(
    ("signal", "priority"),
    [("hr", "medium"), ("spo2", "medium"), ("rr", "low"), ("abp_mean", "low")],
)
def test_rule_16_the_priority_of_a_missing_signal(signal, priority):
    bed = Bed()
    usual = {"hr": 80, "spo2": 97, "rr": 16, "abp_mean": 87}
    bed.at(0, etco2=38, **{signal: usual[signal]})
    bed.every_second(1, 31, etco2=38)

    assert bed.last.code == f"{signal}.no_data"
    assert bed.last.priority == priority


def test_rule_17_a_signal_that_comes_back_clears_at_once():
    bed = Bed()
    bed.at(0, hr=80, spo2=97)
    bed.every_second(1, 20, hr=80)

    assert bed.at(21, hr=80, spo2=97) == ["21 spo2.no_data cleared"]
    assert bed.last.text == "SpO₂ is measured again, missing for 11 s"


def test_rule_17_a_bed_that_comes_back_clears_at_once():
    bed = Bed()
    bed.at(0, hr=80)
    bed.tick(11)

    assert bed.at(20, hr=80) == ["20 bed.no_data cleared"]


def test_rule_17_what_is_still_missing_when_the_bed_comes_back_is_said():
    bed = Bed()
    bed.at(0, hr=80, spo2=97)

    bed.at(20, hr=80)

    assert bed.told == ["10 bed.no_data raised", "20 bed.no_data cleared"]
    assert bed.at(21, hr=80) == ["20 spo2.no_data raised"]
    assert bed.last.onset == ms(10)


def test_rule_17_silence_clears_nothing():
    bed = Bed()
    bed.at(0, spo2=70, hr=80)

    bed.every_second(1, 100, hr=80)

    assert bed.states() == {"spo2.desat": "active", "spo2.no_data": "active"}


def test_two_devices_whose_clocks_differ_by_seconds_do_not_miss_each_other():
    """Raised and cleared each second, it was a flood."""
    bed = Bed()

    for second in range(60):
        bed.at(second, device="monitor", hr=80)
        bed.at(second - 11, arrived=second, device="ventilator", rr=16)

    assert bed.told == []


def test_the_bed_is_silent_by_the_time_of_the_device_that_spoke_last():
    """A slower device had set a later moment for the next look, and nobody looked."""
    bed = Bed()
    for second in range(0, 100, 4):
        bed.at(second, device="chart", interval_s=60, temp=37)
        bed.at(second + 1, device="ventilator", interval_s=4, rr=16)

    assert bed.at(120, device="ventilator", interval_s=4, rr=16) == [
        "107 bed.no_data raised",
        "120 bed.no_data cleared",
    ]


def test_a_message_of_a_signal_without_a_name_is_no_sign_of_life():
    bed = Bed()
    bed.at(0, hr=80)
    bed.at(5)
    bed.at(6, **{"": 1})

    assert bed.tick(10) == ["10 bed.no_data raised"]


def test_one_of_two_devices_that_stops_is_missed():
    bed = Bed()
    bed.at(0, device="monitor", hr=80)
    bed.at(0, device="ventilator", rr=16)

    told = []
    for second in range(1, 40):
        told += bed.at(second, device="monitor", hr=80)

    assert told == ["30 rr.no_data raised"]


def test_a_no_data_alarm_never_has_the_id_of_an_earlier_one():
    bed = Bed()
    bed.at(0, device="a", hr=80)
    bed.tick(10)
    bed.at(-1, arrived=11, device="b", rr=16)
    bed.tick(40)

    ids = [a.alert_id for a in bed.alerts if a.event == "raised"]

    assert len(ids) == len(set(ids)) == 3
