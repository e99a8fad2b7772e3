"""Local accounts: who may sign in here with a password, in a file of this machine.

A line of the file is one account, as JSON. It is written anew as a whole and put in the
place of the old one, so that a reader sees the one or the other; it is read again when it
has changed. It must be its owner's alone (mode 0600), else nobody signs in by it.
"""

import asyncio
import fcntl
import os
import re
import secrets
import stat
import tempfile

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from icu_stream.access.roles import Role
from icu_stream.access.tokens import Token
from icu_stream.errors import ConfigurationError


# As in every command and log: printable, of one alphabet, no white space at the ends, so
# that no two names look the same.
_NAME = re.compile(r"[!-~]([ -~]{0,62}[!-~])?")
_MODE = 0o600


class Account(msgspec.Struct, frozen=True):
    """One person.

    Attributes:
        name: Identity, as in every command.
        role: What that person may do.
        hash: Of the password, argon2id.
        stamp: Changes with the password: sessions of another stamp are over.
        since_ms: When the account was made, epoch ms.
        tokens: Of programs that act in this name.
    """

    name: str
    role: Role
    hash: str
    stamp: str
    since_ms: int
    tokens: tuple[Token, ...] = ()

    def __repr__(self) -> str:
        return f"Account({self.name!r}, {self.role.value})"


class Accounts(Protocol):
    """A store of accounts. Names differ in more than case."""

    async def all(self) -> Sequence[Account]:
        """Every account, by name."""

    async def find(self, name: str) -> Account | None:
        """The account of a name, whatever its case."""

    async def add(self, account: Account) -> None:
        """Keep a new one; refuses a name that is taken."""

    async def change(
        self, name: str, *, role: Role | None = None, hash_: str | None = None
    ) -> Account:
        """Give an account another role, or another password and stamp."""

    async def remove(self, name: str) -> Account:
        """Forget an account; its sessions are over."""

    async def keep_token(self, name: str, token: Token) -> Account:
        """Give an account one more token."""

    async def drop_token(self, id_: str) -> Account:
        """Forget a token; whose it was."""

    async def close(self) -> None:
        """Let go of what was opened."""


def key(name: str) -> str:
    """What two names must differ in."""
    return name.casefold()


def new(name: str, role: Role, hash_: str, now_ms: int) -> Account:
    """An account for a person.

    Raises:
        ConfigurationError: The name cannot be one.
    """
    if not _NAME.fullmatch(name):
        msg = (
            f"{name!r} cannot be a name: want 1 to 64 letters, digits, signs or inner "
            "spaces of ASCII"
        )
        raise ConfigurationError(msg)
    return Account(name, role, hash_, stamp(), now_ms)


def stamp() -> str:
    """A mark that no other password has."""
    return secrets.token_hex(8)


def taken(name: str) -> ConfigurationError:
    """What is said of a name that is there."""
    return ConfigurationError(
        f"there is an account {name!r}: see icu-stream users set-role and set-password"
    )


def unknown(name: str) -> ConfigurationError:
    """What is said of a name that is not there."""
    return ConfigurationError(
        f"there is no account {name!r}: see icu-stream users list"
    )


def unknown_token(id_: str) -> ConfigurationError:
    """What is said of a token that is not there."""
    return ConfigurationError(f"there is no token {id_!r}: see icu-stream users tokens")


