"""Processes that work on parts of a log, and end when nobody needs them any more.

Each process has one pipe to this one: tasks come in, progress and results go out. When
the pipe closes, because the work was cancelled or this process is gone, the other ends
at its next look. Processes are spawned, never forked: whoever calls may have threads,
an event loop, or connections of its own.

`concurrent.futures` cannot be told to stop a task that has begun, and its processes stay
when their parent is killed.
"""

import multiprocessing
import os
import signal
import threading
import traceback

from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, NamedTuple, TypeVar

from icu_stream.errors import IcuStreamError


# How often this process looks whether the work was cancelled, s.
_LOOK_S = 0.1
# A process that does not end by itself within so many seconds is ended, s.
_LEAVE_S = 5.0

# Tells how many records were done since it was told last. Raises when the work is over.
Tell = Callable[[int], None]
# Is told records and tasks that were done since it was told last.
Telling = Callable[[int, int], None]
Work = Callable[[Any, Any, Tell], Any]
_T = TypeVar("_T")


class StoppedError(IcuStreamError):
    """The work was cancelled before its end; there is no result."""


class WorkerLostError(IcuStreamError):
    """A process ended without a result: killed, or out of memory."""


class _Done(NamedTuple):
    number: int
    result: Any


class _Failed(NamedTuple):
    error: BaseException


class _Leave(BaseException):
    """Nobody waits for the result."""


def work(
    function: Work,
    job: Any,
    tasks: Sequence[_T],
    *,
    processes: int,
    tell: Telling,
    cancel: threading.Event,
    nice: int = 0,
) -> list[Any]:
    """Apply a function to tasks.

    Args:
        function: Of `job`, a task and `Tell`; of a module, so that it can be sent.
        job: What all tasks need; is sent to each process once.
        tasks: Small.
        processes: At most so many; 1 = in this one.
        tell: Is told records done since the last time, and tasks done.
        cancel: Set it to stop.
        nice: How far they stand back for others, 0 to 19; above 0, none is this one.

    Returns:
        The results in the order of the tasks.

    Raises:
        StoppedError: It was cancelled.
        WorkerLostError: A process was killed.
        Exception: What the function raised.
    """
    if not tasks or (not nice and (processes <= 1 or len(tasks) <= 1)):
        return list(_here(function, job, tasks, tell, cancel))
    pool = _Pool(function, job, min(processes, len(tasks)), nice)
    try:
        return pool.run(tasks, tell, cancel)
    finally:
        pool.close()


def _here(
    function: Work,
    job: Any,
    tasks: Sequence[Any],
    tell: Telling,
    cancel: threading.Event,
) -> Iterator[Any]:
    def told(records: int) -> None:
        if cancel.is_set():
            msg = "cancelled"
            raise StoppedError(msg)
        tell(records, 0)

    for task in tasks:
        told(0)
        yield function(job, task, told)
        tell(0, 1)


class _Pool:
    def __init__(self, function: Work, job: Any, processes: int, nice: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._all: dict[Connection, SpawnProcess] = {}
        try:
            for number in range(processes):
                here, there = context.Pipe()
                process = context.Process(
                    target=_serve,
                    args=(there, nice),
                    name=f"backtest-{number}",
                    daemon=True,
                )
                process.start()
                there.close()
                self._all[here] = process
            for here in self._all:
                here.send((function, job))
        except BrokenPipeError as error:
            self.close()
            raise _lost() from error
        except BaseException:
            self.close()
            raise

    def run(
        self,
        tasks: Sequence[Any],
        tell: Telling,
        cancel: threading.Event,
    ) -> list[Any]:
        results: dict[int, Any] = {}
        waiting = list(enumerate(tasks))[::-1]
        for connection in self._all:
            self._next(connection, waiting)
        while len(results) < len(tasks):
            if cancel.is_set():
                msg = "cancelled"
                raise StoppedError(msg)
            ready = wait(list(self._all), _LOOK_S)
            for connection in self._all.keys() & ready:
                answer = self._answer(connection)
                if isinstance(answer, int):
                    tell(answer, 0)
                elif isinstance(answer, _Failed):
                    raise answer.error
                else:
                    results[answer.number] = answer.result
                    tell(0, 1)
                    self._next(connection, waiting)
        return [results[number] for number in range(len(tasks))]

    @staticmethod
    def _next(connection: Connection, waiting: list[tuple[int, Any]]) -> None:
        if not waiting:
            return
        try:
            connection.send(waiting.pop())
        except BrokenPipeError as error:
            raise _lost() from error

    @staticmethod
    def _answer(connection: Connection) -> Any:
        try:
            return connection.recv()
        except (EOFError, ConnectionResetError) as error:
            raise _lost() from error

    def close(self) -> None:
        for connection in self._all:
            connection.close()
        for process in self._all.values():
            process.join(_LEAVE_S)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()


def _lost() -> WorkerLostError:
    return WorkerLostError(
        "a process of the backtest was killed (out of memory?): try fewer --processes"
    )


# --- in the other process


def _serve(connection: Connection, nice: int) -> None:
    """Work until the pipe closes."""
    os.nice(nice)
    # Ctrl-C reaches every process of a terminal; the first one decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        function, job = connection.recv()
        while True:
            number, task = connection.recv()
            connection.send(_apply(function, job, number, task, connection))
    except (EOFError, OSError, _Leave):
        return


def _apply(
    function: Work, job: Any, number: int, task: Any, connection: Connection
) -> _Done | _Failed:
    def tell(records: int) -> None:
        # Nothing is sent while a task is under way: what can be read is the end.
        if connection.poll():
            raise _Leave
        connection.send(records)

    try:
        return _Done(number, function(job, task, tell))
    except Exception as error:  # noqa: BLE001 - raised again where it is waited for
        # A traceback cannot be sent; a note can.
        error.add_note(traceback.format_exc())
        return _Failed(error)
