from pathlib import Path

import pytest

from icu_stream.access.roles import Role
from icu_stream.errors import ConfigurationError
from icu_stream.ward.signin import SESSION_S, Sessions


T0 = 1_795_492_540_000


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.ms = T0

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ward-sessions.json"


def test_a_token_opens_one_session_and_is_spent(path: Path):
    sessions = Sessions(path, "secret")

    first, second = sessions.open("secret"), sessions.open("secret")

    assert first is not None
    assert second is None
    assert sessions.person(first) is not None


@pytest.mark.parametrize("token", ["", "Secret", "secret ", "sécret"])
def test_another_token_opens_nothing(path: Path, token: str):
    assert Sessions(path, "secret").open(token) is None


def test_a_session_ends_after_twelve_hours(path: Path):
    clock = Clock()
    sessions = Sessions(path, "secret", now_ms=clock)
    cookie = sessions.open("secret") or ""

    clock.ms += 1000 * SESSION_S - 1
    last = sessions.person(cookie)
    clock.ms += 1

    assert last is not None
    assert last.until_ms == T0 + 12 * 3_600_000
    assert sessions.person(cookie) is None


def test_a_session_outlives_a_restart_and_so_does_a_spent_token(path: Path):
    cookie = Sessions(path, "secret").open("secret") or ""

    again = Sessions(path, "secret")

    assert again.person(cookie) is not None
    assert again.open("secret") is None


def test_the_file_holds_neither_cookie_nor_token_and_is_ours_alone(path: Path):
    cookie = Sessions(path, "secret").open("secret") or ""

    text = path.read_text()

    assert cookie not in text
    assert "secret" not in text
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_directory_that_cannot_be_written_names_the_setting(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="ICU_DATA_DIR"):
        Sessions(tmp_path / "file" / "ward-sessions.json", "secret")


def test_a_session_is_a_person_with_a_role_and_stays_that_person(path: Path):
    cookie = Sessions(path, "secret", "RN Okafor", Role.NURSE).open("secret") or ""

    # The next start signs in somebody else; whoever is signed in stays who they are.
    person = Sessions(path, "other", "", Role.VIEWER).person(cookie)

    assert person is not None
    assert (person.by, person.role) == ("RN Okafor", Role.NURSE)
