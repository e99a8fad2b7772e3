"""A webhook of the hospital's own: JSON, signed as Standard Webhooks 1.0.0 says.

`webhook-id` is the same at every attempt: a receiver that drops an id which it has seen
gets each page once.
"""

from urllib.parse import urlsplit

import msgspec

from icu_stream import clock
from icu_stream.pager import posting, signature
from icu_stream.pager.page import Delivery, Page, moment, title
from icu_stream.pager.posting import Post
from icu_stream.pager.secret import Secret


class Where(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table `channel = "webhook"`.

    Attributes:
        url: Where it is posted.
        secret: Signs it: `whsec_...`.
        ca_file: PEM of the authority of its certificate, where this machine's do not do.
    """

    url: str
    secret: Secret
    ca_file: str | None = None


class Channel:
    """Posts pages to one address."""

    def __init__(self, where: Where, post: Post, language: str) -> None:
        posting.check_url(where.url)
        self._url = where.url
        self._key = signature.key(where.secret.read().get_secret_value())
        self._tls = posting.tls(where.ca_file)
        self._post = post
        self._language = language

    async def send(self, delivery: Delivery) -> None:
        """Post one, signed now."""
        body = payload(delivery, self._language)
        time_s = clock.now_ms() // 1000
        headers = signature.headers(self._key, delivery.id, time_s, body)
        await self._post(self._url, body, headers, self._tls)


def place(where: Where) -> str:
    """Its host."""
    return urlsplit(where.url).netloc


def payload(delivery: Delivery, language: str) -> bytes:
    """The body: `type`, `timestamp` of the event, and `data`."""
    page: Page = delivery.page
    data = msgspec.to_builtins(page) | {
        "delivery": delivery.id,
        "title": title(page, language),
    }
    return msgspec.json.encode(
        {"type": f"alarm.{page.action}", "timestamp": moment(page.time), "data": data}
    )
