"""Which inputs a prior looks at, and where its lines may bend: fixed before learning.

Knots are clinical bands, not quantiles of one hospital's patients. Ranges are what a
charted value of a living patient can be: what lies outside is a slip or an artefact.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from icu_stream.domain.risk import Input, Prior


class Design(NamedTuple):
    """What is fixed before a prior is learnt.

    Attributes:
        empty: The prior with nothing learnt: every line is flat.
        variance: How far a weight may be from 0 before the data say so.
        drop: Chance with which `taken` are taken away from a row while learning, so
            that the prior knows how to do without them.
        taken: Inputs that other hospitals may not send at all.
        start: By input: log-odds at each knot before anything is learnt; 0 by default.
        free: Inputs of which nothing is known before, and their variance.
    """

    empty: Prior
    variance: float
    drop: float = 0.0
    taken: tuple[str, ...] = ()
    start: Mapping[str, tuple[float, ...]] = {}
    free: Mapping[str, float] = {}


class _Spec(NamedTuple):
    low: float
    high: float
    valid_h: float
    knots: tuple[float, ...]


# Hours for which a last value stands. Ours: vital signs are charted hourly and more
# often, laboratory values daily; twice to three times that. What a person has (an age)
# does not grow old within a stay.
_VITAL_H = 12.0
_LAB_H = 72.0
_STAY_H = 24.0 * 365

# Knots. Vital signs: the bands of NEWS2 (RCP 2017, chart 1) and about one band further
# out. Laboratory values, GCS, urine: bands of SOFA (Vincent JL. Intensive Care Med
# 1996;22:707), SAPS II (Le Gall JR. JAMA 1993;270:2957) and APACHE II (Knaus WA. Crit Care
# Med 1985;13:818), thinned out to five or six.
_SPECS: dict[str, _Spec] = {
    "hr": _Spec(10, 300, _VITAL_H, (40, 60, 80, 100, 120, 140)),
    "rr": _Spec(2, 80, _VITAL_H, (8, 12, 18, 24, 30, 36)),
    "spo2": _Spec(30, 100, _VITAL_H, (80, 88, 92, 95, 98)),
    "temp": _Spec(25, 43, _VITAL_H, (34, 35.5, 36.5, 37.5, 38.5, 39.5)),
    "sys": _Spec(20, 300, _VITAL_H, (70, 90, 105, 120, 140, 170)),
    "dia": _Spec(5, 200, _VITAL_H, (30, 45, 55, 65, 80, 100)),
    "map": _Spec(10, 220, _VITAL_H, (45, 60, 70, 80, 95, 115)),
    "shock_index": _Spec(0.1, 5, _VITAL_H, (0.4, 0.6, 0.8, 1.0, 1.3)),
    "fio2": _Spec(21, 100, 24.0, (21, 35, 50, 70, 100)),
    "gcs": _Spec(3, 15, 24.0, (3, 6, 8, 11, 13, 15)),
    "ventilated": _Spec(0, 1, 24.0, (0, 1)),
    "urine_ml_h": _Spec(0, 2000, 24.0, (0, 20, 40, 80, 150, 250)),
    "age": _Spec(16, 120, _STAY_H, (20, 45, 60, 70, 80, 90)),
    "bun": _Spec(1, 250, _LAB_H, (8, 15, 25, 40, 60, 100)),
    "creatinine": _Spec(0.1, 25, _LAB_H, (0.5, 0.8, 1.2, 2, 3.5, 6)),
    "bilirubin": _Spec(0.1, 80, _LAB_H, (0.3, 1, 2, 6, 12)),
    "albumin": _Spec(0.5, 7, _LAB_H, (1.5, 2, 2.5, 3, 3.5, 4)),
    "glucose": _Spec(10, 1500, _LAB_H, (60, 80, 110, 140, 180, 250, 350)),
    "hco3": _Spec(2, 60, _LAB_H, (10, 16, 20, 24, 28, 34)),
    "haematocrit": _Spec(8, 70, _LAB_H, (20, 25, 30, 35, 42)),
    "potassium": _Spec(1, 10, _LAB_H, (2.8, 3.5, 4, 4.5, 5.2, 6.2)),
    "sodium": _Spec(95, 190, _LAB_H, (122, 130, 136, 142, 148, 156)),
    "magnesium": _Spec(0.3, 10, _LAB_H, (1.2, 1.6, 2, 2.4, 3)),
    "lactate": _Spec(0.2, 35, _LAB_H, (0.8, 1.5, 2.2, 4, 8)),
    "ph": _Spec(6.7, 7.9, _LAB_H, (7.05, 7.2, 7.3, 7.38, 7.45, 7.55)),
    "paco2": _Spec(8, 150, _LAB_H, (22, 30, 38, 45, 55, 75)),
    "pao2": _Spec(20, 700, _LAB_H, (50, 65, 80, 110, 200, 350)),
    "horowitz": _Spec(20, 900, _LAB_H, (60, 120, 200, 300, 450)),
    "platelets": _Spec(2, 1500, _LAB_H, (20, 60, 120, 200, 300, 500)),
    "wbc": _Spec(0.05, 500, _LAB_H, (1, 4, 8, 12, 18, 30)),
    "ast": _Spec(1, 40_000, _LAB_H, (20, 50, 150, 600, 3000)),
    "alt": _Spec(1, 40_000, _LAB_H, (15, 40, 150, 600, 3000)),
    "alp": _Spec(5, 5000, _LAB_H, (40, 80, 130, 250)),
    "troponin_t": _Spec(0, 100, _LAB_H, (0.02, 0.1, 0.5, 2)),
    "troponin_i": _Spec(0, 500, _LAB_H, (0.3, 1, 5, 20)),
    # Hours since admission to intensive care; whoever asks for a score says it.
    "stay_h": _Spec(0, 100_000, 1.0, (0, 6, 24, 72)),
}
VITALS = ("hr", "rr", "spo2", "temp", "sys", "dia", "map", "shock_index", "fio2")
# Their mean says nothing that they do not.
_CONSTANT = ("age", "stay_h")


def _inputs(codes: tuple[str, ...], *, means: bool) -> list[Input]:
    return [
        Input(
            code=code,
            low=spec.low,
            high=spec.high,
            valid_h=spec.valid_h,
            knots=list(spec.knots),
            last=[0.0] * len(spec.knots),
            mean=[0.0] * len(spec.knots) if means and code not in _CONSTANT else [],
        )
        for code, spec in _SPECS.items()
        if code in codes
    ]


# In-hospital death: everything that is charted. Variance and the taking away of inputs
# were chosen by five-fold cross-validation within the training part and on the training
# half of the eICU demo, which has no GCS and no word of ventilation.
MORTALITY = Design(
    Prior(
        format=1,
        name="mortality",
        version=1,
        outcome="death in hospital",
        data="PhysioNet/CinC Challenge 2012, set A, training part",
        stays=0,
        intercept=-1.8,
        inputs=_inputs(tuple(set(_SPECS) - {"stay_h"}), means=True),
    ),
    variance=0.05,
    drop=0.2,
    taken=("gcs", "ventilated", "troponin_i"),
)
# Every input there is: what a table of readings holds.
EVERYTHING = msgspec.structs.replace(
    MORTALITY.empty, inputs=_inputs(tuple(_SPECS), means=True)
)
# What a NEWS2 point is worth before anything is learnt (ours): 7 points, an emergency by
# NEWS2, make four times the odds of none.
_A_POINT = 0.2
# Points of NEWS2 (RCP 2017, chart 1) at this prior's knots; fio2 stands for oxygen.
_NEWS2_POINTS = {
    "hr": (3, 0, 0, 1, 2, 3),
    "rr": (3, 0, 0, 2, 3, 3),
    "spo2": (3, 3, 2, 1, 0),
    "temp": (3, 1, 0, 0, 1, 2),
    "sys": (3, 3, 1, 0, 0, 0),
    "fio2": (0, 2, 2, 2, 2),
}
_SEPSIS = Prior(
    format=1,
    name="sepsis",
    version=2,
    outcome="sepsis from 6 h before its onset to 6 h after",
    data="eICU demo, hourly sepsis, training part",
    stays=0,
    intercept=-4.0,
    inputs=_inputs((*VITALS, "stay_h"), means=False),
)
# Sepsis. There are few septic stays, so it begins as NEWS2 and may move away from it a
# little; the hour of the stay is an input of its own, because most sepsis of intensive
# care begins on the first day. Version 1, vital signs alone from nothing, was no better
# than NEWS2 on stays that it had not seen (docs/evidence.md).
SEPSIS = Design(
    _SEPSIS,
    variance=0.005,
    start={
        code: tuple(_A_POINT * points for points in row)
        for code, row in _NEWS2_POINTS.items()
    },
    free={"stay_h": 0.5},
)
SEPSIS_1 = Design(
    msgspec.structs.replace(_SEPSIS, version=1, inputs=_inputs(VITALS, means=False)),
    variance=0.2,
)
SEPSIS_WITHOUT_HOUR = SEPSIS._replace(empty=SEPSIS_1.empty)
DESIGNS = {design.empty.name: design for design in (MORTALITY, SEPSIS)}


def with_means(inputs: Design, outcome: Design) -> Design:
    """One design's inputs, another's outcome and start; nothing is taken away."""
    return Design(
        msgspec.structs.replace(outcome.empty, inputs=inputs.empty.inputs),
        inputs.variance,
    )
