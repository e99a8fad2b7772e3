"""One sentence for a nurse, and the rest as data."""

import pytest

from icu_stream.contracts.alerts import Event
from icu_stream.contracts.signals import BY_CODE, SIGNALS
from icu_stream.domain import condition, explain, patient
from icu_stream.domain.annunciation import Bedside
from icu_stream.domain.limits import Verdict
from tests.unit.domain import sentences
from tests.unit.domain.bed import ADULT, Bed, ms


def test_a_sentence_at_once():
    bed = Bed()
    bed.at(0, spo2=79)

    assert bed.last.text == "SpO₂ 79 %, below 80"


def test_a_sentence_with_the_time_it_held():
    bed = Bed()
    bed.every_second(0, 5, hr=34)

    assert bed.last.text == "HR 34 /min, below 40 for 5 s"


def test_a_sentence_with_the_patients_own_usual():
    bed = Bed()
    for minute in range(40):
        bed.at(60 * minute, interval_s=60, spo2=94, hr=80)
    bed.at(2400, spo2=79, hr=80)

    assert bed.last.text == "SpO₂ 79 %, below 80 (usual 94)"
    assert bed.last.explanation.usual == 94
    assert bed.last.explanation.change == -15


def test_usual_is_not_told_before_there_are_30_minutes():
    bed = Bed()
    for minute in range(30):
        bed.at(60 * minute, interval_s=60, spo2=94)
    bed.at(1799.9, spo2=79)

    assert bed.last.explanation.usual is None


def test_the_sentences_of_silence():
    bed = Bed()
    bed.at(0, hr=80, spo2=97)
    bed.every_second(1, 10, hr=80)
    assert bed.last.text == "No SpO₂ for 10 s"

    bed.tick(21)
    assert bed.last.text == "No data from the bed for 10 s"
    bed.tick(80)
    assert bed.last.text == "No data from the bed for 70 s, not acknowledged"


def test_the_sentence_of_an_invalid_value():
    bed = Bed()
    bed.at(0, hr=999)

    assert bed.last.text == "HR 999 is outside what the instrument can show (0-350)"


def test_the_sentences_of_an_episode():
    bed = Bed()
    bed.every_second(0, 135, spo2=85, hr=80)
    bed.acknowledge(136, "spo2.low")
    bed.every_second(137, 316, spo2=84, hr=80)
    bed.every_second(317, 322, spo2=95, hr=80)

    texts = {a.event: a.text for a in bed.alerts}
    assert texts == {
        "raised": "SpO₂ 85 %, below 90 for 15 s",
        "standing": "SpO₂ below 90 for 4 min, lowest 84",
        "escalated": "SpO₂ below 90 for 2 min, lowest 85, not acknowledged",
        "acknowledged": "SpO₂ below 90 for 2 min, lowest 85, acknowledged by nurse",
        "reminded": "SpO₂ below 90 for 5 min, lowest 84, acknowledged but not over",
        "latched": "SpO₂ 95 %, was below 90 for 5 min, not acknowledged",
    }


def test_the_data_of_an_explanation():
    bed = Bed()
    bed.at(0, hr=80, spo2=97, rr=16)
    bed.at(1, hr=33, spo2=97)
    bed.every_second(2, 6, hr=34, spo2=97)

    data = next(a for a in bed.alerts if a.code == "hr.extreme_low").explanation

    assert data.rule == "HR below 40 /min for 5 s"
    assert data.limit_source.startswith("adult 1: PhysioNet/CinC Challenge 2015")
    assert data.violation_s == 5
    assert data.extreme == 33
    assert data.contributing == {"spo2": 97, "rr": 16}
    assert data.completeness == "3/3"
    assert data.versions == {"profile": "adult 1"}


def test_what_is_silent_or_invalid_is_no_part_of_what_is_measured_now():
    bed = Bed()
    bed.at(0, hr=80, spo2=97, temp=99)
    bed.every_second(1, 20, hr=130)

    data = next(a for a in bed.alerts if a.code == "hr.high").explanation
    assert data.completeness == "2/3"
    assert data.contributing == {"spo2": 97}
    data = next(a for a in bed.alerts if a.code == "spo2.no_data").explanation
    assert data.completeness == "1/3"


@pytest.mark.parametrize("row", ADULT.rows.values(), ids=lambda row: row.code)
def test_every_alarm_has_its_rule_in_words(row):
    words = explain.in_words(row, ADULT)

    assert words
    assert words.isprintable()


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.code)
def test_no_sentence_is_longer_than_a_nurse_reads(signal):
    """The longest name, by the longest identity, for days, with all that belongs to it."""
    bed = Bed()
    usual = {"temp": 37.55, "fio2": 40}.get(signal.code, 95)
    for minute in range(40):
        bed.at(60 * minute, interval_s=60, **{signal.code: usual, "cvp": 8})
    rows = ADULT.limits[signal.code]
    for row in rows:
        wrong = row.limit + (1.23456 if row.condition == "high" else -1.23456)
        wrong = max(wrong, signal.low) if row.condition == "low" else wrong
        bed.every_second(2400, 2430, **{signal.code: wrong if row.limit else 0})
    bed.at(2500, **{signal.code: "a text that is far too long to be shown to anybody"})
    bed.tick(500_000)
    for alarm in list(bed.patient.alarms.values()):
        bed.ask(
            500_001,
            "acknowledge",
            by="x" * 128,
            alert_id=bed.alert_id(alarm.code, alarm.onset),
        )
    bed.fault(500_002, "a very long reason " * 20)
    bed.tick(700_000)
    bed.ask(700_001, "discharge", by="x" * 128, reason="because " * 30)

    assert bed.alerts
    assert max(len(a.text) for a in bed.alerts) <= 90


