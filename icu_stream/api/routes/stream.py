"""The live stream: server-sent events that resume where they were."""

import asyncio
import contextlib

from aiohttp import web

from icu_stream.access.roles import Page
from icu_stream.api.auth import bearer
from icu_stream.api.messages import UNSET, Stream
from icu_stream.api.problems import Kind, ProblemError
from icu_stream.api.streaming import Wanted
from icu_stream.api.table import Ask, Nothing, Route


_LOOK_S = 1.0
# Ours: a connection that takes nothing for so long is dead, or as good as dead.
_STALLED_S = 15.0


async def follow(ask: Ask[Nothing, Stream, None]) -> web.StreamResponse:
    """Tell what happens, until the reader goes, is too slow, or is signed out."""
    query = ask.query
    wanted = Wanted(
        frozenset(query.topics),
        None if query.patient_id is UNSET else query.patient_id,
        None if query.unit is UNSET else query.unit,
    )
    last_id = ask.request.headers.get("Last-Event-ID") or None
    events = ask.parts.hub.read(ask.person.by, wanted, last_id)
    async with contextlib.aclosing(events):
        first = await anext(events)  # what is wrong is a problem, not an event
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        response.headers["X-Accel-Buffering"] = "no"  # a proxy must not hold it back
        await response.prepare(ask.request)
        over = asyncio.create_task(_over(ask))
        try:
            await _write(response, first)
            while not over.done():
                told = asyncio.ensure_future(anext(events, None))
                await asyncio.wait({told, over}, return_when="FIRST_COMPLETED")
                if not told.done():
                    told.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await told
                    await _write(response, b"event: over\ndata: {}\n\n")
                    break
                if (part := told.result()) is None:
                    break
                await _write(response, part)
        except ProblemError as error:
            # It began well; what came then can only be told as an event.
            reason = error.detail.replace("\n", " ")
            await _write(response, f": {reason}\n\n".encode())
        except (ConnectionError, TimeoutError):
            pass  # the reader is gone, or takes nothing: it has its place
        finally:
            over.cancel()
    return response


async def _write(response: web.StreamResponse, part: bytes) -> None:
    async with asyncio.timeout(_STALLED_S):
        await response.write(part)


async def _over(ask: Ask[Nothing, Stream, None]) -> None:
    """Wait until whoever reads may no longer."""
    token = bearer(ask.request) or ""
    while ask.parts.door.is_good(token):  # noqa: ASYNC110 - time ends a session, too
        await asyncio.sleep(_LOOK_S)


ROUTES = (
    Route(
        method="GET",
        path="/v1/stream",
        summary="What happens, as it happens: server-sent events",
        detail="Events: `alert`, `scores`, `vitals`, `command-result` (the messages of "
        "docs/messages.md), `beat` while nothing happens, `cut` to a reader that is too "
        "slow, `over` when the session is. With `Last-Event-ID` it goes on there: nothing "
        "is lost and nothing is said twice.",
        handle=follow,
        needs=Page.BED,
        query=Stream,
        answer=str,
        media="text/event-stream",
        takes=("Last-Event-ID",),
        problems=(Kind.UNKNOWN, Kind.UNSENT),
    ),
)
