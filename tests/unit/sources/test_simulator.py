"""The simulated ward: the same seed gives the same bytes, and healthy is within limits."""

import itertools
import json

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from icu_stream.contracts.signals import BY_CODE, INDEX
from icu_stream.contracts.vitals import Vitals
from icu_stream.errors import ConfigurationError
from icu_stream.sources import physiology, simulator
from icu_stream.sources.beds import EVENTS, Happening, Ward


START_MS = 1_795_492_541_263


def ward(beds: int = 16, **options: Any) -> Ward:
    return Ward(beds, **({"seed": 1, "start_ms": START_MS} | options))


def sent(ward: Ward, t: int) -> dict[str, Vitals]:
    """Messages of one second by patient."""
    decode = msgspec.json.Decoder(Vitals).decode
    return {key.decode(): decode(value) for key, value in simulator.messages(ward, t)}


def series(ward: Ward, patient_id: str, seconds: range) -> list[Vitals | None]:
    return [sent(ward, t).get(patient_id) for t in seconds]


# --- deterministic


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    def recorded(seed: int) -> list[tuple[bytes, bytes]]:
        made = ward(seed=seed, happenings=simulator.everything(16))
        return [pair for t in range(60) for pair in simulator.messages(made, t)]

    assert recorded(1) == recorded(1)
    assert recorded(1) != recorded(2)


def test_a_second_is_the_same_whatever_was_asked_for_before():
    fresh, used = ward(), ward()
    for t in (0, 599, 600, 50_000, 3):
        used.second(t)

    assert used.second(1234) == fresh.second(1234)


def test_a_bed_is_the_same_in_a_ward_of_any_size():
    small, large = sent(ward(3), 77), sent(ward(500), 77)

    assert small.items() <= large.items()


def test_the_bytes_are_what_they_were(tmp_path: Path):
    """A change of the model is allowed; that it is one should be seen."""
    first = next(iter(simulator.messages(ward(1), 0)))

    assert first == (
        b"p-0001",
        (
            b'{"patient_id":"p-0001","time":1795492541282,"bed":"ICU1-01",'
            b'"device":"mon-01","values":{"hr":73,"pulse":74,"spo2":98,"rr":14,'
            b'"abp_sys":130,"abp_dia":75,"abp_mean":93}}'
        ),
    )


# --- messages


def test_every_message_is_written_as_the_contract_writes_it():
    made = ward(40, happenings=simulator.everything(40))
    decode = msgspec.json.Decoder(Vitals).decode

    for t in range(0, 300, 7):
        for key, value in simulator.messages(made, t):
            vitals = decode(value)
            assert vitals.patient_id.encode() == key
            assert json.loads(msgspec.json.encode(vitals)) == json.loads(value)
            assert set(vitals.values) <= set(INDEX)


def test_numbers_are_whole_and_only_temperature_has_a_decimal():
    for t in range(30):
        for vitals in sent(ward(), t).values():
            for code, value in vitals.values.items():
                assert value == round(value, BY_CODE[code].digits)


def test_messages_of_a_second_come_in_the_order_of_their_time():
    times = [json.loads(value)["time"] for _, value in simulator.messages(ward(), 5)]

    assert times == sorted(times)
    assert all(5000 <= time - START_MS < 6000 for time in times)


def test_beds_are_named_by_unit():
    names = [v.bed for v in sorted(sent(ward(25), 0).values(), key=lambda v: v.time)]

    assert min(names) == "ICU1-01"
    assert max(names) == "ICU2-01"


def test_a_cuff_measures_once_a_cycle_and_an_arterial_line_all_the_time():
    made = ward(40, cuff_cycles_s=(300,))
    counted = dict.fromkeys(INDEX, 0)
    cuffs = int((~made.signals[INDEX["abp_sys"]]).sum())

    for t in range(60, 660):
        for vitals in sent(made, t).values():
            for code in vitals.values:
                counted[code] += 1

    assert counted["nibp_sys"] == counted["nibp_mean"] == 2 * cuffs
    assert counted["abp_sys"] == 600 * (40 - cuffs)


