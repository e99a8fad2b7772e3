"""The view model: what a tile shows at a moment, from the messages that came before."""

import math

from typing import Any

import pytest

from icu_stream.contracts.alerts import Alert, Event, Explanation, Kind, Priority, State
from icu_stream.contracts.commands import Command, CommandResult, CommandType
from icu_stream.contracts.heartbeats import Heartbeat
from icu_stream.contracts.scores import News2, Scores
from icu_stream.contracts.vitals import Vitals
from icu_stream.ward.tiles import POINTS, Row, Ward


T0 = 1_795_492_540_000  # a whole multiple of five seconds
S = 1_000
HR, SPO2, BP, RR, TEMP = range(5)


class Page:
    """A ward and what a browser has made of its changes."""

    def __init__(self) -> None:
        self.ward = Ward()
        self.rows: dict[str, Row] = {}
        self.gone: list[str] = []

    def measure(
        self,
        second: float = 0,
        *,
        patient: str = "p-1",
        bed: str = "ICU1-07",
        device: str = "mon-1",
        measured: float | None = None,
        status: dict[str, str] | None = None,
        interval_s: float | None = None,
        **values: Any,
    ) -> None:
        """A message that arrives at a second, measured then or at another one."""
        message = Vitals(
            patient_id=patient,
            bed=bed,
            device=device,
            time=T0 + int(S * (second if measured is None else measured)),
            values=values,
            status=status or {},
            interval_s=interval_s,
        )
        self.ward.measure(message, T0 + int(S * second), 0)

    def alert(
        self,
        second: float = 0,
        *,
        code: str = "spo2.low",
        transition: int = 1,
        event: Event = Event.RAISED,
        state: State = State.ACTIVE,
        patient: str = "p-1",
        priority: Priority = Priority.MEDIUM,
        onset: int = T0,
        **fields: Any,
    ) -> None:
        """An alert that arrives at a second."""
        common: dict[str, Any] = {
            "alert_id": f"{patient}:{code}:{onset}",
            "bed": "ICU1-07",
            "kind": Kind.PHYSIOLOGICAL,
            "annunciate": True,
            "time": T0 + int(S * second),
            "text": "a sentence",
            "signal": code.split(".", maxsplit=1)[0],
            "value": 88,
            "limit": 90,
        }
        message = Alert(
            **(common | fields),
            code=code,
            transition=transition,
            event=event,
            state=state,
            patient_id=patient,
            priority=priority,
            onset=onset,
        )
        self.ward.state(message, T0 + int(S * second), 0)

    def command(self, type_: CommandType, patient: str = "p-1", **fields: Any) -> None:
        """A command in the log."""
        command = Command(
            command_id="c", type=type_, patient_id=patient, by="n", time=T0, **fields
        )
        self.ward.obey(command, 0)

    def at(self, second: float, patient: str = "p-1") -> Row:
        """The row at a second, as a browser has it."""
        rows, gone = self.ward.changes(T0 + int(S * second))
        for row_id in gone:
            self.rows.pop(row_id, None)
        self.gone += gone
        for row in rows:
            self.rows.setdefault(row["i"], {}).update(row)
        return self.rows.get(patient, {})

    def now(self, second: float) -> Row:
        """The row of p-1 at exactly this moment, whoever has looked before."""
        return self.ward._patients["p-1"].row(T0 + int(S * second))

    def alarms(self, second: float) -> list[tuple[str, str]]:
        """Ids of the alarms of p-1 without patient and onset, and their states."""
        return [(a["i"].split(":")[-2:][0], a["s"]) for a in self.at(second)["al"]]


@pytest.fixture
def page() -> Page:
    return Page()


# --- values


def test_a_message_shows_its_values_and_nothing_that_it_does_not_say(page: Page):
    page.measure(hr=82.4, spo2=97, rr=0, temp=36.84)

    assert page.at(0)["v"] == [82, 97, None, 0, 36.8]


