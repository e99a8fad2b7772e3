"""The ward view's feed on a real Kafka: what it knows soon after it was started."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from icu_stream import bus, clock
from icu_stream.contracts import envelope, topics
from icu_stream.contracts.alerts import Event, Priority, State
from icu_stream.contracts.commands import CommandType
from icu_stream.contracts.vitals import Vitals
from icu_stream.settings import Settings
from icu_stream.ward.feed import Feed
from icu_stream.ward.tiles import POINTS, Row, Ward
from tests.browser.hospital import Hospital


async def arrive_as_sent(settings: Settings) -> None:
    """Let the past be sent now: Kafka keeps the arrival that the producer gives."""
    admin = AIOKafkaAdminClient(**bus.connection(settings))
    await admin.start()
    name = settings.topic_prefix + topics.VITALS.name
    kind = {"message.timestamp.type": "CreateTime"}
    await admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, configs=kind)]
    )
    await admin.close()
    headers = [(envelope.TICK, b"1")]  # which no view takes for a measurement
    async with bus.producer(settings) as producer:
        while True:  # the broker heeds it some time after it has said that it will
            probe = await producer.send_and_wait(
                name, b"", headers=headers, partition=0
            )
            if probe.timestamp_type == 0:
                break
            await asyncio.sleep(0.1)


async def rows_of(settings: Settings) -> tuple[dict[str, Row], Feed]:
    """What a feed that starts now knows when it has read the past, by patient."""
    ward = Ward()
    feed = Feed(settings, ward)
    task = asyncio.create_task(feed.run())
    try:
        async with asyncio.timeout(20):
            while not ward.caught_up:  # noqa: ASYNC110 - the page asks for it, too
                await asyncio.sleep(0.05)
    finally:
        task.cancel()
        await asyncio.wait({task})
    ward.changes(clock.now_ms())
    return {row["i"]: row for row in ward.snapshot()}, feed


async def test_a_feed_that_starts_late_knows_values_lines_scores_and_open_alarms(
    settings: Settings,
):
    await arrive_as_sent(settings)
    async with Hospital(settings, 3, past_s=300) as hospital:
        seen = await hospital.alarm(0, "hr.high", Priority.MEDIUM, value=131, limit=120)
        await hospital.again(
            seen, Event.ACKNOWLEDGED, State.ACKNOWLEDGED, by="RN Okafor"
        )
        over = await hospital.alarm(1, "hr.high", Priority.MEDIUM, value=131, limit=120)
        await hospital.again(over, Event.CLEARED, State.CLEARED)
        await asyncio.sleep(1.5)

    rows, feed = await rows_of(settings)

    first, second, third = (rows[p.patient_id] for p in hospital.patients)
    assert first["v"][0] is not None
    assert first["n"][1] == 6
    assert [(a["s"], a["by"]) for a in first["al"]] == [("ack", ["RO", "RN Okafor"])]
    assert second["al"] == []
    assert third["v"][2][3] is not None  # a cuff's reading, with its time
    known = [y for y in first["g"]["y"] if y is not None]
    assert len(first["g"]["y"]) == POINTS
    assert 58 <= len(known) <= 62
    assert feed.refused == 0


async def test_commands_and_ticks_in_the_log_are_not_taken_for_measurements(
    settings: Settings,
):
    async with Hospital(settings, 2) as hospital:
        await asyncio.sleep(1.2)
        stays, goes = hospital.patients
        goes.is_silent = True
        await asyncio.sleep(1)
        tick = Vitals(
            patient_id=stays.patient_id, time=clock.now_ms(), values={"hr": 1}
        )
        headers = [(envelope.TICK, b"1")]
        stays.is_silent = True
        await hospital.send(topics.VITALS, stays, tick, headers=headers)
        await hospital.command(1, type=CommandType.DISCHARGE)

    rows, _ = await rows_of(settings)

    assert rows[stays.patient_id]["v"][0] > 1
    assert goes.patient_id not in rows
    assert [row["d"][0] for row in rows.values() if row.get("e")] == [goes.bed]


async def test_records_that_cannot_be_read_are_counted_and_the_next_one_is_shown(
    settings: Settings,
):
    async with bus.producer(settings) as producer:
        for value in (b"no json", b"", None, b"\xff\xfe", b'{"patient_id": 7}'):
            for name in ("vitals", "alerts", "scores", "heartbeats"):
                await producer.send_and_wait(settings.topic_prefix + name, value, b"k")
    async with Hospital(settings, 1) as hospital:
        await asyncio.sleep(1.2)

    rows, feed = await rows_of(settings)

    assert feed.refused == 20
    assert rows[hospital.patients[0].patient_id]["v"][0] is not None
