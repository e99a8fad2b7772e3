"""A page: what one target is told, whatever its channel.

It holds bed, code, sentence, priority and times of an alarm, and a link to the ward view
where that is configured: no name, no birth date, nothing else of a patient. The alarm's id
begins with the patient's id, as it does everywhere; a hospital whose patient ids must not
leave it pages through channels of its own.
"""

import datetime as dt

from enum import StrEnum
from urllib.parse import quote

import msgspec

from icu_stream.contracts.alerts import Alert, Kind, Priority


class Action(StrEnum):
    """What a target is told of an alarm. PagerDuty has the first three, too."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    DIGEST = "digest"


class Line(msgspec.Struct, frozen=True):
    """One alarm of a digest."""

    dedup_key: str
    priority: Priority
    bed: str
    text: str


class Page(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is sent to one target.

    Attributes:
        action: What it is about.
        dedup_key: Of the alarm: `patient:code:onset`. The same for every page about it.
        priority: How soon somebody must come.
        kind: Patient, measurement or hint; `technical` of the system itself, too.
        bed: Where; empty when it is about the system.
        code: `signal.condition`; `system.` when it is about the system.
        text: One sentence of at most 90 characters, as at the bed.
        onset: First moment of the condition, epoch ms UTC, measurement time.
        time: Moment of what is told, epoch ms UTC, measurement time.
        level: Of the escalation, from 1; 0 where there is none.
        by: `acknowledge`: who has seen it.
        link: To the bed on the ward view.
        alarms: `digest`: what it stands for.
    """

    action: Action
    dedup_key: str
    priority: Priority
    kind: Kind
    bed: str
    code: str
    text: str
    onset: int
    time: int
    level: int = 0
    by: str = ""
    link: str = ""
    alarms: list[Line] = []


class Delivery(msgspec.Struct, frozen=True):
    """One page on its way to one target.

    Attributes:
        id: The same at every attempt: whoever sees it twice drops the second.
        page: What is sent.
        attempt: From 1.
    """

    id: str
    page: Page
    attempt: int = 1


# The texts of alerts are in the worker's language; these are what stands around them.
_WORDS = {
    "en": {
        Priority.HIGH: "HIGH",
        Priority.MEDIUM: "Medium",
        Priority.LOW: "Low",
        "seen": "seen by {by}",
        "seen_by_nobody": "seen",
        "over": "over",
        "digest": "{n} more alarms at {beds}: see the ward view",
        "level": "level {level}",
        "since": "since",
    },
    "de": {
        Priority.HIGH: "HOCH",
        Priority.MEDIUM: "Mittel",
        Priority.LOW: "Niedrig",
        "seen": "gesehen von {by}",
        "seen_by_nobody": "gesehen",
        "over": "vorbei",
        "digest": "{n} weitere Alarme an {beds}: siehe Stationsansicht",
        "level": "Stufe {level}",
        "since": "seit",
    },
}
_MOST_BEDS = 6


def of_alert(
    alert: Alert, action: Action, *, ward_url: str | None = None, level: int = 0
) -> Page:
    """What a target is told of an alert."""
    link = ""
    if ward_url is not None:
        link = f"{ward_url}bed/{quote(alert.patient_id, safe='')}"
    return Page(
        action=action,
        dedup_key=alert.alert_id,
        priority=alert.priority,
        kind=alert.kind,
        bed=alert.bed,
        code=alert.code,
        text=alert.text,
        onset=alert.onset,
        time=alert.time,
        level=level,
        by=(alert.by or "") if action is Action.ACKNOWLEDGE else "",
        link=link,
    )


def title(page: Page, language: str = "en") -> str:
    """One line: how urgent, where, what.

    >>> page = Page(action=Action.TRIGGER, dedup_key="p:spo2.desat:1", bed="ICU1-07",
    ...     priority=Priority.HIGH, kind=Kind.PHYSIOLOGICAL, code="spo2.desat",
    ...     text="SpO2 79 %, below 80", onset=1, time=2)
    >>> title(page)
    'HIGH ICU1-07: SpO2 79 %, below 80'
    """
    words = _WORDS[language]
    if page.action is Action.DIGEST:
        return digest_text(page.alarms, language)
    what = {
        Action.TRIGGER: words[page.priority],
        Action.ACKNOWLEDGE: words["seen"].format(by=page.by)
        if page.by
        else words["seen_by_nobody"],
        Action.RESOLVE: words["over"],
    }[page.action]
    where = f" {page.bed}" if page.bed else ""
    return f"{what}{where}: {page.text}"


def body(page: Page, language: str = "en") -> str:
    """Some lines, for channels that show more than one."""
    words = _WORDS[language]
    if page.action is Action.DIGEST:
        lines = [f"{words[a.priority]} {a.bed}: {a.text}" for a in page.alarms]
    else:
        onset = dt.datetime.fromtimestamp(page.onset / 1000, dt.UTC)
        lines = [
            title(page, language),
            f"{words['since']} {onset:%Y-%m-%d %H:%M:%S} UTC",
        ]
        if page.level:
            lines.append(words["level"].format(level=page.level))
    return "\n".join([*lines, *([page.link] if page.link else [])])


def digest_text(alarms: list[Line], language: str = "en") -> str:
    """One line that stands for many alarms."""
    beds = list(dict.fromkeys(alarm.bed for alarm in alarms))
    shown = ", ".join(beds[:_MOST_BEDS]) + (", ..." if len(beds) > _MOST_BEDS else "")
    return _WORDS[language]["digest"].format(n=len(alarms), beds=shown)


def moment(time_ms: int) -> str:
    """ISO 8601, UTC.

    >>> moment(1_795_492_541_263)
    '2026-11-24T03:55:41.263Z'
    """
    at = dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
