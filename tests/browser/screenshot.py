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


SETTLED_S = 13  # a silent bed is stale after 10 s


async def picture(kafka: Kafka, beds: int, path: Path) -> None:
    """One picture of a ward with alarms of every kind."""
    async with (
        showing(kafka.settings(), beds, past_s=600) as (hospital, view),
        async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        page = await open_page(browser, view)
        await every_kind_of_alarm(hospital)
        await asyncio.sleep(SETTLED_S)
        await page.screenshot(path=path)
        await browser.close()


def main(directory: Path, beds: list[int]) -> None:
    """Make all pictures."""
    directory.mkdir(parents=True, exist_ok=True)
    with Kafka() as kafka:
        for number in beds or [16]:
            name = f"ward-{number}.png" if beds else "ward.png"
            asyncio.run(picture(kafka, number, directory / name))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(text) for text in sys.argv[2:]])
