"""Kafka behind TLS and a password: every client of the project gets in, no other."""

import contextlib

import pytest

from pydantic import SecretStr

from icu_stream import bus
from icu_stream.errors import ConfigurationError
from tests.kafka import Kafka
from tests.worker import Worker


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


def test_the_worker_gets_in_and_is_ready(secure_kafka: Kafka):
    with Worker(secure_kafka.settings()) as worker:
        assert worker.get("/readyz")[0] == 200
        assert worker.stop() == 0


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
