"""Time passes: heartbeats of this worker, and ticks where something fell due in silence.

The clock decides nothing itself. It writes a tick into the log of a patient for whom
something is due while no message comes; what follows is decided where the tick is read,
behind every sample that arrived before it.
"""

import asyncio

import msgspec

from icu_stream import clock, observability
from icu_stream.contracts import envelope, topics
from icu_stream.contracts.canary import is_canary
from icu_stream.contracts.heartbeats import Heartbeat
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import monitor
from icu_stream.domain.patient import Patient
from icu_stream.engine.application import app
from icu_stream.engine.partition import Outgoing, Partition


BEAT_S = 1.0
# A tick is written again when its partition has not answered it for so long.
TICK_AGAIN_MS = 10_000

_ticked: dict[str, int] = {}


@app.while_running
async def beat() -> None:
    """Each second: say what this worker holds, and where time has run out."""
    while not app.should_stop:
        await asyncio.sleep(BEAT_S)
        if not app.is_ready:
            continue
        now_ms = clock.now_ms()
        for tp, part in list(app.parts.items()):
            observability.LAG.labels(tp.topic, tp.partition).set(app.lag(tp))
            if tp.topic != app.vitals_name:
                continue
            observability.PATIENTS.labels(tp.partition).set(_patients(part))
            tick_due(part, now_ms)
            part.queue(_heartbeat(part, now_ms))
            await part.flush()
        observability.CHECKPOINT_AGE_S.set(app.checkpointer.age_s)


def tick_due(part: Partition[Patient], now_ms: int) -> None:
    """Append a tick for each silent patient for whom something is due."""
    for patient_id, patient in part.hot.items():
        if is_canary(patient_id):
            continue  # nobody misses it when the view that tested by it is gone
        is_due = monitor.is_due(patient, now_ms)
        if not (is_due or patient_id in part.unreadable):
            _ticked.pop(patient_id, None)
            continue
        if now_ms - _ticked.get(patient_id, -TICK_AGAIN_MS) < TICK_AGAIN_MS:
            continue
        _ticked[patient_id] = now_ms
        observability.TICKS.inc()
        tick = Vitals(patient_id=patient_id, time=now_ms, bed=patient.bed)
        part.append(patient_id, msgspec.json.encode(tick), [(envelope.TICK, b"1")])


def _patients(part: Partition[Patient]) -> int:
    return sum(not is_canary(patient_id) for patient_id in part.hot)


def _heartbeat(part: Partition[Patient], now_ms: int) -> Outgoing:
    message = Heartbeat(
        worker=app.worker,
        partition=part.tp.partition,
        time=now_ms,
        lag=app.lag(part.tp),
        patients=_patients(part),
        applied=part.pos,
        checkpoint_age_s=round(app.checkpointer.age_s, 3),
    )
    topic = app.settings.topic_prefix + topics.HEARTBEATS.name
    return Outgoing(topic, 0, app.worker.encode(), msgspec.json.encode(message), [])
