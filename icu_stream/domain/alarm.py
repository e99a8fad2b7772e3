"""The alarm state machine: one transition table.

An alarm begins when it is raised: before that there is a condition that may be pending
(`icu_stream.domain.condition`), which nobody is told of. It is *active* until a person
acknowledges it or its condition goes away. A high alarm whose condition goes away before
anybody acknowledged it is *latched*: it stays until somebody does. *Cleared* is the end;
a new episode of the same code is a new alarm with an id of its own. A pause of a
patient's alarms is told as an alarm, too, which begins as `paused` and ends as `resumed`.

`TABLE` is what may happen; nothing else does. `docs/alarm-states.md` is made from it
(`icu-stream alarm-states`, compared in a test).
"""

from typing import NamedTuple

import msgspec

from icu_stream.contracts.alerts import Event, Priority, State
from icu_stream.errors import TransitionError


class Transition(NamedTuple):
    """One row of the table: in a state, an event leads to a state.

    Attributes:
        start: None before the alarm is raised.
        event: What is told.
        end: The state after it.
        when: Why it happens.
    """

    start: State | None
    event: Event
    end: State
    when: str


class Unheard(NamedTuple):
    """One row before an alarm: what its condition does while nobody is told.

    Attributes:
        start: `idle` or `pending`.
        cause: What a value does.
        end: `idle` or `pending`; an Event where the alarm begins.
    """

    start: str
    cause: str
    end: str | Event


_SAME = "a restatement, each minute"

# `icu_stream.domain.condition` does as these rows say; they are here for the diagram.
BEFORE = (
    Unheard("idle", "a value violates", "pending"),
    Unheard("pending", "a value does not violate", "idle"),
    Unheard("pending", "a gap: the delay begins anew", "pending"),
    Unheard("pending", "it violates past its delay", Event.RAISED),
)

TABLE = (
    Transition(None, Event.RAISED, State.ACTIVE, "the condition held for its delay"),
    Transition(None, Event.PAUSED, State.ACTIVE, "a person paused the alarms"),
    Transition(State.ACTIVE, Event.ESCALATED, State.ACTIVE, "not seen in time"),
    Transition(State.ACTIVE, Event.WORSENED, State.ACTIVE, "the value is much worse"),
    Transition(State.ACTIVE, Event.REMINDED, State.ACTIVE, "a pause is over"),
    Transition(State.ACTIVE, Event.STANDING, State.ACTIVE, _SAME),
    Transition(
        State.ACTIVE, Event.ACKNOWLEDGED, State.ACKNOWLEDGED, "a person has seen it"
    ),
    Transition(
        State.ACTIVE, Event.LATCHED, State.LATCHED, "the condition went away, high"
    ),
    Transition(State.ACTIVE, Event.CLEARED, State.CLEARED, "it went away, or ended"),
    Transition(State.ACTIVE, Event.RESUMED, State.CLEARED, "the pause is over"),
    Transition(
        State.ACKNOWLEDGED, Event.REMINDED, State.ACTIVE, "it still holds after a while"
    ),
    Transition(
        State.ACKNOWLEDGED, Event.WORSENED, State.ACTIVE, "the value is much worse"
    ),
    Transition(State.ACKNOWLEDGED, Event.STANDING, State.ACKNOWLEDGED, _SAME),
    Transition(
        State.ACKNOWLEDGED, Event.CLEARED, State.CLEARED, "it went away, or ended"
    ),
    Transition(State.LATCHED, Event.STANDING, State.LATCHED, _SAME),
    Transition(
        State.LATCHED, Event.ACKNOWLEDGED, State.CLEARED, "a person has seen it"
    ),
    Transition(State.LATCHED, Event.CLEARED, State.CLEARED, "ended, or a new episode"),
)

TRANSITIONS: dict[tuple[State | None, Event], State] = {
    (row.start, row.event): row.end for row in TABLE
}

# The condition holds, as far as anybody knows: neither over nor latched.
HOLDING = frozenset({State.ACTIVE, State.ACKNOWLEDGED})


class Alarm(msgspec.Struct, array_like=True, gc=False):
    """One alarm that is not over. Its time are measurement time, epoch ms.

    Attributes:
        code: `signal.condition`.
        onset: First moment of the condition.
        priority: Now; it may have risen.
        state: None before it is raised.
        transition: How many there were.
        raised: When.
        restate: When it must be stated again.
        escalate: When it rises if nobody acknowledges it; 0 = not (any more).
        remind: When an acknowledged one is annunciated again; 0 = not.
        value: What decided `raised`, and later what ended it.
        extreme: The worst value since onset.
        note: What the sentence needs and no value says (`icu_stream.domain.notes`).
        ended: When its condition went away, of a latched one; 0 = it has not.
        worst: What a worse value is measured by: the worst at `raised`, or the one that
            worsened it last.
        is_chattering: Raised again and again: it is over later.
    """

    code: str
    onset: int
    priority: Priority
    state: State | None = None
    transition: int = 0
    raised: int = 0
    restate: int = 0
    escalate: int = 0
    remind: int = 0
    value: float | None = None
    extreme: float | None = None
    note: str = ""
    ended: int = 0
    worst: float | None = None
    is_chattering: bool = False

    @property
    def is_holding(self) -> bool:
        """Does its condition hold, as far as anybody knows?"""
        return self.state in HOLDING

    def alert_id(self, patient_id: str) -> str:
        """What its messages are known by (rule 13)."""
        return f"{patient_id}:{self.code}:{self.onset}"

    def move(self, event: Event) -> None:
        """Change the state by an event.

        Raises:
            TransitionError: The table lacks it; nothing was changed.
        """
        state = TRANSITIONS.get((self.state, event))
        if state is None:
            msg = f"{self.code} is {self.state or 'not raised'}: it cannot be {event}"
            raise TransitionError(msg)
        self.state = state
        if event is not Event.STANDING:
            self.transition += 1
