"""A log for stories in the past: `past.at(12, hr=0)`, then what a backtest makes of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from icu_stream.contracts.commands import Command, CommandType
from icu_stream.contracts.vitals import Vitals
from icu_stream.evaluation.logs import End, Record, Span, Unreadable


# A whole hour, so that minutes and buckets begin with the stories.
DAY = 1_700_002_800_000

Read = Record | Unreadable | End


def ms(second: float) -> int:
    """A second of the story as epoch milliseconds."""
    return DAY + round(second * 1000)


@dataclass
class Some:
    """Some patients' records."""

    records: list[Read]
    records_total: int = 0

    def read(self, spans: Sequence[Span] | None = None) -> Iterator[Read]:
        yield from self.records


@dataclass
class Past:
    """A log that is written down.

    Attributes:
        records: In their order.
    """

    title: str = "a story"
    is_live: bool = False
    records: list[Read] = field(default_factory=list)

    def at(
        self,
        second: float,
        *,
        patient: str = "p-1",
        arrived: float | None = None,
        interval_s: float | None = None,
        device: str = "mon",
        **values: Any,
    ) -> "Past":
        """A message measured at a second."""
        vitals = Vitals(
            patient_id=patient,
            time=ms(second),
            bed="ICU1-01",
            device=device,
            values={code: float(value) for code, value in values.items()},
            interval_s=interval_s,
        )
        arrived_ms = ms(second if arrived is None else arrived)
        self.records.append(Record(patient, vitals, arrived_ms, arrived is None))
        return self

    def every(self, seconds: range, *, patient: str = "p-1", **values: Any) -> "Past":
        """The same message again and again."""
        for second in seconds:
            self.at(second, patient=patient, **values)
        return self

    def asked(
        self, second: float, kind: CommandType, *, patient: str = "p-1", **fields: Any
    ) -> "Past":
        """A command."""
        command = Command(
            command_id=f"c-{len(self.records)}",
            type=kind,
            patient_id=patient,
            by="a nurse",
            time=ms(second),
            **fields,
        )
        self.records.append(Record(patient, command, ms(second), False))
        return self

    def until(self, second: float) -> "Past":
        """Time passes until then, and the log is read no further."""
        self.records.append(End(ms(second)))
        return self

    def parts(self, processes: int) -> list[Some]:
        """One a patient; what is about none is in the first."""
        patients = {r.patient_id for r in self.records if isinstance(r, Record)}
        parts = {name: Some([]) for name in sorted(patients)}
        for record in self.records:
            if isinstance(record, Record):
                parts[record.patient_id].records.append(record)
            elif isinstance(record, End):
                for part in parts.values():
                    part.records.append(record)
            else:
                next(iter(parts.values())).records.append(record)
        return list(parts.values())
