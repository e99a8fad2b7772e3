"""Rules 3 to 5 of docs/alarms.md: late, duplicate, clocks and ticks."""

import pytest

from icu_stream.domain import windows
from icu_stream.domain.patient import MAX_DEVICES
from tests.unit.domain.bed import Bed, ms


def test_rule_3_a_message_not_after_the_last_of_its_device_decides_nothing():
    bed = Bed()
    bed.at(10, spo2=97)

    assert bed.at(9.999, arrived=10.1, spo2=45) == []
    assert bed.at(10, arrived=10.2, spo2=45) == []
    assert (bed.patient.late, bed.patient.duplicates) == (1, 1)
    assert bed.at(10.001, spo2=45) == ["10.001 spo2.desat raised"]


def test_rule_3_a_late_message_does_not_advance():
    bed = Bed()
    bed.at(10, device="a", hr=80)
    bed.at(0, device="b", rr=16)

    assert bed.at(-1, arrived=11, device="b", rr=16) == []
    assert bed.patient.now == ms(10)


def test_rule_3_a_late_value_of_another_device_decides_nothing():
    bed = Bed()
    bed.at(70, device="a", spo2=97)
    bed.at(10, device="b", spo2=45, hr=80)

    assert bed.told == []
    assert bed.patient.late_values == 1
    assert bed.patient.late == 0
    assert bed.at(70.5, device="b", spo2=45) == ["70.5 spo2.desat raised"]


def test_rule_3_a_signal_that_two_devices_speak_is_decided_by_both():
    bed = Bed()
    for second in range(20):
        bed.at(second, device="a", hr=80, spo2=97)
        bed.at(second + 0.5, device="b", spo2=97)

    assert bed.at(20, device="a", hr=80, spo2=45) == ["20 spo2.desat raised"]
    assert bed.at(20.5, device="b", spo2=97) == []


def test_rule_3_a_late_value_goes_to_its_place_in_the_windows():
    bed = Bed()
    bed.every_second(0, 30, hr=80)
    bed.at(4.5, arrived=31, hr=60)
    bed.at(30.5, hr=80)

    bed.at(60, hr=80)

    assert _first_minute(bed) == (33, pytest.approx((32 * 80 + 60) / 33, abs=0.05), 60)


def _first_minute(bed: Bed) -> tuple[int, float, float]:
    n, mean, low, _ = windows._CELL.unpack_from(bed.patient.windows._table, 0)
    return n, mean / 10, low


def test_rule_3_an_exact_repeat_changes_nothing_but_its_count():
    bed = Bed()
    bed.every_second(0, 30, hr=80)
    block = bed.patient.windows.open_block()

    bed.at(30, arrived=31, hr=80)

    assert bed.patient.windows.open_block() == block
    assert bed.patient.duplicates == 1


@pytest.mark.parametrize(
    ("interval_s", "ahead", "is_taken"),
    [(1, 60, True), (1, 60.001, False), (60, 120, True), (60, 120.001, False)],
)
def test_rule_4_a_skew_is_suspicious_beyond_its_tolerance(interval_s, ahead, is_taken):
    bed = Bed()
    bed.at(0, interval_s=interval_s, hr=80)

    bed.at(1 + ahead, arrived=1, interval_s=interval_s, hr=80)

    measured = bed.patient.devices["mon"].time
    assert measured == (ms(1 + ahead) if is_taken else ms(1))


def test_rule_4_a_clock_that_jumps_ahead_is_monitored_by_arrival_at_once():
    bed = Bed()
    bed.at(0, spo2=97)

    assert bed.at(3601, arrived=1, spo2=45) == ["1 spo2.desat raised"]
    assert bed.at(3602, arrived=2, spo2=45) == []
    assert bed.at(3603, arrived=3, spo2=45) == ["3 bed.clock_jump raised"]
    assert bed.last.text == (
        "Device clock wrong by +3600 s (mon): monitored by time of arrival"
    )
    assert bed.at(3604, arrived=4, spo2=45) == []


