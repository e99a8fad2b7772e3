"""A backtest on the terminal: a bar while it runs, tables when it is done."""

import contextlib

from collections.abc import Callable, Iterator

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from icu_stream.evaluation import backtest, findings
from icu_stream.evaluation.backtest import Result
from icu_stream.evaluation.findings import number, per_day


# Of the table by code (ours): what fits a screen; the report has more.
_MOST_CODES = 12
_COLOURS = {"high": "red", "medium": "yellow", "low": "cyan"}


@contextlib.contextmanager
def drawn(title: str) -> Iterator[Callable[[backtest.Progress], None]]:
    """Draw how far it has come on stderr, if a person watches it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task(title, total=1.0, told="starting")

        def tell(progress: backtest.Progress) -> None:
            told = f"{progress.records:,} messages"
            bar.update(task, completed=progress.share, told=told)

        yield tell


def show(result: Result, console: Console) -> None:
    """Print the tables."""
    seen = result.seen
    console.print(
        f"{result.source}: {seen.patients:,} patients, {number(seen.days)} patient-days, "
        f"{seen.messages:,} messages",
        highlight=False,
    )
    console.print(_key_figures(result))
    console.print(_codes(result))
    for curve in result.curves:
        console.print(_curve(curve, result))
    for note in findings.notes(result):
        console.print(Padding(Text(f"- {note}"), (0, 0, 0, 1)))
    if seen.unreadable:
        told = (
            f"{seen.unreadable:,} records could not be read: {'; '.join(seen.reasons)}"
        )
        console.print(Text(told, "red"))


def _table(first: str, *names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for name in names:
        table.add_column(name, justify="right")
    return table


def _key_figures(result: Result) -> Table:
    table = _table("", *(profile.label for profile in result.profiles))
    for row in findings.key_rows(result):
        name = Text(
            f"  {row.name}" if row.is_part else row.name, _COLOURS.get(row.name, "")
        )
        cells = []
        for place, cell in enumerate(row.cells):
            told = findings.change(row.numbers[0], row.numbers[place]) if place else ""
            cells.append(f"{cell}  ({told})" if told and not row.is_part else cell)
        table.add_row(name, *cells)
    return table


def _codes(result: Result) -> Table:
    """Annunciations, and in brackets alarms, a patient-day."""
    labels = [profile.label for profile in result.profiles]
    table = _table("annunciations (alarms) a patient-day", *labels)
    days = result.seen.days
    codes = findings.codes(result)
    for code in codes[:_MOST_CODES]:
        cells = []
        for profile in result.profiles:
            tally = findings.code_tally(profile, code)
            sounds = 0 if tally is None else sum(tally.annunciations.values())
            alarms = 0 if tally is None else sum(tally.alarms.values())
            cells.append(
                f"{number(per_day(sounds, days))} ({number(per_day(alarms, days))})"
            )
        table.add_row(code, *cells)
    if len(codes) > _MOST_CODES:
        table.add_row(
            f"and {len(codes) - _MOST_CODES} rarer ones", *("" for _ in labels)
        )
    return table


def _curve(curve: backtest.Curve, result: Result) -> Table:
    names = ["annunciations a day", "", "alarms a day"]
    judged = result.knowledge is not None
    if judged:
        names += ["events late", "missed", "wrong"]
    table = _table(f"{curve.label}, {curve.sweep.title}", *names)
    days = result.seen.days
    first = curve.points[0].tally.annunciations()
    for point in curve.points:
        sounds, alarms = point.tally.annunciations(), point.tally.alarms()
        cells = [
            number(per_day(sounds, days)),
            findings.change(first, sounds),
            number(per_day(alarms, days)),
        ]
        if judged:
            cells += findings.judged_cells(point.tally.judged)
        table.add_row(f"{point.x:g} {curve.sweep.unit}", *cells)
    return table
