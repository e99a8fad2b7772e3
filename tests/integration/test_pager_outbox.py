"""The pager's outbox on a real PostgreSQL: nothing is lost, nothing is paged twice."""

import asyncio
import contextlib
import multiprocessing
import re

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from icu_stream import clock
from icu_stream.contracts.alerts import Event, Priority, State
from icu_stream.pager import outbox, plan, retry, sender
from icu_stream.pager.outbox import Lost, Outbox
from icu_stream.pager.plan import Plan
from icu_stream.pager.posting import Post
from icu_stream.pager.sender import Sender
from icu_stream.settings import Settings
from icu_stream.storage import migrate, postgres
from tests import pager_child
from tests.paging import (
    SECRET,
    Got,
    Receiver,
    after,
    alert,
    planned,
    receiving,
    written,
)
from tests.postgres import PASSWORD, Postgres


@pytest.fixture(scope="module")
def dsn(postgres_server: Postgres) -> str:
    """A database with the newest tables."""
    made = postgres_server.database()
    asyncio.run(migrate.upgrade(postgres.Database(made, PASSWORD)))
    return made


@pytest_asyncio.fixture
async def pool(dsn: str) -> AsyncIterator[Any]:
    """Connections to it; every table of the pager is empty."""
    settings = Settings(_env_file=None, postgres_dsn=dsn, postgres_password=PASSWORD)
    async with postgres.pool(settings, most=8) as opened:
        await opened.execute(
            "TRUNCATE icu.pager_alarms, icu.pager_outbox, icu.pager_targets, "
            "icu.pager_answers"
        )
        yield opened


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


class Desk:
    """One pager's outbox and sender, without Kafka."""

    def __init__(self, pool: Any, made: Plan, name: str = "a") -> None:
        self.outbox = Outbox(pool, made, "https://ward.example/", name)
        self.plan = made
        self.pool = pool
        self.lost: list[Lost] = []
        self.back: list[str] = []

    @contextlib.asynccontextmanager
    async def sending(self, lease_s: float | None = None) -> AsyncIterator["Desk"]:
        """A sender, and what brings its chains forward, while the block lasts."""
        post = Post(self.plan.timeout_s)
        channels = self.plan.connect(post, "en")
        sending = Sender(
            self.outbox,
            self.plan,
            channels,
            self.lost.append,
            self.back.append,
            lease_s,
        )
        tasks = [
            asyncio.create_task(sending.run()),
            asyncio.create_task(self._advance()),
        ]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await post.close()

    async def _advance(self) -> None:
        while True:
            while (lost := await self.outbox.advance()) is not None:
                self.lost += lost
            await asyncio.sleep(0.02)

    async def rows(self, what: str = "target, action, state") -> list[tuple[Any, ...]]:
        found = await self.pool.fetch(
            f"SELECT {what} FROM icu.pager_outbox o ORDER BY id"  # noqa: S608 - of a test
        )
        return [tuple(row) for row in found]

    async def settled(self, timeout_s: float = 60) -> None:
        async with asyncio.timeout(timeout_s):
            while (await self.outbox.tally()).waiting:  # noqa: ASYNC110 - others change it
                await asyncio.sleep(0.02)


async def test_one_row_an_alarm_target_and_action_however_often_it_comes(
    pool, tmp_path
):
    desk = Desk(pool, planned(tmp_path, "http://127.0.0.1:9/"))
    raised = alert()
    standing = alert(event=Event.STANDING)

    for _ in range(3):
        await desk.outbox.take_all([raised, standing, raised])

    assert await desk.rows("alert_id, target, action, state") == [
        ("p-0007:spo2.desat:1795492541000", "okafor/hook", "trigger", "waiting")
    ]


async def test_two_pagers_that_have_the_same_record_page_once(pool, tmp_path):
    made = planned(tmp_path, "http://127.0.0.1:9/")
    desks = [Desk(pool, made, name) for name in "abcd"]
    alerts = [alert(patient_id=f"p-{n}") for n in range(10)]

    await asyncio.gather(*(desk.outbox.take_all(alerts) for desk in desks))

    assert len(await desks[0].rows()) == 10


