"""What `/burden` says is what a recount of the topics says, whatever was killed."""

import asyncio
import collections
import itertools
import json
import statistics

from typing import Any

import msgspec
import pytest

from aiokafka import TopicPartition

from icu_stream import bus
from icu_stream.contracts import topics
from icu_stream.contracts.commands import Command, CommandType
from icu_stream.contracts.envelope import REPLAY
from icu_stream.settings import Settings
from tests.integration import feed, replica
from tests.worker import Worker


PATIENTS = 40
SECONDS = 400
SESSION_S = 6.0
PRIORITIES = ("high", "medium", "low")


async def recounted(settings: Settings) -> dict[str, Any]:
    """The burden by another way: all alerts of the topic at once, each once."""
    name = settings.topic_prefix + topics.ALERTS.name
    alerts: dict[tuple[str, int], dict[str, Any]] = {}
    for record in await replica.read(settings, name):
        row = json.loads(record.value)
        if row["event"] != "standing":
            alerts[row["alert_id"], row["transition"]] = row
    rows = sorted(alerts.values(), key=lambda row: row["time"])
    raised = [row for row in rows if row["event"] == "raised"]
    sounds = [row for row in rows if row["annunciate"]]
    begun = {row["alert_id"]: row["time"] for row in raised}
    answers = {}
    for row in rows:
        if row["event"] == "acknowledged":
            answers.setdefault(row["alert_id"], row["time"] - begun[row["alert_id"]])
    marks = {}
    results = settings.topic_prefix + topics.COMMAND_RESULTS.name
    for record in await replica.read(settings, results):
        result = json.loads(record.value)
        if result.get("type") == "feedback" and result["accepted"]:
            marks[result["alert_id"]] = result["actionable"]
    chattering = 0
    pairs = itertools.groupby(
        sorted(raised, key=lambda row: (row["bed"], row["code"], row["time"])),
        key=lambda row: (row["bed"], row["code"]),
    )
    for _, group in pairs:
        times = [row["time"] for row in group]
        third = [b - a < 60_000 for a, b in zip(times, times[2:], strict=False)]
        chattering += sum(
            now and not before
            for before, now in zip([False, *third], third, strict=False)
        )
    moments = [row["time"] for row in sounds]
    spent = sorted(answers.values())
    pairs_by_count = collections.Counter((row["bed"], row["code"]) for row in raised)
    by_priority = [
        {p: sum(row["priority"] == p for row in some) for p in PRIORITIES}
        for some in (raised, sounds)
    ]
    return {
        "alarms": by_priority[0],
        "annunciations": by_priority[1],
        "worst_10_min": max(
            sum(m - 600_000 < other <= m for other in moments) for m in moments
        ),
        "chattering": chattering,
        "answers": len(spent),
        "median_s": statistics.median_low(spent) / 1000 if spent else None,
        "top": [
            (bed, code, count)
            for (bed, code), count in sorted(
                pairs_by_count.items(), key=lambda item: (-item[1], item[0])
            )[:10]
        ],
        "marked": len(marks),
        "actionable": sum(marks.values()),
    }


def asked(worker: Worker, query: str = "?hours=168") -> dict[str, Any]:
    status, text = worker.get(f"/burden{query}")
    assert status == 200, text
    answer: dict[str, Any] = json.loads(text)
    return answer


def brief(whole: dict[str, Any]) -> dict[str, Any]:
    """Of an answer, what `recounted` says, too."""
    top = [(row["bed"], row["code"], row["alarms"]) for row in whole["top"]]
    return {
        "alarms": whole["alarms"],
        "annunciations": whole["annunciations"],
        "worst_10_min": whole["worst_10_min"],
        "chattering": whole["chattering"],
        "answers": whole["acknowledged"]["count"],
        "median_s": whole["acknowledged"]["median_s"],
        "top": top,
        "marked": whole["feedback"]["marked"],
        "actionable": whole["feedback"]["actionable"],
    }


async def assert_recounted(worker: Worker) -> None:
    """Wait until everything was read: the clock may add an alert at any time."""
    differ: dict[str, Any] = {}
    for _ in range(100):
        wanted = await recounted(worker.settings)
        found = brief(asked(worker)["all"])
        differ = {k: (v, found[k]) for k, v in wanted.items() if v != found[k]}
        if not differ:
            return
        await asyncio.sleep(0.2)
    pytest.fail(f"recount, /burden: {differ}")


