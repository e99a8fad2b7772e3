"""Scenarios 1 to 20: what any icu-stream must be seen to do."""

from tests.scenarios.bed import (
    ANSWER_S,
    HIGH,
    MEDIUM,
    TECHNICAL,
    Bed,
    Event,
    Heard,
    at,
    between,
    story,
)


@story(
    1,
    "Asystole is a high alarm within 1 s of its delay",
    "hr 80; from 10 s on hr 0 for 5 s, no pulse elsewhere",
)
def asystole(bed: Bed) -> None:
    quiet = {"without": ("abp_sys", "abp_dia", "abp_mean")}
    bed.every(0, 9, **quiet)
    bed.every(10, 15, hr=0, **quiet)
    bed.expect(between(14, 15), "hr.asystole", HIGH, annunciate=True)
    bed.one_alarm("hr.asystole")


@story(
    2,
    "Without ECG but with a pulse it is the lead, not the heart",
    "hr 0 with pulse 80 for 10 s",
)
def ecg_fault(bed: Bed) -> None:
    bed.every(0, 9, pulse=80)
    bed.every(10, 20, hr=0, pulse=80)
    bed.expect(at(14), "hr.ecg_fault", MEDIUM, kind=TECHNICAL)
    bed.raises_only("hr.ecg_fault")


@story(
    3,
    "A short deep desaturation is neither smoothed nor clipped",
    "spo2 97, 2 s of 45, then 97",
)
def desaturation(bed: Bed) -> None:
    bed.calm(0, 9)
    bed.every(10, 11, spo2=45)
    bed.calm(12, 30)
    bed.expect(at(10), "spo2.desat", HIGH, value=45.0)
    bed.raises_only("spo2.desat")


@story(
    4,
    "A new patient whose first message is already in violation alarms",
    "the first message ever: spo2 72",
)
def first_message(bed: Bed) -> None:
    bed.at(0, spo2=72)
    bed.expect(at(0), "spo2.desat", HIGH)
    bed.raises_only("spo2.desat")


@story(
    5,
    "A worker that is killed in the middle of an alarm goes on with it",
    "spo2 75; kill -9 of the worker; spo2 75 goes on, then 97",
)
def restart(bed: Bed) -> None:
    bed.calm(0, 4)
    bed.every(5, 9, spo2=75)
    bed.worker_is_killed()
    bed.every(10, 80, spo2=75)
    bed.calm(81, 95)
    bed.expect(at(5), "spo2.desat", HIGH)
    bed.expect(at(86), "spo2.desat", HIGH, Event.LATCHED)
    bed.one_alarm("spo2.desat")


@story(
    9,
    "A second critical episode minutes after the first is announced",
    "asystole for 10 s, 3 min of hr 80, asystole again",
)
def second_episode(bed: Bed) -> None:
    quiet = {"without": ("abp_sys", "abp_dia", "abp_mean")}
    bed.every(0, 9, **quiet)
    bed.every(10, 20, hr=0, **quiet)
    bed.every(21, 200, **quiet)
    bed.every(201, 210, hr=0, **quiet)
    bed.expect(at(14), "hr.asystole", HIGH, annunciate=True)
    bed.expect(at(205), "hr.asystole", HIGH, annunciate=True)
    bed.one_alarm("hr.asystole", episodes=2)


@story(
    10,
    "An hour of violation is one alarm, not 3,600",
    "spo2 85 for 3,600 s, one message a second",
)
def one_alarm(bed: Bed) -> None:
    bed.every(0, 3600, spo2=85)
    bed.expect(at(15), "spo2.low", MEDIUM, annunciate=True)
    bed.one_alarm("spo2.low")
    bed.raises_only("spo2.low")

    def sounds(heard: Heard) -> str | None:
        rows = [row for row in heard.alerts if row["code"] == "spo2.low"]
        count = sum(row["annunciate"] for row in rows if row["at"] <= bed.end)
        return None if count == 2 else f"{count} annunciations"

    bed.holds("it makes a sound twice: raised, escalated", sounds)


@story(
    11,
    "Silence is an alarm: of a sensor by its name, of a bed as one",
    "spo2 stops at 9 s; everything stops at 59 s, on the wall's clock",
)
def silence(bed: Bed) -> None:
    bed.is_live = True
    bed.calm(0, 9)
    bed.every(10, 59, without=("spo2",))
    bed.wait(12)
    bed.expect(at(19), "spo2.no_data", MEDIUM, kind=TECHNICAL)
    bed.expect(at(69), "bed.no_data", MEDIUM, kind=TECHNICAL)
    bed.never("hr.no_data", "rr.no_data", "abp_sys.no_data", "temp.no_data")


