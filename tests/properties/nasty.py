"""Nasty logs: one patient's records as no ward should produce them, from a seed.

Values dwell around their limits, fall to zero, are nonsense; signals, devices and the
whole bed fall silent for about their no-data times; messages come twice, late, or with
a clock that jumped; ticks and commands come in between. `log` makes one such log,
`shrunk` takes from it whatever is not needed to show a difference.
"""

import random

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.integration.reference import LIMITS, SIGNALS, Limit, Patient, Record


START_MS = 1_700_000_000_000
PATIENT = "p-1"

NORMAL = {
    "hr": 80,
    "pulse": 80,
    "spo2": 97,
    "rr": 16,
    "abp_sys": 120,
    "abp_dia": 70,
    "abp_mean": 87,
    "nibp_sys": 120,
    "nibp_dia": 70,
    "nibp_mean": 87,
    "temp": 37.0,
    "etco2": 38,
    "cvp": 8,
    "fio2": 40,
}
# JSON that is no number, or no number that an instrument can show.
NONSENSE: tuple[Any, ...] = ("text", "", "82", True, False, [], [1], {}, 1e308, -1e308)
NEAR = (-3, -2.01, -2, -1, -0.1, -0.01, 0, 0.01, 0.1, 0.5, 1, 1.99, 2, 3, 3.01)
SILENCES_S = (2, 5, 9, 9.999, 10, 10.001, 11, 12, 15, 25, 29, 30, 31, 61, 70, 130, 200)
JUMPS_S = (3600, -3600, 61, -61, 60, -60, 59, 5, -5, 90_000)
MANNERS = (
    *("normal", "near", "near", "edge", "episode", "episode"),
    *("outside", "outside", "zero", "flicker"),
)
UNKNOWN = ("gcs", "HR", "")


@dataclass
class Source:
    """One device and what it is about to do."""

    name: str
    signals: list[str]
    offset_ms: int
    interval_s: float | None
    silent_until: int = 0
    jump_ms: int = 0
    jump_until: int = 0
    regimes: dict[str, str] = field(default_factory=dict)
    missing_until: dict[str, int] = field(default_factory=dict)


def log(seed: int) -> list[Record]:
    """One nasty log; the same seed makes the same log."""
    return Nasty(seed).records()


