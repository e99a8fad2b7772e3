"""What the pager counts. Labels are targets and levels, never patients."""

from prometheus_client import Counter, Gauge, Histogram


ALERTS = Counter("icu_pager_alerts", "Alerts heeded.")
REFUSED_ALERTS = Counter("icu_pager_alerts_refused", "Records that were no alert.")
PAGES = Counter("icu_pager_pages", "Pages settled.", ["target", "outcome"])
ATTEMPTS = Counter("icu_pager_attempts", "Attempts that were not taken.", ["target"])
DEAD = Counter("icu_pager_dead_letters", "Pages given up.", ["target"])
LEVELS = Counter("icu_pager_levels", "Levels of chains that were due by time.")
ANSWERS = Counter("icu_pager_answers", "Answers.", ["answer", "outcome"])
BACKUP = Counter("icu_pager_backup", "Pages by the second channel.", ["outcome"])
WAITING = Gauge("icu_pager_waiting", "Pages that are not settled.")
TROUBLE = Gauge("icu_pager_trouble", "What the dead-man has found.", ["hop"])
LATENCY_S = Histogram(
    "icu_pager_delivery_seconds",
    "From leasing a page to the answer of its target.",
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
