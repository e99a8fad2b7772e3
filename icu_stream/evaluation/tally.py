"""What a backtest counts, in structs that can be added: patient by patient, part by part.

All counts and times are whole numbers, so that the sum does not depend on the order in
which parts come, or on how many processes counted.

Events of alarms are counted by their name, whatever events there are; an *alarm* is one
that was `raised`, an *annunciation* an alert that should make a sound.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from icu_stream.contracts.alerts import Kind, Priority


DAY_MS = 86_400_000
# Charted or streamed? Declared seconds between two messages, upper edges (ours).
SPACINGS_S = (1.0, 60.0, 900.0, 3600.0, float("inf"))


class CodeTally(msgspec.Struct, kw_only=True):
    """All alarms of one code.

    Attributes:
        kind: Patient, measurement or hint.
        signal: The signal's code; None for a bed's alarm.
        alarms: How many were raised, by priority.
        annunciations: How many alerts should make a sound, by priority then.
        events: How many alerts, by event.
        holding_ms: How long they held, of all patients.
    """

    kind: Kind
    signal: str | None = None
    alarms: dict[str, int] = {}
    annunciations: dict[str, int] = {}
    events: dict[str, int] = {}
    holding_ms: int = 0

    def add(self, other: "CodeTally") -> None:
        """Count what the other has counted, too."""
        self.alarms = _sum(self.alarms, other.alarms)
        self.annunciations = _sum(self.annunciations, other.annunciations)
        self.events = _sum(self.events, other.events)
        self.holding_ms += other.holding_ms


class Judged(msgspec.Struct, kw_only=True):
    """What is known to be true, held against the alarms.

    Attributes:
        total: Things that should have been alarmed, by what they are.
        caught: Of them, alarmed in time.
        late: Of them, alarmed too late.
        missed: Of them, not alarmed.
        lead_ms: From the first alarm to each event that was caught; negative where the
            alarm comes after its beginning, as that of a simulated story does.
        right: Alarms, by priority, that the truth asks for or allows.
        wrong: Alarms that it does not.
        unjudged: Alarms of which nobody can say.
        patients: Patients with, and without, something to be alarmed, by `with` and
            `without`; and how many of each had an alarm, by `alarmed_with` and
            `alarmed_without`.
    """

    total: dict[str, int] = {}
    caught: dict[str, int] = {}
    late: dict[str, int] = {}
    missed: dict[str, int] = {}
    lead_ms: dict[str, list[int]] = {}
    right: dict[str, int] = {}
    wrong: dict[str, int] = {}
    unjudged: dict[str, int] = {}
    patients: dict[str, int] = {}

    def add(self, other: "Judged") -> None:
        """Count what the other has counted, too."""
        for name in _COUNTED:
            setattr(self, name, _sum(getattr(self, name), getattr(other, name)))
        for what, leads in other.lead_ms.items():
            self.lead_ms[what] = sorted([*self.lead_ms.get(what, []), *leads])


_COUNTED = (
    "total",
    "caught",
    "late",
    "missed",
    "right",
    "wrong",
    "unjudged",
    "patients",
)


class ProfileTally(msgspec.Struct, kw_only=True):
    """All that was said under one profile.

    Attributes:
        codes: By code of the alarm.
        holding_ms: How long at least one alarm held: of `any` kind, of priority `high`,
            and of each kind.
        judged: Against what is true; None where nothing is known.
        answers: Commands, by `accepted` and `refused`.
        faults: Records on which a rule raised.
    """

    codes: dict[str, CodeTally] = {}
    holding_ms: dict[str, int] = {}
    judged: Judged | None = None
    answers: dict[str, int] = {}
    faults: int = 0

    def add(self, other: "ProfileTally") -> None:
        """Count what the other has counted, too."""
        for code, tally in other.codes.items():
            mine = self.codes.get(code)
            if mine is None:
                mine = self.codes[code] = CodeTally(
                    kind=tally.kind, signal=tally.signal
                )
            mine.add(tally)
        self.holding_ms = _sum(self.holding_ms, other.holding_ms)
        self.answers = _sum(self.answers, other.answers)
        self.faults += other.faults
        if other.judged is not None:
            self.judged = self.judged or Judged()
            self.judged.add(other.judged)

    def alarms(self, *priorities: Priority) -> int:
        """How many alarms were raised; of these priorities, none named = of all."""
        return _chosen((tally.alarms for tally in self.codes.values()), priorities)

    def annunciations(self, *priorities: Priority) -> int:
        """How many alerts should make a sound."""
        return _chosen(
            (tally.annunciations for tally in self.codes.values()), priorities
        )

    def events(self) -> dict[str, int]:
        """How many alerts, by event, in the order of their names."""
        counts: dict[str, int] = {}
        for tally in self.codes.values():
            counts = _sum(counts, tally.events)
        return dict(sorted(counts.items()))


class Seen(msgspec.Struct, kw_only=True):
    """What was read, whatever the profile.

    Attributes:
        patients: How many.
        messages: Of devices.
        values: In them.
        commands: Of people.
        monitored_ms: From each patient's first message to the last, and its interval.
        spacings: Messages by the declared seconds to the next one: by the upper edge.
        signals: Values by signal.
        unreadable: Records that the worker would send to dead-letters.
        reasons: Of the first few of them, why.
    """

    patients: int = 0
    messages: int = 0
    values: int = 0
    commands: int = 0
    monitored_ms: int = 0
    spacings: dict[str, int] = {}
    signals: dict[str, int] = {}
    unreadable: int = 0
    reasons: list[str] = []

    @property
    def days(self) -> float:
        """Patient-days."""
        return self.monitored_ms / DAY_MS

    def add(self, other: "Seen") -> None:
        """Count what the other has counted, too."""
        for name in _SEEN:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.spacings = _sum(self.spacings, other.spacings)
        self.signals = _sum(self.signals, other.signals)
        self.reasons = sorted([*self.reasons, *other.reasons])[:MOST_REASONS]

    def typical_spacing_s(self) -> float:
        """Upper edge of the spacing that the middle message has; 0 without a message."""
        middle = self.messages / 2
        counted = 0
        for edge in SPACINGS_S:
            counted += self.spacings.get(f"{edge:g}", 0)
            if counted and counted >= middle:
                return edge
        return 0.0


_SEEN = (
    "patients",
    "messages",
    "values",
    "commands",
    "monitored_ms",
    "unreadable",
)
# Of unreadable records only the first few are told (ours).
MOST_REASONS = 5


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return dict(Counter(one) + Counter(other)) if other else one


def _chosen(counts: Iterable[dict[str, int]], priorities: Sequence[Priority]) -> int:
    return sum(
        number
        for count in counts
        for priority, number in count.items()
        if not priorities or priority in priorities
    )
