"""The alarms a second time: slow, obvious, and sharing no code with the first.

A plain loop over one patient's records, written for a reader who has `docs/alarms.md`
open beside it: one short function a rule, named with the rule's number, and every
limit in a table of its own. It keeps every sample and looks back through them whenever
it decides, so nothing here is remembered that could be remembered wrongly. The tests
run the same log through this and through `icu_stream.domain.monitor`; where the two
differ, one of them, or the page, is wrong.

`expected` judges one patient's log, `run` those of many, `compare` holds what a worker
published against it. Not judged here: advisories and scores, which the page does not
describe.
"""

import json
import math

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
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

    @property
    def signal(self) -> str:
        """The signal that decides this limit."""
        return signal_of(self.code)

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
    Limit("nibp_sys.low", "below", 90, 0, "medium", 3),
    Limit("nibp_sys.high", "above", 160, 0, "medium", 3),
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
CUFF = "nibp_"  # each cuff reading stands for itself

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
        time: When it was measured.
        heard: When it counts as heard, for silence (rule 14).
        value: As in the message.
        interval: Of its message, ms.
    """

    time: int
    heard: int
    value: Any
    interval: float


class Spoken(NamedTuple):
    """When the bed was heard last, and the interval of that message, ms."""

    heard: int
    interval: float


class Decision(NamedTuple):
    """What one sample means for one alarm."""

    sample: Sample
    violated: bool
    inside: bool


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


@dataclass
class Alarm:
    """One alarm that is not over."""

    code: str
    kind: str
    priority: str
    onset: int
    limit: float | None
    alert_id: str
    raised: int = 0
    transition: int = 0
    state: str = "active"
    acknowledged: int | None = None
    escalated: bool = False
    stated: int = 0
    value: float | None = None


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


def is_valid(signal: str, value: Any) -> bool:
    """Rule 6: a finite number inside the instrument's range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return SIGNALS[signal].low <= value <= SIGNALS[signal].high


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
        return value >= limit.limit + limit.deadband
    if limit.side == "above":
        return value <= limit.limit - limit.deadband
    return value >= limit.deadband


def is_gap(signal: str, earlier: Sample, later: Sample) -> bool:
    """Rule 9: does the time between two samples reach the signal's no-data time?"""
    return later.time - earlier.time >= no_data_ms(signal, earlier.interval)


