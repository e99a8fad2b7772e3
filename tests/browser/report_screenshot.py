"""Pictures of a backtest's report: `python -m tests.browser.report_screenshot DIRECTORY`.

Those in docs/backtest.md are made by `python -m tests.browser.report_screenshot docs/img`:
`backtest.png`, how the report begins, and `backtest-strips.png`, two examples of it.
"""

import asyncio
import re
import shutil
import sys
import tempfile

from pathlib import Path

from playwright.async_api import Browser, async_playwright

from icu_stream import profiles
from icu_stream.evaluation import backtest, outcomes, report
from icu_stream.evaluation.logs import SimulatedWard
from icu_stream.sources import simulator
from icu_stream.sources.story import STORIES
from icu_stream.sources.truth import truth
from tests.browser.screen import ARGUMENTS


BEDS, SECONDS = 16, 2400
# What a ward might ask about: fewer alarms of these, at the price of later ones.
CALM = {
    "hr.high": {"limit": 130, "delay_s": 10},
    "rr.high": {"limit": 35},
    "spo2.low": {"limit": 88, "delay_s": 20},
    "abp_mean.low": {"delay_s": 15},
    "abp_sys.low": {"delay_s": 15},
}
WIDTH, HEIGHT = 1000, 1240


def calm(text: str) -> str:
    """The adult profile with other limits and delays."""
    parts = text.split("[[")
    for number, part in enumerate(parts):
        named = re.match(r'limit\]\]\ncode = "([^"]+)"', part)
        for name, value in CALM.get(named[1] if named else "", {}).items():
            parts[number] = re.sub(
                rf"(?m)^{name} = .*$", f"{name} = {value}", parts[number]
            )
    return "[[".join(parts).replace('name = "adult"', 'name = "calm"')


def page(directory: Path) -> str:
    """The report of both profiles on a simulated ward."""
    adult = Path(profiles.__file__).with_name("adult.toml")
    other = directory / "calm.toml"
    other.write_text(calm(adult.read_text("utf-8")), "utf-8")
    # What happens to patients: other limits change nothing about faults of monitors.
    stories = [h for h in simulator.everything(BEDS) if h.event in STORIES]
    log = SimulatedWard(BEDS, SECONDS, happenings=stories)
    lines = truth(log.ward(), until_s=SECONDS, live=True)
    result = backtest.run(
        log,
        [profiles.load("adult"), profiles.load(str(other))],
        outcomes=outcomes.told([told for _, told in lines], "the truth of its stories"),
    )
    return report.html(result)


async def pictures(browser: Browser, html: str, directory: Path) -> None:
    """Both pictures."""
    view = await browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    await view.set_content(html)
    await view.screenshot(path=directory / "backtest.png")
    heading = view.get_by_role("heading", name="Examples that changed")
    box = await heading.bounding_box()
    third = view.locator("h2:has-text('Examples that changed') ~ h3").nth(2)
    end = await third.bounding_box()
    assert box is not None
    assert end is not None
    clip = {"x": 0, "y": box["y"], "width": WIDTH, "height": end["y"] - box["y"] - 10}
    await view.screenshot(
        path=directory / "backtest-strips.png", full_page=True, clip=clip
    )


async def browsed(html: str, directory: Path) -> None:
    """Make all pictures."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        await pictures(browser, html, directory)
        await browser.close()


def main(directory: Path) -> None:
    """Make the report, then its pictures."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        html = page(Path(scratch))
    asyncio.run(browsed(html, directory))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
