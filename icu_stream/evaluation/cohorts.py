"""Patients whose outcome is known: what was charted, and labels by the hour.

Read from the recordings in the shared folder, laboratory values too, which are no
signals of a monitor and so are not in `icu_stream.sources.readers`. Values are under the
codes of `icu_stream.contracts` and in their units; nothing is filled in.
"""

import math
import tarfile

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from icu_stream.contracts import observations, signals
from icu_stream.errors import ConfigurationError
from icu_stream.sources.readers import eicu, physionet2012


HOUR_MS = 3_600_000


class Stay(NamedTuple):
    """One stay in intensive care.

    Attributes:
        stay_id: Of the recording.
        values: (time since admission in ms, code, value), by time.
        labels: (time in ms, is it so?): when a score is asked for, and the truth then.
    """

    stay_id: str
    values: list[tuple[int, str, float]]
    labels: list[tuple[int, bool]]

    @property
    def ends_badly(self) -> bool:
        """Is it so at any time of the stay?"""
        return any(label for _, label in self.labels)


# PhysioNet/CinC Challenge 2012, "Time Series" and "General Descriptors". SaO2 was charted
# as the only saturation. Cholesterol has no part in any prior: 8 % of stays have one.
_PHYSIONET = {
    "Age": "age",
    **{name: of.signal for name, of in physionet2012.PARAMETERS.items()},
    "GCS": "gcs",
    "MechVent": "ventilated",
    "Urine": "urine_ml_h",
    "BUN": "bun",
    "Creatinine": "creatinine",
    "Bilirubin": "bilirubin",
    "Albumin": "albumin",
    "ALP": "alp",
    "ALT": "alt",
    "AST": "ast",
    "Glucose": "glucose",
    "HCO3": "hco3",
    "HCT": "haematocrit",
    "K": "potassium",
    "Lactate": "lactate",
    "Mg": "magnesium",
    "Na": "sodium",
    "PaCO2": "paco2",
    "PaO2": "pao2",
    "Platelets": "platelets",
    "TroponinI": "troponin_i",
    "TroponinT": "troponin_t",
    "WBC": "wbc",
    "pH": "ph",
}
# A stay can be scored when a vital sign or the consciousness was charted: 3,946 of 4,000.
_SCORABLE = frozenset(
    {"HR", "RespRate", "SaO2", "Temp", "SysABP", "DiasABP", "MAP"}
    | {"NISysABP", "NIDiasABP", "NIMAP", "GCS"}
)
# Names of the YAIB benchmark's preparation of eICU (ricu's dictionary), units as there.
_EICU = {
    **eicu.COLUMNS,
    "urine": "urine_ml_h",
    "alb": "albumin",
    "alp": "alp",
    "alt": "alt",
    "ast": "ast",
    "bicar": "hco3",
    "bili": "bilirubin",
    "bun": "bun",
    "crea": "creatinine",
    "glu": "glucose",
    "hgb": "haemoglobin",
    "k": "potassium",
    "lact": "lactate",
    "mg": "magnesium",
    "na": "sodium",
    "pco2": "paco2",
    "ph": "ph",
    "plt": "platelets",
    "po2": "pao2",
    "tnt": "troponin_t",
    "wbc": "wbc",
}


def physionet_2012(directory: Path) -> list[Stay]:
    """Stays of set A, or of any set in its form: an archive and an outcomes file.

    A stay is labelled each hour from the first to the 48th with its death in hospital.

    Args:
        directory: Holds `set-*.tar.xz` (or a directory `set-*`) and `Outcomes-*.txt`.

    Raises:
        ConfigurationError: It does not.
    """
    outcomes = sorted(directory.glob("Outcomes-*.txt"))
    sets = sorted(directory.glob("set-*"))
    if len(outcomes) != 1 or len(sets) != 1:
        msg = f"{directory}: want one Outcomes-*.txt and one set-*; see its SOURCE.md"
        raise ConfigurationError(msg)
    died = {
        cells[0]: cells[5] == "1"
        for line in outcomes[0].read_text().splitlines()[1:]
        if len(cells := line.split(",")) == 6
    }
    stays = [
        stay
        for name, text in _texts(sets[0])
        if name in died and (stay := _physionet_stay(name, text, died[name]))
    ]
    return sorted(stays)


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    if path.is_dir():
        for file in sorted(path.glob("*.txt")):
            yield file.stem, file.read_text()
        return
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            if (file_in := archive.extractfile(member)) is not None:
                yield Path(member.name).stem, file_in.read().decode()


