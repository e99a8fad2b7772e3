"""Patients: what is known of each now, and what may be asked about one."""

from icu_stream.access.roles import Page
from icu_stream.api import commanding
from icu_stream.api.messages import (
    UNSET,
    Admitting,
    Beds,
    Done,
    Leaving,
    Moving,
    Observing,
    OfPatient,
    PatientNow,
    Pausing,
    Resuming,
)
from icu_stream.api.present import Patient
from icu_stream.api.problems import unknown
from icu_stream.api.table import Ask, Listed, Nothing, Route, cursor, place
from icu_stream.clock import now_ms
from icu_stream.contracts.commands import CommandType
from icu_stream.domain.burden import unit_of


async def list_patients(ask: Ask[Nothing, Beds, None]) -> Listed[PatientNow]:
    """Every patient, by id."""
    after = "" if ask.query.cursor is UNSET else place(ask.query.cursor, str)
    found = [
        patient
        for patient in ask.parts.present.patients()
        if patient.patient_id > after
        and ask.query.unit in {UNSET, unit_of(patient.bed)}
    ]
    shown = found[: ask.query.limit]
    more = len(found) > len(shown)
    at_ms = now_ms()
    return Listed(
        items=[patient.now(at_ms) for patient in shown],
        next=cursor(shown[-1].patient_id) if more else None,
    )


async def see_patient(ask: Ask[OfPatient, Nothing, None]) -> PatientNow:
    """One patient."""
    return known(ask).now(now_ms())


def known(ask: Ask[OfPatient, object, object]) -> Patient:
    """The patient who is asked about.

    Raises:
        ProblemError: Nothing is known of such a patient.
    """
    patient_id = ask.path.patient_id
    patient = ask.parts.present.patient(patient_id)
    if patient is None:
        raise unknown(what=f"no patient {patient_id} is on the ward now")
    return patient


async def pause(ask: Ask[OfPatient, Nothing, Pausing]) -> Done:
    """Silence what is not high, for a while."""
    said = ask.body
    return await commanding.do(
        ask,
        CommandType.PAUSE,
        ask.path.patient_id,
        reason=said.reason,
        seconds=said.seconds,
    )


async def resume(ask: Ask[OfPatient, Nothing, Resuming]) -> Done:
    """End the pause."""
    return await commanding.do(ask, CommandType.RESUME, ask.path.patient_id)


async def observe(ask: Ask[OfPatient, Nothing, Observing]) -> Done:
    """Chart what no monitor measures."""
    said = ask.body
    return await commanding.do(
        ask,
        CommandType.OBSERVE,
        ask.path.patient_id,
        acvpu=said.acvpu,
        on_oxygen=said.on_oxygen,
        spo2_scale=said.spo2_scale,
        values=said.values,
    )


async def admit(ask: Ask[OfPatient, Nothing, Admitting]) -> Done:
    """A patient comes."""
    said = ask.body
    return await commanding.do(
        ask,
        CommandType.ADMIT,
        ask.path.patient_id,
        bed=said.bed,
        profile=said.profile,
    )


async def transfer(ask: Ask[OfPatient, Nothing, Moving]) -> Done:
    """A patient changes the bed."""
    patient_id, bed = ask.path.patient_id, ask.body.bed
    return await commanding.do(ask, CommandType.TRANSFER, patient_id, bed=bed)


async def discharge(ask: Ask[OfPatient, Nothing, Leaving]) -> Done:
    """A patient goes."""
    patient_id, reason = ask.path.patient_id, ask.body.reason
    return await commanding.do(ask, CommandType.DISCHARGE, patient_id, reason=reason)


ROUTES = (
    Route(
        method="GET",
        path="/v1/patients",
        summary="Patients, with their newest values and open alarms",
        handle=list_patients,
        needs=Page.WARD,
        query=Beds,
        answer=Listed[PatientNow],
    ),
    Route(
        method="GET",
        path="/v1/patients/{patient_id}",
        summary="One patient now",
        handle=see_patient,
        needs=Page.BED,
        where=OfPatient,
        answer=PatientNow,
    ),
    Route(
        method="POST",
        path="/v1/patients/{patient_id}/pause",
        summary="Pause what is not high",
        handle=pause,
        needs=CommandType.PAUSE,
        where=OfPatient,
        body=Pausing,
        answer=Done,
        problems=commanding.PROBLEMS,
    ),
    Route(
        method="POST",
        path="/v1/patients/{patient_id}/resume",
        summary="End a pause",
        handle=resume,
        needs=CommandType.RESUME,
        where=OfPatient,
        body=Resuming,
        answer=Done,
        problems=commanding.PROBLEMS,
    ),
    Route(
        method="POST",
        path="/v1/patients/{patient_id}/observe",
        summary="Chart an observation, or a laboratory's values",
        detail="Codes, units and plausible ranges: docs/messages.md. All of it or nothing.",
        handle=observe,
        needs=CommandType.OBSERVE,
        where=OfPatient,
        body=Observing,
        answer=Done,
        problems=commanding.PROBLEMS,
    ),
    Route(
        method="POST",
        path="/v1/patients/{patient_id}/admit",
        summary="Admit a patient to a bed",
        handle=admit,
        needs=CommandType.ADMIT,
        where=OfPatient,
        body=Admitting,
        answer=Done,
        problems=commanding.PROBLEMS,
    ),
    Route(
        method="POST",
        path="/v1/patients/{patient_id}/transfer",
        summary="Move a patient to another bed",
        handle=transfer,
        needs=CommandType.TRANSFER,
        where=OfPatient,
        body=Moving,
        answer=Done,
        problems=commanding.PROBLEMS,
    ),
    Route(
        method="POST",
        path="/v1/patients/{patient_id}/discharge",
        summary="Discharge a patient",
        handle=discharge,
        needs=CommandType.DISCHARGE,
        where=OfPatient,
        body=Leaving,
        answer=Done,
        problems=commanding.PROBLEMS,
    ),
)
