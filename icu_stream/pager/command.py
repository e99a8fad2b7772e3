"""`icu-stream pager`: run it, check its configuration, send a test page, make a secret."""

import asyncio
import base64
import datetime as dt
import secrets

from pathlib import Path
from typing import Annotated

import typer

from icu_stream import clock, observability, settings
from icu_stream.contracts.alerts import Kind, Priority
from icu_stream.errors import ConfigurationError, DeliveryError, StorageError
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
    from icu_stream.pager import plan  # noqa: PLC0415

    chosen = settings.load()
    made = plan.load(_file(chosen))
    if person != plan.BACKUP and person not in made.people:
        known = ", ".join([*made.people, plan.BACKUP])
        msg = f"no person {person!r}: have {known}"
        raise ConfigurationError(msg)
    raise typer.Exit(asyncio.run(_send_test(chosen, made, person)))


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


async def _send_test(chosen: Settings, made: object, person: str) -> int:
    from icu_stream.pager.page import Action, Delivery, Page  # noqa: PLC0415
    from icu_stream.pager.plan import BACKUP, Plan  # noqa: PLC0415
    from icu_stream.pager.posting import Post  # noqa: PLC0415

    assert isinstance(made, Plan)  # noqa: S101 - for the type alone
    post = Post(made.timeout_s)
    is_backup = person == BACKUP
    targets = made.backup if is_backup else made.people[person].targets
    now_ms = clock.now_ms()
    page = Page(
        action=Action.TRIGGER,
        dedup_key=f"icu-stream:pager:test:{person}:{now_ms}",
        priority=Priority.LOW,
        kind=Kind.TECHNICAL,
        bed="",
        code="system.test",
        text="A test of the pager: no patient is concerned",
        onset=now_ms,
        time=now_ms,
    )
    failed = 0
    try:
        channels = made.connect(post, chosen.language, backup=is_backup)
        for target in targets:
            id_ = f"page_{secrets.token_hex(16)}"
            try:
                await channels[target.id].send(Delivery(id_, page))
            except DeliveryError as error:
                failed = 1
                typer.echo(f"{target.id} by {target.kind}: not taken: {error}")
                continue
            typer.echo(f"{target.id} by {target.kind}: taken")
            if not is_backup:
                await _revive(chosen, made, target.id)
    finally:
        await post.close()
    return failed


async def _revive(chosen: Settings, made: object, target: str) -> None:
    """Page a target again that was given up as gone."""
    from icu_stream.pager.outbox import Outbox  # noqa: PLC0415
    from icu_stream.pager.plan import Plan  # noqa: PLC0415
    from icu_stream.storage import postgres  # noqa: PLC0415

    assert isinstance(made, Plan)  # noqa: S101 - for the type alone
    if chosen.postgres_dsn is None:
        return  # nothing is started for a test
    try:
        async with postgres.pool(chosen, name="icu-stream pager test") as pool:
            outbox = Outbox(pool, made, None, "test")
            if await outbox.revive(made.targets[target]):
                typer.echo(f"{target}: it was gone, and is paged again")
    except StorageError as error:
        typer.echo(f"{target}: whether it was gone is not known: {error}")
