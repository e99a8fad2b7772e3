"""PagerDuty, Events API v2: trigger, acknowledge and resolve of one incident an alarm.

The dedup key is the alarm's own, so a repeat changes nothing there, and whoever was paged
by several ways has one incident.

Source: PagerDuty, Events API v2, "Send an alert event": `summary` up to 1,024 characters,
`dedup_key` up to 255, answer 202.
"""

from typing import Any
from urllib.parse import urlsplit

import msgspec

from icu_stream.contracts.alerts import Priority
from icu_stream.errors import ConfigurationError
from icu_stream.pager import posting
from icu_stream.pager.page import Action, Delivery, Page, body, moment, title
from icu_stream.pager.posting import Post
from icu_stream.pager.secret import Secret


_SERVICE = "https://events.pagerduty.com/v2/enqueue"
_LONGEST_SUMMARY = 1_024
_LONGEST_KEY = 255
_ROUTING_KEY = 32
_CLIENT = "icu-stream"
_SEVERITY = {
    Priority.HIGH: "critical",
    Priority.MEDIUM: "warning",
    Priority.LOW: "info",
}
# What is told in it has no payload of its own.
_CHANGES = frozenset({Action.ACKNOWLEDGE, Action.RESOLVE})


class Where(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table `channel = "pagerduty"`.

    Attributes:
        routing_key: Integration key of an Events API v2 integration, 32 characters.
        url: Of another region or a proxy.
        ca_file: PEM of the authority of its certificate, where this machine's do not do.
    """

    routing_key: Secret
    url: str = _SERVICE
    ca_file: str | None = None


class Channel:
    """Sends events to one service of PagerDuty."""

    def __init__(self, where: Where, post: Post, language: str) -> None:
        posting.check_url(where.url)
        self._key = where.routing_key.read()
        if len(self._key.get_secret_value()) != _ROUTING_KEY:
            msg = (
                f"routing_key: want the {_ROUTING_KEY} characters of an Events API v2 "
                "integration"
            )
            raise ConfigurationError(msg)
        self._url = where.url
        self._tls = posting.tls(where.ca_file)
        self._post = post
        self._language = language

    async def send(self, delivery: Delivery) -> None:
        """Send one event."""
        event = payload(delivery.page, self._key.get_secret_value(), self._language)
        await self._post(self._url, msgspec.json.encode(event), {}, self._tls)


def place(where: Where) -> str:
    """Its host."""
    return urlsplit(where.url).netloc


def payload(page: Page, routing_key: str, language: str) -> dict[str, Any]:
    """The event, with the fields that PagerDuty names."""
    is_change = page.action in _CHANGES
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": str(page.action) if is_change else "trigger",
        "dedup_key": page.dedup_key[:_LONGEST_KEY],
    }
    if is_change:
        return event
    details: dict[str, Any] = {
        "priority": page.priority,
        "onset": moment(page.onset),
        "text": body(page, language),
    }
    if page.level:
        details["level"] = page.level
    event |= {
        "client": _CLIENT,
        "payload": {
            "summary": title(page, language)[:_LONGEST_SUMMARY],
            "source": page.bed or _CLIENT,
            "severity": _SEVERITY[page.priority],
            "timestamp": moment(page.time),
            "component": page.code,
            "class": page.kind,
            "custom_details": details,
        },
    }
    if page.link:
        event |= {
            "client_url": page.link,
            "links": [{"href": page.link, "text": page.bed or _CLIENT}],
        }
    return event
