"""What a row of the route table is, and what a handler is given and gives back."""

import base64
import hashlib
import re

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import msgspec

from aiohttp import web

from icu_stream.access.roles import Page, Person
from icu_stream.api.parts import Parts
from icu_stream.api.problems import Kind, ProblemError, unknown
from icu_stream.contracts.commands import CommandType


P_co = TypeVar("P_co", covariant=True)
Q_co = TypeVar("Q_co", covariant=True)
B_co = TypeVar("B_co", covariant=True)
S = TypeVar("S", bound=msgspec.Struct)

_NO_CURSOR = "no list has such a cursor: begin without one"
_TAG = re.compile(r'(?:W/)?"[^"]*"')


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A path, query or body that says nothing."""


NOTHING = Nothing()


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is more than its content.

    Attributes:
        content: Encoded as JSON.
        status: Another than the route's.
        headers: Beside the usual ones.
        tag: What the ETag is made of, where that is not the whole content.
    """

    content: Any
    status: int | None = None
    headers: dict[str, str] = {}
    tag: str | None = None


class Ask(Generic[P_co, Q_co, B_co]):
    """One request, checked by its row.

    Attributes:
        parts: The server's.
        person: Who asks; nobody in particular on public routes.
        path: What the path says.
        query: What the query says.
        body: What the body says.
        request: The rest of it.
    """

    __slots__ = ("body", "parts", "path", "person", "query", "request")

    def __init__(
        self,
        parts: Parts,
        person: Person,
        path: P_co,
        query: Q_co,
        body: B_co,
        request: web.Request,
    ) -> None:
        self.parts = parts
        self.person = person
        self.path = path
        self.query = query
        self.body = body
        self.request = request

    def require_match(self, tag: str) -> None:
        """Refuse a change of what is no longer as the asker saw it.

        Args:
            tag: Of what it is now.

        Raises:
            ProblemError: There is an If-Match, and it names another state.
        """
        wanted = self.request.headers.get("If-Match")
        if wanted is not None and not matches(wanted, tag):
            detail = f"it is {tag} now: read it again, and decide again"
            raise ProblemError(Kind.CHANGED, detail, headers={"ETag": tag})


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One row.

    Attributes:
        method: In HTTP.
        path: With the names of its parts in braces.
        summary: One line.
        detail: What else must be known.
        handle: Makes the answer.
        needs: Who may ask: whoever sees that, may command that, or (None) has signed in.
        is_public: Nobody need sign in.
        where: What the path says.
        query: What the query may say.
        body: What the body must say.
        answer: What is answered; None: nothing.
        status: When all went well.
        media: Of the answer.
        takes: Names of headers that it heeds, beside the usual ones.
        problems: Kinds beside those that every route of its shape has.
    """

    method: str
    path: str
    summary: str
    handle: Callable[[Ask[Any, Any, Any]], Awaitable[Any]]
    detail: str = ""
    needs: Page | CommandType | None = None
    is_public: bool = False
    where: type[msgspec.Struct] = Nothing
    query: type[msgspec.Struct] = Nothing
    body: type[msgspec.Struct] | None = None
    answer: Any = None
    status: int = 200
    media: str = "application/json"
    takes: tuple[str, ...] = ()
    problems: tuple[Kind, ...] = ()

    @property
    def name(self) -> str:
        """Of the operation: its handler's."""
        return self.handle.__name__

    @property
    def tag(self) -> str:
        """Of its group: the module of its handler."""
        return self.handle.__module__.rpartition(".")[2]

    @property
    def is_command(self) -> bool:
        """Does it ask something of the system, once for each key?"""
        return isinstance(self.needs, CommandType)

    @property
    def may_skip_body(self) -> bool:
        """Is no body at all as good as an empty object?"""
        return self.body is not None and not any(
            field.required for field in msgspec.structs.fields(self.body)
        )

    def allows(self, person: Person) -> bool:
        """May this person ask for it?"""
        if isinstance(self.needs, CommandType):
            return person.may(self.needs)
        return self.needs is None or person.sees(self.needs)


class Listed(msgspec.Struct, Generic[S], frozen=True, kw_only=True):
    """One page of a list.

    Attributes:
        items: In the list's order.
        next: The `cursor` of the next page; null at the end.
    """

    items: list[S]
    next: str | None


def etag(content: bytes | str) -> str:
    """The ETag of a content."""
    data = content.encode() if isinstance(content, str) else content
    return f'"{hashlib.sha256(data).hexdigest()[:24]}"'


def matches(wanted: str, tag: str) -> bool:
    """Does an If-Match or If-None-Match name this tag?

    >>> matches('"a", W/"b"', '"b"'), matches("*", '"a"'), matches("a", '"a"')
    (True, True, False)
    """
    if wanted.strip() == "*":
        return True
    return any(found.removeprefix("W/") == tag for found in _TAG.findall(wanted))


def cursor(place: Any) -> str:
    """The cursor of what comes after a place in a list."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place(cursor_: str, type_: Any) -> Any:
    """The place that a cursor names.

    Args:
        cursor_: As it was given out.
        type_: Of the place.

    Raises:
        ProblemError: No list of this kind gave it out.
    """
    try:
        data = base64.b64decode(cursor_ + "=" * (-len(cursor_) % 4), b"-_")
        return msgspec.json.decode(data, type=type_)
    except (ValueError, UnicodeDecodeError):  # msgspec's is one
        raise unknown(_NO_CURSOR) from None
