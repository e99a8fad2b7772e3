"""What each process may do on Kafka: one table, and the access lists made of it.

Nothing is allowed that a process does not need, so a stolen password of one opens no more
than that one. Whoever makes topics and access lists is an administrator and has no row.
The table is printed in docs/security.md; tests run every process with these rights.
"""

import shlex
import time

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from icu_stream import clock
from icu_stream.contracts.topics import (
    ALERTS,
    AUDIT,
    COMMAND_RESULTS,
    COMMANDS,
    DEAD_LETTERS,
    HEARTBEATS,
    PAGERS,
    SCORES,
    TABLES,
    VITALS,
    Topic,
    changelog,
)
from icu_stream.errors import ConfigurationError
from icu_stream.settings import Settings


# RFC 7677 wants 4096 or more, and so does Kafka.
SCRAM_ITERATIONS = 4096
TIMEOUT_S = 30.0
_LOOK_S = 0.05


class Rights(NamedTuple):
    """What one process needs.

    Attributes:
        reads: Topics it reads.
        writes: Topics it writes.
        group: How the names of its consumer groups begin; without one it sees every
            partition.
        keeps_state: Does it keep the patients' saved state, by transactions?
    """

    reads: tuple[Topic, ...] = ()
    writes: tuple[Topic, ...] = ()
    group: str = ""
    keeps_state: bool = False


# Who writes vitals: sources, gateways, the worker (ticks and commands, in order with what
# was measured) and the ward (its canaries). Only the worker says alarms.
RIGHTS: dict[str, Rights] = {
    "worker": Rights(
        reads=(VITALS, COMMANDS, ALERTS, COMMAND_RESULTS),
        writes=(VITALS, ALERTS, SCORES, COMMAND_RESULTS, HEARTBEATS, DEAD_LETTERS),
        group="{app_id}",
        keeps_state=True,
    ),
    "ward": Rights(
        reads=(VITALS, ALERTS, SCORES, COMMANDS, COMMAND_RESULTS, HEARTBEATS, PAGERS),
        writes=(VITALS, COMMANDS, AUDIT),
    ),
    "api": Rights(
        reads=(VITALS, ALERTS, SCORES, COMMANDS, COMMAND_RESULTS, HEARTBEATS),
        writes=(COMMANDS, AUDIT),
    ),
    "archive": Rights(
        reads=(VITALS, ALERTS, SCORES, COMMANDS, COMMAND_RESULTS, AUDIT),
        writes=(DEAD_LETTERS,),
        group="icu-archive",
    ),
    "pager": Rights(
        reads=(ALERTS, COMMAND_RESULTS, HEARTBEATS),
        writes=(COMMANDS, AUDIT, PAGERS),
        group="{prefix}pager",
    ),
    "gateway": Rights(
        reads=(VITALS, ALERTS),
        writes=(VITALS, COMMANDS, DEAD_LETTERS),
        group="icu-gateway-alerts",
    ),
    "source": Rights(writes=(VITALS,)),
}


class Grant(NamedTuple):
    """One line of an access list.

    Attributes:
        process: Who: a row of `RIGHTS`.
        resource: `topic`, `group` or `transactional-id`.
        name: Of the resource, or how it begins.
        prefixed: Does the name stand for all that begin so?
        operations: `Read`, `Write`, `Describe`.
    """

    process: str
    resource: str
    name: str
    prefixed: bool
    operations: tuple[str, ...]


def user(process: str) -> str:
    """The name that a process signs in to Kafka with.

    >>> user("ward")
    'icu-ward'
    """
    return f"icu-{process}"


def grants(settings: Settings) -> Iterator[Grant]:
    """Every line of the access lists, for these names of topics and of the worker."""
    prefix = settings.topic_prefix
    states = [changelog(settings.app_id, table) for table in TABLES]
    for process, rights in RIGHTS.items():
        # To see that all topics are there as they must be: names and partitions alone.
        yield Grant(process, "topic", prefix, True, ("Describe",))
        for state in states:
            if not rights.keeps_state:
                yield Grant(process, "topic", state, False, ("Describe",))
        for topic in rights.reads:
            yield Grant(process, "topic", prefix + topic.name, False, ("Read",))
        for topic in rights.writes:
            yield Grant(process, "topic", prefix + topic.name, False, ("Write",))
        if rights.group:
            name = rights.group.format(prefix=prefix, app_id=settings.app_id)
            yield Grant(process, "group", name, True, ("Read",))
        if rights.keeps_state:
            for state in states:
                both = ("Read", "Write")
                yield Grant(process, "topic", state, False, both)
            name = f"{settings.app_id}-"
            yield Grant(process, "transactional-id", name, True, ("Write",))


