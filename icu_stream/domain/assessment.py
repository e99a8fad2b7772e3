"""What all inputs of one patient say together: scores, their alarms, a model's hint.

Rules 32 and 33 of `docs/alarms.md`, and the `observe` command of rule 31. A *reading* is
the mean of a signal over the last 10 s in which it had a value that nobody doubts. Charted
values are what a person said. NEWS2 and the other scores are worked out from both when
something moved, and the alarms of NEWS2 are conditions as any other.

Most of the time nothing moves. Each signal's scale is cut at every edge of every score,
and while a reading stays between the same two edges, is not too old, and nothing is
pending, `step` looks no further.

Nothing is scored as normal because it is missing, and nothing is over because it is
missing: an alarm of NEWS2 ends only when the score is below its limit with what is known
*and* with the last that was known of what is missing now.

Time passes here by the ends of buckets, and where a patient is silent by what falls due:
the bucket that nobody ended, a condition whose delay is over, a statement. Whichever brings
it about, it is stamped with the moment it stands for, so a replay says the same.
"""

import zlib

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from icu_stream.contracts import observations
from icu_stream.contracts.alerts import Kind
from icu_stream.contracts.commands import Command
from icu_stream.contracts.scores import Anomaly, News2, Risk, Scores, Trend
from icu_stream.domain import annunciation, condition, news2, notes, scores, trend
from icu_stream.domain.annunciation import Bedside
from icu_stream.domain.chart import Charted
from icu_stream.domain.limits import FOREVER_MS, Row, Verdict
from icu_stream.domain.news2 import Reading
from icu_stream.domain.patient import Patient
from icu_stream.domain.windows import BUCKET_MS


# Ours: a hint that moved by less looks the same on a screen.
ANOMALY_STEP = 0.05
# DESIGN.md, "Topics": scores are stated at least every 60 s. With the ends of buckets they
# are stated a bucket earlier, so that nothing falls due while messages come.
STATE_MS = 60_000
_STATE_EARLY_MS = STATE_MS - BUCKET_MS
# Ours: a bucket's end is brought about by the next message; a silent patient's by our
# clock, so much later.
GRACE_MS = BUCKET_MS
DAY_MS = 86_400_000
NOTHING_CHARTED = "nothing to chart: give acvpu, on_oxygen, spo2_scale or values"

# A model's score of 10 s, and each signal's share of it.
Scored = tuple[float, Mapping[str, float]]

# How old an input may be: docs/alarms.md, rule 32. Ours: a ward's temperature and cuff are
# taken four times a day at least, what is charted once a shift.
_HOUR_MS = 3_600_000
_OLDEST_MS = 300_000
_OLDEST_SLOW_MS = 6 * _HOUR_MS
_OLDEST_CHARTED_MS = 12 * _HOUR_MS
_SLOW = frozenset({"temp", "nibp_sys"})

# Ours: a risk is of hours; one that is scored costs 50 us.
RISK_MS = 300_000
_MOST_SHARES = 5
# Ours: what an hour shows does not change in less; and it costs 250 us.
TREND_MS = 300_000
_TRENDED = ("hr", "spo2", "rr", "abp_mean", "temp", "etco2")
# A value that is older is not "now", but for a temperature that is taken now and then.
_NOW_MIN = 5

_SINGLE = "bed.news2_single"
_UNUSUAL = "bed.unusual"
_NEVER = (0.0, 0)
_ACVPU = ("A", "C", "V", "P", "U")
_LONGEST_CODE = 64
# Inputs of NEWS2 that are measured, and by which signals, the preferred one first.
_SOURCES = {
    "rr": ("rr",),
    "spo2": ("spo2",),
    "sys": ("abp_sys", "nibp_sys"),
    "pulse": ("hr", "pulse"),
    "temp": ("temp",),
}

