"""All that is remembered about one patient, and how it is saved and restored.

A patient's state is a function of its records alone. It is mutable and owned by one
partition; `icu_stream.domain.monitor` changes it. What is saved is in pieces, so that a
save each second writes little:

======  ==========================================  ==========================
piece   holds                                       changes
======  ==========================================  ==========================
`s`     the hot state, MessagePack, versioned       each record
`c`     answered commands, ended alarms, limits     commands, ends of alarms
`r*`    raw samples of the last 60 s                see `windows`
`h*`    24 h by the minute                          see `windows`
`m`     the model                                   every `SNAPSHOT_STEPS` steps
`n`     what the model was given since then         each 10 s
`o`     the chart: readings, charted values         each 10 s, what is charted
`k`     what the models of risk remember            each 5 min, what is charted
======  ==========================================  ==========================

All of it is bounded: a track for each known signal, a run and an alarm for each code of
the profile (a latched alarm makes place for the next of its code), `MAX_DEVICES` devices,
`MAX_COMMANDS` answers, the last ended alarm of each code.

An empty piece is one that is gone. A model's snapshot costs more than its steps, so the
steps since the last one are saved instead and taken again at `restore`: the model is
then the same to the last bit.

Between two saves the signals of a device's last message may be *unsettled*: they are in
`Device.vitals`, not yet in their `Track`. `settle` brings them there. The usual message
leaves it at that, which is most of what makes it cheap.
"""

import zlib

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from icu_stream.contracts.commands import LimitChange
from icu_stream.contracts.signals import INDEX, SIGNALS
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain.alarm import Alarm
from icu_stream.domain.chart import Chart
from icu_stream.domain.limits import FOREVER_MS, NO_BANDS, Bands, Rules
from icu_stream.domain.risk import Risk, RiskState
from icu_stream.domain.windows import Saved as SavedWindows
from icu_stream.domain.windows import Windows
from icu_stream.errors import StateError


if TYPE_CHECKING:
    from icu_stream.domain.models import PatientModel


# Bounds of what a patient can make us keep. Ours: a bed has a monitor, a ventilator,
# a few pumps; a person's commands come by ones.
MAX_DEVICES = 16
MAX_COMMANDS = 64
# Three minutes of 10-s steps: a snapshot costs as much as two steps.
SNAPSHOT_STEPS = 18

# What a device says about a signal that it does not measure (rule 24).
STATUSES = ("lead_off", "sensor_off", "disconnected", "searching")
# Alarms that say that a signal is not measured, by signal.
MISSING = {
    signal.code: tuple(f"{signal.code}.{word}" for word in ("no_data", *STATUSES))
    for signal in SIGNALS
}

_VERSION = 1
_encode = msgspec.msgpack.Encoder().encode


def _models() -> Any:
    """The models; imported for the first patient, for a process without needs no River.

    It takes a second and 50 MB. The worker imports them before it has a patient.
    """
    from icu_stream.domain import models  # noqa: PLC0415

    return models


class Device:
    """One device of a patient.

    Attributes:
        name: As in its messages.
        time: Measurement time of its last message that was not late.
        own: That message's time by the device's own clock, where it was corrected; 0.
        skew: Measurement time minus arrival, ms.
        bed: The bed that its last message named.
        interval_s: As in its last message.
        odd: Suspicious messages in a row that agree.
        odd_skew: Skew of the first of them.
        odd_arrived: Arrival of the first of them.
        is_off: Its clock has jumped.
        heard: When its last message was heard, for silence.
        vitals: Its last message, not settled yet; None when all is settled.
        is_primary: Its last message said that it is the one to believe.
        searching: By signal: the first of its messages in a row that say so (rule 24).
        status: What its last message said about signals, where the same again changes
            nothing; None where it does.
        bands: Quiet bands of exactly the signals of its last message; what is busy in
            it has a band that no value is in.
    """

    __slots__ = (
        "bands",
        "bed",
        "bed_ms",
        "heard",
        "interval_s",
        "is_off",
        "is_primary",
        "name",
        "odd",
        "odd_arrived",
        "odd_skew",
        "own",
        "searching",
        "skew",
        "status",
        "time",
        "vitals",
    )

    def __init__(self, name: str, skew: int) -> None:
        self.name = name
        self.time = 0
        self.own = 0
        self.skew = skew
        self.bed = ""
        self.interval_s: float | None = None
        self.bed_ms = 0
        self.odd = 0
        self.odd_skew = 0
        self.odd_arrived = 0
        self.is_off = False
        self.heard = 0
        self.vitals: Vitals | None = None
        self.is_primary = False
        self.searching: dict[str, int] = {}
        self.status: dict[str, str] | None = None
        self.bands: Bands = NO_BANDS

    def saved(self) -> tuple[Any, ...]:
        """What `_SavedDevice` reads."""
        return (
            self.name,
            self.time,
            self.own,
            self.skew,
            self.bed,
            self.interval_s,
            self.bed_ms,
            self.odd,
            self.odd_skew,
            self.odd_arrived,
            self.is_off,
            self.heard,
            self.is_primary,
            self.searching,
        )


