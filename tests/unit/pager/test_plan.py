"""The pager's configuration: what is wrong is named, with its line and what to do."""

import datetime as dt
import re

from pathlib import Path

import pytest

from icu_stream.contracts.alerts import Priority
from icu_stream.errors import ConfigurationError
from icu_stream.pager import plan
from icu_stream.pager.plan import Plan
from icu_stream.pager.posting import Post
from tests.paging import SECRET


TOML = """
time_zone = "Europe/Berlin"

[person.okafor]
name = "RN Okafor"
answers = { env = "PAGER_TEST_SECRET" }
[person.okafor.target.phone]
channel = "ntfy"
topic = { env = "PAGER_TEST_TOPIC" }
[person.okafor.target.hook]
channel = "webhook"
url = "https://pager.example/okafor"
secret = { env = "PAGER_TEST_SECRET" }

[person.meyer]
name = "Dr Meyer"
role = "physician"
[person.meyer.target.duty]
channel = "pagerduty"
routing_key = { env = "PAGER_TEST_KEY" }

[shift.day]
from = "07:00"
to = "19:00"
[shift.night]
from = "19:00"
to = "07:00"

[duty.nurse]
day = ["okafor"]
night = ["meyer"]

[unit.icu1]
beds = ["ICU1-*", "HDU-0[1-4]"]
[unit.icu1.high]
repeat_s = 300
[[unit.icu1.high.level]]
after_s = 0
page = ["nurse"]
[[unit.icu1.high.level]]
after_s = 120
page = ["meyer", "nurse"]

[unit.rest]
beds = ["*"]
[unit.rest.high]
level = [{ after_s = 0, page = ["meyer"] }]
[unit.rest.medium]
level = [{ after_s = 0, page = ["nurse"] }]

[backup.target.mail]
channel = "email"
host = "mail.hospital.example"
to = "it@hospital.example"
from = "pager@hospital.example"
"""


def read(directory: Path, text: str = TOML) -> Plan:
    path = directory / "pager.toml"
    path.write_text(text)
    return plan.load(path)


def wrong(directory: Path, old: str, new: str) -> list[str]:
    """What is said of the file with some text in other words."""
    assert TOML.count(old) >= 1, old
    with pytest.raises(ConfigurationError) as caught:
        read(directory, TOML.replace(old, new, 1))
    return str(caught.value).splitlines()


def at(text: str) -> int:
    return round(dt.datetime.fromisoformat(text).timestamp() * 1000)


def test_a_bed_belongs_to_the_first_unit_that_has_it(tmp_path):
    made = read(tmp_path)

    beds = ("ICU1-07", "HDU-04", "HDU-05", "")
    assert [made.unit(bed).name for bed in beds] == ["icu1", "icu1", "rest", "rest"]


def test_a_duty_is_who_has_it_at_that_moment_and_nobody_is_paged_twice(tmp_path):
    made = read(tmp_path)
    day, night = at("2026-11-24T18:59:59+01:00"), at("2026-11-24T19:00+01:00")

    def ids(names, now_ms):
        return [person.id for person in made.on_duty(names, now_ms)]

    assert ids(["nurse"], day) == ["okafor"]
    assert ids(["nurse"], night) == ["meyer"]
    assert ids(["meyer", "nurse"], night) == ["meyer"]
    assert ids(["nurse", "meyer"], day) == ["okafor", "meyer"]


def test_a_chain_waits_for_the_next_level_and_begins_anew_after_the_last(tmp_path):
    made = read(tmp_path)
    chain = made.unit("ICU1-07").chains[Priority.HIGH]

    assert [level.after_s for level in chain.levels] == [0, 120]
    assert (chain.wait_s(0), chain.wait_s(1)) == (120, 300)
    assert Priority.MEDIUM not in made.unit("ICU1-07").chains
    assert made.unit("x").chains[Priority.HIGH].repeat_s == plan.REPEAT_S


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"Europe/Berlin"', '"Mars/Olympus"', r"line 2, time_zone: 'Mars/Olympus'"),
        (
            'time_zone = "',
            'time_zoom = "',
            r"time_zoom: no such key: want some of time_",
        ),
        ("window_s", "x", ""),
        ('name = "RN Okafor"', "", r"line 4, person.okafor: name is missing"),
        ('"Dr Meyer"', '"RN Okafor"', r"line 16, .*'RN Okafor' is okafor's, too"),
        ('role = "physician"', 'role = "porter"', r"line 17, person.meyer.role: Inva"),
        (
            'name = "RN Okafor"',
            'name = "RN Okafor"\nrole = "viewer"',
            r"role: a viewer may not acknowledge: want nurse, physician, charge",
        ),
        (
            '"ntfy"',
            '"carrier pigeon"',
            r"line 8, .*phone.channel: 'carrier pigeon': want",
        ),
        ('channel = "ntfy"', "", r"phone.channel: missing: want one of webhook, pager"),
        (
            'topic = { env = "PAGER_TEST_TOPIC" }',
            'topic = "icu1-7f3a"',
            r'line 9, .*topic: want { file = "..." } or { env = "..." }: no secret',
        ),
        (
            'topic = { env = "PAGER_TEST_TOPIC" }',
            'topic = { env = "A", file = "b" }',
            r"topic: want { file = ... } or { env",
        ),
        (
            'url = "https://pager.example/okafor"',
            'uri = "https://pager.example/okafor"',
            r"hook(\.uri)?: (url is missing|no such key)",
        ),
        ('to = "19:00"', 'to = "7pm"', r"line 24, shift.day.to: "),
        (
            'to = "19:00"',
            'to = "19:00"\ndays = ["Mon"]',
            r"line 25, shift.day.days: 'Mon': want some of mon, tue",
        ),
        (
            'to = "19:00"',
            'to = "18:00"',
            r"line 29, duty.nurse: nobody from Mon 18:00 to Mon 19:00",
        ),
        (
            'night = ["meyer"]',
            'late = ["meyer"]',
            r"line 31, .*no such shift: have day,",
        ),
        (
            'day = ["okafor"]',
            'day = ["okafro"]',
            r"line 30, .*no person 'okafro': have",
        ),
        ('day = ["okafor"]', "day = []", r"line 30, .*want a list of names"),
        ("[duty.nurse]", "[duty.meyer]", r"line 29, duty.meyer: a person is called so"),
        (
            'page = ["nurse"]',
            'page = ["nobody"]',
            r"line 39, .*level\[0\].page: no pers",
        ),
        (
            "after_s = 0\n",
            "after_s = 5\n",
            r"line 37, .*level\[0\]: after_s = 5: want 0",
        ),
        (
            "after_s = 120",
            "after_s = 0",
            r"line 40, .*level\[1\]: after_s = 0, not after",
        ),
        (
            "repeat_s = 300",
            "repeat_s = 0",
            r"line 36, .*repeat_s: Expected `float` > 0",
        ),
        (
            "[unit.rest.medium]",
            "[unit.rest.low]",
            r"line 48, unit.rest.low: low alarms",
        ),
        ('beds = ["*"]', 'beds = ["ICU2-*"]', r"line 45, .*a bed that no unit has"),
        ("[backup.target.mail]", "[backup.target.Mail!]", r"not TOML"),
        ("[backup.target.mail]", '[backup.target."Mail"]', r"want a name of 1 to 32"),
        (
            'from = "pager@hospital.example"',
            "",
            r"line 51, backup.target.mail: from is",
        ),
        ('to = "it@', 'to = "it at ', r"line 54, backup.target.mail.to: Expected"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, old, new, said):
    if not said:
        assert read(tmp_path).window_s == 900
        return

    lines = wrong(tmp_path, old, new)

    assert any(re.search(said, line) for line in lines), lines
    assert all(line.startswith("pager.toml") for line in lines)


