"""`icu-stream users`: who may sign in, and the tokens of programs, from the command line.

A password is never an argument, which every process of the machine may read: it is asked
for without echo, or comes from a file or standard input. A token is printed once.
"""

import asyncio
import datetime as dt
import secrets
import sys

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from icu_stream import clock, settings
from icu_stream.access import store, tokens
from icu_stream.access.accounts import Account, Accounts, new, taken, unknown
from icu_stream.access.roles import Role
from icu_stream.errors import ConfigurationError


app = typer.Typer(
    help="Local accounts of the ward view and the API, where ICU_ACCOUNTS says. What runs "
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
def add(
    name: _Name,
    role: _RoleOption,
    password_file: _PasswordFile = None,
    password: Annotated[
        bool,
        typer.Option(
            "--password/--no-password",
            help="Without one nobody signs in as it: another system, with tokens alone.",
        ),
    ] = True,
) -> None:
    """Make an account. A name that is taken, in whatever case, is refused."""

    async def act(accounts: Accounts) -> None:
        if await accounts.find(name) is not None:
            raise taken(name)  # before a password is thought of
        hash_ = await asyncio.to_thread(_hash if password else _none, password_file)
        await accounts.add(new(name, role, hash_, clock.now_ms()))

    _run(act)
    how = "may sign in as" if password else "may have tokens as"
    typer.echo(f"{name} {how} {role.value}")


@app.command("list")
def list_all() -> None:
    """Print every account: name, role, since when."""
    accounts = _run(lambda accounts: accounts.all())
    width = max((len(account.name) for account in accounts), default=0)
    for account in accounts:
        since = _day(account.since_ms)
        typer.echo(f"{account.name:<{width}}  {account.role.value:<11}  {since}")
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


@app.command("token")
def token(
    name: _Name,
    label: Annotated[
        str,
        typer.Option(
            help="For what: the station in every command and in the audit trail.",
            show_default=False,
        ),
    ],
    days: Annotated[
        int, typer.Option(min=1, max=tokens.LONGEST_DAYS, help="How long it is good.")
    ] = 365,
) -> None:
    """Make a token by which a program acts as this account, and print it, once."""
    secret, kept = tokens.make(label, days, clock.now_ms())
    _run(lambda accounts: accounts.keep_token(name, kept))
    typer.echo(
        f"token {kept.id} of {name} until {_day(kept.until_ms)}, shown this once:",
        err=True,
    )
    typer.echo(secret)


@app.command("tokens")
def list_tokens() -> None:
    """Print every token: id, until when, whose, for what."""
    rows = [
        f"{token.id}  {_day(token.until_ms)}  {account.name}  {token.label}"
        for account in _run(lambda accounts: accounts.all())
        for token in account.tokens
    ]
    typer.echo("\n".join(rows) or "no tokens: icu-stream users token NAME --label FOR")


@app.command("revoke")
def revoke(
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="As icu-stream users tokens says.")
    ],
) -> None:
    """End a token."""
    owner: Account = _run(lambda accounts: accounts.drop_token(id_))
    typer.echo(f"token {id_} of {owner.name} is no longer good")


def _day(at_ms: int) -> str:
    return f"{dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC):%Y-%m-%d}"


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


def _none(_file: Path | None) -> str:
    """Of a password that nobody knows."""
    from icu_stream.access import passwords  # noqa: PLC0415

    return passwords.hashed(secrets.token_urlsafe(32))


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
