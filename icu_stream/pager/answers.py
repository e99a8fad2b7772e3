"""What persons answer: a signed webhook in, for what the hospital's own pagers hear of them.

`POST /answers/PERSON` with `{"delivery": "page_...", "answer": "accepted"}`, signed with that
person's secret as Standard Webhooks 1.0.0 says.

===========  ==============================================================================
answer       what follows
===========  ==============================================================================
`delivered`  kept beside the page: the device has it
`read`       kept beside the page: somebody has looked
`accepted`   the alarm is acknowledged, in the person's name, by the worker like any other
`rejected`   the next level is paged at once
===========  ==============================================================================

Who may not be believed is refused and audited: forged, stale, replayed, too long. An id is
remembered in the database, so it counts once, whichever pager it came to; one that was not
done, because Kafka was away, may come again with the same id. Only what is not signed is
slowed down: nobody keeps an honest answer out by sending others.
"""

import asyncio
import uuid

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Literal

import msgspec

from aiohttp import web

from icu_stream import clock
from icu_stream.access.desk import Desk, Fate, Wish
from icu_stream.access.ledger import Ledger
from icu_stream.access.limiter import Limiter
from icu_stream.access.roles import Person as Asker
from icu_stream.contracts.alerts import named
from icu_stream.contracts.commands import CommandType
from icu_stream.errors import StorageError
from icu_stream.observability import log
from icu_stream.pager import metrics, signature
from icu_stream.pager.outbox import Outbox
from icu_stream.pager.page import Action, Page
from icu_stream.pager.plan import Person, Plan


LONGEST_BODY = 4_096
# Ours: an answer is one packet; who takes longer holds a place.
_BODY_S = 5.0
_HOW = "answer"
_STATION = "pager"
# A name within this namespace is the same command however often it is asked.
_IDS = uuid.UUID("6f1c3c8e-5d0b-4b1e-9a55-2b7d8a3f0c41")


class Answer(msgspec.Struct, frozen=True):
    """What a person says of a page.

    Attributes:
        delivery: Of the page, as its `webhook-id` or `delivery`.
        answer: What.
    """

    delivery: Annotated[str, msgspec.Meta(pattern=r"^page_[0-9a-f]{32}$")]
    answer: Literal["delivered", "read", "accepted", "rejected"]


_ANSWER = msgspec.json.Decoder(Answer)


