"""Stories in time: what is sent about a bed, and what is then to be heard of it.

A story is a function of a bed: `bed.at(12, hr=0)` sends, `bed.ask(...)` is a person,
`bed.expect(between(16, 17), "hr.asystole", HIGH)` is what must be heard. Nothing happens
while it is told: `stage` performs all stories at once, each by patients of its own, on a
real worker over a real Kafka, and then everything that was heard is held against it.

Seconds are measurement time from the story's beginning. What a person asks happens at its
arrival, a few seconds after the message before it, so what follows from it is expected
within some seconds.
"""

import json

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from icu_stream.contracts.alerts import Event, Kind, Priority


HIGH, MEDIUM, LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW
TECHNICAL = Kind.TECHNICAL

# A healthy adult. Nothing of it is near a limit.
CALM: dict[str, Any] = {"hr": 80, "spo2": 97, "rr": 16, "abp_sys": 121, "abp_dia": 70}
CALM |= {"abp_mean": 88, "temp": 37.0}

# What scores and models say of a patient, beside the alarms.
HINTS = ("bed.news2_", "bed.unusual")

# A bed falls silent after 10 s (rule 15): what happens within less belongs to the story.
AFTERWARDS_S = 9.5
# What a person asks arrives within so many seconds of the message before it.
ANSWER_S = 9.0


class Within(NamedTuple):
    """A stretch of the story, both ends included, seconds."""

    first: float
    last: float

    def __str__(self) -> str:
        if self.first == self.last:
            return f"{self.first:g} s"
        return f"{self.first:g}-{self.last:g} s"


def between(first: float, last: float) -> Within:
    """From one second to another, both included."""
    return Within(first, last)


def at(second: float) -> Within:
    """At this moment."""
    return Within(second, second)


class Send(NamedTuple):
    """A message; `value` is what is on the wire."""

    value: bytes
    second: float
    values: dict[str, Any]


class Ask(NamedTuple):
    """A person's command; of an alarm by its code."""

    number: int
    kind: str
    code: str | None
    fields: dict[str, Any]


class Wait(NamedTuple):
    """So many seconds pass on the wall."""

    seconds: float


class Restart(NamedTuple):
    """The worker is killed, stays away for so long, and is started again."""

    down_s: float


Step = Send | Ask | Wait | Restart


class Heard(NamedTuple):
    """All that was said about one patient.

    Attributes:
        base_ms: The story's beginning.
        alerts: By time, each once; `at` is its second.
        answers: Of each command, in the order they came, by the number of the `ask`.
        scores: In their order.
        letters: Reasons of the dead letters.
        repeats: Messages that came twice with the same id and differ.
        links: Where the worker's connections went.
    """

    base_ms: int
    alerts: list[dict[str, Any]]
    answers: dict[int, list[dict[str, Any]]]
    scores: list[dict[str, Any]]
    letters: list[str]
    repeats: int
    links: set[str]


class Check(NamedTuple):
    """What is expected, in words, and what is wrong with what was heard; None if nothing."""

    text: str
    wrong: Callable[[Heard], str | None]


