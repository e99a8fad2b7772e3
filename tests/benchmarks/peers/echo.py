"""Peer: read vitals, and write an alert for each SpO2 below 80: aiokafka and no more.

What any alarm through Kafka costs at least: two records written, two read.

    python -m tests.benchmarks.peers.echo BROKER PREFIX
"""

import asyncio
import sys

import msgspec

from icu_stream import bus
from icu_stream.contracts.topics import ALERTS, VITALS
from icu_stream.contracts.vitals import Vitals
from icu_stream.settings import Settings
from tests.benchmarks import load
from tests.benchmarks.peers import say


async def answer(settings: Settings) -> None:
    """Answer until the process is ended."""
    decode = msgspec.json.Decoder(Vitals).decode
    consumer = bus.consumer(settings, VITALS.name)
    producer = bus.producer(settings)
    await consumer.start()
    await consumer.seek_to_end()
    await producer.start()
    say("reading")
    async for record in consumer:
        vitals = decode(record.value)
        if vitals.values["spo2"] < 80:
            alert = {
                "patient_id": vitals.patient_id,
                "time": vitals.time,
                "code": "spo2.desat",
                "event": "raised",
            }
            await producer.send(
                settings.topic_prefix + ALERTS.name,
                msgspec.json.encode(alert),
                record.key,
                partition=record.partition,
            )


if __name__ == "__main__":
    asyncio.run(answer(load.settings_of(broker=sys.argv[1], topic_prefix=sys.argv[2])))
