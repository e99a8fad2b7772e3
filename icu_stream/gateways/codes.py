"""The one table of codes and units: what other systems say, and what it is here.

A code that is not listed is unknown, a unit likewise: both are counted and never guessed.
A number and a name that are both listed and do not belong together are a contradiction,
which is refused, too. Signals' own LOINC codes and units are those of
`icu_stream.contracts.signals`, what is charted those of `icu_stream.contracts.observations`.

A *general* code says less than a signal: `8480-6` is a systolic pressure, however it was
measured. It means what a more exact code beside it says; alone it means what its row
says, or nothing.

Left out on purpose: the cuff's pulse (`149546`), which is repeated for minutes and would
hide an asystole as a pulse that beats now; end-tidal CO2 in volume percent, which needs
the air's pressure to be mmHg; skin temperature, which is no core temperature.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from icu_stream.contracts import observations, signals


class Refusal(StrEnum):
    """Why a value is not taken; the name of what is counted."""

    UNKNOWN = "code_unknown"
    CONTRADICTION = "code_contradicts"
    AMBIGUOUS = "code_ambiguous"
    NO_UNIT = "unit_missing"
    UNKNOWN_UNIT = "unit_unknown"


class System(StrEnum):
    """Whose code it is."""

    MDC = "MDC"
    LOINC = "LN"
    UCUM = "UCUM"
    OTHER = ""


class Coding(NamedTuple):
    """A code as somebody else says it.

    Attributes:
        system: Whose.
        code: Number or text.
        name: Reference id, or for people; may be empty.
    """

    system: System
    code: str
    name: str = ""


class Mdc(NamedTuple):
    """One term of ISO/IEEE 11073-10101.

    Attributes:
        signal: Our code.
        number: Context-free code: partition x 65536 + term.
        names: Reference ids, the first of them the one that we send.
    """

    signal: str
    number: int
    names: tuple[str, ...]


class General(NamedTuple):
    """A code that fits several signals.

    Attributes:
        system: Whose.
        code: As sent.
        name: What it says.
        of: What it may be.
        alone: What it is when no more exact code stands beside it; None = not told.
        note: Why.
    """

    system: System
    code: str
    name: str
    of: tuple[str, ...]
    alone: str | None
    note: str


class Meaning(NamedTuple):
    """What a code means here.

    Attributes:
        code: Of a signal or of what is charted.
        unit: UCUM.
        rank: Of two codes for one signal at one moment the lower one counts.
    """

    code: str
    unit: str
    rank: int


class Unit(NamedTuple):
    """One unit and how it becomes ours.

    Attributes:
        unit: Ours, UCUM.
        ucum: The other, UCUM.
        number: In ISO/IEEE 11073-10101; None where we know of none.
        name: Its reference id.
        others: How it is written where nobody says by which system.
        factor: Ours = (other - offset) x factor.
        offset: See factor.
        source: Of the factor.
    """

    unit: str
    ucum: str
    number: int | None
    name: str
    others: tuple[str, ...] = ()
    factor: float = 1.0
    offset: float = 0.0
    source: str = ""


# Sources: ISO/IEEE 11073-10101; numbers compared with messages and code lists that are
# published: IHE PCD TF-2 (HR, SpO2), HL7 Point-of-Care Device guide (CVP), the German
# core data set's module ICU (pulse, temperatures, etCO2), gematik ISiK vital signs,
# Mindray and GE B40 gateways (cuff, arterial line, respiration, FiO2).
# The order is the preference between several sources of one signal: what the monitor
# itself calls the rate comes before what one sensor says.
MDC: tuple[Mdc, ...] = (
    Mdc("hr", 147842, ("MDC_ECG_HEART_RATE", "MDC_ECG_CARD_BEAT_RATE")),
    Mdc("pulse", 149530, ("MDC_PULS_OXIM_PULS_RATE",)),
    Mdc("pulse", 149522, ("MDC_BLD_PULS_RATE_INV",)),
    Mdc("pulse", 149514, ("MDC_PULS_RATE",)),
    Mdc("spo2", 150456, ("MDC_PULS_OXIM_SAT_O2",)),
    Mdc("rr", 151562, ("MDC_RESP_RATE",)),
    Mdc("rr", 151578, ("MDC_TTHOR_RESP_RATE",)),
    Mdc("rr", 151594, ("MDC_CO2_RESP_RATE",)),
    Mdc("rr", 151570, ("MDC_AWAY_RESP_RATE",)),
    Mdc("rr", 151586, ("MDC_VENT_RESP_RATE",)),
    Mdc("rr", 151658, ("MDC_PULS_OXIM_PLETH_RESP_RATE",)),
    Mdc("abp_sys", 150037, ("MDC_PRESS_BLD_ART_ABP_SYS",)),
    Mdc("abp_sys", 150033, ("MDC_PRESS_BLD_ART_SYS",)),
    Mdc("abp_dia", 150038, ("MDC_PRESS_BLD_ART_ABP_DIA",)),
    Mdc("abp_dia", 150034, ("MDC_PRESS_BLD_ART_DIA",)),
    Mdc("abp_mean", 150039, ("MDC_PRESS_BLD_ART_ABP_MEAN",)),
    Mdc("abp_mean", 150035, ("MDC_PRESS_BLD_ART_MEAN",)),
    Mdc("nibp_sys", 150021, ("MDC_PRESS_BLD_NONINV_SYS",)),
    Mdc("nibp_sys", 150301, ("MDC_PRESS_CUFF_SYS",)),
    Mdc("nibp_dia", 150022, ("MDC_PRESS_BLD_NONINV_DIA",)),
    Mdc("nibp_dia", 150302, ("MDC_PRESS_CUFF_DIA",)),
    Mdc("nibp_mean", 150023, ("MDC_PRESS_BLD_NONINV_MEAN",)),
    Mdc("nibp_mean", 150303, ("MDC_PRESS_CUFF_MEAN",)),
    Mdc("temp", 150368, ("MDC_TEMP_CORE",)),
    Mdc("temp", 188436, ("MDC_TEMP_BLD",)),
    Mdc("temp", 150372, ("MDC_TEMP_ESOPH",)),
    Mdc("temp", 150380, ("MDC_TEMP_NASOPH",)),
    Mdc("temp", 188420, ("MDC_TEMP_RECT",)),
    Mdc("temp", 150392, ("MDC_TEMP_TYMP",)),
    Mdc("temp", 188424, ("MDC_TEMP_ORAL",)),
    Mdc("temp", 150344, ("MDC_TEMP",)),
    Mdc("etco2", 151708, ("MDC_AWAY_CO2_ET", "MDC_CONC_AWAY_CO2_ET")),
    Mdc("cvp", 150087, ("MDC_PRESS_BLD_VEN_CENT_MEAN",)),
    Mdc("cvp", 150084, ("MDC_PRESS_BLD_VEN_CENT",)),
    Mdc("fio2", 152196, ("MDC_CONC_AWAY_O2_INSP",)),
    Mdc("fio2", 153144, ("MDC_CONC_GASDLV_O2_INSP",)),
    Mdc("fio2", 151920, ("MDC_VENT_CONC_AWAY_O2_INSP",)),
)

# LOINC beside the signals' own. Source: Regenstrief Institute, LOINC.
LOINC: tuple[tuple[str, str, str], ...] = (
    ("temp", "8329-5", "Body temperature - Core"),
    ("temp", "60834-9", "Blood temperature"),
    ("temp", "60836-4", "Esophageal temperature"),
    ("temp", "60838-0", "Nasopharyngeal temperature"),
    ("temp", "8332-9", "Rectal temperature"),
    ("temp", "8333-7", "Tympanic membrane temperature"),
    ("temp", "8331-1", "Oral temperature"),
)

_PRESSURE = "alone a cuff's: each reading stands for itself, so that no alarm is later"
GENERAL: tuple[General, ...] = (
    General(
        System.LOINC,
        "8867-4",
        "Heart rate",
        ("hr", "pulse"),
        "hr",
        "FHIR's profile heartrate wants it for a pulse, too",
    ),
    General(
        System.LOINC,
        "2708-6",
        "Oxygen saturation in Arterial blood",
        ("spo2", "sao2"),
        None,
        "FHIR's profile oxygensat wants it; alone it may be a blood gas",
    ),
    General(
        System.LOINC,
        "8480-6",
        "Systolic blood pressure",
        ("nibp_sys", "abp_sys"),
        "nibp_sys",
        _PRESSURE,
    ),
    General(
        System.LOINC,
        "8462-4",
        "Diastolic blood pressure",
        ("nibp_dia", "abp_dia"),
        "nibp_dia",
        _PRESSURE,
    ),
    General(
        System.LOINC,
        "8478-0",
        "Mean blood pressure",
        ("nibp_mean", "abp_mean"),
        "nibp_mean",
        _PRESSURE,
    ),
    General(
        System.MDC,
        "150017",
        "MDC_PRESS_BLD_SYS",
        ("nibp_sys", "abp_sys"),
        None,
        "any line, a pulmonary artery's, too",
    ),
    General(
        System.MDC,
        "150018",
        "MDC_PRESS_BLD_DIA",
        ("nibp_dia", "abp_dia"),
        None,
        "any line, a pulmonary artery's, too",
    ),
    General(
        System.MDC,
        "150019",
        "MDC_PRESS_BLD_MEAN",
        ("nibp_mean", "abp_mean"),
        None,
        "any line, a pulmonary artery's, too",
    ),
)

# Blood pressure as FHIR and LOINC group it: panel, then our signals.
PRESSURE_PANEL = Coding(
    System.LOINC, "85354-9", "Blood pressure panel with all children optional"
)
PRESSURES: tuple[tuple[str, str, str], ...] = (
    ("abp_sys", "abp_dia", "abp_mean"),
    ("nibp_sys", "nibp_dia", "nibp_mean"),
)

# NIST SP 811, 2008, appendix B.8: Pa in 1 mmHg and in 1 cmH2O (conventional).
_PA_MMHG = 133.3224
_PA_CMH2O = 98.0665
_NIST = "NIST SP 811, B.8"
UNITS: tuple[Unit, ...] = (
    Unit("/min", "/min", 264864, "MDC_DIM_BEAT_PER_MIN", ("1/min", "bpm")),
    Unit("/min", "/min", 264928, "MDC_DIM_RESP_PER_MIN", ("rpm",)),
    Unit("%", "%", 262688, "MDC_DIM_PERCENT"),
    Unit("mm[Hg]", "mm[Hg]", 266016, "MDC_DIM_MMHG", ("mmHg", "mm(hg)")),
    Unit(
        "mm[Hg]",
        "kPa",
        265987,
        "MDC_DIM_KILO_PASCAL",
        factor=1000 / _PA_MMHG,
        source=_NIST,
    ),
    Unit(
        "mm[Hg]",
        "hPa",
        265986,
        "MDC_DIM_HECTO_PASCAL",
        ("mbar",),
        factor=100 / _PA_MMHG,
        source=_NIST,
    ),
    Unit(
        "mm[Hg]",
        "cm[H2O]",
        266048,
        "MDC_DIM_CM_H2O",
        ("cmH2O",),
        factor=_PA_CMH2O / _PA_MMHG,
        source=_NIST,
    ),
    Unit("Cel", "Cel", 268192, "MDC_DIM_DEGC", ("°C", "cel")),
    Unit(
        "Cel",
        "[degF]",
        266560,
        "MDC_DIM_FAHR",
        ("°F", "degf"),
        factor=5 / 9,
        offset=32,
        source=_NIST,
    ),
    Unit("Cel", "K", 266528, "MDC_DIM_KELVIN", offset=273.15, source=_NIST),
)
# What a converted value is rounded to: far below what any instrument shows, and enough
# for 98.6 °F to be 37 °C (ours).
_DIGITS = 4

# The alarms' own terms. Source: ISO/IEEE 11073-10101, as in DICOM PS3.16 CID 3038
# (apnoea, asystole, desaturation) and the messages of IHE PCD TF-2, transaction PCD-04.
EVENT_ALARM = Coding(System.MDC, "196616", "MDC_EVT_ALARM")
EVENT_LOW = Coding(System.MDC, "196670", "MDC_EVT_LO")
EVENT_HIGH = Coding(System.MDC, "196648", "MDC_EVT_HI")
EVENTS: dict[str, Coding] = {
    "hr.asystole": Coding(System.MDC, "199684", "MDC_EVT_ECG_ASYSTOLE"),
    "rr.apnoea": Coding(System.MDC, "199680", "MDC_EVT_APNEA"),
    "spo2.desat": Coding(System.MDC, "199854", "MDC_EVT_DESAT"),
}

_SIGNALS = {row.code: row.unit for row in signals.SIGNALS}
_CHARTED = {row.code: row.unit for row in observations.OBSERVATIONS}


def meaning(codings: Iterable[Coding]) -> Meaning | Refusal:
    """What several codings of one thing mean together.

    >>> meaning([Coding(System.MDC, "147842", "MDC_ECG_HEART_RATE")])
    Meaning(code='hr', unit='/min', rank=0)
    >>> meaning([Coding(System.LOINC, "8480-6"), Coding(System.LOINC, "76215-3")]).code
    'abp_sys'
    >>> meaning([Coding(System.MDC, "147842", "MDC_PULS_OXIM_SAT_O2")]).value
    'code_contradicts'
    """
    found = [_find(coding) for coding in codings]
    if Refusal.CONTRADICTION in found:
        return Refusal.CONTRADICTION
    general = [row for row in found if isinstance(row, General)]
    exact = sorted(row for row in found if isinstance(row, _Exact))
    if not exact:
        return _alone(general)
    first = exact[0]
    agree = all(row.code == first.code for row in exact) and all(
        first.code in row.of for row in general
    )
    if not agree:
        return Refusal.CONTRADICTION
    return Meaning(first.code, _unit_of(first.code), first.rank)


def in_unit(value: float, codings: Iterable[Coding], wanted: str) -> float | Refusal:
    """A value in the unit that is ours.

    Args:
        value: As measured.
        codings: Its unit, said in one or several ways; an empty code says nothing.
        wanted: Ours, UCUM.

    >>> in_unit(98.6, [Coding(System.UCUM, "[degF]")], "Cel")
    37.0
    >>> in_unit(16, [Coding(System.MDC, "265987", "MDC_DIM_KILO_PASCAL")], "mm[Hg]")
    120.0098
    >>> in_unit(97, [Coding(System.OTHER, "")], "%").value
    'unit_missing'
    """
    said = [coding for coding in codings if coding.code or coding.name]
    if not said:
        return Refusal.NO_UNIT
    for coding in said:
        unit = _unit(coding, wanted)
        if unit is None:
            continue
        if unit.factor == 1.0 and not unit.offset:
            return value
        return round((value - unit.offset) * unit.factor, _DIGITS)
    return Refusal.UNKNOWN_UNIT


def is_charted(code: str) -> bool:
    """Is it charted or from the laboratory, and not a monitor's signal?"""
    return code not in _SIGNALS