async def acknowledge_some(settings: Settings) -> None:
    """Somebody acknowledges a third of the alarms there are, and judges each of those."""
    name = settings.topic_prefix + topics.ALERTS.name
    ids = {
        (row["patient_id"], row["alert_id"])
        for row in (json.loads(r.value) for r in await replica.read(settings, name))
    }
    commands: list[Any] = []
    for n, (patient_id, alert_id) in enumerate(sorted(ids)[::3]):
        for kind in (CommandType.ACKNOWLEDGE, CommandType.FEEDBACK):
            command = Command(
                command_id=f"{kind}-{alert_id}",
                type=kind,
                patient_id=patient_id,
                by="rn",
                time=feed.START_MS,
                alert_id=alert_id,
                actionable=n % 4 == 0,
            )
            row = (patient_id.encode(), msgspec.json.encode(command), [])
            commands.append(row)
    await feed.send(settings, commands, topics.COMMANDS.name)


async def test_what_was_killed_counts_what_a_recount_of_the_topic_counts(kafka):
    settings = kafka.settings(
        session_timeout_s=SESSION_S, instance_id="the-only-one", checkpoint_s=0.3
    )
    ward = feed.eventful(11, PATIENTS, SECONDS)
    worker, elsewhere = Worker(settings), Worker(settings, "elsewhere")
    await asyncio.to_thread(worker.start)
    try:
        for part in range(2):
            batch = [m for _ in range(SECONDS // 2) for m in next(ward)]
            await feed.send(settings, batch, marks=[(REPLAY, b"40")])
            await asyncio.sleep(0.4 + 0.4 * part)
            # In the middle: what was said since the last checkpoint is said again.
            worker.kill()
            await asyncio.to_thread(worker.start)
            await replica.wait_until_applied(settings)
            await acknowledge_some(settings)

        await assert_recounted(worker)
        assert await repeats(settings) > 0
        assert asked(worker)["units"].keys() == {"B-p"}

        # What an orderly stop saved is there, on another disk as well.
        assert await asyncio.to_thread(worker.stop) == 0
        name = settings.topic_prefix + topics.ALERTS.name
        count = len(await replica.read(settings, name))
        assert count * 0.9 < await committed(settings) <= count
        await asyncio.to_thread(elsewhere.start)
        await assert_recounted(elsewhere)
        assert elsewhere.metric("icu_notes_failed_total") == 0
    finally:
        worker.kill()
        elsewhere.kill()


async def repeats(settings: Settings) -> int:
    """How many alerts were said more than once."""
    name = settings.topic_prefix + topics.ALERTS.name
    rows = await replica.read(settings, name)
    ids = {dict(row.headers)["ce_id"] for row in rows}
    return len(rows) - len(ids)


async def committed(settings: Settings) -> int:
    """How many records of the alerts topic the worker has saved the burden of."""
    name = settings.topic_prefix + topics.ALERTS.name
    consumer = bus.consumer(settings, group_id=settings.app_id)
    await consumer.start()
    try:
        tps = [TopicPartition(name, n) for n in range(settings.partitions)]
        return sum([await consumer.committed(tp) or 0 for tp in tps])
    finally:
        await consumer.stop()


async def test_a_bed_a_unit_and_a_question_that_is_none(kafka):
    settings = kafka.settings()
    with Worker(settings) as worker:
        messages = [
            feed.message(patient_id, second, spo2=70) | {"bed": bed}
            for second in range(3)
            for patient_id, bed in (
                ("a", "ICU1-01"),
                ("b", "ICU1-02"),
                ("c", "ICU2-01"),
            )
        ]
        await feed.send(settings, messages)
        # Neither what is no alert, nor what belongs elsewhere, stands in the way.
        await feed.send(
            settings, [(b"a", b"no alert", []), (b"a", b"{}", [])], topics.ALERTS.name
        )
        async with asyncio.timeout(30):
            while True:
                if sum(asked(worker)["all"]["alarms"].values()) == 3:
                    break
                await asyncio.sleep(0.1)

        whole = asked(worker)
        assert whole["partitions"] == [0, 1, 2, 3]
        assert {n: unit["alarms"]["high"] for n, unit in whole["units"].items()} == {
            "ICU1": 2,
            "ICU2": 1,
        }
        assert asked(worker, "?unit=ICU1")["beds"].keys() == {"ICU1-01", "ICU1-02"}
        assert asked(worker, "?bed=ICU2-01&hours=1")["all"]["alarms"]["high"] == 1
        for query in ("?hours=0", "?hours=169", "?hours=x", "?ward=ICU1"):
            assert worker.get(f"/burden{query}")[0] == 400, query
        assert worker.metric("icu_dead_letters_total") == 2
