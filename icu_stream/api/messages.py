"""What requests say and answers hold. The OpenAPI document is made from these structs.

Times are integer milliseconds since the epoch, UTC; values are in the signals' own units.
What requests say refuses fields that nobody knows; answers only ever gain fields.
"""

from typing import Annotated, Literal

import msgspec

from icu_stream.access.desk import Change, Place, Reason
from icu_stream.access.roles import Role
from icu_stream.access.whatif import Code, Example, Figure, Source
from icu_stream.contracts.alerts import Alert, Kind, Priority, State
from icu_stream.contracts.commands import CommandType, LimitChange
from icu_stream.contracts.vitals import Identifier
from icu_stream.domain.burden import KEPT_HOURS, Hourly, Summary


# 2000-01-01 and 3000-01-01, UTC, as for messages: domain/decoding.py.
_FIRST_MS = 946_684_800_000
_END_MS = 32_503_680_000_000

Moment = Annotated[
    int,
    msgspec.Meta(ge=_FIRST_MS, le=_END_MS, description="Epoch ms, UTC"),
]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000, description="Rows of a page")]
Cursor = Annotated[
    str,
    msgspec.Meta(
        pattern="^[A-Za-z0-9_-]{1,1000}$", description="`next` of the page before"
    ),
]
AlertId = Annotated[
    str, msgspec.Meta(min_length=1, max_length=320, pattern=r"^[!-~]([ -~]*[!-~])?$")
]
Unit = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=128, pattern=r"^[^\u0000-\u001f\u007f]*$"),
]
# Of `icu_stream.contracts.signals`; a test compares them.
SignalCode = Literal[
    "hr",
    "pulse",
    "spo2",
    "rr",
    "abp_sys",
    "abp_dia",
    "abp_mean",
    "nibp_sys",
    "nibp_dia",
    "nibp_mean",
    "temp",
    "etco2",
    "cvp",
    "fio2",
]
Unset = msgspec.UnsetType
UNSET = msgspec.UNSET


class _Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request says."""


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer holds."""


# --- paths


class OfPatient(_Said, frozen=True):
    """About one patient."""

    patient_id: Identifier


class OfAlert(_Said, frozen=True):
    """About one alarm."""

    alert_id: AlertId


class OfBacktest(_Said, frozen=True):
    """About one backtest."""

    backtest_id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]


class OfSchema(_Said, frozen=True):
    """About one schema."""

    name: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9-]{0,63}$")]


# --- queries


class Pages(_Said, frozen=True):
    """Which page of a list."""

    limit: Count = 100
    cursor: Cursor | Unset = UNSET


class Beds(Pages, frozen=True):
    """Which beds."""

    unit: Unit | Unset = UNSET


class Within(Pages, frozen=True):
    """Which time, of what is stored. Both may be left out."""

    first: Moment | Unset = msgspec.field(name="from", default=UNSET)
    last: Moment | Unset = msgspec.field(name="to", default=UNSET)


class Alerts(Within, frozen=True):
    """Which alarms, by their onset. `open` is what is known now; `any` reads the store."""

    state: Literal["open", "any"] = "open"
    patient_id: Identifier | Unset = UNSET
    bed: Unit | Unset = UNSET
    code: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_.]{1,64}$")] | Unset = UNSET
    priority: Priority | Unset = UNSET


class Trace(_Said, frozen=True):
    """Which measurements, and how many points of each signal.

    Attributes:
        first: From then on; without it, the last hour, or what is known of it.
        last: Before then; without it, now.
        signals: Only these.
        step: Of `minmax`, ms; without it, so long that there are at most `points` steps.
        points: At most so many of each signal; fewer come as they were measured.
        method: `minmax`: least, greatest and last value of each step. `lttb`: measured
            points alone, by largest triangle of three buckets, both extremes among them.
            Neither averages: a spike stays.
    """

    first: Moment | Unset = msgspec.field(name="from", default=UNSET)
    last: Moment | Unset = msgspec.field(name="to", default=UNSET)
    signals: Annotated[list[SignalCode], msgspec.Meta(max_length=14)] = []
    step: Annotated[int, msgspec.Meta(ge=1_000, le=86_400_000)] | Unset = UNSET
    points: Annotated[int, msgspec.Meta(ge=4, le=10_000)] = 1_000
    method: Literal["minmax", "lttb"] = "minmax"


class Hours(_Said, frozen=True):
    """Over how long, and of whom."""

    hours: Annotated[int, msgspec.Meta(ge=1, le=KEPT_HOURS)] = 24
    unit: Unit | Unset = UNSET
    bed: Unit | Unset = UNSET


Subject = Literal["alerts", "scores", "vitals", "command-results"]


class Stream(_Said, frozen=True):
    """What is streamed."""

    topics: Annotated[list[Subject], msgspec.Meta(min_length=1, max_length=4)] = (
        msgspec.field(default_factory=lambda: ["alerts"])
    )
    patient_id: Identifier | Unset = UNSET
    unit: Unit | Unset = UNSET


