"""What a person asks: done once, answered each time, refused with a reason."""

import pytest

from icu_stream.contracts.commands import CommandType
from icu_stream.domain.commands import Refusal
from icu_stream.domain.patient import MAX_COMMANDS
from tests.unit.domain.bed import Bed, ms


def with_alarm() -> Bed:
    bed = Bed()
    bed.every_second(0, 6, hr=130, spo2=97)
    return bed


def test_an_alarm_that_is_acknowledged_is_silent_and_says_who():
    bed = with_alarm()

    result = bed.acknowledge(7, "hr.high")

    assert (result.accepted, result.reason, result.patient_id) == (True, None, "p-1")
    assert result.time == ms(7)
    assert (bed.last.event, bed.last.state) == ("acknowledged", "acknowledged")
    assert (bed.last.by, bed.last.annunciate) == ("nurse", False)
    assert bed.last.time == ms(7)
    assert bed.last.text == "HR above 120 for 7 s, highest 130, acknowledged by nurse"


def test_acknowledging_one_alarm_leaves_the_others():
    bed = with_alarm()
    bed.at(7, hr=130, spo2=70)
    bed.acknowledge(8, "hr.high")

    assert bed.states() == {"hr.high": "acknowledged", "spo2.desat": "active"}


@pytest.mark.parametrize(
    ("alert_id", "reason"),
    [
        ("p-1:hr.high:1", Refusal.UNKNOWN_ALARM),
        ("p-1:spo2.low:1", Refusal.UNKNOWN_ALARM),
        ("p-2:hr.high:1", Refusal.UNKNOWN_ALARM),
        ("nonsense", Refusal.UNKNOWN_ALARM),
        ("p-1:hr.high:x", Refusal.UNKNOWN_ALARM),
        ("p-1:hr.high:" + "9" * 5000, Refusal.UNKNOWN_ALARM),
        ("", Refusal.ALERT_ID_MISSING),
        (None, Refusal.ALERT_ID_MISSING),
    ],
)
def test_acknowledging_what_is_not_there_is_refused(alert_id, reason):
    bed = with_alarm()

    result = bed.ask(7, "acknowledge", alert_id=alert_id)

    assert (result.accepted, result.reason) == (False, reason)
    assert bed.told == ["6 hr.high raised"]


def test_acknowledging_a_finished_alarm_is_refused_as_over():
    bed = with_alarm()
    onset = bed.patient.alarms["hr.high"].onset
    bed.every_second(7, 12, hr=80, spo2=97)

    result = bed.ask(13, "acknowledge", alert_id=bed.alert_id("hr.high", onset))

    assert (result.accepted, result.reason) == (False, Refusal.ALREADY_OVER)


def test_acknowledging_twice_is_refused_the_second_time():
    bed = with_alarm()
    bed.acknowledge(7, "hr.high")

    result = bed.acknowledge(8, "hr.high")

    assert (result.accepted, result.reason) == (False, Refusal.ALREADY_ACKNOWLEDGED)


def test_a_command_that_is_seen_twice_is_answered_twice_and_done_once():
    bed = with_alarm()
    alert_id = bed.alert_id("hr.high", bed.patient.alarms["hr.high"].onset)

    first = bed.ask(7, "acknowledge", alert_id=alert_id, command_id="same")
    heard = len(bed.said)
    again = bed.ask(400, "acknowledge", alert_id=alert_id, command_id="same")

    assert again == first
    assert len(bed.said) == heard


def test_a_refusal_is_repeated_too():
    bed = with_alarm()

    first = bed.ask(7, "transfer", command_id="same")
    again = bed.ask(8, "transfer", command_id="same", bed="ICU2-01")

    assert again == first
    assert bed.patient.bed == "ICU1-01"


def test_only_the_last_outcomes_are_remembered():
    bed = with_alarm()

    for number in range(MAX_COMMANDS + 10):
        bed.ask(7, "admit", command_id=f"n-{number}")

    assert len(bed.patient.commands) == MAX_COMMANDS
    assert "n-9" not in bed.patient.commands
    assert f"n-{MAX_COMMANDS + 9}" in bed.patient.commands


def test_a_command_advances_to_its_arrival_first():
    bed = with_alarm()

    bed.ask(100, "admit")

    assert bed.told == [
        "6 hr.high raised",
        "16 bed.no_data raised",
        "66 hr.high standing",
        "76 bed.no_data escalated",
    ]


def test_a_command_before_the_patients_time_happens_at_the_patients_time():
    bed = with_alarm()

    bed.acknowledge(3, "hr.high")

    assert bed.last.time == ms(6)


def test_an_admission_names_the_bed_and_is_said_in_the_explanation():
    bed = with_alarm()
    assert "nobody is admitted" in bed.last.explanation.limit_source

    assert bed.ask(7, "admit", bed="ICU2-03", profile="adult").accepted
    bed.at(8, hr=130, spo2=70)

    assert bed.last.bed == "ICU2-03"
    assert "nobody is admitted" not in bed.last.explanation.limit_source


def test_an_admission_to_a_profile_that_is_not_here_is_refused():
    result = with_alarm().ask(7, "admit", profile="neonate")

    assert result.reason == Refusal.UNKNOWN_PROFILE


@pytest.mark.parametrize("where", ["", "x" * 129])
def test_an_admission_to_a_bed_without_a_name_is_refused(where):
    assert with_alarm().ask(7, "admit", bed=where).reason == Refusal.BED_MISSING


