"""The door: everything by which somebody gets a session, and what ends one.

Password, one-time link, identity provider; and for programs a token. Whoever is refused is not told whether the name
exists: the words and the time are the same. Every deed here is in the ledger.
"""

import asyncio
import math

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from icu_stream import clock
from icu_stream.access import store, tokens
from icu_stream.access.accounts import Account
from icu_stream.access.ledger import Ledger
from icu_stream.access.limiter import Limiter
from icu_stream.access.oidc import Provider, Start
from icu_stream.access.passwords import Passwords
from icu_stream.access.roles import Person, Role
from icu_stream.access.sessions import Session, Sessions
from icu_stream.access.tokens import Token
from icu_stream.errors import ConfigurationError, ProviderError
from icu_stream.observability import log
from icu_stream.settings import Settings


_LOOK_S = 2.0  # a password that was changed ends its sessions within this
_MOST_AT_ONCE = 20  # passwords that wait to be compared
_BUSY_S = 2.0
_PASSWORD = "password"  # noqa: S105 - how somebody signed in
_LINK = "link"
_TOKEN = "token"  # noqa: S105 - likewise


class Why(StrEnum):
    """Why somebody is not let in."""

    WRONG = "wrong"
    TOO_OFTEN = "too_often"
    LINK = "link"
    STORE = "store"
    PROVIDER = "provider"


class Refused(msgspec.Struct, frozen=True):
    """Somebody is not let in.

    Attributes:
        why: The reason.
        detail: `provider`: what went wrong, for the person and for whoever set it up.
        retry_after_s: `too_often`: when to try again.
    """

    why: Why
    detail: str = ""
    retry_after_s: int = 0


class SignedIn(msgspec.Struct, frozen=True):
    """Somebody is let in.

    Attributes:
        cookie: Of the session: for the browser alone.
        session: Whose.
    """

    cookie: str
    session: Session


