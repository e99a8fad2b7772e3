"""How fast the stores take what is measured, beside the barest way into each of them.

A point is one message: what one device measured of one patient at one moment, eight
signals, as sources send it. It goes through all that the archive does with it: decoded,
made into rows or lines, written, kept once. The peers know what they write beforehand and
do none of this: COPY of the same rows into a table without a key, and a POST of the same
lines as they are. Both servers have their own settings for durability: PostgreSQL syncs.
"""

import asyncio
import time

from collections.abc import Sequence
from typing import Any, NamedTuple

import aiohttp
import asyncpg
import msgspec

from icu_stream import clock
from icu_stream.contracts import topics
from icu_stream.settings import Settings
from icu_stream.storage import archive, influx, intake, migrate, postgres
from icu_stream.storage.influx import InfluxSeries
from icu_stream.storage.intake import Measured
from icu_stream.storage.series import PostgresSeries, Store
from tests import postgres as server
from tests.influx import InfluxServer
from tests.postgres import Postgres


_PATIENTS = 200
_BATCH = archive.BATCH
_VALUES = {
    "hr": 82.0,
    "pulse": 82.0,
    "spo2": 97.0,
    "rr": 16.0,
    "abp_sys": 121.0,
    "abp_dia": 70.0,
    "abp_mean": 88.0,
    "temp": 37.1,
}
SIGNALS = len(_VALUES)


class Record(NamedTuple):
    """A record as a consumer gives it."""

    key: bytes
    value: bytes
    timestamp: int
    headers: tuple[tuple[str, bytes], ...] = ()
    topic: str = topics.VITALS.name
    partition: int = 0
    offset: int = 0


def records(count: int, end_ms: int) -> list[Record]:
    """The last seconds of a ward of 200 beds, whose values go up and down."""
    made = []
    for n in range(count):
        second, bed = divmod(n, _PATIENTS)
        time_ms = end_ms - 1_000 * (count // _PATIENTS - second)
        patient_id = f"p-{bed:04d}"
        values = {code: value + second % 17 for code, value in _VALUES.items()}
        message = {
            "patient_id": patient_id,
            "bed": f"ICU1-{bed:03d}",
            "device": f"mon-{bed:03d}",
            "time": time_ms,
            "values": values,
        }
        made.append(
            Record(patient_id.encode(), msgspec.json.encode(message), time_ms + 40)
        )
    return made


def batches(given: Sequence[Any]) -> list[Sequence[Any]]:
    """As the archive fetches them."""
    return [given[i : i + _BATCH] for i in range(0, len(given), _BATCH)]


async def archived(store: Store, given: Sequence[Record], now_ms: int) -> float:
    """Points a second, through all of the archive but Kafka."""
    await store.tend(now_ms)
    started = time.perf_counter()
    for batch in batches(given):
        rows = [intake.vitals(record) for record in batch]
        await store.write([row for row in rows if row is not None], now_ms)
    return len(given) / (time.perf_counter() - started)


class Found(NamedTuple):
    """Points a second of each run.

    Attributes:
        postgres: The archive into PostgreSQL.
        copy: Rows by COPY.
        influx: The archive into InfluxDB.
        post: Lines by POST.
    """

    postgres: list[float]
    copy: list[float]
    influx: list[float]
    post: list[float]


async def measure(
    postgres_server: Postgres, influx_server: InfluxServer, count: int, runs: int
) -> Found:
    """All four, each run into a database of its own, in turns."""
    now_ms = clock.now_ms()
    given = records(count, now_ms)
    rows = [row for row in map(intake.vitals, given) if row is not None]
    found = Found([], [], [], [])
    for run in range(runs):
        settings = Settings(
            _env_file=None,
            postgres_dsn=postgres_server.database(),
            postgres_password=server.PASSWORD,
            influx_url=influx_server.url,
            influx_database=f"bench_{run}",
        )
        async with postgres.database(settings) as where:
            await migrate.upgrade(where)
        async with (
            postgres.pool(settings) as pool,
            influx.opened(settings) as connected,
        ):
            series = PostgresSeries(pool, settings)
            found.postgres.append(round(await archived(series, given, now_ms)))
            found.copy.append(round(await copied(settings, rows)))
            lines = InfluxSeries(connected, settings)
            found.influx.append(round(await archived(lines, given, now_ms)))
            found.post.append(round(await posted(influx_server, run, rows)))
    return found


async def copied(settings: Settings, rows: Sequence[Measured]) -> float:
    """Points a second by COPY, into a table without a key."""
    told = [
        (*row[:5], msgspec.json.encode(row.values).decode(), None, None, False)
        for row in rows
    ]
    connection = await asyncpg.connect(settings.postgres_dsn, password=server.PASSWORD)
    try:
        await connection.execute(
            "CREATE TABLE peer AS SELECT * FROM icu.vitals LIMIT 0"
        )
        started = time.perf_counter()
        for batch in batches(told):
            await connection.copy_records_to_table("peer", records=batch)
        return len(told) / (time.perf_counter() - started)
    finally:
        await connection.close()


async def posted(running: InfluxServer, run: int, rows: Sequence[Measured]) -> float:
    """Points a second by POST, as lines that are there beforehand."""
    bodies = [b"\n".join(map(influx.line, batch)) for batch in batches(rows)]
    running.ask(f'CREATE DATABASE "peer_{run}"')
    url = f"{running.url}/write?db=peer_{run}"
    async with aiohttp.ClientSession() as http:
        started = time.perf_counter()
        for body in bodies:
            async with http.post(url, data=body) as answer:
                assert answer.status == 204
        return len(rows) / (time.perf_counter() - started)


def run(
    postgres_server: Postgres, influx_server: InfluxServer, count: int, runs: int
) -> Found:
    """As `measure`."""
    return asyncio.run(measure(postgres_server, influx_server, count, runs))
