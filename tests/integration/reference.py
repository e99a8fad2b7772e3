"""The alarms a second time: slow, obvious, and sharing no code with the first.

A plain loop over one patient's records, written for a reader who has `docs/alarms.md`
open beside it: one short function a rule, named with the rule's number, and every
limit in a table of its own. It keeps every sample and looks back through them whenever
it decides, so nothing here is remembered that could be remembered wrongly. The tests
run the same log through this and through `icu_stream.domain.monitor`; where the two
differ, one of them, or the page, is wrong.

`expected` judges one patient's log, `run` those of many, `compare` holds what a worker
published against it. Not judged here: scores and the models' hints (rules 32 and 33),
and what a proposal of limits proposes.
"""

import itertools
import json
import math

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple


Json = dict[str, Any]

SECOND = 1000


# ---------------------------------------------------------------------------------
# The numbers. Sources: operator manuals of Mindray, Draeger, LIFEPAK and GE; IEC
# 60601-2-27 (heart rate alarm within 10 s in total); PhysioNet/CinC Challenge 2015
# (asystole, extreme rates). Times that the page states without a source are ours.
# ---------------------------------------------------------------------------------


class Signal(NamedTuple):
    """One row of the table of signals."""

    no_data_s: float | None
    low: float
    high: float
    no_data_priority: str = "low"


# A cuff without a declared cycle is taken to measure every 30 min: 2 x 30 min.
SIGNALS = {
    "hr": Signal(10, 0, 350, "medium"),
    "pulse": Signal(10, 0, 350),
    "spo2": Signal(10, 0, 100, "medium"),
    "rr": Signal(30, 0, 300),
    "abp_sys": Signal(10, -20, 375),
    "abp_dia": Signal(10, -20, 375),
    "abp_mean": Signal(10, -20, 375),
    "nibp_sys": Signal(3600, 10, 300),
    "nibp_dia": Signal(3600, 10, 300),
    "nibp_mean": Signal(3600, 10, 300),
    "temp": Signal(3600, 14.2, 47),
    "etco2": Signal(30, 0, 150),
    "cvp": Signal(30, -20, 100),
    "fio2": Signal(None, 21, 100),
}


class Limit(NamedTuple):
    """One row of the table of limits; `side` is below, above or zero."""

    code: str
    side: Literal["below", "above", "zero"]
    limit: float
    delay_s: float
    priority: str
    deadband: float
    clear_s: float = 5

    @property
    def signal(self) -> str:
        """The signal that decides this limit."""
        return signal_of(self.code)

    @property
    def can_wait(self) -> bool:
        """Rule 22: may a suspect value hold its alarm back?"""
        return self.priority != "high" and self.clear_s > 0

    @property
    def direction(self) -> str:
        """Low or high: a zero is as low as a signal gets."""
        return "high" if self.side == "above" else "low"


LIMITS = (
    Limit("hr.asystole", "zero", 0, 4, "high", 2),
    Limit("hr.extreme_low", "below", 40, 5, "high", 2),
    Limit("hr.extreme_high", "above", 140, 5, "high", 2),
    Limit("hr.low", "below", 50, 6, "medium", 2),
    Limit("hr.high", "above", 120, 6, "medium", 2),
    Limit("spo2.desat", "below", 80, 0, "high", 1),
    Limit("spo2.low", "below", 90, 15, "medium", 1),
    Limit("rr.apnoea", "zero", 0, 20, "high", 1),
    Limit("rr.low", "below", 8, 14, "medium", 1),
    Limit("rr.high", "above", 30, 14, "medium", 1),
    Limit("abp_sys.low", "below", 90, 4, "medium", 3),
    Limit("abp_sys.high", "above", 160, 10, "medium", 3),
    Limit("abp_mean.extreme_low", "below", 40, 4, "high", 3),
    Limit("abp_mean.low", "below", 60, 4, "medium", 3),
    Limit("abp_mean.high", "above", 110, 10, "medium", 3),
    # Each cuff reading stands for itself.
    Limit("nibp_sys.low", "below", 90, 0, "medium", 3, 0),
    Limit("nibp_sys.high", "above", 160, 0, "medium", 3, 0),
    Limit("temp.low", "below", 35.0, 0, "low", 0.1),
    Limit("temp.high", "above", 39.0, 0, "low", 0.1),
    Limit("etco2.low", "below", 15, 14, "medium", 2),
    Limit("etco2.high", "above", 50, 14, "medium", 2),
)

ECG_FAULT = "hr.ecg_fault"
ECG_FAULT_DELAY_S = 4  # as asystole
PULSATILE_MMHG = 15  # systolic minus diastolic of an arterial line that beats
SECOND_SOURCE_S = 5  # a pulse older than this says nothing about the heart now

INSIDE_S = 5  # inside its limit for so long, an alarm is over

BED_NO_DATA_S = 10
GAP_FACTOR = 2.5  # no-data time in intervals of the message
SPOKEN_FACTOR = 1.5  # intervals after which the bed has spoken without the signal

ESCALATES_S = {"spo2.low": 120, "abp_mean.low": 120, "rr.low": 120, "bed.no_data": 60}
REMINDED_S = 180
STANDING_S = 60

CLOCK_S = 60  # a device clock that moved by more is suspicious
CLOCK_STEADY_S = 2
CLOCK_MESSAGES = 3

STRENGTH = {"low": 1, "medium": 2, "high": 3}

ARTERIAL = ("abp_sys", "abp_dia", "abp_mean")
FLAT_MMHG = 5  # a pulse pressure below this is a line that is flat or flushed
UNCHANGED = {"hr": 10, "spo2": 3}
STEP = {"hr": 60, "pulse": 60, "spo2": 20} | dict.fromkeys(ARTERIAL, 60)
HELD_S = 10  # a suspect value holds an alarm back for so much longer

# 35 mmHg systolic is 4.7 kPa, and 8 mmHg of carbon dioxide is 1.1 kPa.
KPA_PRESSURE = (2, 35)
KPA_PULSE_PRESSURE = 2
KPA_ETCO2 = (2, 8)
ALIVE = {"spo2": 85, "hr": 30}  # no oximeter reads at a real pressure as low as that

# The signal of each group whose alarm says that it reads as another unit.
UNIT_OF = ("abp_sys", "nibp_sys", "etco2")

OFF = ("lead_off", "sensor_off", "disconnected", "searching")
SEARCHING_S = 10

TWO_DEVICES_S = 10
WORSE = 0.2  # of the limit
CHATTERING = 4  # times within a minute
CHATTERING_S = 60

PAUSE_S = 120
PAUSE_LEAST_S = 1
OWN_LIMITS_S = 12 * 3600
OWN_LIMITS_MOST_S = 72 * 3600

# Of what is charted by hand, as much as the tests chart. GCS: Teasdale G, Jennett B.
# Lancet 1974;304:81. Lactate in mmol/L: ours, about what intensive care shows.
CHARTED = {"gcs": (3, 15), "lactate": (0.1, 40), "fio2": (21, 100)}


PAUSE = "bed.pause"

# Rules 32 and 33: scores and hints.
NOT_JUDGED = frozenset(
    {"bed.news2_single", "bed.news2_urgent", "bed.news2_emergency", "bed.unusual"}
)


class Hard(NamedTuple):
    """Within what a limit of one patient may be moved."""

    low: float
    high: float
    delay_s: float


@dataclass(frozen=True)
class Profile:
    """One table of limits, which of them escalate, and within what they may move."""

    limits: tuple[Limit, ...]
    escalates_s: Mapping[str, float]
    hard: Mapping[str, Hard]

    @property
    def codes(self) -> set[str]:
        """The alarms of its limits."""
        return {limit.code for limit in self.limits}


