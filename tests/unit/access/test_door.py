"""Who is let in, and what is written down about it."""

import asyncio

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from icu_stream import clock
from icu_stream.access import accounts, door, ledger, passwords, store, tokens
from icu_stream.access.door import Door, Refused, SignedIn, Why
from icu_stream.access.ledger import Ledger
from icu_stream.access.oidc import DONE_PATH, Start
from icu_stream.access.roles import Role
from icu_stream.access.sessions import Kind, Sessions
from icu_stream.contracts.audit import AuditEntry, Deed
from icu_stream.settings import Settings
from tests.identity import IdentityProvider, come_back


WORDS = "correct horse battery"
NAME = "RN Okafor"


class House:
    """A door with one account, a nurse's."""

    def __init__(self, tmp_path: Path, **more: Any) -> None:
        fields: dict[str, Any] = {
            "broker": "127.0.0.1:9",  # the discard port
            "data_dir": tmp_path,
            "ward_station": "ICU1 desk",
        }
        self.settings = Settings(_env_file=None, **(fields | more))
        self.accounts = store.accounts(self.settings)
        self.sessions = Sessions(tmp_path / "sessions.json")
        self.ledger = Ledger(self.settings)
        self.door = Door(self.settings, self.sessions, self.ledger, "the-token")

    @property
    def entries(self) -> list[AuditEntry]:
        """What waits for Kafka."""
        return list(self.ledger._waiting)

    async def try_in(
        self, password: str = WORDS, name: str = NAME
    ) -> SignedIn | Refused:
        return await self.door.by_password(name, password, "10.0.0.1", "ICU1 desk")


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it, for at most five seconds."""
    async with asyncio.timeout(5):
        for _ in iter(condition, True):
            await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    hash_ = await asyncio.to_thread(passwords.hashed, WORDS)
    await made.accounts.add(accounts.new(NAME, Role.NURSE, hash_, 0))
    yield made


async def test_each_deed_is_written_down_with_who_where_and_why(house: House):
    await house.try_in("wrong")
    signed_in = await house.try_in()
    assert isinstance(signed_in, SignedIn)
    house.door.sign_out(signed_in.cookie)
    house.door.sign_out(signed_in.cookie)  # nobody is there any more

    assert [(e.deed, e.by, e.role, e.station, e.reason) for e in house.entries] == [
        (Deed.REFUSAL, NAME, "", "ICU1 desk", "wrong"),
        (Deed.SIGN_IN, NAME, "nurse", "ICU1 desk", None),
        (Deed.SIGN_OUT, NAME, "nurse", "ICU1 desk", None),
    ]


async def test_a_name_that_has_no_account_may_be_a_password_and_is_not_written(
    house: House, capsys: pytest.CaptureFixture[str]
):
    await house.try_in(name="my secret password")

    [entry] = house.entries
    said = capsys.readouterr()
    assert (entry.deed, entry.by) == (Deed.REFUSAL, "")
    assert "my secret password" not in said.out + said.err


async def test_the_link_signs_a_screen_in_once(house: House):
    first = house.door.by_link("the-token", "10.0.0.1")
    second = house.door.by_link("the-token", "10.0.0.1")

    assert isinstance(first, SignedIn)
    assert (first.session.kind, first.session.station) == (Kind.STATION, "ICU1 desk")
    assert second == Refused(Why.LINK)


async def test_passwords_that_wait_to_be_compared_are_bounded(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(door, "_MOST_AT_ONCE", 2)
    tries = [house.try_in("wrong", f"n{n}") for n in range(5)]

    outcomes = await asyncio.gather(*tries)

    whys = [outcome.why for outcome in outcomes if isinstance(outcome, Refused)]
    assert sorted(whys) == [Why.TOO_OFTEN] * 3 + [Why.WRONG] * 2


async def test_a_changed_account_is_heeded_while_the_ward_runs(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(door, "_LOOK_S", 0.01)
    signed_in = await house.try_in()
    assert isinstance(signed_in, SignedIn)
    watch = asyncio.create_task(house.door.watch())

    def role() -> Role | None:
        session = house.sessions.find(signed_in.cookie)
        return session.role if session else None

    await asyncio.sleep(0)  # it has looked once
    await house.accounts.change(NAME, role=Role.CHARGE)
    await until(lambda: role() is Role.CHARGE)
    await house.accounts.remove(NAME)
    await until(lambda: role() is None)

    watch.cancel()
    assert [(e.deed, e.role, e.reason) for e in house.entries[1:]] == [
        (Deed.ACCOUNT, "charge", "was nurse"),
        (Deed.ACCOUNT, "charge", "removed"),
        (Deed.SESSION_OVER, "charge", "account removed"),
    ]


async def test_nobody_comes_from_a_provider_under_the_name_of_a_local_account(
    tmp_path: Path, house: House
):
    with IdentityProvider() as provider:
        provider.person["preferred_username"] = NAME.lower()
        open_ = House(
            tmp_path,
            oidc_issuer=provider.issuer,
            oidc_client_id=provider.client_id,
            oidc_client_secret=provider.client_secret,
            oidc_roles={"icu-doctors": "physician"},
            ward_url="http://127.0.0.1:8050/",
        )
        provider.redirect = f"{open_.settings.ward_url}{DONE_PATH}"
        start = await open_.door.to_provider()
        assert isinstance(start, Start)
        answer = await come_back(start.url)

        outcome = await open_.door.from_provider(answer, start.state, "10.0.0.1", "")

    assert isinstance(outcome, Refused)
    assert "has a local account" in outcome.detail


async def test_without_a_provider_nobody_is_sent_there(house: House):
    assert isinstance(await house.door.to_provider(), Refused)
    assert isinstance(await house.door.from_provider({}, "", "a", "b"), Refused)


async def test_entries_that_wait_for_kafka_are_bounded_and_the_oldest_go(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ledger, "MOST_WAITING", 3)

    for n in range(5):
        house.ledger.refusal(f"n{n}", "", "password", "wrong")

    assert [entry.by for entry in house.entries] == ["n2", "n3", "n4"]


async def with_token(house: House, days: int = 1) -> str:
    """A token of the nurse's account."""
    secret, kept = tokens.make("EHR interface", days, clock.now_ms())
    await house.accounts.keep_token(NAME, kept)
    await house.door.look()
    return secret


