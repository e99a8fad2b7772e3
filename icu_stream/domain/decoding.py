"""From bytes to `Vitals`, at any price: a bad value must not lose the good ones.

The usual message is read by msgspec at once; null is the same as absent. One that msgspec
refuses is read again, slowly: values that are no numbers (text, true, NaN) are kept as they are, so that the
rule on invalid values can name them; `Vitals.values` may then hold more than floats. A
field that nothing depends on (bed, device, status, primary) is left out when it is wrong. Only
what makes the whole message useless is refused: no JSON, no patient, no time.
"""

import json

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from icu_stream.contracts.commands import Command
from icu_stream.contracts.envelope import COMMAND, TICK
from icu_stream.contracts.signals import BY_CODE
from icu_stream.contracts.vitals import Identifier, Vitals
from icu_stream.errors import ContractError


MAX_BYTES = 64 * 1024
# 2000-01-01 and 3000-01-01, UTC. Before: no monitor spoke Kafka.
FIRST_MS = 946_684_800_000
END_MS = 32_503_680_000_000

_MAX_INTERVAL_S = 86_400
# What a text value, a device or a bed may take of a patient's memory.
_LONGEST = 128


class Mended(Vitals, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A message that was read slowly; `values` may hold anything.

    Attributes:
        mended: Fields that were wrong and are left out.
    """

    mended: int = 0


class Plain(Vitals, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A message as it should be; its id is checked apart, once for each patient."""

    patient_id: str
    time: Annotated[int, msgspec.Meta(ge=FIRST_MS, lt=END_MS)]


class _Nullable(msgspec.Struct, frozen=True, gc=False):
    """The same where the sender says null for what is absent."""

    patient_id: str
    time: int
    bed: str | None = None
    device: str | None = None
    values: dict[str, float | None] | None = None
    status: dict[str, str] | None = None
    interval_s: Annotated[float, msgspec.Meta(gt=0, le=_MAX_INTERVAL_S)] | None = None
    primary: bool | None = None

    def plain(self) -> Plain:
        """Without what is absent."""
        values = self.values or {}
        return Plain(
            patient_id=self.patient_id,
            time=self.time,
            bed=self.bed or "",
            device=self.device or "",
            values={code: v for code, v in values.items() if v is not None},
            status=self.status or {},
            interval_s=self.interval_s,
            primary=self.primary or False,
        )


# As `decode`, for a message as it should be, of a patient who is known and not longer than
# `MAX_BYTES`; raises where another look is needed.
decode_usual = msgspec.json.Decoder(Plain).decode
_decode_nullable = msgspec.json.Decoder(_Nullable).decode
_decode_command = msgspec.json.Decoder(Command).decode
# What both raise: msgspec lets the second through from inside a text, the third is a
# message nested too deeply, the last no value at all.
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError)


# The pattern of an id takes a third of the time of a message. What raises is not kept.
# Ours: more patients than one worker has.
@lru_cache(maxsize=65_536)
def _check_patient_id(text: str) -> None:
    try:
        msgspec.convert(text, Identifier)
    except msgspec.ValidationError:
        msg = (
            f"patient_id of {len(text)} characters: want 1 to 128 printable ASCII "
            "characters, no blank at either end"
        )
        raise ContractError(msg) from None


def decode(value: bytes) -> Vitals:
    """Read one record's value.

    Costs about 1 us (`python -m tests.benchmarks.core`), ten times that when it is read
    slowly.

    Raises:
        ContractError: The message as a whole is of no use; says why.
    """
    try:
        vitals = decode_usual(value)
    except _UNREADABLE as error:
        try:
            vitals = _decode_nullable(value).plain()
        except _UNREADABLE:
            return _decode_slowly(value, error)
    _check_patient_id(vitals.patient_id)
    if not FIRST_MS <= vitals.time < END_MS or len(value) > MAX_BYTES:
        _check_size(value)
        _check_time(vitals.time)
    return vitals


def heard(
    value: bytes, headers: Iterable[tuple[str, bytes]] | None
) -> Vitals | Command | None:
    """Read one record of the vitals topic, which is a patient's one log.

    Returns:
        What a device measured, what a person asked, or None for a tick.

    Raises:
        ContractError: The message is of no use; says why.
    """
    if headers:
        names = {name for name, _ in headers}
        if TICK in names:
            return None
        if COMMAND in names:
            try:
                return _decode_command(value or b"")
            except _UNREADABLE as error:
                msg = f"command: {error}"
                raise ContractError(msg) from error
    return decode(value)


def _check_size(value: bytes) -> None:
    if len(value) > MAX_BYTES:
        msg = f"too large: {len(value)} bytes, want at most {MAX_BYTES}"
        raise ContractError(msg)


