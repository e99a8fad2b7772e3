"""Whatever arrives has an outcome that is written down here, and nothing else suffers."""

import json

import pytest

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from icu_stream import bus
from icu_stream.contracts import topics
from icu_stream.contracts.envelope import FORWARDED
from tests.integration import feed, replica
from tests.kafka import Kafka
from tests.worker import Worker


GOOD = {"patient_id": "good", "time": feed.START_MS, "values": {"hr": 80}}


def raw(text: str | bytes, key: bytes | None = b"good"):
    return key, text.encode() if isinstance(text, str) else text, []


def with_(**fields: object) -> bytes:
    return json.dumps(GOOD | fields).encode()


# Refused as a whole: to dead-letters, with a reason that names what is wrong.
REFUSED = {
    "not JSON": (b"hello", "JSON"),
    "empty": (b"", "JSON"),
    "truncated": (with_()[:-9], "JSON"),
    "not an object": (b"[1, 2]", "object"),
    "not UTF-8": (b'{"patient_id": "\xff\xfe", "time": 1}', "UTF-8"),
    "no patient_id": (b'{"time": 1795492541000, "values": {}}', "patient_id"),
    "empty patient_id": (with_(patient_id=""), "patient_id"),
    "patient_id a number": (with_(patient_id=7), "patient_id"),
    "patient_id of 5,000 characters": (with_(patient_id="x" * 5000), "patient_id"),
    "no time": (b'{"patient_id": "good", "values": {}}', "time"),
    "time in seconds": (with_(time=1_795_492_541), "seconds"),
    "time in microseconds": (with_(time=1_795_492_541_000_000), "time"),
    "time a text": (with_(time="now"), "time"),
    "values a list": (with_(values=[80]), "values"),
    "interval_s negative": (with_(interval_s=-1), "interval_s"),
    "100 KB": (with_(values={f"s{n}": 1.0 for n in range(8000)}), "large"),
}

# The signal alone is judged: technical alarm with the value; the rest is monitored.
INVALID = {
    "text": '"eighty"',
    "true": "true",
    "list": "[80]",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "1e308": "1e308",
    "negative": "-5",
    "above the range": "351",
}


@pytest.fixture(scope="module")
def worker(kafka: Kafka):
    settings = kafka.settings()
    with Worker(settings) as running:
        yield running


async def alerts_of(worker: Worker, patient_id: str) -> list[dict]:
    """But not that nothing more came: a slow machine reads this after ten seconds."""
    rows = replica.decoded((await replica.found(worker.settings)).alerts)
    mine = [row for row in rows if row["patient_id"] == patient_id]
    return [row for row in mine if not row["code"].endswith(".no_data")]


@pytest.mark.parametrize("what", REFUSED)
async def test_a_message_that_cannot_be_read_goes_to_dead_letters_alone(worker, what):
    value, reason = REFUSED[what]
    patient_id = "after-" + "".join(filter(str.isalnum, what))
    home = bus.partition_of(patient_id, worker.settings.partitions)
    name = worker.settings.topic_prefix + topics.VITALS.name
    producer = bus.producer(worker.settings)
    await producer.start()
    sent = await producer.send_and_wait(name, value, partition=home)
    await producer.stop()

    await feed.send(worker.settings, [feed.message(patient_id, 0, spo2=70)])
    await replica.wait_until_applied(worker.settings)

    dead = await replica.read(
        worker.settings, worker.settings.topic_prefix + topics.DEAD_LETTERS.name
    )
    letter = next(
        row for row in dead if row.key == f"{name}-{home}-{sent.offset}".encode()
    )
    headers = {key: text.decode() for key, text in letter.headers}
    assert letter.value == value
    assert headers["topic"] == name
    assert headers["partition"] == str(home)
    assert headers["offset"] == str(sent.offset)
    assert reason.lower() in headers["reason"].lower()
    assert [row["code"] for row in await alerts_of(worker, patient_id)] == [
        "spo2.desat"
    ]


@pytest.mark.parametrize("what", INVALID)
async def test_a_value_that_no_monitor_shows_is_a_technical_alarm(worker, what):
    patient_id = "invalid-" + "".join(filter(str.isalnum, what))
    text = json.dumps(feed.message(patient_id, 0, spo2=70, hr="HERE"))
    value = text.replace('"HERE"', INVALID[what]).encode()

    await feed.send(worker.settings, [(patient_id.encode(), value, [])])
    await replica.wait_until_applied(worker.settings)

    rows = await alerts_of(worker, patient_id)
    assert {(row["code"], row["kind"]) for row in rows} == {
        ("hr.invalid", "technical"),
        ("spo2.desat", "physiological"),
    }


