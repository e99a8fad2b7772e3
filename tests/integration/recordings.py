"""Recordings of real patients as messages, read without `icu_stream.sources`.

The recordings lie beside the project in the shared folder (`ICU_SHARED`), each with its
source and licence; none is ever copied into the repository.
"""

import math
import os
import tarfile

from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import wfdb


SHARED = Path(
    os.environ.get("ICU_SHARED", Path(__file__).resolve().parents[2].parent / "shared")
)
DATA = SHARED / "data"
MIMIC3 = DATA / "mimic3-numerics" / "s00001-2896-10-10-00-31n"
PHYSIONET_2012 = DATA / "physionet-2012" / "set-a.tar.xz"
EICU = DATA / "eicu-demo-hourly" / "mortality24_eicu_demo_dyn.parquet"


def need(path: Path) -> Path:
    """The path; skips where there are no recordings, but fails where all must be there.

    A machine that only builds cannot get recordings; CI has them beside the project.
    """
    if not path.exists():
        reason = f"{path.name} is not in the shared folder (ICU_SHARED)"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return path


# Any fixed moment does: the recordings' own dates are shifted into the future.
START_MS = 1_700_000_000_000
MINUTE_MS = 60_000
HOUR_S = 3600

_MIMIC3_CODES = {
    "HR": "hr",
    "ABPSys": "abp_sys",
    "ABPDias": "abp_dia",
    "ABPMean": "abp_mean",
    "PULSE": "pulse",
    "RESP": "rr",
    "SpO2": "spo2",
    "NBPSys": "nibp_sys",
    "NBPDias": "nibp_dia",
    "NBPMean": "nibp_mean",
}
_PHYSIONET_CODES = {
    "HR": "hr",
    "RespRate": "rr",
    "SaO2": "spo2",
    "Temp": "temp",
    "NISysABP": "nibp_sys",
    "NIDiasABP": "nibp_dia",
    "NIMAP": "nibp_mean",
    "SysABP": "abp_sys",
    "DiasABP": "abp_dia",
    "MAP": "abp_mean",
}
# eICU's hourly table does not say by which line a pressure was measured: cuff.
_EICU_CODES = {
    "hr": "hr",
    "resp": "rr",
    "o2sat": "spo2",
    "temp": "temp",
    "sbp": "nibp_sys",
    "dbp": "nibp_dia",
    "map": "nibp_mean",
    "fio2": "fio2",
}

Message = dict[str, Any]


def mimic3() -> list[Message]:
    """One patient of MIMIC-III, a message a minute for 32 hours."""
    record = wfdb.rdrecord(str(MIMIC3))
    messages = []
    for minute, row in enumerate(record.p_signal):
        named = zip(record.sig_name, row, strict=True)
        values = {_MIMIC3_CODES[n]: float(v) for n, v in named if not math.isnan(v)}
        time = START_MS + minute * MINUTE_MS
        messages.append(_message("mimic3", time, values, MINUTE_MS // 1000))
    return messages


def physionet_2012(stays: int) -> dict[str, list[Message]]:
    """The first stays of the Challenge 2012, a message for each charted moment."""
    logs: dict[str, list[Message]] = {}
    with tarfile.open(PHYSIONET_2012) as archive:
        for member in archive:
            if not member.name.endswith(".txt"):
                continue
            if len(logs) == stays:
                break
            file = archive.extractfile(member)
            if file is not None:
                name = f"p2012-{Path(member.name).stem}"
                logs[name] = _charted(name, file.read().decode())
    return logs


def _charted(name: str, text: str) -> list[Message]:
    moments: dict[int, dict[str, float]] = defaultdict(dict)
    for line in text.splitlines()[1:]:
        clock, parameter, value = line.split(",")
        if parameter in _PHYSIONET_CODES:
            hours, minutes = clock.split(":")
            time = START_MS + (int(hours) * 60 + int(minutes)) * MINUTE_MS
            moments[time][_PHYSIONET_CODES[parameter]] = float(value)
    return [_message(name, t, values, HOUR_S) for t, values in sorted(moments.items())]


def eicu(stays: int) -> dict[str, list[Message]]:
    """The first stays of the eICU demo, a message an hour."""
    table = pq.read_table(EICU, columns=["stay_id", "time", *_EICU_CODES])
    logs: dict[str, list[Message]] = {}
    for row in table.to_pylist():
        name = f"eicu-{row['stay_id']}"
        if name not in logs and len(logs) == stays:
            break
        time = START_MS + int(row["time"].total_seconds()) * 1000
        values = {c: row[n] for n, c in _EICU_CODES.items() if row[n] is not None}
        logs.setdefault(name, []).append(_message(name, time, values, HOUR_S))
    return logs


def _message(
    patient_id: str, time: int, values: dict[str, float], interval_s: int
) -> Message:
    return {
        "patient_id": patient_id,
        "device": "recording",
        "time": time,
        "values": values,
        "interval_s": interval_s,
    }
