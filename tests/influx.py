"""A real InfluxDB 1.x for tests (Debian: influxdb): its own data, on free loopback ports."""

import contextlib
import http.client
import json
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

from pathlib import Path
from typing import Any

from icu_stream.demo import tethered
from tests.kafka import free_ports


START_TIMEOUT_S = 30


def binary() -> str | None:
    """Where `influxd` is; None where it is not installed."""
    return shutil.which("influxd", path="/usr/bin:/usr/local/bin:/usr/sbin:/bin")


class InfluxServer:
    """One server; use it as a context manager.

    Attributes:
        port: Where it listens, on loopback.
    """

    def __init__(self, program: str) -> None:
        self._program = program
        self.port, self._backup_port = free_ports(2)
        self._scratch = Path(tempfile.mkdtemp(prefix="icu-influx-"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "InfluxServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it on the data it has, and wait until it answers."""
        environment = {
            "HOME": str(self._scratch),
            "INFLUXDB_REPORTING_DISABLED": "true",
            "INFLUXDB_BIND_ADDRESS": f"127.0.0.1:{self._backup_port}",
            "INFLUXDB_META_DIR": str(self._scratch / "meta"),
            "INFLUXDB_DATA_DIR": str(self._scratch / "data"),
            "INFLUXDB_DATA_WAL_DIR": str(self._scratch / "wal"),
            "INFLUXDB_DATA_QUERY_LOG_ENABLED": "false",
            "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{self.port}",
            "INFLUXDB_HTTP_LOG_ENABLED": "false",
            "INFLUXDB_MONITOR_STORE_ENABLED": "false",
            "GOMAXPROCS": "2",
        }
        with (self._scratch / "log").open("ab") as log:
            self._process = subprocess.Popen(
                tethered([self._program, "-config", "/dev/null"]),
                env=environment,
                cwd=self._scratch,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            tail = (self._scratch / "log").read_text(errors="replace")[-2000:]
            assert self._process.poll() is None, tail
            assert time.monotonic() < deadline, tail
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL; the data stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """SIGSTOP: it keeps its connections and does nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: it goes on where it was."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def ask(self, statement: str, database: str = "") -> list[list[Any]]:
        """Rows of the answer to one statement; times in milliseconds."""
        data = {"q": statement, "db": database, "epoch": "ms"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", "/query", urllib.parse.urlencode(data), form)
            said = json.load(connection.getresponse())
        [result] = said["results"]
        assert "error" not in result, result
        return [row for one in result.get("series", ()) for row in one["values"]]

    def back_up(self, directory: Path, database: str) -> None:
        """As docs/archive.md says."""
        self._tool("backup", "-portable", "-db", database, str(directory))

    def restore(self, directory: Path, database: str, name: str) -> None:
        """Bring a backup back, as a database of another name."""
        self._tool(
            "restore", "-portable", "-db", database, "-newdb", name, str(directory)
        )
        # It says that it is done a moment before its shards can be read.
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                for policy, *_ in self.ask("SHOW RETENTION POLICIES", name):
                    self.ask(f'SELECT * FROM "{policy}"./.*/ LIMIT 1', name)  # noqa: S608
            except AssertionError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return

    def _tool(self, verb: str, *arguments: str) -> None:
        host = f"127.0.0.1:{self._backup_port}"
        done = subprocess.run(
            [self._program, verb, "-host", host, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        with (
            contextlib.closing(connection),
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            connection.request("GET", "/ping")
            return connection.getresponse().status == 204
        return False
