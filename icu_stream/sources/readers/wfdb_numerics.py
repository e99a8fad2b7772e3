"""WFDB numerics: the numbers of a bedside monitor, as PhysioNet publishes them.

The header says how far apart samples are (1/60 Hz: a minute) and how numbers are stored;
the `wfdb` library reads both. Dates of these recordings were moved for each patient by
itself, so records say nothing about each other's time: moved to another date, all of
them start together.
"""

import math

from collections.abc import Iterator
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import NamedTuple

import wfdb

from icu_stream.contracts.vitals import Vitals
from icu_stream.errors import ConfigurationError
from icu_stream.sources import readers
from icu_stream.sources.readers import Stream


# Numerics are stored once a second or once a minute; what is faster is a waveform (ours).
FASTEST_HZ = 2.0
# Samples read at once: 32 KB a signal, and one call of the library an hour of seconds.
CHUNK = 4096

# Source: signal names of the MIMIC-II/III waveform databases' numerics records; written
# here in capitals without spaces, since the databases differ in both ("ABP Sys",
# "ABPSys", "NBP [Sys]").
SIGNALS: dict[str, str] = {
    "HR": "hr",
    "PULSE": "pulse",
    "SPO2": "spo2",
    "%SPO2": "spo2",
    "RESP": "rr",
    "ABPSYS": "abp_sys",
    "ABPDIAS": "abp_dia",
    "ABPMEAN": "abp_mean",
    "ARTSYS": "abp_sys",
    "ARTDIAS": "abp_dia",
    "ARTMEAN": "abp_mean",
    "NBPSYS": "nibp_sys",
    "NBPDIAS": "nibp_dia",
    "NBPMEAN": "nibp_mean",
    "TEMP": "temp",
    "TEMPCORE": "temp",
    "CO2ET": "etco2",
    "ETCO2": "etco2",
    "CVP": "cvp",
    "FIO2": "fio2",
}
# Units as headers write them, in capitals; "pm" is per minute. 1 kPa = 7.50062 mmHg
# (NIST SP 811, appendix B.8).
_PER_MINUTE = {"BPM": 1.0, "PM": 1.0, "/MIN": 1.0, "RPM": 1.0}
_PRESSURE = {"MMHG": 1.0, "KPA": 7.50062}
_PERCENT = {"%": 1.0}
_TEMPERATURE = {"DEGC": 1.0, "DEG.C": 1.0, "C": 1.0, "CELSIUS": 1.0}
UNITS: dict[str, dict[str, float]] = {
    "hr": _PER_MINUTE,
    "pulse": _PER_MINUTE,
    "rr": _PER_MINUTE,
    "spo2": _PERCENT,
    "fio2": _PERCENT,
    "temp": _TEMPERATURE,
}


class _Numerics(NamedTuple):
    """One record: which of its columns are what, and when its samples were taken."""

    path: Path
    columns: list[tuple[int, str, float]]
    origin_ms: int
    interval_ms: int
    samples: int


def open_streams(path: Path, patients: int | None) -> list[Stream]:
    """Open one header, or every numerics record of a directory."""
    headers = sorted(path.glob("*.hea")) if path.is_dir() else [path]
    parts = _segments(headers) if len(headers) > 1 else set()
    records = [
        numerics
        for header in headers
        if header.stem not in parts
        if (numerics := _numerics(header)) is not None
    ][:patients]
    if not records:
        msg = f"{path} has no numerics of a monitor: want one of {', '.join(SIGNALS)}"
        raise ConfigurationError(msg)
    return [
        Stream(record.origin_ms, partial(_read, record, number))
        for number, record in enumerate(records, 1)
    ]


def _segments(headers: list[Path]) -> set[str]:
    """Names of records that are parts of another record."""
    parts: set[str] = set()
    for header in headers:
        lines = header.read_text(errors="replace").splitlines()
        if "/" in lines[0].partition(" ")[0]:
            parts.update(line.partition(" ")[0] for line in lines[1:])
    return parts


def _numerics(header: Path) -> _Numerics | None:
    """What a record holds; None when it has no signal of a monitor's numbers."""
    try:
        found = wfdb.rdheader(str(header.with_suffix("")), rd_segments=True)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise readers.unreadable(header, error) from error
    names = found.get_sig_name() if hasattr(found, "segments") else found.sig_name
    units = found.get_sig_units() if hasattr(found, "segments") else found.units
    columns = [
        (column, signal, _factor(header, name, signal, unit))
        for column, (name, unit) in enumerate(
            zip(names or [], units or [], strict=True)
        )
        if (signal := SIGNALS.get(_plain(name))) is not None
    ]
    if not columns or found.fs > FASTEST_HZ:
        return None
    base = found.base_datetime
    origin_ms = (
        readers.UNDATED_MS
        if base is None
        else round(base.replace(tzinfo=UTC).timestamp() * 1000)
    )
    return _Numerics(
        header.with_suffix(""),
        columns,
        origin_ms,
        round(1000 / found.fs),
        found.sig_len,
    )


def _plain(name: str) -> str:
    return "".join(c for c in name.upper() if c not in " []_-")


def _factor(header: Path, name: str, signal: str, unit: str) -> float:
    known = UNITS.get(signal, _PRESSURE)
    factor = known.get(unit.upper().replace(" ", ""))
    if factor is None:
        msg = (
            f"{header}: {name} is in {unit!r}, want one of {', '.join(known)} "
            "(capitals do not matter)"
        )
        raise ConfigurationError(msg)
    return factor


def _read(record: _Numerics, number: int, shift_ms: int) -> Iterator[Vitals]:
    start_ms = record.origin_ms + shift_ms
    bed = readers.bed(number)
    interval_s = record.interval_ms / 1000
    for first in range(0, record.samples, CHUNK):
        for offset, row in enumerate(_samples(record, first)):
            values = {
                signal: row[column] * factor
                for column, signal, factor in record.columns
                if math.isfinite(row[column])
            }
            if values:
                yield Vitals(
                    patient_id=record.path.name,
                    time=start_ms + (first + offset) * record.interval_ms,
                    bed=bed,
                    device="wfdb",
                    values=values,
                    interval_s=None if interval_s == 1 else interval_s,
                )


def _samples(record: _Numerics, first: int) -> list[list[float]]:
    end = min(first + CHUNK, record.samples)
    try:
        read = wfdb.rdrecord(str(record.path), sampfrom=first, sampto=end)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise readers.unreadable(record.path, error) from error
    samples: list[list[float]] = read.p_signal.tolist()
    return samples
