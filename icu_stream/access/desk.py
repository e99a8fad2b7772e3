"""Where a person's command goes out, and its outcome comes back.

A wish becomes a command on the commands topic, under the patient's key. The worker answers
on `command-results`; whoever asked waits here for it. The process reads that topic
(`bus.Follower`) and hands each answer to `Desk.heed`. Nothing is done here: an alarm is acknowledged when the worker says so, and goes on until then.

=============  ========================================================================
what happened  the person is told
=============  ========================================================================
``done``       The worker did it
``refused``    The worker, or this server, did not, and why
``unsent``     Kafka did not say that it took it: most likely it was not done
``unknown``    Kafka took it and nobody has answered yet: it may be done later
=============  ========================================================================

The id of a command is the asker's, made once for each wish and used again when the person
tries again: the worker does a command once, however often it comes.
"""

import asyncio
import contextlib

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Literal

import aiokafka
import msgspec

from aiokafka.errors import KafkaError

from icu_stream import bus, clock
from icu_stream.access.ledger import Ledger
from icu_stream.access.roles import Person, Role
from icu_stream.contracts import topics
from icu_stream.contracts.commands import (
    Command,
    CommandResult,
    CommandType,
    LimitChange,
)
from icu_stream.contracts.vitals import Identifier
from icu_stream.observability import log
from icu_stream.settings import Settings


# Ours: after 2 s the ward's page offers to try again (UI, acknowledge); an answer that comes
# within this time is still shown.
ANSWER_S = 10.0
SENT_S = 4.0
# Ours: more wishes of one person that wait at once are no person's.
WAITING_MOST = 32
LONGEST_REASON = 200
# Ours: more than the tables have; what there is, the worker says.
_MOST_LIMITS = 64
_MOST_VALUES = 64


# No control characters: no line of a log, and no store, is broken by it.
_PRINTABLE = r"^[^\u0000-\u001f\u007f]*$"
Reason = Annotated[str, msgspec.Meta(max_length=LONGEST_REASON, pattern=_PRINTABLE)]
Place = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=_PRINTABLE)]


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One limit that a person moves; how far it may go, the worker says.

    Attributes:
        code: Which alarm.
        limit: In the signal's unit; null leaves it as it is.
        delay_s: Seconds; null leaves it as it is.
    """

    code: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_]{1,32}\.[a-z0-9_]{1,32}$")]
    limit: Annotated[float, msgspec.Meta(ge=-1_000, le=1_000)] | None = None
    delay_s: Annotated[float, msgspec.Meta(ge=0, le=3_600)] | None = None


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody may say: who asks is not for them to say.

    Attributes:
        id: Made by whoever asks, a UUID.
        type: What is asked.
        patient: About whom.
        alert: `acknowledge`, `feedback`: which alarm.
        seconds: `pause`: how long.
        reason: `pause`, `set_limits`: why.
        bed: `admit`, `transfer`: where to.
        profile: `admit`: the alarm profile by name; none: the worker's.
        actionable: `feedback`: was it worth it?
        limits: `set_limits`: what changes. `reset_limits`: which codes; none = all.
            `propose_limits`: what is proposed; none = by the monitors' formulas.
        hours: `set_limits`: how long from now; the asker's clock is not asked.
        proposal: `set_limits`: the `command` of the outcome of `propose_limits`;
            `propose_limits`: of the one that is taken back.
        acvpu: `observe`: A, C, V, P or U.
        on_oxygen: `observe`: on supplementary oxygen.
        spo2_scale: `observe`: 1 or 2.
        values: `observe`: by code of the table of what is charted.

    Raises:
        ValueError: It lacks what its type needs, or has what its type has not.
    """

    id: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f-]{36}$")]
    type: CommandType
    patient: Identifier
    alert: Annotated[str, msgspec.Meta(min_length=1, max_length=320)] | None = None
    seconds: Annotated[float, msgspec.Meta(ge=1, le=600)] | None = None
    reason: Reason | None = None
    bed: Place | None = None
    profile: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    actionable: bool | None = None
    limits: Annotated[list[Change], msgspec.Meta(max_length=_MOST_LIMITS)] = []
    # 72 h: docs/alarms.md, rule 29.
    hours: Annotated[float, msgspec.Meta(gt=0, le=72)] | None = None
    proposal: Annotated[str, msgspec.Meta(min_length=1, max_length=320)] | None = None
    acvpu: Literal["A", "C", "V", "P", "U"] | None = None
    on_oxygen: bool | None = None
    spo2_scale: Literal[1, 2] | None = None
    values: Annotated[dict[str, float], msgspec.Meta(max_length=_MOST_VALUES)] = {}

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.type not in _FIELDS:
            return  # nobody may ask for it here
        needed, optional = _FIELDS[self.type]
        said = {name for name in _ABOUT if getattr(self, name) not in (None, [], {})}
        if too_many := said - needed - optional:
            msg = f"{self.type} has no {', '.join(sorted(too_many))}"
            raise ValueError(msg)
        if missing := needed - said:
            msg = f"{self.type} wants {', '.join(sorted(missing))}"
            raise ValueError(msg)


