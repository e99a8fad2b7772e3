"""Every notebook runs on the shared recordings, and is stored without what came out.

What came out is kept in the cache, from which `make docs` shows it on the site.
"""

import asyncio

from pathlib import Path

import nbformat
import pytest

from nbclient import NotebookClient

from tests.integration.recordings import DATA, SHARED, need
from tests.kafka import ROOT, cache


NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def named(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_a_notebook_is_stored_without_output(path: Path):
    cells = nbformat.read(path, as_version=4).cells

    kept = [cell for cell in cells if cell.cell_type == "code"]
    assert kept
    assert [cell.source for cell in kept if cell.outputs or cell.execution_count] == []


async def test_every_notebook_runs_to_its_end(monkeypatch: pytest.MonkeyPatch):
    need(DATA)
    monkeypatch.setenv("ICU_SHARED", str(SHARED))
    done = cache() / "notebooks"
    done.mkdir(parents=True, exist_ok=True)

    async def run(path: Path) -> None:
        book = nbformat.read(path, as_version=4)
        where = {"metadata": {"path": str(path.parent)}}
        client = NotebookClient(
            book, timeout=120, kernel_name="python3", resources=where
        )
        await client.async_execute()
        nbformat.write(book, done / path.name)

    await asyncio.gather(*map(run, NOTEBOOKS))

    for path in NOTEBOOKS:
        cells = nbformat.read(done / path.name, as_version=4).cells
        assert any(cell.get("outputs") for cell in cells)
