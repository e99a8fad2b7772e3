"""What is known now: newest values, open alarms, limits, and who lies where."""

import pytest

from icu_stream import profiles
from icu_stream.api.present import OVER_MS, TAIL_MS, Present
from icu_stream.contracts.alerts import Alert, Event, Kind, Priority, State
from icu_stream.contracts.commands import (
    Command,
    CommandResult,
    CommandType,
    LimitChange,
)
from icu_stream.contracts.scores import News2, Scores
from icu_stream.contracts.vitals import Vitals


T0 = 1_795_492_541_000
S = 1000


def measured(second: int, **values: object) -> Present:
    made = Present()
    measure(made, second, **values)
    return made


def measure(present: Present, second: int, **values: object) -> None:
    time = T0 + second * S
    message = Vitals(patient_id="p-1", time=time, bed="ICU1-07", values=values)
    present.measure(message, time, 0)


def alert(transition: int = 1, second: int = 0, **more: object) -> Alert:
    fields: dict[str, object] = {
        "alert_id": "p-1:hr.high:1",
        "event": Event.RAISED,
        "code": "hr.high",
        "kind": Kind.PHYSIOLOGICAL,
        "priority": Priority.MEDIUM,
        "state": State.ACTIVE,
    }
    return Alert(
        transition=transition,
        patient_id="p-1",
        bed="ICU1-07",
        annunciate=True,
        onset=T0,
        time=T0 + second * S,
        text="HR 130",
        **(fields | more),
    )


@pytest.mark.parametrize(
    ("code", "value", "age_s", "is_fresh"),
    [
        ("hr", 80, 10, True),
        ("hr", 80, 11, False),
        ("rr", 16, 30, True),
        ("rr", 16, 31, False),
        ("nibp_sys", 120, 2_100, True),
        ("nibp_sys", 120, 2_101, False),
    ],
)
def test_a_value_stands_for_now_as_long_as_its_signal_may_be_silent(
    code: str, value: float, age_s: int, is_fresh: bool
):
    present = measured(0, **{code: value})

    now = present.patient("p-1").now(T0 + age_s * S)

    assert (now.values[code].value, now.values[code].fresh) == (value, is_fresh)


def test_what_no_instrument_shows_is_no_value_and_zero_is_one():
    present = measured(0, hr=0, spo2=101, rr=True, temp=float("nan"), foo=1)

    assert set(present.patient("p-1").now(T0).values) == {"hr"}


def test_a_late_message_does_not_take_the_place_of_a_newer_value():
    present = measured(5, hr=90)
    measure(present, 2, hr=60)

    assert present.patient("p-1").now(T0 + 5 * S).values["hr"].value == 90


