"""Rules 32 and 33 of docs/alarms.md, and what a person charts (rule 31)."""

import dataclasses
import itertools

import msgspec
import pytest

from icu_stream.contracts.alerts import Event
from icu_stream.contracts.observations import OBSERVATIONS
from icu_stream.contracts.scores import Scores
from icu_stream.domain import assessment, monitor, patient
from icu_stream.domain.limits import Rules
from icu_stream.errors import StateError
from tests.unit.domain.bed import ADULT, Bed, ms, scores


# Nothing scores, and what is missing is charted.
WELL = {"hr": 70, "spo2": 98, "rr": 16, "abp_sys": 120, "abp_dia": 70, "temp": 37.0}
# 3 for the rate, 2 for the saturation, 2 for the pulse: 7 together; no limit violated.
ILL = WELL | {"hr": 115, "spo2": 93, "rr": 26}
# 2 for the saturation, 1 for the pulse, 2 for the rate: 5 together.
UNWELL = WELL | {"hr": 95, "spo2": 93, "rr": 22}
# 3 for the rate, and nothing else.
SINGLE = WELL | {"rr": 26}


class Ward(Bed):
    """A bed whose scores are looked at."""

    def __init__(self, rules: Rules = ADULT) -> None:
        super().__init__(rules)

    def last(self) -> Scores:
        return scores(self.said)[-1]

    def told(self, code: str) -> list[tuple[str, float, bool]]:
        """What was told of an alarm: event, second, loud."""
        return [
            (a.event.value, (a.time - ms(0)) / 1000, a.annunciate)
            for a in self.alerts()
            if a.code == code and a.event is not Event.STANDING
        ]

    def alerts(self):
        return [m for m in self.said if not isinstance(m, Scores)]

    def chart(self, second: float, **fields: object):
        return self.ask(second, "observe", **fields)


def points(score: Scores) -> dict[str, int]:
    assert score.news2 is not None
    return {name: i.points for name, i in score.news2.inputs.items()}


# --- when it is worked out


def test_the_first_ten_seconds_have_a_score_at_their_end():
    bed = Ward()

    bed.every_second(0, 10, **WELL)

    first = scores(bed.said)[0]
    assert first.time == ms(10)
    assert first.news2.total == 0
    assert first.news2.completeness == 5
    assert points(first) == {"rr": 0, "spo2": 0, "sys": 0, "pulse": 0, "temp": 0}


def test_a_lone_first_message_is_scored_by_our_clock():
    bed = Ward()
    bed.at(2, **ILL)

    bed.tick(19.999)
    assert scores(bed.said) == []
    bed.tick(20)

    assert bed.last().time == ms(10)
    assert bed.last().news2.total == 7


def test_a_lone_first_message_is_due_without_any_other():
    bed = Ward()
    bed.at(2, interval_s=3600, **ILL)

    assert bed.due_s() == 20


@pytest.mark.parametrize("interval", [60, 900, 3600])
def test_charted_data_is_scored_soon_after_it_came_and_not_at_the_next_message(
    interval,
):
    bed = Ward()
    bed.at(2, interval_s=interval, **WELL)
    bed.tick(20)
    bed.at(2 + interval, interval_s=interval, **ILL)

    bed.tick(2 + interval + 18)

    assert bed.last().news2.total == 7


@pytest.mark.parametrize("interval", [60, 900, 3600])
def test_an_alarm_is_the_same_whether_ticks_or_the_next_message_bring_it(interval):
    def story(*, ticks: bool) -> list[tuple[str, int, str]]:
        bed = Ward()
        for n in range(6):
            bed.at(2 + n * interval, interval_s=interval, **(ILL if n > 1 else WELL))
            if ticks:
                for second in range(0, interval - 1, 7):
                    bed.tick(2 + n * interval + second)
        return [
            (a.code, a.onset, a.time)
            for a in bed.alerts()
            if a.event is Event.RAISED and a.code.startswith("bed.news2")
        ]

    assert story(ticks=True) == story(ticks=False)
    assert len(story(ticks=True)) == 3


