"""Turns, keys and cursors: what is counted, what is done once, and what goes on where."""

import pytest

from icu_stream.api import keys
from icu_stream.api.keys import Keys
from icu_stream.api.pace import Pace
from icu_stream.api.problems import Kind, ProblemError
from icu_stream.api.table import cursor, place


class Clock:
    """Moves when it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_turns_come_back_at_their_pace():
    clock = Clock()
    pace = Pace(60, clock)

    for _ in range(60):
        assert pace.turn("a").is_free
    refused = pace.turn("a")
    clock.now = 0.999
    early = pace.turn("a")
    clock.now = 1.001
    again = pace.turn("a")

    assert (refused.is_free, refused.left, refused.wait_s) == (False, 0, 1)
    assert (early.is_free, again.is_free) == (False, True)
    assert pace.turn("b").left == 59


def test_a_key_answers_what_it_was_answered():
    known = Keys(lambda: 0)

    assert known.begin("n", "k", "asked") is None
    known.end("n", "k", "answer")

    assert known.begin("n", "k", "asked") == "answer"
    assert known.begin("somebody else", "k", "asked") is None


def test_a_key_that_is_under_way_or_used_for_something_else_is_refused():
    known = Keys(lambda: 0)
    known.begin("n", "k", "asked")

    with pytest.raises(ProblemError) as under_way:
        known.begin("n", "k", "asked")
    with pytest.raises(ProblemError) as other:
        known.begin("n", "k", "something else")

    assert under_way.value.kind is Kind.UNDER_WAY
    assert other.value.kind is Kind.KEY_USED


def test_what_was_not_answered_for_good_may_be_tried_again():
    known = Keys(lambda: 0)
    known.begin("n", "k", "asked")
    known.end("n", "k", None)

    assert known.begin("n", "k", "asked") is None


def test_a_key_is_forgotten_after_a_day():
    now = [0]
    known = Keys(lambda: now[0])
    known.begin("n", "k", "asked")
    known.end("n", "k", "answer")

    now[0] = keys.KEPT_MS - 1
    before = known.begin("n", "k", "asked")
    now[0] = keys.KEPT_MS

    assert before == "answer"
    assert known.begin("n", "k", "something else") is None


def test_the_same_key_and_content_are_the_same_command_and_no_others():
    one = keys.digest("POST", "/a", b"{}")

    assert keys.command_id("k", one) == keys.command_id("k", one)
    assert len({keys.command_id("k", one), keys.command_id("l", one)}) == 2
    other = keys.digest("POST", "/a", b'{"seconds":60}')
    assert keys.command_id("k", one) != keys.command_id("k", other)


@pytest.mark.parametrize("text", ["", "AAAA", "!", "W10", "é", "eyJhIjoxfQ"])
def test_a_cursor_of_another_list_is_no_place(text: str):
    with pytest.raises(ProblemError):
        place(text, tuple[int, str])


def test_a_cursor_names_its_place():
    assert place(cursor((7, "x")), tuple[int, str]) == (7, "x")
