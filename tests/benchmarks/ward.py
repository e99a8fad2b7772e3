"""What the ward view costs, from a monitor to the pixels: `make bench-ward`.

    python -m tests.benchmarks.ward              200 beds, a quarter of an hour
    python -m tests.benchmarks.ward --quick      two minutes, for a first look
    python -m tests.benchmarks.ward --json FILE  every single figure, too

The whole chain runs on this machine, so on one clock: 200 monitors at 1 Hz, real Kafka, the
real worker, the real ward, Chromium. Heart rate and saturation of each message say when it
was sent, in steps of `STEP_MS` that come again after `WRAP` of them, and both stay within
the limits; an observer in the page reads them when they have been painted. A latency is
thereby up to one step too long, never too short. An alarm is a saturation of 79 %, which
the worker raises at once: from the sending of that value to its strip being painted.
"""

import asyncio
import os
import shutil
import sys

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import aiohttp
import msgspec
import numpy as np
import psutil
import typer

from playwright.async_api import CDPSession, Page, async_playwright

from icu_stream import clock
from tests.benchmarks.report import Report, Row, machine
from tests.browser.chain import Chain, Measuring, linked
from tests.browser.hospital import Patient, WardView
from tests.browser.screen import ARGUMENTS, open_page
from tests.kafka import Kafka, why_unavailable


STEP_MS = 20
# 35 heart rates from 55 on, 5 saturations from 96 on: nothing of it scores or alarms.
RATES, LOWEST_RATE = 35, 55
SATURATIONS, LOWEST_SATURATION = 5, 96
WRAP = RATES * SATURATIONS
DESATURATED = 79
_ALARM_S = 3  # how long a bed is desaturated

# The observer: what a tile shows when a change of it has been painted.
OBSERVE = """({ step, rates, lowestRate, saturations, lowestSaturation }) => {
  window.late = [];
  window.alarms = new Map();
  const painted = (work) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = work;
    channel.port2.postMessage(0);
  });
  const number = (tile, name) =>
    Number(tile.querySelector(`.n.${name} span`).textContent);
  const stamp = (tile) => {
    const saturation = number(tile, "spo2") - lowestSaturation;
    if (!(saturation >= 0 && saturation < saturations)) return null;
    return saturation * rates + number(tile, "hr") - lowestRate;
  };
  const all = rates * saturations * step;
  new MutationObserver((changes) => {
    const values = new Set();
    const strips = new Set();
    for (const { target } of changes) {
      const element = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
      const tile = element && element.closest(".tile");
      if (!tile) continue;
      if (element.closest(".n.hr, .n.spo2")) values.add(tile);
      if (element.closest(".al") && element.textContent) strips.add(tile.dataset.bed);
    }
    if (values.size || strips.size) painted(() => {
      const now = Date.now();
      for (const tile of values) {
        const sent = stamp(tile);
        if (sent !== null) window.late.push((((now - sent * step) % all) + all) % all);
      }
      for (const bed of strips) if (!window.alarms.has(bed)) window.alarms.set(bed, now);
    });
  }).observe(document.querySelector("#ward"), {
    subtree: true, characterData: true, childList: true,
  });
}"""


class Size(NamedTuple):
    """How much of everything.

    Attributes:
        warm_up_s: Not counted: connections, caches, the browser's compiler.
        one_s: With one browser.
        many_s: With `browsers`.
        heap_s: From the end of the warm-up to the second look at the heap.
        browsers: Of which one is Chromium.
    """

    warm_up_s: float = 30
    one_s: float = 90
    many_s: float = 45
    heap_s: float = 600
    browsers: int = 100


FULL = Size()
QUICK = Size(10, 25, 15, 60, 100)


class Stamped(Measuring):
    """Monitors whose values say when they were sent; a bed at a time desaturates."""

    def __init__(self, settings: Any, beds: int) -> None:
        super().__init__(settings, beds)
        self.desaturated: dict[str, int] = {}
        self._wanted: set[int] = set()

    def desaturate(self, index: int) -> None:
        """With its next message, and for some seconds."""
        self._wanted.add(index)

    def recover(self, index: int) -> None:
        """It is over."""
        self._wanted.discard(index)

    async def measure(self, patients: Iterable[Patient], ago_ms: int = 0) -> None:
        """Stamp each message right before it is sent."""
        for patient in patients:
            now_ms = clock.now_ms()
            stamp = now_ms // STEP_MS % WRAP
            saturation, rate = divmod(stamp, RATES)
            patient.pinned = {
                "hr": LOWEST_RATE + rate,
                "spo2": LOWEST_SATURATION + saturation,
            }
            if patient.index in self._wanted:
                patient.pinned["spo2"] = DESATURATED
                self.desaturated.setdefault(patient.bed, now_ms)
            await super().measure([patient], ago_ms)