def start_of_run(
    signal: str, decisions: Sequence[Decision], condition: Literal["violated", "inside"]
) -> int | None:
    """When the row of samples at which a condition holds, up to the last, began.

    Args:
        signal: Whose samples; a gap that reaches its no-data time breaks the row.
        decisions: Of one alarm, oldest first.
        condition: What must hold.

    Returns:
        Time of the first sample of the row; None when it does not hold at the last.
    """
    start = None
    later: Sample | None = None
    for decision in reversed(decisions):
        sample = decision.sample
        if not getattr(decision, condition):
            break
        if later is not None and is_gap(signal, sample, later):
            break
        start, later = sample.time, sample
    return start


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
        self.last_value: dict[str, int] = {}  # also of what was taken off
        self.decided: dict[str, list[Decision]] = {}
        self.bed_spoke: Spoken | None = None
        self.alarms: dict[str, Alarm] = {}
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
        if not is_suspicious:
            device.skew = message["time"] - record.arrived_ms
            device.row, device.jumped = [], False
        self.skew = device.skew
        self.advance(time)
        self.rule_4_alarm(time)
        self.apply(time, message)

    def take_tick(self, record: Record) -> None:
        """Rule 5: time passes; nothing was measured."""
        if self.skew is not None:
            self.advance(record.message["time"] + self.skew)

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
        values = {
            signal: value
            for signal, value in (message.get("values") or {}).items()
            if signal in SIGNALS and value is not None
        }
        if not values:
            return
        self.rule_14_hear_bed(time, interval_ms(message))
        self.over("bed.no_data", time)  # rule 17
        # All are heard before any is decided: a pulse counts in its own message.
        heard = [s for s in SIGNALS if s in values and not self.is_late(s, time)]
        self.outcome.late_values += len(values) - len(heard)
        for signal in heard:
            self.hear(signal, time, values[signal], interval_ms(message))
        for signal in heard:
            self.decide(signal, self.spoken[signal][-1])

    def hear(self, signal: str, time: int, value: Any, interval: float) -> None:
        """Rule 14: keep a value, with the moment at which it was heard."""
        assert self.bed_spoke is not None
        heard = max(time, self.bed_spoke.heard)
        if self.is_active(f"{signal}.no_data"):
            heard = max(heard, self.alarms[f"{signal}.no_data"].onset)
        sample = Sample(time, heard, value, interval)
        self.last_value[signal] = time
        self.spoken.setdefault(signal, []).append(sample)
        if is_valid(signal, value):
            self.valid.setdefault(signal, []).append(sample)

    def rule_14_hear_bed(self, time: int, interval: float) -> None:
        """The bed was heard at the furthest time of its messages with a value."""
        last = self.bed_spoke
        if last is None or time > last.heard:
            last = Spoken(time, interval)
        if self.is_active("bed.no_data"):
            heard = max(last.heard, self.alarms["bed.no_data"].onset)
            last = Spoken(heard, last.interval)
        self.bed_spoke = last

    def is_late(self, signal: str, time: int) -> bool:
        """Rule 3: not after the last value of the same signal."""
        return time <= self.last_value.get(signal, -math.inf)

    def decide(self, signal: str, sample: Sample) -> None:
        """What one value means for every alarm of its signal."""
        self.over(f"{signal}.no_data", sample.time)  # rule 17
        self.rule_6(signal, sample)
        if not is_valid(signal, sample.value):
            return
        if signal == "hr" and self.rule_7(sample):
            return
        for limit in LIMITS:  # the stronger ones come first in the table
            if limit.signal == signal:
                self.rule_8_to_11(limit, sample)

    def rule_6(self, signal: str, sample: Sample) -> None:
        """`<signal>.invalid`: at once, until 5 s of valid values."""
        code = f"{signal}.invalid"
        if is_valid(signal, sample.value):
            if self.is_active(code):
                first = self.first_valid_in_a_row(signal)
                if sample.time >= first + INSIDE_S * SECOND:
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

    def first_valid_in_a_row(self, signal: str) -> int:
        """Time since which every value of a signal was valid."""
        first = self.spoken[signal][-1].time
        for sample in reversed(self.spoken[signal]):
            if not is_valid(signal, sample.value):
                break
            first = sample.time
        return first

    def rule_7(self, sample: Sample) -> bool:
        """Is this heart rate of zero an ECG fault, because a pulse is there?"""
        fault = sample.value == 0 and self.has_pulse(sample.time)
        self.follow(
            code=ECG_FAULT,
            sample=sample,
            violated=fault,
            inside=not fault,
            delay_s=ECG_FAULT_DELAY_S,
            kind="technical",
            priority="medium",
        )
        return fault

    def has_pulse(self, time: int) -> bool:
        """Rule 7: does the pleth or the arterial line beat?"""
        pulse = self.latest("pulse", time)
        systolic = self.latest("abp_sys", time)
        diastolic = self.latest("abp_dia", time)
        if pulse is not None and pulse > 0:
            return True
        if systolic is None or diastolic is None:
            return False
        return systolic - diastolic >= PULSATILE_MMHG

    def latest(self, signal: str, time: int) -> float | None:
        """The last valid value, when it is not older than 5 s."""
        samples = self.valid.get(signal)
        if not samples or time - samples[-1].time > SECOND_SOURCE_S * SECOND:
            return None
        return float(samples[-1].value)

    # -- rules 8 to 12: a limit -------------------------------------------------------

    def rule_8_to_11(self, limit: Limit, sample: Sample) -> None:
        """One limit, decided by one value."""
        self.follow(
            code=limit.code,
            sample=sample,
            violated=is_violated(limit, sample.value),
            inside=is_inside(limit, sample.value),
            delay_s=limit.delay_s,
            kind="physiological",
            priority=limit.priority,
            limit=limit,
        )

    def follow(
        self,
        *,
        code: str,
        sample: Sample,
        violated: bool,
        inside: bool,
        delay_s: float,
        kind: str,
        priority: str,
        limit: Limit | None = None,
    ) -> None:
        """Rules 8 to 10: look back over the samples that decide this condition."""
        signal = signal_of(code)
        decisions = self.decided.setdefault(code, [])
        decisions.append(Decision(sample, violated, inside))
        if self.is_active(code):
            first = start_of_run(signal, decisions, "inside")
            wait_s = 0 if signal.startswith(CUFF) else INSIDE_S
            if first is not None and sample.time >= first + wait_s * SECOND:
                self.over(code, sample.time, sample.value)
            return
        onset = start_of_run(signal, decisions, "violated")
        if onset is not None and sample.time >= onset + delay_s * SECOND:
            self.raise_(
                code,
                kind,
                priority,
                onset,
                sample.time,
                value=sample.value,
                limit=None if limit is None else limit.limit,
                annunciate=limit is None or not self.rule_12_has_stronger(limit),
            )

    def rule_12_has_stronger(self, limit: Limit, priority: str | None = None) -> bool:
        """Does a stronger alarm of the same signal and direction stand for it?"""
        own = STRENGTH[priority or limit.priority]
        return any(
            self.is_active(other.code)
            and STRENGTH[self.alarms[other.code].priority] > own
            for other in LIMITS
            if other.signal == limit.signal and other.direction == limit.direction
        )

    # -- rules 14 to 20: what falls due -------------------------------------------------

    def advance(self, until: int) -> None:
        """Rules 2 and 20: all that falls due up to a moment, in its order."""
        while due := self.due(until):
            moment, _, _, event, code = min(due)
            if event == "no_data":
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
        if not self.spoken or self.bed_spoke is None or self.is_active("bed.no_data"):
            return None
        wait = max(BED_NO_DATA_S * SECOND, GAP_FACTOR * self.bed_spoke.interval)
        return int(self.bed_spoke.heard + wait)

    def rule_14_due(self, signal: str) -> float:
        """When a signal that is expected will have been silent for too long."""
        last = self.spoken[signal][-1]
        return last.heard + no_data_ms(signal, last.interval)

    def rule_16_due(self, signal: str) -> int | None:
        """The moment of a signal's no-data alarm, None when there is to be none."""
        if signal not in self.spoken or self.is_active(f"{signal}.no_data"):
            return None
        bed_due = self.rule_15_due()
        if self.bed_spoke is None or bed_due is None:
            return None
        last, due = self.spoken[signal][-1], self.rule_14_due(signal)
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
        if alarm.code not in ESCALATES_S or alarm.escalated:
            return None
        if alarm.state != "active" or alarm.acknowledged is not None:
            return None
        return alarm.raised + ESCALATES_S[alarm.code] * SECOND

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
        limit = next((row for row in LIMITS if row.code == alarm.code), None)
        stronger = limit is not None and self.rule_12_has_stronger(
            limit, alarm.priority
        )
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
        if command["type"] in {"admit", "transfer"}:
            return True  # a bed's name changes no alarm
        msg = f"the page has no rule for a command {command['type']}: not judged here"
        raise ValueError(msg)

    def acknowledge(self, alert_id: str, by: str, time: int) -> bool:
        """Somebody has seen it: it is silent; one that is latched is over."""
        for alarm in list(self.alarms.values()):
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
        if signal not in self.spoken:
            return False
        del self.spoken[signal]
        self.valid.pop(signal, None)
        for code in list(self.decided):
            if signal_of(code) == signal:
                del self.decided[code]
        for alarm in list(self.alarms.values()):
            if signal_of(alarm.code) == signal:
                self.end(alarm, time, by)
        return True

    def discharge(self, by: str, time: int) -> bool:
        """The patient leaves: every alarm ends, nothing is expected."""
        self.spoken.clear()
        self.valid.clear()
        self.decided.clear()
        self.bed_spoke = None
        for alarm in list(self.alarms.values()):
            self.end(alarm, time, by)
        return True

    def end(self, alarm: Alarm, time: int, by: str) -> None:
        """A person ends an alarm for a reason other than its value."""
        alarm.state = "cleared"
        self.say(alarm, "cleared", time, by=by)
        del self.alarms[alarm.code]

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
        *,
        value: float | None = None,
        limit: float | None = None,
        annunciate: bool = True,
    ) -> None:
        """Rules 9, 11 and 13: a new alarm, in the place of a latched one."""
        if latched := self.alarms.pop(code, None):
            latched.state = "cleared"
            self.say(latched, "cleared", time)
        alarm_id = f"{self.patient_id}:{code}:{onset}"
        alarm = Alarm(code, kind, priority, onset, limit, alarm_id, raised=time)
        self.alarms[code] = alarm
        alarm.value = value
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
                limit=alarm.limit,
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
            fail. Advisories are always left out.

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
        if alert["kind"] == "advisory" or alert["code"] in not_judged:
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