# Ours, narrower than monitors let: no rate, saturation or pressure that kills is left
# without an alarm, and a heart rate's comes within 10 s (IEC 60601-2-27).
NOT_AT_ALL = math.nan  # a zero's limit cannot be moved
HARD = {
    "hr.asystole": Hard(NOT_AT_ALL, NOT_AT_ALL, 4),
    "hr.extreme_low": Hard(20, 50, 10),
    "hr.extreme_high": Hard(120, 200, 10),
    "hr.low": Hard(30, 80, 10),
    "hr.high": Hard(90, 180, 10),
    "spo2.desat": Hard(60, 85, 10),
    "spo2.low": Hard(80, 95, 30),
    "rr.apnoea": Hard(NOT_AT_ALL, NOT_AT_ALL, 30),
    "rr.low": Hard(4, 12, 30),
    "rr.high": Hard(20, 50, 30),
    "abp_sys.low": Hard(60, 130, 20),
    "abp_sys.high": Hard(120, 240, 30),
    "abp_mean.extreme_low": Hard(30, 55, 10),
    "abp_mean.low": Hard(45, 90, 20),
    "abp_mean.high": Hard(80, 160, 30),
    "nibp_sys.low": Hard(60, 130, 0),
    "nibp_sys.high": Hard(120, 240, 0),
    "temp.low": Hard(32, 36.5, 300),
    "temp.high": Hard(37.5, 41, 300),
    "etco2.low": Hard(8, 30, 30),
    "etco2.high": Hard(40, 80, 30),
}
ADULT = Profile(LIMITS, ESCALATES_S, HARD)
# For a prescribed saturation of 88 to 92 %: BTS guideline for oxygen use in adults in
# healthcare and emergency settings, 2017.
ADULT_SPO2_88_92 = Profile(
    tuple(
        limit._replace(limit=88) if limit.code == "spo2.low" else limit
        for limit in LIMITS
    ),
    ESCALATES_S,
    HARD | {"spo2.low": Hard(80, 92, 30)},
)
PROFILES = {"adult": ADULT, "adult_spo2_88_92": ADULT_SPO2_88_92}


# ---------------------------------------------------------------------------------
# What goes in and what comes out
# ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """One record of a patient's log.

    Attributes:
        message: As on the wire, a plain dict.
        arrived_ms: Kafka's timestamp of the record.
        kind: What the record is.
        replay: Was it recorded earlier, so that its arrival says nothing?
    """

    message: Json
    arrived_ms: int
    kind: Literal["vitals", "tick", "command"] = "vitals"
    replay: bool = False


@dataclass(frozen=True)
class Transition:
    """One message that is due on the alerts topic, as far as the rules decide it."""

    alert_id: str
    transition: int
    event: str
    code: str
    kind: str
    priority: str
    state: str
    annunciate: bool
    onset: int
    time: int
    signal: str | None
    value: float | None
    limit: float | None
    by: str | None
    record: int  # index of the record that brought it about; not on the wire

    @property
    def key(self) -> tuple[str, int, int | None]:
        """What makes two messages the same one; a restatement is known by its time."""
        standing = self.time if self.event == "standing" else None
        return self.alert_id, self.transition, standing


@dataclass
class Outcome:
    """What one patient's log must lead to."""

    transitions: list[Transition] = field(default_factory=list)
    messages: int = 0
    late: int = 0
    late_values: int = 0  # in messages that were not
    duplicates: int = 0
    open: dict[str, str] = field(default_factory=dict)  # alert_id to state, not over
    accepted: list[tuple[str, bool]] = field(default_factory=list)  # by command_id


# ---------------------------------------------------------------------------------
# What is remembered of a patient
# ---------------------------------------------------------------------------------


class Sample(NamedTuple):
    """One value of one signal.

    Attributes:
        time: When it counts as measured.
        value: As in the message.
        interval: Of its message, ms.
        device: Which device said it.
        own_time: When it was measured by that device's clock.
        record: In which record it came.
        suspect: Is it suspect (rule 22)?
        off: Does its own message say that the sensor is off?
        unit: Does it read as another unit (rule 23)?
    """

    time: int
    value: Any
    interval: float
    device: str
    own_time: int
    record: int
    suspect: bool = False
    off: bool = False
    unit: bool = False


class Spoken(NamedTuple):
    """When a signal or the bed was heard last, and that message's interval, ms."""

    heard: int
    interval: float


class Decision(NamedTuple):
    """What one sample means for one alarm; `value` may be another source's."""

    sample: Sample
    value: float
    violated: bool
    inside: bool


class Shared(NamedTuple):
    """Did a message share a signal with another device (rule 25)?"""

    time: int
    heard: int
    violated: bool
    inside: bool


@dataclass(frozen=True)
class Own:
    """One limit of this patient alone (rule 29)."""

    limit: float | None
    delay_s: float | None
    expires: int


class Said(NamedTuple):
    """What one message says of the signals that it does not measure."""

    time: int
    record: int
    words: dict[str, str]


class Suspicious(NamedTuple):
    """A message whose clock is not as its device's was."""

    skew: int
    arrived: int


@dataclass
class Device:
    """One device: its last moment, its skew, and the suspicious messages in a row."""

    skew: int | None
    last: int | None = None
    last_own: int | None = None
    row: list[Suspicious] = field(default_factory=list)
    jumped: bool = False
    primary: bool = False
    said: list[Said] = field(default_factory=list)


@dataclass
class Alarm:
    """One alarm that is not over."""

    code: str
    kind: str
    priority: str
    onset: int
    limit: float | None
    alert_id: str
    escalates_from: int = 0
    transition: int = 0
    state: str = "active"
    acknowledged: int | None = None
    escalated: bool = False
    stated: int = 0
    value: float | None = None
    worst: float = math.nan
    chattering: bool = False


# ---------------------------------------------------------------------------------
# Rules that need nothing but their arguments
# ---------------------------------------------------------------------------------


def signal_of(code: str) -> str:
    """The signal of an alarm's code, `bed` where it is the whole bed's."""
    return code.partition(".")[0]


def interval_ms(message: Json) -> float:
    """Time to the device's next message; 1 s when it does not say."""
    return (message.get("interval_s") or 1) * SECOND


def no_data_ms(signal: str, interval: float) -> float:
    """Rule 14: the signal's no-data time, for a declared interval."""
    own = SIGNALS[signal].no_data_s
    return math.inf if own is None else max(own * SECOND, GAP_FACTOR * interval)


def bed_no_data_ms(interval: float) -> float:
    """Rule 15: the bed's no-data time, for a declared interval."""
    return max(BED_NO_DATA_S * SECOND, GAP_FACTOR * interval)


def is_source(sample: Sample, now: int) -> bool:
    """Rule 25: does its device measure the signal still?"""
    return now - sample.time < bed_no_data_ms(sample.interval)


def is_valid(signal: str, value: Any) -> bool:
    """Rule 6: a finite number inside the instrument's range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return SIGNALS[signal].low <= value <= SIGNALS[signal].high


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Those of a message's values that are valid."""
    return {s: v for s, v in values.items() if is_valid(s, v)}


def values_of(message: Json) -> dict[str, Any]:
    """A message's values of signals that are known; null is absent."""
    values = message.get("values") or {}
    return {s: v for s, v in values.items() if s in SIGNALS and v is not None}


def status_of(message: Json, signal: str) -> str:
    """What the device says about a signal, nothing when it says nothing."""
    return str((message.get("status") or {}).get(signal, ""))


def is_contradictory(valid: Mapping[str, float]) -> bool:
    """Rule 22 a: a mean that does not lie between diastolic and systolic."""
    if "abp_mean" not in valid:
        return False
    mean = valid["abp_mean"]
    return valid.get("abp_dia", -math.inf) >= mean or (
        valid.get("abp_sys", math.inf) <= mean
    )


def is_flat(valid: Mapping[str, float], change: Mapping[str, float | None]) -> bool:
    """Rule 22 b: the line does not beat, but heart rate and saturation go on."""
    if "abp_sys" not in valid or "abp_dia" not in valid:
        return False
    if valid["abp_sys"] - valid["abp_dia"] >= FLAT_MMHG:
        return False
    carried = {s: by for s in UNCHANGED if (by := change.get(s)) is not None}
    return bool(carried) and all(
        by <= UNCHANGED[s] and (s != "hr" or valid[s] > 0) for s, by in carried.items()
    )


def is_kilopascal(line: str, valid: Mapping[str, float]) -> bool:
    """Rule 23: would these pressures be those of nobody alive, in mmHg?"""
    systolic, diastolic = valid.get(f"{line}_sys"), valid.get(f"{line}_dia")
    if systolic is None or diastolic is None:
        return False
    is_low = KPA_PRESSURE[0] <= systolic < KPA_PRESSURE[1]
    return is_low and systolic - diastolic >= KPA_PULSE_PRESSURE


