"""What gateways count, and the page where it is read."""

import re

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from prometheus_client import Counter, Gauge

from icu_stream import status
from icu_stream.gateways.reading import Reading
from icu_stream.observability import log
from icu_stream.settings import Settings
from icu_stream.status import Report


MESSAGES = Counter(
    "icu_gateway_messages",
    "Messages, by what became of them.",
    ["gateway", "outcome"],
)
VALUES = Counter("icu_gateway_values", "Values that were taken.", ["gateway"])
PASSED = Counter(
    "icu_gateway_values_passed_over",
    "Values that were not taken, by reason.",
    ["gateway", "reason"],
)
TROUBLES = Counter(
    "icu_gateway_troubles",
    "Connections let go, and what of them was skipped, by reason.",
    ["gateway", "why"],
)
CLIENTS = Gauge("icu_gateway_clients", "Connections now.", ["gateway"])
WAITING = Gauge(
    "icu_gateway_records_waiting", "Records that Kafka has not confirmed.", ["gateway"]
)
ALERTS_OUT = Counter(
    "icu_gateway_alerts", "Alerts for the alarm manager, by outcome.", ["outcome"]
)
ALERTS_BEHIND = Gauge("icu_gateway_alerts_behind", "Alerts that are not delivered yet.")

# Ours: enough to set up a site; more are a sender that invents codes.
_MOST_SAID = 200
_SAYABLE = re.compile(r"[A-Za-z0-9_.:/^-]{1,80}")


class Tally:
    """Counts for one gateway, and says each unknown code once.

    Args:
        gateway: Its name.
    """

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._said: set[str] = set()

    def message(self, outcome: str) -> None:
        """Count a message."""
        MESSAGES.labels(self._gateway, outcome).inc()

    def values(self, said: Reading) -> None:
        """Count a message's values, and say which codes are not known."""
        VALUES.labels(self._gateway).inc(said.taken)
        for reason, count in said.passed.items():
            PASSED.labels(self._gateway, reason).inc(count)
        for code in said.unknown:
            if code in self._said or len(self._said) >= _MOST_SAID:
                continue
            self._said.add(code)
            if _SAYABLE.fullmatch(code):
                log.info("code_unknown", gateway=self._gateway, code=code)

    def trouble(self, why: str, count: int = 1) -> None:
        """Count what is wrong with a connection."""
        TROUBLES.labels(self._gateway, why).inc(count)


@asynccontextmanager
async def page(
    settings: Settings, port: int, why_not_ready: Callable[[], str]
) -> AsyncIterator[int]:
    """Serve the process's page; gives its port.

    Args:
        settings: Where.
        port: 0 for any free one.
        why_not_ready: Empty when the gateway does its work.

    Raises:
        ConfigurationError: The address is not ours, or taken.
    """

    def report() -> Report:
        why = why_not_ready()
        return Report(not why, {"reason": why} if why else {})

    async with status.served(settings.web_host, port, report) as chosen:
        yield chosen
