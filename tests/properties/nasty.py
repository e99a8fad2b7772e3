"""Nasty logs: one patient's records as no ward should produce them, from a seed.

Values dwell around their limits, fall to zero, are nonsense; signals, devices and the
whole bed fall silent for about their no-data times; messages come twice, late, or with
a clock that jumped; ticks and commands come in between. A log belongs to some of the
`FAMILIES` besides, each of which adds its own sort of trouble. `log` makes one such
log, `shrunk` takes from it whatever is not needed to show a difference.
"""

import random

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.integration.reference import (
    HARD,
    LIMITS,
    PROFILES,
    SIGNALS,
    Limit,
    Patient,
    Record,
)


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

# What a log may have besides, by its seed.
FAMILIES = (
    "worth",  # steps, flat lines, means that cannot be, kilopascals
    "words",  # what devices say by status
    "devices",  # several that measure the same, by other clocks, some primary
    "worse",  # falling further and further, flapping
    "pauses",
    "limits",  # of one patient, right and wrong
    "stays",  # admissions, other profiles, feedback, charting
)
ASKS = {"pauses", "limits", "stays"}
LINE = ("abp_sys", "abp_dia", "abp_mean")
# Outside a limit of medium priority, each.
OUTSIDE = {"hr": 121, "spo2": 89, "abp_sys": 161, "abp_mean": 111}
LINES = (
    ["hr", "spo2", *LINE],
    ["hr", "spo2", "nibp_sys", "nibp_dia", "nibp_mean"],
    ["spo2", "etco2", "hr"],
    list(LINE),
)
WORDS = ("lead_off", "sensor_off", "disconnected", "searching", "searching")
OTHER_WORDS = ("measuring", "calibrating", "")
PAUSES_S = (None, 1, 5, 30, 60, 119.9995, 120, 120, 120.001, 0.999, 0, -1, 600)


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
    primary: bool | None = None
    spell: str = ""
    spell_until: int = 0
    word: str = ""
    word_about: str = ""
    word_until: int = 0
    regimes: dict[str, str] = field(default_factory=dict)
    missing_until: dict[str, int] = field(default_factory=dict)


def log(seed: int) -> list[Record]:
    """One nasty log; the same seed makes the same log."""
    return Nasty(seed).records()


