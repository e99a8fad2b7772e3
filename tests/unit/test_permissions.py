"""Who may do what on Kafka, as the table says it."""

import shlex

from icu_stream import permissions
from icu_stream.contracts.topics import ALERTS, DEAD_LETTERS, SCORES, TOPICS
from icu_stream.settings import Settings


def test_only_the_worker_says_alarms_and_scores():
    for topic in (ALERTS, SCORES):
        writers = [
            process
            for process, rights in permissions.RIGHTS.items()
            if topic in rights.writes
        ]

        assert writers == ["worker"]


def test_every_topic_is_written_by_somebody_and_read_by_somebody():
    written = {t for rights in permissions.RIGHTS.values() for t in rights.writes}
    read = {t for rights in permissions.RIGHTS.values() for t in rights.reads}

    assert written == set(TOPICS)
    # Dead letters are for people, with Kafka's own tools.
    assert read == set(TOPICS) - {DEAD_LETTERS}


def test_no_right_is_for_everything():
    chosen = Settings(_env_file=None, topic_prefix="t.", app_id="w")

    for grant in permissions.grants(chosen):
        assert grant.name.startswith(("t.", "w", "icu-"))
        assert set(grant.operations) <= {"Read", "Write", "Describe"}


def test_the_commands_say_the_same_as_the_grants():
    chosen = Settings(_env_file=None, broker="kafka-1:9093")

    lines = [shlex.split(line) for line in permissions.commands(chosen)]

    assert len(lines) == len(list(permissions.grants(chosen)))
    assert [
        "kafka-acls.sh",
        *("--bootstrap-server", "kafka-1:9093", "--command-config"),
        *("admin.properties", "--add", "--allow-principal", "User:icu-worker"),
        *("--operation", "Write", "--transactional-id", "icu-worker-"),
        *("--resource-pattern-type", "prefixed"),
    ] in lines
