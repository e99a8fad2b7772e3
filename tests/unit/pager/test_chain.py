"""What an alert does to the pages of its alarm."""

import pytest

from icu_stream.contracts.alerts import Event, Priority, State
from icu_stream.pager.chain import Known, Step, follows
from tests.paging import after, alert


RAISED = alert()


def known(
    transition: int = 1,
    state: State = State.ACTIVE,
    priority: Priority = Priority.HIGH,
    *,
    is_going_on: bool = True,
) -> Known:
    return Known(transition, state, priority, is_going_on)


def test_an_alarm_that_is_raised_pages_the_first_level():
    assert follows(RAISED, None) is Step.BEGIN


def test_low_alarms_and_pauses_page_nobody():
    assert follows(alert(priority=Priority.LOW), None) is Step.NOTHING
    paused = alert(event=Event.PAUSED, code="bed.pause", priority=Priority.HIGH)
    assert follows(paused, None) is Step.NOTHING


def test_what_comes_again_changes_nothing():
    assert follows(RAISED, known()) is Step.NOTHING
    assert follows(RAISED, known(transition=3)) is Step.NOTHING


def test_a_restatement_never_pages_twice():
    standing = alert(event=Event.STANDING)

    for state in (State.ACTIVE, State.ACKNOWLEDGED, State.LATCHED):
        for going in (True, False):
            before = known(state=state, is_going_on=going)
            assert follows(standing, before) is Step.NOTHING


def test_a_restatement_of_what_was_never_heard_of_pages():
    """The pager was not there when the alarm was raised."""
    assert follows(alert(3, Event.STANDING), None) is Step.BEGIN
    latched = alert(3, Event.STANDING, State.LATCHED)
    assert follows(latched, None) is Step.BEGIN


def test_a_restatement_of_what_somebody_has_seen_pages_nobody():
    seen = alert(2, Event.STANDING, State.ACKNOWLEDGED)

    assert follows(seen, None) is Step.NOTHING


def test_a_silent_alarm_pages_when_it_annunciates():
    silent = alert(annunciate=False, priority=Priority.MEDIUM)
    kept = known(priority=Priority.MEDIUM, is_going_on=False)
    reminded = after(silent, Event.REMINDED, State.ACTIVE)

    assert follows(silent, None) is Step.NOTE
    standing = alert(event=Event.STANDING, priority=Priority.MEDIUM)
    assert follows(standing, kept) is Step.NOTHING
    assert follows(reminded, kept) is Step.BEGIN


@pytest.mark.parametrize("event", [Event.WORSENED, Event.REMINDED])
def test_what_gets_worse_pages_whoever_was_paged_again(event):
    assert follows(after(RAISED, event, State.ACTIVE), known()) is Step.AGAIN


def test_an_alarm_whose_priority_rose_begins_anew():
    risen = after(alert(priority=Priority.HIGH), Event.ESCALATED, State.ACTIVE)

    assert follows(risen, known(priority=Priority.MEDIUM)) is Step.BEGIN


def test_an_acknowledged_alarm_pages_nobody_else_until_it_is_reminded():
    seen = after(RAISED, Event.ACKNOWLEDGED, State.ACKNOWLEDGED)
    reminded = after(seen, Event.REMINDED, State.ACTIVE)
    kept = known(transition=2, state=State.ACKNOWLEDGED, is_going_on=False)

    assert follows(seen, known()) is Step.SEEN
    assert follows(reminded, kept) is Step.BEGIN


def test_a_latched_alarm_goes_on_until_somebody_has_seen_it():
    latched = after(RAISED, Event.LATCHED, State.LATCHED)
    seen = after(latched, Event.ACKNOWLEDGED, State.CLEARED)

    assert follows(latched, known()) is Step.NOTE
    assert follows(seen, known(transition=2, state=State.LATCHED)) is Step.OVER


def test_an_alarm_that_is_over_is_over():
    cleared = after(RAISED, Event.CLEARED, State.CLEARED)

    assert follows(cleared, known()) is Step.OVER
    assert follows(cleared, None) is Step.NOTHING
    late = after(cleared, Event.REMINDED, State.ACTIVE)
    assert follows(late, known(transition=2, state=State.CLEARED)) is Step.NOTHING
