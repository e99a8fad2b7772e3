"""The worker is killed, stopped, frozen, joined and left, and no alarm is lost.

While a ward in which much happens is produced without pause, something is done to the
workers or the broker. Afterwards the alerts and the saved state must be, byte by byte,
what the same log leads to when it is applied once and nothing happens.

`make chaos` runs the long forms.
"""

import asyncio
import contextlib
import random
import time

from collections.abc import AsyncIterator

import pytest

from aiokafka import TopicPartition

from icu_stream import bus
from icu_stream.contracts import topics
from icu_stream.contracts.envelope import REPLAY
from icu_stream.settings import Settings
from tests.integration import feed, replica
from tests.kafka import Kafka
from tests.worker import Worker


PATIENTS = 60
SESSION_S = 6.0
# A machine's cores are shared: what takes 6 s of session and 4 s of start here must
# still fit. Issue: alarms flow again within 15 s of a kill.
FLOW_AGAIN_S = 15.0


@contextlib.asynccontextmanager
async def produced(settings: Settings, seed: int) -> AsyncIterator[None]:
    """Produce about 600 messages a second until the block ends."""
    done = asyncio.Event()

    async def produce() -> None:
        producer = bus.producer(settings, linger_ms=5)
        await producer.start()
        name = settings.topic_prefix + topics.VITALS.name
        for batch in feed.eventful(seed, PATIENTS, 100_000):
            for message in batch:
                key, value = message["patient_id"].encode(), feed.encode(message)
                await producer.send(
                    name, key=key, value=value, headers=[(REPLAY, b"40")]
                )
            await producer.flush()
            if done.is_set():
                break
            await asyncio.sleep(0.1)
        await producer.stop()

    task = asyncio.create_task(produce())
    try:
        yield
    finally:
        done.set()
        await task


async def assert_nothing_lost(settings: Settings, *workers: Worker) -> None:
    """Let the workers finish and stop, and hold what came out against the log."""
    await replica.wait_until_applied(settings)
    for worker in workers:
        assert await asyncio.to_thread(worker.stop) == 0, worker.log_tail()
    expected = replica.outcome(settings, await replica.applied_log(settings))
    assert len(expected.alerts) > 100
    replica.assert_same(expected, await replica.found(settings))


async def alerts_end(settings: Settings) -> int:
    consumer = bus.consumer(settings)
    await consumer.start()
    name = settings.topic_prefix + topics.ALERTS.name
    tps = [TopicPartition(name, number) for number in range(settings.partitions)]
    ends = await consumer.end_offsets(tps)
    await consumer.stop()
    return sum(ends.values())


async def seconds_until_alerts_flow(settings: Settings) -> float:
    started, before = time.monotonic(), await alerts_end(settings)
    while await alerts_end(settings) == before:
        await asyncio.sleep(0.1)
        assert time.monotonic() - started < 60, "no alert for a minute"
    return time.monotonic() - started


async def kill_again_and_again(kafka: Kafka, times: int, seed: int) -> None:
    settings = kafka.settings(
        session_timeout_s=SESSION_S, instance_id="the-only-one", checkpoint_s=0.3
    )
    rng = random.Random(seed)
    worker = Worker(settings)
    await asyncio.to_thread(worker.start)
    try:
        async with produced(settings, seed):
            for _ in range(times):
                await asyncio.sleep(rng.uniform(0.1, 1.5))
                worker.kill()
                # Half of the restarts are killed in the middle of their start, too.
                wait = rng.random() < 0.5
                await asyncio.to_thread(worker.start, wait=wait)
                if rng.random() < 0.3:
                    await asyncio.sleep(rng.uniform(0, 4))
            worker.kill()
            await asyncio.to_thread(worker.start)
            assert await seconds_until_alerts_flow(settings) < FLOW_AGAIN_S
        await assert_nothing_lost(settings, worker)
    finally:
        worker.kill()


async def test_20_kills_lose_no_alarm_and_invent_none(kafka):
    await kill_again_and_again(kafka, times=20, seed=1)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
async def test_200_kills_lose_no_alarm_and_invent_none(kafka):
    await kill_again_and_again(kafka, times=200, seed=2)


async def test_alarms_flow_again_within_15_s_of_a_kill_without_static_membership(kafka):
    settings = kafka.settings()
    worker = Worker(settings)
    await asyncio.to_thread(worker.start)
    try:
        async with produced(settings, seed=3):
            await seconds_until_alerts_flow(settings)
            killed = time.monotonic()
            worker.kill()
            worker.start(wait=False)
            await seconds_until_alerts_flow(settings)
            assert time.monotonic() - killed < FLOW_AGAIN_S
        await assert_nothing_lost(settings, worker)
    finally:
        worker.kill()