async def test_trigger_acknowledge_and_resolve_follow_the_alarm(
    pool, receiver, tmp_path
):
    desk = Desk(pool, planned(tmp_path, receiver.url))
    raised = alert()
    seen = after(raised, Event.ACKNOWLEDGED, State.ACKNOWLEDGED, by="RN Lindqvist")
    reminded = after(seen, Event.REMINDED, State.ACTIVE)
    over = after(reminded, Event.CLEARED, State.CLEARED)

    async with desk.sending():
        for one in (raised, seen, reminded, over):
            await desk.outbox.take_all([one])
            await desk.settled()

    assert [got.action for got in receiver.got] == [
        "trigger",
        "acknowledge",
        "trigger",
        "resolve",
    ]
    assert receiver.got[1].data["by"] == "RN Lindqvist"
    assert len({got.data["dedup_key"] for got in receiver.got}) == 1
    assert len({got.id for got in receiver.got}) == 4


async def test_what_gets_worse_pages_whoever_was_paged_again(pool, receiver, tmp_path):
    desk = Desk(pool, planned(tmp_path, receiver.url))
    raised = alert()

    async with desk.sending():
        await desk.outbox.take_all([raised])
        await desk.outbox.take_all([after(raised, Event.WORSENED, State.ACTIVE)])
        await desk.settled()

    assert len(receiver.of("okafor", "trigger")) == 2


async def test_a_page_of_an_alarm_that_is_over_is_not_sent_unless_it_is_high(
    pool, receiver, tmp_path
):
    desk = Desk(pool, planned(tmp_path, receiver.url))
    high = alert(patient_id="p-high")
    medium = alert(patient_id="p-medium", priority=Priority.MEDIUM)

    for raised in (high, medium):
        await desk.outbox.take_all([raised])
        await desk.outbox.take_all([after(raised, Event.CLEARED, State.CLEARED)])
    async with desk.sending():
        await desk.settled()

    assert [(got.data["dedup_key"][:6], got.action) for got in receiver.got] == [
        ("p-high", "trigger"),
        ("p-high", "resolve"),
    ]
    assert sorted(await desk.rows("priority, action, state")) == [
        ("high", "resolve", "sent"),
        ("high", "trigger", "sent"),
        ("medium", "trigger", "dropped"),
    ]


async def test_acknowledged_before_it_was_sent_it_is_not_sent(pool, receiver, tmp_path):
    desk = Desk(pool, planned(tmp_path, receiver.url))
    raised = alert()

    await desk.outbox.take_all([raised])
    seen = after(raised, Event.ACKNOWLEDGED, State.ACKNOWLEDGED, by="RN Okafor")
    await desk.outbox.take_all([seen])
    async with desk.sending():
        await desk.settled()

    assert receiver.got == []


LEVELS = (
    '{ after_s = 0, page = ["okafor"] }, '
    '{ after_s = 0.3, page = ["lindqvist"] }, { after_s = 0.6, page = ["meyer"] }'
)
THREE = ("okafor", "lindqvist", "meyer")


async def test_levels_are_paged_one_after_the_other_until_somebody_has_seen_it(
    pool, receiver, tmp_path
):
    made = planned(tmp_path, receiver.url, people=THREE, chain=LEVELS)
    desk = Desk(pool, made)
    raised = alert()

    async with desk.sending():
        await desk.outbox.take_all([raised])
        await receiver.until(lambda r: r.of("lindqvist", "trigger"))
        seen = after(raised, Event.ACKNOWLEDGED, State.ACKNOWLEDGED, by="RN Okafor")
        await desk.outbox.take_all([seen])
        await asyncio.sleep(0.5)
        await desk.settled()

    first, second = receiver.of("okafor")[0], receiver.of("lindqvist")[0]
    assert 0.25 <= second.at_s - first.at_s <= 10
    assert (first.data["level"], second.data["level"]) == (1, 2)
    assert receiver.of("meyer") == []
    assert {got.path for got in receiver.got if got.action == "acknowledge"} == {
        "okafor",
        "lindqvist",
    }


