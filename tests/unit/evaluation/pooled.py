"""What a pool is given to do; imports nothing, so that processes start at once."""

import os
import signal
import time

from collections.abc import Callable
from pathlib import Path
from typing import Any

from icu_stream.errors import ConfigurationError


Tell = Callable[[int], None]


def squared(job: int, task: int, tell: Tell) -> int:
    tell(1)
    return job * task * task


def noted(job: Path, task: int, tell: Tell) -> int:
    """Leaves a file that says which process it was."""
    (job / f"{task}-{os.getpid()}").touch()
    while True:
        time.sleep(0.01)
        tell(1)


def refused(job: Any, task: int, tell: Tell) -> int:
    if task == 3:
        msg = "line 3: no number"
        raise ConfigurationError(msg)
    return task


def killed(job: Any, task: int, tell: Tell) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return task


def standing(job: Any, task: int, tell: Tell) -> tuple[int, int]:
    """Which process this is, and how far it stands back for others."""
    return os.getpid(), os.nice(0)
