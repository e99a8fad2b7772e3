"""The core on a log, and where it differs from the reference, record by record."""

import json

from collections.abc import Sequence
from typing import Any

import msgspec

from icu_stream import profiles
from icu_stream.contracts.alerts import Alert
from icu_stream.contracts.commands import Command
from icu_stream.domain import decoding, monitor, patient
from tests.integration import reference
from tests.integration.reference import Json, Outcome, Record


RULES = profiles.load_all("adult")

Said = Sequence[Any]


def expected(
    patient_id: str, records: Sequence[Record], *, restart_every: int | None = None
) -> tuple[Outcome, list[list[bytes]]]:
    """What the core makes of a log.

    Args:
        patient_id: Whose.
        records: The log.
        restart_every: Save the patient and go on from what was saved, each time after
            so many records.

    Returns:
        The counts, answers and open alarms, without transitions; and the alerts of
        each record as bytes.
    """
    state = patient.new(patient_id)
    outcome = Outcome()
    saved: dict[bytes, bytes] = {}
    alerts = []
    for count, record in enumerate(records, 1):
        alerts.append(_alerts(_step(state, record, outcome)))
        if restart_every is not None and count % restart_every == 0:
            saved |= patient.save(state)
            saved = {name: piece for name, piece in saved.items() if piece}
            state = patient.restore(patient_id, saved)
    outcome.messages = state.messages
    outcome.late = state.late
    outcome.late_values = state.late_values
    outcome.duplicates = state.duplicates
    outcome.open = {
        f"{patient_id}:{code}:{alarm.onset}": str(alarm.state)
        for code, alarm in state.alarms.items()
        if code not in reference.NOT_JUDGED
    }
    return outcome, alerts


def _step(state: patient.Patient, record: Record, outcome: Outcome) -> Said:
    wire = json.dumps(record.message).encode()
    if record.kind == "tick":
        return monitor.tick(state, record.message["time"], RULES)
    if record.kind == "vitals":
        vitals = decoding.decode(wire)
        return monitor.step(
            state, vitals, record.arrived_ms, RULES, replay=record.replay
        )
    asked = msgspec.json.decode(wire, type=Command)
    result, said = monitor.command(state, asked, record.arrived_ms, RULES)
    outcome.accepted.append((result.command_id, result.accepted))
    return said


def _alerts(said: Said) -> list[bytes]:
    return [
        msgspec.json.encode(message)
        for message in said
        if isinstance(message, Alert) and message.code not in reference.NOT_JUDGED
    ]


def differences(
    patient_id: str, records: Sequence[Record], wanted: Outcome | None = None
) -> list[str]:
    """Where core and reference differ on a log, the first record that shows it first.

    The order of the messages of one record is compared within each alarm only: the
    page does not order different alarms there.

    Args:
        patient_id: Whose.
        records: The log.
        wanted: What the reference makes of it, where that is known already.
    """
    wanted = wanted or reference.expected(patient_id, records)
    got, alerts = expected(patient_id, records)
    found = []
    by_record: dict[int, list[Json]] = {}
    for transition in wanted.transitions:
        by_record.setdefault(transition.record, []).append(_fields(transition))
    for index, encoded in enumerate(alerts):
        ours = by_record.get(index, [])
        theirs = [json.loads(alert) for alert in encoded]
        found += _unlike(index, _by_alarm(ours), _by_alarm(theirs))
    for name in ("messages", "late", "late_values", "duplicates", "open", "accepted"):
        if getattr(wanted, name) != getattr(got, name):
            found.append(
                f"{name}: reference {getattr(wanted, name)}, core {getattr(got, name)}"
            )
    return found


def _fields(transition: reference.Transition) -> Json:
    names = ("alert_id", "transition", *reference.FIELDS)
    return {name: getattr(transition, name) for name in names}


def _by_alarm(alerts: Sequence[Json]) -> dict[str, list[Json]]:
    by_alarm: dict[str, list[Json]] = {}
    for alert in alerts:
        by_alarm.setdefault(alert["alert_id"], []).append(alert)
    return by_alarm


def _unlike(
    index: int, ours: dict[str, list[Json]], theirs: dict[str, list[Json]]
) -> list[str]:
    found = []
    for alert_id in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(alert_id, []), theirs.get(alert_id, [])
        for place in range(max(len(one), len(other))):
            want = one[place] if place < len(one) else None
            have = other[place] if place < len(other) else None
            found += _difference(f"record {index}: {alert_id}", want, have)
    return found


def _difference(where: str, want: Json | None, have: Json | None) -> list[str]:
    if want is None or have is None:
        who, alert = ("core", have) if want is None else ("reference", want)
        assert alert is not None
        return [f"{where}: only the {who} says {alert['event']} at {alert['time']}"]
    unlike = {
        name: (value, have.get(name))
        for name, value in want.items()
        if value != have.get(name)
    }
    text = ", ".join(f"{n} {a!r}, core {b!r}" for n, (a, b) in unlike.items())
    return [f"{where}: {want['event']}: reference has {text}"] if unlike else []