# Where any score changes, half up; less what a sum of floating-point numbers may be off by.
# NEWS2 chart 1; Subbe 2001 table 1; Singer 2016 box 4; Bone 1992: as in `news2`, `scores`.
_HALF = 0.5 + 5e-7
_PULSE_STEPS = (41, 51, 91, 101, 111, 130, 131)
_SYS_STEPS = (71, 81, 91, 101, 111, 200, 220)
_STEPS = {
    "hr": _PULSE_STEPS,
    "pulse": _PULSE_STEPS,
    "spo2": (84, 86, 88, 92, 93, 94, 95, 96, 97),
    "rr": (9, 12, 15, 21, 22, 25, 30),
    "abp_sys": (0.5, *_SYS_STEPS),
    "nibp_sys": _SYS_STEPS,
}
_TEMP_STEPS = (35.0, 35.1, 36.0, 36.1, 38.1, 38.5, 39.1)
_EDGES = {
    code: tuple(step - _HALF for step in steps) for code, steps in _STEPS.items()
} | {"temp": tuple(step - _HALF / 10 for step in _TEMP_STEPS)}
# Most patients' saturation is scored on scale 1, which has fewer.
_SCALE_1 = tuple(step - _HALF for step in (92, 94, 96))
# What no score has, but a model of risk: they are read, and nothing hangs on an edge.
_EDGES |= dict.fromkeys(("abp_dia", "nibp_dia", "abp_mean", "nibp_mean", "fio2"), ())
_BEFORE = {
    "pulse": "hr",
    "nibp_sys": "abp_sys",
    "nibp_dia": "abp_dia",
    "nibp_mean": "abp_mean",
}
# Signals in turn, and the one that is taken before each, if any.
_PLAN = tuple(
    (code, _BEFORE.get(code, ""), edges)
    for code, edges in (_EDGES | {"spo2": _SCALE_1}).items()
)
_PLAN_2 = tuple((code, first, _EDGES[code]) for code, first, _ in _PLAN)


# --- time passes


def step(
    bedside: Bedside,
    end_ms: int,
    means: Mapping[str, float],
    doubtful: Collection[str],
    scored: Scored,
) -> None:
    """Take the 10 s that have ended; changes the patient, says what follows.

    Costs 2 us when nothing moved, and 40 us when it did
    (`python -m tests.benchmarks.assessment`).

    Args:
        bedside: Where.
        end_ms: Of the bucket, itself not included.
        means: Of its values, by signal.
        doubtful: Signals of which a value in it is suspect: no reading.
        scored: The model's score of it, and each signal's share.
    """
    patient = bedside.patient
    is_moved = _read(patient, end_ms, means, doubtful)
    _advise(bedside, end_ms, scored)
    is_news = patient.score < 0 or abs(scored[0] - patient.score) >= ANOMALY_STEP
    if is_moved or is_news or end_ms >= patient.chart.check:
        _review(bedside, end_ms, scored=scored, is_news=is_news)


def due(patient: Patient, until: int = 0) -> int | None:
    """The next moment at which something falls due if the patient stays silent.

    Args:
        patient: Whose.
        until: Time has passed up to here: a long silence brings one statement, at the
            last full minute of it.
    """
    chart, end_ms = patient.chart, patient.windows.end_ms
    found = FOREVER_MS
    if chart.stated:
        found = chart.stated + STATE_MS
        if until > found:
            found += (until - found) // STATE_MS * STATE_MS
    if patient.rows and chart.assessed < end_ms:
        found = min(found, end_ms + GRACE_MS)
    if chart.pending:
        found = min(found, min(chart.pending.values()) + GRACE_MS)
    if chart.stale:
        found = min(found, chart.stale)
    return None if found == FOREVER_MS else found


