"""The simulator: which stories happen where, and how a ward is sent to Kafka."""

import asyncio
import bisect
import contextlib
import itertools

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from icu_stream import clock
from icu_stream.errors import ConfigurationError
from icu_stream.settings import Settings
from icu_stream.sources import pace
from icu_stream.sources.beds import EVENTS, Happening, Ward
from icu_stream.sources.outlet import Outlet
from icu_stream.sources.pace import Pace
from icu_stream.sources.progress import Counts, Tell, tell_nobody
from icu_stream.sources.truth import truth


# Within a second of wall clock messages leave in so many portions: a monitor's message is
# at most 50 ms late, and 30,000 beds do not arrive at once.
_PORTIONS = 20
# A ward where everything happens: in each group of beds, one story after the other (ours).
_GROUP_BEDS = 16
_FIRST_STORY_S = 20
_BETWEEN_STORIES_S = 15
_PAUSE_S = 60

# Two minutes for the demo (ours): alarms at about 11, 21, 32, 47, ... s, four of them
# high, on eleven of sixteen beds. Courses are shorter than life, so that they can be watched.
_DEMO_PERIOD_S = 120
_DEMO_CUFF_S = (60, 120)
_DEMO = (
    Happening("lead_off", 11, 2, 24),
    Happening("desaturation", 3, 4, 40),
    Happening("sepsis", 15, 12, 80),
    Happening("tachyarrhythmia", 6, 26, 26),
    Happening("haemorrhage", 14, 40, 64),
    Happening("sensor_off", 2, 61, 24),
    Happening("apnoea", 8, 64, 36),
    Happening("device_silent", 12, 86, 20),
    Happening("asystole", 5, 99, 16),
    Happening("clock_jump", 10, 108, 12),
    Happening("line_flush", 9, 116, 6),
)


def demo_ward(
    seed: int = 1,
    *,
    beds: int = 16,
    more: Sequence[Happening] = (),
    start_ms: int | None = None,
) -> Ward:
    """A loop of two minutes in which something happens every 10 to 20 s.

    Args:
        seed: Of everything that is random.
        beds: With fewer than 15 the stories share beds, and some may not fit; beds
            above 16 stay healthy.
        more: Further stories, each once every two minutes.
        start_ms: Of the ward; None for now.
    """
    happenings = list(more)
    for planned in _DEMO:
        happening = planned._replace(bed=(planned.bed - 1) % beds + 1)
        if not any(_collide(happening, other) for other in happenings):
            happenings.append(happening)
    return Ward(
        beds,
        seed=seed,
        happenings=happenings,
        period_s=_DEMO_PERIOD_S,
        start_ms=start_ms,
        cuff_cycles_s=_DEMO_CUFF_S,
    )


def _collide(one: Happening, other: Happening) -> bool:
    """Would two stories of the loop happen at one bed at the same time?"""
    if one.bed != other.bed:
        return False
    ahead_s = (other.at_s - one.at_s) % _DEMO_PERIOD_S
    return (
        ahead_s < one.duration_s
        or (_DEMO_PERIOD_S - ahead_s) % _DEMO_PERIOD_S < other.duration_s
    )


def everything(beds: int) -> list[Happening]:
    """Every story in each group of 16 beds, one after the other; groups are staggered."""
    happenings = []
    for group, first in enumerate(range(0, beds, _GROUP_BEDS)):
        size = min(_GROUP_BEDS, beds - first)
        free_s = [0] * size
        begin_s = _FIRST_STORY_S + (group * 37) % 120
        for number, story in enumerate(EVENTS.values()):
            at = number % size
            at_s = max(begin_s + number * _BETWEEN_STORIES_S, free_s[at])
            happening = Happening(
                story.name, first + at + 1, at_s, int(story.duration_s)
            )
            free_s[at] = at_s + happening.duration_s + _PAUSE_S
            happenings.append(happening)
    return happenings


def happening(text: str) -> Happening:
    """Read `NAME@BED@SECONDS`, or `NAME@BED@SECONDS@DURATION`.

    Raises:
        ConfigurationError: Not written so, or no story of that name.

    >>> happening("asystole@7@30")
    Happening(event='asystole', bed=7, at_s=30, duration_s=30)
    """
    name, *rest = text.strip().split("@")
    if name not in EVENTS:
        msg = f"story {text!r}: no story {name!r}; there are {', '.join(EVENTS)}"
        raise ConfigurationError(msg)
    try:
        numbers = [int(number) for number in rest]
    except ValueError:
        numbers = []
    if len(numbers) not in {2, 3}:
        msg = f"story {text!r}: want NAME@BED@SECONDS, like asystole@7@30"
        raise ConfigurationError(msg)
    bed, at_s, *duration_s = numbers
    return Happening(name, bed, at_s, *(duration_s or [int(EVENTS[name].duration_s)]))


