"""What happens to a patient: a course of some minutes, and the alarms it must bring.

A story changes the patient (`act`, on the hidden state below) or what the monitor can
measure (`absent`, `status`). It begins abruptly or rises over a share of its duration,
holds, and falls back; afterwards the patient is as before. Stories are written against
the default adult limits: each says which alarms it must bring (`must`), which may come
with them (`may`), and which would be wrong (`must_not`, as every alarm that it does not
name at all).

Faults of the measurement, not of the patient, are in `faults`.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np

from numpy.typing import NDArray

from icu_stream.contracts.alerts import Priority


# Rows of a patient's hidden state, from which the monitor's numbers follow. HR is beats
# of the heart, MAP and PP mean and pulse pressure in the arteries, DEFICIT the share of
# beats that make no pulse.
HR, RR, MAP, PP, SPO2, TEMP, ETCO2, CVP, FIO2, DEFICIT = range(10)
ROWS = 10

# How much of a patient's own variation is left at the height of a story (ours): enough
# to look alive, so little that no number crosses back over its limit.
_LIVELINESS = 0.3

State = NDArray[np.float64]
Act = Callable[[State, State, State], None]


class Must(NamedTuple):
    """An alarm that a story must bring.

    Attributes:
        code: Of the alarm.
        priority: When it is raised.
        signal: Beds without it do not get the alarm.
        after_s: From the condition to the alarm: the delay of the limit; of a no-data
            alarm its time less 1 s, since the last value came a second before.
        crossed: Share of the rise after which every bed is past the limit.
    """

    code: str
    priority: Priority
    signal: str
    after_s: float
    crossed: float = 1.0


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A course of events at one bed.

    Attributes:
        name: As on the command line.
        summary: One line for the documentation.
        duration_s: How long it takes by default.
        shortest_s: Below it the alarms that it must bring would have no time to come.
        longest_s: Above it alarms would come that it must not bring.
        rise: Share of the duration in which it grows to its full height; 0 = at once.
        fall: Share of the duration in which it goes back.
        act: Changes the hidden state, (ROWS, n) float64, in place, towards what the
            story wants; its other arguments are the usual state of the same beds,
            (ROWS, n), and how far the story has risen, 0..1, (n).
        absent: Signals that the monitor cannot measure meanwhile.
        status: What the device says of them.
        leads_only: Those of `absent` that a ventilator goes on measuring.
        silent: The device sends nothing.
        flush_mmhg: What the arterial line shows; None = the patient's pressure.
        clock_ms: How far the device's clock is off: ahead at beds with an odd number,
            behind at the others.
        needs: Signals that the bed must have; it is given them.
        must: Alarms that it must bring.
        may: Alarms that may come with them; a `*` at the end stands for anything.
        must_not: Alarms that would be wrong, and why one could think of them.
    """

    name: str
    summary: str
    duration_s: float
    shortest_s: float
    longest_s: float = 86_400.0
    rise: float = 0.0
    fall: float = 0.0
    act: Act | None = None
    absent: tuple[str, ...] = ()
    status: dict[str, str] = {}
    leads_only: tuple[str, ...] = ()
    silent: bool = False
    flush_mmhg: float | None = None
    clock_ms: int = 0
    needs: tuple[str, ...] = ()
    must: tuple[Must, ...] = ()
    may: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()

    def height(self, since_s: State, duration_s: State) -> State:
        """How far the story has risen, 0..1, at each of these moments.

        >>> sepsis = STORIES["sepsis"]
        >>> sepsis.height(np.array([0.0, 450, 900, 1799]), np.full(4, 1800.0)).round(2)
        array([0. , 0.5, 1. , 0. ])
        """
        share = since_s / duration_s
        up = np.ones_like(share) if self.rise == 0 else share / self.rise
        down = np.ones_like(share) if self.fall == 0 else (1 - share) / self.fall
        return np.clip(np.minimum(up, down), 0.0, 1.0)


def _toward(
    state: State, usual: State, row: int, target: State | float, w: State
) -> None:
    """Lead one row to a target; what is left of the patient's own variation stays."""
    own = state[row] - usual[row]
    state[row] = (
        usual[row] + w * (target - usual[row]) + (1 - w * (1 - _LIVELINESS)) * own
    )


def _sepsis(state: State, usual: State, w: State) -> None:
    _toward(state, usual, HR, 130.0, w)
    _toward(state, usual, RR, 34.0, w)
    _toward(state, usual, MAP, 53.0, w)
    _toward(state, usual, PP, 32.0, w)
    _toward(state, usual, TEMP, 39.5, w)
    _toward(state, usual, SPO2, 94.0, w)
    _toward(state, usual, ETCO2, 28.0, w)


def _haemorrhage(state: State, usual: State, w: State) -> None:
    _toward(state, usual, HR, 131.0, w)
    _toward(state, usual, MAP, 50.0, w)
    _toward(state, usual, PP, 26.0, w)
    _toward(state, usual, RR, 25.0, w)
    _toward(state, usual, CVP, 2.0, w)
    _toward(state, usual, ETCO2, 27.0, w)
    _toward(state, usual, TEMP, usual[TEMP] - 0.5, w)