def _physionet_stay(name: str, text: str, died: bool) -> Stay | None:
    values: list[tuple[int, str, float]] = []
    scorable = False
    urine = _Urine()
    for line in text.splitlines()[1:]:
        clock, parameter, cell = line.split(",")
        code = _PHYSIONET.get(parameter)
        if code is None:
            continue
        value = float(cell)
        time_ms = (int(clock[:2]) * 60 + int(clock[3:])) * 60_000
        if value == physionet2012.UNKNOWN:
            continue
        scorable = scorable or parameter in _SCORABLE
        if parameter in physionet2012.PARAMETERS:
            value *= physionet2012.PARAMETERS[parameter].factor
        elif code == "urine_ml_h":
            value = urine.rate(value, time_ms)
        if _plausible(code, value):
            values.append((time_ms, code, value))
    if not scorable:
        return None
    hours = [(hour * HOUR_MS, died) for hour in range(1, 49)]
    return Stay(name, values, hours)


class _Urine:
    """Volumes, each since the last one, as a rate; at least an hour apart."""

    def __init__(self, start_ms: int = 0) -> None:
        self._before_ms = start_ms

    def rate(self, volume_ml: float, time_ms: int) -> float:
        hours = max((time_ms - self._before_ms) / HOUR_MS, 1.0)
        self._before_ms = time_ms
        return volume_ml / hours


def eicu_hourly(directory: Path, task: str) -> list[Stay]:
    """Stays of the eICU demo, as the YAIB benchmark prepared them.

    Args:
        directory: Holds `{task}_eicu_demo_dyn.parquet`, `_outc` and `_sta`.
        task: `sepsis`, labelled each hour, or `mortality24`, labelled at the end of its
            24 hours; here at each hour from the first.

    Raises:
        ConfigurationError: The files are not there or not as they must be.
    """
    try:
        charted, outcome, static = (
            pq.read_table(directory / f"{task}_eicu_demo_{part}.parquet")
            for part in ("dyn", "outc", "sta")
        )
        age = dict(_pairs(static, "age"))
        labels = _eicu_labels(charted, outcome)
        values = _eicu_values(charted, age)
    except (OSError, KeyError, pa.ArrowException) as error:
        msg = f"{directory}, {task}: {error}; see its SOURCE.md"
        raise ConfigurationError(msg) from error
    return [
        Stay(f"{stay}", values.get(stay, []), labels[stay]) for stay in sorted(labels)
    ]


def _pairs(table: pa.Table, column: str) -> Iterator[tuple[int, float]]:
    yield from zip(table["stay_id"].to_pylist(), table[column].to_pylist(), strict=True)


def _times_ms(table: pa.Table) -> list[int]:
    times: list[int] = (
        table["time"].cast(pa.duration("ms")).cast(pa.int64()).to_pylist()
    )
    return times


def _eicu_labels(
    charted: pa.Table, outcome: pa.Table
) -> dict[int, list[tuple[int, bool]]]:
    labels: dict[int, list[tuple[int, bool]]] = {}
    if "time" in outcome.column_names:
        for stay, time_ms, label in zip(
            outcome["stay_id"].to_pylist(),
            _times_ms(outcome),
            outcome["label"].to_pylist(),
            strict=True,
        ):
            labels.setdefault(stay, []).append((time_ms, bool(label)))
    else:
        truth = dict(_pairs(outcome, "label"))
        for stay, time_ms in zip(
            charted["stay_id"].to_pylist(), _times_ms(charted), strict=True
        ):
            labels.setdefault(stay, []).append((time_ms, bool(truth[stay])))
    return {stay: sorted(rows) for stay, rows in labels.items()}


def _eicu_values(
    charted: pa.Table, age: dict[int, float]
) -> dict[int, list[tuple[int, str, float]]]:
    stays = charted["stay_id"].to_numpy()
    times = np.array(_times_ms(charted), np.int64)
    order = np.lexsort((times, stays))
    columns = {
        code: charted[name].to_numpy()[order]
        for name, code in _EICU.items()
        if name in charted.column_names
    }
    values: dict[int, list[tuple[int, str, float]]] = {}
    urine = _Urine()
    for row, (stay, time_ms) in enumerate(
        zip(stays[order].tolist(), times[order].tolist(), strict=True)
    ):
        if stay not in values:
            values[stay] = []
            # The row of an hour holds what was charted until its end.
            urine = _Urine(-HOUR_MS)
            years = age.get(stay)
            if years is not None and math.isfinite(years):
                values[stay].append((0, "age", float(years)))
        charted_now = values[stay]
        for code, column in columns.items():
            value = float(column[row])
            if code == "urine_ml_h" and np.isfinite(value):
                value = urine.rate(value, time_ms)
            if _plausible(code, value):
                charted_now.append((time_ms, code, value))
    return values


def _plausible(code: str, value: float) -> bool:
    """Within what the worker itself would take for this code; NaN is not."""
    known = signals.BY_CODE.get(code) or observations.BY_CODE[code]
    return known.low <= value <= known.high
