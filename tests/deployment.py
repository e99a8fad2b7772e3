"""What the files in docker/ start: every process with its command, environment and secrets."""

import json
import re
import shlex

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.kafka import ROOT


DOCKER = ROOT / "docker"
COMPOSE = ("compose.yaml", "compose.cluster.yaml")
# %h and others of a unit, as systemd would fill them in for worker 1 on host ward-1.
_SPECIFIERS = {"%d": "/run/credentials", "%S": "/var/lib", "%H": "ward-1"}
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


class Process(NamedTuple):
    """One process of icu-stream, as a file starts it.

    Attributes:
        place: File and name, for messages.
        command: Its words.
        environment: The `ICU_` settings.
        secrets: Names of the files that it finds in `ICU_SECRETS_DIR`.
    """

    place: str
    command: list[str]
    environment: dict[str, str]
    secrets: frozenset[str]


def compose(name: str) -> dict[str, Any]:
    """A compose file with its variables at their defaults."""
    text = (DOCKER / name).read_text()
    found = yaml.safe_load(_VARIABLE.sub(lambda m: m.group(2) or "", text))
    assert isinstance(found, dict)
    return found


def is_ours(service: dict[str, Any]) -> bool:
    """Does a service of a compose file run our image?"""
    return str(service.get("image", "")).startswith("icu-stream:")


def processes() -> Iterator[Process]:
    """Every process of icu-stream that compose, Kubernetes or systemd starts."""
    for name in COMPOSE:
        for service, row in compose(name)["services"].items():
            if is_ours(row):
                yield Process(
                    f"{name} {service}",
                    row["command"],
                    row["environment"],
                    frozenset(
                        filter(_is_setting, map(_target, row.get("secrets", ())))
                    ),
                )
    yield from _pods()
    for path in sorted((DOCKER / "systemd").glob("*.service")):
        yield _unit(path)


def documents(folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every YAML document of a folder, with its file's name."""
    for path in sorted((DOCKER / folder).glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield path.name, document


def alarms() -> Iterator[dict[str, Any]]:
    """Every alarm of the system itself."""
    found = yaml.safe_load((DOCKER / "prometheus" / "rules.yml").read_text())
    for group in found["groups"]:
        yield from group["rules"]


def expressions() -> Iterator[str]:
    """Every expression of the alarms and of the dashboard."""
    for alarm in alarms():
        yield alarm["expr"]
    text = (DOCKER / "grafana" / "dashboards" / "icu-stream.json").read_text()
    for panel in json.loads(text)["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def _target(secret: str | dict[str, str]) -> str:
    return secret if isinstance(secret, str) else secret["target"]


def _is_setting(target: str) -> bool:
    """Is a file found by its name? Those with a place of their own are not."""
    return not target.startswith("/")


def _pods() -> Iterator[Process]:
    found = list(documents("kubernetes"))
    maps = {
        row["metadata"]["name"]: row["data"]
        for _, row in found
        if row["kind"] == "ConfigMap"
    }
    for name, row in found:
        if row["kind"] not in {"Deployment", "StatefulSet", "Job"}:
            continue
        pod = row["spec"]["template"]["spec"]
        [container] = pod["containers"]
        environment: dict[str, str] = {}
        for source in container["envFrom"]:
            environment |= maps[source["configMapRef"]["name"]]
        for variable in container["env"]:
            environment[variable["name"]] = variable.get("value", "worker-0")
        [secret] = [
            volume["secret"] for volume in pod["volumes"] if volume["name"] == "secrets"
        ]
        # Without a choice of items, all that icu-stream secrets makes for the process.
        chosen = [item["path"] for item in secret.get("items", ())]
        files = chosen or [f"{secret['secretName']}/*"]
        place = f"{name} {row['metadata']['name']}"
        yield Process(place, container["command"], environment, frozenset(files))


def _unit(path: Path) -> Process:
    environment: dict[str, str] = {}
    command: list[str] = []
    secrets = []
    instance = "hl7" if "gateway" in path.name else "1"
    for line in path.read_text().splitlines():
        key, _, value = line.partition("=")
        for mark, text in (_SPECIFIERS | {"%i": instance}).items():
            value = value.replace(mark, text)
        if key == "ExecStart":
            command = shlex.split(value)
            command[0] = Path(command[0]).name
        elif key == "Environment":
            environment |= dict(word.split("=", 1) for word in shlex.split(value))
        elif key == "EnvironmentFile":
            rows = (DOCKER / "systemd" / Path(value).name).read_text().splitlines()
            environment |= dict(row.split("=", 1) for row in rows if row[:1] == "I")
        elif key == "LoadCredential":
            secrets.append(value.split(":")[0])
    return Process(path.name, command, environment, frozenset(secrets))