class Bed:
    """What one patient's story is.

    Attributes:
        patient_id: Who.
        steps: What is done.
        checks: What must be heard.
        is_live: Times are the wall's, and messages are not marked as a replay.
        is_paced: A second of the story takes a second.
    """

    def __init__(self, patient_id: str) -> None:
        self.patient_id = patient_id
        self.steps: list[Step] = []
        self.checks: list[Check] = []
        self.is_live = False
        self.is_paced = False
        self.twins: list[Bed] = []
        self._now = 0.0
        self._asked = 0

    # --- what happens

    def at(
        self,
        second: float,
        *,
        calm: bool = True,
        off: float = 0,
        device: str = "mon",
        place: str | None = None,
        without: tuple[str, ...] = (),
        more: dict[str, Any] | None = None,
        **values: Any,
    ) -> None:
        """A message of the monitor: a healthy adult but for what is named.

        Args:
            second: When it was measured.
            calm: What is not named is as in a healthy adult; else absent.
            off: So many seconds the device's clock is wrong.
            device: Which.
            place: The bed.
            without: Signals that are absent.
            more: Other fields of the message.
            values: Of signals.
        """
        measured = (CALM if calm else {}) | values
        measured = {c: v for c, v in measured.items() if c not in without}
        message = {
            "patient_id": self.patient_id,
            "time": f"@{second + off}",
            "bed": place or f"CONF-{self.patient_id}",
            "device": device,
            "values": measured,
        }
        self._now = max(self._now, second)
        wire = json.dumps(message | (more or {})).encode()
        self.steps.append(Send(wire, second, measured))

    def every(
        self, first: float, last: float, *, step: float = 1, **fields: Any
    ) -> None:
        """The same message again and again, both ends included."""
        second = first
        while second <= last:
            self.at(second, **fields)
            second += step

    def calm(self, first: float, last: float, **fields: Any) -> None:
        """Nothing is wrong."""
        self.every(first, last, **fields)

    def wire(self, value: bytes) -> None:
        """Bytes as they are, to the patient's partition."""
        self.steps.append(Send(value, self._now, {}))

    def ask(self, kind: str, code: str | None = None, **fields: Any) -> int:
        """A nurse asks; returns the number of the question.

        Args:
            kind: The command's type.
            code: The alarm that is meant, if one is: its last alert so far.
            fields: Of the command; a `command_id` to ask the same again.
        """
        self._asked += 1
        self.steps.append(Ask(self._asked, kind, code, fields))
        return self._asked

    def wait(self, seconds: float) -> None:
        """Time passes on the wall."""
        self.steps.append(Wait(seconds))

    def worker_is_killed(self, down_s: float = 0) -> None:
        """`kill -9` of the worker, and a start so much later."""
        self.steps.append(Restart(down_s))

    def twin(self) -> "Bed":
        """Another patient with the steps so far."""
        twin = Bed(f"{self.patient_id}-twin")
        own, theirs = self.patient_id.encode(), twin.patient_id.encode()
        twin.steps = [
            step._replace(value=step.value.replace(b'"%b"' % own, b'"%b"' % theirs))
            if isinstance(step, Send)
            else step
            for step in self.steps
        ]
        twin._now = self._now
        self.twins.append(twin)
        return twin

    @property
    def end(self) -> float:
        """The last second of which something is expected."""
        return self._now + AFTERWARDS_S

    @property
    def is_one_piece(self) -> bool:
        """Is it sent at once, with nothing that takes time on the wall?"""
        return all(isinstance(step, Send) for step in self.steps)

    # --- what must be heard

    def expect(
        self,
        when: Within,
        code: str,
        priority: Priority | None = None,
        event: Event = Event.RAISED,
        *,
        count: int = 1,
        **fields: Any,
    ) -> None:
        """This alert, so often within this stretch and with these fields."""
        wanted = {"event": str(event), "code": code} | fields
        if priority is not None:
            wanted["priority"] = str(priority)

        def wrong(heard: Heard) -> str | None:
            found = [
                row
                for row in heard.alerts
                if when.first <= row["at"] <= when.last
                and all(row.get(name) == value for name, value in wanted.items())
            ]
            return None if len(found) == count else f"{len(found)} of {count} {text}"

        said = " ".join(f"{name}={value}" for name, value in fields.items())
        often = f"{count}x " if count != 1 else ""
        words = [f"{when}: {often}{code}", str(event), str(priority or ""), said]
        text = " ".join(word for word in words if word)
        self.checks.append(Check(text, wrong))

    def raises_only(self, *codes: str) -> None:
        """No other alarm is raised than these, each of them once or more.

        What scores and models say besides is left out, unless it is named.
        """

        def wrong(heard: Heard) -> str | None:
            raised = {
                row["code"]
                for row in self._raised(heard)
                if row["code"] in codes or not row["code"].startswith(HINTS)
            }
            if not self.is_one_piece and "bed.no_data" not in codes:
                # Between two steps the wall's clock goes on.
                raised.discard("bed.no_data")
            return None if raised == set(codes) else f"raised {sorted(raised)}"

        text = f"alarms: {', '.join(codes)} alone" if codes else "no alarm"
        self.checks.append(Check(text, wrong))

    def never(self, *codes: str) -> None:
        """None of these is raised."""

        def wrong(heard: Heard) -> str | None:
            found = {row["code"] for row in self._raised(heard)} & set(codes)
            return f"raised {sorted(found)}" if found else None

        self.checks.append(Check(f"no {', no '.join(codes)}", wrong))

    def one_alarm(self, code: str, *, episodes: int = 1) -> None:
        """One alarm id of this code, raised once; so many when there are episodes."""

        def wrong(heard: Heard) -> str | None:
            ids = [r["alert_id"] for r in self._raised(heard) if r["code"] == code]
            if heard.repeats:
                return f"{heard.repeats} ids with two contents"
            if len(ids) == len(set(ids)) == episodes:
                return None
            return f"raised {len(ids)} times as {len(set(ids))} alarms"

        text = f"{episodes} {code}, raised once" + ("" if episodes == 1 else " each")
        self.checks.append(Check(text, wrong))

    def no_other(self, event: Event, code: str, *, count: int = 0) -> None:
        """The event comes so often for the code in the whole story."""

        def wrong(heard: Heard) -> str | None:
            found = sum(
                row["code"] == code and row["event"] == event and row["at"] <= self.end
                for row in heard.alerts
            )
            return None if found == count else f"{found} times {code} {event}"

        often = f"{count}x" if count else "never"
        self.checks.append(Check(f"{code} {often} {event}", wrong))

    def answered(self, number: int, reason: str | None = None, times: int = 1) -> None:
        """The question is accepted, or refused with a reason that says this."""

        def wrong(heard: Heard) -> str | None:
            answers = heard.answers.get(number, [])
            if len(answers) != times:
                return f"{len(answers)} answers"
            for answer in answers:
                said = answer.get("reason") or ""
                if answer["accepted"] is not (reason is None):
                    return f"accepted={answer['accepted']} ({said})"
                if reason is not None and (not said or reason not in said):
                    return f"reason {said!r}"
            return None

        kind = next(
            step.kind
            for step in self.steps
            if isinstance(step, Ask) and step.number == number
        )
        refused = f"refused: {reason}" if reason else "refused with a reason"
        what = "accepted" if reason is None else refused
        often = "" if times == 1 else f" (answered {times} times)"
        self.checks.append(Check(f"{kind} {what}{often}", wrong))

    def dead_letter(self, reason: str, count: int = 1) -> None:
        """So many dead letters whose reason says this."""

        def wrong(heard: Heard) -> str | None:
            found = sum(reason in letter for letter in heard.letters)
            return None if found == count else f"dead letters: {heard.letters}"

        self.checks.append(Check(f"{count} dead letter: {reason}", wrong))

    def scored(self, text: str, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """The last scores that were said are as wanted."""

        def wrong(heard: Heard) -> str | None:
            if not heard.scores:
                return "no scores"
            return None if wanted(heard.scores[-1]) else f"scores {heard.scores[-1]}"

        self.checks.append(Check(text, wrong))

    def holds(self, text: str, wrong: Callable[[Heard], str | None]) -> None:
        """Anything else."""
        self.checks.append(Check(text, wrong))

    def _raised(self, heard: Heard) -> list[dict[str, Any]]:
        return [
            row
            for row in heard.alerts
            if row["event"] == "raised" and row["at"] <= self.end
        ]


class Story(NamedTuple):
    """One scenario.

    Attributes:
        number: 1 to 20 are those that any icu-stream must pass; ours follow.
        name: The claim.
        sent: What is sent, in words.
        tell: Tells it to a bed.
    """

    number: int
    name: str
    sent: str
    tell: Callable[[Bed], None]

    def told(self) -> Bed:
        """The story, told to a bed of its own."""
        bed = Bed(f"s{self.number:02d}")
        self.tell(bed)
        return bed


STORIES: dict[int, Story] = {}


def story(
    number: int, name: str, sent: str
) -> Callable[[Callable[[Bed], None]], Callable[[Bed], None]]:
    """Register a scenario."""

    def register(tell: Callable[[Bed], None]) -> Callable[[Bed], None]:
        assert number not in STORIES, f"two stories {number}"
        STORIES[number] = Story(number, name, sent, tell)
        return tell

    return register


def samples(bed: Bed) -> Iterator[tuple[float, dict[str, Any]]]:
    """What was measured of a bed, in the order it was sent: second and values."""
    for step in bed.steps:
        if isinstance(step, Send):
            yield step.second, step.values
