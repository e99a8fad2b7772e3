"""Live streams: whom a record is for, where a stream is, and what becomes of slow readers."""

import asyncio

from pathlib import Path

import msgspec
import pytest

from aiokafka import ConsumerRecord, TopicPartition

from icu_stream.api import streaming
from icu_stream.api.problems import Kind, ProblemError
from icu_stream.api.streaming import OF_ONE, Hub, Wanted
from icu_stream.contracts import envelope
from icu_stream.settings import Settings


ALERTS = Wanted(frozenset({"alerts"}))


def record(
    offset: int, *, topic: str = "alerts", key: str = "p-1", value: bytes = b"", **more
) -> ConsumerRecord:
    body = value or msgspec.json.encode({"patient_id": key, "bed": "ICU1-07"} | more)
    return ConsumerRecord(
        topic=f"icu.{topic}",
        partition=0,
        offset=offset,
        timestamp=0,
        timestamp_type=0,
        key=key.encode(),
        value=body,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
        headers=more.pop("headers", ()),
    )


def hub(tmp_path: Path, mailbox: int = 10, **more: object) -> Hub:
    settings = Settings(_env_file=None, data_dir=tmp_path, **more)
    made = Hub(settings, mailbox)
    made.seek({TopicPartition(f"icu.{name}", 0): 5 for name in ("alerts", "vitals")})
    return made


async def test_a_stream_says_where_it_is_and_then_what_is_new(tmp_path: Path):
    made = hub(tmp_path)
    events = made.read("n", ALERTS, None)

    first = await anext(events)
    coming = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    made.take(record(5, n=1))
    event = await coming
    await events.aclose()

    assert first == b"retry: 2000\nid: a5\nevent: beat\ndata: {}\n\n"
    assert event.startswith(b"id: a6\nevent: alert\ndata: {")
    assert len(made) == 0


async def test_a_reader_that_is_too_slow_is_told_and_cut_off_where_it_was(
    tmp_path: Path,
):
    made = hub(tmp_path, mailbox=3)
    events = made.read("n", ALERTS, None)
    await anext(events)
    coming = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    made.take(record(5))
    await coming

    for offset in range(6, 10):  # one more than there is room for
        made.take(record(offset))
    rest = [part async for part in events]

    assert len(rest) == 1
    assert rest[0].startswith(b"event: cut\n")
    assert (
        b"id:" not in rest[0]
    )  # the last id that it had stays the one to come back with


async def test_what_is_for_others_moves_the_place_but_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(streaming, "BEAT_S", 0.01)
    made = hub(tmp_path)
    events = made.read("n", Wanted(frozenset({"alerts"}), "p-9"), None)
    await anext(events)

    coming = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    made.take(record(5))
    made.take(record(6, key="icu-canary-x"))
    beat = await coming
    await events.aclose()

    assert beat == b"id: a7\nevent: beat\ndata: {}\n\n"


async def test_nobody_has_more_streams_than_their_share(tmp_path: Path):
    made = hub(tmp_path)
    open_ = [made.read("n", ALERTS, None) for _ in range(OF_ONE + 1)]
    for events in open_[:OF_ONE]:
        await anext(events)

    with pytest.raises(ProblemError) as refused:
        await anext(open_[OF_ONE])
    other = made.read("somebody else", ALERTS, None)
    await anext(other)
    for events in (*open_, other):
        await events.aclose()

    assert refused.value.kind is Kind.TOO_MANY


@pytest.mark.parametrize("last_id", ["x", "a", "a1..2", "a1~", "q1", "a-1", "a1;s2"])
async def test_an_id_that_no_stream_gave_out_is_refused(tmp_path: Path, last_id: str):
    with pytest.raises(ProblemError) as refused:
        await anext(hub(tmp_path).read("n", ALERTS, last_id))

    assert refused.value.kind is Kind.UNKNOWN


@pytest.mark.parametrize(
    ("told", "is_told"),
    [
        (record(1, topic="vitals", time=1_795_492_541_000, values={"hr": 80}), True),
        (record(1, topic="vitals", headers=((envelope.TICK, b"1"),)), False),
        (record(1, topic="vitals", headers=((envelope.COMMAND, b"1"),)), False),
        (record(1, topic="vitals", value=b"{"), False),
        (record(1, key="icu-canary-x"), False),
    ],
)
def test_only_what_devices_measured_of_patients_is_told(
    told: ConsumerRecord, is_told: bool
):
    name = told.topic.removeprefix("icu.")

    assert (streaming.read(name, told) is not None) == is_told


def test_a_message_with_line_breaks_stays_one_event():
    body = b'{\n  "patient_id": "p-1",\r\n "bed": "A-1"}'

    said = streaming.read("alerts", record(1, value=body))

    assert said is not None
    assert b"\n" not in said.data
    assert b"\r" not in said.data
    assert msgspec.json.decode(said.data) == {"patient_id": "p-1", "bed": "A-1"}