@pytest.mark.parametrize(
    ("code", "fresh_s", "place"),
    [("hr", 10, HR), ("spo2", 10, SPO2), ("rr", 30, RR), ("temp", 3600, TEMP)],
)
def test_a_value_is_hidden_when_its_arrival_is_too_long_ago(
    page: Page, code: str, fresh_s: int, place: int
):
    page.measure(**{code: 37})

    assert page.now(fresh_s)["v"][place] == 37
    assert page.now(fresh_s + 0.001)["v"][place] is None


def test_what_becomes_old_is_noticed_while_nothing_comes(page: Page):
    page.measure(hr=80)
    page.at(9.9)

    assert page.at(10.4)["v"][HR] is None


def test_a_silent_bed_is_noticed_though_our_own_clock_was_set_back(page: Page):
    page.measure(second=3600, hr=80)
    page.at(3600)
    row = page.at(0)

    assert row["v"][HR] is None
    assert [alarm["i"] for alarm in row["al"]] == ["page.no_data"]
    assert page.ward.newest_ms == 0


def test_freshness_counts_from_arrival_and_not_from_the_devices_clock(page: Page):
    page.measure(second=0, measured=-3600, hr=80)

    assert page.at(9)["v"][HR] == 80


def test_data_charted_every_minute_stays_between_its_points(page: Page):
    page.measure(hr=80, interval_s=60)

    assert page.now(150)["v"][HR] == 80
    assert page.now(150.001)["v"][HR] is None


def test_a_late_value_does_not_replace_a_newer_one(page: Page):
    page.measure(second=5, hr=80)
    page.measure(second=5.5, measured=2, hr=45)

    assert page.at(6)["v"][HR] == 80


def test_a_device_whose_clock_jumped_back_is_shown_again(page: Page):
    page.measure(second=0, hr=80)
    for second in range(1, 6):
        page.measure(second=second, measured=second - 3600, hr=130)

    assert page.at(5)["v"][HR] == 130


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -1, 351, True, "80", [80]])
def test_a_value_that_no_instrument_shows_is_hidden_at_once(page: Page, nonsense: Any):
    page.measure(second=0, hr=80, spo2=97)
    page.measure(second=1, hr=nonsense, spo2=96)

    assert page.at(1)["v"][:2] == [None, 96]


def test_null_is_the_same_as_absent(page: Page):
    page.measure(second=0, hr=80)
    page.measure(second=1, hr=None)

    assert page.at(1)["v"][HR] == 80


def test_a_device_that_says_why_there_is_no_value_hides_the_one_before(page: Page):
    page.measure(second=0, spo2=97)
    page.measure(second=1, status={"spo2": "sensor_off"})

    assert page.at(1)["v"][SPO2] is None


def test_a_value_that_its_device_doubts_is_marked_and_not_replaced(page: Page):
    page.measure(hr=80, spo2=97, status={"spo2": "questionable"})

    row = page.at(0)

    assert row["v"][SPO2] == 97
    assert row["u"] == [SPO2]


@pytest.mark.parametrize(
    ("before", "now", "doubted"),
    [
        # docs/alarms.md, rule 22: c, at and beyond the step; a; b; d.
        ({"hr": 80}, {"hr": 140}, []),
        ({"hr": 80}, {"hr": 141}, [HR]),
        ({"spo2": 97}, {"spo2": 76}, [SPO2]),
        ({}, {"abp_sys": 120, "abp_dia": 70, "abp_mean": 70}, [BP]),
        ({"hr": 80}, {"hr": 82, "abp_sys": 90, "abp_dia": 86, "abp_mean": 88}, [BP]),
        ({"hr": 80}, {"hr": 0, "abp_sys": 90, "abp_dia": 86, "abp_mean": 88}, [HR]),
    ],
)
def test_a_value_that_may_not_be_the_patient_is_marked(
    page: Page, before: dict[str, Any], now: dict[str, Any], doubted: list[int]
):
    page.measure(**before)
    page.measure(second=1, **now)

    assert page.at(1)["u"] == doubted


def test_a_saturation_below_a_cuff_that_measures_is_doubted(page: Page):
    page.measure(spo2=80, status={"nibp_sys": "measuring"})

    assert page.at(0)["u"] == [SPO2]


