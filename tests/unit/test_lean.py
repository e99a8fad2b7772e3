"""Libraries are imported without what they do not need."""

import subprocess
import sys

from pathlib import Path

import pytest

from icu_stream.lean import without
from tests.kafka import ROOT


def test_what_is_hidden_is_found_again_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "hidden_for_a_while.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    with without("hidden_for_a_while"), pytest.raises(ModuleNotFoundError):
        import hidden_for_a_while  # noqa: PLC0415
    import hidden_for_a_while  # noqa: F401, PLC0415

    del sys.modules["hidden_for_a_while"]


def test_what_is_imported_already_stays():
    with without("pathlib"):
        assert sys.modules["pathlib"] is not None


@pytest.mark.parametrize(
    ("processes", "unwanted"),
    [
        ("ward.server, api.server, storage.archive, pager.service", "river pandas"),
        ("app", "sklearn sqlalchemy pandas pyarrow"),
    ],
)
def test_a_process_has_nothing_that_it_does_not_need(processes: str, unwanted: str):
    names = ", ".join(f"icu_stream.{name}" for name in processes.split(", "))
    ask = f"import sys, {names}; print(*set({unwanted.split()}) & sys.modules.keys())"

    done = subprocess.run(
        [sys.executable, "-c", ask],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == []
