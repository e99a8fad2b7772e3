"""What a message of another system says: values of one device and moment, together.

A cuff's pressures and the temperature go as devices of their own, `<device>/nibp` and
`<device>/temp`: they bear the moment of their reading, which is before that of the rates
beside them, and a device's later message with an earlier time would be late
(docs/alarms.md, rule 3).
"""

import hashlib

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from icu_stream.contracts import observations
from icu_stream.contracts.canary import is_canary
from icu_stream.contracts.commands import Command, CommandType
from icu_stream.contracts.vitals import Identifier, Vitals
from icu_stream.domain.decoding import END_MS, FIRST_MS
from icu_stream.gateways import codes
from icu_stream.gateways.codes import Meaning


class Passed(StrEnum):
    """Why a value was passed over, beside `codes.Refusal`."""

    NO_NUMBER = "type_no_number"
    NO_VALUE = "not_measured"
    NO_PATIENT = "demo_or_test"
    WITHDRAWN = "withdrawn"
    NO_TIME = "time_unreadable"
    SECOND = "second_source"
    IMPLAUSIBLE = "charted_implausible"


class Reading(NamedTuple):
    """What a message says.

    Attributes:
        vitals: Measured, in the order of their time for each device.
        commands: Charted values, and who came or went.
        passed: How many values were passed over, by reason.
        taken: How many were taken.
        unknown: Codes that are not in the table.
    """

    vitals: list[Vitals]
    commands: list[Command]
    passed: Counter[str]
    taken: int
    unknown: frozenset[str] = frozenset()


class Place(NamedTuple):
    """Of whom and where a value is.

    Attributes:
        patient_id: Whose.
        bed: Where; may be empty.
        device: By what; may be empty.
    """

    patient_id: str
    bed: str
    device: str


# Signals that are read now and then, and bear the time of that.
_SPOTS = {
    "nibp_sys": "/nibp",
    "nibp_dia": "/nibp",
    "nibp_mean": "/nibp",
    "temp": "/temp",
}
_SUFFIXES = tuple(sorted(set(_SPOTS.values())))
# Ours: more than a country's intensive-care beds have.
_MOST_SPOTS = 50_000
_LONGEST_NAME = 128
_LONGEST_PART = 40
_LONGEST_DEVICE = _LONGEST_NAME - max(len(suffix) for suffix in _SUFFIXES)


class Sheet:
    """Collects the values of one message.

    Args:
        interval_s: Seconds between a device's messages; None: 1.
        by: Who charts what is charted.
        command_id: Makes the id of what is charted of a patient at a moment: the same
            when the message is sent again.
    """

    def __init__(
        self,
        interval_s: float | None,
        by: Identifier,
        command_id: Callable[[str, int], Identifier],
    ) -> None:
        self._interval_s = interval_s
        self._by = by
        self._command_id = command_id
        self._passed: Counter[str] = Counter()
        self._unknown: set[str] = set()
        self._taken = 0
        self._measured: dict[tuple[Place, int], dict[str, tuple[int, Any]]] = {}
        self._charted: dict[tuple[str, int], dict[str, tuple[int, Any]]] = {}

    def pass_over(self, reason: StrEnum, code: str = "") -> None:
        """Count a value that is not taken; `code` when it is the code that is unknown."""
        self._passed[reason] += 1
        if code:
            self._unknown.add(code)

    def add(
        self, place: Place, time: int, meaning: Meaning, value: float | str
    ) -> Passed | None:
        """Take a value.

        Args:
            place: Of whom and where.
            time: When it was measured, epoch ms.
            meaning: What it is.
            value: In our unit; signs that are no number raise the signal's alarm.

        Returns:
            Why it is passed over, and counted; None when it is taken.
        """
        passed = self._add(place, time, meaning, value)
        if passed is not None:
            self.pass_over(passed)
        return passed

    def reading(self) -> Reading:
        """All of it."""
        return Reading(
            list(self._vitals()),
            list(self._commands()),
            self._passed,
            self._taken,
            frozenset(self._unknown),
        )

    def _add(
        self, place: Place, time: int, meaning: Meaning, value: float | str
    ) -> Passed | None:
        if not FIRST_MS <= time < END_MS:
            return Passed.NO_TIME
        code = meaning.code
        if codes.is_charted(code):
            if isinstance(value, str):
                return Passed.NO_NUMBER
            row = observations.BY_CODE[code]
            if not row.low <= value <= row.high:
                return Passed.IMPLAUSIBLE
            values = self._charted.setdefault((place.patient_id, time), {})
        else:
            device = place.device[:_LONGEST_DEVICE] + _SPOTS.get(code, "")
            key = (place._replace(device=device), time)
            values = self._measured.setdefault(key, {})
        other = values.get(code)
        if other is None or other[0] > meaning.rank:
            values[code] = (meaning.rank, value)
        if other is not None:
            return Passed.SECOND
        self._taken += 1
        return None

    def _vitals(self) -> Iterator[Vitals]:
        # A reading of long ago comes after what was measured now, which tells how the
        # device's clock stands: rule 4 takes that of the patient's first message.
        for place, time in sorted(self._measured, key=_rates_first):
            values = self._measured[place, time]
            yield Vitals(
                patient_id=place.patient_id,
                bed=place.bed,
                device=place.device,
                time=time,
                values={code: value for code, (_, value) in values.items()},
                interval_s=self._interval_s,
            )

    def _commands(self) -> Iterator[Command]:
        for patient_id, time in sorted(self._charted, key=lambda key: key[1]):
            values = self._charted[patient_id, time]
            yield Command(
                command_id=self._command_id(patient_id, time),
                type=CommandType.OBSERVE,
                patient_id=patient_id,
                by=self._by,
                time=time,
                values={code: value for code, (_, value) in values.items()},
            )


