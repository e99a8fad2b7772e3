"""The worker as an operator meets it: start, refusals, metrics, Faust's own commands."""

import asyncio
import json
import subprocess
import sys

from collections.abc import Iterator

import confluent_kafka
import msgspec
import pytest

from icu_stream import bus
from icu_stream.contracts import topics
from icu_stream.contracts.commands import Command, CommandType
from icu_stream.contracts.envelope import FORWARDED
from icu_stream.engine.partition import SEPARATOR
from tests.integration import feed, replica
from tests.kafka import ROOT, Kafka
from tests.worker import Worker


@pytest.fixture(scope="module")
def worker(kafka: Kafka) -> Iterator[Worker]:
    """One worker for the tests that leave it as it is; each has patients of its own."""
    with Worker(kafka.settings()) as running:
        yield running


async def alerts_of(settings, patient_id: str) -> list[dict]:
    rows = replica.decoded((await replica.found(settings)).alerts)
    return [row for row in rows if row["patient_id"] == patient_id]


def faust(settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "faust", "-A", "icu_stream.app", *arguments],
        cwd=ROOT,
        env=Kafka.env(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_topics_the_worker_says_which_command_makes_them(kafka):
    settings = kafka.settings(create=False)

    done = faust(settings, "worker")

    assert done.returncode == 1
    assert "icu-stream topics create" in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_partition_counts_are_refused_by_name(kafka):
    settings = kafka.settings().model_copy(update={"partitions": 5})

    done = faust(settings, "worker")

    assert done.returncode == 1
    assert f"{settings.topic_prefix}vitals has 4 partitions, want 5" in done.stderr


def test_without_a_broker_the_worker_says_which_setting_names_it(kafka):
    settings = kafka.settings().model_copy(update={"broker": "127.0.0.1:1"})

    done = faust(settings, "worker")

    assert done.returncode == 1
    assert "ICU_BROKER" in done.stderr


def test_a_wrong_setting_names_itself(kafka):
    settings = kafka.settings(create=False).model_copy(update={"partitions": 0})

    done = faust(settings, "agents")

    assert done.returncode != 0
    assert "ICU_PARTITIONS" in done.stderr
    assert "Traceback" not in done.stderr


def test_fausts_commands_know_our_agents_and_tables(settings):
    assert "watch_vitals" in faust(settings, "agents").stdout
    assert "patients" in faust(settings, "tables").stdout


async def test_faust_send_reaches_the_patient(worker):
    settings = worker.settings
    message = json.dumps(feed.message("sent", 0, spo2=70))
    name = settings.topic_prefix + "vitals"

    done = faust(settings, "send", name, message, "--key", "sent")
    await replica.wait_until_applied(settings)

    assert done.returncode == 0, done.stderr
    assert [row["code"] for row in await alerts_of(settings, "sent")] == ["spo2.desat"]


async def test_the_pages_say_how_the_worker_is(worker):
    before = worker.metric("icu_records_total")
    calm = (feed.message("calm", n) for n in range(700))
    count = await feed.send(worker.settings, calm)
    await replica.wait_until_applied(worker.settings)

    assert worker.get("/healthz")[0] == 200
    status, text = worker.get("/readyz")
    assert status == 200
    assert json.loads(text)["partitions"] == [0, 1, 2, 3]
    assert worker.metric("icu_records_total") >= before + count
    for name in (
        "icu_lag",
        "icu_patients",
        "icu_checkpoint_age_seconds",
        "icu_checkpoint_seconds_count",
        "icu_alerts_total",
        "icu_dead_letters_total",
        "icu_forwarded_total",
    ):
        assert f"\n{name}" in worker.get("/metrics")[1], name


async def test_heartbeats_say_what_each_worker_holds(worker):
    settings = worker.settings
    await feed.send(settings, [feed.message("held", 0)])
    await replica.wait_until_applied(settings)
    home = bus.partition_of("held", settings.partitions)
    name = settings.topic_prefix + topics.HEARTBEATS.name
    last: dict[int, dict] = {}
    while last.get(home, {}).get("patients", 0) < 1:
        beats = [json.loads(r.value) for r in await replica.read(settings, name)]
        last = {beat["partition"]: beat for beat in beats}

    assert last.keys() == {0, 1, 2, 3}
    assert all(beat["lag"] == 0 for beat in last.values())
    assert {beat["worker"].rsplit("-", 1)[1] for beat in last.values()} == {
        str(worker.pid)
    }


async def test_a_crc32_producer_is_sent_on_once_and_counted(settings):
    patients = [f"crc-{n}" for n in range(40)]
    producer = confluent_kafka.Producer({"bootstrap.servers": settings.broker})
    name = settings.topic_prefix + topics.VITALS.name
    for patient_id in patients:
        value = json.dumps(feed.message(patient_id, 0, spo2=70))
        producer.produce(name, key=patient_id, value=value)
    producer.flush()

    with Worker(settings) as worker:
        await replica.wait_until_applied(settings)
        log = await replica.log_of(settings)
        forwarded = [r for r in log if dict(r.headers).get(FORWARDED)]
        found = await replica.found(settings)
        # CRC32 and murmur2 differ for about three in four patients of 4 partitions.
        assert 0 < len(forwarded) < len(patients)
        assert worker.metric("icu_forwarded_total") == len(forwarded)
    for record in forwarded:
        assert record.partition == bus.partition_of(record.key.decode(), 4)
    raised = [
        row["patient_id"]
        for row in replica.decoded(found.alerts)
        if (row["code"], row["event"]) == ("spo2.desat", "raised")
    ]
    assert sorted(raised) == sorted(patients)


async def test_a_rule_that_raises_concerns_one_bed_and_one_record(settings):
    """Scenario 17: a high technical alarm on that bed, no other bed disturbed."""
    with Worker(settings, module="tests.integration.planted") as worker:
        messages = [
            feed.message(patient_id, n, hr=66 if (patient_id, n) == ("a", 3) else 80)
            for n in range(10)
            for patient_id in ("a", "b")
        ]
        messages[6]["values"]["spo2"] = 70  # another signal of the failing record
        await feed.send(settings, messages)
        await replica.wait_until_applied(settings)

        found = await replica.found(settings)
        assert worker.metric("icu_faults_total") == 1
        letters = await replica.read(
            settings, settings.topic_prefix + topics.DEAD_LETTERS.name
        )
    rows = replica.decoded(found.alerts)
    assert {
        (row["patient_id"], row["code"], row["priority"], row["kind"])
        for row in rows
        if row["event"] == "raised"
    } == {
        ("a", "bed.monitoring_fault", "high", "technical"),
        ("a", "spo2.desat", "high", "physiological"),
    }
    (letter,) = letters
    headers = {key: text.decode() for key, text in letter.headers}
    assert json.loads(letter.value) == messages[6]
    assert "planted" in headers["reason"]
    assert "Traceback" in headers["detail"]


async def test_a_saved_state_that_cannot_be_read_concerns_one_bed(settings):
    with Worker(settings) as worker:
        messages = [feed.message(p, n) for n in range(5) for p in ("a", "b")]
        await feed.send(settings, messages)
        await replica.wait_until_applied(settings)
        assert worker.stop() == 0

    spoiled = b"a" + SEPARATOR + b"s"
    producer = bus.producer(settings)
    await producer.start()
    await producer.send_and_wait(
        topics.changelog(settings.app_id),
        b"\xc1 not a state",
        key=spoiled,
        partition=bus.partition_of("a", settings.partitions),
    )
    await producer.stop()

    with Worker(settings) as worker:
        # No message is needed: the clock brings the bed's next record.
        alerts = []
        while len(alerts) < 1:
            found = await replica.found(settings)
            alerts = replica.decoded(found.alerts)
        more = [feed.message(p, n) for n in range(5, 10) for p in ("a", "b")]
        await feed.send(settings, more)
        await replica.wait_until_applied(settings)
        found = await replica.found(settings)
        assert worker.metric("icu_unreadable_states_total") == 1
    # The start took longer than a bed may be silent: b has an alarm of its own, too.
    rows = [r for r in replica.decoded(found.alerts) if r["code"] != "bed.no_data"]
    assert [(row["patient_id"], row["code"], row["event"]) for row in rows] == [
        ("a", "bed.monitoring_fault", "raised")
    ]
    assert b"a/s" in found.dead


async def test_an_acknowledgement_is_done_once_and_answered_twice(worker):
    settings = worker.settings
    await feed.send(settings, [feed.message("ack", n, spo2=70) for n in range(3)])
    await replica.wait_until_applied(settings)
    (alarm,) = await alerts_of(settings, "ack")
    asked = (
        ("c1", "ack", alarm["alert_id"]),
        ("c1", "ack", alarm["alert_id"]),
        ("c2", "ack", "ack:spo2.desat:1"),
        ("c3", "nobody", "x"),
    )

    commands = [
        Command(
            command_id=command_id,
            type=CommandType.ACKNOWLEDGE,
            patient_id=patient_id,
            by="rn-okafor",
            time=feed.START_MS,
            alert_id=alert_id,
        )
        for command_id, patient_id, alert_id in asked
    ]
    rows = [(c.patient_id.encode(), msgspec.json.encode(c), []) for c in commands]
    await feed.send(settings, rows, topics.COMMANDS.name)
    answers: list[dict] = []
    name = settings.topic_prefix + topics.COMMAND_RESULTS.name
    while len(answers) < len(asked):
        answers = [json.loads(r.value) for r in await replica.read(settings, name)]

    outcome = sorted((row["command_id"], row["accepted"]) for row in answers)
    assert outcome == [("c1", True), ("c1", True), ("c2", False), ("c3", False)]
    assert all(row["accepted"] or row["reason"] for row in answers)
    events = [
        row
        for row in await alerts_of(settings, "ack")
        if row["event"] == "acknowledged"
    ]
    assert [(row["by"], row["state"]) for row in events] == [
        ("rn-okafor", "acknowledged")
    ]


@pytest.mark.parametrize("value", [b"no", b'{"type": "acknowledge"}', b""])
async def test_a_command_that_cannot_be_read_goes_to_dead_letters(worker, value):
    settings = worker.settings
    name = settings.topic_prefix + topics.DEAD_LETTERS.name
    before = len(await replica.read(settings, name))

    await feed.send(settings, [(b"p", value, [])], topics.COMMANDS.name)
    letters = []
    while len(letters) <= before:
        letters = await replica.read(settings, name)

    assert letters[-1].value == value
    assert dict(letters[-1].headers)["topic"].endswith(b"commands")


async def test_a_bed_that_falls_silent_alarms_by_the_clock(worker):
    """Scenario 11, live: nobody sends anything any more, and one alarm says so."""
    start = feed.now_ms()
    messages = [feed.message("silent", n) for n in range(3)]
    for n, message in enumerate(messages):
        message["time"] = start + 1000 * n - 2000

    await feed.send(worker.settings, messages)
    alerts: list[dict] = []
    while not alerts:
        alerts = await alerts_of(worker.settings, "silent")
        assert feed.now_ms() - start < 20_000, "no bed.no_data in 20 s"

    (row,) = alerts
    assert (row["code"], row["onset"]) == ("bed.no_data", start + 10_000)


async def test_a_part_of_faust_that_fails_ends_the_worker_at_once(settings):
    worker = Worker(settings, module="tests.integration.crashing").start(wait=False)
    try:
        assert await asyncio.to_thread(worker.wait, 60) == 75, worker.log_tail()
    finally:
        worker.kill()

    said = worker.log.read_text()
    assert "a part of Faust failed: KafkaTimeoutError('planted') (exit 75)" in said
