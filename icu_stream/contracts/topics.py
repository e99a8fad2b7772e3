"""Every topic: name, key, struct, partitions, retention; one row each.

Names get the configured prefix. `vitals`, `commands` and `alerts` have the same number
of partitions, so a patient has the same partition number in all three.
"""

from typing import NamedTuple

from icu_stream.contracts.alerts import Alert
from icu_stream.contracts.audit import AuditEntry
from icu_stream.contracts.commands import Command, CommandResult
from icu_stream.contracts.heartbeats import Heartbeat
from icu_stream.contracts.pagers import PagerReport
from icu_stream.contracts.scores import Scores
from icu_stream.contracts.vitals import Vitals


HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Topic(NamedTuple):
    """One topic.

    Attributes:
        name: Without the prefix.
        struct: The message; None for raw bytes.
        key: What the key is.
        patients: Spread by patient: it has the configured number of partitions.
        retention_ms: How long Kafka keeps a message.
        summary: One line for the documentation.
    """

    name: str
    struct: type | None
    key: str
    patients: bool
    retention_ms: int
    summary: str


VITALS = Topic(
    "vitals", Vitals, "patient_id", True, 7 * DAY_MS, "What devices measured."
)
COMMANDS = Topic(
    "commands", Command, "patient_id", True, 7 * DAY_MS, "What people ask."
)
ALERTS = Topic(
    "alerts", Alert, "patient_id", True, 30 * DAY_MS, "Each change of an alarm."
)
SCORES = Topic(
    "scores", Scores, "patient_id", True, 7 * DAY_MS, "Scores of each patient."
)
COMMAND_RESULTS = Topic(
    "command-results", CommandResult, "patient_id", True, 7 * DAY_MS, "The answers."
)
HEARTBEATS = Topic(
    "heartbeats", Heartbeat, "worker", False, HOUR_MS, "Workers that live."
)
PAGERS = Topic(
    "pagers", PagerReport, "pager", False, HOUR_MS, "Pagers, and what became of pages."
)
AUDIT = Topic(
    # Ours: a year. How long a trail must be kept is the hospital's rule, and the log's.
    "audit",
    AuditEntry,
    "by",
    False,
    365 * DAY_MS,
    "Who signed in, was refused, signed out and commanded.",
)
DEAD_LETTERS = Topic(
    "dead-letters",
    None,
    "topic-partition-offset",
    False,
    30 * DAY_MS,
    "What could not be processed, and in headers why.",
)

TOPICS: tuple[Topic, ...] = (
    VITALS,
    COMMANDS,
    ALERTS,
    SCORES,
    COMMAND_RESULTS,
    HEARTBEATS,
    PAGERS,
    AUDIT,
    DEAD_LETTERS,
)


def changelog(app_id: str, table: str = "patients") -> str:
    """Full name of the compacted topic that holds a table: the patients' saved state."""
    return f"{app_id}-{table}-changelog"


# Every table of the worker: the patients, and what their alarms ask of people.
TABLES = ("patients", "burden")
