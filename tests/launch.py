"""Our processes as tests start them, and what they said when a test fails."""

import subprocess
import sys

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from icu_stream.settings import Settings, environment
from tests.kafka import ROOT


# Its command line, where a warning is an error.
ICU_STREAM = [
    sys.executable,
    "-W",
    "error",
    "-c",
    "from icu_stream.cli import main; main()",
]
_TAIL = 4_000

_launched: dict[Path, "subprocess.Popen[Any]"] = {}


def launch(
    command: Sequence[str], settings: Settings, log: Path, **options: Any
) -> "subprocess.Popen[Any]":
    """Start a process that has these settings and nothing else of ours.

    Args:
        command: Program and arguments.
        settings: Its own.
        log: What it writes is appended here.
        options: Of `Popen`, as `stdout=PIPE, text=True` for who reads its first line.
    """
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(settings),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **({"stdout": file, "stderr": file} | options),
        )
    for gone in [path for path in _launched if not path.exists()]:
        del _launched[gone]
    _launched[log] = process
    return process


def said() -> Iterator[tuple[str, str]]:
    """Of each process whose log is still there: which it is, and the log's end."""
    for log, process in _launched.items():
        if log.exists():
            code = process.poll()
            state = "runs" if code is None else f"ended with {code}"
            text = log.read_text(errors="replace")[-_TAIL:]
            yield f"{log.parent.name}/{log.name}, {process.pid}, {state}", text