@story(
    12,
    "A replay at any speed gives the same alarms",
    "22 s with two alarms: once a message a second, once all at once",
)
def replay_speed(bed: Bed) -> None:
    bed.calm(0, 3)
    bed.every(4, 15, hr=145)
    bed.every(16, 18, spo2=70)
    bed.calm(19, 22)
    twin = bed.twin()
    bed.is_paced = True

    def other(heard: Heard) -> str | None:
        paced.append(heard)
        return None

    def differ(heard: Heard) -> str | None:
        one, two = (
            [
                {name: row[name] for name in row if name not in {"order", "bed"}}
                | {"alert_id": row["alert_id"].partition(":")[2], "patient_id": ""}
                for row in said.alerts
                if row["at"] <= bed.end
            ]
            for said in (paced[-1], heard)
        )
        return None if one == two else f"{one} and {two}"

    paced: list[Heard] = []
    bed.expect(at(9), "hr.extreme_high", HIGH)
    bed.expect(at(16), "spo2.desat", HIGH)
    bed.holds("a second a second", other)
    twin.holds("the same alerts at once", differ)


@story(
    13,
    "Late and repeated messages raise nothing and clear nothing",
    "spo2 70 a minute late; spo2 97 late during a desaturation; each message twice",
)
def late(bed: Bed) -> None:
    bed.calm(0, 70)
    bed.at(10, spo2=70)
    bed.every(71, 72, spo2=75)
    for second in range(60, 70):
        bed.at(second, spo2=97)
    for second in (73, 74, 75):
        bed.at(second, spo2=75)
        bed.at(second, spo2=75)
    bed.expect(at(71), "spo2.desat", HIGH)
    bed.one_alarm("spo2.desat")
    bed.no_other(Event.LATCHED, "spo2.desat")
    bed.raises_only("spo2.desat")


@story(
    14,
    "A device clock that jumps is said, and the patient watched by arrival",
    "an hour back, and an hour ahead; then, during it, spo2 72",
)
def clock_jump(bed: Bed) -> None:
    for one, off in ((bed.twin(), 3600), (bed, -3600)):
        one.is_live = True
        one.calm(0, 9)
        for second in (10, 11, 12, 13):
            one.wait(0.6)
            one.at(second, off=off)
        one.wait(0.6)
        one.at(14, off=off, spo2=72)
        # By arrival: as long after the last message of the old clock as the stage took.
        one.expect(between(9, 100), "bed.clock_jump", MEDIUM, kind=TECHNICAL)
        one.expect(between(9, 100), "spo2.desat", HIGH)


@story(
    15,
    "Alarms need nothing but Kafka",
    "spo2 72, with no database, pager or ward view there at all",
)
def alone(bed: Bed) -> None:
    bed.at(0, spo2=72)
    bed.expect(at(0), "spo2.desat", HIGH)

    def links(heard: Heard) -> str | None:
        return None if len(heard.links) == 1 else f"connected to {heard.links}"

    bed.holds("the worker's connections go to the broker alone", links)


@story(
    16,
    "An unknown or finished alarm cannot be acknowledged, and the answer says why",
    "acknowledge an alarm that never was; one that is over; one that holds",
)
def refusals(bed: Bed) -> None:
    bed.every(0, 10, hr=130)
    bed.calm(11, 20)
    never = bed.ask("acknowledge", alert_id="s16:rr.high:17")
    over = bed.ask("acknowledge", "hr.high")
    bed.at(30, spo2=70)
    holds = bed.ask("acknowledge", "spo2.desat")
    again = bed.ask("acknowledge", "spo2.desat")
    bed.answered(never, "no such alarm")
    bed.answered(over, "the alarm is already over")
    bed.answered(holds)
    bed.answered(again, "already acknowledged")
    bed.expect(
        between(30, 30 + ANSWER_S),
        "spo2.desat",
        HIGH,
        Event.ACKNOWLEDGED,
        by="rn-okafor",
    )


@story(
    17,
    "A poison message and a rule that raises harm one record of one bed",
    "bytes that are no JSON; hr 66, on which a planted rule raises; spo2 70 in between",
)
def poison(bed: Bed) -> None:
    bed.at(0)
    bed.wire(b"\x00 not a message")
    bed.at(1, spo2=70)
    bed.at(2, hr=66)
    bed.at(3, rr=35)
    bed.dead_letter("JSON")
    bed.dead_letter("planted")
    bed.expect(at(1), "spo2.desat", HIGH)
    bed.expect(at(2), "bed.monitoring_fault", HIGH, kind=TECHNICAL)
    bed.raises_only("spo2.desat", "bed.monitoring_fault")
