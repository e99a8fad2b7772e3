"""From a killed worker to one that has every patient in memory."""

import itertools
import shutil
import time

import msgspec

from icu_stream.settings import Settings
from tests.benchmarks import latency
from tests.benchmarks.latency import CODE, EVENT
from tests.benchmarks.throughput import Hospital, fresh
from tests.kafka import Kafka
from tests.worker import Worker


READY_TIMEOUT_S = 180


class Recovery(msgspec.Struct, frozen=True):
    """Seconds from the start of the process until every patient is in memory.

    Attributes:
        beds: How many.
        changelog_mb: Saved state of all of them.
        changelog_s: Without the local database, after the killed worker's session.
        local_s: With it, after the killed worker's session.
        waiting_s: With it, at once: includes what is left of that session.
        static_s: With it, at once, as the same member of the group (`ICU_INSTANCE_ID`).
    """

    beds: int
    changelog_mb: float
    changelog_s: float
    local_s: float
    waiting_s: float
    static_s: float


def recover(place: Hospital, session_s: float) -> Recovery:
    """Kill a worker that has a hospital's patients, again and again."""
    settings, size = fresh(place)
    settings = settings.model_copy(update={"session_timeout_s": session_s})
    beds = len(place.beds)
    worker = Worker(settings)
    try:
        _ready(worker, beds)
        _kill(worker, settings)
        shutil.rmtree(worker.settings.data_dir / "worker")
        changelog_s = _ready(worker, beds)
        _kill(worker, settings)
        local_s = _ready(worker, beds)
        worker.kill()
        waiting_s = _ready(worker, beds)
        _kill(worker, settings)
    finally:
        worker.kill()
    static = Worker(settings.model_copy(update={"instance_id": "one"}))
    try:
        _ready(static, beds)
        static.kill()
        static_s = _ready(static, beds)
    finally:
        static.kill()
    return Recovery(beds, size / 1e6, changelog_s, local_s, waiting_s, static_s)


def _kill(worker: Worker, settings: Settings) -> None:
    """Kill it and wait until the group has forgotten it."""
    worker.kill()
    time.sleep(settings.session_timeout_s + 1)


def _ready(worker: Worker, beds: int) -> float:
    started = time.monotonic()
    worker.start(wait=False)
    worker.wait_until_ready(READY_TIMEOUT_S)
    took_s = time.monotonic() - started
    deadline = started + READY_TIMEOUT_S
    while worker.metric("icu_patients") != beds:
        assert time.monotonic() < deadline, "not every patient is there"
        time.sleep(0.2)
    return took_s


class Silence(msgspec.Struct, frozen=True):
    """What a kill did to the alerts.

    Attributes:
        longest_s: Longest time without one, of some 20 a second.
        lost: Messages that should have raised one and did not.
        repeated: Said again, under the same id.
    """

    longest_s: float
    lost: int
    repeated: int


def silence(kafka: Kafka, beds: int, seconds: float, session_s: float) -> Silence:
    """Kill a worker in the middle of raising alerts, and start it again at once."""
    settings = kafka.settings(session_timeout_s=session_s)
    with Worker(settings) as worker:

        def restart() -> None:
            worker.kill()
            worker.start(wait=False)

        sent, received = latency.exchange(settings, beds, seconds, restart)
    moments = sorted(r.received for r in received)
    wanted = {(each.patient_id, each.time) for each in sent if each.raises}
    got = [
        (r.patient_id, r.time) for r in received if (r.code, r.event) == (CODE, EVENT)
    ]
    longest_s = max(b - a for a, b in itertools.pairwise(moments))
    return Silence(longest_s, len(wanted - set(got)), len(got) - len(set(got)))
