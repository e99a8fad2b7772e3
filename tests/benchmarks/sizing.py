"""What a bed costs on disk: bytes a bed and day, by topic and by store.

    python -m tests.benchmarks.sizing [BEDS] [SECONDS]

A real Kafka, worker, archive, PostgreSQL and, where it is installed, InfluxDB; simulated
monitors at 1 Hz, each message sent at its moment, as monitors do. What the shortest stretch
cannot show (compaction, retention, compression of full segments) is not in it.
"""

import asyncio
import sys
import time

import asyncpg

from icu_stream.contracts.topics import TABLES, TOPICS, changelog
from icu_stream.storage import migrate
from icu_stream.storage import postgres as storage
from tests import postgres
from tests.kafka import Kafka, free_port
from tests.postgres import PASSWORD, Postgres
from tests.service import Process
from tests.worker import Worker


DAY_S = 86_400


def kafka_bytes(kafka: Kafka, name: str) -> int:
    """Bytes of a topic's records on disk, one copy; indexes are kept apart by Kafka."""
    return sum(
        path.stat().st_size
        for node in kafka.nodes
        for path in (node._directory / "data").glob(f"{name}-*/*.log")
    )


async def store_bytes(dsn: str) -> dict[str, tuple[int, int]]:
    """Of each table: bytes with its indexes, and rows."""
    connection = await asyncpg.connect(dsn, password=PASSWORD)
    found = {}
    rows = await connection.fetch(
        "SELECT c.oid, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = "
        "c.relnamespace WHERE n.nspname = 'icu' AND c.relkind = 'r'"
    )
    for row in rows:
        size = await connection.fetchval(
            "SELECT pg_total_relation_size($1::oid)", row["oid"]
        )
        count = await connection.fetchval(
            f'SELECT count(*) FROM icu."{row["relname"]}"'  # noqa: S608 - from the catalogue
        )
        if count:
            found[row["relname"]] = (size, count)
    await connection.close()
    return found


def main(beds: int = 200, seconds: int = 120) -> None:
    """Measure and print."""
    binaries = postgres.binaries()
    assert binaries is not None, "PostgreSQL is not installed"
    scale = DAY_S / seconds / beds
    with Kafka() as kafka, Postgres(binaries) as server:
        dsn = server.database()
        asyncio.run(migrate.upgrade(storage.Database(dsn, PASSWORD)))
        settings = kafka.settings(
            partitions=8,
            postgres_dsn=dsn,
            postgres_password=PASSWORD,
            archive_port=free_port(),
        )
        archive = Process(settings, "archive")
        ward = Process(
            settings,
            "simulate",
            *(
                "--beds",
                str(beds),
                "--duration",
                str(seconds),
                "--stories",
                "none",
                "--json",
            ),
        )
        with Worker(settings):
            archive.start()
            ward.start(waits=False)
            time.sleep(seconds + 15)
            print(f"{beds} beds, {seconds} s, one copy; MB a bed and day:")
            names = [settings.topic_prefix + topic.name for topic in TOPICS]
            names += [changelog(settings.app_id, table) for table in TABLES]
            for name in names:
                if size := kafka_bytes(kafka, name):
                    print(f"  Kafka {name:40} {size * scale / 1e6:8.1f}")
            for table, (size, rows) in sorted(asyncio.run(store_bytes(dsn)).items()):
                print(
                    f"  PostgreSQL {table:30} {size * scale / 1e6:8.1f}"
                    f"   {size / rows:6.0f} bytes a row, {rows} rows"
                )
        ward.kill()
        archive.kill()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
