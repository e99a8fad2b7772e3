import asyncio
import json

from typing import Any

from icu_stream.contracts.vitals import Vitals
from icu_stream.ward.frames import QUEUE, Hub, Mailbox
from icu_stream.ward.tiles import Ward


T0 = 1_795_492_540_000


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.ms = T0

    def __call__(self) -> int:
        return self.ms


def made() -> tuple[Ward, Hub, Clock]:
    ward, clock = Ward(), Clock()
    ward.caught_up = True
    return ward, Hub(ward, clock), clock


def measure(ward: Ward, hr: float, at_ms: int, patient: str = "p-1") -> None:
    message = Vitals(patient_id=patient, bed=patient, time=at_ms, values={"hr": hr})
    ward.measure(message, at_ms, 0)


async def read(mailbox: Mailbox) -> dict[str, Any]:
    frame = await asyncio.wait_for(mailbox.get(), 1)
    assert frame is not None
    return json.loads(frame)


async def test_a_browser_begins_with_a_snapshot_and_goes_on_with_deltas():
    ward, hub, _ = made()
    measure(ward, 80, T0)
    hub.step()
    mailbox = hub.join()
    first = await read(mailbox)
    measure(ward, 81, T0 + 50)
    hub.step()
    second = await read(mailbox)

    assert (first["k"], second["k"]) == ("snap", "delta")
    assert (first["b"][0]["v"][0], second["b"][0]["v"][0]) == (80, 81)
    assert second["q"] == first["q"] + 1
    assert second["boot"] == first["boot"]


async def test_a_frame_says_only_what_changed_and_silence_ends_after_half_a_second():
    ward, hub, clock = made()
    mailbox = hub.join()
    measure(ward, 80, T0)
    hub.step()
    await read(mailbox)

    clock.ms += 100
    hub.step()  # nothing to say
    clock.ms += 300
    hub.step()
    heartbeat = await read(mailbox)

    assert set(heartbeat) == {"k", "boot", "q", "t", "w"}
    assert heartbeat["t"] - T0 == 400


async def test_a_slow_browser_gets_a_snapshot_instead_of_its_backlog():
    ward, hub, clock = made()
    slow, quick = hub.join(), hub.join()
    await read(slow)
    await read(quick)

    for n in range(QUEUE + 3):
        clock.ms += 100
        measure(ward, 60 + n, clock.ms)
        hub.step()
        assert (await read(quick))["k"] == "delta"

    frame = await read(slow)
    assert frame["k"] == "snap"
    assert frame["b"][0]["v"][0] == 60 + QUEUE + 2
    clock.ms += 100
    measure(ward, 99, clock.ms)
    hub.step()
    assert (await read(slow))["q"] == frame["q"] + 1


async def test_a_full_queue_is_not_yet_an_overflow():
    ward, hub, clock = made()
    mailbox = hub.join()
    await read(mailbox)

    for n in range(QUEUE):
        clock.ms += 100
        measure(ward, 60 + n, clock.ms)
        hub.step()

    assert [(await read(mailbox))["k"] for _ in range(QUEUE)] == ["delta"] * QUEUE


async def test_nothing_of_the_past_is_shown_before_it_has_been_read():
    ward, hub, _ = made()
    ward.caught_up = False
    measure(ward, 80, T0)
    mailbox = hub.join()
    hub.step()
    first = await read(mailbox)
    ward.caught_up = True
    hub.step()
    second = await read(mailbox)

    assert (first["b"], first["st"]["r"]) == ([], 0)
    assert second["st"]["r"] == 1
    assert len(second["b"]) == 1


async def test_a_browser_that_is_gone_is_let_go():
    _, hub, _ = made()
    mailbox = hub.join()
    await read(mailbox)

    mailbox.close()
    hub.leave(mailbox)

    assert await mailbox.get() is None
