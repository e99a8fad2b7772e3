"""Signatures of webhooks, out and in: HMAC-SHA256 as Standard Webhooks 1.0.0 says.

What is signed is `{id}.{timestamp}.{body}`, byte for byte; the header holds one or more
signatures, `v1,` and base64, so that a secret can be replaced without a gap. A secret is
`whsec_` and base64 of 24 to 64 bytes.

Pure: it is told the time.
"""

import base64
import contextlib
import hashlib
import hmac

from collections.abc import Mapping
from enum import StrEnum

from icu_stream.errors import ConfigurationError


ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
# What the reference libraries of Standard Webhooks allow.
TOLERANCE_S = 300
_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64
_MOST_SIGNATURES = 8
_LONGEST_ID = 128


class Flaw(StrEnum):
    """Why a message is not believed."""

    INCOMPLETE = "headers missing or not as they must be"
    STALE = "stale: its time is more than 5 min from ours"
    FORGED = "forged: no signature fits"


def key(secret: str) -> bytes:
    """The bytes of a secret as it is handed out.

    Raises:
        ConfigurationError: It is not one; says what one is, and not what it was.
    """
    found = b""
    if secret.startswith(_PREFIX):
        with contextlib.suppress(ValueError):  # binascii.Error is one
            found = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    if not _SHORTEST <= len(found) <= _LONGEST:
        msg = (
            "not a secret of webhooks: want whsec_ and base64 of 24 to 64 random bytes; "
            "make one with: icu-stream pager secret"
        )
        raise ConfigurationError(msg)
    return found


def sign(key: bytes, id_: str, time_s: int, body: bytes) -> str:
    """One signature.

    >>> sign(b"k" * 24, "a", 1, b"{}")
    'v1,A4Z0Dxwi88o6+BU5VBkwkhIro8S4CTGiNo1lWHvGV7c='
    """
    signed = b".".join((id_.encode(), str(time_s).encode(), body))
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def headers(key: bytes, id_: str, time_s: int, body: bytes) -> dict[str, str]:
    """The three headers of a signed message."""
    return {
        ID: id_,
        TIMESTAMP: str(time_s),
        SIGNATURE: sign(key, id_, time_s, body),
    }


def flaw(key: bytes, given: Mapping[str, str], body: bytes, now_ms: int) -> Flaw | None:
    """Why a message is not to be believed; None: it is signed, and now.

    That it was not seen before is for the caller to know, by its id.

    Args:
        key: Of whoever it says that it is from.
        given: Its headers; names in lower case, or a mapping that does not care.
        body: As it came.
        now_ms: Our clock, epoch ms.
    """
    id_, time_, signatures = (
        given.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE)
    )
    is_id = 0 < len(id_) <= _LONGEST_ID and id_.isascii() and id_.isprintable()
    is_time = time_.isascii() and time_.isdecimal() and len(time_) <= 12
    if not (is_id and is_time and signatures):
        return Flaw.INCOMPLETE
    # The signature first: what a stranger says of the time is nothing.
    wanted = sign(key, id_, int(time_), body).encode()
    offered = signatures.split(" ", _MOST_SIGNATURES)[:_MOST_SIGNATURES]
    fits = [hmac.compare_digest(wanted, one.encode()) for one in offered]
    if not any(fits):
        return Flaw.FORGED
    if abs(int(time_) * 1000 - now_ms) > TOLERANCE_S * 1000:
        return Flaw.STALE
    return None
