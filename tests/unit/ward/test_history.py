"""A day of one patient in bounded memory: what is kept, and what stays a gap."""

import msgspec
import pytest

from hypothesis import given
from hypothesis import strategies as st

from icu_stream.contracts.scores import Anomaly, News2, Scores
from icu_stream.ward.history import STEPS_MS, Course, Past, Ring, Seen, Slices


HOUR = 3_600_000
MINUTE = 60_000
S = 1_000
T0 = 1_795_492_800_000  # an hour's begin


def course(past: Past, at_ms: int = T0, hours: int = 1) -> Course:
    return past.course(hours, at_ms)


def measured(*values: tuple[int, float], code: str = "hr") -> Past:
    past = Past()
    for at_ms, value in values:
        past.measure({code: value}, at_ms, at_ms)
    return past


def scores(at_ms: int, total: int, complete: int = 7, **anomaly: float) -> Scores:
    return Scores(
        patient_id="p-1",
        bed="B1",
        time=at_ms,
        news2=News2(total=total, band="low", completeness=complete, inputs={}),
        anomaly=Anomaly(
            score=sum(anomaly.values()),
            shares={c: share / sum(anomaly.values()) for c, share in anomaly.items()},
            warm=True,
            model="m 1",
        )
        if anomaly
        else None,
    )


def test_ten_seconds_have_their_least_greatest_and_mean_and_a_gap_stays_a_gap():
    past = measured((T0, 80), (T0 + S, 90), (T0 + 9 * S, 70), (T0 + 20 * S, 75))

    line = course(past, T0 + 20 * S).lines["hr"]

    assert (line.low[-3:], line.high[-3:]) == ([70, None, 75], [90, None, 75])
    assert line.mean[-3:] == [80, None, 75]
    assert len(line.mean) == 360


def test_zero_is_a_value():
    assert course(measured((T0, 0))).lines["hr"].mean[-1] == 0


@pytest.mark.parametrize("hours", STEPS_MS)
def test_a_chart_has_360_steps_at_most_and_ends_now(hours: int):
    shown = course(measured((T0, 80)), T0 + 5 * S, hours)
    count = len(shown.lines["hr"].mean)

    assert count == hours * HOUR // shown.step <= 360
    assert shown.lines["hr"].mean[-1] == 80
    assert shown.start + count * shown.step > T0 + 5 * S
    assert shown.start + (count - 1) * shown.step <= T0 + 5 * S


def test_an_extreme_of_one_second_is_seen_in_a_chart_of_24_hours():
    past = measured(*[(T0 + n * MINUTE, 97) for n in range(600)], code="spo2")
    past.measure({"spo2": 61}, T0 + 300 * MINUTE + S, T0 + 300 * MINUTE + S)

    line = course(past, T0 + 600 * MINUTE, 24).lines["spo2"]

    assert min(low for low in line.low if low is not None) == 61


def test_what_is_older_than_24_hours_is_forgotten():
    past = measured((T0, 80), (T0 + 24 * HOUR, 90))
    past.measure({"hr": 70}, T0 - 24 * HOUR, T0)

    line = course(past, T0 + 24 * HOUR, 24).lines["hr"]

    assert [mean for mean in line.mean if mean is not None] == [90]


def test_what_comes_out_of_a_monitors_memory_fills_its_own_gap():
    past = measured((T0, 80), (T0 + 60 * S, 82))
    for second in (20, 30):
        past.measure({"hr": 61}, T0 + second * S, T0 + 61 * S)

    line = course(past, T0 + 60 * S).lines["hr"]

    assert line.mean[-7:] == [80, None, 61, 61, None, None, 82]


@pytest.mark.parametrize(("behind_s", "at"), [(600, -61), (601, -1), (-1, -1)])
def test_a_clock_that_is_ahead_or_far_behind_is_not_believed(behind_s: int, at: int):
    past = Past()
    past.measure({"hr": 80}, T0 - behind_s * S, T0)

    line = course(past, T0).lines["hr"]

    assert [i - 360 for i, mean in enumerate(line.mean) if mean is not None] == [at]


def test_what_was_scored_holds_until_it_is_stated_anew_and_three_minutes_at_most():
    past = Past()
    past.score(scores(T0, 3, 6), T0)
    past.score(scores(T0 + 10 * MINUTE, 0), T0 + 10 * MINUTE)

    shown = course(past, T0 + 10 * MINUTE, 4)

    assert shown.news2[-11:] == [3, 3, 3, *[None] * 7, 0]
    assert shown.complete[-11:] == [6, 6, 6, *[None] * 7, 7]


