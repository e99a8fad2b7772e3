# ruff: noqa: INP001 - beside the pages, not part of the package
"""Diagrams of the pages as pictures: nothing is fetched when the site is read.

A diagram stands in its page as Mermaid's text, and its picture is kept under a name made of
that text, so one that is outdated is not found. `make diagrams` draws those that are
missing::

    python docs/site/diagrams.py .cache/mermaid/package/dist/mermaid.min.js
"""

import asyncio
import hashlib
import re
import shutil
import sys

from pathlib import Path

from playwright.async_api import async_playwright


DOCS = Path(__file__).resolve().parents[1]
PICTURES = DOCS / "img" / "diagrams"
FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CONFIGURATION = """{
  startOnLoad: false, theme: "neutral", deterministicIds: true, htmlLabels: false,
  flowchart: { htmlLabels: false }, fontFamily: "sans-serif",
}"""


def picture(text: str) -> Path:
    """Where the picture of a diagram is, or should be."""
    return PICTURES / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.svg"


def all_texts() -> list[str]:
    """Every diagram of every page."""
    pages = sorted(DOCS.rglob("*.md"))
    return [text for page in pages for text in FENCE.findall(page.read_text())]


async def draw(library: Path, texts: list[str]) -> None:
    """Draw diagrams with Mermaid, in Debian's browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = await browser.new_page()
        await page.set_content("<!doctype html><body></body>")
        await page.add_script_tag(path=library)
        await page.evaluate(f"mermaid.initialize({_CONFIGURATION})")
        for text in texts:
            svg = await page.evaluate(
                "async (text) => (await mermaid.render('diagram', text)).svg", text
            )
            # On a dark page, too.
            svg = svg.replace('style="', 'style="background:#fff; ', 1)
            picture(text).write_text(svg + "\n")
        await browser.close()


def main() -> None:
    """Draw what is missing, and remove what no page has."""
    texts = all_texts()
    wanted = {picture(text): text for text in texts}
    PICTURES.mkdir(exist_ok=True)
    for path in PICTURES.iterdir():
        if path not in wanted:
            path.unlink()
    missing = [text for path, text in wanted.items() if not path.exists()]
    if missing:
        asyncio.run(draw(Path(sys.argv[1]), missing))
    sys.stdout.write(f"{len(wanted)} diagrams, {len(missing)} drawn\n")


if __name__ == "__main__":
    main()