def fall_due(bedside: Bedside, moment: int) -> None:
    """Let what is due at a moment happen; changes the patient, says what follows.

    Args:
        bedside: Where.
        moment: As `due` gave it.
    """
    patient = bedside.patient
    end_ms = patient.windows.end_ms
    time = moment
    if patient.rows and patient.chart.assessed < end_ms == moment - GRACE_MS:
        time = end_ms
        _read(patient, time, _means(patient.rows), patient.suspects)
    elif moment - GRACE_MS in patient.chart.pending.values():
        time = moment - GRACE_MS
    elif moment == patient.chart.stale:
        # Readings that came since may have moved it.
        _, _, stale = _inputs(patient, moment - 1)
        if stale > moment:
            patient.mark_chart()
            patient.chart.stale = 0 if stale == FOREVER_MS else stale
            return
    _review(bedside, time)


def miss_beat(patient: Patient, time: int) -> None:
    """A heart rate of zero had a pulse: it is no reading, and the one before is none."""
    patient.mark_chart()
    patient.chart.no_beat = time
    patient.chart.check = 0


def is_alarmed(bedside: Bedside) -> bool:
    """Does an alarm of a signal hold? NEWS2's own do not count.

    They hold for hours in intensive care: a model would learn nothing.
    """
    rows = bedside.rules.rows
    return any(
        alarm.is_holding
        and rows[code].signal is not None
        and rows[code].kind is Kind.PHYSIOLOGICAL
        for code, alarm in bedside.patient.alarms.items()
    )


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The means of a bucket that is still open."""
    return {
        code: sum(values) / len(values)
        for code in _EDGES
        if (values := [row[code] for row in rows if code in row])
    }


def _read(
    patient: Patient,
    end_ms: int,
    means: Mapping[str, float],
    doubtful: Collection[str],
) -> bool:
    """Take the readings of a bucket; did any of them come into another band?"""
    chart = patient.chart
    if end_ms <= chart.assessed:
        return False
    patient.mark_chart()
    chart.assessed = end_ms
    readings, bands = chart.readings, chart.bands
    if chart.no_beat >= end_ms - BUCKET_MS:
        doubtful = {*doubtful, "hr"}
    is_moved = False
    for code, first, edges in _PLAN if chart.spo2_scale == 1 else _PLAN_2:
        mean = means.get(code)
        if mean is None or (doubtful and code in doubtful):
            continue
        if first and readings.get(first, _NEVER)[1] == end_ms:
            continue
        readings[code] = (mean, end_ms)
        band = bisect_right(edges, mean)
        if bands.get(code) != band:
            bands[code] = band
            is_moved = True
    return is_moved


# --- scores


def _review(
    bedside: Bedside,
    time: int,
    *,
    scored: Scored | None = None,
    is_news: bool = False,
) -> None:
    """Work out every score, let it decide its alarms, and say what changed."""
    patient, rules, said = bedside
    chart = patient.chart
    patient.mark_chart()
    # What fell due may have been decided a little later than a bucket that ends now.
    time = chart.decided = max(time, chart.decided)
    fresh, kept, stale = _inputs(patient, time)
    score = last_known = news2.news2(fresh, spo2_scale=chart.spo2_scale)
    if len(kept) > len(fresh):
        last_known = news2.news2(kept, spo2_scale=chart.spo2_scale)
    chart.pending.clear()
    for row in rules.news2:
        _decide(bedside, row, score, last_known, time)
    others = _others(fresh, _gcs(patient, time))
    shown = _signature(score, others)
    is_due = time >= chart.stated + _STATE_EARLY_MS
    if (is_news or is_due or shown != chart.shown) and (
        shown or scored or chart.stated
    ):
        # A patient of whom nothing is known any more: that is said once.
        if time >= chart.trended + TREND_MS:
            # Not every patient of a ward in the same second.
            late = 0 if chart.trended else zlib.crc32(patient.patient_id.encode())
            chart.trended = time - late % TREND_MS
            chart.trends = _trends(patient)
        if time >= chart.risked + RISK_MS:
            _estimate(bedside, time, {})
        chart.stated = time if shown or scored else 0
        chart.shown = shown
        said.append(_scores(patient, time, score, others, scored))
        if scored is not None:
            patient.score = scored[0]
    chart.stale = 0 if stale == FOREVER_MS else stale
    chart.check = min(stale, chart.stated + _STATE_EARLY_MS, *chart.pending.values())
    patient.due = min(patient.due, due(patient) or FOREVER_MS)


def _inputs(
    patient: Patient, time: int
) -> tuple[dict[str, Reading], dict[str, Reading], int]:
    """The inputs of NEWS2 (rule 32).

    Returns:
        Those that are not too old; the same, and the last that was known of the others;
        and from when on one of the first is too old.
    """
    chart = patient.chart
    fresh: dict[str, Reading] = {}
    kept: dict[str, Reading] = {}
    stale = FOREVER_MS
    for name, codes in _SOURCES.items():
        for code in codes:
            track = patient.tracks.get(code)
            if code not in chart.readings or track is None or not track.is_expected:
                continue
            mean, at = chart.readings[code]
            # A line may show a pressure below zero, and a lead no beat where there is
            # one: a patient has neither.
            if mean < 0 or (code == "hr" and chart.no_beat >= at):
                continue
            reading = Reading(mean, (time - at) / 1000)
            until = at + _oldest_ms(code, track.no_data_ms)
            if time <= until:
                fresh[name] = kept[name] = reading
                stale = min(stale, until + 1)
                break
            # Its next value must be looked at, whatever it is.
            chart.bands.pop(code, None)
            if name not in kept or reading.age_s < kept[name].age_s:
                kept[name] = reading
    for name in ("on_oxygen", "acvpu"):
        charted = chart.charted.get(name)
        if charted is None:
            continue
        kept[name] = Reading(charted.value, (time - charted.time) / 1000, charted.by)
        if time <= charted.time + _OLDEST_CHARTED_MS:
            fresh[name] = kept[name]
            stale = min(stale, charted.time + _OLDEST_CHARTED_MS + 1)
    return fresh, kept, stale


def _oldest_ms(code: str, no_data_ms: int) -> int:
    return _OLDEST_SLOW_MS if code in _SLOW else max(no_data_ms, _OLDEST_MS)


def _gcs(patient: Patient, time: int) -> float | None:
    charted = patient.chart.charted.get("gcs")
    if charted is None or time > charted.time + _OLDEST_CHARTED_MS:
        return None
    return float(charted.value)


def _decide(
    bedside: Bedside, row: Row, score: News2 | None, last_known: News2 | None, time: int
) -> None:
    """Let the score decide one of its alarms (rule 32)."""
    patient = bedside.patient
    if _reaches(row, score):
        verdict = Verdict.VIOLATED
    elif row.code not in patient.runs:
        return
    else:
        verdict = Verdict.BETWEEN if _reaches(row, last_known) else Verdict.INSIDE
    condition.follow(
        bedside,
        row,
        verdict,
        time,
        value=None if score is None else float(score.total),
        is_gap=False,
        note="" if score is None else notes.news2(score),
    )
    run = patient.runs.get(row.code)
    if run is not None and not run.is_active:
        patient.chart.pending[row.code] = run.onset + row.delay_ms
    elif run is not None and run.inside:
        patient.chart.pending[row.code] = run.inside + row.clear_ms


def _reaches(row: Row, score: News2 | None) -> bool:
    if score is None or row.limit is None:
        return False
    if row.code == _SINGLE:
        return any(i.points >= row.limit for i in score.inputs.values())
    return score.total >= row.limit


def _others(
    inputs: Mapping[str, Reading], gcs: float | None
) -> dict[str, scores.Score]:
    values = {name: reading.value for name, reading in inputs.items()}
    hr, rr, sys, temp = (
        None if name not in values else float(values[name])
        for name in ("pulse", "rr", "sys", "temp")
    )
    acvpu = str(values["acvpu"]) if "acvpu" in values else None
    found = {
        "mews": scores.mews(sys=sys, hr=hr, rr=rr, temp=temp, acvpu=acvpu),
        "qsofa": scores.qsofa(rr=rr, sys=sys, acvpu=acvpu, gcs=gcs),
        "sirs_vital": scores.sirs_vital(temp=temp, hr=hr, rr=rr),
        "shock_index": scores.shock_index(hr=hr, sys=sys),
    }
    return {name: score for name, score in found.items() if score is not None}


def _signature(
    score: News2 | None, others: Mapping[str, scores.Score]
) -> dict[str, float]:
    """What makes a score another one: every input's points, every other score."""
    shown: dict[str, float] = {}
    if score is not None:
        # Floats, as they are restored: a saved chart has the same bytes again.
        shown = {name: float(i.points) for name, i in score.inputs.items()}
        shown["spo2_scale"] = float(score.spo2_scale)
    for name, other in others.items():
        # The ratio moves with every beat: it is told when something else is.
        shown[name] = float(other.known if name == "shock_index" else other.value)
    return shown