# --- sessions


class SignIn(_Said, frozen=True):
    """Who signs in."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]

    def __repr__(self) -> str:
        return f"SignIn({self.name!r})"


class Me(_Told, frozen=True):
    """Who asks.

    Attributes:
        by: Identity, as in every command.
        role: What that person is.
        station: From where, as it stands in the audit trail.
        may: What may be asked.
        sees: What may be seen.
        until: When the session ends if nothing is done, or the token; epoch ms.
    """

    by: str
    role: Role
    station: str
    may: list[CommandType]
    sees: list[str]
    until: int


class Session(Me, frozen=True):
    """Somebody is signed in.

    Attributes:
        token: Send it as `Authorization: Bearer ...`.
    """

    token: str

    def __repr__(self) -> str:
        return f"Session({self.by!r}, {self.role.value})"


# --- beds and patients


class Reading(_Told, frozen=True):
    """The newest value of a signal.

    Attributes:
        value: In its unit.
        unit: UCUM.
        time: Measurement time.
        arrived: When it came.
        fresh: It stands for now; otherwise nothing is measured.
    """

    value: float
    unit: str
    time: int
    arrived: int
    fresh: bool


class Risen(_Told, frozen=True):
    """An open alarm in short."""

    alert_id: str
    code: str
    kind: Kind
    priority: Priority
    state: State
    onset: int
    text: str
    by: str | None


class PatientNow(_Told, frozen=True):
    """One patient now.

    Attributes:
        patient_id: Who.
        bed: Where.
        unit: Of the bed.
        values: The newest of each signal.
        alarms: Open ones, the most pressing first; hints last.
        is_paused: What is not high makes no sound.
        news2: NEWS2, or null; with fewer than 7 inputs it is at least this.
        news2_completeness: Inputs that it has, of 7.
    """

    patient_id: str
    bed: str
    unit: str
    values: dict[str, Reading]
    alarms: list[Risen]
    is_paused: bool
    news2: int | None
    news2_completeness: int | None


class Bed(_Told, frozen=True):
    """One bed, and who lies there. Two ids in one bed are an error of the sources."""

    bed: str
    unit: str
    patients: list[str]
    alarms: int
    priority: Priority | None


class Course(_Told, frozen=True):
    """One signal's course: points as they were measured, or steps with their extremes.

    Attributes:
        unit: UCUM.
        step: Length of a step, ms; null: points.
        times: Of each point, measurement time; of each step that has a value, its begin.
        values: Of each point; of each step the last one.
        low: The least value of each step; null for points.
        high: The greatest.
        n: How many values each step had.
    """

    unit: str
    step: int | None
    times: list[int]
    values: list[float]
    low: list[float] | None = None
    high: list[float] | None = None
    n: list[int] | None = None


class Vitals(_Told, frozen=True):
    """The course of a patient's signals.

    Attributes:
        patient_id: Whose.
        first: From then on.
        last: Before then.
        stored: Part of it may come from the store.
        tail_from: What came since then is from Kafka: there before the store has it.
        signals: By code; one without a value is absent.
    """

    patient_id: str
    first: int = msgspec.field(name="from")
    last: int = msgspec.field(name="to")
    stored: bool
    tail_from: int
    signals: dict[str, Course]


class LimitNow(_Told, frozen=True):
    """One limit in force.

    Attributes:
        code: Which alarm.
        signal: Of which signal.
        limit: In the signal's unit.
        unit: UCUM.
        delay_s: How long it must be violated.
        priority: Of the alarm.
        source: Where the profile's numbers come from.
        by: Who set it; null: the profile.
        since: When it was set.
        until: Until when it holds.
    """

    code: str
    signal: str
    limit: float
    unit: str
    delay_s: float
    priority: Priority
    source: str
    by: str | None
    since: int | None
    until: int | None


class Limits(_Told, frozen=True):
    """The limits of one patient.

    Attributes:
        profile: Name and version of the profile of this server.
        limits: In its order.
    """

    profile: str
    limits: list[LimitNow]


class AlertDetail(_Told, frozen=True):
    """One alarm.

    Attributes:
        alert: Its newest statement.
        transitions: What happened, oldest first.
        is_whole: Those are all; otherwise earlier ones are missing.
    """

    alert: Alert
    transitions: list[Alert]
    is_whole: bool


# --- commands


class Acknowledgement(_Said, frozen=True):
    """Somebody has seen it."""


class Judgement(_Said, frozen=True):
    """What somebody thought of it."""

    actionable: bool


class Pausing(_Said, frozen=True):
    """A silence with an end."""

    reason: Annotated[Reason, msgspec.Meta(min_length=1)]
    seconds: Annotated[float, msgspec.Meta(ge=1, le=600)] | None = None


class Resuming(_Said, frozen=True):
    """The end of a pause."""


class Observing(_Said, frozen=True):
    """What was charted by hand, or comes from the laboratory: docs/messages.md."""

    acvpu: Literal["A", "C", "V", "P", "U"] | None = None
    on_oxygen: bool | None = None
    spo2_scale: Literal[1, 2] | None = None
    values: Annotated[dict[str, float], msgspec.Meta(max_length=64)] = {}


class Setting(_Said, frozen=True):
    """Limits of this patient's own: these, or those of a proposal."""

    reason: Annotated[Reason, msgspec.Meta(min_length=1)]
    limits: Annotated[list[Change], msgspec.Meta(max_length=64)] = []
    hours: Annotated[float, msgspec.Meta(gt=0, le=72)] | None = None
    proposal: Annotated[str, msgspec.Meta(min_length=1, max_length=320)] | None = None


