"""What is charted by hand or comes from the laboratory: one row each.

The values of the `observe` command. Signals are what a monitor measures
(`icu_stream.contracts.signals`); `fio2` is both, because not every ventilator is
connected. A value outside its row's range is refused: it is a slip of the pen or of the
unit, not a patient.

Sources: code and meaning, Regenstrief Institute, LOINC; units, UCUM. The ranges are ours:
what adult intensive care shows, the 4,000 stays of PhysioNet/CinC Challenge 2012 (set A)
and the eICU demo, and about as much again at the end where a patient can be worse, but
not so far that the usual mix-up of units fits in where that can be avoided.
"""

from typing import NamedTuple

from icu_stream.contracts.signals import BY_CODE as SIGNALS_BY_CODE


class Observation(NamedTuple):
    """One thing that a person charts or a laboratory reports.

    Attributes:
        code: As in commands and scores.
        name: As a nurse reads it.
        unit: UCUM.
        loinc: LOINC code; None where LOINC has no plain number for it.
        low: Lowest plausible value, itself included.
        high: Highest plausible value, itself included.
        note: What the range rests on, and what it keeps out.
    """

    code: str
    name: str
    unit: str
    loinc: str | None
    low: float
    high: float
    note: str


_FIO2 = SIGNALS_BY_CODE["fio2"]
_SEEN = "PhysioNet 2012"
_SEEN_BOTH = "PhysioNet 2012, eICU demo"

OBSERVATIONS: tuple[Observation, ...] = (
    # --- at the bedside
    Observation(
        "gcs",
        "GCS",
        "{score}",
        "9269-2",
        3,
        15,
        "Teasdale G, Jennett B. Lancet 1974;304:81: the scale itself",
    ),
    Observation(
        "urine_ml_h",
        "Urine",
        "mL/h",
        "9187-6",
        0,
        5000,
        f"{_SEEN_BOTH}: volumes to 3,000 mL; the loss of an hour",
    ),
    Observation(
        "fio2",
        _FIO2.name,
        _FIO2.unit,
        _FIO2.loinc,
        _FIO2.low,
        _FIO2.high,
        "as the signal; a fraction of 0.4 is refused",
    ),
    Observation(
        "ventilated",
        "Ventilated",
        "1",
        None,
        0,
        1,
        "1 = a machine breathes, 0 = the patient alone",
    ),
    Observation("age", "Age", "a", "30525-0", 16, 120, "adult profiles"),
    Observation("weight", "Weight", "kg", "29463-7", 20, 400, f"{_SEEN}: to 300"),
    Observation("height", "Height", "cm", "8302-2", 100, 250, "metres are refused"),
    # --- blood gases, arterial
    Observation("ph", "pH", "[pH]", "2744-1", 6.5, 8.0, f"{_SEEN_BOTH}: 6.80 to 7.67"),
    Observation(
        "pao2", "PaO₂", "mm[Hg]", "2703-7", 20, 700, f"{_SEEN_BOTH}: 26 to 541"
    ),
    Observation(
        "paco2", "PaCO₂", "mm[Hg]", "2019-8", 10, 200, f"{_SEEN_BOTH}: 15 to 121"
    ),
    Observation("sao2", "SaO₂", "%", "2708-6", 10, 100, f"{_SEEN}: from 26"),
    Observation(
        "base_excess", "BE", "mmol/L", "1925-7", -40, 40, "eICU demo: -25 to 24"
    ),
    Observation(
        "lactate", "Lactate", "mmol/L", "32693-4", 0.1, 40, f"{_SEEN_BOTH}: 0.3 to 29"
    ),
    # --- chemistry
    Observation(
        "sodium", "Na⁺", "mmol/L", "2951-2", 80, 200, f"{_SEEN_BOTH}: 98 to 177"
    ),
    Observation(
        "potassium", "K⁺", "mmol/L", "2823-3", 1, 12, f"{_SEEN_BOTH}: 1.8 to 9.8"
    ),
    Observation("chloride", "Cl⁻", "mmol/L", "2075-0", 50, 170, "eICU demo: 80 to 130"),
    Observation("hco3", "HCO₃⁻", "mmol/L", "1963-8", 2, 70, f"{_SEEN_BOTH}: 5 to 47"),
    Observation(
        "glucose", "Glucose", "mg/dL", "2345-7", 10, 2000, f"{_SEEN_BOTH}: 10 to 1,143"
    ),
    Observation("bun", "BUN", "mg/dL", "3094-0", 1, 300, f"{_SEEN_BOTH}: to 198"),
    Observation(
        "creatinine",
        "Creatinine",
        "mg/dL",
        "2160-0",
        0.1,
        30,
        f"{_SEEN_BOTH}: 0.1 to 22; µmol/L begin at 30",
    ),
    Observation(
        "magnesium", "Mg²⁺", "mg/dL", "19123-9", 0.3, 15, f"{_SEEN_BOTH}: 0.6 to 9.9"
    ),
    Observation("calcium", "Ca²⁺", "mg/dL", "17861-6", 3, 20, "eICU demo: 4.5 to 13.5"),
    Observation(
        "phosphate", "Phosphate", "mg/dL", "2777-1", 0.1, 20, "eICU demo: 0.2 to 11"
    ),
    Observation(
        "albumin", "Albumin", "g/dL", "1751-7", 0.5, 7, f"{_SEEN_BOTH}: 0.9 to 5.3"
    ),
    Observation(
        "bilirubin",
        "Bilirubin",
        "mg/dL",
        "1975-2",
        0.1,
        80,
        f"{_SEEN_BOTH}: 0.1 to 48",
    ),
    Observation("alp", "ALP", "U/L", "6768-6", 5, 5000, f"{_SEEN_BOTH}: 12 to 2,205"),
    Observation("alt", "ALT", "U/L", "1742-6", 1, 30_000, f"{_SEEN_BOTH}: to 11,470"),
    Observation("ast", "AST", "U/L", "1920-8", 1, 40_000, f"{_SEEN_BOTH}: to 18,430"),
    Observation(
        "cholesterol", "Cholesterol", "mg/dL", "2093-3", 10, 1500, f"{_SEEN}: to 330"
    ),
    Observation("crp", "CRP", "mg/L", "1988-5", 0, 1000, "eICU demo: to 333"),
    Observation(
        "troponin_i", "Troponin I", "ng/mL", "10839-9", 0, 500, f"{_SEEN}: to 49"
    ),
    Observation(
        "troponin_t", "Troponin T", "ng/mL", "6598-7", 0, 100, f"{_SEEN_BOTH}: to 25"
    ),
    # --- blood count, coagulation
    Observation(
        "haematocrit", "Hct", "%", "4544-3", 5, 75, f"{_SEEN}: 9 to 62; not a fraction"
    ),
    Observation(
        "haemoglobin",
        "Hb",
        "g/dL",
        "718-7",
        1,
        26,
        "eICU demo: 4.3 to 18; g/L begin at 27",
    ),
    Observation(
        "platelets", "Platelets", "10*3/uL", "777-3", 1, 3000, f"{_SEEN}: 6 to 1,047"
    ),
    Observation("wbc", "WBC", "10*3/uL", "6690-2", 0, 600, f"{_SEEN_BOTH}: 0.1 to 470"),
    Observation("inr", "INR", "{INR}", "6301-6", 0.5, 20, "eICU demo: 0.9 to 10"),
    Observation("ptt", "aPTT", "s", "14979-9", 10, 300, "eICU demo: 21 to 185"),
)

BY_CODE: dict[str, Observation] = {row.code: row for row in OBSERVATIONS}
