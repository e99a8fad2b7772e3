"""Peer: the same rules in a stock Faust agent, one message and one table write a time.

What a Faust application looks like in its guide: an agent over a topic, a table on RocksDB
with a changelog, `topic.send` for each alert. Patients stay in memory as in the worker;
what changed of one is written to the table after each message.

    python -m tests.benchmarks.peers.faust_per_message BROKER PREFIX APP COUNT DIRECTORY
"""

import os
import sys
import time

from typing import Any

import faust
import msgspec

from icu_stream import profiles
from icu_stream.contracts import topics
from icu_stream.contracts.alerts import Alert
from icu_stream.domain import decoding, monitor, patient
from icu_stream.engine.partition import SEPARATOR
from tests.benchmarks.peers import Timing, answer, say


def watch(
    broker: str, prefix: str, name: str, wanted: int, directory: str
) -> faust.App:
    """An application that watches the vitals and ends after so many messages.

    Args:
        broker: Host and port.
        prefix: Of the topics.
        name: Of the application.
        wanted: Messages after which the process ends; 0 = never.
        directory: For RocksDB.
    """
    app = faust.App(
        name,
        broker=f"kafka://{broker}",
        store="rocksdb://",
        datadir=directory,
        topic_partitions=4,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        producer_linger_ms=0,
        web_enabled=False,
    )
    rules = profiles.load("adult")
    hot: dict[str, patient.Patient] = {}
    table = app.Table(
        "patients", key_type=bytes, value_type=bytes, options={"driver": "rocksdict"}
    )
    alerts = app.topic(prefix + topics.ALERTS.name, value_serializer="raw")
    scores = app.topic(prefix + topics.SCORES.name, value_serializer="raw")
    vitals = app.topic(
        prefix + topics.VITALS.name,
        key_serializer="raw",
        value_serializer="raw",
        value_type=bytes,
    )

    @app.agent(vitals)
    async def step(stream: Any) -> None:
        seen, started = 0, 0.0
        async for event in stream.events():
            if not seen:
                started = time.monotonic()
            message = decoding.decode(event.value)
            known = hot.get(message.patient_id)
            if known is None:
                known = hot[message.patient_id] = patient.new(message.patient_id)
            arrived_ms = int(event.message.timestamp * 1_000)
            said = monitor.step(known, message, arrived_ms, rules)
            for piece, value in patient.save(known).items():
                table[event.key + SEPARATOR + piece] = value
            for each in said:
                to = alerts if isinstance(each, Alert) else scores
                await to.send(key=event.key, value=msgspec.json.encode(each))
            seen += 1
            if seen == wanted:
                now = time.monotonic()
                answer(Timing(seen, started, now, now, time.process_time()))
                os._exit(0)

    app.on_rebalance_complete.connect(_say_ready)
    return app


async def _say_ready(*_: Any, **__: Any) -> None:
    say("reading")


if __name__ == "__main__":
    made = watch(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
    faust.Worker(made, loglevel="ERROR").execute_from_commandline()
