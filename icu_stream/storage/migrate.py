"""The tables of PostgreSQL, revision by revision: Alembic, asynchronous, plain SQL.

The revisions are the files in `migrations/versions`, numbered; `icu.migrations` holds the
one that a database is at. All that are missing are applied in one transaction, under a
lock, so processes that start at once do it once, and a failure leaves what was. There is
no way down: a restore is (docs/archive.md).
"""

import asyncio
import io
import threading

from collections.abc import Callable
from pathlib import Path

import alembic.command
import asyncpg

from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from icu_stream.errors import ConfigurationError
from icu_stream.settings import Settings
from icu_stream.storage import postgres
from icu_stream.storage.postgres import Database


_ONE = threading.Lock()
_HERE = Path(__file__).with_name("migrations")


async def upgrade(where: Database) -> list[str]:
    """Bring a database to the newest revision.

    Returns:
        The revisions that were applied, oldest first.

    Raises:
        ConfigurationError: It does not answer, refuses, or is newer than this icu-stream.
    """
    found = await current(where)
    known = postgres.revisions()
    if found == known[-1]:
        return []
    if found is not None and found not in known:
        postgres.compare(found)

    # In a loop of its own: Alembic's context is a global, which no two may have at once.
    await asyncio.to_thread(_upgrade, where)
    return [one for one in known if found is None or one > found]


def _upgrade(where: Database) -> None:
    with _ONE:
        asyncio.run(_to_newest(where))


async def _to_newest(where: Database) -> None:
    def run(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "head")

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: _connect(where),
        poolclass=NullPool,
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
    except (DBAPIError, CommandError, asyncpg.PostgresError, OSError) as error:
        reason = getattr(error, "orig", None) or error
        msg = f"{where.place}: {reason}; nothing was changed"
        raise ConfigurationError(msg) from error
    finally:
        await engine.dispose()


async def current(where: Database) -> str | None:
    """The revision that a database is at; None before its first.

    Raises:
        ConfigurationError: It does not answer, or refuses.
    """
    try:
        connection = await _connect(where)
        try:
            return await postgres.revision(connection)
        finally:
            await connection.close()
    except (
        OSError,
        TimeoutError,
        ValueError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
    ) as error:
        msg = (
            f"{where.place}: {str(error) or 'no answer'}; see ICU_POSTGRES_DSN and "
            "ICU_POSTGRES_PASSWORD"
        )
        raise ConfigurationError(msg) from error


def sql() -> str:
    """All revisions as SQL for psql, for whoever may not let us make tables."""
    out = io.StringIO()
    alembic.command.upgrade(_config(out), "head", sql=True)
    return out.getvalue()


async def run(
    settings: Settings, *, only_report: bool, say: Callable[[str], None]
) -> None:
    """`icu-stream migrate`: bring the database to the newest revision, or say where it is.

    Raises:
        ConfigurationError: As `upgrade`; with `only_report`, when it is not the newest.
    """
    async with postgres.database(settings) as where:
        known = postgres.revisions()
        if only_report:
            found = await current(where)
            postgres.compare(found)
            say(f"{where.place} is at revision {found}, the newest")
            return
        applied = await upgrade(where)
        what = f"applied {', '.join(applied)}: now" if applied else "was already"
        say(f"{where.place} {what} at revision {known[-1]}")


async def _connect(where: Database) -> asyncpg.Connection:
    return await asyncpg.connect(
        where.dsn,
        password=where.password,
        timeout=postgres.CONNECT_S,
        server_settings={"application_name": "icu-stream migrate"},
    )


def _config(out: io.StringIO | None = None) -> Config:
    config = Config(output_buffer=out)
    # A percent sign in a path would be read as the begin of a variable.
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
