"""Performs all stories at once: one broker, one worker, each story by its own patients.

Each story goes on step by step: what it sends is applied before the next person asks.
Stories in which the worker is killed wait for each other there.
"""

import asyncio
import json
import time

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
import psutil

from aiokafka import TopicPartition

from icu_stream import bus
from icu_stream.contracts import topics
from icu_stream.contracts.commands import Command, CommandType
from icu_stream.contracts.envelope import REPLAY
from icu_stream.settings import Settings
from tests.integration import feed
from tests.kafka import Kafka
from tests.scenarios.bed import Ask, Bed, Heard, Restart, Send, Story, Wait
from tests.worker import Worker


PATIENCE_S = 60
MANY = 500
# The real application, and one rule that raises on one value, for story 17.
MODULE = "tests.integration.planted"


class Outcome(NamedTuple):
    """How one story ended.

    Attributes:
        story: Which.
        expected: Each check in words.
        seen: What was heard, in short.
        wrong: What is not as expected.
    """

    story: Story
    expected: list[str]
    seen: str
    wrong: list[str]


def perform(kafka: Kafka, stories: Sequence[Story]) -> list[Outcome]:
    """Perform stories; the worker is started and ended here."""
    told = [(story, story.told()) for story in stories]
    settings = kafka.settings(
        session_timeout_s=6, instance_id="the-only-one", checkpoint_s=0.2
    )
    with Worker(settings, module=MODULE) as worker:
        stage = Stage(worker)
        beds = [one for _, bed in told for one in (bed, *bed.twins)]
        asyncio.run(stage.perform(beds))
    return [_outcome(story, bed, stage.heard) for story, bed in told]


def _outcome(story: Story, bed: Bed, heard: dict[str, Heard]) -> Outcome:
    own = [(check, one) for one in (bed, *bed.twins) for check in one.checks]
    wrong = []
    for check, one in own:
        what = check.wrong(heard[one.patient_id])
        if what is not None:
            wrong.append(f"{check.text}: {what}")
    expected = [check.text for check, _ in own]
    return Outcome(story, expected, _seen(bed, heard[bed.patient_id]), wrong)


def _seen(bed: Bed, heard: Heard) -> str:
    rows = [row for row in heard.alerts if row["at"] <= bed.end]
    told = [row for row in rows if row["event"] != "standing"]
    words = [f"{row['at']:g} {row['code']} {row['event']}" for row in told[:6]]
    if len(told) > 6:
        words.append(f"... {len(told)} in all")
    words += [
        f"{'accepted' if answer['accepted'] else 'refused'}"
        for answers in heard.answers.values()
        for answer in answers
    ]
    if heard.letters:
        words.append(f"{len(heard.letters)} dead letters")
    return "; ".join(words) or "nothing"


