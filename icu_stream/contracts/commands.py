"""What a person asks of the system, and the answer."""

from enum import StrEnum
from typing import Annotated

import msgspec

from icu_stream.contracts.vitals import Identifier


class CommandType(StrEnum):
    """What is asked."""

    ADMIT = "admit"
    TRANSFER = "transfer"
    DISCHARGE = "discharge"
    ACKNOWLEDGE = "acknowledge"
    PAUSE = "pause"
    RESUME = "resume"
    SET_LIMITS = "set_limits"
    RESET_LIMITS = "reset_limits"
    PROPOSE_LIMITS = "propose_limits"
    OBSERVE = "observe"
    SIGNAL_OFF = "signal_off"
    FEEDBACK = "feedback"


class LimitChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """One alarm's limit, for one patient.

    Attributes:
        code: Which alarm.
        limit: The new limit, in the signal's unit; null leaves it as it is.
        delay_s: The new delay, seconds; null leaves it as it is.
    """

    code: str
    limit: float | None = None
    delay_s: float | None = None


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request of one person about one patient.

    Attributes:
        command_id: Chosen by the sender; a command seen twice is done once.
        type: What is asked.
        patient_id: About whom.
        by: Who asks: a user's identity, never a patient's.
        time: When it was asked, epoch ms UTC.
        alert_id: `acknowledge`, `feedback`: which alarm.
        seconds: `pause`: how long.
        reason: Why: `pause`, `set_limits` and `propose_limits` with limits want it.
        bed: `admit`, `transfer`: where to.
        profile: `admit`: the alarm profile by name.
        signal: `signal_off`: the signal that is taken off on purpose.
        limits: `set_limits`: what changes. `reset_limits`: which codes; none = all.
            `propose_limits`: what is proposed; none = by the monitors' formulas.
        expires: `set_limits`: until when, epoch ms UTC.
        proposal: `set_limits`: the `command_id` of the proposal that is accepted;
            `propose_limits`: of the one that is taken back.
        acvpu: `observe`: A, C, V, P or U.
        on_oxygen: `observe`: on supplementary oxygen.
        spo2_scale: `observe`: 1 or 2; 2 only when prescribed.
        values: `observe`: charted by hand or from the laboratory.
        actionable: `feedback`: was the alarm worth it?
        station: From where it was asked: the name of the screen, else its address.
    """

    command_id: Identifier
    type: CommandType
    patient_id: Identifier
    by: Identifier
    time: int
    alert_id: str | None = None
    seconds: float | None = None
    reason: str | None = None
    bed: str | None = None
    profile: str | None = None
    signal: str | None = None
    limits: list[LimitChange] = []
    expires: int | None = None
    proposal: str | None = None
    acvpu: Annotated[str, msgspec.Meta(pattern="^[ACVPU]$")] | None = None
    on_oxygen: bool | None = None
    spo2_scale: Annotated[int, msgspec.Meta(ge=1, le=2)] | None = None
    values: dict[str, float] = {}
    actionable: bool | None = None
    station: str | None = None


class CommandResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome of one command: all of them are the audit trail.

    Attributes:
        command_id: Of the command.
        accepted: Was it done?
        reason: Why not; always there when it was not accepted.
        patient_id: About whom.
        time: When it was decided, epoch ms UTC.
        type: What was asked.
        by: Who asked.
        alert_id: `acknowledge`, `feedback`: which alarm.
        actionable: `feedback`: was the alarm worth it?
        limits: `set_limits`: what changed; `propose_limits`: what would.
        expires: `set_limits`, `pause`: until when; `propose_limits`: until when it can
            be accepted; epoch ms UTC.
        station: From where it was asked.
    """

    command_id: str
    accepted: bool
    reason: str | None = None
    patient_id: str | None = None
    time: int | None = None
    type: CommandType | None = None
    by: str | None = None
    alert_id: str | None = None
    actionable: bool | None = None
    limits: list[LimitChange] = []
    expires: int | None = None
    station: str | None = None
