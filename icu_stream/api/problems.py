"""What went wrong, as RFC 9457 says it: one row a kind, and one form for every error."""

from enum import Enum
from typing import NamedTuple

import msgspec


MEDIA_TYPE = "application/problem+json"


class _Row(NamedTuple):
    status: int
    title: str


class Kind(Enum):
    """Every kind of problem: its name is in the `type`, its status and title beside it."""

    INVALID = _Row(400, "The request is not as this route wants it")
    NO_SESSION = _Row(401, "Sign in, or send a token")
    FORBIDDEN = _Row(403, "This is not for your role")
    UNKNOWN = _Row(404, "There is no such thing")
    METHOD = _Row(405, "This method does not exist here")
    REFUSED = _Row(409, "It was not done")
    UNDER_WAY = _Row(409, "The same request is still under way")
    CHANGED = _Row(412, "It is no longer as you saw it")
    TOO_LONG = _Row(413, "The body is too long")
    MEDIA = _Row(415, "The body is not application/json")
    SLOW = _Row(408, "The body did not come in time")
    KEY_USED = _Row(422, "This Idempotency-Key was used for another request")
    TOO_MANY = _Row(429, "Too many requests")
    FAULT = _Row(500, "Something is wrong here; its number is in the log")
    NO_STORE = _Row(503, "There is no store of the past")
    STORE = _Row(503, "The store does not answer")
    UNSENT = _Row(503, "Kafka does not answer; it was not sent")
    UNCONFIRMED = _Row(504, "Nobody has confirmed it yet; it may be done later")

    @property
    def status(self) -> int:
        """In HTTP."""
        return self.value.status

    @property
    def slug(self) -> str:
        """The name in a `type`."""
        return self.name.lower().replace("_", "-")


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong about a request.

    Attributes:
        where: `path`, `query`, `header` or `body`.
        what: In words, with the place within it.
    """

    where: str
    what: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One problem, RFC 9457.

    Attributes:
        type: Which kind; a URN that never changes.
        title: The kind in words.
        status: As in HTTP.
        detail: What is wrong this time, and what to do.
        instance: Of this request: the number by which the log knows it.
        errors: What is wrong about the request, one by one.
    """

    type: str
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    errors: list[Fault] = []


class ProblemError(Exception):
    """A request that is answered with a problem.

    Attributes:
        kind: Which.
        detail: In words.
        errors: One by one.
        headers: That go with it.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str = "",
        *,
        errors: list[Fault] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail or kind.value.title)
        self.kind = kind
        self.detail = detail
        self.errors = errors or []
        self.headers = headers or {}

    def problem(self, instance: str) -> Problem:
        """The answer's body."""
        return Problem(
            type=f"urn:icu-stream:problem:{self.kind.slug}",
            title=self.kind.value.title,
            status=self.kind.status,
            detail=self.detail,
            instance=instance,
            errors=self.errors,
        )


def unknown(what: str) -> ProblemError:
    """There is no such thing."""
    return ProblemError(Kind.UNKNOWN, what)


def retry(kind: Kind, seconds: int, detail: str = "") -> ProblemError:
    """Not now: try again after so many seconds."""
    return ProblemError(kind, detail, headers={"Retry-After": str(seconds)})
