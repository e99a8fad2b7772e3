"""A ward of simulated patients at 1 Hz: who has what, what happens, what monitors show.

Second by second: the healthy state of all beds (`physiology`), then the stories that are
under way change it (`story`), then the monitors show it: whole numbers, some signals only
now and then, and faults of the measurement (`faults`). A second is a function of the
ward's options alone: the same seed gives the same bytes.

Monitors are not in step: each bed has its own moment within the second.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from numpy.typing import NDArray

from icu_stream.contracts.signals import BY_CODE, INDEX
from icu_stream.contracts.vitals import Vitals
from icu_stream.errors import ConfigurationError
from icu_stream.sources.faults import FAULTS
from icu_stream.sources.physiology import Physiology, bits, uniform
from icu_stream.sources.story import (
    CVP,
    DEFICIT,
    ETCO2,
    FIO2,
    HR,
    MAP,
    PP,
    RR,
    SPO2,
    STORIES,
    TEMP,
    State,
    Story,
)


Integers = NDArray[np.int64]

MOST_BEDS = 30_000
BEDS_A_UNIT = 24  # ours: ICU1-01 to ICU1-24, then ICU2-01

EVENTS: dict[str, Story] = STORIES | FAULTS

# How many beds have what (ours, as in a mixed adult unit), and how often a cuff and a
# hand-held thermometer measure, s: 5, 15 and 30 min are choices of any monitor (ours).
_ARTERIAL, _VENTILATED, _CVP, _PROBE = 0.6, 0.4, 0.3, 0.7
CUFF_CYCLES_S = (300, 900, 1800)
THERMOMETER_S = 1800
# Cuff and thermometer also measure once in the first minute (ours).
_ADMISSION_S = 60
# Standard deviation of a cuff against the artery, mmHg (ours; ISO 81060-2 allows 8), and
# of the pulse against the heart, /min (ours).
_CUFF_SD = 2.3
_PULSE_SD = 0.4
# Breath moves sys, mean and dia by so much at its height, mmHg (ours).
_BREATH_SYS, _BREATH_MEAN, _BREATH_DIA = 2.0, 1.0, 0.5
# Mean pressure lies a third of the pulse pressure above the diastolic: the usual rule.
_ABOVE_MEAN, _BELOW_MEAN = 2 / 3, 1 / 3

# Random stream of the equipment; `physiology` uses those below.
_EQUIPMENT = 16
# Row of `shown` for the decimal of the temperature; the whole is in the signal's row.
_TENTHS = len(INDEX)
_CUFF = ("nibp_sys", "nibp_dia", "nibp_mean")
_ARTERY = ("abp_sys", "abp_dia", "abp_mean")


class Happening(NamedTuple):
    """One story at one bed.

    Attributes:
        event: Name of the story.
        bed: Number of the bed, from 1.
        at_s: First second of it.
        duration_s: How long it takes.
    """

    event: str
    bed: int
    at_s: int
    duration_s: int

    @property
    def story(self) -> Story:
        """What happens."""
        return EVENTS[self.event]


class Second(NamedTuple):
    """What all beds send in one second.

    Attributes:
        messages: In the order of the ward's `keys`; None where a device is silent.
        values: How many values are in them.
    """

    messages: list[bytes | None]
    values: int


class _Plan(NamedTuple):
    """Beds that show the same signals in each message.

    Attributes:
        beds: Their indices.
        rows: Of `shown`, in the order of the template.
        positions: Of their messages within a second.
        templates: Their messages with `%d` for time and numbers.
    """

    beds: Integers
    rows: list[int]
    positions: list[int]
    templates: list[bytes]


class Ward:
    """Beds, their equipment, and what will happen at them. Nothing changes but the start.

    Attributes:
        beds: How many.
        happenings: The stories, in the order of their start.
        period_s: After it all stories begin anew; None = they happen once.
        start_ms: Measurement time of second 0, epoch ms UTC; None = when it is run.
        signals: Which bed has which signal, (n_signals, n_beds) bool.
        every_s: How often a bed measures it, s, (n_signals, n_beds) int64.
        offset_ms: The bed's moment within the second, (n_beds) int64.
        order: Indices of the beds in the order of that moment.
        sorted_offsets_ms: Those moments, in that order.
        keys: Patients in that order, as keys of Kafka.
    """

    def __init__(
        self,
        beds: int,
        *,
        seed: int = 1,
        happenings: Sequence[Happening] = (),
        period_s: int | None = None,
        start_ms: int | None = None,
        cuff_cycles_s: tuple[int, ...] = CUFF_CYCLES_S,
    ) -> None:
        if not 1 <= beds <= MOST_BEDS:
            msg = f"{beds} beds: want 1 to {MOST_BEDS}"
            raise ConfigurationError(msg)
        if not 0 <= seed < 1 << 64:
            msg = f"seed {seed}: want a whole number from 0, below 2^64"
            raise ConfigurationError(msg)
        self.beds = beds
        self.period_s = period_s
        self.start_ms = start_ms
        self.happenings = tuple(sorted(happenings, key=lambda h: (h.at_s, h.bed)))
        _check(self.happenings, beds, period_s)
        draws = uniform(bits(seed, _EQUIPMENT, 0, beds, 12)).T
        self.signals = self._equipped(draws)
        self.every_s, self._first_s, self._admission_s = self._rhythms(
            draws, np.array(cuff_cycles_s)
        )
        self._patients = Physiology(seed, beds, self.ventilated)
        self.offset_ms: Integers = np.floor(draws[9] * 1000).astype(np.int64)
        self.order: list[int] = np.argsort(self.offset_ms, kind="stable").tolist()
        self.sorted_offsets_ms: list[int] = self.offset_ms[self.order].tolist()
        self.keys = [self.patient_id(bed).encode() for bed in self.order]
        self._position = {bed: at for at, bed in enumerate(self.order)}
        always = self.signals & (self.every_s == 1)
        self._always: Integers = always.sum(axis=0)
        self._plans = self._planned(always)
        self._events = [h.event for h in self.happenings]
        self._at_s, self._for_s, self._where = (
            np.array(
                [(h.at_s, h.duration_s, h.bed - 1) for h in self.happenings], np.int64
            )
            .reshape(-1, 3)
            .T
        )
        self._encode = msgspec.json.Encoder().encode

    @property
    def ventilated(self) -> NDArray[np.bool_]:
        """Which beds have a ventilator, (n_beds)."""
        row: NDArray[np.bool_] = self.signals[INDEX["fio2"]]
        return row

    def patient_id(self, bed: int) -> str:
        """The patient at a bed; beds are counted from 0 here."""
        return f"p-{bed + 1:04d}"

    def bed_name(self, bed: int) -> str:
        """The bed as it is called on the ward."""
        unit, place = divmod(bed, BEDS_A_UNIT)
        return f"ICU{unit + 1}-{place + 1:02d}"

    def device(self, bed: int) -> str:
        """The monitor at a bed."""
        return f"mon-{bed + 1:02d}"

    def time_ms(self, bed: int, t: float) -> int:
        """Measurement time of a bed's message in second `t`."""
        return (self.start_ms or 0) + round(1000 * t) + int(self.offset_ms[bed])

    def second(self, t: int) -> Second:
        """What all beds send in a second.

        About 2 us a bed and 0.3 ms for the whole (tests/benchmarks/simulator.py).
        """
        shown, faulty = self._shown(t)
        start_ms = (self.start_ms or 0) + 1000 * t
        messages: list[bytes | None] = [None] * self.beds
        for plan in self._plans:
            columns = [
                (start_ms + self.offset_ms[plan.beds]).tolist(),
                *(shown[row, plan.beds].tolist() for row in plan.rows),
            ]
            rows = zip(*columns, strict=True)
            for at, template, numbers in zip(
                plan.positions, plan.templates, rows, strict=True
            ):
                messages[at] = template % numbers
        values = int(self._always.sum())
        for bed in {*self._measuring_now(t), *faulty}:
            sample = self._sample(bed, t, shown, faulty.get(bed))
            at = self._position[bed]
            messages[at] = None if sample is None else self._encode(sample)
            values += (len(sample.values) if sample else 0) - int(self._always[bed])
        return Second(messages, values)

    def measures(self, signal: str, bed: int, t: int) -> bool:
        """Does the bed measure this signal in second `t`, when nothing is wrong?"""
        row = INDEX[signal]
        return bool(
            self.signals[row, bed]
            and (
                (t - self._first_s[row, bed]) % self.every_s[row, bed] == 0
                or t == self._admission_s[row, bed]
            )
        )

    def _equipped(self, draws: State) -> NDArray[np.bool_]:
        arterial, ventilated = draws[0] < _ARTERIAL, draws[1] < _VENTILATED
        for happening in self.happenings:
            if set(happening.story.needs) & set(_ARTERY):
                arterial[happening.bed - 1] = True
        has = np.ones((len(INDEX), self.beds), bool)
        for codes, beds in (
            (_ARTERY, arterial),
            (_CUFF, ~arterial),
            (("etco2", "fio2"), ventilated),
            (("cvp",), draws[2] < _CVP),
        ):
            for code in codes:
                has[INDEX[code]] = beds
        return has

    def _rhythms(
        self, draws: State, cuff_cycles_s: Integers
    ) -> tuple[Integers, Integers, Integers]:
        every_s = np.ones((len(INDEX), self.beds), np.int64)
        thermometer = np.where(draws[3] < _PROBE, 1, THERMOMETER_S)
        every_s[INDEX["temp"]] = thermometer
        cycles = cuff_cycles_s[np.floor(draws[4] * len(cuff_cycles_s)).astype(np.int64)]
        first_s, admission_s = np.zeros((2, *every_s.shape), np.int64)
        for codes, phase, start in (
            (_CUFF, draws[5], draws[6]),
            (("temp",), *draws[7:9]),
        ):
            for code in codes:
                row = INDEX[code]
                if code != "temp":
                    every_s[row] = cycles
                first_s[row] = np.floor(phase * every_s[row])
                admission_s[row] = np.floor(start * _ADMISSION_S)
        return every_s, first_s, admission_s

    def _planned(self, always: NDArray[np.bool_]) -> list[_Plan]:
        kinds, kind_of = np.unique(always, axis=1, return_inverse=True)
        plans = []
        for kind, has in enumerate(kinds.T):
            beds = np.flatnonzero(kind_of.ravel() == kind)
            codes = [code for code, row in INDEX.items() if has[row]]
            rows = [INDEX[code] for code in codes]
            if "temp" in codes:
                rows.insert(codes.index("temp") + 1, _TENTHS)
            plans.append(
                _Plan(
                    beds,
                    rows,
                    [self._position[bed] for bed in beds.tolist()],
                    [self._template(bed, codes) for bed in beds.tolist()],
                )
            )
        return plans

    def _template(self, bed: int, codes: list[str]) -> bytes:
        numbers = ",".join(
            f'"{code}":{"%d.%d" if BY_CODE[code].digits else "%d"}' for code in codes
        )
        return (
            f'{{"patient_id":"{self.patient_id(bed)}","time":%d,'
            f'"bed":"{self.bed_name(bed)}","device":"{self.device(bed)}",'
            f'"values":{{{numbers}}}}}'
        ).encode()

    def _shown(self, t: int) -> tuple[Integers, dict[int, Story]]:
        """What the monitors could show, (n_signals + 1, n_beds), and who has a fault."""
        state = self._patients.at(t)
        usual = self._patients.usual
        faulty: dict[int, Story] = {}
        flushed: list[tuple[Integers, float]] = []
        for story, beds, height in self._under_way(t):
            if story.act is not None:
                part = state[:, beds]
                story.act(part, usual[:, beds], height)
                state[:, beds] = part
            if story.flush_mmhg is not None:
                flushed.append((beds, story.flush_mmhg))
            if story.absent or story.silent or story.clock_ms:
                faulty.update(dict.fromkeys(beds.tolist(), story))
        shown = self._numbers(state, t)
        for beds, pressure in flushed:
            for code in _ARTERY:
                shown[INDEX[code], beds] = round(pressure)
        return shown, faulty

    def _numbers(self, state: State, t: int) -> Integers:
        pulse_noise, cuff_noise = self._patients.monitor(t)
        breath = self._patients.breath(t)
        sys = state[MAP] + _ABOVE_MEAN * state[PP]
        dia = state[MAP] - _BELOW_MEAN * state[PP]
        beats = np.rint(state[HR])
        pulse = beats * (1 - state[DEFICIT]) + _PULSE_SD * pulse_noise
        cuff = _CUFF_SD * cuff_noise
        tenths = np.rint(10 * state[TEMP])
        rows = {
            "hr": beats,
            "pulse": np.where(beats > 0, pulse, 0.0),
            "spo2": np.clip(state[SPO2], 0.0, 100.0),
            "rr": np.maximum(state[RR], 0.0),
            "abp_sys": sys + _BREATH_SYS * breath,
            "abp_dia": dia + _BREATH_DIA * breath,
            "abp_mean": state[MAP] + _BREATH_MEAN * breath,
            "nibp_sys": sys + cuff,
            "nibp_dia": dia + cuff,
            "nibp_mean": state[MAP] + cuff,
            "temp": tenths // 10,
            "etco2": np.maximum(state[ETCO2], 0.0),
            "cvp": state[CVP],
            "fio2": state[FIO2],
        }
        numbers = [*(rows[code] for code in INDEX), tenths % 10]
        whole: Integers = np.rint(np.stack(numbers)).astype(np.int64)
        return whole

    def _under_way(self, t: int) -> list[tuple[Story, Integers, State]]:
        """Stories of this second, with their beds and how far each has risen."""
        since_s = t - self._at_s
        begun = since_s >= 0
        if self.period_s is not None:
            since_s = since_s % self.period_s
        now = np.flatnonzero(begun & (since_s < self._for_s))
        groups: dict[str, list[int]] = {}
        for index in now.tolist():
            groups.setdefault(self._events[index], []).append(index)
        return [
            (
                EVENTS[event],
                self._where[indices],
                EVENTS[event].height(
                    since_s[indices].astype(np.float64),
                    self._for_s[indices].astype(np.float64),
                ),
            )
            for event, indices in groups.items()
        ]

    def _measuring_now(self, t: int) -> list[int]:
        """Beds where a signal that is measured now and then is measured now."""
        found: set[int] = set()
        for code in ("nibp_sys", "temp"):
            row = INDEX[code]
            due = (t - self._first_s[row]) % self.every_s[row] == 0
            due |= self._admission_s[row] == t
            due &= self.signals[row] & (self.every_s[row] > 1)
            found.update(np.flatnonzero(due).tolist())
        return sorted(found)

    def _sample(
        self, bed: int, t: int, shown: Integers, fault: Story | None
    ) -> Vitals | None:
        """What a bed sends that is not as always; None when its device is silent."""
        if fault is not None and fault.silent:
            return None
        absent = set(self.lost(fault, bed)) if fault is not None else set()
        values: dict[str, float] = {}
        for code, row in INDEX.items():
            if code not in absent and self.measures(code, bed, t):
                number = int(shown[row, bed])
                tenth = int(shown[_TENTHS, bed])
                # The nearest float to the decimal, as a person would write it.
                values[code] = (
                    (10 * number + tenth) / 10 if BY_CODE[code].digits else number
                )
        clock_ms = 0
        if fault is not None:
            clock_ms = fault.clock_ms if bed % 2 == 0 else -fault.clock_ms
        status = {
            code: told
            for code, told in (fault.status if fault else {}).items()
            if code in absent and self.signals[INDEX[code], bed]
        }
        return Vitals(
            patient_id=self.patient_id(bed),
            time=self.time_ms(bed, t) + clock_ms,
            bed=self.bed_name(bed),
            device=self.device(bed),
            values=values,
            status=status,
        )

    def lost(self, story: Story, bed: int) -> list[str]:
        """Signals that a story takes from a bed."""
        return [
            code
            for code in story.absent
            if not (code in story.leads_only and self.ventilated[bed])
        ]


