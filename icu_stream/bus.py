"""Kafka for every process that is not the worker: producers, consumers, topics.

Producers are made here and nowhere else, so that all of them are idempotent, wait for
all replicas and use Kafka's own murmur2 partitioner.
"""

import asyncio
import logging
import ssl

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiokafka

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.helpers import create_ssl_context
from aiokafka.partitioner import murmur2

from icu_stream.contracts.topics import COMMANDS, TABLES, TOPICS, VITALS, changelog
from icu_stream.errors import ConfigurationError
from icu_stream.settings import Settings


REQUEST_TIMEOUT_MS = 30_000
MAX_BATCH_BYTES = 262_144
VISIBLE_TIMEOUT_S = 30


def partition_of(patient_id: str, partitions: int) -> int:
    """The partition that Kafka's own clients choose for a patient."""
    return int(murmur2(patient_id.encode()) & 0x7FFF_FFFF) % partitions


def ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """TLS as configured; None without a certificate authority.

    Raises:
        ConfigurationError: A file is not there or is not what it should be.
    """
    if settings.tls_ca is None:
        return None
    try:
        context: ssl.SSLContext = create_ssl_context(
            cafile=str(settings.tls_ca),
            certfile=str(settings.tls_cert) if settings.tls_cert else None,
            keyfile=str(settings.tls_key) if settings.tls_key else None,
        )
    except OSError as error:  # ssl.SSLError is one
        msg = f"ICU_TLS_CA, ICU_TLS_CERT or ICU_TLS_KEY: {error}; want PEM files"
        raise ConfigurationError(msg) from error
    return context


def connection(settings: Settings) -> dict[str, Any]:
    """Where the brokers are and how to prove who we are, for any aiokafka client."""
    context = ssl_context(settings)
    options: dict[str, Any] = {
        "bootstrap_servers": settings.broker,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
    }
    if settings.sasl_mechanism is not None:
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password.get_secret_value()
            if settings.sasl_password
            else None,
        }
    kind = ("SASL_" if settings.sasl_mechanism else "") + (
        "SSL" if context else "PLAINTEXT"
    )
    return options | {"security_protocol": kind, "ssl_context": context}


def producer(settings: Settings, **options: Any) -> aiokafka.AIOKafkaProducer:
    """An idempotent producer that waits for all replicas; not started."""
    defaults: dict[str, Any] = {
        "enable_idempotence": True,
        "acks": "all",
        "linger_ms": 0,
        "max_batch_size": MAX_BATCH_BYTES,
    }
    return aiokafka.AIOKafkaProducer(**(connection(settings) | defaults | options))


def consumer(
    settings: Settings, *names: str, **options: Any
) -> aiokafka.AIOKafkaConsumer:
    """A consumer without a group, which sees every partition; not started.

    Args:
        settings: Where the brokers are.
        names: Topics without the prefix.
        options: Passed on to aiokafka.
    """
    defaults: dict[str, Any] = {
        "group_id": None,
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
        "auto_offset_reset": "latest",
    }
    if settings.broker_kind == "embedded":
        # It does not answer a waiting fetch when a record comes: with aiokafka's 500 ms
        # half of the records came 250 ms late, with 50 ms it idles below 1 % of a core.
        defaults["fetch_max_wait_ms"] = 50
    topics = [settings.topic_prefix + name for name in names]
    return aiokafka.AIOKafkaConsumer(
        *topics, **connection(settings), **(defaults | options)
    )


def wanted(settings: Settings) -> dict[str, NewTopic]:
    """Every topic that must exist, by its full name, as it must be made."""
    rows = {}
    for topic in TOPICS:
        name = settings.topic_prefix + topic.name
        config = {"retention.ms": str(topic.retention_ms)}
        if topic in (VITALS, COMMANDS):
            # Arrival is the broker's clock: a gateway whose own is wrong must not make
            # its beds look stale, or its devices' clocks look as if they jump.
            config["message.timestamp.type"] = "LogAppendTime"
        rows[name] = NewTopic(
            name,
            settings.partitions if topic.patients else 1,
            settings.replication,
            topic_configs=config,
        )
    for table in TABLES:
        state = changelog(settings.app_id, table)
        rows[state] = NewTopic(
            state,
            settings.partitions,
            settings.replication,
            topic_configs={"cleanup.policy": "compact"},
        )
    return rows


