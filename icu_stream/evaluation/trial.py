"""One patient under one profile: stepped as the worker does, and what was said.

The worker's clock tells a silent patient the time once something is due. So does a
trial, by the arrival of the patient's next record: what falls due in silence is raised
between the same two records as it would be on the ward. Restatements (`standing`) are
left out; they change nothing, and are most of what a long alarm costs.
"""

import dataclasses

from collections.abc import Iterator, Sequence

import msgspec

from icu_stream.contracts.alerts import Alert, Event, Kind, Priority, State
from icu_stream.contracts.commands import Command, CommandType
from icu_stream.domain import monitor, patient
from icu_stream.domain.annunciation import Message
from icu_stream.domain.limits import FOREVER_MS, Rules
from icu_stream.evaluation.logs import Record
from icu_stream.evaluation.tally import CodeTally, ProfileTally


# The worker's clock looks once a second (agents/heartbeats.py).
BEAT_MS = 1000


class Episode(msgspec.Struct, kw_only=True):
    """One alarm from its onset to its end. Times are measurement time, epoch ms.

    Attributes:
        code: `signal.condition`.
        kind: Patient, measurement or hint.
        signal: The signal's code; None for a bed's alarm.
        priority: When it was raised.
        onset: First moment of the condition.
        raised: When it was raised.
        ended: When its condition went away; None = not before the log's end.
        sounds: When it was to make a sound.
        rose: When its priority changed, and to which.
    """

    code: str
    kind: Kind
    signal: str | None
    priority: Priority
    onset: int
    raised: int
    ended: int | None = None
    sounds: list[int] = []
    rose: list[tuple[int, Priority]] = []

    @property
    def last_priority(self) -> Priority:
        """When it ended."""
        return self.rose[-1][1] if self.rose else self.priority

    def levels(self) -> list[tuple[int, Priority]]:
        """From when on which priority."""
        return [(self.raised, self.priority), *self.rose]

    def end(self, log_end: int) -> int:
        """When it ended, or the log did; some are raised in the silence after it."""
        return max(log_end, self.raised) if self.ended is None else self.ended


def without_statements(rules: Rules) -> Rules:
    """The profile, but for restatements, which nobody needs who reads all.

    A patient who was admitted with another of its `profiles` keeps that one; whoever was
    admitted with this one by name gets it as it is here, other delays and all.
    """
    profiles = {
        name: dataclasses.replace(other, standing_ms=FOREVER_MS)
        for name, other in rules.profiles.items()
        if name != rules.name
    }
    told = dataclasses.replace(rules, standing_ms=FOREVER_MS, profiles=profiles)
    profiles[rules.name] = told
    return told


