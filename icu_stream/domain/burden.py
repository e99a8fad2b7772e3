"""Alarm burden: how much a bed, a unit and an hour ask of the people there.

Alerts are folded, one by one, into counts by bed and hour that are bounded, and the
answer to a question is added up from them. All times are measurement time.

A message counts once. The alarms of one code of one patient follow one another, and the
transitions of one alarm, too: a message whose (onset, transition) is not after the last
one of its code was counted before, however long ago, and changes nothing. So does a
restatement (`standing`), which only says what time it is. That makes reading a topic
again harmless, and what was said twice after a crash as well.

=============  ==================================================================
alarm          an alarm that was raised
annunciation   a message that makes a sound (`annunciate`)
flood          more than 10 annunciations in 10 min; over when fewer than 5 are
chattering     one code of one bed is raised 3 times or more in 1 min
stale          an alarm that is not over 24 h after it was raised
bed-day        24 h in which the bed's patient was monitored
=============  ==================================================================

Source of flood, chattering and stale: EEMUA Publication 191, Alarm systems: a guide to
design, management and procurement, 3rd edition 2013; ANSI/ISA-18.2-2016, Management of
alarm systems for the process industries, monitoring and assessment. Both count for one
operator: here that is a unit, and a bed beside it.

Bounds, for one patient: `KEPT_HOURS` hours of at most `MAX_BEDS` beds, each of which
holds at most `MAX_SOUNDS` moments and `MAX_ANSWERS` acknowledgements; `MAX_CODES` codes,
`MAX_MARKS` marks. What is more is counted where a number is enough (`lost` says where
not); of the marks the oldest go.
"""

import math
import re

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import msgspec

from icu_stream.contracts.alerts import Event, Priority, State, named
from icu_stream.contracts.commands import CommandResult, CommandType
from icu_stream.errors import StateError


HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

# More than 10 alarms in 10 min are a flood, which lasts until there are fewer than 5.
# Source: EEMUA 191; ANSI/ISA-18.2-2016.
FLOOD_ABOVE = 10
FLOOD_OVER_BELOW = 5
FLOOD_MS = 600_000
# One alarm three times or more in a minute. Source: EEMUA 191; ANSI/ISA-18.2-2016.
CHATTER_COUNT = 3
CHATTER_MS = 60_000
# In alarm for longer than a day. Source: EEMUA 191; ANSI/ISA-18.2-2016.
STALE_MS = DAY_MS
# "The ten most frequent alarms." Source: EEMUA 191; ANSI/ISA-18.2-2016.
TOP = 10

# Ours: a week, so that two weekdays can be compared.
KEPT_HOURS = 168
# Ours. 512 sounds an hour are 85 in each 10 min: a flood, however many more there are.
MAX_SOUNDS = 512
MAX_ANSWERS = 128
MAX_MARKS = 256
MAX_BEDS = 8
# Ours: a profile has less than a hundred codes.
MAX_CODES = 256

# At the end of a bed's name, with a letter behind it or without: `B12`, `Bay 3a`.
_NUMBER = re.compile(r"[_ ./]*\d+\D?$")

# Said beside the numbers.
DEFINITIONS = {
    "alarm": "an alarm that was raised",
    "annunciation": "a message that makes a sound",
    "flood": "more than 10 annunciations in 10 min, until fewer than 5 are",
    "chattering": "one code of one bed raised 3 times or more in 1 min",
    "stale": "not over 24 h after it was raised",
    "acknowledged": "from raised to the first acknowledgement",
    "bed_day": "24 h in which a patient was monitored",
    "source": "flood, chattering, stale, the ten most frequent: EEMUA Publication 191 "
    "(3rd edition, 2013); ANSI/ISA-18.2-2016, monitoring and assessment",
}

_VERSION = 1
_PRIORITIES = tuple(Priority)
_RANK = {priority: rank for rank, priority in enumerate(_PRIORITIES)}
_HOT = b"s"
_HOURS = b"h"
_encode = msgspec.msgpack.Encoder().encode


class Heard(msgspec.Struct, frozen=True, gc=False):
    """What of an `Alert` is looked at; decoding the rest would cost more than the fold."""

    transition: int
    event: str
    patient_id: str
    bed: str
    code: str
    priority: Priority
    state: str
    annunciate: bool
    onset: int
    time: int


