"""The transition table: what it has is done, what it lacks changes nothing."""

import copy
import itertools

import pytest

from icu_stream.contracts.alerts import Event, Priority, State
from icu_stream.domain import alarm, alarm_page
from icu_stream.domain.alarm import TRANSITIONS, Alarm
from icu_stream.errors import TransitionError
from tests.kafka import ROOT


def alarm_in(state: State | None) -> Alarm:
    return Alarm("hr.low", 1, Priority.MEDIUM, state=state, transition=3)


@pytest.mark.parametrize(("state", "event"), TRANSITIONS, ids=str)
def test_an_event_of_the_table_leads_where_it_says(state, event):
    moved = alarm_in(state)

    moved.move(event)

    assert moved.state is TRANSITIONS[state, event]
    assert moved.transition == (3 if event is Event.STANDING else 4)


@pytest.mark.parametrize(
    ("state", "event"),
    [
        pair
        for pair in itertools.product([None, *State], Event)
        if pair not in TRANSITIONS
    ],
    ids=str,
)
def test_an_event_that_the_table_lacks_is_refused_and_changes_nothing(state, event):
    refused = alarm_in(state)
    before = copy.copy(refused)

    with pytest.raises(TransitionError, match=f"cannot be {event}"):
        refused.move(event)

    assert refused == before


def test_nothing_leads_out_of_cleared():
    assert not [pair for pair in TRANSITIONS if pair[0] is State.CLEARED]


@pytest.mark.parametrize("state", [None, *State], ids=str)
def test_an_alarm_holds_while_it_is_active_or_acknowledged(state):
    wanted = state in {State.ACTIVE, State.ACKNOWLEDGED}

    assert alarm_in(state).is_holding is wanted


def test_no_pair_of_state_and_event_is_there_twice():
    assert len(TRANSITIONS) == len(alarm.TABLE)


def test_the_page_of_the_states_is_the_table():
    page = (ROOT / "docs/alarm-states.md").read_text()

    assert page == alarm_page.page(), "run: icu-stream alarm-states"


def test_the_page_draws_every_state_and_every_event():
    diagram = alarm_page.page().partition("```mermaid")[2].partition("```")[0]

    for name in ("idle", "pending", *State, *Event):
        assert name in diagram
