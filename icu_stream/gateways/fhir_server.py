"""The process `icu-stream gateway fhir`: Observations in, over HTTP, by a bearer token.

=====================  =========================================================
request                answer
=====================  =========================================================
POST /Observation      201 and Location once Kafka has it
POST /                 200 and a Bundle with what became of each entry
GET /metadata          200 and the CapabilityStatement; needs no token
=====================  =========================================================

Every refusal is an OperationOutcome. What is taken is sent on and not kept here: it cannot
be read back. While Kafka does not answer, 503 and Retry-After.
"""

import asyncio
import hmac
import json

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from icu_stream import __version__
from icu_stream.errors import ConfigurationError, StorageError
from icu_stream.gateways import fhir, gauges, process
from icu_stream.gateways.fhir import FhirError, Issue, Severity
from icu_stream.gateways.gauges import Tally
from icu_stream.gateways.inlet import Inlet
from icu_stream.observability import log
from icu_stream.process import listening, place
from icu_stream.settings import Settings


NAME = "fhir"
_KIND = "application/fhir+json"
_KINDS = frozenset({"application/fhir+json", "application/json"})
# Longer ones take milliseconds to read, in which others would wait.
_IN_A_THREAD = 32_768
# Ours: at once; each holds a body of fhir_max_bytes at most.
_MOST_AT_ONCE = 64
_BODY_S = 10.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Desk:
    """Answers requests.

    Args:
        settings: Token, limits and how often devices send.
        inlet: The way to Kafka.
        tally: Counts.
    """

    def __init__(self, settings: Settings, inlet: Inlet, tally: Tally) -> None:
        if settings.fhir_token is None:
            msg = "ICU_FHIR_TOKEN: want the senders' token, best as a file in ICU_SECRETS_DIR"
            raise ConfigurationError(msg)
        self._token = settings.fhir_token.get_secret_value().encode()
        self._settings = settings
        self._inlet = inlet
        self._tally = tally
        self._at_once = asyncio.Semaphore(_MOST_AT_ONCE)

    def app(self) -> web.Application:
        """The web application."""
        app = web.Application(
            middlewares=[self._as_outcome],
            client_max_size=self._settings.fhir_max_bytes,
        )
        app.add_routes(
            [
                web.get("/metadata", self._metadata),
                web.post("/", self._take),
                web.post("/Observation", self._take),
            ]
        )
        return app

    async def _take(self, request: web.Request) -> web.Response:
        self._check(request)
        async with self._at_once:
            data = await self._body(request)
            interval_s = self._settings.fhir_interval_s
            if len(data) > _IN_A_THREAD:
                receipt = await asyncio.to_thread(fhir.read, data, NAME, interval_s)
            else:
                receipt = fhir.read(data, NAME, interval_s)
            is_one = receipt.kind == "Observation"
            if is_one != (request.path == "/Observation"):
                text = f"{receipt.kind} at {request.path}: want Observations at /Observation, Bundles at /"
                raise FhirError(text, "structure")
            await self._inlet.put(receipt.reading.vitals, receipt.reading.commands)
        self._tally.values(receipt.reading)
        self._tally.message("accepted")
        headers = {}
        if is_one:
            headers["Location"] = f"/Observation/{receipt.entries[0].id}/_history/1"
        return _json(fhir.answer(receipt), 201 if is_one else 200, headers)

    async def _body(self, request: web.Request) -> bytes:
        if request.content_type not in _KINDS:
            text = f"Content-Type {request.content_type[:60]}: want {_KIND}"
            raise FhirError(text, "not-supported", status=415)
        try:
            async with asyncio.timeout(_BODY_S):
                return await request.read()
        except TimeoutError:
            text = f"the body did not come within {_BODY_S:g} s"
            raise FhirError(text, "timeout", status=408) from None
        except web.HTTPRequestEntityTooLarge:
            text = f"longer than {self._settings.fhir_max_bytes} bytes"
            raise FhirError(text, "too-long", status=413) from None

    def _check(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = token.strip().encode("utf-8", "replace")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given, self._token):
            text = "want Authorization: Bearer and the token"
            raise FhirError(text, "login", status=401)

    async def _metadata(self, _: web.Request) -> web.Response:
        return _json(CAPABILITIES)

    @web.middleware
    async def _as_outcome(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except FhirError as error:
            self._tally.message("unauthorised" if error.status == 401 else "refused")
            headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
            return _json(fhir.outcome([error.issue]), error.status, headers)
        except StorageError as error:
            self._tally.message("unanswered")
            log.warning("fhir_unavailable", reason=str(error))
            issue = Issue(Severity.ERROR, "transient", "not stored: send it again")
            headers = {"Retry-After": str(max(1, round(error.retry_after_s)))}
            return _json(fhir.outcome([issue]), 503, headers)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            issue = Issue(Severity.ERROR, "not-supported", error.reason)
            return _json(fhir.outcome([issue]), error.status)
        except Exception as error:  # noqa: BLE001 - one request must not end the others
            log.exception("fhir_request_failed", kind=type(error).__name__)
            issue = Issue(
                Severity.ERROR, "exception", "this server failed; see its log"
            )
            return _json(fhir.outcome([issue]), 500)


async def run(
    settings: Settings, *, stop: asyncio.Event, say: Callable[[str], None]
) -> None:
    """Take requests until told to stop.

    Raises:
        ConfigurationError: No token, the port is taken, or Kafka is not as it must be.
    """
    inlet = Inlet(settings)
    app = Desk(settings, inlet, Tally(NAME)).app()
    gauges.WAITING.labels(NAME).set_function(lambda: inlet.waiting)
    why_not = "not listening yet: Kafka is awaited"
    async with (
        gauges.page(
            settings,
            settings.fhir_web_port,
            lambda: why_not or ("" if inlet.is_open else "Kafka does not answer"),
        ) as web_port,
        process.opened(inlet, stop),
    ):
        if stop.is_set():
            return
        async with listening(
            app, settings.fhir_host, settings.fhir_port, setting="ICU_FHIR", stop_s=2
        ) as port:
            why_not = ""
            where = place(settings.fhir_host, port)
            say(f"FHIR at http://{where}, metrics on {web_port}")
            await stop.wait()


def _json(
    body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        text=json.dumps(body),
        status=status,
        content_type=_KIND,
        headers={"Cache-Control": "no-store"} | (headers or {}),
    )


CAPABILITIES: dict[str, Any] = {
    "resourceType": "CapabilityStatement",
    "status": "active",
    "date": "2026-11-24",
    "kind": "instance",
    "software": {"name": "icu-stream", "version": __version__},
    "implementation": {"description": "Vital signs of intensive-care monitors, in"},
    "fhirVersion": "4.3.0",
    "format": ["json"],
    "rest": [
        {
            "mode": "server",
            "security": {"description": "Authorization: Bearer"},
            "resource": [{"type": "Observation", "interaction": [{"code": "create"}]}],
            "interaction": [{"code": "batch"}, {"code": "transaction"}],
        }
    ],
}
