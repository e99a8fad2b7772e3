"""Rules 29 and 30 of docs/alarms.md: limits of one patient, and profiles."""

import dataclasses

import msgspec
import pytest

from icu_stream import profiles
from icu_stream.contracts.commands import CommandResult, LimitChange
from icu_stream.domain.commands import Refusal
from icu_stream.domain.limits import Rules, quiet_bands
from tests.unit.domain.bed import LIMITS, Bed, ms


HOUR = 3600
WARD = dataclasses.replace(profiles.load_all("adult"), news2=())


def moved(bed: Bed, second: float, **fields: object) -> CommandResult:
    """Somebody sets limits: `moved(bed, 1, limits=[("spo2.low", 86, None)])`."""
    limits = [LimitChange(*change) for change in fields.pop("limits", [])]
    named = {"reason": "COPD", "by": "dr.m", "limits": limits} | fields
    return bed.ask(second, "set_limits", **named)


def with_low_saturation_allowed(**fields: object) -> Bed:
    """`spo2.low` at 86 for 12 h from second 1 on."""
    bed = Bed(WARD)
    bed.at(0, hr=80, spo2=97)
    result = moved(bed, 1, limits=[("spo2.low", 86, None)], **fields)
    assert result.accepted, result.reason
    return bed


# --- rule 29: what a limit of one's own does


def test_rule_29_a_limit_of_the_patients_own_counts_at_once():
    bed = with_low_saturation_allowed()

    assert bed.every_second(2, 40, hr=80, spo2=86) == []
    assert "56 spo2.low raised" in bed.every_second(41, 56, hr=80, spo2=85.9)
    assert (bed.last.limit, bed.last.delay_s) == (86, 15)


def test_rule_29_another_patient_is_not_concerned():
    with_low_saturation_allowed()
    other = Bed(WARD)

    assert "15 spo2.low raised" in other.every_second(0, 15, spo2=86)


def test_rule_29_the_deadband_goes_with_the_limit():
    bed = with_low_saturation_allowed()
    bed.every_second(2, 17, hr=80, spo2=85)

    bed.every_second(18, 40, hr=80, spo2=86.9)
    assert "spo2.low" in bed.states()
    assert "46 spo2.low cleared" in bed.every_second(41, 46, hr=80, spo2=87)


def test_rule_29_a_delay_alone_leaves_the_limit_as_it_is():
    bed = with_low_saturation_allowed()

    assert moved(bed, 2, limits=[("spo2.low", None, 20)]).accepted

    assert "25 spo2.low raised" in bed.every_second(5, 25, hr=80, spo2=85)
    assert (bed.last.limit, bed.last.delay_s) == (86, 20)


def test_rule_29_an_alert_says_whose_hand_until_when_and_why():
    bed = with_low_saturation_allowed(reason="COPD, target 88-92 %")
    bed.every_second(2, 17, hr=80, spo2=85)

    source = bed.last.explanation.limit_source

    for part in ("dr.m", "COPD, target 88-92 %"):
        assert part in source


def test_rule_29_what_is_pending_goes_on_and_is_decided_by_the_new_limit():
    bed = Bed(WARD)
    bed.every_second(0, 10, spo2=85)
    moved(bed, 10.5, limits=[("spo2.low", 88, None)])

    assert bed.every_second(11, 15, spo2=85) == ["15 spo2.low raised"]


def test_rule_29_an_active_alarm_is_over_when_it_is_inside_the_new_limit():
    bed = Bed(WARD)
    bed.every_second(0, 20, spo2=87)
    moved(bed, 20.5, limits=[("spo2.low", 86, None)])

    assert bed.every_second(21, 26, spo2=87) == ["26 spo2.low cleared"]


# --- its end


def test_rule_29_it_ends_after_12_hours_by_itself():
    bed = with_low_saturation_allowed()
    bed.at(12 * HOUR + 0.999, hr=80, spo2=97)
    assert bed.patient.own

    bed.at(12 * HOUR + 1, hr=80, spo2=97)

    assert bed.patient.own == {}
    first = 12 * HOUR + 2
    told = bed.every_second(first, first + 15, hr=80, spo2=88)
    assert f"{first + 15} spo2.low raised" in told
    assert bed.last.limit == 90


def test_rule_29_it_ends_when_it_was_said_that_it_ends():
    bed = with_low_saturation_allowed(expires=ms(61))

    assert bed.due_s() is not None
    bed.tick(61)

    assert bed.patient.own == {}


