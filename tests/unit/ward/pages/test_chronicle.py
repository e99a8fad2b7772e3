"""The log keeps what was said and asked once, in order, and within its bounds."""

import msgspec

from icu_stream.contracts.alerts import Event, Kind, Priority, State
from icu_stream.contracts.commands import Command, CommandResult, CommandType
from icu_stream.ward.pages.chronicle import Asked, Chronicle, Filter, Told


def told(time: int = 1_000, **fields: object) -> Told:
    patient, code = fields.pop("patient_id", "p"), fields.pop("code", "spo2.desat")
    onset = fields.pop("onset", time)
    return Told(
        **{
            "alert_id": f"{patient}:{code}:{onset}",
            "transition": 1,
            "event": Event.RAISED,
            "patient_id": patient,
            "bed": "ICU1-01",
            "code": code,
            "priority": Priority.HIGH,
            "state": State.ACTIVE,
            "annunciate": True,
            "onset": onset,
            "time": time,
            "text": "SpO₂ 79 %, below 80",
        }
        | fields
    )


def command(time: int = 2_000, **fields: object) -> Command:
    return Command(
        **{
            "command_id": f"RN/{time}",
            "type": CommandType.SET_LIMITS,
            "patient_id": "p",
            "by": "RN Okafor",
            "time": time,
            "reason": "COPD",
            "station": "desk",
        }
        | fields
    )


def answered(asked: Command, **fields: object) -> CommandResult:
    return CommandResult(
        **{
            "command_id": asked.command_id,
            "accepted": True,
            "type": asked.type,
            "patient_id": asked.patient_id,
            "by": asked.by,
            "time": asked.time,
        }
        | fields
    )


def test_what_is_told_twice_is_kept_once_and_a_restatement_not_at_all():
    log = Chronicle()

    for _ in range(2):
        log.tell(told())
    log.tell(told(event=Event.STANDING, time=61_000))

    assert [entry.time for entry in log.entries()] == [1_000]


def test_a_command_and_its_answer_are_one_entry_in_whatever_order_they_come():
    asked = command()
    log, other = Chronicle(), Chronicle()

    log.ask(asked)
    log.answer(answered(asked))
    other.answer(answered(asked))
    other.ask(asked)

    for known in (log, other):
        (entry,) = known.entries()
        assert isinstance(entry, Asked)
        assert (entry.by, entry.station, entry.reason) == ("RN Okafor", "desk", "COPD")
        assert entry.result is not None


def test_an_acknowledgement_is_told_by_its_alarm_with_the_station_of_its_command():
    raised = told()
    done = told(3_000, transition=2, event=Event.ACKNOWLEDGED, by="RN", onset=1_000)
    asked = command(
        2_990, type=CommandType.ACKNOWLEDGE, by="RN", alert_id=done.alert_id
    )
    log = Chronicle()

    for entry in (raised, done):
        log.tell(entry)
    log.ask(asked)
    log.answer(answered(asked))

    assert list(log.entries()) == [done, raised]
    found = log.asked_for(done)
    assert found is not None
    assert found.station == "desk"
    assert log.asked_for(raised) is None


def test_a_refused_command_is_an_entry_of_its_own():
    log = Chronicle()
    asked = command(type=CommandType.ACKNOWLEDGE)

    log.ask(asked)
    log.answer(answered(asked, accepted=False, reason="the alarm is already over"))

    assert len(list(log.entries())) == 1


def test_when_it_is_full_the_oldest_go_and_it_says_since_when_it_is_complete():
    log = Chronicle(most=10_000)

    for second in range(10_001):
        log.tell(told(1_000 * second))

    entries = list(log.entries())
    assert len(entries) == 10_001 - 3_000
    assert entries[-1].time == 3_000_000
    assert log.since_ms == 2_999_000


def test_a_filter_takes_what_it_says_and_nothing_else():
    alarm, asked = told(bed="ICU1-01"), Asked("c", 2_000, command())
    technical = told(kind=Kind.TECHNICAL, priority=Priority.LOW)

    def takes(entry: Told | Asked, **fields: object) -> bool:
        return Filter(**fields).takes(entry, "ICU1-01")

    assert takes(alarm)
    assert takes(asked)
    assert takes(alarm, bed="icu1-0")
    assert takes(asked, bed="p")
    assert not takes(alarm, bed="icu2")
    assert takes(alarm, priority="high", kind="physiological", event="raised")
    assert not takes(technical, priority="high")
    assert not takes(technical, kind="physiological")
    assert not takes(asked, priority="high")
    assert takes(asked, event="set_limits")
    assert takes(alarm, from_ms=1_000, to_ms=1_000)
    assert not takes(alarm, from_ms=1_001)
    assert not takes(alarm, to_ms=999)


def test_only_what_the_log_shows_is_decoded_of_an_alert():
    alert = msgspec.json.encode(
        msgspec.to_builtins(told()) | {"explanation": {"rule": "r", "reason": "why"}}
    )

    assert msgspec.json.decode(alert, type=Told).explanation.reason == "why"
