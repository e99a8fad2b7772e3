"""What each role may: the server's own table."""

import pytest

from icu_stream.access.roles import MAY, SEES, Page, Person, Role
from icu_stream.contracts.commands import CommandType


LIMITS = {
    CommandType.SET_LIMITS,
    CommandType.RESET_LIMITS,
    CommandType.PROPOSE_LIMITS,
}


def test_who_looks_or_keeps_the_machines_commands_nothing():
    assert [role for role in Role if not MAY[role]] == [Role.VIEWER, Role.ENGINEER]


def test_limits_are_a_physicians_and_the_charge_nurses():
    may = {role for role in Role if MAY[role] & LIMITS}

    assert may == {Role.PHYSICIAN, Role.CHARGE}
    assert all(MAY[Role.NURSE] < MAY[role] for role in may)


@pytest.mark.parametrize(
    ("page", "roles"),
    [
        (Page.WARD, set(Role)),
        (Page.BURDEN, {Role.CHARGE}),
        (Page.WHATIF, {Role.CHARGE}),
        (Page.SYSTEM, {Role.CHARGE, Role.ENGINEER}),
    ],
)
def test_a_page_is_for_some(page: Page, roles: set[Role]):
    assert {role for role in Role if page in SEES[role]} == roles


def test_nobody_in_particular_commands_nothing_whatever_the_role():
    assert not Person("", Role.NURSE, 0).may(CommandType.ACKNOWLEDGE)
    assert Person("RN Okafor", Role.NURSE, 0).may(CommandType.ACKNOWLEDGE)


def test_who_comes_and_goes_is_told_by_the_hospitals_system_alone():
    places = {CommandType.ADMIT, CommandType.TRANSFER, CommandType.DISCHARGE}

    assert [role for role in Role if MAY[role] & places] == [Role.INTEGRATION]
    assert MAY[Role.INTEGRATION] == places | {CommandType.OBSERVE}
