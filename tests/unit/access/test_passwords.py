import pytest

from icu_stream.access import passwords
from icu_stream.access.passwords import Passwords
from icu_stream.errors import ConfigurationError


async def test_a_password_fits_its_own_hash_however_a_keyboard_writes_it():
    composed, decomposed = "schöne Grüße", "scho\u0308ne Gru\u0308ße"

    hash_ = passwords.hashed(composed)

    assert await Passwords().fits(decomposed, hash_)
    assert not await Passwords().fits("schoene Gruesse", hash_)
    assert hash_.startswith("$argon2id$")


def test_two_hashes_of_one_password_differ():
    assert passwords.hashed("x" * 12) != passwords.hashed("x" * 12)


@pytest.mark.parametrize("password", ["", "x" * 11, "x" * 257])
def test_a_password_of_a_wrong_length_is_refused_and_not_shown(password: str):
    with pytest.raises(ConfigurationError, match="want 12 to 256") as caught:
        passwords.hashed(password)

    assert not password or password not in str(caught.value)


async def test_nobodys_password_fits_nothing_after_as_much_work(
    monkeypatch: pytest.MonkeyPatch,
):
    compared = []
    hasher = type(passwords._HASHER)
    verify = hasher.verify

    def counted(self: object, hash_: str, password: str) -> bool:
        compared.append(hash_)
        return verify(passwords._HASHER, hash_, password)

    monkeypatch.setattr(hasher, "verify", counted)
    own = passwords.hashed("x" * 12)

    fits = [await Passwords().fits("y" * 12, hash_) for hash_ in (own, None)]

    assert fits == [False, False]
    # The same parameters, so the same time, for who is there and who is not.
    assert len({hash_.split("$")[3] for hash_ in compared}) == 1
    assert len(compared) == 2


async def test_a_damaged_hash_fits_nothing():
    assert not await Passwords().fits("x" * 12, "$argon2id$damaged")
