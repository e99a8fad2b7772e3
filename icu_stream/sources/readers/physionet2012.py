"""PhysioNet / Computing in Cardiology Challenge 2012: charted text, one file a stay.

A file has lines `HH:MM,Parameter,Value`, the time since admission to the ICU, in time
order. All lines of one minute are one message. Stays have no date; they are laid side by
side, as if all had been admitted at the same moment.

An archive is read once from its beginning to its end, and what it holds of each stay is
kept in memory as it is (27 MB for the 4,000 stays of set A): stays are merged by time, so
all of them are open at once.
"""

import itertools
import math
import re
import tarfile

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from icu_stream.contracts.vitals import Vitals
from icu_stream.errors import ConfigurationError
from icu_stream.sources import readers
from icu_stream.sources.readers import Stream


HEADER = "Time,Parameter,Value"
UNKNOWN = -1.0
DEVICE = "physionet-2012"
# Charted data: no value is expected sooner than this, however dense the last ones were.
LONGEST_INTERVAL_S = 3600.0


class Parameter(NamedTuple):
    """One parameter of the recording: our signal, and what its unit is multiplied by."""

    signal: str
    factor: float = 1.0


# Source of names and units: PhysioNet/CinC Challenge 2012, "Time Series". SaO2 is a
# saturation in % that was charted, in part from blood gases: it is the only one that the
# recording has. FiO2 is a fraction there. The other parameters are descriptors,
# laboratory values, GCS, urine, weight and ventilation yes or no: no signals of a monitor.
PARAMETERS: dict[str, Parameter] = {
    "HR": Parameter("hr"),
    "RespRate": Parameter("rr"),
    "SaO2": Parameter("spo2"),
    "Temp": Parameter("temp"),
    "SysABP": Parameter("abp_sys"),
    "DiasABP": Parameter("abp_dia"),
    "MAP": Parameter("abp_mean"),
    "NISysABP": Parameter("nibp_sys"),
    "NIDiasABP": Parameter("nibp_dia"),
    "NIMAP": Parameter("nibp_mean"),
    "FiO2": Parameter("fio2", 100.0),
}
_BY_NAME = {name.encode(): parameter for name, parameter in PARAMETERS.items()}
# One search instead of a look at each line: four lines of five are not mapped.
_ROW = re.compile(
    rb"^([^,\n]*),(" + b"|".join(_BY_NAME) + rb"),([^\r\n]*)", re.MULTILINE
)


def open_streams(path: Path, patients: int | None) -> list[Stream]:
    """Open a directory of stays, one stay, or an archive of them."""
    stays = itertools.islice(_stays(path), patients)
    streams = [
        Stream(readers.UNDATED_MS, partial(_read, name, data, number))
        for number, (name, data) in enumerate(stays, 1)
    ]
    if not streams:
        msg = f"{path} holds no stay: want files that begin with {HEADER}"
        raise ConfigurationError(msg)
    return streams


def _stays(path: Path) -> Iterator[tuple[str, bytes]]:
    header = HEADER.encode()
    if path.is_dir():
        for file in sorted(path.glob("*.txt")):
            data = file.read_bytes()
            if data.startswith(header):
                yield file.name, data
    elif not tarfile.is_tarfile(path):
        yield path.name, path.read_bytes()
    else:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                if (file_in := archive.extractfile(member)) is not None:
                    data = file_in.read()
                    if data.startswith(header):
                        yield Path(member.name).name, data


def _read(name: str, data: bytes, number: int, shift_ms: int) -> Iterator[Vitals]:
    origin_ms = readers.UNDATED_MS + shift_ms
    patient_id = f"pn2012-{name.removesuffix('.txt')}"
    bed = readers.bed(number)
    interval_s = LONGEST_INTERVAL_S
    minutes = itertools.pairwise(itertools.chain(_minutes(name, data), [None]))
    for this, following in minutes:
        if this is None:
            return
        minute, values = this
        if following is not None:
            # The last row keeps the spacing before it: nobody knows what came next.
            interval_s = min((following[0] - minute) * 60.0, LONGEST_INTERVAL_S)
        yield Vitals(
            patient_id=patient_id,
            time=origin_ms + minute * 60_000,
            bed=bed,
            device=DEVICE,
            values=values,
            interval_s=interval_s,
        )


def _minutes(name: str, data: bytes) -> Iterator[tuple[int, dict[str, float]]]:
    """Minutes with at least one value; of two values in one minute the last stays."""
    minute, clock = -1, b""
    values: dict[str, float] = {}
    for row in _ROW.finditer(data):
        told, parameter, text = row.groups()
        if told != clock:
            later = _minute(told)
            if later is None or later < minute:
                line = data.count(b"\n", 0, row.start()) + 1
                wrong = (
                    "no time, want HH:MM" if later is None else "before the row above"
                )
                msg = f"{name} line {line}, Time: {told.decode(errors='replace')!r} is {wrong}"
                raise ConfigurationError(msg)
            if values:
                yield minute, values
            minute, clock, values = later, told, {}
        value = _number(text)
        if value is not None:
            known = _BY_NAME[parameter]
            values[known.signal] = value * known.factor
    if values:
        yield minute, values


def _minute(text: bytes) -> int | None:
    hours, _, minutes = text.partition(b":")
    if not (hours.isdigit() and minutes.isdigit()):
        return None
    return int(hours) * 60 + int(minutes)


def _number(text: bytes) -> float | None:
    """A value; text, NaN, infinity and the recording's -1 for unknown are absence."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value != UNKNOWN else None
