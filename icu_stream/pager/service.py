"""The pager as one process: alerts in, pages out, answers in, and its own dead-man.

=================  ======================================================================
part               what it does
=================  ======================================================================
`intake.py`        alerts of Kafka into the outbox, then the offset
`sender.py`        pages out of the outbox to their channels
`_escalate`        chains whose next level is due, by the database's clock
`answers.py`       what persons answer
`deadman.py`       whether all of that lives; what does not goes out by `backup.py`
=================  ======================================================================
"""

import asyncio
import contextlib
import os
import socket

from collections.abc import Callable

import msgspec

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from prometheus_client import generate_latest

from icu_stream import bus, clock, process
from icu_stream.access.desk import Desk
from icu_stream.access.ledger import Ledger
from icu_stream.contracts import topics
from icu_stream.contracts.commands import CommandResult
from icu_stream.contracts.heartbeats import Heartbeat
from icu_stream.contracts.pagers import PagerReport
from icu_stream.errors import StorageError
from icu_stream.observability import log
from icu_stream.pager import metrics
from icu_stream.pager.answers import Answers, create_app
from icu_stream.pager.backup import Backup
from icu_stream.pager.deadman import DeadMan, Hop
from icu_stream.pager.intake import Intake
from icu_stream.pager.outbox import Lost, Outbox, Tally
from icu_stream.pager.plan import Plan
from icu_stream.pager.posting import Post
from icu_stream.pager.sender import Sender
from icu_stream.settings import Settings
from icu_stream.storage import postgres


_MOST_CONNECTIONS = 8
# Ours: how soon a level that is due is paged.
_LOOK_S = 0.25
# An alarm that was acknowledged while the pager was down is not escalated by it.
_CATCH_UP_S = 10.0
_DEADMAN_S = 1.0
# What is on its way at the end; a page that is cut off is sent again when its lease is over.
_DRAIN_S = 2.0
_STORE_S = 5.0
_HOUR_S = 3_600.0
_REPORT_S = 5.0
_PRODUCER_END_S = 0.5
_BACK_MS = 60_000
# Ours: a page that is due is tried within a second; this is another cause.
_OVERDUE_S = 5.0

_HEARTBEAT = msgspec.json.Decoder(Heartbeat)
_RESULT = msgspec.json.Decoder(CommandResult)


