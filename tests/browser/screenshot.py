"""Pictures of the ward view: `python -m tests.browser.screenshot DIRECTORY [BEDS ...]`.

The picture in the guide is made by `python -m tests.browser.screenshot docs/img`: it is
`ward.png`, 16 beds. With numbers of beds, there is one picture for each.
"""

import asyncio
import shutil
import sys

from pathlib import Path

from playwright.async_api import async_playwright

from tests.browser.hospital import every_kind_of_alarm, showing
from tests.browser.screen import ARGUMENTS, open_page
from tests.kafka import Kafka


PAST_S = 300  # half of what a line shows
SCALE = 2 / 3  # for the guide: less than 300 kB
SETTLED_S = 13  # a silent bed is stale after 10 s


async def picture(kafka: Kafka, beds: int, path: Path, scale: float) -> None:
    """One picture of a ward with alarms of every kind."""
    async with (
        showing(kafka.settings(), beds, past_s=PAST_S) as (hospital, view),
        async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        page = await open_page(browser, view, device_scale_factor=scale)
        await every_kind_of_alarm(hospital)
        await asyncio.sleep(SETTLED_S)
        await page.screenshot(path=path)
        await browser.close()


def main(directory: Path, beds: list[int]) -> None:
    """Make all pictures."""
    directory.mkdir(parents=True, exist_ok=True)
    with Kafka() as kafka:
        for number in beds:
            path = directory / f"ward-{number}.png"
            asyncio.run(picture(kafka, number, path, 1))
        if not beds:
            asyncio.run(picture(kafka, 16, directory / "ward.png", SCALE))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(text) for text in sys.argv[2:]])
