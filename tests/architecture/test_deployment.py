"""What docker/ starts: valid files, commands and settings that exist, no secret in them."""

import json
import re
import shutil
import subprocess

from importlib.metadata import distribution
from pathlib import Path

import crossplane
import jsonschema
import kubernetes_validate
import promql_parser
import pytest
import typer
import yaml

from icu_stream import keyring
from icu_stream.cli import app
from icu_stream.pager import plan
from icu_stream.settings import Settings
from tests.conftest import unavailable
from tests.deployment import (
    COMPOSE,
    DOCKER,
    Process,
    alarms,
    compose,
    documents,
    expressions,
    is_ours,
    processes,
)
from tests.kafka import ROOT


PROCESSES = list(processes())
# What is over when it has done its work, or needs no watching.
ONE_SHOT = {"topics", "setup", "migrate", "simulator"}
KUBERNETES = "1.32"


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("deployment") / "secrets"
    keyring.make(directory)
    return directory


def place(process: Process) -> str:
    return process.place


@pytest.mark.parametrize("process", PROCESSES, ids=place)
def test_every_command_is_one_that_the_image_has(process: Process):
    lines = [process.command]
    if process.command[:2] == ["/bin/sh", "-euc"]:
        lines = [line.split() for line in process.command[2].split(" && ")]

    for words in lines:
        if words[0] == "faust":
            assert words == ["faust", "-A", "icu_stream.app", "worker"]
            continue
        assert words[0] == "icu-stream"
        command = typer.main.get_command(app)
        rest = words[1:]
        while isinstance(command, typer.core.TyperGroup):
            if not rest and command.invoke_without_command:
                break
            assert rest[0] in command.commands, f"no such command: {' '.join(words)}"
            command = command.commands[rest.pop(0)]
        command.make_parser(typer.Context(command)).parse_args(rest)


@pytest.mark.parametrize("process", PROCESSES, ids=place)
def test_every_setting_exists_and_is_allowed(process, secrets, tmp_path, monkeypatch):
    given = {k: v for k, v in process.environment.items() if k.startswith("ICU_")}
    known = {f"ICU_{name.upper()}" for name in Settings.model_fields}
    unknown = given.keys() - known - {"ICU_SECRETS_DIR"}
    assert unknown == set()
    for name in process.secrets:
        folder, _, pattern = name.rpartition("/")
        for path in secrets.glob(f"{folder}/{pattern}" if folder else f"*/{name}"):
            (tmp_path / path.name).write_text(path.read_text())
    monkeypatch.chdir(tmp_path)
    for name, value in given.items():
        assert isinstance(value, str), f"{name}: YAML makes {value!r} of it: quote it"
        monkeypatch.setenv(name, value)

    Settings(_env_file=None, _secrets_dir=tmp_path)


@pytest.mark.parametrize("process", PROCESSES, ids=place)
def test_no_secret_is_in_the_environment(process: Process):
    secret = {
        f"ICU_{name.upper()}"
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }

    assert process.environment.keys() & secret == set()


@pytest.mark.parametrize("name", COMPOSE)
def test_a_compose_file_is_valid(name: str):
    # Its command line, which wants a newer click than ours, is not imported.
    package = Path(str(distribution("check-jsonschema").locate_file("")))
    vendor = package / "check_jsonschema" / "builtin_schemas" / "vendor"
    schema = json.loads((vendor / "compose-spec.json").read_text())

    jsonschema.validate(compose(name), schema)


@pytest.mark.parametrize("name", COMPOSE)
def test_what_a_compose_file_names_is_there(name: str, secrets: Path):
    found = compose(name)
    services = found["services"]

    for title, row in services.items():
        for volume in row.get("volumes", ()):
            origin = volume.split(":")[0]
            if origin.startswith("."):
                assert (DOCKER / origin).exists(), f"{title}: {origin}"
            else:
                assert origin in found["volumes"], f"{title}: {origin}"
        for other in row.get("depends_on", ()):
            assert other in services
        for network in row["networks"]:
            assert network in found["networks"]
        for secret in row.get("secrets", ()):
            wanted = secret if isinstance(secret, str) else secret["source"]
            assert wanted in found["secrets"], f"{title}: {wanted}"
    for title, secret in found["secrets"].items():
        path = Path(secret["file"]).relative_to("secrets")
        if path.parts[0] != "paging":  # what others know us by: only a site has it
            assert (secrets / path).is_file(), f"{title}: {path} is not what is made"


