"""The command line: one command for each process and each tool."""

import asyncio
import sys

from typing import Annotated

import typer

from icu_stream import __version__, bus, settings
from icu_stream.errors import IcuStreamError


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


def main() -> None:
    """Run a command; what goes wrong is one line on stderr and exit code 1."""
    try:
        app()
    except IcuStreamError as error:
        typer.secho(f"icu-stream: {error}", err=True, fg="red")
        sys.exit(1)
