"""Vitals for tests: messages as plain dicts, and a ward in which much happens."""

import random

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from icu_stream import bus, clock
from icu_stream.contracts import topics
from icu_stream.contracts.envelope import Headers
from icu_stream.settings import Settings


START_MS = 1_795_492_541_000
CALM = {
    "hr": 80,
    "spo2": 97,
    "rr": 16,
    "abp_sys": 121,
    "abp_dia": 70,
    "abp_mean": 88,
    "temp": 37.0,
}

Message = dict[str, Any]


def now_ms() -> int:
    """The wall clock, for tests of what the clock brings."""
    return clock.now_ms()


def message(patient_id: str, second: float, **values: Any) -> Message:
    """One message of the patient's monitor, at a second after the start."""
    return {
        "patient_id": patient_id,
        "time": START_MS + round(second * 1000),
        "bed": f"B-{patient_id}",
        "device": "mon",
        "values": CALM | values,
    }


def encode(message: Message) -> bytes:
    """The message as it is on the wire."""
    return msgspec.json.encode(message)


async def send(
    settings: Settings,
    messages: Iterable[Message | tuple[bytes | None, bytes, Headers]],
    topic: str = topics.VITALS.name,
    *,
    marks: Headers = (),
    **options: Any,
) -> int:
    """Produce messages in order and wait for the broker's acknowledgement.

    Args:
        settings: Where to.
        messages: Messages, or (key, value, headers) as they are.
        topic: Without the prefix.
        marks: Headers of the messages.
        options: For the producer.

    Returns:
        How many.
    """
    producer = bus.producer(settings, **({"linger_ms": 5} | options))
    await producer.start()
    count = 0
    try:
        for item in messages:
            if isinstance(item, dict):
                key: bytes | None = item["patient_id"].encode()
                value, headers = encode(item), list(marks)
            else:
                key, value, headers = item
            await producer.send(
                settings.topic_prefix + topic, key=key, value=value, headers=headers
            )
            count += 1
        await producer.flush()
    finally:
        await producer.stop()
    return count


def eventful(seed: int, patients: int, seconds: int) -> Iterator[list[Message]]:
    """A ward second by second, in which alarms come and go all the time.

    Signals wander across their limits, stop, are invalid, and come twice or late: every
    path of the engine is taken, and the same seed gives the same ward.
    """
    rng = random.Random(seed)
    ids = [f"p-{n:04d}" for n in range(patients)]
    shift = {patient_id: {"hr": 0.0, "spo2": 0.0, "abp_sys": 0.0} for patient_id in ids}
    silent = dict.fromkeys(ids, 0)
    for second in range(seconds):
        batch: list[Message] = []
        for patient_id in ids:
            if silent[patient_id]:
                silent[patient_id] -= 1
                continue
            if rng.random() < 0.002:
                silent[patient_id] = rng.randint(5, 90)
            walk = shift[patient_id]
            for signal, step in (("hr", 8), ("spo2", 2), ("abp_sys", 6)):
                walk[signal] = 0.97 * walk[signal] + rng.gauss(0, step)
            values = {
                "hr": max(0, round(85 + walk["hr"])),
                "spo2": min(100, max(40, round(94 + walk["spo2"]))),
                "abp_sys": round(121 + walk["abp_sys"]),
            }
            chance = rng.random()
            if chance < 0.003:
                values["hr"] = 999
            made = message(patient_id, second, **values)
            if chance > 0.997:
                del made["values"]["spo2"]
            batch.append(made)
            if 0.01 < chance < 0.013:
                batch.append(made)
            if 0.02 < chance < 0.023:
                batch.append(message(patient_id, second - 5, hr=200))
        yield batch
