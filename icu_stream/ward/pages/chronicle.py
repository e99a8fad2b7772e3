"""What was said and asked on this ward: the log that is only ever added to.

It is read back from Kafka, newest first, and goes on with what comes (`reading.py`). What is
told twice is kept once: a transition of an alarm by its number, a command by its id, whose
record and whose answer come in either order. Restatements say nothing new and are left out.

It grows where the frames are made, and is searched in other threads: whoever reads takes a
copy first, which is one step of the interpreter.

Bounds: the newest `MOST` entries, 0.9 kB each in memory as
measured with tracemalloc (27 MB); `since_ms` says from
when on nothing is missing.
"""

from collections import deque
from collections.abc import Iterable, Iterator

import msgspec

from icu_stream.contracts.alerts import Event, Kind, Priority
from icu_stream.contracts.commands import Command, CommandResult, CommandType
from icu_stream.domain.burden import Heard


# Ours: some days of a unit of 20 beds.
MOST = 30_000
# So many at once go when there are more: sorting out one by one would cost too much.
_CUT = MOST // 10
# How far the clocks of a monitor and of ours may differ for a command to be the alarm's.
_NEAR_MS = 120_000

# What an alarm itself tells when it was done: the command need not be told beside it.
_TOLD_BY_ALARM = {
    CommandType.ACKNOWLEDGE: Event.ACKNOWLEDGED,
    CommandType.PAUSE: Event.PAUSED,
    CommandType.RESUME: Event.RESUMED,
}
_COMMAND_OF = {str(event): command for command, event in _TOLD_BY_ALARM.items()}


class Why(msgspec.Struct, frozen=True):
    """The part of an explanation that the log tells."""

    reason: str = ""


class Told(Heard, frozen=True, gc=False):
    """What of an `Alert` the log keeps."""

    alert_id: str = ""
    kind: Kind = Kind.PHYSIOLOGICAL
    text: str = ""
    by: str | None = None
    explanation: Why = Why()


class Asked(msgspec.Struct):
    """A command and its answer, as far as they are known.

    Attributes:
        command_id: Of the command.
        time: When it was asked; when it was answered, where only that is known.
        command: What was asked.
        result: What became of it.
    """

    command_id: str
    time: int
    command: Command | None = None
    result: CommandResult | None = None

    @property
    def type(self) -> CommandType | None:
        """What was asked."""
        told = self.command or self.result
        return None if told is None else told.type

    @property
    def patient_id(self) -> str:
        """About whom."""
        told = self.command or self.result
        return "" if told is None else told.patient_id or ""

    @property
    def by(self) -> str:
        """Who asked."""
        told = self.command or self.result
        return "" if told is None else told.by or ""

    @property
    def station(self) -> str:
        """From where."""
        told = self.command or self.result
        return "" if told is None else told.station or ""

    @property
    def alert_id(self) -> str:
        """About which alarm."""
        told = self.command or self.result
        return "" if told is None else told.alert_id or ""

    @property
    def reason(self) -> str:
        """Why it was asked."""
        return "" if self.command is None else self.command.reason or ""

    @property
    def is_told_by_alarm(self) -> bool:
        """Was it done, and is there an entry of the alarm that says so?"""
        done = self.result is not None and self.result.accepted
        return done and self.type in _TOLD_BY_ALARM


