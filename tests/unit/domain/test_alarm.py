"""The transition table: what it has is done, what it lacks changes nothing."""

import copy
import itertools

import pytest

from icu_stream.contracts.alerts import Event, Priority, State
from icu_stream.domain import alarm
from icu_stream.domain.alarm import TRANSITIONS, Alarm
from icu_stream.errors import TransitionError


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


def test_the_table_in_the_docstring_is_the_table():
    rows = [
        tuple(line.split()[:3])
        for line in alarm.__doc__.splitlines()
        if len(line.split()) > 3 and line.split()[1] in set(Event)
        if not line.startswith("any")
    ]
    written = {
        (None if start == "(none)" else State(start), Event(event)): State(end)
        for start, event, end in rows
    }

    assert written == {
        pair: state
        for pair, state in TRANSITIONS.items()
        if pair[1] is not Event.STANDING
    }
