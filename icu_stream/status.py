"""A process's own page for machines: `/metrics`, `/healthz`, `/readyz`.

`/healthz` answers while the process runs at all: what does not answer is to be restarted.
`/readyz` says whether it does its work now, and why not, as JSON; an outage of another
service makes it 503 and is no reason for a restart.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from icu_stream.process import listening


_STOP_S = 0.5


class Report(NamedTuple):
    """What a process says of itself.

    Attributes:
        is_ready: It does its work now.
        details: Anything that JSON can say; no secrets and no names.
    """

    is_ready: bool
    details: Mapping[str, Any]


@asynccontextmanager
async def served(
    host: str, port: int, report: Callable[[], Report]
) -> AsyncIterator[int]:
    """Serve the page as long as the context; gives its port.

    Args:
        host: Where it listens.
        port: 0 takes any free one.
        report: Is asked each time.

    Raises:
        ConfigurationError: The port is taken, or the address is none of ours.
    """

    async def metrics(_: web.Request) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        return web.Response(body=generate_latest(), headers=headers)

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_: web.Request) -> web.Response:
        said = report()
        body = {"status": "ready" if said.is_ready else "not ready", **said.details}
        return web.Response(
            body=msgspec.json.encode(body),
            status=200 if said.is_ready else 503,
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    app = web.Application()
    app.add_routes(
        [
            web.get("/metrics", metrics),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
        ]
    )
    async with listening(app, host, port, stop_s=_STOP_S) as taken:
        yield taken
