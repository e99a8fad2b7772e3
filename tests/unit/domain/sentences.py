"""Every sentence in every language, and the page that shows them to a clinician.

    python -m tests.unit.domain.sentences > docs/texts.md

The patient and the moments are the same for all; what no log can bring about together
is put into the alarm by hand.
"""

import dataclasses
import sys

from collections.abc import Iterator
from typing import Any, NamedTuple

from icu_stream.contracts.alerts import Alert, Event, Kind, Priority, State
from icu_stream.contracts.signals import SIGNALS
from icu_stream.domain import catalogue, explain, notes
from icu_stream.domain.alarm import Alarm
from icu_stream.domain.catalogue import LANGUAGES
from icu_stream.domain.limits import Condition, Row, Rules
from icu_stream.domain.notes import Reason
from icu_stream.domain.patient import Patient
from tests.unit.domain.bed import ADULT, Bed, ms


STATUSES = ("lead_off", "sensor_off", "disconnected", "searching")
NOW = 2_400  # second of the story
USUAL = {
    "hr": 80,
    "pulse": 80,
    "spo2": 96,
    "rr": 16,
    "abp_sys": 121,
    "abp_dia": 68,
    "abp_mean": 86,
    "nibp_sys": 118,
    "nibp_dia": 66,
    "nibp_mean": 84,
    "temp": 37.2,
    "etco2": 38,
    "cvp": 8,
    "fio2": 40,
}
_DUE_S = {
    "bed.two_devices": 10,
    "bed.news2_single": 60,
    "bed.news2_urgent": 60,
    "bed.news2_emergency": 60,
    "bed.unusual": 20,
}


def technical(code: str, signal: str | None, kind: Kind = Kind.TECHNICAL) -> Row:
    """A row without a limit, as a profile may have it."""
    return Row(
        code=code,
        signal=signal,
        kind=kind,
        priority=Priority.MEDIUM,
        rank=0,
        source="ours",
        delay_ms=_DUE_S.get(code, 10 if code.endswith(".searching") else 0) * 1000,
    )


def all_rows() -> dict[str, Row]:
    """Every alarm that can be spoken of, whatever this version of the profile has."""
    rows = [
        technical(code, None)
        for code in (
            "bed.no_data",
            "bed.clock_jump",
            "bed.monitoring_fault",
            "bed.pause",
            *_DUE_S,
        )
    ]
    for signal in SIGNALS:
        names = ("no_data", "invalid", *STATUSES)
        rows += [technical(f"{signal.code}.{name}", signal.code) for name in names]
    for code in ("abp_sys", "nibp_sys", "etco2"):
        rows.append(technical(f"{code}.unit", code))
    rows.append(technical("hr.ecg_fault", "hr"))
    return {row.code: row for row in rows} | dict(ADULT.rows)


def rules(language: str) -> Rules:
    """The adult profile with all rows, in a language."""
    return dataclasses.replace(ADULT, rows=all_rows(), language=language, _bands={})


def a_patient(*, known: bool = True) -> Patient:
    """A patient who is usually well; a new one has nothing that is usual."""
    bed = Bed()
    for minute in range(40 if known else 1):
        bed.at(60 * minute, interval_s=60, **USUAL)
    bed.at(NOW, interval_s=60, **USUAL | {"hr": 112, "rr": 28})
    bed.patient.settle()
    return bed.patient


class Case(NamedTuple):
    """One alert to be told.

    Attributes:
        label: The event in words.
        code: Of the alarm.
        event: What happens.
        state: After it.
        seconds: Since the onset.
        by: Who.
        reason: Why.
        fields: Of the alarm.
        silent_s: Seconds since the patient's last message.
    """

    label: str
    code: str
    event: Event = Event.RAISED
    state: State = State.ACTIVE
    seconds: float = 0
    by: str | None = None
    reason: str = ""
    fields: dict[str, Any] = {}  # noqa: RUF012 - a NamedTuple's default
    silent_s: float = 0


def told(
    case: Case, language: str, patient: Patient, among: Rules | None = None
) -> Alert:
    """What is said of it."""
    time = ms(NOW + case.silent_s)
    onset = time - round(case.seconds * 1000)
    among = among or rules(language)
    alarm = Alarm(case.code, onset, among.rows[case.code].priority, state=case.state)
    if case.event in {Event.CLEARED, Event.LATCHED} and case.by is None:
        alarm.ended = time
    for name, value in case.fields.items():
        setattr(alarm, name, value)
    return explain.alert(
        patient, among, alarm, case.event, time, by=case.by, reason=case.reason
    )


def _beyond(row: Row) -> float:
    """A value that violates a limit, as a monitor shows it."""
    limit = row.limit or 0.0
    if row.condition is Condition.ZERO:
        return 0.0
    return limit + (2 if row.condition is Condition.HIGH else -2)


def limits() -> Iterator[Case]:
    """Each limit at its raising."""
    for row in ADULT.rows.values():
        if row.condition is not None:
            fields = {"value": _beyond(row)}
            yield Case("raised", row.code, seconds=row.delay_ms / 1000, fields=fields)


