"""The archive on real servers: nothing is lost and nothing is twice, whatever fails."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import uuid

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec
import pytest
import pytest_asyncio

from aiohttp import web
from confluent_kafka.admin import AdminClient

from icu_stream import bus, clock
from icu_stream.contracts import envelope, topics
from icu_stream.contracts.topics import DAY_MS
from icu_stream.errors import StorageError
from icu_stream.settings import Settings
from icu_stream.storage import archive, influx, migrate, postgres, records
from icu_stream.storage.intake import Measured
from icu_stream.storage.records import InfluxReader, PostgresReader, SeriesReader
from icu_stream.storage.series import MINUTE_MS, Minute, PostgresSeries, Store
from icu_stream.ward.history import Seen
from icu_stream.ward.stored import Stored
from tests import postgres as server
from tests.influx import InfluxServer
from tests.integration import feed
from tests.kafka import ROOT, Kafka, free_port
from tests.postgres import Postgres


WAIT_S = 60
QUARTER_MS = 15 * MINUTE_MS


async def until(claim: Callable[[], Any], what: str) -> Any:
    """Wait until something is so; gives it."""
    deadline = clock.monotonic_s() + WAIT_S
    while clock.monotonic_s() < deadline:
        found = claim()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        await asyncio.sleep(0.05)
    pytest.fail(f"not in {WAIT_S} s: {what}")


class Tables:
    """A migrated database, and what is in it."""

    def __init__(self, given: Settings) -> None:
        self.settings = given

    async def ask(self, statement: str, *values: Any) -> Any:
        """One value."""
        connection = await asyncpg.connect(
            self.settings.postgres_dsn, password=server.PASSWORD
        )
        try:
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()

    async def count(self, table: str) -> int:
        return int(await self.ask(f"SELECT count(*) FROM icu.{table}"))  # noqa: S608

    async def state(self) -> str:
        """All that is kept, as one hash; arrivals are those of the first time."""
        names = [
            "vitals",
            "scores",
            "vitals_1m",
            "vitals_15m",
            "alarms",
            "transitions",
            "commands",
        ]
        found = []
        for name in [*names, "command_results", "audit"]:
            rows = f"SELECT t::text AS row FROM icu.{name} t"  # noqa: S608
            hashed = f"SELECT md5(string_agg(row, '|' ORDER BY row)) FROM ({rows}) r"  # noqa: S608
            found.append(await self.ask(hashed))
        return str(found)


@pytest_asyncio.fixture
async def tables(kafka: Kafka, postgres_server: Postgres) -> Tables:
    """A database with the newest tables, and settings with topics of their own."""
    given = kafka.settings(
        postgres_dsn=postgres_server.database(),
        postgres_password=server.PASSWORD,
        archive_port=free_port(),
    )
    async with postgres.database(given) as where:
        await migrate.upgrade(where)
    return Tables(given)


class Database:
    """A database of its own in InfluxDB."""

    def __init__(self, running: InfluxServer) -> None:
        self.server = running
        self.name = f"t_{uuid.uuid4().hex[:8]}"

    def count(self, measurement: str = "vitals", policy: str = "autogen") -> int:
        where = f'"{self.name}"."{policy}"."{measurement}"'
        field = "hr.n" if policy == "coarse" else "meta.arrived_ms"
        rows = self.server.ask(f'SELECT count("{field}") FROM {where}')  # noqa: S608
        return int(rows[0][1]) if rows else 0


@pytest.fixture
def database(influx_server: InfluxServer) -> Database:
    return Database(influx_server)


@contextlib.asynccontextmanager
async def archiving(given: Settings) -> AsyncIterator[asyncio.Task[None]]:
    """The archive, in this process."""
    stop = asyncio.Event()
    said: list[str] = []
    task = asyncio.create_task(archive.serve(given, stop=stop, say=said.append))
    try:
        await until(lambda: said or task.done(), "the archive says that it runs")
        yield task
    finally:
        stop.set()
        async with asyncio.timeout(5):  # the promise of every process
            await task


async def readyz(given: Settings) -> tuple[int, dict[str, Any]]:
    url = f"http://127.0.0.1:{given.archive_port}/readyz"
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return answer.status, (await answer.json())["lanes"]


def ward(patients: int, seconds: int, end_ms: int, **values: Any) -> list[feed.Message]:
    """So many seconds of some patients, up to a moment."""
    return [
        {
            "patient_id": f"p-{n}",
            "time": end_ms - 1_000 * (seconds - s),
            "bed": f"B-{n}",
            "device": "mon",
            "values": {"hr": float(n + s % 60), "spo2": 97.0} | values,
        }
        for s in range(seconds)
        for n in range(patients)
    ]


def alert(alert_id: str, transition: int, event: str, state: str) -> feed.Message:
    return {
        "alert_id": alert_id,
        "transition": transition,
        "event": event,
        "patient_id": "p-1",
        "bed": "B-1",
        "code": "spo2.low",
        "kind": "physiological",
        "priority": "medium",
        "state": state,
        "annunciate": True,
        "onset": 1_795_492_500_000,
        "time": 1_795_492_500_000 + 1_000 * transition,
        "text": "SpO2 86 %",
        "of a later version": {"kept": True},
    }


async def forget(given: Settings, *groups: str) -> None:
    """As docs/archive.md says: the groups begin anew."""
    admin = AdminClient({"bootstrap.servers": given.broker, "log_level": 0})

    def act() -> None:
        for future in admin.delete_consumer_groups(list(groups)).values():
            future.result(10)

    await asyncio.to_thread(act)


async def test_all_that_is_said_is_kept_once_and_again_from_kafka(
    tables: Tables, database: Database
):
    """Both stores; then both groups are reset, which changes nothing but the counters."""
    given = tables.settings.model_copy(
        update={"influx_url": database.server.url, "influx_database": database.name}
    )
    now_ms = clock.now_ms()
    messages = ward(3, 120, now_ms)
    await feed.send(given, messages + messages[:50])
    for mark in (envelope.TICK, envelope.COMMAND):
        await feed.send(given, messages[:1], marks=[(mark, b"1")])
    canary = messages[0] | {"patient_id": "icu-canary-x"}
    await feed.send(given, [canary, (b"p-1", b"{", []), (None, b"", [])])
    scores = [
        {"patient_id": "p-1", "bed": "B-1", "time": now_ms - n, "others": {"mews": n}}
        for n in range(5)
    ]
    await feed.send(given, scores * 2, topics.SCORES.name)
    alerts = [
        alert("a-1", 1, "raised", "active"),
        alert("a-1", 2, "acknowledged", "acknowledged"),
        alert("a-2", 1, "raised", "active"),
        alert("a-2", 2, "cleared", "cleared"),
    ]
    await feed.send(given, [*alerts, *alerts[::-1]], topics.ALERTS.name)
    command = {"command_id": "c-1", "type": "pause", "patient_id": "p-1", "by": "rn"}
    await feed.send(given, [command | {"time": now_ms}] * 2, topics.COMMANDS.name)
    result = {"command_id": "c-1", "accepted": True, "patient_id": "p-1"}
    await feed.send(given, [result] * 2, topics.COMMAND_RESULTS.name)
    deeds = [
        (None, b'{"time": %d, "deed": "sign_in", "by": "rn"}' % n, []) for n in (1, 2)
    ]
    await feed.send(given, deeds, topics.AUDIT.name)

    async def is_kept() -> bool:
        lanes = (await readyz(given))[1].values()
        return (
            all(lane["ready"] and lane["lag"] == 0 for lane in lanes)
            and database.count() == 360
            and await tables.count("audit") == 2
            and await tables.count("command_results") >= 1
        )

    async with archiving(given):
        await until(is_kept, "all is kept")
        status, lanes = await readyz(given)
    first = await tables.state()
    minutes = database.count("vitals_1m", "coarse")
    await forget(given, *(lane["group"] for lane in lanes.values()))
    async with archiving(given):
        await until(is_kept, "all is kept again")

    assert status == 200
    assert lanes["influx-series"]["refused"] == 2
    assert database.count() == 360
    assert database.count("scores") == 5
    assert database.count("vitals_1m", "coarse") == minutes >= 6
    assert await tables.count("vitals") == 0
    assert await tables.count("transitions") == 4
    assert await tables.ask("SELECT state FROM icu.alarms WHERE alert_id = 'a-1'") == (
        "acknowledged"
    )
    assert (
        await tables.ask(
            "SELECT body -> 'of a later version' ->> 'kept' FROM icu.alarms LIMIT 1"
        )
        == "true"
    )
    assert await tables.count("commands") == 1
    assert await tables.state() == first


async def test_a_database_that_is_restarted_in_the_middle_of_a_batch_has_each_row_once(
    tables: Tables, postgres_server: Postgres
):
    given = tables.settings
    messages = ward(20, 300, clock.now_ms())
    await feed.send(given, messages)
    holder = await asyncpg.connect(given.postgres_dsn, password=server.PASSWORD)
    await holder.execute("BEGIN; LOCK TABLE icu.vitals IN SHARE MODE")

    async def is_writing() -> bool:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return bool(await holder.fetchval(waiting))

    async with archiving(given):
        await until(is_writing, "a batch is in the middle of its write")
        postgres_server.stop()
        await until(lambda: _waits(given), "the outage is told")
        await feed.send(
            given, [alert("a-1", 1, "raised", "active")], topics.ALERTS.name
        )
        postgres_server.start()
        await until(lambda: _has(tables, "vitals", 6_000), "all rows")
        await until(lambda: _has(tables, "transitions", 1), "the alert")
        await until(lambda: _is_calm(given), "the end of the outage")
    holder.terminate()

    assert await tables.count("vitals") == 6_000
    assert (
        await tables.ask("SELECT sum(n) FROM icu.vitals_1m WHERE signal = 'hr'")
        == 6_000
    )


async def _waits(given: Settings) -> bool:
    status, lanes = await readyz(given)
    errors = [lane["error"] for lane in lanes.values() if lane["error"]]
    return status == 503 and bool(errors)


async def _is_calm(given: Settings) -> bool:
    """All is written, and both lanes know it: then an end leaves nothing owed."""
    status, lanes = await readyz(given)
    return status == 200 and all(lane["lag"] == 0 for lane in lanes.values())


async def _has(tables: Tables, table: str, rows: int) -> bool:
    return await tables.count(table) == rows


class FullDisk:
    """A proxy in front of InfluxDB that answers for it, as one whose disk is full."""

    def __init__(self, behind: str) -> None:
        self.is_full = False
        self.refused = 0
        self._behind = behind

    async def __aenter__(self) -> "FullDisk":
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{name}", self._pass)
        self._http = aiohttp.ClientSession()
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()
        await self._runner.cleanup()

    async def _pass(self, request: web.Request) -> web.Response:
        if self.is_full and request.path == "/write":
            self.refused += 1
            said = "engine: error writing WAL entry: no space left on device"
            return web.json_response(
                {"error": said}, status=500, headers={"X-Influxdb-Error": said}
            )
        kind = {"Content-Type": request.headers.get("Content-Type", "")}
        try:
            async with self._http.request(
                request.method,
                f"{self._behind}{request.path_qs}",
                data=await request.read(),
                headers=kind,
            ) as answer:
                return web.Response(body=await answer.read(), status=answer.status)
        except aiohttp.ClientError:
            return web.Response(status=502)


async def test_an_influxdb_that_is_full_frozen_or_killed_delays_and_holds_up_nobody(
    tables: Tables, database: Database
):
    async with FullDisk(database.server.url) as disk:
        given = tables.settings.model_copy(
            update={"influx_url": disk.url, "influx_database": database.name}
        )
        now_ms = clock.now_ms()
        parts = [ward(5, 100, now_ms - n * 100_000) for n in range(4)]
        sent = 0

        async def goes_on(number: int) -> None:
            """Meanwhile alerts are kept, and what is measured waits in Kafka."""
            nonlocal sent
            await feed.send(given, parts[number])
            sent += len(parts[number])
            message = alert(f"a-{number}", 1, "raised", "active")
            await feed.send(given, [message], topics.ALERTS.name)
            await until(lambda: _has(tables, "transitions", number + 1), "the alert")

        async def is_kept() -> bool:
            return await asyncio.to_thread(database.count) == sent

        async with archiving(given):
            await goes_on(0)
            await until(is_kept, "all before")

            disk.is_full = True
            await goes_on(1)
            await until(lambda: disk.refused > 1, "the disk was full more than once")
            _, full = await readyz(given)
            disk.is_full = False
            await until(is_kept, "what came while the disk was full")

            database.server.freeze()
            await goes_on(2)
            database.server.thaw()
            await until(is_kept, "what came while it was frozen")

            database.server.freeze()
            await goes_on(3)
            database.server.kill()
            await until(lambda: _waits(given), "the outage is told")
            database.server.start()
            await until(is_kept, "what came while it was dead")
            await until(lambda: _is_calm(given), "the end of the outage")
            _, after = await readyz(given)

    assert "no space left on device" in full["influx-series"]["error"]
    assert full["postgres-trail"]["ready"]
    assert after["influx-series"]["refused"] == 0
    assert database.count() == 2_000
    rows = database.server.ask(
        'SELECT sum("hr.n") FROM coarse.vitals_1m', database.name
    )
    assert rows[0][1] == 2_000


async def test_a_record_that_no_store_takes_is_a_dead_letter_and_holds_up_nobody(
    tables: Tables,
):
    given = tables.settings
    good = [alert(f"a-{n}", 1, "raised", "active") for n in range(9)]
    bad = alert("a-bad", 1, "raised", "active") | {"huge": "x"}
    body = feed.encode(bad).replace(b'"x"', b"1e999999")
    poisoned = (b"p-1", body, [])
    await feed.send(given, [*good[:4], poisoned, *good[4:]], topics.ALERTS.name)

    async with archiving(given):
        await until(lambda: _has(tables, "transitions", 9), "the good ones")
        _, lanes = await readyz(given)
        letters = await _letters(given, 1)

    assert lanes["postgres-trail"]["refused"] == 1
    assert [value for value, _ in letters] == [body]
    assert "archive: PostgreSQL" in letters[0][1]


async def _letters(given: Settings, wanted: int) -> list[tuple[bytes, str]]:
    reader = bus.consumer(given, topics.DEAD_LETTERS.name, auto_offset_reset="earliest")
    await reader.start()
    try:
        found = []
        async with asyncio.timeout(WAIT_S):
            while len(found) < wanted:
                record = await reader.getone()
                found.append((record.value, dict(record.headers)["reason"].decode()))
        return found
    finally:
        await reader.stop()


HOSTILE = {
    "patient_id": "p'; DROP TABLE icu.vitals; --\\",
    "bed": "B,x=1 hr=9 1\nvitals hr=99 1\u2028",
    "device": "$1', now()); \\ \"=,",
    "values": {
        "hr": 80.0,
        "hr=1,x": 1.0,
        "time": 2.0,
        "meta.arrived_ms": 3.0,
        "a'b\"c; DROP MEASUREMENT vitals": 4.0,
        "": 5.0,
        "_x": 6.0,
    },
    "status": {"temp": 'off"\\,x=1 1\n'},
    "'); DROP SCHEMA icu CASCADE; --": [1],
}


@pytest.mark.parametrize("store", ["postgres", "influx"])
async def test_what_a_message_says_stays_what_it_says(
    store: str, tables: Tables, database: Database
):
    given = tables.settings
    if store == "influx":
        given = given.model_copy(
            update={"influx_url": database.server.url, "influx_database": database.name}
        )
    now_ms = clock.now_ms()
    message = HOSTILE | {"time": now_ms - 1_000}
    whose = HOSTILE["patient_id"]
    command = {"command_id": "'; --", "type": "pause", "patient_id": whose, "by": "x'"}
    await feed.send(given, [message])
    await feed.send(given, [command | {"time": now_ms}], topics.COMMANDS.name)

    async with archiving(given), records.opened(given) as kept:

        async def found() -> list[Measured]:
            with contextlib.suppress(StorageError):  # its database is being made
                return (await kept.series.vitals(whose, 0, now_ms)).rows
            return []

        [row] = await until(found, "the message")
        await until(lambda: _has(tables, "commands", 1), "the command")
        [asked] = (await kept.commands(patient_id=whose)).rows
        nobody = await kept.series.vitals("' OR '1'='1", 0, now_ms)
        figures = await kept.series.figures(
            whose, None, now_ms - 5_000, now_ms, 1_000, now_ms
        )

    assert row.patient_id == whose
    assert row.values == HOSTILE["values"]
    assert row.device == HOSTILE["device"]
    assert row.bed.startswith("B,x=1 hr=9 1?vitals hr=99 1?~")
    assert row.status["temp"].startswith('off"\\,x=1 1?~')
    assert (asked.command_id, asked.by) == ("'; --", "x'")
    assert nobody.rows == []
    assert {name: [f.latest for f in all_] for name, all_ in figures.items()} == {
        name: [value] for name, value in HOSTILE["values"].items()
    }


@pytest_asyncio.fixture(params=["postgres", "influx"])
async def both_sides(
    request: pytest.FixtureRequest, tables: Tables, database: Database
) -> AsyncIterator[tuple[Store, SeriesReader]]:
    """Each store with what writes to it and what reads from it."""
    given = tables.settings.model_copy(
        update={"influx_url": database.server.url, "influx_database": database.name}
    )
    async with postgres.pool(given) as pool, influx.opened(given) as connected:
        if request.param == "postgres":
            yield PostgresSeries(pool, given), PostgresReader(pool)
        else:
            yield influx.InfluxSeries(connected, given), InfluxReader(connected)


def measured(time_ms: int, hr: float, device: str = "mon") -> Measured:
    return Measured("p", time_ms, device, "B", time_ms + 9, {"hr": hr}, {}, None, False)


async def test_figures_are_of_all_values_and_late_ones_too(
    both_sides: tuple[Store, SeriesReader],
):
    store, reader = both_sides
    now_ms = clock.now_ms()
    start = now_ms // QUARTER_MS * QUARTER_MS - 2 * QUARTER_MS
    gap = start + 5 * MINUTE_MS  # five minutes of nothing begin here
    rows = [measured(start + 1_000 * s, 80.0) for s in range(300)]
    rows[30] = measured(start + 30_000, 0.0)  # zero is a value
    minutes = {Minute("p", row.time_ms // MINUTE_MS * MINUTE_MS) for row in rows}

    async def figures(step_ms: int) -> list[Any]:
        found = await reader.figures("p", ["hr"], start, now_ms, step_ms, now_ms)
        return found.get("hr", [])

    await store.write(rows, now_ms)
    await store.settle(minutes, now_ms)
    before = await figures(MINUTE_MS)
    late = [measured(start + 90_500, 200.0), measured(start + 90_500, 60.0, "other")]
    await store.write(late, now_ms)
    await store.settle({Minute("p", start + MINUTE_MS)}, now_ms)
    after = await figures(MINUTE_MS)
    await store.write(rows + late, now_ms)
    await store.settle(minutes, now_ms)
    await store.settle(minutes, now_ms)

    assert [f.time_ms for f in before] == [start + MINUTE_MS * n for n in range(5)]
    assert (before[0].low, before[0].high, before[0].n) == (0.0, 80.0, 60)
    assert (before[1].high, before[1].n) == (80.0, 60)
    assert (after[1].low, after[1].high, after[1].n) == (60.0, 200.0, 62)
    assert await figures(MINUTE_MS) == after
    [quarter] = await figures(QUARTER_MS)
    assert (quarter.low, quarter.high, quarter.n) == (0.0, 200.0, 302)
    assert quarter.mean == pytest.approx((299 * 80 + 200 + 60) / 302)
    ten = await figures(10_000)
    assert {f.time_ms for f in ten} == {start + 10_000 * n for n in range(30)}
    assert max(f.time_ms for f in ten) < gap
    course = await Stored(reader, Seen(lambda _: None)).course("p", 4, now_ms)
    assert course is not None
    assert max(high for high in course.lines["hr"].high if high is not None) == 200.0
    assert min(low for low in course.lines["hr"].low if low is not None) == 0.0
    values = await reader.values("p", ["hr", "rr"], start, now_ms)
    assert list(values) == ["hr"]
    assert len(values["hr"]) == 302


async def test_pages_neither_repeat_nor_miss_a_message(
    both_sides: tuple[Store, SeriesReader],
):
    store, reader = both_sides
    now_ms = clock.now_ms()
    rows = [measured(now_ms - 9_000 + n // 3, n, f"m-{n % 3}") for n in range(20)]
    await store.write(rows[::-1], now_ms)

    found: list[Measured] = []
    after = None
    while True:
        page = await reader.vitals("p", now_ms - 9_000, now_ms, after=after, most=7)
        found += page.rows
        after = page.after
        if after is None:
            break

    assert found == rows


async def test_old_days_are_dropped_and_odd_clocks_lie_apart(tables: Tables):
    given = tables.settings.model_copy(update={"retention_days": 2})
    now_ms = clock.now_ms()
    today = now_ms // DAY_MS * DAY_MS
    day = [today - n * DAY_MS for n in range(4)]
    rows = [measured(start, 80.0) for start in day[1:3]]
    rows += [measured(946_684_800_000, 1.0), measured(today + 900 * DAY_MS, 2.0)]

    async def dropped() -> str:
        names = await tables.ask(
            "SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY 1) FROM pg_inherits "
            "WHERE inhparent = 'icu.vitals'::regclass"
        )
        return str(names)

    async with postgres.pool(given) as pool:
        series = PostgresSeries(pool, given)
        await series.write(rows, now_ms)
        others = await tables.count("vitals_other")
        await series.tend(now_ms)
        before = await dropped()
        await series.tend(now_ms + DAY_MS)
        after = await dropped()
        # 900 days on, the partition of that day takes what waited for it; by its arrival
        # 2000 is long gone.
        await PostgresSeries(pool, given).tend(now_ms + 900 * DAY_MS)
        left = await tables.ask(
            "SELECT string_agg(tableoid::regclass::text, ' ') FROM icu.vitals"
        )

    assert others == 2
    assert before.count("vitals_2") == 5
    assert after.count("vitals_2") == 5
    assert before != after
    assert left == f"vitals_{_date(today + 900 * DAY_MS)}"


def _date(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1_000, UTC):%Y%m%d}"


async def test_the_archive_process_that_is_killed_goes_on_where_it_must(tables: Tables):
    given = tables.settings.model_copy(update={"instance_id": "archive-1"})
    # Its minutes are over: their figures are made at once, and not at the end.
    messages = ward(40, 500, clock.now_ms() - 2 * MINUTE_MS)
    sending = asyncio.create_task(feed.send(given, messages))
    process = launched(given, tables.settings.data_dir)
    await until(lambda: tables.count("vitals"), "something is written")
    process.send_signal(signal.SIGKILL)
    process.wait()
    await sending
    process = launched(given, tables.settings.data_dir)

    async def is_figured() -> bool:
        figured = "SELECT sum(n) FROM icu.vitals_1m WHERE signal = 'hr'"
        return await tables.ask(figured) == 20_000

    await until(is_figured, "all figures")
    process.send_signal(signal.SIGTERM)

    assert await asyncio.to_thread(process.wait, 5) == 0
    assert await tables.count("vitals") == 20_000


def launched(given: Settings, directory: Path) -> "subprocess.Popen[bytes]":
    with (directory / "archive.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "icu_stream", "archive"],
            cwd=ROOT,
            env=Kafka.env(given),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


async def test_the_trail_is_found_again(tables: Tables):
    given = tables.settings
    alerts = [alert(f"a-{n}", 1, "raised", "active") for n in range(5)]
    alerts.append(alert("a-0", 2, "cleared", "cleared"))
    await feed.send(given, alerts, topics.ALERTS.name)
    deeds = [
        {"time": n, "deed": "sign_in", "by": "rn", "patient_id": None} for n in range(3)
    ]
    await feed.send(
        given, [(b"rn", msgspec.json.encode(d), []) for d in deeds], topics.AUDIT.name
    )

    async with archiving(given), records.opened(given) as kept:
        await until(lambda: _has(tables, "transitions", 6), "the alerts")
        await until(lambda: _has(tables, "audit", 3), "the deeds")
        pages = []
        after = None
        while True:
            page = await kept.alarms(patient_id="p-1", after=after, most=2)
            pages.append([one.alert_id for one in page.rows])
            after = page.after
            if after is None:
                break
        still = await kept.alarms(is_open=True)
        over = await kept.alarm("a-0")
        told = await kept.transitions(alert_id="a-0")
        trail = await kept.audit(by="rn", start_ms=1)

    assert pages == [["a-4", "a-3"], ["a-2", "a-1"], ["a-0"]]
    assert "a-0" not in {one.alert_id for one in still.rows}
    assert over is not None
    assert over.state == "cleared"
    assert [one.event for one in told.rows] == ["raised", "cleared"]
    assert [entry.time for entry in trail.rows] == [2, 1]


async def test_without_an_address_an_embedded_server_keeps_all(kafka: Kafka):
    given = kafka.settings(archive_port=free_port())
    # Started by root it runs as somebody else, who must get to its files.
    directory = given.data_dir
    for part in (directory, *directory.parents):
        if part.stat().st_uid == os.geteuid() and part.name.startswith(
            ("icu-kafka", "data-")
        ):
            part.chmod(0o755)
    await feed.send(given, ward(2, 60, clock.now_ms()))

    async with archiving(given), records.opened(given) as kept:

        async def found() -> bool:
            page = await kept.series.vitals("p-1", 0, clock.now_ms())
            return len(page.rows) == 60 and (await readyz(given))[0] == 200

        await until(found, "all rows")

    assert not (directory / "postgres" / "postmaster.pid").exists()
