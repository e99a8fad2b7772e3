"""CSV out: the format that `icu-stream replay` reads (docs/sources.md, CSV).

A row is a message. What the format has no column for is left out: what a device says of a
signal it does not measure, which of several devices is primary, and when a message arrived.
"""

import csv
import io
import math

from icu_stream.contracts.signals import SIGNALS
from icu_stream.contracts.vitals import Vitals
from icu_stream.gateways.reading import instant


COLUMNS = ("patient_id", "time", "bed", "device", *(row.code for row in SIGNALS))
HEADER = ",".join(COLUMNS) + "\n"


def row(message: Vitals) -> str:
    """One message as a line; empty when it has no value."""
    cells = [_cell(message.values.get(signal.code)) for signal in SIGNALS]
    if not any(cells):
        return ""
    time = instant(message.time)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(
        [message.patient_id, time, message.bed, message.device, *cells]
    )
    return out.getvalue()


def _cell(value: object) -> str:
    """A number as it is; what is no number was not measured."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return repr(float(value)).removesuffix(".0") if math.isfinite(value) else ""