async def test_a_token_is_its_accounts_and_its_label_is_the_station(house: House):
    secret = await with_token(house)

    who = house.door.by_bearer(secret, "10.0.0.1")
    await house.accounts.change(NAME, role=Role.VIEWER)
    await house.door.look()
    later = house.door.by_bearer(secret, "10.0.0.1")

    assert (who.by, who.role, who.station) == (NAME, Role.NURSE, "EHR interface")
    assert later.role is Role.VIEWER
    assert not house.entries[-1].by or secret not in str(house.entries)


async def test_a_token_ends_in_time_and_with_its_account(house: House):
    past = await with_token(house, days=0)
    secret = await with_token(house)

    assert isinstance(house.door.by_bearer(past, "10.0.0.1"), Refused)
    assert house.door.is_good(secret)
    await house.accounts.remove(NAME)
    await house.door.look()

    assert not house.door.is_good(secret)
    assert isinstance(house.door.by_bearer(secret, "10.0.0.1"), Refused)


async def test_wrong_bearers_are_written_down_but_do_not_fill_the_trail(house: House):
    for _ in range(200):
        assert house.door.by_bearer("icu_wrong", "10.0.0.1") == Refused(Why.WRONG)

    refusals = [e for e in house.entries if e.deed is Deed.REFUSAL]
    assert 30 <= len(refusals) <= 35
    assert {(e.how, e.station, e.by) for e in refusals} == {("token", "10.0.0.1", "")}


async def test_a_session_is_a_bearer_and_using_it_is_an_act(house: House):
    signed_in = await house.try_in()
    assert isinstance(signed_in, SignedIn)

    who = house.door.by_bearer(signed_in.cookie, "10.0.0.1")

    assert who.by == NAME
    assert house.door.is_good(signed_in.cookie)
    house.door.sign_out(signed_in.cookie)
    assert not house.door.is_good(signed_in.cookie)
