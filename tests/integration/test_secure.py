"""Kafka behind TLS, passwords and access lists, as docker/kafka sets it up.

Every client of the project gets in and no other; each process may do what it must, and is
refused what it must not.
"""

import asyncio
import contextlib
import re
import urllib.error
import urllib.request

from collections.abc import AsyncIterator, Callable, Iterable
from typing import NamedTuple

import pytest
import pytest_asyncio

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
from icu_stream.storage import migrate
from icu_stream.storage import postgres as storage
from tests import deployment
from tests.kafka import Kafka, free_ports
from tests.paging import Receiver, receiving, written
from tests.postgres import PASSWORD, Postgres
from tests.service import Process
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


class Whole(NamedTuple):
    """Every process, each signed in to Kafka as itself.

    Attributes:
        settings: Of all.
        ports: Where each tells its figures.
        logs: What each has said so far.
        receiver: Who is paged.
    """

    settings: Settings
    ports: dict[str, int]
    logs: dict[str, Callable[[], str]]
    receiver: Receiver


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def whole(
    secure_kafka: Kafka, postgres_server: Postgres, tmp_path_factory
) -> AsyncIterator[Whole]:
    database = postgres_server.database()
    await migrate.upgrade(storage.Database(database, PASSWORD))
    own, archive, pager, mllp, figures = free_ports(5)
    settings = secure_kafka.settings(
        postgres_dsn=database,
        postgres_password=PASSWORD,
        web_port=own,
        archive_port=archive,
        pager_port=pager,
        hl7_port=mllp,
        hl7_web_port=figures,
        api_port=0,
    )
    async with receiving() as receiver:
        plan = written(tmp_path_factory.mktemp("pager"), receiver.url)
        settings = settings.model_copy(update={"pager_config": plan})
        commands = {
            "archive": ("archive",),
            "pager": ("pager",),
            "gateway": ("gateway", "hl7"),
            "api": ("api",),
        }
        running = {
            process: Process(secure_kafka.as_process(settings, process), *words)
            for process, words in commands.items()
        }
        worker = Worker(settings)
        try:
            worker.start(wait=False)
            for process in running.values():
                process.start(waits=False)
            await asyncio.to_thread(worker.wait_until_ready)
            for process in running.values():
                await asyncio.to_thread(process.wait)
            ports = {"archive": archive, "pager": pager, "gateway": figures}
            ports |= {
                "worker": worker.settings.web_port,
                "api": int(running["api"].url.rpartition(":")[2]),
            }
            logs = {name: one.said for name, one in running.items()}
            yield Whole(settings, ports, logs | {"worker": worker.log_tail}, receiver)
        finally:
            for process in running.values():
                process.kill()
            worker.kill()


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as got:
            return got.status, got.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def figure(text: str, name: str) -> float:
    """The sum of a metric's samples."""
    found = re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, found))


@pytest.mark.asyncio(loop_scope="module")
async def test_every_process_does_its_work_with_no_more_than_its_rights(
    secure_kafka: Kafka, whole: Whole
):
    source = bus.producer(secure_kafka.as_process(whole.settings, "source"))
    await source.start()
    low = b'{"patient_id":"p-1","bed":"ICU1-01","time":%d,"values":{"spo2":70}}'
    topic = f"{whole.settings.topic_prefix}vitals"

    def done() -> bool:
        archive = get(whole.ports["archive"], "/metrics")[1]
        pager = get(whole.ports["pager"], "/metrics")[1]
        return (
            bool(whole.receiver.of("okafor", "trigger"))
            and figure(archive, "icu_archive_written_total") > 2
            and figure(pager, "icu_pager_alerts_total") > 0
        )

    deadline = clock.monotonic_s() + 20
    while not await asyncio.to_thread(done) and clock.monotonic_s() < deadline:
        await source.send_and_wait(topic, low % clock.now_ms(), key=b"p-1")
        await asyncio.sleep(0.3)
    await source.stop()

    assert done()
    for process, path in (("worker", "/readyz"), ("api", "/readyz")):
        assert get(whole.ports[process], path)[0] == 200
    assert get(whole.ports["gateway"], "/readyz")[0] == 200
    for process, said in whole.logs.items():
        assert "uthoriz" not in said(), f"{process}: {said()}"


@pytest.mark.asyncio(loop_scope="module")
async def test_every_alarm_and_panel_uses_figures_that_the_processes_tell(whole: Whole):
    told = set()
    for process in ("worker", "archive", "pager", "gateway"):
        text = get(whole.ports[process], "/metrics")[1]
        for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
            told |= {name, f"{name}_bucket"} if kind == "histogram" else {name}

    used = {
        name
        for expression in deployment.expressions()
        for name in re.findall(r"\b((?:icu|process)_\w+)", expression)
    }
    assert len(used) > 30
    assert used - told == set()