def contradict(limits: Iterable[Limit]) -> bool:
    """Rule 29: do limits of one signal leave nothing inside, or change places?"""
    rows = list(limits)
    for signal in SIGNALS:
        lows = [r for r in rows if r.signal == signal and r.side != "above"]
        highs = [r for r in rows if r.signal == signal and r.side == "above"]
        # The stronger ones come first: each weaker one lies further in.
        for stronger, weaker in itertools.pairwise(lows):
            if weaker.limit <= stronger.limit:
                return True
        for stronger, weaker in itertools.pairwise(highs):
            if weaker.limit >= stronger.limit:
                return True
        for low, high in itertools.product(lows, highs):
            if low.limit + low.deadband > high.limit - high.deadband:
                return True
    return False


def is_violated(limit: Limit, value: float) -> bool:
    """The table of rule 8: outside the limit; the limit itself is not."""
    if limit.side == "below":
        return value < limit.limit
    if limit.side == "above":
        return value > limit.limit
    return value == 0


def is_inside(limit: Limit, value: float) -> bool:
    """The table of rule 8: inside by the deadband or more."""
    if limit.side == "below":
        return value >= round(limit.limit + limit.deadband, 6)
    if limit.side == "above":
        return value <= round(limit.limit - limit.deadband, 6)
    return value >= limit.deadband


def worst_of(limit: Limit, values: Iterable[float]) -> float:
    """The value that is the furthest outside, or the least inside."""
    return max(values) if limit.side == "above" else min(values)


def is_worse(limit: Limit, value: float, than: float) -> bool:
    """Rule 26: worse by a fifth of the limit or more."""
    by = value - than if limit.side == "above" else than - value
    return limit.limit != 0 and round(by - WORSE * abs(limit.limit), 6) >= 0


def is_gap(signal: str, earlier: Sample, later: Sample) -> bool:
    """Rule 9: does the time between two samples reach the signal's no-data time?"""
    return later.time - earlier.time >= no_data_ms(signal, earlier.interval)


def row_of(
    signal: str, decisions: Sequence[Decision], condition: Literal["violated", "inside"]
) -> list[Decision]:
    """The row of decisions at which a condition holds, up to the last one.

    Args:
        signal: Whose samples; a gap that reaches its no-data time breaks the row.
        decisions: Of one alarm, oldest first.
        condition: What must hold.

    Returns:
        Oldest first; empty when it does not hold at the last.
    """
    row: list[Decision] = []
    for decision in reversed(decisions):
        if not getattr(decision, condition):
            break
        if row and is_gap(signal, decision.sample, row[0].sample):
            break
        row.insert(0, decision)
    return row


# ---------------------------------------------------------------------------------
# One patient
# ---------------------------------------------------------------------------------