Entry = Told | Asked


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are wanted; what is not said is all.

    Attributes:
        bed: Part of the bed's name or the patient's id, in small letters.
        priority: Of the alarm.
        kind: Of the alarm.
        event: Of the alarm, or a type of command.
        from_ms: First moment.
        to_ms: Last moment.
    """

    bed: str = ""
    priority: str = ""
    kind: str = ""
    event: str = ""
    from_ms: int | None = None
    to_ms: int | None = None

    def takes(self, entry: Entry, bed: str) -> bool:
        """Is it wanted?

        Args:
            entry: An entry.
            bed: Where it happened, as far as that is known.
        """
        if self.from_ms is not None and entry.time < self.from_ms:
            return False
        if self.to_ms is not None and entry.time > self.to_ms:
            return False
        if self.bed and not (
            self.bed in bed.lower() or self.bed in entry.patient_id.lower()
        ):
            return False
        if isinstance(entry, Told):
            event, kind, priority = entry.event, entry.kind, entry.priority
            return (
                self.event in {"", event}
                and self.kind in {"", kind}
                and self.priority in {"", priority}
            )
        # A command has neither: it is wanted where nobody asks for one.
        return (
            not self.priority and not self.kind and self.event in {"", entry.type or ""}
        )


class Chronicle:
    """The log.

    Attributes:
        since_ms: From when on it is complete; None while nothing was read.
        is_read_back: All was read back that there is, or that fits.
        version: Grows with each change.
    """

    def __init__(self, most: int = MOST) -> None:
        self.since_ms: int | None = None
        self.is_read_back = False
        self.version = 0
        self._most = most
        self._told: dict[tuple[str, int, str], Told] = {}
        self._asked: dict[str, Asked] = {}
        self._of_alarm: dict[tuple[str, str, str], deque[Asked]] = {}
        self._sorted: tuple[int, list[Entry]] = (-1, [])

    @property
    def is_full(self) -> bool:
        """Is there no room for what is older?"""
        return len(self._told) + len(self._asked) >= self._most

    # --- what is heard

    def tell(self, told: Told) -> None:
        """Take a change of an alarm."""
        if told.event == Event.STANDING:
            return
        key = (told.alert_id, told.transition, told.event)
        if key not in self._told:
            self._told[key] = told
            self._grow()

    def ask(self, command: Command) -> None:
        """Take what somebody asked."""
        asked = self._of(command.command_id, command.time)
        if asked.command is None:
            asked.command, asked.time = command, command.time
            self._join(asked)
            self._grow()

    def answer(self, result: CommandResult) -> None:
        """Take what became of it."""
        asked = self._of(result.command_id, result.time or 0)
        if asked.result is None:
            asked.result = result
            self._join(asked)
            self._grow()

    def read_back(self, since_ms: int) -> None:
        """All is known from a moment on."""
        self.since_ms = since_ms
        self.version += 1

    def _of(self, command_id: str, time: int) -> Asked:
        asked = self._asked.get(command_id)
        if asked is None:
            asked = self._asked[command_id] = Asked(command_id, time)
        return asked

    def _join(self, asked: Asked) -> None:
        """Remember who asked for what an alarm will tell."""
        if asked.type in _TOLD_BY_ALARM:
            key = _joint(asked.type, asked.patient_id, asked.by)
            known = self._of_alarm.setdefault(key, deque(maxlen=100))
            if not any(other is asked for other in known):
                known.append(asked)

    def _grow(self) -> None:
        self.version += 1
        if len(self._told) + len(self._asked) <= self._most:
            return
        oldest = self._in_order()[-_CUT:]
        for entry in oldest:
            if isinstance(entry, Told):
                del self._told[entry.alert_id, entry.transition, entry.event]
            else:
                del self._asked[entry.command_id]
        self._of_alarm.clear()
        for asked in self._asked.values():
            self._join(asked)
        self.since_ms = max(self.since_ms or 0, oldest[0].time)
        self.version += 1

    # --- what is told

    def entries(self) -> Iterator[Entry]:
        """What may be shown, the newest first."""
        for entry in self._in_order():
            if isinstance(entry, Told) or not entry.is_told_by_alarm:
                yield entry

    def alarms(self) -> list[Told]:
        """The changes of alarms in the order of their time, the oldest first."""
        return [e for e in reversed(self._in_order()) if isinstance(e, Told)]

    def results(self) -> Iterable[CommandResult]:
        """The answers, in no order."""
        return [asked.result for asked in list(self._asked.values()) if asked.result]

    def commands_of(self, patient_id: str) -> list[Asked]:
        """What was asked about a patient, the oldest first."""
        asked = [one for one in self._asked.values() if one.patient_id == patient_id]
        return sorted(asked, key=_when)

    def commands(self) -> dict[str, list[Asked]]:
        """The same of all patients."""
        of: dict[str, list[Asked]] = {}
        for one in sorted(self._asked.values(), key=_when):
            of.setdefault(one.patient_id, []).append(one)
        return of

    def asked_for(self, told: Told) -> Asked | None:
        """The command that brought this change about; None where none is known."""
        command = _COMMAND_OF.get(told.event)
        if command is None or told.by is None:
            return None
        key = _joint(command, told.patient_id, told.by)
        near = [
            asked
            for asked in tuple(self._of_alarm.get(key, ()))
            if abs(asked.time - told.time) <= _NEAR_MS
            and asked.alert_id in {"", told.alert_id}
        ]
        return min(near, key=lambda asked: abs(asked.time - told.time), default=None)

    def _in_order(self) -> list[Entry]:
        """Newest first; at equal times as the alarm went on."""
        version, entries = self._sorted
        if version != self.version:
            entries = [*self._told.values(), *self._asked.values()]
            entries.sort(key=_when, reverse=True)
            self._sorted = (self.version, entries)
        return entries


def _when(entry: Entry) -> tuple[int, int]:
    return entry.time, entry.transition if isinstance(entry, Told) else 0


def _joint(type_: CommandType, patient_id: str, by: str) -> tuple[str, str, str]:
    return str(type_), patient_id, by


PRIORITIES = tuple(str(priority) for priority in Priority)
KINDS = tuple(str(kind) for kind in Kind)
EVENTS = tuple(str(event) for event in Event if event is not Event.STANDING)
COMMANDS = tuple(str(type_) for type_ in CommandType)
