"""Takes pages from the outbox and hands them to their channels.

Any number of senders, in any number of processes: a row is leased by one of them at a
time. What happens to a page is in three steps, leased, handed over, settled, and a crash
between any two of them leaves a lease that runs out.
"""

import asyncio

from collections import Counter
from collections.abc import Callable, Mapping

from icu_stream import clock
from icu_stream.errors import DeliveryError, StorageError
from icu_stream.observability import log
from icu_stream.pager import metrics, retry
from icu_stream.pager.channels import Channel
from icu_stream.pager.outbox import Lost, Outbox, Row
from icu_stream.pager.page import Delivery
from icu_stream.pager.plan import Plan
from icu_stream.pager.posting import LONGEST


# Ours: pages on their way at once; nearly all of that is waiting for an answer.
MOST = 32
# Ours: how soon rows that another process wrote, or whose wait is over, are seen.
LOOK_S = 0.25
# A lease outlives the longest attempt of any channel, settling included.
SPARE_S = 5.0


class Sender:
    """One sender.

    Args:
        outbox: Where pages come from.
        plan: Whose targets there are.
        channels: By target.
        lost: Is told of each page that is given up, and why.
        back: Is told of each target that took a page.
        lease_s: Of a page that is being sent; None: longer than any attempt takes.
    """

    def __init__(
        self,
        outbox: Outbox,
        plan: Plan,
        channels: Mapping[str, Channel],
        lost: Callable[[Lost], None],
        back: Callable[[str], None],
        lease_s: float | None = None,
    ) -> None:
        self._outbox = outbox
        self._targets = plan.targets
        self._channels = channels
        self._lost = lost
        self._back = back
        self._lease_s = lease_s or LONGEST * plan.timeout_s + SPARE_S
        self._wanted = asyncio.Event()
        self._busy: Counter[str] = Counter()
        self._is_ending = False
        self._is_answered = True

    def wake(self) -> None:
        """There may be something to send."""
        self._wanted.set()

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wanted.clear()
                for row in await self._claimed():
                    self._busy[row.target] += 1
                    group.create_task(self._send(row))
                try:
                    async with asyncio.timeout(LOOK_S):
                        await self._wanted.wait()
                except TimeoutError:
                    continue

    async def drain(self, within_s: float) -> None:
        """Begin nothing new, and let what is on its way be settled."""
        self._is_ending = True
        try:
            async with asyncio.timeout(within_s):
                while self._busy.total():
                    self._wanted.clear()
                    await self._wanted.wait()
        except TimeoutError:
            log.info("pager_leaves_pages", n=self._busy.total())

    async def _claimed(self) -> list[Row]:
        free = MOST - self._busy.total()
        if free <= 0 or self._is_ending:
            return []
        try:
            rows = await self._outbox.claim(free, self._lease_s, +self._busy)
        except StorageError as error:
            if self._is_answered:  # said once
                log.warning("pager_waits_for_store", reason=str(error))
            self._is_answered = False
            await asyncio.sleep(error.retry_after_s)
            return []
        self._is_answered = True
        return rows

    async def _send(self, row: Row) -> None:
        try:
            await self._deliver(row)
        except StorageError as error:
            # Its lease runs out, and it is sent again with the same id.
            log.warning("pager_not_settled", delivery=row.delivery, reason=str(error))
        finally:
            self._busy[row.target] -= 1
            self.wake()

    async def _deliver(self, row: Row) -> None:
        if row.lost:
            metrics.PAGES.labels(row.target, "dropped").inc()
            await self._outbox.drop(row)
            return
        channel = self._channels.get(row.target)
        if channel is None:
            await self._bury(row, "no such target any more")
            return
        began_s = clock.monotonic_s()
        try:
            await channel.send(Delivery(row.delivery, row.page, row.attempts))
        except DeliveryError as error:
            await self._failed(row, error)
            return
        except Exception as error:  # noqa: BLE001 - whose bug it is must not stop others
            # Its words may hold an address: its kind alone is told.
            await self._bury(row, f"the channel failed: {type(error).__name__}")
            return
        metrics.LATENCY_S.observe(clock.monotonic_s() - began_s)
        metrics.PAGES.labels(row.target, "sent").inc()
        await self._outbox.sent(row)
        self._back(row.target)
        log.info("page_sent", **_about(row))

    async def _failed(self, row: Row, error: DeliveryError) -> None:
        metrics.ATTEMPTS.labels(row.target).inc()
        if error.retry_after_s is None:
            await self._bury(row, str(error), is_gone=error.is_gone)
            return
        wait_s = retry.wait_s(row.attempts, error.retry_after_s)
        if wait_s >= row.left_s:
            await self._bury(row, f"given up after {row.attempts} attempts: {error}")
            return
        log.warning(
            "page_retried", **_about(row), reason=str(error), retry_after_s=wait_s
        )
        await self._outbox.again(row, wait_s, str(error))

    async def _bury(self, row: Row, reason: str, *, is_gone: bool = False) -> None:
        gone = self._targets.get(row.target) if is_gone else None
        if await self._outbox.bury(row, reason, gone):
            metrics.PAGES.labels(row.target, "dead").inc()
            self._lost(Lost(row.target, row.page, reason))


def _about(row: Row) -> dict[str, str | int]:
    return {
        "target": row.target,
        "action": str(row.page.action),
        "bed": row.page.bed,
        "code": row.page.code,
        "delivery": row.delivery,
        "attempt": row.attempts,
    }