class Patient:
    """Everything about one patient, changed by one record after the other."""

    def __init__(self, patient_id: str) -> None:
        self.patient_id = patient_id
        self.outcome = Outcome()
        self.record = 0
        self.devices: dict[str, Device] = {}
        self.skew: int | None = None
        self.now: int | None = None
        # Every value that a signal has spoken, valid or not; the valid ones; and for
        # each alarm the samples that decide it.
        self.spoken: dict[str, list[Sample]] = {}
        self.valid: dict[str, list[Sample]] = {}
        self.last_value: dict[str, Sample] = {}  # also of what was taken off
        self.decided: dict[str, list[Decision]] = {}
        # When each expected signal was heard; the last valid value of each device that
        # measures it; and the messages that told whether two devices share a signal.
        self.heard: dict[str, Spoken] = {}
        self.sources: dict[str, dict[str, Sample]] = {}
        self.shared: list[Shared] = []
        self.bed_spoke: Spoken | None = None
        self.alarms: dict[str, Alarm] = {}
        self.raised_at: dict[str, list[int]] = {}
        self.status_ended: dict[str, int] = {}  # by signal: in which record
        self.onsets: dict[str, list[int]] = {}  # by code, of every alarm
        self.pause_until: int | None = None
        self.own: dict[str, Own] = {}
        # Its command, what it proposes, until when it can be taken.
        self.proposal: tuple[str, list[Json], int] = ("", [], 0)
        self.profile = ADULT
        self.commands: dict[str, bool] = {}

    # -- records ------------------------------------------------------------------

    def take(self, record: Record) -> None:
        """Rule 1: one record of the log."""
        if record.kind == "vitals":
            self.take_vitals(record)
        elif record.kind == "tick":
            self.take_tick(record)
        else:
            self.take_command(record)
        self.record += 1

    def take_vitals(self, record: Record) -> None:
        """Rules 2 and 3: place the message in time, advance, apply its values."""
        message = record.message
        device = self.rule_4_device(message.get("device", ""))
        self.outcome.messages += 1

        if message["time"] == device.last_own:
            self.outcome.duplicates += 1
            return
        is_suspicious = self.rule_4_is_suspicious(device, record)
        if is_suspicious:
            time = self.rule_4_time(device, record)
        else:
            time = int(message["time"])
        if time is None or (device.last is not None and time < device.last):
            self.outcome.late += 1
            return
        if time == device.last:
            self.outcome.duplicates += 1
            return

        device.last, device.last_own = time, message["time"]
        device.primary = message.get("primary", False)
        if not is_suspicious:
            device.skew = message["time"] - record.arrived_ms
            device.row, device.jumped = [], False
        if self.skew is None and device.skew is not None:
            self.rule_5_begin(device.skew)
        self.skew = device.skew
        self.advance(time)
        self.rule_4_alarm(time)
        self.apply(time, message)

    def take_tick(self, record: Record) -> None:
        """Rule 5: time passes; nothing was measured."""
        if self.skew is not None or self.alarms or self.own:
            self.advance(record.message["time"] + (self.skew or 0))

    def take_command(self, record: Record) -> None:
        """A person's request; one that is seen twice is done once."""
        command = record.message
        if command["command_id"] not in self.commands:
            time = record.arrived_ms + (self.skew or 0)
            if self.now is not None:
                time = max(time, self.now)
            self.advance(time)
            self.commands[command["command_id"]] = self.obey(command, time)
        answer = (command["command_id"], self.commands[command["command_id"]])
        self.outcome.accepted.append(answer)

    def rule_5_begin(self, skew: int) -> None:
        """The first message: what a person did before it moves to its clock."""
        self.now = None
        if self.pause_until is not None:
            self.pause_until += skew
        for code, own in self.own.items():
            self.own[code] = replace(own, expires=own.expires + skew)
        for alarm in self.alarms.values():
            alarm.stated += skew

    # -- rule 4: the device's clock -------------------------------------------------

    def rule_4_device(self, name: str) -> Device:
        """The device; one that is new has the skew of the patient's last message."""
        return self.devices.setdefault(name, Device(self.skew))

    def rule_4_is_suspicious(self, device: Device, record: Record) -> bool:
        """Did the device's clock move by more than a clock does?"""
        if device.skew is None or record.replay:
            return False
        skew: int = record.message["time"] - record.arrived_ms
        allowed = max(CLOCK_S * SECOND, 2 * interval_ms(record.message))
        return abs(skew - device.skew) > allowed

    def rule_4_time(self, device: Device, record: Record) -> int | None:
        """A suspicious message's measurement time; None when it is late."""
        assert device.skew is not None
        this = Suspicious(record.message["time"] - record.arrived_ms, record.arrived_ms)
        first = device.row[0] if device.row else this
        is_steady = abs(this.skew - first.skew) <= CLOCK_STEADY_S * SECOND
        device.row = [*device.row, this] if is_steady else [this]

        lasted = this.arrived - device.row[0].arrived
        is_no_buffer = lasted >= interval_ms(record.message) / 2
        if len(device.row) >= CLOCK_MESSAGES and is_no_buffer:
            device.jumped = True
        if device.jumped or this.skew > device.skew:
            return record.arrived_ms + device.skew
        return None

    def rule_4_alarm(self, time: int) -> None:
        """`bed.clock_jump` stands as long as any device's clock is off."""
        jumped = any(device.jumped for device in self.devices.values())
        if jumped and not self.is_active("bed.clock_jump"):
            self.raise_("bed.clock_jump", "technical", "medium", time, time)
        elif not jumped:
            self.over("bed.clock_jump", time)

    # -- values ---------------------------------------------------------------------

    def apply(self, time: int, message: Json) -> None:
        """A message's values, each not late for its own signal."""
        values = values_of(message)
        if not values:
            self.rule_24(time, message)
            return
        self.rule_14_hear_bed(time, interval_ms(message))
        self.over("bed.no_data", time)  # rule 17
        device = message.get("device", "")
        taken: dict[str, int] = {}
        shared = False
        for signal in SIGNALS:
            if signal not in values:
                continue
            moment = self.rule_3_moment(signal, device, time, interval_ms(message))
            if moment is None:
                self.outcome.late_values += 1
                continue
            if self.rule_25_is_put_aside(signal, device, moment, interval_ms(message)):
                self.hear(signal, time, self.heard[signal].interval)
                continue
            self.rule_25_forget(signal, device, moment)
            self.hear(signal, time, interval_ms(message))
            taken[signal] = moment
            self.rule_25_primary_speaks(signal, device)
            shared |= bool(self.other_sources(signal, device, moment))
        self.rule_25_two_devices(time, is_shared=shared)
        self.rule_24(time, message)
        # All are kept before any is decided: a pulse counts in its own message.
        samples = self.samples(time, taken, message)
        for signal, sample in samples.items():
            self.keep(signal, sample)
        for signal, sample in samples.items():
            self.decide(signal, sample)

    def rule_3_moment(
        self, signal: str, device: str, time: int, interval: float
    ) -> int | None:
        """When a value counts as measured; None when it is late.

        Rule 25: one that is late only because of another device's clock is not. It is
        decided at the time of the signal's last value and, when that one came from the
        same device, by so much later as its own clock went on since.
        """
        last = self.last_value.get(signal)
        if last is None or time > last.time:
            return time
        allowed = max(no_data_ms(signal, interval), CLOCK_S * SECOND)
        if last.time - time >= allowed:
            return None
        if last.device == device:
            return last.time + time - last.own_time
        return last.time

    def samples(
        self, time: int, taken: Mapping[str, int], message: Json
    ) -> dict[str, Sample]:
        """The values that count, each with what it is worth."""
        values = {signal: values_of(message)[signal] for signal in taken}
        unit = self.rule_23_signals(time, values)
        suspect = unit | self.rule_22_signals(time, taken, values, message)
        off = {signal for signal in values if status_of(message, signal) in OFF}
        return {
            signal: Sample(
                time=moment,
                value=values[signal],
                interval=interval_ms(message),
                device=message.get("device", ""),
                own_time=time,
                record=self.record,
                suspect=signal in suspect,
                off=signal in off,
                unit=signal in unit,
            )
            for signal, moment in taken.items()
        }

    def keep(self, signal: str, sample: Sample) -> None:
        """A value that counts is the signal's last, and its device is a source."""
        self.last_value[signal] = sample
        self.spoken.setdefault(signal, []).append(sample)
        if is_valid(signal, sample.value):
            self.valid.setdefault(signal, []).append(sample)
            self.sources.setdefault(signal, {})[sample.device] = sample

    def hear(self, signal: str, time: int, interval: float) -> None:
        """Rule 14: the moment at which a signal was heard."""
        assert self.bed_spoke is not None
        heard = max(time, self.bed_spoke.heard)
        if self.is_active(f"{signal}.no_data"):
            heard = max(heard, self.alarms[f"{signal}.no_data"].onset)
        self.heard[signal] = Spoken(heard, interval)

    def rule_14_hear_bed(self, time: int, interval: float) -> None:
        """The bed was heard at the furthest time of its messages with a value."""
        last = self.bed_spoke
        if last is None or time > last.heard:
            last = Spoken(time, interval)
        if self.is_active("bed.no_data"):
            heard = max(last.heard, self.alarms["bed.no_data"].onset)
            last = Spoken(heard, last.interval)
        self.bed_spoke = last

    def decide(self, signal: str, sample: Sample) -> None:
        """What one value means for every alarm of its signal."""
        self.over(f"{signal}.no_data", sample.time)  # rule 17
        self.rule_24_over(signal, sample.time)
        self.rule_6(signal, sample)
        if not is_valid(signal, sample.value):
            return
        self.rule_23_alarm(signal, sample)
        if signal == "hr" and self.rule_7(sample):
            return
        values = self.rule_25_values(signal, sample)
        for row in self.profile.limits:  # the stronger ones come first in the table
            if row.signal == signal:
                limit = self.rule_29_limit(row)
                self.rule_8_to_11(limit, sample, worst_of(limit, values))

    def rule_6(self, signal: str, sample: Sample) -> None:
        """`<signal>.invalid`: at once, until 5 s of valid values."""
        code = f"{signal}.invalid"
        if is_valid(signal, sample.value):
            if self.is_active(code):
                first = self.first_in_a_row(signal)
                if sample.time >= first + self.clears_after(code, INSIDE_S):
                    self.over(code, sample.time, sample.value)
        elif not self.is_active(code):
            self.raise_(
                code,
                "technical",
                SIGNALS[signal].no_data_priority,
                sample.time,
                sample.time,
                value=finite(sample.value),
            )

    def first_in_a_row(self, signal: str, *, in_its_unit: bool = False) -> int:
        """Time since which every value of a signal was valid, and in its unit."""
        first = self.spoken[signal][-1].time
        for sample in reversed(self.spoken[signal]):
            if not is_valid(signal, sample.value) or (in_its_unit and sample.unit):
                break
            first = sample.time
        return first

    def rule_7(self, sample: Sample) -> bool:
        """Is this heart rate of zero an ECG fault, because a pulse is there?"""
        fault = sample.value == 0 and self.has_pulse(sample, sample.time)
        self.follow(
            code=ECG_FAULT,
            decision=Decision(sample, sample.value, fault, not fault),
            delay_s=ECG_FAULT_DELAY_S,
            kind="technical",
            priority="medium",
        )
        return fault

    def has_pulse(self, zero: Sample, now: int) -> bool:
        """Rules 7 and 25: does the pleth, the arterial line or another ECG beat?"""
        pulse = self.latest("pulse", now)
        systolic = self.latest("abp_sys", now)
        diastolic = self.latest("abp_dia", now)
        if pulse is not None and pulse > 0:
            return True
        beat = (systolic or 0) - (diastolic or 0)
        if None not in {systolic, diastolic} and beat >= PULSATILE_MMHG:
            return True
        return any(
            other.value > 0 and self.is_recent(other, now)
            for other in self.other_sources("hr", zero.device, now)
        )

    def latest(self, signal: str, now: int) -> float | None:
        """The last valid value, when it is not older than 5 s."""
        samples = self.valid.get(signal)
        if not samples or not self.is_recent(samples[-1], now):
            return None
        return float(samples[-1].value)

    def is_recent(self, sample: Sample, now: int) -> bool:
        """Does a value still say something about the heart?"""
        if sample.off:
            return False
        age = now - sample.time
        return sample.record == self.record or age <= SECOND_SOURCE_S * SECOND

    # -- rules 22 and 23: what a sample is worth ----------------------------------------

    def rule_22_signals(
        self,
        time: int,
        taken: Mapping[str, int],
        values: Mapping[str, Any],
        message: Json,
    ) -> set[str]:
        """The signals of a message whose values are suspect, but for their unit."""
        valid = numbers(values)
        suspect = {s for s in valid if status_of(message, s) in OFF}
        if any(
            status_of(message, signal) == "measuring"
            for signal in SIGNALS
            if signal.startswith("nibp_")
        ):
            suspect |= {"spo2"}
        suspect |= {
            signal
            for signal, most in STEP.items()
            if signal in valid
            and (by := self.change(signal, taken[signal], valid[signal])) is not None
            and by > most
        }
        change = {s: self.change(s, time, value) for s, value in valid.items()}
        if is_contradictory(valid) or is_flat(valid, change):
            suspect |= set(ARTERIAL)
        return suspect & valid.keys()

    def change(self, signal: str, moment: int, value: float) -> float | None:
        """By how much a value differs from the one before; None after a gap."""
        if not (samples := self.valid.get(signal)):
            return None
        last = samples[-1]
        if moment - last.time >= no_data_ms(signal, last.interval):
            return None
        return float(round(abs(value - last.value), 6))

    def rule_23_signals(self, time: int, values: Mapping[str, Any]) -> set[str]:
        """The signals of a message whose values read as another unit."""
        valid = numbers(values)
        alive = {
            name: self.has_at_least(name, least, time, valid)
            for name, least in ALIVE.items()
        }
        unit = set()
        for line in ("abp", "nibp"):
            is_kpa = alive["spo2"] and alive["hr"] and is_kilopascal(line, valid)
            unit |= {s for s in valid if is_kpa and s.startswith(f"{line}_")}
        low, high = KPA_ETCO2
        if alive["spo2"] and low <= valid.get("etco2", math.nan) < high:
            unit.add("etco2")
        return unit

    def has_at_least(
        self, signal: str, least: float, time: int, valid: Mapping[str, float]
    ) -> bool:
        """Is this message's value, or the last valid one, at least so high?"""
        if signal in valid:
            return valid[signal] >= least
        if not (samples := self.valid.get(signal)):
            return False
        last = samples[-1]
        is_old = time - last.time >= no_data_ms(signal, last.interval)
        return bool(last.value >= least) and not is_old

    def rule_23_alarm(self, signal: str, sample: Sample) -> None:
        """`<signal>.unit`: at once, until 5 s of values in their unit."""
        if signal not in UNIT_OF:
            return
        code = f"{signal}.unit"
        if sample.unit and not self.is_active(code):
            self.raise_(
                code, "technical", "medium", sample.time, sample.time, sample.value
            )
        elif not sample.unit and self.is_active(code):
            first = self.first_in_a_row(signal, in_its_unit=True)
            if sample.time >= first + INSIDE_S * SECOND:
                self.over(code, sample.time, sample.value)

    # -- rules 24 and 25: what the devices say ------------------------------------------

    def rule_24(self, time: int, message: Json) -> None:
        """`<signal>.<status>`: the device says why there is no value."""
        name = message.get("device", "")
        device = self.devices[name]
        values = values_of(message)
        words = {s: status_of(message, s) for s in SIGNALS if s not in values}
        device.said.append(Said(time, self.record, words))
        for signal in SIGNALS:
            word = words.get(signal, "")
            is_meant = (
                word in OFF
                and signal in self.heard
                and not self.other_sources(signal, name, time)
            )
            if is_meant and word == "searching":
                start = self.rule_24_searching_since(signal, device)
                if start is not None and time >= start + SEARCHING_S * SECOND:
                    self.rule_24_word(signal, word, start, time)
            elif is_meant:
                self.rule_24_word(signal, word, time, time)

    def rule_24_searching_since(self, signal: str, device: Device) -> int | None:
        """The first of the messages in a row that say so, and nothing came between."""
        last = self.last_value.get(signal)
        start = None
        for said in reversed(device.said):
            is_broken = (
                said.words.get(signal) != "searching"
                or (last is not None and last.record >= said.record)
                or said.record <= self.status_ended.get(signal, -1)
            )
            if is_broken:
                break
            start = said.time
        return start

    def rule_24_word(self, signal: str, word: str, onset: int, time: int) -> None:
        """`<signal>.<status>` begins, unless silence itself has been told."""
        code = f"{signal}.{word}"
        silent = self.is_active("bed.no_data") or self.is_active(f"{signal}.no_data")
        if not silent and not self.is_active(code):
            self.rule_24_over(signal, time)
            priority = SIGNALS[signal].no_data_priority
            self.raise_(code, "technical", priority, onset, time)

    def rule_24_over(self, signal: str, time: int) -> None:
        """Whatever the device said of a signal, it is over."""
        for word in OFF:
            if self.is_active(f"{signal}.{word}"):
                self.over(f"{signal}.{word}", time)
                self.status_ended[signal] = self.record

    def has_status(self, signal: str) -> bool:
        """Has a device said why there is no value?"""
        return any(self.is_active(f"{signal}.{word}") for word in OFF)

    def other_sources(self, signal: str, device: str, now: int) -> list[Sample]:
        """The last valid values of the other devices that measure a signal."""
        return [
            sample
            for name, sample in self.sources.get(signal, {}).items()
            if name != device and is_source(sample, now)
        ]

    def rule_25_forget(self, signal: str, device: str, now: int) -> None:
        """When a value comes, others that were silent for too long are none for good."""
        for name, sample in list(self.sources.get(signal, {}).items()):
            if name != device and not is_source(sample, now):
                del self.sources[signal][name]

    def rule_25_is_put_aside(
        self, signal: str, device: str, moment: int, interval: float
    ) -> bool:
        """Does a device that is declared primary measure the same?"""
        if self.devices[device].primary:
            return False
        return any(
            self.devices[other.device].primary
            and moment - other.time < bed_no_data_ms(interval)
            for other in self.other_sources(signal, device, moment)
        )

    def rule_25_primary_speaks(self, signal: str, device: str) -> None:
        """The others are sources no longer."""
        if self.devices[device].primary:
            for name in list(self.sources.get(signal, {})):
                if not self.devices[name].primary:
                    del self.sources[signal][name]

    def rule_25_two_devices(self, time: int, *, is_shared: bool) -> None:
        """`bed.two_devices`: one signal has been shared for 10 s."""
        code = "bed.two_devices"
        assert self.bed_spoke is not None
        heard = [message.heard for message in self.shared if message.violated]
        is_quiet = not heard or time >= heard[-1] + TWO_DEVICES_S * SECOND
        is_inside = not is_shared and is_quiet
        self.shared.append(Shared(time, self.bed_spoke.heard, is_shared, is_inside))
        if self.is_active(code):
            if self.shared[-1].inside:
                self.over(code, time)
            return
        onset = time
        for message in reversed(self.shared):
            if message.inside:
                break
            onset = message.time if message.violated else onset
        if is_shared and time >= onset + TWO_DEVICES_S * SECOND:
            self.raise_(code, "technical", "medium", onset, time)

    def rule_25_values(self, signal: str, sample: Sample) -> list[float]:
        """The values against which the limits are held: those of all sources."""
        others = self.other_sources(signal, sample.device, sample.time)
        return [sample.value] + [
            other.value
            for other in others
            if signal != "hr" or other.value != 0 or sample.value == 0 or sample.off
        ]

    # -- rules 8 to 12: a limit -------------------------------------------------------

    def rule_8_to_11(self, limit: Limit, sample: Sample, value: float) -> None:
        """One limit, decided by one value."""
        decision = Decision(
            sample, value, is_violated(limit, value), is_inside(limit, value)
        )
        self.follow(
            code=limit.code,
            decision=decision,
            delay_s=limit.delay_s,
            kind="physiological",
            priority=limit.priority,
            limit=limit,
        )
        self.rule_26(limit, decision)

    def follow(
        self,
        *,
        code: str,
        decision: Decision,
        delay_s: float,
        kind: str,
        priority: str,
        limit: Limit | None = None,
    ) -> None:
        """Rules 8 to 10: look back over the samples that decide this condition."""
        signal, sample = signal_of(code), decision.sample
        decisions = self.decided.setdefault(code, [])
        decisions.append(decision)
        if self.is_active(code):
            row = row_of(signal, decisions, "inside")
            wait = self.clears_after(code, INSIDE_S if limit is None else limit.clear_s)
            if row and sample.time >= row[0].sample.time + wait:
                self.over(code, sample.time, decision.value)
            return
        if limit is not None and limit.can_wait and sample.suspect:
            delay_s += HELD_S
        row = row_of(signal, decisions, "violated")
        if not row or sample.time < row[0].sample.time + delay_s * SECOND:
            return
        self.raise_(
            code,
            kind,
            priority,
            row[0].sample.time,
            sample.time,
            decision.value,
            None if limit is None else limit.limit,
            annunciate=limit is None or not self.rule_12_has_stronger(limit),
        )
        if limit is not None:
            self.alarms[code].worst = worst_of(limit, [d.value for d in row])

    def rule_12_has_stronger(self, limit: Limit, priority: str | None = None) -> bool:
        """Does a stronger alarm of the same signal and direction stand for it?"""
        own = STRENGTH[priority or limit.priority]
        return any(
            self.is_active(other.code)
            and STRENGTH[self.alarms[other.code].priority] > own
            for other in self.profile.limits
            if other.signal == limit.signal and other.direction == limit.direction
        )

    def rule_26(self, limit: Limit, decision: Decision) -> None:
        """`worsened`: it sounds again, and whoever has seen it has not seen this."""
        if limit.side == "zero" or not decision.violated:
            return
        if not self.is_active(limit.code):
            return
        alarm = self.alarms[limit.code]
        if not is_worse(limit, decision.value, alarm.worst):
            return
        if decision.sample.suspect and limit.can_wait and alarm.priority != "high":
            return
        time = decision.sample.time
        alarm.worst = alarm.value = decision.value
        alarm.state, alarm.acknowledged, alarm.escalates_from = "active", None, time
        stronger = self.rule_12_has_stronger(limit, alarm.priority)
        self.say(alarm, "worsened", time, annunciate=not stronger)

    def rule_27_is_chattering(self, code: str, priority: str, time: int) -> bool:
        """Is it raised for the fourth time within a minute?"""
        earlier = self.raised_at.setdefault(code, [])
        earlier.append(time)
        is_meant = code.endswith(".invalid") or code in self.profile.codes
        if not is_meant or priority == "high":
            return False
        if len(earlier) < CHATTERING:
            return False
        return time - earlier[-CHATTERING] < CHATTERING_S * SECOND

    def clears_after(self, code: str, clear_s: float) -> float:
        """Rule 27: a chattering alarm must have been inside for a minute; ms."""
        return (CHATTERING_S if self.alarms[code].chattering else clear_s) * SECOND

    # -- rules 14 to 20: what falls due -------------------------------------------------

    def advance(self, until: int) -> None:
        """Rules 2 and 20: all that falls due up to a moment, in its order."""
        while due := self.due(until):
            moment, _, _, event, code = min(due)
            if event == "resumed":
                self.rule_28_end(moment)
            elif event == "expired":
                self.rule_29_expire(code)
            elif event == "no_data":
                self.raise_no_data(code, moment)
            elif event == "escalated":
                self.rule_18_escalate(self.alarms[code], moment)
            elif event == "reminded":
                self.rule_18_remind(self.alarms[code], moment)
            else:
                self.say(self.alarms[code], "standing", moment, is_change=False)
        self.now = until if self.now is None else max(self.now, until)

    def due(self, until: int) -> list[tuple[int, int, int, str, str]]:
        """Everything due: moment, rank of its sort, row, event, code of the alarm."""
        due = []
        if self.pause_until is not None:
            due.append((self.pause_until, -2, 0, "resumed", PAUSE))
        for code, own in self.own.items():
            due.append((own.expires, -1, 0, "expired", code))
        if (moment := self.rule_15_due()) is not None:
            due.append((moment, 0, 0, "no_data", "bed.no_data"))
        for row, signal in enumerate(SIGNALS, 1):
            if (moment := self.rule_16_due(signal)) is not None:
                due.append((moment, 0, row, "no_data", f"{signal}.no_data"))
        for row, alarm in enumerate(self.alarms.values()):
            if (moment := self.rule_18_escalation_due(alarm)) is not None:
                due.append((moment, 1, row, "escalated", alarm.code))
            if (moment := self.rule_18_reminder_due(alarm)) is not None:
                due.append((moment, 2, row, "reminded", alarm.code))
            if (moment := self.rule_19_due(alarm, until)) is not None:
                due.append((moment, 3, row, "standing", alarm.code))
        return [item for item in due if item[0] <= until]

    def rule_15_due(self) -> int | None:
        """When the whole bed will have been silent for too long."""
        if not self.heard or self.bed_spoke is None or self.is_active("bed.no_data"):
            return None
        wait = bed_no_data_ms(self.bed_spoke.interval)
        return int(self.bed_spoke.heard + wait)

    def rule_14_due(self, signal: str) -> float:
        """When a signal that is expected will have been silent for too long."""
        last = self.heard[signal]
        return last.heard + no_data_ms(signal, last.interval)

    def rule_16_due(self, signal: str) -> int | None:
        """The moment of a signal's no-data alarm, None when there is to be none."""
        if signal not in self.heard or self.is_active(f"{signal}.no_data"):
            return None
        if self.has_status(signal):  # rule 24
            return None
        bed_due = self.rule_15_due()
        if self.bed_spoke is None or bed_due is None:
            return None
        last, due = self.heard[signal], self.rule_14_due(signal)
        a_while = SPOKEN_FACTOR * last.interval
        has_spoken = self.bed_spoke.heard - last.heard >= a_while
        if due == math.inf or not (has_spoken or bed_due - due >= a_while):
            return None  # the whole bed is falling silent
        return max(int(due), self.bed_spoke.heard)

    def raise_no_data(self, code: str, moment: int) -> None:
        """Rules 15 and 16: the onset is the moment at which it was due."""
        signal = signal_of(code)
        if signal == "bed":
            self.raise_(code, "technical", "medium", moment, moment)
            return
        priority = SIGNALS[signal].no_data_priority
        self.raise_(code, "technical", priority, int(self.rule_14_due(signal)), moment)

    def rule_18_escalation_due(self, alarm: Alarm) -> int | None:
        """So long after `raised`, while nobody has acknowledged it."""
        if alarm.code not in self.profile.escalates_s or alarm.escalated:
            return None
        if alarm.state != "active" or alarm.acknowledged is not None:
            return None
        after_s = self.profile.escalates_s[alarm.code]
        return alarm.escalates_from + round(after_s * SECOND)

    def rule_18_escalate(self, alarm: Alarm, moment: int) -> None:
        """It rises to high and sounds again."""
        alarm.escalated, alarm.priority = True, "high"
        self.say(alarm, "escalated", moment, annunciate=True)

    def rule_18_reminder_due(self, alarm: Alarm) -> int | None:
        """So long after it was acknowledged, while it still holds."""
        if alarm.state != "acknowledged" or alarm.acknowledged is None:
            return None
        return alarm.acknowledged + REMINDED_S * SECOND

    def rule_18_remind(self, alarm: Alarm, moment: int) -> None:
        """It is active again and sounds, unless a stronger one sounds for it."""
        alarm.state = "active"
        row = next((row for row in self.profile.limits if row.code == alarm.code), None)
        stronger = row is not None and self.rule_12_has_stronger(row, alarm.priority)
        self.say(alarm, "reminded", moment, annunciate=not stronger)

    def rule_19_due(self, alarm: Alarm, until: int) -> int | None:
        """The last full minute since it was last stated, up to a moment."""
        minutes = (until - alarm.stated) // (STANDING_S * SECOND)
        return None if minutes < 1 else alarm.stated + minutes * STANDING_S * SECOND

    # -- commands -----------------------------------------------------------------------

    def obey(self, command: Json, time: int) -> bool:
        """Do what is asked; False when it is refused."""
        if command["type"] == "acknowledge":
            return self.acknowledge(command["alert_id"], command["by"], time)
        if command["type"] == "signal_off":
            return self.signal_off(command["signal"], command["by"], time)
        if command["type"] == "discharge":
            return self.discharge(command["by"], time)
        obeys = {
            "admit": self.rule_30_admit,
            "transfer": lambda command, time: True,  # a bed's name changes no alarm
            "pause": self.rule_28_pause,
            "resume": self.rule_28_resume,
            "set_limits": self.rule_29_set,
            "reset_limits": self.rule_29_reset,
            "propose_limits": self.rule_29_propose,
            "feedback": self.rule_31_feedback,
            "observe": self.rule_31_observe,
        }
        return obeys[command["type"]](command, time)

    def acknowledge(self, alert_id: str, by: str, time: int) -> bool:
        """Somebody has seen it: it is silent; one that is latched is over."""
        for alarm in list(self.alarms.values()):
            if alarm.code == PAUSE:
                continue  # resume ends it
            if alarm.alert_id == alert_id and alarm.state in {"active", "latched"}:
                is_over = alarm.state == "latched"
                alarm.state = "cleared" if is_over else "acknowledged"
                alarm.acknowledged = time
                self.say(alarm, "acknowledged", time, by=by)
                if is_over:
                    del self.alarms[alarm.code]
                return True
        return False

    def signal_off(self, signal: str, by: str, time: int) -> bool:
        """Rule 14: taken off on purpose: no longer expected, its alarms end."""
        if signal not in self.heard:
            return False
        for kept in (self.heard, self.spoken, self.valid, self.sources):
            kept.pop(signal, None)
        for by_code in (self.decided, self.raised_at):
            for code in list(by_code):
                if signal_of(code) == signal:
                    del by_code[code]
        for alarm in list(self.alarms.values()):
            if signal_of(alarm.code) == signal:
                self.end(alarm, time, by)
        return True

    def discharge(self, by: str, time: int) -> bool:
        """The patient leaves: every alarm ends, nothing is expected."""
        for kept in (self.heard, self.spoken, self.valid, self.sources):
            kept.clear()
        self.decided.clear()
        self.raised_at.clear()
        self.shared.clear()
        self.bed_spoke = None
        for alarm in list(self.alarms.values()):
            self.end(alarm, time, by)
        self.own.clear()
        self.proposal = ("", [], 0)
        self.profile = ADULT
        return True

    def end(self, alarm: Alarm, time: int, by: str) -> None:
        """A person ends an alarm for a reason other than its value."""
        alarm.state = "cleared"
        if alarm.code == PAUSE:
            self.pause_until = None
        self.say(alarm, "resumed" if alarm.code == PAUSE else "cleared", time, by=by)
        del self.alarms[alarm.code]

    def rule_28_pause(self, command: Json, time: int) -> bool:
        """Nothing that is not high sounds until then."""
        seconds = command.get("seconds")
        seconds = PAUSE_S if seconds is None else seconds
        if not command.get("reason") or not PAUSE_LEAST_S <= seconds <= PAUSE_S:
            return False
        if self.pause_until is not None:
            return False
        self.pause_until = time + round(seconds * SECOND)
        onsets = self.onsets.setdefault(PAUSE, [])
        onset = max(time, onsets[-1] + 1) if onsets else time
        alarm_id = f"{self.patient_id}:{PAUSE}:{onset}"
        self.alarms[PAUSE] = alarm = Alarm(
            PAUSE, "technical", "low", onset, None, alarm_id
        )
        onsets.append(onset)
        self.say(alarm, "paused", time, by=command["by"])
        return True

    def rule_28_resume(self, command: Json, time: int) -> bool:
        """It ends before its time."""
        if self.pause_until is None:
            return False
        self.rule_28_end(time, command["by"])
        return True

    def rule_28_end(self, moment: int, by: str | None = None) -> None:
        """What is active sounds again, unless a stronger one sounds for it."""
        self.pause_until = None
        pause = self.alarms.pop(PAUSE)
        pause.state = "cleared"
        self.say(pause, "resumed", moment, by=by)
        for alarm in self.alarms.values():
            if alarm.state == "active":
                self.rule_18_remind(alarm, moment)

    def rule_29_limit(self, limit: Limit) -> Limit:
        """A limit as it holds for this patient."""
        own = self.own.get(limit.code)
        if own is None:
            return limit
        value = limit.limit if own.limit is None else own.limit
        delay_s = limit.delay_s if own.delay_s is None else own.delay_s
        return limit._replace(limit=value, delay_s=delay_s)

    def rule_29_set(self, command: Json, time: int) -> bool:
        """Limits of this patient alone, all of them or none."""
        changes = command.get("limits") or []
        if command.get("proposal"):
            if changes or not self.rule_29_stands(command, time):
                return False
            changes = self.proposal[1]
        expires = time + OWN_LIMITS_S * SECOND
        if (wall := command.get("expires")) is not None:
            expires = wall + (self.skew or 0)
        if not 0 < expires - time <= OWN_LIMITS_MOST_S * SECOND:
            return False
        own = self.rule_29_with(command, changes, expires)
        if own is None:
            return False
        self.own = own
        return True

    def rule_29_with(
        self, command: Json, changes: list[Json], expires: int
    ) -> dict[str, Own] | None:
        """The own limits and these; None when they are refused."""
        codes = [change["code"] for change in changes]
        if not command.get("reason") or not changes or len(codes) != len(set(codes)):
            return None
        if not all(self.rule_29_is_allowed(change) for change in changes):
            return None
        before, own = self.own, dict(self.own)
        for change in changes:
            old = own.get(change["code"], Own(None, None, 0))
            limit, delay_s = change.get("limit"), change.get("delay_s")
            own[change["code"]] = Own(
                old.limit if limit is None else limit,
                old.delay_s if delay_s is None else delay_s,
                expires,
            )
        self.own = own
        is_refused = contradict(map(self.rule_29_limit, self.profile.limits))
        self.own = before
        return None if is_refused else own

    def rule_29_is_allowed(self, change: Json) -> bool:
        """Is it a limit of the profile, within the hard range?"""
        limit, delay_s = change.get("limit"), change.get("delay_s")
        hard = self.profile.hard.get(change["code"])
        if hard is None or (limit is None and delay_s is None):
            return False
        return (limit is None or hard.low <= limit <= hard.high) and (
            delay_s is None or 0 <= delay_s <= hard.delay_s
        )

    def rule_29_reset(self, command: Json, time: int) -> bool:
        """The named limits, or all of them, are the profile's again."""
        codes = {change["code"] for change in command.get("limits") or []}
        codes = codes or set(self.own)
        if not codes or not codes <= self.own.keys():
            return False
        before = dict(self.own)
        for code in codes:
            del self.own[code]
        if contradict(map(self.rule_29_limit, self.profile.limits)):
            self.own = before
            return False
        return True

    def rule_29_expire(self, code: str) -> None:
        """What cannot stand without it, of the same signal, goes with it."""
        del self.own[code]
        signal = signal_of(code)
        rows = [row for row in self.profile.limits if row.signal == signal]
        if contradict(map(self.rule_29_limit, rows)):
            for other in [name for name in self.own if signal_of(name) == signal]:
                del self.own[other]

    def rule_29_propose(self, command: Json, time: int) -> bool:
        """Changes nothing; logs here are too short for half an hour of usual values."""
        if command.get("proposal"):
            stands = self.rule_29_stands(command, time)
            if stands:
                self.proposal = ("", [], 0)
            return stands
        changes = command.get("limits") or []
        until = time + OWN_LIMITS_S * SECOND
        if self.rule_29_with(command, changes, until) is None:
            return False
        self.proposal = (command["command_id"], changes, until)
        return True

    def rule_29_stands(self, command: Json, time: int) -> bool:
        """Is it the last proposal, and not too old, and does somebody say why?"""
        name, _, until = self.proposal
        is_it = bool(name) and name == command["proposal"] and time < until
        return is_it and bool(command.get("reason"))

    def rule_30_admit(self, command: Json, time: int) -> bool:
        """The patient comes, perhaps with another profile."""
        name = command.get("profile")
        if name is None:
            return True
        if name not in PROFILES:
            return False
        if PROFILES[name] is self.profile:
            return True
        self.own.clear()
        lacking = self.profile.codes - PROFILES[name].codes
        self.profile = PROFILES[name]
        for code in lacking:
            self.decided.pop(code, None)
        for alarm in list(self.alarms.values()):
            if alarm.code in lacking:
                self.end(alarm, time, command["by"])
        return True

    def rule_31_feedback(self, command: Json, time: int) -> bool:
        """Was an alarm that this patient had worth it?"""
        if command.get("actionable") is None or command.get("alert_id") is None:
            return False
        patient_id, code, onset = command["alert_id"].rsplit(":", 2)
        onsets = self.onsets.get(code, [])
        if patient_id != self.patient_id:
            return False
        is_before = len(onsets) > 1 and int(onset) <= onsets[-2]
        return int(onset) in onsets[-1:] or is_before

    def rule_31_observe(self, command: Json, time: int) -> bool:
        """Charted by hand: it decides no limit."""
        values = command.get("values") or {}
        return all(
            name in CHARTED and CHARTED[name][0] <= value <= CHARTED[name][1]
            for name, value in values.items()
        )

    # -- alarms -------------------------------------------------------------------------

    def is_active(self, code: str) -> bool:
        """Raised, acknowledged or not, and the condition has not gone away."""
        return code in self.alarms and self.alarms[code].state != "latched"

    def raise_(
        self,
        code: str,
        kind: str,
        priority: str,
        onset: int,
        time: int,
        value: float | None = None,
        limit: float | None = None,
        *,
        annunciate: bool = True,
    ) -> None:
        """Rules 9, 11 and 13: a new alarm, in the place of a latched one."""
        if latched := self.alarms.pop(code, None):
            latched.state = "cleared"
            self.say(latched, "cleared", time)
        alarm_id = f"{self.patient_id}:{code}:{onset}"
        alarm = Alarm(code, kind, priority, onset, limit, alarm_id, time, value=value)
        alarm.chattering = self.rule_27_is_chattering(code, priority, time)
        self.alarms[code] = alarm
        self.onsets.setdefault(code, []).append(onset)
        self.say(alarm, "raised", time, annunciate=annunciate)

    def over(self, code: str, time: int, value: float | None = None) -> None:
        """Rules 10, 11 and 17: the condition has gone away, if it was there."""
        if not self.is_active(code):
            return
        alarm = self.alarms[code]
        alarm.value = value
        if alarm.priority == "high" and alarm.state == "active":
            alarm.state = "latched"
            self.say(alarm, "latched", time)
            return
        alarm.state = "cleared"
        self.say(alarm, "cleared", time)
        del self.alarms[code]

    def limit_of(self, alarm: Alarm) -> float | None:
        """The limit in force now; none where the alarm is not one of a limit."""
        rows = [row for row in self.profile.limits if row.code == alarm.code]
        return self.rule_29_limit(rows[0]).limit if rows else alarm.limit

    def say(
        self,
        alarm: Alarm,
        event: str,
        time: int,
        *,
        annunciate: bool = False,
        by: str | None = None,
        is_change: bool = True,
    ) -> None:
        """One message on the alerts topic."""
        if self.pause_until is not None and alarm.priority != "high":
            annunciate = annunciate and event == "worsened"  # rule 28
        if is_change:
            alarm.transition += 1
        alarm.stated = time
        signal = signal_of(alarm.code)
        self.outcome.transitions.append(
            Transition(
                alert_id=alarm.alert_id,
                transition=alarm.transition,
                event=event,
                code=alarm.code,
                kind=alarm.kind,
                priority=alarm.priority,
                state=alarm.state,
                annunciate=annunciate,
                onset=alarm.onset,
                time=time,
                signal=None if signal == "bed" else signal,
                value=alarm.value,
                limit=self.limit_of(alarm),
                by=by,
                record=self.record,
            )
        )