class Look(NamedTuple):
    """What a stretch of time cost.

    Attributes:
        seconds: How long it was.
        server: Processor seconds of the ward process.
        main: Seconds of the page's main thread.
        browser: Processor seconds of all of Chromium.
        received: Bytes that came on the page's socket.
        frames: How many frames that were.
    """

    seconds: float
    server: float
    main: float
    browser: float
    received: int
    frames: int


class Screen:
    """The one page that is measured."""

    def __init__(self, page: Page, session: CDPSession, view: WardView) -> None:
        self._page = page
        self._session = session
        self._view = psutil.Process(view.pid)
        self._sizes: list[int] = []

    @classmethod
    async def of(cls, page: Page, view: WardView) -> "Screen":
        """Begin to count what comes."""
        session = await page.context.new_cdp_session(page)
        screen = cls(page, session, view)
        await session.send("Network.enable")
        await session.send("HeapProfiler.enable")
        # The thread's own time: that it waited for a core is not the page's cost.
        await session.send("Performance.enable", {"timeDomain": "threadTicks"})
        session.on("Network.webSocketFrameReceived", screen._count)
        return screen

    def _count(self, event: dict[str, Any]) -> None:
        self._sizes.append(len(event["response"]["payloadData"].encode()))

    async def watch(self, seconds: float) -> Look:
        """Let some time pass, and say what it cost."""
        before, size = await self._now(), len(self._sizes)
        began_s = clock.monotonic_s()
        await asyncio.sleep(seconds)
        took_s = clock.monotonic_s() - began_s
        spent = [b - a for a, b in zip(before, await self._now(), strict=True)]
        sizes = self._sizes[size:]
        return Look(took_s, *spent, received=sum(sizes), frames=len(sizes))

    async def _now(self) -> tuple[float, float, float]:
        answer = await self._session.send("Performance.getMetrics")
        metrics = {m["name"]: m["value"] for m in answer["metrics"]}
        server = sum(self._view.cpu_times()[:2])
        return server, float(metrics["TaskDuration"]), _chromium_s()

    async def heap_mb(self) -> float:
        """What the page holds after the garbage has gone."""
        await self._session.send("HeapProfiler.collectGarbage")
        answer = await self._session.send("Runtime.getHeapUsage")
        return float(answer["usedSize"]) / 2**20

    def server_mb(self) -> float:
        """What the ward process holds."""
        return float(self._view.memory_info().rss) / 2**20