class Door:
    """Lets people in.

    Args:
        settings: Accounts, identity provider, and whom the link signs in.
        sessions: Of this process.
        ledger: Where it is written down.
        token: Of the one-time link.
    """

    def __init__(
        self, settings: Settings, sessions: Sessions, ledger: Ledger, token: str
    ) -> None:
        self._settings = settings
        self._token = token
        self._accounts = store.accounts(settings)
        self._passwords = Passwords()
        self._limiter = Limiter()
        self._comparing = 0
        self._is_readable = True
        self._known: dict[str, Account] | None = None
        self._tokens: dict[str, tuple[Account, Token]] = {}
        self.sessions = sessions
        self.ledger = ledger
        self._provider = Provider(settings) if settings.oidc_issuer else None
        # Of the provider's button; empty without one.
        self.label = settings.oidc_label if settings.oidc_issuer else ""

    async def by_password(
        self, name: str, password: str, address: str, station: str
    ) -> SignedIn | Refused:
        """Sign a person in with a local account.

        Args:
            name: As typed.
            password: As typed.
            address: Where it was typed: for the limit.
            station: For the ledger: the name of the screen, else its address.
        """
        if not name or len(name) > 64:
            name = ""  # nobody's; and not kept by the limiter
        try:
            account = await self._accounts.find(name)
        except ConfigurationError as error:
            log.error("accounts_unreadable", reason=str(error))
            self.ledger.refusal("", station, _PASSWORD, Why.STORE.value)
            return Refused(Why.STORE)
        known = account.name if account else ""
        wait_s = self._limiter.attempt(name.casefold(), address)
        if wait_s or self._comparing >= _MOST_AT_ONCE:
            self.ledger.refusal(known, station, _PASSWORD, Why.TOO_OFTEN.value)
            return Refused(Why.TOO_OFTEN, retry_after_s=math.ceil(wait_s or _BUSY_S))
        self._comparing += 1
        try:
            fits = await self._passwords.fits(
                password, account.hash if account else None
            )
        finally:
            self._comparing -= 1
        if account is None or not fits:
            self.ledger.refusal(known, station, _PASSWORD, Why.WRONG.value)
            return Refused(Why.WRONG)
        self._limiter.succeeded(name.casefold(), address)
        return self._person(account.name, account.role, station, _PASSWORD, account)

    def by_link(self, given: str, address: str) -> SignedIn | Refused:
        """Sign a screen in with the one-time token."""
        station = self._settings.ward_station or address
        wait_s = self._limiter.attempt("", address)
        if wait_s:
            self.ledger.refusal("", address, _LINK, Why.TOO_OFTEN.value)
            return Refused(Why.TOO_OFTEN, retry_after_s=math.ceil(wait_s))
        if not self.sessions.spend(given, self._token):
            self.ledger.refusal("", address, _LINK, Why.LINK.value)
            return Refused(Why.LINK)
        self._limiter.succeeded("", address)
        cookie = self.sessions.open_station(
            self._settings.ward_user, Role(self._settings.ward_role), station, _LINK
        )
        return self._let_in(cookie)

    def by_bearer(self, bearer: str, address: str) -> Person | Refused:
        """Whose a program's token, or the session of a person, is.

        As far as the accounts were known within the last 2 s, or when they were last
        readable: a store that is down for a minute stops no interface.

        Args:
            bearer: As given.
            address: Where it came from: for the limit and the audit trail.
        """
        if (person := self._of_token(bearer)) is not None:
            return person
        if (session := self.sessions.act(bearer)) is not None:
            return session.person
        # Nobody guesses 256 bits, so nobody has to wait; but the audit trail is not filled
        # by a program that comes with an old token each second.
        if not self._limiter.attempt("", address):
            self.ledger.refusal("", address, _TOKEN, Why.WRONG.value)
        return Refused(Why.WRONG)

    def is_good(self, bearer: str) -> bool:
        """Would it still be let in? Asking is no act of a person."""
        of_token = self._of_token(bearer)
        return of_token is not None or self.sessions.find(bearer) is not None

    def _of_token(self, bearer: str) -> Person | None:
        account, token = self._tokens.get(tokens.digest(bearer), (None, None))
        if account is None or token is None or clock.now_ms() >= token.until_ms:
            return None
        return Person(account.name, account.role, token.until_ms, token.label)

    async def to_provider(self) -> Start | Refused:
        """Begin a sign-in at the identity provider."""
        try:
            if self._provider is None:
                return Refused(
                    Why.PROVIDER, "no identity provider: see ICU_OIDC_ISSUER"
                )
            return await self._provider.start()
        except ProviderError as error:
            log.warning("provider_failed", reason=str(error))
            return Refused(Why.PROVIDER, str(error))

    async def from_provider(
        self, answer: dict[str, str], state: str, address: str, station: str
    ) -> SignedIn | Refused:
        """End a sign-in at the identity provider."""
        if self._provider is None:
            return Refused(Why.PROVIDER, "no identity provider: see ICU_OIDC_ISSUER")
        how = self._provider.issuer
        wait_s = self._limiter.attempt("", address)
        if wait_s:
            self.ledger.refusal("", station, how, Why.TOO_OFTEN.value)
            return Refused(Why.TOO_OFTEN, retry_after_s=math.ceil(wait_s))
        try:
            identity = await self._provider.finish(answer, state)
            await self._require_no_account(identity.name)
        except (ProviderError, ConfigurationError) as error:
            log.warning("provider_failed", reason=str(error))
            self.ledger.refusal("", station, how, str(error))
            return Refused(Why.PROVIDER, str(error))
        self._limiter.succeeded("", address)
        return self._person(identity.name, identity.role, station, how)

    def sign_out(self, cookie: str) -> None:
        """End a session."""
        session = self.sessions.close(cookie)
        if session is not None:
            self.ledger.sign_out(session)

    async def watch(self) -> None:
        """End what is over, for ever: idle sessions, and those of changed accounts."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Read the accounts, and end what is over."""
        accounts = None
        try:
            accounts = await self._accounts.all()
            self._is_readable = True
            self._note_changes(accounts)
        except ConfigurationError as error:
            if self._is_readable:  # said once
                log.error("accounts_unreadable", reason=str(error))
            self._is_readable = False
        for ended in self.sessions.sweep(accounts):
            self.ledger.over(ended)

    async def close(self) -> None:
        """Let go of the accounts."""
        await self._accounts.close()

    def _note_changes(self, accounts: Iterable[Account]) -> None:
        """Write down what is not as it was when we looked last."""
        before, self._known = (
            self._known,
            {account.name: account for account in accounts},
        )
        self._tokens = {
            token.digest: (account, token)
            for account in self._known.values()
            for token in account.tokens
        }
        if before is None:
            return
        for name in sorted(before.keys() | self._known.keys()):
            old, new = before.get(name), self._known.get(name)
            if new is None and old is not None:
                self.ledger.account(old, "removed")
            elif new is not None and (what := _changed(old, new)):
                self.ledger.account(new, what)

    async def _require_no_account(self, name: str) -> None:
        """Else a name at the provider could be chosen to act as somebody here."""
        if await self._accounts.find(name) is not None:
            msg = f"{name} has a local account: sign in with its password"
            raise ProviderError(msg)

    def _person(
        self,
        name: str,
        role: Role,
        station: str,
        how: str,
        account: Account | None = None,
    ) -> SignedIn:
        stamp = account.stamp if account else ""
        return self._let_in(self.sessions.open_person(name, role, station, how, stamp))

    def _let_in(self, cookie: str) -> SignedIn:
        session = self.sessions.find(cookie)
        assert session is not None  # noqa: S101 - it was opened just now
        self.ledger.sign_in(session)
        return SignedIn(cookie, session)


def _changed(old: Account | None, new: Account) -> str:
    """What is new about an account; empty: nothing."""
    if old is None:
        return "made"
    changes = [f"was {old.role}"] if old.role is not new.role else []
    changes += ["password changed"] if old.stamp != new.stamp else []
    ids, new_ids = ({t.id: t.label for t in a.tokens} for a in (old, new))
    changes += [f"token made: {new_ids[id_]}" for id_ in new_ids.keys() - ids.keys()]
    changes += [f"token revoked: {ids[id_]}" for id_ in ids.keys() - new_ids.keys()]
    return ", ".join(changes)
