"""What the gateways' processes have in common: they wait for Kafka, and end when told."""

import asyncio
import contextlib

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from icu_stream import observability
from icu_stream.gateways.inlet import Inlet
from icu_stream.process import told_to_end
from icu_stream.settings import Settings


@asynccontextmanager
async def opened(inlet: Inlet, stop: asyncio.Event) -> AsyncIterator[None]:
    """An inlet that is open; or is not, when told to stop before Kafka was there."""
    opening = asyncio.ensure_future(inlet.open())
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({opening, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if opening.done():
            opening.result()
        yield
    finally:
        for task in (opening, stopped):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        await inlet.close()


def serve(
    settings: Settings,
    run: Callable[[asyncio.Event], Awaitable[None]],
) -> None:
    """Run a process until SIGTERM or SIGINT.

    Args:
        settings: Of its logs.
        run: Gets the event that ends it.

    Raises:
        ConfigurationError: It could not begin.
    """
    observability.configure(settings)

    async def main() -> None:
        await run(told_to_end())

    asyncio.run(main())
