"""eICU demo, hourly: one parquet table with a row a stay and hour.

Stays have no date; `time` counts from admission, and stays are laid side by side, as if
all had been admitted at the same moment. Only the mapped columns are read (3 MB).
"""

import math

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from numpy.typing import NDArray

from icu_stream.contracts.vitals import Vitals
from icu_stream.errors import ConfigurationError
from icu_stream.sources import readers
from icu_stream.sources.readers import Stream


INTERVAL_S = 3600.0
DEVICE = "eicu"

# Source: concept names of the YAIB benchmark's preparation (ricu's dictionary), units as
# there. Its pressures are arterial where there was a line and a cuff's elsewhere, and the
# table does not say which: they are taken as a cuff's, each reading for itself.
COLUMNS: dict[str, str] = {
    "hr": "hr",
    "resp": "rr",
    "o2sat": "spo2",
    "temp": "temp",
    "sbp": "nibp_sys",
    "dbp": "nibp_dia",
    "map": "nibp_mean",
    "fio2": "fio2",
}


class _Table(NamedTuple):
    """The mapped part of the file, by stay and time.

    Attributes:
        signals: Our codes of the columns of `values`.
        times_ms: Since admission, (n_rows) int64.
        values: (n_rows, n_signals) float64, NaN = not charted.
    """

    signals: list[str]
    times_ms: NDArray[np.int64]
    values: NDArray[np.float64]


def open_streams(path: Path, patients: int | None) -> list[Stream]:
    """Open a `*_dyn.parquet`, or a directory that holds exactly one."""
    if path.is_dir():
        files = sorted(path.glob("*_dyn.parquet"))
        if len(files) != 1:
            names = ", ".join(file.name for file in files) or "none"
            msg = f"{path}: want one *_dyn.parquet, found {names}; name one of them"
            raise ConfigurationError(msg)
        path = files[0]
    try:
        names = pq.read_schema(path).names
        mapped = [name for name in COLUMNS if name in names]
        if not {"stay_id", "time"} <= set(names) or not mapped:
            msg = (
                f"{path} has no columns stay_id, time and {', '.join(COLUMNS)}: want "
                "the *_dyn.parquet, not the static or outcome table"
            )
            raise ConfigurationError(msg)
        table = pq.read_table(path, columns=["stay_id", "time", *mapped])
        return _streams(table, mapped, patients)
    except (pa.ArrowException, OSError) as error:
        raise readers.unreadable(path, error) from error


def _streams(table: pa.Table, mapped: list[str], patients: int | None) -> list[Stream]:
    stays = table["stay_id"].to_numpy()
    times_ms = _milliseconds(table["time"])
    values = np.column_stack([table[name].to_numpy() for name in mapped])
    order = np.lexsort((times_ms, stays))
    stays = stays[order]
    rows = _Table(
        [COLUMNS[name] for name in mapped],
        times_ms[order],
        values[order].astype(np.float64),
    )
    ids, firsts = np.unique(stays, return_index=True)
    ends = [*firsts[1:].tolist(), len(stays)]
    return [
        Stream(
            readers.UNDATED_MS, partial(_read, rows, f"eicu-{stay}", first, end, number)
        )
        for number, (stay, first, end) in enumerate(
            zip(ids.tolist()[:patients], firsts.tolist(), ends, strict=False), 1
        )
    ]


def _milliseconds(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Time since admission: a duration, or a number of hours."""
    if pa.types.is_duration(column.type):
        milliseconds: NDArray[np.int64] = (
            column.cast(pa.duration("ms")).cast(pa.int64()).to_numpy()
        )
        return milliseconds
    hours: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    return np.rint(hours * 3_600_000).astype(np.int64)


def _read(
    table: _Table, patient_id: str, first: int, end: int, number: int, shift_ms: int
) -> Iterator[Vitals]:
    origin_ms = readers.UNDATED_MS + shift_ms
    for row in range(first, end):
        values = {
            signal: value
            for signal, value in zip(
                table.signals, table.values[row].tolist(), strict=True
            )
            if math.isfinite(value)
        }
        if values:
            yield Vitals(
                patient_id=patient_id,
                time=origin_ms + int(table.times_ms[row]),
                bed=readers.bed(number),
                device=DEVICE,
                values=values,
                interval_s=INTERVAL_S,
            )