async def test_5_mb_are_refused_and_the_next_message_is_processed(kafka):
    settings = kafka.settings()
    await enlarge(settings)
    with Worker(settings):
        big = with_(values={f"s{n:06d}": 1.0 for n in range(300_000)})
        assert len(big) > 4_500_000
        await feed.send(settings, [raw(big)], max_request_size=8_000_000)
        await feed.send(settings, [feed.message("good", 1, spo2=70)])
        await replica.wait_until_applied(settings)

        found = await replica.found(settings)
        assert len(found.dead) == 1
        assert [row["code"] for row in replica.decoded(found.alerts)] == ["spo2.desat"]
        letters = await replica.read(
            settings, settings.topic_prefix + topics.DEAD_LETTERS.name
        )
        assert dict(letters[0].headers)["size"] == str(len(big)).encode()
        assert big.startswith(letters[0].value)


async def enlarge(settings) -> None:
    """Let the vitals topic take messages that the default refuses at the broker."""
    admin = AIOKafkaAdminClient(**bus.connection(settings))
    await admin.start()
    name = settings.topic_prefix + topics.VITALS.name
    change = ConfigResource(
        ConfigResourceType.TOPIC, name, configs={"max.message.bytes": "8000000"}
    )
    await admin.alter_configs([change])
    await admin.close()


async def test_an_unknown_signal_is_left_alone(worker):
    await feed.send(worker.settings, [feed.message("unknown", 0, icp=12, spo2=70)])
    await replica.wait_until_applied(worker.settings)

    codes = [row["code"] for row in await alerts_of(worker, "unknown")]
    assert codes == ["spo2.desat"]


async def test_an_empty_key_reaches_the_patients_own_partition(worker):
    message = json.dumps(feed.message("no-key", 0, spo2=70)).encode()
    homes = {bus.partition_of("no-key", worker.settings.partitions)}
    name = worker.settings.topic_prefix + topics.VITALS.name
    producer = bus.producer(worker.settings)
    await producer.start()
    for number in range(worker.settings.partitions):
        await producer.send_and_wait(name, message, key=b"", partition=number)
    await producer.stop()
    await replica.wait_until_applied(worker.settings)

    log = await replica.log_of(worker.settings)
    mine = [r for r in log if b"no-key" in r.value]
    forwarded = [r for r in mine if dict(r.headers).get(FORWARDED)]
    assert len(forwarded) == worker.settings.partitions - 1
    assert {r.partition for r in forwarded} == homes
    rows = await alerts_of(worker, "no-key")
    assert [row["code"] for row in rows] == ["spo2.desat"]


async def test_a_message_of_the_future_is_monitored_at_its_arrival(worker):
    ahead = feed.message("future", 3, spo2=70)
    ahead["time"] += 3_600_000
    await feed.send(worker.settings, [feed.message("future", n) for n in range(3)])

    await feed.send(worker.settings, [ahead])
    await replica.wait_until_applied(worker.settings)

    (row,) = await alerts_of(worker, "future")
    assert row["code"] == "spo2.desat"
    assert row["onset"] < feed.START_MS + 60_000


async def test_a_late_message_raises_nothing(worker):
    late = feed.message("late", 1, spo2=70)
    await feed.send(worker.settings, [feed.message("late", n) for n in (0, 2, 3)])

    await feed.send(worker.settings, [late])
    await replica.wait_until_applied(worker.settings)

    assert await alerts_of(worker, "late") == []


async def test_a_message_that_comes_twice_is_one(worker):
    twice = feed.message("twice", 0, spo2=70)

    await feed.send(worker.settings, [twice, twice, twice])
    await replica.wait_until_applied(worker.settings)

    rows = await alerts_of(worker, "twice")
    assert [(row["code"], row["transition"]) for row in rows] == [("spo2.desat", 1)]


async def test_reordered_messages_do_not_clear_an_alarm(worker):
    seconds = (0, 1, 2, 9, 8, 7, 6, 5, 4, 3)
    messages = [
        feed.message("reordered", n, spo2=70 if n == 9 else 97) for n in seconds
    ]

    await feed.send(worker.settings, messages)
    await replica.wait_until_applied(worker.settings)

    rows = await alerts_of(worker, "reordered")
    assert [(row["code"], row["event"]) for row in rows] == [("spo2.desat", "raised")]
