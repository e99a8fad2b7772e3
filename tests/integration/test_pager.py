"""The pager as a process, on a real Kafka and a real PostgreSQL."""

import asyncio
import contextlib
import os
import re

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import asyncpg
import msgspec
import pytest
import pytest_asyncio

from click.testing import Result
from typer.testing import CliRunner

from icu_stream import bus, clock, settings
from icu_stream.contracts import topics
from icu_stream.contracts.alerts import Alert, Event, Priority, State
from icu_stream.contracts.audit import AuditEntry, Deed
from icu_stream.contracts.canary import PREFIX
from icu_stream.contracts.commands import Command, CommandResult, CommandType
from icu_stream.contracts.heartbeats import Heartbeat
from icu_stream.contracts.pagers import PagerReport
from icu_stream.pager import command, deadman, plan, service, signature
from icu_stream.settings import Settings
from icu_stream.storage import migrate, postgres
from tests.kafka import Kafka
from tests.paging import KEY, SECRET, PagerProcess, Receiver, alert, receiving, written
from tests.postgres import PASSWORD, Postgres


_COMMAND = msgspec.json.Decoder(Command)
_AUDIT = msgspec.json.Decoder(AuditEntry)


class Hospital:
    """Workers that speak each second, alerts as they state them, commands answered."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.is_silent = False
        self.commands: list[Command] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Hospital":
        self._producer = bus.producer(self.settings)
        await self._producer.start()
        self._reader = bus.consumer(self.settings, topics.COMMANDS.name)
        await self._reader.start()
        await self._reader.seek_to_end()
        self._tasks = [
            asyncio.create_task(self._beat()),
            asyncio.create_task(self._answer()),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._reader.stop()
        await self._producer.stop()

    async def state(self, *alerts: Alert) -> None:
        """Alerts, as workers state them."""
        for one in alerts:
            await self._send(topics.ALERTS, one.patient_id, one)

    async def _beat(self) -> None:
        while True:
            for partition in range(self.settings.partitions):
                if not self.is_silent:
                    beat = Heartbeat(
                        worker="w:1",
                        partition=partition,
                        time=clock.now_ms(),
                        lag=0,
                        patients=1,
                        applied=1,
                        checkpoint_age_s=0,
                    )
                    await self._send(topics.HEARTBEATS, "w:1", beat)
            await asyncio.sleep(0.3)

    async def _answer(self) -> None:
        """Acknowledge what is asked, and say so."""
        async for record in self._reader:
            command = _COMMAND.decode(record.value)
            self.commands.append(command)
            result = CommandResult(
                command_id=command.command_id, accepted=True, type=command.type
            )
            await self._send(topics.COMMAND_RESULTS, command.patient_id, result)
            assert command.alert_id is not None
            patient, code, onset = command.alert_id.rsplit(":", 2)
            seen = alert(
                2,
                Event.ACKNOWLEDGED,
                State.ACKNOWLEDGED,
                patient_id=patient,
                code=code,
                onset=int(onset),
                by=command.by,
            )
            await self.state(seen)

    async def _send(self, topic: topics.Topic, key: str, message: object) -> None:
        await self._producer.send_and_wait(
            self.settings.topic_prefix + topic.name,
            msgspec.json.encode(message),
            key=key.encode(),
        )

    async def audited(self) -> list[AuditEntry]:
        """The audit trail so far."""
        reader = bus.consumer(
            self.settings, topics.AUDIT.name, auto_offset_reset="earliest"
        )
        await reader.start()
        found = []
        while batches := await reader.getmany(timeout_ms=500):
            for records in batches.values():
                found += [_AUDIT.decode(record.value) for record in records]
        await reader.stop()
        return found


@pytest.fixture(scope="module")
def place(kafka: Kafka, postgres_server: Postgres) -> Settings:
    """Topics of their own, and a database with the newest tables."""
    made = postgres_server.database()
    asyncio.run(migrate.upgrade(postgres.Database(made, PASSWORD)))
    return kafka.settings(
        postgres_dsn=made,
        postgres_password=PASSWORD,
        pager_port=0,
        ward_url="https://ward.example/",
        session_timeout_s=6,
    )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hospital(place: Settings) -> AsyncIterator[Hospital]:
    async with Hospital(place) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def receiver(place: Settings) -> AsyncIterator[Receiver]:
    """What persons have; every table of the pager is empty."""
    assert place.postgres_dsn is not None
    connection = await asyncpg.connect(place.postgres_dsn, password=PASSWORD)
    await connection.execute(
        "TRUNCATE icu.pager_alarms, icu.pager_outbox, icu.pager_targets, "
        "icu.pager_answers"
    )
    await connection.close()
    async with receiving() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def engineer() -> AsyncIterator[Receiver]:
    """The second channel's."""
    async with receiving() as running:
        yield running