def finite(value: Any) -> float | None:
    """A value as a number where it is one: what an alert can carry."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


# ---------------------------------------------------------------------------------
# Whole logs
# ---------------------------------------------------------------------------------


def expected(patient_id: str, records: Iterable[Record]) -> Outcome:
    """What one patient's log must lead to."""
    patient = Patient(patient_id)
    for record in records:
        patient.take(record)
    return outcome_of(patient)


def outcome_of(patient: Patient) -> Outcome:
    """What a patient's log must have led to by now."""
    patient.outcome.open = {a.alert_id: a.state for a in patient.alarms.values()}
    return patient.outcome


def run(records_by_patient: Mapping[str, Iterable[Record]]) -> dict[str, Outcome]:
    """What the logs of many patients must lead to, each by itself."""
    return {name: expected(name, log) for name, log in records_by_patient.items()}


def record(
    value: bytes, arrived_ms: int, headers: Iterable[tuple[str, bytes]] = ()
) -> Record:
    """One record as it was read from the vitals topic."""
    names = {name for name, _ in headers}
    message: Json = json.loads(value)
    if "icu-command" in names:
        return Record(message, arrived_ms, "command")
    if "icu-tick" in names:
        return Record(message, arrived_ms, "tick")
    return Record(message, arrived_ms, "vitals", "icu-replay" in names)


