"""What the page says, in the language and the units of its ward.

`say("bar.complete", at="14:02")` is a word of `catalogue/en.toml`, `de.toml`, ...: write a
new one into all of them. In a browser the same words are `icuWords.say(...)`, which
`/words.js` brings before all other scripts. Language, units and time zone are settings;
`ours()` is what they say, and the functions of this module use it.

Values on the wire are mmHg and degrees Celsius, always; only what is shown is converted,
at the last moment. The sentence of an alert was made by the worker in those units and
stays word for word as pager, log and audit have it: on a ward with other units, the value
in its own is added to it (`sentence`).

An alarm on a tile has three texts, from long to short: the page takes the longest that
fits, so no text is ever cut.
"""

import datetime as dt
import zoneinfo

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any, Literal, NamedTuple

import msgspec

from icu_stream import settings
from icu_stream.access.desk import Why
from icu_stream.access.roles import Role
from icu_stream.contracts.alerts import Alert, Kind, Priority
from icu_stream.contracts.signals import BY_CODE, SIGNALS
from icu_stream.domain.limits import Condition
from icu_stream.ward import catalogue


class Texts(NamedTuple):
    """One alarm in three lengths; `short` has at most six characters."""

    long: str
    medium: str
    short: str


class Scale(NamedTuple):
    """How a signal is shown: `value * factor + offset`, with its unit and decimals."""

    unit: str
    digits: int
    factor: float = 1.0
    offset: float = 0.0


RANK = {Priority.LOW: 1, Priority.MEDIUM: 2, Priority.HIGH: 3}
# UI, alarms.
MARKS: Mapping[str, str] = {"high": "!!!", "medium": "!!", "low": "!"}
SIGNS = {Condition.LOW: "<", Condition.HIGH: ">", Condition.ZERO: "="}
_UNITS = {"mm[Hg]": "mmHg", "Cel": "°C"}
# 1 mmHg = 133.322 Pa: BIPM, The International System of Units, 9th edition, table 8.
# One decimal, as monitors show kPa: CLINICAL.md, "Signals".
_KPA = Scale("kPa", 1, 0.133322)
_FAHRENHEIT = Scale("°F", 1, 9 / 5, 32)
_DECIMALS = {"en": ".", "de": ","}
_LOCALES = {"en": "en-GB", "de": "de-DE"}
_DATES = {"en": "%d/%m/%Y", "de": "%d.%m.%Y"}
_NEWS2 = "news2_"
_NO_DATA = "no_data"
_LONGEST_SHORT = 6


