"""Local accounts in PostgreSQL: one table, for several machines that share their people.

The statements of `migrations/` make what is not there yet, once, one process at a time.
"""

import asyncio

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec

from icu_stream.access.accounts import (
    Account,
    key,
    stamp,
    taken,
    unknown,
    unknown_token,
)
from icu_stream.access.roles import Role
from icu_stream.access.tokens import Token
from icu_stream.errors import ConfigurationError


_TIMEOUT_S = 5.0
_MOST_CONNECTIONS = 2
# Any number that nothing else on this database uses: "icu accounts" as ASCII, cut.
_LOCK = 0x69637561
# An account with its tokens, as one row.
_ACCOUNTS = (
    "SELECT *, (SELECT json_agg(t ORDER BY t.since_ms) FROM icu_tokens t "
    "WHERE t.key = a.key)::text AS tokens FROM icu_accounts a"
)
_TOKENS = msgspec.json.Decoder(tuple[Token, ...])


class PostgresAccounts:
    """Accounts in a database.

    Args:
        url: `postgresql://user@host:port/database`, without a password.
        password: Of the database's user; None leaves it to libpq's own ways.
    """

    def __init__(self, url: str, password: str | None) -> None:
        self._url = url
        self._password = password
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    async def all(self) -> Sequence[Account]:
        """Every account, by name."""
        async with self._connection() as connection:
            rows = await connection.fetch(f"{_ACCOUNTS} ORDER BY key")
        return [_account(row) for row in rows]

    async def find(self, name: str) -> Account | None:
        """The account of a name, whatever its case."""
        async with self._connection() as connection:
            return await _found(connection, key(name))

    async def add(self, account: Account) -> None:
        """Keep a new account."""
        async with self._connection() as connection:
            try:
                await connection.execute(
                    "INSERT INTO icu_accounts (key, name, role, hash, stamp, since_ms) "
                    "VALUES ($1, $2, $3, $4, $5, $6)",
                    key(account.name),
                    account.name,
                    account.role.value,
                    account.hash,
                    account.stamp,
                    account.since_ms,
                )
            except asyncpg.UniqueViolationError:
                raise taken(account.name) from None

    async def change(
        self, name: str, *, role: Role | None = None, hash_: str | None = None
    ) -> Account:
        """Give an account another role, or another password and stamp."""
        async with self._connection() as connection:
            row = await connection.fetchrow(
                "UPDATE icu_accounts SET role = coalesce($2, role), "
                "hash = coalesce($3, hash), stamp = coalesce($4, stamp) "
                "WHERE key = $1 RETURNING key",
                key(name),
                role.value if role else None,
                hash_,
                stamp() if hash_ else None,
            )
            found = None if row is None else await _found(connection, row["key"])
        if found is None:
            raise unknown(name)
        return found

    async def remove(self, name: str) -> Account:
        """Forget an account."""
        async with self._connection() as connection, connection.transaction():
            found = await _found(connection, key(name))
            if found is None:
                raise unknown(name)
            await connection.execute(
                "DELETE FROM icu_accounts WHERE key = $1", key(name)
            )
        return found

    async def keep_token(self, name: str, token: Token) -> Account:
        """Give an account one more token."""
        async with self._connection() as connection:
            try:
                await connection.execute(
                    "INSERT INTO icu_tokens (id, key, digest, label, since_ms, until_ms) "
                    "VALUES ($1, $2, $3, $4, $5, $6)",
                    token.id,
                    key(name),
                    token.digest,
                    token.label,
                    token.since_ms,
                    token.until_ms,
                )
            except asyncpg.ForeignKeyViolationError:
                raise unknown(name) from None
            found = await _found(connection, key(name))
        if found is None:
            raise unknown(name)
        return found

    async def drop_token(self, id_: str) -> Account:
        """Forget a token."""
        async with self._connection() as connection:
            owner = await connection.fetchval(
                "DELETE FROM icu_tokens WHERE id = $1 RETURNING key", id_
            )
            found = None if owner is None else await _found(connection, owner)
        if found is None:
            raise unknown_token(id_)
        return found

    async def close(self) -> None:
        """Close every connection."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """A connection; what the database says against it is one sentence."""
        try:
            async with self._opening:
                if self._pool is None:
                    self._pool = await self._opened()
            async with self._pool.acquire(timeout=_TIMEOUT_S) as connection:
                yield connection
        except (
            OSError,
            TimeoutError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
        ) as error:
            msg = (
                f"accounts in {_place(self._url)}: {str(error) or 'no answer'}; see "
                "ICU_ACCOUNTS and ICU_ACCOUNTS_PASSWORD"
            )
            raise ConfigurationError(msg) from error

    async def _opened(self) -> asyncpg.Pool:
        pool = await asyncpg.create_pool(
            self._url,
            password=self._password,
            min_size=0,
            max_size=_MOST_CONNECTIONS,
            timeout=_TIMEOUT_S,
            command_timeout=_TIMEOUT_S,
            server_settings={"application_name": "icu-stream accounts"},
        )
        try:
            async with pool.acquire() as connection, connection.transaction():
                await _migrate(connection)
        except BaseException:
            await pool.close()
            raise
        return pool


async def _migrate(connection: Any) -> None:
    """Run the statements that this database has not seen."""
    is_there = await connection.fetchval("SELECT to_regclass('icu_migrations')")
    done: set[str] = set()
    if is_there is not None:
        rows = await connection.fetch("SELECT name FROM icu_migrations")
        done = {row["name"] for row in rows}
    files = resources.files("icu_stream.access") / "migrations"
    wanted = sorted(f.name for f in files.iterdir() if f.name.endswith(".sql"))
    if done.issuperset(wanted):
        return  # what may only read and write rows may run this, too
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS icu_migrations "
        "(name text PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())"
    )
    for name in wanted:
        new = await connection.fetchval(
            "INSERT INTO icu_migrations (name) VALUES ($1) "
            "ON CONFLICT DO NOTHING RETURNING name",
            name,
        )
        if new is not None:
            await connection.execute((files / name).read_text())


async def _found(connection: Any, key_: str) -> Account | None:
    row = await connection.fetchrow(f"{_ACCOUNTS} WHERE a.key = $1", key_)
    return None if row is None else _account(row)


def _account(row: Any) -> Account:
    return Account(
        row["name"],
        Role(row["role"]),
        row["hash"],
        row["stamp"],
        row["since_ms"],
        _TOKENS.decode(row["tokens"] or "[]"),
    )


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"PostgreSQL at {parts.hostname or 'this host'}{parts.path}"
