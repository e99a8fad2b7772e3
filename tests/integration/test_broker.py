"""The embedded broker of the demo: a process that serves the project's own topics."""

import os
import signal
import subprocess
import sys

from collections.abc import Iterator
from contextlib import closing

import pytest

from icu_stream import bus
from icu_stream.settings import Settings


@pytest.fixture
def broker() -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "ICU_PARTITIONS": "6", "ICU_TOPIC_PREFIX": "ward."}
    with subprocess.Popen(
        [sys.executable, "-m", "icu_stream.broker"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


@pytest.fixture
def embedded(broker: subprocess.Popen[str]) -> Settings:
    return Settings(
        _env_file=None,
        broker=broker.stdout.readline().strip(),
        broker_kind="embedded",
        partitions=6,
        topic_prefix="ward.",
    )


async def test_it_has_every_topic_with_the_partitions_of_the_settings(embedded):
    await bus.check_topics(embedded)

    assert await bus.create_topics(embedded) == []


async def test_it_listens_on_loopback_alone(embedded):
    assert embedded.broker.startswith("127.0.0.1:")


async def test_records_come_back_whole_in_the_partition_of_their_patient(embedded):
    producer = bus.producer(embedded)
    consumer = bus.consumer(embedded, "vitals", auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()

    for n in range(20):
        await producer.send_and_wait(
            "ward.vitals", b"%d" % n, key=b"p-%d" % n, headers=[("icu-tick", b"1")]
        )
    read = [await consumer.getone() for _ in range(20)]

    await consumer.stop()
    await producer.stop()
    assert {record.value for record in read} == {b"%d" % n for n in range(20)}
    assert all(record.headers == (("icu-tick", b"1"),) for record in read)
    assert all(
        record.partition == bus.partition_of(record.key.decode(), 6) for record in read
    )


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_and_in_good_order(broker, how):
    with closing(broker.stdout) as said:
        assert said.readline()

    broker.send_signal(how)

    assert broker.wait(timeout=5) == 0
