"""Scores of one patient: NEWS2, others, trends, and the models' anomaly score."""

import msgspec


class ScoreInput(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One input of a score.

    Attributes:
        value: What it was: a number, a letter (ACVPU) or yes and no (oxygen).
        points: What it scored.
        age_s: How old it was, seconds.
        by: Who charted it; null where it was measured.
    """

    value: float | str | bool
    points: int
    age_s: float
    by: str | None = None


class News2(msgspec.Struct, frozen=True, kw_only=True):
    """NEWS2, the National Early Warning Score 2.

    Attributes:
        total: Sum of the points; "at least" this when `completeness` is below 7.
        band: Clinical risk by the score's own bands.
        completeness: Inputs that are present, 0-7.
        inputs: By name; an input that is missing is absent, and scores nothing.
        spo2_scale: By which scale the saturation was scored; 2 only when prescribed.
    """

    total: int
    band: str
    completeness: int
    inputs: dict[str, ScoreInput]
    spo2_scale: int = 1


class Trend(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where one signal is going, and how far it is from this patient's usual value.

    Attributes:
        now: Mean of the last minute that had a value, in the signal's unit.
        usual: Mean of the minutes of the last 24 h; null when there are not 30.
        deviation: `now` minus `usual`.
        per_h: Slope over the last hour, per hour; null when it cannot be told.
        low: Lower end of its 95 % confidence interval.
        high: Upper end; no change is likely where the two lie on both sides of zero.
        minutes: Minutes of the last hour that had a value.
    """

    now: float
    usual: float | None = None
    deviation: float | None = None
    per_h: float | None = None
    low: float | None = None
    high: float | None = None
    minutes: int = 0


class Anomaly(msgspec.Struct, frozen=True, kw_only=True):
    """How unusual the last 10 s were for this patient. A hint, never an alarm.

    Attributes:
        score: 0 (as always) to 1 (never seen).
        shares: Signal code to its share of the deviation; they sum to 1.
        warm: Has the model seen enough of this patient?
        model: Name and version.
        shadowed: Hints since admission that were counted and not given, in shadow mode.
    """

    score: float
    shares: dict[str, float]
    warm: bool
    model: str
    shadowed: int = 0


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """What patients like this one came to, by a model learnt offline. Raises no alarm.

    Attributes:
        probability: 0 to 1, of the outcome.
        outcome: Of what, in words.
        shares: Inputs that make it differ from the average patient's, the largest
            first: input to its part of all that push the same way; at most five.
        known: Inputs that are known now.
        wanted: Inputs that there are; what is missing counts as unknown, never as
            normal.
        model: Name and version.
        shadow: It is on trial: shown, and nothing follows from it.
    """

    probability: float
    outcome: str
    shares: dict[str, float]
    known: int
    wanted: int
    model: str
    shadow: bool = True


class Scores(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All scores of one patient at one moment, on change and at least every 60 s.

    Attributes:
        patient_id: Whose.
        bed: Where.
        time: Measurement time, epoch ms UTC.
        news2: NEWS2, when there is any input.
        others: Other scores by name; one that cannot be computed is absent.
        anomaly: The models' hint.
        at_least: Names of `others` that lack an input: the true score may be higher.
        versions: Which publication each of `others` follows, by name.
        trends: By signal code.
        risks: By name of the model.
    """

    patient_id: str
    bed: str
    time: int
    news2: News2 | None = None
    others: dict[str, float] = {}
    anomaly: Anomaly | None = None
    at_least: list[str] = []
    versions: dict[str, str] = {}
    trends: dict[str, Trend] = {}
    risks: dict[str, Risk] = {}