@contextlib.asynccontextmanager
async def paging(settings: Settings, config: Path) -> AsyncIterator[str]:
    """The pager in this process; gives the address of its answers."""
    stop, lines = asyncio.Event(), asyncio.Queue[str]()
    task = asyncio.create_task(
        service.serve(settings, plan.load(config), stop=stop, say=lines.put_nowait)
    )
    said = asyncio.create_task(lines.get())
    await asyncio.wait({task, said}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield (await said).rsplit(" ", 1)[1]
    finally:
        stop.set()
        async with asyncio.timeout(5):
            await task


CHAIN = (
    '{ after_s = 0, page = ["okafor"] }, { after_s = 4, page = ["lindqvist"] }, '
    '{ after_s = 600, page = ["lindqvist"] }'
)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_pager_that_is_killed_goes_on_in_the_middle_of_an_escalation(
    place, hospital, receiver, tmp_path
):
    """SIGKILL after the first level; nobody is paged twice, and the second level is paged.

    What was stated while nobody was there is read afterwards, and its own first level paged.
    """
    config = written(tmp_path, receiver.url, chain=CHAIN)

    # Before any pager was there: a new one reads what was stated last.
    await hospital.state(alert(patient_id="p-kill-1"))
    first = await asyncio.to_thread(PagerProcess, place, config, tmp_path)
    await receiver.until(lambda r: len(r.of("okafor")) == 1, 20)
    await asyncio.to_thread(first.kill)
    await hospital.state(alert(patient_id="p-kill-2"))
    second = await asyncio.to_thread(PagerProcess, place, config, tmp_path)
    await receiver.until(lambda r: len(r.of("lindqvist")) == 2, 30)
    code = await asyncio.to_thread(second.stop)

    assert code == 0
    paged = [(got.path, got.data["dedup_key"].split(":")[0]) for got in receiver.got]
    # What was on its way when it was killed may come again, with the same id.
    assert len({got.id for got in receiver.got}) == 4
    assert set(paged) == {
        (name, patient)
        for name in ("okafor", "lindqvist")
        for patient in ("p-kill-1", "p-kill-2")
    }
    said = first.log.read_text()
    assert "page_sent" in said
    assert SECRET not in said
    assert PASSWORD not in said


@pytest.mark.asyncio(loop_scope="module")
async def test_canaries_low_alarms_and_what_is_no_alert_page_nobody(
    place, hospital, receiver, tmp_path
):
    config = written(tmp_path, receiver.url)

    async with paging(place, config):
        await hospital.state(
            alert(patient_id=f"{PREFIX}1"),
            alert(priority=Priority.LOW, code="temp.high"),
        )
        await hospital._producer.send_and_wait(
            f"{place.topic_prefix}alerts", b"{broken", key=b"p-9"
        )
        await hospital.state(alert(patient_id="p-last"))
        await receiver.until(lambda r: r.of("okafor"))

    assert [got.data["dedup_key"][:6] for got in receiver.got] == ["p-last"]


async def answer(
    address: str,
    body: dict[str, str],
    *,
    id_: str = "msg_1",
    person: str = "okafor",
    late_s: int = 0,
    key: bytes = KEY,
    raw: bytes | None = None,
) -> tuple[int, str]:
    """Answer as a hospital's own pagers do."""
    sent = msgspec.json.encode(body) if raw is None else raw
    time_s = clock.now_ms() // 1000 - late_s
    headers = signature.headers(key, id_, time_s, sent)
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{address}{person}", data=sent, headers=headers) as answered,
    ):
        return answered.status, await answered.text()


@pytest.mark.asyncio(loop_scope="module")
async def test_an_answer_acknowledges_in_the_persons_name_and_stops_the_chain(
    place, hospital, receiver, tmp_path
):
    chain = '{ after_s = 0, page = ["okafor"] }, { after_s = 2, page = ["lindqvist"] }'
    config = written(tmp_path, receiver.url, chain=chain)

    async with paging(place, config) as address:
        await hospital.state(alert(patient_id="p-answer"))
        await receiver.until(lambda r: r.of("okafor"))
        page = receiver.got[0].id
        statuses = [
            await answer(address, {"delivery": page, "answer": said}, id_=f"msg_{said}")
            for said in ("delivered", "read", "accepted")
        ]
        await receiver.until(lambda r: r.of("okafor", "acknowledge"))
        await asyncio.sleep(2.2)

    assert [status for status, _ in statuses] == [200, 200, 200]
    [command] = hospital.commands
    assert (command.type, command.by) == (CommandType.ACKNOWLEDGE, "RN Okafor")
    assert command.alert_id == "p-answer:spo2.desat:1795492541000"
    assert command.station == "pager"
    assert receiver.of("okafor", "acknowledge")[0].data["by"] == "RN Okafor"
    assert receiver.of("lindqvist") == []
    connection = await asyncpg.connect(place.postgres_dsn, password=PASSWORD)
    row = await connection.fetchrow(
        "SELECT * FROM icu.pager_outbox WHERE delivery = $1", page
    )
    await connection.close()
    assert None not in (row["delivered_at"], row["read_at"], row["accepted_at"])