def mdc(signal: str) -> Coding:
    """The MDC term that we send for a signal."""
    return _SENT[signal]


def mdc_unit(signal: str) -> Coding:
    """The MDC unit that we send for a signal."""
    name = "MDC_DIM_RESP_PER_MIN" if signal == "rr" else None
    for unit in UNITS:
        if unit.ucum == _SIGNALS[signal] and name in {None, unit.name}:
            return Coding(System.MDC, str(unit.number), unit.name)
    raise KeyError(signal)


def loinc(signal: str) -> tuple[Coding, ...]:
    """The LOINC codes that we send, the more general one first, as FHIR wants it."""
    row = signals.BY_CODE[signal]
    exact = Coding(System.LOINC, row.loinc, _LONG_NAMES.get(signal, ""))
    if signal == "pulse":
        return (exact,)  # a heart rate in general is taken for the ECG's
    wider = (
        Coding(System.LOINC, wide.code, wide.name)
        for wide in GENERAL
        if wide.system is System.LOINC and signal in wide.of and wide.code != row.loinc
    )
    return (*wider, exact)


# LOINC's long names, for people. Source: Regenstrief Institute, LOINC.
_LONG_NAMES = {
    "hr": "Heart rate",
    "pulse": "Heart rate by Pulse oximetry",
    "spo2": "Oxygen saturation in Arterial blood by Pulse oximetry",
    "rr": "Respiratory rate",
    "abp_sys": "Invasive Systolic blood pressure",
    "abp_dia": "Invasive Diastolic blood pressure",
    "abp_mean": "Invasive Mean blood pressure",
    "nibp_sys": "Systolic blood pressure by Noninvasive",
    "nibp_dia": "Diastolic blood pressure by Noninvasive",
    "nibp_mean": "Mean blood pressure by Noninvasive",
    "temp": "Body temperature",
    "cvp": "Central venous pressure (CVP)",
    "fio2": "Inhaled oxygen concentration",
}


