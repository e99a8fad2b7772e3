"""Tokens of programs: long-lived, of one account, kept as their digest alone.

A token is 256 random bits behind `icu_`, by which a search for leaked secrets finds it. It
may what its account's role may at that moment, and ends with the account. Nothing of a
token can be made from its digest, so no salt and no slow hash is needed.
"""

import hashlib
import re
import secrets

import msgspec

from icu_stream.errors import ConfigurationError


PREFIX = "icu_"
DAY_MS = 86_400_000
LONGEST_DAYS = 3_650
_LABEL = re.compile(r"[!-~]([ -~]{0,62}[!-~])?")


class Token(msgspec.Struct, frozen=True):
    """One token.

    Attributes:
        id: By which it is revoked.
        digest: SHA-256, hexadecimal.
        label: For what: the station in every command and in the audit trail.
        since_ms: When it was made, epoch ms.
        until_ms: When it ends, epoch ms.
    """

    id: str
    digest: str
    label: str
    since_ms: int
    until_ms: int

    def __repr__(self) -> str:
        return f"Token({self.id}, {self.label!r})"


def make(label: str, days: int, now_ms: int) -> tuple[str, Token]:
    """A new secret, to be shown once, and what is kept of it.

    Raises:
        ConfigurationError: The label cannot be one.
    """
    if not _LABEL.fullmatch(label):
        msg = f"{label!r} cannot be a label: want 1 to 64 characters of ASCII"
        raise ConfigurationError(msg)
    secret = PREFIX + secrets.token_urlsafe(32)
    until_ms = now_ms + days * DAY_MS
    kept = Token(secrets.token_hex(4), digest(secret), label, now_ms, until_ms)
    return secret, kept


def digest(secret: str) -> str:
    """By which a token is kept and found."""
    return hashlib.sha256(secret.encode()).hexdigest()