async def test_after_the_last_level_a_chain_begins_anew(pool, receiver, tmp_path):
    chain = (
        '{ after_s = 0, page = ["okafor"] }, { after_s = 0.1, page = ["lindqvist"] }'
    )
    desk = Desk(pool, planned(tmp_path, receiver.url, chain=chain, repeat_s=0.2))

    async with desk.sending():
        await desk.outbox.take_all([alert()])
        await receiver.until(lambda r: len(r.of("okafor")) >= 2)

    assert [got.path for got in receiver.got][:3] == ["okafor", "lindqvist", "okafor"]


async def test_an_escalation_goes_on_where_it_was_after_a_restart(
    pool, receiver, tmp_path
):
    made = planned(tmp_path, receiver.url, people=THREE, chain=LEVELS)
    before, restarted = Desk(pool, made, "a"), Desk(pool, made, "b")

    async with before.sending():
        await before.outbox.take_all([alert()])
        await receiver.until(lambda r: r.of("okafor"))
    await asyncio.sleep(0.4)  # nobody is there when the second level is due
    async with restarted.sending():
        await receiver.until(lambda r: r.of("meyer"))

    assert [got.path for got in receiver.got] == list(THREE)
    gap_s = receiver.of("meyer")[0].at_s - receiver.of("lindqvist")[0].at_s
    assert gap_s >= 0.25  # what was missed is made up for, and not all of it at once


async def test_an_alarm_that_nobody_states_for_an_hour_pages_nobody_else_and_is_told(
    pool, tmp_path
):
    """Its worker has lost it; else its chain would begin anew for ever."""
    desk = Desk(pool, planned(tmp_path, "http://127.0.0.1:9/"))
    stated, lost = alert(patient_id="p-stated"), alert(patient_id="p-lost")
    await desk.outbox.take_all([stated, lost])
    await pool.execute(
        "UPDATE icu.pager_alarms SET next_at = now(), "
        "heard_at = now() - interval '61 minutes'"
    )

    standing = alert(event=Event.STANDING, patient_id="p-stated")
    await desk.outbox.take_all([standing])
    told = []
    while (found := await desk.outbox.advance()) is not None:
        told += found

    assert [(one.target, one.page.dedup_key[:6], one.reason) for one in told] == [
        ("unit all", "p-lost", "nobody states the alarm")
    ]
    assert [row[0] for row in await desk.rows("target")].count("lindqvist/hook") == 1


async def test_what_is_over_is_forgotten_after_its_time_and_what_is_open_is_not(
    pool, receiver, tmp_path
):
    desk = Desk(pool, planned(tmp_path, receiver.url))
    over, open_ = alert(patient_id="p-over"), alert(patient_id="p-open")
    async with desk.sending():
        await desk.outbox.take_all([over, open_])
        await desk.outbox.take_all([after(over, Event.CLEARED, State.CLEARED)])
        await desk.settled()
    await pool.execute("UPDATE icu.pager_outbox SET made_at = now() - interval '31 d'")
    await pool.execute(
        "UPDATE icu.pager_alarms SET changed_at = now() - interval '31 d'"
    )

    await desk.outbox.forget(30)

    assert await desk.rows() == []
    alarms = await pool.fetch("SELECT patient_id FROM icu.pager_alarms")
    assert [row["patient_id"] for row in alarms] == ["p-open"]


def together(claim: Callable[..., Any], both: asyncio.Barrier) -> Callable[..., Any]:
    """After its first claim each sender waits for the other's: neither is there alone."""
    is_first = True

    async def claimed(*given: Any) -> Any:
        nonlocal is_first
        rows = await claim(*given)
        if is_first and rows:
            is_first = False
            await both.wait()
        return rows

    return claimed


async def test_two_senders_side_by_side_send_each_page_once(
    pool, receiver, tmp_path, monkeypatch
):
    monkeypatch.setattr(sender, "MOST", 4)  # else one of them takes all at once
    people = tuple(f"n{i}" for i in range(10))
    who = ", ".join(f'"{name}"' for name in people)
    chain = f"{{ after_s = 0, page = [{who}] }}"
    made = planned(tmp_path, receiver.url, people=people, chain=chain)
    first, second = Desk(pool, made, "a"), Desk(pool, made, "b")
    await first.outbox.take_all([alert(patient_id=f"p-{n}") for n in range(15)])
    both = asyncio.Barrier(2)
    for desk in (first, second):
        monkeypatch.setattr(desk.outbox, "claim", together(desk.outbox.claim, both))

    async with first.sending(), second.sending():
        await first.settled(30)

    assert len(receiver.got) == len({got.id for got in receiver.got}) == 150
    took = dict(await first.rows("id, lease"))
    assert set(took.values()) == {"a", "b"}


