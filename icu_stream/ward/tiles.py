"""What the page shows of every patient, and what of it has changed: a pure view model.

It is fed with messages in the order in which Kafka brings them and with the moment at
which each arrived, and it is asked for rows at a moment. It reads no clock.

A value is shown while it is fresh, and freshness is counted from its *arrival* here, not
from the device's clock: a device whose clock is wrong still speaks, and a device that has
stopped is silent whatever its clock says. An older value never stands in for a newer one
that is missing. What is not fresh is `None` and the page draws `---`.

Alarms are kept by `alert_id`, and the highest transition wins. An alarm goes when it is
stated to be cleared, never because time passed: one that was not stated for three minutes,
though the worker states each every minute, is marked as not confirmed.

A model's hint (an advisory) is no alarm: it has a place of its own and is not counted. A
pause is known by its own statements; until when it lasts is in the answer to the command
that began it.

A row belongs to a patient and not to a bed, so that two patients who are said to lie in
one bed are never mixed in one tile. Rows are dictionaries with short keys, for they are
what travels to the browsers (see frames.py for the format).
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from icu_stream.contracts.alerts import Alert, Event, Kind, Priority, State
from icu_stream.contracts.commands import Command, CommandResult, CommandType
from icu_stream.contracts.scores import Scores
from icu_stream.contracts.signals import BY_CODE
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import artefact, decoding, pause
from icu_stream.domain.burden import unit_of
from icu_stream.ward import wording
from icu_stream.ward.bed import Record
from icu_stream.ward.deadman import DeadMan
from icu_stream.ward.history import SCORE_MS, Past


Row = dict[str, Any]

# How long a value is shown after it arrived. Source: docs of the view, "Stale data": HR,
# SpO2 and arterial pressure as their no-data alarms; a cuff's reading stands for its cycle
# and 5 min more, because the next one may start late (ours).
_FRESH_S = {
    "hr": 10,
    "spo2": 10,
    "abp_sys": 10,
    "abp_dia": 10,
    "abp_mean": 10,
    "rr": 30,
    "temp": 3600,
}
_CUFF = ("nibp_sys", "nibp_dia", "nibp_mean")
_ARTERIAL = ("abp_sys", "abp_dia", "abp_mean")
_CUFF_CYCLE_S = 1800  # as in contracts/signals.py, when the message does not say
_CUFF_GRACE_S = 300
# Data charted every minute must not be stale between its points: CLINICAL.md, "Signals".
_INTERVALS = 2.5
# A value that was measured before the one shown is late and is passed over, unless the one
# shown has been silent for this part of its life: then the device's clock has gone back.
_PATIENCE = 1 / 3

# What may seem to arrive from the future: the hub looks while a message is taken.
_AHEAD_MS = 2_000

# Without a word from one of these, the page itself raises a technical alarm.
_WATCHED = ("hr", "spo2")

# The worker states every alarm at least once a minute; three missed statements are doubt.
CONFIRMED_MS = 180_000
# How often all rows are looked at for what has become old: 3 ms for 200 patients.
SWEEP_MS = 500
# What is over is remembered, so that a repeated message does not bring it back.
_OVER_MS = 3_600_000

# The line in a tile: ten minutes, one point each five seconds (ours: what a tile can show).
POINT_MS = 5_000
POINTS = 120
_LINES = {"hr": "hr", "pulse": "hr", "spo2": "spo2", "rr": "rr"} | dict.fromkeys(
    _ARTERIAL, "abp_mean"
)
_DRAWN = ("hr", "spo2", "rr", "abp_mean")

# Where the page outlines the number of an alarm: positions in a row's "v".
_PLACES = {"hr": 0, "pulse": 0, "spo2": 1, "rr": 3, "temp": 4} | dict.fromkeys(
    _ARTERIAL + _CUFF, 2
)
_STATES = {State.ACTIVE: "on", State.ACKNOWLEDGED: "ack", State.LATCHED: "latched"}
# What tells an alarm anew, though its state may be as before: docs/alarms.md, rules 18, 26.
_ANEW = frozenset({Event.WORSENED, Event.ESCALATED, Event.REMINDED})
# What tells an alarm, aloud or not: docs/alarms.md, rule 12.
_TOLD = _ANEW | {Event.RAISED}
# How far heart rate and saturation may go while "nothing happened": docs/alarms.md, 22 b.
_CALM = {"hr": 10.0, "spo2": 3.0}
_EMPTY = "∅"  # starts the row id of an empty bed; a patient's id is ASCII


class Reading(msgspec.Struct):
    """The last word about one signal of one patient.

    Attributes:
        value: None when the last word was not a value that the instrument can show.
        time_ms: When it was measured, by the device's clock.
        arrived_ms: When it arrived.
        fresh_ms: How long it may be shown.
        suspect: It may not be the patient: docs/alarms.md, rule 22, a to e; or the
            device sent a word beside it.
    """

    value: float | None
    time_ms: int
    arrived_ms: int
    fresh_ms: float
    suspect: bool = False

    def is_fresh(self, now_ms: int) -> bool:
        """May it be shown? Not when it comes from the future: our clock was set back."""
        return -_AHEAD_MS <= now_ms - self.arrived_ms <= self.fresh_ms

    def shown(self, now_ms: int) -> float | None:
        """The value while it is fresh."""
        return self.value if self.is_fresh(now_ms) else None


class OpenAlarm(msgspec.Struct):
    """An alarm that is not over.

    Attributes:
        alert: The newest transition, or the newest statement of it.
        since_ms: When it came into its state; None when only statements were seen.
        by: Who brought it into its state; a later statement does not repeat it.
        confirmed_ms: Arrival of the last message about it.
        anew: What told it anew, and when; None when nothing did since it began.
        aloud: Did it annunciate when it was last told? True when only statements of it
            were seen: a silence must be known.
    """

    alert: Alert
    since_ms: int | None
    by: str | None
    confirmed_ms: int
    anew: tuple[Event, int] | None = None
    aloud: bool = True


class Pause(msgspec.Struct):
    """The pause that holds.

    Attributes:
        alert: Its newest statement.
        heard_ms: Arrival of the first statement of it that was heard.
        confirmed_ms: Arrival of the last one.
        by: Who; None when only a restatement was heard.
        reason: Why, likewise.
    """

    alert: Alert
    heard_ms: int
    confirmed_ms: int
    by: str | None
    reason: str


class Patient:
    """One patient on the page."""

    def __init__(self, patient_id: str) -> None:
        self.patient_id = patient_id
        self.bed = ""
        self.partition = 0
        self.readings: dict[str, Reading] = {}
        self.alarms: dict[str, OpenAlarm] = {}
        self.pause: Pause | None = None
        self.record = Record()
        self.sent: Row = {}
        self._beds: dict[str, str] = {}
        self._over: dict[str, tuple[int, int]] = {}
        self._news2: tuple[int, int, str] | None = None
        self._granted: CommandResult | None = None
        self._rise = 0
        self._scored_ms = 0
        self._lines: dict[str, deque[tuple[int, float]]] = {
            code: deque(maxlen=POINTS) for code in _DRAWN
        }

    # --- what is heard

    def measure(self, message: Vitals, arrived_ms: int) -> None:
        """Take what a device measured: 26 us for seven signals, timed over 200 beds."""
        if message.bed and message.bed != self._beds.get(message.device):
            # Only a change counts: after a transfer, a monitor may name its old bed on.
            self.bed = self._beds[message.device] = message.bed
        values: Mapping[str, Any] = message.values  # a mended message holds anything
        carried = decoding.plausible(values)
        self.record.past.measure(carried, message.time, arrived_ms)
        doubted = self._doubted(message, carried, arrived_ms)
        for code, value in values.items():
            if value is None or (code not in _FRESH_S and code not in _CUFF):
                continue
            fresh_ms = _fresh_ms(code, message.interval_s)
            known = self.readings.get(code)
            if (
                known is not None
                and message.time <= known.time_ms
                and arrived_ms - known.arrived_ms < known.fresh_ms * _PATIENCE
            ):
                continue
            self.readings[code] = Reading(
                carried.get(code),
                message.time,
                arrived_ms,
                fresh_ms,
                code in doubted,
            )
            if (line := self._lines.get(code)) is not None:
                self._point(line, self.readings[code].value, arrived_ms)
        for code in message.status:
            # The device says why there is no value: the one before does not stand in.
            known = self.readings.get(code)
            if known is not None and values.get(code) is None:
                known.value = None

    def state(self, alert: Alert, arrived_ms: int) -> None:
        """Take one statement about one alarm; an older one than known is passed over."""
        if alert.bed and not self.bed:
            self.bed = alert.bed
        if alert.code == pause.CODE:
            self._state_pause(alert, arrived_ms)
            return
        over = self._over.get(alert.alert_id)
        if over is not None and alert.transition <= over[0]:
            return
        known = self.alarms.get(alert.alert_id)
        if known is not None and alert.transition < known.alert.transition:
            return
        self.record.state(alert)
        if alert.state is State.CLEARED:
            self.alarms.pop(alert.alert_id, None)
            self._over[alert.alert_id] = (alert.transition, arrived_ms)
            return
        since_ms = None if alert.event is Event.STANDING else alert.time
        by = alert.by
        anew = (alert.event, alert.time) if alert.event in _ANEW else None
        if alert.event is Event.STANDING and known is not None:
            anew = known.anew
        if known is not None and known.alert.state is alert.state:
            since_ms = known.since_ms
            by = by or known.by
        aloud = alert.annunciate
        if alert.event not in _TOLD:
            aloud = known is None or known.aloud
        self.alarms[alert.alert_id] = OpenAlarm(
            alert, since_ms, by, arrived_ms, anew, aloud
        )

    def score(self, scores: Scores, arrived_ms: int) -> None:
        """Take the newest scores."""
        if scores.bed and not self.bed:
            self.bed = scores.bed
        self.record.score(scores, arrived_ms)
        if scores.news2 is None:
            return
        news2 = (scores.news2.total, scores.news2.completeness, scores.news2.band)
        if self._news2 is not None and news2[0] != self._news2[0]:
            self._rise = news2[0] - self._news2[0]
        self._news2 = news2
        self._scored_ms = arrived_ms

    def answer(self, result: CommandResult) -> None:
        """Take what was granted: how long a pause lasts, what a limit is now."""
        if not result.accepted:
            return
        if result.type is CommandType.PAUSE:
            self._granted = result
        self.record.answer(result)

    def move(self, bed: str) -> None:
        """Lie in another bed."""
        self.bed = bed

    def take_off(self, code: str) -> None:
        """Forget a signal that was taken off on purpose: its silence is wanted."""
        self.readings.pop(code, None)

    # --- what is shown

    def row(self, now_ms: int) -> Row:
        """All but the line, at a moment."""
        values, suspects = self._values(now_ms)
        alarms = self._alarms(now_ms)
        hints = self._rows(now_ms, hints=True)
        scored = self._news2 is not None and now_ms - self._scored_ms <= SCORE_MS
        news2 = self._news2 if scored else None
        return {
            "d": _place(self.bed or self.patient_id, self.patient_id),
            "v": values,
            "u": suspects,
            "al": alarms,
            "h": hints,
            "n": [*news2[:2], self._rise, news2[2]] if news2 else None,
            "z": self._paused(now_ms),
            "g": _line_of(alarms, self.alarms),
        }

    def line(self, code: str, last_point: int) -> list[float | None]:
        """The last `POINTS` points of a signal up to one, oldest first; gaps are None."""
        known = dict(self._lines[code])
        return [known.get(n) for n in range(last_point - POINTS + 1, last_point + 1)]

    def point(self, code: str, number: int) -> float | None:
        """One point of a signal's line."""
        return next((v for n, v in reversed(self._lines[code]) if n == number), None)

    def prune(self, now_ms: int) -> None:
        """Forget what is long over."""
        self._over = {
            alert_id: over
            for alert_id, over in self._over.items()
            if now_ms - over[1] < _OVER_MS
        }

    @property
    def is_unknown(self) -> bool:
        """Nothing measured and no alarm: there is nothing to show."""
        return not self.readings and not self.alarms

    def _values(self, now_ms: int) -> tuple[list[Any], list[int]]:
        suspects = []
        values: list[Any] = []
        for place, code in ((0, "hr"), (1, "spo2"), (3, "rr"), (4, "temp")):
            reading = self.readings.get(code)
            value = None if reading is None else reading.shown(now_ms)
            # `or None`: round(x, None) is an integer, which is shorter on the wire.
            digits = BY_CODE[code].digits or None
            values.append(None if value is None else round(value, digits))
            if value is not None and reading is not None and reading.suspect:
                suspects.append(place)
        pressure, is_suspect = self._pressure(now_ms)
        values.insert(2, pressure)
        if is_suspect:
            suspects.append(2)
        return values, suspects

    def _pressure(self, now_ms: int) -> tuple[list[int | None] | None, bool]:
        """Arterial pressure, else the cuff's with its time: [sys, dia, mean, time]."""
        for codes in (_ARTERIAL, _CUFF):
            readings = [self.readings.get(code) for code in codes]
            known = [r for r in readings if r is not None]
            shown = [None if r is None else r.shown(now_ms) for r in readings]
            if shown[2] is None and (shown[0] is None or shown[1] is None):
                continue
            time_ms = max(r.time_ms for r in known) if codes is _CUFF else None
            numbers = [None if v is None else round(v) for v in shown]
            return [*numbers, time_ms], any(r.suspect for r in known)
        return None, False

    def _alarms(self, now_ms: int) -> list[Row]:
        """Open alarms, the one that needs somebody first at the front."""
        rows = self._rows(now_ms, hints=False)
        rows += self._silence(now_ms)
        rows.sort(key=lambda row: (row["s"] == "ack", -row["p"], row["o"], row["i"]))
        return rows

    def _rows(self, now_ms: int, *, hints: bool) -> list[Row]:
        """Open alarms without the hints, or the hints alone."""
        is_paused = self._until(now_ms) is not None
        return [
            _alarm(alarm, now_ms, is_quiet=self._is_quiet(alarm, is_paused=is_paused))
            for alarm in self.alarms.values()
            if (alarm.alert.kind is Kind.ADVISORY) is hints
        ]

    def _is_quiet(self, alarm: OpenAlarm, *, is_paused: bool) -> bool:
        """Must it make no sound? docs/alarms.md, rules 12 and 28.

        It was told without a sound because a stronger one stands for it: only as long
        as that one is there. A pause silences whatever is not high, also what began
        before it, but nothing that has grown worse since.
        """
        alert = alarm.alert
        rank = wording.RANK[alert.priority]
        if is_paused and alert.priority is not Priority.HIGH:
            worse = alarm.anew is not None and alarm.anew[0] is Event.WORSENED
            return not (worse and alarm.aloud and self._is_since_pause(alarm))
        return not alarm.aloud and any(
            other.alert.signal == alert.signal
            and wording.RANK[other.alert.priority] > rank
            and other.alert.state is not State.LATCHED
            for other in self.alarms.values()
        )

    def _is_since_pause(self, alarm: OpenAlarm) -> bool:
        """Was it told anew since the pause began? Both by measurement time."""
        return (
            self.pause is not None
            and alarm.anew is not None
            and alarm.anew[1] >= self.pause.alert.onset
        )

    def _state_pause(self, alert: Alert, arrived_ms: int) -> None:
        """A pause is no alarm: it begins, is restated, and ends."""
        if alert.state is State.CLEARED:
            if self.pause is None or self.pause.alert.onset <= alert.onset:
                self.pause = None
            self._over[alert.alert_id] = (alert.transition, arrived_ms)
            return
        over = self._over.get(alert.alert_id)
        if over is not None and alert.transition <= over[0]:
            return
        known = self.pause
        if known is not None and known.alert.alert_id == alert.alert_id:
            known.alert = alert
            known.confirmed_ms = arrived_ms
            known.by = known.by or alert.by
            known.reason = known.reason or alert.explanation.reason
        else:
            self.pause = Pause(
                alert, arrived_ms, arrived_ms, alert.by, alert.explanation.reason
            )

    def _grant(self) -> CommandResult | None:
        """The answer that says how long the pause lasts.

        One whose end was over when the pause was heard is that of another one.
        """
        if self._granted is None or self.pause is None:
            return None
        is_of_it = (self._granted.expires or 0) > self.pause.heard_ms
        return self._granted if is_of_it else None

    def _until(self, now_ms: int) -> int | None:
        """Until when the alarms are paused, as far as is known; None when they are not.

        A pause ends at its end though nobody says so, and a pause whose end is not known
        ends when the worker, which states it each minute, has not done so for three: a
        worker that is down must not leave a bed silent.
        """
        if self.pause is None:
            return None
        until_ms = self.pause.confirmed_ms + CONFIRMED_MS
        if (granted := self._grant()) is not None:
            until_ms = granted.expires or until_ms
        return until_ms if now_ms < until_ms else None

    def _paused(self, now_ms: int) -> Row | None:
        """The pause as the page has it: see frames.py."""
        if self.pause is None or self._until(now_ms) is None:
            return None
        granted = self._grant()
        by = self.pause.by or (granted.by if granted else None)
        return {
            "u": granted.expires if granted else None,
            "by": [wording.initials(by), by] if by else None,
            "why": self.pause.reason,
            "f": self.pause.alert.text,
        }

    def _doubted(
        self, message: Vitals, carried: Mapping[str, float], arrived_ms: int
    ) -> set[str]:
        """Signals of a message that may not be the patient: docs/alarms.md, rule 22."""
        doubted: set[str] = set()
        before: dict[str, float] = {}
        for code, most in artefact.STEPS.items():
            value, reading = carried.get(code), self.readings.get(code)
            if value is None or reading is None:
                continue
            if (last := reading.shown(arrived_ms)) is not None:
                before[code] = last
                if abs(value - last) > most:
                    doubted.add(code)
        if artefact.is_line_doubted(carried) or (
            artefact.is_flat(carried) and _is_calm(carried, before)
        ):
            doubted.update(_ARTERIAL)
        if message.status:
            doubted |= artefact.doubted_by_status(message, carried)
            doubted |= message.status.keys()
        if self.alarms:
            for code, codes in artefact.OF_UNIT.items():
                # Its own alarm says that it is in another unit.
                if code in carried and self._has(f"{code}.unit"):
                    doubted.update(codes)
        return doubted

    def _has(self, code: str) -> bool:
        return any(
            alarm.alert.code == code and alarm.alert.state is not State.LATCHED
            for alarm in self.alarms.values()
        )

    def _silence(self, now_ms: int) -> list[Row]:
        """The page's own technical alarm for a silent HR or SpO2.

        It does not depend on the worker, and it gives way to the worker's own alarm of
        the same silence.
        """
        stated = {
            alarm.alert.code
            for alarm in self.alarms.values()
            if alarm.alert.state is not State.LATCHED
        }
        if "bed.no_data" in stated:
            return []
        silent = [
            (code, reading)
            for code in _WATCHED
            if (reading := self.readings.get(code)) is not None
            and not reading.is_fresh(now_ms)
            and f"{code}.no_data" not in stated
        ]
        if not silent:
            return []
        texts = wording.no_data([code for code, _ in silent])
        onset = min(int(r.arrived_ms + r.fresh_ms) for _, r in silent)
        return [
            {
                "i": "page.no_data",
                "p": wording.RANK[Priority.MEDIUM],
                "k": "technical",
                "w": wording.word(Kind.TECHNICAL),
                "s": "on",
                "m": list(texts),
                "f": wording.say(
                    "alarm.silent",
                    text=texts.long,
                    n=round(min(r.fresh_ms for _, r in silent) / 1000),
                ),
                "g": _PLACES[silent[0][0]],
                "o": onset,
                "at": onset,
                "by": None,
                "x": None,
                "l": None,
                "e": None,
                "q": 0,
            }
        ]

    @staticmethod
    def _point(
        line: deque[tuple[int, float]], value: float | None, arrived_ms: int
    ) -> None:
        if value is None:
            return
        number = arrived_ms // POINT_MS
        if line and line[-1][0] >= number:
            line[-1] = (line[-1][0], value)
        else:
            line.append((number, value))


