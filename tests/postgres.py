"""A PostgreSQL of the tests' own: a new cluster on a free loopback port, gone afterwards."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid

from pathlib import Path

from icu_stream.demo import tethered
from tests.kafka import free_port


USER, PASSWORD = "icu", "of the tests alone"
START_TIMEOUT_S = 60
# Debian keeps them out of the path, by version.
_PLACES = "/usr/lib/postgresql"


def binaries() -> Path | None:
    """Where `initdb` and `postgres` are; None where they are not installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(Path(_PLACES).glob("*/bin/initdb"), key=lambda p: p.parts[-3])
    return versions[-1].parent if versions else None


class Postgres:
    """One server; use it as a context manager.

    Args:
        bin_: Where its programs are.
        quick: It forgets what the machine forgets, and is small; else it is as shipped.

    Attributes:
        port: Where it listens, on loopback.
    """

    def __init__(self, bin_: Path, *, quick: bool = True) -> None:
        options = ["-c", "fsync=off", "-c", "shared_buffers=16MB"]
        self._options = options if quick else []
        self._bin = bin_
        self.port = free_port()
        self._scratch = Path(tempfile.mkdtemp(prefix="icu-postgres-"))
        # It refuses to run as root. Whoever it runs as cannot start our Python.
        self._prefix: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam(_user())
            os.chown(self._scratch, user.pw_uid, user.pw_gid)
            ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            self._prefix = ["setpriv", *ids, "--pdeathsig=KILL", "--"]

    def __enter__(self) -> "Postgres":
        secret = self._scratch / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        make = [self._bin / "initdb", "-D", self._data, "-U", USER, "-E", "UTF8"]
        how = ["--no-sync", "--auth=scram-sha-256", f"--pwfile={secret}"]
        done = self._run(*make, *how, "--locale=C.UTF-8")
        assert done.returncode == 0, done.stdout
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def url(self) -> str:
        """Its address, without a password."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def database(self) -> str:
        """Make a database of its own, empty; its address, without a password."""
        name = f"t_{uuid.uuid4().hex[:8]}"
        self.tool("createdb", name)
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"

    def tool(self, name: str, *arguments: str) -> str:
        """Run one of PostgreSQL's own programs as its user; what it printed."""
        done = subprocess.run(
            [self._bin / name, "-h", "127.0.0.1", "-p", str(self.port), *arguments],
            env={"PGUSER": USER, "PGPASSWORD": PASSWORD, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        command = [*self._prefix, str(self._bin / "postgres"), "-D", str(self._data)]
        where = ["-p", str(self.port), "-h", "127.0.0.1", "-k", ""]
        quick = self._options
        with (self._scratch / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, *where, *quick]
                if self._prefix
                else tethered([*command, *where, *quick]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._scratch,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            tail = (self._scratch / "log").read_text()[-2000:]
            assert self._process.poll() is None, tail
            assert time.monotonic() < deadline, tail
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once, and its children; the data stays."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(START_TIMEOUT_S)

    @property
    def _data(self) -> Path:
        return self._scratch / "data"

    def _answers(self) -> bool:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        return "ready to accept connections" in (self._scratch / "log").read_text()

    def _run(self, *command: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._prefix, *(str(part) for part in command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=START_TIMEOUT_S,
            cwd=self._scratch,
            check=False,
        )


def _user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
