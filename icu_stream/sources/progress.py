"""How far a source has come: counted for everybody, drawn for whoever watches."""

import contextlib

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from icu_stream import clock


class Counts(msgspec.Struct, kw_only=True):
    """What a source has sent; changes while it runs.

    Attributes:
        messages: Messages of this run.
        values: Values in them.
        patients: Patients that they are about.
        earlier: Messages of the stopped run that this one goes on from.
        measured_ms: Measurement time of the newest message, epoch ms UTC; None when
            nothing was sent.
        seconds: How long the run took, wall clock.
        finished: Was everything sent, or was it stopped?
    """

    messages: int = 0
    values: int = 0
    patients: int = 0
    earlier: int = 0
    measured_ms: int | None = None
    seconds: float = 0.0
    finished: bool = False


Tell = Callable[[Counts], None]


def tell_nobody(counts: Counts) -> None:
    """Nobody watches."""


def utc(time_ms: int) -> str:
    """A moment as a person reads it.

    >>> utc(1795492541263)
    '2026-11-24 03:55:41Z'
    """
    return f"{datetime.fromtimestamp(time_ms // 1000, UTC):%Y-%m-%d %H:%M:%S}Z"


@contextlib.contextmanager
def drawn(title: str) -> Iterator[Tell]:
    """Draw messages, rate and measurement time on stderr, if a person watches it."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task(title, total=None, told="")
        last_s, last_messages = clock.monotonic_s(), 0
        rate = 0.0

        def tell(counts: Counts) -> None:
            nonlocal last_s, last_messages, rate
            now_s = clock.monotonic_s()
            if now_s - last_s >= 1:
                rate = (counts.messages - last_messages) / (now_s - last_s)
                last_s, last_messages = now_s, counts.messages
            measured = "" if counts.measured_ms is None else utc(counts.measured_ms)
            bar.update(
                task, told=f"{counts.messages:,} messages  {rate:,.0f}/s  {measured}"
            )

        yield tell
