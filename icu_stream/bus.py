"""Kafka for every process that is not the worker: producers, consumers, topics.

Producers are made here and nowhere else, so that all of them are idempotent, wait for
all replicas and use Kafka's own murmur2 partitioner. So is the `Follower`, by which a
process sees what happens now, whatever becomes of the broker.
"""

import asyncio
import contextlib
import logging
import ssl

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiokafka
import msgspec

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.helpers import create_ssl_context
from aiokafka.partitioner import murmur2

from icu_stream import clock
from icu_stream.contracts.topics import COMMANDS, TABLES, TOPICS, VITALS, changelog
from icu_stream.errors import ConfigurationError, ContractError
from icu_stream.observability import log
from icu_stream.settings import Settings


REQUEST_TIMEOUT_MS = 30_000
MAX_BATCH_BYTES = 262_144
VISIBLE_TIMEOUT_S = 30
# Ours: Kafka compacts closed segments alone, and its own are of 1 GB. Patients are written
# again and again: with these, what is outdated is gone soon and a restore reads less of it.
_SEGMENT_BYTES = 64 * 1024 * 1024
# A transaction that is still open holds the end of a partition back; do not wait longer.
_CATCH_UP_S = 10.0
_ASSIGNED_S = 10.0
_WAIT_MS = 200
_MAX_RECORDS = 1_000
_RETRY_S = (0.5, 1, 2, 5)


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


async def stop(producer: aiokafka.AIOKafkaProducer, *, patience_s: float) -> None:
    """Stop a producer; a broker that does not answer is not waited for.

    Args:
        producer: Which.
        patience_s: For what is on its way, and again for what then still runs.
    """
    try:
        async with asyncio.timeout(patience_s):
            await producer.stop()
    except TimeoutError:
        # stop() waits for batches that the broker will not confirm any more, and has
        # no way to give up: end its task, and what that waits for.
        ending = asyncio.ensure_future(producer._sender.close())  # noqa: SLF001
        await producer.client.close()
        await asyncio.wait({ending}, timeout=patience_s)


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


# Takes a record and its arrival, epoch ms by our clock.
Read = Callable[[ConsumerRecord, int], None]