async def create_topics(settings: Settings) -> list[str]:
    """Make the topics that are missing and wait until the broker knows them.

    Returns:
        Full names of those that were made.

    Raises:
        ConfigurationError: No broker, the broker refuses, or an existing topic has
            the wrong partitions.
    """
    rows = wanted(settings)
    async with _admin(settings) as admin:
        existing = await _partition_counts(admin)
        missing = [row for name, row in rows.items() if name not in existing]
        made = await _make(admin, missing, settings) if missing else []
        # The answer comes from the controller, ahead of the broker that we ask.
        async with asyncio.timeout(VISIBLE_TIMEOUT_S):
            while not rows.keys() <= existing.keys():
                await asyncio.sleep(0.05)
                existing = await _partition_counts(admin)
    _compare(settings, existing)
    return made


async def check_topics(settings: Settings) -> None:
    """Refuse a cluster whose topics are missing or have the wrong partitions.

    Raises:
        ConfigurationError: Names each topic and the command to run.
    """
    async with _admin(settings) as admin:
        existing = await _partition_counts(admin)
    missing = sorted(wanted(settings).keys() - existing.keys())
    if missing:
        msg = f"topics missing: {', '.join(missing)}; run: icu-stream topics create"
        raise ConfigurationError(msg)
    _compare(settings, existing)


class _Overheard(logging.Handler):
    """Keeps what a client says while it tries: it raises without the reason."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(**connection(settings))
    overheard = _Overheard()
    log = logging.getLogger("aiokafka")
    log.addHandler(overheard)
    try:
        await client.start()
        yield client
    except (KafkaError, TimeoutError) as error:
        msg = (
            f"no Kafka broker answers at {settings.broker}: "
            f"{overheard.last or type(error).__name__}. Start one, or see ICU_BROKER "
            "and, behind TLS or a password, ICU_TLS_CA and ICU_SASL_MECHANISM"
        )
        raise ConfigurationError(msg) from error
    finally:
        log.removeHandler(overheard)
        await client.close()


async def _partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    # describe_topics() without names: asking for a missing topic would create it on
    # a broker that creates topics by itself.
    found = await admin.describe_topics()
    return {row["topic"]: len(row["partitions"]) for row in found if row["partitions"]}


async def _make(
    admin: AIOKafkaAdminClient, missing: list[NewTopic], settings: Settings
) -> list[str]:
    if settings.broker_kind == "embedded":
        msg = (
            "the embedded broker makes its topics when it starts; start it with the "
            "same ICU_TOPIC_PREFIX, ICU_APP_ID and ICU_PARTITIONS"
        )
        raise ConfigurationError(msg)
    answer = await admin.create_topics(missing)
    made, refused = [], []
    # The client does not raise what the broker refuses.
    for name, code, reason in answer.topic_errors:
        if code == 0:
            made.append(name)
        elif code != TopicAlreadyExistsError.errno:  # somebody else was faster
            refused.append(f"{name}: {reason or for_code(code).__name__}")
    if refused:
        msg = (
            f"topics not made: {'; '.join(refused)}. See ICU_REPLICATION "
            f"({settings.replication}) and the broker's access lists"
        )
        raise ConfigurationError(msg)
    return made


def _compare(settings: Settings, existing: dict[str, int]) -> None:
    wrong = [
        f"{name} has {existing[name]} partitions, want {row.num_partitions}"
        for name, row in wanted(settings).items()
        if name in existing and existing[name] != row.num_partitions
    ]
    if wrong:
        msg = (
            f"{'; '.join(wrong)}. Set ICU_PARTITIONS to what is there, or delete the "
            "topics and run: icu-stream topics create"
        )
        raise ConfigurationError(msg)