@pytest.mark.parametrize("name", COMPOSE)
def test_what_is_published_is_for_this_machine_alone_by_default(name: str):
    rows = compose(name)["services"].values()
    ports = [port for row in rows for port in row.get("ports", ())]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", COMPOSE)
def test_our_containers_have_no_more_rights_than_they_need(name: str):
    for title, row in compose(name)["services"].items():
        assert row["security_opt"] == ["no-new-privileges:true"], title
        if is_ours(row):
            assert row["read_only"] is True, title
            assert row["cap_drop"] == ["ALL"], title
            assert ("healthcheck" in row) == (title not in ONE_SHOT), title


@pytest.mark.parametrize("name", COMPOSE)
def test_where_processors_are_short_broker_and_worker_go_first(name: str):
    shares = {
        title: row.get("cpu_shares", 1024)
        for title, row in compose(name)["services"].items()
    }
    first = {title for title, share in shares.items() if share == 8192}

    assert set(shares.values()) == {1024, 8192}
    assert {re.sub(r"-\d$", "", title) for title in first} == {"kafka", "worker"}


@pytest.mark.parametrize("name", COMPOSE)
def test_no_password_is_in_a_compose_file(name: str):
    for title, row in compose(name)["services"].items():
        environment = row.get("environment", {})
        for key, value in environment.items():
            if re.search(r"PASSWORD|TOKEN|SECRET", key):
                assert key.endswith("_FILE"), f"{title}: {key}"
                assert value.startswith("/run/secrets/"), f"{title}: {key}"


def test_the_image_runs_as_nobody_and_installs_by_hash():
    text = (DOCKER / "Dockerfile").read_text()
    stages = text.split("\nFROM ")

    assert "--require-hashes" in stages[1]
    assert re.search(r"^USER icu$", stages[2], re.MULTILINE)
    assert not re.search(r"^ADD |curl|wget|apt-get", text, re.MULTILINE)
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name


def test_nothing_but_what_is_copied_is_sent_to_the_build():
    ignore = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    copied = re.findall(
        r"^COPY (?!--from)(.*)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE
    )

    assert ignore[1] == "*"
    assert {line[1:] for line in ignore if line.startswith("!")} == {
        name for line in copied for name in line.split()[:-1]
    }


@pytest.mark.parametrize(
    ("name", "document"),
    [
        pytest.param(name, row, id=f"{row['kind']} {row['metadata']['name']}")
        for name, row in documents("kubernetes")
        if row["kind"] != "Kustomization"
    ],
)
def test_a_kubernetes_document_is_valid(name, document):
    kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_every_kubernetes_file_is_applied():
    folder = DOCKER / "kubernetes"
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]

    assert {*listed, "kustomization.yaml"} == {p.name for p in folder.iterdir()}


def test_units_are_valid(tmp_path: Path):
    if shutil.which("systemd-analyze") is None:
        unavailable("systemd-analyze not found (Debian: apt-get install systemd)")
    for path in (DOCKER / "systemd").iterdir():
        # The program is not installed where the tests run.
        text = re.sub(
            r"^ExecStart=\S+",
            "ExecStart=/bin/true",
            path.read_text(),
            flags=re.MULTILINE,
        )
        (tmp_path / path.name).write_text(text)
    units = [str(path) for path in tmp_path.glob("*.[st]*")]

    done = subprocess.run(
        ["systemd-analyze", "verify", *units],
        capture_output=True,
        text=True,
        check=False,
    )

    said = [line for line in done.stderr.splitlines() if "icu-stream" in line]
    assert (done.returncode, said) == (0, [])


def test_the_proxy_is_configured_by_words_that_nginx_knows():
    found = crossplane.parse(
        str(DOCKER / "proxy" / "nginx.conf"), strict=True, check_ctx=True
    )

    assert [error["error"] for error in found["errors"]] == []


def test_the_example_of_the_pagers_configuration_is_read():
    assert plan.load(DOCKER / "pager.toml").unit("ICU1-07").name == "all"


def test_every_expression_can_be_parsed():
    found = list(expressions())

    assert len(found) > 40
    for expression in found:
        promql_parser.parse(expression)


def test_every_alarm_of_the_system_says_what_to_do():
    headings = re.findall(
        r"^### (.+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE
    )

    for rule in alarms():
        assert rule["alert"] in headings
        runbook = rule["annotations"]["runbook"]
        assert runbook == f"docs/operations.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"page", "warning"}
