"""The alarm state machine: one transition table.

An alarm begins when it is raised: before that there is a condition that may be pending
(`icu_stream.domain.condition`), which nobody is told of. It is *active* until a person
acknowledges it or its condition goes away. A high alarm whose condition goes away before
anybody acknowledged it is *latched*: it stays until somebody does. *Cleared* is the end;
a new episode of the same code is a new alarm with an id of its own.

=============  ============  =============  =================================
from           event         to             when
=============  ============  =============  =================================
(none)         raised        active         the condition held for its delay
active         escalated     active         not acknowledged in time
active         acknowledged  acknowledged   a person has seen it
acknowledged   reminded      active         it still holds after a while
active         latched       latched        the condition went away, high
active         cleared       cleared        the condition went away, or ended
acknowledged   cleared       cleared        the condition went away, or ended
latched        acknowledged  cleared        a person has seen it
latched        cleared       cleared        ended, or a new episode
any but those  standing      the same       a restatement
=============  ============  =============  =================================
"""

import msgspec

from icu_stream.contracts.alerts import Event, Priority, State
from icu_stream.errors import TransitionError


TRANSITIONS: dict[tuple[State | None, Event], State] = {
    (None, Event.RAISED): State.ACTIVE,
    (State.ACTIVE, Event.ESCALATED): State.ACTIVE,
    (State.ACTIVE, Event.ACKNOWLEDGED): State.ACKNOWLEDGED,
    (State.ACTIVE, Event.LATCHED): State.LATCHED,
    (State.ACTIVE, Event.CLEARED): State.CLEARED,
    (State.ACTIVE, Event.STANDING): State.ACTIVE,
    (State.ACKNOWLEDGED, Event.REMINDED): State.ACTIVE,
    (State.ACKNOWLEDGED, Event.CLEARED): State.CLEARED,
    (State.ACKNOWLEDGED, Event.STANDING): State.ACKNOWLEDGED,
    (State.LATCHED, Event.ACKNOWLEDGED): State.CLEARED,
    (State.LATCHED, Event.CLEARED): State.CLEARED,
    (State.LATCHED, Event.STANDING): State.LATCHED,
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

    @property
    def is_holding(self) -> bool:
        """Does its condition hold, as far as anybody knows?"""
        return self.state in HOLDING

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