def _scores(
    patient: Patient,
    time: int,
    score: News2 | None,
    others: Mapping[str, scores.Score],
    scored: Scored | None,
) -> Scores:
    model = patient.model
    anomaly = None
    if scored is not None and model is not None:
        anomaly = Anomaly(
            score=round(scored[0], 4),
            shares={code: round(share, 4) for code, share in scored[1].items()},
            warm=model.warm,
            model=model.name,
            shadowed=patient.chart.shadowed,
        )
    return Scores(
        patient_id=patient.patient_id,
        bed=patient.bed,
        time=time,
        news2=score,
        others={name: other.value for name, other in others.items()},
        anomaly=anomaly,
        at_least=[name for name, other in others.items() if other.is_at_least],
        versions={name: scores.VERSIONS[name] for name in others},
        trends=patient.chart.trends,
        risks=patient.chart.risks,
    )


def _estimate(
    bedside: Bedside, time: int, charted: Mapping[str, float | str | bool]
) -> None:
    """Let the models of risk take in what is new, and score; changes the patient.

    As a nurse would chart it: a reading now and then, never each second of it.
    """
    patient, rules, _ = bedside
    chart = patient.chart
    news = [(code, *r) for code, r in chart.readings.items() if r[1] > chart.risked]
    # The pressure before the rate: a shock index is of both, when the rate comes.
    news.sort(key=lambda reading: reading[0] == "hr")
    chart.began = chart.began or time
    risks = {}
    for model in rules.risks:
        state, prior = patient.risk(model), model.prior
        state.observe("stay_h", (time - chart.began) / _HOUR_MS, time)
        for code, mean, end_ms in news:
            state.observe(code, mean, end_ms)
        for code, value in charted.items():
            if not isinstance(value, str | bool):
                state.observe(code, value, time)
        score = state.score(time)
        largest = list(score.shares.items())[:_MOST_SHARES]
        wanted = len(prior.inputs)
        risks[prior.name] = Risk(
            probability=round(score.probability, 4),
            outcome=prior.outcome,
            shares={code: round(share, 3) for code, share in largest},
            known=wanted - len(score.missing),
            wanted=wanted,
            model=f"{prior.name} {prior.version}",
        )
    # New ones, never the old changed: what was published holds them.
    chart.risks, chart.risked = risks, time


