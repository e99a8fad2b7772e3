"""What the alarms of a bed, a unit and an hour ask of the people there.

Source of flood, chattering and stale: EEMUA Publication 191, 3rd edition 2013;
ANSI/ISA-18.2-2016.
"""

import random

import msgspec
import pytest

from icu_stream.contracts.alerts import Alert, Event, Priority, State
from icu_stream.contracts.commands import CommandResult, CommandType
from icu_stream.domain import burden
from icu_stream.domain.burden import Burden, Heard, Question, Report, Summary
from icu_stream.errors import StateError
from tests.unit.domain.bed import Bed


# A whole hour.
START_MS = 1_700_002_800_000
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


class Desk:
    """One patient's burden, told second by second."""

    def __init__(self, patient_id: str = "p-1", bed: str = "ICU1-01") -> None:
        self.burden = burden.new(patient_id)
        self.bed = bed
        self._last: dict[str, tuple[int, int]] = {}

    def hear(
        self,
        second: float,
        code: str,
        event: Event,
        *,
        priority: Priority = Priority.MEDIUM,
        annunciate: bool | None = None,
        again: bool = False,
    ) -> bool:
        """An alert; a `raised` begins another alarm. `again`: as said before."""
        time = START_MS + round(second * 1000)
        onset, transition = self._last.get(code, (0, 0))
        if not again:
            onset = time if event is Event.RAISED else onset
            transition = 1 if event is Event.RAISED else transition + 1
            self._last[code] = onset, transition
        if annunciate is None:
            annunciate = event in {Event.RAISED, Event.ESCALATED, Event.REMINDED}
        heard = Heard(
            transition=transition,
            event=event,
            patient_id=self.burden.patient_id,
            bed=self.bed,
            code=code,
            priority=priority,
            state=State.CLEARED if event is Event.CLEARED else State.ACTIVE,
            annunciate=annunciate,
            onset=onset,
            time=time,
        )
        return burden.take(self.burden, heard, time)

    def alarm(self, second: float, code: str = "hr.high", **more: object) -> None:
        """An alarm that comes and goes within the moment."""
        self.hear(second, code, Event.RAISED, **more)
        self.hear(second, code, Event.CLEARED, **more)

    def alert_id(self, code: str) -> str:
        return f"{self.burden.patient_id}:{code}:{self._last[code][0]}"

    def mark(self, alert_id: str, *, actionable: bool = True, **more: object) -> bool:
        fields = {"type": CommandType.FEEDBACK, "accepted": True} | more
        result = CommandResult(
            command_id="c", alert_id=alert_id, actionable=actionable, **fields
        )
        return burden.mark(self.burden, result)

    def saved_and_restored(self) -> None:
        pieces = burden.save(self.burden)
        self.burden = burden.restore(self.burden.patient_id, pieces)

    def summary(self, *, at: float | None = None, **asked: object) -> Summary:
        return summary(self, at=at, **asked)


def summary(*desks: Desk, at: float | None = None, **asked: object) -> Summary:
    return found(*desks, at=at, **asked)["all"]


def found(*desks: Desk, at: float | None = None, **asked: object) -> dict:
    clock_ms = max(desk.burden.time for desk in desks)
    if at is not None:
        clock_ms = START_MS + round(at * 1000)
    report = Report(msgspec.convert(asked, Question), clock_ms)
    for desk in desks:
        report.add(desk.burden)
    return report.found()


# --- what is counted


def test_an_alarm_is_what_was_raised_and_an_annunciation_what_made_a_sound():
    desk = Desk()

    desk.hear(0, "spo2.low", Event.RAISED)
    desk.hear(120, "spo2.low", Event.ESCALATED, priority=Priority.HIGH)
    desk.hear(130, "spo2.low", Event.ACKNOWLEDGED, priority=Priority.HIGH)
    desk.hear(300, "hr.high", Event.RAISED, priority=Priority.LOW, annunciate=False)

    total = desk.summary()
    assert total.alarms == {"high": 0, "medium": 1, "low": 1}
    assert total.annunciations == {"high": 1, "medium": 1, "low": 0}
    assert total.mix == {"high": 0.0, "medium": 0.5, "low": 0.5}


