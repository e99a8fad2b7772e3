"""The command line: one command for each process and each tool."""

import asyncio
import sys

from pathlib import Path
from typing import Annotated

import typer

from icu_stream import __version__, bus, settings
from icu_stream.contracts import schema
from icu_stream.errors import ConfigurationError, IcuStreamError


app = typer.Typer(
    name="icu-stream",
    help="Watch every vital sign of every bed: few, well-explained alarms. "
    "Secondary notification only, not a medical device. "
    "The stream worker is started with: faust -A icu_stream.app worker",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
topics_app = typer.Typer(help="The Kafka topics.", no_args_is_help=True)
app.add_typer(topics_app, name="topics")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"icu-stream {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options of every command."""


@topics_app.command("create")
def topics_create() -> None:
    """Make the topics that are missing, with the right number of partitions."""
    made = asyncio.run(bus.create_topics(settings.load()))
    typer.echo("\n".join(f"made {name}" for name in made) or "all topics are there")


@topics_app.command("check")
def topics_check() -> None:
    """Say whether every topic is there as it must be."""
    asyncio.run(bus.check_topics(settings.load()))
    typer.echo("all topics are there")


@app.command("schema")
def write_schema(
    output: Annotated[
        Path | None,
        typer.Option(
            help="Directory to write to [default: the package's own].",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; say what differs.")
    ] = False,
) -> None:
    """Write JSON Schema of every message, and one AsyncAPI document."""
    directory = output or Path(schema.__file__).with_name("schemas")
    texts = schema.documents()
    if check:
        paths = [directory / name for name in texts]
        stale = [
            p.name for p in paths if not p.is_file() or p.read_text() != texts[p.name]
        ]
        if stale:
            msg = f"{', '.join(stale)} in {directory}: not as the code says; run: icu-stream schema"
            raise ConfigurationError(msg)
        typer.echo(f"{len(texts)} files in {directory} are as the code says")
        return
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (directory / name).write_text(text)
    typer.echo(f"wrote {', '.join(texts)} to {directory}")


def main() -> None:
    """Run a command; what goes wrong is one line on stderr and exit code 1."""
    try:
        app()
    except IcuStreamError as error:
        typer.secho(f"icu-stream: {error}", err=True, fg="red")
        sys.exit(1)
