"""A gateway as a hospital starts it: `icu-stream gateway ...`, one process."""

import os
import re
import selectors
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from icu_stream.settings import Settings
from tests.launch import launch


READY_S = 30
STOP_S = 5


class Gateway:
    """One gateway process; a context manager.

    Args:
        kind: hl7, fhir or alerts.
        settings: Ports are any free ones, except a given one.
        hl7_port: Of the HL7 gateway: the same after a restart.

    Attributes:
        port: Where it takes messages; 0 of one that takes none.
        web_port: Of its metrics.
    """

    def __init__(self, kind: str, settings: Settings, hl7_port: int = 0) -> None:
        ports = ("hl7_web_port", "hl7_alerts_web_port", "fhir_port", "fhir_web_port")
        chosen = dict.fromkeys(ports, 0) | {"hl7_port": hl7_port}
        self.settings = settings.model_copy(update=chosen)
        self.port = 0
        self.web_port = 0
        self._log = settings.data_dir / f"gateway-{kind}.log"
        self._command = [sys.executable, "-m", "icu_stream", "gateway", kind]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Gateway":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> "Gateway":
        """Start it and wait until it says that it is ready."""
        self._process = launch(
            self._command, self.settings, self._log, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            assert waiting.select(READY_S), f"not ready:\n{self.log()}"
        line = self._process.stdout.readline()
        assert line, f"ended:\n{self.log()}"
        ports = re.findall(r":(\d+)\b", line)
        self.port = int(ports[0])
        [web_port] = re.findall(r"metrics on (\d+)", line)
        self.web_port = int(web_port)
        return self

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of its web page."""
        url = f"http://127.0.0.1:{self.web_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        """A metric, with its labels as they are shown; 0 when it was never counted."""
        for line in self.get("/metrics")[1].splitlines():
            if line.rpartition(" ")[0] == name:
                return float(line.rpartition(" ")[2])
        return 0.0

    def stop(self) -> float:
        """SIGTERM; seconds until it was gone."""
        assert self._process is not None
        begin = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(STOP_S)
        assert code == 0, self.log()
        return time.monotonic() - begin

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()

    def log(self) -> str:
        """What it logged."""
        return self._log.read_text(errors="replace")