class Nasty:
    """One log in the making."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        chooses = random.Random(f"families of {seed}")
        self.families = {name for name in FAMILIES if chooses.random() < 0.35}
        self.period = chooses.choice((12, 12, 19, 20))
        self.manners: tuple[str, ...] = MANNERS
        if "worse" in self.families:
            self.manners += ("falling", "falling", "flapping", "flapping", "nonsense")
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
        # Now and then a person asks before the first message, whose clock is another.
        self.is_early = bool(self.families & ASKS) and chooses.random() < 0.2
        if self.is_early:
            self.offset_ms = chooses.choice((0, -3_600_000, 3_600_000))
        self.sources = [self.source(i) for i in range(self.random.choice((1, 1, 2, 3)))]
        if "devices" in self.families:
            self.sources += [self.rival(len(self.sources))]
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
        if "worth" in self.families and self.random.random() < 0.8:
            signals = list(self.random.choice(LINES))
        declares = self.step_s != 1 and self.random.random() < 0.8
        return Source(
            name=f"d{number}" if number else "",
            signals=signals,
            offset_ms=self.offset_ms
            + self.random.choice((0, 0, 0, 1000, -200, 1500, -11_000)),
            interval_s=self.step_s if declares else None,
        )

    def rival(self, number: int) -> Source:
        """A device that measures what another one measures, by another clock."""
        other = self.random.choice(self.sources)
        rival = self.source(number)
        rival.signals = list(dict.fromkeys([*other.signals, *rival.signals[:1]]))
        rival.offset_ms = other.offset_ms + self.random.choice(
            (
                0,
                0,
                1,
                300,
                1000,
                -1000,
                4000,
                -4000,
                9000,
                -9500,
                11_000,
                40_000,
                -59_000,
            )
        )
        for source in (other, rival):
            source.primary = self.random.choice((None, None, True, False))
        return rival

    def chance(self, factor: float = 1.0) -> bool:
        """Does something nasty happen now?"""
        return self.random.random() < self.nastiness * factor

    def records(self) -> list[Record]:
        """The whole log."""
        while self.is_early and self.random.random() < 0.8:
            self.ask_more() if self.random.random() < 0.5 else self.tick()
            self.wall += self.random.choice((1000, 20_000, 59_000))
        while len(self.log) < self.length:
            for source in self.sources:
                self.speak(source)
            if self.ticking and self.random.random() < 0.5:
                self.tick()
            if self.chance(3):
                self.ask()
            if self.families & ASKS and self.random.random() < 0.08:
                self.ask_more()
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

    def ask_more(self) -> None:
        """A person asks what only the families have."""
        asks = {"pauses": self.pause, "limits": self.limits, "stays": self.stay}
        family = self.random.choice(sorted(self.families & asks.keys()))
        command = {
            "command_id": f"m-{len(self.log)}",
            "patient_id": PATIENT,
            "by": self.random.choice(("nurse", "doctor")),
            "time": self.wall,
            "reason": self.random.choice(("why", "why", "why", "why", "why", None)),
        }
        record = Record(command | asks[family](), self.wall, "command")
        self.add(record)
        if self.random.random() < 0.1:
            self.add(record)

    def pause(self) -> dict[str, Any]:
        """Silence, or its end."""
        if self.random.random() < 0.3:
            return {"type": "resume"}
        return {"type": "pause", "seconds": self.random.choice(PAUSES_S)}

    def limits(self) -> dict[str, Any]:
        """Limits of this patient alone, right and wrong."""
        kind = self.random.choice(
            ("set",) * 6 + ("reset", "reset", "propose", "accept")
        )
        last = self.patient.proposal[0] or f"m-{len(self.log) // 2}"
        if kind == "propose" and self.random.random() < 0.5:
            limits = [self.change() for _ in range(self.random.choice((1, 1, 2)))]
            return {"type": "propose_limits", "limits": limits}
        if kind == "propose":
            # Half an hour of usual values is more than the reference keeps.
            early = self.wall - START_MS < 1_000_000
            return {"type": "propose_limits" if early else "reset_limits"}
        if kind == "accept":
            is_taken = self.random.random() < 0.7
            type_ = "set_limits" if is_taken else "propose_limits"
            return {"type": type_, "proposal": last}
        own = [{"code": code} for code in self.patient.own]
        if kind == "reset":
            codes = self.random.choice(([], [], own[:1], own, [{"code": "hr.low"}]))
            return {"type": "reset_limits", "limits": codes}
        count = self.random.choice((1, 1, 1, 2, 3))
        expires = self.random.choice(
            (*(None,) * 4, 5, 20, 61, 300, 72 * 3600, 72 * 3600.001, 0, -5)
        )
        return {
            "type": "set_limits",
            "limits": [self.change() for _ in range(count)],
            "expires": None if expires is None else self.wall + round(expires * 1000),
        }

    def change(self) -> dict[str, Any]:
        """One limit, mostly of a signal that somebody measures."""
        measured = {s for source in self.sources for s in source.signals}
        rows = [row for row in LIMITS if row.signal in measured] or list(LIMITS)
        row = self.random.choice(rows)
        by = self.random.choice((-30, -15, -10, -5, -5, -2, -1, 1, 2, 5, 5, 10, 15, 30))
        limit = round(row.limit * (1 + by / 100), 1)
        if self.random.random() < 0.4:
            edges = (HARD[row.code].low, HARD[row.code].high)
            limit = self.random.choice(edges) + self.random.choice((0, 0, 0, 0.1, -0.1))
        change: dict[str, Any] = {"code": row.code}
        what = self.random.choice(("limit", "limit", "limit", "delay", "both", "no"))
        if what in {"limit", "both"}:
            change["limit"] = 0 if row.side == "zero" else limit
        if what in {"delay", "both"}:
            change["delay_s"] = self.random.choice((0, 1, 5, 10, 15, 20, 30, 61, 500))
        if self.random.random() < 0.05:
            change["code"] = self.random.choice(("hr.nothing", "hr.no_data", "hr.low"))
        return change

    def stay(self) -> dict[str, Any]:
        """Admissions and discharges, other profiles, feedback, charting."""
        kind = self.random.choice(
            (*("admit", "feedback", "feedback", "observe"), "transfer", "discharge")
        )
        if kind == "admit":
            name = self.random.choice((*PROFILES, *PROFILES, None, "nobody's"))
            return {"type": kind, "profile": name, "bed": "B-3"}
        if kind == "feedback":
            alarms = [*self.seen[-6:], f"{PATIENT}:hr.nothing:1"]
            actionable = self.random.choice((True, False, False, None))
            return {
                "type": kind,
                "alert_id": self.random.choice(alarms),
                "actionable": actionable,
            }
        if kind == "observe":
            charted = ({"gcs": 14}, {"gcs": 2}, {"fio2": 0.4}, {"nobody's": 1})
            return {
                "type": kind,
                "values": self.random.choice(charted),
                "acvpu": self.random.choice((None, "A", "V")),
                "on_oxygen": self.random.choice((None, True, False)),
            }
        return {"type": kind, "bed": "B-4"} if kind == "transfer" else {"type": kind}

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
        if "worth" in self.families:
            self.spoil(source, message)
        if "words" in self.families:
            self.say_why(source, message)
        if "devices" in self.families:
            if self.random.random() < 0.01:
                source.primary = self.random.choice((None, True, False))
            if source.primary is not None:
                message["primary"] = source.primary
        return message

    def spoil(self, source: Source, message: dict[str, Any]) -> None:
        """A spell in which the measurement is not the patient."""
        if self.wall >= source.spell_until and self.random.random() < 0.08:
            source.spell = self.random.choice(
                ("flat", "flat", "mean", "kpa", "kpa", "step", "step", "cuff", "off")
            )
            rounds = self.random.choice((1, 2, 5, 12, 20, 40))
            source.spell_until = self.wall + round(rounds * self.step_s * 1000)
        if self.wall >= source.spell_until:
            return
        if source.spell in {"cuff", "off"}:
            is_cuff = source.spell == "cuff"
            about = "nibp_sys" if is_cuff else self.random.choice(source.signals)
            word = "measuring" if is_cuff else self.random.choice(WORDS)
            message["status"] = message.get("status", {}) | {about: word}
            return
        spoil: dict[str, Callable[[dict[str, Any]], None]] = {
            "flat": self.flatten,
            "kpa": self.in_kilopascal,
            "step": self.make_a_step,
            "mean": self.displace_the_mean,
        }
        spoil[source.spell](message["values"])

    def flatten(self, values: dict[str, Any]) -> None:
        """A line that does not beat."""
        self.go_on(values)
        if {"abp_sys", "abp_dia"} <= values.keys():
            values["abp_sys"] = self.random.choice((95, 85, 85, 85, 39, 300))
            less = self.random.choice((0, 2, 4.99, 5, -1))
            values["abp_dia"] = values["abp_sys"] - less
            if "abp_mean" in values:
                values["abp_mean"] = values["abp_sys"] - self.random.choice((0, 1))

    def go_on(self, values: dict[str, Any]) -> None:
        """Heart rate and saturation change hardly, or a little more."""
        is_even = len(self.log) % 2 == 0
        if "hr" in values and self.random.random() < 0.95:
            values["hr"] = 80 if is_even else self.random.choice((80, 90, 90, 90.01))
        if "spo2" in values and self.random.random() < 0.95:
            values["spo2"] = 97 if is_even else self.random.choice((97, 94, 94, 93.99))

    def displace_the_mean(self, values: dict[str, Any]) -> None:
        """A mean that may not lie between systolic and diastolic."""
        if "abp_mean" in values:
            values["abp_mean"] = self.random.choice((30, 50, 50, 55, 70, 120, 130))

    def make_a_step(self, values: dict[str, Any]) -> None:
        """To and fro outside a limit, far from the value before or not quite."""
        for signal, near in sorted(OUTSIDE.items()):
            if signal in values:
                step: float = 20 if signal == "spo2" else 60
                step += self.random.choice((0, 0.01, 0.01, 5))
                outwards = -1 if near < NORMAL[signal] else 1
                is_near = len(self.log) % 2 == 0
                values[signal] = near if is_near else round(near + outwards * step, 2)

    def in_kilopascal(self, values: dict[str, Any]) -> None:
        """Pressures in the other unit, now and then at an edge."""
        choice = self.random.choice
        for line in ("abp", "nibp"):
            systolic, diastolic = f"{line}_sys", f"{line}_dia"
            if {systolic, diastolic} <= values.keys():
                values[systolic] = choice((16, 16, 16, 12, 10, 34.99, 35, 2, 1.99))
                values[diastolic] = choice((values[systolic] - 2, 10, 1.9, -0.5))
                if f"{line}_mean" in values:
                    values[f"{line}_mean"] = choice((12, 11, 13))
        if "spo2" in values and self.random.random() < 0.5:
            values["spo2"] = choice((97, 97, 97, 86, 85, 85, 84.99))
        if "hr" in values and self.random.random() < 0.5:
            values["hr"] = choice((80, 80, 80, 31, 30, 30, 29.99))
        if "etco2" in values:
            values["etco2"] = choice((5, 5, 5, 2, 1.99, 7.99, 8))

    def say_why(self, source: Source, message: dict[str, Any]) -> None:
        """A spell in which the device says why a value is missing."""
        if self.wall >= source.word_until and self.random.random() < 0.06:
            source.word = self.random.choice((*WORDS, *OTHER_WORDS))
            source.word_about = self.random.choice(source.signals)
            rounds = self.random.choice((1, 2, 5, 9, 12, 20, 40))
            source.word_until = self.wall + round(rounds * self.step_s * 1000)
        if self.wall >= source.word_until:
            return
        if self.random.random() < 0.04:
            source.word = self.random.choice(WORDS)
        if self.random.random() < 0.97:
            message["values"].pop(source.word_about, None)
        if self.random.random() < 0.97:
            about = {source.word_about: source.word}
            message["status"] = message.get("status", {}) | about

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
            manner = "normal" if is_normal else self.random.choice(self.manners)
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
        if manner == "nonsense":  # on and off
            is_off = len(self.log) % 16 < self.random.choice((2, 8))
            return self.nonsense(signal) if is_off else NORMAL[signal]
        if manner == "normal" or not limits:
            return NORMAL[signal]
        if manner == "flicker":
            return self.random.choice((NORMAL[signal], 0, limits[0].limit))
        row = limits[self.source_row(source, signal) % len(limits)]
        return self.value_about(row, manner)

    def value_about(self, row: Limit, manner: str) -> float:
        """One value close to a limit, at the edge of its deadband, or outside."""
        outwards = 1 if row.side == "above" else -1
        if manner == "falling":  # by a tenth of the limit, about every ten messages
            steps = len(self.log) % 120 // 10
            at_edge = self.random.choice((0, 0, 0, 0.01, -0.01))
            by = round(row.limit * (0.01 + 0.1 * steps) + at_edge, 2)
            return round(row.limit + outwards * by, 2) if row.limit else 0
        if manner == "flapping":
            is_out = self.wall // 1000 % self.period < self.random.choice((6, 6, 6, 5))
            manner = "outside" if is_out else "edge"
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
        for name in ("status", "primary", "interval_s"):
            if name in kept[index].message and record.kind == "vitals":
                message = dict(kept[index].message)
                del message[name]
                lighter = replace(kept[index], message=message)
                fewer = [*kept[:index], lighter, *kept[index + 1 :]]
                if differs(fewer):
                    kept = fewer
    return kept