@pytest.mark.asyncio(loop_scope="module")
async def test_who_cannot_come_says_so_and_the_next_one_is_paged_at_once(
    place, hospital, receiver, tmp_path
):
    config = written(tmp_path, receiver.url)

    async with paging(place, config) as address:
        await hospital.state(alert(patient_id="p-reject"))
        await receiver.until(lambda r: r.of("okafor"))
        page = receiver.got[0].id
        assert (await answer(address, {"delivery": page, "answer": "rejected"}))[
            0
        ] == 200
        await receiver.until(lambda r: r.of("lindqvist"))


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_forged_stale_replayed_or_oversized_is_refused_and_audited(
    place, hospital, receiver, tmp_path
):
    config = written(tmp_path, receiver.url)
    hospital.commands.clear()

    async with paging(place, config) as address:
        await hospital.state(alert(patient_id="p-forged"))
        await receiver.until(lambda r: r.of("okafor"))
        read = {"delivery": receiver.got[0].id, "answer": "read"}
        accepted = read | {"answer": "accepted"}
        taken = await answer(address, read, id_="msg_honest")
        refused = {
            "forged": await answer(address, accepted, key=b"x" * 32),
            "stale": await answer(address, accepted, late_s=301),
            "ahead": await answer(address, accepted, late_s=-302),
            "replayed": await answer(address, read, id_="msg_honest"),
            "same id, other answer": await answer(address, accepted, id_="msg_honest"),
            "oversized": await answer(address, {}, raw=b" " * 5_000),
            "another's page": await answer(address, accepted, person="lindqvist"),
            "nobody": await answer(address, accepted, person="nobody"),
            "nonsense": await answer(address, {}, raw=b"[1", id_="msg_2"),
        }
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{address}okafor", json=accepted) as unsigned,
        ):
            refused["unsigned"] = (unsigned.status, "")
        async with asyncio.timeout(10):
            wanted = len(refused)
            while len(told := await refusals(hospital)) < wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.1)  # each look takes half a second

    assert taken[0] == 200
    assert {what: status for what, (status, _) in refused.items()} == {
        "forged": 401,
        "stale": 401,
        "ahead": 401,
        "replayed": 409,
        "same id, other answer": 409,
        "oversized": 413,
        "another's page": 404,
        "nobody": 401,
        "nonsense": 400,
        "unsigned": 400,
    }
    assert refused["forged"][1] == refused["nobody"][1]
    assert hospital.commands == []
    assert [entry.by for entry in told].count("") == 1
    assert {entry.how for entry in told} == {"answer"}
    reasons = " ".join(entry.reason or "" for entry in told)
    for word in ("forged", "stale", "replayed", "oversized", "missing"):
        assert word in reasons


async def refusals(hospital: Hospital) -> list[AuditEntry]:
    return [one for one in await hospital.audited() if one.deed is Deed.REFUSAL]