def test_a_restatement_and_what_is_said_twice_change_nothing():
    desk = Desk()
    desk.hear(0, "hr.high", Event.RAISED)
    before = msgspec.json.encode(desk.summary())

    assert not desk.hear(0, "hr.high", Event.RAISED, again=True)
    assert not desk.hear(60, "hr.high", Event.STANDING, again=True)

    assert msgspec.json.encode(desk.summary(at=60)) == before


def test_any_suffix_read_again_after_a_save_changes_nothing():
    """A crash: the saved entries, and from an earlier offset all records once more."""
    rng = random.Random(1)
    bed = Bed()
    for second in range(1200):
        values = {"hr": rng.choice([90, 130, 150]), "spo2": rng.choice([95, 86, 70])}
        bed.at(second, **values)
        if second % 100 == 99 and bed.patient.alarms:
            bed.acknowledge(second, next(iter(bed.patient.alarms)))
    encoded = [msgspec.json.encode(m) for m in bed.said if isinstance(m, Alert)]
    told = [msgspec.json.decode(alert, type=Heard) for alert in encoded]
    assert len(told) > 100

    once = folded(burden.new("p-1"), told)
    for cut in range(0, len(told), 7):
        entry = folded(burden.new("p-1"), told[:cut])
        entry = burden.restore("p-1", burden.save(entry))
        folded(entry, told[max(0, cut - 40) :])
        assert state(entry) == state(once)


def folded(entry: Burden, told: list[Heard]) -> Burden:
    for heard in told:
        burden.take(entry, heard, heard.time)
    return entry


def state(entry: Burden) -> bytes:
    return msgspec.json.encode([entry.hours, entry.codes, entry.marks])


# --- edges


@pytest.mark.parametrize(("count", "floods"), [(10, 0), (11, 1)])
def test_more_than_10_annunciations_in_10_min_are_a_flood(count, floods):
    desk = Desk()

    for n in range(count):
        desk.alarm(3500 + 59 * n)  # across the end of an hour

    assert desk.summary().floods == floods


@pytest.mark.parametrize(("apart_s", "worst"), [(59.999, 11), (60, 10)])
def test_10_min_are_a_millisecond_short_of_10_min(apart_s, worst):
    desk = Desk()

    for n in range(11):
        desk.alarm(apart_s * n)

    assert desk.summary().worst_10_min == worst
    assert desk.summary().floods == worst - 10


@pytest.mark.parametrize(("pause_s", "floods"), [(595, 1), (596, 2)])
def test_a_flood_is_over_when_fewer_than_5_were_in_10_min(pause_s, floods):
    desk = Desk()
    for n in range(11):
        desk.alarm(n)

    # 595 s after the eleventh, those of second 6 to 10 are not 10 min old yet: 5.
    for n in range(11):
        desk.alarm(10 + pause_s + n / 100)

    assert desk.summary().floods == floods


def test_a_unit_is_flooded_by_beds_none_of_which_is():
    desks = [Desk(f"p-{n}", f"ICU1-{n:02d}") for n in range(11)]
    other = Desk("p-x", "ICU2-01")

    for n, desk in enumerate(desks):
        desk.alarm(n)
    other.alarm(3)

    answer = found(*desks, other, unit="ICU1")
    assert answer["all"].floods == 1
    assert {bed.floods for bed in answer["beds"].values()} == {0}
    assert found(*desks, other)["units"]["ICU2"].floods == 0


@pytest.mark.parametrize(("third_s", "chattering"), [(59.999, 1), (60, 0)])
def test_the_third_of_one_code_within_a_minute_chatters(third_s, chattering):
    desk = Desk()

    for second in (0, 30, third_s):
        desk.alarm(second)

    assert desk.summary().chattering == chattering


def test_a_code_that_goes_on_chattering_is_counted_once_and_others_by_themselves():
    desk = Desk()

    for second in range(0, 600, 15):
        desk.alarm(second)
    desk.alarm(601, "spo2.low")
    desk.alarm(602, "rr.high")
    assert desk.summary().chattering == 1
    for second in (900, 910, 920):
        desk.alarm(second)

    assert desk.summary().chattering == 2


@pytest.mark.parametrize(("later_s", "stale"), [(DAY_S, 0), (DAY_S + 0.001, 1)])
def test_an_alarm_is_stale_after_24_h(later_s, stale):
    desk = Desk()
    desk.hear(10, "temp.high", Event.RAISED)
    desk.alarm(20)

    assert desk.summary(at=10 + later_s, hours=1).stale == stale


