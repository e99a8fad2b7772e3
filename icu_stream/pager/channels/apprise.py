"""Apprise, for the long tail: some hundred services, each by an address of its own.

It says that something was sent or not, and not why: what was not is tried again until the
page's window is over. Addresses hold secrets, so its own log is silenced.
"""

import logging

import msgspec

from icu_stream.contracts.alerts import Priority
from icu_stream.errors import ConfigurationError, DeliveryError
from icu_stream.pager import posting
from icu_stream.pager.aside import aside
from icu_stream.pager.page import Action, Delivery, body, title
from icu_stream.pager.posting import Post
from icu_stream.pager.secret import Secret


class Where(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table `channel = "apprise"`.

    Attributes:
        url: Apprise's address of a service: `msteams://...`, `signal://...`.
    """

    url: Secret


class Channel:
    """Sends to one service."""

    def __init__(self, where: Where, post: Post, language: str) -> None:
        # Its hundred services take half a second to import, for those who use one.
        import apprise  # noqa: PLC0415

        its = logging.getLogger("apprise")
        its.propagate = False
        its.addHandler(logging.NullHandler())
        self._service = apprise.Apprise()
        if not self._service.add(where.url.read().get_secret_value()):
            msg = "url: no address that Apprise knows; see its list of services"
            raise ConfigurationError(msg)
        self._kinds = {
            Priority.HIGH: apprise.NotifyType.FAILURE,
            Priority.MEDIUM: apprise.NotifyType.WARNING,
            Priority.LOW: apprise.NotifyType.INFO,
        }
        self._calm = apprise.NotifyType.SUCCESS
        self._timeout_s = posting.LONGEST * post.timeout_s
        self._language = language

    async def send(self, delivery: Delivery) -> None:
        """Hand one to the service."""
        page = delivery.page
        is_loud = page.action in {Action.TRIGGER, Action.DIGEST}
        kind = self._kinds[page.priority] if is_loud else self._calm
        words, heading = body(page, self._language), title(page, self._language)
        try:
            is_sent = await aside(
                lambda: self._service.notify(words, title=heading, notify_type=kind),
                self._timeout_s,
            )
        except TimeoutError as error:
            raise posting.unanswered(error) from None
        if not is_sent:
            msg = "not sent, and Apprise does not say why"
            raise DeliveryError(msg, retry_after_s=0.0)


def place(where: Where) -> str:
    """Where its address is: what it says is a secret."""
    return f"apprise {where.url.file or where.url.env}"
