"""Sign-in at an identity provider: a real one, on loopback, that goes wrong as asked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from icu_stream import clock
from icu_stream.access.oidc import STARTED_S, Identity, Provider
from icu_stream.access.roles import Role
from icu_stream.errors import ProviderError
from icu_stream.settings import Settings
from tests.identity import IdentityProvider, come_back
from tests.kafka import free_port


WARD = "http://127.0.0.1:8050/"


@pytest.fixture(scope="module")
def running() -> Iterator[IdentityProvider]:
    with IdentityProvider() as provider:
        yield provider


@pytest.fixture
def identity(running: IdentityProvider) -> Iterator[IdentityProvider]:
    """The provider as it should be; each test leaves it so."""
    running.redirect = WARD + "signin/oidc/done"
    before = dict(running.person)
    yield running
    running.person = before
    running.be_good()


def settings(provider: IdentityProvider, **more: Any) -> Settings:
    fields: dict[str, Any] = {
        "oidc_issuer": provider.issuer,
        "oidc_client_id": provider.client_id,
        "oidc_client_secret": provider.client_secret,
        "oidc_roles": {"icu-doctors": "physician", "icu-nurses": "nurse"},
        "ward_url": WARD,
    }
    return Settings(_env_file=None, **(fields | more))


async def sign_in(provider: Provider) -> Identity:
    start = await provider.start()
    return await provider.finish(await come_back(start.url), start.state)


async def refusal(provider: Provider) -> str:
    with pytest.raises(ProviderError) as caught:
        await sign_in(provider)
    return str(caught.value)


async def test_somebody_comes_back_with_a_name_and_the_role_of_their_group(
    identity: IdentityProvider,
):
    who = await sign_in(Provider(settings(identity)))

    assert who == Identity("dr.weiss", Role.PHYSICIAN)
    asked = identity.seen[-1]
    assert asked["prompt"] == "login"  # at a shared screen the last person may be known
    assert len(asked["code_challenge"]) == len(asked["nonce"]) == 43


async def test_of_two_groups_the_role_that_may_most_counts(identity: IdentityProvider):
    identity.person["groups"] = ["icu-nurses", "icu-doctors", "other"]

    assert (await sign_in(Provider(settings(identity)))).role is Role.PHYSICIAN


async def test_a_claim_may_lie_deeper_and_be_one_word(identity: IdentityProvider):
    identity.person |= {"realm_access": {"roles": "icu-nurses"}, "name": "RN Okafor"}
    chosen = settings(
        identity, oidc_role_claim="realm_access.roles", oidc_name_claim="name"
    )

    assert await sign_in(Provider(chosen)) == Identity("RN Okafor", Role.NURSE)


async def test_new_keys_are_fetched_when_a_token_names_one(
    identity: IdentityProvider, monkeypatch: pytest.MonkeyPatch
):
    now_s = clock.monotonic_s()
    monkeypatch.setattr(clock, "monotonic_s", lambda: now_s)
    provider = Provider(settings(identity))
    await sign_in(provider)
    identity.change_keys()

    at_once = await refusal(provider)  # not asked for again within half a minute
    now_s += 31
    later = await sign_in(provider)

    assert "not valid" in at_once
    assert later.name == "dr.weiss"


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"aud": "another"}, "aud"),
        ({"aud": ["icu-ward", "x"], "azp": "x"}, "azp"),
        ({"iss": "https://another.example"}, "iss"),
        ({"exp": 1_000}, "expired"),
        ({"iat": 9_999_999_999}, "future"),
        ({"sub": None}, "sub"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
async def test_a_token_that_is_not_for_us_here_and_now_is_refused(
    identity: IdentityProvider, claims: dict[str, Any], why: str
):
    identity.spoil = lambda made: made.update(claims)

    said = await refusal(Provider(settings(identity)))

    assert why in said.lower()


@pytest.mark.parametrize("how", ["hs256", "unsigned", "stolen"])
async def test_a_token_that_the_provider_did_not_sign_is_refused(
    identity: IdentityProvider, how: str
):
    if how == "stolen":
        identity.steal_keys()
    else:
        identity.sign = getattr(identity, how)

    assert "not valid" in await refusal(Provider(settings(identity)))


@pytest.mark.parametrize(
    ("person", "why"),
    [
        ({"groups": ["visitors"]}, "none of their groups is in ICU_OIDC_ROLES"),
        ({"groups": None}, "set ICU_OIDC_ROLE_CLAIM"),
        ({"preferred_username": "Zoë\n"}, "see ICU_OIDC_NAME_CLAIM"),
        ({"preferred_username": None}, "see ICU_OIDC_NAME_CLAIM"),
    ],
)
async def test_who_has_no_role_or_no_name_is_told_what_is_missing(
    identity: IdentityProvider, person: dict[str, Any], why: str
):
    identity.person |= person

    assert why in await refusal(Provider(settings(identity)))


async def test_an_answer_to_another_browser_is_refused(identity: IdentityProvider):
    provider = Provider(settings(identity))
    first, second = await provider.start(), await provider.start()
    answer = await come_back(first.url)

    for state in (second.state, "", first.state[:-1]):
        with pytest.raises(ProviderError, match="not begun in this browser"):
            await provider.finish(answer, state)


async def test_a_code_is_good_once_and_only_with_its_own_verifier(
    identity: IdentityProvider,
):
    provider = Provider(settings(identity))
    start, other = await provider.start(), await provider.start()
    answer = await come_back(start.url)
    taken = answer | {"state": other.state}

    with pytest.raises(ProviderError, match=r"400 \(invalid_grant\)"):
        await provider.finish(taken, other.state)
    with pytest.raises(ProviderError, match=r"400 \(invalid_grant\)"):
        await provider.finish(answer, start.state)


async def test_a_sign_in_that_takes_too_long_is_begun_again(identity: IdentityProvider):
    now_ms = clock.now_ms()
    provider = Provider(settings(identity), lambda: now_ms)
    start = await provider.start()
    answer = await come_back(start.url)
    now_ms += 1000 * (STARTED_S + 1)

    with pytest.raises(ProviderError, match="ten minutes"):
        await provider.finish(answer, start.state)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"error": "access_denied", "error_description": "<b>"}, "access_denied$"),
        ({"iss": "https://another.example", "code": "x"}, "another provider"),
        ({}, "no code"),
    ],
)
async def test_what_the_provider_says_instead_of_a_code(
    identity: IdentityProvider, answer: dict[str, str], why: str
):
    provider = Provider(settings(identity))
    start = await provider.start()

    with pytest.raises(ProviderError, match=why):
        await provider.finish(answer | {"state": start.state}, start.state)


async def test_a_wrong_secret_is_the_providers_to_refuse_and_is_not_shown(
    identity: IdentityProvider,
):
    said = await refusal(
        Provider(settings(identity, oidc_client_secret="not the secret"))
    )

    assert "401 (invalid_client)" in said
    assert "not the secret" not in said


async def test_a_provider_that_calls_itself_otherwise_is_told(
    identity: IdentityProvider,
):
    said = await refusal(
        Provider(settings(identity, oidc_issuer=identity.issuer + "/"))
    )

    assert "letter for letter" in said


async def test_a_provider_that_is_not_there_is_told():
    gone = IdentityProvider()
    gone.issuer = f"http://127.0.0.1:{free_port()}"

    said = await refusal(Provider(settings(gone)))

    assert said.startswith("the identity provider does not answer: ")


def test_without_a_role_for_any_group_nobody_could_come(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    with pytest.raises(ValueError, match="ICU_OIDC_ROLES"):
        Settings(_env_file=None, oidc_issuer="https://id.example", oidc_client_id="x")
