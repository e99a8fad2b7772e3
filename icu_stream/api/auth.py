"""Who asks, from the request: never what it says of itself beside its bearer."""

import ipaddress

from aiohttp import web

from icu_stream.access.door import Door, Refused
from icu_stream.access.roles import Person, Role
from icu_stream.api.problems import Kind, ProblemError
from icu_stream.api.table import Route
from icu_stream.settings import Settings


_LONGEST = 512
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="icu-stream"'}
_NOBODY = Person("", Role.VIEWER, 0)


def bearer(request: web.Request) -> str | None:
    """The bearer of a request; None without one."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    given = given.strip()
    return given if scheme.lower() == "bearer" and 0 < len(given) < _LONGEST else None


def address(request: web.Request, settings: Settings) -> str:
    """Of the caller, as far as we can know it."""
    if settings.api_proxy:
        # The last one is our own proxy's word; what is before it, anybody's.
        given = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        try:
            return str(ipaddress.ip_address(given))
        except ValueError:
            pass
    return request.remote or ""


def person(
    request: web.Request, route: Route, door: Door, settings: Settings
) -> Person:
    """Who asks for a route, if they may.

    Raises:
        ProblemError: Nobody whom we know, or somebody who may not; that is audited.
    """
    if route.is_public:
        return _NOBODY
    given = bearer(request)
    if given is None:
        raise ProblemError(Kind.NO_SESSION, headers=_CHALLENGE)
    who = door.by_bearer(given, address(request, settings))
    if isinstance(who, Refused):
        detail = "the bearer is not good, or no longer"
        challenge = 'Bearer realm="icu-stream", error="invalid_token"'
        raise ProblemError(
            Kind.NO_SESSION, detail, headers={"WWW-Authenticate": challenge}
        )
    if not route.allows(who):
        door.ledger.forbidden(who, f"{route.method} {route.path}")
        raise ProblemError(Kind.FORBIDDEN, f"a {who.role} may not: {route.summary}")
    return who
