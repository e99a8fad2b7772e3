"""The command line: one command for each process and each tool."""

import asyncio
import sys

from pathlib import Path
from typing import Annotated, Any

import typer

from icu_stream import __version__, bus, observability, reference, settings
from icu_stream.access import users
from icu_stream.access.whatif import Runner
from icu_stream.contracts import schema
from icu_stream.domain import alarm_page
from icu_stream.errors import ConfigurationError, IcuStreamError
from icu_stream.pager import command as pager
from icu_stream.settings import Settings


app = typer.Typer(
    name="icu-stream",
    help="Watch every vital sign of every bed: few, well-explained alarms.\n\n"
    "To see it: icu-stream demo. On a Kafka: icu-stream topics create, then the worker "
    "(faust -A icu_stream.app worker), icu-stream ward, and a source of vitals. Settings "
    "are environment variables, ICU_BROKER=host:port first of all.\n\n"
    "Secondary notification only, not a medical device.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
topics_app = typer.Typer(help="The Kafka topics.", no_args_is_help=True)
app.add_typer(topics_app, name="topics", rich_help_panel="Tools")
app.add_typer(users.app, name="users", rich_help_panel="Tools")
app.add_typer(pager.app, name="pager", rich_help_panel="Processes")
gateway_app = typer.Typer(
    help="The hospital's other systems: HL7 v2 and FHIR.", no_args_is_help=True
)
app.add_typer(gateway_app, name="gateway", rich_help_panel="Processes")


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


@app.command("demo", rich_help_panel="Start here")
def show_demo(
    beds: Annotated[
        int,
        typer.Option(min=1, max=200, help="Simulated beds; of a replay, its patients."),
    ] = 16,
    replay: Annotated[
        Path | None,
        typer.Option(exists=True, help="A recording instead of simulated patients."),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.1, help="Measured seconds a second.")
    ] = 1.0,
    port: Annotated[
        int | None,
        typer.Option(
            min=1024,
            max=65535,
            help="Of the page. Default: 8050, or any free one when 8050 is taken.",
            show_default=False,
        ),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = False,
) -> None:
    """Run everything on this machine: broker, worker, patients and ward view.

    Needs nothing but Python: no Kafka, no Java, no network. Prints one link, which signs
    in one browser once; Ctrl-C ends everything. The broker is an embedded one that keeps
    nothing: what it lacks beside Apache Kafka is said in docs/guide.md.
    """
    # Its web client takes 0.1 s to import.
    from icu_stream import demo  # noqa: PLC0415

    options = demo.Options(beds, replay, speed, port, browser)
    asyncio.run(demo.run(options, say=typer.echo))


@topics_app.command("create")
def topics_create() -> None:
    """Make the topics that are missing, with the right number of partitions.

    Reads ICU_BROKER, ICU_TOPIC_PREFIX, ICU_APP_ID, ICU_PARTITIONS and ICU_REPLICATION. What
    exists is left as it is; a wrong number of partitions is an error.
    """
    made = asyncio.run(bus.create_topics(settings.load()))
    typer.echo("\n".join(f"made {name}" for name in made) or "all topics are there")


@topics_app.command("check")
def topics_check() -> None:
    """Say whether every topic is there as it must be: exit code 0, or 1 with what is not."""
    asyncio.run(bus.check_topics(settings.load()))
    typer.echo("all topics are there")


@topics_app.command("acls")
def topics_acls() -> None:
    """Print what each process may do, as commands of Kafka's own tool (kafka-acls.sh).

    For brokers that somebody else administers: users are named icu-worker, icu-ward and so
    on. Where icu-stream may do it itself: icu-stream topics grant. docs/security.md.
    """
    # librdkafka takes 0.1 s to import.
    from icu_stream import permissions  # noqa: PLC0415

    typer.echo("\n".join(permissions.commands(settings.load())))


@topics_app.command("grant")
def topics_grant(
    directory: Annotated[
        Path,
        typer.Argument(
            exists=True, file_okay=False, help="What icu-stream secrets has made."
        ),
    ],
) -> None:
    """Give each process its own user, password (SCRAM-SHA-512) and rights on the brokers.

    Signs in as an administrator of the brokers (ICU_TLS_CERT, ICU_TLS_KEY), not as one of
    the processes. May be run again: after a change of passwords, or of icu-stream.
    """
    from icu_stream import keyring, permissions  # noqa: PLC0415

    permissions.apply(settings.load(), keyring.passwords(directory))
    typer.echo(
        f"users and rights: {', '.join(map(permissions.user, permissions.RIGHTS))}"
    )


@app.command("secrets", rich_help_panel="Tools")
def make_secrets(
    directory: Annotated[
        Path, typer.Argument(help="Made when it is not there; its owner's alone.")
    ],
    host: Annotated[
        list[str] | None,
        typer.Option(
            help="Name or address by which browsers reach the proxy; several times.",
            show_default=False,
        ),
    ] = None,
    broker: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a broker; several times. Default: kafka-1, kafka-2, kafka-3.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make the passwords, keys and certificates of a new deployment, each a file.

    What is there is left as it is; a file that was deleted is made anew. The directory
    holds the key of the authority, too: keep it, and keep it from others.
    """
    from icu_stream import keyring  # noqa: PLC0415

    made = keyring.make(directory, broker or keyring.BROKERS, host or ())
    typer.echo(
        f"{directory}: {len(made.new)} files made, {len(made.kept)} left as they are"
    )


def _port(of: str, default: int) -> Any:
    return typer.Option(
        min=0,
        max=65535,
        help=f"Port; 0 takes any free one. Default: ICU_{of}_PORT, else {default}.",
        show_default=False,
    )


def _host(of: str) -> Any:
    return typer.Option(
        help=f"Address to listen on. Default: ICU_{of}_HOST, else 127.0.0.1. "
        "Put TLS in front of any other than this machine's own.",
        show_default=False,
    )


@app.command(rich_help_panel="Processes")
def ward(
    port: Annotated[int | None, _port("WARD", 8050)] = None,
    host: Annotated[str | None, _host("WARD")] = None,
) -> None:
    """Show every bed live in the browser: numbers, alarms, what needs attention.

    Prints one line with a link that signs in one screen, once, for 30 days. When
    ICU_WARD_TOKEN is set, that token is the link's and is not printed. People sign in
    with an account (icu-stream users add) or by the hospital's identity provider.

    Reads vitals, alerts, scores, answers and heartbeats from Kafka (ICU_BROKER) and
    writes the commands of who is signed in, and the audit trail. The link signs in
    ICU_WARD_USER, as ICU_WARD_ROLE (a viewer, who commands nothing). It may be started before the broker and the worker are, and it
    survives their restarts: the page says what is missing. Ends on Ctrl-C.

    Secondary notification only. Use the bedside monitor.
    """
    # Dash takes a second to import, which no other command should wait for.
    from icu_stream.ward import server  # noqa: PLC0415

    chosen = _chosen(ward_port=port, ward_host=host)
    asyncio.run(server.run(chosen, runner=lambda: _whatif(chosen), say=typer.echo))


@app.command(rich_help_panel="Processes")
def api(
    port: Annotated[int | None, _port("API", 8060)] = None,
    host: Annotated[str | None, _host("API")] = None,
) -> None:
    """Serve beds, vitals, alarms and commands to other programs: REST, under /v1.

    Prints one line with the address of its documentation. Programs come with a token
    (icu-stream users token), people with name and password. Reads Kafka (ICU_BROKER) and,
    for the past, the stores that icu-stream archive fills (ICU_POSTGRES_DSN,
    ICU_INFLUX_URL); without one it knows the present alone. Ends on Ctrl-C. docs/api.md.
    """
    # aiohttp takes 0.2 s to import.
    from icu_stream.api import server  # noqa: PLC0415

    chosen = _chosen(api_port=port, api_host=host)
    asyncio.run(server.run(chosen, runner=lambda: _whatif(chosen), say=typer.echo))


def _chosen(**given: int | str | None) -> Settings:
    """The settings, with what was given on the command line; logs follow them."""
    chosen = settings.load().model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
    observability.configure(chosen)
    return chosen


def _whatif(chosen: Settings) -> Runner:
    """Who works out what-ifs: above ward and API in the house, so they meet here."""
    from icu_stream import profiles  # noqa: PLC0415
    from icu_stream.evaluation import whatif  # noqa: PLC0415

    return whatif.Whatif(chosen, profiles.load_all(chosen.profile))


@app.command("archive", rich_help_panel="Processes")
def run_archive() -> None:
    """Keep what was measured, scored, alarmed, asked and done, in databases.

    Vitals and scores go to InfluxDB (ICU_INFLUX_URL) or, without one, to PostgreSQL; all
    else to PostgreSQL (ICU_POSTGRES_DSN) or, without one, to an embedded server in the data
    directory. A store that is away is waited for: nothing is lost and nothing is twice.
    Metrics and health are at ICU_ARCHIVE_PORT. Ends on Ctrl-C. docs/archive.md.
    """
    # pandas, which its InfluxDB client brings, takes half a second to import.
    from icu_stream.storage import archive  # noqa: PLC0415

    chosen = _chosen()
    asyncio.run(archive.run(chosen, say=typer.echo))


@app.command("migrate", rich_help_panel="Tools")
def migrate_tables(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 if it is not.")
    ] = False,
    sql: Annotated[
        bool,
        typer.Option("--sql", help="Print all of it for psql; connect to nothing."),
    ] = False,
) -> None:
    """Bring the tables of PostgreSQL (ICU_POSTGRES_DSN) to those of this version.

    All or nothing, and once, whoever else does it at the same time. Tables that are newer
    than this version are refused. Before an upgrade: a backup, docs/archive.md.
    """
    # Alembic takes 0.3 s to import.
    from icu_stream.storage import migrate  # noqa: PLC0415

    if sql:
        typer.echo(migrate.sql(), nl=False)
        return
    asyncio.run(migrate.run(settings.load(), only_report=check, say=typer.echo))


@gateway_app.command("hl7")
def gateway_hl7() -> None:
    """Take monitors' HL7 v2 messages (IHE PCD-01, and ADT) over MLLP.

    Listens on ICU_HL7_HOST and ICU_HL7_PORT, with TLS when ICU_HL7_TLS_CERT is set. A
    message is acknowledged once Kafka has it. Which codes and units are understood is in
    docs/gateways.md. Ends on Ctrl-C.
    """
    from icu_stream.gateways import monitors, process  # noqa: PLC0415

    chosen = settings.load()
    process.serve(chosen, lambda stop: monitors.run(chosen, stop=stop, say=typer.echo))


@gateway_app.command("fhir")
def gateway_fhir() -> None:
    """Take FHIR R4B Observations over HTTP, by the bearer token ICU_FHIR_TOKEN.

    Listens on ICU_FHIR_HOST and ICU_FHIR_PORT; put TLS in front of any other address than
    this machine's own. An Observation is answered once Kafka has it. Ends on Ctrl-C.
    """
    from icu_stream.gateways import fhir_server, process  # noqa: PLC0415

    chosen = settings.load()
    process.serve(
        chosen, lambda stop: fhir_server.run(chosen, stop=stop, say=typer.echo)
    )


@gateway_app.command("alerts")
def gateway_alerts() -> None:
    """Send alerts to the alarm manager ICU_HL7_ALERTS_TO, as IHE PCD-04 over MLLP.

    Each alert is sent until it is answered: an outage delays alerts and loses none. Ends
    on Ctrl-C, and goes on where it was.
    """
    from icu_stream.gateways import alarm_manager, process  # noqa: PLC0415

    chosen = settings.load()
    process.serve(
        chosen, lambda stop: alarm_manager.run(chosen, stop=stop, say=typer.echo)
    )


@app.command("export", rich_help_panel="Tools")
def export_stay(
    patient: Annotated[str, typer.Argument(help="The patient's id.")],
    output: Annotated[
        Path, typer.Argument(help="The file: .csv, or .json for a FHIR R4B Bundle.")
    ],
    first: Annotated[
        str | None,
        typer.Option("--from", help="First arrival, ISO.", show_default=False),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option("--to", help="No arrival from then on.", show_default=False),
    ] = None,
    records: Annotated[
        bool,
        typer.Option(
            "--records", help="What the archive keeps; from and to by devices' clocks."
        ),
    ] = False,
) -> None:
    """Write what Kafka keeps of one patient: vital signs and alarms, without a name.

    CSV is what replay reads; the Bundle has Patient, Encounter, Observations and
    DetectedIssues: docs/gateways.md.
    """
    from icu_stream.gateways import stay  # noqa: PLC0415

    wanted = stay.span(patient, first, last)
    counts = stay.export(settings.load(), wanted, output, from_records=records)
    typer.echo(f"{counts.messages} messages, {counts.alarms} alarms in {output}")


@app.command(rich_help_panel="Sources of vitals")
def simulate(
    beds: Annotated[int, typer.Option(min=1, max=30_000, help="How many.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same ward.")] = 1,
    story: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME@BED@SECONDS",
            help="One story, such as asystole@7@30; may be given several times.",
            show_default=False,
        ),
    ] = None,
    stories: Annotated[
        str | None,
        typer.Option(
            metavar="loop|all|none|FILE",
            help="loop: two minutes, over and over; all: each at some bed; or a file "
            "with one NAME@BED@SECONDS a line. Default: loop, or none with --story.",
            show_default=False,
        ),
    ] = None,
    period: Annotated[
        int | None,
        typer.Option(
            min=1, help="Seconds after which stories begin anew.", show_default=False
        ),
    ] = None,
    duration: Annotated[
        int | None,
        typer.Option(
            min=1, help="Measured seconds. Default: for ever.", show_default=False
        ),
    ] = None,
    start: Annotated[str, typer.Option(help="now, or an ISO moment.")] = "now",
    speed: Annotated[
        str, typer.Option(help="Measured seconds a second, or max.")
    ] = "1",
    truth: Annotated[
        Path | None,
        typer.Option(
            help="File for the alarms that must come, one JSON line a story.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Counts as JSON.")] = False,
) -> None:
    """Send the vital signs of a simulated ward, one message a bed and second.

    Stories, their alarms and the format of the truth are in docs/sources.md. Ctrl-C ends
    it: what was sent is confirmed first.
    """
    # numpy and rich take half a second to import.
    from icu_stream.sources import commands  # noqa: PLC0415

    code = commands.simulate(
        beds=beds,
        seed=seed,
        story=story or [],
        stories=stories,
        duration_s=duration,
        start=start,
        speed=speed,
        truth=truth,
        period_s=period,
        as_json=as_json,
        say=typer.echo,
    )
    raise typer.Exit(code)


@app.command(rich_help_panel="Sources of vitals")
def replay(
    path: Annotated[Path, typer.Argument(help="A recording: a file or a directory.")],
    speed: Annotated[
        str, typer.Option(help="Measured seconds a second, or max.")
    ] = "1",
    start: Annotated[
        str,
        typer.Option(help="Time of the first message: now, original or an ISO moment."),
    ] = "now",
    patients: Annotated[
        int | None,
        typer.Option(min=1, help="Only the first so many.", show_default=False),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where this replay was stopped.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Counts as JSON.")] = False,
) -> None:
    """Send a recording of real patients, merged by time, at any speed.

    Reads WFDB numerics, PhysioNet 2012, the eICU demo and CSV: docs/sources.md. Ctrl-C
    stops it so that --resume goes on exactly there.
    """
    # numpy and rich take half a second to import.
    from icu_stream.sources import commands  # noqa: PLC0415

    code = commands.replay_recording(
        path=path,
        speed=speed,
        start=start,
        patients=patients,
        resume=resume,
        as_json=as_json,
        say=typer.echo,
    )
    raise typer.Exit(code)


@app.command("train", rich_help_panel="Tools")
def train_prior(
    prior: Annotated[str, typer.Argument(help="mortality or sepsis.")],
    shared: Annotated[
        Path,
        typer.Argument(exists=True, file_okay=False, help="The folder with data/."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            help="File to write [default: PRIOR.json here].", show_default=False
        ),
    ] = None,
) -> None:
    """Learn a risk prior, stay by stay, from the training part of its recordings.

    The file is what the worker scores with; docs/models says what is shipped, what it
    was learnt from and what it is worth.
    """
    # numpy and pyarrow take half a second to import.
    from icu_stream.evaluation import priors  # noqa: PLC0415

    priors.run(prior, shared, output or Path(f"{prior}.json"), typer.echo)


@app.command("schema", rich_help_panel="Tools")
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
    """Write JSON Schema of every message, and one AsyncAPI document.

    Topics, keys and headers are explained in docs/messages.md.
    """
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


@app.command("reference", rich_help_panel="Tools")
def print_reference(
    name: Annotated[reference.Page, typer.Argument(help="Which page.")],
) -> None:
    """Print a reference page, made from the code: settings, commands, metrics, alarms."""
    typer.echo(reference.page(name, typer.main.get_group(app)), nl=False)


@app.command("alarm-states", rich_help_panel="Tools")
def print_alarm_states() -> None:
    """Print docs/alarm-states.md: the alarm state machine, drawn from its table."""
    typer.echo(alarm_page.page(), nl=False)


@app.command("backtest", rich_help_panel="Tools")
def run_backtest(
    data: Annotated[
        Path | None,
        typer.Argument(help="A recording: a file or a directory.", show_default=False),
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(
            help="A name, or a path to a .toml; several times to compare with the "
            "first. Default: ICU_PROFILE.",
            show_default=False,
        ),
    ] = None,
    topic: Annotated[
        bool, typer.Option("--topic", help="Read the vitals topic instead.")
    ] = False,
    first: Annotated[
        str | None,
        typer.Option(
            "--from", help="Of the topic: first arrival, ISO.", show_default=False
        ),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option(
            "--to", help="Of the topic: no arrival from then on.", show_default=False
        ),
    ] = None,
    beds: Annotated[
        int | None,
        typer.Option(
            min=1, max=30_000, help="A simulated ward instead.", show_default=False
        ),
    ] = None,
    duration: Annotated[
        int, typer.Option(min=1, help="Of the simulated ward: measured seconds.")
    ] = 3600,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulated ward.")] = 1,
    stories: Annotated[
        str,
        typer.Option(metavar="all|none|FILE", help="Of the simulated ward."),
    ] = "all",
    truth: Annotated[
        Path | None,
        typer.Option(
            help="What became of the patients; outcomes beside a recording are found "
            "without it.",
            show_default=False,
        ),
    ] = None,
    patients: Annotated[
        int | None,
        typer.Option(
            min=1, help="Only the first so many of a recording.", show_default=False
        ),
    ] = None,
    delay_scale: Annotated[
        str | None,
        typer.Option(
            metavar="X,X,...",
            help="A curve: all delays of the first profile times 0,0.5,1,...",
            show_default=False,
        ),
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CODE=S,S,...",
            help="A curve: the delay of one limit, such as spo2.low=5,10,15; * for all.",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        Path, typer.Option(help="Where the report is written, one HTML file.")
    ] = Path("backtest.html"),
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
    processes: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Default: one a core.", show_default=False),
    ] = None,
) -> None:
    """What other limits and delays would have alarmed, on data that is past.

    Steps a recording, a range of the vitals topic or a simulated ward through the same
    rules as the worker, once for each profile. Prints what differs and writes a report
    with examples. Reads only: nothing is sent and no limit is changed. docs/backtest.md.
    """
    # numpy, river and rich take a second to import.
    from icu_stream.evaluation import command  # noqa: PLC0415

    options = command.Options(
        data=data,
        profiles=profile or [],
        topic=topic,
        first=first,
        last=last,
        beds=beds,
        duration_s=duration,
        seed=seed,
        stories=stories,
        truth=truth,
        patients=patients,
        delay_scale=delay_scale,
        sweeps=sweep or [],
        report=report,
        as_json=as_json,
        processes=processes,
    )
    raise typer.Exit(command.run(options))


def main() -> None:
    """Run a command; what goes wrong is one line on stderr and exit code 1."""
    try:
        app(prog_name="icu-stream")
    except IcuStreamError as error:
        typer.secho(f"icu-stream: {error}", err=True, fg="red")
        sys.exit(1)
