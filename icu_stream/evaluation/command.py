"""The command `backtest`: options in, tables and a report out."""

import os
import signal
import tempfile
import threading

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from rich.console import Console

from icu_stream import profiles, settings
from icu_stream.errors import ConfigurationError
from icu_stream.evaluation import (
    backtest,
    console,
    delays,
    logs,
    outcomes,
    pool,
    report,
)
from icu_stream.evaluation.logs import Log
from icu_stream.evaluation.outcomes import Knowledge, Outcomes
from icu_stream.sources import pace, simulator
from icu_stream.sources.truth import truth


class Options(NamedTuple):
    """What was asked for on the command line."""

    data: Path | None
    profiles: list[str]
    topic: bool
    first: str | None
    last: str | None
    beds: int | None
    duration_s: int
    seed: int
    stories: str
    truth: Path | None
    patients: int | None
    delay_scale: str | None
    sweeps: list[str]
    report: Path
    as_json: bool
    processes: int | None


def run(options: Options) -> int:
    """Run a backtest and say what came of it.

    Returns:
        The exit code: 0, or 128 and the signal's number when it was stopped; then
        nothing is written.

    Raises:
        ConfigurationError: An option, a profile or the data is not as it must be.
    """
    names = options.profiles or [settings.load().profile]
    rules = [profiles.load_all(name) for name in names]
    sweeps = [delays.sweep(text) for text in options.sweeps]
    if options.delay_scale is not None:
        sweeps.insert(0, delays.scale(options.delay_scale))
    _check_directory(options.report)
    log, known = _log(options)
    with _stoppable() as (cancel, received), console.drawn("backtest") as tell:
        try:
            result = backtest.run(
                log,
                rules,
                sweeps=sweeps,
                outcomes=known,
                progress=tell,
                cancel=cancel,
                processes=options.processes,
            )
        except pool.StoppedError:
            return 128 + received[0]
    if not result.seen.patients:
        msg = f"{log.title}: no patient in it, so there is nothing to compare"
        raise ConfigurationError(msg)
    _write(options.report, report.html(result))
    if options.as_json:
        # Dictionaries in the order of their keys: the same result, the same bytes.
        encoder = msgspec.json.Encoder(order="deterministic")
        print(encoder.encode(result).decode())  # noqa: T201 - what was asked for
    else:
        out = Console()
        console.show(result, out)
        out.print(f"report: {options.report}", highlight=False, soft_wrap=True)
    return os.EX_OK


def _log(options: Options) -> tuple[Log, Outcomes | None]:
    """What to read, and what is known of it."""
    asked = [options.data is not None, options.topic, options.beds is not None]
    if sum(asked) != 1:
        msg = "want one of: DATA (a recording), --topic, or --beds (a simulated ward)"
        raise ConfigurationError(msg)
    if not options.topic and (options.first or options.last):
        msg = "--from and --to are about the topic: give --topic, too"
        raise ConfigurationError(msg)
    known = None if options.truth is None else outcomes.read(options.truth)
    if options.data is not None:
        recording = logs.Recording(options.data, options.patients)
        return recording, known or outcomes.beside(options.data)
    if options.topic:
        if known is not None and known.knowledge is Knowledge.HOURS:
            msg = (
                f"--truth {options.truth}: its hours count from each patient's admission, "
                "and those of a topic do not; give the recording itself"
            )
            raise ConfigurationError(msg)
        first, last = _moment("--from", options.first), _moment("--to", options.last)
        return logs.Topic(settings.load(), first, last), known
    beds = options.beds or 0
    ward = logs.SimulatedWard(
        beds,
        options.duration_s,
        seed=options.seed,
        happenings=simulator.stories(options.stories, beds),
    )
    if known is None:
        lines = truth(ward.ward(), until_s=options.duration_s, live=True)
        known = outcomes.told([told for _, told in lines], "the truth of its stories")
    return ward, known


def _moment(option: str, text: str | None) -> int | None:
    return None if text is None else pace.moment(option, text)


@contextmanager
def _stoppable() -> Iterator[tuple[threading.Event, list[int]]]:
    """Ctrl-C and SIGTERM ask the backtest to stop, instead of ending it anywhere."""
    cancel = threading.Event()
    received: list[int] = []

    def end(number: int, _: object) -> None:
        received.append(number)
        cancel.set()

    before = {
        number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield cancel, received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_directory(path: Path) -> None:
    """Before a minute of work, and not after it."""
    if not path.parent.is_dir() or path.is_dir():
        msg = f"--report {path}: want a file in a directory that exists"
        raise ConfigurationError(msg)


def _write(path: Path, text: str) -> None:
    """All of it or nothing: an earlier report stays until the new one is whole."""
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            encoding="utf-8",
            dir=path.parent,
            prefix=f".{path.name}.",
            delete=False,
        ) as file:
            file.write(text)
        # A temporary file is its owner's alone; a report is a file like others.
        mask = os.umask(0)
        os.umask(mask)
        Path(file.name).chmod(0o666 & ~mask)
        Path(file.name).replace(path)
    except OSError as error:
        msg = f"the report cannot be written to {path} ({error}): name another file"
        raise ConfigurationError(msg) from error
