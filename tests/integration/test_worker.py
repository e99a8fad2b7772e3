"""The worker as an operator meets it: start, refusals, metrics, Faust's own commands."""

import json
import subprocess
import sys

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


async def test_faust_send_reaches_the_patient(settings):
    message = json.dumps(feed.message("sent", 0, spo2=70))
    with Worker(settings):
        done = faust(
            settings, "send", settings.topic_prefix + "vitals", message, "--key", "sent"
        )
        assert done.returncode == 0, done.stderr
        await replica.wait_until_applied(settings)

        found = await replica.found(settings)
    assert [row["code"] for row in replica.decoded(found.alerts)] == ["spo2.desat"]


async def test_the_pages_say_how_the_worker_is(settings):
    with Worker(settings) as worker:
        count = await feed.send(settings, (feed.message("p", n) for n in range(700)))
        await replica.wait_until_applied(settings)

        assert worker.get("/healthz")[0] == 200
        status, text = worker.get("/readyz")
        assert status == 200
        assert json.loads(text)["partitions"] == [0, 1, 2, 3]
        assert worker.metric("icu_records_total") == count
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


async def test_heartbeats_say_what_each_worker_holds(settings):
    with Worker(settings):
        await feed.send(settings, (feed.message("p", n) for n in range(5)))
        await replica.wait_until_applied(settings)
        name = settings.topic_prefix + topics.HEARTBEATS.name
        records = []
        while sum(json.loads(r.value)["patients"] for r in records[-4:]) != 1:
            records = await replica.read(settings, name)
    last = {json.loads(r.value)["partition"]: json.loads(r.value) for r in records}
    assert last.keys() == {0, 1, 2, 3}
    assert all(beat["lag"] == 0 for beat in last.values())


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
    rows = replica.decoded(found.alerts)
    assert sorted(row["patient_id"] for row in rows) == sorted(patients)


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
    rows = replica.decoded(found.alerts)
    assert [(row["patient_id"], row["code"], row["event"]) for row in rows] == [
        ("a", "bed.monitoring_fault", "raised")
    ]
    assert b"a/s" in found.dead


async def test_an_acknowledgement_is_done_once_and_answered_twice(settings):
    with Worker(settings):
        await feed.send(settings, [feed.message("p", n, spo2=70) for n in range(3)])
        await replica.wait_until_applied(settings)
        (alarm,) = replica.decoded((await replica.found(settings)).alerts)

        commands = [
            Command(
                command_id=command_id,
                type=CommandType.ACKNOWLEDGE,
                patient_id=patient_id,
                by="rn-okafor",
                time=feed.START_MS,
                alert_id=alert_id,
            )
            for command_id, patient_id, alert_id in (
                ("c1", "p", alarm["alert_id"]),
                ("c1", "p", alarm["alert_id"]),
                ("c2", "p", "p:spo2.desat:1"),
                ("c3", "nobody", "x"),
            )
        ]
        rows = [(c.patient_id.encode(), msgspec.json.encode(c), []) for c in commands]
        await feed.send(settings, rows, topics.COMMANDS.name)
        results = []
        name = settings.topic_prefix + topics.COMMAND_RESULTS.name
        while len(results) < 4:
            results = await replica.read(settings, name)
        found = await replica.found(settings)

    answers = [
        (answer["command_id"], answer["accepted"])
        for answer in sorted(
            (json.loads(r.value) for r in results), key=lambda a: a["command_id"]
        )
    ]
    assert answers == [("c1", True), ("c1", True), ("c2", False), ("c3", False)]
    assert all(
        json.loads(r.value).get("reason") for r in results if b"false" in r.value
    )
    events = [
        (row["event"], row["by"])
        for row in replica.decoded(found.alerts)
        if row["event"] == "acknowledged"
    ]
    assert events == [("acknowledged", "rn-okafor")]


@pytest.mark.parametrize("value", [b"no", b'{"type": "acknowledge"}', b""])
async def test_a_command_that_cannot_be_read_goes_to_dead_letters(settings, value):
    with Worker(settings):
        await feed.send(settings, [(b"p", value, [])], topics.COMMANDS.name)
        letters = []
        name = settings.topic_prefix + topics.DEAD_LETTERS.name
        while not letters:
            letters = await replica.read(settings, name)
    assert letters[0].value == value
    assert dict(letters[0].headers)["topic"].endswith(b"commands")


async def test_a_bed_that_falls_silent_alarms_by_the_clock(settings):
    """Scenario 11, live: nobody sends anything any more, and one alarm says so."""
    start = feed.now_ms()
    messages = [feed.message("p", n) for n in range(3)]
    for n, message in enumerate(messages):
        message["time"] = start + 1000 * n - 2000
    with Worker(settings):
        await feed.send(settings, messages)
        alerts = []
        while not alerts:
            alerts = replica.decoded((await replica.found(settings)).alerts)
            assert feed.now_ms() - start < 20_000, "no bed.no_data in 20 s"
    (row,) = alerts
    assert (row["code"], row["onset"]) == ("bed.no_data", start + 10_000)
