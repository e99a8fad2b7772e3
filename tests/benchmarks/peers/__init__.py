"""The same topic through other programs, each a process of its own."""

import subprocess
import sys

import msgspec

from tests.kafka import ROOT


class Timing(msgspec.Struct, frozen=True):
    """When a program did its work, by the machine's monotonic clock, in seconds.

    Attributes:
        count: Messages.
        started: When the first ones were in its hands.
        applied: When the last one was done.
        saved: When its last state and offset were saved.
        cpu_s: Processor time of the process.
    """

    count: int
    started: float
    applied: float
    saved: float
    cpu_s: float | None = None

    @property
    def applied_rate(self) -> float:
        """Messages a second, without the last save."""
        return self.count / (self.applied - self.started)

    @property
    def saved_rate(self) -> float:
        """Messages a second, until the last save."""
        return self.count / (self.saved - self.started)


def say(line: str) -> None:
    """Say something to whoever started this process."""
    out = sys.__stdout__  # Faust takes sys.stdout for its log
    assert out is not None
    out.write(f"{line}\n")
    out.flush()


def answer(timing: Timing) -> None:
    """Say what a peer is there to say."""
    say(msgspec.json.encode(timing).decode())


def run(name: str, *arguments: object, timeout_s: float = 120) -> Timing:
    """Run a peer and take its answer: the last line of what it prints.

    Raises:
        RuntimeError: It failed; with what it said.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.peers.{name}", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if done.returncode or not done.stdout.strip():
        msg = f"{name} ended with {done.returncode}:\n{done.stderr[-3_000:]}"
        raise RuntimeError(msg)
    return msgspec.json.decode(done.stdout.strip().splitlines()[-1], type=Timing)