def test_parts_that_do_not_fit_are_left_out_and_a_long_first_one_is_cut():
    assert explain.fitted(["a" * 80, "b" * 20, "c" * 10]) == "a" * 80 + "c" * 10
    assert explain.fitted(["a" * 95]) == "a" * 89 + "…"
    assert explain.fitted(["a\nb"]) == "a b"


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (119_999, "119 s"),
        (120_000, "2 min"),
        (7_199_999, "119 min"),
        (7_200_000, "2 h"),
    ],
)
def test_a_duration_is_said_in_one_unit(ms, text):
    assert explain.duration(ms) == text


@pytest.mark.parametrize(
    ("code", "value", "beyond", "text"),
    [
        ("spo2", 79.0, 80, "79"),
        ("spo2", 79.6, 80, "79.6"),
        ("spo2", 79.97, 80, "79.97"),
        ("temp", 39.04, 39, "39.04"),
        ("temp", 38.25, None, "38.2"),
        ("hr", -0.2, None, "0"),
        ("hr", 120.4, 120, "120.4"),
        ("spo2", 80 - 1e-12, 80, "79.999999"),
        ("hr", 120 + 1e-12, 120, "120.000001"),
        ("spo2", 90.0, 90.4, "90"),
        ("spo2", 90.3, 90.4, "90"),
        ("spo2", 90.5, 90.5, "90.5"),
    ],
)
def test_a_value_is_never_rounded_over_its_limit(code, value, beyond, text):
    assert explain.number(BY_CODE[code], value, beyond=beyond) == text


def test_units_are_those_of_a_monitor():
    bed = Bed()

    bed.at(0, temp=39.5, nibp_sys=180)

    assert [a.text for a in bed.alerts] == [
        "NIBP sys 180 mmHg, above 160",
        "Temp 39.5 °C, above 39.0",
    ]


def test_an_alarm_that_a_person_ended_says_who():
    bed = Bed()
    bed.every_second(0, 6, hr=130)
    bed.ask(7, "signal_off", signal="hr")

    assert bed.last.event is Event.CLEARED
    assert (
        bed.last.text
        == "HR 130 /min, was above 120 for 7 s, ended by nurse: HR taken off"
    )


def test_what_is_known_of_a_score_when_it_ends_is_told_and_not_what_was_known():
    bedside = Bedside(patient.new("p-1"), sentences.rules("en"), [])
    row = bedside.rules.rows["bed.news2_urgent"]
    for second, verdict, total, note in (
        (0, Verdict.VIOLATED, 6, "7 rr=3 spo2=3"),
        (60, Verdict.VIOLATED, 6, "7 rr=3 spo2=3"),
        (70, Verdict.INSIDE, 1, "3 spo2=1"),
        (3700, Verdict.INSIDE, 1, "3 spo2=1"),
    ):
        time = ms(second)
        condition.follow(
            bedside, row, verdict, time, value=total, is_gap=False, note=note
        )

    assert [alert.text for alert in bedside.said][:: len(bedside.said) - 1] == [
        "NEWS2 6, urgent from 5, for 60 s: RR +3, SpO₂ +3",
        "NEWS2 at least 1 (3 of 7 known), was 5 or more for 61 min",
    ]


def test_a_discharge_does_not_say_that_what_was_wrong_is_right_again():
    bed = Bed()
    bed.at(0, hr=80, abp_sys=16, abp_dia=9.3, spo2=96)
    bed.every_second(1, 5, hr=0, pulse=80, temp=99)
    bed.fault(6)
    bed.tick(20)
    bed.ask(30, "discharge", reason="to the ward")

    texts = {a.code: a.text for a in bed.alerts if a.event is Event.CLEARED}
    by = ", ended by nurse: discharged: to the ward"
    assert texts["bed.no_data"] == f"No data from the bed for 25 s{by}"
    assert texts["hr.ecg_fault"] == (
        f"ECG fault: HR 0 for 29 s, but there is a pulse{by}"
    )
    assert texts["abp_sys.unit"].startswith("ABP sys 16.0 reads as kPa (120 mmHg)")
    assert texts["temp.invalid"].startswith("Temp 99 reads as Fahrenheit (37.2 °C)")
    assert texts["bed.monitoring_fault"].startswith("Monitoring fault")
