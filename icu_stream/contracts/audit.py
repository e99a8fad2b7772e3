"""What was done about access, and by whom: the trail that is only ever added to.

It names persons of the staff, screens and patient ids; never a patient's name, a
password, a token or a session.
"""

from enum import StrEnum

import msgspec

from icu_stream.contracts.commands import CommandType


class Deed(StrEnum):
    """What was done, or tried."""

    SIGN_IN = "sign_in"
    REFUSAL = "refusal"
    SIGN_OUT = "sign_out"
    SESSION_OVER = "session_over"
    COMMAND = "command"
    ACCOUNT = "account"
    BACKTEST = "backtest"


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One deed of one person at one screen.

    Attributes:
        time: When, epoch ms UTC, by our clock.
        deed: What was done, or tried.
        by: Who: a user's identity; `account`: whose account. Empty where nobody is known: a name that has no
            account is not written down, for it may be a password in the wrong field.
        role: As what; empty where nobody is known.
        station: From where: the name of the screen, else its address.
        how: `sign_in`, `refusal`, `sign_out`, `session_over`: password, link, token or the
            issuer of an identity; `refusal` of what a role may not: what was asked for; of
            what came to the pager unsigned, stale or again: answer.
        reason: `refusal`, `session_over`: why. `command`: why it was asked. `account`:
            what was changed. `backtest`: what was asked.
        command_id: `command`: of the command; its answer is in `command-results`.
        type: `command`: what was asked.
        patient_id: `command`: about whom.
        alert_id: `command`: about which alarm.
        outcome: `command`: done, refused, unsent or unknown, and why.
    """

    time: int
    deed: Deed
    by: str = ""
    role: str = ""
    station: str = ""
    how: str = ""
    reason: str | None = None
    command_id: str | None = None
    type: CommandType | None = None
    patient_id: str | None = None
    alert_id: str | None = None
    outcome: str | None = None