def test_a_pressure_is_doubted_while_its_alarm_says_that_it_is_in_another_unit(
    page: Page,
):
    kilopascal = {"abp_sys": 16, "abp_dia": 9, "abp_mean": 12}
    page.alert(code="abp_sys.unit", kind=Kind.TECHNICAL)
    page.measure(second=1, **kilopascal)
    held = page.at(1)["u"]
    page.alert(
        second=2,
        code="abp_sys.unit",
        event=Event.CLEARED,
        state=State.CLEARED,
        transition=2,
    )
    page.measure(second=2, **kilopascal)

    assert (held, page.at(2)["u"]) == ([BP], [])


# --- pressure


def test_the_arterial_line_goes_before_the_cuff(page: Page):
    page.measure(nibp_sys=130, nibp_dia=80, nibp_mean=97)
    page.measure(second=1, abp_sys=121, abp_dia=70, abp_mean=88)

    assert page.at(1)["v"][BP] == [121, 70, 88, None]


def test_when_the_line_is_silent_the_cuff_stands_with_its_own_time(page: Page):
    page.measure(second=0, measured=-2, nibp_sys=130, nibp_dia=80)
    page.measure(second=1, abp_sys=121, abp_dia=70)

    assert page.at(12)["v"][BP] == [130, 80, None, T0 - 2 * S]


def test_a_cuffs_reading_lasts_for_its_cycle_and_five_minutes(page: Page):
    page.measure(nibp_sys=130, nibp_dia=80, interval_s=900)

    assert page.now(1200)["v"][BP] is not None
    assert page.now(1200.001)["v"][BP] is None


def test_half_a_pressure_is_no_pressure(page: Page):
    page.measure(abp_sys=121)

    assert page.at(0)["v"][BP] is None


def test_a_mean_alone_is_shown_alone(page: Page):
    page.measure(abp_mean=66)

    assert page.at(0)["v"][BP] == [None, None, 66, None]


# --- alarms


def test_a_raised_alarm_is_shown_with_its_texts_and_its_number(page: Page):
    page.measure(spo2=88)
    page.alert(second=1)

    (alarm,) = page.at(1)["al"]

    assert alarm["m"] == ["SpO₂ 88 < 90", "SpO₂ 88<90", "O₂88"]
    assert (alarm["p"], alarm["g"], alarm["s"], alarm["o"]) == (2, SPO2, "on", T0)


def test_the_highest_transition_wins_whatever_comes_later(page: Page):
    page.alert(transition=1)
    page.alert(
        second=2, transition=2, event=Event.ACKNOWLEDGED, state=State.ACKNOWLEDGED
    )
    page.alert(second=3, transition=1)

    assert page.alarms(3) == [("spo2.low", "ack")]


def test_a_statement_tells_a_late_starter_all(page: Page):
    page.alert(
        transition=3, event=Event.STANDING, state=State.ACKNOWLEDGED, by="RN Okafor"
    )

    (alarm,) = page.at(0)["al"]

    assert alarm["s"] == "ack"
    assert alarm["by"] == ["RO", "RN Okafor"]
    assert alarm["at"] is None  # nobody said when


def test_a_statement_does_not_change_by_whom_and_when_it_was_acknowledged(page: Page):
    acknowledged = {"state": State.ACKNOWLEDGED, "transition": 2}
    page.alert()
    page.alert(second=2, event=Event.ACKNOWLEDGED, by="RN Okafor", **acknowledged)
    page.alert(second=50, event=Event.STANDING, **acknowledged)

    (alarm,) = page.at(50)["al"]

    assert alarm["at"] == T0 + 2 * S
    assert alarm["by"] == ["RO", "RN Okafor"]


def test_a_cleared_alarm_goes_and_a_repeat_does_not_bring_it_back(page: Page):
    page.measure(spo2=95)
    page.alert()
    page.alert(second=1, transition=2, event=Event.CLEARED, state=State.CLEARED)
    page.alert(second=2, transition=1)
    page.alert(second=2, transition=2, event=Event.STANDING)

    assert page.at(2)["al"] == []