def logs(
    raw: Iterable[tuple[bytes, int, Iterable[tuple[str, bytes]]]],
) -> dict[str, list[Record]]:
    """The log of each patient, from the records of the vitals topic in their order.

    Args:
        raw: Value, timestamp and headers of each record. One that is no message (no
            JSON, no patient, no time) is a dead letter and no part of any log.
    """
    by_patient: dict[str, list[Record]] = {}
    for value, arrived_ms, headers in raw:
        try:
            one = record(value, arrived_ms, headers)
        except ValueError:
            continue
        if _is_message(one.message):
            by_patient.setdefault(one.message["patient_id"], []).append(one)
    return by_patient


def _is_message(message: Any) -> bool:
    return (
        isinstance(message, dict)
        and isinstance(message.get("patient_id"), str)
        and isinstance(message.get("time"), int)
    )


# ---------------------------------------------------------------------------------
# What a worker published, held against what it should have
# ---------------------------------------------------------------------------------

FIELDS = (
    "event",
    "code",
    "kind",
    "priority",
    "state",
    "annunciate",
    "onset",
    "time",
    "signal",
    "value",
    "limit",
    "by",
)


def key_of(alert: Json) -> tuple[str, int, int | None]:
    """As `Transition.key`, of an alert from the wire."""
    standing = alert["time"] if alert["event"] == "standing" else None
    return alert["alert_id"], alert["transition"], standing