class Words:
    """The words and the units of one ward.

    Args:
        language: One of `catalogue.LANGUAGES`.
        pressure: Unit of all pressures that are shown.
        temperature: Celsius or Fahrenheit.
        time_zone: IANA name; empty: the zone of this machine, and of each browser.
    """

    def __init__(
        self,
        language: str = "en",
        pressure: Literal["mmHg", "kPa"] = "mmHg",
        temperature: Literal["C", "F"] = "C",
        time_zone: str = "",
    ) -> None:
        self.language = language
        self._words = catalogue.words(language)
        self._pressure = pressure
        self._temperature = temperature
        self._time_zone = time_zone

    def say(self, key: str, /, **fields: object) -> str:
        """A word with its fields; with `n`, the one for one or for many.

        >>> Words("de").say("count.beds", n=1), Words("en").say("count.beds", n=2)
        ('1 Bett', '2 beds')
        """
        if "n" in fields:
            key_n = f"{key}.{'one' if fields['n'] in {1, '1'} else 'many'}"
            key = key_n if key_n in self._words else key
        return self._words[key].format_map(fields)

    # --- numbers and units

    def number(self, value: float, digits: int) -> str:
        """A number with at most so many decimals and no useless zeros after the point.

        >>> Words("de").number(36.5, 2), Words("en").number(80.0, 1)
        ('36,5', '80')
        """
        text = f"{value:.{digits}f}"
        return self._local(text.rstrip("0").rstrip(".") if "." in text else text)

    def fixed(self, value: float, digits: int) -> str:
        """A number with exactly so many decimals."""
        return self._local(f"{value:.{digits}f}")

    def value(self, code: str, value: float) -> str:
        """A value of a signal as it is shown, without its unit.

        >>> Words("de", pressure="kPa").value("abp_sys", 120)
        '16,0'
        """
        return self.fixed(self.shown(code, value), self.scale(code).digits)

    def shown(self, code: str, value: float) -> float:
        """A value of a signal in the unit of display."""
        scale = self.scale(code)
        return value * scale.factor + scale.offset

    def measured(self, code: str, shown: float) -> float:
        """The way back from `shown`, to the thousandth.

        >>> Words(temperature="F").measured("temp", 102.2)
        39.0
        """
        scale = self.scale(code)
        return round((shown - scale.offset) / scale.factor, 3)

    def unit(self, code: str) -> str:
        """The unit of a signal as it is written; none for a code that is no signal's.

        >>> Words().unit("abp_sys"), Words(temperature="F").unit("temp"), Words().unit("bed")
        ('mmHg', '°F', '')
        """
        return self.scale(code).unit

    def scale(self, code: str) -> Scale:
        """How a signal is shown."""
        return self._scales.get(code, Scale("", 0))

    def is_converted(self, code: str) -> bool:
        """Is a signal shown in another unit than the worker's texts have?"""
        return self.scale(code) in {_KPA, _FAHRENHEIT}

    @cached_property
    def _scales(self) -> Mapping[str, Scale]:
        scales = {}
        for signal in SIGNALS:
            scale = Scale(_UNITS.get(signal.unit, signal.unit), signal.digits)
            if signal.unit == "mm[Hg]" and self._pressure == "kPa":
                scale = _KPA
            elif signal.unit == "Cel" and self._temperature == "F":
                scale = _FAHRENHEIT
            scales[signal.code] = scale
        return scales

    def _local(self, text: str) -> str:
        return text.replace(".", _DECIMALS[self.language])

    # --- times, of 24 hours

    def hhmm(self, time_ms: int) -> str:
        """The time of day to the minute."""
        return f"{self._at(time_ms):%H:%M}"

    def hhmmss(self, time_ms: int) -> str:
        """The time of day to the second."""
        return f"{self._at(time_ms):%H:%M:%S}"

    def moment(self, time_ms: int) -> str:
        """Date and time of day.

        >>> Words("de", time_zone="Europe/Berlin").moment(1_764_000_000_000)
        '24.11.2025 17:00'
        """
        at = self._at(time_ms)
        return f"{at:{_DATES[self.language]} %H:%M}"

    def _at(self, time_ms: int) -> dt.datetime:
        at = dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC)
        zone = zoneinfo.ZoneInfo(self._time_zone) if self._time_zone else None
        return at.astimezone(zone)

    # --- what a browser needs

    def script(self) -> str:
        """`/words.js`: all of this for the page, as `window.icuWords`."""
        site = msgspec.json.encode(self.site()).decode()
        return f"window.icuSite = {site};\n{catalogue.script()}"

    def site(self) -> dict[str, Any]:
        """The words, units and time zone."""
        return {
            "language": self.language,
            "locale": _LOCALES[self.language],
            "timeZone": self._time_zone,
            "signals": {code: s._asdict() for code, s in self._scales.items()},
            "words": dict(self._words),
        }

    # --- alarms

    def texts(self, alert: Alert) -> Texts:
        """What the alarm of this alert is called.

        >>> from icu_stream.contracts import alerts
        >>> alert = Alert(alert_id="p:spo2.desat:0", transition=1,
        ...     event=alerts.Event.RAISED, patient_id="p", bed="B1", code="spo2.desat",
        ...     kind=Kind.PHYSIOLOGICAL, priority=Priority.HIGH,
        ...     state=alerts.State.ACTIVE, annunciate=True, onset=0, time=0, text="",
        ...     signal="spo2", value=79.6, limit=80)
        >>> Words().texts(alert)
        Texts(long='SpO₂ 79.6 < 80', medium='SpO₂ 79.6<80', short='O₂79.6')
        """
        if f"alarm.{alert.code}.long" in self._words:
            return self._named(f"alarm.{alert.code}", "", "")
        first, _, condition = alert.code.partition(".")
        code = alert.signal or first
        name, short = self.signal_name(code), self._short_name(code)
        if condition == _NO_DATA:
            return self.no_data([code])
        if f"said.{condition}.long" in self._words:
            return self._named(f"said.{condition}", name, short)
        if condition.startswith(_NEWS2):
            return self._news2(alert)
        if (numbers := self._violation(alert)) is None:
            known = f"condition.{condition}"
            words = condition.replace("_", " ") or first
            words = self._words.get(known, words)
            text = f"{name} {words}"
            return Texts(text, text, _cut(f"{short} {words}"))
        value, sign, limit = numbers
        return Texts(
            f"{name} {value} {sign} {limit}",
            f"{name} {value}{sign}{limit}",
            _cut(f"{short}{value}"),
        )

    def no_data(self, codes: list[str]) -> Texts:
        """What the silence of these signals is called.

        >>> Words().no_data(["hr", "spo2"])
        Texts(long='HR, SpO₂ no data', medium='no HR, SpO₂', short='NODATA')
        """
        names = ", ".join(self.signal_name(code) for code in codes)
        short = (
            self.say("alarm.no_data.short", name=self._short_name(codes[0]))
            if len(codes) == 1
            else self.say("alarm.no_data.many")
        )
        return Texts(
            self.say("alarm.no_data.long", names=names),
            self.say("alarm.no_data.medium", names=names),
            _cut(short),
        )

    def sentence(self, alert: Alert) -> str:
        """The alert's own sentence, and its value in the units of this ward.

        What the worker said is not rewritten: pager, log and audit say the same.
        """
        code = alert.signal or ""
        numbers = self._violation(alert)
        if numbers is None or not self.is_converted(code):
            return alert.text
        value, sign, limit = numbers
        in_units = f"{value} {sign} {limit} {self.unit(code)}"
        return self.say("alarm.in_units", text=alert.text, value=in_units)

    def signal_name(self, code: str) -> str:
        """How a nurse reads the code of a signal; the code itself when it is unknown."""
        if (name := self._words.get(f"signal.{code}")) is not None:
            return name
        return BY_CODE[code].name if code in BY_CODE else code

    def _short_name(self, code: str) -> str:
        return self._words.get(f"signal_short.{code}", self.signal_name(code))

    def _violation(self, alert: Alert) -> tuple[str, str, str] | None:
        """Worst value, sign and limit, as they are shown; None when one is not known."""
        extreme = alert.explanation.extreme
        value = alert.value if extreme is None else extreme
        if value is None or alert.limit is None:
            return None
        code = alert.signal or ""
        digits = self.scale(code).digits
        most = max(1, digits)
        limit = self.number(self.shown(code, alert.limit), most)
        text = self.number(self.shown(code, value), digits)
        if text == limit:
            # 79.6 below 80 must not read "80 < 80".
            text = self.number(self.shown(code, value), digits + 1)
        return text, "<" if value < alert.limit else ">", limit

    def _news2(self, alert: Alert) -> Texts:
        """The worst score of this alarm; without it, what it asks for."""
        extreme = alert.explanation.extreme
        value = alert.value if extreme is None else extreme
        if value is None:
            long, short = self.say("alarm.news2.long"), self.say("alarm.news2.short")
            return Texts(long, long, short)
        total = self.number(value, 0)
        return Texts(f"NEWS2 {total}", f"NEWS2 {total}", _cut(f"NEWS{total}"))

    def _named(self, key: str, name: str, short: str) -> Texts:
        long = self.say(f"{key}.long", name=name)
        medium = f"{key}.medium"
        return Texts(
            long,
            self.say(medium, name=name) if medium in self._words else long,
            _cut(self.say(f"{key}.short", name=short)),
        )

    def word(self, kind: Kind) -> str:
        """The word that a technical alarm or a hint carries besides its border."""
        return self._words.get(f"kind.{kind.value}", "")