def test_a_cuff_measures_in_the_first_minute():
    made = ward(40)
    seen = {
        patient
        for t in range(60)
        for patient, vitals in sent(made, t).items()
        if {"nibp_sys", "abp_sys"} & set(vitals.values)
    }

    assert len(seen) == 40


# --- physiology


def test_a_healthy_bed_stays_inside_the_limits_by_day_and_night():
    made = ward(300)
    limits = {
        "hr": (50, 120),
        "spo2": (90, 100),
        "rr": (8, 30),
        "abp_sys": (90, 160),
        "abp_mean": (60, 110),
        "nibp_sys": (90, 160),
        "temp": (35.0, 39.0),
        "etco2": (15, 50),
    }

    for t in range(0, 86_400, 997):
        for vitals in sent(made, t).values():
            for code, (low, high) in limits.items():
                value = vitals.values.get(code, low)
                assert low <= value <= high, (t, vitals)


def test_pressures_are_in_their_order():
    for t in range(0, 600, 9):
        for vitals in sent(ward(100), t).values():
            for kind in ("abp", "nibp"):
                if f"{kind}_sys" in vitals.values:
                    dia, mean, sys = (
                        vitals.values[f"{kind}_{part}"]
                        for part in ("dia", "mean", "sys")
                    )
                    assert dia < mean < sys


def test_heart_rate_falls_when_pressure_rises_and_co2_when_breath_is_faster():
    patients = physiology.Physiology(1, 20, np.zeros(20, bool))
    rows = physiology.HR, physiology.MAP, physiology.RR, physiology.ETCO2
    states = np.array([patients.at(t)[list(rows)] for t in range(0, 6000, 13)])
    own = states - states.mean(axis=0)
    hr, pressure, rr, co2 = own.transpose(1, 0, 2).reshape(4, -1)

    assert np.corrcoef(hr, pressure)[0, 1] < -0.2
    assert np.corrcoef(rr, co2)[0, 1] < -0.4


def test_noise_is_bounded_and_has_spread_one():
    noise = physiology.bell(physiology.bits(1, 2, 3, 100_000, 2))

    assert abs(noise.mean()) < 0.01
    assert noise.std() == pytest.approx(1, abs=0.01)
    assert np.abs(noise).max() < 3.47


# --- stories


def test_asystole_is_zero_from_one_second_to_the_next_and_has_no_pulse():
    made = ward(happenings=[Happening("asystole", 3, 10, 30)])

    before, during, after = series(made, "p-0003", range(9, 42, 16))

    assert before.values["hr"] > 50
    assert (during.values["hr"], during.values["pulse"]) == (0, 0)
    assert "spo2" not in during.values
    assert during.status == {"spo2": "searching"}
    assert after.values["hr"] > 50
    assert after.status == {}


def test_leads_that_are_off_take_the_breath_too_but_not_from_a_ventilator():
    made = ward(40, happenings=[Happening("lead_off", b, 5, 60) for b in range(1, 41)])

    for vitals in sent(made, 30).values():
        ventilated = "fio2" in vitals.values
        lost = {"hr"} if ventilated else {"hr", "rr"}
        assert vitals.status == dict.fromkeys(lost, "lead_off")
        assert not lost & set(vitals.values)
        assert vitals.values["pulse"] > 0


def test_a_silent_device_sends_nothing():
    made = ward(happenings=[Happening("device_silent", 3, 5, 20)])

    got = series(made, "p-0003", range(4, 26))

    assert [t for t, vitals in enumerate(got, 4) if vitals is None] == list(
        range(5, 25)
    )


def test_a_clock_jumps_ahead_at_odd_beds_and_back_at_even_ones():
    made = ward(happenings=[Happening("clock_jump", b, 5, 20) for b in (3, 4)])

    shifts = [
        sent(made, 6)[made.patient_id(bed)].time - made.time_ms(bed, 6)
        for bed in (2, 3)
    ]

    assert shifts == [3_600_000, -3_600_000]


def test_a_flushed_line_is_flat_and_the_heart_does_not_notice():
    made = ward(happenings=[Happening("line_flush", b, 5, 6) for b in range(1, 17)])

    for vitals in sent(made, 7).values():
        assert [vitals.values[f"abp_{p}"] for p in ("sys", "dia", "mean")] == [300] * 3
        assert 50 < vitals.values["hr"] < 120