def test_a_new_episode_has_its_own_alarm(page: Page):
    page.measure(spo2=95)
    page.alert()
    page.alert(second=1, transition=2, event=Event.CLEARED, state=State.CLEARED)
    page.alert(second=5, onset=T0 + 5 * S)

    assert page.alarms(5) == [("spo2.low", "on")]


def test_an_alarm_that_is_over_and_not_acknowledged_stays(page: Page):
    page.alert(priority=Priority.HIGH)
    page.alert(
        second=9,
        transition=2,
        event=Event.LATCHED,
        state=State.LATCHED,
        priority=Priority.HIGH,
    )

    (alarm,) = page.at(600)["al"]

    assert (alarm["s"], alarm["at"]) == ("latched", T0 + 9 * S)


def test_an_alarm_not_stated_for_three_minutes_is_not_confirmed_and_not_dropped(
    page: Page,
):
    page.alert()

    assert page.now(180)["al"][0]["x"] is None
    assert page.now(180.001)["al"][0]["x"] == T0

    page.alert(second=200, event=Event.STANDING)
    assert page.now(200)["al"][0]["x"] is None


def test_the_alarm_that_needs_somebody_first_is_first(page: Page):
    page.measure(hr=80, spo2=97)
    acknowledged = {"event": Event.ACKNOWLEDGED, "state": State.ACKNOWLEDGED}
    page.alert(code="hr.asystole", priority=Priority.HIGH, **acknowledged)
    page.alert(code="temp.high", priority=Priority.LOW, onset=T0 - 9 * S)
    page.alert(code="rr.high", onset=T0 - 1 * S)
    page.alert(code="spo2.low", onset=T0 - 2 * S)

    assert [code for code, _ in page.alarms(0)] == [
        "spo2.low",
        "rr.high",
        "temp.high",
        "hr.asystole",
    ]


def test_a_pause_is_shown_and_is_no_alarm(page: Page):
    page.measure(hr=80)
    pause(page, by="RN Okafor", explanation=Explanation(reason="suction"))
    paused = dict(page.at(0))
    page.alert(
        second=1,
        code="bed.pause",
        event=Event.RESUMED,
        state=State.CLEARED,
        transition=2,
    )

    assert paused["al"] == []
    assert paused["z"] == {
        "u": None,  # nobody has said until when
        "by": ["RO", "RN Okafor"],
        "why": "suction",
        "f": "a sentence",
    }
    assert page.at(1)["z"] is None


def test_a_pause_ends_when_the_answer_to_its_command_says(page: Page):
    page.measure(hr=80)
    page.ward.answer(granted(until_s=120))
    pause(page)

    assert page.at(0)["z"]["u"] == T0 + 120 * S
    assert page.at(0)["z"]["by"] == ["RO", "RN Okafor"]


def test_the_end_of_an_earlier_pause_is_not_that_of_the_next(page: Page):
    page.measure(hr=80)
    page.ward.answer(granted(until_s=120))
    pause(page, second=130, onset=T0 + 130 * S)

    assert page.at(130)["z"]["u"] is None


def test_a_restated_pause_is_a_pause_for_a_view_that_started_late(page: Page):
    page.ward.answer(granted(until_s=120))  # before the patient is known
    page.measure(second=60, hr=80)
    pause(page, second=60, event=Event.STANDING)

    assert page.at(60)["al"] == []
    assert page.at(60)["z"]["u"] == T0 + 120 * S


def test_a_hint_is_no_alarm_and_has_its_own_place(page: Page):
    page.measure(hr=80)
    page.alert(code="bed.unusual", kind=Kind.ADVISORY, priority=Priority.LOW)

    row = page.at(0)

    assert row["al"] == []
    assert [(h["w"], h["m"][0]) for h in row["h"]] == [
        ("Hint", "unusual for this patient")
    ]


def test_an_alarm_that_was_seen_and_grows_worse_is_told_anew(page: Page):
    page.alert()
    page.alert(
        10,
        transition=2,
        event=Event.ACKNOWLEDGED,
        state=State.ACKNOWLEDGED,
        by="RN Okafor",
    )
    seen = page.now(10)["al"][0]
    page.alert(20, transition=3, event=Event.WORSENED, value=70)
    page.alert(80, transition=3, event=Event.STANDING, value=70)
    worse = page.now(80)["al"][0]

    assert (seen["s"], seen["e"]) == ("ack", None)
    assert (worse["s"], worse["e"]) == ("on", ["worsened", T0 + 20 * S])
    assert worse["by"] is None


