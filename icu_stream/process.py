"""What the processes have in common: they end when they are told, and listen somewhere."""

import asyncio
import logging
import signal

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.log import server_logger

from icu_stream.errors import ConfigurationError


# Longer than a proxy keeps a connection that it may use again (nginx: 60 s), or it would
# ask into one that ends.
IDLE_S = 75.0


def told_to_end(*more: signal.Signals) -> asyncio.Event:
    """An event of the running loop that SIGTERM, SIGINT or one of some more sets."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, *more):
        loop.add_signal_handler(number, told.set)
    return told


def place(host: str, port: int) -> str:
    """How an address stands in a URL.

    >>> place("127.0.0.1", 80), place("::1", 80)
    ('127.0.0.1:80', '[::1]:80')
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def cannot_listen(
    host: str, port: int, error: OSError, setting: str | None = None
) -> ConfigurationError:
    """What is said of an address that is taken, or none of ours.

    Args:
        host: Which.
        port: Which.
        error: What the system said.
        setting: How the names of the settings of both begin, as `ICU_API`.
    """
    msg = f"cannot listen on {host}:{port} ({error.strerror or error})"
    if setting:
        msg += (
            f": set {setting}_PORT to another port (0: any free one) or {setting}_HOST "
            "to an address of this host"
        )
    return ConfigurationError(msg)


@asynccontextmanager
async def listening(
    app: web.Application,
    host: str,
    port: int,
    *,
    setting: str | None = None,
    stop_s: float = 1.0,
    log: logging.Logger = server_logger,
) -> AsyncIterator[int]:
    """Serve an application as long as the context; gives its port.

    There is no access log: its lines would hold who asked from where, for ever. A
    connection that has not asked anything whole for `IDLE_S` is closed.

    Args:
        app: What is served.
        host: Where it listens.
        port: 0 takes any free one.
        setting: See `cannot_listen`.
        stop_s: What requests get at the end.
        log: Of what is no HTTP.

    Raises:
        ConfigurationError: The port is taken, or the address is none of ours.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=log,
        shutdown_timeout=stop_s,
        keepalive_timeout=IDLE_S,
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise cannot_listen(host, port, error, setting) from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
