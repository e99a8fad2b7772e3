"""The commands `simulate` and `replay`: run until done or told to stop, say what was sent."""

import asyncio
import signal

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from icu_stream import observability, settings
from icu_stream.errors import ConfigurationError
from icu_stream.sources import pace, progress, replay, simulator
from icu_stream.sources.beds import Ward
from icu_stream.sources.progress import Counts, Tell


Say = Callable[[str], None]


def simulate(
    *,
    beds: int,
    seed: int,
    story: list[str],
    stories: str | None,
    duration_s: int | None,
    start: str,
    speed: str,
    truth: Path | None,
    period_s: int | None,
    as_json: bool,
    say: Say,
) -> int:
    """Run a simulated ward.

    Returns:
        The exit code: 0, or 128 and the signal's number when it was stopped.

    Raises:
        ConfigurationError: An option, Kafka or a file is not as it must be.
    """
    if start == "original":
        msg = "start 'original': a simulated ward has none; want now or a moment"
        raise ConfigurationError(msg)
    if stories is None:
        stories = "none" if story else "loop"
    if stories == "loop" and period_s is not None:
        msg = "the loop has its own period of two minutes: give stories, or no --period"
        raise ConfigurationError(msg)
    happenings = [simulator.happening(text) for text in story]
    if stories == "loop":
        ward = simulator.demo_ward(
            seed, beds=beds, more=happenings, start_ms=pace.start(start)
        )
    else:
        ward = Ward(
            beds,
            seed=seed,
            happenings=simulator.stories(stories, beds) + happenings,
            period_s=period_s,
            start_ms=pace.start(start),
        )
    multiple = pace.speed(speed)

    async def run(stop: asyncio.Event, tell: Tell) -> Counts:
        return await simulator.run(
            settings.load(),
            ward,
            speed=multiple,
            until=duration_s,
            truth_file=truth,
            stop=stop,
            tell=tell,
        )

    counts, code = _run(f"{beds} beds", run)
    _conclude(counts, as_json, say)
    return code


def replay_recording(
    *,
    path: Path,
    speed: str,
    start: str,
    patients: int | None,
    resume: bool,
    as_json: bool,
    say: Say,
) -> int:
    """Replay a recording.

    Returns:
        The exit code: 0, or 128 and the signal's number when it was stopped.

    Raises:
        ConfigurationError: An option, Kafka or the recording is not as it must be.
    """
    multiple = pace.speed(speed)

    async def run(stop: asyncio.Event, tell: Tell) -> Counts:
        return await replay.run(
            settings.load(),
            path,
            multiple,
            start=start,
            patients=patients,
            resume=resume,
            stop=stop,
            tell=tell,
        )

    counts, code = _run(path.name, run)
    _conclude(counts, as_json, say)
    if not counts.finished and not as_json:
        say("stopped; the same command with --resume goes on from here")
    return code


def _run(
    title: str, run: Callable[[asyncio.Event, Tell], Awaitable[Counts]]
) -> tuple[Counts, int]:
    """Run until the end or a signal; what was sent is confirmed in both cases."""
    received: list[int] = []

    async def main() -> Counts:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def end(number: int) -> None:
            received.append(number)
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end, number)
        observability.configure(settings.load())
        with progress.drawn(title) as tell:
            return await run(stop, tell)

    counts = asyncio.run(main())
    return counts, 0 if counts.finished else 128 + received[0]


def _conclude(counts: Counts, as_json: bool, say: Say) -> None:
    if as_json:
        say(msgspec.json.encode(counts).decode())
        return
    rate = counts.messages / counts.seconds if counts.seconds else 0.0
    earlier = f", after {counts.earlier:,} before" if counts.earlier else ""
    say(
        f"sent {counts.messages:,} messages of {counts.patients:,} patients with "
        f"{counts.values:,} values in {counts.seconds:.1f} s ({rate:,.0f}/s){earlier}"
    )
