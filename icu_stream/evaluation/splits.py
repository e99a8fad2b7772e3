"""Which stays a model may learn from: fixed by a stay's id before anything was tuned.

A stay is placed by the first eight bytes of SHA-256 of `{salt}:{stay id}`. The same stay
is on the same side in every task, and a new stay changes nobody else's side.
"""

import hashlib

from typing import NamedTuple

from icu_stream.evaluation.cohorts import Stay


# Fixed with the first commit of this file; one salt a collection of recordings.
SALTS = {"physionet-2012": "icu-stream-2012", "eicu": "eicu"}
# The reference measurements on set A learnt from so many of its 3,947 stays.
PHYSIONET_TRAINING = 2800
FOLDS = 5


class Split(NamedTuple):
    """Stays to learn from and stays to be tested on once, each in the order of its hash."""

    training: list[Stay]
    test: list[Stay]


def place(salt: str, stay_id: str) -> int:
    """A stay's place: a number that only its id and the salt decide."""
    return int.from_bytes(hashlib.sha256(f"{salt}:{stay_id}".encode()).digest()[:8])


def by_count(stays: list[Stay], salt: str, training: int) -> Split:
    """The first so many of the stays, by place, are to learn from."""
    ordered = sorted(stays, key=lambda stay: place(salt, stay.stay_id))
    return Split(ordered[:training], ordered[training:])


def by_half(stays: list[Stay], salt: str) -> Split:
    """A stay with an even place is to learn from: the same in every task."""
    ordered = sorted(stays, key=lambda stay: place(salt, stay.stay_id))
    odd = [place(salt, stay.stay_id) % 2 for stay in ordered]
    return Split(
        [stay for stay, is_odd in zip(ordered, odd, strict=True) if not is_odd],
        [stay for stay, is_odd in zip(ordered, odd, strict=True) if is_odd],
    )


def fold(stay: Stay) -> int:
    """Which fold of a cross-validation within the training part a stay is in."""
    return place("fold", stay.stay_id) % FOLDS
