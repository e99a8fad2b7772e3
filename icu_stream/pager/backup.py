"""The second channel: by which the pager says that paging fails.

It needs neither PostgreSQL nor Kafka: what is told waits in memory and is tried until it is
taken, by the same retry table. A trouble has the same dedup key and, while it lasts, the
same delivery id in every pager that sees it in the same minute, so that receivers who know
either show it once.
"""

import asyncio
import hashlib

from collections.abc import Mapping
from typing import NamedTuple

from icu_stream import clock
from icu_stream.contracts.alerts import Kind, Priority
from icu_stream.errors import DeliveryError
from icu_stream.observability import log
from icu_stream.pager import metrics, retry
from icu_stream.pager.channels import Channel
from icu_stream.pager.page import Action, Delivery, Page


_KEY = "icu-stream:pager:"
# Ours: one that was not taken for an hour is in the log, and is told anew while it lasts.
_WINDOW_S = 3_600.0
_AGAIN_MS = 900_000
_MOST_WAITING = 200
_MINUTE_MS = 60_000


class _Told(NamedTuple):
    text: str
    since_ms: int
    last_ms: int


class Backup:
    """Tells whoever runs the system.

    Args:
        channels: By target; all of them are used at once.
    """

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._channels = channels
        self._told: dict[str, _Told] = {}
        self._queues: dict[str, asyncio.Queue[tuple[str, Page]]] = {
            target: asyncio.Queue(_MOST_WAITING) for target in channels
        }

    def tell(self, what: str, text: str) -> None:
        """Say that something is in trouble; what is known is said again each 15 min.

        Args:
            what: Of the dedup key.
            text: One sentence.
        """
        now_ms = clock.now_ms()
        before = self._told.get(what)
        if before is not None and now_ms - before.last_ms < _AGAIN_MS:
            return
        since_ms = now_ms if before is None else before.since_ms
        self._told[what] = _Told(text, since_ms, now_ms)
        log.error("paging_in_trouble", what=what, text=text)
        self._put(Action.TRIGGER, what, text, since_ms, now_ms)

    def over(self, what: str) -> None:
        """Say that it is over, if it was told."""
        told = self._told.pop(what, None)
        if told is None:
            return
        log.warning("paging_out_of_trouble", what=what, text=told.text)
        self._put(Action.RESOLVE, what, told.text, told.since_ms, clock.now_ms())

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            for target in self._queues:
                group.create_task(self._empty(target))

    def _put(
        self, action: Action, what: str, text: str, since_ms: int, now_ms: int
    ) -> None:
        page = Page(
            action=action,
            dedup_key=_KEY + what,
            priority=Priority.HIGH,
            kind=Kind.TECHNICAL,
            bed="",
            code=f"system.{what.partition(':')[0]}",
            text=text,
            onset=since_ms,
            time=now_ms,
        )
        for target, queue in self._queues.items():
            named = (_KEY, what, str(now_ms // _MINUTE_MS), str(action), target)
            id_ = "page_" + hashlib.sha256("\0".join(named).encode()).hexdigest()[:32]
            if queue.full():
                queue.get_nowait()  # the oldest: the newest is what counts
                log.error("backup_page_lost", target=target)
            queue.put_nowait((id_, page))

    async def _empty(self, target: str) -> None:
        while True:
            id_, page = await self._queues[target].get()
            await self._send(target, id_, page)

    async def _send(self, target: str, id_: str, page: Page) -> None:
        began_s = clock.monotonic_s()
        attempt = 1
        while True:
            try:
                await self._channels[target].send(Delivery(id_, page, attempt))
            except DeliveryError as error:
                wait_s = retry.wait_s(attempt, error.retry_after_s or 0.0)
                spent_s = clock.monotonic_s() - began_s
                if error.retry_after_s is None or spent_s + wait_s > _WINDOW_S:
                    metrics.BACKUP.labels("dead").inc()
                    log.error("backup_page_dead", target=target, reason=str(error))
                    return
                log.warning("backup_page_retried", target=target, reason=str(error))
                await asyncio.sleep(wait_s)
                attempt += 1
                continue
            except Exception as error:  # noqa: BLE001 - the other targets must go on
                metrics.BACKUP.labels("dead").inc()
                log.error(
                    "backup_page_dead", target=target, reason=type(error).__name__
                )
                return
            metrics.BACKUP.labels("sent").inc()
            log.info("backup_page_sent", target=target, code=page.code)
            return
