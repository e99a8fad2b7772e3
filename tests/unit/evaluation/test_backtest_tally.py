"""Counts that are added: the sum is the same in whatever order parts come."""

import copy

import msgspec

from hypothesis import given
from hypothesis import strategies as st

from icu_stream.contracts.alerts import Kind, Priority
from icu_stream.evaluation.tally import (
    DAY_MS,
    CodeTally,
    Judged,
    ProfileTally,
    Seen,
)


counts = st.dictionaries(
    st.sampled_from(["high", "medium", "low", "raised"]), st.integers(1, 9), max_size=3
)
leads = st.dictionaries(
    st.sampled_from(["sepsis", "death"]),
    st.lists(st.integers(-9, 9), min_size=1, max_size=3).map(sorted),
    max_size=2,
)
judged = st.builds(Judged, total=counts, caught=counts, wrong=counts, lead_ms=leads)
code_tallies = st.builds(
    CodeTally,
    kind=st.just(Kind.TECHNICAL),
    alarms=counts,
    annunciations=counts,
    events=counts,
    holding_ms=st.integers(0, 9),
)
tallies = st.builds(
    ProfileTally,
    codes=st.dictionaries(st.sampled_from(["hr.low", "rr.low"]), code_tallies),
    holding_ms=counts,
    judged=st.none() | judged,
    answers=counts,
    faults=st.integers(0, 9),
)
seen = st.builds(
    Seen,
    patients=st.integers(0, 9),
    messages=st.integers(0, 9),
    spacings=counts,
    signals=counts,
    unreadable=st.integers(0, 9),
    reasons=st.lists(st.sampled_from("abc"), max_size=3).map(sorted),
)


def total(parts, empty):
    whole = empty
    for part in parts:
        whole.add(copy.deepcopy(part))
    return msgspec.json.Encoder(order="deterministic").encode(whole)


@given(st.lists(tallies, max_size=4), st.randoms(use_true_random=False))
def test_the_sum_of_tallies_does_not_depend_on_their_order(parts, random):
    other = random.sample(parts, len(parts))

    assert total(parts, ProfileTally()) == total(other, ProfileTally())


@given(st.lists(seen, max_size=4), st.randoms(use_true_random=False))
def test_the_sum_of_what_was_read_does_not_depend_on_the_order(parts, random):
    other = random.sample(parts, len(parts))

    assert total(parts, Seen()) == total(other, Seen())


@given(tallies, tallies)
def test_adding_leaves_the_other_as_it_is(one, other):
    before = copy.deepcopy(other)

    one.add(other)
    one.add(other)

    assert other == before


def test_alarms_are_summed_by_priority():
    tally = ProfileTally(
        codes={
            "hr.low": CodeTally(kind=Kind.PHYSIOLOGICAL, alarms={"medium": 3}),
            "hr.asystole": CodeTally(kind=Kind.PHYSIOLOGICAL, alarms={"high": 2}),
        }
    )

    assert tally.alarms() == 5
    assert tally.alarms(Priority.HIGH) == 2
    assert tally.alarms(Priority.HIGH, Priority.LOW) == 2


def test_the_typical_spacing_is_the_middle_messages():
    assert Seen().typical_spacing_s() == 0
    assert Seen(messages=3, spacings={"1": 2, "60": 1}).typical_spacing_s() == 1
    assert Seen(messages=3, spacings={"1": 1, "3600": 2}).typical_spacing_s() == 3600


def test_a_patient_day_is_a_day_of_one_patient():
    assert Seen(monitored_ms=3 * DAY_MS // 2).days == 1.5