def _trends(patient: Patient) -> dict[str, Trend]:
    """Where each signal goes, and how far it is from the patient's own last 24 h."""
    windows = patient.windows
    codes = [code for code, _ in patient.expected() if code in _TRENDED]
    found: dict[str, Trend] = {}
    hour = windows.last_hour(codes)
    for code, minutes, slope in zip(codes, hour, trend.slopes(hour), strict=True):
        (at,) = np.nonzero(~np.isnan(minutes))
        oldest = 0 if code in _SLOW else trend.HOUR_MIN - _NOW_MIN
        if not len(at) or at[-1] < oldest:
            continue
        now = float(minutes[at[-1]])
        usual = windows.usual(code)
        found[code] = Trend(
            now=now,
            usual=_rounded(usual),
            deviation=_rounded(trend.deviation(now, usual)),
            per_h=None if slope is None else _rounded(slope.per_h),
            low=None if slope is None else _rounded(slope.low),
            high=None if slope is None else _rounded(slope.high),
            minutes=len(at),
        )
    return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


# --- a model's hint


def _advise(bedside: Bedside, end_ms: int, scored: Scored) -> None:
    """Begin a hint, or end it (rule 33)."""
    patient, rules, _ = bedside
    chart, advisory, (score, shares) = patient.chart, rules.advisory, scored
    if chart.hint:
        if score >= advisory.bound / 2:
            chart.hint_below = 0
        elif not chart.hint_below:
            chart.hint_below = end_ms
        is_calm = chart.hint_below and end_ms >= chart.hint_below + advisory.clear_ms
        if is_calm or is_alarmed(bedside):
            chart.hint = chart.hint_below = chart.unusual = 0
            annunciation.end(bedside, _UNUSUAL, end_ms, value=round(score, 4))
        return
    if score < advisory.bound:
        chart.unusual = 0
        return
    model = patient.model
    if model is None or not model.warm or is_alarmed(bedside):
        chart.unusual = 0
        return
    if not chart.unusual:
        chart.unusual_from = end_ms
    chart.unusual += 1
    chart.hints = [onset for onset in chart.hints if onset > end_ms - DAY_MS]
    if chart.unusual < advisory.buckets or len(chart.hints) >= advisory.budget:
        return
    chart.hint = chart.unusual_from
    chart.hints.append(end_ms)
    if advisory.is_shadow:
        chart.shadowed += 1
        return
    annunciation.begin(
        bedside,
        rules.rows[_UNUSUAL],
        chart.unusual_from,
        end_ms,
        value=round(score, 4),
        note=notes.shares(shares),
    )