def stories(which: str, beds: int) -> list[Happening]:
    """Read `all`, `none`, or a file with one story a line (`#` begins a comment).

    Raises:
        ConfigurationError: No such file, or a line that is no story.
    """
    if which == "none":
        return []
    if which == "all":
        return everything(beds)
    try:
        lines = Path(which).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"stories {which!r} ({error}): want all, none or a file of stories"
        raise ConfigurationError(msg) from error
    told = (line.partition("#")[0].strip() for line in lines)
    return [happening(line) for line in told if line]


def messages(ward: Ward, t: int) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of each message of a second, in the order of measurement time."""
    for key, value in zip(ward.keys, ward.second(t).messages, strict=True):
        if value is not None:
            yield key, value


async def run(
    settings: Settings,
    ward: Ward,
    *,
    speed: float = 1.0,
    until: int | None = None,
    truth_file: Path | None = None,
    stop: asyncio.Event,
    tell: Tell = tell_nobody,
) -> Counts:
    """Send a ward to the vitals topic.

    Args:
        settings: Where Kafka is.
        ward: Its start is set to now when it has none.
        speed: Measured seconds a second; infinite for as fast as it goes.
        until: End before this second of the ward; None for never.
        truth_file: Gets one JSON line a story when it begins.
        stop: Set it to stop; what was sent is confirmed first.
        tell: Is told the counts each second of the ward.

    Returns:
        The counts; `finished` is False when it was stopped.

    Raises:
        ConfigurationError: Kafka or the file is not as it must be.
    """
    began_s = clock.monotonic_s()
    live = ward.start_ms is None and speed == 1
    counts = Counts(patients=ward.beds)
    async with Outlet(settings, pace.headers(live, speed), stop) as outlet:
        if ward.start_ms is None:
            ward.start_ms = clock.now_ms()
        with _teller(ward, truth_file, until, live) as tell_truth:
            clocked = Pace(speed, ward.start_ms, stop)
            for t in itertools.count():
                counts.finished = t == until
                if counts.finished or stop.is_set():
                    break
                tell_truth(t)
                await _send_second(ward, t, outlet, clocked, counts)
                tell(counts)
        counts.finished = await outlet.drain() and counts.finished
        counts.messages = sum(outlet.acknowledged)
    counts.seconds = clock.monotonic_s() - began_s
    return counts


async def _send_second(
    ward: Ward, t: int, outlet: Outlet, clocked: Pace, counts: Counts
) -> None:
    """Send one second of all beds, in portions, each when it is due."""
    sent = ward.second(t)
    second_ms = (ward.start_ms or 0) + 1000 * t
    portions = max(1, min(_PORTIONS, round(_PORTIONS / clocked.speed)))
    first = 0
    for portion in range(1, portions + 1):
        until_ms = 1000 * portion / portions
        end = bisect.bisect_left(ward.sorted_offsets_ms, until_ms)
        if end == first and portion < portions:
            continue
        wait_s = clocked.wait_s(second_ms + until_ms)
        if await clocked.sleep(wait_s):
            return
        for key, value in zip(
            ward.keys[first:end], sent.messages[first:end], strict=True
        ):
            if value is not None:
                outlet.add(key, value)
                counts.messages += 1
        first = end
        # As fast as it goes, only full batches leave: half the cost a message.
        await outlet.send(part_filled=not clocked.unbounded)
    counts.values += sent.values
    counts.measured_ms = second_ms


@contextlib.contextmanager
def _teller(
    ward: Ward, path: Path | None, until_s: int | None, live: bool
) -> Iterator[Callable[[int], None]]:
    """Writes what is true of the stories that have begun, one JSON line each."""
    if path is None:
        yield lambda _: None
        return
    lines = truth(ward, until_s=until_s, live=live)
    encode = msgspec.json.Encoder().encode
    try:
        file = path.open("wb")
    except OSError as error:
        msg = f"the truth cannot be written to {path} ({error}): name another file"
        raise ConfigurationError(msg) from error
    with file:
        following = next(lines, None)

        def tell_truth(t: int) -> None:
            nonlocal following
            while following is not None and following[0] <= t:
                file.write(encode(following[1]) + b"\n")
                following = next(lines, None)
            file.flush()

        yield tell_truth