def test_the_tail_is_as_long_as_it_says():
    present = measured(0, hr=80)
    for second in (1, TAIL_MS // S + 1):
        measure(present, second, hr=80)

    assert [sample.time for sample in present.patient("p-1").tail] == [
        T0 + S,
        T0 + TAIL_MS + S,
    ]


def test_a_repeat_is_no_step_and_a_restatement_neither():
    present = measured(0, hr=130)
    for one in (
        alert(),
        alert(),
        alert(1, 60, event=Event.STANDING),
        alert(2, 70, event=Event.ACKNOWLEDGED, state=State.ACKNOWLEDGED, by="RN O"),
    ):
        present.state(one, one.time, 0)

    course = present.course("p-1:hr.high:1", "p-1")

    assert [step.transition for step in course.steps] == [1, 2]
    assert course.is_whole
    assert course.alert.by == "RN O"


def test_an_alarm_that_is_over_is_known_for_an_hour_and_open_no_more():
    present = measured(0, hr=130)
    over = alert(2, 1, event=Event.CLEARED, state=State.CLEARED)
    other = alert(2, 2, alert_id="p-1:rr.high:1", code="rr.high", state=State.CLEARED)
    present.state(alert(), T0, 0)
    present.state(over, T0, 0)
    known = present.course(over.alert_id, "p-1")
    present.state(other, T0 + OVER_MS + 1, 0)

    assert present.patient("p-1").open() == []
    assert known is not None
    assert present.course(over.alert_id, "p-1") is None


def test_the_most_pressing_alarm_is_first_and_a_hint_last():
    present = measured(0, hr=130)
    rows = [
        ("hint", Kind.ADVISORY, Priority.HIGH, State.ACTIVE),
        ("seen", Kind.PHYSIOLOGICAL, Priority.HIGH, State.ACKNOWLEDGED),
        ("low", Kind.TECHNICAL, Priority.LOW, State.ACTIVE),
        ("high", Kind.PHYSIOLOGICAL, Priority.HIGH, State.ACTIVE),
    ]
    for name, kind, priority, state in rows:
        one = alert(alert_id=name, kind=kind, priority=priority, state=state)
        present.state(one, T0, 0)

    found = [one.alert_id for one in present.patient("p-1").open()]

    assert found == ["high", "low", "seen", "hint"]


def test_limits_of_a_patients_own_hold_until_they_end_or_are_reset():
    rules = profiles.load("adult")
    present = measured(0, hr=80)
    result = CommandResult(
        command_id="c",
        accepted=True,
        patient_id="p-1",
        time=T0,
        type=CommandType.SET_LIMITS,
        by="Dr Weiss",
        limits=[LimitChange("spo2.low", limit=86)],
        expires=T0 + 60 * S,
    )
    present.answer(result)
    patient = present.patient("p-1")

    def limit(second: int) -> tuple[float, str | None]:
        rows = patient.limits(T0 + second * S, rules)
        return next((row.limit, row.by) for row in rows if row.code == "spo2.low")

    assert limit(59) == (86, "Dr Weiss")
    assert limit(60) == (90, None)
    present.answer(
        CommandResult(
            command_id="d",
            accepted=True,
            patient_id="p-1",
            type=CommandType.RESET_LIMITS,
            limits=[LimitChange("spo2.low")],
        )
    )
    assert limit(1) == (90, None)


def test_limits_of_a_patients_own_end_with_the_discharge():
    rules = profiles.load("adult")
    present = measured(0, hr=80)
    for kind, limits in (
        (CommandType.SET_LIMITS, [LimitChange("spo2.low", limit=86)]),
        (CommandType.DISCHARGE, []),
    ):
        present.answer(
            CommandResult(
                command_id=str(kind),
                accepted=True,
                patient_id="p-1",
                time=T0,
                type=kind,
                by="Dr Weiss",
                limits=limits,
                expires=T0 + 60 * S,
            )
        )

    rows = present.patient("p-1").limits(T0 + S, rules)

    assert all(row.by is None for row in rows)


def test_scores_that_nobody_states_any_more_are_none():
    present = Present()
    news2 = News2(total=7, band="high", completeness=7, inputs={})
    present.score(Scores(patient_id="p-1", bed="", time=T0, news2=news2), T0)
    measure(present, 0, hr=80)
    patient = present.patient("p-1")

    assert patient.now(T0 + 180 * S).news2 == 7
    assert patient.now(T0 + 181 * S).news2 is None


def test_who_lies_where_follows_the_commands_in_the_log():
    present = Present()

    def obey(type_: CommandType, bed: str | None = None) -> None:
        command = Command(
            command_id="c", type=type_, patient_id="p-1", by="EHR", time=T0, bed=bed
        )
        present.obey(command, 0)

    obey(CommandType.TRANSFER, "ICU1-01")
    assert present.patient("p-1") is None
    obey(CommandType.ADMIT, "ICU1-01")
    obey(CommandType.TRANSFER, "ICU1-02")
    assert present.patient("p-1").bed == "ICU1-02"
    obey(CommandType.DISCHARGE)
    assert present.patient("p-1") is None
