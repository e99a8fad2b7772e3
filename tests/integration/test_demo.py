"""`icu-stream demo`: a live number on the page, and nothing left when it is over."""

import asyncio
import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import time

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.kafka import ROOT


START_TIMEOUT_S = 90  # many times what it takes; how long it takes is a benchmark's
BEDS = 4


class Demo:
    """A running demo and what it said."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        self.said = directory / "said"
        self.scratch = directory / "tmp"
        self.scratch.mkdir()
        environment = {"TMPDIR": str(self.scratch), "PYTHONPATH": str(ROOT)}
        with self.said.open("wb") as out:
            self.process = psutil.Popen(
                [sys.executable, "-m", "icu_stream", "demo", *arguments],
                cwd=directory,
                env=environment | {"PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        self.children: list[psutil.Process] = []

    def url(self) -> str:
        """Wait for the link that signs in."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            links = re.findall(r"http://\S+", self.said.read_text())
            if links:
                self.children = self.process.children(recursive=True)
                return links[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        pytest.fail(f"no link:\n{self.said.read_text()}")

    def child(self, word: str) -> psutil.Process:
        """The child process whose command line has a word."""
        [found] = [c for c in self.children if word in c.cmdline()]
        return found

    def require_nobody(self, within_s: float) -> None:
        """Every process that the demo had is gone in time."""
        _, alive = psutil.wait_procs(self.children, timeout=within_s)
        assert [c.cmdline() for c in alive] == []

    def close(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self.process.kill()
        self.process.wait()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    running = Demo(tmp_path, "--beds", str(BEDS))
    yield running
    running.close()


async def live_numbers(url: str, beds: int) -> dict[str, float]:
    """Sign in and listen to the page's socket until each bed has a heart rate."""
    page, found, rows = url.split("signin", maxsplit=1)[0], {}, {}
    async with (
        asyncio.timeout(30),
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        async with http.get(url) as answer:
            assert answer.status == 200
        origin = page.rstrip("/")
        async with http.ws_connect(f"{page}live", origin=origin) as live:
            while len(found) < beds:
                for row in json.loads((await live.receive()).data).get("b", []):
                    rows.setdefault(row["i"], {}).update(row)
                found = {
                    i: row["v"][0]
                    for i, row in rows.items()
                    if row.get("v") and row["v"][0] is not None
                }
    return found


def test_every_bed_gets_a_live_number_and_ctrl_c_leaves_nothing(demo: Demo):
    numbers = asyncio.run(live_numbers(demo.url(), BEDS))

    assert len(numbers) == BEDS
    assert all(0 < number < 350 for number in numbers.values())

    began = time.monotonic()
    demo.process.send_signal(signal.SIGINT)

    assert demo.process.wait(timeout=5) == 0
    demo.require_nobody(within_s=5 - (time.monotonic() - began))
    assert list(demo.scratch.iterdir()) == []
    assert demo.said.read_text().count("http://") == 1


def test_a_demo_that_is_killed_takes_its_processes_with_it(demo: Demo):
    demo.url()

    demo.process.kill()

    demo.require_nobody(within_s=5)


def test_a_process_that_ends_is_named_and_ends_the_demo(demo: Demo):
    demo.url()
    worker = demo.child("icu_stream.app")

    worker.kill()

    assert demo.process.wait(timeout=10) == 1
    demo.require_nobody(within_s=1)
    said = demo.said.read_text()
    assert "the worker ended with code -9" in said
    [log] = re.findall(r"\S+/worker\.log", said)
    assert Path(log).is_file()


def test_a_port_that_is_taken_is_named_before_anything_starts(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = Demo(tmp_path, "--port", str(port))

        assert demo.process.wait(timeout=30) == 1

    assert f"port {port} is taken" in demo.said.read_text()
    assert "--port" in demo.said.read_text()


def test_a_recording_that_is_not_there_is_a_wrong_argument(tmp_path: Path):
    demo = Demo(tmp_path, "--replay", "nowhere.hea")

    assert demo.process.wait(timeout=30) == 2
    assert "nowhere.hea" in demo.said.read_text()
