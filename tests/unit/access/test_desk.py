"""Commands on their way out: who may, and what is said when Kafka is not there."""

import re

from pathlib import Path

import msgspec
import pytest

from icu_stream.access.desk import Desk, Fate, Why, Wish, _command
from icu_stream.access.ledger import Ledger
from icu_stream.access.roles import Person, Role
from icu_stream.contracts.commands import CommandType, LimitChange
from icu_stream.settings import Settings


NOBODY_LISTENS = "127.0.0.1:9"  # the discard port
ID = "9f0c2c5e-7d1a-4c55-9d0a-1f6a5a0c7b11"


def desk(tmp_path: Path) -> Desk:
    settings = Settings(
        _env_file=None, broker=NOBODY_LISTENS, data_dir=tmp_path / "data"
    )
    return Desk(settings, Ledger(settings))


def wish() -> Wish:
    alert = "p-1:hr.high:0"
    return Wish(id=ID, type=CommandType.ACKNOWLEDGE, patient="p-1", alert=alert)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ENGINEER])
async def test_who_may_not_command_is_refused_before_anything_is_sent(
    tmp_path: Path, role: Role
):
    outcome = await desk(tmp_path).ask(Person("RN Okafor", role, 0), wish())

    assert outcome.fate is Fate.REFUSED
    assert outcome.reason == f"a {role} may not: acknowledge"


async def test_a_session_without_a_name_commands_nothing(tmp_path: Path):
    outcome = await desk(tmp_path).ask(Person("", Role.NURSE, 0), wish())

    assert outcome.fate is Fate.REFUSED


async def test_what_nobody_at_a_bed_may_do_is_refused(tmp_path: Path):
    person = Person("Dr Weiss", Role.PHYSICIAN, 0)
    asked = Wish(id=ID, type=CommandType.DISCHARGE, patient="p-1")

    outcome = await desk(tmp_path).ask(person, asked)

    assert outcome.reason == "a physician may not: discharge"
    assert outcome.why is Why.MAY_NOT


async def test_without_kafka_a_command_is_not_sent_and_the_person_is_told(
    tmp_path: Path,
):
    asked = desk(tmp_path)

    outcome = await asked.ask(Person("RN Okafor", Role.NURSE, 0), wish())
    await asked.close()

    assert outcome.fate is Fate.UNSENT
    assert outcome.reason == "Kafka does not answer"


def read(**fields: object) -> Wish:
    """What a browser posts, as the server reads it."""
    body = msgspec.json.encode({"id": ID, "patient": "p-1"} | fields)
    return msgspec.json.decode(body, type=Wish)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"type": "acknowledge"}, "acknowledge wants alert"),
        ({"type": "feedback", "alert": "a"}, "feedback wants actionable"),
        ({"type": "admit"}, "admit wants bed"),
        ({"type": "transfer", "bed": ""}, "length >= 1"),
        ({"type": "discharge", "bed": "ICU1-07"}, "discharge has no bed"),
        ({"type": "pause", "seconds": 60}, "pause wants reason"),
        ({"type": "pause", "reason": "x", "seconds": 601}, "<= 600"),
        ({"type": "resume", "reason": "x"}, "resume has no reason"),
        ({"type": "observe", "acvpu": "X"}, "Invalid enum value 'X'"),
        ({"type": "observe", "spo2_scale": 3}, "Invalid enum value 3"),
        ({"type": "observe", "values": {"ph": "7.4"}}, "Expected `float`"),
        ({"type": "observe", "by": "somebody else"}, "unknown field `by`"),
        ({"type": "set_limits"}, "set_limits wants reason"),
        ({"type": "set_limits", "reason": "x", "hours": 72.1}, "<= 72"),
        ({"type": "set_limits", "reason": "x", "expires": 1}, "unknown field"),
        ({"type": "reset_limits", "limits": [{"code": "hr"}]}, "matching regex"),
        ({"type": "propose_limits", "hours": 1}, "propose_limits has no hours"),
    ],
)
def test_what_a_wish_cannot_mean_is_refused_as_it_is_read(
    fields: dict[str, object], why: str
):
    with pytest.raises(msgspec.ValidationError, match=re.escape(why)):
        read(**fields)


def test_how_long_a_limit_holds_is_counted_by_the_servers_clock():
    asked = read(
        type="set_limits",
        reason="chronic hypoxia",
        hours=1.5,
        limits=[{"code": "spo2.low", "limit": 86}],
    )

    command = _command(Person("Dr Weiss", Role.PHYSICIAN, 0), asked, "c", 1_000)

    assert command.expires == 1_000 + 5_400_000
    assert command.limits == [LimitChange("spo2.low", limit=86)]
    assert (command.by, command.reason) == ("Dr Weiss", "chronic hypoxia")