def test_the_same_inputs_are_stated_each_fifty_seconds_and_a_silent_bed_each_minute():
    bed = Ward()
    bed.every_second(0, 180, **WELL)
    loud = [s.time for s in scores(bed.said) if s.news2]
    gaps = {b - a for a, b in itertools.pairwise(loud)}
    assert max(gaps) <= 60_000

    bed.said.clear()
    for second in range(181, 400):
        bed.tick(second)

    silent = [s.time for s in scores(bed.said)]
    assert {b - a for a, b in itertools.pairwise(silent)} == {60_000}


def test_a_long_silence_brings_one_statement_at_its_last_full_minute():
    bed = Ward()
    bed.at(2, interval_s=3600, **WELL)
    bed.tick(20)
    bed.said.clear()

    bed.tick(3000)

    assert [s.time for s in scores(bed.said)] == [ms(2950)]


def test_late_values_of_a_bucket_that_has_no_others_fall_due_with_it():
    bed = Ward()
    bed.at(2)

    bed.at(2, spo2=97)

    assert bed.due_s() == 20
    assert not monitor.is_due(bed.patient, ms(20) - 1)
    assert monitor.is_due(bed.patient, ms(20))


# --- what counts


def test_an_input_is_the_mean_of_its_last_ten_seconds_rounded_as_on_a_chart():
    bed = Ward()
    for second in range(11):
        bed.at(second, **(WELL | {"spo2": 91 + second % 2}))

    assert bed.last().news2.inputs["spo2"].value == 92
    assert points(bed.last())["spo2"] == 2


def test_a_missing_input_is_not_normal():
    bed = Ward()

    bed.every_second(0, 10, hr=70, spo2=98)

    assert bed.last().news2.completeness == 2
    assert set(points(bed.last())) == {"pulse", "spo2"}
    assert bed.last().at_least == ["mews", "sirs_vital"]


def test_an_input_is_too_old_after_five_minutes_and_then_it_is_missing():
    bed = Ward()
    bed.every_second(0, 9, **WELL)
    rest = {code: value for code, value in WELL.items() if code != "rr"}
    bed.every_second(10, 311, **rest)

    found = {s.time: "rr" in points(s) for s in scores(bed.said)}
    assert found[max(t for t in found if t <= ms(310))]
    bed.every_second(312, 380, **rest)
    assert "rr" not in points(bed.last())


def test_a_temperature_counts_for_six_hours_and_shows_its_age():
    bed = Ward()
    bed.at(0, interval_s=3600, temp=39.5)
    bed.tick(20)
    for hour in range(1, 8):
        bed.at(hour * 3600, interval_s=3600, hr=70)
        bed.tick(hour * 3600 + 20)
        has_temp = "temp" in points(bed.last())
        assert has_temp is (hour < 6)
        if has_temp:
            age_s = bed.last().news2.inputs["temp"].age_s
            assert age_s == pytest.approx(hour * 3600, abs=60)


def test_the_line_is_taken_before_the_cuff_and_the_lead_before_the_pleth():
    bed = Ward()
    bed.every_second(
        0, 10, hr=70, pulse=120, abp_sys=120, abp_dia=70, nibp_sys=85, nibp_dia=50
    )

    assert points(bed.last()) == {"sys": 0, "pulse": 0}


def test_the_cuff_and_the_pleth_stand_in_when_they_are_alone():
    bed = Ward()
    bed.every_second(0, 10, pulse=120, nibp_sys=95)

    assert points(bed.last()) == {"sys": 2, "pulse": 2}


def test_a_heart_rate_of_zero_with_a_pulse_takes_no_part():
    bed = Ward()
    bed.every_second(0, 10, hr=70, pulse=70)

    bed.every_second(11, 80, hr=0, pulse=72)

    assert points(bed.last()) == {"pulse": 0}
    assert bed.last().news2.inputs["pulse"].value == 72