class _Refusal(Exception):  # noqa: N818 - it is an answer, not an error
    """An answer is not taken."""

    def __init__(self, status: int, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s


# What an outcome is in HTTP, and whether it was the last word.
_STATUS = {Fate.DONE: 200, Fate.REFUSED: 409, Fate.UNSENT: 502, Fate.UNKNOWN: 504}
_LAST = frozenset({Fate.DONE, Fate.REFUSED})


class Answers:
    """Takes answers.

    Args:
        plan: Who there is.
        keys: What signs their answers, by person; nobody else's are taken.
        outbox: Remembers them.
        desk: Sends commands.
        ledger: Where refusals are written down.
    """

    def __init__(
        self,
        plan: Plan,
        keys: Mapping[str, bytes],
        outbox: Outbox,
        desk: Desk,
        ledger: Ledger,
    ) -> None:
        self._plan = plan
        self._keys = keys
        self._outbox = outbox
        self._desk = desk
        self._ledger = ledger
        self._limiter = Limiter()

    async def handle(self, request: web.Request) -> web.Response:
        """One answer."""
        address = request.remote or ""
        who = request.match_info["person"]
        person = self._plan.people.get(who)
        try:
            body = await _body(request)
            found = self._believed(request, person, body, address)
            return await self._heed(found, request.headers[signature.ID], body)
        except _Refusal as refusal:
            metrics.ANSWERS.labels("", "refused").inc()
            if not refusal.retry_after_s:
                name = person.name if person is not None else ""
                self._ledger.refusal(name, address, _HOW, refusal.reason)
            return _told(refusal.status, refusal.reason, refusal.retry_after_s)
        except StorageError as error:
            log.warning("answer_not_kept", reason=str(error))
            return _told(503, "the pager's database does not answer", 1.0)

    def _believed(
        self, request: web.Request, person: Person | None, body: bytes, address: str
    ) -> Person:
        """Whose answer it is.

        Raises:
            _Refusal: Nobody's that we know.
        """
        key = self._keys.get(person.id) if person is not None else None
        # Whether the name exists is not told, not even by the time that it takes.
        flaw = signature.flaw(key or b"\0" * 32, request.headers, body, clock.now_ms())
        if key is not None and person is not None and flaw is None:
            return person
        wait_s = self._limiter.attempt("" if person is None else person.id, address)
        if wait_s:
            raise _Refusal(429, "too many that are not signed", wait_s)
        raise _Refusal(
            400 if flaw is signature.Flaw.INCOMPLETE else 401,
            flaw or signature.Flaw.FORGED,
        )

    async def _heed(self, person: Person, webhook_id: str, body: bytes) -> web.Response:
        try:
            said = _ANSWER.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _Refusal(400, f"not an answer: {error}") from None
        told = await self._outbox.addressed(person.id, said.delivery)
        if told is None:
            raise _Refusal(404, f"no page {said.delivery} to {person.id}")
        if not await self._outbox.remember(
            person.id, webhook_id, said.delivery, said.answer
        ):
            raise _Refusal(409, "replayed: an answer of this id was taken before")
        fate, reason = Fate.DONE, ""
        if said.answer == "accepted":
            fate, reason = await self._acknowledge(person, webhook_id, told)
        if fate in _LAST:
            mark = said.answer if fate is Fate.DONE else None
            await self._outbox.answered(
                person.id, webhook_id, said.delivery, mark, f"{fate} {reason}".strip()
            )
        metrics.ANSWERS.labels(said.answer, str(fate)).inc()
        log.info(
            "page_answered",
            person=person.id,
            answer=said.answer,
            delivery=said.delivery,
            bed=told.bed,
            code=told.code,
            outcome=str(fate),
        )
        return _told(_STATUS[fate], reason or str(fate))

    async def _acknowledge(
        self, person: Person, webhook_id: str, told: Page
    ) -> tuple[Fate, str]:
        alarm = named(told.dedup_key)
        if told.action is Action.DIGEST or not alarm.patient_id:
            return Fate.REFUSED, "it stands for several alarms: see the ward view"
        wish = Wish(
            id=str(uuid.uuid5(_IDS, f"{person.id}\0{webhook_id}")),
            type=CommandType.ACKNOWLEDGE,
            patient=alarm.patient_id,
            alert=told.dedup_key,
        )
        asker = Asker(person.name, person.role, 0, _STATION)
        outcome = await self._desk.ask(asker, wish)
        return outcome.fate, outcome.reason


def create_app(
    answers: Answers,
    *,
    troubles: Callable[[], Awaitable[list[str]]],
    metrics_text: Callable[[], bytes],
) -> web.Application:
    """Answers, metrics and health.

    Args:
        answers: Takes answers.
        troubles: Why this pager is not ready; none: it is.
        metrics_text: What it counts, in Prometheus' format.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_: web.Request) -> web.Response:
        found = await troubles()
        return web.Response(text=", ".join(found) or "ok", status=503 if found else 200)

    async def counted(_: web.Request) -> web.Response:
        return web.Response(
            body=metrics_text(), headers={"Content-Type": "text/plain; version=0.0.4"}
        )

    app = web.Application(client_max_size=LONGEST_BODY)
    app.router.add_post("/answers/{person:[a-z0-9][a-z0-9_-]{0,31}}", answers.handle)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", counted)
    return app


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(_BODY_S):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _Refusal(413, f"oversized: want at most {LONGEST_BODY} bytes") from None
    except TimeoutError:
        raise _Refusal(408, "too slow") from None


def _told(status: int, what: str, retry_after_s: float = 0.0) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    if retry_after_s:
        headers["Retry-After"] = str(max(1, round(retry_after_s)))
    return web.json_response({"outcome": what}, status=status, headers=headers)
