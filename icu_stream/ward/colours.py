"""The colours of the page: one table, of which a site may give its parameters its own.

`colours.toml` is the table. What it makes is a style of variables (`--hr`, `--text`, ...)
for each theme, served as `/colours.css` before all other styles, which use the variables
alone. The night is the dark theme at 70 %, with what would then be too weak to read
lifted until it is not; its page is black. Alarms are as bright at night as by day.
On paper, whatever the theme, all is black on white, and an alarm is known by its mark.
"""

import re
import tomllib

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from icu_stream import settings
from icu_stream.errors import ConfigurationError


Theme = Mapping[str, str]

# WCAG 2.2, success criterion 1.4.3: contrast of text.
LEAST_CONTRAST = 4.5
NIGHT_BRIGHTNESS = 0.7  # UI, colours: "non-alarm brightness 70 %"
PARAMETERS = ("hr", "spo2", "bp", "rr", "temp")
TEXTS = ("text", "muted", "stale", *PARAMETERS)
_GROUNDS = ("tile", "page")
# What belongs to alarms is not dimmed.
_ALARM_EDGES = ("medium-edge", "low-edge")
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_STEP = 0.01


def themes(site: Path | None = None) -> Mapping[str, Theme]:
    """The themes by name: dark, light, night.

    Args:
        site: The site's own colours of parameters; None: those of `colours.toml`.

    Raises:
        ConfigurationError: The site's file cannot be read, or names what it may not, or
            a colour of it could not be read on the page.

    >>> themes()["night"]["page"], themes()["night"]["high"] == themes()["dark"]["high"]
    ('#000000', True)
    """
    table = tomllib.loads(
        resources.files("icu_stream.ward").joinpath("colours.toml").read_text("utf-8")
    )
    if site is not None:
        _take(table, site)
    dark, light = table["dark"], table["light"]
    made = {"dark": dark, "light": light, "night": _night(dark)}
    return {name: theme | table["alarm"] for name, theme in made.items()}


def style(found: Mapping[str, Theme]) -> str:
    """The themes as variables of a style sheet; dark where no theme is set."""
    rules = [
        _rule(f':root[data-theme="{name}"]{", :root" if name == "dark" else ""}', theme)
        for name, theme in found.items()
    ]
    paper = _rule(":root, :root[data-theme]", _paper(found["light"]))
    return "".join(rules) + f"@media print {{\n{paper}}}\n"


@cache
def ours() -> Mapping[str, Theme]:
    """The themes of this ward."""
    return themes(settings.load().ward_colours)


def alarm(priority: str) -> str:
    """The colour of an alarm, the same in every theme."""
    return ours()["dark"][priority]


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21: WCAG 2.2, "contrast ratio".

    >>> round(contrast("#FFFFFF", "#D0021B"), 1)
    5.7
    """
    dark, bright = sorted((_luminance(one), _luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def _rule(selector: str, theme: Theme) -> str:
    body = "".join(f"  --{name}: {colour};\n" for name, colour in theme.items())
    return f"{selector} {{\n{body}}}\n"


def _paper(light: Theme) -> dict[str, str]:
    made = dict.fromkeys(light, "#000000")
    grounds = (name for name in light if f"{name}-text" in light)
    return made | dict.fromkeys((*_GROUNDS, *grounds), "#FFFFFF") | {"edge": "#999999"}


def _luminance(colour: str) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in _parts(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _parts(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def _night(dark: Theme) -> dict[str, str]:
    made = {
        name: colour if name in _ALARM_EDGES else _dimmed(colour, NIGHT_BRIGHTNESS)
        for name, colour in dark.items()
    }
    made["page"] = "#000000"
    for name in TEXTS:
        part = NIGHT_BRIGHTNESS
        while _weak(made, name):
            part += _STEP
            made[name] = _dimmed(dark[name], part)
    return made


def _dimmed(colour: str, part: float) -> str:
    return "#" + "".join(f"{round(value * part):02X}" for value in _parts(colour))


def _weak(theme: Theme, name: str) -> bool:
    return any(
        contrast(theme[name], theme[ground]) < LEAST_CONTRAST for ground in _GROUNDS
    )


def _take(table: dict[str, Any], site: Path) -> None:
    """Put the site's colours into the table."""
    try:
        own = tomllib.loads(site.read_text("utf-8"))
    except (OSError, ValueError) as error:
        msg = f"ICU_WARD_COLOURS: {site}: {error}"
        raise ConfigurationError(msg) from error
    for name, colours in own.items():
        if name not in {"dark", "light"} or not isinstance(colours, dict):
            msg = f"ICU_WARD_COLOURS: {site}: {name}: want the tables dark and light"
            raise ConfigurationError(msg)
        for parameter, colour in colours.items():
            where = f"ICU_WARD_COLOURS: {site}: {name}.{parameter}"
            if parameter not in PARAMETERS:
                msg = f"{where}: want one of {', '.join(PARAMETERS)}"
                raise ConfigurationError(msg)
            if not isinstance(colour, str) or not _COLOUR.fullmatch(colour):
                msg = f'{where}: {colour!r}: want a colour as "#35D058"'
                raise ConfigurationError(msg)
            table[name][parameter] = colour
            if _weak(table[name], parameter):
                least = min(contrast(colour, table[name][g]) for g in _GROUNDS)
                msg = (
                    f"{where}: {colour} has a contrast of {least:.1f} on the page: want "
                    f"{LEAST_CONTRAST} or more, "
                    f"{'brighter' if name == 'dark' else 'darker'}"
                )
                raise ConfigurationError(msg)
