"""One table for every channel: which answer means try again, and when.

==================  ==============  =====================================================
answer              verdict         what follows
==================  ==============  =====================================================
2xx                 delivered       it is sent
408, 425, 429, 5xx  again           after its `Retry-After`, else after a wait that
                                    doubles; until the page's window is over
410                 gone            never again, no page to this target
anything else       refused         never again, this page: the same would be refused
no answer           again           as 5xx: no connection, cut off, too slow
==================  ==============  =====================================================

Source: Standard Webhooks 1.0.0, "Delivery success and failure"; RFC 9110, 15.5 and 15.6;
RFC 6585, 4; PagerDuty Events API v2, "API response codes & retry logic" (429 and 5xx).
Of SMTP (RFC 5321, 4.2.1): 4yz is again, 5yz refused.

Pure but for chance: the wait is drawn from its second half, so that what failed together
does not come back together.
"""

import datetime as dt
import secrets

from email.utils import parsedate_to_datetime
from enum import StrEnum


class Verdict(StrEnum):
    """What an answer means."""

    DELIVERED = "delivered"
    AGAIN = "again"
    REFUSED = "refused"
    GONE = "gone"


# Ours: the first within a second, since a page is urgent; then ever less often, since a
# service that is down is not helped by being asked.
FIRST_S = 1.0
LONGEST_S = 60.0
_AGAIN = frozenset({408, 425, 429})
_CHANCE = secrets.SystemRandom()


def verdict(status: int) -> Verdict:
    """What an HTTP status means.

    >>> [str(verdict(s)) for s in (202, 302, 400, 410, 429, 500)]
    ['delivered', 'refused', 'refused', 'gone', 'again', 'again']
    """
    if 200 <= status < 300:
        return Verdict.DELIVERED
    if status == 410:
        return Verdict.GONE
    if status in _AGAIN or 500 <= status < 600:
        return Verdict.AGAIN
    return Verdict.REFUSED


def smtp_verdict(code: int) -> Verdict:
    """What a reply of SMTP means.

    >>> [str(smtp_verdict(c)) for c in (250, 451, 550)]
    ['delivered', 'again', 'refused']
    """
    if 200 <= code < 300:
        return Verdict.DELIVERED
    return Verdict.AGAIN if 400 <= code < 500 else Verdict.REFUSED


def asked_s(header: str | None, now_ms: int) -> float:
    """What `Retry-After` asks for, seconds from now; 0 where it asks for nothing.

    >>> asked_s("120", 0), asked_s("Thu, 01 Jan 1970 00:00:30 GMT", 10_000)
    (120.0, 20.0)
    >>> asked_s("soon", 0), asked_s(None, 0)
    (0.0, 0.0)
    """
    if header is None:
        return 0.0
    if header.strip().isdecimal():
        return float(header)
    try:
        when = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)
    return max(0.0, when.timestamp() - now_ms / 1000)


def wait_s(attempts: int, asked: float = 0.0) -> float:
    """How long to wait after so many attempts, seconds; at least what was asked for."""
    longest = min(LONGEST_S, FIRST_S * 2.0 ** min(attempts - 1, 16))
    return max(asked, _CHANCE.uniform(longest / 2, longest))
