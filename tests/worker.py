"""The real worker as tests start it: `faust -A icu_stream.app worker`, one process."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from pathlib import Path

import pytest

from icu_stream.settings import Settings
from tests.kafka import free_port
from tests.launch import launch


READY_TIMEOUT_S = 60


class Worker:
    """One worker process of some settings; may be started again after it ended.

    Args:
        settings: Topics, application and data directory.
        name: Its own data directory and log; workers of one application differ in it.
        module: Of the app; a test may plant a rule in one of its own.
    """

    def __init__(
        self, settings: Settings, name: str = "w", module: str = "icu_stream.app"
    ) -> None:
        data_dir = settings.data_dir / name
        data_dir.mkdir(parents=True, exist_ok=True)
        self.settings = settings.model_copy(
            update={"data_dir": data_dir, "web_port": free_port()}
        )
        self.log = data_dir / "worker.log"
        self._command = [sys.executable, "-m", "faust", "-A", module, "worker"]
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Worker":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Process id."""
        assert self.process is not None, "the worker was not started"
        return self.process.pid

    def start(self, *, wait: bool = True) -> "Worker":
        """Start the process and, unless told not to, wait until it is ready."""
        self.process = launch(self._command, self.settings, self.log)
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until `/readyz` says so.

        Raises:
            AssertionError: It ended, or was not ready in time; with its log's end.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            assert self.process is not None
            code = self.process.poll()
            assert code is None, f"worker ended with {code}:\n{self.log_tail()}"
            with contextlib.suppress(OSError, urllib.error.URLError):
                if self.get("/readyz")[0] == 200:
                    return
            time.sleep(0.05)
        pytest.fail(f"worker not ready in {timeout_s} s:\n{self.log_tail()}")

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page of the worker's web port."""
        url = f"http://127.0.0.1:{self.settings.web_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        """Sum of a metric over its labels; 0 when it was never counted."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in lines
            if line.startswith((name + " ", name + "{"))
        )

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._end(signal.SIGKILL, 10)

    def stop(self, timeout_s: float = 30) -> int:
        """SIGTERM, and wait; the exit code."""
        return self._end(signal.SIGTERM, timeout_s)

    def freeze(self) -> None:
        """SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def wait(self, timeout_s: float) -> int:
        """Wait until it ends by itself; the exit code."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    def _end(self, how: signal.Signals, timeout_s: float) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            end = self.log_tail()
            pytest.fail(f"no end in {timeout_s} s after {how.name}:\n{end}")

    def log_tail(self, characters: int = 4_000) -> str:
        """The end of what it wrote."""
        return Path(self.log).read_text(errors="replace")[-characters:]
