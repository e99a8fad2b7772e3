"""PostgreSQL for every process but the worker: where it is, a pool, and its errors.

Without `ICU_POSTGRES_DSN` an embedded server is started in the data directory and brought
to the newest tables; several processes of one machine share it. Tables are in the schema
`icu`; times are integer milliseconds since the epoch, as in messages.
"""

import asyncio
import contextlib

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import asyncpg

from icu_stream.errors import ConfigurationError, StorageError
from icu_stream.settings import Settings


CONNECT_S = 5.0
# Ours: a batch takes less than a second; what takes so long will not come any more.
COMMAND_S = 30.0
RETRY_S = 1.0
_CLOSE_S = 2.0

# What speaks against the rows, and not against the server: trying again is in vain.
_ROWS_AT_FAULT = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)


class Database(NamedTuple):
    """Where a PostgreSQL is.

    Attributes:
        dsn: Its address, without a password.
        password: Of its user; None leaves it to libpq's own ways.
        is_embedded: Our own, which nobody else migrates.
    """

    dsn: str
    password: str | None = None
    is_embedded: bool = False

    @property
    def place(self) -> str:
        """In words, for a sentence: no user, no password."""
        if self.is_embedded:
            return "the embedded PostgreSQL"
        parts = urlsplit(self.dsn)
        return f"PostgreSQL at {parts.hostname or 'this host'}{parts.path}"


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Database]:
    """Where PostgreSQL is; an embedded one runs as long as this context.

    Raises:
        ConfigurationError: The embedded one does not start; says why.
    """
    if settings.postgres_dsn is not None:
        secret = settings.postgres_password
        password = secret.get_secret_value() if secret else None
        yield Database(settings.postgres_dsn, password)
        return
    # Alembic takes 0.3 s to import, which a process with a server of its own can save.
    from icu_stream.storage import embedded, migrate  # noqa: PLC0415

    async with embedded.server(settings.data_dir) as dsn:
        found = Database(dsn, is_embedded=True)
        await migrate.upgrade(found)
        yield found


@asynccontextmanager
async def pool(
    settings: Settings, *, name: str = "icu-stream", most: int = 4
) -> AsyncIterator[Any]:
    """Connections to share; take one with `async with connection(pool)`.

    It connects when a connection is wanted, so a server that is down now is no error here.

    Args:
        settings: `postgres_dsn`, `postgres_password`, and `data_dir` without them.
        name: What the server's list of connections shows.
        most: Connections at once.

    Raises:
        ConfigurationError: The address cannot be one, or no embedded server starts.
    """
    async with database(settings) as where:
        try:
            made = await asyncpg.create_pool(
                where.dsn,
                password=where.password,
                min_size=0,
                max_size=most,
                timeout=CONNECT_S,
                command_timeout=COMMAND_S,
                server_settings={"application_name": name},
            )
        except (ValueError, asyncpg.InterfaceError) as error:
            msg = f"ICU_POSTGRES_DSN: {error}"
            raise ConfigurationError(msg) from error
        try:
            yield made
        finally:
            await _close(made)


@asynccontextmanager
async def connection(pool: Any) -> AsyncIterator[Any]:
    """A connection of the pool; what the server says against it is one sentence.

    What it says against the rows (`asyncpg.DataError`, a broken constraint) passes as it is.

    Raises:
        StorageError: No answer, no room, no right: try again.
    """
    with asking():
        async with pool.acquire(timeout=CONNECT_S) as acquired:
            yield acquired


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """Turn what is the server's fault into a `StorageError`."""
    try:
        yield
    except _ROWS_AT_FAULT:
        raise
    except (
        OSError,
        TimeoutError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
    ) as error:
        if isinstance(error, ValueError):  # asyncpg's own word against an argument
            raise
        msg = f"PostgreSQL: {str(error) or 'no answer'}; see ICU_POSTGRES_DSN"
        raise StorageError(msg, retry_after_s=RETRY_S) from error


def is_of_rows(error: BaseException) -> bool:
    """Does an error speak against the rows, so that trying again is in vain?"""
    return isinstance(error, _ROWS_AT_FAULT) or (
        isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
    )


def revisions() -> list[str]:
    """The revisions of the tables that this icu-stream knows, oldest first."""
    files = resources.files("icu_stream.storage") / "migrations" / "versions"
    names = (file.name for file in files.iterdir())
    return sorted(name.split("_")[0] for name in names if name[:1].isdigit())


async def revision(connection: Any) -> str | None:
    """The revision that a database is at; None before its first."""
    if await connection.fetchval("SELECT to_regclass('icu.migrations')") is None:
        return None
    found: str | None = await connection.fetchval(
        "SELECT version_num FROM icu.migrations"
    )
    return found


def compare(found: str | None) -> None:
    """Refuse tables that are not those that this icu-stream was made for.

    Raises:
        ConfigurationError: Older or newer ones; says what to do.
    """
    known = revisions()
    if found == known[-1]:
        return
    if found is not None and found not in known:
        msg = (
            f"the database is at revision {found}, newer than this icu-stream, which "
            f"knows up to {known[-1]}: upgrade icu-stream"
        )
    else:
        msg = (
            f"the database is at revision {found or 'none'}, want {known[-1]}; run: "
            "icu-stream migrate"
        )
    raise ConfigurationError(msg)


async def require_current(pool: Any) -> None:
    """Refuse a database whose tables are not the newest.

    Raises:
        ConfigurationError: They are older or newer; says what to do.
        StorageError: It does not answer.
    """
    async with connection(pool) as asked:
        compare(await revision(asked))


async def _close(pool: Any) -> None:
    """Close every connection; one that does not end in time is cut."""
    try:
        async with asyncio.timeout(_CLOSE_S):
            await pool.close()
    except TimeoutError:
        pool.terminate()
