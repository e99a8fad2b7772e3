"""Commands on their way out: who may, and what is said when Kafka is not there."""

from pathlib import Path

import pytest

from icu_stream.access.roles import Person, Role
from icu_stream.contracts.commands import CommandType
from icu_stream.settings import Settings
from icu_stream.ward.desk import Desk, Fate, Wish


NOBODY_LISTENS = "127.0.0.1:9"  # the discard port
ID = "9f0c2c5e-7d1a-4c55-9d0a-1f6a5a0c7b11"


def desk(tmp_path: Path) -> Desk:
    return Desk(
        Settings(_env_file=None, broker=NOBODY_LISTENS, data_dir=tmp_path / "data")
    )


def wish(type_: CommandType = CommandType.ACKNOWLEDGE) -> Wish:
    return Wish(id=ID, type=type_, patient="p-1", alert="p-1:hr.high:0")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ENGINEER])
async def test_who_may_not_command_is_refused_before_anything_is_sent(
    tmp_path: Path, role: Role
):
    outcome = await desk(tmp_path).ask(Person("RN Okafor", role, 0), wish(), "")

    assert outcome.fate is Fate.REFUSED
    assert outcome.reason == f"a {role} may not: acknowledge"


async def test_a_session_without_a_name_commands_nothing(tmp_path: Path):
    outcome = await desk(tmp_path).ask(Person("", Role.NURSE, 0), wish(), "")

    assert outcome.fate is Fate.REFUSED


async def test_what_this_page_does_not_offer_is_refused(tmp_path: Path):
    person = Person("Dr Weiss", Role.PHYSICIAN, 0)

    outcome = await desk(tmp_path).ask(person, wish(CommandType.DISCHARGE), "")

    assert outcome.reason == "a physician may not: discharge"


async def test_without_kafka_a_command_is_not_sent_and_the_person_is_told(
    tmp_path: Path,
):
    asked = desk(tmp_path)

    outcome = await asked.ask(Person("RN Okafor", Role.NURSE, 0), wish(), "")
    await asked.close()

    assert outcome.fate is Fate.UNSENT
    assert outcome.reason == "Kafka does not answer"