@cache
def ours() -> Words:
    """The words and units that the settings say."""
    own = settings.load()
    return Words(
        own.language, own.ward_pressure, own.ward_temperature, own.ward_time_zone
    )


def say(key: str, /, **fields: object) -> str:
    """`Words.say` of this ward."""
    return ours().say(key, **fields)


def refusal(why: Why, role: Role, what: str) -> str:
    """Why a command was not done."""
    return say(f"ask.{why}", role=say(f"role.{role}"), what=what)


def texts(alert: Alert) -> Texts:
    """`Words.texts` of this ward."""
    return ours().texts(alert)


def sentence(alert: Alert) -> str:
    """`Words.sentence` of this ward."""
    return ours().sentence(alert)


def no_data(codes: list[str]) -> Texts:
    """`Words.no_data` of this ward."""
    return ours().no_data(codes)


def signal_name(code: str) -> str:
    """`Words.signal_name` of this ward."""
    return ours().signal_name(code)


def unit(code: str) -> str:
    """`Words.unit` of this ward."""
    return ours().unit(code)


def word(kind: Kind) -> str:
    """`Words.word` of this ward."""
    return ours().word(kind)


def number(value: float, digits: int) -> str:
    """`Words.number` of this ward."""
    return ours().number(value, digits)


def ranked(priority: str) -> str:
    """Mark and word of a priority, as in `!! medium`: known without its colour."""
    return f"{MARKS[priority]} {say(f'priority.{priority}')}"


def initials(who: str) -> str:
    """Up to three letters for a person: `RN Okafor` is RO, `jane.doe` is JD."""
    parts = who.replace("@", " ").translate({ord(c): " " for c in "._-/"}).split()
    return "".join(part[0] for part in parts[:3]).upper()


def _cut(text: str) -> str:
    return text[:_LONGEST_SHORT].rstrip()
