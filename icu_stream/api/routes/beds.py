"""Beds: who lies where, and what is most pressing there."""

from icu_stream.access.roles import Page
from icu_stream.api.messages import UNSET, Bed, Beds
from icu_stream.api.present import Patient, pressing
from icu_stream.api.table import Ask, Listed, Nothing, Route, cursor, place
from icu_stream.contracts.alerts import Kind
from icu_stream.domain.burden import unit_of


async def list_beds(ask: Ask[Nothing, Beds, None]) -> Listed[Bed]:
    """Every bed with a patient, by name."""
    after = "" if ask.query.cursor is UNSET else place(ask.query.cursor, str)
    beds: dict[str, list[Patient]] = {}
    for patient in ask.parts.present.patients():
        is_wanted = ask.query.unit in {UNSET, unit_of(patient.bed)}
        if patient.bed > after and is_wanted:
            beds.setdefault(patient.bed, []).append(patient)
    names = sorted(beds)
    shown = names[: ask.query.limit]
    more = len(names) > len(shown)
    items = [_bed(name, beds[name]) for name in shown]
    return Listed(items=items, next=cursor(shown[-1]) if more else None)


def _bed(name: str, patients: list[Patient]) -> Bed:
    alarms = [
        alert
        for patient in patients
        for alert in patient.open()
        if alert.kind is not Kind.ADVISORY
    ]
    first = min(alarms, key=pressing, default=None)
    return Bed(
        bed=name,
        unit=unit_of(name),
        patients=[patient.patient_id for patient in patients],
        alarms=len(alarms),
        priority=first.priority if first else None,
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/beds",
        summary="Beds with a patient",
        handle=list_beds,
        needs=Page.WARD,
        query=Beds,
        answer=Listed[Bed],
    ),
)
