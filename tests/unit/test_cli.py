"""The command line as a newcomer and a script meet it."""

import os
import subprocess
import sys

import pytest
import typer

from typer.testing import CliRunner

from icu_stream.cli import app
from tests.architecture.test_documents import commands
from tests.kafka import free_port


COMMANDS = sorted(commands(typer.main.get_command(app)))


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "icu_stream", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str):
    result = CliRunner().invoke(app, [*command.split(), "--help"])

    assert result.exit_code == 0
    assert f"Usage: icu-stream {command}" in result.output


@pytest.mark.parametrize(
    "arguments",
    [["nope"], ["topics", "nope"], ["--nope"], ["demo", "--beds", "0"], ["replay"]],
)
def test_a_wrong_argument_is_code_2(arguments: list[str]):
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_a_service_that_is_not_there_is_one_line_and_code_1():
    done = run("topics", "check", ICU_BROKER=f"127.0.0.1:{free_port()}")

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("icu-stream: no Kafka broker answers at 127.0.0.1:")
    assert len(done.stderr.splitlines()) == 1


def test_a_wrong_setting_is_named_before_anything_is_done():
    done = run("topics", "create", ICU_PARTITIONS="many")

    assert done.returncode == 1
    assert done.stderr.startswith("icu-stream: ICU_PARTITIONS: ")


def test_the_shell_completes_commands():
    done = run(
        _ICU_STREAM_COMPLETE="complete_bash",
        COMP_WORDS="icu-stream to",
        COMP_CWORD="1",
    )

    assert done.stdout.split() == ["topics"]


def test_a_secret_is_read_from_a_file(tmp_path):
    (tmp_path / "icu_sasl_password").write_text("of-the-tests\n")
    code = (
        "from icu_stream import settings; "
        "print(settings.load().sasl_password.get_secret_value())"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ
        | {
            "ICU_SECRETS_DIR": str(tmp_path),
            "ICU_SASL_MECHANISM": "PLAIN",
            "ICU_SASL_USERNAME": "icu",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout == "of-the-tests\n"