def test_a_transfer_takes_the_alarms_along():
    bed = with_alarm()

    assert bed.ask(7, "transfer", bed="ICU2-03").accepted

    assert bed.states() == {"hr.high": "active"}
    bed.every_second(8, 66, hr=130, spo2=97)
    assert (bed.last.event, bed.last.bed) == ("standing", "ICU2-03")


def test_a_device_that_is_moved_names_the_new_bed():
    bed = with_alarm()
    bed.ask(7, "transfer", bed="ICU2-03")

    bed.at(8, bed="ICU3-01", hr=130, spo2=70)

    assert bed.last.bed == "ICU3-01"


def test_a_transfer_to_nowhere_is_refused():
    assert with_alarm().ask(7, "transfer").reason == Refusal.BED_MISSING


def test_a_discharge_ends_every_alarm_with_its_reason():
    bed = with_alarm()
    bed.at(7, hr=130, spo2=70)
    bed.every_second(8, 13, hr=130, spo2=97)
    assert bed.states() == {"hr.high": "active", "spo2.desat": "latched"}

    assert bed.ask(14, "discharge", reason="to the ward").accepted

    ended = bed.alerts[-2:]
    assert {a.code for a in ended} == {"hr.high", "spo2.desat"}
    assert {(a.event, a.state, a.by) for a in ended} == {
        ("cleared", "cleared", "nurse")
    }
    assert ended[0].explanation.reason == "discharged: to the ward"
    assert bed.states() == {}


def test_after_a_discharge_nothing_is_missed_and_what_comes_is_new():
    bed = with_alarm()
    bed.ask(7, "discharge")

    assert bed.tick(1000) == []
    assert bed.at(1001, hr=130) == []
    assert bed.every_second(1002, 1007, hr=130) == ["1007 hr.high raised"]
    assert bed.last.explanation.completeness == "1/1"


def test_a_signal_that_is_taken_off_ends_its_alarms():
    bed = with_alarm()
    bed.at(7, hr=130, spo2=70)
    bed.every_second(8, 17, hr=130)
    assert bed.states() == {
        "hr.high": "active",
        "spo2.desat": "active",
        "spo2.no_data": "active",
    }

    assert bed.ask(18, "signal_off", signal="spo2").accepted

    assert bed.told[-2:] == ["18 spo2.desat cleared", "18 spo2.no_data cleared"]
    assert bed.last.explanation.reason == "SpO₂ taken off"
    assert bed.states() == {"hr.high": "active"}
    assert bed.at(19, hr=130, spo2=70) == ["19 spo2.desat raised"]


def test_a_pending_violation_ends_with_the_signal():
    bed = Bed()
    bed.every_second(0, 10, spo2=85, hr=80)
    bed.ask(11, "signal_off", signal="spo2")

    assert bed.every_second(12, 26, spo2=85, hr=80) == []
    assert bed.at(27, spo2=85, hr=80) == ["27 spo2.low raised"]


@pytest.mark.parametrize(
    ("signal", "reason"),
    [
        (None, Refusal.SIGNAL_MISSING),
        ("", Refusal.SIGNAL_MISSING),
        ("gcs", Refusal.UNKNOWN_SIGNAL),
        ("temp", Refusal.NOT_MEASURED),
    ],
)
def test_taking_off_what_is_not_on_is_refused(signal, reason):
    assert with_alarm().ask(7, "signal_off", signal=signal).reason == reason


@pytest.mark.parametrize("kind", CommandType)
def test_each_type_of_command_is_known(kind):
    assert with_alarm().ask(7, kind, reason="x").type is kind


def test_rule_31_feedback_marks_an_alarm_that_is_there_or_is_over():
    bed = with_alarm()
    alert_id = bed.last.alert_id
    said = len(bed.said)

    there = bed.ask(7, "feedback", alert_id=alert_id, actionable=True)
    bed.ask(8, "discharge")
    over = bed.ask(9, "feedback", alert_id=alert_id, actionable=False)

    assert (there.accepted, there.alert_id, there.actionable) == (True, alert_id, True)
    assert (over.accepted, over.actionable) == (True, False)
    assert (
        len([m for m in bed.said[said:] if getattr(m, "event", "") != "cleared"]) == 0
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"alert_id": "p-1:hr.low:1", "actionable": True}, Refusal.UNKNOWN_ALARM),
        ({"alert_id": "p-2:hr.high:1", "actionable": True}, Refusal.UNKNOWN_ALARM),
        ({"alert_id": "p-1:hr.high:1", "actionable": True}, Refusal.UNKNOWN_ALARM),
        ({"actionable": True}, Refusal.ALERT_ID_MISSING),
        ({"alert_id": "x"}, Refusal.ACTIONABLE_MISSING),
    ],
)
def test_rule_31_feedback_on_nothing_is_refused(fields, reason):
    assert with_alarm().ask(7, "feedback", **fields).reason == reason


def test_rule_31_an_answer_says_who_asked_for_what():
    bed = with_alarm()

    result = bed.ask(7, "signal_off", signal="temp", by="doctor")

    assert (result.accepted, result.type, result.by) == (False, "signal_off", "doctor")


def test_a_patient_of_whom_nothing_came_yet_can_be_admitted():
    bed = Bed()

    assert bed.ask(0, "admit", bed="ICU1-01").accepted
    assert bed.due_s() is None
