"""Processes of a backtest: results in order, and nobody stays."""

import os
import subprocess
import sys
import textwrap
import threading
import time

from pathlib import Path

import pytest

from icu_stream.errors import ConfigurationError
from icu_stream.evaluation import pool
from tests.kafka import ROOT
from tests.unit.evaluation import pooled


def work(function, job, tasks, *, processes=2, tell=lambda *_: None, cancel=None):
    return pool.work(
        function,
        job,
        tasks,
        processes=processes,
        tell=tell,
        cancel=cancel or threading.Event(),
    )


def processes_of(directory: Path) -> set[int]:
    return {int(path.name.partition("-")[2]) for path in directory.iterdir()}


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_work_that_stands_back_for_others_is_never_done_in_this_process():
    ((pid, niceness),) = pool.work(
        pooled.standing,
        None,
        [1],
        processes=1,
        tell=lambda *_: None,
        cancel=threading.Event(),
        nice=19,
    )

    assert pid != os.getpid()
    assert niceness == 19


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_the_tasks(processes: int):
    told = []

    results = work(
        pooled.squared,
        10,
        list(range(20)),
        processes=processes,
        tell=lambda *done: told.append(done),
    )

    assert results == [10 * n * n for n in range(20)]
    assert sum(records for records, _ in told) == sum(done for _, done in told) == 20


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_task_raises_is_raised_here(processes: int):
    with pytest.raises(ConfigurationError, match="line 3: no number"):
        work(pooled.refused, None, list(range(5)), processes=processes)


@pytest.mark.parametrize("processes", [1, 2])
def test_who_cancels_gets_no_result_and_no_process_stays(
    processes: int, tmp_path: Path
):
    cancel = threading.Event()

    def tell(records: int, done: int) -> None:
        if records:
            cancel.set()

    with pytest.raises(pool.StoppedError):
        work(
            pooled.noted,
            tmp_path,
            [1, 2],
            processes=processes,
            tell=tell,
            cancel=cancel,
        )

    if processes > 1:
        assert not any(is_running(pid) for pid in processes_of(tmp_path))


def test_a_process_that_is_killed_is_an_error_not_a_result():
    with pytest.raises(pool.WorkerLostError, match="fewer --processes"):
        work(pooled.killed, None, [1, 2])


def test_no_process_stays_when_the_one_that_waits_is_killed(tmp_path: Path):
    code = f"""
        import threading
        from pathlib import Path
        from icu_stream.evaluation import pool
        from tests.unit.evaluation import pooled
        if __name__ == "__main__":
            pool.work(pooled.noted, Path({str(tmp_path)!r}), [1, 2], processes=2,
                      tell=lambda *_: None, cancel=threading.Event())
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while len(pids := processes_of(tmp_path)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)

    parent.kill()
    parent.wait()

    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(pids) == 2
    assert not any(map(is_running, pids))