def test_rule_4_a_clock_that_jumps_back_is_monitored_from_the_third_message_on():
    bed = Bed()
    bed.at(3600, spo2=97)

    assert bed.at(1, arrived=3601, spo2=45) == []
    assert bed.at(2, arrived=3602, spo2=45) == []
    assert bed.patient.late == 2
    assert bed.at(3, arrived=3603, spo2=45) == [
        "3603 bed.clock_jump raised",
        "3603 spo2.desat raised",
    ]
    assert bed.last.priority == "high"


def test_rule_4_the_first_message_with_the_old_skew_clears_it():
    bed = Bed()
    bed.at(0, hr=80)
    for second in (1, 2, 3):
        bed.at(second + 3600, arrived=second, hr=80)

    assert bed.at(4, hr=80) == ["4 bed.clock_jump cleared"]
    assert bed.at(5, hr=80) == []


def test_rule_4_two_messages_of_a_wrong_clock_at_one_arrival_are_duplicates():
    bed = Bed()
    bed.at(0, spo2=97)
    bed.at(3601, arrived=1, spo2=97)

    assert bed.at(3602, arrived=1, spo2=45) == []
    assert bed.patient.duplicates == 1


def test_rule_4_skews_that_do_not_agree_are_no_jump():
    bed = Bed()
    bed.at(0, hr=80)

    for second, wrong in ((1, 100), (2, 102.001), (3, 104.003), (4, 106.1)):
        bed.at(second + wrong, arrived=second, hr=80)

    assert bed.told == []


def test_rule_4_a_buffer_that_is_emptied_at_once_is_no_jump_and_decides_nothing():
    """Two minutes of a gateway's memory must not be taken for now."""
    bed = Bed()
    bed.every_second(0, 121, spo2=97)

    for second in range(1, 60):
        bed.at(second, arrived=122 + second / 1000, spo2=45)

    assert bed.told == []
    assert bed.patient.late == 59


def test_rule_4_late_messages_do_not_drag_the_clock_along():
    bed = Bed()
    bed.every_second(0, 200, hr=80)
    for age in (50, 100, 150):
        bed.at(200 - age, arrived=200, hr=80)

    bed.at(201, spo2=45)

    assert bed.told == ["201 spo2.desat raised"]


def test_rule_4_a_replay_is_never_suspicious():
    bed = Bed()
    for second in range(0, 3600, 60):
        bed.at(
            second, arrived=100_000 + second / 200, interval_s=60, replay=True, hr=80
        )

    assert bed.told == []
    assert bed.patient.late == 0


def test_rule_4_a_device_that_is_new_has_the_clock_of_the_patient():
    bed = Bed()
    bed.at(0, device="monitor", hr=80)

    for second in (1, 2, 3):
        bed.at(second + 7200, arrived=second, device="pump", cvp=8)

    assert bed.told == ["3 bed.clock_jump raised"]
    assert bed.patient.tracks["cvp"].time == ms(3)


def test_rule_4_one_alarm_for_all_devices_until_the_last_is_right():
    bed = Bed()
    for device in ("a", "b"):
        bed.at(0, device=device, hr=80)
        for second in (1, 2, 3):
            bed.at(second + 7200, arrived=second, device=device, hr=80)

    assert bed.at(4, device="a", hr=80) == []
    assert bed.at(4.5, device="b", hr=80) == ["4.5 bed.clock_jump cleared"]


def test_rule_5_a_tick_means_our_clock_plus_the_skew_of_the_last_message():
    bed = Bed()
    bed.at(0, arrived=1000, hr=80)

    assert bed.tick(1009.999) == []
    assert bed.tick(1010) == ["10 bed.no_data raised"]


def test_rule_5_a_tick_before_any_message_means_nothing():
    assert Bed().tick(10) == []


def test_a_bed_with_very_many_devices_remembers_those_that_spoke_last():
    bed = Bed()

    for number in range(3 * MAX_DEVICES):
        bed.at(number, device=f"d{number}", hr=80)

    assert len(bed.patient.devices) == MAX_DEVICES
    assert f"d{3 * MAX_DEVICES - 1}" in bed.patient.devices
    assert bed.at(100, device="d0", spo2=45)[-1] == "100 spo2.desat raised"


def test_a_device_with_an_endless_name_is_one_device():
    bed = Bed()
    bed.at(0, device="x" * 5000, hr=80)
    bed.at(1, device="x" * 6000, hr=80)

    assert [len(name) for name in bed.patient.devices] == [128]
