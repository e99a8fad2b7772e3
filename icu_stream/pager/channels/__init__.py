"""The channels by which pages leave, one file each; they do not know one another.

A channel is a `Where`, the struct of its table in the pager's TOML, and a `Channel`, which
sends. To add one, write its file and name it here (docs/pager.md).
"""

from typing import Any, NamedTuple, Protocol

from icu_stream.pager.channels import apprise, mail, ntfy, pagerduty, webhook
from icu_stream.pager.page import Delivery
from icu_stream.pager.posting import Post


class Channel(Protocol):
    """Sends pages to one target."""

    async def send(self, delivery: Delivery) -> None:
        """Send one.

        Raises:
            DeliveryError: It was not taken; says whether to try again.
        """


class Kind(NamedTuple):
    """A kind of channel.

    Attributes:
        where: The struct of its table.
        make: Makes the channel; raises ConfigurationError where the table, its secrets or
            its files are wrong.
        place: What must differ between independent ones: a host, without secrets.
    """

    where: type
    make: Any
    place: Any


KINDS = {
    "webhook": Kind(webhook.Where, webhook.Channel, webhook.place),
    "pagerduty": Kind(pagerduty.Where, pagerduty.Channel, pagerduty.place),
    "ntfy": Kind(ntfy.Where, ntfy.Channel, ntfy.place),
    "email": Kind(mail.Where, mail.Channel, mail.place),
    "apprise": Kind(apprise.Where, apprise.Channel, apprise.place),
}


def make(kind: str, where: Any, post: Post, language: str) -> Channel:
    """A channel to one target.

    Raises:
        ConfigurationError: An address, a secret or a file is wrong.
    """
    made: Channel = KINDS[kind].make(where, post, language)
    return made
