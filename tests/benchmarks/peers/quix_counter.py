"""Peer: Quix Streams counts the messages of each bed, with state and changelog.

Its defaults, but for the interval of its checkpoints, which is the worker's. It parses
the JSON into plain dictionaries and adds one to a number: no windows, alarms or models.

    python -m tests.benchmarks.peers.quix_counter BROKER TOPIC COUNT DIRECTORY
"""

import sys
import time

from typing import Any

from quixstreams import Application

from tests.benchmarks.peers import Timing, answer


def count(broker: str, topic: str, wanted: int, directory: str) -> Timing:
    """Count so many messages from the beginning of a topic."""
    app = Application(
        broker_address=broker,
        consumer_group=f"quix-{time.monotonic_ns()}",
        auto_offset_reset="earliest",
        state_dir=directory,
        commit_interval=1.0,
        loglevel="ERROR",
    )
    seen, started, applied = 0, 0.0, 0.0

    def add(_: Any, state: Any) -> int:
        nonlocal seen, started, applied
        if not seen:
            started = time.monotonic()
        seen += 1
        if seen == wanted:
            applied = time.monotonic()
        number: int = state.get("count", 0) + 1
        state.set("count", number)
        return number

    app.dataframe(app.topic(topic, value_deserializer="json")).apply(add, stateful=True)
    app.run(count=wanted)
    return Timing(seen, started, applied, time.monotonic(), time.process_time())


if __name__ == "__main__":
    answer(count(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
