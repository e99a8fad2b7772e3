"""Rules 22 and 23 of docs/alarms.md: what a sample is worth."""

import pytest

from tests.unit.domain.bed import Bed


LINE = {"abp_sys": 120, "abp_dia": 70, "abp_mean": 87}


def raised(bed: Bed, code: str) -> float | None:
    """When an alarm was raised, in seconds of the story."""
    times = [line.split()[0] for line in bed.told if line.endswith(f"{code} raised")]
    return float(times[0]) if times else None


def learnt(bed: Bed) -> int:
    """Buckets of 10 s that were kept from the model."""
    return bed.patient.suspect_buckets


# --- a: pressures in an order that no pulse has


@pytest.mark.parametrize(
    ("line", "second"),
    [
        ({"abp_sys": 85, "abp_dia": 50, "abp_mean": 62}, 4),
        ({"abp_sys": 85, "abp_dia": 62, "abp_mean": 62}, 14),
        ({"abp_sys": 85, "abp_dia": 50, "abp_mean": 85}, 14),
        ({"abp_sys": 85, "abp_mean": 84.9}, 4),
        ({"abp_sys": 85, "abp_mean": 85}, 14),
    ],
)
def test_rule_22a_pressures_out_of_order_hold_a_medium_alarm_for_10_s(line, second):
    bed = Bed()

    bed.every_second(0, 20, **line)

    assert raised(bed, "abp_sys.low") == second


def test_rule_22_a_value_that_is_right_again_ends_the_wait():
    bed = Bed()
    bed.every_second(0, 7, abp_sys=85, abp_mean=85)

    bed.at(8, abp_sys=85, abp_mean=62)

    assert raised(bed, "abp_sys.low") == 8


def test_rule_22_a_high_alarm_waits_for_nothing():
    bed = Bed()

    bed.every_second(0, 20, abp_sys=38, abp_dia=38, abp_mean=38)

    assert raised(bed, "abp_mean.extreme_low") == 4


def test_rule_22_a_cuff_waits_for_nothing():
    bed = Bed()

    bed.at(0, nibp_sys=85, nibp_dia=50, status={"nibp_sys": "lead_off"})

    assert raised(bed, "nibp_sys.low") == 0


# --- b: a line that does not beat


@pytest.mark.parametrize(
    ("before", "now", "second"),
    [
        ({"hr": 80}, {"hr": 80}, 15),  # nothing happened: the line is flushed
        ({"hr": 80}, {"hr": 90}, 15),
        ({"hr": 80}, {"hr": 90.1}, 5),
        ({"spo2": 97}, {"spo2": 94}, 15),
        ({"spo2": 97}, {"spo2": 93.9}, 5),
        ({"hr": 80, "spo2": 97}, {"hr": 80, "spo2": 90}, 5),
        ({}, {}, 5),  # nobody says that nothing happened
    ],
)
def test_rule_22b_a_flat_line_beside_a_calm_patient_is_doubted(before, now, second):
    bed = Bed()
    bed.at(0, abp_sys=120, abp_dia=70, **before)

    # Each value differs from the one before by as much as the first did.
    for later in range(1, 25):
        bed.at(
            later,
            abp_sys=80,
            abp_dia=75.1,
            **{code: now[code] if later % 2 else before[code] for code in now},
        )

    assert raised(bed, "abp_sys.low") == second


def test_rule_22b_a_pulse_pressure_of_5_is_a_beat():
    bed = Bed()

    bed.every_second(0, 10, hr=80, abp_sys=80, abp_dia=75)

    assert raised(bed, "abp_sys.low") == 4


# --- c: steps


def test_rule_22c_one_jump_does_not_worsen_but_its_second_value_does():
    bed = Bed()
    bed.every_second(0, 11, hr=118)
    bed.every_second(12, 18, hr=130)

    assert bed.at(19, hr=190.1)[-1:] != ["19 hr.high worsened"]
    assert "20 hr.high worsened" in bed.at(20, hr=190.1)


def test_rule_22c_a_gap_is_no_step():
    bed = Bed()
    bed.at(0, spo2=97)
    bed.at(10, spo2=60)

    assert raised(bed, "spo2.desat") == 10
    assert bed.patient.suspects == set()


# --- d and e: what the device says of its own value


def test_rule_22d_a_saturation_below_an_inflating_cuff_waits_10_s():
    bed = Bed()

    bed.every_second(0, 30, spo2=85, status={"nibp_sys": "measuring"})

    assert raised(bed, "spo2.low") == 25


