"""Alarms: open ones, past ones, what became of each, and what people say of them."""

from icu_stream.access.roles import Page
from icu_stream.api import commanding
from icu_stream.api.messages import (
    UNSET,
    Acknowledgement,
    AlertDetail,
    Alerts,
    Done,
    Judgement,
    OfAlert,
)
from icu_stream.api.present import pressing
from icu_stream.api.problems import Kind, unknown
from icu_stream.api.table import Ask, Listed, Nothing, Reply, Route, cursor, etag, place
from icu_stream.contracts.alerts import Alert, named
from icu_stream.contracts.commands import CommandType


_MOST_TRANSITIONS = 1_000


async def list_alerts(ask: Ask[Nothing, Alerts, None]) -> Listed[Alert]:
    """Alarms: the open ones by urgency, or all by onset, the newest first."""
    query = ask.query
    if query.state == "open":
        return _open(ask)
    page = await ask.parts.past.alarms(
        patient_id=query.patient_id or None,
        bed=query.bed or None,
        code=query.code or None,
        priority=query.priority or None,
        start_ms=None if query.first is UNSET else query.first,
        end_ms=None if query.last is UNSET else query.last,
        after=query.cursor or None,
        most=query.limit,
    )
    return Listed(items=page.rows, next=page.after)


def _open(ask: Ask[Nothing, Alerts, None]) -> Listed[Alert]:
    query = ask.query
    found = sorted(
        (
            alert
            for patient in ask.parts.present.patients()
            if query.patient_id in {UNSET, patient.patient_id}
            for alert in patient.open()
            if _is_asked(query, alert)
        ),
        key=pressing,
    )
    if query.cursor is not UNSET:
        after = place(query.cursor, tuple[int, int, int, str])
        found = [alert for alert in found if pressing(alert) > after]
    shown = found[: query.limit]
    more = len(found) > len(shown)
    return Listed(items=shown, next=cursor(pressing(shown[-1])) if more else None)


def _is_asked(query: Alerts, alert: Alert) -> bool:
    return (
        query.bed in {UNSET, alert.bed}
        and query.code in {UNSET, alert.code}
        and query.priority in {UNSET, alert.priority}
        and (query.first is UNSET or alert.onset >= query.first)
        and (query.last is UNSET or alert.onset < query.last)
    )


async def see_alert(ask: Ask[OfAlert, Nothing, None]) -> Reply:
    """One alarm, with what happened to it."""
    detail = await _detail(ask)
    return Reply(content=detail, tag=_tag(detail.alert))


async def acknowledge(ask: Ask[OfAlert, Nothing, Acknowledgement]) -> Done:
    """Somebody has seen it."""
    if "If-Match" in ask.request.headers:
        ask.require_match(_tag((await _detail(ask)).alert))
    alert_id = ask.path.alert_id
    patient_id = _patient_of(alert_id)
    return await commanding.do(ask, CommandType.ACKNOWLEDGE, patient_id, alert=alert_id)


async def judge(ask: Ask[OfAlert, Nothing, Judgement]) -> Done:
    """Was it worth it?"""
    alert_id = ask.path.alert_id
    return await commanding.do(
        ask,
        CommandType.FEEDBACK,
        _patient_of(alert_id),
        alert=alert_id,
        actionable=ask.body.actionable,
    )


async def _detail(ask: Ask[OfAlert, object, object]) -> AlertDetail:
    """What is known now, and what the store has of it before that."""
    alert_id = ask.path.alert_id
    course = ask.parts.present.course(alert_id, _patient_of(alert_id))
    if course is not None and (course.is_whole or ask.parts.records is None):
        return AlertDetail(
            alert=course.alert, transitions=course.steps, is_whole=course.is_whole
        )
    if ask.parts.records is None:
        raise unknown(
            what=f"no alarm {alert_id} is known; there is no store of the past"
        )
    stored = await ask.parts.records.alarm(alert_id)
    newest = course.alert if course is not None else stored
    if newest is None:
        raise unknown(what=f"there is no alarm {alert_id}")
    page = await ask.parts.records.transitions(
        alert_id=alert_id, standing=False, most=_MOST_TRANSITIONS
    )
    steps = {step.transition: step for step in page.rows}
    steps |= {step.transition: step for step in (course.steps if course else ())}
    return AlertDetail(
        alert=newest,
        transitions=[steps[number] for number in sorted(steps)],
        is_whole=sorted(steps) == list(range(1, newest.transition + 1)),
    )


def _patient_of(alert_id: str) -> str:
    patient_id = named(alert_id).patient_id
    if not 0 < len(patient_id) <= 128 or patient_id != patient_id.strip():
        raise unknown(what=f"no alarm can be {alert_id}")
    return patient_id


def _tag(alert: Alert) -> str:
    # What a restatement says anew each minute changes nothing about the alarm.
    return etag(f"{alert.alert_id}/{alert.transition}")


ROUTES = (
    Route(
        method="GET",
        path="/v1/alerts",
        summary="Alarms: open ones by urgency, or any by onset",
        handle=list_alerts,
        needs=Page.ALARMS,
        query=Alerts,
        answer=Listed[Alert],
        problems=(Kind.NO_STORE, Kind.STORE),
    ),
    Route(
        method="GET",
        path="/v1/alerts/{alert_id}",
        summary="One alarm, with its transitions",
        detail="Its ETag names the last transition.",
        handle=see_alert,
        needs=Page.ALARMS,
        where=OfAlert,
        answer=AlertDetail,
        problems=(Kind.STORE,),
    ),
    Route(
        method="POST",
        path="/v1/alerts/{alert_id}/acknowledge",
        summary="Acknowledge an alarm",
        detail="With If-Match, only the transition that was seen.",
        handle=acknowledge,
        needs=CommandType.ACKNOWLEDGE,
        where=OfAlert,
        body=Acknowledgement,
        answer=Done,
        takes=("If-Match",),
        problems=(*commanding.PROBLEMS, Kind.CHANGED),
    ),
    Route(
        method="POST",
        path="/v1/alerts/{alert_id}/feedback",
        summary="Say whether an alarm was worth it",
        handle=judge,
        needs=CommandType.FEEDBACK,
        where=OfAlert,
        body=Judgement,
        answer=Done,
        problems=commanding.PROBLEMS,
    ),
)
