"""CSV: a header `patient_id,time,bed,device,<signal>...`, then one row a message.

The file is read twice. The first pass checks every cell, so that a mistake in line one
million is said before the first message is sent, and remembers where each row begins (24
bytes a row). The second pass reads the rows in the order of their time, whatever their
order in the file.
"""

import csv
import difflib
import math

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from numpy.typing import NDArray

from icu_stream.contracts.signals import BY_CODE
from icu_stream.contracts.vitals import Identifier, Vitals
from icu_stream.errors import ConfigurationError
from icu_stream.sources import readers
from icu_stream.sources.readers import Stream


REQUIRED = ("patient_id", "time")
OPTIONAL = ("bed", "device")
# Rows further apart than this are a pause of the device, not its spacing (ours).
LONGEST_INTERVAL_S = 3600.0


class _Row(NamedTuple):
    """One line of the file, understood."""

    patient_id: str
    time_ms: int
    bed: str
    device: str
    values: dict[str, float]


class _Index(NamedTuple):
    """Where the rows are, in the order of their time.

    Attributes:
        offsets: First byte of each row, (n_rows) int64.
        intervals_ms: To the next later row of the same patient and device, (n_rows)
            int64; 0 when there is none.
        beds: Bed by patient, for rows that name none.
        origin_ms: The earliest time.
    """

    offsets: NDArray[np.int64]
    intervals_ms: NDArray[np.int64]
    beds: dict[str, str]
    origin_ms: int


def open_streams(path: Path, patients: int | None) -> list[Stream]:
    """Check a file and open it as one stream."""
    with path.open("rb") as file:
        columns = _columns(path, _line(path, 1, file.readline().rstrip(b"\r\n")))
        index = _index(path, columns, file.tell(), patients)
    return [Stream(index.origin_ms, partial(_read, path, columns, index))]


def _columns(path: Path, line: str) -> list[str]:
    columns = [name.strip() for name in next(csv.reader([line]))]
    if missing := [name for name in REQUIRED if name not in columns]:
        separator = " (the separator must be a comma)" if ";" in line else ""
        msg = f"{path} line 1: no column {' and '.join(missing)}{separator}"
        raise ConfigurationError(msg)
    for name in columns:
        if columns.count(name) > 1:
            msg = f"{path} line 1: column {name} is there twice"
            raise ConfigurationError(msg)
        if name not in BY_CODE and name not in REQUIRED + OPTIONAL:
            near = difflib.get_close_matches(name.lower(), BY_CODE, 1)
            hint = (
                f"did you mean {near[0]}?" if near else f"known: {', '.join(BY_CODE)}"
            )
            msg = f"{path} line 1: column {name!r} is no signal; {hint}"
            raise ConfigurationError(msg)
    return columns


def _index(
    path: Path, columns: list[str], first_byte: int, patients: int | None
) -> _Index:
    offsets: list[int] = []
    times: list[int] = []
    keys: list[int] = []
    numbers: dict[tuple[str, str], int] = {}
    beds: dict[str, str] = {}
    offset = first_byte
    with path.open("rb") as file:
        file.seek(first_byte)
        for number, line in enumerate(file, 2):
            row = _row(path, number, columns, line)
            if row is not None and row.patient_id not in beds:
                if patients is not None and len(beds) == patients:
                    row = None
                else:
                    beds[row.patient_id] = readers.bed(len(beds) + 1)
            if row is not None:
                key = (row.patient_id, row.device)
                offsets.append(offset)
                times.append(row.time_ms)
                keys.append(numbers.setdefault(key, len(numbers)))
            offset += len(line)
    if not offsets:
        msg = f"{path} holds no value: every row is empty"
        raise ConfigurationError(msg)
    time = np.asarray(times, np.int64)
    order = np.argsort(time, kind="stable")
    time = time[order]
    spacing = _spacing(time, np.asarray(keys, np.int64)[order])
    return _Index(np.asarray(offsets, np.int64)[order], spacing, beds, int(time[0]))


def _spacing(times: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Milliseconds to the next later row of the same key; 0 when there is none."""
    spacing = np.zeros(len(times), np.int64)
    seen: dict[int, int] = {}  # key to the row after this one
    for i in range(len(times) - 1, -1, -1):
        key = int(keys[i])
        after = seen.get(key)
        if after is not None:
            gap = times[after] - times[i]
            # A row of the same moment: what comes later than both is next.
            spacing[i] = gap or spacing[after]
        seen[key] = i
    return spacing


def _read(
    path: Path, columns: list[str], index: _Index, shift_ms: int
) -> Iterator[Vitals]:
    usual_ms: dict[tuple[str, str], int] = {}
    with path.open("rb") as file:
        for offset, gap_ms in zip(
            index.offsets.tolist(), index.intervals_ms.tolist(), strict=True
        ):
            file.seek(offset)
            row = _row(path, 0, columns, file.readline())
            if row is None:
                continue
            key = (row.patient_id, row.device)
            # The last row keeps the spacing before it: nobody knows what came next.
            interval_ms = usual_ms[key] = gap_ms or usual_ms.get(key, 1000)
            yield Vitals(
                patient_id=row.patient_id,
                time=row.time_ms + shift_ms,
                bed=row.bed or index.beds[row.patient_id],
                device=row.device,
                values=row.values,
                interval_s=None
                if interval_ms == 1000
                else min(interval_ms / 1000, LONGEST_INTERVAL_S),
            )


def _line(path: Path, number: int, line: bytes) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        msg = f"{path} line {number}: not UTF-8 ({error.reason}); save it as UTF-8"
        raise ConfigurationError(msg) from None


def _row(path: Path, number: int, columns: list[str], line: bytes) -> _Row | None:
    """One row; None when nothing was measured in it."""
    text = _line(path, number or 2, line).strip()
    if not text:
        return None
    cells = [cell.strip() for cell in next(csv.reader([text]))]
    if len(cells) != len(columns):
        msg = f"{path} line {number}: {len(cells)} cells, want {len(columns)}"
        raise ConfigurationError(msg)
    row = dict(zip(columns, cells, strict=True))
    column = ""
    try:
        values = {}
        for column in columns:
            if column in BY_CODE and (value := _value(row[column])) is not None:
                values[column] = value
        column = "patient_id"
        patient_id = msgspec.convert(row[column], Identifier)
        column = "time"
        time_ms = _time(row[column])
    except (ValueError, msgspec.ValidationError) as error:
        msg = f"{path} line {number}, column {column}: {row[column]!r}: {error}"
        raise ConfigurationError(msg) from None
    if not values:
        return None
    return _Row(patient_id, time_ms, row.get("bed", ""), row.get("device", ""), values)


def _value(text: str) -> float | None:
    """A number, or None where nothing was measured: empty or NaN."""
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if math.isinf(value):
        msg = "no number; leave empty what was not measured"
        raise ValueError(msg)
    return None if math.isnan(value) else value


def _time(text: str) -> int:
    """Epoch milliseconds or an ISO moment, which is UTC unless it says otherwise."""
    # 11 digits end in 1973: what is shorter is seconds, or a date without dashes.
    if text.isdecimal() and len(text) >= 12:
        return int(text)
    try:
        moment = datetime.fromisoformat("" if text.isdecimal() else text)
    except ValueError:
        msg = "no time; want ISO 8601 or epoch milliseconds (12 digits or more)"
        raise ValueError(msg) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