def test_rule_22e_a_value_of_a_sensor_that_is_off_waits_10_s():
    bed = Bed()

    bed.every_second(0, 30, hr=45, spo2=85, status={"spo2": "sensor_off"})

    assert raised(bed, "hr.low") == 6
    assert raised(bed, "spo2.low") == 25


def test_rule_7_a_pulse_of_a_sensor_that_is_off_is_no_pulse():
    bed = Bed()

    bed.every_second(0, 5, hr=0, pulse=80, status={"pulse": "sensor_off"})

    assert raised(bed, "hr.asystole") == 4


# --- f: another unit


def test_rule_23_a_pressure_in_kilopascals_is_told_at_once():
    bed = Bed()

    told = bed.at(0, hr=80, spo2=97, abp_sys=16, abp_dia=9.3, abp_mean=11.6)

    assert "0 abp_sys.unit raised" in told
    assert (bed.alerts[0].kind, bed.alerts[0].priority) == ("technical", "medium")


@pytest.mark.parametrize(
    "values",
    [
        {"hr": 80, "spo2": 97, "abp_sys": 35, "abp_dia": 20},
        {"hr": 80, "spo2": 97, "abp_sys": 1.9, "abp_dia": -1},
        {"hr": 80, "spo2": 97, "abp_sys": 16, "abp_dia": 14.1},
        {"hr": 80, "spo2": 84.9, "abp_sys": 16, "abp_dia": 9},
        {"hr": 29.9, "spo2": 97, "abp_sys": 16, "abp_dia": 9},
        {"spo2": 97, "abp_sys": 16, "abp_dia": 9},
        {"hr": 80, "spo2": 97, "abp_sys": 16},
    ],
)
def test_rule_23_a_true_shock_reads_as_no_other_unit(values):
    bed = Bed()

    bed.at(0, **values)

    assert "abp_sys.unit" not in bed.states()


def test_rule_23_a_true_shock_after_it_is_alarmed_in_its_time_and_10_s():
    bed = Bed()

    bed.every_second(0, 20, hr=80, spo2=97, abp_sys=16, abp_dia=9.3, abp_mean=11.6)

    assert raised(bed, "abp_mean.extreme_low") == 4
    assert raised(bed, "abp_sys.low") == 14


def test_rule_23_it_is_over_when_it_was_right_for_5_s():
    bed = Bed()
    bed.at(0, hr=80, spo2=97, abp_sys=16, abp_dia=9.3)

    told = bed.every_second(1, 6, hr=80, spo2=97, abp_sys=120, abp_dia=70)

    assert told == ["6 abp_sys.unit cleared"]


@pytest.mark.parametrize(("etco2", "is_told"), [(2, True), (7.9, True), (8, False)])
def test_rule_23_carbon_dioxide_in_kilopascals_too(etco2, is_told):
    bed = Bed()

    bed.at(0, spo2=97, etco2=etco2)

    assert ("etco2.unit" in bed.states()) is is_told


def test_rule_23_a_cuff_too():
    bed = Bed()

    bed.at(0, hr=80, spo2=97, nibp_sys=16, nibp_dia=12)

    assert "nibp_sys.unit" in bed.states()


# --- what is not learnt


@pytest.mark.parametrize(
    "odd",
    [
        LINE | {"abp_dia": 87},
        LINE | {"abp_sys": 74.9, "abp_dia": 70, "abp_mean": 72},
        {"hr": 145},
        {"hr": 80, "status": {"hr": "lead_off"}},
        {"hr": 80, "spo2": 97, "abp_sys": 16, "abp_dia": 9},
    ],
)
def test_rule_22_ten_seconds_with_a_suspect_value_are_not_learnt(odd):
    bed = Bed()
    for second in range(11):
        bed.at(second, **({"hr": 80} | LINE if second != 5 else odd))

    assert learnt(bed) == 1

    bed.every_second(11, 20, hr=80, **LINE)
    assert learnt(bed) == 1


def test_rule_22_what_is_right_is_learnt():
    bed = Bed()

    bed.every_second(0, 60, hr=80, **LINE)

    assert learnt(bed) == 0


def test_rule_22_a_restart_in_the_bucket_forgets_no_doubt():
    bed = Bed()
    bed.at(0, hr=80, status={"hr": "lead_off"})

    bed.saved_and_restored().every_second(1, 10, hr=80)

    assert learnt(bed) == 1
