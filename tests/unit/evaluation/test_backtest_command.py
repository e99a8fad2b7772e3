"""The command `backtest`: what it refuses, what it writes, and when it writes nothing."""

import json
import signal
import subprocess
import sys
import time

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from typer.testing import CliRunner

from icu_stream import profiles
from icu_stream.cli import app
from icu_stream.errors import ConfigurationError
from icu_stream.evaluation.command import Options, run
from tests.unit.evaluation.past import DAY


def recording(directory: Path) -> Path:
    """Three minutes of two patients; one of them desaturates for twenty seconds."""
    path = directory / "recording.csv"
    lines = ["patient_id,time,hr,spo2"]
    for second in range(180):
        spo2 = 85 if 60 <= second < 80 else 97
        lines += [f"p-1,{DAY + 1000 * second},80,{spo2}"]
        lines += [f"p-2,{DAY + 1000 * second},70,97"]
    path.write_text("\n".join(lines))
    return path


def calm(directory: Path) -> Path:
    text = Path(profiles.__file__).with_name("adult.toml").read_text()
    row = text.index('code = "spo2.low"')
    text = text[:row] + text[row:].replace("delay_s = 15", "delay_s = 30", 1)
    path = directory / "calm.toml"
    path.write_text(text.replace('name = "adult"', 'name = "calm"'))
    return path


def invoke(*arguments: object):
    told = [str(a) for a in arguments]
    return CliRunner().invoke(app, ["backtest", *told, "--processes", "1"])


def options(directory: Path, **asked) -> Options:
    usual = {
        "data": None,
        "profiles": ["adult"],
        "topic": False,
        "first": None,
        "last": None,
        "beds": None,
        "duration_s": 10,
        "seed": 1,
        "stories": "none",
        "truth": None,
        "patients": None,
        "delay_scale": None,
        "sweeps": [],
        "report": directory / "report.html",
        "as_json": False,
        "processes": 1,
    }
    return Options(**(usual | asked))


def test_two_profiles_are_compared_on_a_recording(tmp_path: Path):
    report = tmp_path / "report.html"

    done = invoke(
        recording(tmp_path), "--profile", "adult", "--profile", calm(tmp_path),
        "--sweep", "spo2.low=0,15,25", "--report", report,
    )  # fmt: skip

    assert done.exit_code == 0, done.output
    assert "adult 1" in done.output
    assert "calm 1" in done.output
    assert "calm 1" in report.read_text()
    assert [p.name for p in tmp_path.glob(".report*")] == []


def test_json_is_the_same_bytes_each_time_and_alone_on_stdout(tmp_path: Path):
    arguments = (recording(tmp_path), "--json", "--report", tmp_path / "r.html")

    one, two = invoke(*arguments), invoke(*arguments)

    assert one.exit_code == 0
    assert one.stdout == two.stdout
    (profile,) = json.loads(one.stdout)["profiles"]
    assert profile["tally"]["codes"]["spo2.low"]["alarms"] == {"medium": 1}


def test_a_simulated_ward_knows_its_own_truth(tmp_path: Path):
    stories = tmp_path / "stories"
    stories.write_text("apnoea@2@20@45")

    done = invoke(
        "--beds", 3, "--duration", 100, "--stories", stories, "--json",
        "--report", tmp_path / "r.html",
    )  # fmt: skip

    judged = json.loads(done.stdout)["profiles"][0]["tally"]["judged"]
    assert judged["caught"] == judged["total"] != {}
    assert judged["wrong"] == {}


def test_a_truth_of_hours_is_refused_for_a_topic(tmp_path: Path):
    table = {"stay_id": [1], "time": pa.array([0], pa.duration("s")), "label": [True]}
    pq.write_table(pa.table(table), tmp_path / "outc.parquet")

    with pytest.raises(ConfigurationError, match="count from each patient's admission"):
        run(options(tmp_path, topic=True, truth=tmp_path / "outc.parquet"))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "want one of: DATA"),
        ({"beds": 3, "topic": True}, "want one of: DATA"),
        ({"beds": 3, "first": "2026-01-01"}, "give --topic, too"),
        ({"topic": True, "first": "yesterday"}, "--from 'yesterday': want a moment"),
        ({"topic": True, "first": "2026-01-02", "last": "2026-01-01"}, "not after"),
        ({"beds": 3, "profiles": ["adlut"]}, "not among those shipped"),
        ({"beds": 3, "profiles": ["/nowhere.toml"]}, "/nowhere.toml"),
        ({"beds": 3, "sweeps": ["hr.higher=3"]}, "no such limit"),
        ({"beds": 3, "stories": "apnea"}, "want all, none or a file"),
        ({"beds": 3, "report": Path("/nowhere/r.html")}, "a directory that exists"),
        ({"data": Path("/nowhere")}, "/nowhere does not exist"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_is_wanted(asked, words, tmp_path):
    with pytest.raises(ConfigurationError, match=words):
        run(options(tmp_path, **asked))

    assert list(tmp_path.iterdir()) == []


def test_a_profile_that_contradicts_itself_gives_the_loaders_error(tmp_path: Path):
    text = calm(tmp_path).read_text().replace("limit = 90", "limit = 200", 1)
    (tmp_path / "calm.toml").write_text(text)

    with pytest.raises(
        ConfigurationError, match=r"^profile calm\.toml, .*limit spo2\.low"
    ):
        run(options(tmp_path, beds=2, profiles=[str(tmp_path / "calm.toml")]))


def test_bad_data_leaves_an_earlier_report_as_it_is(tmp_path: Path):
    path = recording(tmp_path)
    path.write_text(path.read_text() + "\np-1,yesterday,80,97")
    (tmp_path / "report.html").write_text("an earlier one")

    with pytest.raises(ConfigurationError, match="line 362, column time"):
        run(options(tmp_path, data=path))

    assert (tmp_path / "report.html").read_text() == "an earlier one"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_at_once_and_writes_nothing(number: int, tmp_path: Path):
    command = [sys.executable, "-m", "icu_stream", "backtest", "--beds", "50"]
    command += ["--duration", "1000000", "--report", str(tmp_path / "r.html")]
    process = subprocess.Popen(
        [*command, "--processes", "1"], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not is_listening(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)

    process.send_signal(number)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 128 + number
    assert (out, err) == (b"", b"")
    assert list(tmp_path.iterdir()) == []


def is_listening(pid: int) -> bool:
    """Does the process catch SIGTERM, as a backtest does once it runs?"""
    status = Path(f"/proc/{pid}/status").read_text()
    (caught,) = (line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
