"""Scenarios of silence, of time, and of what is not a value (rules 6, 14 to 20)."""

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
    34,
    "Absent is not zero: a monitor without ECG is no asystole",
    "hr until 9 s, then messages without hr; null is absent, too",
)
def absent(bed: Bed) -> None:
    bed.calm(0, 9)
    bed.every(10, 20, without=("hr",))
    bed.every(21, 30, hr=None)
    bed.expect(at(19), "hr.no_data", MEDIUM, kind=TECHNICAL)
    bed.raises_only("hr.no_data")


@story(
    35,
    "What was never measured is not missed",
    "hr alone for a minute",
)
def never_measured(bed: Bed) -> None:
    bed.every(0, 60, calm=False, hr=80)
    bed.raises_only()


@story(
    36,
    "Charted values do not alarm between their points",
    "a message a minute that says so; then none for 3 min",
)
def charted(bed: Bed) -> None:
    bed.every(0, 600, step=60, more={"interval_s": 60})
    bed.at(780, more={"interval_s": 60})
    bed.expect(at(750), "bed.no_data", MEDIUM, kind=TECHNICAL)
    bed.raises_only("bed.no_data")


@story(
    37,
    "A sensor that is taken off on purpose is not missed, and its alarms end",
    "spo2 85 for 20 s; signal_off spo2; a minute without spo2",
)
def taken_off(bed: Bed) -> None:
    bed.every(0, 20, spo2=85)
    off = bed.ask("signal_off", signal="spo2")
    bed.every(21, 80, without=("spo2",))
    bed.answered(off)
    bed.expect(at(15), "spo2.low", MEDIUM)
    bed.expect(between(20, 20 + ANSWER_S), "spo2.low", MEDIUM, Event.CLEARED)
    bed.raises_only("spo2.low")


@story(
    38,
    "A discharge ends every alarm, and nobody is missed",
    "hr 150 for 20 s; discharge; silence for 15 s on the wall",
)
def discharged(bed: Bed) -> None:
    bed.is_live = True
    bed.every(0, 20, hr=150)
    left = bed.ask("discharge", reason="to the ward")
    bed.wait(12)
    bed.answered(left)
    when = between(20, 20 + ANSWER_S)
    bed.expect(when, "hr.extreme_high", HIGH, Event.CLEARED, by="rn-okafor")
    bed.expect(when, "hr.high", MEDIUM, Event.CLEARED)

    def silent(heard: Heard) -> str | None:
        codes = [r["code"] for r in heard.alerts if r["code"].endswith("no_data")]
        return f"{codes}" if codes else None

    bed.holds("no bed.no_data", silent)


@story(
    39,
    "A transfer keeps the alarms",
    "spo2 85 for 20 s in one bed; transfer; spo2 85 in another",
)
def transferred(bed: Bed) -> None:
    bed.every(0, 20, spo2=85)
    moved = bed.ask("transfer", bed="CONF-NEW")
    bed.every(21, 140, spo2=85, place="CONF-NEW")
    bed.answered(moved)
    bed.one_alarm("spo2.low")
    bed.expect(at(135), "spo2.low", HIGH, Event.ESCALATED, bed="CONF-NEW")


@story(
    40,
    "Nobody came for 2 min: the alarm rises",
    "spo2 85 for 140 s, nobody acknowledges",
)
def escalated(bed: Bed) -> None:
    bed.every(0, 140, spo2=85)
    bed.expect(at(15), "spo2.low", MEDIUM, annunciate=True)
    bed.expect(at(135), "spo2.low", HIGH, Event.ESCALATED, annunciate=True)


@story(
    41,
    "Somebody came: it does not rise, and is said again after 3 min",
    "spo2 85 for 20 s; acknowledge; spo2 85 for another 4 min",
)
def reminded(bed: Bed) -> None:
    bed.every(0, 20, spo2=85)
    came = bed.ask("acknowledge", "spo2.low")
    bed.every(25, 260, spo2=85)
    bed.answered(came)
    bed.no_other(Event.ESCALATED, "spo2.low")
    bed.expect(
        between(200, 200 + ANSWER_S),
        "spo2.low",
        MEDIUM,
        Event.REMINDED,
        annunciate=True,
    )


@story(
    42,
    "Whoever starts late hears of an alarm within a minute",
    "temp 39.5 for 185 s",
)
def standing(bed: Bed) -> None:
    bed.every(0, 185, temp=39.5)
    for minute in (60, 120, 180):
        bed.expect(
            at(minute),
            "temp.high",
            event=Event.STANDING,
            transition=1,
            annunciate=False,
        )
    bed.one_alarm("temp.high")


@story(
    43,
    "Three hours of silence are one statement of what still holds, not 180",
    "temp 39.5; the next message 3 h later",
)
def long_gap(bed: Bed) -> None:
    slow = {"more": {"interval_s": 7200}, "temp": 39.5}
    bed.at(0, **slow)
    bed.at(10_800, **slow)
    bed.no_other(Event.STANDING, "temp.high", count=1)
    bed.raises_only("temp.high")


@story(
    44,
    "A slow device does not hide that a fast one is silent",
    "hr each second until 9 s; a pump's message each 5 s goes on",
)
def fast_and_slow(bed: Bed) -> None:
    for second in range(61):
        if second < 10:
            bed.at(second, calm=False, hr=80)
        if second % 5 == 0:
            bed.at(
                second,
                calm=False,
                device="pump",
                cvp=8,
                more={"interval_s": 5},
            )
    bed.expect(at(19), "hr.no_data", MEDIUM, kind=TECHNICAL)
    bed.raises_only("hr.no_data")


@story(
    45,
    "An unknown signal is left alone",
    "icp 80 and spo2 70 in one message",
)
def unknown_signal(bed: Bed) -> None:
    bed.at(0, icp=80, spo2=70)
    bed.raises_only("spo2.desat")


@story(
    46,
    "A command that comes twice is done once and answered twice",
    "spo2 85 for 20 s; the same acknowledgement twice",
)
def twice(bed: Bed) -> None:
    bed.every(0, 20, spo2=85)
    first = bed.ask("acknowledge", "spo2.low", command_id="s46-twice")
    bed.ask("acknowledge", "spo2.low", command_id="s46-twice")
    bed.answered(first, times=2)
    bed.no_other(Event.ACKNOWLEDGED, "spo2.low", count=1)


@story(
    47,
    "A signal that comes back ends its no-data alarm at once",
    "15 s without spo2, then 97",
)
def back(bed: Bed) -> None:
    bed.calm(0, 9)
    bed.every(10, 24, without=("spo2",))
    bed.calm(25, 30)
    bed.expect(at(19), "spo2.no_data", MEDIUM, kind=TECHNICAL)
    bed.expect(at(25), "spo2.no_data", MEDIUM, Event.CLEARED)


@story(
    48,
    "An alarm whose signal stops is not over",
    "spo2 75 until 9 s, then no spo2 for a minute",
)
def silence_clears_nothing(bed: Bed) -> None:
    bed.every(0, 9, spo2=75)
    bed.every(10, 69, without=("spo2",))
    bed.expect(at(60), "spo2.desat", HIGH, Event.STANDING, state="active")
    bed.no_other(Event.LATCHED, "spo2.desat")
    bed.raises_only("spo2.desat", "spo2.no_data")
