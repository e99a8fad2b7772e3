"""A page from the heart to the answer: `python -m tests.browser.paging_run docs/img`.

A story of the simulator at one bed of the real chain (`tests.browser.chain`), the real
`icu-stream pager` with a real PostgreSQL, and a receiver on loopback for what hospitals
have. Nobody answers the first page; the second level does, by a signed webhook, and the
ward view shows who has seen it. What is measured is drawn: `paging.svg`.
"""

import asyncio
import contextlib
import shutil
import sys

from collections.abc import AsyncIterator
from html import escape
from pathlib import Path
from typing import NamedTuple

import aiohttp
import msgspec

from playwright.async_api import Page, async_playwright

from icu_stream import bus, clock
from icu_stream.contracts import topics
from icu_stream.contracts.alerts import Alert, Event
from icu_stream.contracts.commands import CommandType
from icu_stream.contracts.vitals import Vitals
from icu_stream.pager import signature
from icu_stream.sources.beds import Happening, Ward
from icu_stream.storage import migrate, postgres
from tests import postgres as servers
from tests.browser.chain import Chain, linked
from tests.browser.hospital import Patient
from tests.browser.screen import ARGUMENTS, open_page, until
from tests.kafka import Kafka
from tests.paging import KEY, Got, PagerProcess, Receiver, written
from tests.postgres import PASSWORD, Postgres


# The beds of the chain are before it.
BED = 20
STORY = Happening("tachyarrhythmia", BED, 2, 60)
CODE = "hr.extreme_high"
AFTER_S = 6
_ALERT = msgspec.json.Decoder(Alert)
_VITALS = msgspec.json.Decoder(Vitals)


class Moment(NamedTuple):
    """Something that happened.

    Attributes:
        lane: Where.
        at_ms: When, by this machine's clock.
        text: What.
    """

    lane: str
    at_ms: int
    text: str


LANES = ("monitor", "worker", "first level", "second level", "ward view")


async def run(
    chain: Chain,
    server: Postgres,
    page: Page,
    directory: Path,
    after_s: float = AFTER_S,
) -> list[Moment]:
    """Let it happen once.

    Args:
        chain: Monitors, Kafka, worker and ward.
        server: A PostgreSQL.
        page: The ward on a screen.
        directory: For configuration and log.
        after_s: How long the first level gets.

    Returns:
        What happened, in order; every moment of it was waited for.
    """
    dsn = server.database()
    await migrate.upgrade(postgres.Database(dsn, PASSWORD))
    settings = chain.settings.model_copy(
        update={
            "postgres_dsn": dsn,
            "postgres_password": PASSWORD,
            "pager_port": 0,
            "ward_url": chain.view.address,
        }
    )
    levels = (
        f'{{ after_s = 0, page = ["okafor"] }}, '
        f'{{ after_s = {after_s}, page = ["lindqvist"] }}'
    )
    moments: list[Moment] = []
    async with Receiver() as receiver, simulated(chain, moments) as patient:
        config = written(directory, receiver.url, chain=levels)
        # From now on: a pager may take longer to start than the story to its alarm.
        alerts = asyncio.create_task(_follow(chain, patient, moments))
        pager = await asyncio.to_thread(PagerProcess, settings, config, directory)
        try:
            async with asyncio.timeout(60):
                await _page(pager, receiver, patient, page, moments)
                await alerts
        finally:
            alerts.cancel()
            await asyncio.to_thread(pager.stop)
    return sorted(moments, key=lambda moment: moment.at_ms)


@contextlib.asynccontextmanager
async def simulated(chain: Chain, moments: list[Moment]) -> AsyncIterator[Patient]:
    """One simulated patient, whose heart races after some seconds; discharged at last."""
    ward = Ward(BED, seed=1, happenings=[STORY], start_ms=clock.now_ms())
    patient = Patient(BED - 1)
    patient.patient_id, patient.bed = ward.patient_id(BED - 1), ward.bed_name(BED - 1)
    key = patient.patient_id.encode()
    position = ward.keys.index(key)

    async def send() -> None:
        for second in range(3600):
            wait_ms = ward.time_ms(BED - 1, second) - clock.now_ms()
            await asyncio.sleep(max(0, wait_ms) / 1000)
            value = ward.second(second).messages[position]
            assert value is not None
            await chain.hospital.send(topics.VITALS, patient, _VITALS.decode(value))
            if second == STORY.at_s:
                moments.append(
                    Moment("monitor", clock.now_ms(), "heart rate above 140")
                )

    task = asyncio.create_task(send())
    try:
        yield patient
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await chain.hospital.ask(patient, CommandType.DISCHARGE)


async def _follow(chain: Chain, patient: Patient, moments: list[Moment]) -> None:
    """Note what the worker says of the alarm until it is acknowledged."""
    reader = bus.consumer(chain.settings, topics.ALERTS.name)
    await reader.start()
    try:
        async for record in reader:
            alert = _ALERT.decode(record.value)
            if alert.patient_id != patient.patient_id or alert.code != CODE:
                continue
            if alert.event is Event.RAISED:
                moments.append(
                    Moment("worker", clock.now_ms(), f"raised: {alert.text}")
                )
            if alert.event is Event.ACKNOWLEDGED:
                text = f"acknowledged by {alert.by}"
                moments.append(Moment("worker", clock.now_ms(), text))
                return
    finally:
        await reader.stop()


