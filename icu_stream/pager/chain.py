"""What an alert does to an alarm's pages: one decision, from what is known of the alarm.

=======================  ================  ============================================
alert                    what was known    what follows
=======================  ================  ============================================
any, seen before                           nothing: Kafka and workers may repeat
low priority, a pause                      nothing: it pages nobody
active, annunciates      nobody paged      `BEGIN`: the first level is paged
                         paging            `AGAIN` what has got worse or is reminded;
                                           `BEGIN` anew when its priority rose
                         acknowledged      `BEGIN`
active, silent           nothing           `NOTE`: a stronger alarm or a pause stands
                                           for it; it is paged when it annunciates
standing                 nothing           `BEGIN`: the beginning was missed
                         anything          nothing: a restatement never pages twice
latched                  paging            `NOTE`: nobody has seen it, so it goes on
acknowledged             paging            `SEEN`: nobody else is paged
cleared                  paging, seen      `OVER`
=======================  ================  ============================================

Pure: no clock, no database. Every outcome depends on the alarm's own alerts alone, in
their order, so what is repeated after a crash is decided as it was.
"""

from enum import StrEnum
from typing import NamedTuple

from icu_stream.contracts.alerts import Alert, Event, Priority, State


class Step(StrEnum):
    """What follows from an alert."""

    NOTHING = "nothing"
    NOTE = "note"
    BEGIN = "begin"
    AGAIN = "again"
    SEEN = "seen"
    OVER = "over"


class Known(NamedTuple):
    """What is remembered of an alarm.

    Attributes:
        transition: The newest that was heeded.
        state: After it.
        priority: Then.
        is_going_on: Somebody was paged, and somebody else will be.
    """

    transition: int
    state: State
    priority: Priority
    is_going_on: bool


_PAUSES = frozenset({Event.PAUSED, Event.RESUMED})
_OPEN = frozenset({State.ACTIVE, State.LATCHED})
_ENDS = {State.CLEARED: Step.OVER, State.ACKNOWLEDGED: Step.SEEN}


def follows(alert: Alert, known: Known | None) -> Step:
    """What an alert does to the pages of its alarm."""
    if known is None:
        return _first(alert)
    is_old = alert.transition <= known.transition
    if is_old or known.state is State.CLEARED or alert.event in _PAUSES:
        return Step.NOTHING
    if alert.state in _ENDS:
        return _ENDS[alert.state]
    # A standing with a transition that was not seen: what was missed pages, too.
    is_heard = alert.annunciate or alert.event is Event.STANDING
    if not (is_heard and pages(alert) and alert.state is State.ACTIVE):
        return Step.NOTE
    is_same = known.state in _OPEN and known.priority is alert.priority
    return Step.AGAIN if is_same and known.is_going_on else Step.BEGIN


def pages(alert: Alert) -> bool:
    """May it page anybody at all? Low ones never do."""
    return alert.priority is not Priority.LOW and alert.event not in _PAUSES


def _first(alert: Alert) -> Step:
    if not pages(alert) or alert.state not in _OPEN:
        return Step.NOTHING
    if alert.annunciate or alert.event in {Event.STANDING, Event.LATCHED}:
        return Step.BEGIN
    return Step.NOTE
