"""`icu-stream pager`: run it, check its configuration, send a test page, make a secret."""

import asyncio
import base64
import datetime as dt
import secrets

from pathlib import Path
from typing import Annotated

import typer

from icu_stream import clock, observability, settings
from icu_stream.errors import ConfigurationError
from icu_stream.settings import Settings


app = typer.Typer(
    help="Page people about alarms that nobody has seen: docs/pager.md.",
    invoke_without_command=True,
)
_SECRET_BYTES = 32


@app.callback()
def run(context: typer.Context) -> None:
    """Page people about alarms: who, how and who next is in the file ICU_PAGER_CONFIG.

    Reads alerts and heartbeats from Kafka (ICU_BROKER), keeps pages in PostgreSQL
    (ICU_POSTGRES_DSN; none: an embedded one), takes answers on ICU_PAGER_PORT and writes
    them as commands. May run several times. Ends on Ctrl-C.

    Secondary notification only. Use the bedside monitor.
    """
    if context.invoked_subcommand is not None:
        return
    # HTTP, Kafka and PostgreSQL take half a second to import.
    from icu_stream.pager import plan, service  # noqa: PLC0415

    chosen = settings.load()
    observability.configure(chosen)
    made = plan.load(_file(chosen))
    asyncio.run(service.run(chosen, made, say=typer.echo))


@app.command("check")
def check(
    config: Annotated[
        Path | None,
        typer.Argument(help="A file. Default: ICU_PAGER_CONFIG.", show_default=False),
    ] = None,
) -> None:
    """Say what is wrong with a configuration, line by line, or who would be paged now.

    Reads secrets, and sends nothing.
    """
    from icu_stream.pager import plan  # noqa: PLC0415
    from icu_stream.pager.posting import Post  # noqa: PLC0415

    chosen = settings.load()
    file = config or _file(chosen)
    made = plan.load(file)
    wrong = []
    for read in (
        lambda: made.connect(Post(made.timeout_s), chosen.language),
        lambda: made.connect(Post(made.timeout_s), chosen.language, backup=True),
        made.keys,
    ):
        try:
            read()
        except ConfigurationError as error:
            wrong.append(str(error))
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    now_ms = clock.now_ms()
    at = dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC)
    typer.echo(f"{file}: nothing is wrong. Paged at {at:%Y-%m-%d %H:%M} UTC:")
    for unit in made.units:
        for priority, chain in unit.chains.items():
            steps = [
                f"{level.after_s:g} s "
                + " and ".join(who.name for who in made.on_duty(level.page, now_ms))
                for level in chain.levels
            ]
            beds = " ".join(unit.beds)
            again = f"again after {chain.repeat_s:g} s"
            typer.echo(
                f"  {unit.name} ({beds}), {priority}: {', '.join(steps)}, {again}"
            )
    ways = ", ".join(f"{target.id} by {target.kind}" for target in made.backup)
    typer.echo(f"  when paging itself fails: {ways}")


@app.command("test")
def test(
    person: Annotated[
        str, typer.Argument(help="The name of a table [person.NAME], or backup.")
    ],
) -> None:
    """Send a test page to every target of a person, now, past outbox and chains.

    Exit code 1 when a target does not take it. A target that was given up as gone and
    takes it is paged again.
    """
    from icu_stream.pager import plan, trial  # noqa: PLC0415

    chosen = settings.load()
    made = plan.load(_file(chosen))
    if person != plan.BACKUP and person not in made.people:
        known = ", ".join([*made.people, plan.BACKUP])
        msg = f"no person {person!r}: have {known}"
        raise ConfigurationError(msg)
    is_taken = asyncio.run(trial.send(chosen, made, person, typer.echo))
    raise typer.Exit(int(not is_taken))


@app.command("secret")
def secret() -> None:
    """Print a new secret for a webhook or for answers: whsec_ and 32 random bytes."""
    made = base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    typer.echo(f"whsec_{made}")


def _file(chosen: Settings) -> Path:
    if chosen.pager_config is None:
        msg = (
            "ICU_PAGER_CONFIG is not set: want a TOML file that says who is paged; see "
            "docs/pager.md for an example"
        )
        raise ConfigurationError(msg)
    return chosen.pager_config