def _desaturation(state: State, usual: State, w: State) -> None:
    _toward(state, usual, SPO2, 74.0, w)
    _toward(state, usual, HR, usual[HR] + 14, w)
    _toward(state, usual, RR, 24.0, w)


def _apnoea(state: State, _: State, w: State) -> None:
    state[RR] = np.where(w > 0, 0.0, state[RR])
    state[ETCO2] = np.where(w > 0, 0.0, state[ETCO2])


def _asystole(state: State, _: State, w: State) -> None:
    for row, value in ((HR, 0.0), (MAP, 30.0), (PP, 8.0), (ETCO2, 9.0)):
        state[row] = np.where(w > 0, value, state[row])


def _tachyarrhythmia(state: State, usual: State, w: State) -> None:
    _toward(state, usual, HR, 168.0, w)
    _toward(state, usual, MAP, 78.0, w)
    _toward(state, usual, PP, 38.0, w)
    state[DEFICIT] = np.where(w > 0, 0.12, state[DEFICIT])


# The alarms follow docs/alarms.md, the delays CLINICAL.md, "Default adult limits". A
# worse patient scores more: NEWS2 may say so, whatever else is said.
_NEWS2 = "bed.news2*"
_HIGH, _MEDIUM, _LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW
# Where the pressure falls: an arterial line's alarms, and a cuff's at its readings.
_HYPOTENSION = (
    Must("abp_sys.low", _MEDIUM, "abp_sys", 4),
    Must("abp_mean.low", _MEDIUM, "abp_mean", 4),
    Must("nibp_sys.low", _MEDIUM, "nibp_sys", 0),
)

# The courses are ours: what a textbook says of the direction, with numbers that cross
# the default limits by a clear margin and stay away from the limits they must not touch.
STORIES: dict[str, Story] = {
    story.name: story
    for story in (
        Story(
            name="sepsis",
            summary="fever, fast heart and breath, falling pressure",
            duration_s=1800,
            shortest_s=60,
            rise=0.5,
            fall=0.15,
            act=_sepsis,
            must=(
                Must("hr.high", _MEDIUM, "hr", 6),
                Must("rr.high", _MEDIUM, "rr", 14),
                Must("temp.high", _LOW, "temp", 0),
                *_HYPOTENSION,
            ),
            may=(_NEWS2,),
            must_not=("hr.extreme_high", "spo2.low", "abp_mean.extreme_low"),
        ),
        Story(
            name="haemorrhage",
            summary="fast heart, narrow and falling pressure",
            duration_s=600,
            shortest_s=40,
            rise=0.5,
            fall=0.2,
            act=_haemorrhage,
            must=(Must("hr.high", _MEDIUM, "hr", 6), *_HYPOTENSION),
            may=(_NEWS2,),
            must_not=("hr.extreme_high", "spo2.low", "abp_mean.extreme_low", "rr.high"),
        ),
        Story(
            name="desaturation",
            summary="SpO2 falls below 80 % and comes back",
            duration_s=60,
            shortest_s=40,
            rise=0.5,
            fall=0.25,
            act=_desaturation,
            needs=("spo2",),
            must=(
                Must("spo2.low", _MEDIUM, "spo2", 15, crossed=0.5),
                Must("spo2.desat", _HIGH, "spo2", 0),
            ),
            may=(_NEWS2,),
            must_not=("hr.high", "rr.high", "spo2.no_data"),
        ),
        Story(
            name="apnoea",
            summary="no breath; the saturation holds",
            duration_s=45,
            shortest_s=30,
            longest_s=90,
            act=_apnoea,
            must=(
                Must("rr.low", _MEDIUM, "rr", 14),
                Must("rr.apnoea", _HIGH, "rr", 20),
                Must("etco2.low", _MEDIUM, "etco2", 14),
            ),
            may=(_NEWS2,),
            must_not=("rr.no_data", "spo2.low"),
        ),
        Story(
            name="asystole",
            summary="the heart stands still: no pulse, no pressure",
            duration_s=30,
            shortest_s=15,
            act=_asystole,
            absent=("spo2", "nibp_sys", "nibp_dia", "nibp_mean"),
            status={"spo2": "searching"},
            must=(
                Must("hr.asystole", _HIGH, "hr", 4),
                Must("hr.extreme_low", _HIGH, "hr", 5),
                Must("hr.low", _MEDIUM, "hr", 6),
                Must("abp_mean.extreme_low", _HIGH, "abp_mean", 4),
                Must("abp_mean.low", _MEDIUM, "abp_mean", 4),
                Must("abp_sys.low", _MEDIUM, "abp_sys", 4),
                Must("spo2.no_data", _MEDIUM, "spo2", 9),
            ),
            may=(_NEWS2, "etco2.low"),
            must_not=("hr.ecg_fault", "spo2.low", "bed.no_data"),
        ),
        Story(
            name="tachyarrhythmia",
            summary="the heart jumps to 168/min, every eighth beat makes no pulse",
            duration_s=40,
            shortest_s=15,
            act=_tachyarrhythmia,
            must=(
                Must("hr.extreme_high", _HIGH, "hr", 5),
                Must("hr.high", _MEDIUM, "hr", 6),
            ),
            may=(_NEWS2,),
            must_not=("abp_sys.low", "abp_mean.low", "hr.ecg_fault"),
        ),
    )
}
