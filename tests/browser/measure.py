"""What the ward view costs: `python -m tests.browser.measure [BEDS]` (200).

From a value's way into Kafka to its pixels: every heart rate says when it was sent, in
hundredths of a second that wrap after three seconds, and an observer in the page compares
it with the clock when it has been painted. All on one machine, so on one clock.
"""

import asyncio
import shutil
import sys

from collections.abc import Iterable

import psutil

from playwright.async_api import async_playwright

from icu_stream import clock
from icu_stream.contracts.alerts import Priority
from tests.browser.hospital import Hospital, Patient, WardView
from tests.browser.screen import ARGUMENTS, open_page
from tests.kafka import Kafka


SECONDS = 20
WRAP = 300  # hundredths of a second

OBSERVE = """() => {
  window.late = [];
  window.alarms = new Map();
  const painted = (work) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = work;
    channel.port2.postMessage(0);
  });
  new MutationObserver((changes) => painted(() => {
    const now = Date.now() / 10;
    for (const { target } of changes) {
      const box = target.parentElement && target.parentElement.parentElement;
      if (box && box.classList.contains("hr") && target.parentElement.tagName === "SPAN")
        window.late.push(10 * ((now - Number(target.data) + 300) % 300));
      if (target.parentElement && target.parentElement.classList.contains("al") && target.data)
        window.alarms.set(box.dataset.bed, Date.now());
    }
  })).observe(document.querySelector("#ward"), { subtree: true, characterData: true });
}"""


class Timed(Hospital):
    """A hospital whose heart rates say when they were sent."""

    async def measure(self, patients: Iterable[Patient], ago_ms: int = 0) -> None:
        """Stamp the heart rates and send."""
        patients = list(patients)
        for patient in patients:
            patient.pinned = {"hr": (clock.now_ms() // 10) % WRAP}
        await super().measure(patients, ago_ms)


def quantiles(values: list[float]) -> str:
    """Median, 95th percentile and worst."""
    ordered = sorted(values)
    p95 = ordered[int(0.95 * len(ordered))]
    return (
        f"p50 {ordered[len(ordered) // 2]:.0f} ms, p95 {p95:.0f} ms, "
        f"worst {ordered[-1]:.0f} ms, n {len(ordered)}"
    )


async def measure(kafka: Kafka, beds: int) -> None:
    """Measure one ward in one browser."""
    settings = kafka.settings()
    async with Timed(settings, beds) as hospital, async_playwright() as playwright:
        view = WardView(settings)
        await asyncio.to_thread(view.start)
        await asyncio.to_thread(view.sign_in)
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        page = await open_page(browser, view)
        await asyncio.sleep(5)
        await page.evaluate(OBSERVE)
        session = await page.context.new_cdp_session(page)
        await session.send("Network.enable")
        await session.send("Performance.enable")
        sizes: list[int] = []
        session.on(
            "Network.webSocketFrameReceived",
            lambda event: sizes.append(len(event["response"]["payloadData"].encode())),
        )
        process = psutil.Process(view.pid)

        async def busy() -> float:
            answer = await session.send("Performance.getMetrics")
            metrics = {m["name"]: m["value"] for m in answer["metrics"]}
            return float(metrics["TaskDuration"])

        server_before, browser_before = process.cpu_times(), await busy()
        began_s = clock.monotonic_s()
        sent: dict[str, int] = {}
        for second in range(SECONDS):
            index = second * 7 % beds
            patient = hospital.patients[index]
            sent[patient.bed] = clock.now_ms()
            await hospital.alarm(index, "rr.high", Priority.MEDIUM, value=34, limit=30)
            await asyncio.sleep(1)
        took_s = clock.monotonic_s() - began_s
        server = sum(process.cpu_times()[:2]) - sum(server_before[:2])
        main_thread = await busy() - browser_before
        late = await page.evaluate("window.late")
        seen = await page.evaluate("[...window.alarms]")
        alarms = [at - sent[bed] for bed, at in seen if bed in sent]
        lines = [
            f"{beds} beds at 1 Hz, one browser, {took_s:.0f} s",
            f"  produced to painted, values: {quantiles(late)}",
            f"  produced to painted, alarms: {quantiles(alarms)}",
            f"  server: {100 * server / took_s:.1f} % of a core",
            f"  server's memory: {process.memory_info().rss / 2**20:.0f} MB",
            f"  browser's main thread: {100 * main_thread / took_s:.1f} % of a core",
            f"  {sum(sizes) / took_s:.0f} bytes/s, {len(sizes) / took_s:.1f} frames/s",
        ]
        sys.stdout.write("\n".join(lines) + "\n")
        await browser.close()
        view.kill()


def main(beds: int) -> None:
    """Measure on a Kafka of our own."""
    with Kafka() as kafka:
        asyncio.run(measure(kafka, beds))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