def answers(*given: Any) -> Callable[[Got], Any]:
    """One after the other; the last one for ever."""
    left = list(given)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of 20 ms instead of a second."""
    monkeypatch.setattr(retry, "FIRST_S", 0.02)


@pytest.mark.parametrize(
    "first", [(429, {"Retry-After": "1"}), 500, 503, "hang", "reset"]
)
async def test_what_fails_is_tried_again_with_the_same_id(
    pool, receiver, tmp_path, quick, first
):
    receiver.act = answers(first, 200)
    desk = Desk(pool, planned(tmp_path, receiver.url, timeout_s=0.3))

    async with desk.sending():
        await desk.outbox.take_all([alert()])
        await desk.settled()

    tried, taken = receiver.got
    assert tried.id == taken.id
    assert tried.data == taken.data
    if isinstance(first, tuple):
        assert taken.at_s - tried.at_s >= 1
    assert await desk.rows("state, attempts") == [("sent", 2)]
    assert await desk.outbox.tally() == (0, 0, 1, 0)
    assert desk.lost == []


async def test_a_target_that_is_gone_is_never_tried_again_and_the_next_level_is_paged(
    pool, receiver, tmp_path
):
    receiver.act = lambda got: 410 if got.path == "okafor" else 200
    made = planned(tmp_path, receiver.url)
    desk = Desk(pool, made)

    async with desk.sending():
        await desk.outbox.take_all([alert()])
        await receiver.until(lambda r: r.of("lindqvist"))
        desk.lost += await desk.outbox.take_all([alert(patient_id="p-0008")])
        await receiver.until(lambda r: len(r.of("lindqvist")) == 2)
        await desk.settled()

    assert len(receiver.of("okafor")) == 1
    assert [lost.target for lost in desk.lost] == ["okafor/hook"] * 2
    assert all("410" in lost.reason for lost in desk.lost)

    assert await desk.outbox.revive(made.targets["okafor/hook"])
    receiver.act = lambda _: 200
    async with desk.sending():
        await desk.outbox.take_all([alert(patient_id="p-0009")])
        await desk.settled()
    assert len(receiver.of("okafor")) == 2


async def test_a_page_that_is_refused_is_a_dead_letter_at_once(
    pool, receiver, tmp_path
):
    receiver.act = lambda got: 404 if got.path == "okafor" else 200
    desk = Desk(pool, planned(tmp_path, receiver.url))

    async with desk.sending():
        await desk.outbox.take_all([alert()])
        await receiver.until(lambda r: r.of("lindqvist"))
        await desk.settled()

    [lost] = desk.lost
    assert (lost.target, lost.reason) == ("okafor/hook", "answered 404")
    assert ("okafor/hook", "trigger", "dead") in await desk.rows()


async def test_after_its_window_a_page_is_given_up_loudly(
    pool, receiver, tmp_path, quick
):
    receiver.act = lambda _: 503
    made = planned(tmp_path, receiver.url, window_s=10)._replace(window_s=1.5)
    desk = Desk(pool, made)

    async with desk.sending():
        await desk.outbox.take_all([alert(priority=Priority.MEDIUM)])
        await desk.settled()

    [lost] = desk.lost
    assert re.fullmatch(r"given up after \d+ attempts: answered 503", lost.reason)
    assert len(receiver.got) >= 3
    assert len({got.id for got in receiver.got}) == 1


async def test_a_target_that_hangs_keeps_no_other_from_its_pages(
    pool, receiver, tmp_path
):
    people = ("okafor", "lindqvist")
    chain = '{ after_s = 0, page = ["okafor", "lindqvist"] }'
    receiver.act = lambda got: "hang" if got.path == "okafor" else 200
    made = planned(tmp_path, receiver.url, people=people, chain=chain, timeout_s=2)
    desk = Desk(pool, made)

    async with desk.sending():
        began_s = clock.monotonic_s()
        await desk.outbox.take_all([alert(patient_id=f"p-{n}") for n in range(40)])
        await receiver.until(lambda r: len(r.of("lindqvist")) == 40)
        took_s = clock.monotonic_s() - began_s

    assert took_s < 5 * made.timeout_s  # one after the other they would take 40 of it
    assert len(receiver.of("okafor")) <= 8  # four at once, of which each takes 2 s


async def test_a_storm_is_ten_pages_and_a_digest_and_every_high_one(
    pool, receiver, tmp_path, monkeypatch
):
    monkeypatch.setattr(outbox, "GATHER_S", 0.5)
    desk = Desk(pool, planned(tmp_path, receiver.url))
    medium = [
        alert(patient_id=f"p-{n:02}", priority=Priority.MEDIUM, bed=f"ICU1-{n:02}")
        for n in range(30)
    ]
    high = [alert(patient_id=f"p-{n:02}", code="hr.asystole") for n in range(15)]

    async with desk.sending():
        await desk.outbox.take_all(medium)
        await desk.outbox.take_all(high)
        # One of those that stand in the digest is over before it is sent.
        await desk.outbox.take_all([after(medium[-1], Event.CLEARED, State.CLEARED)])
        await desk.settled()

    triggers = receiver.of("okafor", "trigger")
    by_priority = [got.data["priority"] for got in triggers]
    assert (by_priority.count("medium"), by_priority.count("high")) == (10, 15)
    [digest] = receiver.of("okafor", "digest")
    assert [line["bed"] for line in digest.data["alarms"]] == [
        f"ICU1-{n:02}" for n in range(10, 29)
    ]
    assert digest.data["title"].startswith("19 more alarms at ICU1-10, ICU1-11")
    assert len(receiver.got) == 26


async def test_what_is_over_before_its_digest_makes_none(
    pool, receiver, tmp_path, monkeypatch
):
    monkeypatch.setattr(outbox, "GATHER_S", 0.3)
    desk = Desk(pool, planned(tmp_path, receiver.url))
    medium = [
        alert(patient_id=f"p-{n:02}", priority=Priority.MEDIUM) for n in range(11)
    ]

    async with desk.sending():
        await desk.outbox.take_all(medium)
        await desk.outbox.take_all([after(medium[-1], Event.CLEARED, State.CLEARED)])
        await desk.settled()

    assert len(receiver.got) == 10


async def test_a_sender_survives_a_restart_of_postgresql(
    pool, receiver, tmp_path, postgres_server
):
    desk = Desk(pool, planned(tmp_path, receiver.url))

    async with desk.sending(lease_s=1):
        await desk.outbox.take_all([alert(patient_id="p-1")])
        await receiver.until(lambda r: len(r.got) == 1)
        postgres_server.stop()
        with pytest.raises(Exception, match="PostgreSQL"):
            await desk.outbox.take_all([alert(patient_id="p-2")])
        # Here, and not in a thread: it would die with the thread that started it.
        postgres_server.start()
        await desk.outbox.take_all([alert(patient_id="p-2")])
        await receiver.until(lambda r: len({got.id for got in r.got}) == 2)


async def test_no_log_and_no_row_holds_a_secret_whatever_fails(
    pool, tmp_path, capfd, quick
):
    """Every channel, at a port where nobody is, and at one that answers nonsense."""
    key = tmp_path / "key"
    key.write_text("hunter2hunter2hunter2hunter2hun2\n")

    def ways(port: int) -> str:
        return f"""
