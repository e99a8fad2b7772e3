"""The table of a run: what was measured, beside its peer and its budget."""

import platform
import statistics

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measured thing.

    Attributes:
        what: In words.
        unit: Of the figure.
        runs: What each repetition gave, in order.
        better: Which direction is good.
        budget: DESIGN.md's, in the same unit; None without one.
        peer: Whose figure this one is compared with, and that figure.
        note: What must be known to read it.
    """

    what: str
    unit: str
    runs: list[float]
    better: Literal["more", "less"]
    budget: float | None = None
    peer: tuple[str, float] | None = None
    note: str = ""

    @property
    def figure(self) -> float:
        """The median of the repetitions."""
        return statistics.median(self.runs)

    @property
    def kept(self) -> bool | None:
        """Is the budget kept? None without one."""
        if self.budget is None:
            return None
        if self.better == "more":
            return self.figure >= self.budget
        return self.figure <= self.budget


class Report(msgspec.Struct):
    """One run of the benchmarks.

    Attributes:
        machine: What it ran on.
        load: Processes that wanted to run when it began and when it ended.
        rows: What was measured.
        details: Everything else, by name.
    """

    machine: str
    load: list[float]
    rows: list[Row]
    details: dict[str, object]

    def table(self) -> str:
        """The rows as a Markdown table."""
        lines = [
            "| what | figure | spread | budget | figure : budget | peer | note |",
            "|---|---|---|---|---|---|---|",
        ]
        for row in self.rows:
            spread = (
                f"{_text(min(row.runs))} - {_text(max(row.runs))}, n={len(row.runs)}"
                if len(row.runs) > 1
                else ""
            )
            budget = ratio = peer = ""
            if row.budget is not None:
                sign = ">=" if row.better == "more" else "<="
                budget = f"{sign} {_text(row.budget)}"
                ratio = f"{row.figure / row.budget:.2f} {'kept' if row.kept else 'NOT KEPT'}"
            if row.peer is not None:
                name, figure = row.peer
                peer = f"{row.figure / figure:.2f} x {name} ({_text(figure)})"
            cells = (
                row.what,
                f"{_text(row.figure)} {row.unit}",
                spread,
                budget,
                ratio,
                peer,
                row.note,
            )
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)


def machine() -> str:
    """Processor, cores, memory and versions, in one line."""
    info = Path("/proc/cpuinfo").read_text()
    names = [x.split(":")[1].strip() for x in info.splitlines() if "model name" in x]
    memory = Path("/proc/meminfo").read_text().splitlines()[0].split()[1]
    return (
        f"{len(names)} x {names[0]}, {int(memory) / 1e6:.0f} GB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def _text(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def spread(rows: Sequence[float]) -> tuple[float, float, float]:
    """Median, least and most."""
    return statistics.median(rows), min(rows), max(rows)
