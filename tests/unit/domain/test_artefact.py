"""Rules 6 and 7 of docs/alarms.md: invalid values, and a zero that is not asystole."""

import math

import pytest

from icu_stream.contracts.signals import SIGNALS
from icu_stream.domain import artefact
from tests.unit.domain.bed import Bed


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.code)
def test_rule_6_the_ends_of_the_instrument_are_valid_and_what_is_beyond_is_not(signal):
    assert artefact.is_valid(signal, float(signal.low))
    assert artefact.is_valid(signal, float(signal.high))
    assert not artefact.is_valid(signal, math.nextafter(signal.low, -math.inf))
    assert not artefact.is_valid(signal, math.nextafter(signal.high, math.inf))


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        1e308,
        -5.0,
        351.0,
        "eighty",
        "80",
        "",
        True,
        False,
        "[80]",
    ],
    ids=repr,
)
def test_rule_6_what_is_no_number_raises_a_technical_alarm_and_decides_nothing(value):
    bed = Bed()
    bed.at(0, hr=80, spo2=97)

    assert bed.at(1, hr=value, spo2=97) == ["1 hr.invalid raised"]

    assert bed.last.kind == "technical"
    assert bed.last.priority == "medium"
    assert bed.patient.invalid == 1
    assert bed.every_second(2, 30, hr=value, spo2=97) == []


def test_rule_6_a_temperature_in_fahrenheit_is_no_fever():
    bed = Bed()

    assert bed.at(0, temp=98.6) == ["0 temp.invalid raised"]
    assert (
        bed.last.text == "Temp 98.6 reads as Fahrenheit (37.0 °C): set the device to °C"
    )
    assert bed.last.priority == "low"
    assert bed.last.value == 98.6


def test_rule_6_the_other_signals_of_the_message_are_decided():
    bed = Bed()

    assert bed.at(0, hr="x", spo2=45) == ["0 hr.invalid raised", "0 spo2.desat raised"]


def test_rule_6_it_clears_5_s_after_the_first_valid_value_in_a_row():
    bed = Bed()
    bed.at(0, hr=999)
    bed.at(1, hr=80)
    bed.at(3, hr=999)
    bed.every_second(4, 8, hr=80)

    assert bed.at(8.999, hr=80) == []
    assert bed.at(9, hr=80) == ["9 hr.invalid cleared"]
    assert bed.last.text == "HR 80 /min: measured rightly again"


def test_rule_6_an_invalid_value_ends_no_row_of_violation_by_itself():
    bed = Bed()
    bed.every_second(0, 3, hr=130)
    bed.at(4, hr="x")

    assert bed.every_second(5, 6, hr=130) == ["6 hr.high raised"]


def test_rule_6_invalid_values_are_a_gap_for_the_limits():
    bed = Bed()
    bed.at(0, hr=130)
    bed.every_second(1, 9, hr="x")
    bed.at(10, hr=130)

    assert "hr.high" not in bed.patient.alarms
    assert bed.every_second(11, 16, hr=130) == [
        "15 hr.invalid cleared",
        "16 hr.high raised",
    ]


def test_rule_6_an_unknown_signal_is_counted_and_left_alone():
    bed = Bed()
    bed.every_second(0, 20, hr=80, gcs=15)

    assert bed.told == []
    assert bed.patient.unknown_signals == 21
    assert "gcs" not in bed.patient.tracks


@pytest.mark.parametrize(
    "second_source", [{"pulse": 1}, {"abp_sys": 100, "abp_dia": 85}]
)
def test_rule_7_a_zero_with_a_pulse_is_an_ecg_fault_and_no_asystole(second_source):
    bed = Bed()

    told = bed.every_second(0, 20, hr=0, **second_source)

    assert told == ["4 hr.ecg_fault raised"]
    assert (bed.last.kind, bed.last.priority) == ("technical", "medium")
    assert bed.last.text == "ECG fault: HR 0 for 4 s, but there is a pulse"


@pytest.mark.parametrize(
    "second_source",
    [{}, {"pulse": 0}, {"abp_sys": 100, "abp_dia": 85.01}, {"abp_sys": 100}],
)
def test_rule_7_a_zero_without_a_pulse_is_asystole(second_source):
    bed = Bed()

    told = bed.every_second(0, 4, hr=0, **second_source)

    assert told == ["4 hr.asystole raised"]
    assert bed.last.text == "HR 0 /min: no pulse measured for 4 s"


@pytest.mark.parametrize(("age", "is_fault"), [(5, True), (5.001, False)])
def test_rule_7_a_pulse_counts_for_5_s(age, is_fault):
    bed = Bed()
    bed.at(0, hr=80, pulse=80)

    bed.at(age, hr=0)

    assert ("hr.ecg_fault" in bed.patient.runs) is is_fault
    assert ("hr.asystole" in bed.patient.runs) is not is_fault


def test_rule_7_a_pulse_of_another_device_counts():
    bed = Bed()
    for second in range(6):
        bed.at(second, device="pleth", pulse=80)
        bed.at(second + 0.1, device="ecg", hr=0)

    assert bed.told == ["4.1 hr.ecg_fault raised"]


def test_rule_7_a_pulse_that_is_invalid_does_not_count():
    bed = Bed()

    bed.every_second(0, 4, hr=0, pulse=999)

    assert bed.told == ["0 pulse.invalid raised", "4 hr.asystole raised"]


def test_rule_7_the_fault_is_over_after_5_s_of_another_rate():
    bed = Bed()
    bed.every_second(0, 4, hr=0, pulse=80)
    bed.every_second(5, 9, hr=80, pulse=80)

    assert bed.at(10, hr=80, pulse=80) == ["10 hr.ecg_fault cleared"]


def test_rule_7_when_the_pulse_goes_too_it_is_asystole():
    bed = Bed()
    bed.every_second(0, 5, hr=0, pulse=80)

    told = bed.every_second(6, 10, hr=0, pulse=0)

    assert "10 hr.asystole raised" in told


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\x00b\n" + "c" * 99, "'ab" + "c" * 21 + "…'"),
        ([1], "'[1]'"),
        (math.nan, "nan"),
    ],
)
def test_what_is_no_number_is_shown_short_and_printable(value, shown):
    bed = Bed()

    bed.at(0, hr=value)

    assert bed.last.text == f"HR {shown} is not a number"


def test_a_number_that_no_json_can_carry_is_left_out_of_the_alert():
    assert artefact.finite(math.inf) is None
    assert artefact.finite(True) is None
    assert artefact.finite(1e308) == 1e308