def test_a_suspect_value_takes_no_part():
    bed = Ward()
    bed.every_second(0, 10, **WELL)

    # The line is flushed: no pulse pressure while nothing else changed.
    bed.every_second(11, 40, **(WELL | {"abp_sys": 250, "abp_dia": 250}))

    assert bed.last().news2.inputs["sys"].value == 120


def test_a_signal_that_was_taken_off_takes_no_part():
    bed = Ward()
    bed.every_second(0, 10, **WELL)
    bed.ask(11, "signal_off", signal="rr")

    bed.every_second(12, 80, hr=70)

    assert "rr" not in points(bed.last())


def test_the_other_scores_follow_their_publications():
    bed = Ward()
    bed.chart(0, acvpu="V", values={"gcs": 14})
    bed.every_second(0, 10, **ILL)

    last = bed.last()
    # Subbe: pulse 2 (111-129), rate 2 (21-29), consciousness 1; Singer: rate, mentation;
    # Bone: pulse, rate; Allgoewer: 115 / 120.
    assert last.others == {"mews": 5, "qsofa": 2, "sirs_vital": 2, "shock_index": 0.96}
    assert last.at_least == []
    assert last.versions["mews"] == "Subbe 2001"


# --- the alarms of NEWS2


def test_an_emergency_is_raised_after_a_minute_and_stands_for_the_weaker_ones():
    bed = Ward()
    bed.every_second(0, 9, **WELL)

    bed.every_second(10, 90, **ILL)

    assert bed.told("bed.news2_emergency") == [("raised", 80, True)]
    assert bed.told("bed.news2_urgent") == [("raised", 80, False)]
    assert bed.told("bed.news2_single") == [("raised", 80, False)]
    alarm = next(a for a in bed.alerts() if a.code == "bed.news2_emergency")
    assert (alarm.onset, alarm.value, alarm.limit) == (ms(20), 7, 7)
    assert (alarm.kind, alarm.priority) == ("physiological", "high")


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (WELL, []),
        (SINGLE, ["bed.news2_single"]),
        (UNWELL, ["bed.news2_urgent"]),
        (WELL | {"rr": 24}, []),
        (UNWELL | {"rr": 20}, []),
        (ILL | {"hr": 110}, ["bed.news2_urgent", "bed.news2_single"]),
    ],
)
def test_each_alarm_has_its_threshold(values, codes):
    """RCP, NEWS2, 2017, chart 2: 3 in one parameter; 5; 7."""
    bed = Ward()

    bed.every_second(0, 90, **values)

    assert [a.code for a in bed.alerts() if a.event is Event.RAISED] == codes


def test_a_score_that_falls_before_the_delay_is_over_raises_nothing():
    bed = Ward()
    bed.every_second(0, 59, **ILL)

    bed.every_second(60, 200, **WELL)

    assert bed.alerts() == []


def test_no_alert_while_the_band_stays_and_a_new_one_when_it_rises():
    bed = Ward()
    bed.every_second(0, 400, **UNWELL)
    assert bed.told("bed.news2_urgent") == [("raised", 70, True)]

    bed.every_second(401, 500, **ILL)

    assert bed.told("bed.news2_urgent") == [("raised", 70, True)]
    assert bed.told("bed.news2_emergency") == [("raised", 470, True)]


def test_it_is_over_when_the_score_was_below_for_an_hour():
    bed = Ward()
    bed.every_second(0, 99, **UNWELL)

    bed.every_second(100, 3720, **WELL)

    assert bed.told("bed.news2_urgent") == [
        ("raised", 70, True),
        ("cleared", 3710, False),
    ]


def test_a_high_one_that_nobody_saw_is_latched():
    bed = Ward()
    bed.every_second(0, 99, **ILL)

    bed.every_second(100, 3720, **WELL)

    assert bed.told("bed.news2_emergency")[-1] == ("latched", 3710, False)


