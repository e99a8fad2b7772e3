"""What an alarm is called on a tile: three texts each, from long to short.

The page takes the longest that fits, so no text is ever cut. The whole sentence is the
alert's own `text`; it is read in the list, where there is room.
"""

from typing import NamedTuple

from icu_stream.contracts.alerts import Alert, Kind, Priority
from icu_stream.contracts.signals import BY_CODE


class Texts(NamedTuple):
    """One alarm in three lengths; `short` has at most six characters."""

    long: str
    medium: str
    short: str


RANK = {Priority.LOW: 1, Priority.MEDIUM: 2, Priority.HIGH: 3}
_UNITS = {"mm[Hg]": "mmHg", "Cel": "°C"}

# Shorter than the signals' own names, where those do not fit beside value and limit.
_NAMES = {
    "pulse": "PR",
    "abp_sys": "Sys",
    "abp_dia": "Dia",
    "abp_mean": "MAP",
    "nibp_sys": "NIBP",
    "nibp_dia": "NIBP dia",
    "nibp_mean": "NIBP mean",
}
_SHORT_NAMES = {
    "spo2": "O₂",
    "abp_sys": "BP",
    "abp_dia": "Dia",
    "nibp_sys": "BP",
    "nibp_dia": "Dia",
    "nibp_mean": "MAP",
    "temp": "T",
    "etco2": "CO₂",
    "fio2": "FiO",
}
_CONDITIONS = {
    "hr.asystole": Texts("ASYSTOLE", "ASYSTOLE", "ASYST"),
    "rr.apnoea": Texts("APNOEA", "APNOEA", "APNOEA"),
    "hr.ecg_fault": Texts("ECG fault", "ECG fault", "ECG ?"),
    "bed.no_data": Texts("no data from bed", "no data", "NODATA"),
    "bed.clock_jump": Texts("monitor's clock jumped", "clock jump", "CLOCK"),
    "bed.monitoring_fault": Texts("monitoring fault", "fault", "FAULT"),
    "bed.two_devices": Texts("two devices, one signal", "two devices", "2 DEV"),
    "bed.unusual": Texts("unusual for this patient", "unusual", "UNUSU"),
}
# What a device says of a signal, or how it reads: in words, and in at most six letters.
_SAID = {
    "lead_off": ("lead off", "LEAD"),
    "sensor_off": ("sensor off", "SENSOR"),
    "disconnected": ("disconnected", "UNPLUG"),
    "searching": ("searching", "SEARCH"),
    "unit": ("in another unit?", "UNIT ?"),
    "invalid": ("invalid", ""),  # the signal's own name fits
}
_NEWS2 = "news2_"
_NO_DATA = "no_data"
_LONGEST_SHORT = 6


def texts(alert: Alert) -> Texts:
    """What the alarm of this alert is called.

    >>> from icu_stream.contracts import alerts
    >>> texts(Alert(alert_id="p:spo2.desat:0", transition=1, event=alerts.Event.RAISED,
    ...     patient_id="p", bed="B1", code="spo2.desat", kind=Kind.PHYSIOLOGICAL,
    ...     priority=alerts.Priority.HIGH, state=alerts.State.ACTIVE, annunciate=True,
    ...     onset=0, time=0, text="", signal="spo2", value=79.6, limit=80))
    Texts(long='SpO₂ 79.6 < 80', medium='SpO₂ 79.6<80', short='O₂79.6')
    """
    if (fixed := _CONDITIONS.get(alert.code)) is not None:
        return fixed
    code, _, condition = alert.code.partition(".")
    name = signal_name(alert.signal or code)
    short = _SHORT_NAMES.get(alert.signal or code, name)
    if condition == _NO_DATA:
        return no_data([alert.signal or code])
    if (said := _SAID.get(condition)) is not None:
        return Texts(
            f"{name} {said[0]}", f"{name} {said[0]}", said[1] or _cut(f"{short} ?")
        )
    if condition.startswith(_NEWS2):
        return _news2(alert)
    extreme = alert.explanation.extreme
    value = alert.value if extreme is None else extreme
    if value is None or alert.limit is None:
        words = condition.replace("_", " ") or code
        return Texts(f"{name} {words}", f"{name} {words}", _cut(f"{short} {words}"))
    limit = number(alert.limit, 1)
    digits = BY_CODE[alert.signal].digits if alert.signal in BY_CODE else 0
    shown = number(value, digits)
    if shown == limit:
        # 79.6 below 80 must not read "80 < 80".
        shown = number(value, digits + 1)
    sign = "<" if value < alert.limit else ">"
    return Texts(
        f"{name} {shown} {sign} {limit}",
        f"{name} {shown}{sign}{limit}",
        _cut(f"{short}{shown}"),
    )


def _news2(alert: Alert) -> Texts:
    """The worst score of this alarm; without it, what it asks for."""
    extreme = alert.explanation.extreme
    value = alert.value if extreme is None else extreme
    if value is None:
        return Texts("NEWS2 high", "NEWS2 high", "NEWS2")
    total = number(value, 0)
    return Texts(f"NEWS2 {total}", f"NEWS2 {total}", _cut(f"NEWS{total}"))


def no_data(codes: list[str]) -> Texts:
    """What the silence of these signals is called.

    >>> no_data(["hr", "spo2"])
    Texts(long='HR, SpO₂ no data', medium='no HR, SpO₂', short='NODATA')
    """
    names = ", ".join(signal_name(code) for code in codes)
    short = f"no {_SHORT_NAMES.get(codes[0], names)}" if len(codes) == 1 else "NODATA"
    return Texts(f"{names} no data", f"no {names}", _cut(short))


def signal_name(code: str) -> str:
    """How a nurse reads the code of a signal; the code itself when it is unknown."""
    if (name := _NAMES.get(code)) is not None:
        return name
    return BY_CODE[code].name if code in BY_CODE else code


def unit(code: str) -> str:
    """The unit of a signal as it is written; none for a code that is no signal's.

    >>> unit("abp_sys"), unit("bed")
    ('mmHg', '')
    """
    if code not in BY_CODE:
        return ""
    return _UNITS.get(BY_CODE[code].unit, BY_CODE[code].unit)


def word(kind: Kind) -> str:
    """The word that a technical alarm or a hint carries besides its border."""
    return {Kind.TECHNICAL: "Tech", Kind.ADVISORY: "Hint"}.get(kind, "")


def initials(who: str) -> str:
    """Up to three letters for a person: `RN Okafor` is RO, `jane.doe` is JD."""
    parts = who.replace("@", " ").translate({ord(c): " " for c in "._-/"}).split()
    return "".join(part[0] for part in parts[:3]).upper()


def number(value: float, digits: int) -> str:
    """A number with at most so many decimals and no useless zeros after the point."""
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _cut(text: str) -> str:
    return text[:_LONGEST_SHORT].rstrip()
