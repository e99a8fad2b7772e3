"""A bed for stories in time: `bed.at(12, hr=0)`, then what was told."""

import dataclasses

from typing import Any

import msgspec

from icu_stream import profiles
from icu_stream.contracts.alerts import Alert
from icu_stream.contracts.commands import Command, CommandResult, CommandType
from icu_stream.contracts.scores import Scores
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import monitor, patient
from icu_stream.domain.limits import Rules


ADULT = profiles.load("adult")
# Without NEWS2's own alarms, which would be told beside each other one of an ill patient.
LIMITS = dataclasses.replace(ADULT, news2=())

# A whole hour, so that minutes and buckets begin with the stories.
DAY = 1_700_002_800_000


def ms(second: float) -> int:
    """A second of the story as epoch milliseconds."""
    return DAY + round(second * 1000)


class Bed:
    """One patient and what was said about it.

    Attributes:
        patient: Its state.
        said: Every message.
    """

    def __init__(self, rules: Rules = LIMITS, patient_id: str = "p-1") -> None:
        self.rules = rules
        self.patient = patient.new(patient_id)
        self.said: list[Any] = []
        self._asked = 0

    def at(
        self,
        second: float,
        *,
        arrived: float | None = None,
        device: str = "mon",
        bed: str = "ICU1-01",
        interval_s: float | None = None,
        replay: bool = False,
        primary: bool = False,
        status: dict[str, str] | None = None,
        **values: Any,
    ) -> list[str]:
        """A message measured at a second; returns what was told on it."""
        vitals = Vitals(
            patient_id=self.patient.patient_id,
            time=ms(second),
            bed=bed,
            device=device,
            # As decoded: JSON has no integers for us.
            values={c: float(v) if type(v) is int else v for c, v in values.items()},
            interval_s=interval_s,
            primary=primary,
            status=status or {},
        )
        arrived_ms = ms(second if arrived is None else arrived)
        return self.take(vitals, arrived_ms, replay=replay)

    def take(
        self, vitals: Vitals, arrived_ms: int, *, replay: bool = False
    ) -> list[str]:
        """Step with a message."""
        said = monitor.step(self.patient, vitals, arrived_ms, self.rules, replay=replay)
        return self._heard(said)

    def every_second(self, first: int, last: int, **values: Any) -> list[str]:
        """The same message each second, both ends included."""
        told = []
        for second in range(first, last + 1):
            told += self.at(second, **values)
        return told

    def tick(self, second: float) -> list[str]:
        """Our clock."""
        return self._heard(monitor.tick(self.patient, ms(second), self.rules))

    def ask(self, second: float, kind: str, **fields: Any) -> CommandResult:
        """A nurse asks."""
        self._asked += 1
        named = {"command_id": f"c-{self._asked}", "by": "nurse"} | fields
        command = Command(
            type=CommandType(kind),
            patient_id=self.patient.patient_id,
            time=ms(second),
            **named,
        )
        result, said = monitor.command(self.patient, command, ms(second), self.rules)
        self._heard(said)
        return result

    def acknowledge(self, second: float, code: str) -> CommandResult:
        """A nurse acknowledges an alarm by its code."""
        alarm = self.patient.alarms[code]
        return self.ask(
            second, "acknowledge", alert_id=self.alert_id(code, alarm.onset)
        )

    def alert_id(self, code: str, onset_ms: int) -> str:
        """The id of an alarm."""
        return f"{self.patient.patient_id}:{code}:{onset_ms}"

    def fault(self, second: float, reason: str = "planted") -> list[str]:
        """Monitoring failed."""
        return self._heard(monitor.fault(self.patient, ms(second), reason, self.rules))

    def saved_and_restored(self) -> "Bed":
        """The same bed in another worker."""
        pieces = patient.save(self.patient)
        self.patient = patient.restore(self.patient.patient_id, pieces)
        return self

    def due_s(self) -> float | None:
        """When the next thing falls due, in seconds of the story."""
        due = monitor.due_ms(self.patient)
        return None if due is None else (due - DAY) / 1000

    @property
    def alerts(self) -> list[Alert]:
        """Every alert."""
        return [message for message in self.said if isinstance(message, Alert)]

    @property
    def last(self) -> Alert:
        """The last alert."""
        return self.alerts[-1]

    @property
    def told(self) -> list[str]:
        """What was told, all of it."""
        return told(self.said)

    def states(self) -> dict[str, str]:
        """Alarms that are not over."""
        return {code: str(alarm.state) for code, alarm in self.patient.alarms.items()}

    def _heard(self, said: Any) -> list[str]:
        self.said += said
        return told(said)


def told(said: Any) -> list[str]:
    """Alerts as `second code event`."""
    return [
        f"{(alert.time - DAY) / 1000:g} {alert.code} {alert.event}"
        for alert in said
        if isinstance(alert, Alert)
    ]


def encoded(said: Any) -> list[bytes]:
    """Messages as on the wire."""
    return [msgspec.json.encode(message) for message in said]


def scores(said: Any) -> list[Scores]:
    """The scores among messages."""
    return [message for message in said if isinstance(message, Scores)]