@pytest.mark.asyncio(loop_scope="module")
async def test_honest_answers_come_through_a_flood_of_forged_ones(
    place, hospital, receiver, tmp_path
):
    config = written(tmp_path, receiver.url)

    async with paging(place, config) as address:
        await hospital.state(alert(patient_id="p-flood"))
        await receiver.until(lambda r: r.of("okafor"))
        read = {"delivery": receiver.got[0].id, "answer": "read"}
        flood = [await answer(address, read, key=b"x" * 32) for _ in range(40)]
        honest = await answer(address, read, id_="msg_flood")

    assert {status for status, _ in flood} == {401, 429}
    assert honest[0] == 200


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes 30 s takes 1.5 s."""
    monkeypatch.setattr(deadman, "SILENT_MS", 1_500)
    monkeypatch.setattr(deadman, "STEADY_MS", 500)
    monkeypatch.setattr(service, "_STORE_S", 0.2)
    monkeypatch.setattr(service, "_DEADMAN_S", 0.2)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_deadman_pages_by_the_second_channel_and_says_when_it_is_over(
    place, hospital, receiver, engineer, tmp_path, soon
):
    config = written(tmp_path, receiver.url, backup=f"{engineer.url}engineer")

    async with paging(place, config) as address:
        await asyncio.sleep(2)
        assert engineer.got == []
        hospital.is_silent = True
        await engineer.until(lambda r: r.of("engineer", "trigger"))
        async with (
            aiohttp.ClientSession() as client,
            client.get(address.replace("answers/", "readyz")) as ready,
        ):
            assert (ready.status, await ready.text()) == (503, "worker")
        hospital.is_silent = False
        await engineer.until(lambda r: r.of("engineer", "resolve"))

    trigger, resolve = engineer.got
    assert trigger.data["code"] == "system.worker"
    assert trigger.data["text"].startswith("no worker speaks for partitions 0")
    assert trigger.data["dedup_key"] == resolve.data["dedup_key"]
    assert receiver.got == []


@pytest.mark.asyncio(loop_scope="module")
async def test_a_pager_says_on_kafka_that_it_lives_and_how_pages_stand(
    place, hospital, receiver, tmp_path
):
    reader = bus.consumer(place, topics.PAGERS.name)
    await reader.start()
    await reader.seek_to_end()

    async with paging(place, written(tmp_path, receiver.url)), asyncio.timeout(10):
        report = msgspec.json.decode((await reader.getone()).value, type=PagerReport)
    await reader.stop()

    assert report.pager.endswith(f":{os.getpid()}")
    assert (report.waiting, report.overdue_s, report.dead) == (0, 0.0, 0)
    assert report.troubles == []


@pytest.mark.asyncio(loop_scope="module")
async def test_without_postgresql_alerts_wait_and_the_second_channel_says_so(
    place, hospital, receiver, engineer, tmp_path, soon, postgres_server
):
    config = written(tmp_path, receiver.url, backup=f"{engineer.url}engineer")

    async with paging(place, config):
        await hospital.state(alert(patient_id="p-store-1"))
        await receiver.until(lambda r: len(r.got) == 1)
        postgres_server.stop()
        try:
            await hospital.state(alert(patient_id="p-store-2"))
            await engineer.until(lambda r: r.of("engineer", "trigger"))
        finally:
            # Here, and not in a thread: it would die with the thread that started it.
            postgres_server.start()
        await receiver.until(lambda r: len(r.got) == 2)
        await engineer.until(lambda r: r.of("engineer", "resolve"))

    assert engineer.got[0].data["code"] == "system.store"
    assert [got.data["dedup_key"][:9] for got in receiver.got] == [
        "p-store-1",
        "p-store-2",
    ]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_dead_letter_is_told_by_the_second_channel(
    place, hospital, receiver, engineer, tmp_path
):
    receiver.act = lambda got: 410 if got.path == "okafor" else 200
    config = written(tmp_path, receiver.url, backup=f"{engineer.url}engineer")

    async with paging(place, config):
        await hospital.state(alert(patient_id="p-dead"))
        await engineer.until(lambda r: r.got)
        await receiver.until(lambda r: r.of("lindqvist"))

    told = engineer.got[0].data
    assert told["text"] == "a page to okafor/hook was not delivered: answered 410"
    assert told["code"] == "system.undelivered"


@pytest.fixture
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No `.env` file, and nothing remembered."""
    monkeypatch.chdir(tmp_path)
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()


@pytest.mark.asyncio(loop_scope="module")
async def test_the_command_line_checks_a_configuration_and_sends_test_pages(
    receiver, tmp_path, own_settings
):
    config = written(tmp_path, receiver.url)
    receiver.act = lambda got: 200 if got.path == "okafor" else 404

    async def run(*arguments: str) -> Result:
        env = {"ICU_PAGER_CONFIG": str(config)}
        return await asyncio.to_thread(
            CliRunner().invoke, command.app, arguments, env=env
        )

    checked = await run("check", str(config))
    taken = await run("test", "okafor")
    refused = await run("test", "lindqvist")
    nobody = await run("test", "nobody")
    secret = await run("secret")
    config.write_text(config.read_text().replace("answers", "anwsers", 1))
    wrong = await run("check")

    assert checked.exit_code == 0
    assert "all (*), high: 0 s RN Okafor, 60 s RN Lindqvist, again" in checked.output
    assert (taken.exit_code, taken.output) == (0, "okafor/hook by webhook: taken\n")
    assert refused.exit_code == 1
    assert "not taken: answered 404" in refused.output
    assert receiver.got[0].data["code"] == "system.test"
    assert str(nobody.exception) == "no person 'nobody': have okafor, lindqvist, backup"
    assert len(signature.key(secret.output.strip())) == 32
    said = str(wrong.exception)
    assert re.search(r"pager.toml, line \d+, person.okafor.anwsers: no such", said)
    assert SECRET not in checked.output + taken.output + refused.output
