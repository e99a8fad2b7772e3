"""A patient's chart: the readings and charted values that scores are worked out from.

Owned by the patient, changed by `icu_stream.domain.assessment`, saved as one piece. It is
bounded: a reading for each measured input, a value for each row of the table of
observations, the hints of one day within their budget.
"""

import msgspec

from icu_stream.contracts.scores import Risk, Trend


class Charted(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a person said.

    Attributes:
        value: A number, a letter (ACVPU) or yes and no (oxygen).
        time: When, measurement time, epoch ms.
        by: Who.
    """

    value: float | str | bool
    time: int
    by: str


class Chart(msgspec.Struct, array_like=True):
    """All of it. Times are measurement time, epoch ms, 0 = never.

    Attributes:
        readings: By signal: mean of the last 10 s that had a value, and their end.
        bands: By signal: between which edges that is; absent = look at the next one.
        charted: By code of the table of observations, and `acvpu`, `on_oxygen`.
        spo2_scale: 1, or 2 when a person said so.
        no_beat: Last heart rate of zero that had a pulse.
        assessed: End of the last bucket that was read.
        decided: Moment of the last decision; none is taken before it.
        check: Nothing changes by time alone before; a lower bound.
        stale: When one of the inputs will be too old; 0 = there is none.
        pending: By code of an alarm: when its delay, or its time inside, is over.
        trends: By signal, as they are published.
        trended: When they were worked out.
        risks: By model of risk, as they are published.
        risked: When they were worked out.
        began: When that was first: the beginning of the stay, as far as we know.
        shown: What was published last: points by input, other scores by name.
        stated: When.
        unusual: Unusual buckets in a row.
        unusual_from: End of the first of them.
        hint: Onset of the hint that is being given, or counted in shadow.
        hint_below: End of the first bucket in a row that was below half of the bound.
        hints: Onsets of the hints of the last 24 h.
        shadowed: Hints that were counted and not given, since admission.
    """

    readings: dict[str, tuple[float, int]] = {}
    bands: dict[str, int] = {}
    charted: dict[str, Charted] = {}
    spo2_scale: int = 1
    no_beat: int = 0
    assessed: int = 0
    decided: int = 0
    check: int = 0
    pending: dict[str, int] = {}
    shown: dict[str, float] = {}
    stated: int = 0
    unusual: int = 0
    unusual_from: int = 0
    hint: int = 0
    hint_below: int = 0
    hints: list[int] = []
    shadowed: int = 0
    trends: dict[str, Trend] = {}
    trended: int = 0
    risks: dict[str, Risk] = {}
    risked: int = 0
    began: int = 0
    stale: int = 0
