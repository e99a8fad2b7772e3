"""Who asks: sign in for a short while, see who one is, sign out."""

import msgspec

from icu_stream.access.door import Refused, Why
from icu_stream.access.roles import MAY, SEES, Person
from icu_stream.api.auth import address, bearer
from icu_stream.api.messages import Me, Session, SignIn
from icu_stream.api.problems import Kind, ProblemError, retry
from icu_stream.api.table import Ask, Nothing, Reply, Route


async def sign_in(ask: Ask[Nothing, Nothing, SignIn]) -> Reply:
    """Let a person in, for as long as they do something."""
    at = address(ask.request, ask.parts.settings)
    said = ask.body
    outcome = await ask.parts.door.by_password(said.name, said.password, at, at)
    if isinstance(outcome, Refused):
        if outcome.why is Why.TOO_OFTEN:
            raise retry(Kind.TOO_MANY, outcome.retry_after_s, "too many wrong tries")
        if outcome.why is Why.STORE:
            raise retry(Kind.STORE, 2, "the accounts cannot be read")
        raise ProblemError(Kind.NO_SESSION, "there is no such name with this password")
    me = msgspec.structs.asdict(_me(outcome.session.person))
    content = Session(token=outcome.cookie, **me)
    return Reply(content=content, headers={"Location": "/v1/session"})


async def who_am_i(ask: Ask[Nothing, Nothing, None]) -> Me:
    """Say who asks."""
    return _me(ask.person)


async def sign_out(ask: Ask[Nothing, Nothing, None]) -> None:
    """End the session."""
    token = bearer(ask.request)
    if token is None or ask.parts.door.sessions.find(token) is None:
        detail = "a token ends by icu-stream users revoke, not here"
        raise ProblemError(Kind.REFUSED, detail)
    ask.parts.door.sign_out(token)


def _me(person: Person) -> Me:
    return Me(
        by=person.by,
        role=person.role,
        station=person.station,
        may=sorted(MAY[person.role]),
        sees=sorted(page.value or "ward" for page in SEES[person.role]),
        until=person.until_ms,
    )


ROUTES = (
    Route(
        method="POST",
        path="/v1/session",
        summary="Sign in with name and password",
        detail="The token is good for as long as something is asked with it at least "
        "every 15 min, and for 12 h at most. Programs have a token of their own: "
        "`icu-stream users token`.",
        handle=sign_in,
        is_public=True,
        body=SignIn,
        answer=Session,
        status=201,
        problems=(Kind.NO_SESSION, Kind.STORE),
    ),
    Route(
        method="GET",
        path="/v1/session",
        summary="Who am I, and what may I?",
        handle=who_am_i,
        answer=Me,
    ),
    Route(
        method="DELETE",
        path="/v1/session",
        summary="Sign out",
        handle=sign_out,
        status=204,
        problems=(Kind.REFUSED,),
    ),
)
