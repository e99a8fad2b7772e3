"""Logs and metrics. Both carry beds and patient ids, never a name."""

import logging
import sys

import structlog

from prometheus_client import Counter, Gauge, Histogram

from icu_stream.contracts.alerts import Event, Priority
from icu_stream.settings import Settings


log = structlog.get_logger("icu_stream")

RECORDS = Counter("icu_records", "Records applied.", ["topic"])
ALERTS = Counter("icu_alerts", "Alerts published.", ["priority", "event"])
for _priority in Priority:
    for _event in Event:
        ALERTS.labels(_priority, _event)  # 0 is a value: shown before the first one
DEAD_LETTERS = Counter("icu_dead_letters", "Records refused.")
FORWARDED = Counter("icu_forwarded", "Records sent on to their own partition.")
REPEATED = Counter("icu_repeated", "Records that were applied before.")
FAULTS = Counter("icu_faults", "Records on which a rule raised.")
UNREADABLE = Counter("icu_unreadable_states", "Saved states that could not be read.")
TICKS = Counter("icu_ticks", "Ticks written because something fell due in silence.")
EXPIRED = Counter("icu_records_expired", "Records that Kafka deleted before we came.")
BEHIND = Counter("icu_states_behind", "Partitions caught up from the log at a start.")
NOTES_FAILED = Counter(
    "icu_notes_failed", "Times that what is kept beside the alarms was not saved."
)
CHECKPOINT_S = Histogram(
    "icu_checkpoint_seconds",
    "Time a checkpoint took.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
CHECKPOINT_AGE_S = Gauge("icu_checkpoint_age_seconds", "Since everything was saved.")
LAG = Gauge("icu_lag", "Records not applied yet.", ["topic", "partition"])
PATIENTS = Gauge("icu_patients", "Patients in memory.", ["partition"])


def configure(settings: Settings) -> None:
    """Set up the logs of a process: readable for a person, or JSON for a machine."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    # Faust lets every line be made and drops it at the handler: a full worker spent 2 % of
    # its time on those that aiokafka writes for each request.
    logging.getLogger("aiokafka").setLevel(logging.INFO)
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
