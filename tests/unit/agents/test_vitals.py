"""Records of the log: which are applied, and which are refused alone."""

from typing import Any

import pytest

from aiokafka import ConsumerRecord
from faust.types import TP

from agents import vitals
from icu_stream import profiles, settings
from icu_stream.contracts import envelope
from icu_stream.domain import decoding, patient
from icu_stream.engine.partition import Codec, Partition
from tests.fakes import kafka


RULES = profiles.load("adult")
START = 1_795_500_000_000
GOOD = b'{"patient_id":"p-1","time":%d,"values":{"hr":80}}'


def part() -> Partition[Any]:
    codec = Codec(patient.new, patient.save, patient.restore)
    producer = kafka.Producer("outlet", kafka.Log())
    options = settings.Settings(_env_file=None, partitions=1)
    return Partition(TP("icu.vitals", 0), codec, producer, options)


def record(offset: int, value: bytes | None, *headers: str) -> Any:
    size = len(value or b"")
    named = tuple((name, b"1") for name in headers)
    return ConsumerRecord(
        "icu.vitals",
        0,
        offset,
        START + 1000 * offset,
        0,
        b"k",
        value,
        None,
        1,
        size,
        named,
    )


def good(offset: int) -> Any:
    return record(offset, GOOD % (START + 1000 * offset))


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"[]",
        b"{" * 2000,
        b'{"patient_id":"p-1"}',
        b'{"patient_id":" p-1","time":1795500001000}',
        b'{"patient_id":"p-1","time":1795500001}',
        b'{"patient_id":"p-1","time":' + str(decoding.END_MS).encode() + b"}",
        b'{"patient_id":"p-1","time":1795500001000,"values":{"\xff":1}}',
        GOOD % START + b" " * decoding.MAX_BYTES,
    ],
    ids=lambda value: repr(value)[:40],
)
@pytest.mark.parametrize("is_known", [True, False])
def test_a_record_of_no_use_is_refused_alone(value, is_known):
    here = part()
    if is_known:
        vitals.apply(here, [good(0)], RULES)

    vitals.apply(here, [record(1, value), good(2)], RULES)

    (letter,) = [out for out in here._out if out.topic == here._dead]
    assert dict(letter.headers)["offset"] == b"1"
    assert here.hot["p-1"].last_offset == 2
    assert here.hot["p-1"].messages == 1 + is_known


@pytest.mark.parametrize(
    "value",
    [
        b'{"patient_id":"p-1","time":1795500001000,"bed":null,"values":{"hr":80}}',
        b'{"patient_id":"p-1","time":1795500001000,"bed":7,"values":{"hr":"x"}}',
    ],
)
def test_a_record_that_is_read_slowly_is_applied(value):
    here = part()
    vitals.apply(here, [good(0)], RULES)

    vitals.apply(here, [record(1, value)], RULES)

    assert not [out for out in here._out if out.topic == here._dead]
    assert here.hot["p-1"].messages == 2


def test_a_record_that_was_applied_before_is_not_applied_again():
    here = part()
    vitals.apply(here, [good(0), good(1)], RULES)

    vitals.apply(here, [good(1), record(0, GOOD % START, envelope.TICK)], RULES)

    assert here.hot["p-1"].messages == 2
