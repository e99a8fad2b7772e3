"""Kafka behind TLS, passwords and access lists, as docker/kafka sets it up.

Every client of the project gets in and no other; each process may do what it must, and is
refused what it must not.
"""

import asyncio
import contextlib

from collections.abc import Iterable

import pytest

from aiokafka import TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)
from confluent_kafka import KafkaError, KafkaException, Producer
from pydantic import SecretStr

from icu_stream import bus, clock, permissions
from icu_stream.contracts.topics import ALERTS, TOPICS, VITALS, Topic
from icu_stream.errors import ConfigurationError
from icu_stream.settings import Settings
from tests.kafka import Kafka
from tests.worker import Worker


@pytest.fixture(scope="module")
def shared(secure_kafka: Kafka) -> Settings:
    """Topics that every process has its rights to, with a record in each."""
    settings = secure_kafka.settings()

    async def plant() -> None:
        producer = bus.producer(secure_kafka.administrator(settings))
        await producer.start()
        for topic in TOPICS:
            name = settings.topic_prefix + topic.name
            await producer.send_and_wait(name, b"x", key=b"k", partition=0)
        await producer.stop()

    asyncio.run(plant())
    return settings


async def readable(settings: Settings, topics: Iterable[Topic]) -> set[Topic]:
    found = set()
    for topic in topics:
        consumer = bus.consumer(settings, auto_offset_reset="earliest")
        await consumer.start()
        consumer.assign([TopicPartition(settings.topic_prefix + topic.name, 0)])
        with contextlib.suppress(TopicAuthorizationFailedError):
            await asyncio.wait_for(consumer.getone(), 10)
            found.add(topic)
        await consumer.stop()
    return found


async def writable(settings: Settings, topics: Iterable[Topic]) -> set[Topic]:
    found = set()
    producer = bus.producer(settings)
    await producer.start()
    for topic in topics:
        name = settings.topic_prefix + topic.name
        with contextlib.suppress(TopicAuthorizationFailedError):
            await producer.send_and_wait(name, b"x", key=b"k", partition=0)
            found.add(topic)
    await producer.stop()
    return found


@pytest.mark.parametrize("process", permissions.RIGHTS)
async def test_a_process_reads_and_writes_what_its_row_says_and_nothing_else(
    secure_kafka: Kafka, shared: Settings, process: str
):
    own = secure_kafka.as_process(shared, process)
    rights = permissions.RIGHTS[process]

    assert await readable(own, TOPICS) == set(rights.reads)
    assert await writable(own, TOPICS) == set(rights.writes)


async def test_a_consumer_group_is_its_processes_own(
    secure_kafka: Kafka, shared: Settings
):
    async def join(process: str, group: str) -> None:
        own = secure_kafka.as_process(shared, process)
        consumer = bus.consumer(own, VITALS.name, group_id=group)
        try:
            await consumer.start()
            await consumer.position(TopicPartition(own.topic_prefix + VITALS.name, 0))
        finally:
            await consumer.stop()

    await join("archive", "icu-archive")
    with pytest.raises(GroupAuthorizationFailedError):
        await join("archive", shared.app_id)
    with pytest.raises(GroupAuthorizationFailedError):
        await join("ward", "icu-archive")


@pytest.mark.parametrize(("process", "may"), [("worker", True), ("ward", False)])
def test_saved_state_is_the_workers_alone(
    secure_kafka: Kafka, shared: Settings, process: str, may: bool
):
    own = permissions.librdkafka(secure_kafka.as_process(shared, process))
    producer = Producer(own | {"transactional.id": f"{shared.app_id}-patients-0"})

    expected = contextlib.nullcontext() if may else pytest.raises(KafkaException)
    with expected as caught:
        producer.init_transactions(10)

    if not may:
        code = caught.value.args[0].code()
        assert code == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


def test_only_an_administrator_gives_rights(secure_kafka: Kafka, shared: Settings):
    passwords = dict.fromkeys(permissions.RIGHTS, "of-the-tests-alone")

    with pytest.raises(
        ConfigurationError, match=r"ICU_TLS_CERT.*super\.users"
    ) as caught:
        permissions.apply(shared, passwords)

    assert "of-the-tests-alone" not in str(caught.value)


async def test_producers_and_consumers_get_in(secure_kafka: Kafka):
    settings = secure_kafka.settings()
    producer = bus.producer(settings)
    consumer = bus.consumer(settings, "vitals", auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()

    await producer.send_and_wait(f"{settings.topic_prefix}vitals", b"x", key=b"p-1")
    record = await consumer.getone()

    await consumer.stop()
    await producer.stop()
    assert record.value == b"x"


async def test_an_alarm_goes_from_a_source_over_the_worker_to_the_ward(
    secure_kafka: Kafka,
):
    settings = secure_kafka.settings()
    source = bus.producer(secure_kafka.as_process(settings, "source"))
    ward = bus.consumer(secure_kafka.as_process(settings, "ward"), ALERTS.name)
    low = b'{"patient_id":"p-1","time":%d,"values":{"spo2":70}}' % clock.now_ms()
    worker = Worker(settings)
    await asyncio.to_thread(worker.start)
    await source.start()
    await ward.start()
    try:
        await source.send_and_wait(f"{settings.topic_prefix}vitals", low, key=b"p-1")
        alert = await asyncio.wait_for(ward.getone(), 10)

        assert b'"spo2.desat"' in alert.value
        assert await asyncio.to_thread(worker.stop) == 0
    finally:
        worker.kill()
        await ward.stop()
        await source.stop()


async def test_a_wrong_password_is_refused_and_not_said(secure_kafka: Kafka):
    right = secure_kafka.settings(create=False)
    wrong = right.model_copy(update={"sasl_password": SecretStr("a-wrong-one")})

    with pytest.raises(ConfigurationError, match="Authentication") as caught:
        await bus.check_topics(wrong)

    assert "a-wrong-one" not in str(caught.value)
    assert "ICU_SASL" in str(caught.value)


async def test_a_server_that_is_not_ours_is_refused(secure_kafka: Kafka, tmp_path):
    right = secure_kafka.settings(create=False)
    with contextlib.closing(Kafka(secure=True)) as stranger:
        other = stranger.settings(create=False).tls_ca
        wrong = right.model_copy(update={"tls_ca": other})

        with pytest.raises(ConfigurationError, match="certificate verify failed"):
            await bus.check_topics(wrong)


def test_a_certificate_that_is_not_there_is_named(tmp_path, secure_kafka: Kafka):
    right = secure_kafka.settings(create=False)
    wrong = right.model_copy(update={"tls_ca": tmp_path / "nowhere.pem"})

    with pytest.raises(ConfigurationError, match="ICU_TLS_CA"):
        bus.connection(wrong)