def test_an_alarm_that_is_over_is_not_stale():
    desk = Desk()
    desk.hear(0, "temp.high", Event.RAISED)

    desk.hear(1, "temp.high", Event.CLEARED)

    assert desk.summary(at=2 * DAY_S).stale == 0


def test_time_to_acknowledge_is_from_raised_to_the_first_acknowledgement():
    desk = Desk()
    for n, seconds in enumerate((10, 20, 30, 40, 50, 60, 70, 80, 90, 1000)):
        begin = n * 2000
        desk.hear(begin, "spo2.low", Event.RAISED)
        desk.hear(begin + seconds, "spo2.low", Event.ACKNOWLEDGED)
        desk.hear(begin + 1200, "spo2.low", Event.REMINDED)
        desk.hear(begin + 1300, "spo2.low", Event.ACKNOWLEDGED)

    answered = desk.summary().acknowledged
    assert (answered.count, answered.median_s, answered.p90_s) == (10, 50.0, 90.0)


def test_nobody_acknowledged_is_no_time_at_all():
    desk = Desk()
    desk.alarm(0)

    answered = desk.summary().acknowledged

    assert (answered.count, answered.median_s, answered.p90_s) == (0, None, None)


# --- by bed, unit, hour


def test_the_ten_most_frequent_pairs_of_bed_and_code():
    one, two = Desk("p-1", "ICU1-01"), Desk("p-2", "ICU1-02")
    for n in range(20):
        one.alarm(n * 100, "hr.high")
    for n in range(12):
        two.alarm(n * 100 + 50, f"c{n:02d}.high")

    total = summary(one, two)

    assert [(row.bed, row.code, row.alarms) for row in total.top[:2]] == [
        ("ICU1-01", "hr.high", 20),
        ("ICU1-02", "c00.high", 1),
    ]
    assert len(total.top) == 10
    assert total.top_share == 29 / 32


def test_the_present_hour_and_those_before_it():
    desk = Desk()
    for hour in range(4):
        desk.alarm(hour * HOUR_S)

    answer = found(desk, at=3 * HOUR_S + 1, hours=3)

    assert sum(answer["all"].alarms.values()) == 3
    begin = [(row.hour - START_MS) / 3_600_000 for row in answer["hourly"]]
    assert begin == [1, 2, 3]
    assert sum(desk.summary(at=4 * HOUR_S, hours=1).alarms.values()) == 0
    assert sum(desk.summary(at=4 * HOUR_S - 0.001, hours=1).alarms.values()) == 1


def test_what_a_patient_had_in_another_bed_stays_there():
    desk = Desk(bed="ICU1-01")
    desk.alarm(0)
    desk.bed = "ICU2-09"
    desk.alarm(10)

    units = found(desk)["units"]

    assert {name: sum(unit.alarms.values()) for name, unit in units.items()} == {
        "ICU1": 1,
        "ICU2": 1,
    }


def test_a_bed_day_is_monitored_time():
    desk = Desk()
    watch = [(0, True), (6 * HOUR_S, True), (9 * HOUR_S, False), (20 * HOUR_S, True)]
    for second, is_monitored in [*watch, (26 * HOUR_S, True)]:
        until = START_MS + second * 1000
        burden.watch(desk.burden, desk.bed, until, until, is_monitored=is_monitored)
    for n in range(6):
        desk.alarm(26 * HOUR_S + n)

    total = desk.summary(hours=48)

    assert total.bed_days == 0.5
    assert (total.alarms_a_bed_day, total.annunciations_a_bed_day) == (12, 12)


def test_without_monitored_time_there_is_no_rate():
    desk = Desk()
    desk.alarm(0)

    assert desk.summary().alarms_a_bed_day is None


# --- what people think


def test_the_last_word_of_feedback_counts():
    desk = Desk()
    ids = []
    for n in range(4):
        desk.hear(n * 100, "hr.high", Event.RAISED)
        ids.append(desk.alert_id("hr.high"))
    for alert_id in ids[:3]:
        desk.mark(alert_id, actionable=False)
    desk.mark(ids[0], actionable=True)
    desk.mark(ids[0], actionable=True)

    total = desk.summary().feedback

    assert (total.marked, total.actionable, total.share) == (3, 1, 1 / 3)