def page() -> str:
    """The table as Markdown, for the documentation."""
    lines = ["| signal | unit | LOINC | MDC, the first is sent |", "|---|---|---|---|"]
    for row in signals.SIGNALS:
        own = [row.loinc, *(code for signal, code, _ in LOINC if signal == row.code)]
        terms = [f"{m.number} {m.names[0]}" for m in MDC if m.signal == row.code]
        lines.append(
            f"| `{row.code}` | {row.unit} | {', '.join(own)} | {', '.join(terms)} |"
        )
    lines += ["", "| general code | may be | alone | why |", "|---|---|---|---|"]
    for wide in GENERAL:
        of = ", ".join(f"`{code}`" for code in wide.of)
        alone = f"`{wide.alone}`" if wide.alone else "refused"
        lines.append(
            f"| {wide.system} {wide.code} {wide.name} | {of} | {alone} | {wide.note} |"
        )
    lines += ["", "| ours | also understood | MDC | how |", "|---|---|---|---|"]
    for unit in UNITS:
        names = ", ".join([unit.ucum, *unit.others])
        how = "as it is"
        if unit.source:
            minus = f"(x - {unit.offset:g})" if unit.offset else "x"
            times = f" x {unit.factor:.7g}" if unit.factor != 1 else ""
            how = f"{minus}{times} ({unit.source})"
        lines.append(f"| {unit.unit} | {names} | {unit.number} {unit.name} | {how} |")
    return "\n".join(lines)


