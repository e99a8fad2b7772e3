"""Passwords: what may be one, and its argon2id hash.

A comparison takes the same time for a name that nobody has: it is then made with a hash
that no password fits.
"""

import asyncio
import secrets
import unicodedata

import argon2

from argon2.exceptions import InvalidHashError, VerificationError

from icu_stream.errors import ConfigurationError


# Ours: between the 8 of NIST SP 800-63B-3 and the 15 of its revision 4, for a password
# that is typed at a station many times a shift. No rules of composition, as both say.
MIN_CHARACTERS = 12
MAX_CHARACTERS = 256
# OWASP, Password Storage Cheat Sheet, argon2id: 19 MiB, 2 passes, 1 lane. One lane, so
# that a sign-in leaves the other cores to the frames of the ward: 40 ms on two cores.
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_AT_ONCE = 2  # comparisons at a time; each holds a core and 19 MiB


class Passwords:
    """Makes and compares hashes, away from the event loop."""

    def __init__(self) -> None:
        self._nobody = _HASHER.hash(secrets.token_urlsafe(32))
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def fits(self, password: str, hash_: str | None) -> bool:
        """Is it the password of this hash? Without one: no, after as long a time."""
        async with self._turn:
            return await asyncio.to_thread(_fits, password, hash_, self._nobody)


def hashed(password: str) -> str:
    """The argon2id hash of a password, with its salt and its parameters.

    Raises:
        ConfigurationError: It is too short or too long.
    """
    password = _normal(password)
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        msg = (
            f"the password has {len(password)} characters: want {MIN_CHARACTERS} to "
            f"{MAX_CHARACTERS}; several words are easiest to type"
        )
        raise ConfigurationError(msg)
    return _HASHER.hash(password)


def _fits(password: str, hash_: str | None, nobody: str) -> bool:
    # Not hashed at any length: the work of a megabyte is the sender's to choose.
    password = _normal(password)[: MAX_CHARACTERS + 1]
    try:
        _HASHER.verify(nobody if hash_ is None else hash_, password)
    except (VerificationError, InvalidHashError):
        return False
    return hash_ is not None


def _normal(password: str) -> str:
    """One form for what keyboards write differently. Source: NIST SP 800-63B, 5.1.1.2."""
    return unicodedata.normalize("NFKC", password)
