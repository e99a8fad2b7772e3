"""The table of what is charted by hand or comes from the laboratory."""

import re

from pathlib import Path

import pytest

from icu_stream.contracts import signals
from icu_stream.contracts.observations import BY_CODE, OBSERVATIONS


# Ordinary results of a well adult: any range that refused them would be wrong. Harrison's
# Principles of Internal Medicine, 20th ed., appendix "Laboratory values", in the units here.
WELL = {
    "gcs": 15,
    "urine_ml_h": 60,
    "fio2": 21,
    "ventilated": 0,
    "age": 40,
    "weight": 75,
    "height": 172,
    "ph": 7.4,
    "pao2": 95,
    "paco2": 40,
    "sao2": 98,
    "base_excess": 0,
    "lactate": 1.0,
    "sodium": 140,
    "potassium": 4.2,
    "chloride": 104,
    "hco3": 24,
    "glucose": 90,
    "bun": 14,
    "creatinine": 0.9,
    "magnesium": 2.0,
    "calcium": 9.4,
    "phosphate": 3.5,
    "albumin": 4.2,
    "bilirubin": 0.7,
    "alp": 70,
    "alt": 25,
    "ast": 25,
    "cholesterol": 180,
    "crp": 3,
    "troponin_i": 0.01,
    "troponin_t": 0.01,
    "haematocrit": 42,
    "haemoglobin": 14,
    "platelets": 250,
    "wbc": 7,
    "inr": 1.0,
    "ptt": 30,
}


def check_digit(number: str) -> int:
    """LOINC's: mod 10, every other digit from the right doubled (Luhn)."""
    doubled = [int(d) * (2 if i % 2 == 0 else 1) for i, d in enumerate(number[::-1])]
    return -sum(d // 10 + d % 10 for d in doubled) % 10


@pytest.mark.parametrize("row", OBSERVATIONS, ids=lambda row: row.code)
def test_a_row_is_whole_and_its_loinc_code_is_one(row):
    assert re.fullmatch("[a-z0-9_]+", row.code)
    assert row.low < row.high
    assert all([row.name, row.unit, row.note])
    if row.loinc is not None:
        number, digit = row.loinc.split("-")
        assert check_digit(number) == int(digit)


@pytest.mark.parametrize("row", OBSERVATIONS, ids=lambda row: row.code)
def test_a_well_adult_is_plausible(row):
    assert row.low <= WELL[row.code] <= row.high


def test_no_code_is_there_twice():
    assert len(BY_CODE) == len(OBSERVATIONS)
    codes = [row.loinc for row in OBSERVATIONS if row.loinc]
    assert len(set(codes)) == len(codes)


def test_what_is_a_signal_too_is_the_same_thing():
    both = set(BY_CODE) & set(signals.BY_CODE)

    assert both == {"fio2"}
    row, signal = BY_CODE["fio2"], signals.BY_CODE["fio2"]
    assert (row.loinc, row.unit, row.low, row.high) == (
        signal.loinc,
        signal.unit,
        signal.low,
        signal.high,
    )


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("fio2", 0.4),
        ("height", 1.72),
        ("creatinine", 80),
        ("haemoglobin", 140),
        ("haematocrit", 0.42),
        ("ph", 74),
    ],
)
def test_the_usual_mix_up_of_units_is_outside(code, value):
    assert not BY_CODE[code].low <= value <= BY_CODE[code].high


@pytest.mark.parametrize("row", OBSERVATIONS, ids=lambda row: row.code)
def test_the_page_of_messages_has_the_row(row):
    page = Path(__file__).parents[3] / "docs/messages.md"
    cells = [f"`{row.code}`", row.name, row.unit, row.loinc or "-"]

    line = f"| {' | '.join(cells)} | {row.low:g} to {row.high:g} |"

    assert line in page.read_text("utf-8").splitlines()
