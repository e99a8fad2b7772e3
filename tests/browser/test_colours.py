"""Every colour is readable in every theme, computed from the variables of the style."""

import re

import pytest

from playwright.async_api import Page

from tests.kafka import ROOT


STYLE = ROOT / "icu_stream" / "ward" / "assets" / "ward.css"

# WCAG 2.2, success criterion 1.4.3: 4.5 for text.
LEAST = 4.5
ON_TILE = ("text", "muted", "stale", "hr", "spo2", "bp", "rr", "temp")
ALARMS = ("high", "high-dim", "medium", "medium-dim", "low", "low-dim")


def variables(theme: str) -> dict[str, str]:
    """The style's variables in a theme."""
    style = STYLE.read_text()
    found: dict[str, str] = {}
    for selector, body in re.findall(r"(:root[^{]*)\{([^}]*)\}", style):
        if f'"{theme}"' in selector or selector.strip() == ":root":
            found |= dict(re.findall(r"--([\w-]+):\s*(#[0-9A-Fa-f]{6})", body))
    return found


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


@pytest.mark.parametrize("theme", ["dark", "light", "night"])
def test_text_is_readable_on_every_background(theme: str):
    colours = variables(theme)

    weak = {
        f"{text} on {ground}": round(contrast(colours[text], colours[ground]), 2)
        for text in ON_TILE
        for ground in ("tile", "page")
        if contrast(colours[text], colours[ground]) < LEAST
    }
    weak |= {
        alarm: round(contrast(colours[alarm], colours[f"{alarm}-text"]), 2)
        for alarm in ALARMS
        if contrast(colours[alarm], colours[f"{alarm}-text"]) < LEAST
    }

    assert weak == {}


@pytest.mark.parametrize("theme", ["dark", "light", "night"])
def test_the_edge_of_an_alarm_stands_out(theme: str):
    """WCAG 2.2, success criterion 1.4.11: 3 for what is not text."""
    colours = variables(theme)

    for edge in ("high", "medium-edge", "low-edge"):
        assert contrast(colours[edge], colours["tile"]) >= 3, edge


def test_alarms_look_the_same_in_every_theme():
    for name in ALARMS:
        assert (
            len({variables(theme)[name] for theme in ("dark", "light", "night")}) == 1
        )


@pytest.mark.asyncio(loop_scope="session")
async def test_a_theme_is_picked_and_kept(page: Page):
    await page.get_by_label("Colours").select_option("Light")
    ground = "getComputedStyle(document.querySelector('.tile')).backgroundColor"
    light = await page.evaluate(ground)
    await page.reload()
    await page.wait_for_selector(".tile:not(.skeleton)")

    assert light == "rgb(255, 255, 255)"
    assert await page.evaluate(ground) == light