def lives() -> Iterator[Case]:
    """One limit and the two zeros, from their first word to their last."""
    low = {"value": 86.0, "extreme": 84.0}
    worse = {"value": 71.0, "extreme": 71.0}
    again = f"{Reason.DISCHARGED}: to the ward"
    yield Case("raised", "spo2.low", seconds=18, fields={"value": 84.0})
    yield Case(
        "raised, for the fourth time in a minute",
        "spo2.low",
        seconds=15,
        reason=Reason.CHATTERING,
        fields={"value": 86.0},
    )
    yield Case("stands", "spo2.low", Event.STANDING, seconds=75, fields=low)
    yield Case("is worse", "spo2.low", Event.WORSENED, seconds=90, fields=worse)
    yield Case("escalated", "spo2.low", Event.ESCALATED, seconds=135, fields=low)
    yield Case(
        "acknowledged",
        "spo2.low",
        Event.ACKNOWLEDGED,
        State.ACKNOWLEDGED,
        140,
        by="nurse.jones",
        fields=low,
    )
    yield Case("reminded", "spo2.low", Event.REMINDED, seconds=320, fields=low)
    yield Case(
        "reminded when a pause ends",
        "spo2.low",
        Event.REMINDED,
        seconds=320,
        reason=Reason.PAUSE_OVER,
        fields=low,
    )
    over = {"value": 95.0, "extreme": 84.0}
    cleared = (Event.CLEARED, State.CLEARED)
    yield Case("over", "spo2.low", *cleared, 330, fields=over)
    latched = over | {"ended": ms(NOW) - 60_000}
    yield Case("over, high, not seen", "spo2.low", Event.LATCHED, State.LATCHED, 330, fields=over)  # fmt: skip
    yield Case("stands so", "spo2.low", Event.STANDING, State.LATCHED, 390, fields=latched)  # fmt: skip
    yield Case("seen afterwards", "spo2.low", Event.ACKNOWLEDGED, State.CLEARED, 400, by="nurse.jones", fields=latched)  # fmt: skip
    yield Case("a new episode takes its place", "spo2.low", *cleared, 400, reason=Reason.NEW_EPISODE, fields=latched)  # fmt: skip
    yield Case("signal taken off", "spo2.low", *cleared, 400, "nurse.jones", Reason.TAKEN_OFF, low)  # fmt: skip
    yield Case("discharged", "spo2.low", *cleared, 400, "dr.brown", again, low)
    yield Case("not in the new profile", "spo2.low", *cleared, 400, "dr.brown", Reason.OTHER_PROFILE, low)  # fmt: skip
    for code, value in (("hr.asystole", 61.0), ("rr.apnoea", 12.0)):
        zero, back = {"value": 0.0, "extreme": 0.0}, {"value": value, "extreme": 0.0}
        yield Case("raised", code, seconds=20, fields=zero)
        yield Case("stands", code, Event.STANDING, seconds=80, fields=zero)
        yield Case("over, not seen", code, Event.LATCHED, State.LATCHED, 90, fields=back)  # fmt: skip


def measurement() -> Iterator[Case]:
    """What is wrong with a signal and not with the patient."""
    over = (Event.CLEARED, State.CLEARED, 75)
    yield Case("raised", "spo2.no_data", silent_s=10)
    yield Case("over", "spo2.no_data", *over)
    yield Case("raised", "hr.invalid", fields={"value": 999.0})
    yield Case("raised", "hr.invalid", fields={"note": notes.reading("eighty")})
    yield Case("stands", "hr.invalid", Event.STANDING, seconds=60, fields={"value": 999.0})  # fmt: skip
    yield Case("over", "hr.invalid", *over, fields={"value": 80.0})
    yield Case("raised, in Fahrenheit", "temp.invalid", fields={"value": 98.6})
    yield Case("raised", "hr.ecg_fault", seconds=4, fields={"value": 0.0})
    yield Case("over", "hr.ecg_fault", *over, fields={"value": 80.0})
    for status in STATUSES:
        seconds = 10 if status == "searching" else 0
        yield Case("raised", f"hr.{status}", seconds=seconds)
        yield Case("stands", f"spo2.{status}", Event.STANDING, seconds=60)
        yield Case("over", f"spo2.{status}", *over)
    yield Case("raised", "abp_sys.unit", fields={"value": 15.8})
    yield Case("stands", "abp_sys.unit", Event.STANDING, seconds=60, fields={"value": 15.8})  # fmt: skip
    yield Case("over", "abp_sys.unit", *over, fields={"value": 121.0})


