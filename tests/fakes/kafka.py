"""A Kafka that keeps what it is sent in memory and can be held at any await."""

import asyncio

from types import TracebackType
from typing import Any, NamedTuple


class Ack(NamedTuple):
    """What the broker answers."""

    offset: int


class Batch:
    """Messages on their way; never full."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, bytes | None]] = []

    def append(
        self,
        *,
        key: bytes,
        value: bytes | None,
        timestamp: int | None,
        headers: list[tuple[str, bytes]],
    ) -> object:
        """Take one message."""
        self.messages.append((key, value))
        return self


class Log:
    """What happened, in order; `hold` stops whoever comes to the named point.

    Attributes:
        events: What happened: (point, what).
        points: The points that were passed or held, in order.
        held: Set when somebody stands at the held point.
    """

    def __init__(self, hold: int | None = None, fail: int | None = None) -> None:
        self.events: list[tuple[str, Any]] = []
        self.points: list[str] = []
        self.held = asyncio.Event()
        self.go_on = asyncio.Event()
        self._hold = hold
        self._fail = fail

    async def at(self, point: str) -> None:
        """An await point: pass, be held there, or fail there."""
        self.points.append(point)
        number = len(self.points) - 1
        if number == self._fail:
            msg = f"planted at {point}"
            raise ConnectionError(msg)
        if number == self._hold:
            self.held.set()
            await self.go_on.wait()
        await asyncio.sleep(0)

    def of(self, point: str) -> list[Any]:
        """What happened at a point."""
        return [what for name, what in self.events if name == point]


class Producer:
    """An aiokafka producer as far as the engine uses it."""

    def __init__(self, name: str, log: Log) -> None:
        self._name = name
        self._log = log
        self._offset = 0
        self._open: list[tuple[str, Any]] | None = None

    def create_batch(self) -> Batch:
        """An empty batch."""
        return Batch()

    async def send_batch(
        self, batch: Batch, topic: str, *, partition: int
    ) -> "asyncio.Future[Ack]":
        """Acknowledged a moment later; in a transaction visible at its end."""
        await self._log.at(f"{self._name}.send")
        ack: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self._keep("sent", (topic, partition, batch.messages))
        self._offset += len(batch.messages)
        asyncio.get_running_loop().call_soon(
            lambda: ack.done() or ack.set_result(Ack(self._offset - 1))
        )
        return ack

    async def send_offsets_to_transaction(
        self, offsets: dict[Any, int], group: str
    ) -> None:
        """Part of the open transaction."""
        await self._log.at(f"{self._name}.offsets")
        self._keep("committed", dict(offsets))

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""
        await self._log.at(f"{self._name}.stop")

    def transaction(self) -> "Producer":
        """The producer itself is the context of its one transaction."""
        return self

    async def __aenter__(self) -> "Producer":
        await self._log.at(f"{self._name}.begin")
        self._open = []
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        kept, self._open = self._open or [], None
        if error is None:
            await self._log.at(f"{self._name}.commit")
            self._log.events += kept

    def _keep(self, point: str, what: object) -> None:
        into = self._log.events if self._open is None else self._open
        into.append((point, what))
