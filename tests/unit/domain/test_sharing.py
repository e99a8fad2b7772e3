"""Rule 25 of docs/alarms.md: several devices that measure the same."""

import pytest

from tests.unit.domain.bed import Bed


def side_by_side(
    bed: Bed, first: int, last: int, one: dict, other: dict, **fields: object
) -> list[str]:
    """Two devices in turn, each once a second."""
    told = []
    for second in range(first, last + 1):
        told += bed.at(second, device="a", **one)
        told += bed.at(second + 0.5, device="b", **other, **fields)
    return told


def test_rule_25b_each_limit_is_held_against_the_worst_of_them():
    bed = Bed()

    side_by_side(bed, 0, 7, {"hr": 80}, {"hr": 45})

    assert "6.5 hr.low raised" in bed.told
    assert "hr.high" not in bed.states()


def test_rule_25b_the_highest_counts_for_a_high_limit():
    bed = Bed()

    side_by_side(bed, 0, 7, {"hr": 130}, {"hr": 80})

    # Since the first second: a value of either decides.
    assert "6 hr.high raised" in bed.told


def test_rule_25b_two_devices_are_told_after_10_s():
    bed = Bed()

    told = side_by_side(bed, 0, 12, {"hr": 80}, {"hr": 81})

    assert told == ["10.5 bed.two_devices raised"]
    assert (bed.last.kind, bed.last.priority) == ("technical", "medium")


def test_rule_25b_it_is_over_when_nothing_was_shared_for_10_s():
    bed = Bed()
    side_by_side(bed, 0, 12, {"hr": 80}, {"hr": 81})

    # The other is a source until 22.5, so that the last shared value is that of 22.
    told = [line for s in range(13, 33) for line in bed.at(s, device="a", hr=80)]

    assert told == ["32 bed.two_devices cleared"]


def test_rule_25b_a_change_of_monitors_is_no_alarm():
    bed = Bed()
    bed.every_second(0, 20, device="a", hr=80)

    told = bed.every_second(21, 60, device="b", hr=81)

    assert told == []


def test_rule_25b_another_signal_from_another_device_is_not_shared():
    bed = Bed()

    assert side_by_side(bed, 0, 60, {"hr": 80}, {"rr": 16}) == []


def test_rule_25_a_zero_beside_a_counted_heart_rate_is_no_asystole():
    bed = Bed()

    side_by_side(bed, 0, 20, {"hr": 0}, {"hr": 80})

    assert "hr.asystole" not in {a.code for a in bed.alerts}


def test_rule_25_an_ecg_whose_leads_are_off_hides_no_asystole():
    bed = Bed()

    side_by_side(bed, 0, 5, {"hr": 0}, {"hr": 80}, status={"hr": "lead_off"})

    assert "4 hr.asystole raised" in bed.told


def test_rule_7_a_pulse_of_the_same_message_is_never_old():
    bed = Bed()
    bed.at(20, device="a", hr=80)
    # Its clock is 20 s behind: its heart rate is decided later, and its pulse is not.
    bed.at(0, device="b", hr=80, pulse=80, replay=True)

    bed.at(6, device="b", hr=0, pulse=80, replay=True)

    assert "hr.asystole" not in bed.patient.runs
    assert "hr.ecg_fault" in bed.patient.runs


def test_rule_25_a_message_of_a_third_device_ends_what_is_pending():
    bed = Bed()
    bed.every_second(0, 3, device="vent", rr=16)
    bed.at(3.5, device="a", hr=80)
    bed.at(4, device="b", hr=80)
    assert "bed.two_devices" in bed.patient.runs
    bed.every_second(5, 13, device="vent", rr=16)
    assert "bed.two_devices" in bed.patient.runs

    bed.at(14, device="vent", rr=16)

    assert "bed.two_devices" not in bed.patient.runs


def test_rule_25_two_zeros_are_an_asystole():
    bed = Bed()

    side_by_side(bed, 0, 5, {"hr": 0}, {"hr": 0})

    assert "4 hr.asystole raised" in bed.told


