"""Scenarios of limits and their delays, deadbands and ends (rules 7 to 13)."""

from tests.scenarios.bed import (
    ANSWER_S,
    HIGH,
    LOW,
    MEDIUM,
    TECHNICAL,
    Bed,
    Event,
    at,
    between,
    story,
)


NO_PRESSURE = ("abp_sys", "abp_dia", "abp_mean")


@story(
    21,
    "Asystole waits for the last millisecond of its delay",
    "hr 0 at 10.000 s and 13.999 s, then 80; the same with 14.000 s",
)
def asystole_edge(bed: Bed) -> None:
    for start, last in ((0, 3.999), (100, 104)):
        bed.every(start, start + 9, without=NO_PRESSURE)
        for second in (10, 11, 12, 13, 10 + last - start):
            bed.at(start + second, hr=0, without=NO_PRESSURE)
        bed.every(start + 15, start + 30, without=NO_PRESSURE)
    bed.expect(at(114), "hr.asystole", HIGH)
    bed.one_alarm("hr.asystole")


@story(
    22,
    "14 s below the limit are no alarm, 15 s are",
    "spo2 88 from 0 to 14 s, 97; spo2 88 from 60 to 75 s",
)
def delay(bed: Bed) -> None:
    bed.every(0, 14, spo2=88)
    bed.calm(15, 59)
    bed.every(60, 75, spo2=88)
    bed.expect(at(75), "spo2.low", MEDIUM, limit=90.0, delay_s=15.0)
    bed.one_alarm("spo2.low")


@story(
    23,
    "A value at the limit neither raises an alarm nor ends it",
    "spo2 90 for a minute; 89 for 15 s; 90 for 30 s; 91 for 5 s",
)
def deadband(bed: Bed) -> None:
    bed.every(0, 59, spo2=90)
    bed.every(60, 75, spo2=89)
    bed.every(76, 105, spo2=90)
    bed.every(106, 111, spo2=91)
    bed.expect(at(75), "spo2.low", MEDIUM)
    bed.expect(at(111), "spo2.low", MEDIUM, Event.CLEARED)
    bed.raises_only("spo2.low")


@story(
    24,
    "A high alarm that nobody saw stays until somebody does",
    "spo2 70, then 97 for 20 s; acknowledge",
)
def latched(bed: Bed) -> None:
    bed.at(0, spo2=70)
    bed.calm(1, 20)
    seen = bed.ask("acknowledge", "spo2.desat")
    bed.answered(seen)
    bed.expect(at(6), "spo2.desat", HIGH, Event.LATCHED, state="latched")
    bed.expect(
        between(20, 20 + ANSWER_S),
        "spo2.desat",
        HIGH,
        Event.ACKNOWLEDGED,
        state="cleared",
    )


@story(
    25,
    "A new episode takes the place of one that is latched, as an alarm of its own",
    "spo2 70, 20 s of 97, spo2 65",
)
def new_episode(bed: Bed) -> None:
    bed.at(0, spo2=70)
    bed.calm(1, 20)
    bed.at(21, spo2=65)
    bed.expect(at(21), "spo2.desat", HIGH, Event.CLEARED)
    bed.expect(at(21), "spo2.desat", HIGH, annunciate=True, transition=1)
    bed.one_alarm("spo2.desat", episodes=2)


@story(
    26,
    "A stronger alarm makes the sound, the weaker one is silent",
    "hr 150 for 20 s: extreme_high after 5 s, high after 6 s",
)
def stronger(bed: Bed) -> None:
    bed.every(0, 20, hr=150)
    bed.expect(at(5), "hr.extreme_high", HIGH, annunciate=True)
    bed.expect(at(6), "hr.high", MEDIUM, annunciate=False)
    bed.raises_only("hr.extreme_high", "hr.high")


