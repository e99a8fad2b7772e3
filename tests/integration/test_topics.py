"""The topics of icu-stream on a real broker: made, compared, and said what is wrong."""

import asyncio

import pytest

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from icu_stream import bus
from icu_stream.contracts.topics import TOPICS
from icu_stream.errors import ConfigurationError
from icu_stream.settings import Settings
from tests.kafka import Kafka, free_port


async def make(settings: Settings, *topics: NewTopic) -> None:
    admin = AIOKafkaAdminClient(**bus.connection(settings))
    await admin.start()
    try:
        await admin.create_topics(list(topics))
        for _ in range(200):  # the controller answers ahead of the broker
            if {t.name for t in topics} <= set(await admin.list_topics()):
                break
            await asyncio.sleep(0.05)
    finally:
        await admin.close()


async def configuration(settings: Settings, name: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(**bus.connection(settings))
    await admin.start()
    try:
        [answer] = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name)]
        )
    finally:
        await admin.close()
    [(_, _, _, _, entries)] = answer.resources
    return {name: value for name, value, *_ in entries}


async def test_every_topic_is_made_once(kafka: Kafka):
    settings = kafka.settings(create=False)

    made = await bus.create_topics(settings)
    again = await bus.create_topics(settings)

    names = {settings.topic_prefix + topic.name for topic in TOPICS}
    tables = {f"{settings.app_id}-{name}-changelog" for name in ("patients", "burden")}
    assert set(made) == names | tables
    assert again == []
    await bus.check_topics(settings)


async def test_patients_topics_get_the_partitions_and_others_get_one(kafka: Kafka):
    settings = kafka.settings(partitions=3)
    admin = AIOKafkaAdminClient(**bus.connection(settings))
    await admin.start()

    rows = await admin.describe_topics(list(bus.wanted(settings)))

    await admin.close()
    counts = {row["topic"]: len(row["partitions"]) for row in rows}
    prefix = settings.topic_prefix
    assert counts[f"{prefix}vitals"] == counts[f"{prefix}commands"] == 3
    assert counts[f"{settings.app_id}-patients-changelog"] == 3
    assert counts[f"{prefix}heartbeats"] == counts[f"{prefix}dead-letters"] == 1


async def test_the_changelog_is_compacted_and_vitals_are_kept_a_week(
    settings: Settings,
):
    changelog = await configuration(settings, f"{settings.app_id}-patients-changelog")
    vitals = await configuration(settings, f"{settings.topic_prefix}vitals")

    assert changelog["cleanup.policy"] == "compact"
    assert changelog["segment.bytes"] == str(64 * 1024 * 1024)
    assert vitals["retention.ms"] == str(7 * 24 * 3_600_000)


async def test_missing_topics_are_named_with_the_command_to_run(kafka: Kafka):
    settings = kafka.settings(create=False)

    with pytest.raises(ConfigurationError) as caught:
        await bus.check_topics(settings)

    assert f"{settings.topic_prefix}vitals" in str(caught.value)
    assert "icu-stream topics create" in str(caught.value)


async def test_a_wrong_partition_count_is_named_with_what_to_do(kafka: Kafka):
    settings = kafka.settings(create=False, partitions=4)
    vitals = f"{settings.topic_prefix}vitals"
    await make(settings, NewTopic(vitals, 2, 1))

    for act in (bus.create_topics, bus.check_topics):
        with pytest.raises(ConfigurationError) as caught:
            await act(settings)

        assert f"{vitals} has 2 partitions, want 4" in str(caught.value)
        assert "icu-stream topics create" in str(caught.value)


async def test_more_replicas_than_brokers_are_refused_with_the_setting(kafka: Kafka):
    settings = kafka.settings(create=False, replication=3)

    with pytest.raises(ConfigurationError, match="ICU_REPLICATION"):
        await bus.create_topics(settings)


async def test_no_broker_is_named_with_the_setting(kafka: Kafka):
    port = free_port()
    settings = kafka.settings(create=False, broker=f"127.0.0.1:{port}")

    with pytest.raises(ConfigurationError) as caught:
        await bus.check_topics(settings)

    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "ICU_BROKER" in str(caught.value)


async def test_a_producer_and_the_partition_function_agree(settings: Settings):
    topic = f"{settings.topic_prefix}vitals"
    producer = bus.producer(settings)
    await producer.start()
    keys = [f"p-{n:04d}" for n in range(40)]

    sent = [await producer.send_and_wait(topic, b"x", key=k.encode()) for k in keys]

    await producer.stop()
    expected = [bus.partition_of(key, settings.partitions) for key in keys]
    assert [record.partition for record in sent] == expected
    assert len(set(expected)) == settings.partitions