def pause(page: Page, second: float = 0, **fields: Any) -> None:
    """A statement of a pause, as the worker makes it."""
    page.alert(
        second,
        **(
            {"code": "bed.pause", "event": Event.PAUSED, "kind": Kind.TECHNICAL}
            | fields
        ),
    )


def granted(until_s: float) -> CommandResult:
    return CommandResult(
        command_id="c",
        accepted=True,
        type=CommandType.PAUSE,
        patient_id="p-1",
        by="RN Okafor",
        time=T0,
        expires=T0 + int(until_s * S),
    )


def test_a_pause_ends_at_its_end_though_nobody_says_so(page: Page):
    """A worker that is down must not leave a bed silent: CLINICAL.md, states."""
    page.measure(hr=80)
    page.alert()
    pause(page)
    unknown = [page.now(second)["z"] is None for second in (179, 180)]
    page.ward.answer(granted(until_s=120))
    known = [page.now(second)["z"] is None for second in (119, 120)]

    assert unknown == [False, True]
    assert known == [False, True]
    assert page.now(120)["al"][0]["q"] == 0


def quiet(page: Page, second: float) -> dict[str, int]:
    """Which alarms make no sound."""
    return {alarm["i"].split(":")[1]: alarm["q"] for alarm in page.now(second)["al"]}


def test_a_pause_silences_what_is_not_high_and_not_what_grew_worse_since(page: Page):
    """docs/alarms.md, rule 28."""
    page.alert(code="hr.high")
    page.alert(code="spo2.desat", priority=Priority.HIGH)
    page.alert(code="rr.high")
    before = quiet(page, 0)
    pause(page, 10, onset=T0 + 10 * S)
    paused = quiet(page, 10)
    page.alert(20, code="rr.high", transition=2, event=Event.WORSENED)
    worse = quiet(page, 20)

    assert set(before.values()) == {0}
    assert paused == {"hr.high": 1, "spo2.desat": 0, "rr.high": 1}
    assert worse == {"hr.high": 1, "spo2.desat": 0, "rr.high": 0}


def test_a_weaker_alarm_is_quiet_as_long_as_the_stronger_one_is_there(page: Page):
    """docs/alarms.md, rule 12: a silence that nobody ordered must not stay."""
    page.alert(code="spo2.desat", priority=Priority.HIGH)
    page.alert(code="spo2.low", annunciate=False)
    page.alert(code="hr.high")
    beside = quiet(page, 0)
    over = {"event": Event.CLEARED, "state": State.CLEARED}
    page.alert(5, code="spo2.desat", priority=Priority.HIGH, transition=2, **over)

    assert beside == {"spo2.desat": 0, "spo2.low": 1, "hr.high": 0}
    assert quiet(page, 5) == {"spo2.low": 0, "hr.high": 0}


def test_an_alarm_that_is_only_known_by_a_statement_is_heard(page: Page):
    page.alert(event=Event.STANDING, annunciate=False)

    assert quiet(page, 0) == {"spo2.low": 0}


def test_a_patient_of_whom_only_an_alarm_was_heard_leaves_with_it(page: Page):
    page.alert()
    page.at(0)
    page.alert(second=1, transition=2, event=Event.CLEARED, state=State.CLEARED)
    page.at(1)

    assert page.gone == ["p-1"]
    assert page.rows == {}


# --- silence


def test_a_silent_heart_rate_is_a_technical_alarm_of_the_page_itself(page: Page):
    page.measure(hr=80, spo2=97)
    page.measure(second=5, spo2=97)

    before, after = page.now(10)["al"], page.now(10.001)["al"]

    assert before == []
    (alarm,) = after
    assert (alarm["k"], alarm["p"], alarm["m"][0]) == ("technical", 2, "HR no data")
    assert alarm["o"] == T0 + 10 * S


