"""The message that is published whenever an alarm changes."""

from enum import StrEnum
from typing import NamedTuple

import msgspec


class Event(StrEnum):
    """What happened to the alarm."""

    RAISED = "raised"
    ESCALATED = "escalated"
    WORSENED = "worsened"
    REMINDED = "reminded"
    STANDING = "standing"
    ACKNOWLEDGED = "acknowledged"
    LATCHED = "latched"
    CLEARED = "cleared"
    PAUSED = "paused"
    RESUMED = "resumed"


class Kind(StrEnum):
    """What the alarm is about: the patient, the measurement, or a model's hint."""

    PHYSIOLOGICAL = "physiological"
    TECHNICAL = "technical"
    ADVISORY = "advisory"


class Priority(StrEnum):
    """How soon somebody must come."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class State(StrEnum):
    """Where the alarm stands after the event."""

    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    LATCHED = "latched"
    CLEARED = "cleared"


class Explanation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why the alert was raised, for whoever wants to know more than the sentence.

    Attributes:
        rule: The condition in words, with its limit and unit.
        limit_source: Where the limit comes from: profile and version, its
            publication; or this patient's own, by whom and when.
        violation_s: Seconds the condition had held, measurement time.
        extreme: The worst value since onset.
        usual: This patient's own usual value of the signal, None while unknown.
        change: Value minus usual, in the signal's unit.
        contributing: Other signals at the moment: code to value.
        completeness: Signals measured now, of those that this patient has.
        reason: Why it ended or changed, where that is not the value itself.
        versions: Of configuration and models.
    """

    rule: str = ""
    limit_source: str = ""
    violation_s: float | None = None
    extreme: float | None = None
    usual: float | None = None
    change: float | None = None
    contributing: dict[str, float] = {}
    completeness: str = ""
    reason: str = ""
    versions: dict[str, str] = {}


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One transition of one alarm, or (`standing`) a restatement of it.

    Attributes:
        alert_id: Depends on patient, code and onset alone.
        transition: 1, 2, ...; a `standing` repeats the last one.
        event: What happened.
        patient_id: Whose alarm.
        bed: Where the patient lies.
        code: `signal.condition`.
        kind: Patient, measurement or hint.
        priority: How soon somebody must come.
        state: Where the alarm stands now.
        annunciate: Should it make a sound now?
        onset: First moment of the condition, epoch ms UTC, measurement time.
        time: Moment of this transition, epoch ms UTC, measurement time.
        text: One sentence of at most 90 characters.
        signal: The signal's code; None for a bed's alarm.
        value: The signal's value at this moment.
        limit: The limit that it is held against.
        unit: UCUM, of value and limit.
        delay_s: How long the condition must hold.
        by: Who acknowledged, paused, discharged.
        explanation: The rest.
    """

    alert_id: str
    transition: int
    event: Event
    patient_id: str
    bed: str
    code: str
    kind: Kind
    priority: Priority
    state: State
    annunciate: bool
    onset: int
    time: int
    text: str
    signal: str | None = None
    value: float | None = None
    limit: float | None = None
    unit: str | None = None
    delay_s: float | None = None
    by: str | None = None
    explanation: Explanation = Explanation()


class Named(NamedTuple):
    """What an `alert_id` says; each is empty where it cannot be one."""

    patient_id: str
    code: str
    onset: str


def named(alert_id: str) -> Named:
    """Take an `alert_id` apart; a patient's id may hold colons, too.

    >>> named("ward:7:spo2.desat:1764000000000")
    Named(patient_id='ward:7', code='spo2.desat', onset='1764000000000')
    >>> named("7").patient_id
    ''
    """
    rest, _, onset = alert_id.rpartition(":")
    patient_id, _, code = rest.rpartition(":")
    return Named(patient_id, code, onset)
