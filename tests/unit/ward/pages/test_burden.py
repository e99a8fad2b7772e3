"""The burden of the log: the domain's own counts, by the time that was watched."""

from icu_stream.contracts.alerts import Event, State
from icu_stream.contracts.commands import Command, CommandResult, CommandType
from icu_stream.domain.burden import HOUR_MS, Question
from icu_stream.ward.pages import burden
from icu_stream.ward.pages.chronicle import Chronicle
from icu_stream.ward.pages.watched import STEP_MS, STEPS, Watched
from tests.unit.ward.pages.test_chronicle import told


NOW = 500_000 * HOUR_MS + HOUR_MS // 2


def watched_for(hours: float, bed: str = "ICU1-01") -> Watched:
    watched = Watched()
    for step in range(round(hours * HOUR_MS / STEP_MS)):
        watched.see("p", bed, NOW - 1 - step * STEP_MS)
    return watched


def test_rates_are_by_the_time_that_was_watched():
    log = Chronicle()
    log.read_back(NOW - 24 * HOUR_MS)
    for minute in range(6):
        log.tell(told(NOW - 60_000 * (minute + 1)))

    found = burden.found(log, watched_for(12), Question(hours=24), NOW)

    summary = found["all"]
    assert sum(summary.alarms.values()) == 6
    assert summary.bed_days == 0.5
    assert summary.alarms_a_bed_day == 12
    assert summary.top[0].code == "spo2.desat"
    assert list(found["units"]) == ["ICU1"]


def test_hours_before_the_log_begins_count_neither_alarms_nor_time():
    log = Chronicle()
    log.read_back(NOW - 2 * HOUR_MS)

    found = burden.found(log, watched_for(12), Question(hours=24), NOW)

    assert round(found["all"].bed_days * 24, 1) == 2


def test_time_to_acknowledge_and_what_people_said_are_in_it():
    log = Chronicle()
    log.read_back(NOW - HOUR_MS)
    log.tell(told(NOW - 90_000))
    done = {"transition": 2, "event": Event.ACKNOWLEDGED, "state": State.ACKNOWLEDGED}
    log.tell(told(NOW - 60_000, onset=NOW - 90_000, **done))
    alert_id = f"p:spo2.desat:{NOW - 90_000}"
    judged = {"patient_id": "p", "by": "RN", "time": NOW, "alert_id": alert_id}
    feedback = CommandType.FEEDBACK
    log.ask(Command(command_id="c", type=feedback, actionable=True, **judged))
    log.answer(
        CommandResult(
            command_id="c", accepted=True, type=feedback, actionable=True, **judged
        )
    )

    summary = burden.found(log, Watched(), Question(hours=8), NOW)["all"]

    assert summary.acknowledged.median_s == 30
    assert summary.feedback.share == 1
    assert summary.alarms_a_bed_day is None  # nothing was watched: no rate


def test_a_sample_of_an_hour_stands_for_its_steps():
    watched = Watched()

    watched.see("p", "B1", NOW, steps=6)

    ((_, begin, end),) = watched.spans(0)
    assert end - begin == HOUR_MS


def test_no_more_than_a_week_is_kept():
    watched = Watched()

    for step in range(STEPS + 10):
        watched.see("p", "B1", step * STEP_MS)

    ((_, begin, end),) = watched.spans(0)
    assert (begin, end) == (10 * STEP_MS, (STEPS + 10) * STEP_MS)
