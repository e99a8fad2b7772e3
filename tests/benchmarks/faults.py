"""How soon an alarm is there while all that stands beside its way fails.

One worker and 200 beds, three times: alone; with archive, API, pager and HL7 gateway beside
it, all of them well; and while InfluxDB is frozen, PostgreSQL and the API are killed and
start again, the pager's targets hang, and a thousand silent connections, and garbage, come
to the gateway. The first is the peer of the others, which share its cores with the rest.

Broker and worker go before all else, as the units and compose files in docker/ have it;
here it is done by the kernel's groups of a session, which have weights like niceness. So do
the two ends, which stand for monitors and screens elsewhere.
"""

import asyncio
import contextlib
import os
import random
import resource
import sys

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

from icu_stream.settings import Settings
from icu_stream.storage import migrate
from icu_stream.storage import postgres as pg
from tests import postgres
from tests.benchmarks import latency
from tests.gateway import Gateway
from tests.influx import InfluxServer
from tests.kafka import Kafka
from tests.launch import launch
from tests.monitor import flood
from tests.paging import PagerProcess, Receiver, receiving, written
from tests.postgres import Postgres
from tests.service import Process
from tests.worker import Worker


BEDS = 200
_CROWD = 1_000
_DATABASE = "beside"
# A server is away for so long, and back for as long.
_AWAY_S = 5.0
# 9.3 times the weight of a session's group: `CPUWeight=1000` beside the usual 100.
_FIRST = "-10"


class Found(NamedTuple):
    """Latencies of the same alarms.

    Attributes:
        alone: The worker, and nothing else.
        beside: With all other processes, and nothing wrong.
        failing: While what they need fails.
    """

    alone: latency.Spread
    beside: latency.Spread
    failing: latency.Spread


class Beside(NamedTuple):
    """What runs beside one worker."""

    relational: Postgres
    series: InfluxServer
    receiver: Receiver
    api: Process
    gateway: Gateway


@contextlib.asynccontextmanager
async def running(
    settings: Settings, relational: Postgres, series: InfluxServer
) -> AsyncIterator[Beside]:
    """Archive, API, pager and gateway, ready and well."""
    directory = settings.data_dir
    async with receiving() as receiver, contextlib.AsyncExitStack() as stack:

        async def begun(start: Callable[[], Any], end: Callable[[Any], Any]) -> Any:
            """Started in a thread, as the receiver's loop must go on."""
            made = await asyncio.to_thread(start)
            stack.callback(end, made)
            return made

        await begun(
            lambda: launch(
                [sys.executable, "-m", "icu_stream", "archive"],
                settings,
                directory / "archive.log",
            ),
            lambda archive: (archive.kill(), archive.wait()),
        )
        plan = written(directory / "pager", receiver.url)
        await begun(
            lambda: PagerProcess(settings, plan, directory), lambda pager: pager.kill()
        )
        api = await begun(Process(settings, "api").start, lambda api: api.kill())
        gateway = await begun(Gateway("hl7", settings).start, lambda hl7: hl7.kill())
        yield Beside(relational, series, receiver, api, gateway)


@contextlib.asynccontextmanager
async def failing(what: Beside) -> AsyncIterator[None]:
    """All of it fails, again and again; both servers are well afterwards."""
    what.receiver.act = lambda _: "hang"
    what.series.freeze()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4 * _CROWD, hard)), hard))
    crowd = await asyncio.to_thread(flood, what.gateway.port, _CROWD)
    over = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_garbage(what.gateway.port, over))
            group.create_task(_restarts(what, over))
            try:
                yield
            finally:
                over.set()
        _, counted = await asyncio.to_thread(what.gateway.get, "/metrics")
        assert "icu_gateway_troubles_total{" in counted, "no garbage came"
        assert what.receiver.got, "no page was on its way"
    finally:
        for connection in crowd:
            connection.close()
        what.series.thaw()


async def _garbage(port: int, over: asyncio.Event) -> None:
    while not over.is_set():
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(random.randbytes(50_000))
            await writer.drain()
            writer.close()
        await asyncio.sleep(0.05)


async def _restarts(what: Beside, over: asyncio.Event) -> None:
    async def rest() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), _AWAY_S)

    while not over.is_set():
        await asyncio.to_thread(what.relational.stop)
        what.api.kill()
        await rest()
        await asyncio.to_thread(what.relational.start)
        await asyncio.to_thread(what.api.start)
        await rest()


def _put_first(*pids: int) -> None:
    for pid in pids:
        group = Path(f"/proc/{pid}/autogroup")
        if group.exists():
            group.write_text(_FIRST)


async def measure(
    kafka: Kafka, relational: Postgres, series: InfluxServer, span: latency.Span
) -> Found:
    """All three, each with topics of its own."""

    async def spread(settings: Settings) -> latency.Spread:
        worker = Worker(settings)
        await asyncio.to_thread(worker.start)
        _put_first(worker.pid, os.getpid(), *(node.pid for node in kafka.nodes))
        try:
            alerted = await asyncio.to_thread(latency.measure, settings, BEDS, span)
        finally:
            worker.kill()
        return latency.Spread.of(alerted)

    alone = await spread(kafka.settings())
    found = []
    for fails in (False, True):
        settings = kafka.settings(
            api_port=0,
            postgres_dsn=relational.database(),
            postgres_password=postgres.PASSWORD,
            influx_url=series.url,
            influx_database=_DATABASE,
        )
        async with pg.database(settings) as where:
            await migrate.upgrade(where)
        async with running(settings, relational, series) as what:
            way = failing(what) if fails else contextlib.nullcontext()
            async with way:
                found.append(await spread(settings))
    return Found(alone, *found)


def run(
    kafka: Kafka, relational: Postgres, series: InfluxServer, span: latency.Span
) -> Found:
    """As `measure`."""
    return asyncio.run(measure(kafka, relational, series, span))
