"""Reference pages made from the code: settings, commands, metrics, alarms.

Printed by `icu-stream reference`, and pages of the documentation's site (docs/site), so
that nothing is written twice and nothing there is older than the program.
"""

import importlib
import tomllib

from collections.abc import Callable, Iterator
from enum import StrEnum
from importlib import resources
from typing import Any

import prometheus_client

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from icu_stream import settings
from icu_stream.contracts.signals import SIGNALS


# Every module that declares metrics; the registry has them once it is imported.
METERED = (
    "icu_stream.observability",
    "icu_stream.storage.archive",
    "icu_stream.pager.metrics",
    "icu_stream.gateways.gauges",
)


class Page(StrEnum):
    """The pages, by the name of their file."""

    SETTINGS = "settings"
    COMMANDS = "commands"
    METRICS = "metrics"
    ALARMS = "alarms"


def page(name: Page, command_line: TyperGroup) -> str:
    """One page, in Markdown.

    Args:
        name: Which.
        command_line: Of the program.
    """
    makers: dict[Page, Callable[[], str]] = {
        Page.SETTINGS: _settings,
        Page.COMMANDS: lambda: _commands(command_line),
        Page.METRICS: _metrics,
        Page.ALARMS: _alarms,
    }
    return makers[name]()


def _settings() -> str:
    return (
        "# Settings\n\n"
        "Each is read from the environment, from an `.env` file in the working directory, "
        "or, for secrets, from a file named like the setting in lower case in the directory "
        "`ICU_SECRETS_DIR`. A wrong value names itself and what is allowed.\n\n"
        f"{settings.table()}\n"
    )


def _commands(root: TyperGroup) -> str:
    parts = [
        "# Command line",
        "`faust -A icu_stream.app worker` is the worker; everything else is `icu-stream`.",
    ]
    for name, command in sorted(_leaves(root, "icu-stream")):
        parts += [f"## {name}", _plain(command.help), _options(command)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _leaves(group: TyperGroup, prefix: str) -> Iterator[tuple[str, TyperCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _leaves(command, f"{prefix} {name}")
        elif isinstance(command, TyperCommand) and not command.hidden:
            yield f"{prefix} {name}", command


def _plain(text: str | None) -> str:
    return (text or "").replace("\b", "").strip()


def _options(command: TyperCommand) -> str:
    rows = []
    for parameter in command.params:
        if isinstance(parameter, TyperArgument):
            rows.append(
                (
                    f"`{parameter.metavar or str(parameter.name).upper()}`",
                    "",
                    parameter.help or "",
                )
            )
        elif isinstance(parameter, TyperOption) and parameter.name != "help":
            names = ", ".join((*parameter.opts, *parameter.secondary_opts))
            default = parameter.default
            shown = "" if default is None or callable(default) else f"`{default}`"
            rows.append((f"`{names}`", shown, parameter.help or ""))
    if not rows:
        return ""
    lines = ["| | default | |", "|---|---|---|"]
    lines += [f"| {name} | {default} | {_cell(text)} |" for name, default, text in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def metrics() -> list[tuple[str, str, tuple[str, ...], str]]:
    """Every metric of our own: name, type, labels and what it says, by name."""
    for module in METERED:
        importlib.import_module(module)
    collectors = set(prometheus_client.REGISTRY._collector_to_names)  # noqa: SLF001 - no public way
    found = []
    for collector in collectors:
        labels: Any = getattr(collector, "_labelnames", ())
        for metric in getattr(collector, "describe", list)():
            if metric.name.startswith("icu_"):
                suffix = "_total" if metric.type == "counter" else ""
                found.append(
                    (metric.name + suffix, metric.type, labels, metric.documentation)
                )
    return sorted(found)


def _metrics() -> str:
    lines = [
        "# Metrics",
        "",
        (
            "What `/metrics` of the processes answers, in Prometheus' format, beside what "
            "every Python program says of itself. Alarms made of them, and what to do about "
            "each, are in [operations](../operations.md)."
        ),
        "",
        "| metric | type | labels | |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{name}` | {type_} | {', '.join(f'`{label}`' for label in labels)} | {_cell(text)} |"
        for name, type_, labels, text in metrics()
    ]
    return "\n".join(lines) + "\n"


def _alarms() -> str:
    text = (resources.files("icu_stream.profiles") / "adult.toml").read_text()
    profile = tomllib.loads(text)
    lines = [
        "# Alarm codes",
        "",
        (
            "Every alarm of the profile `adult`, in its order. How the numbers are applied is "
            "in [alarms](../alarms.md), what each says in [what an alert says](../texts.md)."
        ),
        "",
        "## Signals",
        "",
        "| code | name | unit (UCUM) | LOINC | silent after | instrument's range |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{s.code}` | {s.name} | {s.unit} | {s.loinc} | "
        f"{'never' if s.no_data_s is None else f'{s.no_data_s:g} s'} | "
        f"{s.low:g} to {s.high:g} |"
        for s in SIGNALS
    ]
    lines += ["", "## Limits", "", "| code | alarms at | delay | priority | source |"]
    lines.append("|---|---|---|---|---|")
    for row in profile["limit"]:
        words = {"low": "below", "high": "above"}.get(
            row["condition"], row["condition"]
        )
        limit = f"{words} {row['limit']:g}" if "limit" in row else words
        lines.append(
            f"| `{row['code']}` | {limit} | {row['delay_s']:g} s | {row['priority']} | "
            f"{_cell(row['source'])} |"
        )
    lines += ["", "## Technical", "", "| code | priority | source |", "|---|---|---|"]
    lines += [
        f"| `{row['code']}` | {row.get('priority', 'as no data')} | "
        f"{_cell(row['source'])} |"
        for row in profile["technical"]
    ]
    lines += ["", "## NEWS2", "", "| code | priority | source |", "|---|---|---|"]
    lines += [
        f"| `{row['code']}` | {row['priority']} | {_cell(row['source'])} |"
        for row in profile["news2"]
    ]
    return "\n".join(lines) + "\n"
