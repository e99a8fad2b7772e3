"""Accounts in a file: its owner's alone, changed as a whole, read again when it changes."""

import asyncio
import os

from pathlib import Path

import pytest

from icu_stream.access import accounts, passwords
from icu_stream.access.accounts import FileAccounts
from icu_stream.access.roles import Role
from icu_stream.errors import ConfigurationError


def okafor(name: str = "RN Okafor") -> accounts.Account:
    return accounts.new(name, Role.NURSE, "$argon2id$hash", 1_795_492_540_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "own" / "accounts.jsonl"


async def test_without_a_file_there_is_nobody(path: Path):
    assert await FileAccounts(path).all() == []


async def test_an_account_is_found_whatever_the_case_of_its_name(path: Path):
    await FileAccounts(path).add(okafor())

    found = await FileAccounts(path).find("rn OKAFOR")

    assert found is not None
    assert found.name == "RN Okafor"


async def test_a_name_is_there_once_whatever_its_case(path: Path):
    store = FileAccounts(path)
    await store.add(okafor())

    with pytest.raises(ConfigurationError, match="there is an account 'rn okafor'"):
        await store.add(okafor("rn okafor"))


@pytest.mark.parametrize("name", ["", " x", "x ", "a\nb", "Zoë", "x" * 65])
def test_what_would_look_like_another_is_no_name(name: str):
    with pytest.raises(ConfigurationError, match="cannot be a name"):
        okafor(name)


async def test_a_process_that_reads_sees_what_another_has_changed(path: Path):
    reader, writer = FileAccounts(path), FileAccounts(path)
    await writer.add(okafor())
    before = await reader.find("RN Okafor")

    await writer.change("rn okafor", role=Role.CHARGE)
    role = await reader.find("RN Okafor")
    await writer.change("rn okafor", hash_="$argon2id$other")
    password = await reader.find("RN Okafor")
    await writer.remove("RN Okafor")

    assert before is not None
    assert role is not None
    assert password is not None
    assert (role.role, role.stamp) == (Role.CHARGE, before.stamp)
    assert password.stamp != before.stamp
    assert await reader.find("RN Okafor") is None


async def test_who_is_not_there_cannot_be_changed(path: Path):
    store = FileAccounts(path)

    with pytest.raises(ConfigurationError, match="users list"):
        await store.change("nobody", role=Role.NURSE)
    with pytest.raises(ConfigurationError, match="users list"):
        await store.remove("nobody")


async def test_changes_at_once_are_all_kept(path: Path):
    stores = [FileAccounts(path) for _ in range(8)]

    await asyncio.gather(
        *(store.add(okafor(f"n{n}")) for n, store in enumerate(stores))
    )

    assert [a.name for a in await FileAccounts(path).all()] == [
        f"n{n}" for n in range(8)
    ]


def test_the_file_is_its_owners_alone_and_holds_no_password(path: Path):
    hash_ = passwords.hashed("correct horse battery")
    asyncio.run(FileAccounts(path).add(accounts.new("x", Role.NURSE, hash_, 0)))

    assert path.stat().st_mode & 0o777 == 0o600
    assert "correct" not in path.read_text()
    assert "$argon2id$" in path.read_text()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
async def test_a_file_that_others_can_open_lets_nobody_in(path: Path, mode: int):
    store = FileAccounts(path)
    await store.add(okafor())
    await asyncio.to_thread(path.chmod, mode)

    with pytest.raises(ConfigurationError, match="chmod 600"):
        await store.find("RN Okafor")
    with pytest.raises(ConfigurationError, match="chmod 600"):
        await store.add(okafor("x"))


async def test_a_damaged_line_is_named_and_not_shown(path: Path):
    store = FileAccounts(path)
    await store.add(okafor())
    with path.open("a") as file:
        file.write('{"name": "secret-part\n')

    with pytest.raises(ConfigurationError, match="a line is damaged") as caught:
        await store.find("RN Okafor")

    assert "secret-part" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_change_that_fails_leaves_the_old_file_and_no_other(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = FileAccounts(path)
    await store.add(okafor())

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="No space left"):
        await store.add(okafor("x"))

    assert [account.name for account in await store.all()] == ["RN Okafor"]
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "accounts.jsonl",
        "accounts.jsonl.lock",
    ]


def test_an_account_is_never_shown_with_its_hash():
    assert "hash" not in repr(okafor())