class _Actor:
    """One bed on its way through its steps."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.base_ms = feed.START_MS
        self.steps = list(bed.steps)
        self.wakes = 0.0
        self.has_begun = False
        self.pacing: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        pacing = self.pacing is not None and not self.pacing.done()
        return pacing or time.monotonic() < self.wakes


def _burst(steps: Iterable[Any]) -> list[Send]:
    burst = []
    for step in steps:
        if not isinstance(step, Send):
            break
        burst.append(step)
    return burst


class Stage:
    """The worker, the patients, and everything that was said.

    Attributes:
        heard: By patient; complete after `perform`.
    """

    def __init__(self, worker: Worker) -> None:
        self.heard: dict[str, Heard] = {}
        self._worker = worker
        self._settings: Settings = worker.settings
        self._producer: Any = None
        self._ear: Any = None
        self._group: Any = None
        self._contents: dict[str, bytes] = {}
        self._seen_results: list[dict[str, Any]] = []
        self._owners: dict[tuple[int, int], str] = {}
        self._ids: dict[str, tuple[str, int]] = {}

    async def perform(self, beds: Sequence[Bed]) -> None:
        """Do the steps of all beds, and hear what is said until all is applied."""
        self._producer = bus.producer(self._settings, linger_ms=5)
        await self._producer.start()
        self._ear = await self._listen()
        self._group = bus.consumer(self._settings, group_id=self._settings.app_id)
        await self._group.start()
        actors = [_Actor(bed) for bed in beds]
        for actor in actors:
            self.heard[actor.bed.patient_id] = Heard(
                actor.base_ms, [], {}, [], [], 0, set()
            )
        try:
            while any(actor.steps or actor.is_busy for actor in actors):
                await self._round(actors)
            await self._hear()
            links = self._links()
        finally:
            await self._producer.stop()
            await self._ear.stop()
            await self._group.stop()
        for patient_id, heard in self.heard.items():
            heard.alerts.sort(key=lambda row: (row["time"], row["order"]))
            self.heard[patient_id] = heard._replace(links=links)

    async def _round(self, actors: Sequence[_Actor]) -> None:
        """Each bed that can goes one step on; then all of that is applied."""
        ready = [a for a in actors if a.steps and not a.is_busy]
        waiting = [a for a in ready if isinstance(a.steps[0], Restart)]
        moving = [a for a in ready if a not in waiting]
        # Hours of messages by themselves: nobody's question waits for them.
        moving = [a for a in moving if len(_burst(a.steps)) > MANY] or moving
        others = [a for a in actors if a not in waiting and (a.steps or a.is_busy)]
        if waiting and not others:
            await self._restart([actor.steps.pop(0) for actor in waiting])
            return
        sent: dict[TopicPartition, int] = {}
        asked = []
        for actor in moving:
            step = actor.steps[0]
            if isinstance(step, Wait):
                actor.wakes = time.monotonic() + actor.steps.pop(0).seconds
            elif isinstance(step, Ask):
                asked.append(await self._ask(actor, actor.steps.pop(0)))
            else:
                burst = _burst(actor.steps)
                del actor.steps[: len(burst)]
                await self._play(actor, burst, sent)
        await self._applied(sent)
        await self._hear()
        await self._answered(asked)
        if not moving:
            await asyncio.sleep(0.1)

    # --- what is done

    async def _play(
        self, actor: _Actor, burst: list[Send], sent: dict[TopicPartition, int]
    ) -> None:
        if actor.bed.is_paced:
            actor.pacing = asyncio.create_task(self._pace(actor, burst))
            return
        base_ms = actor.base_ms
        if actor.bed.is_live:
            # The last message of a burst is now, whatever the others took.
            base_ms = feed.now_ms() - round(1000 * burst[-1].second)
            if not actor.has_begun:
                actor.base_ms = base_ms
                heard = self.heard[actor.bed.patient_id]
                self.heard[actor.bed.patient_id] = heard._replace(base_ms=base_ms)
        actor.has_begun = True
        # Handed over in order; awaited together.
        acks = [await self._send(actor, step, base_ms) for step in burst]
        for ack in acks:
            done = await ack
            tp = TopicPartition(done.topic, done.partition)
            sent[tp] = max(sent.get(tp, 0), done.offset)
            self._owners[done.partition, done.offset] = actor.bed.patient_id

    async def _pace(self, actor: _Actor, burst: list[Send]) -> None:
        begin = time.monotonic() - burst[0].second
        for step in burst:
            await asyncio.sleep(max(0, begin + step.second - time.monotonic()))
            await (await self._send(actor, step, actor.base_ms))

    async def _send(self, actor: _Actor, step: Send, base_ms: int) -> Any:
        value = step.value
        head, mark, rest = value.partition(b'"@')
        if mark:
            second, _, tail = rest.partition(b'"')
            time_ms = base_ms + round(1000 * float(second))
            value = b"%b%d%b" % (head, time_ms, tail)
        patient_id = actor.bed.patient_id
        return await self._producer.send(
            self._settings.topic_prefix + topics.VITALS.name,
            key=patient_id.encode(),
            value=value,
            partition=bus.partition_of(patient_id, self._settings.partitions),
            headers=[] if actor.bed.is_live else [(REPLAY, b"200")],
        )

    async def _ask(self, actor: _Actor, step: Ask) -> tuple[str, int]:
        patient_id = actor.bed.patient_id
        fields: dict[str, Any] = {"by": "rn-okafor"} | step.fields
        if step.code is not None:
            alerts = self.heard[patient_id].alerts
            ids = [row["alert_id"] for row in alerts if row["code"] == step.code]
            fields["alert_id"] = ids[-1] if ids else f"{patient_id}:{step.code}:none"
        command_id = fields.pop("command_id", f"{patient_id}-{step.number}")
        self._ids.setdefault(command_id, (patient_id, step.number))
        fields = {
            name: value(feed.now_ms()) if callable(value) else value
            for name, value in fields.items()
        }
        command = {
            "command_id": command_id,
            "type": CommandType(step.kind),
            "patient_id": patient_id,
            "time": actor.base_ms,
        }
        value = msgspec.json.encode(msgspec.convert(command | fields, Command))
        name = self._settings.topic_prefix + topics.COMMANDS.name
        await self._producer.send_and_wait(name, key=patient_id.encode(), value=value)
        count = sum(row["command_id"] == command_id for row in self._seen_results)
        return command_id, count + 1

    async def _restart(self, steps: list[Any]) -> None:
        down_s = max(step.down_s for step in steps)
        self._worker.kill()
        await asyncio.sleep(down_s)
        await asyncio.to_thread(self._worker.start)

    def _links(self) -> set[str]:
        """Where the worker's own connections go."""
        return {
            f"{link.raddr.ip}:{link.raddr.port}"
            for link in psutil.Process(self._worker.pid).net_connections("inet")
            if link.raddr and link.laddr.port != self._settings.web_port
        }

    # --- what is heard

    async def _listen(self) -> Any:
        names = (
            topics.ALERTS,
            topics.SCORES,
            topics.COMMAND_RESULTS,
            topics.DEAD_LETTERS,
        )
        consumer = bus.consumer(self._settings, auto_offset_reset="earliest")
        await consumer.start()
        consumer.assign(
            [
                TopicPartition(self._settings.topic_prefix + topic.name, number)
                for topic in names
                for number in range(self._settings.partitions if topic.patients else 1)
            ]
        )
        return consumer

    async def _applied(self, sent: dict[TopicPartition, int]) -> None:
        """Wait until the worker has saved what was sent."""
        async with asyncio.timeout(PATIENCE_S):
            for tp, offset in sent.items():
                while True:
                    if (await self._group.committed(tp) or 0) > offset:
                        break
                    await asyncio.sleep(0.05)

    async def _answered(self, asked: list[tuple[str, int]]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            for command_id, count in asked:
                while (
                    sum(row["command_id"] == command_id for row in self._seen_results)
                    < count
                ):
                    await asyncio.sleep(0.05)
                    await self._hear()

    async def _hear(self) -> None:
        """Read all that was said until now."""
        tps = self._ear.assignment()
        ends = await self._ear.end_offsets(tps)
        while any([await self._ear.position(tp) < ends[tp] for tp in tps]):
            for records in (await self._ear.getmany(timeout_ms=100)).values():
                for record in records:
                    self._take(record)

    def _take(self, record: Any) -> None:
        name = record.topic.removeprefix(self._settings.topic_prefix)
        if name == topics.DEAD_LETTERS.name:
            headers = {key: text.decode() for key, text in record.headers}
            place = int(headers["partition"]), int(headers["offset"])
            owner = self._owners.get(place)
            if owner is not None and headers["topic"].endswith(topics.VITALS.name):
                self.heard[owner].letters.append(headers["reason"])
            return
        row = json.loads(record.value)
        if name == topics.COMMAND_RESULTS.name:
            self._seen_results.append(row)
            owner, number = self._ids[row["command_id"]]
            self.heard[owner].answers.setdefault(number, []).append(row)
        elif name == topics.SCORES.name:
            self.heard[row["patient_id"]].scores.append(row)
        else:
            self._take_alert(record, row)

    def _take_alert(self, record: Any, row: dict[str, Any]) -> None:
        heard = self.heard[row["patient_id"]]
        ce_id = dict(record.headers)["ce_id"].decode()
        known = self._contents.setdefault(ce_id, record.value)
        if known is not record.value:
            if known != record.value:
                self.heard[row["patient_id"]] = heard._replace(
                    repeats=heard.repeats + 1
                )
            return
        row["at"] = (row["time"] - heard.base_ms) / 1000
        row["order"] = record.offset
        heard.alerts.append(row)