class Ward:
    """Every patient on the page, and what has changed since it was last asked.

    Attributes:
        newest_ms: Arrival of the newest vitals; 0 before the first.
        complete_ms: From when on every open alarm is known; None while nothing is read.
        caught_up: The past has been read back; before that the rows are no news.
        deadman: What is known of the chain.
    """

    def __init__(self) -> None:
        self.deadman = DeadMan()
        self.newest_ms = 0
        self.complete_ms: int | None = None
        self.caught_up = False
        self._patients: dict[str, Patient] = {}
        self._empty: set[str] = set()
        self._gone: list[str] = []
        self._early_scores: dict[str, tuple[Scores, int]] = {}
        self._early_answers: dict[str, list[CommandResult]] = {}
        self._dirty: set[str] = set()
        self._sweep_ms = 0
        self._point = 0

    # --- what is heard

    def listen(self, now_ms: int, complete_ms: int) -> None:
        """Kafka is there from now on; alarms are complete at a later moment."""
        self.deadman.listen(now_ms)
        self.complete_ms = complete_ms

    def measure(self, message: Vitals, arrived_ms: int, partition: int) -> None:
        """Take one message of a device."""
        self.newest_ms = max(self.newest_ms, arrived_ms)
        if not message.values and not message.status:
            return
        patient = self._patient(message.patient_id, partition)
        patient.measure(message, arrived_ms)
        self._occupy(patient)

    def state(self, alert: Alert, arrived_ms: int, partition: int) -> None:
        """Take one alert; one that is over says nothing about a patient not known."""
        if alert.patient_id not in self._patients and alert.state is State.CLEARED:
            return
        patient = self._patient(alert.patient_id, partition)
        patient.state(alert, arrived_ms)
        if patient.is_unknown:
            self._remove(patient)
        else:
            self._occupy(patient)

    def score(self, scores: Scores, arrived_ms: int) -> None:
        """Take scores; they wait for a patient who is not known yet.

        They make no patient, for they may be the last ones of a patient who left.
        """
        if (patient := self._patients.get(scores.patient_id)) is None:
            self._early_scores[scores.patient_id] = (scores, arrived_ms)
        else:
            patient.score(scores, arrived_ms)
            self._dirty.add(patient.patient_id)

    def answer(self, result: CommandResult) -> None:
        """Take the outcome of a command.

        As scores do, it waits for a patient who is not known yet: at the start all is
        read at once, in no order.
        """
        if result.patient_id is None:
            return
        patient = self._patients.get(result.patient_id)
        if result.accepted and result.type is CommandType.DISCHARGE:
            self._early_answers.pop(result.patient_id, None)
        if patient is None:
            self._early_answers.setdefault(result.patient_id, []).append(result)
        else:
            patient.answer(result)
            self._dirty.add(patient.patient_id)

    def obey(self, command: Command, partition: int) -> None:
        """Take what a command in the log changes about the page: who lies where."""
        if command.type in {CommandType.ADMIT, CommandType.TRANSFER} and command.bed:
            known = command.patient_id in self._patients
            if not known and command.type is CommandType.TRANSFER:
                return
            patient = self._patient(command.patient_id, partition)
            left = patient.bed
            patient.move(command.bed)
            if left and left != command.bed:
                self._vacate(left)
            self._occupy(patient)
        elif (patient_ := self._patients.get(command.patient_id)) is not None:
            if command.type is CommandType.DISCHARGE:
                self._remove(patient_)
                if patient_.bed:
                    self._vacate(patient_.bed)
            elif command.type is CommandType.SIGNAL_OFF and command.signal:
                patient_.take_off(command.signal)
                self._dirty.add(patient_.patient_id)

    # --- what is shown

    def status(self, now_ms: int) -> Row:
        """What the bar says of the whole ward: see frames.py."""
        return {
            "c": self.complete_ms,
            "r": int(self.caught_up),
            **self.deadman.row(now_ms, self._places()),
        }

    def changes(self, now_ms: int) -> tuple[list[Row], list[str]]:
        """Rows of what changed since the last call, and ids of rows that are gone.

        Call it often: each `SWEEP_MS` it also finds what changed because time passed.
        """
        point = now_ms // POINT_MS - 1
        next_point = point != self._point
        self._point = point
        if next_point or not 0 < self._sweep_ms - now_ms <= SWEEP_MS:
            self._sweep_ms = now_ms + SWEEP_MS
            self._dirty |= self._patients.keys()
            if self.newest_ms > now_ms + _AHEAD_MS:
                self.newest_ms = 0  # our clock was set back: the next message counts
        rows = []
        unwatched = self.deadman.dead(now_ms, self._places())
        for patient_id in sorted(self._dirty):
            if patient_id.startswith(_EMPTY):
                rows.append(_empty_row(patient_id.removeprefix(_EMPTY)))
                continue
            patient = self._patients[patient_id]
            row = patient.row(now_ms)
            row["off"] = int(patient.partition in unwatched)
            changed: Row = {
                k: v
                for k, v in row.items()
                if k not in patient.sent or patient.sent[k] != v
            }
            if "g" in changed:
                changed["g"] = self._line(patient, row["g"])
            elif next_point:
                changed["p"] = patient.point(row["g"][0], point)
            patient.sent = row
            if next_point:
                patient.prune(now_ms)
            if changed:
                rows.append({"i": patient_id, **changed})
        self._dirty.clear()
        gone, self._gone = self._gone, []
        return rows, gone

    def snapshot(self) -> list[Row]:
        """Every row, as the last call of `changes` left it."""
        rows = [
            {"i": p.patient_id, **p.sent, "g": self._line(p, p.sent["g"])}
            for p in self._patients.values()
            if p.sent
        ]
        return rows + [_empty_row(bed) for bed in sorted(self._empty)]

    def patient(self, patient_id: str) -> Patient | None:
        """One patient who is known; None for any other."""
        return self._patients.get(patient_id)

    def patients(self) -> list[Patient]:
        """All who are known."""
        return list(self._patients.values())

    def past(self, patient_id: str) -> Past | None:
        """What became of one patient; None for one who is not known."""
        patient = self._patients.get(patient_id)
        return None if patient is None else patient.record.past

    # --- who lies where

    def _patient(self, patient_id: str, partition: int) -> Patient:
        patient = self._patients.get(patient_id)
        if patient is None:
            patient = self._patients[patient_id] = Patient(patient_id)
            patient.partition = partition
            if (early := self._early_scores.pop(patient_id, None)) is not None:
                patient.score(*early)
            for result in self._early_answers.pop(patient_id, []):
                patient.answer(result)
        self._dirty.add(patient_id)
        return patient

    def _occupy(self, patient: Patient) -> None:
        if patient.bed in self._empty:
            self._empty.discard(patient.bed)
            self._dirty.discard(_EMPTY + patient.bed)
            self._gone.append(_EMPTY + patient.bed)

    def _vacate(self, bed: str) -> None:
        if all(patient.bed != bed for patient in self._patients.values()):
            self._empty.add(bed)
            self._dirty.add(_EMPTY + bed)

    def _remove(self, patient: Patient) -> None:
        del self._patients[patient.patient_id]
        self._dirty.discard(patient.patient_id)
        self._gone.append(patient.patient_id)

    def _line(self, patient: Patient, line: list[Any]) -> Row:
        code, limit = line
        return {"c": code, "l": limit, "y": patient.line(code, self._point)}

    def _places(self) -> list[int]:
        """The partition of each patient."""
        return [patient.partition for patient in self._patients.values()]