def test_rule_29_what_cannot_stand_without_it_ends_with_it():
    bed = Bed(WARD)
    bed.at(0, hr=80)
    moved(bed, 1, limits=[("hr.extreme_low", 30, None)], expires=ms(60))
    moved(bed, 2, limits=[("hr.low", 38, None)], expires=ms(600))

    bed.tick(60)

    assert bed.patient.own == {}


def test_rule_29_a_person_takes_it_back():
    bed = with_low_saturation_allowed()

    result = bed.ask(2, "reset_limits", limits=[LimitChange("spo2.low")])

    assert (result.accepted, result.limits) == (True, [LimitChange("spo2.low")])
    assert "18 spo2.low raised" in bed.every_second(3, 18, hr=80, spo2=87)


def test_rule_29_none_named_takes_all_back():
    bed = with_low_saturation_allowed()
    moved(bed, 2, limits=[("hr.low", 45, None)])

    assert bed.ask(3, "reset_limits").accepted

    assert bed.patient.own == {}


def test_rule_29_discharge_forgets_it():
    bed = with_low_saturation_allowed()

    bed.ask(2, "discharge")

    assert "18 spo2.low raised" in bed.every_second(3, 18, spo2=87)


def test_rule_29_survives_a_restart():
    bed = with_low_saturation_allowed().saved_and_restored()

    assert bed.every_second(2, 40, hr=80, spo2=86) == []


# --- what is refused


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("spo2.lo", 86, None), "spo2.lo: there is no such limit"),
        (("hr.no_data", 86, None), "hr.no_data: there is no such limit"),
        (("hr.asystole", 1, None), "hr.asystole: a zero cannot be moved"),
        (("hr.asystole", None, 4.1), "hr.asystole: delay 4.1 s is outside 0 to 4 s"),
        (("spo2.low", 79.9, None), "spo2.low: limit 79.9 is outside its range"),
        (("spo2.low", 95.1, None), "spo2.low: limit 95.1 is outside its range"),
        (("spo2.low", None, -1), "spo2.low: delay -1 s is outside"),
        (("spo2.low", None, 1e308), "spo2.low: delay 1e+09 s is outside"),
        (("spo2.low", 1e308, None), "spo2.low: limit 1e+308 is outside its range"),
        (("spo2.desat", 90, None), "spo2.desat: limit 90 is outside its range"),
        (("hr.low", 40, None), "hr.low: the low limit 40 is not reached before"),
        (("spo2.low", None, None), "limits is missing"),
    ],
)
def test_rule_29_a_limit_that_is_not_allowed_is_refused_with_the_reason(change, reason):
    bed = Bed(WARD)
    bed.at(0, hr=80)

    result = moved(bed, 1, limits=[change])

    assert not result.accepted
    assert result.reason.startswith(reason)
    assert bed.patient.own == {}


def test_rule_29_one_that_is_not_allowed_refuses_all():
    bed = Bed(WARD)
    bed.at(0, hr=80)

    changes = [("spo2.low", 86, None), ("hr.high", 300, None)]
    assert not moved(bed, 1, limits=changes).accepted
    assert bed.patient.own == {}


@pytest.mark.parametrize("limit", [80, 95])
def test_rule_29_the_ends_of_a_range_are_allowed(limit):
    bed = Bed(WARD)
    bed.at(0, hr=80)
    changes = [("spo2.low", limit, None), ("spo2.desat", 60, None)]

    assert moved(bed, 1, limits=changes).accepted


@pytest.mark.parametrize(
    ("expires", "accepted"),
    [
        (1, False),
        (ms(1), False),
        (ms(1.001), True),
        (ms(1 + 72 * HOUR), True),
        (ms(1.001 + 72 * HOUR), False),
    ],
)
def test_rule_29_the_end_is_within_72_hours(expires, accepted):
    bed = Bed(WARD)
    bed.at(0, hr=80)

    result = moved(bed, 1, limits=[("spo2.low", 86, None)], expires=expires)

    assert result.accepted is accepted
    assert result.expires == (expires if accepted else None)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"reason": " "}, Refusal.REASON_MISSING),
        ({"limits": []}, Refusal.LIMITS_MISSING),
        ({"limits": [("hr.low", 45, None)] * 2}, Refusal.LIMIT_TWICE),
        ({"proposal": "c-0"}, Refusal.PROPOSAL_AND_LIMITS),
        ({"proposal": "c-0", "limits": []}, Refusal.UNKNOWN_PROPOSAL),
    ],
)
def test_rule_29_a_command_that_is_not_whole_is_refused(fields, reason):
    bed = Bed(WARD)
    bed.at(0, hr=80)

    result = moved(bed, 1, **({"limits": [("spo2.low", 86, None)]} | fields))

    assert result.reason == reason