async def test_sigterm_saves_everything_and_exits_with_0(kafka):
    settings = kafka.settings(instance_id="the-only-one", checkpoint_s=10)
    worker = Worker(settings)
    await asyncio.to_thread(worker.start)
    try:
        async with produced(settings, seed=4):
            for _ in range(3):
                await asyncio.sleep(2)
                assert await asyncio.to_thread(worker.stop) == 0
                await asyncio.to_thread(worker.start)
                # 10 s between checkpoints: what a restart knows, the stop has saved.
                assert worker.metric("icu_repeated_total") == 0
        await assert_nothing_lost(settings, worker)
    finally:
        worker.kill()


async def test_two_workers_join_leave_and_are_killed(kafka):
    settings = kafka.settings(session_timeout_s=SESSION_S, checkpoint_s=0.3)
    first, second = Worker(settings, "first"), Worker(settings, "second")
    await asyncio.to_thread(first.start)
    try:
        async with produced(settings, seed=5):
            await asyncio.sleep(1)
            await asyncio.to_thread(second.start)
            await asyncio.sleep(2)
            assert await asyncio.to_thread(first.stop) == 0
            await asyncio.sleep(1)
            await asyncio.to_thread(first.start)
            await asyncio.sleep(2)
            second.kill()
            await asyncio.sleep(SESSION_S + 4)
            await asyncio.to_thread(second.start)
            await asyncio.sleep(2)
            first.kill()
            await asyncio.sleep(SESSION_S + 4)
        await assert_nothing_lost(settings, second)
    finally:
        first.kill()
        second.kill()


async def test_a_standby_takes_over_without_reading_the_changelog_from_its_start(kafka):
    settings = kafka.settings(
        session_timeout_s=SESSION_S, checkpoint_s=0.3, standby_replicas=1
    )
    first, second = Worker(settings, "first"), Worker(settings, "second")
    await asyncio.to_thread(first.start)
    try:
        await asyncio.to_thread(second.start)
        async with produced(settings, seed=6):
            await asyncio.sleep(5)
            first.kill()
            await asyncio.sleep(SESSION_S + 4)
        await assert_nothing_lost(settings, second)
    finally:
        first.kill()
        second.kill()


async def test_a_worker_that_lost_its_disk_recovers_from_the_changelog(kafka):
    settings = kafka.settings(instance_id="the-only-one")
    worker = Worker(settings)
    await asyncio.to_thread(worker.start)
    elsewhere = Worker(settings, "elsewhere")
    try:
        async with produced(settings, seed=7):
            await asyncio.sleep(4)
            worker.kill()
            await asyncio.to_thread(elsewhere.start)
            await asyncio.sleep(2)
        await assert_nothing_lost(settings, elsewhere)
    finally:
        worker.kill()
        elsewhere.kill()


async def test_a_broker_frozen_for_20_s_costs_nothing_but_time(own_kafka):
    settings = own_kafka.settings()
    with Worker(settings) as worker:
        async with produced(settings, seed=8):
            await asyncio.sleep(2)
            own_kafka.freeze()
            await asyncio.sleep(20)
            own_kafka.thaw()
            await seconds_until_alerts_flow(settings)
            await asyncio.sleep(4)
        await assert_nothing_lost(settings, worker)


async def test_a_worker_woken_after_its_session_cannot_overwrite_what_is_newer(kafka):
    settings = kafka.settings(session_timeout_s=SESSION_S, checkpoint_s=0.3)
    sleeper, successor = Worker(settings, "sleeper"), Worker(settings, "successor")
    await asyncio.to_thread(sleeper.start)
    try:
        async with produced(settings, seed=9):
            await asyncio.sleep(2)
            sleeper.freeze()
            # Ready only when it owns the sleeper's patients.
            await asyncio.to_thread(successor.start)
            await seconds_until_alerts_flow(settings)
            sleeper.thaw()
            code = await asyncio.to_thread(sleeper.wait, 30)
            assert code in {71, 73}, sleeper.log_tail()
            await asyncio.sleep(2)
        await assert_nothing_lost(settings, successor)
    finally:
        sleeper.kill()
        successor.kill()


@pytest.mark.chaos
async def test_one_of_three_brokers_is_killed_and_comes_back(kafka_cluster):
    settings = kafka_cluster.settings()
    with Worker(settings) as worker:
        async with produced(settings, seed=10):
            for node in kafka_cluster.nodes:
                await asyncio.sleep(3)
                node.kill()
                await seconds_until_alerts_flow(settings)
                await asyncio.sleep(5)
                node.launch()
                await asyncio.to_thread(kafka_cluster.wait_until_ready)
                await asyncio.sleep(5)
        await assert_nothing_lost(settings, worker)