# What each type of wish must say, and what it may.
_FIELDS: dict[CommandType, tuple[frozenset[str], frozenset[str]]] = {
    CommandType.ADMIT: (frozenset({"bed"}), frozenset({"profile", "reason"})),
    CommandType.TRANSFER: (frozenset({"bed"}), frozenset({"reason"})),
    CommandType.DISCHARGE: (frozenset(), frozenset({"reason"})),
    CommandType.ACKNOWLEDGE: (frozenset({"alert"}), frozenset()),
    CommandType.PAUSE: (frozenset({"reason"}), frozenset({"seconds"})),
    CommandType.RESUME: (frozenset(), frozenset()),
    CommandType.FEEDBACK: (frozenset({"alert", "actionable"}), frozenset()),
    CommandType.OBSERVE: (
        frozenset(),
        frozenset({"acvpu", "on_oxygen", "spo2_scale", "values"}),
    ),
    CommandType.SET_LIMITS: (
        frozenset({"reason"}),
        frozenset({"limits", "hours", "proposal"}),
    ),
    CommandType.RESET_LIMITS: (frozenset(), frozenset({"limits"})),
    CommandType.PROPOSE_LIMITS: (
        frozenset(),
        frozenset({"limits", "reason", "proposal"}),
    ),
}
_ABOUT = frozenset().union(*(needed | may for needed, may in _FIELDS.values()))


class Fate(StrEnum):
    """What became of a wish."""

    DONE = "done"
    REFUSED = "refused"
    UNSENT = "unsent"
    UNKNOWN = "unknown"


class Why(StrEnum):
    """Why a wish was not done, where that is not the worker's word."""

    MAY_NOT = "may_not"
    TOO_MANY = "too_many"
    NO_KAFKA = "no_kafka"
    NO_WORKER = "no_worker"
    NO_REASON = "no_reason"


# Puts it in words for a person: why, whose role, and what was asked.
Words = Callable[[Why, Role, str], str]

_ENGLISH = {
    Why.MAY_NOT: "a {role} may not: {what}",
    Why.TOO_MANY: "too many commands wait for an answer",
    Why.NO_KAFKA: "Kafka does not answer",
    Why.NO_WORKER: "no answer from the worker",
    Why.NO_REASON: "no reason was given",
}


