"""What is known of one bed beyond its tile."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from icu_stream import profiles
from icu_stream.contracts.alerts import Alert, Event, Explanation, Kind, Priority, State
from icu_stream.contracts.commands import CommandResult, CommandType, LimitChange
from icu_stream.contracts.scores import Anomaly, News2, ScoreInput, Scores
from icu_stream.ward.bed import Record, chartable


T0 = 1_795_492_560_000
S = 1_000
HOUR = 3_600_000
ADULT = profiles.load("adult")


def page(record: Record, second: float = 0) -> dict[str, Any]:
    return record.page(T0 + int(S * second), ADULT)


def alert(second: float = 0, **fields: Any) -> Alert:
    common: dict[str, Any] = {
        "alert_id": "p-1:spo2.low:0",
        "transition": 1,
        "event": Event.RAISED,
        "patient_id": "p-1",
        "bed": "B1",
        "code": "spo2.low",
        "kind": Kind.PHYSIOLOGICAL,
        "priority": Priority.MEDIUM,
        "state": State.ACTIVE,
        "annunciate": True,
        "onset": T0,
        "time": T0 + int(S * second),
        "text": "SpO₂ 84 %, below 90",
        "signal": "spo2",
        "value": 84.0,
        "limit": 90.0,
    }
    return Alert(**(common | fields))


def answer(kind: CommandType, **fields: Any) -> CommandResult:
    return CommandResult(
        command_id="c",
        accepted=True,
        type=kind,
        patient_id="p-1",
        by="Dr Weiss",
        time=T0,
        **fields,
    )


def test_an_episode_keeps_its_steps_and_why_it_began_when_it_is_over():
    record = Record()
    why = Explanation(rule="below 90", usual=94, contributing={"hr": 118})
    record.state(alert(explanation=why))
    acknowledged = {"event": Event.ACKNOWLEDGED, "state": State.ACKNOWLEDGED}
    record.state(
        alert(5, transition=2, by="RN Okafor", explanation=why, **acknowledged)
    )
    record.state(alert(9, transition=2, explanation=why, event=Event.STANDING))
    record.state(alert(30, transition=3, event=Event.CLEARED, state=State.CLEARED))

    (episode,) = page(record)["alarms"]

    assert episode["steps"] == [
        ["raised", T0, None],
        ["acknowledged", T0 + 5 * S, "RN Okafor"],
        ["cleared", T0 + 30 * S, None],
    ]
    assert episode["end"] == T0 + 30 * S
    assert episode["why"]["rule"] == "below 90"
    assert episode["why"]["others"] == [["HR", 118, "/min", "hr"]]


def test_the_last_hundred_alarms_of_a_bed_are_kept_the_newest_first():
    record = Record()
    for n in range(101):
        record.state(
            alert(
                alert_id=f"p-1:spo2.low:{n}",
                onset=T0 + n,
                event=Event.CLEARED,
                state=State.CLEARED,
            )
        )

    ids = [episode["i"] for episode in page(record)["alarms"]]

    assert (len(ids), ids[0], ids[-1]) == (100, "p-1:spo2.low:100", "p-1:spo2.low:1")


def test_an_open_alarm_is_not_forgotten_for_those_that_are_over():
    record = Record()
    record.state(alert(alert_id="open"))
    over = {"event": Event.CLEARED, "state": State.CLEARED}
    for n in range(100):
        record.state(alert(alert_id=str(n), onset=T0 + 1 + n, **over))

    ids = [episode["i"] for episode in page(record)["alarms"]]

    assert (len(ids), ids[-1]) == (100, "open")


@given(st.permutations(range(5)))
def test_an_alarm_is_the_same_in_whatever_order_it_was_heard(order: list[int]):
    ended = {"event": Event.LATCHED, "state": State.LATCHED, "text": "over"}
    acknowledged = {"event": Event.ACKNOWLEDGED, "by": "RN Okafor"}
    worse = Explanation(rule="below 90", extreme=71)
    told = [
        alert(),
        alert(5, transition=2, event=Event.WORSENED, text="worse", explanation=worse),
        alert(9, transition=2, event=Event.STANDING, text="worse", explanation=worse),
        alert(30, transition=3, **ended),
        alert(40, transition=4, **acknowledged, state=State.CLEARED),
    ]
    record = Record()
    for i in order:
        record.state(told[i])

    (episode,) = page(record)["alarms"]

    steps = ["raised", "worsened", "latched", "acknowledged"]
    assert [step[0] for step in episode["steps"]] == steps
    assert (episode["s"], episode["end"]) == ("cleared", T0 + 30 * S)
    assert episode["why"]["extreme"] == 71


def test_what_was_said_of_an_alarm_is_shown_with_it():
    record = Record()
    record.state(alert())
    record.answer(
        answer(CommandType.FEEDBACK, alert_id="p-1:spo2.low:0", actionable=False)
    )

    assert page(record)["alarms"][0]["ok"] == {"yes": False, "by": "Dr Weiss"}


def test_a_missing_input_of_news2_has_no_points():
    record = Record()
    score = News2(
        total=3,
        band="low-medium",
        completeness=2,
        inputs={
            "rr": ScoreInput(value=26, points=3, age_s=4),
            "on_oxygen": ScoreInput(value=False, points=0, age_s=600, by="RN Okafor"),
        },
    )
    record.score(Scores(patient_id="p-1", bed="B1", time=T0, news2=score), T0)

    chart = page(record, 10)["news2"]

    assert [row["name"] for row in chart["rows"]][:2] == ["Respiration", "SpO₂"]
    assert [row["points"] for row in chart["rows"]] == [3, None, 0, *[None] * 4]
    assert chart["rows"][0]["age"] == 14
    assert (chart["rows"][2]["value"], chart["rows"][2]["by"]) == (False, "RN Okafor")
    assert [row.get("column") for row in chart["rows"][:3]] == [6, None, 3]


def test_scores_that_are_not_stated_any_more_are_not_shown():
    record = Record()
    score = News2(total=3, band="low", completeness=7, inputs={})
    hint = Anomaly(score=0.8, shares={"hr": 0.7, "rr": 0.3}, warm=True, model="m 1")
    record.score(
        Scores(patient_id="p", bed="B", time=T0, news2=score, anomaly=hint), T0
    )

    assert page(record, 180)["unusual"]["shares"] == [["HR", 70], ["RR", 30]]
    assert page(record, 180)["news2"] is not None
    assert page(record, 180.001)["unusual"] is None
    assert page(record, 180.001)["news2"] is None


def test_a_limit_of_the_patients_own_says_whose_and_ends():
    record = Record()
    changes = [LimitChange("spo2.low", limit=86)]
    record.answer(
        answer(CommandType.SET_LIMITS, limits=changes, expires=T0 + 12 * HOUR)
    )

    def low(second: float) -> dict[str, Any]:
        rows = page(record, second)["limits"]
        return next(row for row in rows if row["c"] == "spo2.low")

    before, last, over = low(0), low(12 * 3600 - 0.001), low(12 * 3600)
    record.answer(answer(CommandType.RESET_LIMITS, limits=[LimitChange("spo2.low")]))

    assert (before["limit"], last["limit"], over["limit"]) == (86, 86, 90)
    assert before["delay"] == over["delay"]
    assert before["own"] == {"by": "Dr Weiss", "at": T0, "until": T0 + 12 * HOUR}
    assert low(0)["own"] is None
    assert over["source"] == ADULT.rows["spo2.low"].source


def test_what_may_be_charted_says_its_range():
    (ph,) = [row for row in chartable() if row["c"] == "ph"]

    assert ph == {"c": "ph", "name": "pH", "unit": "", "low": 6.5, "high": 8.0}