class Pager:
    """All parts of one process.

    Args:
        settings: Of this process.
        plan: Who is paged.
        pool: Connections to PostgreSQL.
        post: Sends over HTTP.

    Raises:
        ConfigurationError: A channel or a secret of the plan cannot be used.
    """

    def __init__(
        self, settings: Settings, plan: Plan, pool: object, post: Post
    ) -> None:
        self._settings = settings
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._tally = Tally()
        self._outbox = Outbox(pool, plan, settings.ward_url, self._name)
        self._deadman = DeadMan(clock.now_ms(), settings.partitions)
        self._backup = Backup(plan.connect(post, settings.language, backup=True))
        channels = plan.connect(post, settings.language)
        self._sender = Sender(self._outbox, plan, channels, self._lost, self._back)
        self._intake = Intake(
            settings, self._outbox, self._deadman, self._lost, self._sender.wake
        )
        self._ledger = Ledger(settings)
        self._desk = Desk(settings, self._ledger)
        self._answers = Answers(
            plan, plan.keys(), self._outbox, self._desk, self._ledger
        )
        # Of workers: that they live, and what became of commands.
        self._workers = bus.Follower(
            settings,
            {
                topics.HEARTBEATS.name: (0, self._read_heartbeat),
                # A first page may be answered before this reads.
                topics.COMMAND_RESULTS.name: (_BACK_MS, self._read_result),
            },
            lost=lambda reason: log.warning("pager_hears_no_worker", reason=reason),
        )
        self.app = create_app(
            self._answers, troubles=self._troubles, metrics_text=generate_latest
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Run all parts until `stop` is set."""
        parts = (
            self._intake,
            self._sender,
            self._backup,
            self._ledger,
            self._workers,
        )
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(part.run()) for part in parts]
                own = (
                    self._escalate,
                    self._watch,
                    self._ask_store,
                    self._tidy,
                    self._report,
                )
                tasks += [group.create_task(watch()) for watch in own]
                await stop.wait()
                await self._sender.drain(_DRAIN_S)
                for task in tasks:
                    task.cancel()
        finally:
            await self._desk.close()

    async def _escalate(self) -> None:
        """Page the next level of each chain that is due."""
        try:
            async with asyncio.timeout(_CATCH_UP_S):
                await self._intake.is_caught_up.wait()
        except TimeoutError:
            log.warning("pager_not_caught_up", waited_s=_CATCH_UP_S)
        while True:
            try:
                lost = await self._outbox.advance()
            except StorageError as error:
                await asyncio.sleep(error.retry_after_s)
                continue
            if lost is None:
                await asyncio.sleep(_LOOK_S)
                continue
            metrics.LEVELS.inc()
            for one in lost:
                self._lost(one)
            self._sender.wake()

    async def _watch(self) -> None:
        """Tell what is in trouble, and what no longer is."""
        while True:
            for hop, text in self._deadman.changes(clock.now_ms()):
                if text:
                    self._backup.tell(hop, text)
                else:
                    self._backup.over(hop)
                metrics.TROUBLE.labels(hop).set(bool(text))
            await asyncio.sleep(_DEADMAN_S)

    async def _ask_store(self) -> None:
        """Does PostgreSQL answer, and do pages go out?"""
        while True:
            try:
                self._tally = await self._outbox.tally()
            except StorageError:
                await asyncio.sleep(_DEADMAN_S)
                continue
            metrics.WAITING.set(self._tally.waiting)
            now_ms = clock.now_ms()
            self._deadman.well(Hop.STORE, now_ms)
            if self._tally.overdue_s < _OVERDUE_S:
                self._deadman.well(Hop.PAGES, now_ms)
            await asyncio.sleep(_STORE_S)

    async def _tidy(self) -> None:
        """Forget what is over and old."""
        while True:
            try:
                await self._outbox.forget(self._settings.retention_days)
            except StorageError as error:
                log.warning("pager_not_tidied", reason=str(error))
            await asyncio.sleep(_HOUR_S)

    async def _report(self) -> None:
        """Say on Kafka that it lives, and how pages stand, for the ward view."""
        topic = self._settings.topic_prefix + topics.PAGERS.name
        is_heard = True
        while True:
            producer = bus.producer(self._settings)
            try:
                await producer.start()
                while True:
                    await producer.send_and_wait(
                        topic,
                        msgspec.json.encode(self._said()),
                        key=self._name.encode(),
                    )
                    is_heard = True
                    await asyncio.sleep(_REPORT_S)
            except (KafkaError, OSError, TimeoutError) as error:
                if is_heard:  # said once
                    log.warning("pager_not_reported", reason=str(error))
                is_heard = False
                await asyncio.sleep(_REPORT_S)
            finally:
                with contextlib.suppress(KafkaError, OSError, TimeoutError):
                    async with asyncio.timeout(_PRODUCER_END_S):
                        await producer.stop()

    def _said(self) -> PagerReport:
        return PagerReport(
            pager=self._name,
            time=clock.now_ms(),
            waiting=self._tally.waiting,
            overdue_s=self._tally.overdue_s,
            delivered=self._tally.sent,
            dead=self._tally.dead,
            troubles=sorted(self._deadman.troubles),
        )

    def _read_heartbeat(self, record: ConsumerRecord, _arrived_ms: int) -> None:
        beat = _HEARTBEAT.decode(record.value or b"")
        self._deadman.beat(beat, clock.now_ms())

    def _read_result(self, record: ConsumerRecord, _arrived_ms: int) -> None:
        self._desk.heed(_RESULT.decode(record.value or b""))

    def _lost(self, lost: Lost) -> None:
        """A page will not be sent: say so loudly."""
        metrics.DEAD.labels(lost.target).inc()
        log.error(
            "page_dead",
            target=lost.target,
            action=str(lost.page.action),
            bed=lost.page.bed,
            code=lost.page.code,
            alert_id=lost.page.dedup_key,
            reason=lost.reason,
        )
        text = f"a page to {lost.target} was not delivered: {lost.reason}"
        self._backup.tell(f"undelivered:{lost.target}", text)

    def _back(self, target: str) -> None:
        """A target took a page: if it did not before, that is over."""
        self._backup.over(f"undelivered:{target}")

    async def _troubles(self) -> list[str]:
        found = [str(hop) for hop in sorted(self._deadman.troubles)]
        if not self._intake.is_caught_up.is_set():
            found.append("alerts are not read yet")
        return found


async def serve(
    settings: Settings,
    plan: Plan,
    *,
    stop: asyncio.Event,
    say: Callable[[str], None] = print,
) -> None:
    """Run the pager until `stop` is set; it then ends within 5 s.

    Args:
        settings: Where Kafka, PostgreSQL and the ward view are, and where it listens.
        plan: Who is paged.
        stop: Set it to end.
        say: Gets one line, once answers are taken.

    Raises:
        ConfigurationError: The port is taken, a secret is missing, or the tables are not
            those of this icu-stream.
    """
    post = Post(plan.timeout_s)
    try:
        async with postgres.pool(
            settings, name="icu-stream pager", most=_MOST_CONNECTIONS
        ) as pool:
            try:
                await postgres.require_current(pool)
            except StorageError as error:
                # It starts all the same: its dead-man must say that nobody is paged.
                log.error("pager_without_store", reason=str(error))
            pager = Pager(settings, plan, pool, post)
            host = settings.pager_host
            async with process.listening(
                pager.app, host, settings.pager_port, setting="ICU_PAGER"
            ) as port:
                if host not in {"127.0.0.1", "::1", "localhost"}:
                    advice = "put TLS in front of it"
                    log.warning("pager_not_loopback", host=host, advice=advice)
                address = f"http://{process.place(host, port)}/answers/"
                people, beds = len(plan.people), len(plan.units)
                say(f"pager: {people} people, {beds} units, answers at {address}")
                await pager.run(stop)
    finally:
        await post.close()


async def run(settings: Settings, plan: Plan, *, say: Callable[[str], None]) -> None:
    """Run the pager until SIGTERM or SIGINT."""
    await serve(settings, plan, stop=process.told_to_end(), say=say)
