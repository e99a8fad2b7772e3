"""Scores of one patient: NEWS2, others, and the models' anomaly score."""

import msgspec


class ScoreInput(msgspec.Struct, frozen=True, kw_only=True):
    """One input of a score.

    Attributes:
        value: What it was: a number, a letter (ACVPU) or yes and no (oxygen).
        points: What it scored.
        age_s: How old it was, seconds.
    """

    value: float | str | bool
    points: int
    age_s: float


class News2(msgspec.Struct, frozen=True, kw_only=True):
    """NEWS2, the National Early Warning Score 2.

    Attributes:
        total: Sum of the points; "at least" this when `completeness` is below 7.
        band: Clinical risk by the score's own bands.
        completeness: Inputs that are present, 0-7.
        inputs: By name; an input that is missing is absent, and scores nothing.
    """

    total: int
    band: str
    completeness: int
    inputs: dict[str, ScoreInput]


class Anomaly(msgspec.Struct, frozen=True, kw_only=True):
    """How unusual the last 10 s were for this patient. A hint, never an alarm.

    Attributes:
        score: 0 (as always) to 1 (never seen).
        shares: Signal code to its share of the deviation; they sum to 1.
        warm: Has the model seen enough of this patient?
        model: Name and version.
    """

    score: float
    shares: dict[str, float]
    warm: bool
    model: str


class Scores(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All scores of one patient at one moment, on change and at least every 60 s.

    Attributes:
        patient_id: Whose.
        bed: Where.
        time: Measurement time, epoch ms UTC.
        news2: NEWS2, when there is any input.
        others: Other scores by name; one that cannot be computed is absent.
        anomaly: The models' hint.
    """

    patient_id: str
    bed: str
    time: int
    news2: News2 | None = None
    others: dict[str, float] = {}
    anomaly: Anomaly | None = None
