"""Pictures of the ward view: `python -m tests.browser.screenshot DIRECTORY [BEDS ...]`.

The pictures in the guide are made by `python -m tests.browser.screenshot docs/img`: the
ward with 16 beds, one bed, and the same on a phone. With numbers of beds, there is one
picture of the ward for each.
"""

import asyncio
import shutil
import sys

from pathlib import Path

from playwright.async_api import async_playwright

from tests.browser.hospital import every_kind_of_alarm, showing
from tests.browser.screen import ARGUMENTS, open_page
from tests.integration.test_ward_feed import arrive_as_sent
from tests.kafka import Kafka


PAST_S = 300  # half of what a line shows
SCALE = 2 / 3  # for the guide: less than 300 kB
PHONE = (390, 844)
FETCHED_S = 2
SETTLED_S = 13  # a silent bed is stale after 10 s


async def pictures(
    kafka: Kafka, beds: int, path: Path, scale: float, *, one_bed: bool
) -> None:
    """One picture of a ward with alarms of every kind, and of its worst bed."""
    settings = kafka.settings(ward_role="nurse", ward_user="RN Okafor")
    await arrive_as_sent(settings)
    async with (
        showing(settings, beds, past_s=PAST_S) as (hospital, view),
        async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        page = await open_page(browser, view, device_scale_factor=scale)
        await every_kind_of_alarm(hospital)
        await asyncio.sleep(SETTLED_S)
        await page.screenshot(path=path)
        if one_bed:
            bed = hospital.patients[beds // 10].bed
            await page.click(f".tile[data-bed='{bed}']")
            await asyncio.sleep(FETCHED_S)
            await page.screenshot(path=path.with_name("bed.png"))
            address = page.url
            phone = await open_page(browser, view, PHONE)
            await phone.goto(address)
            await phone.reload()
            await asyncio.sleep(FETCHED_S)
            await phone.screenshot(path=path.with_name("bed-phone.png"))
        await browser.close()


def main(directory: Path, beds: list[int]) -> None:
    """Make all pictures."""
    directory.mkdir(parents=True, exist_ok=True)
    with Kafka() as kafka:
        for number in beds:
            path = directory / f"ward-{number}.png"
            asyncio.run(pictures(kafka, number, path, 1, one_bed=False))
        if not beds:
            path = directory / "ward.png"
            asyncio.run(pictures(kafka, 16, path, SCALE, one_bed=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(text) for text in sys.argv[2:]])
