"""E-mail by SMTP: STARTTLS or TLS from the first byte; in the clear to this machine alone.

`Message-ID` is the delivery's, the same at every attempt, and all mails about an alarm are
one thread. Whether somebody reads it, SMTP does not say.
"""

import datetime as dt
import hashlib
import smtplib
import ssl

from email.message import EmailMessage
from email.utils import format_datetime
from typing import Annotated, Literal

import msgspec

from pydantic import SecretStr

from icu_stream.errors import ConfigurationError
from icu_stream.pager import posting, retry
from icu_stream.pager.aside import aside
from icu_stream.pager.page import Delivery, body, title
from icu_stream.pager.posting import Post
from icu_stream.pager.secret import Secret


_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_Address = Annotated[
    str, msgspec.Meta(pattern=r"^[^\s@<>,;]+@[^\s@<>,;]+$", max_length=254)
]


class Where(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"from_": "from"},
):
    """A table `channel = "email"`.

    Attributes:
        host: Of the mail server.
        to: Whose mail.
        from_: `from`: of the pager.
        port: 587 with STARTTLS, 465 with TLS, 25 without.
        tls: `starttls`, `tls`, or `none` to this machine.
        username: Where the server wants one.
        password: With it.
        ca_file: PEM of the authority of its certificate, where this machine's do not do.
    """

    host: Annotated[str, msgspec.Meta(min_length=1, pattern=r"^\S+$")]
    to: _Address
    from_: _Address
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] | None = None
    tls: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: Secret | None = None
    ca_file: str | None = None


class Channel:
    """Sends mail to one address."""

    def __init__(self, where: Where, post: Post, language: str) -> None:
        if where.tls == "none" and where.host not in _LOOPBACK:
            msg = f'tls = "none" to {where.host}: want "starttls" or "tls"'
            raise ConfigurationError(msg)
        if (where.username is None) != (where.password is None):
            msg = "username and password: want both or neither"
            raise ConfigurationError(msg)
        self._where = where
        self._password: SecretStr | None = None
        if where.password is not None:
            self._password = where.password.read()
        self._tls = posting.tls(where.ca_file) or ssl.create_default_context()
        self._timeout_s = post.timeout_s
        self._language = language

    async def send(self, delivery: Delivery) -> None:
        """Hand one to the server."""
        mail = message(delivery, self._where, self._language)
        try:
            await aside(lambda: self._hand(mail), posting.LONGEST * self._timeout_s)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            posting.judge(retry.smtp_verdict(codes[0]), f"answered {codes[0]}")
        except smtplib.SMTPResponseException as error:
            code = error.smtp_code
            posting.judge(retry.smtp_verdict(code), f"answered {code}")
        except (smtplib.SMTPException, OSError, TimeoutError) as error:
            raise posting.unanswered(error) from None

    def _hand(self, mail: EmailMessage) -> None:
        where = self._where
        port = where.port or _PORTS[where.tls]
        if where.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                where.host, port, timeout=self._timeout_s, context=self._tls
            )
        else:
            server = smtplib.SMTP(where.host, port, timeout=self._timeout_s)
        with server:
            if where.tls == "starttls":
                server.starttls(context=self._tls)
            if where.username is not None and self._password is not None:
                server.login(where.username, self._password.get_secret_value())
            server.send_message(mail)


def place(where: Where) -> str:
    """Its host."""
    return where.host


def message(delivery: Delivery, where: Where, language: str) -> EmailMessage:
    """The mail."""
    page = delivery.page
    domain = where.from_.rpartition("@")[2]
    thread = hashlib.sha256(page.dedup_key.encode()).hexdigest()[:32]
    mail = EmailMessage()
    mail["Subject"] = title(page, language)
    mail["From"] = where.from_
    mail["To"] = where.to
    mail["Date"] = format_datetime(dt.datetime.fromtimestamp(page.time / 1000, dt.UTC))
    mail["Message-ID"] = f"<{delivery.id}@{domain}>"
    mail["References"] = f"<{thread}@{domain}>"
    # RFC 3834: no automatic answers to it.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(body(page, language))
    return mail
