"""The examples of docs/extending.md and docs/how-to do what the pages say."""

import re
import subprocess
import sys
import types

import pytest

from icu_stream import profiles
from icu_stream.contracts.alerts import Kind as AlertKind
from icu_stream.contracts.alerts import Priority
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import monitor
from icu_stream.domain.patient import Patient
from icu_stream.errors import ConfigurationError
from icu_stream.pager import channels
from icu_stream.pager.page import Action, Delivery, Page
from tests.kafka import ROOT


DOCS = ROOT / "docs"
ADULT = (ROOT / "icu_stream" / "profiles" / "adult.toml").read_text()
TIME = 1_795_492_541_000


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def rules(tmp_path, monkeypatch):
    [module] = blocks("how-to/rule.md", "python")
    rows = [*blocks("how-to/rule.md", "toml"), *blocks("extending.md", "toml")]
    (tmp_path / "ward_rules.py").write_text(module)
    (tmp_path / "ours.toml").write_text("\n".join([ADULT, *rows]))
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


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory):
    """Where the model's program has run, and what it said."""
    directory = tmp_path_factory.mktemp("model")
    [program] = blocks("how-to/model.md", "python")
    (directory / "learn.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "learn.py"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return directory, done.stdout


def test_the_model_is_learnt_and_explains_itself(learnt):
    _, said = learnt

    assert re.match(r"0\.[5-9]\d \{'(hr|lactate)': .*\} missing: \(\)$", said.strip())


def test_the_worker_scores_the_model_that_a_profile_names(learnt, monkeypatch):
    directory, _ = learnt
    monkeypatch.chdir(directory)
    [row] = blocks("how-to/model.md", "toml")
    (directory / "ours.toml").write_text("\n".join([ADULT, row]))

    risks = profiles.load(str(directory / "ours.toml")).risks

    assert [risk.prior.name for risk in risks] == ["mortality", "sepsis", "long_stay"]
    assert risks[-1].prior.stays == 200


def test_a_model_under_another_name_or_in_no_file_is_refused(learnt, monkeypatch):
    directory, _ = learnt
    monkeypatch.chdir(directory)
    [row] = blocks("how-to/model.md", "toml")
    for old, new, why in (
        ('"long_stay"', '"short_stay"', "is named 'long_stay'"),
        ("long_stay.json", "nowhere.json", "nowhere.json"),
    ):
        (directory / "ours.toml").write_text(
            "\n".join([ADULT, row.replace(old, new, 1)])
        )

        with pytest.raises(ConfigurationError, match=why):
            profiles.load(str(directory / "ours.toml"))


async def test_the_channel_sends_what_its_page_says(monkeypatch, tmp_path):
    [text, line] = blocks("how-to/channel.md", "python")
    sms = types.ModuleType("sms")
    exec(text, sms.__dict__)  # noqa: S102 - the page's own code
    monkeypatch.setattr(channels, "KINDS", dict(channels.KINDS))
    exec(line, vars(channels) | {"sms": sms})  # noqa: S102
    (tmp_path / "token").write_text("of-the-tests")
    sent = []

    async def post(url, body, headers, tls):
        sent.append((url, body, headers))

    where = sms.Where(
        url="https://exchange.example/sms",
        number="+49 30 1234",
        token=channels.ntfy.Secret(file=str(tmp_path / "token")),
    )
    channel = channels.make("sms", where, post, "en")
    page = {
        "dedup_key": "p-1:spo2.desat:1",
        "priority": Priority.HIGH,
        "kind": AlertKind.PHYSIOLOGICAL,
        "bed": "ICU1-07",
        "code": "spo2.desat",
        "text": "SpO₂ 78 %, below 80",
        "onset": 1,
        "time": 2,
    }

    await channel.send(Delivery("d-1", Page(action=Action.TRIGGER, **page)))
    await channel.send(Delivery("d-2", Page(action=Action.RESOLVE, **page)))

    [(url, body, headers)] = sent
    assert url == "https://exchange.example/sms"
    assert b'"text":"HIGH ICU1-07: SpO\xe2\x82\x82 78 %, below 80"' in body
    assert headers == {"Authorization": "Bearer of-the-tests"}
    assert channels.KINDS["sms"].place(where) == "exchange.example"
