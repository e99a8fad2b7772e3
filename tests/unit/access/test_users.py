"""`icu-stream users` as an administrator and a script meet it."""

import asyncio
import os
import pty
import subprocess
import sys

from collections.abc import Iterator
from pathlib import Path

import pytest

from typer.testing import CliRunner

from icu_stream import settings
from icu_stream.access import store, tokens
from icu_stream.access.accounts import Account
from icu_stream.access.passwords import Passwords
from icu_stream.access.users import app
from icu_stream.errors import ConfigurationError


WORDS = "correct horse battery"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Accounts of this test alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ICU_DATA_DIR", str(tmp_path))
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()


def run(*arguments: str, typed: str = "") -> str:
    """What a command says; what it raises, the main program prints."""
    result = CliRunner().invoke(
        app, arguments, input=typed, catch_exceptions=False, standalone_mode=False
    )
    return result.output


def add(name: str = "RN Okafor", password: str = WORDS) -> str:
    return run(
        "add", name, "--role", "nurse", "--password-file", "-", typed=password + "\n"
    )


def found(name: str) -> Account | None:
    return asyncio.run(store.accounts(settings.load()).find(name))


def fits(name: str, password: str) -> bool:
    account = found(name)
    return asyncio.run(Passwords().fits(password, account.hash if account else None))


def test_an_account_is_made_listed_changed_and_removed(tmp_path: Path):
    (tmp_path / "secret").write_text("another horse battery\nnot this line\n")

    assert add() == "RN Okafor may sign in as nurse\n"
    assert run("list").split() == ["RN", "Okafor", "nurse", run("list").split()[-1]]
    assert run("set-role", "rn okafor", "--role", "charge") == "RN Okafor is charge\n"
    file = ["--password-file", "secret"]
    assert "their sessions end" in run("set-password", "rn okafor", *file)
    assert fits("RN Okafor", "another horse battery")
    assert not fits("RN Okafor", WORDS)
    assert run("remove", "RN Okafor") == "RN Okafor may no longer sign in\n"
    assert found("RN Okafor") is None


def test_a_name_that_is_taken_is_refused_before_a_password_is_asked_for():
    add()

    with pytest.raises(ConfigurationError, match="there is an account"):
        run("add", "rn okafor", "--role", "charge")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["add", "x", "--role", "nurse"], "give it with --password-file"),
        (["add", "x", "--role", "nurse", "--password-file", "none"], "No such file"),
        (["set-role", "nobody", "--role", "nurse"], "users list"),
        (["set-password", "nobody"], "users list"),
        (["remove", "nobody"], "users list"),
    ],
)
def test_what_cannot_be_done_says_what_to_do(arguments: list[str], why: str):
    with pytest.raises(ConfigurationError, match=why):
        run(*arguments)


def test_a_short_password_is_refused_and_nobody_is_made():
    with pytest.raises(ConfigurationError, match="want 12 to 256"):
        add(password="short")

    assert found("RN Okafor") is None


def test_a_password_is_asked_for_twice_and_not_shown():
    terminal, its_end = pty.openpty()
    command = ["add", "RN Okafor", "--role", "nurse"]
    with subprocess.Popen(
        [sys.executable, "-m", "icu_stream", "users", *command],
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        start_new_session=True,
    ):
        os.close(its_end)
        shown = b""
        for prompt in (b"Password: ", b"Repeat for confirmation: "):
            while not shown.endswith(prompt):
                shown += os.read(terminal, 1024)
            os.write(terminal, WORDS.encode() + b"\n")
        while b"may sign in" not in shown:
            shown += os.read(terminal, 1024)
    os.close(terminal)

    assert WORDS.encode() not in shown
    assert fits("RN Okafor", WORDS)


def token(name: str, label: str = "EHR interface") -> str:
    """A new token, as it is shown once."""
    return run("token", name, "--label", label).splitlines()[-1]


def test_another_system_has_tokens_and_no_password(tmp_path: Path):
    run("add", "EHR", "--role", "integration", "--no-password")

    secret = token("EHR")
    kept = found("EHR")

    assert kept is not None
    [one] = kept.tokens
    assert (secret.startswith("icu_"), len(secret)) == (True, 47)
    assert one.digest == tokens.digest(secret)
    assert secret not in (tmp_path / store.FILE).read_text()
    assert run("tokens").split() == [one.id, *run("tokens").split()[1:]]
    assert "EHR interface" in run("tokens")
    assert not fits("EHR", "")


def test_a_token_is_revoked_by_its_id():
    add()
    first, second = token("RN Okafor", "one"), token("RN Okafor", "two")
    [one, two] = found("RN Okafor").tokens

    said = run("revoke", one.id)

    assert said == f"token {one.id} of RN Okafor is no longer good\n"
    assert [kept.id for kept in found("RN Okafor").tokens] == [two.id]
    assert first != second
    with pytest.raises(ConfigurationError, match="users tokens"):
        run("revoke", one.id)


def test_a_token_wants_an_account_and_a_label_that_can_be_printed():
    with pytest.raises(ConfigurationError, match="users list"):
        token("nobody")
    add()
    with pytest.raises(ConfigurationError, match="label"):
        token("RN Okafor", "line\nbreak")