def test_one_bucket_above_starts_the_hour_anew():
    bed = Ward()
    bed.every_second(0, 99, **UNWELL)
    bed.every_second(100, 299, **WELL)
    bed.every_second(300, 309, **UNWELL)

    bed.every_second(310, 3940, **WELL)

    assert bed.told("bed.news2_urgent")[-1] == ("cleared", 3920, False)


def test_what_goes_missing_ends_no_alarm():
    bed = Ward()
    bed.every_second(0, 99, **ILL)
    rest = {code: value for code, value in ILL.items() if code != "rr"}

    bed.every_second(100, 1500, **rest)

    assert bed.last().news2.total < 7
    assert bed.told("bed.news2_emergency") == [("raised", 70, True)]


def test_what_was_taken_off_does():
    bed = Ward()
    bed.every_second(0, 99, **ILL)
    rest = {code: value for code, value in ILL.items() if code != "rr"}
    bed.ask(100, "signal_off", signal="rr")

    bed.every_second(101, 3800, **rest)

    assert bed.told("bed.news2_emergency")[-1][0] == "latched"


def test_a_silent_bed_is_alarmed_when_the_delay_of_its_score_is_over():
    bed = Ward()
    bed.at(2, interval_s=3600, **ILL)
    for second in range(3, 200):
        bed.tick(second)

    assert bed.told("bed.news2_emergency") == [("raised", 70, True)]


@pytest.mark.parametrize("gap_s", [400, 4000, 23_000])
def test_ticks_in_a_silence_move_no_alarm(gap_s: int):
    told = []
    for ticks in (range(0), range(60, gap_s, 60), range(7, gap_s, 7)):
        bed = Ward()
        # The line is too old long before all else, and the cuff says something else.
        bed.at(1, nibp_sys=88, nibp_dia=50, interval_s=3600)
        bed.at(2, hr=95, spo2=93, rr=22, temp=37, interval_s=3600)
        bed.at(13, abp_sys=120, abp_dia=70, interval_s=60)
        for second in ticks:
            bed.tick(13 + second)
        bed.at(14 + gap_s, **UNWELL, interval_s=100)
        bed.every_second(20 + gap_s, 4000 + gap_s, **WELL)
        told.append(
            [
                (a.alert_id, a.event, a.time)
                for a in bed.alerts()
                if a.code.startswith("bed.news2") and a.event is not Event.STANDING
            ]
        )

    assert told[0] == told[1] == told[2]
    assert len(told[0]) > 2


def test_the_alarm_is_stated_and_acknowledged_as_any_other():
    bed = Ward()
    bed.every_second(0, 100, **ILL)

    result = bed.acknowledge(101, "bed.news2_emergency")

    assert result.accepted
    assert bed.told("bed.news2_emergency")[-1][0] == "acknowledged"


# --- what a person charts


def test_what_is_charted_is_scored_at_once_with_who_and_when():
    bed = Ward()
    bed.every_second(0, 10, **WELL)

    result = bed.chart(12, acvpu="C", on_oxygen=True, by="nurse.k")

    assert result.accepted
    last = bed.last()
    assert last.time == ms(12)
    assert (last.news2.total, last.news2.completeness) == (5, 7)
    assert last.news2.inputs["acvpu"].by == "nurse.k"
    assert last.news2.inputs["acvpu"].age_s == 0
    assert last.news2.inputs["rr"].by is None


def test_what_is_charted_counts_for_twelve_hours():
    bed = Ward()
    bed.chart(0, acvpu="V")
    for hour in range(1, 14):
        bed.at(hour * 3600, interval_s=3600, **WELL)
        bed.tick(hour * 3600 + 30)
        assert ("acvpu" in points(bed.last())) is (hour < 12), hour


