"""What each pager says about itself and its pages every few seconds."""

import msgspec


class PagerReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One pager process. Pagers that share a database report the same pages.

    Attributes:
        pager: Which one: host and process id.
        time: By its clock, epoch ms UTC.
        waiting: Pages that are not settled.
        overdue_s: For how long the oldest of them is due and nobody sends it; 0: none.
        delivered: Pages that their targets took in the last 24 h.
        dead: Pages of the last 24 h that no target will take.
        troubles: What its dead-man has found, by name.
    """

    pager: str
    time: int
    waiting: int
    overdue_s: float
    delivered: int
    dead: int
    troubles: list[str] = []
