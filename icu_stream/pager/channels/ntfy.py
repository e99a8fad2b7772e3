"""ntfy: a push message to a phone, on ntfy.sh or a server of the hospital's own.

What becomes of an alarm has the same `sequence_id`, by which an app from 2026 on replaces
the message that it shows; an older one shows both.

Source: ntfy documentation, "Publish as JSON" and "Updating + deleting notifications".
"""

import hashlib

from typing import Any
from urllib.parse import urlsplit

import msgspec

from icu_stream.contracts.alerts import Priority
from icu_stream.errors import ConfigurationError
from icu_stream.pager import posting
from icu_stream.pager.page import Action, Delivery, Page, body, title
from icu_stream.pager.posting import Post
from icu_stream.pager.secret import Secret


# 5 rings and vibrates long, through most silences; 2 makes no sound.
_PRIORITY = {Priority.HIGH: 5, Priority.MEDIUM: 4, Priority.LOW: 3}
_QUIET = 2
_TAGS = {
    Action.TRIGGER: "rotating_light",
    Action.DIGEST: "rotating_light",
    Action.ACKNOWLEDGE: "eyes",
    Action.RESOLVE: "white_check_mark",
}
_SIGNS = 32


class Where(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table `channel = "ntfy"`.

    Attributes:
        topic: Whoever knows it reads it: a secret, unless the server asks for a token.
        url: Of the server.
        token: Access token, where the server wants one.
        ca_file: PEM of the authority of its certificate, where this machine's do not do.
    """

    topic: Secret
    url: str = "https://ntfy.sh/"
    token: Secret | None = None
    ca_file: str | None = None


class Channel:
    """Publishes to one topic."""

    def __init__(self, where: Where, post: Post, language: str) -> None:
        posting.check_url(where.url)
        if urlsplit(where.url).path not in {"", "/"}:
            msg = "url: want the server alone; the topic has a key of its own"
            raise ConfigurationError(msg)
        self._url = where.url
        self._topic = where.topic.read()
        self._token = where.token.read() if where.token else None
        self._tls = posting.tls(where.ca_file)
        self._post = post
        self._language = language

    async def send(self, delivery: Delivery) -> None:
        """Publish one."""
        message = payload(delivery.page, self._topic.get_secret_value(), self._language)
        headers = {}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        await self._post(self._url, msgspec.json.encode(message), headers, self._tls)


def place(where: Where) -> str:
    """Its host."""
    return urlsplit(where.url).netloc


def payload(page: Page, topic: str, language: str) -> dict[str, Any]:
    """The message, with the fields that ntfy names."""
    is_loud = page.action in {Action.TRIGGER, Action.DIGEST}
    sequence = hashlib.sha256(page.dedup_key.encode()).hexdigest()[:_SIGNS]
    message: dict[str, Any] = {
        "topic": topic,
        "title": title(page, language),
        "message": body(page, language),
        "priority": _PRIORITY[page.priority] if is_loud else _QUIET,
        "tags": [_TAGS[page.action]],
        "sequence_id": sequence,
    }
    if page.link:
        message["click"] = page.link
    return message