class Nasty:
    """One log in the making."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.nastiness = self.random.choice((0.0, 0.005, 0.02, 0.06))
        self.wall = START_MS
        self.step_s: float = self.random.choice((1, 1, 1, 1, 1, 2, 5, 60, 3600))
        self.length = self.random.choice((20, 60, 60, 120, 250))
        # Now and then a calm patient, watched for longer.
        self.is_calm = self.random.random() < 0.15
        if self.is_calm:
            self.length *= self.random.choice((1, 1, 8))
        self.replay = self.random.random() < 0.2
        self.ticking = self.random.random() < 0.6 and not self.replay
        self.jittering = self.random.random() < 0.5
        self.offset_ms = self.random.choice((0, 0, 0, 700, -4000, 86_400_000))
        self.sources = [self.source(i) for i in range(self.random.choice((1, 1, 2, 3)))]
        self.log: list[Record] = []
        self.patient = Patient(PATIENT)  # knows the ids that can be acknowledged
        self.seen: list[str] = []

    def source(self, number: int) -> Source:
        """A device with a few signals, and its own idea of the time."""
        signals = self.random.sample(list(SIGNALS), self.random.choice((1, 1, 2, 3, 5)))
        if self.random.random() < 0.3:
            signals = self.random.choice(
                (
                    ["hr", "pulse"],
                    ["hr", "abp_sys", "abp_dia"],
                    ["hr", "spo2"],
                    ["spo2"],
                    ["abp_sys", "abp_dia", "abp_mean"],
                    ["rr", "etco2"],
                )
            )
        declares = self.step_s != 1 and self.random.random() < 0.8
        return Source(
            name=f"d{number}" if number else "",
            signals=signals,
            offset_ms=self.offset_ms
            + self.random.choice((0, 0, 0, 1000, -200, 1500, -11_000)),
            interval_s=self.step_s if declares else None,
        )

    def chance(self, factor: float = 1.0) -> bool:
        """Does something nasty happen now?"""
        return self.random.random() < self.nastiness * factor

    def records(self) -> list[Record]:
        """The whole log."""
        while len(self.log) < self.length:
            for source in self.sources:
                self.speak(source)
            if self.ticking and self.random.random() < 0.5:
                self.tick()
            if self.chance(3):
                self.ask()
            self.pass_time()
        return self.log

    def pass_time(self) -> None:
        """To the next round, or past a silence of the whole bed."""
        step_ms = round(self.step_s * 1000)
        if self.jittering:
            step_ms += self.random.choice((0, 0, 0, -1, 1, -300, 250))
        if self.chance():
            until = self.wall + self.silence_ms()
            while self.ticking and self.wall + step_ms < until:
                self.wall += step_ms
                self.tick()
            self.wall = max(self.wall + step_ms, until)
        else:
            self.wall += step_ms

    def silence_ms(self) -> int:
        """About a no-data time."""
        seconds = self.random.choice(SILENCES_S)
        return round(seconds * 1000 * (self.step_s if self.step_s > 5 else 1))

    def add(self, record: Record) -> None:
        """Put a record into the log, and keep the patient's alarms known."""
        self.log.append(record)
        before = len(self.patient.outcome.transitions)
        self.patient.take(record)
        for transition in self.patient.outcome.transitions[before:]:
            if transition.event == "raised":
                self.seen.append(transition.alert_id)

    def tick(self) -> None:
        """The worker's clock."""
        wall = self.wall - (self.random.choice((1000, 30_000)) if self.chance() else 0)
        self.add(Record({"patient_id": PATIENT, "time": wall}, wall, "tick"))

    def ask(self) -> None:
        """A person asks something."""
        kind = self.random.choices(
            ("acknowledge", "signal_off", "discharge", "transfer"), (16, 3, 1, 1)
        )
        command: dict[str, Any] = {
            "command_id": f"c-{len(self.log)}",
            "type": kind[0],
            "patient_id": PATIENT,
            "by": self.random.choice(("nurse", "doctor")),
            "time": self.wall,
        }
        if kind[0] == "acknowledge":
            known = [alarm.alert_id for alarm in self.patient.alarms.values()]
            recent = [*known * 3, *self.seen[-4:], f"{PATIENT}:hr.low:1"]
            command["alert_id"] = self.random.choice(recent)
        elif kind[0] == "signal_off":
            command["signal"] = self.random.choice(
                self.random.choice(self.sources).signals
            )
        elif kind[0] == "transfer":
            command["bed"] = "B-2"
        if kind[0] != "acknowledge" and self.random.random() < 0.5:
            for source in self.sources:  # what was known before must not count now
                source.regimes["hr"] = "zero"
        record = Record(command, self.wall, "command")
        self.add(record)
        if self.chance(5):
            self.add(record)

    def speak(self, source: Source) -> None:
        """One message of one device, unless it is silent."""
        if self.chance(0.5):
            source.silent_until = self.wall + self.silence_ms()
        if self.chance(0.7):
            source.jump_ms = round(self.random.choice(JUMPS_S) * 1000)
            source.jump_until = self.wall + self.random.choice((1, 2, 4, 40)) * 1000
        if self.wall < source.silent_until:
            return
        replay = self.replay != self.chance(0.3)
        record = Record(self.message(source), self.arrival(), "vitals", replay)
        self.add(record)
        if self.chance(2):
            self.repeat(record)
        if self.chance(0.5):
            self.empty_buffer(source)

    def empty_buffer(self, source: Source) -> None:
        """A device sends at once what it kept for a minute or more."""
        first = self.wall - self.random.choice((58, 61, 63, 70, 130)) * 1000
        for number in range(self.random.choice((2, 3, 4, 12))):
            message = self.message(source)
            message["time"] = first + source.offset_ms + number * 1000
            arrived = self.wall + number * self.random.choice((1, 250, 300, 600))
            self.add(Record(message, arrived, "vitals", self.replay))

    def arrival(self) -> int:
        """When Kafka stamps the message."""
        return self.wall + (self.random.randrange(300) if self.jittering else 0)

    def repeat(self, record: Record) -> None:
        """The same again: byte for byte, with other values, or a little earlier."""
        message = dict(record.message)
        how = self.random.choice(("same", "same", "values", "earlier", "old"))
        if how == "values":
            message["values"] = {s: self.random.choice((0, 45, 90)) for s in NORMAL}
        elif how == "earlier":
            message["time"] -= self.random.choice((1, 999, 1000, 5000))
        elif how == "old":
            vitals = [r for r in self.log if r.kind == "vitals"]
            message = dict(self.random.choice(vitals[-20:]).message)
        self.add(Record(message, record.arrived_ms + 50, "vitals", self.replay))

    def message(self, source: Source) -> dict[str, Any]:
        """What the device says now."""
        jump_ms = source.jump_ms if self.wall < source.jump_until else 0
        message: dict[str, Any] = {
            "patient_id": PATIENT,
            "device": source.name,
            "time": self.wall + source.offset_ms + jump_ms,
            "values": self.values(source),
        }
        if self.chance():
            source.interval_s = self.random.choice((None, 0.5, 1, 2, 4, 5, 60, 3600))
        if source.interval_s is not None:
            message["interval_s"] = source.interval_s
        if self.chance():
            message["status"] = {self.random.choice(source.signals): "sensor_off"}
        return message

    def values(self, source: Source) -> dict[str, Any]:
        """Its signals, except those that are silent."""
        values: dict[str, Any] = {}
        for signal in source.signals:
            if self.chance():
                source.missing_until[signal] = self.wall + self.silence_ms()
            if self.wall >= source.missing_until.get(signal, 0):
                values[signal] = self.value(source, signal)
        if self.chance():
            values[self.random.choice(UNKNOWN)] = 1
        if self.chance() and values:
            values[self.random.choice(list(values))] = None
        return values

    def value(self, source: Source, signal: str) -> Any:
        """One value in the manner in which the signal behaves for a while."""
        if signal not in source.regimes or self.random.random() < 0.08:
            is_normal = self.is_calm and self.random.random() < 0.95
            manner = "normal" if is_normal else self.random.choice(MANNERS)
            source.regimes[signal] = manner
        if self.chance():
            return self.nonsense(signal)
        return self.value_in(source.regimes[signal], source, signal)

    def value_in(self, manner: str, source: Source, signal: str) -> Any:
        """One value in a manner."""
        limits = [row for row in LIMITS if row.signal == signal]
        if manner == "zero":
            return self.random.choice((0, 0, 0.0))
        if signal == "abp_dia" and manner != "normal":  # a line that hardly beats
            return NORMAL["abp_sys"] - self.random.choice((14, 14.99, 15, 15.01, 16))
        if manner == "normal" or not limits:
            return NORMAL[signal]
        if manner == "flicker":
            return self.random.choice((NORMAL[signal], 0, limits[0].limit))
        row = limits[self.source_row(source, signal) % len(limits)]
        return self.value_about(row, manner)

    def value_about(self, row: Limit, manner: str) -> float:
        """One value close to a limit, at the edge of its deadband, or outside."""
        outwards = 1 if row.side == "above" else -1
        if manner == "episode":
            manner = "outside" if len(self.log) % 60 < 40 else "edge"
        if manner == "near":
            return round(row.limit + self.random.choice(NEAR), 2)
        if manner == "edge":
            short = 0.01 if self.random.random() < 0.03 else 0
            return row.limit - outwards * (row.deadband - short)
        return row.limit + (15 * outwards if row.limit > 20 else 0)

    def source_row(self, source: Source, signal: str) -> int:
        """The limit around which a signal dwells; it changes slowly."""
        return len(self.log) // 40 + len(signal) + len(source.name)

    def nonsense(self, signal: str) -> Any:
        """What no patient has."""
        edges = SIGNALS[signal]
        return self.random.choice(
            (*NONSENSE, edges.low - 0.01, edges.high + 0.01, edges.low, edges.high)
        )


def shrunk(
    records: Sequence[Record], differs: Callable[[Sequence[Record]], bool]
) -> list[Record]:
    """Fewer records, and fewer values in them, that differ still."""
    kept = list(records)
    size = max(1, len(kept) // 2)
    while True:
        start = 0
        removed = False
        while start < len(kept):
            fewer = kept[:start] + kept[start + size :]
            if differs(fewer):
                kept, removed = fewer, True
            else:
                start += size
        if size > 1:
            size //= 2
        elif not removed:
            return _with_fewer_values(kept, differs)


def _with_fewer_values(
    kept: list[Record], differs: Callable[[Sequence[Record]], bool]
) -> list[Record]:
    for index, record in enumerate(kept):
        for signal in list(record.message.get("values", {})):
            values = dict(kept[index].message["values"])
            del values[signal]
            lighter = Record(
                kept[index].message | {"values": values},
                record.arrived_ms,
                record.kind,
                record.replay,
            )
            fewer = [*kept[:index], lighter, *kept[index + 1 :]]
            if differs(fewer):
                kept = fewer
    return kept
