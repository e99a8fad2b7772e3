"""The worker with a rule of its own that raises on one record, as a mistake would."""

import msgspec

from icu_stream.app import app
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain.limits import Rule, Verdict, View


def mistaken(patient: View, vitals: Vitals, time: int) -> Verdict | None:
    """Raises at 66 /min."""
    if vitals.values.get("hr") == 66:
        msg = "planted"
        raise ZeroDivisionError(msg)
    return None


row = app.rules.rows["hr.high"]
app.rules = app.rules.with_rule(
    Rule(
        row=msgspec.structs.replace(row, code="hr.planted"),
        signals=("hr",),
        decide=mistaken,
    )
)