class _SavedDevice(msgspec.Struct, array_like=True, frozen=True):
    name: str
    time: int
    own: int
    skew: int
    bed: str
    interval_s: float | None
    bed_ms: int
    odd: int
    odd_skew: int
    odd_arrived: int
    is_off: bool
    heard: int
    is_primary: bool = False
    searching: dict[str, int] = {}

    def device(self) -> Device:
        device = Device(self.name, self.skew)
        for name in self.__struct_fields__:
            setattr(device, name, getattr(self, name))
        return device


class Source(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What one of several devices said last of a signal.

    Attributes:
        valid: When it was valid, by the signal's time.
        value: In the signal's unit.
        lasts_ms: So long it counts.
        is_off: Its own message said that the sensor is off.
    """

    valid: int
    value: float
    lasts_ms: int
    is_off: bool = False


class Track(msgspec.Struct, array_like=True, gc=False):
    """One signal of a patient. Times are measurement time, epoch ms, 0 = never.

    Attributes:
        time: Last value, valid or not.
        heard: The furthest time any of the patient's messages had reached by then:
            when it was heard, for silence.
        valid: Last valid value.
        valid_until: Another valid value from then on comes after a gap.
        decided_until: So does one that decides the signal's limits.
        value: The last valid one.
        wait_ms: So long after it the bed has spoken without it.
        no_data_ms: Its no-data time after that message.
        is_expected: Had since admission, or since it was taken off on purpose.
        device: Who spoke it last.
        is_shared: Several devices speak it: `sources` says which.
        sources: By device, where there was more than one of late; None = `device` alone.
        ahead: The last value was decided so much after its own time, since another
            device's clock had gone on (rule 25).
        is_off: Its own message said that the sensor of the last valid value is off.
        source_ms: So long the last valid value makes its device a source.
    """

    time: int = 0
    heard: int = 0
    valid: int = 0
    valid_until: int = 0
    decided_until: int = 0
    value: float = 0.0
    wait_ms: int = 0
    no_data_ms: int = FOREVER_MS
    is_expected: bool = False
    device: str | None = None
    is_shared: bool = False
    sources: dict[str, Source] | None = None
    ahead: int = 0
    is_off: bool = False
    source_ms: int = 0

    def take_off(self) -> None:
        """Nothing is expected of it; a value that is late stays late."""
        self.is_expected = self.is_shared = self.is_off = False
        self.sources = None
        self.valid = self.valid_until = self.decided_until = 0


class Run(msgspec.Struct, array_like=True, gc=False):
    """A condition that is not idle: pending, or active since it was raised.

    Attributes:
        onset: First violating value, measurement time.
        is_active: Raised, and not over.
        inside: First inside value in a row; 0 = none.
        extreme: Worst value since onset.
    """

    onset: int
    is_active: bool = False
    inside: int = 0
    extreme: float | None = None


class Answer(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The outcome of a command, to be given again."""

    accepted: bool
    reason: str | None
    time: int
    limits: list[LimitChange] | None = None
    expires: int | None = None


class Own(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One limit of one patient.

    Attributes:
        limit: In the signal's unit; None = the profile's.
        delay_ms: None = the profile's.
        until: The first moment at which it does not count, measurement time.
        by: Who set it.
        reason: Why.
        since: When, by our clock.
        expires: Until when, by our clock.
    """

    limit: float | None
    delay_ms: int | None
    until: int = 0
    by: str = ""
    reason: str = ""
    since: int = 0
    expires: int = 0


class Proposal(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Limits that a person may take.

    Attributes:
        command_id: Of the command that asked for them.
        limits: What would change.
        until: The first moment at which it is too late, measurement time.
    """

    command_id: str
    limits: list[LimitChange]
    until: int


class _Step(msgspec.Struct, array_like=True, frozen=True):
    """What the model was given once."""

    means: dict[str, float]
    learn: bool


class _Hot(msgspec.Struct, array_like=True, frozen=True):
    """Piece `s`."""

    version: int
    last_offset: int
    counters: list[int]
    bed: str
    is_admitted: bool
    now: int
    heard: int
    bed_ms: int
    last_device: str | None
    fault_until: int
    tracks: dict[int, Track]
    runs: dict[str, Run]
    alarms: dict[str, Alarm]
    devices: list[_SavedDevice]
    score: float
    score_time: int
    windows: SavedWindows
    pause_until: int = 0
    raised: dict[str, list[int]] = {}
    suspects: list[str] = []
    shared: int = 0


class _Answers(msgspec.Struct, array_like=True, frozen=True):
    """Piece `c`."""

    version: int
    commands: dict[str, Answer]
    ended: dict[str, int]
    profile: str | None = None
    own: dict[str, Own] = {}
    proposal: Proposal | None = None
    ended_before: dict[str, int] = {}


_hot = msgspec.msgpack.Decoder(_Hot).decode
_answers = msgspec.msgpack.Decoder(_Answers).decode
_chart = msgspec.msgpack.Decoder(Chart).decode
_risks = msgspec.msgpack.Decoder(dict[str, bytes]).decode
_steps = msgspec.msgpack.Decoder(list[bytes]).decode
_step = msgspec.msgpack.Decoder(_Step).decode

_COUNTERS = (
    "messages",
    "late",
    "late_values",
    "duplicates",
    "unknown_signals",
    "invalid",
    "mended",
    "faults",
    "model_restarts",
    "suspect_buckets",
    "put_aside",
)


class Patient:
    """Everything about one patient.

    Attributes:
        patient_id: Who.
        bed: Where.
        last_offset: Of the last record applied; the engine's, saved with the state.
        messages: Messages stepped.
        late: Messages that were late.
        late_values: Values that were late in a message that was not.
        duplicates: Messages that were there already.
        unknown_signals: Values of signals that are not in the table.
        invalid: Values that no instrument can show.
        mended: Fields of a wrong type that were taken as absent.
        faults: Times that monitoring failed.
        suspect_buckets: Times 10 s that held a suspect value and were not learnt.
        put_aside: Values of a device beside the primary one.
        model_restarts: Times that the model was lost and began anew.
        is_admitted: Did a person admit this patient?
        now: The furthest moment that any record advanced to.
        heard: The furthest measurement time of a message with a value: when the bed
            was heard last.
        bed_ms: The bed's no-data time after that message.
        last: Device of the last message that was not late.
        fault_until: `bed.monitoring_fault` is over at the first message from then on.
        due: Nothing falls due before; a lower bound.
        start: First moment of the open bucket.
        check: Nothing falls due, and no bucket ends, before; a lower bound.
        devices: By name.
        tracks: By signal.
        runs: Conditions that are not idle, by code.
        alarms: Alarms that are not over, by code, in the order they were raised.
        busy: Signals whose next value may change an alarm although it is quiet.
        commands: Outcome of the last commands by id, oldest first.
        ended: By code: onset of the last alarm that is over.
        ended_before: And of the one before it.
        raised: By code: when the last alarms of it were raised, at most three.
        suspects: Signals with a suspect value in the open bucket.
        shared: When the bed was heard, as several devices spoke the same signal last.
        windows: What was measured.
        chart: Readings and charted values, for scores.
        risks: What each model of risk remembers, by its name, once it was needed.
        model: What is usual; None before the first 10 s.
        profile: By name, where a person chose it; None = the worker's.
        own: Limits of this patient, by code.
        proposal: The last one; None = there was none.
        rules: The worker's, and those that count for this patient, once they are made.
        pause_until: The alarms are paused until then, measurement time; 0 = they are not.
        score: Of the model, as last published; negative = never.
    """

    __slots__ = (
        "_changed",
        "_saved_risks",
        "_snapshot",
        "_steps",
        "alarms",
        "bed",
        "bed_ms",
        "busy",
        "chart",
        "check",
        "commands",
        "devices",
        "due",
        "duplicates",
        "ended",
        "ended_before",
        "fault_until",
        "faults",
        "heard",
        "invalid",
        "is_admitted",
        "last",
        "last_offset",
        "late",
        "late_values",
        "mended",
        "messages",
        "model",
        "model_restarts",
        "now",
        "own",
        "patient_id",
        "pause_until",
        "profile",
        "proposal",
        "put_aside",
        "raised",
        "risks",
        "rows",
        "rules",
        "runs",
        "score",
        "shared",
        "start",
        "suspect_buckets",
        "suspects",
        "times",
        "tracks",
        "unknown_signals",
        "windows",
    )

    def __init__(self, patient_id: str) -> None:
        self.patient_id = patient_id
        self.last_offset = -1
        self.messages = 0
        self.late = 0
        self.late_values = 0
        self.duplicates = 0
        self.unknown_signals = 0
        self.invalid = 0
        self.mended = 0
        self.faults = 0
        self.model_restarts = 0
        self.suspect_buckets = 0
        self.put_aside = 0
        self.bed = ""
        self.is_admitted = False
        self.now = 0
        self.heard = 0
        self.bed_ms = 0
        self.last: Device | None = None
        self.fault_until = 0
        self.due = 0
        self.start = 0
        self.check = 0
        self.devices: dict[str, Device] = {}
        self.tracks: dict[str, Track] = {}
        self.runs: dict[str, Run] = {}
        self.alarms: dict[str, Alarm] = {}
        self.busy: set[str] = set()
        self.commands: dict[str, Answer] = {}
        self.ended: dict[str, int] = {}
        self.ended_before: dict[str, int] = {}
        self.profile: str | None = None
        self.own: dict[str, Own] = {}
        self.proposal: Proposal | None = None
        self.rules: tuple[Rules, Rules] | None = None
        self.pause_until = 0
        self.raised: dict[str, list[int]] = {}
        self.suspects: set[str] = set()
        self.shared = 0
        self.windows = Windows()
        self.chart = Chart()
        self.risks: dict[str, RiskState] = {}
        self.model: PatientModel | None = None
        self.score = -1.0
        # The open bucket's own lists: one attribute less on the way of each message.
        self.times = self.windows.times
        self.rows = self.windows.rows
        self._steps: list[bytes] = []  # encoded: a third of the memory
        self._snapshot = b""
        # As they were saved: to read one takes its model, which rules have.
        self._saved_risks: dict[str, bytes] = {}
        self._changed: set[bytes] = set()

    # --- reading

    def is_holding(self, code: str) -> bool:
        """Is an alarm of this code neither over nor latched?"""
        alarm = self.alarms.get(code)
        return alarm is not None and alarm.is_holding

    def expected(self) -> Iterator[tuple[str, Track]]:
        """The signals that this patient has, in the order of the table."""
        for signal in SIGNALS:
            track = self.tracks.get(signal.code)
            if track is not None and track.is_expected:
                yield signal.code, track

    # --- changing

    def settle(self) -> None:
        """Bring the signals of each device's last message into their tracks."""
        for device in self.devices.values():
            vitals = device.vitals
            if vitals is None:
                continue
            device.vitals = None
            device.is_primary = vitals.primary
            self.settle_values(device, vitals.values)

    def settle_values(self, device: Device, values: Mapping[str, float]) -> None:
        """Bring quiet values of a device's last message into their tracks."""
        tracks = self.tracks
        time, heard = device.time, device.heard
        self.now = max(self.now, time)
        for code, value in values.items():
            track = tracks[code]
            track.time = track.valid = time
            track.decided_until = track.valid_until = time + track.no_data_ms
            track.heard = heard
            track.value = value

    def count_busy(self) -> None:
        """Find the signals whose next value may change an alarm although it is quiet."""
        self.busy = {code.partition(".")[0] for code in self.runs}
        for code, track in self.tracks.items():
            if track.is_shared or track.ahead or self.is_missing(code):
                self.busy.add(code)
        for device in self.devices.values():
            self.busy.update(device.searching)

    def is_missing(self, code: str) -> bool:
        """Does an alarm hold that a signal is not measured?"""
        alarms = self.alarms
        # A loop: a generator costs four times as much, for each value that is looked at.
        for missing in MISSING[code]:
            if missing in alarms and alarms[missing].is_holding:
                return True
        return False

    def unbind(self) -> None:
        """Let the next message of every device take the careful path."""
        for device in self.devices.values():
            device.bands = NO_BANDS

    def remember_answer(self, command_id: str, answer: Answer) -> None:
        """Keep the outcome of a command; the oldest of more than 64 is forgotten."""
        self.commands[command_id] = answer
        while len(self.commands) > MAX_COMMANDS:
            del self.commands[next(iter(self.commands))]
        self._changed.add(b"c")

    def remember_end(self, code: str, onset: int) -> None:
        """Keep that an alarm is over, so that whoever acknowledges it hears so."""
        if code in self.ended:
            self.ended_before[code] = self.ended[code]
        self.ended[code] = onset
        self._changed.add(b"c")

    def mark_chart(self) -> None:
        """The chart has changed: it is saved next time."""
        self._changed.add(b"o")

    def risk(self, model: Risk) -> RiskState:
        """What a model of risk remembers; the caller changes it.

        What was saved for other inputs, or damaged, is begun anew and counted.
        """
        name = model.prior.name
        self._changed.add(b"k")
        state = self.risks.get(name)
        if state is None:
            saved = self._saved_risks.pop(name, None)
            try:
                state = model.patient() if saved is None else model.restore(saved)
            except StateError:
                state = model.patient()
                self.model_restarts += 1
            self.risks[name] = state
        return state

    def take_limits(self, own: dict[str, Own]) -> None:
        """Let other limits of this patient count from its next message on."""
        self.own = own
        self.rules = None
        self._changed.add(b"c")
        self.unbind()

    def propose(self, proposal: Proposal | None) -> None:
        """Keep what a person may take; None: nothing more."""
        self.proposal = proposal
        self._changed.add(b"c")

    def step_model(
        self, means: dict[str, float], *, learn: bool
    ) -> tuple[float, dict[str, float]]:
        """Give the model the last 10 s; it scores, then learns if it may."""
        if self.model is None:
            self.model = _models().PatientModel()
        scored = self.model.step(means, learn)
        self._steps.append(_encode((means, learn)))
        self._changed.add(b"n")
        if len(self._steps) >= SNAPSHOT_STEPS:
            self._snapshot = _models().snapshot(self.model)
            self._steps = []
            self._changed.add(b"m")
        return scored

    def forget(self) -> None:
        """Start anew, as after a discharge: no history, no model, nothing expected."""
        self.settle()
        for track in self.tracks.values():
            track.take_off()
        self.runs.clear()
        self.busy.clear()
        self.unbind()
        self.heard = 0
        self.profile = self.proposal = None
        self.take_limits({})
        self.pause_until = 0
        self.raised.clear()
        self.suspects.clear()
        self.shared = 0
        for device in self.devices.values():
            device.searching = {}
        self.is_admitted = False
        self.windows.clear()
        self.chart = Chart()
        self.risks = {}
        self._saved_risks = {}
        self.model = None
        self.score = -1.0
        self._steps = []
        self._snapshot = b""
        self._changed |= {b"m", b"n", b"o", b"k"}

    # --- saving

    def changed_pieces(self) -> dict[bytes, bytes]:
        """What changed since the last call; clears the marks."""
        self.settle()
        pieces = {b"s": self._hot_piece()}
        changed = self._changed
        if b"c" in changed:
            answers = _Answers(
                _VERSION,
                self.commands,
                self.ended,
                self.profile,
                self.own,
                self.proposal,
                self.ended_before,
            )
            pieces[b"c"] = _encode(answers)
        if b"m" in changed:
            pieces[b"m"], self._snapshot = self._snapshot, b""
        if b"n" in changed:
            pieces[b"n"] = _encode(self._steps) if self._steps else b""
        if b"o" in changed:
            pieces[b"o"] = b"" if self.chart == Chart() else _encode(self.chart)
        if b"k" in changed:
            risks = self._saved_risks | {
                name: state.snapshot() for name, state in self.risks.items()
            }
            pieces[b"k"] = _encode(dict(sorted(risks.items()))) if risks else b""
        changed.clear()
        return pieces | self.windows.pieces()

    def _hot_piece(self) -> bytes:
        return _encode(
            (
                _VERSION,
                self.last_offset,
                [getattr(self, name) for name in _COUNTERS],
                self.bed,
                self.is_admitted,
                self.now,
                self.heard,
                self.bed_ms,
                None if self.last is None else self.last.name,
                self.fault_until,
                {INDEX[code]: track for code, track in self.tracks.items()},
                self.runs,
                self.alarms,
                [device.saved() for device in self.devices.values()],
                self.score,
                0,  # was when it was published: in the chart now
                self.windows.saved(),
                self.pause_until,
                self.raised,
                sorted(self.suspects),
                self.shared,
            )
        )

    def restore_hot(self, hot: _Hot) -> None:
        """Take over what piece `s` holds, but for the windows."""
        self.last_offset = hot.last_offset
        # A state of before a counter was added has fewer.
        for name, count in zip(_COUNTERS, hot.counters, strict=False):
            setattr(self, name, count)
        self.bed = hot.bed
        self.is_admitted = hot.is_admitted
        self.now = hot.now
        self.heard, self.bed_ms = hot.heard, hot.bed_ms
        self.fault_until = hot.fault_until
        self.tracks = {SIGNALS[i].code: track for i, track in hot.tracks.items()}
        self.runs, self.alarms = hot.runs, hot.alarms
        self.devices = {saved.name: saved.device() for saved in hot.devices}
        if hot.last_device is not None:
            self.last = self.devices[hot.last_device]
        self.score = hot.score
        self.pause_until = hot.pause_until
        self.raised = hot.raised
        self.suspects = set(hot.suspects)
        self.shared = hot.shared
        self.count_busy()

    def restore_risks(self, saved: dict[str, bytes]) -> None:
        """Take over what the models of risk remember; read when it is needed."""
        self._saved_risks = saved

    def restore_windows(self, windows: Windows) -> None:
        """Take over the windows."""
        self.windows = windows
        self.times, self.rows = windows.times, windows.rows

    def restore_model(self, pieces: Mapping[bytes, bytes]) -> None:
        """The model from its snapshot and the steps since; a new one if it is lost."""
        snapshot, steps = pieces.get(b"m"), pieces.get(b"n")
        if not (snapshot or steps):
            return
        try:
            models = _models()
            model = models.restore(snapshot) if snapshot else models.PatientModel()
            taken = _steps(steps) if steps else []
            for step in map(_step, taken):
                model.step(step.means, step.learn)
        except (StateError, msgspec.MsgspecError):
            self.model = _models().PatientModel()
            self.model_restarts += 1
            self._changed |= {b"m", b"n"}
            return
        self.model, self._steps = model, taken


def new(patient_id: str) -> Patient:
    """A patient of whom nothing is known."""
    return Patient(patient_id)


def save(patient: Patient) -> dict[bytes, bytes]:
    """The pieces that changed since the last call, by name; an empty one is gone.

    Clears the marks of what changed. Costs about 20 us, and 70 us more in the second in
    which the model is saved (`python -m tests.benchmarks.core`).
    """
    return patient.changed_pieces()


def restore(patient_id: str, pieces: Mapping[bytes, bytes]) -> Patient:
    """A patient from all of its pieces, which continues as if never saved.

    Args:
        patient_id: Who.
        pieces: The latest of each that `save` gave.

    Raises:
        StateError: The hot state or a window cannot be read, or is of another version.
            A model that cannot be read is none: it begins anew and is counted.
    """
    patient = Patient(patient_id)
    try:
        hot = _hot(pieces[b"s"])
        answers = _answers(pieces[b"c"]) if pieces.get(b"c") else None
        chart = _chart(pieces[b"o"]) if pieces.get(b"o") else None
        risks = _risks(pieces[b"k"]) if pieces.get(b"k") else {}
    except (KeyError, msgspec.MsgspecError) as error:
        msg = f"state of {patient_id}: {error!r}"
        raise StateError(msg) from error
    for piece in (hot, answers):
        if piece is not None and piece.version != _VERSION:
            msg = f"state of {patient_id}: version {piece.version}, want {_VERSION}"
            raise StateError(msg)
    try:
        patient.restore_hot(hot)
        patient.restore_windows(Windows.restored(hot.windows, pieces))
    except (KeyError, IndexError, ValueError, zlib.error) as error:
        msg = f"state of {patient_id}: {error!r}"
        raise StateError(msg) from error
    if answers is not None:
        patient.commands, patient.ended = answers.commands, answers.ended
        patient.profile, patient.own = answers.profile, answers.own
        patient.proposal = answers.proposal
        patient.ended_before = answers.ended_before
    if chart is not None:
        patient.chart = chart
    patient.restore_risks(risks)
    patient.restore_model(pieces)
    return patient
