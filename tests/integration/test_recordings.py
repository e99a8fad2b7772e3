"""Real recordings through the real worker on real Kafka.

The MIMIC-III numerics take ten minutes at 200x. They begin with the first test of a run
and are held against the reference by the last one (`conftest.py` of this folder).
"""

import asyncio
import collections
import json
import math
import subprocess
import sys

from collections.abc import Iterator

import pytest

from icu_stream.contracts import topics
from icu_stream.domain import patient
from icu_stream.sources import replay
from tests.integration import recordings, reference, replica
from tests.kafka import ROOT, Kafka
from tests.worker import Worker


SPEED = 200


class Replay:
    """The worker, and beside it the command that replays the recording."""

    def __init__(self, worker: Worker) -> None:
        path = recordings.need(recordings.MIMIC3.with_suffix(".hea")).parent
        self.worker = worker
        command = [sys.executable, "-m", "icu_stream", "replay", str(path)]
        self.process = subprocess.Popen(
            [*command, "--speed", str(SPEED), "--start", "original", "--json"],
            cwd=ROOT,
            env=Kafka.env(worker.settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )


@pytest.fixture(scope="session")
def mimic(kafka: Kafka) -> Iterator[Replay]:
    with Worker(kafka.settings()) as worker:
        running = Replay(worker)
        yield running
        running.process.kill()
        running.process.wait()


def test_mimic_replay_at_200x_begins(mimic):
    assert mimic.process.poll() is None


@pytest.mark.timeout(900)
async def test_mimic_replay_at_200x_gives_the_alarms_of_the_reference(mimic):
    told, _ = await asyncio.to_thread(mimic.process.communicate)
    assert mimic.process.returncode == 0
    settings = mimic.worker.settings
    await replica.wait_until_applied(settings)
    assert await asyncio.to_thread(mimic.worker.stop) == 0

    log = await replica.applied_log(settings)
    records = collections.defaultdict(list)
    for row in log:
        made = reference.record(row.value, row.timestamp, row.headers)
        records[made.message["patient_id"]].append(made)
    outcomes = reference.run(records)
    name = settings.topic_prefix + topics.ALERTS.name
    alerts = [row.value for row in await replica.read(settings, name)]

    assert json.loads(told)["messages"] == 1936
    assert sum(len(outcome.transitions) for outcome in outcomes.values()) > 500
    assert reference.compare(outcomes, alerts) == []


async def lose_no_message(kafka: Kafka, stays: int) -> None:
    path = recordings.need(recordings.PHYSIONET_2012)
    settings = kafka.settings()
    with Worker(settings) as worker:
        counts = await replay.run(
            settings, path, math.inf, patients=stays, stop=asyncio.Event()
        )
        await replica.wait_until_applied(settings)
        assert await asyncio.to_thread(worker.stop) == 0
    found = await replica.found(settings)

    pieces: dict[str, dict[bytes, bytes]] = collections.defaultdict(dict)
    for (patient_id, piece), value in found.pieces.items():
        if patient_id:
            pieces[patient_id][piece] = value
    states = [patient.restore(name, rows) for name, rows in pieces.items()]
    # 13 of the first 1,000 stays have no vital sign at all.
    assert counts.patients == len(states) > 0.97 * stays
    assert counts.messages == sum(state.messages for state in states) > 50 * stays
    left = sum(state.duplicates + state.late + state.invalid for state in states)
    assert left < 100
    assert found.dead == set()


async def test_100_stays_as_fast_as_it_goes_lose_no_message(kafka):
    await lose_no_message(kafka, 100)


@pytest.mark.chaos
@pytest.mark.timeout(900)
async def test_1000_stays_as_fast_as_it_goes_lose_no_message(kafka):
    await lose_no_message(kafka, 1020)
