"""What icu-stream does in a second and in how many, beside its peers: `make bench`.

    python -m tests.benchmarks              all of it, a quarter of an hour
    python -m tests.benchmarks --quick      a small one, for a first look
    python -m tests.benchmarks --only throughput --only latency
    python -m tests.benchmarks --json FILE  every single figure, too
    python -m tests.benchmarks --tail       what makes the slowest alerts slow: experiments
    python -m tests.benchmarks --profile    where the time of a message goes, without Kafka

One run, one machine, one broker: figures of different runs are not to be compared.
"""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer

from icu_stream import clock, profiles
from tests import influx, postgres
from tests.benchmarks import (
    faults,
    latency,
    memory,
    profiling,
    recovery,
    states,
    storage,
    throughput,
)
from tests.benchmarks.courses import Course, courses
from tests.benchmarks.report import Report, Row, machine
from tests.influx import InfluxServer
from tests.kafka import ROOT, Kafka, why_unavailable
from tests.postgres import Postgres


# Until py-spy watches, and until it has drawn.
_ATTACH_S, _DRAW_S = 2.0, 120


class Size(NamedTuple):
    """How much of everything.

    Attributes:
        repeats: Of each throughput.
        wards: Beds and seconds of each preloaded topic.
        shared: Beds and seconds of the topic that two workers share.
        faust: Messages for the per-message agent.
        latency: Of the worker.
        peer: Latency of each of its peers, and of each experiment on the tail.
        patients: Simulated ones, whose courses and days all beds share.
        memory: Beds of the small and of the large worker.
        recovery: Beds.
        session_s: After which a killed worker has left the group.
        silence_s: Of the run with a kill in its middle.
        points: Into each store.
    """

    repeats: int
    wards: tuple[tuple[int, int], ...]
    shared: tuple[int, int]
    faust: int
    latency: latency.Span
    peer: latency.Span
    patients: int
    memory: tuple[int, int]
    recovery: int
    session_s: float
    silence_s: float
    points: int


FULL = Size(
    repeats=3,
    wards=((200, 3_000), (5_000, 120)),
    shared=(200, 4_000),
    faust=5_000,
    latency=latency.Span(10, 60),
    peer=latency.Span(5, 30),
    patients=32,
    memory=(200, 2_000),
    recovery=10_000,
    session_s=10,
    silence_s=40,
    points=200_000,
)
QUICK = Size(
    repeats=1,
    wards=((200, 300),),
    shared=(200, 1_000),
    faust=2_000,
    latency=latency.Span(2, 6),
    peer=latency.Span(2, 6),
    patients=6,
    memory=(5, 20),
    recovery=500,
    session_s=6,
    silence_s=28,
    points=20_000,
)

HOUR_MS = 3_600_000

# DESIGN.md, "Budgets".
BED_SECONDS = 100_000
P50_MS, P99_MS = 10, 50
BED_KB, WORKER_MB = 150, 300
BACK_S = 15
TWO_WORKERS = 1.7
# The issue of the records: "points/s to either store".
STORED = 50_000