def _unit_of(code: str) -> str:
    return _SIGNALS.get(code) or _CHARTED[code]


def _alone(general: list[General]) -> Meaning | Refusal:
    """What codes mean without a more exact one beside them."""
    if not general:
        return Refusal.UNKNOWN
    alone = {row.alone for row in general}
    if len(alone) > 1:
        return Refusal.CONTRADICTION
    [code] = alone
    if code is None:
        return Refusal.AMBIGUOUS
    return Meaning(code, _unit_of(code), len(MDC) + len(LOINC))


class _Exact(NamedTuple):
    """A code that means one thing."""

    rank: int
    code: str


def _find(coding: Coding) -> _Exact | General | Refusal | None:
    if coding.system is System.MDC:
        return _find_mdc(coding)
    if coding.system is System.LOINC:
        return _GENERAL.get((System.LOINC, coding.code)) or _BY_LOINC.get(coding.code)
    return None


def _find_mdc(coding: Coding) -> _Exact | General | Refusal | None:
    """By number and name: 0 is the number of what has none."""
    number = coding.code if coding.code not in {"", "0"} else ""
    by_number = _GENERAL.get((System.MDC, number)) or _BY_NUMBER.get(number)
    by_name = _GENERAL_NAMES.get(coding.name) or _BY_NAME.get(coding.name)
    if by_number is not None and by_name is not None and by_number != by_name:
        return Refusal.CONTRADICTION
    if number and by_number is None and by_name is not None:
        return Refusal.CONTRADICTION
    return by_number or by_name


