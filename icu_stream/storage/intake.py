"""From a Kafka record to what a store keeps: pure, one function a topic.

Nothing that was measured is lost for an odd name: bed, device and signal are free texts, and
one that is too long for a key or holds what no store takes is made legible, with some
digits of a hash, so that two of them stay two.
"""

import hashlib
import re

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import msgspec

from icu_stream.contracts import envelope, topics
from icu_stream.contracts.alerts import Alert
from icu_stream.contracts.audit import AuditEntry
from icu_stream.contracts.canary import is_canary
from icu_stream.contracts.commands import Command, CommandResult
from icu_stream.contracts.scores import Scores
from icu_stream.contracts.signals import BY_CODE
from icu_stream.domain import decoding
from icu_stream.errors import ContractError


# Ours: longer than any name, short enough for four of them in a key of either store.
LONGEST = 128
# An alarm's id is made of a patient's id (128), a code and a moment.
_LONGEST_ID = 512
_ILLEGIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_NULL = "\\u0000"  # a text that PostgreSQL cannot hold, as JSON writes it
# Ours: no instrument shows it, and the sum of a day of such is still a number.
_MOST = 1e100
_SIGNALS = frozenset(BY_CODE)
_OWN = frozenset((envelope.TICK, envelope.COMMAND))
# What rows are found by; a text of a message that is none of them may be anything.
_IDS = ("patient_id", "alert_id", "command_id", "bed", "code", "by")


class Record(Protocol):
    """What is needed of a Kafka record."""

    @property
    def topic(self) -> str:
        """Full name."""

    @property
    def partition(self) -> int:
        """Of the topic."""

    @property
    def offset(self) -> int:
        """In the partition."""

    @property
    def timestamp(self) -> int:
        """Of vitals and commands: arrival by the broker's clock, epoch ms UTC."""

    @property
    def key(self) -> bytes | None:
        """The patient's id, as bytes."""

    @property
    def value(self) -> bytes | None:
        """The message."""

    @property
    def headers(self) -> Any:
        """Pairs of name and bytes."""


class Measured(NamedTuple):
    """What one device measured of one patient at one moment.

    Attributes:
        patient_id: Whose.
        time_ms: By the device's clock, epoch ms UTC.
        device: Which; empty: not said.
        bed: Where; empty: not said.
        arrived_ms: By the broker's clock, epoch ms UTC.
        values: By signal. Absent: not measured; zero is a value.
        status: By signal: why there is no value.
        interval_s: To this device's next message, where it says so.
        is_primary: The device is the one to believe.
    """

    patient_id: str
    time_ms: int
    device: str
    bed: str
    arrived_ms: int
    values: Mapping[str, float]
    status: Mapping[str, str]
    interval_s: float | None
    is_primary: bool


class Said(NamedTuple):
    """A message that is kept as it was said, beside what it is found by.

    Attributes:
        message: What it says.
        arrived_ms: By the record's timestamp, epoch ms UTC.
        digest: 64 bits of a hash of it, signed.
        body: It, as JSON.
    """

    message: Any
    arrived_ms: int
    digest: int
    body: str


Row = Measured | Said


def vitals(record: Record) -> Measured | None:
    """What was measured; None for what the worker wrote there, and for canaries."""
    if is_canary(record.key) or (record.headers and _is_own(record.headers)):
        return None
    message = decoding.decode(_value(record))
    if is_canary(message.patient_id):
        return None
    values: Mapping[str, float] = message.values
    if isinstance(message, decoding.Mended) or (
        values and not -_MOST < min(values.values()) <= max(values.values()) < _MOST
    ):
        values = _numbers(values)
    return Measured(
        message.patient_id,
        message.time,
        legible(message.device),
        legible(message.bed),
        record.timestamp,
        _named(values),
        _described(message.status) if message.status else message.status,
        message.interval_s,
        message.primary,
    )


def scores(record: Record) -> Said | None:
    """The scores of one patient; None for canaries."""
    return _said(record, _SCORES)


def alerts(record: Record) -> Said | None:
    """One change of an alarm; None for those of canaries."""
    return _said(record, _ALERT)


def commands(record: Record) -> Said | None:
    """What a person asked; None for canaries."""
    return _said(record, _COMMAND)


def command_results(record: Record) -> Said | None:
    """An answer; None for canaries."""
    return _said(record, _RESULT)


def audit(record: Record) -> Said | None:
    """One deed."""
    return _said(record, _AUDIT)


READERS: dict[str, Callable[[Record], Row | None]] = {
    topics.VITALS.name: vitals,
    topics.SCORES.name: scores,
    topics.ALERTS.name: alerts,
    topics.COMMANDS.name: commands,
    topics.COMMAND_RESULTS.name: command_results,
    topics.AUDIT.name: audit,
}


@lru_cache(maxsize=65_536)
def legible(text: str) -> str:
    r"""A text that may be a part of a key of either store; most stay as they are.

    >>> legible("ICU1-07"), legible("a\n" + "b" * 200)[:24], len(legible("b" * 200))
    ('ICU1-07', 'a?bbbbbbbbbbbbbbbbbbbbbb', 128)
    """
    clean = _ILLEGIBLE.sub("?", text)
    if clean == text and len(text) <= LONGEST:
        return text
    digits = hashlib.blake2b(
        text.encode(errors="surrogatepass"), digest_size=8
    ).hexdigest()
    return f"{clean[: LONGEST - len(digits) - 1]}~{digits}"


_SCORES = msgspec.json.Decoder(Scores)
_ALERT = msgspec.json.Decoder(Alert)
_COMMAND = msgspec.json.Decoder(Command)
_RESULT = msgspec.json.Decoder(CommandResult)
_AUDIT = msgspec.json.Decoder(AuditEntry)


def _value(record: Record) -> bytes:
    if record.value is None:
        msg = "no value: want a JSON object"
        raise ContractError(msg)
    return record.value


def _said(record: Record, decoder: "msgspec.json.Decoder[Any]") -> Said | None:
    if is_canary(record.key):
        return None
    value = _value(record)
    try:
        message = decoder.decode(value)
        body = value.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        msg = f"not a message of this topic: {error}"
        raise ContractError(msg) from None
    if is_canary(getattr(message, "patient_id", None)):
        return None
    for name in _IDS:
        found = getattr(message, name, None) or ""
        if len(found) > _LONGEST_ID or _ILLEGIBLE.search(found):
            msg = f"{name} of {len(found)} characters: want at most {_LONGEST_ID}, all legible"
            raise ContractError(msg)
    if not 0 <= (message.time or 0) < decoding.END_MS:
        msg = f"time {message.time}: want milliseconds since 1970, UTC"
        raise ContractError(msg)
    digest = hashlib.blake2b(value, digest_size=8).digest()
    return Said(
        message,
        record.timestamp,
        int.from_bytes(digest, "big", signed=True),
        body.replace(_NULL, "\\ufffd") if _NULL in body else body,
    )


def _is_own(headers: Sequence[tuple[str, bytes]]) -> bool:
    """Did the worker write it, to put time or a command in order?"""
    return any(name in _OWN for name, _ in headers)


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The values that can be measured; text, true and NaN cannot, nor can 1e300."""
    return {
        code: float(value)
        for code, value in values.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and -_MOST < value < _MOST  # NaN is not
    }


def _named(values: Mapping[str, float]) -> Mapping[str, float]:
    if values.keys() <= _SIGNALS or all(legible(code) == code for code in values):
        return values
    return {legible(code): value for code, value in values.items()}


def _described(status: Mapping[str, str]) -> dict[str, str]:
    return {legible(code): legible(why) for code, why in status.items()}
