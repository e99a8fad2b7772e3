"""Idempotency keys: a command that is repeated with its key is done once.

Two memories work together. This one knows the last commands of this process: it refuses a
key that is used for something else, and answers a repeat at once. The worker's own knows
the last commands of each patient by their id, which is made from the key and the content:
so a repeat is harmless after this process was killed, too.

Source: IETF HTTP APIs, The Idempotency-Key HTTP Header Field, draft 07.
"""

import hashlib
import re
import uuid

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec

from icu_stream import clock
from icu_stream.api.problems import Kind, ProblemError, retry


HEADER = "Idempotency-Key"
PATTERN = '^"?[!#-~]{1,64}"?$'
MOST = 20_000  # then the oldest is forgotten, and the worker's memory is left
KEPT_MS = 24 * 3_600_000
_KEY = re.compile(PATTERN)
_SPACE = uuid.UUID("5d0f2a52-4c39-4d5e-9d9c-2b1b9a1c7f0e")


class Entry(msgspec.Struct):
    """One key of one person.

    Attributes:
        digest: Of what was asked.
        since_ms: When.
        answer: What was answered for good; None while it is under way.
    """

    digest: str
    since_ms: int
    answer: Any = None


class Keys:
    """The keys of this process.

    Args:
        now_ms: The clock.
    """

    def __init__(self, now_ms: Callable[[], int] = clock.now_ms) -> None:
        self._now_ms = now_ms
        self._known: OrderedDict[tuple[str, str], Entry] = OrderedDict()

    def begin(self, by: str, key: str, digest: str) -> Any:
        """Begin what somebody asks under a key.

        Returns:
            What was answered before; None: go on.

        Raises:
            ProblemError: The key was used for something else, or that is still under way.
        """
        now_ms = self._now_ms()
        entry = self._known.get((by, key))
        if entry is not None and now_ms - entry.since_ms < KEPT_MS:
            if entry.digest != digest:
                raise ProblemError(Kind.KEY_USED, "make a new key for each command")
            if entry.answer is None:
                raise retry(Kind.UNDER_WAY, 1, "wait for its answer, then repeat it")
            return entry.answer
        self._known[by, key] = Entry(digest, now_ms)
        self._known.move_to_end((by, key))
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        return None

    def end(self, by: str, key: str, answer: Any) -> None:
        """It was answered for good; None: it was not, and may be tried again."""
        if answer is None:
            self._known.pop((by, key), None)
        elif (entry := self._known.get((by, key))) is not None:
            entry.answer = answer


def digest(method: str, path: str, body: bytes) -> str:
    """Of what is asked."""
    asked = b"\n".join((method.encode(), path.encode(), body))
    return hashlib.sha256(asked).hexdigest()


def command_id(key: str, digest_: str) -> str:
    """The id of a command: the same key and content, the same id."""
    return str(uuid.uuid5(_SPACE, f"{key}\n{digest_}"))


def is_key(given: str) -> bool:
    """Can it be a key? As a string of RFC 9651 it stands in quotation marks.

    >>> is_key('"8e03978e-40d5"'), is_key('"k 1"'), is_key('"')
    (True, False, False)
    """
    return _KEY.fullmatch(given) is not None
