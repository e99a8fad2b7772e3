"""The worker as it is, writing down when it did what: `faust -A tests.benchmarks.traced`.

Each line of the file `trace` in its data directory is a JSON array: what, and times of the
machine's monotonic clock in seconds. One line a chunk of up to 500 records, one a checkpoint, one
an answer of the broker to a batch of alerts, and what held the loop or the collector
for a millisecond and more.
"""

import asyncio
import functools
import gc
import os
import time

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from icu_stream.app import app
from icu_stream.engine.partition import Chunk
from tests.benchmarks.trace import TRACE, Kind


__all__ = ["app"]

_NOTICEABLE_S = 0.001
_LOOK_S = 0.002

_file = (app.settings.data_dir / TRACE).open("ab")
_encode = msgspec.json.encode


def _note(kind: Kind, *what: float) -> None:
    _file.write(_encode((kind, *what)) + b"\n")


def _trace_chunks() -> None:
    chunks: Callable[[Any], AsyncIterator[Chunk]] = app.chunks

    async def timed(stream: Any) -> AsyncIterator[Chunk]:
        async for chunk in chunks(stream):
            started, cpu_s = time.monotonic(), time.process_time()
            yield chunk
            if chunk.tp.topic == app.vitals_name:
                first, last = chunk.records[0].offset, chunk.records[-1].offset
                number, count = chunk.tp.partition, len(chunk.records)
                now, used_s = time.monotonic(), time.process_time()
                _note(
                    Kind.CHUNK, started, now, number, first, last, count, cpu_s, used_s
                )

    vars(app)["chunks"] = timed


def _trace_checkpoints() -> None:
    run: Callable[[bool], Awaitable[None]] = app.checkpointer._run

    async def timed(final: bool) -> None:
        started = time.monotonic()
        await run(final)
        done: list[int] = []
        for tp, part in app.parts.items():
            if tp.topic == app.vitals_name:
                done += (tp.partition, part.done + 1)
        _note(Kind.CHECKPOINT, started, time.monotonic(), *done)
        _file.flush()

    vars(app.checkpointer)["_run"] = timed


def _trace_acks() -> None:
    send_batch = app.outlet.send_batch

    async def timed(batch: Any, topic: str, *, partition: int) -> Any:
        started = time.monotonic()
        ack = await send_batch(batch, topic, partition=partition)
        if topic.endswith("alerts"):
            ack.add_done_callback(functools.partial(_acked, started, partition))
        return ack

    app.outlet.send_batch = timed


def _acked(started: float, partition: int, _: object) -> None:
    _note(Kind.ACK, started, time.monotonic(), partition)


_collecting = 0.0


def _collector(phase: str, info: dict[str, int]) -> None:
    global _collecting  # noqa: PLW0603 - the collector calls a plain function
    now = time.monotonic()
    if phase == "start":
        _collecting = now
    elif now - _collecting > _NOTICEABLE_S:
        _note(Kind.COLLECTION, _collecting, now, info["generation"])


@app.while_running
async def watch() -> None:
    """Notice when the loop stands still; also set up what needs the started app."""
    while app.outlet is None:  # noqa: ASYNC110 - the app has no event for it
        await asyncio.sleep(_LOOK_S)
    _trace_acks()
    last = time.monotonic()
    while not app.should_stop:
        await asyncio.sleep(_LOOK_S)
        now = time.monotonic()
        if now - last - _LOOK_S > _NOTICEABLE_S:
            _note(Kind.STALL, last + _LOOK_S, now)
        last = now


_trace_chunks()
_trace_checkpoints()
gc.callbacks.append(_collector)
if os.environ.get("BENCH_COLLECTOR") == "off":
    gc.disable()
