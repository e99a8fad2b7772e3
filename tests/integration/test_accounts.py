"""Accounts in a real PostgreSQL, shared by command line and ward view."""

import asyncio
import os
import subprocess
import sys

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from icu_stream.access import accounts, passwords, store, tokens
from icu_stream.access.accounts import Account, Accounts
from icu_stream.access.door import Door, Refused, SignedIn, Why
from icu_stream.access.ledger import Ledger
from icu_stream.access.roles import Role
from icu_stream.access.sessions import Sessions
from icu_stream.errors import ConfigurationError
from icu_stream.settings import Settings
from tests import postgres
from tests.conftest import unavailable
from tests.postgres import Postgres


WORDS = "correct horse battery"


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    """One server for all tests here, which leave it running."""
    found = postgres.binaries()
    if found is None:
        unavailable(
            "PostgreSQL not found: install it (Debian: apt-get install postgresql)"
        )
    with Postgres(found) as running:
        yield running


def settings(database: Postgres, tmp_path: Path, **more: object) -> Settings:
    fields: dict[str, object] = {
        "accounts": database.url,
        "accounts_password": postgres.PASSWORD,
        "data_dir": tmp_path,
        "broker": "127.0.0.1:9",  # the discard port
    }
    return Settings(_env_file=None, **(fields | more))


@pytest_asyncio.fixture
async def kept(database: Postgres, tmp_path: Path) -> AsyncIterator[Accounts]:
    """The store, empty."""
    opened = store.accounts(settings(database, tmp_path))
    for account in await opened.all():
        await opened.remove(account.name)
    yield opened
    await opened.close()


def okafor(name: str = "RN Okafor") -> Account:
    return accounts.new(name, Role.NURSE, passwords.hashed(WORDS), 1_795_492_540_000)


async def test_accounts_are_kept_changed_and_removed(kept: Accounts):
    account = okafor()

    await kept.add(account)
    found = await kept.find("rn OKAFOR")
    charge = await kept.change("rn okafor", role=Role.CHARGE)
    other = await kept.change("rn okafor", hash_=passwords.hashed(WORDS * 2))
    removed = await kept.remove("RN Okafor")

    assert found == account
    assert (charge.role, charge.stamp) == (Role.CHARGE, account.stamp)
    assert other.stamp != account.stamp
    assert removed.name == "RN Okafor"
    assert await kept.all() == []


async def test_a_name_is_there_once_whatever_its_case(kept: Accounts):
    await kept.add(okafor())

    with pytest.raises(ConfigurationError, match="there is an account 'rn okafor'"):
        await kept.add(okafor("rn okafor"))
    with pytest.raises(ConfigurationError, match="users list"):
        await kept.change("nobody", role=Role.NURSE)
    with pytest.raises(ConfigurationError, match="users list"):
        await kept.remove("nobody")


async def test_processes_that_start_at_once_make_the_tables_once(
    kept: Accounts, database: Postgres, tmp_path: Path
):
    connection = await asyncpg.connect(database.url, password=postgres.PASSWORD)
    await connection.execute("DROP TABLE icu_tokens, icu_accounts, icu_migrations")
    stores = [store.accounts(settings(database, tmp_path)) for _ in range(4)]

    await asyncio.gather(*(s.add(okafor(f"n{n}")) for n, s in enumerate(stores)))
    names = [account.name for account in await stores[0].all()]
    applied = await connection.fetch("SELECT name FROM icu_migrations")

    for opened in stores:
        await opened.close()
    await connection.close()
    assert names == ["n0", "n1", "n2", "n3"]
    assert [row["name"] for row in applied] == [
        "0001_accounts.sql",
        "0002_tokens.sql",
    ]


async def test_who_may_only_read_reads_and_what_it_may_not_is_one_sentence(
    kept: Accounts, database: Postgres, tmp_path: Path
):
    await kept.add(okafor())
    connection = await asyncpg.connect(database.url, password=postgres.PASSWORD)
    await connection.execute(
        "CREATE ROLE reader LOGIN PASSWORD 'r'; "
        "GRANT SELECT ON icu_accounts, icu_tokens, icu_migrations TO reader"
    )
    url = database.url.replace(postgres.USER, "reader")
    reading = store.accounts(
        settings(database, tmp_path, accounts=url, accounts_password="r")
    )

    found = await reading.find("RN Okafor")
    with pytest.raises(ConfigurationError, match="permission denied") as caught:
        await reading.add(okafor("x"))

    await reading.close()
    await connection.execute("DROP OWNED BY reader; DROP ROLE reader")
    await connection.close()
    assert found is not None
    assert "ICU_ACCOUNTS" in str(caught.value)


