"""What the agent makes of a chunk of alerts, and what it answers."""

import asyncio
import json

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from faust.types import TP

from agents import burden as agent
from icu_stream import bus, clock, settings
from icu_stream.domain import burden
from icu_stream.domain.burden import Question
from icu_stream.engine.application import app
from icu_stream.engine.partition import Codec, Partition


FIELDS = settings.Settings(_env_file=None)
HOME = bus.partition_of("p-1", FIELDS.partitions)
TIME = clock.now_ms()


@pytest.fixture
def part() -> Partition[Any]:
    codec = Codec(burden.new, burden.save, burden.restore)
    return Partition(TP(agent._ALERTS, HOME), codec, None, FIELDS)


def record(offset: int, value: bytes) -> Any:
    return SimpleNamespace(
        topic=agent._ALERTS,
        partition=HOME,
        offset=offset,
        timestamp=TIME,
        value=value,
        key=b"",
        headers=[],
    )


def alert(patient_id: str = "p-1", **fields: Any) -> bytes:
    return msgspec.json.encode(
        {
            "transition": 1,
            "event": "raised",
            "patient_id": patient_id,
            "bed": "ICU1-01",
            "code": "spo2.desat",
            "priority": "high",
            "state": "active",
            "annunciate": True,
            "onset": TIME,
            "time": TIME,
        }
        | fields
    )


def test_what_is_no_alert_is_refused_alone(part):
    poison = [b"", b"no", b"{}", alert(priority="highest"), alert(time="now")]

    agent.weigh(part, [record(n, value) for n, value in enumerate(poison)])
    agent.weigh(part, [record(9, alert())])

    assert len(part._out) == len(poison)
    assert part.hot["p-1"].codes["spo2.desat"].is_open


def test_an_alert_in_the_wrong_partition_is_left_to_the_right_one(part):
    stranger = next(
        f"q-{n}" for n in range(99) if bus.partition_of(f"q-{n}", 8) != HOME
    )

    agent.weigh(part, [record(0, alert(stranger))])

    assert part.hot == {}
    assert part._out == []


async def test_questions_at_once_are_answered_one_after_the_other(part, monkeypatch):
    agent.weigh(part, [record(0, alert()), record(1, alert()), record(0, alert())])
    monkeypatch.setitem(app.parts, part.tp, part)

    answers = await asyncio.gather(*(agent.answer(Question()) for _ in range(3)))

    for answer in map(json.loads, answers):
        assert answer["partitions"] == [HOME]
        assert answer["units"]["ICU1"]["alarms"]["high"] == 1