def test_rule_29_taking_back_what_is_not_ones_own_is_refused():
    bed = Bed(WARD)
    bed.at(0, hr=80)

    assert bed.ask(1, "reset_limits").reason == Refusal.NO_OWN_LIMITS
    changes = [LimitChange("hr.low")]
    assert not bed.ask(2, "reset_limits", limits=changes).accepted


# --- proposals


def with_history() -> Bed:
    """31 minutes of a patient with a fast heart."""
    bed = Bed(WARD)
    for second in range(0, 1900, 10):
        bed.at(second, hr=110, rr=20, spo2=93, abp_sys=150, interval_s=10)
    return bed


def test_rule_29_a_proposal_follows_the_formulas_and_changes_nothing():
    """Mindray BeneVision N Series operator manual, auto limits of adults."""
    bed = with_history()

    result = bed.ask(1901, "propose_limits")

    assert {c.code: c.limit for c in result.limits} == {
        "hr.low": 80,  # 0.8 x 110 = 88, within its range
        "hr.high": 138,
        "rr.low": 10,
        "abp_sys.low": 112,
        "abp_sys.high": 167,
    }
    assert result.expires == ms(1901 + 600)
    assert bed.patient.own == {}


def test_rule_29_a_person_takes_exactly_the_proposal():
    bed = with_history()
    proposed = bed.ask(1901, "propose_limits", command_id="p").limits

    result = moved(bed, 1902, proposal="p")

    assert (result.accepted, result.limits) == (True, proposed)
    assert bed.patient.own["hr.high"].limit == 138


def test_rule_29_a_proposal_asked_again_is_answered_again():
    bed = with_history()

    first = bed.ask(1901, "propose_limits", command_id="p")
    second = bed.saved_and_restored().ask(1950, "propose_limits", command_id="p")

    assert first == msgspec.structs.replace(second)


@pytest.mark.parametrize(("second", "accepted"), [(2500.999, True), (2501, False)])
def test_rule_29_a_proposal_is_for_10_minutes(second, accepted):
    bed = with_history()
    bed.ask(1901, "propose_limits", command_id="p")

    assert moved(bed, second, proposal="p").accepted is accepted


def proposed(bed: Bed, second: float, **fields):
    """A person proposes a limit of its own."""
    return bed.ask(
        second,
        "propose_limits",
        command_id="p",
        **({"limits": [LimitChange("spo2.low", 86)], "reason": "COPD"} | fields),
    )


def test_rule_29_a_person_may_propose_limits_which_changes_nothing_for_12_hours():
    bed = Bed(WARD)
    bed.at(0, hr=80)

    result = proposed(bed, 1)

    assert result.limits == [LimitChange("spo2.low", 86)]
    assert result.expires == ms(1 + 12 * 3600)
    assert bed.patient.own == {}
    assert moved(bed, 2, proposal="p").accepted
    assert bed.patient.own["spo2.low"].limit == 86


@pytest.mark.parametrize(
    "fields",
    [
        {"reason": " "},
        {"limits": [LimitChange("spo2.low", 20)]},
        {"limits": [LimitChange("spo2.low")]},
        {"limits": [LimitChange("spo2.low", 86)] * 2},
    ],
)
def test_rule_29_what_could_not_be_set_is_not_proposed(fields):
    bed = Bed(WARD)
    bed.at(0, hr=80)

    assert not proposed(bed, 1, **fields).accepted
    assert not moved(bed, 2, proposal="p").accepted


def test_rule_29_a_proposal_that_was_taken_back_cannot_be_taken():
    bed = Bed(WARD)
    bed.at(0, hr=80)
    proposed(bed, 1)

    back = bed.ask(2, "propose_limits", proposal="p", reason="not now")
    again = bed.ask(3, "propose_limits", proposal="p", reason="not now")

    assert (back.accepted, back.limits) == (True, [])
    assert again.reason == Refusal.UNKNOWN_PROPOSAL
    assert moved(bed.saved_and_restored(), 4, proposal="p").accepted is False


def test_rule_29_without_half_an_hour_of_history_there_is_no_proposal():
    bed = Bed(WARD)
    bed.every_second(0, 100, hr=110)

    assert bed.ask(101, "propose_limits").reason == Refusal.NOTHING_TO_PROPOSE


# --- rule 30: profiles


