"""Peer: read the vitals topic and decode each message. Nothing that reads can be faster.

python -m tests.benchmarks.peers.raw_decode BROKER TOPIC COUNT
"""

import asyncio
import sys
import time

import msgspec

from aiokafka import AIOKafkaConsumer

from icu_stream.contracts.vitals import Vitals
from tests.benchmarks.peers import Timing, answer


async def read(broker: str, topic: str, count: int) -> Timing:
    """Decode so many messages from the beginning of a topic."""
    decode = msgspec.json.Decoder(Vitals).decode
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=broker,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=1 << 20,  # as the worker
    )
    await consumer.start()
    seen, started = 0, 0.0
    try:
        while seen < count:
            fetched = await consumer.getmany(timeout_ms=1_000, max_records=4_000)
            started = started or time.monotonic()
            for records in fetched.values():
                for record in records:
                    decode(record.value)
                seen += len(records)
        ended = time.monotonic()
    finally:
        await consumer.stop()
    return Timing(seen, started, ended, ended)


if __name__ == "__main__":
    answer(asyncio.run(read(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