class Bench:
    """One run: what has been measured until now, and on what."""

    def __init__(self, kafka: Kafka, size: Size, pauses: Path) -> None:
        self.kafka = kafka
        self.size = size
        self.pauses = pauses
        self.rows: list[Row] = []
        self.details: dict[str, object] = {}
        # Later than the end of this run, so that no bed falls silent by the clock.
        self.begin_ms = clock.now_ms() + HOUR_MS
        longest = max(points for _, points in (*size.wards, size.shared))
        _say(f"simulating {size.patients} patients and their day")
        self.courses: list[Course] = courses(size.patients, states.POINTS + longest)
        self.patients = states.aged(
            states.day(size.patients, self.courses, 4, self.begin_ms),
            profiles.load("adult"),
        )
        self.details["state of a bed, bytes"] = [
            sum(map(len, one.pieces.values())) for one in self.patients
        ]

    def hospital(self, beds: int, points: int) -> throughput.Hospital:
        """A preloaded topic."""
        return throughput.hospital(
            self.kafka, beds, points, self.patients, self.courses, self.begin_ms
        )

    def throughput(self) -> None:
        """The pipeline, and what does less or the same in another way."""
        for beds, points in self.size.wards:
            place = self.hospital(beds, points)
            ours: list[throughput.Run] = []
            raw, quix, faust = [], [], []
            for n in range(self.size.repeats):
                _say(f"throughput, {beds} beds, run {n + 1} of {self.size.repeats}")
                ours.append(throughput.one_worker(place))
                raw.append(throughput.raw(place))
                if has_quix():
                    quix.append(throughput.quix(place))
                faust.append(throughput.faust(place, self.size.faust))
            applied = [run.timing.applied_rate for run in ours]
            saved = [run.timing.saved_rate for run in ours]
            rates = {
                "Quix Streams counting": [t.applied_rate for t in quix],
                "Faust per message": [t.applied_rate for t in faust],
                "aiokafka + msgspec alone": [t.applied_rate for t in raw],
            }
            alerts = max(run.alerts for run in ours) / place.count
            cpu_us = [1e6 * (run.timing.cpu_s or 0) / place.count for run in ours]
            topic = f"{beds:,} beds, {place.count:,} messages"
            row = Row(
                what=f"full pipeline, one worker: {topic}, first to last applied",
                unit="messages/s",
                runs=applied,
                better="more",
                budget=BED_SECONDS,
                peer=_peer("Quix Streams counting", rates),
                note=f"{alerts:.2%} alerts, {min(cpu_us):.1f} us of processor each",
            )
            self.rows.append(row)
            self.rows.append(
                Row(
                    what="the same, to the last checkpoint",
                    unit="messages/s",
                    runs=saved,
                    better="more",
                    note=f"longest checkpoint {max(r.checkpoint_s for r in ours):.2f} s",
                )
            )
            for name, runs in rates.items():
                if runs:
                    count = self.size.faust if "Faust" in name else place.count
                    self.rows.append(
                        Row(
                            what=f"peer: {name}, {beds:,} beds, {count:,} messages",
                            unit="messages/s",
                            runs=runs,
                            better="more",
                        )
                    )
            self.details[f"throughput, {beds} beds"] = {
                "worker": ours,
                "cpu_us": cpu_us,
                "peers": rates,
            }

    def two_workers(self) -> None:
        """Two workers against one."""
        place = self.hospital(*self.size.shared)
        one, two = [], []
        for n in range(self.size.repeats):
            _say(f"two workers, run {n + 1} of {self.size.repeats}")
            one.append(throughput.workers(place, 1))
            two.append(throughput.workers(place, 2))
        ratios = [b.rate / a.rate for a, b in zip(one, two, strict=True)]
        busy = [sum(b.busy) for b in two]
        self.rows.append(
            Row(
                what=f"two workers : one, {place.count:,} messages",
                unit="x",
                runs=ratios,
                better="more",
                budget=TWO_WORKERS,
                note=f"{os.cpu_count()} cores for both and the broker; the two got "
                f"{max(busy):.2f} of them",
            )
        )
        self.details["two workers"] = {"one": one, "two": two}

    def latency(self) -> None:
        """From a message to its alert."""
        _say("latency: echo, then Faust per message, then the worker")
        settings = self.kafka.settings()
        beds, where = 200, (settings.broker, settings.topic_prefix)
        with latency.peer("echo", *where):
            echo = latency.Spread.of(latency.measure(settings, beds, self.size.peer))
        settings = self.kafka.settings()
        where = (settings.broker, settings.topic_prefix)
        with latency.peer("faust_per_message", *where, "faust", 0, settings.data_dir):
            faust = latency.Spread.of(latency.measure(settings, beds, self.size.peer))
        alerted, trace = latency.through_worker(self.kafka, beds, self.size.latency)
        ours = latency.Spread.of(alerted)
        for name, spread in (
            ("an echo by aiokafka", echo),
            ("Faust per message", faust),
        ):
            self.rows.append(
                Row(
                    what=f"peer: {name}, produced to alert readable, p50",
                    unit="ms",
                    runs=[spread.p50],
                    better="less",
                    note=f"p95 {spread.p95}, p99 {spread.p99}, max {spread.max}",
                )
            )
        tail = latency.explain(alerted, trace, latency.broker_pauses(self.pauses))
        for name, budget in (
            ("p50", P50_MS),
            ("p95", None),
            ("p99", P99_MS),
            ("max", None),
        ):
            self.rows.append(
                Row(
                    what=f"produced to alert readable, {beds} beds at 1 Hz, {name}",
                    unit="ms",
                    runs=[getattr(ours, name)],
                    better="less",
                    budget=budget,
                    peer=("an echo by aiokafka", getattr(echo, name)),
                    note=f"{ours.count} alerts" if name == "p50" else "",
                )
            )
        self.details["latency"] = {
            "echo": echo,
            "Faust per message": faust,
            "worker": ours,
            "tail": tail,
        }

    def faults(self) -> None:
        """From a message to its alert, while all that is beside the alarm's way fails."""
        _say("latency alone, with all processes, and while what they need fails")
        with _stores() as (relational, series):
            found = faults.run(self.kafka, relational, series, self.size.latency)
        for what, spread in (
            ("with archive, API, pager, gateway", found.beside),
            ("the same, and all that they need fails", found.failing),
        ):
            for name, budget in (("p50", P50_MS), ("p99", P99_MS)):
                self.rows.append(
                    Row(
                        what=f"produced to alert readable, {faults.BEDS} beds, {what}, {name}",
                        unit="ms",
                        runs=[getattr(spread, name)],
                        better="less",
                        budget=budget,
                        peer=("the worker alone", getattr(found.alone, name)),
                        note=f"{spread.count} alerts, max {spread.max} (alone {found.alone.max})",
                    )
                )
        self.details["faults"] = found

    def memory(self) -> None:
        """Memory a bed."""
        few, many = self.size.memory
        _say(f"memory: 0, {few} and {many} beds after a day")
        empty = memory.empty(self.kafka)
        small, large = (
            memory.after_a_day(self.hospital(beds, memory.SECONDS))
            for beds in (few, many)
        )
        slope_kb = (large.mb - small.mb) / (many - few) * 1_000
        self.rows += [
            Row(
                what=f"memory a bed after a day, slope from {few} to {many:,} beds",
                unit="KB",
                runs=[slope_kb],
                better="less",
                budget=BED_KB,
                note=f"{large.mb:.0f} MB at {many:,} beds",
            ),
            Row(
                what=f"memory of the worker at {few} beds after a day",
                unit="MB",
                runs=[small.mb],
                better="less",
                budget=WORKER_MB,
                note=f"{empty:.0f} MB of it without a bed",
            ),
        ]
        self.details["memory"] = {"empty": empty, "small": small, "large": large}

    def recovery(self) -> None:
        """From a kill to every patient in memory, and to the next alert."""
        beds = self.size.recovery
        _say(f"recovery of {beds} beds")
        session_s = self.size.session_s
        back = recovery.recover(self.hospital(beds, 2), session_s)
        for what, figure, note in (
            ("changelog alone", back.changelog_s, f"{back.changelog_mb:.0f} MB read"),
            ("local RocksDB", back.local_s, ""),
            (
                "local RocksDB, at once after the kill",
                back.waiting_s,
                "with the wait for the killed worker's session",
            ),
            ("local RocksDB, at once, same ICU_INSTANCE_ID", back.static_s, ""),
        ):
            self.rows.append(
                Row(
                    what=f"start to {beds:,} patients in memory: {what}",
                    unit="s",
                    runs=[figure],
                    better="less",
                    note=note,
                )
            )
        _say("kill in the middle of 20 alerts a second")
        silence = recovery.silence(self.kafka, 200, self.size.silence_s, session_s)
        self.rows.append(
            Row(
                what=f"kill -9 to alerts again, 200 beds, session of {session_s:g} s",
                unit="s",
                runs=[silence.longest_s],
                better="less",
                budget=BACK_S,
                note=f"{silence.lost} lost, {silence.repeated} repeated under the same id",
            )
        )
        self.details["recovery"] = {"start": back, "silence": silence}

    def storage(self) -> None:
        """What either store takes a second, beside the barest way into it."""
        _say(f"{self.size.points:,} points into each store")
        with _stores() as (relational, series):
            found = storage.run(relational, series, self.size.points, self.size.repeats)
        for name, ours, what, peer in (
            ("PostgreSQL", found.postgres, "COPY, no key", found.copy),
            ("InfluxDB", found.influx, "POST of lines", found.post),
        ):
            self.rows.append(
                Row(
                    what=f"archive into {name}, one client",
                    unit="points/s",
                    runs=ours,
                    better="more",
                    budget=STORED,
                    peer=_peer(what, {what: peer}),
                    note=f"a point has {storage.SIGNALS} signals",
                )
            )
        self.details["storage"] = found


