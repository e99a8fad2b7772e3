"""Scenarios of what a sample is worth: invalid, suspect, another unit, another device."""

import math

from tests.scenarios.bed import (
    HIGH,
    LOW,
    MEDIUM,
    TECHNICAL,
    Bed,
    Event,
    Heard,
    at,
    story,
)


@story(
    19,
    "Of two devices the declared primary counts; without one somebody is told",
    "hr 80 and 150 from two devices, one of them primary; the same without a primary",
)
def two_devices(bed: Bed) -> None:
    undeclared = bed.twin()
    for second in range(21):
        bed.at(second, device="mon", more={"primary": True})
        bed.at(second + 0.5, calm=False, device="tele", hr=150)
        undeclared.at(second, device="mon")
        undeclared.at(second + 0.5, calm=False, device="tele", hr=150)
    bed.raises_only()
    undeclared.expect(at(10.5), "bed.two_devices", MEDIUM, kind=TECHNICAL)
    undeclared.expect(at(5.5), "hr.extreme_high", HIGH)


@story(
    20,
    "What no instrument shows is a technical alarm, and nothing breaks",
    "98.6 F, NaN, text, -5, 1e308, pressures in kPa",
)
def nonsense(bed: Bed) -> None:
    bed.calm(0, 4)
    bed.at(5, temp=98.6)
    bed.at(6, hr=math.nan)
    bed.at(7, spo2="97 %")
    bed.at(8, rr=-5)
    bed.at(9, abp_mean=1e308)
    bed.at(10, abp_sys=16.1, abp_dia=9.3, abp_mean=11.7)
    bed.calm(11, 12)
    bed.expect(at(5), "temp.invalid", LOW, kind=TECHNICAL)
    bed.expect(at(6), "hr.invalid", MEDIUM, kind=TECHNICAL)
    bed.expect(at(7), "spo2.invalid", MEDIUM, kind=TECHNICAL)
    bed.expect(at(8), "rr.invalid", LOW, kind=TECHNICAL)
    bed.expect(at(9), "abp_mean.invalid", LOW, kind=TECHNICAL)
    bed.expect(at(10), "abp_sys.unit", MEDIUM, kind=TECHNICAL)
    bed.raises_only(
        "temp.invalid",
        "hr.invalid",
        "spo2.invalid",
        "rr.invalid",
        "abp_mean.invalid",
        "abp_sys.unit",
    )

    def scored(heard: Heard) -> str | None:
        wanted = {"temp": 37.0, "sys": 121, "pulse": 80, "spo2": 97, "rr": 16}
        wrong = [
            (name, row["value"])
            for said in heard.scores
            if said.get("news2")
            for name, row in said["news2"]["inputs"].items()
            if row["value"] != wanted.get(name)
        ]
        return f"scored {wrong}" if wrong else None

    bed.holds("nothing of it in a score", scored)


@story(
    54,
    "A mean above the systolic is doubted for 10 s, not for ever",
    "abp_mean 130 beside 121/70 for 25 s",
)
def impossible_mean(bed: Bed) -> None:
    bed.every(0, 25, abp_mean=130)
    bed.expect(at(20), "abp_mean.high", MEDIUM)
    bed.raises_only("abp_mean.high")


@story(
    55,
    "Doubt never holds a high alarm back",
    "a flat arterial line at 38/36, mean 37, with hr and spo2 unchanged",
)
def flat_line(bed: Bed) -> None:
    bed.calm(0, 9)
    bed.every(10, 30, abp_sys=38, abp_dia=36, abp_mean=37)
    bed.expect(at(14), "abp_mean.extreme_low", HIGH, annunciate=True)
    bed.expect(at(24), "abp_sys.low", MEDIUM)


@story(
    56,
    "A cuff that inflates on the arm of the sensor explains a low saturation",
    "spo2 85 for 26 s while the cuff measures; spo2 75 in the middle of it",
)
def cuff_inflates(bed: Bed) -> None:
    measuring = {"more": {"status": {"nibp_sys": "measuring"}}}
    bed.every(0, 26, spo2=85, **measuring)
    bed.at(27, spo2=75, **measuring)
    bed.expect(at(25), "spo2.low", MEDIUM)
    bed.expect(at(27), "spo2.desat", HIGH)
    bed.raises_only("spo2.low", "spo2.desat")


@story(
    57,
    "A pressure in kPa is named as that, and no shock",
    "16/9 with mean 12 for 10 s, spo2 97 and hr 80; then 121/70",
)
def kilopascal(bed: Bed) -> None:
    bed.calm(0, 9)
    bed.every(10, 13, abp_sys=16.1, abp_dia=9.3, abp_mean=11.7)
    bed.calm(14, 25)
    bed.expect(at(10), "abp_sys.unit", MEDIUM, kind=TECHNICAL)
    bed.expect(at(19), "abp_sys.unit", MEDIUM, Event.CLEARED)
    bed.never("abp_sys.low")


@story(
    58,
    "A lead that is off is named by the device, at once",
    "no hr and its status lead_off for 20 s; then hr 80",
)
def lead_off(bed: Bed) -> None:
    bed.calm(0, 9)
    bed.every(10, 30, without=("hr",), more={"status": {"hr": "lead_off"}})
    bed.calm(31, 35)
    bed.expect(at(10), "hr.lead_off", MEDIUM, kind=TECHNICAL)
    bed.expect(at(31), "hr.lead_off", MEDIUM, Event.CLEARED)
    bed.raises_only("hr.lead_off")


@story(
    59,
    "A sensor that searches may do so for 10 s",
    "no rr and its status searching for 9 s, rr, searching for 15 s",
)
def searching(bed: Bed) -> None:
    look = {"without": ("rr",), "more": {"status": {"rr": "searching"}}}
    bed.calm(0, 9)
    bed.every(10, 19, **look)
    bed.at(20)
    bed.every(21, 35, **look)
    bed.expect(at(31), "rr.searching", LOW, kind=TECHNICAL)
    bed.raises_only("rr.searching")


@story(
    60,
    "Two devices: the worst of both is held against the limit",
    "spo2 97 from one, 75 from the other, in turn",
)
def worst_of_two(bed: Bed) -> None:
    bed.at(0)
    for second in range(1, 12):
        bed.at(second + 0.5, calm=False, device="tele", spo2=75)
        bed.at(second + 0.9)
    bed.expect(at(1.5), "spo2.desat", HIGH)
    bed.one_alarm("spo2.desat")
