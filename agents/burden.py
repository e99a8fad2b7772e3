"""Adds up what the alarms ask of people, from what the worker says and hears.

Beside the alarm path: a message that cannot be counted is refused alone, and what is
remembered is saved at its own pace (`icu_stream.engine.notebook`).
"""

import asyncio

from collections.abc import Sequence
from typing import Any

import msgspec

from aiokafka import ConsumerRecord
from faust.types import TP, StreamT

from icu_stream import clock
from icu_stream.contracts import topics
from icu_stream.contracts.canary import is_canary
from icu_stream.contracts.commands import CommandResult
from icu_stream.domain import burden
from icu_stream.domain.burden import Burden, Question, Report
from icu_stream.engine.application import app
from icu_stream.engine.partition import Partition


# Between two looks at how long patients have been monitored.
LOOK_S = 10.0
# Of the others, so many are looked at without a pause: a vitals message waits for less
# than 2 ms then.
AT_ONCE = 20

_ALERTS = app.settings.topic_prefix + topics.ALERTS.name
_HEARD = msgspec.json.Decoder(burden.Heard)
_RESULT = msgspec.json.Decoder(CommandResult)
_asked = asyncio.Lock()  # one question at a time: a thread takes turns with the alarms


@app.watcher(topics.ALERTS)
async def weigh_alerts(stream: StreamT[Any]) -> None:
    """Count each alert once."""
    async for chunk in app.chunks(stream):
        weigh(app.parts[chunk.tp], chunk.records)


def weigh(part: Partition[Burden], records: Sequence[ConsumerRecord]) -> None:
    """Count alerts; one that cannot be counted is refused alone."""
    hot, dirty = part.hot, part.dirty
    for record in records:
        try:
            heard = _HEARD.decode(record.value or b"")
            patient_id = heard.patient_id
            if is_canary(patient_id):
                continue
            entry = hot.get(patient_id) or part.patient(patient_id)
            if entry is None or record.offset <= entry.last_offset:
                continue
            entry.last_offset = record.offset
            dirty.add(patient_id)
            burden.take(entry, heard, record.timestamp)
        except Exception as error:  # noqa: BLE001 - never a crash loop over one record
            part.refuse(record, f"not counted: {error}")


@app.watcher(topics.COMMAND_RESULTS)
async def hear_feedback(stream: StreamT[Any]) -> None:
    """Take over which alarms people found worth it."""
    async for chunk in app.chunks(stream):
        part = app.parts.get(TP(_ALERTS, chunk.tp.partition))
        if part is not None:
            judge(part, app.parts[chunk.tp], chunk.records)


def judge(
    part: Partition[Burden],
    results: Partition[Any],
    records: Sequence[ConsumerRecord],
) -> None:
    """Take over feedback; a result that cannot be read is refused alone."""
    for record in records:
        try:
            result = _RESULT.decode(record.value or b"")
            if result.patient_id is None or result.actionable is None:
                continue
            entry = part.patient(result.patient_id)
            if entry is not None and burden.mark(entry, result):
                part.dirty.add(result.patient_id)
        except Exception as error:  # noqa: BLE001 - never a crash loop over one record
            results.refuse(record, f"not counted: {error}")


@app.while_running
async def look() -> None:
    """Now and then: count the time that patients were monitored, and forget old hours."""
    while not app.should_stop:
        await asyncio.sleep(LOOK_S)
        for tp, part in list(app.parts.items()):
            if tp.topic == _ALERTS and app.is_ready:
                await _look_at(part, clock.now_ms())


async def _look_at(part: Partition[Burden], now_ms: int) -> None:
    ward = app.parts.get(TP(app.vitals_name, part.tp.partition))
    for count, (patient_id, patient) in enumerate(
        list(ward.hot.items() if ward else ())
    ):
        is_monitored = not is_canary(patient_id) and any(
            track.is_expected for track in patient.tracks.values()
        )
        entry = part.hot.get(patient_id)
        if is_monitored or (entry is not None and entry.watched_until):
            entry = entry or part.patient(patient_id)
            if entry is not None:
                burden.watch(
                    entry, patient.bed, patient.now, now_ms, is_monitored=is_monitored
                )
                part.dirty.add(patient_id)
        if count % AT_ONCE == 0:
            await asyncio.sleep(0)
    for count, (patient_id, entry) in enumerate(list(part.hot.items())):
        names = burden.names(entry)
        if entry.forget(now_ms):
            part.drop(patient_id, names)
        elif entry.has_changed:
            part.dirty.add(patient_id)
        if count % AT_ONCE == 0:
            await asyncio.sleep(0)


async def answer(question: Question) -> bytes:
    """What this worker's own partitions know, as JSON; lets alarms pass meanwhile.

    Here only copies are taken, patient by patient; a thread works the answer out, since
    for a week of 200 beds that takes longer than an alarm may wait.
    """
    report = Report(question, clock.now_ms())
    partitions = []
    for tp, part in list(app.parts.items()):
        if tp.topic != _ALERTS:
            continue
        partitions.append(tp.partition)
        for entry in list(part.hot.values()):
            report.add(entry)
            await asyncio.sleep(0)
    who = {
        "worker": app.worker,
        "partitions": sorted(partitions),
        "of_partitions": app.settings.partitions,
    }
    async with _asked:
        return await asyncio.to_thread(
            lambda: msgspec.json.encode(who | report.found())
        )
