import os

from pathlib import Path

import msgspec
import pytest

from icu_stream.access import accounts
from icu_stream.access.roles import Role
from icu_stream.access.sessions import (
    IDLE_S,
    MOST,
    MOST_OF_ONE,
    PERSON_S,
    STATION_S,
    Sessions,
)
from icu_stream.errors import ConfigurationError


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


def nurse(sessions: Sessions, stamp: str = "") -> str:
    return sessions.open_person("RN Okafor", Role.NURSE, "ICU1 desk", "password", stamp)


def screen(sessions: Sessions) -> str:
    return sessions.open_station("", Role.VIEWER, "ICU1 desk", "link")


def test_a_token_is_spent_once(path: Path):
    sessions = Sessions(path)

    assert sessions.spend("secret", "secret")
    assert not sessions.spend("secret", "secret")
    assert not Sessions(path).spend("secret", "secret")  # nor after a restart


@pytest.mark.parametrize("token", ["", "Secret", "secret ", "sécret"])
def test_another_token_is_none(path: Path, token: str):
    assert not Sessions(path).spend(token, "secret")


def test_a_person_who_does_nothing_is_signed_out_after_a_quarter_of_an_hour(path: Path):
    clock = Clock()
    sessions = Sessions(path, now_ms=clock)
    cookie = nurse(sessions)

    clock.ms += 1000 * IDLE_S - 1
    last = sessions.find(cookie)
    clock.ms += 1

    assert IDLE_S == 900
    assert last is not None
    assert last.person.until_ms == T0 + 900_000
    assert sessions.find(cookie) is None
    assert sessions.act(cookie) is None  # too late


def test_each_act_starts_the_quarter_of_an_hour_anew_but_a_shift_ends(path: Path):
    clock = Clock()
    sessions = Sessions(path, now_ms=clock)
    cookie = nurse(sessions)

    acted_s = 0
    while sessions.act(cookie) is not None:
        acted_s += 600
        clock.ms = T0 + 1000 * acted_s

    assert acted_s == PERSON_S


def test_looking_is_no_act(path: Path):
    clock = Clock()
    sessions = Sessions(path, now_ms=clock)
    cookie = nurse(sessions)

    for _ in range(15):
        clock.ms += 60_000
        found = sessions.find(cookie)

    assert found is None


def test_a_screen_stays_for_a_month_whatever_is_done_there(path: Path):
    clock = Clock()
    sessions = Sessions(path, now_ms=clock)
    cookie = screen(sessions)

    sessions.act(cookie)
    clock.ms += 1000 * STATION_S - 1
    last = sessions.find(cookie)
    clock.ms += 1

    assert last is not None
    assert sessions.find(cookie) is None


def test_sessions_and_their_last_acts_outlive_a_restart(path: Path):
    clock = Clock()
    sessions = Sessions(path, now_ms=clock)
    cookie = nurse(sessions)
    clock.ms += 600_000
    sessions.act(cookie)

    again = Sessions(path, now_ms=clock)
    clock.ms += 600_000

    assert again.find(cookie) is not None


def test_the_file_holds_no_cookie_and_is_ours_alone(path: Path):
    sessions = Sessions(path)
    cookie = nurse(sessions)
    sessions.spend("secret-token", "secret-token")

    text = path.read_text()

    assert cookie not in text
    assert "secret-token" not in text
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_directory_that_cannot_be_written_names_the_setting(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="ICU_DATA_DIR"):
        Sessions(tmp_path / "file" / "ward-sessions.json")


def test_a_full_disk_signs_nobody_out(path: Path, monkeypatch: pytest.MonkeyPatch):
    clock = Clock()
    sessions = Sessions(path, now_ms=clock)
    cookie = nurse(sessions)
    clock.ms += 60_000

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", full)

    assert sessions.act(cookie) is not None
    assert sessions.find(nurse(sessions)) is not None


def test_another_password_or_no_account_ends_a_session_another_role_changes_it(
    path: Path,
):
    sessions = Sessions(path)
    account = accounts.new("rn okafor", Role.NURSE, "hash", T0)
    cookie = nurse(sessions, account.stamp)

    charge = msgspec.structs.replace(account, role=Role.CHARGE)
    ended = sessions.sweep([charge])
    role = found.role if (found := sessions.find(cookie)) else None
    unreadable = sessions.sweep(None)
    other = msgspec.structs.replace(account, stamp="another")
    [changed] = sessions.sweep([other])
    gone = nurse(sessions, account.stamp)
    [removed] = sessions.sweep([])

    assert (ended, role, unreadable) == ([], Role.CHARGE, [])
    assert (changed.reason, removed.reason) == ("password changed", "account removed")
    assert sessions.find(cookie) is None
    assert sessions.find(gone) is None


def test_who_comes_from_elsewhere_needs_no_account_here(path: Path):
    sessions = Sessions(path)
    cookie = sessions.open_person("dr.weiss", Role.PHYSICIAN, "", "https://id.example")

    assert sessions.sweep([]) == []
    assert sessions.find(cookie) is not None


def test_what_is_over_is_told_once_and_why(path: Path):
    clock = Clock()
    sessions = Sessions(path, now_ms=clock)
    nurse(sessions)
    clock.ms += 1000 * IDLE_S

    assert [ended.reason for ended in sessions.sweep(None)] == ["idle"]
    assert sessions.sweep(None) == []


def test_the_number_of_sessions_is_bounded_and_the_longest_idle_goes(path: Path):
    clock = Clock()
    sessions = Sessions(path, now_ms=clock)
    cookies = []
    for _ in range(MOST_OF_ONE + 1):
        clock.ms += 1
        cookies.append(nurse(sessions))

    alive = [sessions.find(cookie) is not None for cookie in cookies]

    assert alive == [False] + [True] * MOST_OF_ONE


def test_all_sessions_together_are_bounded(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Sessions, "_save", lambda _self: None)  # 2,000 files
    sessions = Sessions(path)

    for n in range(MOST + 5):
        sessions.open_person(f"n{n}", Role.NURSE, "", "password")

    assert len(sessions._saved.sessions) == MOST