def bed() -> Iterator[Case]:
    """What concerns all signals of a bed."""
    over = (Event.CLEARED, State.CLEARED, 75)
    yield Case("raised", "bed.no_data", silent_s=10)
    yield Case("escalated", "bed.no_data", Event.ESCALATED, seconds=60, silent_s=70)
    yield Case("over", "bed.no_data", *over)
    yield Case(
        "discharged",
        "bed.no_data",
        *over,
        by="nurse.jones",
        reason=Reason.DISCHARGED,
        silent_s=85,
    )
    clock = {"note": notes.clock(-3_600_000, "mon-17")}
    yield Case("raised", "bed.clock_jump", fields=clock)
    yield Case("over", "bed.clock_jump", *over, fields=clock)
    two = {"note": notes.devices("spo2", ["mon-17", "vent-3"])}
    yield Case("raised", "bed.two_devices", seconds=10, fields=two)
    yield Case("over", "bed.two_devices", *over, fields=two)
    fault = {"note": "a rule raised ValueError"}
    yield Case("raised", "bed.monitoring_fault", fields=fault)
    yield Case("over", "bed.monitoring_fault", *over, fields=fault)
    pause = {"note": notes.pause(ms(NOW) + 120_000, "nurse.jones", "suctioning")}
    yield Case("paused", "bed.pause", Event.PAUSED, by="nurse.jones", fields=pause)
    left = {"note": notes.pause(ms(NOW) + 60_000, "nurse.jones", "suctioning")}
    yield Case("stands", "bed.pause", Event.STANDING, seconds=60, fields=left)
    yield Case("ends by itself", "bed.pause", Event.RESUMED, State.CLEARED, 120, fields=pause)  # fmt: skip
    yield Case("is ended", "bed.pause", Event.RESUMED, State.CLEARED, 45, by="nurse.jones", fields=pause)  # fmt: skip


def hints() -> Iterator[Case]:
    """Scores, and what a model suggests."""
    over = (Event.CLEARED, State.CLEARED, 1_200)
    whole = {"value": 5.0, "note": "7 rr=3 spo2=1 pulse=1"}
    part = {"value": 9.0, "note": "5 rr=3 spo2=3 on_oxygen=2 pulse=1"}
    for code in ("bed.news2_single", "bed.news2_urgent"):
        yield Case("raised", code, seconds=60, fields=whole)
        yield Case("over", code, *over, fields=whole | {"value": 2.0})
    yield Case("over, no input known", code, *over, fields=whole | {"value": None})
    yield Case("raised", "bed.news2_emergency", seconds=60, fields=part)
    yield Case("over", "bed.news2_emergency", *over, fields=part | {"value": 3.0})
    unusual = {"value": 0.93, "note": notes.shares({"rr": 0.6, "hr": 0.4})}
    yield Case("raised", "bed.unusual", seconds=20, fields=unusual)
    yield Case("stands", "bed.unusual", Event.STANDING, seconds=80, fields=unusual)
    yield Case("over", "bed.unusual", *over, fields=unusual)


SECTIONS = (
    ("Limits", limits, "What is usual is said once there are 30 min of it."),
    ("The life of an alarm", lives, ""),
    ("The measurement", measurement, "The same for every signal."),
    ("The bed", bed, ""),
    (
        "Scores and hints",
        hints,
        "NEWS2 © Royal College of Physicians. It was not made for intensive care.",
    ),
)


def page() -> str:
    """The document; the same for the same catalogues."""
    patient = a_patient()
    names = [words.name for words in LANGUAGES.values()]
    lines = [
        "# What an alert says",
        "",
        "Every sentence in every language, for review by people who work with it: the",
        "text of an alert is one sentence of at most 90 characters. Made by",
        "`python -m tests.unit.domain.sentences` from the catalogues in",
        "`icu_stream/domain/catalogue/en.py` and `icu_stream/domain/catalogue/de.py`",
        "and compared in a test; a mistake is mended there. What no longer fits into 90",
        "characters is left out from the end; the rest is in the alert's `explanation`.",
    ]
    for title, cases, remark in SECTIONS:
        lines += ["", f"## {title}", ""]
        if remark:
            lines += [remark, ""]
        lines += _table(["alarm", "when", *names])
        for case in cases():
            texts = [told(case, language, patient).text for language in LANGUAGES]
            lines.append(_line([f"`{case.code}`", case.label, *texts]))
    lines += ["", "## The rule, in the explanation", "", *_table(["alarm", *names])]
    seen = set()
    for row in all_rows().values():
        condition = row.code.partition(".")[2]
        if row.signal is not None and row.condition is None and condition in seen:
            continue
        seen.add(condition)
        said = [explain.in_words(row, rules(language)) for language in LANGUAGES]
        lines.append(_line([f"`{row.code}`", *said]))
    lines += ["", "## Where a limit comes from", "", *_table(names)]
    own = [
        explain.own_source(
            rules(language),
            by="dr.brown",
            since_ms=ms(NOW),
            until_ms=ms(NOW + 12 * 3600),
            reason="COPD",
        )
        for language in LANGUAGES
    ]
    lines += [_line(own), "", "## Names", "", *_table(["", *names])]
    reference = next(iter(LANGUAGES.values()))
    for table in ("signals", "inputs", "reasons"):
        for key in getattr(reference, table):
            words = [getattr(language, table)[key] for language in LANGUAGES.values()]
            lines.append(_line([f"`{key}`", *words]))
    return "\n".join([*lines, ""])


def _table(titles: list[str]) -> list[str]:
    return [_line(titles), "|" + "---|" * len(titles)]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    for language, words in LANGUAGES.items():
        if wrong := catalogue.differences(words, LANGUAGES["en"]):
            sys.exit(f"{language}: {wrong}")
    sys.stdout.write(page())
