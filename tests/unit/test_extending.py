"""The examples of docs/extending.md do what the page says."""

import re
import sys

import msgspec
import pytest

from icu_stream import profiles
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import monitor
from icu_stream.domain.patient import Patient
from tests.kafka import ROOT


TEXT = (ROOT / "docs" / "extending.md").read_text()
ADULT = (ROOT / "icu_stream" / "profiles" / "adult.toml").read_text()
TIME = 1_795_492_541_000


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def rules(tmp_path, monkeypatch):
    [_, module] = blocks("python")
    (tmp_path / "ward_rules.py").write_text(module)
    (tmp_path / "ours.toml").write_text("\n".join([ADULT, *blocks("toml")]))
    monkeypatch.syspath_prepend(tmp_path)
    yield profiles.load(str(tmp_path / "ours.toml"))
    sys.modules.pop("ward_rules", None)


def raised(rules, values: dict[str, float], seconds: int) -> dict[str, int]:
    """Code of each alarm that is raised to the second in which it is."""
    patient = Patient("p-1")
    found: dict[str, int] = {}
    for second in range(seconds):
        time = TIME + 1000 * second
        sample = Vitals(patient_id="p-1", bed="ICU1-01", time=time, values=values)
        for message in monitor.step(patient, sample, time, rules):
            if getattr(message, "event", None) == "raised":
                found[message.code] = second
    return found


def test_the_rule_raises_after_its_delay(rules):
    assert raised(rules, {"hr": 110, "abp_sys": 100}, 70) == {"hr.shock_index": 60}


def test_the_rule_is_silent_inside_and_without_a_pressure(rules):
    assert raised(rules, {"hr": 100, "abp_sys": 100}, 70) == {}
    assert raised(rules, {"hr": 110}, 70) == {}


def test_the_limit_raises_after_its_delay(rules):
    assert raised(rules, {"cvp": 21}, 40) == {"cvp.high": 30}


def test_the_message_of_the_source_is_a_vitals_message():
    [example, _] = blocks("python")
    [value] = re.findall(r"value=b'(.*?)'", example)

    assert msgspec.json.decode(value, type=Vitals).values == {"hr": 82}