async def test_a_wrong_password_and_no_server_are_told_without_the_password(
    database: Postgres, tmp_path: Path
):
    wrong = settings(database, tmp_path, accounts_password="not the password")
    nowhere = settings(
        database, tmp_path, accounts="postgresql://icu@127.0.0.1:9/postgres"
    )
    said = []
    for chosen in (wrong, nowhere):
        opened = store.accounts(chosen)
        with pytest.raises(ConfigurationError) as caught:
            await opened.all()
        await opened.close()
        said.append(str(caught.value))

    assert "authentication failed" in said[0]
    assert "see ICU_ACCOUNTS and ICU_ACCOUNTS_PASSWORD" in said[1]
    assert "not the password" not in "".join(said)


async def test_a_database_that_goes_and_comes_signs_nobody_out(
    kept: Accounts, database: Postgres, tmp_path: Path
):
    chosen = settings(database, tmp_path)
    sessions = Sessions(tmp_path / "sessions.json")
    door = Door(chosen, sessions, Ledger(chosen), "")
    await kept.add(okafor())
    signed_in = await door.by_password("RN Okafor", WORDS, "10.0.0.1", "desk")
    assert isinstance(signed_in, SignedIn)
    watch = asyncio.create_task(door.watch())

    database.stop()
    gone = await door.by_password("RN Okafor", WORDS, "10.0.0.1", "desk")
    still = sessions.find(signed_in.cookie)
    database.start()  # not in a thread: it would end with that
    back = await door.by_password("RN Okafor", WORDS, "10.0.0.1", "desk")

    watch.cancel()
    await door.close()
    assert isinstance(gone, Refused)
    assert gone.why is Why.STORE
    assert still is not None
    assert isinstance(back, SignedIn)


def test_the_command_line_makes_an_account_with_a_secret_from_a_file(
    database: Postgres, tmp_path: Path
):
    (tmp_path / "icu_accounts_password").write_text(postgres.PASSWORD)
    (tmp_path / "password").write_text(WORDS + "\n")
    environment = os.environ | {
        "ICU_ACCOUNTS": database.url,
        "ICU_SECRETS_DIR": str(tmp_path),
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "icu_stream", "users", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    file = ["--password-file", str(tmp_path / "password")]
    made = run("add", "Dr Weiss", "--role", "physician", *file)
    listed = run("list")

    assert made.returncode == 0, made.stderr
    assert made.stdout == "Dr Weiss may sign in as physician\n"
    assert "Dr Weiss" in listed.stdout
    assert WORDS not in "".join([made.stdout, made.stderr, listed.stdout])


async def test_tokens_are_kept_with_their_account_and_go_with_it(
    kept: Accounts, database: Postgres
):
    await kept.add(okafor())
    [(_, one), (_, two)] = [tokens.make(label, 1, 1_000) for label in ("one", "two")]

    await kept.keep_token("rn okafor", one)
    await kept.keep_token("RN Okafor", two)
    changed = await kept.change("RN Okafor", role=Role.CHARGE)
    dropped = await kept.drop_token(one.id)

    assert {token.id for token in changed.tokens} == {one.id, two.id}
    assert (await kept.all())[0].tokens == dropped.tokens == (two,)
    with pytest.raises(ConfigurationError, match="users tokens"):
        await kept.drop_token(one.id)
    with pytest.raises(ConfigurationError, match="users list"):
        await kept.keep_token("nobody", one)
    await kept.remove("RN Okafor")
    connection = await asyncpg.connect(database.url, password=postgres.PASSWORD)
    left = await connection.fetchval("SELECT count(*) FROM icu_tokens")
    await connection.close()
    assert left == 0


async def test_another_system_has_a_role_of_its_own(kept: Accounts):
    await kept.add(accounts.new("EHR", Role.INTEGRATION, passwords.hashed(WORDS), 0))

    found = await kept.find("ehr")

    assert found is not None
    assert found.role is Role.INTEGRATION