# --- what a person charts


def observe(bedside: Bedside, command: Command, time: int) -> str | None:
    """Chart what a person says, all of it or nothing; changes the patient.

    Args:
        bedside: Advanced to `time`.
        command: Of the type `observe`.
        time: Its measurement time.

    Returns:
        Why not; None when it is charted.
    """
    chart = bedside.patient.chart
    refusal = next(_refusals(command), None)
    if refusal is not None:
        return refusal
    said: dict[str, float | str | bool] = {**command.values}
    if command.acvpu is not None:
        said["acvpu"] = command.acvpu
    if command.on_oxygen is not None:
        said["on_oxygen"] = command.on_oxygen
    if command.spo2_scale is not None:
        chart.spo2_scale = command.spo2_scale
        chart.bands.pop("spo2", None)
    for code, value in said.items():
        chart.charted[code] = Charted(value, time, command.by)
    _estimate(bedside, time, said)
    _review(bedside, time, is_news=True)
    return None


def _refusals(command: Command) -> Iterator[str]:
    asked = (command.acvpu, command.on_oxygen, command.spo2_scale)
    if asked == (None, None, None) and not command.values:
        yield NOTHING_CHARTED
    if command.acvpu not in {None, *_ACVPU}:
        yield f"acvpu is {command.acvpu!r}: want one of {', '.join(_ACVPU)}"
    if command.spo2_scale not in {None, 1, 2}:
        yield f"spo2_scale is {command.spo2_scale}: want 1, or 2 where it is prescribed"
    for code, value in command.values.items():
        row = observations.BY_CODE.get(code)
        if row is None:
            yield f"{code[:_LONGEST_CODE]}: not in the table of what is charted"
        elif not row.low <= value <= row.high:  # NaN is not, either
            yield f"{code} is {value:g} {row.unit}: want {row.low:g} to {row.high:g}"