def test_a_desaturation_falls_in_small_steps():
    made = ward(happenings=[Happening("desaturation", 3, 5, 60)])
    spo2 = [v.values["spo2"] for v in series(made, "p-0003", range(90)) if v]

    assert min(spo2) < 80
    assert max(abs(a - b) for a, b in itertools.pairwise(spo2)) < 20


def test_a_story_happens_again_after_the_period():
    made = ward(happenings=[Happening("asystole", 3, 100, 30)], period_s=120)

    zero = [
        t
        for t, vitals in enumerate(series(made, "p-0003", range(0, 260, 5)))
        if vitals is not None and vitals.values["hr"] == 0
    ]

    assert [5 * t for t in zero] == [*range(100, 130, 5), *range(220, 250, 5)]


def test_values_are_counted_as_they_are_sent():
    made = ward(40, happenings=simulator.everything(40))

    for t in range(0, 400, 11):
        counted = sum(len(vitals.values) for vitals in sent(made, t).values())
        assert made.second(t).values == counted


# --- what may be asked for


@pytest.mark.parametrize(
    ("happening", "told"),
    [
        (Happening("asystole", 17, 5, 30), "want a bed from 1 to 16"),
        (Happening("asystole", 1, 0, 30), "want a second from 1"),
        (Happening("asystole", 1, 5, 14), "lasts 14 s, want 15 to"),
        (Happening("line_flush", 1, 5, 10), "lasts 10 s, want 1 to 9 s"),
    ],
)
def test_a_story_that_cannot_be_is_refused(happening: Happening, told: str):
    with pytest.raises(ConfigurationError, match=told):
        ward(happenings=[happening])


def test_two_stories_at_one_bed_at_once_are_refused():
    with pytest.raises(ConfigurationError, match="before the one before has ended"):
        ward(
            happenings=[Happening("apnoea", 1, 5, 45), Happening("asystole", 1, 49, 30)]
        )
    ward(happenings=[Happening("apnoea", 1, 5, 45), Happening("asystole", 1, 50, 30)])


def test_a_story_that_meets_itself_in_the_next_period_is_refused():
    with pytest.raises(ConfigurationError, match="begins anew after 45 s"):
        ward(
            happenings=[
                Happening("apnoea", 1, 5, 30),
                Happening("asystole", 1, 40, 30),
            ],
            period_s=45,
        )


@pytest.mark.parametrize("beds", [0, 30_001])
def test_a_ward_has_one_bed_to_thirty_thousand(beds: int):
    with pytest.raises(ConfigurationError, match="want 1 to 30000"):
        ward(beds)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fever@1@5", "no story 'fever'; there are sepsis"),
        ("asystole@1", "want NAME@BED@SECONDS"),
        ("asystole@one@5", "want NAME@BED@SECONDS"),
    ],
)
def test_a_story_that_cannot_be_read_is_refused(text: str, told: str):
    with pytest.raises(ConfigurationError, match=told):
        simulator.happening(text)


def test_a_file_of_stories_may_have_comments(tmp_path: Path):
    file = tmp_path / "stories.txt"
    file.write_text("# one night\nasystole@7@30\n\napnoea@2@60@90  # long\n")

    assert simulator.stories(str(file), 16) == [
        Happening("asystole", 7, 30, 30),
        Happening("apnoea", 2, 60, 90),
    ]


def test_a_file_of_stories_that_is_not_there_is_said():
    with pytest.raises(ConfigurationError, match="want all, none or a file"):
        simulator.stories("nothing.txt", 16)


@pytest.mark.parametrize("beds", [1, 5, 16, 33])
def test_in_all_each_story_happens_in_each_group_of_beds(beds: int):
    happenings = simulator.everything(beds)

    ward(beds, happenings=happenings)
    groups = {(h.bed - 1) // 16 for h in happenings}
    assert len(happenings) == len(EVENTS) * len(groups)


@pytest.mark.parametrize("beds", [1, 2, 7, 16, 200])
def test_the_demo_fits_a_ward_of_any_size(beds: int):
    made = simulator.demo_ward(beds=beds)

    assert made.happenings
    assert made.period_s == 120