def compare(
    outcomes: Mapping[str, Outcome],
    alerts: Iterable[bytes],
    not_judged: Collection[str] = (),
) -> list[str]:
    """Hold what is on the alerts topic against what must be there.

    Args:
        outcomes: As `run` returns them.
        alerts: Values of the alerts topic, oldest first. A message that is there
            twice is right when it is the same byte for byte.
        not_judged: Codes to leave out: `bed.monitoring_fault` where a rule is made to
            fail. Those of `NOT_JUDGED` are always left out.

    Returns:
        One sentence for each difference; empty when all is right.
    """
    first, differences = _once(alerts, not_judged)
    wanted = {t.key: t for outcome in outcomes.values() for t in outcome.transitions}
    for key, transition in wanted.items():
        if key not in first:
            differences.append(f"missing: {_words(asdict(transition))}")
        else:
            differences += _unlike(transition, first[key])
    differences += [
        f"extra: {_words(alert)}" for key, alert in first.items() if key not in wanted
    ]
    return differences + _out_of_order(first.values())


def _once(
    alerts: Iterable[bytes], not_judged: Collection[str]
) -> tuple[dict[Any, Json], list[str]]:
    """Each judged alert once, in order; and a sentence for each unlike repeat."""
    raw: dict[Any, bytes] = {}
    first: dict[Any, Json] = {}
    differences = []
    for value in alerts:
        alert = json.loads(value)
        if alert["code"] in NOT_JUDGED or alert["code"] in not_judged:
            continue
        key = key_of(alert)
        if key not in first:
            raw[key], first[key] = value, alert
        elif raw[key] != value:
            differences.append(
                f"repeated, but not the same bytes: {_words(alert)}: "
                f"{raw[key].decode()} and {value.decode()}"
            )
    return first, differences