def test_rule_30_a_patient_may_be_admitted_with_another_profile():
    bed = Bed(WARD)

    assert bed.ask(0, "admit", profile="adult_spo2_88_92").accepted
    bed.every_second(1, 40, spo2=88)

    assert bed.told == []
    assert "56 spo2.low raised" in bed.every_second(41, 56, spo2=87)
    assert bed.last.explanation.versions["profile"] == "adult_spo2_88_92 1"


def test_rule_30_it_holds_until_discharge_and_over_a_restart():
    bed = Bed(WARD)
    bed.ask(0, "admit", profile="adult_spo2_88_92")
    bed.at(1, spo2=88)
    bed.ask(2, "admit", bed="ICU2-01")  # none named: as it is
    bed.saved_and_restored().every_second(3, 30, spo2=88)
    assert bed.told == []

    bed.ask(31, "discharge")

    assert "47 spo2.low raised" in bed.every_second(32, 47, spo2=88)


def test_rule_30_what_is_active_is_decided_by_the_new_profile():
    bed = Bed(WARD)
    bed.every_second(0, 20, spo2=89)
    assert "spo2.low" in bed.states()

    bed.ask(20.5, "admit", profile="adult_spo2_88_92")

    assert "26 spo2.low cleared" in bed.every_second(21, 26, spo2=89)


def test_rule_30_alarms_that_the_new_profile_lacks_are_cleared(tmp_path):
    text = 'base = "adult"\n[meta]\nname = "mine"\nversion = 1\npopulation = "x"\n'
    text += (
        '[[limit]]\ncode = "cvp.high"\ncondition = "high"\nlimit = 20\ndelay_s = 0\n'
    )
    text += 'priority = "low"\ndeadband = 2\nclear_s = 5\nsource = "ours, a test"\n'
    (tmp_path / "mine.toml").write_text(text)
    bed = Bed(profiles.load_all(str(tmp_path / "mine.toml")))
    bed.at(0, cvp=25, hr=80)
    assert bed.states() == {"cvp.high": "active"}

    bed.ask(1, "admit", profile="adult", by="dr.m")

    assert (bed.last.code, bed.last.event, bed.last.by) == (
        "cvp.high",
        "cleared",
        "dr.m",
    )
    assert bed.last.explanation.reason == "not in the new profile"
    assert bed.at(2, cvp=25, hr=80) == []


def test_rule_30_the_patients_own_limits_are_taken_back():
    bed = with_low_saturation_allowed()

    bed.ask(2, "admit", profile="adult_spo2_88_92")

    assert bed.patient.own == {}


def test_rule_30_an_unknown_profile_is_refused_and_changes_nothing():
    bed = with_low_saturation_allowed()

    result = bed.ask(2, "admit", profile="neonate", bed="X")

    assert result.reason == Refusal.UNKNOWN_PROFILE
    assert (bed.patient.bed, bool(bed.patient.own)) == ("ICU1-01", True)


def test_a_pause_of_a_patient_of_whom_nothing_came_ends_all_the_same():
    bed = Bed(WARD)
    bed.ask(0, "admit")
    bed.ask(1, "pause", seconds=10, reason="arrival")

    assert bed.tick(11) == ["11 bed.pause resumed"]


@pytest.mark.parametrize("by_tick", [True, False])
def test_an_alarm_that_an_edited_profile_lacks_after_a_restart_ends_and_says_why(
    by_tick,
):
    bed = Bed()
    bed.every_second(0, 8, hr=130)
    bed.at(9, hr=30)
    bed.saved_and_restored()
    bed.rules = without("hr.high", "hr.extreme_low")

    told = bed.tick(10) if by_tick else bed.at(10, hr=130)

    assert told == ["9 hr.high cleared"]
    assert bed.last.explanation.reason == "not in the new profile"
    assert "hr.extreme_low" not in bed.patient.runs
    assert bed.every_second(11, 20, hr=130) == []


@pytest.mark.parametrize("second", [8, 9])
def test_such_an_alarm_is_told_to_end_on_a_late_message_and_on_a_duplicate_too(second):
    bed = Bed()
    bed.every_second(0, 9, hr=130)
    bed.saved_and_restored()
    bed.rules = without("hr.high")

    assert bed.at(second, hr=130) == ["9 hr.high cleared"]


def without(*codes: str) -> Rules:
    """The adult profile after somebody has taken rows out of its file."""
    limits = {
        signal: tuple(row for row in rows if row.code not in codes)
        for signal, rows in LIMITS.limits.items()
    }
    rows = {code: row for code, row in LIMITS.rows.items() if code not in codes}
    return dataclasses.replace(
        LIMITS, rows=rows, limits=limits, quiet=quiet_bands(limits), _bands={}
    )
