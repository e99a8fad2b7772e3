"""A theme is picked on the page and kept; what its colours are is in tests/unit/ward."""

import pytest

from playwright.async_api import Page


@pytest.mark.asyncio(loop_scope="session")
async def test_a_theme_is_picked_and_kept(page: Page):
    await page.get_by_label("Colours").select_option("Light")
    ground = "getComputedStyle(document.querySelector('.tile')).backgroundColor"
    light = await page.evaluate(ground)
    await page.reload()
    await page.wait_for_selector(".tile:not(.skeleton)")

    assert light == "rgb(255, 255, 255)"
    assert await page.evaluate(ground) == light
