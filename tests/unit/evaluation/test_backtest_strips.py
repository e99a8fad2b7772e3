"""Which alarms are not the same under two profiles, and what is shown of them."""

import random

from collections import Counter

from icu_stream.contracts.alerts import Kind, Priority
from icu_stream.evaluation import strips
from icu_stream.evaluation.strips import Change
from icu_stream.evaluation.trial import Episode
from tests.unit.evaluation.past import Past, ms


def episode(onset, raised, ended, code="spo2.low", priority=Priority.MEDIUM):
    signal = code.partition(".")[0]
    return Episode(
        code=code,
        kind=Kind.PHYSIOLOGICAL,
        signal=None if signal == "bed" else signal,
        priority=priority,
        onset=ms(onset),
        raised=ms(raised),
        ended=None if ended is None else ms(ended),
    )


def found(before, after, *, interval_ms=1000, end=2000, patient="p-1"):
    return list(
        strips.candidates(
            patient,
            0,
            1,
            before,
            after,
            interval_ms=interval_ms,
            log_end=ms(end),
        )
    )


def changes(before, after):
    return [(str(c.change), c.code, c.shift_ms) for c in found(before, after)]


def test_the_same_alarms_are_no_change():
    same = [episode(10, 25, 60), episode(100, 115, None)]

    assert changes(same, same) == []


def test_what_is_raised_in_the_silence_after_a_log_can_be_the_same():
    late = [episode(2010, 2010, None, "bed.no_data")]

    assert changes(late, late) == []


def test_what_has_no_counterpart_is_gone_or_new():
    assert changes([episode(10, 25, 60)], []) == [("gone", "spo2.low", 0)]
    assert changes([], [episode(10, 25, 60)]) == [("new", "spo2.low", 0)]


def test_what_was_raised_at_another_moment_came_later_or_earlier():
    one, two = [episode(10, 25, 60)], [episode(12, 40, 70)]

    assert changes(one, two) == [("later", "spo2.low", 15_000)]
    assert changes(two, one) == [("earlier", "spo2.low", -15_000)]


def test_another_episode_or_another_code_is_no_counterpart():
    before = [episode(10, 25, 60)]
    after = [episode(61, 80, 90), episode(10, 25, 60, "spo2.desat")]

    told = Counter(change for change, _, _ in changes(before, after))
    assert told == {"gone": 1, "new": 2}


def test_a_strip_shows_the_signals_other_alarms_and_no_more_than_fits():
    other = episode(400, 405, 500, "spo2.desat", Priority.HIGH)
    elsewhere = episode(10, 25, 60, "hr.high")
    long = episode(100, 115, 1900)

    (candidate,) = found([long, other, elsewhere], [other, elsewhere])

    assert (candidate.from_ms, candidate.to_ms) == (ms(100 - 30), ms(400 + 30))
    assert [e.code for e in candidate.before] == ["spo2.low", "spo2.desat"]
    assert [e.code for e in candidate.after] == ["spo2.desat"]


def test_charted_data_is_shown_over_hours():
    hour = 3600
    (candidate,) = found(
        [episode(hour * 10, hour * 11, None)],
        [],
        interval_ms=hour * 1000,
        end=hour * 100,
    )

    assert candidate.to_ms - candidate.from_ms == (24 + 12) * hour * 1000


def test_of_a_bed_its_heart_rate_is_shown():
    (candidate,) = found([episode(1, 2, 3, "bed.no_data")], [])

    assert candidate.signal == "hr"


def many():
    everything = []
    for number in range(40):
        patient = f"p-{number}"
        everything += found([episode(10, 25, 60)], [], patient=patient)
        everything += found(
            [episode(10, 15, 60, "hr.extreme_low", Priority.HIGH)], [], patient=patient
        )
    return everything


def test_the_same_few_are_kept_in_whatever_order_they_come():
    one, other = many(), many()
    random.Random(5).shuffle(other)
    halves = [*strips.fewest(other[:30]), *strips.fewest(other[30:])]

    assert strips.fewest(one) == strips.fewest(other) == strips.fewest(halves)
    assert strips.chosen(one) == strips.chosen(other)


def test_the_strongest_are_shown_first_and_each_kind_in_its_turn():
    codes = [c.code for c in strips.chosen(many(), 4)]

    assert codes == ["hr.extreme_low", "spo2.low", "hr.extreme_low", "spo2.low"]


def test_samples_are_what_was_measured_in_the_order_of_time():
    (candidate,) = found([episode(100, 115, 130)], [])
    past = Past().every(range(60, 170), spo2=88, hr=70).at(62.5, arrived=170, spo2=0)
    past.at(100, patient="p-2", spo2=1).at(110.5, hr=3)
    past.records[-1].message.values["spo2"] = "off"

    strip = strips.filled([(4, candidate)], past.records)[4]

    assert strip.times == sorted(strip.times)
    assert (strip.times[0], strip.times[-1]) == (ms(70), ms(160))
    assert set(strip.values) == {88}
    assert candidate.change is Change.GONE
