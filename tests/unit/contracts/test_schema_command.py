"""`icu-stream schema`: writes the schemas, and says when they are not as the code."""

from pathlib import Path

import pytest

from typer.testing import CliRunner

from icu_stream.cli import app
from icu_stream.contracts import schema
from icu_stream.errors import ConfigurationError


def test_it_writes_every_document_into_a_directory_that_it_makes(tmp_path: Path):
    out = tmp_path / "new" / "schemas"

    result = CliRunner().invoke(app, ["schema", "--output", str(out)])

    assert result.exit_code == 0
    assert {p.name: p.read_text() for p in out.iterdir()} == schema.documents()


def test_a_check_names_the_file_that_differs_and_the_command(tmp_path: Path):
    CliRunner().invoke(app, ["schema", "--output", str(tmp_path)])
    (tmp_path / "alerts.schema.json").write_text("{}")

    result = CliRunner().invoke(app, ["schema", "--check", "--output", str(tmp_path)])

    assert isinstance(result.exception, ConfigurationError)
    assert str(result.exception).startswith("alerts.schema.json in")
    assert str(result.exception).endswith("run: icu-stream schema")
    assert (tmp_path / "alerts.schema.json").read_text() == "{}"


@pytest.mark.parametrize("arguments", [["--chec"], ["extra"]])
def test_wrong_arguments_end_with_code_2(arguments: list[str]):
    assert CliRunner().invoke(app, ["schema", *arguments]).exit_code == 2