def test_the_greatest_score_of_a_step_is_shown_with_its_own_inputs_and_shares():
    past = Past()
    past.score(scores(T0, 3, 6, hr=0.2, rr=0.1), T0)
    past.score(scores(T0 + MINUTE, 7, 5, spo2=0.6, hr=0.2), T0 + MINUTE)
    past.score(scores(T0 + 2 * MINUTE, 1, 7, hr=0.1), T0 + 2 * MINUTE)

    shown = course(past, T0 + 2 * MINUTE, 24)

    assert (shown.news2[-1], shown.complete[-1], shown.unusual[-1]) == (7, 5, 0.8)
    assert {code: points[-1] for code, points in shown.shares.items()} == {
        "hr": 0.25,
        "spo2": 0.75,
    }


def test_a_minute_is_one_score_in_a_chart_of_ten_seconds():
    past = Past()
    past.score(scores(T0 - MINUTE, 5), T0 - MINUTE)

    shown = course(past, T0 - MINUTE + 25 * S)

    assert shown.news2[-4:] == [None, 5, 5, 5]


def test_a_share_of_something_that_is_no_signal_takes_no_memory():
    past = Past()
    past.score(scores(T0, 1, 7, **{f"x{n}": 0.001 for n in range(100)}), T0)

    assert course(past).shares == {}


@given(
    st.lists(st.tuples(st.integers(0, 3 * HOUR), st.integers(-200, 3_750)), max_size=40)
)
def test_a_ring_is_what_a_plain_dictionary_says(told: list[tuple[int, int]]):
    ring, slots = Ring(MINUTE, 60), {}
    for at_ms, tenths in told:
        ring.add(tenths / 10, T0 + at_ms)
        slots.setdefault((T0 + at_ms) // MINUTE, []).append(tenths / 10)
    # What was too old when it came, or has become so, is not there.
    newest = max(slots, default=T0 // MINUTE)

    line = ring.line(newest - 59, 60, 1)

    kept = {n: values for n, values in slots.items() if n > newest - 60}
    if not kept:
        assert line is None
        return
    assert line is not None
    lows = [min(kept[n]) if n in kept else None for n in range(newest - 59, newest + 1)]
    highs = [
        max(kept[n]) if n in kept else None for n in range(newest - 59, newest + 1)
    ]
    assert (line.low, line.high) == (lows, highs)


def test_a_slot_of_the_past_is_filled_only_where_it_is_empty():
    ring = Ring(MINUTE, 60)
    ring.add(80, T0)
    ring.put(T0 // MINUTE, 1, 2, 3)
    ring.put(T0 // MINUTE - 1, 70, 90, 81)
    ring.put(T0 // MINUTE - 60, 1, 2, 3)

    line = ring.line(T0 // MINUTE - 60, 61, 1)

    assert line is not None
    assert (line.mean[0], line.mean[-2:]) == (None, [81, 80])
    assert (line.low[-2], line.high[-2]) == (70, 90)


async def test_a_patient_who_is_not_known_has_no_course_and_a_known_one_says_since_when():
    past = measured((T0, 80))
    seen = Seen({"p-1": past}.get)

    known = await seen.course("p-1", 1, T0)

    assert await seen.course("p-2", 1, T0) is None
    assert known is not None
    assert (known.since, known.source) == (T0, "seen")


def test_a_course_is_small_enough_to_be_sent_each_ten_seconds():
    past = Past()
    codes = ["hr", "spo2", "rr", "abp_sys", "abp_dia", "abp_mean", "temp"]
    for second in range(0, 3_600, 10):
        at_ms = T0 + second * S
        past.measure(dict.fromkeys(codes, 123.4), at_ms, at_ms)

    sent = msgspec.json.encode(course(past, T0 + HOUR - 1))

    assert len(sent) < 60_000


def test_minutes_that_are_read_back_are_as_if_they_had_been_heard():
    told = [(T0 - 40 * MINUTE + S * n, 70 + n % 25) for n in range(0, 600, 4)]
    heard, recalled = measured(*told, (T0, 80)), measured((T0, 80))
    slices = Slices()
    for at_ms, value in reversed(told):
        slices.measure({"hr": value}, at_ms, at_ms)
    recalled.fill(slices)

    assert course(recalled, T0, 1) == course(heard, T0, 1)
    assert course(recalled, T0, 4) == course(heard, T0, 4)
