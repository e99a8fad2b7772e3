"""Pictures of the ward view: `python -m tests.browser.screenshot DIRECTORY [NAME ...]`.

Those of the guide are made by `python -m tests.browser.screenshot docs/img`, in some
minutes; with names (`ward night`), only these. On most of them a hospital says itself what
the worker would (`tests.browser.hospital`), so that alarms of every kind are seen at once;
`german`, `limits` and `system` are of the real chain (`tests.browser.chain`).
"""

import asyncio
import math
import random
import shutil
import sys

from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from icu_stream import clock
from icu_stream.contracts.alerts import Event, Kind, Priority, State
from icu_stream.contracts.commands import CommandResult, CommandType
from icu_stream.contracts.scores import Scores
from icu_stream.contracts.topics import COMMAND_RESULTS, SCORES
from tests.browser.chain import Chain, linked
from tests.browser.hospital import Hospital, WardView, every_kind_of_alarm, showing
from tests.browser.screen import ARGUMENTS, open_page, strip, until
from tests.integration.test_ward_feed import arrive_as_sent
from tests.kafka import Kafka


PAST_S = 300  # half of what a line shows
SCALE = 2 / 3  # for the guide: all pictures together take some hundred kB
PHONE = (390, 844)
LAPTOP = (1280, 800)
FETCHED_S = 3
SETTLED_S = 13  # a silent bed is stale after 10 s
NIGHT_H = 12  # of alarms behind the log and the burden
HOUR_S = 3300  # of trends, and of what a what-if is worked out from

PLANTED = (
    "ward",
    "bed",
    "night",
    "laptop",
    "phone",
    "alarms",
    "burden",
    "whatif",
    "lost",
)
LARGE = ("ward-200",)
REAL = ("limits", "system")
GERMAN = ("german",)
# In a night: which alarms, how often of a hundred, how long they last, s (ours).
NIGHTLY = (
    ("spo2.low", Priority.MEDIUM, "SpO₂ 88 %, below 90 for 15 s", 42, 70),
    ("hr.high", Priority.MEDIUM, "HR 124 /min, above 120 for 6 s", 24, 120),
    ("rr.high", Priority.MEDIUM, "RR 32 /min, above 30 for 14 s", 16, 90),
    ("temp.high", Priority.LOW, "Temp 39.3 °C, above 39.0", 8, 1800),
    ("spo2.desat", Priority.HIGH, "SpO₂ 78 %, below 80", 6, 40),
    ("hr.lead_off", Priority.MEDIUM, "HR: lead off", 4, 200),
)


class Camera:
    """Takes pictures that are wanted, small ones."""

    def __init__(
        self, browser: Browser, directory: Path, wanted: Collection[str]
    ) -> None:
        self.browser = browser
        self.wanted = wanted
        self._directory = directory

    def wants(self, *names: str) -> bool:
        """Is one of these to be taken?"""
        return any(name in self.wanted for name in names)

    async def take(self, page: Page, name: str) -> None:
        """One picture, if it is wanted."""
        if not self.wants(name):
            return
        if name != "lost":
            await until(page, "document.body.className === ''")
        path = self._directory / f"{name}.png"
        await page.screenshot(path=path)
        with Image.open(path) as image:
            few = image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
        few.save(path, optimize=True)

    async def open(self, view: WardView, **options: object) -> Page:
        """The ward on a large screen."""
        return await open_page(self.browser, view, device_scale_factor=SCALE, **options)


async def go(page: Page, view: WardView, path: str, there: str) -> None:
    """Another page, with all that it fetches, and with its link."""
    await page.goto(view.address + path)
    await page.wait_for_selector(there)
    await asyncio.sleep(FETCHED_S)
    await until(page, "document.body.className === ''")


# --- alarms of every kind


