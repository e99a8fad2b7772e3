"""What the API says about itself: OpenAPI, a page for people, and the messages' schemas."""

import json

from functools import cache
from typing import Any

from aiohttp import web

from icu_stream.api.messages import OfSchema, Schemas
from icu_stream.api.problems import unknown
from icu_stream.api.table import Ask, Nothing, Route
from icu_stream.contracts import schema


_SUFFIX = ".schema.json"


async def openapi(ask: Ask[Nothing, Nothing, None]) -> dict[str, Any]:
    """The OpenAPI document."""
    return ask.parts.document


async def page(ask: Ask[Nothing, Nothing, None]) -> web.Response:
    """The same for people."""
    text, policy = ask.parts.page
    headers = {"Content-Security-Policy": policy}
    return web.Response(text=text, content_type="text/html", headers=headers)


async def list_schemas(_ask: Ask[Nothing, Nothing, None]) -> Schemas:
    """Topics that have one."""
    return Schemas(items=sorted(_schemas()))


async def see_schema(ask: Ask[OfSchema, Nothing, None]) -> dict[str, Any]:
    """One topic's."""
    found = _schemas().get(ask.path.name)
    if found is None:
        raise unknown(what=f"no topic {ask.path.name} has a schema")
    return found


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    return {
        name.removesuffix(_SUFFIX): json.loads(text)
        for name, text in schema.documents().items()
        if name.endswith(_SUFFIX)
    }


ROUTES = (
    Route(
        method="GET",
        path="/v1/openapi.json",
        summary="This API as an OpenAPI 3.1 document",
        handle=openapi,
        is_public=True,
        answer=dict[str, Any],
    ),
    Route(
        method="GET",
        path="/v1/docs",
        summary="This API as a page",
        handle=page,
        is_public=True,
        answer=str,
        media="text/html",
    ),
    Route(
        method="GET",
        path="/v1/schemas",
        summary="Kafka's messages that have a schema",
        handle=list_schemas,
        is_public=True,
        answer=Schemas,
    ),
    Route(
        method="GET",
        path="/v1/schemas/{name}",
        summary="JSON Schema of a message",
        handle=see_schema,
        is_public=True,
        where=OfSchema,
        answer=dict[str, Any],
    ),
)