def _unlike(transition: Transition, alert: Json) -> list[str]:
    """A sentence for each field that is not as expected."""
    return [
        f"{_words(alert)}: {name} is {alert.get(name)!r}, want {want!r}"
        for name in FIELDS
        if alert.get(name) != (want := getattr(transition, name))
    ]


def _out_of_order(alerts: Iterable[Json]) -> list[str]:
    """Two ids for one episode, and transitions that are not in their order."""
    differences = []
    standing: dict[tuple[str, str], str] = {}
    last: dict[str, int] = {}
    for alert in alerts:
        place = alert["patient_id"], alert["code"]
        alert_id = alert["alert_id"]
        if standing.get(place, alert_id) != alert_id:
            differences.append(
                f"two ids for one episode: {_words(alert)} while {standing[place]} "
                "was not over"
            )
        if alert["state"] == "cleared":
            standing.pop(place, None)
        else:
            standing[place] = alert_id
        same = alert["event"] == "standing"
        if alert["transition"] != last.get(alert_id, 0) + (0 if same else 1):
            differences.append(
                f"out of order: {_words(alert)} after transition "
                f"{last.get(alert_id, 0)}"
            )
        last[alert_id] = alert["transition"]
    return differences


def _words(alert: Json) -> str:
    """An alert as a person names it."""
    return (
        f"{alert['alert_id']} no. {alert['transition']} {alert['event']} "
        f"at {alert['time']}"
    )