def test_the_page_gives_way_to_the_workers_alarm_of_the_same_silence(page: Page):
    page.measure(hr=80, spo2=97)
    page.alert(second=10, code="hr.no_data", kind=Kind.TECHNICAL)

    assert [a["m"][0] for a in page.at(11)["al"]] == ["HR no data", "SpO₂ no data"]
    assert [a["i"] for a in page.at(11)["al"]][1] == "page.no_data"

    page.alert(second=11, code="bed.no_data", signal=None, kind=Kind.TECHNICAL)
    assert "page.no_data" not in [a["i"] for a in page.at(11)["al"]]


def test_a_signal_that_this_patient_never_had_is_not_missed(page: Page):
    page.measure(rr=16)

    assert page.at(3600)["al"] == []


def test_a_signal_that_was_taken_off_on_purpose_is_not_missed(page: Page):
    page.measure(spo2=97, rr=16)
    page.command(CommandType.SIGNAL_OFF, signal="spo2")

    assert page.at(20)["al"] == []


# --- scores


def news2(total: int, completeness: int = 7) -> Scores:
    band = "low" if total < 5 else "medium"
    score = News2(total=total, band=band, completeness=completeness, inputs={})
    return Scores(patient_id="p-1", bed="ICU1-07", time=T0, news2=score)


def test_news2_is_shown_with_its_completeness_and_its_rise(page: Page):
    page.measure(hr=80)
    page.ward.score(news2(3), T0)
    page.ward.score(news2(5, 6), T0 + S)

    assert page.at(1)["n"] == [5, 6, 2, "medium"]


def test_a_score_that_came_before_its_patient_waits(page: Page):
    page.ward.score(news2(3), T0)
    assert page.at(0) == {}

    page.measure(second=1, hr=80)
    assert page.at(1)["n"] == [3, 7, 0, "low"]


def test_a_score_that_is_not_stated_again_is_hidden(page: Page):
    page.measure(hr=80)
    page.ward.score(news2(3), T0)

    assert page.now(180)["n"] is not None
    assert page.now(180.001)["n"] is None


# --- beds


def test_a_transfer_leaves_an_empty_bed_and_the_monitors_old_name_does_not_undo_it(
    page: Page,
):
    page.measure(hr=80)
    page.command(CommandType.TRANSFER, bed="ICU2-01")
    page.measure(second=1, hr=81)

    assert page.at(1)["d"] == ["ICU2-01", "p-1", "ICU2"]
    assert page.rows["∅ICU1-07"] == {
        "i": "∅ICU1-07",
        "d": ["ICU1-07", "", "ICU1"],
        "e": 1,
    }


def test_two_devices_that_name_the_bed_differently_do_not_move_the_patient_about(
    page: Page,
):
    for second in range(3):
        page.measure(second, device="mon-1", bed="ICU1-07", hr=80)
        page.measure(second, device="cuff", bed="ICU1-7", nibp_mean=92)

    assert page.at(3)["d"][0] == "ICU1-7"


def test_a_discharge_empties_the_bed_until_somebody_lies_in_it(page: Page):
    page.measure(hr=80)
    page.at(0)
    page.command(CommandType.DISCHARGE)
    page.at(1)
    assert list(page.rows) == ["∅ICU1-07"]

    page.measure(second=2, patient="p-2", hr=90)
    page.at(2)
    assert list(page.rows) == ["p-2"]


def test_two_patients_in_one_bed_are_two_tiles(page: Page):
    page.measure(hr=80)
    page.measure(hr=140, patient="p-2")

    assert page.at(0, "p-1")["v"][HR] == 80
    assert page.at(0, "p-2")["v"][HR] == 140


def test_a_patient_without_a_bed_is_shown_by_its_id(page: Page):
    page.measure(bed="", hr=80)

    assert page.at(0)["d"] == ["p-1", "p-1", "p"]


@pytest.mark.parametrize(
    ("bed", "unit"),
    [("ICU1-07", "ICU1"), ("ICU1-07b", "ICU1"), ("B12", "B"), ("Window", "Window")],
)
def test_the_unit_is_that_of_the_burden_or_the_bed_itself(
    page: Page, bed: str, unit: str
):
    page.measure(bed=bed, hr=80)

    assert page.at(0)["d"] == [bed, "p-1", unit]