class Spots:
    """The last readings of cuffs and thermometers, which monitors repeat until the next.

    A reading is written once: told again and again it would be a device whose clock goes
    ever further behind (docs/alarms.md, rule 4).
    """

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, str], Vitals] = OrderedDict()

    def fresh(self, messages: list[Vitals]) -> list[Vitals]:
        """Those that were not there before."""
        return [m for m in messages if not self._is_known(m)]

    def remember(self, messages: list[Vitals]) -> None:
        """They are written."""
        for message in messages:
            if _is_spot(message):
                key = (message.patient_id, message.device)
                self._last[key] = message
                self._last.move_to_end(key)
        while len(self._last) > _MOST_SPOTS:
            self._last.popitem(last=False)

    def _is_known(self, message: Vitals) -> bool:
        last = self._last.get((message.patient_id, message.device))
        return (
            last is not None
            and _is_spot(message)
            and (last.time, last.values) == (message.time, message.values)
        )


def _is_spot(message: Vitals) -> bool:
    return message.device.endswith(_SUFFIXES)


def _rates_first(key: tuple[Place, int]) -> tuple[bool, int]:
    place, time = key
    return place.device.endswith(_SUFFIXES), time


def monitor_of(device: str) -> str:
    """The device itself, of one that stands for a cuff or thermometer.

    >>> monitor_of("mon-17/nibp")
    'mon-17'
    """
    for suffix in _SUFFIXES:
        device = device.removesuffix(suffix)
    return device


def patient_id(text: str) -> Identifier:
    """An identifier that may be a patient's.

    Raises:
        ValueError: It may not, and why.
    """
    try:
        found: Identifier = msgspec.convert(text, Identifier)
    except msgspec.ValidationError:
        msg = "an identifier has 1 to 128 printable ASCII signs"
        raise ValueError(msg) from None
    if is_canary(found):
        msg = "an identifier that is reserved for tests of the chain"
        raise ValueError(msg)
    return found


def name(text: str) -> str:
    """A bed's or device's name; none where it cannot be one."""
    if not text.isprintable() or len(text) > _LONGEST_NAME or "\ufffd" in text:
        return ""
    return text.strip()


def instant(time_ms: int) -> str:
    """Epoch milliseconds as ISO 8601, UTC.

    >>> instant(1772352000250)
    '2026-03-01T08:00:00.250Z'
    """
    told = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{told:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


def identity(*parts: str) -> Identifier:
    """An identity made of what another system says, in the signs that one may have."""
    return "/".join(_plain(part) for part in parts)


def _plain(part: str) -> str:
    plain = "".join(c if " " <= c <= "~" else "?" for c in part).strip() or "?"
    if len(plain) <= _LONGEST_PART and plain == part:
        return plain
    # Cut or mended, two could become one.
    digest = hashlib.sha256(part.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{plain[: _LONGEST_PART - 9].strip()}-{digest}"
