"""One partition: who belongs here, what goes out, and what a restart reads back."""

import asyncio

from typing import Any

import msgspec
import pytest

from aiokafka import ConsumerRecord
from faust.types import TP

from icu_stream import bus, settings
from icu_stream.contracts import envelope
from icu_stream.engine.partition import SEPARATOR, Codec, Outgoing, Partition, send
from icu_stream.errors import StateError
from tests.fakes import kafka


SETTINGS = settings.Settings(_env_file=None, partitions=4)


class Patient(msgspec.Struct):
    patient_id: str
    last_offset: int = -1
    pieces: dict[bytes, bytes] = {}


def restore(patient_id: str, pieces: Any) -> Patient:
    if b"bad" in pieces.values():
        msg = "version 9 is not known"
        raise StateError(msg)
    return Patient(patient_id, 0, dict(pieces))


CODEC: Codec[Patient] = Codec(Patient, lambda patient: patient.pieces, restore)


def part(number: int = 0, log: kafka.Log | None = None) -> Partition[Patient]:
    producer = kafka.Producer("outlet", log or kafka.Log())
    return Partition(TP("icu.vitals", number), CODEC, producer, SETTINGS)


def record(
    value: bytes, headers: tuple[tuple[str, bytes], ...] = ()
) -> ConsumerRecord[Any, Any]:
    return ConsumerRecord(
        topic="icu.vitals",
        partition=0,
        offset=7,
        timestamp=1,
        timestamp_type=0,
        key=b"k",
        value=value,
        checksum=None,
        serialized_key_size=1,
        serialized_value_size=len(value),
        headers=headers,
    )


def patient_of(partition: int) -> str:
    ids = (f"p-{n}" for n in range(1000))
    return next(i for i in ids if bus.partition_of(i, 4) == partition)


def test_murmur2_is_kafkas_own():
    """Values of Kafka's own test of Utils.murmur2 (UtilsTest, testMurmur2)."""
    vectors = {
        "21": -973932308,
        "foobar": -790332482,
        "a-little-bit-long-string": -985981536,
    }
    for text, expected in vectors.items():
        assert bus.partition_of(text, 1 << 20) == (expected & 0x7FFFFFFF) % (1 << 20)


async def test_a_patient_of_another_partition_is_not_taken_in():
    own, other = patient_of(0), patient_of(3)
    here = part(0)

    assert here.patient(own) is here.hot[own]
    assert here.patient(other) is None
    assert here.patient(other) is None
    assert other not in here.hot


async def test_a_record_is_forwarded_to_its_own_partition_once():
    other = patient_of(3)
    here = part(0)

    here.forward(record(b"v", (("trace", b"1"),)), other)

    (out,) = here._out
    assert (out.topic, out.partition, out.key, out.value) == (
        "icu.vitals",
        3,
        other.encode(),
        b"v",
    )
    assert out.headers == [("trace", b"1"), (envelope.FORWARDED, b"0")]
    here._out.clear()
    here.forward(record(b"v", tuple(out.headers)), other)
    (letter,) = here._out
    assert letter.topic == "icu.dead-letters"
    assert b"forwarded twice" in dict(letter.headers)["reason"]


async def test_a_dead_letter_says_where_from_and_why():
    here = part(0)
    try:
        _ = 1 / 0
    except ZeroDivisionError as error:
        here.refuse(record(b"v"), "rule raised", error)

    (letter,) = here._out
    headers = dict(letter.headers)
    assert letter.key == b"icu.vitals-0-7"
    assert letter.value == b"v"
    assert headers["topic"] == b"icu.vitals"
    assert headers["partition"] == b"0"
    assert headers["offset"] == b"7"
    assert headers["reason"] == b"rule raised"
    assert b"ZeroDivisionError" in headers["detail"]


async def test_patients_are_restored_from_their_own_pieces_alone():
    here = part(0)
    pairs = [(b"p-1", b"a"), (b"p-1", b"b"), (b"p-10", b"a"), (b"p-2", b"a")]

    here.load((pid + SEPARATOR + piece, pid + piece) for pid, piece in pairs)

    assert {pid: patient.pieces for pid, patient in here.hot.items()} == {
        "p-1": {b"a": b"p-1a", b"b": b"p-1b"},
        "p-10": {b"a": b"p-10a"},
        "p-2": {b"a": b"p-2a"},
    }


async def test_a_state_that_cannot_be_read_is_kept_aside_and_named():
    here = part(0)

    here.load([(b"p-1\0a", b"bad"), (b"p-1\0b", b"x"), (b"p-2\0a", b"fine")])

    assert here.unreadable == {"p-1": "version 9 is not known"}
    assert here.hot["p-1"].pieces == {}
    assert here.hot["p-2"].pieces == {b"a": b"fine"}
    assert [(out.key, out.value) for out in here._out] == [
        (b"p-1/a", b"bad"),
        (b"p-1/b", b"x"),
    ]


async def test_a_flush_that_is_cancelled_sends_everything_again_in_order():
    log = kafka.Log(hold=1)
    here = part(0, log)
    for n in range(2):
        here.queue(Outgoing(f"t{n}", 0, b"k", b"%d" % n, []))
    flush = asyncio.create_task(here.flush())
    await log.held.wait()

    flush.cancel()
    await asyncio.gather(flush, return_exceptions=True)
    await here.settled()

    assert [what[0] for what in log.of("sent")] == ["t0", "t0", "t1"]
    assert here._out == []


async def test_what_is_said_while_a_flush_waits_goes_out_behind_it():
    log = kafka.Log(hold=0)
    here = part(0, log)
    here.queue(Outgoing("t", 0, b"k", b"1", []))
    flush = asyncio.create_task(here.flush())
    await log.held.wait()
    here.queue(Outgoing("t", 0, b"k", b"2", []))

    log.go_on.set()
    await flush
    await here.settled()

    sent = [value for _, _, messages in log.of("sent") for _, value in messages]
    assert sent == [b"1", b"2"]


async def test_the_next_chunk_does_not_wait_for_the_broker():
    log = kafka.Log(hold=0)
    here = part(0, log)
    here.queue(Outgoing("t", 0, b"k", b"1", []))

    here.flush_soon()
    await log.held.wait()
    here.queue(Outgoing("t", 0, b"k", b"2", []))
    here.flush_soon()

    assert here.waiting == 2
    log.go_on.set()
    await here.settled()
    sent = [value for _, _, messages in log.of("sent") for _, value in messages]
    assert sent == [b"1", b"2"]


async def test_what_could_not_be_handed_over_is_handed_over_when_it_must_be():
    log = kafka.Log(fail=0)
    here = part(0, log)
    here.queue(Outgoing("t", 0, b"k", b"1", []))
    here.flush_soon()
    await asyncio.sleep(0.01)
    assert log.points == ["outlet.send"]

    await here.settled()

    assert [what[0] for what in log.of("sent")] == ["t"]
    assert here.waiting == 0


async def test_a_message_that_no_batch_can_hold_is_an_error_not_a_loss():
    class Full(kafka.Batch):
        def append(self, **_: object) -> None:
            return None

    producer = kafka.Producer("outlet", kafka.Log())
    producer.create_batch = Full

    with pytest.raises(ValueError, match="larger than a batch"):
        await send(producer, "t", 0, [(b"k", b"v", [])])
