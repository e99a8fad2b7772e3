"""Burden: what alarms asked of people, from the store; by the worker's own definitions.

Alerts and feedback are folded as the worker folds them. Monitored time is counted in steps of 15 min in
which something was measured of a patient who had an alarm, or who is on the ward now.
"""

import asyncio

from icu_stream.access.roles import Page
from icu_stream.api.messages import UNSET, Burden, Hours
from icu_stream.api.problems import Kind
from icu_stream.api.table import Ask, Nothing, Route
from icu_stream.clock import now_ms
from icu_stream.contracts.commands import CommandResult, CommandType
from icu_stream.domain import burden
from icu_stream.domain.burden import HOUR_MS, Heard, Question, Report
from icu_stream.storage.reading import MOST
from icu_stream.storage.records import Records


_STEP_MS = 900_000
# Of nearly everybody who is monitored at all, one of these is measured.
_MEASURED = ("hr", "pulse", "spo2", "rr")
_AT_ONCE = 4


async def see_burden(ask: Ask[Nothing, Hours, None]) -> Burden:
    """Alarms and sounds a bed-day, floods, chattering, time to acknowledge."""
    query, past, clock_ms = ask.query, ask.parts.past, now_ms()
    begin_ms = (clock_ms // HOUR_MS - query.hours + 1) * HOUR_MS
    folded = await _folded(past, begin_ms, clock_ms)
    await _marked(past, folded, begin_ms, clock_ms)
    for patient in ask.parts.present.patients():
        entry = folded.setdefault(patient.patient_id, burden.new(patient.patient_id))
        entry.bed = patient.bed or entry.bed
    turn = asyncio.Semaphore(_AT_ONCE)
    async with asyncio.TaskGroup() as group:
        for entry in folded.values():
            group.create_task(_watched(past, entry, begin_ms, clock_ms, turn))
    question = Question(
        hours=query.hours,
        unit=None if query.unit is UNSET else query.unit,
        bed=None if query.bed is UNSET else query.bed,
    )
    report = Report(question, clock_ms)
    for entry in folded.values():
        entry.time = entry.arrived_ms = clock_ms
        report.add(entry)
    found = await asyncio.to_thread(report.found)
    return Burden(
        hours=query.hours,
        total=found["all"],
        groups=found.get("beds") or found.get("units") or {},
        hourly=found["hourly"],
        definitions=found["definitions"],
    )


async def _folded(
    past: Records, begin_ms: int, end_ms: int
) -> dict[str, burden.Burden]:
    """Every patient's alarms, folded in the order of their time."""
    folded: dict[str, burden.Burden] = {}
    after: str | None = None
    while True:
        page = await past.transitions(
            start_ms=begin_ms, end_ms=end_ms, standing=False, after=after, most=MOST
        )
        for alert in page.rows:
            entry = folded.get(alert.patient_id)
            if entry is None:
                entry = folded[alert.patient_id] = burden.new(alert.patient_id)
            said = {name: getattr(alert, name) for name in Heard.__struct_fields__}
            burden.take(entry, Heard(**said), alert.time)
        if (after := page.after) is None:
            return folded


async def _marked(
    past: Records, folded: dict[str, burden.Burden], begin_ms: int, end_ms: int
) -> None:
    """What people thought of alarms since then, the last word last."""
    answers: list[CommandResult] = []
    after: str | None = None
    while True:
        page = await past.command_results(
            to=CommandType.FEEDBACK,
            start_ms=begin_ms,
            end_ms=end_ms,
            after=after,
            most=MOST,
        )
        answers += page.rows
        if (after := page.after) is None:
            break
    for answer in reversed(answers):
        entry = folded.get(answer.patient_id or "")
        if entry is not None:
            burden.mark(entry, answer)


async def _watched(
    past: Records,
    entry: burden.Burden,
    begin_ms: int,
    end_ms: int,
    turn: asyncio.Semaphore,
) -> None:
    async with turn:
        steps = await past.series.figures(
            entry.patient_id, _MEASURED, begin_ms, end_ms, _STEP_MS, end_ms
        )
    for begin in {step.time_ms for figures in steps.values() for step in figures}:
        hour = entry.hour(begin, entry.bed)
        if hour is not None:
            hour.watched_ms += min(_STEP_MS, end_ms - begin)


ROUTES = (
    Route(
        method="GET",
        path="/v1/burden",
        summary="What alarms asked of people",
        detail="By what the store holds. docs/burden.md.",
        handle=see_burden,
        needs=Page.BURDEN,
        query=Hours,
        answer=Burden,
        problems=(Kind.NO_STORE, Kind.STORE),
    ),
)