[person.okafor.target.ntfy{port}]
channel = "ntfy"
url = "http://127.0.0.1:{port}/"
topic = {{ file = "{key}" }}
token = {{ file = "{key}" }}
[person.okafor.target.pd{port}]
channel = "pagerduty"
url = "http://127.0.0.1:{port}/hunter2"
routing_key = {{ file = "{key}" }}
[person.okafor.target.path{port}]
channel = "webhook"
url = "http://127.0.0.1:{port}/hunter2"
secret = {{ file = "{tmp_path / "secret"}" }}
[person.okafor.target.mail{port}]
channel = "email"
host = "127.0.0.1"
port = {port}
tls = "none"
to = "a@b.example"
from = "a@b.example"
username = "okafor"
password = {{ file = "{key}" }}
"""

    async with receiving() as nonsense:
        nonsense.act = lambda _: 400
        config = written(
            tmp_path,
            "http://127.0.0.1:9/",
            window_s=10,
            timeout_s=0.5,
            more=ways(9) + ways(nonsense.port),
        )
        desk = Desk(pool, plan.load(config)._replace(window_s=0.5))
        async with desk.sending():
            await desk.outbox.take_all([alert(priority=Priority.MEDIUM)])
            await desk.settled()

    said = "".join(capfd.readouterr())
    kept = await desk.rows("o::text")
    told = repr(desk.lost)
    assert len(desk.lost) == 9
    assert "page_retried" in said
    assert not [text for text in (said, repr(kept), told) if "hunter2" in text]
    assert not [text for text in (said, repr(kept), told) if SECRET in text]


class Killing:
    """A receiver that kills whoever sends: when it connects, has sent, or was answered."""

    def __init__(self) -> None:
        self.got: dict[str, set[bytes]] = {}
        self.count = 0
        self.points = 0
        self.kill: Callable[[], None] | None = None
        self.point = "connects"

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        self._server.close()

    def _reach(self, point: str) -> bool:
        """Is this where it dies?"""
        if self.kill is None or self.point != point:
            return False
        kill, self.kill = self.kill, None
        kill()
        self.points += 1
        return True

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while not self._reach("connects"):
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(re.search(rb"Content-Length: (\d+)", head)[1])  # type: ignore[index]
                body = await reader.readexactly(length)
                id_ = re.search(rb"webhook-id: (\S+)", head)[1].decode()  # type: ignore[index]
                self.got.setdefault(id_, set()).add(body)
                self.count += 1
                if self._reach("has sent"):
                    break
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                if self._reach("was answered"):
                    break
        writer.close()


@pytest.fixture(scope="module")
def forks() -> Iterator[Any]:
    """What starts senders: a process that has imported them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.pager_child"])
    return context