def english(why: Why, role: Role, what: str) -> str:
    """The words of every process but the ward view, which has its own.

    >>> english(Why.MAY_NOT, Role.VIEWER, "pause")
    'a viewer may not: pause'
    """
    return _ENGLISH[why].format(role=role, what=what)


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the person who asked is told.

    Attributes:
        fate: What became of it.
        reason: Why not.
        why: The same for a program, where it is not the worker's word.
        command: `propose_limits`: the id by which it is accepted.
        limits: `propose_limits`: what is proposed; `set_limits`: what changed.
        expires: Until when that holds, or can be accepted; epoch ms.
    """

    fate: Fate
    reason: str = ""
    why: Why | None = None
    command: str = ""
    limits: list[LimitChange] = []
    expires: int | None = None


class Desk:
    """Sends what people ask, and hands each the answer.

    Args:
        settings: Where Kafka is.
        ledger: Where it is written down who asked for what.
        words: In which a person is told why something was not done.
    """

    def __init__(
        self, settings: Settings, ledger: Ledger, words: Words = english
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._words = words
        self._producer: aiokafka.AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._waiting: dict[str, list[asyncio.Future[CommandResult]]] = {}
        self._asking: Counter[str] = Counter()

    def heed(self, result: CommandResult) -> None:
        """Take the outcome of a command, whoever asked for it."""
        for waiting in self._waiting.pop(result.command_id, []):
            if not waiting.done():
                waiting.set_result(result)

    async def ask(self, person: Person, wish: Wish) -> Outcome:
        """Do what a person wishes, if that person may; takes at most some 20 s.

        Args:
            person: Who asks, as we know it: never the asker's word.
            wish: What.
        """
        if not person.may(wish.type):
            refused = self._not(Fate.REFUSED, Why.MAY_NOT, person, wish)
            return self._told(person, wish, refused)
        if self._asking[person.by] >= WAITING_MOST:
            refused = self._not(Fate.REFUSED, Why.TOO_MANY, person, wish)
            return self._told(person, wish, refused)
        self._asking[person.by] += 1
        try:
            outcome = await self._send(person, wish)
        finally:
            self._asking[person.by] -= 1
        return self._told(person, wish, outcome)

    async def close(self) -> None:
        """Let the producer go."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(0.5):
                    await producer.stop()

    async def _send(self, person: Person, wish: Wish) -> Outcome:
        command_id = _id(person, wish)
        command = _command(person, wish, command_id, clock.now_ms())
        answer: asyncio.Future[CommandResult] = (
            asyncio.get_running_loop().create_future()
        )
        self._waiting.setdefault(command_id, []).append(answer)
        try:
            await self._put(command)
            async with asyncio.timeout(ANSWER_S):
                result = await answer
        except KafkaError as error:
            log.warning("command_unsent", reason=str(error), by=person.by)
            return self._not(Fate.UNSENT, Why.NO_KAFKA, person, wish)
        except TimeoutError:
            return self._not(Fate.UNKNOWN, Why.NO_WORKER, person, wish)
        finally:
            # A second try of the same command may wait on.
            others = [f for f in self._waiting.pop(command_id, []) if f is not answer]
            if others:
                self._waiting[command_id] = others
        if result.accepted:
            is_proposal = wish.type is CommandType.PROPOSE_LIMITS
            return Outcome(
                Fate.DONE,
                command=command_id if is_proposal else "",
                limits=result.limits,
                expires=result.expires,
            )
        if result.reason:
            return Outcome(Fate.REFUSED, result.reason)
        return self._not(Fate.REFUSED, Why.NO_REASON, person, wish)

    def _not(self, fate: Fate, why: Why, person: Person, wish: Wish) -> Outcome:
        what = wish.type.replace("_", " ")
        return Outcome(fate, self._words(why, person.role, what), why)

    async def _put(self, command: Command) -> None:
        """Hand it to Kafka, within `SENT_S` or not at all."""
        producer = await self._connected()
        await producer.send_and_wait(
            self._settings.topic_prefix + topics.COMMANDS.name,
            msgspec.json.encode(command),
            key=command.patient_id.encode(),
        )

    async def _connected(self) -> aiokafka.AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                # Not idempotent: such a producer tries for ever, and a pause that begins
                # minutes after it was asked for is worse than one that does not begin.
                # A repeated command is harmless: the worker does it once.
                producer = bus.producer(
                    self._settings,
                    enable_idempotence=False,
                    request_timeout_ms=int(1000 * SENT_S),
                )
                try:
                    await producer.start()
                except KafkaError:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    def _told(self, person: Person, wish: Wish, outcome: Outcome) -> Outcome:
        reason = f": {outcome.reason}" if outcome.reason else ""
        self._ledger.command(
            person,
            wish.type,
            command_id=_id(person, wish),
            patient_id=wish.patient,
            alert_id=wish.alert,
            reason=wish.reason,
            outcome=f"{outcome.fate}{reason}",
        )
        return outcome


def _id(person: Person, wish: Wish) -> str:
    """Under the person's name: nobody can take the answer of another's command."""
    return f"{person.by}/{wish.id}"


def _command(person: Person, wish: Wish, command_id: str, now_ms: int) -> Command:
    hours_ms = None if wish.hours is None else round(wish.hours * topics.HOUR_MS)
    return Command(
        command_id=command_id,
        type=wish.type,
        patient_id=wish.patient,
        by=person.by,
        time=now_ms,
        alert_id=wish.alert,
        seconds=wish.seconds,
        reason=wish.reason,
        bed=wish.bed,
        profile=wish.profile,
        actionable=wish.actionable,
        limits=[LimitChange(c.code, c.limit, c.delay_s) for c in wish.limits],
        expires=None if hours_ms is None else now_ms + hours_ms,
        proposal=wish.proposal,
        acvpu=wish.acvpu,
        on_oxygen=wish.on_oxygen,
        spo2_scale=wish.spo2_scale,
        values=wish.values,
        station=person.station or None,
    )
