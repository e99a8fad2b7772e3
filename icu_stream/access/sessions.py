"""Sessions: who is signed in, at which screen, and until when.

A cookie is 256 random bits; the file holds their digests alone, so that whoever reads it
signs nobody in. It outlives a restart: a screen on the ward comes back by itself.

=========  ==============================================================================
kind       is over
=========  ==============================================================================
person     after 15 min without an act of that person (frames, polls and callbacks are
           none), after 12 h, when another password was set, or the account was removed
station    after 30 days, or when it is signed out: a screen on the wall stays visible
=========  ==============================================================================
"""

import hashlib
import hmac
import os
import secrets

from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path

import msgspec

from icu_stream import clock
from icu_stream.access.accounts import Account, key
from icu_stream.access.roles import Person, Role
from icu_stream.errors import ConfigurationError
from icu_stream.observability import log


IDLE_S = 15 * 60  # UI, roles
PERSON_S = 12 * 3600  # ours: one shift
STATION_S = 30 * 86_400  # ours: a month on the wall, then somebody looks at it
# Ours: screens that one person is signed in at, and sessions of all; the longest idle goes.
MOST_OF_ONE = 8
MOST = 2_000
_SAVED_S = 10  # an act is written to the file so often at most
_SPENT = 1_000


class Kind(StrEnum):
    """Whose a session is."""

    PERSON = "person"
    STATION = "station"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One signed-in browser.

    Attributes:
        by: Identity, as in every command; empty where nobody in particular looks.
        role: What that person may do.
        kind: Whose it is.
        how: password, link, or the issuer of an identity.
        station: From where: the name of the screen, else its address.
        since_ms: When it began, epoch ms.
        acted_ms: The person's last act, epoch ms.
        until_ms: When it ends whatever is done, epoch ms.
        idle_ms: So long without an act ends it; 0: never.
        stamp: Of the local account's password; empty where there is no account.
    """

    by: str
    role: Role
    kind: Kind
    how: str
    station: str
    since_ms: int
    acted_ms: int
    until_ms: int
    idle_ms: int
    stamp: str = ""

    @property
    def end_ms(self) -> int:
        """When it ends if nothing is done until then, epoch ms."""
        if not self.idle_ms:
            return self.until_ms
        return min(self.until_ms, self.acted_ms + self.idle_ms)

    @property
    def person(self) -> Person:
        """Who asks in it."""
        return Person(self.by, self.role, self.end_ms, self.station)


class Ended(msgspec.Struct, frozen=True):
    """A session that is over, and why."""

    session: Session
    reason: str


class _Saved(msgspec.Struct):
    """The file: sessions by the digest of their cookie, and digests of spent tokens."""

    sessions: dict[str, Session] = {}
    spent: list[str] = []


class Sessions:
    """Every session of one process, in a file.

    Args:
        path: The file that outlives a restart.
        idle_s: A person's session is over after so long without an act.
        now_ms: The clock.

    Raises:
        ConfigurationError: The file cannot be read or written.
    """

    def __init__(
        self,
        path: Path,
        idle_s: float = IDLE_S,
        now_ms: Callable[[], int] = clock.now_ms,
    ) -> None:
        self._path = path
        self._idle_ms = int(1000 * idle_s)
        self._now_ms = now_ms
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._saved = (
                msgspec.json.decode(path.read_bytes(), type=_Saved)
                if path.exists()
                else _Saved()
            )
            self._write()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            msg = f"sessions in {path}: {error}; see ICU_DATA_DIR"
            raise ConfigurationError(msg) from error

    def open_person(
        self, by: str, role: Role, station: str, how: str, stamp: str = ""
    ) -> str:
        """Sign a person in; the cookie."""
        return self._open(
            Kind.PERSON, by, role, station, how, PERSON_S, self._idle_ms, stamp
        )

    def open_station(self, by: str, role: Role, station: str, how: str) -> str:
        """Sign a screen in; the cookie."""
        return self._open(Kind.STATION, by, role, station, how, STATION_S, 0, "")

    def spend(self, given: str, token: str) -> bool:
        """Spend a one-time token; False when it is wrong or spent."""
        # Bytes: compare_digest refuses text that is not ASCII.
        if not hmac.compare_digest(given.encode(), token.encode()):
            return False
        digest = _digest(token)
        if digest in self._saved.spent:
            return False
        self._saved.spent = [*self._saved.spent, digest][-_SPENT:]
        self._save()
        return True

    def find(self, cookie: str) -> Session | None:
        """Whose session a cookie is; None when there is none, or it is over."""
        session = self._saved.sessions.get(_digest(cookie))
        return session if session and self._now_ms() < session.end_ms else None

    def act(self, cookie: str) -> Session | None:
        """The person at this cookie has done something."""
        session = self.find(cookie)
        if session is None or not session.idle_ms:
            return session
        now_ms = self._now_ms()
        acted = msgspec.structs.replace(session, acted_ms=now_ms)
        self._saved.sessions[_digest(cookie)] = acted
        if now_ms - session.acted_ms > 1000 * _SAVED_S:
            self._save()
        return acted

    def close(self, cookie: str) -> Session | None:
        """Sign out; whose session it was."""
        session = self.find(cookie)
        if session is not None:
            del self._saved.sessions[_digest(cookie)]
            self._save()
        return session

    def sweep(self, accounts: Iterable[Account] | None) -> list[Ended]:
        """Drop what is over, and give everybody the role of their account.

        Args:
            accounts: Every local account; None when they cannot be told, which ends no
                session: a store that is down for a minute signs no ward out.
        """
        known = None if accounts is None else {key(a.name): a for a in accounts}
        now_ms = self._now_ms()
        kept: dict[str, Session] = {}
        ended = []
        for digest, session in self._saved.sessions.items():
            account = known.get(key(session.by)) if known is not None else None
            if now_ms >= session.end_ms:
                is_idle = session.end_ms < session.until_ms
                ended.append(Ended(session, "idle" if is_idle else "too long"))
            elif known is None or not session.stamp:
                kept[digest] = session
            elif account is None or account.stamp != session.stamp:
                why = "account removed" if account is None else "password changed"
                ended.append(Ended(session, why))
            else:
                kept[digest] = msgspec.structs.replace(session, role=account.role)
        if kept != self._saved.sessions:
            self._saved.sessions = kept
            self._save()
        return ended

    def _open(
        self,
        kind: Kind,
        by: str,
        role: Role,
        station: str,
        how: str,
        longest_s: int,
        idle_ms: int,
        stamp: str,
    ) -> str:
        cookie = secrets.token_urlsafe(32)
        now_ms = self._now_ms()
        sessions = self._saved.sessions
        own = [d for d, s in sessions.items() if (s.by, s.kind) == (by, kind)]
        if len(own) >= MOST_OF_ONE and kind is Kind.PERSON:
            self._drop_longest_idle(own)
        if len(sessions) >= MOST:
            self._drop_longest_idle(sessions)
        sessions[_digest(cookie)] = Session(
            by=by,
            role=role,
            kind=kind,
            how=how,
            station=station,
            since_ms=now_ms,
            acted_ms=now_ms,
            until_ms=now_ms + 1000 * longest_s,
            idle_ms=idle_ms,
            stamp=stamp,
        )
        self._save()
        return cookie

    def _drop_longest_idle(self, digests: Iterable[str]) -> None:
        sessions = self._saved.sessions
        del sessions[min(digests, key=lambda digest: sessions[digest].acted_ms)]

    def _save(self) -> None:
        """Write all; a full disk signs nobody out and ends no ward view."""
        try:
            self._write()
        except OSError as error:
            log.error("sessions_unsaved", path=str(self._path), reason=str(error))

    def _write(self) -> None:
        """Write all, so that a crash leaves the old file or the new."""
        part = self._path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(self._saved))
        part.replace(self._path)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