async def _page(
    pager: PagerProcess,
    receiver: Receiver,
    patient: Patient,
    page: Page,
    moments: list[Moment],
) -> None:
    """Note the pages, let the second person answer, and look at the ward view."""
    opened = "document.querySelector('#bed').textContent"
    key = f"{patient.patient_id}:{CODE}:"

    def paged(person: str, action: str) -> list[Got]:
        # Other beds of the chain may have high alarms, too.
        return [
            got
            for got in receiver.of(person, action)
            if got.data["dedup_key"].startswith(key)
        ]

    await receiver.until(lambda _: paged("okafor", "trigger"))
    moments.append(Moment("first level", clock.now_ms(), "RN Okafor is paged"))
    await page.click(f".tile[data-bed='{patient.bed}']")
    await until(page, f"{opened}.includes('above 140')")
    moments.append(Moment("ward view", clock.now_ms(), "the alarm is shown"))
    await receiver.until(lambda _: paged("lindqvist", "trigger"))
    moments.append(Moment("second level", clock.now_ms(), "RN Lindqvist is paged"))
    assert await _answer(pager, paged("lindqvist", "trigger")[0].id) == 200
    text = "accepted, by a signed webhook"
    moments.append(Moment("second level", clock.now_ms(), text))
    await until(page, f"{opened}.includes('RN Lindqvist')")
    moments.append(Moment("ward view", clock.now_ms(), "shows who has seen it"))
    await page.keyboard.press("Escape")
    await receiver.until(lambda _: paged("okafor", "acknowledge"))
    moments.append(Moment("first level", clock.now_ms(), "told that it is seen"))


async def _answer(pager: PagerProcess, delivery: str) -> int:
    body = msgspec.json.encode({"delivery": delivery, "answer": "accepted"})
    signed = signature.headers(KEY, "msg_run", clock.now_ms() // 1000, body)
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{pager.address}lindqvist", data=body, headers=signed) as answered,
    ):
        return answered.status


_WIDTH, _LEFT, _TOP, _LANE = 960, 120, 64, 76
_STYLE = (
    "text{font:13px 'DejaVu Sans',sans-serif;fill:#1b2733}"
    ".quiet{fill:#5b6b7a}.lane{stroke:#c9d3dc}.dot{fill:#1565c0}.head{font-weight:bold}"
)


def drawing(moments: list[Moment]) -> str:
    """The run as SVG: a lane for each place, time to the right."""
    first = moments[0].at_ms
    span_ms = max(moment.at_ms for moment in moments) - first
    scale = (_WIDTH - _LEFT - 310) / span_ms
    height = _TOP + _LANE * len(LANES) + 10
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" role="img" '
            'aria-label="From a racing heart to an acknowledged alarm">'
        ),
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        (
            '<text class="head" x="12" y="24">From a racing heart to an acknowledged alarm, '
            "measured</text>"
        ),
        (
            f'<text class="quiet" x="12" y="44">second level after {AFTER_S} s; '
            "seconds since the first abnormal value</text>"
        ),
    ]
    for number, lane in enumerate(LANES):
        y = _TOP + _LANE * number + 50
        parts.append(f'<text class="head" x="12" y="{y + 4}">{escape(lane)}</text>')
        parts.append(
            f'<line class="lane" x1="{_LEFT}" x2="{_WIDTH - 12}" y1="{y}" y2="{y}"/>'
        )
        free = 0.0
        rows = 0
        for moment in (m for m in moments if m.lane == lane):
            x = _LEFT + 8 + (moment.at_ms - first) * scale
            # What would stand over the text before it goes below the line.
            rows = (rows + 1) % 2 if x < free else 0
            below = y - 10 if rows == 0 else y + 22
            text = f"{(moment.at_ms - first) / 1000:.2f} s  {moment.text}"
            free = x + 7.6 * len(text)
            parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{y}" r="5"/>')
            parts.append(f'<text x="{x:.1f}" y="{below}">{escape(text)}</text>')
    return "\n".join([*parts, "</svg>\n"])


async def _drawn(kafka: Kafka, server: Postgres, directory: Path) -> None:
    async with linked(kafka.settings()) as chain, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        page = await open_page(browser, chain.view)
        moments = await run(chain, server, page, chain.settings.data_dir)
        await browser.close()
    (directory / "paging.svg").write_text(drawing(moments))
    first = moments[0].at_ms
    for moment in moments:
        at_s = (moment.at_ms - first) / 1000
        sys.stdout.write(f"{at_s:7.3f} s  {moment.lane}: {moment.text}\n")


def main(directory: Path) -> None:
    """Draw it."""
    found = servers.binaries()
    assert found is not None, "PostgreSQL not found"
    directory.mkdir(parents=True, exist_ok=True)
    with Kafka() as kafka, Postgres(found) as server:
        asyncio.run(_drawn(kafka, server, directory))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