class Trial:
    """One patient under one profile.

    Attributes:
        episodes: Its alarms, in the order in which they were raised.
        tally: What was said so far; how long alarms held is added by `close`.
    """

    def __init__(self, patient_id: str, rules: Rules) -> None:
        self.episodes: list[Episode] = []
        self.tally = ProfileTally()
        self._rules = rules
        self._patient = patient.new(patient_id)
        self._is_known = False
        self._open: dict[str, Episode] = {}

    def take(self, record: Record) -> None:
        """Apply one record, and before it what fell due until it arrived."""
        message = record.message
        if isinstance(message, Command):
            self._obey(message, record.arrived_ms)
            return
        state = self._patient
        self._is_known = True
        now = record.arrived_ms + (0 if state.last is None else state.last.skew)
        # Up to the moment at which it was measured the step itself lets happen what is
        # due. `due` is a lower bound that costs nothing; `pass_time` knows exactly.
        if message.time < now and now >= state.due:
            self.pass_time(record.arrived_ms)
        try:
            said = monitor.step(
                state,
                message,
                record.arrived_ms,
                self._rules,
                replay=record.is_replay,
            )
        except Exception as error:  # noqa: BLE001 - counted, and said at the bed, as live
            said = self._fault(message.time, error)
        if said:
            self._hear(said)

    def pass_time(self, until_ms: int) -> None:
        """Tell the patient the time if something fell due before a moment of our clock.

        One tick at the last full second brings about what one a second would, each
        stamped with its own moment (`docs/alarms.md`, rules 18 to 20), but for scores:
        they are stated, and their inputs age, each minute of a silence, which costs ten
        times as much as all else of charted data. Here they age at the silence's end.
        """
        due = monitor.due_ms(self._patient)
        beat_ms = (until_ms - 1) // BEAT_MS * BEAT_MS
        if due is None or due > beat_ms:
            return
        try:
            said = monitor.tick(self._patient, beat_ms, self._rules)
        except Exception as error:  # noqa: BLE001 - counted, and said at the bed
            said = self._fault(beat_ms, error)
        self._hear(said)

    def close(self, log_end: int) -> None:
        """The log has ended: count how long the alarms held until then."""
        tally = self.tally
        spans: dict[str, list[tuple[int, int]]] = {}
        for episode in self.episodes:
            begin, end = episode.raised, min(episode.end(log_end), log_end)
            if end <= begin:
                continue
            tally.codes[episode.code].holding_ms += end - begin
            for name in ("any", str(episode.kind)):
                spans.setdefault(name, []).append((begin, end))
            high = [t for t, p in episode.levels() if p is Priority.HIGH and t < end]
            if high:
                spans.setdefault("high", []).append((high[0], end))
        for name, held in spans.items():
            tally.holding_ms[name] = sum(end - begin for begin, end in _union(held))

    def _obey(self, command: Command, arrived_ms: int) -> None:
        answers = self.tally.answers
        if not (self._is_known or command.type is CommandType.ADMIT):
            answers["refused"] = answers.get("refused", 0) + 1
            return
        self._is_known = True
        self.pass_time(arrived_ms)
        try:
            result, said = monitor.command(
                self._patient, command, arrived_ms, self._rules
            )
        except Exception as error:  # noqa: BLE001 - counted, and said at the bed, as live
            self._hear(self._fault(arrived_ms, error))
            return
        outcome = "accepted" if result.accepted else "refused"
        answers[outcome] = answers.get(outcome, 0) + 1
        self._hear(said)

    def _fault(self, time_ms: int, error: Exception) -> list[Message]:
        self.tally.faults += 1
        cause = error.__cause__ or error
        said = list(error.messages) if isinstance(error, monitor.RuleError) else []
        return said + list(
            monitor.fault(self._patient, time_ms, repr(cause), self._rules)
        )

    def _hear(self, said: Sequence[Message]) -> None:
        for alert in said:
            if isinstance(alert, Alert):
                self._count(alert)

    def _count(self, alert: Alert) -> None:
        code = self.tally.codes.get(alert.code)
        if code is None:
            code = CodeTally(kind=alert.kind, signal=alert.signal)
            self.tally.codes[alert.code] = code
        _increase(code.events, alert.event)
        if alert.annunciate:
            _increase(code.annunciations, alert.priority)
        if alert.event is Event.RAISED:
            _increase(code.alarms, alert.priority)
            episode = Episode(
                code=alert.code,
                kind=alert.kind,
                signal=alert.signal,
                priority=alert.priority,
                onset=alert.onset,
                raised=alert.time,
            )
            self.episodes.append(episode)
            self._open[alert.alert_id] = episode
        known = self._open.get(alert.alert_id)
        if known is None:
            return
        if alert.annunciate:
            known.sounds.append(alert.time)
        if alert.priority is not known.last_priority:
            known.rose.append((alert.time, alert.priority))
        if alert.state in {State.LATCHED, State.CLEARED}:
            known.ended = alert.time
            del self._open[alert.alert_id]


def _increase(counts: dict[str, int], name: str) -> None:
    counts[str(name)] = counts.get(str(name), 0) + 1


def _union(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same time, each moment once."""
    spans.sort()
    begin, end = spans[0]
    for other_begin, other_end in spans[1:]:
        if other_begin > end:
            yield begin, end
            begin, end = other_begin, other_end
        else:
            end = max(end, other_end)
    yield begin, end
