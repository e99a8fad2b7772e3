"""What each role may see and ask. The server decides by this; a page only leaves out.

Whoever has no role has no session, and a session without a name commands nothing.
"""

from enum import StrEnum

import msgspec

from icu_stream.contracts.commands import CommandType


class Role(StrEnum):
    """What a person is on this ward. Source: UI, roles.

    An integration is no person but another system of the hospital: who is admitted,
    moved and discharged, and what the laboratory found, comes from there.
    """

    VIEWER = "viewer"
    NURSE = "nurse"
    PHYSICIAN = "physician"
    CHARGE = "charge"
    ENGINEER = "engineer"
    INTEGRATION = "integration"


class Page(StrEnum):
    """What there is to see: the ward's pages, by the first part of their address.

    The API shows the same things to the same roles.
    """

    WARD = ""
    BED = "bed"
    ALARMS = "alarms"
    LIMITS = "limits"
    BURDEN = "burden"
    WHATIF = "whatif"
    SYSTEM = "system"


_NURSING = frozenset(
    {
        CommandType.ACKNOWLEDGE,
        CommandType.PAUSE,
        CommandType.RESUME,
        CommandType.FEEDBACK,
        CommandType.OBSERVE,
    }
)
_LIMITS = frozenset(
    {
        CommandType.SET_LIMITS,
        CommandType.RESET_LIMITS,
        CommandType.PROPOSE_LIMITS,
    }
)
_PLACES = frozenset(
    {
        CommandType.ADMIT,
        CommandType.TRANSFER,
        CommandType.DISCHARGE,
    }
)
# Each row of UI, roles, begins with what the row before it has: viewer, nurse, physician,
# charge. Admission, transfer and discharge come from the hospital's own system alone.
MAY: dict[Role, frozenset[CommandType]] = {
    Role.VIEWER: frozenset(),
    Role.NURSE: _NURSING,
    Role.PHYSICIAN: _NURSING | _LIMITS,
    Role.CHARGE: _NURSING | _LIMITS,
    Role.ENGINEER: frozenset(),
    Role.INTEGRATION: _PLACES | {CommandType.OBSERVE},
}

_CARE = frozenset({Page.WARD, Page.BED, Page.ALARMS, Page.LIMITS})
# An engineer sees the ward without names, as everybody does while names are off.
SEES: dict[Role, frozenset[Page]] = {
    Role.VIEWER: _CARE,
    Role.NURSE: _CARE,
    Role.PHYSICIAN: _CARE,
    Role.CHARGE: _CARE | {Page.BURDEN, Page.WHATIF, Page.SYSTEM},
    Role.ENGINEER: _CARE | {Page.SYSTEM},
    Role.INTEGRATION: _CARE,
}


class Person(msgspec.Struct, frozen=True):
    """Who asks, as the server knows it: never the browser's word.

    Attributes:
        by: Identity, as in every command; empty where nobody in particular looks.
        role: What that person may do.
        until_ms: When the session ends if nothing is done until then, epoch ms.
        station: From where: the name of the screen, else its address.
    """

    by: str
    role: Role
    until_ms: int
    station: str = ""

    def may(self, type_: CommandType) -> bool:
        """May this person ask for that?"""
        return bool(self.by) and type_ in MAY[self.role]

    def sees(self, page: Page) -> bool:
        """Is that page for this person?"""
        return page in SEES[self.role]
