"""Rule 24 of docs/alarms.md: what a device says about a signal it does not measure."""

import pytest

from tests.unit.domain.bed import Bed


WORDS = ("lead_off", "sensor_off", "disconnected")


def with_saturation() -> Bed:
    bed = Bed()
    bed.at(0, hr=80, spo2=97)
    return bed


@pytest.mark.parametrize("word", WORDS)
def test_rule_24_a_sensor_that_is_off_is_told_at_once(word):
    bed = with_saturation()

    told = bed.at(1, hr=80, status={"spo2": word})

    assert told == [f"1 spo2.{word} raised"]
    assert (bed.last.kind, bed.last.priority) == ("technical", "medium")


def test_rule_24_its_priority_is_that_of_silence():
    bed = Bed()
    bed.at(0, hr=80, temp=37)

    bed.at(1, hr=80, status={"temp": "disconnected"})

    assert bed.last.priority == "low"


def test_rule_24_it_stands_for_silence():
    bed = with_saturation()

    bed.every_second(1, 40, hr=80, status={"spo2": "sensor_off"})

    assert [line for line in bed.told if "no_data" in line] == []


def test_rule_24_silence_stands_for_it():
    bed = with_saturation()
    bed.every_second(1, 10, hr=80)
    assert bed.states() == {"spo2.no_data": "active"}

    assert bed.at(11, hr=80, status={"spo2": "sensor_off"}) == []


@pytest.mark.parametrize("value", [97, "x"])
def test_rule_24_any_value_ends_it(value):
    bed = with_saturation()
    bed.at(1, hr=80, status={"spo2": "sensor_off"})

    assert "2 spo2.sensor_off cleared" in bed.at(2, hr=80, spo2=value)


def test_rule_24_another_word_takes_its_place():
    bed = with_saturation()
    bed.at(1, hr=80, status={"spo2": "sensor_off"})

    told = bed.at(2, hr=80, status={"spo2": "disconnected"})

    assert told == ["2 spo2.sensor_off cleared", "2 spo2.disconnected raised"]


def test_rule_24_searching_is_told_when_it_lasts():
    bed = with_saturation()

    told = bed.every_second(1, 10, hr=80, status={"spo2": "searching"})

    assert told == ["10 spo2.no_data raised"]


def test_rule_24_searching_before_silence_stands_for_it():
    bed = Bed()
    bed.at(0, hr=80, rr=16)
    bed.every_second(1, 10, hr=80, status={"rr": "searching"})

    told = bed.at(11, hr=80, status={"rr": "searching"})

    assert told == ["11 rr.searching raised"]
    assert bed.last.onset == bed.last.time - 10_000
    assert bed.every_second(12, 60, hr=80, status={"rr": "searching"}) == []


@pytest.mark.parametrize("between", [{"hr": 80}, {"hr": 80, "rr": 16}])
def test_rule_24_a_message_without_it_or_a_value_breaks_the_row(between):
    bed = Bed()
    bed.at(0, hr=80, rr=16)
    bed.every_second(1, 5, hr=80, status={"rr": "searching"})
    bed.at(6, **between)

    assert bed.every_second(7, 16, hr=80, status={"rr": "searching"}) == []
    assert bed.at(17, hr=80, status={"rr": "searching"}) == ["17 rr.searching raised"]


def test_rule_24_nothing_is_said_of_a_signal_that_is_not_expected():
    bed = Bed()
    bed.at(0, hr=80, status={"spo2": "sensor_off"})
    bed.every_second(1, 20, hr=80, status={"spo2": "sensor_off"})
    assert bed.told == []

    bed.at(21, hr=80, spo2=97)
    told = bed.at(22, hr=80, status={"spo2": "sensor_off"})

    assert told == ["22 spo2.sensor_off raised"]


def test_rule_24_nothing_is_said_while_another_device_measures_it():
    bed = with_saturation()

    assert bed.at(1, device="old", hr=80, status={"spo2": "sensor_off"}) == []
    bed.every_second(2, 10, hr=80)
    told = bed.at(10.5, device="old", rr=16, status={"spo2": "sensor_off"})

    assert told == []  # silence stands for it since 10 s


def test_rule_24_a_status_alone_keeps_no_bed_from_falling_silent():
    bed = with_saturation()

    for second in range(1, 10):
        bed.at(second, status={"hr": "lead_off"})
    told = bed.at(10, status={"hr": "lead_off"})

    assert "10 bed.no_data raised" in told


def test_rule_24_other_words_and_late_messages_say_nothing():
    bed = with_saturation()

    assert bed.at(1, hr=80, status={"spo2": "weak", "x": "sensor_off"}) == []
    assert bed.at(0.5, hr=80, status={"spo2": "sensor_off"}) == []


def test_rule_24_saying_the_same_again_stays_on_the_usual_path():
    bed = with_saturation()
    bed.at(1, hr=80, status={"spo2": "sensor_off"})
    bed.at(2, hr=80, status={"spo2": "sensor_off"})

    bed.at(3, hr=80, status={"spo2": "sensor_off"})

    assert bed.patient.devices["mon"].vitals is not None
    assert "4 spo2.sensor_off cleared" in bed.at(4, hr=80, spo2=97)


def test_rule_24_taking_it_off_on_purpose_ends_it():
    bed = with_saturation()
    bed.at(1, hr=80, status={"spo2": "sensor_off"})

    bed.ask(2, "signal_off", signal="spo2")

    assert bed.states() == {}
    assert bed.at(3, hr=80, status={"spo2": "sensor_off"}) == []


def test_rule_24_survives_a_restart():
    bed = Bed()
    bed.at(0, hr=80, rr=16)
    bed.every_second(1, 5, hr=80, status={"rr": "searching"})

    bed.saved_and_restored()
    bed.every_second(6, 10, hr=80, status={"rr": "searching"})

    assert bed.at(11, hr=80, status={"rr": "searching"}) == ["11 rr.searching raised"]
