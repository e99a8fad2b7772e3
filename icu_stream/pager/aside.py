"""Blocking libraries beside the loop, each call in a thread that nobody waits for at the end.

A pool's threads are joined when a process ends, however long a mail server hangs; these
are daemons, so the process ends within its seconds.
"""

import asyncio
import threading

from collections.abc import Callable
from typing import TypeVar


_T = TypeVar("_T")


async def aside(act: Callable[[], _T], timeout_s: float) -> _T:
    """Do something in a thread.

    Raises:
        TimeoutError: It takes too long; the thread goes on to its own end, unheard.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def hand(result: _T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # it is _T's, also None

    def run() -> None:
        result: _T | None = None
        error: BaseException | None = None
        try:
            result = act()
        except Exception as raised:  # noqa: BLE001 - handed to whoever waits
            error = raised
        try:
            loop.call_soon_threadsafe(hand, result, error)
        except RuntimeError:
            return  # the loop has ended

    threading.Thread(target=run, name="pager-aside", daemon=True).start()
    async with asyncio.timeout(timeout_s):
        return await done