class Follower:
    """Reads every partition of some topics from a while ago on, for ever.

    It belongs to no group and commits nothing: each process sees all, and none of them
    takes anything from another reader. A broker that is away, now or later, is tried
    again without end, and reading goes on where it was.

    Args:
        settings: Where Kafka is.
        topics: By its name without the prefix: how far back it is read at first, ms, and
            who gets its records, in the order of their partition. What that one refuses
            (ContractError, or what msgspec raises) is counted and passed over: the worker
            dead-letters it.
        opened: Is told of each connection, and of how many partitions it has.
        lost: Is told why there is none; once for each reason.
        turned: Is told after each batch, and five times a second while none comes.
        passed: Is told of each record that was read or refused.

    Attributes:
        refused: Records that could not be read.
        next: Offset of the next record of each partition; empty before the first
            connection.
        behind: Records that Kafka has and this has not read.
        is_caught_up: What was there at the last connection has been read.
    """

    def __init__(
        self,
        settings: Settings,
        topics: Mapping[str, tuple[int, Read]],
        *,
        opened: Callable[[int], None] = lambda _: None,
        lost: Callable[[str], None],
        turned: Callable[[], None] = lambda: None,
        passed: Read = lambda _, __: None,
    ) -> None:
        self.refused = 0
        self.next: dict[TopicPartition, int] = {}
        self.behind = 0
        self.is_caught_up = False
        self._settings = settings
        full = {settings.topic_prefix + name: row for name, row in topics.items()}
        self._back_ms = {name: back_ms for name, (back_ms, _) in full.items()}
        self._readers = {name: read for name, (_, read) in full.items()}
        self._opened = opened
        self._lost = lost
        self._turned = turned
        self._passed = passed

    async def run(self) -> None:
        """Read until cancelled."""
        failures, said = 0, ""
        while True:
            # No topics yet: asking for one that is missing would make it on a broker
            # that makes topics by itself, with the wrong number of partitions.
            reader = consumer(self._settings)
            try:
                await self._open(reader)
                failures, said = 0, ""
                await self._follow(reader)
            except (KafkaError, ConfigurationError, OSError, TimeoutError) as error:
                retry_s = _RETRY_S[min(failures, len(_RETRY_S) - 1)]
                failures += 1
                reason = str(error) or type(error).__name__
                if reason != said:  # once, and not every five seconds all night
                    self._lost(reason)
                    said = reason
                await asyncio.sleep(retry_s)
            finally:
                with contextlib.suppress(KafkaError, OSError, TimeoutError):
                    await reader.stop()

    async def _open(self, reader: AIOKafkaConsumer) -> None:
        """Connect, and go to where reading goes on, or begins."""
        await reader.start()
        missing = self._back_ms.keys() - await reader.topics()
        if missing:
            msg = (
                f"topics missing: {', '.join(sorted(missing))}; "
                "run: icu-stream topics create"
            )
            raise ConfigurationError(msg)
        reader.subscribe(topics=list(self._back_ms))
        async with asyncio.timeout(_ASSIGNED_S):
            # Without a group there is no listener to be told; it takes one round trip.
            while {tp.topic for tp in reader.assignment()} != self._back_ms.keys():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        parts = reader.assignment()
        if not self.next:
            self.next = await self._starts(reader, parts)
        for tp in parts & self.next.keys():
            reader.seek(tp, self.next[tp])
        self._opened(len(parts))

    async def _starts(
        self, reader: AIOKafkaConsumer, parts: set[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """Where the present begins in each partition."""
        ends: dict[TopicPartition, int] = await reader.end_offsets(parts)
        if self._settings.broker_kind == "embedded":
            # It does not know offsets by time, and it keeps only what the demo wrote.
            starts: dict[TopicPartition, int] = await reader.beginning_offsets(parts)
            return starts
        now_ms = clock.now_ms()
        times = {tp: now_ms - self._back_ms[tp.topic] for tp in parts}
        found = await reader.offsets_for_times(times)
        return {
            tp: at.offset if (at := found[tp]) is not None else ends[tp] for tp in parts
        }

    async def _follow(self, reader: AIOKafkaConsumer) -> None:
        """Hand on what comes; notice when the past has been read."""
        ends = await reader.end_offsets(reader.assignment())
        until_s = clock.monotonic_s() + _CATCH_UP_S
        while True:
            batches = await reader.getmany(
                timeout_ms=_WAIT_MS, max_records=_MAX_RECORDS
            )
            for tp, records in batches.items():
                for record in records:
                    self._take(record)
                    self.next[tp] = record.offset + 1
            self.behind = self._left(reader)
            if not self.is_caught_up:
                behind = [
                    tp for tp, end in ends.items() if await reader.position(tp) < end
                ]
                self.is_caught_up = not behind or clock.monotonic_s() > until_s
            self._turned()
            # Reading back must not keep others from their turn.
            await asyncio.sleep(0)

    def _take(self, record: ConsumerRecord) -> None:
        # A producer's clock that is ahead must not keep a value fresh for longer.
        arrived_ms = min(record.timestamp, clock.now_ms())
        try:
            self._readers[record.topic](record, arrived_ms)
        except (ContractError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            self.refused += 1
            if self.refused == 1:
                log.warning(
                    "record_refused",
                    topic=record.topic,
                    partition=record.partition,
                    offset=record.offset,
                    reason=str(error),
                )
        self._passed(record, arrived_ms)

    def _left(self, reader: AIOKafkaConsumer) -> int:
        return sum(
            max(0, end - self.next.get(tp, end))
            for tp in reader.assignment()
            if (end := reader.highwater(tp)) is not None
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
            topic_configs={
                "cleanup.policy": "compact",
                "segment.bytes": str(_SEGMENT_BYTES),
            },
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
