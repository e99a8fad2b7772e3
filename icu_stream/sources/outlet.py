"""Vitals on their way to Kafka: one batch a partition, little in flight, counted.

A batch costs one future, a message none: that is what makes 100,000 messages/s possible.
Batches of one partition leave in the order in which they were filled, so a patient's
messages keep their order.
"""

import asyncio

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from icu_stream import bus
from icu_stream.contracts import topics
from icu_stream.contracts.envelope import Headers
from icu_stream.errors import ConfigurationError
from icu_stream.settings import Settings


class Outlet:
    """The vitals topic, as one source writes it.

    At most two batches a partition are with the producer (one travelling, one waiting):
    `send` waits until there is room, so memory stays bounded when the broker is slow.

    Attributes:
        acknowledged: Messages that the broker has confirmed, by partition. In each
            partition they are the first ones: nothing is confirmed past a failure.
    """

    def __init__(self, settings: Settings, headers: Headers) -> None:
        self.acknowledged = [0] * settings.partitions
        self._settings = settings
        self._headers = headers
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
            raise self._unreachable(error) from error
        self._producer = producer
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._producer is not None:
            await self._producer.stop()

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
        """Hand batches to the producer; waits while there is no room.

        Args:
            part_filled: Also those that are not full yet.

        Raises:
            ConfigurationError: The broker does not take them.
        """
        if part_filled:
            for partition, batch in enumerate(self._open):
                if batch is not None:
                    self._full.append((partition, batch))
                    self._open[partition] = None
        leaving, self._full = self._full, []
        try:
            for partition, batch in leaving:
                count = batch.record_count()
                future = await self._running.send_batch(
                    batch, self._topic, partition=partition
                )
                self._watch(future, partition, count)
        except KafkaError as error:
            raise self._unreachable(error) from error
        self._raise_failure()

    async def drain(self) -> None:
        """Send everything and wait until the broker has confirmed it.

        Raises:
            ConfigurationError: The broker did not confirm all of it.
        """
        await self.send()
        await self.settle()
        self._raise_failure()

    async def settle(self) -> None:
        """Wait until what was sent is confirmed or has failed; raises nothing."""
        if self._travelling:
            await asyncio.wait(self._travelling)
            await asyncio.sleep(0)  # lets the callbacks of the last futures run

    @property
    def _running(self) -> AIOKafkaProducer:
        if self._producer is None:
            msg = "an outlet is used inside of `async with`"
            raise RuntimeError(msg)
        return self._producer

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
                raise self._unreachable(error) from error

    def _unreachable(self, error: BaseException) -> ConfigurationError:
        return ConfigurationError(
            f"Kafka at {self._settings.broker} does not take {self._topic} "
            f"({type(error).__name__}: {error}); see ICU_BROKER and start the broker"
        )
