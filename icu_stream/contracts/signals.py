"""The signals: code, unit, LOINC, no-data time and instrument range, one row each.

The order of the rows is the order of signals everywhere (state, windows, models):
append new signals at the end. Source: CLINICAL.md, "Signals"; the ranges are the
measuring ranges of the Mindray, Draeger, LIFEPAK and GE operator manuals it cites.
"""

from typing import NamedTuple


class Signal(NamedTuple):
    """One thing that a monitor measures.

    Attributes:
        code: As in messages, alarm codes, columns and screens.
        name: As a nurse reads it.
        unit: UCUM.
        loinc: LOINC code.
        no_data_s: Seconds without a sample that are a technical alarm; None = never.
        low: Lowest value that the instrument can show; below it the value is invalid.
        high: Highest value that the instrument can show.
        digits: Decimals at display.
    """

    code: str
    name: str
    unit: str
    loinc: str
    no_data_s: float | None
    low: float
    high: float
    digits: int = 0


# A cuff's no-data time is 2 x its cycle; the cycle is the message's interval_s and,
# where the message does not say, the 30 min that monitors ship as default (ours).
SIGNALS: tuple[Signal, ...] = (
    Signal("hr", "HR", "/min", "8867-4", 10, 0, 350),
    Signal("pulse", "Pulse", "/min", "8889-8", 10, 0, 350),
    Signal("spo2", "SpO₂", "%", "59408-5", 10, 0, 100),
    Signal("rr", "RR", "/min", "9279-1", 30, 0, 300),
    Signal("abp_sys", "ABP sys", "mm[Hg]", "76215-3", 10, -20, 375),
    Signal("abp_dia", "ABP dia", "mm[Hg]", "76213-8", 10, -20, 375),
    Signal("abp_mean", "ABP mean", "mm[Hg]", "76214-6", 10, -20, 375),
    Signal("nibp_sys", "NIBP sys", "mm[Hg]", "76534-7", 3600, 10, 300),
    Signal("nibp_dia", "NIBP dia", "mm[Hg]", "76535-4", 3600, 10, 300),
    Signal("nibp_mean", "NIBP mean", "mm[Hg]", "76536-2", 3600, 10, 300),
    Signal("temp", "Temp", "Cel", "8310-5", 3600, 14.2, 47, 1),
    Signal("etco2", "etCO₂", "mm[Hg]", "19889-5", 30, 0, 150),
    Signal("cvp", "CVP", "mm[Hg]", "60985-9", 30, -20, 100),
    Signal("fio2", "FiO₂", "%", "3150-0", None, 21, 100),
)

INDEX: dict[str, int] = {signal.code: i for i, signal in enumerate(SIGNALS)}
BY_CODE: dict[str, Signal] = {signal.code: signal for signal in SIGNALS}