class Hour(msgspec.Struct, array_like=True):
    """One hour of one bed.

    Attributes:
        alarms: By priority, the highest first.
        annunciations: Likewise.
        sounds: Moment of each annunciation, ms since the hour began.
        codes: Alarms by code.
        chattering: Times that a code began to chatter.
        answers: Time to each first acknowledgement, ms, by the alarm's raise.
        watched_ms: So long a patient was monitored.
        lost: Moments and acknowledgements beyond the bounds.
    """

    alarms: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])
    annunciations: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])
    sounds: list[int] = []
    codes: dict[str, int] = {}
    chattering: int = 0
    answers: list[int] = []
    watched_ms: int = 0
    lost: int = 0


class Seen(msgspec.Struct, array_like=True):
    """The last alarm of one code of one patient.

    Attributes:
        onset: Of the alarm.
        transition: Its last one.
        raised: When it was raised; its onset where nobody said so.
        is_open: Not over.
        is_answered: Somebody has acknowledged it.
        before: When the code was raised the last time before, and the time before that.
        is_chattering: It was raised for the third time in a minute, or more.
    """

    onset: int
    transition: int = 0
    raised: int = 0
    is_open: bool = False
    is_answered: bool = False
    before: list[int] = []
    is_chattering: bool = False


class _Hot(msgspec.Struct, array_like=True, frozen=True):
    """Piece `s`."""

    version: int
    last_offset: int
    bed: str
    time: int
    arrived_ms: int
    watched_until: int
    codes: dict[str, Seen]
    marks: dict[str, bool]


_hot = msgspec.msgpack.Decoder(_Hot).decode
_hour = msgspec.msgpack.Decoder(dict[str, Hour]).decode
_kept = msgspec.msgpack.Decoder(dict[int, dict[str, Hour]]).decode