def test_feedback_that_was_refused_or_is_about_somebody_else_is_none():
    desk = Desk()
    desk.hear(0, "hr.high", Event.RAISED)
    alert_id = desk.alert_id("hr.high")

    assert not desk.mark(alert_id, accepted=False)
    assert not desk.mark(alert_id, type=CommandType.ACKNOWLEDGE)
    assert not desk.mark("p-2:hr.high:1")
    assert not desk.mark("p-1:hr.high:soon")
    assert desk.summary().feedback.share is None


def test_feedback_that_comes_before_its_alarm_finds_the_bed_all_the_same():
    desk = Desk(bed="ICU1-01")
    desk.mark(f"p-1:hr.high:{START_MS}")
    desk.hear(0, "hr.high", Event.RAISED)
    desk.bed = "ICU2-09"
    desk.alarm(10, "rr.high")

    units = found(desk)["units"]

    assert (units["ICU1"].feedback.marked, units["ICU2"].feedback.marked) == (1, 0)


# --- bounds and state


def test_a_year_of_a_restless_bed_is_kept_within_bounds():
    rng = random.Random(2)
    desk = Desk()
    largest = 0
    for hour in range(0, 365 * 24, 2):
        for n in range(3):
            desk.alarm(hour * HOUR_S + 1000 * n, rng.choice(["hr.high", "rr.low"]))
            desk.mark(desk.alert_id("hr.high" if n else "rr.low")) if hour else None
        if hour % 100 == 0:
            largest = max(largest, size(desk))

    assert len(desk.burden.hours) <= burden.KEPT_HOURS
    assert len(desk.burden.marks) <= burden.MAX_MARKS
    assert largest < 40_000


def test_one_hour_of_nonsense_is_kept_within_bounds():
    desk = Desk()
    for n in range(5000):
        desk.bed = f"B-{n % 100}"
        desk.alarm(n / 2, f"c{n % 1000}.high")
        desk.hear(n / 2, f"c{n % 1000}.high", Event.ACKNOWLEDGED)

    total = desk.summary()
    assert len(desk.burden.codes) == burden.MAX_CODES
    assert len(desk.burden.hours[START_MS // 3_600_000]) == burden.MAX_BEDS
    # What is beyond is still counted, and said to be missing where it is.
    sounds = sum(total.annunciations.values())
    assert sounds == sum(total.alarms.values()) > 1000
    assert size(desk) < 100_000


def test_sounds_beyond_the_bound_are_counted_and_said_to_be_missing():
    desk = Desk()

    for n in range(burden.MAX_SOUNDS + 10):
        desk.alarm(n)

    total = desk.summary()
    assert sum(total.annunciations.values()) == burden.MAX_SOUNDS + 10
    assert total.lost == 10


def size(desk: Desk) -> int:
    entry = desk.burden
    return len(msgspec.msgpack.encode([entry.hours, entry.codes, entry.marks]))


def test_what_is_too_old_is_forgotten_with_its_pieces():
    desk = Desk()
    desk.alarm(0)
    pieces = burden.save(desk.burden)
    at = START_MS + (burden.KEPT_HOURS - 1) * 3_600_000

    assert not desk.burden.forget(at)
    assert desk.burden.forget(at + 3_600_000)

    assert burden.save(desk.burden)[b"h%d" % (START_MS // 3_600_000)] == b""
    assert set(pieces) >= {b"s"}


def test_an_open_alarm_is_never_forgotten():
    desk = Desk()
    desk.hear(0, "temp.high", Event.RAISED)

    assert not desk.burden.forget(START_MS + 30 * DAY_S * 1000)
    assert desk.summary(at=30 * DAY_S).stale == 1


def test_only_the_hours_that_changed_are_saved():
    desk = Desk()
    desk.alarm(0)
    desk.alarm(HOUR_S)
    burden.save(desk.burden)

    desk.alarm(HOUR_S + 1)

    assert len(burden.save(desk.burden)) == 2


def test_a_restored_burden_is_the_same():
    desk = Desk()
    desk.alarm(0)
    desk.hear(50, "spo2.low", Event.RAISED)
    desk.mark(desk.alert_id("spo2.low"))
    before = msgspec.json.encode(desk.summary())

    desk.saved_and_restored()

    assert msgspec.json.encode(desk.summary()) == before


@pytest.mark.parametrize("piece", [b"", b"\xc1", msgspec.msgpack.encode([99])])
def test_a_burden_that_cannot_be_read_says_whose(piece):
    with pytest.raises(StateError, match="p-1"):
        burden.restore("p-1", {b"s": piece})