def _check(happenings: Sequence[Happening], beds: int, period_s: int | None) -> None:
    """Refuse what could not happen, or whose truth nobody could tell.

    Raises:
        ConfigurationError: Names the story and what is wrong with it.
    """
    until_s: dict[int, int] = {}
    first_s: dict[int, int] = {}
    for happening in happenings:
        event, bed, at_s, duration_s = happening
        told = f"story {event} at bed {bed}, second {at_s}"
        story = EVENTS[event]
        wrong = None
        if not 1 <= bed <= beds:
            wrong = f"want a bed from 1 to {beds}"
        elif at_s < 1:
            wrong = "want a second from 1: before it the patient is well"
        elif not story.shortest_s <= duration_s <= story.longest_s:
            wrong = (
                f"lasts {duration_s} s, want {story.shortest_s:g} to "
                f"{story.longest_s:g} s"
            )
        elif period_s is not None and at_s + 1 > period_s:
            wrong = f"begins after the period of {period_s} s"
        elif at_s < until_s.get(bed, 0):
            wrong = f"begins before the one before has ended (second {until_s[bed]})"
        if wrong is None:
            until_s[bed] = at_s + duration_s
            first_s.setdefault(bed, at_s)
            if period_s is not None and until_s[bed] > first_s[bed] + period_s:
                wrong = f"would not have ended when it begins anew after {period_s} s"
        if wrong is not None:
            msg = f"{told}: {wrong}"
            raise ConfigurationError(msg)