def _unit(coding: Coding, wanted: str) -> Unit | None:
    for unit in UNITS:
        if unit.unit == wanted and _is_unit(unit, coding):
            return unit
    if coding.system is not System.MDC and coding.code == wanted:
        return Unit(wanted, wanted, None, "")
    return None


def _is_unit(unit: Unit, coding: Coding) -> bool:
    if coding.system is System.MDC:
        by_number = coding.code == str(unit.number)
        by_name = coding.name == unit.name
        if coding.code in {"", "0"}:
            return by_name
        # The name is for people, unless it is another unit's.
        return by_number and (by_name or coding.name not in _UNIT_NAMES)
    text = _plain(coding.code)
    return text == unit.ucum or text in unit.others


def _plain(text: str) -> str:
    """A UCUM unit without annotations, which change nothing: {beats}/min is /min."""
    while "{" in text and "}" in text[text.index("{") :]:
        start = text.index("{")
        text = text[:start] + text[text.index("}", start) + 1 :]
    return text


_BY_NUMBER = {str(row.number): _Exact(i, row.signal) for i, row in enumerate(MDC)}
_BY_NAME = {
    name: _Exact(i, row.signal) for i, row in enumerate(MDC) for name in row.names
}
_SENT: dict[str, Coding] = {}
for _row in MDC:
    _SENT.setdefault(_row.signal, Coding(System.MDC, str(_row.number), _row.names[0]))
# After the MDC rows: of two codes for one signal the monitor's own term counts.
_BY_LOINC = {
    row.loinc: _Exact(len(MDC), row.code)
    for row in observations.OBSERVATIONS
    if row.loinc is not None
}
_BY_LOINC |= {
    code: _Exact(len(MDC) + i, signal) for i, (signal, code, _) in enumerate(LOINC, 1)
}
_BY_LOINC |= {row.loinc: _Exact(0, row.code) for row in signals.SIGNALS}
_GENERAL = {(row.system, row.code): row for row in GENERAL}
_GENERAL_NAMES = {row.name: row for row in GENERAL if row.system is System.MDC}
_UNIT_NAMES = {unit.name for unit in UNITS}