def _peer(name: str, rates: dict[str, list[float]]) -> tuple[str, float] | None:
    runs = sorted(rates[name])
    return (name, runs[len(runs) // 2]) if runs else None


@contextlib.contextmanager
def _stores() -> Iterator[tuple[Postgres, InfluxServer]]:
    """Both, with their own settings for durability."""
    bin_, program = postgres.binaries(), influx.binary()
    assert bin_ is not None, "PostgreSQL is not installed"
    assert program is not None, "InfluxDB is not installed"
    with Postgres(bin_, quick=False) as relational, InfluxServer(program) as series:
        yield relational, series


def has_quix() -> bool:
    """Is Quix Streams in this environment? `make bench` has one in which it is."""
    return importlib.util.find_spec("quixstreams") is not None


def _say(what: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {what}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def _broker(*options: str) -> Iterator[tuple[Kafka, Path]]:
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch, "pauses")
        with latency.broker_options(log, *options), Kafka() as kafka:
            yield kafka, log


# What is changed in each experiment on the tail: the worker's settings, its environment,
# the broker's options.
_G1 = ("-XX:-UseSerialGC", "-XX:+UseG1GC", "-XX:TieredStopAtLevel=4")
_ZGC = ("-XX:-UseSerialGC", "-XX:+UseZGC", "-XX:TieredStopAtLevel=4")
EXPERIMENTS: dict[str, tuple[dict[str, object], dict[str, str], tuple[str, ...]]] = {
    "as it is": ({}, {}, ()),
    "no checkpoints": ({"checkpoint_s": 60}, {}, ()),
    "worker's collector off": ({}, {"BENCH_COLLECTOR": "off"}, ()),
    "broker with G1": ({}, {}, _G1),
    "broker with ZGC": ({}, {}, _ZGC),
    "as it is, again": ({}, {}, ()),
}


def tail(size: Size) -> str:
    """Change one thing at a time and look at the slowest alerts."""
    lines = [
        "| changed | echo p50 / p99 / max | worker p50 / p95 / p99 / max, ms | of the slowest hundredth (of all) during |",
        "|---|---|---|---|",
    ]
    for name, (overrides, environment, options) in EXPERIMENTS.items():
        _say(f"tail: {name}")
        with _broker(*options) as (kafka, pauses), _environment(environment):
            settings = kafka.settings()
            with latency.peer("echo", settings.broker, settings.topic_prefix):
                echo = latency.Spread.of(latency.measure(settings, 200, size.peer))
            alerted, trace = latency.through_worker(kafka, 200, size.peer, **overrides)
            ours = latency.Spread.of(alerted)
            found = latency.explain(alerted, trace, latency.broker_pauses(pauses))
        causes = "; ".join(
            f"{what} {cause.slow:.0%} ({cause.all:.0%}), longest {cause.longest_ms:.0f} ms"
            for what, cause in found.causes.items()
        )
        lines.append(
            f"| {name} | {echo.p50} / {echo.p99} / {echo.max} | "
            f"{ours.p50} / {ours.p95} / {ours.p99} / {ours.max} | {causes} |"
        )
        for title, stages in (("usual", found.usual), ("slow", found.stages)):
            _say(f"  {title}: " + ", ".join(f"{k} {v} ms" for k, v in stages.items()))
    return "\n".join(lines)


@contextlib.contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def profile(size: Size, flame: Path | None) -> str:
    """Where the time of a message goes."""
    parts = []
    for beds, points in size.wards:
        found = profiling.plain(beds, points)
        parts.append(
            f"{beds:,} beds, {found.messages:,} messages, us each: decode {found.decode}, "
            f"decode + step + say {found.apply}, save {found.save}; "
            f"{found.said:.2%} messages out"
        )
    beds, points = size.wards[0]
    parts.append(profiling.functions(beds, min(points, 1_500)))
    if flame is not None:
        _draw(flame, beds, points)
        parts.append(f"flame graph: {flame}")
    return "\n".join(parts)


def _draw(flame: Path, beds: int, points: int) -> None:
    """Let py-spy watch the loop of the core and the agent."""
    loop = [sys.executable, "-m", "tests.benchmarks.profiling", "loop"]
    with subprocess.Popen(
        [*loop, str(beds), str(points)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as watched:
        assert watched.stdin is not None
        assert watched.stdout is not None
        watched.stdout.readline()
        pid = str(watched.pid)
        # -F: by function, which keeps the picture small.
        spy = ["py-spy", "record", "-F", "-r", "250", "-o", str(flame), "--pid", pid]
        with subprocess.Popen(spy, stdin=subprocess.DEVNULL) as watcher:
            time.sleep(_ATTACH_S)
            watched.stdin.write("\n")
            watched.stdin.flush()
            assert watcher.wait(_DRAW_S) == 0, "py-spy failed"
    # Its own title is its command line, with paths of this machine.
    title = f"decode, step, say and save: {beds} beds, {beds * points:,} messages"
    flame.write_text(flame.read_text().replace(" ".join(spy), title))


PARTS: dict[str, Callable[[Bench], None]] = {
    "throughput": Bench.throughput,
    "two-workers": Bench.two_workers,
    "latency": Bench.latency,
    "faults": Bench.faults,
    "memory": Bench.memory,
    "recovery": Bench.recovery,
    "storage": Bench.storage,
}


def main(
    *,
    quick: Annotated[bool, typer.Option(help="A small version of all of it.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help=f"One part: {', '.join(PARTS)}.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Every single figure.")] = None,
    tails: Annotated[
        bool, typer.Option("--tail", help="Experiments on the slowest alerts.")
    ] = False,
    profiled: Annotated[
        bool, typer.Option("--profile", help="Where the time of a message goes.")
    ] = False,
    flame: Annotated[
        Path | None, typer.Option(help="With --profile: an SVG, by py-spy.")
    ] = None,
) -> None:
    """Measure icu-stream beside its peers."""
    size = QUICK if quick else FULL
    if flame is not None and shutil.which("py-spy") is None:
        msg = "--flame: py-spy not found; pip install py-spy"
        raise typer.BadParameter(msg)
    if profiled:
        sys.stdout.write(profile(size, flame) + "\n")
        return
    if reason := why_unavailable():
        raise typer.BadParameter(reason)
    if tails:
        sys.stdout.write(tail(size) + "\n")
        return
    wanted = only or list(PARTS)
    if unknown := set(wanted) - PARTS.keys():
        msg = f"no part {', '.join(unknown)}: want {', '.join(PARTS)}"
        raise typer.BadParameter(msg)
    load = os.getloadavg()[0]
    failed = []
    with _broker() as (kafka, pauses):
        bench = Bench(kafka, size, pauses)
        for name in wanted:
            # One part that fails must not take the figures of the others with it.
            try:
                PARTS[name](bench)
            except AssertionError as error:
                _say(f"{name} failed: {error}")
                failed.append(name)
    loads = [round(load, 2), round(os.getloadavg()[0], 2)]
    report = Report(machine(), loads, bench.rows, bench.details)
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    sys.stdout.write(f"{report.machine}; load {loads[0]} to {loads[1]}\n\n")
    sys.stdout.write(report.table() + "\n")
    if failed:
        raise typer.Exit(code=1)


if __name__ == "__main__":
    typer.run(main)
