"""Every colour is readable in every theme; its contrast is worked out here anew."""

from pathlib import Path

import pytest

from icu_stream.errors import ConfigurationError
from icu_stream.ward import colours


# WCAG 2.2, success criterion 1.4.3: 4.5 for text.
LEAST = 4.5
ON_TILE = ("text", "muted", "stale", "hr", "spo2", "bp", "rr", "temp")
ALARMS = ("high", "high-dim", "medium", "medium-dim", "low", "low-dim")
THEMES = colours.themes()
# UI, colours: the ratios on a tile that the themes were chosen for.
STATED = {
    "dark": {
        "text": 16.0,
        "muted": 7.1,
        "stale": 5.7,
        "hr": 8.6,
        "spo2": 10.0,
        "bp": 6.9,
        "rr": 13.1,
        "temp": 8.7,
    },
    "light": {
        "text": 17.9,
        "muted": 6.5,
        "stale": 6.5,
        "hr": 6.7,
        "spo2": 6.1,
        "bp": 6.5,
        "rr": 8.6,
        "temp": 7.1,
    },
}
STATED_ALARMS = {"high": 5.7, "medium": 13.4, "low": 10.8}


def contrast(one: str, other: str) -> float:
    """Ratio of two colours' luminance, WCAG 2.2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_text_is_readable_on_every_background(theme: str):
    found = THEMES[theme]

    weak = {
        f"{text} on {ground}": round(contrast(found[text], found[ground]), 2)
        for text in ON_TILE
        for ground in ("tile", "page")
        if contrast(found[text], found[ground]) < LEAST
    }
    weak |= {
        alarm: round(contrast(found[alarm], found[f"{alarm}-text"]), 2)
        for alarm in ALARMS
        if contrast(found[alarm], found[f"{alarm}-text"]) < LEAST
    }

    assert weak == {}


@pytest.mark.parametrize("theme", STATED)
def test_the_ratios_are_those_that_were_stated(theme: str):
    found = THEMES[theme]

    on_tile = {
        name: round(contrast(found[name], found["tile"]), 1) for name in STATED[theme]
    }
    alarms = {
        name: round(contrast(found[name], found[f"{name}-text"]), 1)
        for name in STATED_ALARMS
    }

    assert on_tile == STATED[theme]
    assert alarms == STATED_ALARMS


@pytest.mark.parametrize("theme", THEMES)
def test_the_edge_of_an_alarm_stands_out(theme: str):
    """WCAG 2.2, success criterion 1.4.11: 3 for what is not text."""
    for edge in ("high", "medium-edge", "low-edge"):
        assert contrast(THEMES[theme][edge], THEMES[theme]["tile"]) >= 3, edge


def test_alarms_look_the_same_in_every_theme():
    for name in ALARMS:
        assert len({found[name] for found in THEMES.values()}) == 1


def test_the_night_is_black_and_darker_than_the_dark_theme_where_it_can_be_read():
    dark, night = THEMES["dark"], THEMES["night"]

    assert night["page"] == "#000000"
    for name in ON_TILE:
        part = int(night[name][3:5], 16) / int(dark[name][3:5], 16)
        # 70 %, or as much as it takes to be read.
        is_barely_readable = contrast(night[name], night["tile"]) < LEAST + 0.2
        assert 0.69 < part < (0.9 if is_barely_readable else 0.71), name


def test_a_site_gives_its_parameters_its_own_colours(tmp_path: Path):
    site = tmp_path / "site.toml"
    site.write_text('[dark]\nhr = "#7FE08F"\n')

    themes = colours.themes(site)

    assert themes["dark"]["hr"] == "#7FE08F"
    assert themes["night"]["hr"] != THEMES["night"]["hr"]
    assert themes["light"] == THEMES["light"]
    assert "--hr: #7FE08F;" in colours.style(themes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[dark]\nhr = "#0B6B2A"', "contrast of .* brighter"),
        ('[light]\nrr = "#F2E24B"', "contrast of .* darker"),
        ('[dark]\nhigh = "#35D058"', "dark.high: want one of hr"),
        ('[dark]\nhr = "green"', 'want a colour as "#35D058"'),
        ('[night]\nhr = "#35D058"', "want the tables dark and light"),
        ("dark = ", "Invalid value"),
    ],
)
def test_colours_that_nobody_could_read_are_refused(
    tmp_path: Path, text: str, said: str
):
    site = tmp_path / "site.toml"
    site.write_text(text)

    with pytest.raises(ConfigurationError, match=said):
        colours.themes(site)