@story(
    27,
    "One value inside its limit begins the delay anew",
    "hr 130 for 5 s, one 118, hr 130 for 6 s",
)
def interrupted(bed: Bed) -> None:
    bed.every(0, 5, hr=130)
    bed.at(6, hr=118)
    bed.every(7, 13, hr=130)
    bed.expect(at(13), "hr.high", MEDIUM)
    bed.one_alarm("hr.high")


@story(
    28,
    "A pending alarm is no longer pending after a gap",
    "hr 130 for 3 s, 12 s without hr, hr 130 for 6 s",
)
def gap(bed: Bed) -> None:
    bed.every(0, 3, hr=130)
    bed.every(4, 15, without=("hr",))
    bed.every(16, 22, hr=130)
    bed.expect(at(22), "hr.high", MEDIUM)
    bed.expect(at(13), "hr.no_data", MEDIUM, kind=TECHNICAL)
    bed.raises_only("hr.high", "hr.no_data")


@story(29, "No breath for 20 s is apnoea", "rr 0 for 20 s")
def apnoea(bed: Bed) -> None:
    bed.calm(0, 9)
    bed.every(10, 30, rr=0)
    bed.expect(at(30), "rr.apnoea", HIGH, annunciate=True)
    bed.expect(at(24), "rr.low", MEDIUM)
    bed.raises_only("rr.apnoea", "rr.low")


@story(
    30,
    "Each cuff reading stands for itself",
    "nibp_sys 85, half an hour later 120",
)
def cuff(bed: Bed) -> None:
    reading = {"calm": False, "more": {"interval_s": 1800}}
    bed.at(0, nibp_sys=85, nibp_dia=60, nibp_mean=68, **reading)
    bed.at(1800, nibp_sys=120, nibp_dia=70, nibp_mean=87, **reading)
    bed.expect(at(0), "nibp_sys.low", MEDIUM)
    bed.expect(at(1800), "nibp_sys.low", MEDIUM, Event.CLEARED)
    bed.raises_only("nibp_sys.low")


@story(
    31,
    "At the limit is not beyond it",
    "hr 140, spo2 80 and temp 39.0 for 30 s; then hr 140.5, spo2 79.9, temp 39.1",
)
def at_the_limit(bed: Bed) -> None:
    bed.every(0, 30, hr=140, spo2=80, temp=39.0)
    bed.every(31, 36, hr=140.5, spo2=79.9, temp=39.1)
    bed.expect(at(36), "hr.extreme_high", HIGH)
    bed.expect(at(31), "spo2.desat", HIGH)
    bed.expect(at(31), "temp.high", LOW)


@story(
    32,
    "A pulse of 15 mmHg in the arterial line is a heart beat, 14 is none",
    "hr 0 with 95/80 for 10 s; hr 80; hr 0 with 94/80",
)
def pulse_pressure(bed: Bed) -> None:
    bed.calm(0, 9)
    bed.every(10, 20, hr=0, abp_sys=95, abp_dia=80, abp_mean=85)
    bed.calm(21, 60)
    bed.every(61, 70, hr=0, abp_sys=94, abp_dia=80, abp_mean=85)
    bed.expect(at(14), "hr.ecg_fault", MEDIUM, kind=TECHNICAL)
    bed.expect(at(65), "hr.asystole", HIGH)
    bed.raises_only("hr.ecg_fault", "hr.asystole", "hr.extreme_low", "hr.low")


@story(
    33,
    "A pulse of more than 5 s ago does not speak for the heart",
    "pulse 80 until 9 s, then hr 0 without pulse and pressure",
)
def old_pulse(bed: Bed) -> None:
    bed.every(0, 9, pulse=80, without=NO_PRESSURE)
    bed.every(10, 25, hr=0, without=NO_PRESSURE)
    # The values of 10 to 14 s have a pulse: the first without one is that of 15 s.
    bed.expect(at(19), "hr.asystole", HIGH)
    bed.expect(at(14), "hr.ecg_fault", MEDIUM, kind=TECHNICAL)
