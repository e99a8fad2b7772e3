"""The audit trail: each deed is a line of the log at once, and a record of the topic `audit`.

No sign-in and no command waits for Kafka. While it does not answer, entries wait here, a
bounded number of them, and go out in their order when it does; what is lost then is counted,
and is in the log.
"""

import asyncio
import contextlib

from collections import deque
from collections.abc import AsyncIterator

import aiokafka
import msgspec

from aiokafka.errors import KafkaError

from icu_stream import bus, clock
from icu_stream.access.accounts import Account
from icu_stream.access.roles import Person
from icu_stream.access.sessions import Ended, Session
from icu_stream.contracts import topics
from icu_stream.contracts.audit import AuditEntry, Deed
from icu_stream.contracts.commands import CommandType
from icu_stream.observability import log
from icu_stream.settings import Settings


MOST_WAITING = 10_000
_RETRY_S = 2.0
_STOP_S = 0.5


class Ledger:
    """Writes the trail.

    Args:
        settings: Where Kafka is.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic_prefix + topics.AUDIT.name
        self._waiting: deque[AuditEntry] = deque()
        self._is_waiting = asyncio.Event()

    def sign_in(self, session: Session) -> None:
        """Somebody signed in."""
        self._of_session(Deed.SIGN_IN, session)

    def sign_out(self, session: Session) -> None:
        """Somebody signed out."""
        self._of_session(Deed.SIGN_OUT, session)

    def over(self, ended: Ended) -> None:
        """A session came to its end."""
        self._of_session(Deed.SESSION_OVER, ended.session, ended.reason)

    def refusal(self, by: str, station: str, how: str, reason: str) -> None:
        """Somebody was not let in. `by` is a name that has an account, or empty."""
        self._note(
            AuditEntry(
                time=clock.now_ms(),
                deed=Deed.REFUSAL,
                by=by,
                station=station,
                how=how,
                reason=reason,
            )
        )

    def account(self, account: Account, what: str) -> None:
        """Somebody who runs the ward view has changed an account."""
        self._note(
            AuditEntry(
                time=clock.now_ms(),
                deed=Deed.ACCOUNT,
                by=account.name,
                role=account.role.value,
                reason=what,
            )
        )

    def backtest(self, person: Person, what: str) -> None:
        """Somebody had the past gone through."""
        self._of_person(Deed.BACKTEST, person, reason=what)

    def forbidden(self, person: Person, what: str) -> None:
        """Somebody asked for what their role may not."""
        self._of_person(Deed.REFUSAL, person, how=what, reason="may_not")

    def command(
        self,
        person: Person,
        type_: CommandType,
        *,
        command_id: str,
        patient_id: str,
        alert_id: str | None,
        reason: str | None,
        outcome: str,
    ) -> None:
        """Somebody asked for something, and this became of it."""
        self._note(
            AuditEntry(
                time=clock.now_ms(),
                deed=Deed.COMMAND,
                by=person.by,
                role=person.role.value,
                station=person.station,
                reason=reason,
                command_id=command_id,
                type=type_,
                patient_id=patient_id,
                alert_id=alert_id,
                outcome=outcome,
            )
        )

    async def run(self) -> None:
        """Send what waits, for ever."""
        is_heard = True
        while True:
            await self._is_waiting.wait()
            try:
                async with self._connected() as producer:
                    is_heard = True
                    while True:
                        await self._is_waiting.wait()
                        await self._send(producer)
            except (KafkaError, OSError, TimeoutError) as error:
                # A producer that has failed once may not be used again.
                if is_heard:  # said once
                    log.warning("audit_waits", reason=str(error))
                is_heard = False
                await asyncio.sleep(_RETRY_S)

    def _of_session(
        self, deed: Deed, session: Session, reason: str | None = None
    ) -> None:
        self._note(
            AuditEntry(
                time=clock.now_ms(),
                deed=deed,
                by=session.by,
                role=session.role.value,
                station=session.station,
                how=session.how,
                reason=reason,
            )
        )

    def _of_person(
        self, deed: Deed, person: Person, *, reason: str, how: str = ""
    ) -> None:
        self._note(
            AuditEntry(
                time=clock.now_ms(),
                deed=deed,
                by=person.by,
                role=person.role.value,
                station=person.station,
                how=how,
                reason=reason,
            )
        )

    def _note(self, entry: AuditEntry) -> None:
        fields = msgspec.to_builtins(entry)
        log.info("audit", **{name: fields[name] for name in fields if name != "time"})
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            log.warning("audit_lost", n=1)
        self._waiting.append(entry)
        self._is_waiting.set()

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiokafka.AIOKafkaProducer]:
        # Idempotent: tries of one entry are one record, in the order of the deeds.
        producer = bus.producer(self._settings)
        try:
            await producer.start()
            yield producer
        finally:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await producer.stop()

    async def _send(self, producer: aiokafka.AIOKafkaProducer) -> None:
        while self._waiting:
            entry = self._waiting[0]
            await producer.send_and_wait(
                self._topic,
                msgspec.json.encode(entry),
                key=entry.by.encode() or None,
                timestamp_ms=entry.time,
            )
            # Another may have been dropped meanwhile, for want of room.
            if self._waiting and self._waiting[0] is entry:
                self._waiting.popleft()
        self._is_waiting.clear()