class FileAccounts:
    """Accounts in a file of this machine.

    Args:
        path: Of the file; it is made by the first account.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._known: dict[str, Account] = {}

    async def all(self) -> Sequence[Account]:
        """Every account, by name.

        Raises:
            ConfigurationError: The file cannot be read, or others may read it.
        """
        return sorted(self._read().values(), key=lambda account: key(account.name))

    async def find(self, name: str) -> Account | None:
        """The account of a name, whatever its case."""
        return self._read().get(key(name))

    async def add(self, account: Account) -> None:
        """Keep a new account."""

        def change(known: dict[str, Account]) -> Account:
            if key(account.name) in known:
                raise taken(account.name)
            return known.setdefault(key(account.name), account)

        await asyncio.to_thread(self._change, change)

    async def change(
        self, name: str, *, role: Role | None = None, hash_: str | None = None
    ) -> Account:
        """Give an account another role, or another password and stamp."""

        def change(known: dict[str, Account]) -> Account:
            if (old := known.get(key(name))) is None:
                raise unknown(name)
            new = msgspec.structs.replace(
                old,
                role=role or old.role,
                hash=hash_ or old.hash,
                stamp=stamp() if hash_ else old.stamp,
            )
            known[key(name)] = new
            return new

        return await asyncio.to_thread(self._change, change)

    async def remove(self, name: str) -> Account:
        """Forget an account."""

        def change(known: dict[str, Account]) -> Account:
            if (old := known.pop(key(name), None)) is None:
                raise unknown(name)
            return old

        return await asyncio.to_thread(self._change, change)

    async def keep_token(self, name: str, token: Token) -> Account:
        """Give an account one more token."""

        def change(known: dict[str, Account]) -> Account:
            if (old := known.get(key(name))) is None:
                raise unknown(name)
            return _with_tokens(known, old, (*old.tokens, token))

        return await asyncio.to_thread(self._change, change)

    async def drop_token(self, id_: str) -> Account:
        """Forget a token."""

        def change(known: dict[str, Account]) -> Account:
            for old in known.values():
                kept = tuple(token for token in old.tokens if token.id != id_)
                if len(kept) < len(old.tokens):
                    return _with_tokens(known, old, kept)
            raise unknown_token(id_)

        return await asyncio.to_thread(self._change, change)

    async def close(self) -> None:
        """Nothing is kept open."""

    def _read(self) -> dict[str, Account]:
        """What is in the file; read again only when it is another one."""
        try:
            with self._path.open("rb") as file:
                about = os.fstat(file.fileno())
                self._require_own(about)
                seen = (about.st_ino, about.st_size, about.st_mtime_ns)
                if seen != self._seen:
                    lines = file.read().splitlines()
                    found = [msgspec.json.decode(line, type=Account) for line in lines]
                    self._known = {key(account.name): account for account in found}
                    self._seen = seen
        except FileNotFoundError:
            self._known, self._seen = {}, None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            # Not the error of a line, which may show what is in it.
            why = error.strerror if isinstance(error, OSError) else "a line is damaged"
            msg = f"accounts in {self._path}: {why}; see ICU_ACCOUNTS"
            raise ConfigurationError(msg) from None
        return self._known

    def _require_own(self, about: os.stat_result) -> None:
        mode = stat.S_IMODE(about.st_mode)
        if mode & 0o077 or about.st_uid not in {os.geteuid(), 0}:
            msg = (
                f"accounts in {self._path}: others may read or change it (mode "
                f"{mode:04o}): make it its owner's alone, chmod 600 and chown"
            )
            raise ConfigurationError(msg)

    def _change(self, change: Callable[[dict[str, Account]], Account]) -> Account:
        """Change what is in the file while nobody else does."""
        with self._locked():
            known = dict(self._read())
            changed = change(known)
            self._write(known)
        return changed

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Beside the file: that is another one after each change.
            lock = self._path.with_name(self._path.name + ".lock")
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, _MODE)
        except OSError as error:
            msg = f"accounts in {self._path}: {error.strerror}; see ICU_ACCOUNTS"
            raise ConfigurationError(msg) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, known: dict[str, Account]) -> None:
        rows = b"".join(
            msgspec.json.encode(account) + b"\n" for account in known.values()
        )
        part = ""
        try:
            # Mode 0600 from the first byte on.
            descriptor, part = tempfile.mkstemp(dir=self._path.parent)
            with os.fdopen(descriptor, "wb") as file:
                file.write(rows)
                file.flush()
                os.fsync(file.fileno())
            Path(part).replace(self._path)
        except OSError as error:
            if part:
                Path(part).unlink(missing_ok=True)
            msg = f"accounts in {self._path}: {error.strerror}; see ICU_ACCOUNTS"
            raise ConfigurationError(msg) from error


def _with_tokens(
    known: dict[str, Account], old: Account, tokens: tuple[Token, ...]
) -> Account:
    new = known[key(old.name)] = msgspec.structs.replace(old, tokens=tokens)
    return new
