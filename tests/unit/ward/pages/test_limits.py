"""Which limits hold, whose they are, and which proposal can be taken."""

from icu_stream import profiles
from icu_stream.contracts.commands import CommandType, LimitChange
from icu_stream.ward.pages import limits
from icu_stream.ward.pages.chronicle import Asked
from icu_stream.ward.tiles import Patient
from tests.unit.ward.pages.test_chronicle import answered, command


ADULT = profiles.load("adult")
CHANGE = [LimitChange("spo2.low", 87)]


def one(asked: object, **fields: object) -> Asked:
    return Asked(asked.command_id, asked.time, asked, answered(asked, **fields))


def proposed(time: int = 1_000, **fields: object) -> Asked:
    asked = command(time, type=CommandType.PROPOSE_LIMITS, limits=CHANGE, **fields)
    return one(asked, limits=CHANGE, expires=10_000)


def test_an_own_limit_says_who_when_why_and_until_when():
    patient = Patient("p")
    asked = command(limits=CHANGE)
    result = answered(asked, limits=CHANGE, expires=9_000)
    patient.answer(result)

    held = {
        limit.row.code: limit
        for limit in limits.held(
            patient, ADULT, [Asked("c", 2_000, asked, result)], 3_000
        )
    }

    assert held["spo2.low"].now == limits.Limit(87, 15)
    assert held["spo2.low"].own == ("RN Okafor", 2_000, "COPD", 9_000)
    assert held["hr.high"].own is None


def test_a_proposal_stands_until_its_end():
    asked = [proposed()]

    offer = limits.offer_of(asked, 9_999)

    assert offer is not None
    assert offer.limits == CHANGE
    assert limits.offer_of(asked, 10_000) is None


def test_the_last_proposal_alone_stands_and_not_one_that_was_refused():
    first, last = proposed(1_000), proposed(2_000)
    refused = proposed(3_000)
    refused.result = answered(refused.command, accepted=False, reason="no")

    offer = limits.offer_of([first, last, refused], 5_000)

    assert offer is not None
    assert offer.asked is last


def test_a_proposal_that_was_taken_or_taken_back_stands_no_more():
    for type_ in (CommandType.SET_LIMITS, CommandType.PROPOSE_LIMITS):
        after = one(command(3_000, type=type_, proposal="RN/1000"))

        assert limits.offer_of([proposed(), after], 5_000) is None


def test_a_discharge_ends_a_proposal():
    after = one(command(3_000, type=CommandType.DISCHARGE))

    assert limits.offer_of([proposed(), after], 5_000) is None
