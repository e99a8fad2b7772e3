"""Recordings as a stream: merged by time, at any speed, resumable.

A replay is a function of the recording, its start and the number of patients: the same
options give the same messages in the same order. That is why it can be resumed: the
bookmark says how many messages of each partition Kafka has confirmed, and so many are
passed over. Within a partition the confirmed messages are always the first ones, so
nothing is lost and nothing sent twice, wherever the replay was stopped.
"""

import asyncio
import heapq
import itertools

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from pathlib import Path

import msgspec

from icu_stream import clock
from icu_stream.contracts.vitals import Vitals
from icu_stream.errors import ConfigurationError
from icu_stream.settings import Settings
from icu_stream.sources import pace, readers
from icu_stream.sources.bookmark import Bookmark
from icu_stream.sources.outlet import Outlet
from icu_stream.sources.pace import Pace
from icu_stream.sources.progress import Counts, Tell, tell_nobody


# Messages between two looks at the stop event and the bookmark.
STRIDE = 500
# Between two writes of the bookmark. A replay that was killed goes on from the last one:
# what it had sent since comes again, and the worker knows it for late.
SAVE_EVERY_S = 5.0


def read(
    path: Path, *, start_ms: int | None = None, patients: int | None = None
) -> Iterator[Vitals]:
    """Read a recording in the order of time. Reads lazily and sends nothing.

    Args:
        path: A recording of any known format.
        start_ms: Time of the first message, epoch ms UTC; None leaves every time as
            it was recorded.
        patients: Only the first so many patients; None for all.

    Raises:
        ConfigurationError: Not there, not known, empty, or not readable.
    """
    streams = readers.open_recording(path, patients)
    # Moved to another date, all origins lie at 0, so that what began together stays so.
    shifts = [0 if start_ms is None else -stream.origin_ms for stream in streams]
    vitals = heapq.merge(
        *(stream.read(shift) for stream, shift in zip(streams, shifts, strict=True)),
        key=attrgetter("time"),
    )
    first = next(vitals, None)
    if first is None:
        msg = f"{path} holds no vital sign: nothing to replay"
        raise ConfigurationError(msg)
    everything = itertools.chain([first], vitals)
    return everything if start_ms is None else _moved(everything, start_ms - first.time)


async def run(
    settings: Settings,
    path: Path,
    speed: float,
    *,
    start: str = "now",
    patients: int | None = None,
    resume: bool = False,
    stop: asyncio.Event,
    tell: Tell = tell_nobody,
) -> Counts:
    """Send a recording to the vitals topic.

    Args:
        settings: Where Kafka is; the bookmark is in `data_dir`/replay.
        path: A recording of any known format.
        speed: Measured seconds a second; infinite for as fast as it goes.
        start: `now`, `original` or an ISO moment: the time of the first message.
        patients: Only the first so many patients; None for all.
        resume: Go on where the same replay was stopped.
        stop: Set it to stop; what was sent is confirmed first.
        tell: Is told the counts after each 500 messages and before each wait.

    Returns:
        The counts; `finished` is False when it was stopped and can be resumed.

    Raises:
        ConfigurationError: The recording or Kafka is not as it must be; what was
            confirmed until then is kept for `resume`.
    """
    began_s = clock.monotonic_s()
    bookmark = Bookmark(settings, path, start, patients)
    start_ms = clock.now_ms() if start == "now" else pace.start(start)
    earlier = [0] * settings.partitions
    if resume:
        place = bookmark.read()
        start_ms, earlier = place.start_ms, place.acknowledged
    # What is sent as if it were measured now is live; all else is marked as a replay.
    live = start == "now" and speed == 1
    counts = Counts(earlier=sum(earlier))
    vitals = read(path, start_ms=start_ms, patients=patients)
    async with Outlet(settings, pace.headers(live, speed), stop) as outlet:
        vitals = _not_yet_sent(vitals, outlet, earlier)
        first = next(vitals, None)
        if first is None:
            bookmark.remove()
            counts.finished = True
            return counts
        vitals = itertools.chain([first], vitals)
        anchor_ms = first.time
        if live and start_ms is not None:
            # Live, the next message is measured now, however long opening took and
            # the replay stood still.
            anchor_ms = clock.now_ms()
            vitals = _moved(vitals, anchor_ms - first.time)
            start_ms += anchor_ms - first.time

        def save() -> None:
            acknowledged = zip(earlier, outlet.acknowledged, strict=True)
            bookmark.write(start_ms, [before + now for before, now in acknowledged])

        try:
            counts.finished = await _send(
                vitals, outlet, Pace(speed, anchor_ms, stop), counts, save, tell
            )
        finally:
            await outlet.settle()
            counts.messages = sum(outlet.acknowledged)
            counts.seconds = clock.monotonic_s() - began_s
            if counts.finished:
                bookmark.remove()
            else:
                save()
    return counts


async def _send(
    vitals: Iterable[Vitals],
    outlet: Outlet,
    clocked: Pace,
    counts: Counts,
    save: Callable[[], None],
    tell: Tell,
) -> bool:
    """Send all, each when it is due; False when it was stopped before the end."""
    encode = msgspec.json.Encoder().encode
    patients: set[str] = set()
    saved_s = clock.monotonic_s()
    for number, sample in enumerate(vitals, 1):
        wait_s = clocked.wait_s(sample.time)
        if wait_s or number % STRIDE == 0:
            # As fast as it goes, only full batches leave: half the cost a message.
            await outlet.send(part_filled=not clocked.unbounded)
            tell(counts)
            if clock.monotonic_s() - saved_s >= SAVE_EVERY_S:
                saved_s = clock.monotonic_s()
                save()
            if await clocked.sleep(wait_s):
                await outlet.drain()
                return False
        outlet.add(sample.patient_id.encode(), encode(sample))
        patients.add(sample.patient_id)
        counts.messages = number
        counts.values += len(sample.values)
        counts.patients = len(patients)
        counts.measured_ms = sample.time
    return await outlet.drain()


def _not_yet_sent(
    vitals: Iterable[Vitals], outlet: Outlet, earlier: list[int]
) -> Iterator[Vitals]:
    """Pass over as many messages of each partition as Kafka has confirmed."""
    left = list(earlier)
    for sample in vitals:
        partition = outlet.partition(sample.patient_id.encode())
        if left[partition]:
            left[partition] -= 1
        else:
            yield sample


def _moved(vitals: Iterable[Vitals], shift_ms: int) -> Iterator[Vitals]:
    for sample in vitals:
        yield Vitals(
            patient_id=sample.patient_id,
            time=sample.time + shift_ms,
            bed=sample.bed,
            device=sample.device,
            values=sample.values,
            status=sample.status,
            interval_s=sample.interval_s,
        )