def _chromium_s() -> float:
    """Processor seconds of every process of the browser that we started."""
    spent = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            if "chrom" in process.name():
                spent += sum(process.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return spent


async def _listen(view: WardView, stop: asyncio.Event) -> None:
    """A browser that only receives."""
    headers = {
        "Cookie": f"icu_ward={view.cookie}",
        "Origin": view.address.rstrip("/"),
    }
    address = f"{view.address}live".replace("http", "ws", 1)
    async with (
        aiohttp.ClientSession(headers=headers) as client,
        client.ws_connect(address) as socket,
    ):
        while not stop.is_set():
            message = await socket.receive(timeout=5)
            assert message.type is aiohttp.WSMsgType.TEXT, message


async def _raise_alarms(hospital: Stamped, seconds: float) -> None:
    """Each second, another bed desaturates."""
    beds = len(hospital.patients)
    for second in range(int(seconds)):
        hospital.desaturate(second * 7 % beds)
        if second >= _ALARM_S:
            hospital.recover((second - _ALARM_S) * 7 % beds)
        await asyncio.sleep(1)


def _spread(ms: list[float]) -> tuple[float, float, int]:
    p50, p95 = np.percentile(ms, (50, 95))
    return round(float(p50)), round(float(p95)), len(ms)


async def measure(chain: Chain, size: Size) -> tuple[list[Row], dict[str, object]]:
    """All figures of one chain."""
    hospital = chain.hospital
    assert isinstance(hospital, Stamped)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        began_s = clock.monotonic_s()
        page = await open_page(browser, chain.view)
        first_tile_s = clock.monotonic_s() - began_s
        screen = await Screen.of(page, chain.view)
        await asyncio.sleep(size.warm_up_s)
        heap, server = await screen.heap_mb(), screen.server_mb()
        since_s = clock.monotonic_s()
        stamps = {
            "step": STEP_MS,
            "rates": RATES,
            "lowestRate": LOWEST_RATE,
            "saturations": SATURATIONS,
            "lowestSaturation": LOWEST_SATURATION,
        }
        await page.evaluate(OBSERVE, stamps)
        alarming = asyncio.create_task(_raise_alarms(hospital, size.one_s))
        one = await screen.watch(size.one_s)
        await alarming
        await asyncio.sleep(_ALARM_S)
        late = await page.evaluate("window.late")
        painted = dict(await page.evaluate("[...window.alarms]"))
        sent = dict(hospital.desaturated)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as others:
            for _ in range(size.browsers - 1):
                others.create_task(_listen(chain.view, stop))
            await asyncio.sleep(5)
            await page.evaluate("() => { window.late = []; }")
            many = await screen.watch(size.many_s)
            late_of_many = await page.evaluate("window.late")
            stop.set()
        await page.evaluate("() => { window.late = []; }")
        await asyncio.sleep(max(0.0, size.heap_s - (clock.monotonic_s() - since_s)))
        await page.evaluate("() => { window.late = []; window.alarms.clear(); }")
        waited_s = clock.monotonic_s() - since_s
        grown = await screen.heap_mb() - heap
        server_grown = screen.server_mb() - server
        proofs = await page.evaluate("document.querySelector('.message').textContent")
        await browser.close()
    alarms = [painted[bed] - at for bed, at in sent.items() if bed in painted]
    missing = len(sent) - len(alarms)
    assert not missing, f"{missing} of {len(sent)} alarms were not painted"
    p50, p95, count = _spread(late)
    alarm50, alarm95, alarm_count = _spread(alarms)
    many50, many95, _ = _spread(late_of_many)

    def row(
        what: str, unit: str, figure: float, budget: float | None, note: str = ""
    ) -> Row:
        return Row(
            what=what, unit=unit, runs=[figure], better="less", budget=budget, note=note
        )

    rows = [
        row("values, produced to painted, p50", "ms", p50, None, f"n={count}"),
        row("values, produced to painted, p95", "ms", p95, 250, "DESIGN 250, UI 500"),
        row(
            "alarms, produced to painted, p50", "ms", alarm50, None, f"n={alarm_count}"
        ),
        row("alarms, produced to painted, p95", "ms", alarm95, 1_000),
        row(
            "main thread for one update",
            "ms",
            1_000 * one.main / one.frames,
            60,
            f"{one.frames / one.seconds:.1f} a second",
        ),
        row("main thread, of one core", "%", 100 * one.main / one.seconds, 30),
        row("a browser receives", "kB/s", one.received / one.seconds / 1_000, 20),
        row("first tile", "s", first_tile_s, 2, "a new browser, nothing cached"),
        row(
            "all of Chromium, of one core",
            "%",
            100 * one.browser / one.seconds,
            None,
            "painting included: there is no graphics processor",
        ),
        row(
            "server, one browser, of one core", "%", 100 * one.server / one.seconds, 30
        ),
        row(
            f"server, {size.browsers} browsers, of one core",
            "%",
            100 * many.server / many.seconds,
            20,
        ),
        row(
            f"values with {size.browsers} browsers, produced to painted, p95",
            "ms",
            many95,
            500,
            f"p50 {many50}",
        ),
        row(
            "the page's heap grows in an hour",
            "MB",
            grown * 3_600 / waited_s,
            10,
            f"{grown:+.2f} MB in {waited_s / 60:.0f} min, from {heap:.1f}",
        ),
        row(
            "the server's memory grows",
            "MB",
            server_grown,
            None,
            f"in {waited_s / 60:.0f} min, from {server:.0f}",
        ),
    ]
    details: dict[str, object] = {
        "values_ms": late,
        "alarms_ms": alarms,
        "one": one._asdict(),
        "many": many._asdict(),
        "bar": proofs,
    }
    return rows, details


async def _run(
    kafka: Kafka, beds: int, size: Size
) -> tuple[list[Row], dict[str, object]]:
    settings = kafka.settings(partitions=8)
    async with linked(settings, beds, Stamped) as chain:
        return await measure(chain, size)


def main(
    *,
    beds: Annotated[int, typer.Option(help="At one message a second each.")] = 200,
    quick: Annotated[bool, typer.Option(help="Two minutes of it.")] = False,
    json: Annotated[Path | None, typer.Option(help="Every single figure.")] = None,
) -> None:
    """Measure the ward view."""
    if reason := why_unavailable():
        raise typer.BadParameter(reason)
    load = os.getloadavg()[0]
    with Kafka() as kafka:
        rows, details = asyncio.run(_run(kafka, beds, QUICK if quick else FULL))
    loads = [round(load, 2), round(os.getloadavg()[0], 2)]
    report = Report(machine(), loads, rows, details)
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    sys.stdout.write(f"{report.machine}; load {loads[0]} to {loads[1]}\n\n")
    sys.stdout.write(f"{beds} beds at 1 Hz\n\n{report.table()}\n")


if __name__ == "__main__":
    typer.run(main)
