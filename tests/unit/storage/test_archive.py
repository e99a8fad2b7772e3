"""What is owed of a minute, and what that holds back."""

from aiokafka import TopicPartition

from icu_stream.storage.archive import Owed
from icu_stream.storage.series import Minute


A, B = TopicPartition("icu.vitals", 0), TopicPartition("icu.vitals", 1)
T0 = 1_795_492_560_000  # a full minute


def test_a_minute_is_due_ten_seconds_after_its_end():
    owed = Owed()
    owed.add(A, 7, "p", T0 + 100, now_ms=T0 + 100)

    assert owed.due(T0 + 69_999) == set()
    assert owed.due(T0 + 70_000) == {Minute("p", T0)}


def test_a_clock_that_is_years_ahead_holds_nothing_back_for_ever():
    owed = Owed()
    owed.add(A, 7, "p", T0 + 10**12, now_ms=T0)

    assert owed.due(T0 + 69_999) == set()
    assert len(owed.due(T0 + 70_000)) == 1


def test_offsets_are_held_at_the_first_record_of_what_is_owed():
    owed = Owed()
    owed.add(A, 9, "p", T0 + 60_000, now_ms=T0)
    owed.add(A, 7, "q", T0, now_ms=T0)
    owed.add(B, 3, "p", T0, now_ms=T0)
    owed.add(A, 8, "q", T0 + 1, now_ms=T0)

    assert owed.floors() == {A: 7, B: 3}
    owed.done({Minute("q", T0)})
    assert owed.floors() == {A: 9, B: 3}
    owed.forget([B])
    assert owed.floors() == {A: 9}
    assert owed.all() == {Minute("p", T0 + 60_000)}
