"""What is not live is not shown as live, and whoever looks is told which part is dead.

Items 3, 4, 5, 20 and 21 of the acceptance list of the user interface, on the whole chain.
"""

import asyncio

import pytest

from playwright.async_api import Browser, Page

from tests.browser.chain import Chain
from tests.browser.screen import (
    DIGITS,
    FRAME,
    MESSAGE,
    TOLD_S,
    chip,
    open_context,
    open_page,
    strip,
    until,
    value,
)
from tests.worker import Worker


pytestmark = pytest.mark.asyncio(loop_scope="session")

# Each text of a tile that was painted.
OBSERVE = """(bed) => {
  window.seen = new Set();
  const painted = (work) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = work;
    channel.port2.postMessage(0);
  });
  const tile = document.querySelector(`.tile[data-bed="${bed}"]`);
  const look = () => painted(() => {
    for (const place of [".n.hr span", ".al"])
      window.seen.add(tile.querySelector(place).textContent);
  });
  new MutationObserver(look).observe(tile, {
    subtree: true, characterData: true, childList: true,
  });
}"""


async def test_03_a_killed_server_hides_every_value_and_a_restart_brings_them_back(
    chain: Chain, browser: Browser
):
    async with chain.take(1) as (bed,), chain.another_view() as view:
        page = await open_page(browser, view)
        bed.pinned = {"spo2": 79}
        await until(page, f"{strip(bed.bed)} === '!!! SpO₂ 79 < 80'", 5)
        await page.evaluate("() => { window.isStillTheSame = true; }")

        view.kill()
        hidden_s = await until(page, f"{DIGITS} === 0", 4)

        assert hidden_s <= 4
        assert (await page.evaluate(MESSAGE)).startswith("CONNECTION LOST")
        assert await page.inner_text("#attn h2") >= "Last known "
        look = "getComputedStyle(document.querySelector('.tile')).borderTopStyle"
        assert await page.evaluate(look) == "dotted"
        flashing = "document.querySelectorAll('.tile.high, .tile.medium').length"
        assert await page.evaluate(flashing) == 0

        await asyncio.to_thread(view.start)
        await until(page, f"{DIGITS} > 0", 12)
        await until(page, f"{strip(bed.bed)} === '!!! SpO₂ 79 < 80'", 5)
        assert await page.evaluate("window.isStillTheSame")
        await page.context.close()


async def test_04_a_silent_bed_shows_no_value_and_a_technical_alarm(
    chain: Chain, browser: Browser
):
    async with chain.take(1) as (bed,):
        page = await open_page(browser, chain.view)
        await until(page, f"{value(bed.bed, 'hr')} !== '---'", 3)
        before = await page.evaluate(chip("medium"))

        bed.is_silent = True
        await until(page, f"{value(bed.bed, 'hr')} === '---'", 11)
        await until(page, f"{strip(bed.bed)}.startsWith('!! Tech')", 1)
        tile = page.locator(f".tile[data-bed='{bed.bed}']")

        assert await page.evaluate(value(bed.bed, "spo2")) == "---"
        assert "technical" in (await tile.get_attribute("class") or "")
        assert bed.bed in await page.inner_text("#attn")
        await until(page, f"{chip('medium')} === {before + 1}", 1)

        bed.is_silent = False
        await until(page, f"{strip(bed.bed)} === ''", 3)
        assert await page.evaluate(value(bed.bed, "hr")) != "---"
        await page.context.close()


async def test_05_when_all_monitors_are_silent_the_bar_says_so(
    chain: Chain, browser: Browser
):
    page = await open_page(browser, chain.view)

    chain.hospital.is_silent = True
    try:
        await until(page, f"{MESSAGE}.startsWith('NO DATA FROM MONITORS')", 11)
        before = await page.evaluate(FRAME)
        await asyncio.sleep(1)
        assert await page.evaluate(FRAME) > before  # the socket lives
    finally:
        chain.hospital.is_silent = False
    await until(page, f"!{MESSAGE}.startsWith('NO DATA')", 3)
    await page.context.close()


async def test_when_one_of_two_workers_dies_the_bar_says_for_how_many_patients(
    chain: Chain, browser: Browser
):
    page = await open_page(browser, chain.view)
    # Its partitions are taken over after its session, and not while the page is looked at.
    longer = chain.settings.model_copy(update={"session_timeout_s": 20.0})
    with Worker(longer, "w2") as second:
        # It takes its share of the partitions, and then all of it goes on.
        await until(page, f"!{MESSAGE}.includes('Use bedside monitors')")

        second.kill()
        told = (
            f"({MESSAGE}.match(/^ALARMS NOT (RUNNING|ARRIVING) for (\\d+) /) || [])[2]"
        )
        everybody = len(chain.hospital.patients)
        await until(page, f"{told} > 0 && {told} < {everybody}", TOLD_S)
        count = await page.evaluate(told)
        assert await page.evaluate(DIGITS) > 0  # values are shown all the same
        off = ".tile .sign[data-kind='alarm-off']"
        await until(page, f'document.querySelectorAll("{off}").length === {count}')
        # The first worker takes over when the group has noticed.
        await until(page, f"!{MESSAGE}.includes('Use bedside monitors')")
    await page.context.close()


async def test_20_eight_tabs_are_all_live(chain: Chain, browser: Browser):
    context = await open_context(browser, chain.view)
    pages: list[Page] = []
    for _ in range(8):
        page = await context.new_page()
        await page.goto(chain.view.address)
        await page.wait_for_selector(".tile:not(.skeleton)", state="attached")
        pages.append(page)

    before = [await page.evaluate(FRAME) for page in pages]
    await asyncio.sleep(2)
    after = [await page.evaluate(FRAME) for page in pages]

    assert all(b - a >= 2 for a, b in zip(before, after, strict=True))
    assert [await page.evaluate(DIGITS) > 0 for page in pages] == [True] * 8
    await context.close()


async def test_21_values_and_alarms_are_painted(chain: Chain, browser: Browser):
    """Each of them; how soon is measured by `make bench-ward`."""
    async with chain.take(1) as (bed,):
        page = await open_page(browser, chain.view)
        await page.evaluate(OBSERVE, bed.bed)

        for rate in (91, 93, 95, 97):
            bed.pinned = {"hr": rate}
            await chain.hospital.measure([bed])
            await until(page, f"window.seen.has('{rate}')")
        bed.pinned = {"spo2": 79}
        await chain.hospital.measure([bed])
        await until(page, "window.seen.has('!!! SpO₂ 79 < 80')")

        await page.context.close()