class Resetting(_Said, frozen=True):
    """Back to the profile: these alarms, or all."""

    codes: Annotated[
        list[
            Annotated[str, msgspec.Meta(pattern="^[a-z0-9_]{1,32}[.][a-z0-9_]{1,32}$")]
        ],
        msgspec.Meta(max_length=64),
    ] = []


class Proposing(_Said, frozen=True):
    """Limits that somebody else may accept: these, or by the monitors' formulas."""

    limits: Annotated[list[Change], msgspec.Meta(max_length=64)] = []
    reason: Reason | None = None


class Withdrawing(_Said, frozen=True):
    """A proposal that is taken back."""

    proposal: Annotated[str, msgspec.Meta(min_length=1, max_length=320)]
    reason: Reason | None = None


class Admitting(_Said, frozen=True):
    """A patient comes."""

    bed: Place
    profile: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None


class Moving(_Said, frozen=True):
    """A patient changes the bed."""

    bed: Place


class Leaving(_Said, frozen=True):
    """A patient goes."""

    reason: Reason | None = None


class Done(_Told, frozen=True):
    """The worker did it.

    Attributes:
        command_id: By which the log knows it.
        proposal: Of `proposals`: by which it is accepted.
        limits: What changed, or is proposed.
        until: Until when that holds, or can be accepted.
    """

    command_id: str
    proposal: str | None = None
    limits: list[LimitChange] = []
    until: int | None = None


# --- burden and backtests


class Burden(_Told, frozen=True):
    """What alarms asked of people: docs/burden.md.

    Attributes:
        hours: The present one and those before it.
        total: All together.
        groups: By unit, or by bed where a unit or a bed was asked for.
        hourly: Hour by hour.
        definitions: What is counted.
    """

    hours: int
    total: Summary
    groups: dict[str, Summary]
    hourly: list[Hourly]
    definitions: dict[str, str]


class Asking(_Said, frozen=True):
    """What would another limit or delay have alarmed?

    Attributes:
        source: The vitals topic, or a simulated ward whose truth is known.
        patients: Of the topic: whose past.
        hours: How far back, to now.
        change: What would have been different.
    """

    change: Change
    source: Source = Source.TOPIC
    patients: Annotated[list[Identifier], msgspec.Meta(max_length=1_000)] = []
    hours: Annotated[float, msgspec.Meta(ge=1, le=72)] = 24


class Found(_Told, frozen=True):
    """What came of a backtest.

    Attributes:
        read: What was read.
        patients: How many were in it.
        days: Patient-days.
        figures: Before and after.
        codes: Alarms by code, where they differ.
        notes: What these data can and cannot show.
        examples: Some alarms that changed.
    """

    read: str
    patients: int
    days: float
    figures: list[Figure]
    codes: list[Code]
    notes: list[str]
    examples: list[Example]


class Backtest(_Told, frozen=True):
    """One backtest.

    Attributes:
        backtest_id: Which.
        state: What became of it.
        progress: The share that is done, 0 to 1.
        asked: The question.
        failure: Why there is no result.
        result: Once it is done.
    """

    backtest_id: str
    state: Literal["running", "done", "failed", "cancelled"]
    progress: float
    asked: Asking
    failure: str | None
    result: Found | None


class Backtests(_Told, frozen=True):
    """The last backtest of whoever asks."""

    items: list[Backtest]


# --- the system


class Health(_Told, frozen=True):
    """Can this server be asked? `fail` comes with 503."""

    status: Literal["pass", "fail"]


class Partition(_Told, frozen=True):
    """One partition's worker."""

    partition: int
    worker: str
    heard: int
    lag: int
    patients: int
    checkpoint_age_s: float


class System(_Told, frozen=True):
    """The state of the chain, as this server sees it.

    Attributes:
        version: Of the program.
        kafka: Kafka answers, and all that it had has been read.
        behind: Records that Kafka has and this server has not read.
        store: The store of the past: none, pass or fail.
        partitions: Workers that spoke.
        partitions_silent: Partitions that no worker speaks for.
        patients: Known now.
        streams: Open live streams.
    """

    version: str
    kafka: bool
    behind: int
    store: Literal["none", "pass", "fail"]
    partitions: list[Partition]
    partitions_silent: list[int]
    patients: int
    streams: int


class Schemas(_Told, frozen=True):
    """Schemas of Kafka's messages, by topic."""

    items: list[str]
