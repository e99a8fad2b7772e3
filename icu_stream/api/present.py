"""What is known of each patient now, and of the last minutes, from what Kafka brings.

Memory, not a store: a patient who was discharged is gone, an alarm that is over is kept for
an hour, measurements for five minutes. A value carries the moment at which it came, and is
`fresh` as long as the signal's own no-data time: an older one never stands in for a newer
one that is missing.
"""

from collections import deque
from collections.abc import Iterator

import msgspec

from icu_stream.api.messages import (
    LimitNow,
    PatientNow,
    Reading,
    Risen,
)
from icu_stream.contracts.alerts import Alert, Kind, Priority, State
from icu_stream.contracts.commands import Command, CommandResult, CommandType
from icu_stream.contracts.heartbeats import Heartbeat
from icu_stream.contracts.scores import Scores
from icu_stream.contracts.signals import BY_CODE
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import decoding, pause
from icu_stream.domain.burden import unit_of
from icu_stream.domain.granted import Granted
from icu_stream.domain.limits import Rules


TAIL_MS = 300_000
SCORES_MS = 180_000  # the worker states them each minute; three are missing
OVER_MS = 3_600_000
# The cycle of a cuff that does not say its own, as in contracts/signals.py.
_CUFF_S = 1_800
_GRACE_S = 300
_MOST_SAMPLES = 1_200
_MOST_OVER = 100
_MOST_STEPS = 64
_RANK = {priority: rank for rank, priority in enumerate(Priority)}


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One message of a device, as it is kept for the tail."""

    time: int
    arrived: int
    values: dict[str, float]


class Course(msgspec.Struct):
    """One alarm, as far as it was heard.

    Attributes:
        alert: Its newest statement.
        steps: Its transitions, oldest first; without restatements.
        is_whole: Heard from its first transition on.
        heard_ms: When it was stated last.
    """

    alert: Alert
    steps: list[Alert]
    is_whole: bool
    heard_ms: int


class Patient:
    """What is known of one patient."""

    def __init__(self, patient_id: str) -> None:
        self.patient_id = patient_id
        self.bed = ""
        self.partition = -1
        self.tail: deque[Sample] = deque(maxlen=_MOST_SAMPLES)
        self.alarms: dict[str, Course] = {}
        self.scores: Scores | None = None
        self._scored_ms = 0
        self._newest: dict[str, tuple[float, int, int, float | None]] = {}
        self._granted = Granted()

    def measure(self, message: Vitals, arrived_ms: int) -> None:
        """Take a message of a device."""
        self.bed = message.bed or self.bed
        values = decoding.plausible(message.values)
        for code, value in values.items():
            known = self._newest.get(code)
            if known is None or known[1] <= message.time:
                interval_s = message.interval_s
                self._newest[code] = (value, message.time, arrived_ms, interval_s)
        if values:
            self.tail.append(Sample(message.time, arrived_ms, values))
        while self.tail and arrived_ms - self.tail[0].arrived > TAIL_MS:
            self.tail.popleft()

    def state(self, alert: Alert, arrived_ms: int) -> None:
        """Take a statement of an alarm."""
        self.bed = alert.bed or self.bed
        course = self.alarms.get(alert.alert_id)
        if course is None:
            is_whole = alert.transition == 1
            course = Course(alert, [], is_whole, arrived_ms)
            self.alarms[alert.alert_id] = course
        if alert.transition >= course.alert.transition:
            course.alert = alert
        course.heard_ms = max(course.heard_ms, arrived_ms)
        is_new = all(step.transition != alert.transition for step in course.steps)
        if is_new and alert.event != "standing":
            course.steps.append(alert)
            course.steps.sort(key=_transition)
            if len(course.steps) > _MOST_STEPS:
                del course.steps[0]
                course.is_whole = False
        if alert.state is State.CLEARED:
            self._forget(arrived_ms)

    def score(self, scores: Scores, arrived_ms: int) -> None:
        """Take scores."""
        if self.scores is None or scores.time >= self.scores.time:
            self.scores, self._scored_ms = scores, arrived_ms

    def answer(self, result: CommandResult) -> None:
        """Take what was granted: limits of this patient's own."""
        if result.accepted:
            self._granted.answer(result)

    def take_off(self, signal: str) -> None:
        """A signal was taken off on purpose."""
        self._newest.pop(signal, None)

    def now(self, now_ms: int) -> PatientNow:
        """All of it at a moment."""
        scores = self.scored(now_ms)
        news2 = scores.news2 if scores else None
        return PatientNow(
            patient_id=self.patient_id,
            bed=self.bed,
            unit=unit_of(self.bed),
            values=self.readings(now_ms),
            alarms=[
                Risen(
                    alert_id=alert.alert_id,
                    code=alert.code,
                    kind=alert.kind,
                    priority=alert.priority,
                    state=alert.state,
                    onset=alert.onset,
                    text=alert.text,
                    by=alert.by,
                )
                for alert in self.open()
            ],
            is_paused=any(
                course.alert.code == pause.CODE
                and course.alert.state is not State.CLEARED
                for course in self.alarms.values()
            ),
            news2=news2.total if news2 else None,
            news2_completeness=news2.completeness if news2 else None,
        )

    def readings(self, now_ms: int) -> dict[str, Reading]:
        """The newest value of each signal."""
        return {
            code: Reading(
                value=value,
                unit=BY_CODE[code].unit,
                time=time,
                arrived=arrived,
                fresh=_is_fresh(code, now_ms - arrived, interval_s),
            )
            for code, (value, time, arrived, interval_s) in sorted(self._newest.items())
        }

    def open(self) -> list[Alert]:
        """Alarms that are not over, the most pressing first; a pause is none."""
        alerts = [
            course.alert
            for course in self.alarms.values()
            if course.alert.state is not State.CLEARED
            and course.alert.code != pause.CODE
        ]
        return sorted(alerts, key=pressing)

    def scored(self, now_ms: int) -> Scores | None:
        """The scores, while they are stated."""
        return self.scores if now_ms - self._scored_ms <= SCORES_MS else None

    def limits(self, now_ms: int, rules: Rules) -> list[LimitNow]:
        """Each limit in force, in the profile's order."""
        return [
            LimitNow(
                code=one.row.code,
                signal=one.signal,
                limit=one.limit,
                unit=BY_CODE[one.signal].unit,
                delay_s=one.delay_s,
                priority=one.row.priority,
                source=one.row.source,
                by=one.own.by or "" if one.own else None,
                since=one.own.set_ms if one.own else None,
                until=one.own.until_ms if one.own else None,
            )
            for one in self._granted.in_force(now_ms, rules)
        ]

    def _forget(self, now_ms: int) -> None:
        over = [
            course
            for course in self.alarms.values()
            if course.alert.state is State.CLEARED
        ]
        over.sort(key=lambda course: course.heard_ms)
        for number, course in enumerate(over):
            if number < len(over) - _MOST_OVER or now_ms - course.heard_ms > OVER_MS:
                del self.alarms[course.alert.alert_id]


