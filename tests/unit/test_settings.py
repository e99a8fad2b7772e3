"""Settings: a wrong value names itself, and a process hands its own on whole."""

import pytest

from icu_stream import settings
from icu_stream.errors import ConfigurationError
from icu_stream.settings import Settings


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path):
    """No `.env` file, and nothing remembered."""
    monkeypatch.chdir(tmp_path)
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ICU_BROKER", "localhost"),
        ("ICU_PARTITIONS", "0"),
        ("ICU_LOG_LEVEL", "loud"),
        ("ICU_TOPIC_PREFIX", "icu/"),
        ("ICU_SESSION_TIMEOUT_S", "5.9"),
        ("ICU_WARD_TIME_ZONE", "Mars/Olympus"),
        ("ICU_WARD_PRESSURE", "psi"),
    ],
)
def test_a_wrong_value_names_its_setting(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=f"^{name}: "):
        settings.load()


def test_every_wrong_value_is_named_at_once(monkeypatch):
    monkeypatch.setenv("ICU_PARTITIONS", "many")
    monkeypatch.setenv("ICU_WEB_PORT", "70000")

    with pytest.raises(ConfigurationError) as caught:
        settings.load()

    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "ICU_PARTITIONS",
        "ICU_WEB_PORT",
    ]


@pytest.mark.parametrize(
    "given",
    [
        {"ICU_TLS_CA": "ca.pem", "ICU_TLS_CERT": "own.pem"},
        {"ICU_TLS_CERT": "own.pem", "ICU_TLS_KEY": "own.key"},
        {"ICU_SASL_MECHANISM": "PLAIN", "ICU_SASL_USERNAME": "icu"},
        {"ICU_SASL_PASSWORD": "hunter2"},
        {"ICU_POSTGRES_DSN": "postgresql://icu:hunter2@db/icu"},
        {"ICU_POSTGRES_PASSWORD": "hunter2"},
        {"ICU_INFLUX_URL": "http://influx:8086", "ICU_INFLUX_PASSWORD": "hunter2"},
        {"ICU_INFLUX_TOKEN": "hunter2"},
    ],
)
def test_half_a_sign_in_is_refused_without_saying_the_secret(monkeypatch, given):
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=r"want|TLS is not on") as caught:
        settings.load()

    assert "hunter2" not in str(caught.value)


def test_a_dotenv_file_in_the_working_directory_is_read(tmp_path):
    (tmp_path / ".env").write_text("ICU_BROKER=kafka-1:9093,kafka-2:9093\n")

    assert settings.load().broker == "kafka-1:9093,kafka-2:9093"


def test_a_child_gets_the_same_settings_from_its_environment(monkeypatch):
    monkeypatch.setenv("ICU_PROFILE", "of the parent")
    given = Settings(
        _env_file=None,
        profile="adult",
        log_json=True,
        sasl_mechanism="PLAIN",
        sasl_username="icu",
        sasl_password="hunter2",
    )

    surroundings = settings.environment(given)

    monkeypatch.undo()
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    assert Settings(_env_file=None) == given
    assert "ICU_TLS_CA" not in surroundings


def test_every_setting_says_what_it_is():
    silent = [n for n, f in Settings.model_fields.items() if not f.description]

    assert silent == []
