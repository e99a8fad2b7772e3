"""How fast the sources are: `python -m tests.benchmarks.simulator`.

Prints a table; takes about a minute. The broker is a real Apache Kafka on this machine
that shares its processors, so figures beside it are lower bounds.
"""

import asyncio
import contextlib
import itertools
import math
import resource
import time

from collections.abc import Callable, Iterator
from pathlib import Path

from icu_stream.settings import Settings
from icu_stream.sources import replay, simulator
from icu_stream.sources.beds import Ward
from icu_stream.sources.progress import Counts, Tell
from tests.integration.recordings import EICU, PHYSIONET_2012
from tests.kafka import Kafka


SECONDS = 4.0


@contextlib.contextmanager
def measured(what: str) -> Iterator[Callable[[int], None]]:
    """Print how many messages a second the block has made, by both clocks.

    The second figure is by the processor time of this process: it is what remains
    comparable when others use the machine.
    """
    made: list[int] = []
    began, began_cpu = time.perf_counter(), time.process_time()
    yield made.append
    seconds = time.perf_counter() - began
    cpu = time.process_time() - began_cpu
    print(
        f"{what:<58} {made[0] / seconds:>9,.0f}/s {made[0] / cpu:>9,.0f}/s of CPU"
        f" {100 * cpu / seconds:>4.0f} % of a core"
    )


def generated(beds: int, stories: str) -> None:
    ward = Ward(beds, happenings=simulator.stories(stories, beds))
    with measured(f"messages of {beds:,} beds, stories {stories}") as made:
        ends = time.perf_counter() + SECONDS / 2
        messages = 0
        for t in itertools.count(60):
            messages += sum(1 for _ in simulator.messages(ward, t))
            if time.perf_counter() > ends:
                break
        made(messages)


def read(path: Path) -> None:
    with measured(f"read {path.name}") as made:
        made(sum(1 for _ in replay.read(path)))


def stopped_after(seconds: float, stop: asyncio.Event) -> Tell:
    ends = time.perf_counter() + seconds

    def tell(_: Counts) -> None:
        if time.perf_counter() >= ends:
            stop.set()

    return tell


async def simulated(settings: Settings, beds: int) -> None:
    stop = asyncio.Event()
    ward = Ward(beds, happenings=simulator.everything(beds), start_ms=1_700_000_000_000)
    with measured(f"simulate {beds:,} beds --speed max, to Kafka") as made:
        counts = await simulator.run(
            settings,
            ward,
            speed=math.inf,
            stop=stop,
            tell=stopped_after(SECONDS, stop),
        )
        made(counts.messages)


async def live(settings: Settings, beds: int) -> None:
    with measured(f"simulate {beds:,} beds --speed 1, to Kafka") as made:
        counts = await simulator.run(
            settings, Ward(beds), until=int(2 * SECONDS), stop=asyncio.Event()
        )
        made(counts.messages)


async def replayed(settings: Settings, path: Path) -> None:
    with measured(f"replay {path.name} --speed max, to Kafka") as made:
        counts = await replay.run(settings, path, math.inf, stop=asyncio.Event())
        made(counts.messages)


def recordings() -> Iterator[Path]:
    return (path for path in (PHYSIONET_2012, EICU) if path.exists())


def main() -> None:
    for beds, stories in ((16, "none"), (200, "none"), (5000, "none"), (5000, "all")):
        generated(beds, stories)
    generated(30_000, "none")
    for path in recordings():
        read(path)
    with Kafka(1) as kafka:
        settings = kafka.settings(partitions=8)
        for beds in (200, 5000):
            asyncio.run(simulated(settings, beds))
            asyncio.run(live(settings, beds))
        for path in recordings():
            asyncio.run(replayed(settings, path))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"peak memory of this process: {peak} MB")


if __name__ == "__main__":
    main()