async def a_night(hospital: Hospital) -> None:
    """Alarms of the last hours, as a log has them; the same each time."""
    chance = random.Random(11)
    now_ms = clock.now_ms()
    for _ in range(NIGHT_H * 14):
        code, priority, text, _, lasting_s = chance.choices(
            NIGHTLY, [row[3] for row in NIGHTLY]
        )[0]
        index = min(int(chance.expovariate(0.28)), len(hospital.patients) - 1)
        onset = now_ms - int(chance.uniform(600, NIGHT_H * 3600) * 1000)
        kind = Kind.TECHNICAL if code.endswith("lead_off") else Kind.PHYSIOLOGICAL
        times = {"onset": onset, "time": onset, "timestamp_ms": onset}
        alert = await hospital.alarm(index, code, priority, text, kind=kind, **times)
        seen = onset + int(1000 * chance.expovariate(1 / 45))
        end = onset + int(1000 * lasting_s * chance.uniform(0.5, 2))
        if seen < end:
            alert = await hospital.again(
                alert,
                Event.ACKNOWLEDGED,
                State.ACKNOWLEDGED,
                seen,
                by="RN Okafor",
                annunciate=False,
            )
        await hospital.again(alert, Event.CLEARED, State.CLEARED, end, annunciate=False)
        if chance.random() < 0.5:
            judged = CommandResult(
                command_id=f"RN Okafor/{alert.alert_id}",
                accepted=True,
                type=CommandType.FEEDBACK,
                patient_id=alert.patient_id,
                by="RN Okafor",
                time=end,
                alert_id=alert.alert_id,
                actionable=chance.random() < 0.35,
            )
            await hospital.send(
                COMMAND_RESULTS, hospital.patients[index], judged, timestamp_ms=end
            )


async def scored(hospital: Hospital) -> None:
    """Scores of each minute of the night: who was monitored, for the burden."""
    now_ms = clock.now_ms()
    for ago_min in range(NIGHT_H * 60, 0, -1):
        at_ms = now_ms - 60_000 * ago_min
        for patient in hospital.patients:
            scores = Scores(patient_id=patient.patient_id, bed=patient.bed, time=at_ms)
            await hospital.send(SCORES, patient, scores, timestamp_ms=at_ms)


async def an_hour(hospital: Hospital) -> None:
    """What was measured at some beds: one that grows worse, and four restless ones."""
    worst, *restless = hospital.patients[1:6]
    for ago_s in range(HOUR_S, PAST_S, -1):
        part = 1 - ago_s / HOUR_S
        wave = math.sin(ago_s / 70)
        worst.pinned = {
            "hr": round(84 + 30 * part**2 + 3 * wave),
            "spo2": round(97 - 9 * part**3 + 0.6 * math.sin(ago_s / 23)),
            "rr": round(15 + 9 * part**2 + wave),
        }
        for patient in restless:
            swing = math.sin(ago_s / (160 + 30 * patient.index))
            patient.pinned = {"hr": round(108 + 17 * swing + 2 * wave)}
        await hospital.measure([worst, *restless], ago_ms=1000 * ago_s)
    for patient in (worst, *restless):
        patient.pinned = {}


async def planted(kafka: Kafka, camera: Camera) -> None:
    """Sixteen beds: the ward by day and by night, one bed, a phone, the log, its loss."""
    settings = kafka.settings(ward_role="charge", ward_user="RN Okafor")
    await arrive_as_sent(settings)
    async with Hospital(settings, 16) as before:
        before.is_silent = True
        await an_hour(before)
        await scored(before)
        await a_night(before)
    async with showing(settings, 16, past_s=PAST_S) as (hospital, view):
        page = await camera.open(view)
        await every_kind_of_alarm(hospital)
        await hospital.news()
        await asyncio.sleep(SETTLED_S)
        await until(page, "document.querySelector('.message.quiet') !== null")
        worst = hospital.patients[1]
        await camera.take(page, "ward")
        await page.get_by_label("Colours").select_option("night")
        await camera.take(page, "night")
        await page.get_by_label("Colours").select_option("dark")
        await go(page, view, f"bed/{worst.patient_id}", "#bed .chart table")
        await camera.take(page, "bed")
        await go(page, view, "alarms", ".report .grid")
        await camera.take(page, "alarms")
        await go(page, view, "burden", ".report .figures")
        await camera.take(page, "burden")
        if camera.wants("whatif"):
            await what_if(page, view)
            await camera.take(page, "whatif")
        await page.context.close()
        await small(camera, view, worst.patient_id)
        page = await camera.open(view)
        view.kill()
        await until(page, "document.body.className === 'lost'")
        await camera.take(page, "lost")
        await page.context.close()