async def test_a_sender_that_is_killed_fifty_times_loses_nothing_and_doubles_no_id(
    pool, dsn, tmp_path: Path, forks
):
    """Between leasing and sending, sending and answer, answer and settling.

    What holds: each page comes at least once, and each time with the id and the body that it
    came with first. A receiver that drops an id which it has seen gets each page once.
    """
    receiver = Killing()
    port = await receiver.start()
    people = tuple(f"n{i}" for i in range(6))
    who = ", ".join(f'"{name}"' for name in people)
    config = written(
        tmp_path,
        f"http://127.0.0.1:{port}/",
        people=people,
        chain=f"{{ after_s = 0, page = [{who}] }}",
    )
    desk = Desk(pool, plan.load(config))

    def start(number: int) -> Any:
        arguments = (dsn, PASSWORD, config, f"s{number}", 0.1)
        process = forks.Process(target=pager_child.send, args=arguments)
        process.start()
        return process

    for number in range(50):
        # Something is always there to be sent.
        await desk.outbox.take_all([alert(patient_id=f"p-{number}")])
        receiver.point = ("connects", "has sent", "was answered")[number % 3]
        process = start(number)
        receiver.kill = process.kill
        async with asyncio.timeout(20):
            while process.is_alive():  # noqa: ASYNC110 - a process says nothing
                await asyncio.sleep(0.005)
        process.join()
    last = start(50)
    await desk.settled(60)
    last.kill()
    last.join()
    receiver.close()

    rows = await desk.rows("delivery, state")
    assert receiver.points == 50
    assert {state for _, state in rows} == {"sent"}
    assert set(receiver.got) == {delivery for delivery, _ in rows}
    assert len(rows) == 50 * 6
    assert all(len(bodies) == 1 for bodies in receiver.got.values())
    assert len(rows) <= receiver.count <= len(rows) + 50 * 4 * 6
