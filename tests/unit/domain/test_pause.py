"""Rule 28 of docs/alarms.md: a pause silences, has an end, and hides nothing high."""

import pytest

from tests.unit.domain.bed import Bed


def paused(bed: Bed, second: float = 1, **fields: object) -> Bed:
    """Somebody pauses the alarms at a second."""
    result = bed.ask(second, "pause", reason="suctioning", **fields)
    assert result.accepted, result.reason
    return bed


def quiet_bed() -> Bed:
    bed = Bed()
    bed.at(0, hr=80, spo2=97)
    return bed


def loud(bed: Bed) -> list[tuple[str, str, bool]]:
    return [(a.code, a.event, a.annunciate) for a in bed.alerts]


def test_rule_28_a_pause_says_who_why_and_until_when():
    bed = quiet_bed()

    result = bed.ask(1, "pause", seconds=60, reason="suctioning")

    assert result.expires == bed.last.time + 60_000
    assert (bed.last.code, bed.last.event, bed.last.state) == (
        "bed.pause",
        "paused",
        "active",
    )
    assert (bed.last.by, bed.last.explanation.reason) == ("nurse", "suctioning")
    assert (bed.last.annunciate, bed.last.priority) == (False, "low")


def test_rule_28_a_new_medium_alarm_is_told_and_not_heard():
    bed = paused(quiet_bed())

    bed.every_second(2, 8, hr=45, spo2=97)

    assert loud(bed)[-1] == ("hr.low", "raised", False)


def test_rule_28_a_new_high_alarm_breaks_through():
    bed = paused(quiet_bed())

    bed.at(60, hr=80, spo2=76)

    assert ("spo2.desat", "raised", True) in loud(bed)


def test_rule_28_an_alarm_that_rises_to_high_breaks_through():
    bed = Bed()
    bed.every_second(0, 15, spo2=85)
    paused(bed, 100)

    bed.every_second(101, 135, spo2=85)

    assert ("spo2.low", "escalated", True) in loud(bed)


def test_rule_28_a_worsening_breaks_through():
    bed = Bed()
    bed.every_second(0, 10, abp_sys=85)
    paused(bed, 11)

    bed.at(12, abp_sys=67)

    assert loud(bed)[-1] == ("abp_sys.low", "worsened", True)


def test_rule_28_it_ends_by_itself_at_its_moment():
    bed = paused(quiet_bed(), seconds=30)
    bed.every_second(2, 30, hr=80, spo2=97)
    assert bed.states() == {"bed.pause": "active"}

    told = bed.at(31, hr=80, spo2=97)

    assert told == ["31 bed.pause resumed"]
    assert (bed.last.state, bed.last.annunciate) == ("cleared", False)


def test_rule_28_it_ends_at_its_moment_also_when_nobody_was_there():
    bed = paused(quiet_bed(), seconds=30).saved_and_restored()

    bed.tick(3600)

    assert "31 bed.pause resumed" in bed.told
    assert bed.due_s() is not None


def test_rule_28_no_moment_of_it_is_forgotten_in_silence():
    bed = paused(quiet_bed(), seconds=5)

    assert bed.due_s() == 6
    assert bed.tick(5.999) == []
    assert bed.tick(6) == ["6 bed.pause resumed"]


def test_rule_28_at_its_end_every_active_alarm_is_heard_in_the_order_of_the_rows():
    bed = paused(quiet_bed(), seconds=60)
    bed.every_second(2, 60, hr=45, spo2=85)
    bed.acknowledge(60, "spo2.low")
    bed.every_second(61, 61, hr=45, spo2=85)

    ended = [a for a in bed.alerts if a.event in {"resumed", "reminded"}]

    assert [(a.code, a.annunciate) for a in ended] == [
        ("bed.pause", False),
        ("hr.low", True),
    ]
    assert ended[1].explanation.reason == "the pause is over"


def test_rule_28_a_reminder_of_its_end_takes_no_escalation_away():
    bed = paused(quiet_bed(), seconds=60)
    bed.every_second(2, 61, spo2=85, hr=80)

    bed.every_second(62, 137, spo2=85, hr=80)

    assert "137 spo2.low escalated" in bed.told


def test_rule_28_it_is_stated_again_like_any_other():
    bed = paused(quiet_bed(), seconds=120)

    bed.every_second(2, 121, hr=80, spo2=97)

    assert bed.told == [
        "1 bed.pause paused",
        "61 bed.pause standing",
        "121 bed.pause resumed",
    ]


def test_rule_28_somebody_may_resume_before():
    bed = paused(quiet_bed())

    result = bed.ask(5, "resume", by="doctor")

    assert result.accepted
    assert (bed.last.event, bed.last.by) == ("resumed", "doctor")
    assert bed.states() == {}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"seconds": 121}, "seconds is 121: want 1 to 120"),
        ({"seconds": 0.9}, "seconds is 0.9: want 1 to 120"),
        ({"seconds": -5}, "seconds is -5: want 1 to 120"),
        ({"seconds": 1e308}, "seconds is 1e+308: want 1 to 120"),
        ({"seconds": -1e308}, "seconds is -1e+308: want 1 to 120"),
        ({"reason": "  "}, "reason is missing: say why"),
        ({"reason": None}, "reason is missing: say why"),
    ],
)
def test_rule_28_a_pause_that_is_not_allowed_is_refused(fields, reason):
    bed = quiet_bed()

    result = bed.ask(1, "pause", **({"reason": "suctioning"} | fields))

    assert (result.accepted, result.reason) == (False, reason)
    assert bed.states() == {}


@pytest.mark.parametrize("seconds", [1, 120])
def test_rule_28_the_ends_are_allowed(seconds):
    paused(quiet_bed(), seconds=seconds)


def test_rule_28_one_pause_at_a_time():
    bed = paused(quiet_bed())

    assert bed.ask(2, "pause", reason="x").reason == "the alarms are paused already"
    bed.ask(3, "resume")
    assert bed.ask(4, "resume").reason == "the alarms are not paused"


def test_rule_28_two_pauses_at_one_moment_are_two_alarms():
    bed = paused(quiet_bed())
    bed.ask(1, "resume")
    paused(bed, 1)

    ids = {a.alert_id for a in bed.alerts if a.event == "paused"}
    assert len(ids) == 2


def test_rule_28_a_pause_is_not_acknowledged():
    bed = paused(quiet_bed())

    assert not bed.acknowledge(2, "bed.pause").accepted
    assert bed.states() == {"bed.pause": "active"}


def test_rule_5_a_pause_before_the_first_message_ends_by_the_clock_that_came():
    bed = Bed()
    bed.ask(0, "admit")
    bed.ask(0, "pause", seconds=60, reason="arrival")

    # The monitor's clock is an hour behind.
    told = bed.at(-3599, arrived=1, nibp_sys=80)
    assert (told, bed.last.annunciate) == (["-3599 nibp_sys.low raised"], False)
    bed.at(-3595, arrived=5, nibp_sys=80)
    assert "bed.pause" in bed.states()

    assert "-3540 bed.pause resumed" in bed.tick(61)
    assert "-3540 nibp_sys.low reminded" in bed.told


def test_rule_28_discharge_ends_it():
    bed = paused(quiet_bed())

    bed.ask(2, "discharge", reason="home")

    assert (bed.last.event, bed.last.state) == ("resumed", "cleared")
    bed.at(10, hr=45)
    bed.every_second(11, 20, hr=45)
    assert loud(bed)[-1] == ("hr.low", "raised", True)
