# ruff: noqa: INP001 - a hook of MkDocs, found by its file
"""What MkDocs builds beside the pages that are written: reference, notebooks, sources.

- Reference pages are made from the code (`icu_stream.reference`).
- A notebook becomes a page: its text and code and, where `make docs` has run it, what came
  out of it.
- A diagram becomes its picture (`diagrams.py`); one that is not drawn fails the build.
- A link to a file outside of docs/ leads to a copy of that file on the site.
"""

import base64
import re
import sys

from pathlib import Path, PurePosixPath
from typing import Any

import nbformat
import typer

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

from icu_stream import reference
from icu_stream.cli import app


# MkDocs loads this file alone.
sys.path.insert(0, str(Path(__file__).parent))
import diagrams


ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
RUN = ROOT / ".cache" / "notebooks"
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is made."""
    root = typer.main.get_group(app)
    for name in reference.Page:
        text = reference.page(name, root)
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    for path in sorted((DOCS / "notebooks").glob("*.ipynb")):
        for file in _notebook(path, config):
            files.append(file)
    return files


def on_page_markdown(
    markdown: str, *, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Show diagrams; let links to what is not documentation lead to a copy of it."""
    folder = (DOCS / page.file.src_uri).parent

    def show(match: re.Match[str]) -> str:
        picture = diagrams.picture(match[1])
        if not picture.exists():
            msg = f"{page.file.src_uri} has a diagram without a picture: make diagrams"
            raise PluginError(msg)
        up = get_relative_url(picture.relative_to(DOCS).as_posix(), page.file.src_uri)
        return f"![The diagram that the text tells]({up})"

    def lead(match: re.Match[str]) -> str:
        opening, link, anchor, closing = match.groups()
        target = (folder / link).resolve()
        if "://" in link or target.is_relative_to(DOCS) or not target.is_file():
            return match.group(0)
        if target == ROOT / "README.md":
            uri = "index.md"
        else:
            uri = f"source/{target.relative_to(ROOT).as_posix()}"
            if files.get_file_from_path(uri) is None:
                files.append(File.generated(config, uri, abs_src_path=str(target)))
        up = get_relative_url(uri, page.file.src_uri)
        return f"{opening}{up}{anchor or ''}{closing}"

    return diagrams.FENCE.sub(show, LINK.sub(lead, markdown))


def _notebook(path: Path, config: MkDocsConfig) -> list[File]:
    """The page of a notebook, and its pictures."""
    book = nbformat.read(path, as_version=4)
    done = _outputs(path, book)
    name = PurePosixPath("notebooks", path.stem)
    parts, files = [], []
    for number, cell in enumerate(book.cells):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in done.get(number, ()):
            data: dict[str, Any] = output.get("data", {})
            if "image/png" in data:
                picture = f"{name}-{number}.png"
                files.append(
                    File.generated(
                        config, picture, content=base64.b64decode(data["image/png"])
                    )
                )
                parts.append(f"![What cell {number} draws]({Path(picture).name})")
            elif text := output.get("text") or data.get("text/plain"):
                parts.append(f"```text\n{text.rstrip()}\n```")
    if not done:
        parts.append("*Run it, or* `make docs`*, to see what comes out.*")
    files.append(
        File.generated(config, f"{name}.md", content="\n\n".join(parts) + "\n")
    )
    return files


def _outputs(path: Path, book: Any) -> dict[int, list[Any]]:
    """What came out of each cell, if exactly this notebook was run."""
    ran = RUN / path.name
    if not ran.is_file():
        return {}
    found = nbformat.read(ran, as_version=4)
    if [cell.source for cell in found.cells] != [cell.source for cell in book.cells]:
        return {}
    return {
        number: cell.outputs
        for number, cell in enumerate(found.cells)
        if cell.cell_type == "code" and cell.outputs
    }