async def what_if(page: Page, view: WardView) -> None:
    """Fewer alarms of fast hearts: what would have become of them?"""
    await go(page, view, "whatif", "#whatif-code")
    await page.click("#whatif-code")
    await page.get_by_text("!! HR > 120").last.click()
    await page.fill("#whatif-limit", "125")
    await page.click("#whatif-run")
    await page.wait_for_selector("#whatif-answer table")
    await asyncio.sleep(FETCHED_S)


async def small(camera: Camera, view: WardView, mine: str) -> None:
    """A laptop's screen and a phone's."""
    page = await open_page(camera.browser, view, LAPTOP, device_scale_factor=SCALE)
    await camera.take(page, "laptop")
    await page.context.close()
    page = await open_page(camera.browser, view, PHONE)
    await page.click(f".tile[data-id='{mine}']")
    await page.click("#bed .chooser")
    await page.click("#bed .close")
    await page.wait_for_selector("#mine .tile")
    await page.evaluate("scrollTo(0, 0)")
    await camera.take(page, "phone")
    await page.context.close()


async def large(kafka: Kafka, camera: Camera) -> None:
    """Two hundred beds."""
    settings = kafka.settings()
    await arrive_as_sent(settings)
    async with showing(settings, 200, past_s=20) as (hospital, view):
        page = await camera.open(view)
        await every_kind_of_alarm(hospital)
        await asyncio.sleep(SETTLED_S)
        await camera.take(page, "ward-200")
        await page.context.close()


# --- what the worker says itself


async def sick(chain: Chain, page: Page) -> None:
    """Five beds of the real chain that have something."""
    beds = chain.hospital.patients
    beds[1].pinned = {"spo2": 79, "hr": 116}
    beds[4].pinned = {"hr": 131}
    beds[6].pinned = {"temp": 39.4}
    beds[9].pinned = {"abp_mean": 56, "abp_sys": 84, "abp_dia": 42}
    beds[12].is_silent = True
    await until(page, f"/!!/.test({strip(beds[4].bed)})")
    await until(page, f"/!!/.test({strip(beds[12].bed)})")


async def real(kafka: Kafka, camera: Camera) -> None:
    """Limits and the system of the real chain."""
    async with linked(kafka.settings()) as chain:
        page = await camera.open(chain.view)
        await sick(chain, page)
        patient = chain.hospital.patients[1].patient_id
        await go(page, chain.view, f"limits/{patient}", ".report")
        await camera.take(page, "limits")
        await go(page, chain.view, "system", ".report")
        await camera.take(page, "system")
        await page.context.close()


async def german(kafka: Kafka, camera: Camera) -> None:
    """Worker and ward in German, with kilopascals."""
    settings = kafka.settings(language="de", ward_pressure="kPa")
    async with linked(settings) as chain:
        page = await camera.open(chain.view)
        await sick(chain, page)
        await camera.take(page, "german")
        await page.context.close()


Scene = Callable[[Kafka, Camera], Awaitable[None]]
SCENES: dict[Scene, tuple[str, ...]] = {
    planted: PLANTED,
    large: LARGE,
    real: REAL,
    german: GERMAN,
}


async def taken(kafka: Kafka, directory: Path, wanted: Collection[str]) -> None:
    """Take all pictures that are wanted."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        camera = Camera(browser, directory, wanted)
        for scene, names in SCENES.items():
            if camera.wants(*names):
                await scene(kafka, camera)
        await browser.close()


def main(directory: Path, wanted: list[str]) -> None:
    """Make the pictures."""
    known = [name for names in SCENES.values() for name in names]
    if unknown := set(wanted) - set(known):
        sys.exit(f"no such picture: {', '.join(sorted(unknown))}; known: {known}")
    directory.mkdir(parents=True, exist_ok=True)
    with Kafka() as kafka:
        asyncio.run(taken(kafka, directory, wanted or known))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
