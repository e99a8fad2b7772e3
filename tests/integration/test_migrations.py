"""The tables of PostgreSQL: made once, never half, never by an older version; and backups."""

import asyncio
import os
import subprocess
import sys

from pathlib import Path

import asyncpg
import pytest

from icu_stream import clock
from icu_stream.errors import ConfigurationError, StorageError
from icu_stream.settings import Settings
from icu_stream.storage import influx, migrate, postgres
from icu_stream.storage.influx import InfluxSeries
from icu_stream.storage.intake import Measured
from icu_stream.storage.postgres import Database
from icu_stream.storage.series import Minute, PostgresSeries
from tests import postgres as server
from tests.influx import InfluxServer
from tests.postgres import Postgres


NEWEST = postgres.revisions()[-1]


def settings(dsn: str, **more: object) -> Settings:
    fields: dict[str, object] = {
        "postgres_dsn": dsn,
        "postgres_password": server.PASSWORD,
    }
    return Settings(_env_file=None, **(fields | more))


async def ask(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn, password=server.PASSWORD)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_processes_that_migrate_at_once_do_it_once(postgres_server: Postgres):
    where = Database(postgres_server.database(), server.PASSWORD)

    await asyncio.gather(*(migrate.upgrade(where) for _ in range(3)))

    assert await migrate.current(where) == NEWEST
    assert await migrate.upgrade(where) == []


async def test_the_sql_makes_the_same_tables_as_the_command(postgres_server: Postgres):
    """For whoever may not let us make tables."""
    by_us = postgres_server.database()
    by_hand = postgres_server.database()

    await migrate.upgrade(Database(by_us, server.PASSWORD))
    connection = await asyncpg.connect(by_hand, password=server.PASSWORD)
    await connection.execute(migrate.sql())
    await connection.close()

    def dump(dsn: str) -> list[str]:
        name = dsn.rpartition("/")[2]
        text = postgres_server.tool("pg_dump", "--schema-only", "-n", "icu", name)
        # A key against which newer versions of the tool protect their own output.
        return [line for line in text.splitlines() if "restrict" not in line]

    assert dump(by_us) == dump(by_hand)
    assert await ask(by_hand, "SELECT version_num FROM icu.migrations") == NEWEST


async def test_tables_that_are_newer_or_older_are_refused(postgres_server: Postgres):
    dsn = postgres_server.database()
    where = Database(dsn, server.PASSWORD)

    async with postgres.pool(settings(dsn)) as pool:
        with pytest.raises(ConfigurationError, match="run: icu-stream migrate"):
            await postgres.require_current(pool)
        await migrate.upgrade(where)
        await postgres.require_current(pool)
        await pool.execute("UPDATE icu.migrations SET version_num = '9999'")
        with pytest.raises(ConfigurationError, match="upgrade icu-stream"):
            await postgres.require_current(pool)
    with pytest.raises(ConfigurationError, match="newer than this icu-stream"):
        await migrate.upgrade(where)


async def test_what_is_wrong_with_the_address_is_told_without_the_password(
    postgres_server: Postgres,
):
    dsn = postgres_server.database()
    wrong = Database(dsn, "not the password")
    nowhere = settings("postgresql://icu@127.0.0.1:9/icu")

    with pytest.raises(ConfigurationError, match="authentication failed") as caught:
        await migrate.upgrade(wrong)
    async with postgres.pool(nowhere) as pool:
        with pytest.raises(StorageError, match="see ICU_POSTGRES_DSN"):
            await postgres.require_current(pool)

    assert "not the password" not in str(caught.value)


def test_the_command_says_where_the_database_is(postgres_server: Postgres):
    environment = os.environ | {
        "ICU_POSTGRES_DSN": postgres_server.database(),
        "ICU_POSTGRES_PASSWORD": server.PASSWORD,
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "icu_stream", "migrate", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    before = run("--check")
    done = run()

    assert before.returncode == 1
    assert f"at revision none, want {NEWEST}; run: icu-stream migrate" in before.stderr
    assert done.stdout.startswith("PostgreSQL at 127.0.0.1/t_")
    assert done.stdout.endswith(f"now at revision {NEWEST}\n")
    assert server.PASSWORD not in done.stdout + done.stderr


def measured(now_ms: int) -> list[Measured]:
    return [
        Measured(
            "p", now_ms - 1_000 * n, "m", "B", now_ms, {"hr": float(n)}, {}, None, False
        )
        for n in range(300)
    ]


async def test_postgresql_comes_back_from_a_backup(
    postgres_server: Postgres, tmp_path: Path
):
    """pg_dump and pg_restore, as docs/archive.md says."""
    given = settings(postgres_server.database())
    dsn = str(given.postgres_dsn)
    now_ms = clock.now_ms()
    rows = measured(now_ms)
    await migrate.upgrade(Database(dsn, server.PASSWORD))
    async with postgres.pool(given) as pool:
        series = PostgresSeries(pool, given)
        await series.write(rows, now_ms)
        await series.settle(
            {Minute("p", r.time_ms // 60_000 * 60_000) for r in rows}, now_ms
        )
    file = str(tmp_path / "icu.dump")
    back = postgres_server.database()

    postgres_server.tool(
        "pg_dump", "-Fc", "-n", "icu", "-f", file, "-d", dsn.rpartition("/")[2]
    )
    postgres_server.tool(
        "pg_restore", "--exit-on-error", "-d", back.rpartition("/")[2], file
    )

    for table in ("vitals", "vitals_1m", "vitals_15m"):
        hashed = (
            f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM icu.{table} t"  # noqa: S608
        )
        assert await ask(back, hashed) == await ask(dsn, hashed)
    # The archive goes on with it: repeats are repeats, and today's partition is there.
    again = settings(back)
    async with postgres.pool(again) as pool:
        await postgres.require_current(pool)
        await PostgresSeries(pool, again).write(rows, now_ms)
    assert await ask(back, "SELECT count(*) FROM icu.vitals") == 300


async def test_influxdb_comes_back_from_a_backup(
    influx_server: InfluxServer, tmp_path: Path
):
    """influxd backup and restore, as docs/archive.md says."""
    given = settings(
        "postgresql://nobody@127.0.0.1:9/none",
        influx_url=influx_server.url,
        influx_database="backed",
    )
    now_ms = clock.now_ms()
    rows = measured(now_ms)
    async with influx.opened(given) as connected:
        series = InfluxSeries(connected, given)
        await series.write(rows, now_ms)
        await series.settle(
            {Minute("p", r.time_ms // 60_000 * 60_000) for r in rows}, now_ms
        )

    influx_server.back_up(tmp_path, "backed")
    influx_server.restore(tmp_path, "backed", "restored")

    for source in ("autogen.vitals", "coarse.vitals_1m"):
        statement = f"SELECT * FROM {source}"  # noqa: S608
        assert influx_server.ask(statement, "restored") == influx_server.ask(
            statement, "backed"
        )
    assert len(influx_server.ask("SELECT hr FROM vitals", "restored")) == 300