# --- changes, snapshot, line


def test_only_what_changed_is_said_again(page: Page):
    page.measure(hr=80)
    page.ward.changes(T0)
    page.measure(second=1, hr=80)
    unchanged = page.ward.changes(T0 + S)
    page.measure(second=2, hr=81)
    changed = page.ward.changes(T0 + 2 * S)

    assert unchanged == ([], [])
    assert changed == ([{"i": "p-1", "v": [81, None, None, None, None]}], [])


def test_a_snapshot_is_what_the_last_change_left_and_not_what_came_since(page: Page):
    page.measure(hr=80)
    page.ward.changes(T0)
    page.measure(second=1, hr=81)

    (row,) = page.ward.snapshot()

    assert row["v"][HR] == 80


def test_snapshot_and_changes_agree(page: Page):
    for second in range(60):
        page.measure(second=second, hr=80 + second % 7, spo2=97)
        page.at(second)
    page.alert(second=60)
    page.at(61)

    (row,) = page.ward.snapshot()

    line = page.rows["p-1"].pop("g")
    page.rows["p-1"].pop("p", None)
    shown = row.pop("g")
    assert row == page.rows["p-1"]
    assert shown["c"] == line["c"]


def test_the_line_has_a_point_each_five_seconds_and_a_gap_where_nothing_came(
    page: Page,
):
    for second in (0, 1, 6, 16):
        page.measure(second=second, hr=60 + second)
    page.at(20)

    (row,) = page.ward.snapshot()

    assert len(row["g"]["y"]) == POINTS
    assert row["g"]["y"][-4:] == [61, 66, None, 76]


def test_the_next_point_comes_with_the_next_five_seconds(page: Page):
    page.measure(hr=60)
    page.at(0)
    page.measure(second=4, hr=64)
    at_four, _ = page.ward.changes(T0 + 4 * S)
    at_five, _ = page.ward.changes(T0 + 5 * S)

    assert "p" not in at_four[0]
    assert at_five == [{"i": "p-1", "p": 64}]


def test_the_line_is_that_of_the_alarm_with_its_limit(page: Page):
    page.measure(hr=80, spo2=88)
    assert page.at(0)["g"]["c"] == "hr"

    page.alert(second=1)
    line = page.at(1)["g"]
    assert (line["c"], line["l"]) == ("spo2", 90)


def test_a_systolic_limit_is_not_drawn_into_the_mean(page: Page):
    page.measure(abp_sys=84, abp_dia=50, abp_mean=61)
    page.alert(code="abp_sys.low", limit=90)

    line = page.at(0)["g"]

    assert (line["c"], line["l"]) == ("abp_mean", None)


# --- the whole ward


def beat(partition: int) -> Heartbeat:
    return Heartbeat(
        worker="w",
        partition=partition,
        time=T0,
        lag=0,
        patients=1,
        applied=0,
        checkpoint_age_s=0,
    )


def test_patients_whom_no_worker_watches_are_counted(page: Page):
    page.ward.listen(T0, T0 + 60 * S)
    page.ward.measure(Vitals(patient_id="a", time=T0, values={"hr": 80}), T0, 0)
    page.ward.measure(Vitals(patient_id="b", time=T0, values={"hr": 80}), T0, 1)
    page.ward.deadman.beat(beat(0), T0 + 5 * S)

    assert page.ward.status(T0 + 8 * S)["dead"] is None  # a worker may still be coming
    assert page.ward.status(T0 + 8.5 * S)["dead"] == {"h": "worker", "n": 1}
    assert page.ward.status(T0 + 13.501 * S)["dead"] == {"h": "worker", "n": 2}


def test_the_row_of_a_patient_whom_no_worker_watches_says_so(page: Page):
    page.ward.listen(T0, T0 + 60 * S)
    page.measure(hr=80)

    assert page.at(8)["off"] == 0
    assert page.at(8.5)["off"] == 1


def test_ticks_and_messages_without_values_make_no_patient(page: Page):
    page.measure()

    assert page.at(0) == {}
    assert page.ward.newest_ms == T0