def _check_time(time: int) -> None:
    if FIRST_MS <= time < END_MS:
        return
    if FIRST_MS <= time * 1000 < END_MS:
        msg = f"time {time} looks like seconds: want milliseconds since 1970"
    else:
        msg = f"time {time} is not between the years 2000 and 3000: want milliseconds since 1970, UTC"
    raise ContractError(msg)


def _decode_slowly(value: bytes, error: Exception) -> Vitals:
    if not isinstance(value, bytes):
        msg = "no value: want a JSON object"
        raise ContractError(msg)
    _check_size(value)
    try:
        raw = json.loads(value.decode(), parse_int=_number)
    except UnicodeDecodeError:
        msg = "not UTF-8: want JSON in UTF-8"
        raise ContractError(msg) from None
    except (ValueError, RecursionError):
        msg = f"not JSON: {error}"
        raise ContractError(msg) from None
    if not isinstance(raw, dict):
        msg = f"not an object but {_kind(raw)}: want a JSON object"
        raise ContractError(msg)
    return _Reading(raw).vitals()


def _number(text: str) -> int | float:
    # int() of thousands of digits takes long and is then refused anyway.
    return int(text) if len(text) < 32 else float(text)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", type(None): "null"}
    names |= {bool: "true or false"}
    return names.get(type(value), "a number")


class _Reading:
    """One message that is JSON, but not as it should be."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        self.mended = 0

    def vitals(self) -> Mended:
        return Mended(
            patient_id=self.patient_id(),
            time=self.time(),
            bed=self.text("bed"),
            device=self.text("device"),
            values=self.values(),
            status=self.status(),
            interval_s=self.interval_s(),
            primary=self.primary(),
            mended=self.mended,
        )

    def patient_id(self) -> str:
        if "patient_id" not in self.raw:
            msg = "patient_id is missing"
            raise ContractError(msg)
        raw = self.raw["patient_id"]
        if not isinstance(raw, str):
            msg = f"patient_id is {_kind(raw)}: want a text"
            raise ContractError(msg)
        _check_patient_id(raw)
        return raw

    def time(self) -> int:
        if "time" not in self.raw:
            msg = "time is missing"
            raise ContractError(msg)
        raw = self.raw["time"]
        is_whole = isinstance(raw, int) or (isinstance(raw, float) and raw % 1 == 0)
        if isinstance(raw, bool) or not is_whole:
            msg = f"time is {_kind(raw)}: want whole milliseconds since 1970"
            raise ContractError(msg)
        time = int(raw)
        _check_time(time)
        return time

    def text(self, name: str) -> str:
        raw = self.raw.get(name)
        if raw is None:
            return ""
        if isinstance(raw, str) and len(raw) <= _LONGEST and _is_utf8(raw):
            return raw
        self.mended += 1
        return ""

    def values(self) -> dict[str, Any]:
        raw = self.raw.get("values")
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            msg = f"values is {_kind(raw)}: want an object, signal to number"
            raise ContractError(msg)
        return {code: _kept(value) for code, value in raw.items() if value is not None}

    def status(self) -> dict[str, str]:
        raw = self.raw.get("status")
        if raw is None:
            return {}
        if isinstance(raw, dict) and all(
            isinstance(v, str) and _is_utf8(v) for v in raw.values()
        ):
            return raw
        self.mended += 1
        return {}

    def interval_s(self) -> float | None:
        raw = self.raw.get("interval_s")
        if raw is None:
            return None
        is_number = isinstance(raw, int | float) and not isinstance(raw, bool)
        if not is_number or not 0 < raw <= _MAX_INTERVAL_S:
            msg = f"interval_s is {_said(raw)}: want seconds, above 0 and at most 86400"
            raise ContractError(msg)
        return float(raw)

    def primary(self) -> bool:
        raw = self.raw.get("primary")
        if isinstance(raw, bool | None):
            return bool(raw)
        self.mended += 1
        return False


def plausible(values: Mapping[str, object]) -> dict[str, float]:
    """The values that an instrument can show: a mended message holds anything.

    >>> plausible({"hr": 0, "spo2": 101, "rr": True, "temp": float("nan"), "x": 1})
    {'hr': 0}
    """
    return {
        code: value
        for code, value in values.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)  # true is no number
        and (signal := BY_CODE.get(code)) is not None
        # NaN and the infinities fail the comparison.
        and signal.low <= value <= signal.high
    }


def _kept(value: Any) -> Any:
    """A value as msgspec would have it, or one that no instrument shows."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        return value[:_LONGEST]
    return _said(value)


def _said(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