class Present:
    """Every patient who is there.

    Attributes:
        beats: The last heartbeat of each partition, and when it came.
        opened_ms: Since when Kafka is read; 0 before that.
    """

    def __init__(self) -> None:
        self.beats: dict[int, tuple[Heartbeat, int]] = {}
        self.opened_ms = 0
        self._patients: dict[str, Patient] = {}
        self._early: dict[str, list[CommandResult]] = {}
        self._early_scores: dict[str, tuple[Scores, int]] = {}

    # --- what is heard

    def measure(self, message: Vitals, arrived_ms: int, partition: int) -> None:
        """Take a message of a device."""
        if message.values or message.status:
            self._patient(message.patient_id, partition).measure(message, arrived_ms)

    def state(self, alert: Alert, arrived_ms: int, partition: int) -> None:
        """Take an alert; one that is over says nothing about a patient not known."""
        if alert.patient_id in self._patients or alert.state is not State.CLEARED:
            self._patient(alert.patient_id, partition).state(alert, arrived_ms)

    def score(self, scores: Scores, arrived_ms: int) -> None:
        """Take scores; they wait for a patient who is not known yet."""
        if (patient := self._patients.get(scores.patient_id)) is not None:
            patient.score(scores, arrived_ms)
        else:
            self._early_scores[scores.patient_id] = (scores, arrived_ms)

    def answer(self, result: CommandResult) -> None:
        """Take the outcome of a command; it waits for a patient who is not known yet."""
        patient_id = result.patient_id
        if patient_id is None or not result.accepted:
            return
        is_discharge = result.type is CommandType.DISCHARGE
        if is_discharge:
            self._early.pop(patient_id, None)
        if (patient := self._patients.get(patient_id)) is not None:
            patient.answer(result)
        elif not is_discharge:
            self._early.setdefault(patient_id, []).append(result)

    def obey(self, command: Command, partition: int) -> None:
        """Take what a command in the log changes: who lies where."""
        known = self._patients.get(command.patient_id)
        if command.type is CommandType.ADMIT and command.bed:
            self._patient(command.patient_id, partition).bed = command.bed
        elif command.type is CommandType.TRANSFER and command.bed and known:
            known.bed = command.bed
        elif command.type is CommandType.DISCHARGE:
            self._patients.pop(command.patient_id, None)
        elif command.type is CommandType.SIGNAL_OFF and command.signal and known:
            known.take_off(command.signal)

    def beat(self, beat: Heartbeat, arrived_ms: int) -> None:
        """Take the heartbeat of a worker."""
        self.beats[beat.partition] = (beat, arrived_ms)

    # --- what is asked

    def patient(self, patient_id: str) -> Patient | None:
        """One patient."""
        return self._patients.get(patient_id)

    def patients(self) -> Iterator[Patient]:
        """All of them, by id."""
        for patient_id in sorted(self._patients):
            yield self._patients[patient_id]

    def course(self, alert_id: str, patient_id: str) -> Course | None:
        """One alarm."""
        patient = self._patients.get(patient_id)
        return None if patient is None else patient.alarms.get(alert_id)

    def _patient(self, patient_id: str, partition: int) -> Patient:
        patient = self._patients.get(patient_id)
        if patient is None:
            patient = self._patients[patient_id] = Patient(patient_id)
            for result in self._early.pop(patient_id, []):
                patient.answer(result)
            if (early := self._early_scores.pop(patient_id, None)) is not None:
                patient.score(*early)
        patient.partition = partition
        return patient


def pressing(alert: Alert) -> tuple[int, int, int, str]:
    """The order of alarms: not seen, seen, hints; in each by priority, then the oldest."""
    is_hint = alert.kind is Kind.ADVISORY
    is_seen = alert.state is State.ACKNOWLEDGED
    rank = 2 if is_hint else int(is_seen)
    return rank, _RANK[alert.priority], alert.onset, alert.alert_id


def _is_fresh(code: str, age_ms: int, interval_s: float | None) -> bool:
    signal = BY_CODE[code]
    if code.startswith("nibp"):
        return age_ms <= 1000 * ((interval_s or _CUFF_S) + _GRACE_S)
    least_s = signal.no_data_s or 3_600
    return age_ms <= 1000 * max(least_s, 3 * (interval_s or 0))


def _transition(alert: Alert) -> int:
    return alert.transition