def test_scale_2_is_used_only_when_a_person_said_so():
    bed = Ward()
    low = WELL | {"spo2": 90}
    bed.every_second(0, 10, **low)
    assert (points(bed.last())["spo2"], bed.last().news2.spo2_scale) == (3, 1)

    bed.chart(12, spo2_scale=2)

    assert (points(bed.last())["spo2"], bed.last().news2.spo2_scale) == (0, 2)
    bed.chart(13, spo2_scale=1)
    assert points(bed.last())["spo2"] == 3


def test_what_a_person_charted_of_an_unmeasured_patient_is_stated_until_it_is_too_old():
    bed = Ward()
    bed.chart(0, acvpu="A")

    ticks = 0
    while (due := bed.due_s()) is not None:
        bed.tick(due)
        ticks += 1
        assert ticks < 1000

    assert [s.news2 is None for s in scores(bed.said)] == [False] * 721 + [True]
    assert bed.last().time == ms(12 * 3600) + 1


def test_what_a_person_charted_of_an_unmeasured_patient_is_alarmed():
    bed = Ward()
    bed.chart(0, acvpu="V")

    bed.tick(70)

    assert bed.told("bed.news2_single") == [("raised", 60, True)]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, assessment.NOTHING_CHARTED),
        ({"acvpu": "X"}, "acvpu is 'X': want one of A, C, V, P, U"),
        ({"spo2_scale": 3}, "spo2_scale is 3: want 1, or 2 where it is prescribed"),
        ({"values": {"gsc": 15}}, "gsc: not in the table of what is charted"),
        ({"values": {"hr": 80}}, "hr: not in the table of what is charted"),
        ({"values": {"gcs": 16}}, "gcs is 16 {score}: want 3 to 15"),
        ({"values": {"gcs": float("nan")}}, "gcs is nan {score}: want 3 to 15"),
        ({"values": {"fio2": 0.4}}, "fio2 is 0.4 %: want 21 to 100"),
        ({"acvpu": "A", "values": {"ph": 74}}, "ph is 74 [pH]: want 6.5 to 8"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason_and_nothing_is_charted(
    fields, reason
):
    bed = Ward()

    result = bed.chart(1, **fields)

    assert (result.accepted, result.reason) == (False, reason)
    assert bed.patient.chart.charted == {}


@pytest.mark.parametrize("row", OBSERVATIONS, ids=lambda row: row.code)
def test_every_row_is_charted_at_both_ends_of_its_range(row):
    bed = Ward()

    assert bed.chart(1, values={row.code: row.low}).accepted
    assert bed.chart(2, values={row.code: row.high}).accepted
    assert bed.patient.chart.charted[row.code].value == row.high


def test_a_discharge_forgets_what_was_charted():
    bed = Ward()
    bed.every_second(0, 90, **ILL)
    bed.chart(91, acvpu="V", spo2_scale=2, values={"gcs": 9})

    bed.ask(92, "discharge", reason="home")

    assert bed.patient.chart == type(bed.patient.chart)()
    assert bed.told("bed.news2_emergency")[-1][0] == "cleared"
    bed.every_second(93, 110, **WELL)
    assert set(points(bed.last())) == {"rr", "spo2", "sys", "pulse", "temp"}


def test_the_state_goes_on_as_if_never_saved():
    whole, broken = Ward(), Ward()
    for bed in (whole, broken):
        bed.every_second(0, 45, **WELL)
        bed.chart(46, acvpu="V", on_oxygen=True, values={"lactate": 2.0})
    pieces = broken.saved_and_restored()
    for bed in (whole, pieces):
        bed.said.clear()
        bed.every_second(47, 400, **ILL)

    assert whole.said == pieces.said


def test_a_saved_chart_that_cannot_be_read_is_a_lost_state():
    bed = Ward()
    bed.every_second(0, 15, **WELL)
    pieces = patient.save(bed.patient) | {b"o": b"\xff"}

    with pytest.raises(StateError):
        patient.restore("p-1", pieces)


# --- a model's hint


def hinting(**changes: object) -> Rules:
    advisory = ADULT.advisory._replace(**changes)
    return dataclasses.replace(ADULT, advisory=advisory)


STRANGE = {"hr": 118, "spo2": 91, "rr": 28, "abp_sys": 95, "abp_dia": 80}
CALM = {"hr": 70, "spo2": 98, "rr": 16, "abp_sys": 120, "abp_dia": 70}


def warmed(rules: Rules, seconds: int = 2700) -> Ward:
    """A calm patient whom the model knows."""
    bed = Ward(rules)
    for second in range(0, seconds, 5):
        wiggle = second // 5 % 3 - 1
        values = {code: value + wiggle for code, value in CALM.items()}
        bed.at(second, **(values | {"spo2": 98}))
    assert bed.patient.model.warm
    bed.said.clear()
    return bed


def test_three_unusual_buckets_in_a_row_are_a_hint():
    bed = warmed(hinting(bound=0.5))

    bed.every_second(2700, 2745, **STRANGE)

    assert bed.told("bed.unusual") == [("raised", 2730, True)]
    alarm = next(a for a in bed.alerts() if a.code == "bed.unusual")
    assert (alarm.kind, alarm.priority, alarm.onset) == ("advisory", "low", ms(2710))
    assert alarm.value >= 0.5


def test_two_are_none():
    bed = warmed(hinting(bound=0.5))

    bed.every_second(2700, 2719, **STRANGE)
    bed.every_second(2720, 2800, **CALM)

    assert bed.told("bed.unusual") == []


def test_a_hint_is_over_a_minute_after_it_fell_below_half_of_the_bound():
    bed = warmed(hinting(bound=0.5))
    bed.every_second(2700, 2739, **STRANGE)

    bed.every_second(2740, 2900, **CALM)

    assert bed.told("bed.unusual")[-1] == ("cleared", 2810, False)


def test_an_alarm_of_a_signal_ends_a_hint_and_keeps_it_away():
    bed = warmed(hinting(bound=0.5))
    bed.every_second(2700, 2739, **STRANGE)
    bed.every_second(2740, 2800, **(STRANGE | {"hr": 135}))

    told = [(event, time) for event, time, _ in bed.told("bed.unusual")]
    assert told == [("raised", 2730), ("cleared", 2750)]


def test_a_model_that_is_not_warm_gives_no_hint():
    bed = Ward(hinting(bound=0.01))

    bed.every_second(0, 300, **CALM)
    bed.every_second(301, 400, **STRANGE)

    assert bed.told("bed.unusual") == []


def test_a_budget_is_kept_over_a_day():
    bed = warmed(hinting(bound=0.5, budget=1))
    bed.every_second(2700, 2739, **STRANGE)
    bed.every_second(2740, 2900, **CALM)

    bed.every_second(2901, 2950, **STRANGE)

    assert [event for event, _, _ in bed.told("bed.unusual")] == ["raised", "cleared"]


def test_in_shadow_a_hint_is_counted_and_not_raised():
    bed = warmed(hinting(bound=0.5, is_shadow=True))

    bed.every_second(2700, 2739, **STRANGE)
    bed.every_second(2740, 2900, **CALM)

    assert bed.told("bed.unusual") == []
    assert bed.last().anomaly.shadowed == 1


def test_a_score_of_news2_does_not_keep_a_model_from_learning():
    bed = Ward()
    bed.every_second(0, 100, **SINGLE)
    assert bed.patient.is_holding("bed.news2_single")

    assert not assessment.is_alarmed(assessment.Bedside(bed.patient, ADULT, []))


# --- trends


def rising(bed: Ward, seconds: int) -> None:
    """A heart rate that rises by 30 an hour, a message each 10 s."""
    for second in range(0, seconds, 10):
        hr = 60 + second / 120 + second // 10 % 3
        bed.at(second, interval_s=10, hr=hr, spo2=97)


def test_a_rise_over_an_hour_is_told_with_its_interval_and_its_distance_from_usual():
    bed = Ward()

    rising(bed, 3700)

    found = bed.last().trends["hr"]
    assert found.low <= found.per_h <= found.high
    assert found.per_h == pytest.approx(30, abs=1)
    assert found.minutes >= 50
    assert found.deviation == pytest.approx(found.now - found.usual, abs=0.02)
    assert found.deviation > 10
    flat = bed.last().trends["spo2"]
    assert (flat.per_h, flat.deviation) == (0, 0)


def test_a_short_history_has_a_now_and_neither_a_slope_nor_a_usual():
    bed = Ward()

    rising(bed, 900)

    found = bed.last().trends["hr"]
    assert found.now == pytest.approx(66, abs=3)
    assert (found.usual, found.deviation, found.per_h) == (None, None, None)


def test_a_signal_that_is_silent_has_no_trend():
    bed = Ward()
    rising(bed, 2400)
    assert "hr" in bed.last().trends

    for second in range(2400, 3400, 10):
        bed.at(second, interval_s=10, spo2=97)

    assert "hr" not in bed.last().trends


# --- models of risk


def test_a_risk_is_shown_in_shadow_with_what_makes_it_and_raises_nothing():
    bed = Ward()
    bed.every_second(0, 10, **WELL)
    before = bed.last().risks["mortality"]

    bed.chart(12, values={"gcs": 3, "lactate": 12.0, "bun": 120, "age": 85})

    after = bed.last().risks["mortality"]
    assert after.shadow
    assert after.outcome == "death in hospital"
    assert after.probability > 2 * before.probability
    assert after.known == before.known + 4 <= after.wanted
    assert "gcs" in after.shares
    assert len(after.shares) <= 5
    assert bed.alerts() == []


def test_a_risk_is_worked_out_each_five_minutes_and_when_something_is_charted():
    bed = Ward()
    bed.every_second(0, 10, **WELL)
    first = bed.last().risks

    bed.every_second(11, 300, **(WELL | {"hr": 110}))
    assert bed.last().risks == first
    bed.every_second(301, 370, **(WELL | {"hr": 110}))

    assert bed.last().risks != first


def test_what_is_charted_is_told_even_where_no_score_moves():
    bed = Ward()
    bed.every_second(0, 10, **WELL)
    bed.said.clear()

    bed.chart(12, values={"sodium": 140})

    assert len(scores(bed.said)) == 1


def test_a_risk_goes_on_after_a_restore_and_is_forgotten_at_discharge():
    whole, broken = Ward(), Ward()
    for bed in (whole, broken):
        bed.every_second(0, 10, **WELL)
        bed.chart(11, values={"gcs": 9, "lactate": 4.0})
    pieces: dict[bytes, bytes] = {}
    for _ in range(2):  # the second time, nobody has read what was saved
        pieces |= patient.save(broken.patient)
        broken.patient = patient.restore("p-1", pieces)
    for bed in (whole, broken):
        bed.every_second(12, 700, **ILL)
    assert whole.last() == broken.last()

    whole.ask(701, "discharge")
    whole.every_second(702, 720, **WELL)

    assert (
        whole.last().risks["mortality"].known < broken.last().risks["mortality"].known
    )


def test_what_a_risk_remembers_of_other_inputs_is_begun_anew_and_counted():
    bed = Ward()
    bed.every_second(0, 15, **WELL)
    pieces = patient.save(bed.patient)
    saved = msgspec.msgpack.decode(pieces[b"k"])
    damaged = {name: raw[:-1] for name, raw in saved.items()}
    pieces[b"k"] = msgspec.msgpack.encode(damaged)

    bed.patient = patient.restore("p-1", pieces)
    bed.every_second(16, 400, **WELL)

    assert bed.patient.model_restarts == 2
    assert bed.last().risks["mortality"].known > 0