def test_rule_25_a_pulse_of_5_s_ago_counts_and_an_older_one_does_not():
    bed = Bed()
    bed.at(0, device="b", hr=80)

    bed.at(5, device="a", hr=0)
    assert "hr.asystole" not in bed.patient.runs
    told = bed.every_second(6, 10, device="a", hr=0)

    assert "10 hr.asystole raised" in told


def test_rule_25a_a_primary_device_stands_for_the_other():
    bed = Bed()

    for second in range(30):
        bed.at(second, device="a", hr=80, primary=True)
        bed.at(second + 0.5, device="b", hr=30)

    assert bed.told == []
    assert bed.patient.put_aside == 30


def test_rule_25a_when_the_primary_falls_silent_the_other_counts():
    bed = Bed()
    bed.at(0, device="a", hr=80, primary=True)

    told = [line for s in range(1, 20) for line in bed.at(s, device="b", hr=30)]

    assert "15 hr.extreme_low raised" in told


def test_rule_25a_a_value_put_aside_is_heard():
    bed = Bed()
    bed.at(0, device="a", hr=80, spo2=97, primary=True)
    bed.at(9, device="b", hr=82)
    bed.at(9.5, device="c", spo2=97)

    told = bed.at(10, device="c", spo2=97)

    assert told == []  # hr was heard at 9 s


def test_rule_25a_when_the_primary_speaks_up_the_other_is_a_source_no_longer():
    bed = Bed()
    bed.at(0, device="b", hr=30)
    bed.at(1, device="a", hr=80, primary=True)

    assert bed.patient.tracks["hr"].sources is None
    assert "hr.extreme_low" not in bed.patient.runs


def test_rule_25a_a_charted_primary_does_not_hide_a_monitor():
    bed = Bed()
    bed.at(0, device="chart", hr=80, primary=True, interval_s=60)
    bed.every_second(1, 20, device="b", hr=30)

    # Put aside for 10 s, and shared from then on.
    assert "15 hr.extreme_low raised" in bed.told


def test_rule_25_two_primaries_share():
    bed = Bed()

    side_by_side(bed, 0, 12, {"hr": 80, "primary": True}, {"hr": 81, "primary": True})

    assert bed.told == ["10.5 bed.two_devices raised"]


def test_rule_25_a_slow_clock_does_not_silence_its_device():
    bed = Bed()
    bed.at(0, device="a", hr=80, arrived=0)
    # Its clock is 20 s behind; what it says is decided all the same, in its own pace.
    for second in range(1, 8):
        bed.at(second - 20, device="b", hr=30, arrived=second)

    assert "5 hr.extreme_low raised" in bed.told
    assert bed.patient.late_values == 0


@pytest.mark.parametrize(("behind", "late"), [(59.999, 0), (60, 1)])
def test_rule_25_a_clock_a_minute_behind_is_late(behind, late):
    bed = Bed()
    bed.at(0, device="a", hr=80)

    bed.at(-behind, device="b", hr=80, arrived=0, replay=True)

    assert bed.patient.late_values == late


def test_rule_25_back_to_one_device_is_back_to_the_usual_path():
    bed = Bed()
    side_by_side(bed, 0, 3, {"hr": 80}, {"hr": 81})

    bed.every_second(4, 30, device="a", hr=80)

    assert bed.patient.busy == set()
    assert bed.patient.devices["a"].bands == {"hr": (50, 120)}


def test_rule_25_a_device_that_comes_back_after_the_other_is_seen():
    bed = Bed()
    bed.every_second(0, 5, device="a", hr=80)
    bed.every_second(20, 30, device="b", hr=80)

    bed.at(31, device="a", hr=45)

    assert set(bed.patient.tracks["hr"].sources) == {"a", "b"}


def test_rule_25_survives_a_restart():
    bed, other = Bed(), Bed()
    side_by_side(bed, 0, 5, {"hr": 80}, {"hr": 45})
    side_by_side(other, 0, 5, {"hr": 80}, {"hr": 45})

    other.saved_and_restored()

    assert side_by_side(bed, 6, 12, {"hr": 80}, {"hr": 45}) == side_by_side(
        other, 6, 12, {"hr": 80}, {"hr": 45}
    )