def commands(settings: Settings) -> list[str]:
    """What to run with Kafka's own tool, where icu-stream may not administer the brokers."""
    lines = []
    for grant in grants(settings):
        words = ["kafka-acls.sh", "--bootstrap-server", settings.broker]
        words += ["--command-config", "admin.properties", "--add"]
        words += ["--allow-principal", f"User:{user(grant.process)}"]
        for operation in grant.operations:
            words += ["--operation", operation]
        words += [f"--{grant.resource}", grant.name]
        if grant.prefixed:
            words += ["--resource-pattern-type", "prefixed"]
        lines.append(shlex.join(words))
    return lines


def table() -> str:
    """The rights as a Markdown table, for the documentation."""
    lines = [
        "| process | user | reads | writes | group | state |",
        "|---|---|---|---|---|---|",
    ]
    for process, rights in RIGHTS.items():
        reads, writes = (
            ", ".join(f"`{topic.name}`" for topic in topics) or "-"
            for topics in (rights.reads, rights.writes)
        )
        name = rights.group.format(prefix="icu.", app_id="icu-worker")
        group = f"`{name}`" if rights.group else "-"
        state = "changelogs, by transactions" if rights.keeps_state else "-"
        lines.append(
            f"| {process} | `{user(process)}` | {reads} | {writes} | {group} | {state} |"
        )
    return "\n".join(lines)


def apply(settings: Settings, passwords: Mapping[str, str]) -> None:
    """Give every process its password (SCRAM-SHA-512) and its rights. Repeats are harmless.

    Args:
        settings: Of an administrator of the brokers.
        passwords: Of each process of `RIGHTS`.

    Raises:
        ConfigurationError: A password is missing, or the brokers refuse.
    """
    if missing := sorted(RIGHTS.keys() - passwords.keys()):
        msg = f"no password for {', '.join(missing)}; run: icu-stream secrets"
        raise ConfigurationError(msg)
    client = AdminClient(librdkafka(settings))
    how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, SCRAM_ITERATIONS)
    credentials: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(user(process), how, passwords[process].encode())
        for process in RIGHTS
    ]
    lists = [binding for grant in grants(settings) for binding in _bindings(grant)]
    try:
        users = client.alter_user_scram_credentials(
            credentials, request_timeout=TIMEOUT_S
        )
        rights = client.create_acls(lists, request_timeout=TIMEOUT_S)
        for future in (*users.values(), *rights.values()):
            future.result(TIMEOUT_S)
        _wait_until_known(client, lists)
    except (KafkaException, TimeoutError) as error:
        reason = error.args[0].str() if error.args else type(error).__name__
        msg = (
            f"the brokers at {settings.broker} gave no rights: {reason}. Sign in as an "
            "administrator: see ICU_TLS_CERT, ICU_TLS_KEY and super.users"
        )
        raise ConfigurationError(msg) from error


def _wait_until_known(client: AdminClient, lists: list[AclBinding]) -> None:
    """A broker goes by them a moment after it has confirmed them."""
    anything: Any = None
    every = AclBindingFilter(
        ResourceType.ANY,
        anything,
        ResourcePatternType.ANY,
        anything,
        anything,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    deadline = clock.monotonic_s() + TIMEOUT_S
    while True:
        found = client.describe_acls(every, request_timeout=TIMEOUT_S)
        if set(found.result(TIMEOUT_S)).issuperset(lists):
            return
        if clock.monotonic_s() > deadline:
            raise TimeoutError
        time.sleep(_LOOK_S)


_RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
}
_OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Describe": AclOperation.DESCRIBE,
}


def _bindings(grant: Grant) -> Iterator[AclBinding]:
    pattern = (
        ResourcePatternType.PREFIXED if grant.prefixed else ResourcePatternType.LITERAL
    )
    for operation in grant.operations:
        yield AclBinding(
            _RESOURCES[grant.resource],
            grant.name,
            pattern,
            f"User:{user(grant.process)}",
            "*",
            _OPERATIONS[operation],
            AclPermissionType.ALLOW,
        )


def librdkafka(settings: Settings) -> dict[str, Any]:
    """The same connection as `bus.connection`, in librdkafka's words."""
    kind = ("SASL_" if settings.sasl_mechanism else "") + (
        "SSL" if settings.tls_ca else "PLAINTEXT"
    )
    words: dict[str, Any] = {
        "bootstrap.servers": settings.broker,
        "security.protocol": kind,
        "log_level": 0,
        "ssl.ca.location": settings.tls_ca,
        "ssl.certificate.location": settings.tls_cert,
        "ssl.key.location": settings.tls_key,
        "sasl.mechanism": settings.sasl_mechanism,
        "sasl.username": settings.sasl_username,
        "sasl.password": settings.sasl_password.get_secret_value()
        if settings.sasl_password
        else None,
    }
    return {name: str(value) for name, value in words.items() if value is not None}