class Burden:
    """What one patient's alarms were.

    Attributes:
        patient_id: Whose.
        last_offset: Of the last record applied; the engine's, saved with the state.
        bed: Where the patient lies.
        time: The latest measurement time that a message told.
        arrived_ms: When that message came, by our clock.
        watched_until: Monitored time is counted up to there; 0: not monitored now.
        codes: The last alarm of each code.
        marks: Was the alarm actionable? By `code:onset`.
        hours: By hour (since the epoch) and bed.
    """

    __slots__ = (
        "_changed",
        "arrived_ms",
        "bed",
        "codes",
        "hours",
        "last_offset",
        "marks",
        "patient_id",
        "time",
        "watched_until",
    )

    def __init__(self, patient_id: str) -> None:
        self.patient_id = patient_id
        self.last_offset = -1
        self.bed = ""
        self.time = 0
        self.arrived_ms = 0
        self.watched_until = 0
        self.codes: dict[str, Seen] = {}
        self.marks: dict[str, bool] = {}
        self.hours: dict[int, dict[str, Hour]] = {}
        self._changed: set[int] = set()

    def now(self, clock_ms: int) -> int:
        """Measurement time at a moment of our clock, which goes on at its pace."""
        return self.time + max(0, clock_ms - self.arrived_ms) if self.time else 0

    def hour(self, time: int, bed: str) -> Hour | None:
        """The hour of a bed that a moment falls into, to be changed; None: too old."""
        number = time // HOUR_MS
        beds = self.hours.get(number)
        if beds is None:
            newest = max(self.hours, default=number)
            if number <= newest - KEPT_HOURS:
                return None
            beds = self.hours[number] = {}
            self._forget_before(max(number, newest) - KEPT_HOURS + 1)
        self._changed.add(number)
        hour = beds.get(bed)
        if hour is None:
            if len(beds) >= MAX_BEDS:
                return beds[next(reversed(beds))]
            hour = beds[bed] = Hour()
        return hour

    def _forget_before(self, first: int) -> None:
        for number in [number for number in self.hours if number < first]:
            del self.hours[number]
            self._changed.add(number)

    def forget(self, clock_ms: int) -> bool:
        """Drop what is too old at a moment of our clock; is nothing left?"""
        first = self.now(clock_ms) // HOUR_MS - KEPT_HOURS + 1
        self._forget_before(first)
        for name in [name for name in self.marks if _onset(name) // HOUR_MS < first]:
            del self.marks[name]
        is_open = any(seen.is_open for seen in self.codes.values())
        return not (self.hours or self.marks or is_open)

    @property
    def has_changed(self) -> bool:
        """Is there an hour that is not saved, or not gone yet?"""
        return bool(self._changed)

    def pieces(self) -> dict[bytes, bytes]:
        """What changed since the last call; clears the marks."""
        changed, self._changed = self._changed, set()
        hours = self.hours
        pieces = {
            _HOURS + b"%d" % number: _encode(hours[number]) if number in hours else b""
            for number in changed
        }
        return pieces | {
            _HOT: _encode(
                (
                    _VERSION,
                    self.last_offset,
                    self.bed,
                    self.time,
                    self.arrived_ms,
                    self.watched_until,
                    self.codes,
                    self.marks,
                )
            )
        }


# --- folding


def take(burden: Burden, heard: Heard, arrived_ms: int) -> bool:
    """Count a message of the patient, unless it was counted before; changes `burden`.

    Args:
        burden: The patient's.
        heard: The message.
        arrived_ms: By our clock.

    Returns:
        Was it counted? A restatement and a repeat are not.
    """
    if heard.time > burden.time:
        burden.time, burden.arrived_ms = heard.time, arrived_ms
        burden.bed = heard.bed
    if heard.event == Event.STANDING:
        return False
    seen = burden.codes.get(heard.code)
    if seen is None:
        if len(burden.codes) >= MAX_CODES:
            return False
        seen = burden.codes[heard.code] = Seen(heard.onset, raised=heard.onset)
    elif heard.onset > seen.onset:
        seen.onset, seen.transition, seen.raised = heard.onset, 0, heard.onset
        seen.is_answered = False
    elif heard.onset < seen.onset or heard.transition <= seen.transition:
        return False
    seen.transition = heard.transition
    seen.is_open = heard.state != State.CLEARED
    hour = burden.hour(heard.time, heard.bed)
    if hour is not None:
        _count(hour, seen, heard)
    return True


def _count(hour: Hour, seen: Seen, heard: Heard) -> None:
    rank = _RANK[heard.priority]
    if heard.event == Event.RAISED:
        seen.raised = heard.time
        hour.alarms[rank] += 1
        hour.codes[heard.code] = hour.codes.get(heard.code, 0) + 1
        hour.chattering += _begins_to_chatter(seen, heard.time)
    if heard.annunciate:
        hour.annunciations[rank] += 1
        if len(hour.sounds) < MAX_SOUNDS:
            hour.sounds.append(heard.time % HOUR_MS)
        else:
            hour.lost += 1
    if heard.event == Event.ACKNOWLEDGED and not seen.is_answered:
        seen.is_answered = True
        if len(hour.answers) < MAX_ANSWERS:
            hour.answers.append(max(0, heard.time - seen.raised))
        else:
            hour.lost += 1


def _begins_to_chatter(seen: Seen, raised: int) -> bool:
    before = seen.before
    is_third = len(before) >= CHATTER_COUNT - 1 and raised - before[0] < CHATTER_MS
    begins = is_third and not seen.is_chattering
    seen.is_chattering = is_third
    seen.before = [*before, raised][-(CHATTER_COUNT - 1) :]
    return begins


def mark(burden: Burden, result: CommandResult) -> bool:
    """Take over what a person thought of an alarm; the last word counts.

    It may come before the alarm's own messages: the two are in different topics.

    Returns:
        Was it an accepted `feedback` about an alarm of this patient?
    """
    if not result.accepted or result.type is not CommandType.FEEDBACK:
        return False
    if result.actionable is None or result.alert_id is None:
        return False
    owner, code, onset = named(result.alert_id)
    if owner != burden.patient_id or not (onset.isascii() and onset.isdecimal()):
        return False
    burden.marks[f"{code}:{onset}"] = result.actionable
    if len(burden.marks) > MAX_MARKS:
        del burden.marks[min(burden.marks, key=lambda name: (_onset(name), name))]
    return True


def _onset(name: str) -> int:
    return int(name.rpartition(":")[2])


def watch(
    burden: Burden, bed: str, until: int, clock_ms: int, *, is_monitored: bool
) -> None:
    """Count the time that the patient was monitored; changes `burden`.

    Args:
        burden: The patient's.
        bed: Where the patient lies.
        until: The furthest moment of the patient's log, measurement time.
        clock_ms: Our clock.
        is_monitored: Is any signal of the patient expected?
    """
    if until > burden.time:
        burden.time, burden.arrived_ms, burden.bed = until, clock_ms, bed
    start, burden.watched_until = burden.watched_until, until if is_monitored else 0
    if not is_monitored or not start or until <= start:
        return
    start = max(start, until - KEPT_HOURS * HOUR_MS)
    while start < until:
        end = min(until, (start // HOUR_MS + 1) * HOUR_MS)
        hour = burden.hour(start, bed)
        if hour is not None:
            hour.watched_ms += end - start
        start = end


# --- saving


def new(patient_id: str) -> Burden:
    """A patient without an alarm."""
    return Burden(patient_id)


def save(burden: Burden) -> dict[bytes, bytes]:
    """The pieces that changed since the last call, by name; an empty one is gone."""
    return burden.pieces()


def names(burden: Burden) -> list[bytes]:
    """The names of all pieces that there may be, to be deleted with the patient."""
    return [_HOT, *(_HOURS + b"%d" % number for number in burden.hours)]


def restore(patient_id: str, pieces: Mapping[bytes, bytes]) -> Burden:
    """A burden from all of its pieces.

    Raises:
        StateError: A piece cannot be read, or is of another version.
    """
    burden = Burden(patient_id)
    try:
        hot = _hot(pieces[_HOT])
        hours = {
            int(name[1:]): _hour(piece)
            for name, piece in pieces.items()
            if name != _HOT and piece
        }
    except (KeyError, ValueError, msgspec.MsgspecError) as error:
        msg = f"burden of {patient_id}: {error!r}"
        raise StateError(msg) from error
    if hot.version != _VERSION:
        msg = f"burden of {patient_id}: version {hot.version}, want {_VERSION}"
        raise StateError(msg)
    burden.last_offset, burden.bed = hot.last_offset, hot.bed
    burden.time, burden.arrived_ms = hot.time, hot.arrived_ms
    burden.watched_until = hot.watched_until
    burden.codes, burden.marks = hot.codes, hot.marks
    burden.hours = hours
    return burden


# --- asking


def unit_of(bed: str) -> str:
    """The unit of a bed: what stands before its last `-`, or else before its number.

    >>> unit_of("ICU1-07"), unit_of("A-3-B"), unit_of("B12"), unit_of("12"), unit_of("Window")
    ('ICU1', 'A-3', 'B', '', '')
    """
    unit, dash, _ = bed.rpartition("-")
    if dash:
        return unit
    number = _NUMBER.search(bed)
    return bed[: number.start()] if number else ""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """How long it took until somebody acknowledged.

    Attributes:
        count: First acknowledgements.
        median_s: Half of them took at most this; None without any.
        p90_s: Nine in ten took at most this (nearest rank).
    """

    count: int
    median_s: float | None
    p90_s: float | None


class Frequent(msgspec.Struct, frozen=True, kw_only=True):
    """One code of one bed.

    Attributes:
        bed: Where.
        code: Which.
        alarms: How many.
        share: Of all alarms.
    """

    bed: str
    code: str
    alarms: int
    share: float


class Marked(msgspec.Struct, frozen=True, kw_only=True):
    """What people thought of alarms.

    Attributes:
        marked: Alarms that somebody judged.
        actionable: Of those, worth it.
        share: The part that was; None when nobody judged.
    """

    marked: int
    actionable: int
    share: float | None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The burden of some beds over some hours.

    Attributes:
        bed_days: Monitored time, days of 24 h.
        alarms: Alarms by priority.
        annunciations: Annunciations by priority.
        mix: Share of each priority of the alarms.
        alarms_a_bed_day: None while no time was monitored.
        annunciations_a_bed_day: Likewise.
        floods: Times that a flood began.
        worst_10_min: Most annunciations in any 10 min.
        chattering: Times that a code of a bed began to chatter.
        stale: Alarms that are not over 24 h after they were raised.
        acknowledged: Time to acknowledge.
        top: The most frequent pairs of bed and code.
        top_share: Of those together.
        feedback: Marks by people.
        lost: What was more than is kept in detail.
    """

    bed_days: float
    alarms: dict[str, int]
    annunciations: dict[str, int]
    mix: dict[str, float]
    alarms_a_bed_day: float | None
    annunciations_a_bed_day: float | None
    floods: int
    worst_10_min: int
    chattering: int
    stale: int
    acknowledged: Answered
    top: list[Frequent]
    top_share: float
    feedback: Marked
    lost: int


class Hourly(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of some beds.

    Attributes:
        hour: Its first moment, epoch ms UTC.
        bed_hours: Monitored time.
        alarms: Raised.
        annunciations: Sounds.
        chattering: Times that a code of a bed began to chatter.
    """

    hour: int
    bed_hours: float
    alarms: int
    annunciations: int
    chattering: int


class Tally:
    """Adds up the hours of some beds; `summary` is what they make together."""

    def __init__(self) -> None:
        self._sum = Hour()
        self._sounds: list[int] = []
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._marks: list[bool] = []
        self._hours: dict[int, list[int]] = {}
        self._stale = 0

    def add(self, bed: str, number: int, hour: Hour) -> None:
        """Add one hour (counted since the epoch) of a bed."""
        total = self._sum
        total.alarms = [a + b for a, b in zip(total.alarms, hour.alarms, strict=True)]
        total.annunciations = [
            a + b for a, b in zip(total.annunciations, hour.annunciations, strict=True)
        ]
        begin = number * HOUR_MS
        self._sounds += [begin + moment for moment in hour.sounds]
        for code, count in hour.codes.items():
            self._pairs[bed, code] += count
        total.chattering += hour.chattering
        total.answers.extend(hour.answers)
        total.watched_ms += hour.watched_ms
        total.lost += hour.lost
        series = self._hours.setdefault(number, [0, 0, 0, 0])
        series[0] += hour.watched_ms
        series[1] += sum(hour.alarms)
        series[2] += sum(hour.annunciations)
        series[3] += hour.chattering

    def add_stale(self, count: int) -> None:
        """Add alarms that are stale."""
        self._stale += count

    def add_mark(self, is_actionable: bool) -> None:
        """Add what a person thought of one alarm."""
        self._marks.append(is_actionable)

    def summary(self) -> Summary:
        """What was added, as one."""
        total = self._sum
        days = total.watched_ms / DAY_MS
        alarms, sounds = sum(total.alarms), sum(total.annunciations)
        floods, worst = _floods(sorted(self._sounds))
        # The more frequent first; equal ones by name, so that the order is one.
        pairs = sorted(self._pairs.items(), key=lambda item: (-item[1], item[0]))[:TOP]
        marked, worth = len(self._marks), sum(self._marks)
        return Summary(
            bed_days=days,
            alarms=_by_priority(total.alarms),
            annunciations=_by_priority(total.annunciations),
            mix={
                str(p): count / alarms if alarms else 0.0
                for p, count in zip(_PRIORITIES, total.alarms, strict=True)
            },
            alarms_a_bed_day=alarms / days if days else None,
            annunciations_a_bed_day=sounds / days if days else None,
            floods=floods,
            worst_10_min=worst,
            chattering=total.chattering,
            stale=self._stale,
            acknowledged=_answered(sorted(total.answers)),
            top=[
                Frequent(bed=bed, code=code, alarms=count, share=count / alarms)
                for (bed, code), count in pairs
            ],
            top_share=sum(count for _, count in pairs) / alarms if alarms else 0.0,
            feedback=Marked(
                marked=marked,
                actionable=worth,
                share=worth / marked if marked else None,
            ),
            lost=total.lost,
        )

    def hourly(self) -> list[Hourly]:
        """The hours by themselves, in their order."""
        return [
            Hourly(
                hour=number * HOUR_MS,
                bed_hours=watched / HOUR_MS,
                alarms=alarms,
                annunciations=sounds,
                chattering=chattering,
            )
            for number, (watched, alarms, sounds, chattering) in sorted(
                self._hours.items()
            )
        ]


def marks(burden: Burden, first: int) -> Iterator[tuple[str, bool]]:
    """What people thought of the alarms since an hour: bed, and was it actionable?

    The bed is where the patient lay when the alarm began, as far as that is known.
    """
    for name, is_actionable in burden.marks.items():
        number = _onset(name) // HOUR_MS
        if number < first:
            continue
        code = name.rpartition(":")[0]
        beds = burden.hours.get(number, {})
        yield (
            next((bed for bed, hour in beds.items() if code in hour.codes), burden.bed),
            is_actionable,
        )


def stale(burden: Burden, clock_ms: int) -> int:
    """How many alarms of the patient are stale at a moment of our clock."""
    now = burden.now(clock_ms)
    return sum(
        seen.is_open and now - seen.raised > STALE_MS for seen in burden.codes.values()
    )


def _by_priority(counts: list[int]) -> dict[str, int]:
    return {str(p): count for p, count in zip(_PRIORITIES, counts, strict=True)}


def _answered(answers: list[int]) -> Answered:
    return Answered(
        count=len(answers),
        median_s=_rank(answers, 0.5),
        p90_s=_rank(answers, 0.9),
    )


def _rank(ordered: list[int], share: float) -> float | None:
    """Nearest rank, seconds: a value that was there."""
    if not ordered:
        return None
    return ordered[math.ceil(share * len(ordered)) - 1] / 1000


def _floods(moments: Iterable[int]) -> tuple[int, int]:
    """How many floods began, and the most annunciations in 10 min."""
    window: deque[int] = deque()
    floods = worst = 0
    is_flood = False
    for moment in moments:
        while window and moment - window[0] >= FLOOD_MS:
            window.popleft()
        if len(window) < FLOOD_OVER_BELOW:
            is_flood = False
        window.append(moment)
        worst = max(worst, len(window))
        if len(window) > FLOOD_ABOVE and not is_flood:
            is_flood = True
            floods += 1
    return floods, worst


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked.

    Attributes:
        hours: How many: the present one and those before it.
        unit: Of one unit alone.
        bed: Of one bed alone.
    """

    hours: Annotated[int, msgspec.Meta(ge=1, le=KEPT_HOURS)] = 24
    unit: str | None = None
    bed: str | None = None

    def includes(self, bed: str) -> bool:
        """Is it asked about this bed?"""
        if self.bed is not None and bed != self.bed:
            return False
        return self.unit is None or unit_of(bed) == self.unit


class _Copy(NamedTuple):
    """What is known of one patient, as it was."""

    bed: str
    hours: bytes
    marks: list[tuple[str, bool]]
    stale: int


class Report:
    """The answer to a question, patient by patient.

    Args:
        question: What is asked.
        clock_ms: Our clock.
    """

    def __init__(self, question: Question, clock_ms: int) -> None:
        self._question = question
        self._clock_ms = clock_ms
        self._is_by_bed = question.unit is not None or question.bed is not None
        self._copies: list[_Copy] = []
        self._all = Tally()
        self._groups: dict[str, Tally] = {}

    def add(self, burden: Burden) -> None:
        """Take a copy of what is known of a patient: quick, and the rest can wait."""
        hours, clock_ms = self._question.hours, self._clock_ms
        first = burden.now(clock_ms) // HOUR_MS - hours + 1
        kept = {n: beds for n, beds in burden.hours.items() if n >= first}
        self._copies.append(
            _Copy(
                burden.bed,
                _encode(kept),
                list(marks(burden, first)),
                stale(burden, clock_ms),
            )
        )

    def _work_out(self, copy: "_Copy") -> None:
        for number, beds in _kept(copy.hours).items():
            for bed, hour in beds.items():
                for tally in self._of(bed):
                    tally.add(bed, number, hour)
        for bed, is_actionable in copy.marks:
            for tally in self._of(bed):
                tally.add_mark(is_actionable)
        if copy.stale:
            for tally in self._of(copy.bed):
                tally.add_stale(copy.stale)

    def _of(self, bed: str) -> tuple[Tally, ...]:
        if not self._question.includes(bed):
            return ()
        group = bed if self._is_by_bed else unit_of(bed)
        tally = self._groups.get(group)
        if tally is None:
            tally = self._groups[group] = Tally()
        return (self._all, tally)

    def found(self) -> dict[str, Any]:
        """The answer: all together, each unit (or bed) by itself, and hour by hour.

        Touches nothing but the copies, so another thread may do it.
        """
        question = self._question
        for copy in self._copies:
            self._work_out(copy)
        self._copies = []
        groups = {name: self._groups[name].summary() for name in sorted(self._groups)}
        return {
            "hours": question.hours,
            "unit": question.unit,
            "bed": question.bed,
            "all": self._all.summary(),
            "beds" if self._is_by_bed else "units": groups,
            "hourly": self._all.hourly(),
            "definitions": DEFINITIONS,
        }
