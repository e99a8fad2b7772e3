"""`icu-stream users`: who may sign in with a password, from the command line.

A password is never an argument, which every process of the machine may read: it is asked
for without echo, or comes from a file or standard input.
"""

import asyncio
import datetime as dt
import sys

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from icu_stream import clock, settings
from icu_stream.access import store
from icu_stream.access.accounts import Account, Accounts, new, taken, unknown
from icu_stream.access.roles import Role
from icu_stream.errors import ConfigurationError


app = typer.Typer(
    help="Local accounts of the ward view, where ICU_ACCOUNTS says. A running ward view "
    "heeds each change within 2 s.",
    no_args_is_help=True,
)

_T = TypeVar("_T")
_Name = Annotated[str, typer.Argument(help="As it stands in every command.")]
_RoleOption = Annotated[
    Role, typer.Option(help="What the person may do: docs/ward.md.", show_default=False)
]
_PasswordFile = Annotated[
    Path | None,
    typer.Option(
        allow_dash=True,
        help="File whose first line is the password; - reads standard input. "
        "Default: it is asked for.",
        show_default=False,
    ),
]
_LONGEST_FILE = 4_096


@app.command("add")
def add(name: _Name, role: _RoleOption, password_file: _PasswordFile = None) -> None:
    """Make an account. A name that is taken, in whatever case, is refused."""

    async def act(accounts: Accounts) -> None:
        if await accounts.find(name) is not None:
            raise taken(name)  # before a password is thought of
        hash_ = await asyncio.to_thread(_hash, password_file)
        await accounts.add(new(name, role, hash_, clock.now_ms()))

    _run(act)
    typer.echo(f"{name} may sign in as {role.value}")


@app.command("list")
def list_all() -> None:
    """Print every account: name, role, since when."""
    accounts = _run(lambda accounts: accounts.all())
    width = max((len(account.name) for account in accounts), default=0)
    for account in accounts:
        since = dt.datetime.fromtimestamp(account.since_ms / 1000, dt.UTC)
        typer.echo(
            f"{account.name:<{width}}  {account.role.value:<9}  {since:%Y-%m-%d}"
        )
    if not accounts:
        typer.echo("no accounts: icu-stream users add NAME --role nurse", err=True)


@app.command("remove")
def remove(name: _Name) -> None:
    """Remove an account; its sessions end."""
    gone: Account = _run(lambda accounts: accounts.remove(name))
    typer.echo(f"{gone.name} may no longer sign in")


@app.command("set-role")
def set_role(name: _Name, role: _RoleOption) -> None:
    """Give an account another role; who is signed in has it at once."""
    changed: Account = _run(lambda accounts: accounts.change(name, role=role))
    typer.echo(f"{changed.name} is {changed.role.value}")


@app.command("set-password")
def set_password(name: _Name, password_file: _PasswordFile = None) -> None:
    """Give an account another password; its sessions end."""

    async def act(accounts: Accounts) -> Account:
        if await accounts.find(name) is None:
            raise unknown(name)
        hash_ = await asyncio.to_thread(_hash, password_file)
        return await accounts.change(name, hash_=hash_)

    typer.echo(f"{_run(act).name} has another password; their sessions end")


def _run(act: Callable[[Accounts], Awaitable[_T]]) -> _T:
    async def run() -> _T:
        accounts = store.accounts(settings.load())
        try:
            return await act(accounts)
        finally:
            await accounts.close()

    return asyncio.run(run())


def _hash(file: Path | None) -> str:
    # argon2 takes 0.1 s to import, which no other command should wait for.
    from icu_stream.access import passwords  # noqa: PLC0415

    return passwords.hashed(_asked() if file is None else _read(file))


def _asked() -> str:
    if not sys.stdin.isatty():
        msg = "no terminal to ask for a password at: give it with --password-file, or -"
        raise ConfigurationError(msg)
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _read(file: Path) -> str:
    """The first line of a file, or of standard input."""
    if str(file) == "-":
        return sys.stdin.readline(_LONGEST_FILE).rstrip("\r\n")
    try:
        with file.open(encoding="utf-8") as text:
            return text.readline(_LONGEST_FILE).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        msg = f"password file {file}: {why}"
        raise ConfigurationError(msg) from None
