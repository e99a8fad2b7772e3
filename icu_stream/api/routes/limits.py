"""Limits: what is in force for a patient, and how that is changed."""

import msgspec

from icu_stream.access.desk import Change
from icu_stream.access.roles import Page
from icu_stream.api import commanding
from icu_stream.api.messages import (
    Done,
    Limits,
    OfPatient,
    Proposing,
    Resetting,
    Setting,
    Withdrawing,
)
from icu_stream.api.problems import Kind
from icu_stream.api.routes.patients import known
from icu_stream.api.table import Ask, Nothing, Route, etag
from icu_stream.clock import now_ms
from icu_stream.contracts.commands import CommandType


async def see_limits(ask: Ask[OfPatient, Nothing, None]) -> Limits:
    """Each limit in force, with where it comes from."""
    return _limits(ask)


async def set_limits(ask: Ask[OfPatient, Nothing, Setting]) -> Done:
    """Give a patient limits of its own, for a while."""
    _require_as_seen(ask)
    said = ask.body
    return await commanding.do(
        ask,
        CommandType.SET_LIMITS,
        ask.path.patient_id,
        reason=said.reason,
        limits=said.limits,
        hours=said.hours,
        proposal=said.proposal,
    )


async def reset_limits(ask: Ask[OfPatient, Nothing, Resetting]) -> Done:
    """Go back to the profile."""
    _require_as_seen(ask)
    return await commanding.do(
        ask,
        CommandType.RESET_LIMITS,
        ask.path.patient_id,
        limits=[Change(code=code) for code in ask.body.codes],
    )


async def propose_limits(ask: Ask[OfPatient, Nothing, Proposing]) -> Done:
    """Propose limits; `proposal` of the answer is how they are accepted."""
    said = ask.body
    return await commanding.do(
        ask,
        CommandType.PROPOSE_LIMITS,
        ask.path.patient_id,
        limits=said.limits,
        reason=said.reason,
    )


async def withdraw_proposal(ask: Ask[OfPatient, Nothing, Withdrawing]) -> Done:
    """Take a proposal back."""
    said = ask.body
    return await commanding.do(
        ask,
        CommandType.PROPOSE_LIMITS,
        ask.path.patient_id,
        proposal=said.proposal,
        reason=said.reason,
    )


def _limits(ask: Ask[OfPatient, object, object]) -> Limits:
    rules = ask.parts.rules
    return Limits(profile=rules.label, limits=known(ask).limits(now_ms(), rules))


def _require_as_seen(ask: Ask[OfPatient, object, object]) -> None:
    if "If-Match" in ask.request.headers:
        ask.require_match(etag(msgspec.json.encode(_limits(ask))))


ROUTES = (
    Route(
        method="GET",
        path="/v1/patients/{patient_id}/limits",
        summary="The limits in force",
        handle=see_limits,
        needs=Page.LIMITS,
        where=OfPatient,
        answer=Limits,
    ),
    Route(
        method="POST",
        path="/v1/patients/{patient_id}/limits",
        summary="Set limits of this patient's own, or accept proposed ones",
        detail="With If-Match of `GET .../limits`, only while they are as they were seen. "
        "They hold for `hours`, 12 h without it.",
        handle=set_limits,
        needs=CommandType.SET_LIMITS,
        where=OfPatient,
        body=Setting,
        answer=Done,
        takes=("If-Match",),
        problems=(*commanding.PROBLEMS, Kind.CHANGED),
    ),
    Route(
        method="POST",
        path="/v1/patients/{patient_id}/limits/reset",
        summary="Go back to the profile's limits",
        handle=reset_limits,
        needs=CommandType.RESET_LIMITS,
        where=OfPatient,
        body=Resetting,
        answer=Done,
        takes=("If-Match",),
        problems=(*commanding.PROBLEMS, Kind.CHANGED),
    ),
    Route(
        method="POST",
        path="/v1/patients/{patient_id}/limits/propose",
        summary="Propose limits, or have them proposed from the usual values",
        handle=propose_limits,
        needs=CommandType.PROPOSE_LIMITS,
        where=OfPatient,
        body=Proposing,
        answer=Done,
        problems=commanding.PROBLEMS,
    ),
    Route(
        method="POST",
        path="/v1/patients/{patient_id}/limits/withdraw",
        summary="Take a proposal back",
        handle=withdraw_proposal,
        needs=CommandType.PROPOSE_LIMITS,
        where=OfPatient,
        body=Withdrawing,
        answer=Done,
        problems=commanding.PROBLEMS,
    ),
)
