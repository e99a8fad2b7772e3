"""One message of each struct with every field filled, and one with as few as may be."""

from icu_stream.contracts.alerts import Alert, Event, Explanation, Kind, Priority, State
from icu_stream.contracts.audit import AuditEntry, Deed
from icu_stream.contracts.commands import (
    Command,
    CommandResult,
    CommandType,
    LimitChange,
)
from icu_stream.contracts.heartbeats import Heartbeat
from icu_stream.contracts.pagers import PagerReport
from icu_stream.contracts.scores import Anomaly, News2, Risk, ScoreInput, Scores, Trend
from icu_stream.contracts.vitals import Vitals


TIME = 1_795_492_541_263

EXPLANATION = Explanation(
    rule="spo2 < 90 % for 15 s",
    limit_source="adult 1",
    violation_s=17.0,
    extreme=85.0,
    usual=94.0,
    change=-8.0,
    contributing={"hr": 104.0},
    completeness="7/9",
    reason="a new episode",
    versions={"profile": "adult 1"},
)
LIMIT = LimitChange(code="spo2.low", limit=86.0, delay_s=20.0)
SCORE_INPUT = ScoreInput(value="A", points=0, age_s=1.2, by="nurse.k")
NEWS2 = News2(
    total=3, band="low", completeness=6, inputs={"rr": SCORE_INPUT}, spo2_scale=2
)
TREND = Trend(
    now=96.0,
    usual=84.5,
    deviation=11.5,
    per_h=8.0,
    low=5.5,
    high=10.5,
    minutes=58,
)
ANOMALY = Anomaly(
    score=0.41, shares={"hr": 1.0}, warm=True, model="trees 1", shadowed=2
)

RISK = Risk(
    probability=0.21,
    outcome="death in hospital",
    shares={"gcs": 0.6, "bun": 0.4},
    known=30,
    wanted=35,
    model="mortality 1",
    shadow=False,
)

FULL = (
    Vitals(
        patient_id="p-0007",
        time=TIME,
        bed="ICU1-07",
        device="mon-17",
        values={"hr": 0.0, "spo2": 97.5},
        status={"temp": "sensor_off"},
        interval_s=60.0,
        primary=True,
    ),
    Command(
        command_id="c-1",
        type=CommandType.SET_LIMITS,
        patient_id="p-0007",
        by="dr.m",
        time=TIME,
        alert_id=f"p-0007:spo2.low:{TIME}",
        seconds=120.0,
        reason="suctioning",
        bed="ICU1-08",
        profile="adult",
        signal="spo2",
        limits=[LIMIT],
        expires=TIME + 1,
        proposal="c-0",
        acvpu="V",
        on_oxygen=False,
        spo2_scale=2,
        values={"gcs": 15.0},
        actionable=False,
        station="ICU1 desk",
    ),
    CommandResult(
        command_id="c-1",
        accepted=False,
        reason="none",
        patient_id="p-0007",
        time=TIME,
        type=CommandType.FEEDBACK,
        by="dr.m",
        alert_id=f"p-0007:spo2.low:{TIME}",
        actionable=False,
        limits=[LIMIT],
        expires=TIME + 1,
        station="ICU1 desk",
    ),
    Alert(
        alert_id=f"p-0007:spo2.low:{TIME}",
        transition=1,
        event=Event.RAISED,
        patient_id="p-0007",
        bed="ICU1-07",
        code="spo2.low",
        kind=Kind.PHYSIOLOGICAL,
        priority=Priority.MEDIUM,
        state=State.ACTIVE,
        annunciate=True,
        onset=TIME,
        time=TIME + 17_000,
        text="SpO₂ 86 %, below 90 for 17 s (usual 94)",
        signal="spo2",
        value=86.0,
        limit=90.0,
        unit="%",
        delay_s=15.0,
        by="nurse.k",
        explanation=EXPLANATION,
    ),
    EXPLANATION,
    LIMIT,
    Scores(
        patient_id="p-0007",
        bed="ICU1-07",
        time=TIME,
        news2=NEWS2,
        others={"shock_index": 0.7},
        anomaly=ANOMALY,
        at_least=["mews"],
        versions={"mews": "Subbe 2001"},
        trends={"hr": TREND},
        risks={"mortality": RISK},
    ),
    RISK,
    NEWS2,
    TREND,
    SCORE_INPUT,
    ANOMALY,
    AuditEntry(
        time=TIME,
        deed=Deed.COMMAND,
        by="nurse.k",
        role="nurse",
        station="ICU1 desk",
        how="password",
        reason="suctioning",
        command_id="nurse.k/c-1",
        type=CommandType.PAUSE,
        patient_id="p-0007",
        alert_id=f"p-0007:spo2.low:{TIME}",
        outcome="done",
    ),
    Heartbeat(
        worker="host-a:4711",
        partition=3,
        time=TIME,
        lag=2,
        patients=25,
        applied=81_234,
        checkpoint_age_s=0.4,
    ),
    PagerReport(
        pager="host-a:4720",
        time=TIME,
        waiting=1,
        overdue_s=0.0,
        delivered=14,
        dead=0,
        troubles=["workers"],
    ),
)