def test_everything_that_is_wrong_is_named_at_once(tmp_path):
    text = TOML.replace('"07:00"', '"7"').replace('"ntfy"', '"fax"').replace("*", "x")

    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)

    assert len(str(caught.value).splitlines()) >= 4


def test_a_second_channel_is_wanted_and_must_be_another_one(tmp_path):
    start = TOML.index("[backup")
    hook = TOML[TOML.index('channel = "webhook"') : TOML.index("[person.meyer]")]

    with pytest.raises(ConfigurationError, match="backup: missing: want"):
        read(tmp_path, TOML[:start])
    with pytest.raises(ConfigurationError, match="at a place that pages go to, too"):
        read(tmp_path, TOML[:start] + "[backup.target.same]\n" + hook)


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(ConfigurationError, match=r"No such file.*docs/pager.md"):
        plan.load(tmp_path / "none.toml")


async def test_secrets_come_from_where_the_file_says_and_are_never_told(
    tmp_path, monkeypatch
):
    made = read(tmp_path)
    monkeypatch.setenv("PAGER_TEST_SECRET", "hunter2-of-the-webhook")
    monkeypatch.setenv("PAGER_TEST_KEY", "hunter2-of-pagerduty")

    with pytest.raises(ConfigurationError) as caught:
        made.connect(Post(5), "en")
    with pytest.raises(ConfigurationError) as keys:
        made.keys()

    said = f"{caught.value}\n{keys.value}"
    assert "variable PAGER_TEST_TOPIC of the environment is not set" in said
    assert "want whsec_" in said
    assert "want the 32 characters" in said
    assert "hunter2" not in said
    assert "hunter2" not in repr(made)
    assert said.count("pager.toml, line") == 4

    monkeypatch.setenv("PAGER_TEST_SECRET", SECRET)
    monkeypatch.setenv("PAGER_TEST_KEY", "0123456789abcdef0123456789abcdef")
    monkeypatch.setenv("PAGER_TEST_TOPIC", "icu1-7f3a")
    assert made.connect(Post(5), "en").keys() == {
        "okafor/phone",
        "okafor/hook",
        "meyer/duty",
    }
    assert made.connect(Post(5), "en", backup=True).keys() == {"backup/mail"}
    assert made.keys() == {"okafor": b"k" * 32}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "https://pager.example",
            "http://pager.example",
            "http to pager.example: want",
        ),
        ("https://pager.example/okafor", "pager.example", "no address: want https"),
        ('host = "mail', 'tls = "none"\nhost = "mail', 'want "starttls" or "tls"'),
        ('host = "mail', 'username = "x"\nhost = "mail', "want both or neither"),
        (
            'host = "mail',
            'ca_file = "none.pem"\nhost = "mail',
            "ca_file none.pem: No su",
        ),
    ],
)
def test_what_would_be_sent_in_the_clear_or_cannot_be_is_refused(
    tmp_path, monkeypatch, old, new, said
):
    for name in ("SECRET", "TOPIC"):
        monkeypatch.setenv(f"PAGER_TEST_{name}", SECRET)
    monkeypatch.setenv("PAGER_TEST_KEY", "0123456789abcdef0123456789abcdef")
    made = read(tmp_path, TOML.replace(old, new, 1))
    is_backup = "mail" in old

    with pytest.raises(ConfigurationError, match=re.escape(said)):
        made.connect(Post(5), "en", backup=is_backup)


def test_other_settings_are_another_target(tmp_path):
    before = read(tmp_path).targets
    moved = read(tmp_path, TOML.replace("/okafor", "/rn-okafor")).targets

    assert moved["okafor/hook"].mark != before["okafor/hook"].mark
    assert moved["okafor/phone"].mark == before["okafor/phone"].mark