def _fresh_ms(code: str, interval_s: float | None) -> float:
    if code in _CUFF:
        return 1000 * ((interval_s or _CUFF_CYCLE_S) + _CUFF_GRACE_S)
    return 1000 * max(_FRESH_S[code], _INTERVALS * (interval_s or 0))


def _is_calm(values: Mapping[str, float], before: Mapping[str, float]) -> bool:
    """Do heart rate and saturation say that nothing happened?"""
    steps = [
        abs(values[code] - last) <= most and not (code == "hr" and values[code] == 0)
        for code, most in _CALM.items()
        if code in values and (last := before.get(code)) is not None
    ]
    return bool(steps) and all(steps)


def _alarm(alarm: OpenAlarm, now_ms: int, *, is_quiet: bool) -> Row:
    alert = alarm.alert
    doubtful = now_ms - alarm.confirmed_ms > CONFIRMED_MS
    return {
        "i": alert.alert_id,
        "p": wording.RANK[alert.priority],
        "k": alert.kind.value,
        "w": wording.word(alert.kind),
        "s": _STATES[alert.state],
        "m": list(wording.texts(alert)),
        "f": wording.sentence(alert),
        "g": _PLACES.get(alert.signal or "", -1),
        "o": alert.onset,
        "at": alarm.since_ms,
        "by": [wording.initials(alarm.by), alarm.by] if alarm.by else None,
        "x": alarm.confirmed_ms if doubtful else None,
        "l": alert.limit,
        "e": list(alarm.anew) if alarm.anew and alert.state is State.ACTIVE else None,
        "q": int(is_quiet),
    }


def _line_of(alarms: Iterable[Row], known: dict[str, OpenAlarm]) -> list[Any]:
    """Which signal's line is drawn, and with which limit: the first alarm's, else HR."""
    for row in alarms:
        alarm = known.get(row["i"])
        signal = alarm.alert.signal if alarm else None
        if alarm is None or signal not in _LINES:
            break
        # A systolic limit has no place in the line of the mean.
        is_same = _LINES[signal] == signal
        return [_LINES[signal], alarm.alert.limit if is_same else None]
    return ["hr", None]


def _empty_row(bed: str) -> Row:
    return {"i": _EMPTY + bed, "d": _place(bed, ""), "e": 1}


def _place(bed: str, patient_id: str) -> list[str]:
    return [bed, patient_id, unit_of(bed) or bed]
