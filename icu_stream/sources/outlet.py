"""Vitals on their way to Kafka: one batch a partition, little in flight, counted.

A batch costs one future, a message none: that is what makes 100,000 messages/s possible.
Batches of one partition leave in the order in which they were filled, so a patient's
messages keep their order.

While the broker does not answer, a source waits: the producer tries again for ever and
Kafka knows what it has already taken, so nothing is lost or doubled by an outage. Only
who stops the source in the middle of an outage leaves without knowing what became of the
batches on their way.
"""

import asyncio

from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError
from aiokafka.producer.message_accumulator import BatchBuilder

from icu_stream import bus
from icu_stream.contracts import topics
from icu_stream.contracts.envelope import Headers
from icu_stream.errors import ConfigurationError
from icu_stream.observability import log
from icu_stream.settings import Settings


# A source that is told to stop waits so long for the broker (ours: longer than a broker
# that answers takes, shorter than a person's patience).
PATIENCE_S = 3.0


class Outlet:
    """The vitals topic, as one source writes it.

    At most two batches a partition are with the producer (one travelling, one waiting):
    `send` waits until there is room, so memory stays bounded when the broker is slow.

    Attributes:
        acknowledged: Messages that the broker has confirmed, by partition. In each
            partition they are the first ones: nothing is confirmed past a failure.
    """

    def __init__(
        self, settings: Settings, headers: Headers, stop: asyncio.Event
    ) -> None:
        self.acknowledged = [0] * settings.partitions
        self._settings = settings
        self._headers = headers
        self._stop = stop
        self._topic = settings.topic_prefix + topics.VITALS.name
        self._producer: AIOKafkaProducer | None = None
        self._where: dict[bytes, int] = {}
        self._open: list[BatchBuilder | None] = [None] * settings.partitions
        self._full: list[tuple[int, BatchBuilder]] = []
        self._travelling: set[asyncio.Future[object]] = set()
        self._failed: list[BaseException | None] = [None] * settings.partitions

    async def __aenter__(self) -> "Outlet":
        # The embedded broker makes its topics itself and has no admin interface.
        if self._settings.broker_kind == "kafka":
            await bus.check_topics(self._settings)
        producer = bus.producer(self._settings)
        try:
            await producer.start()
        except KafkaError as error:
            await producer.stop()
            raise self._refused(error) from error
        self._producer = producer
        self._stopped = asyncio.create_task(self._stop.wait())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopped.cancel()
        await bus.stop(self._running, patience_s=PATIENCE_S)

    def partition(self, key: bytes) -> int:
        """The partition of a patient."""
        partition = self._where.get(key)
        if partition is None:
            partition = bus.partition_of(key.decode(), self._settings.partitions)
            self._where[key] = partition
        return partition

    def add(self, key: bytes, value: bytes) -> None:
        """Put one message into its partition's batch; `send` lets it go.

        About 2 us a message (tests/benchmarks/simulator.py).
        """
        partition = self.partition(key)
        batch = self._open[partition]
        if batch is not None:
            # timestamp None: the record carries this machine's wall clock.
            if batch.append(
                timestamp=None, key=key, value=value, headers=self._headers
            ):
                return
            self._full.append((partition, batch))
        batch = self._open[partition] = self._running.create_batch()
        batch.append(timestamp=None, key=key, value=value, headers=self._headers)

    async def send(self, *, part_filled: bool = True) -> None:
        """Hand batches to the producer; waits while there is no room, until stopped.

        Args:
            part_filled: Also those that are not full yet.

        Raises:
            ConfigurationError: The broker refuses them.
        """
        if part_filled:
            for partition, batch in enumerate(self._open):
                if batch is not None:
                    self._full.append((partition, batch))
                    self._open[partition] = None
        while self._full:
            partition, batch = self._full[0]
            if not await self._hand_over(partition, batch):
                return
            del self._full[0]
        self._raise_failure()

    async def drain(self) -> bool:
        """Send everything and wait until the broker has confirmed it.

        Returns:
            False when it was stopped and the broker did not confirm all of it.

        Raises:
            ConfigurationError: The broker refuses it.
        """
        await self.send()
        await self.settle()
        self._raise_failure()
        return not (self._full or self._travelling)

    async def settle(self) -> None:
        """Wait for what was sent to be confirmed or refused; raises nothing."""
        while self._travelling and not self._stop.is_set():
            awaited: set[asyncio.Future[Any]] = {*self._travelling, self._stopped}
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        if self._travelling:
            await asyncio.wait(self._travelling, timeout=PATIENCE_S)
        await asyncio.sleep(0)  # lets the callbacks of the last futures run

    @property
    def _running(self) -> AIOKafkaProducer:
        if self._producer is None:
            msg = "an outlet is used inside of `async with`"
            raise RuntimeError(msg)
        return self._producer

    async def _hand_over(self, partition: int, batch: BatchBuilder) -> bool:
        """Give a batch to the producer; False when it has no room and we are stopped."""
        count = batch.record_count()
        while True:
            handing = asyncio.ensure_future(
                self._running.send_batch(batch, self._topic, partition=partition)
            )
            await asyncio.wait(
                {handing, self._stopped}, return_when=asyncio.FIRST_COMPLETED
            )
            if not handing.done():
                await asyncio.wait({handing}, timeout=PATIENCE_S)
            if not handing.done():
                # Nothing was taken yet: the producer takes a batch without waiting
                # once there is room.
                handing.cancel()
                await asyncio.wait({handing})
                return False
            try:
                self._watch(handing.result(), partition, count)
            except KafkaTimeoutError:
                # No room for REQUEST_TIMEOUT_MS: an outage, which is waited out.
                log.warning("kafka_does_not_answer", broker=self._settings.broker)
                continue
            except KafkaError as error:
                raise self._refused(error) from error
            return True

    def _watch(
        self, future: "asyncio.Future[object]", partition: int, count: int
    ) -> None:
        self._travelling.add(future)

        def settled(done: "asyncio.Future[object]") -> None:
            self._travelling.discard(done)
            error = asyncio.CancelledError() if done.cancelled() else done.exception()
            if error is not None:
                self._failed[partition] = error
            elif self._failed[partition] is None:
                self.acknowledged[partition] += count

        future.add_done_callback(settled)

    def _raise_failure(self) -> None:
        for error in self._failed:
            if error is not None:
                raise self._refused(error) from error

    def _refused(self, error: BaseException) -> ConfigurationError:
        return ConfigurationError(
            f"Kafka at {self._settings.broker} does not take {self._topic} "
            f"({type(error).__name__}: {error}); see ICU_BROKER and the broker's log"
        )
