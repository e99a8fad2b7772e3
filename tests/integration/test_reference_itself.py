"""The reference on logs so short that what must come out is plain to see."""

import json

from dataclasses import replace
from typing import Any

import pytest

from tests.integration import core, reference
from tests.integration.reference import Outcome, Record


DAY = 1_700_000_000_000


def at(second: float) -> int:
    """A second of the day as milliseconds."""
    return DAY + round(second * 1000)


def vitals(
    second: float, *, arrived: float | None = None, device: str = "", **values: Any
) -> Record:
    """A message measured and, unless said otherwise, arrived at a second."""
    message = {
        "patient_id": "p",
        "device": device,
        "time": at(second),
        "values": values,
    }
    return Record(message, at(second if arrived is None else arrived))


def says(record: Record, **fields: Any) -> Record:
    """The same message, in which the device says more than values."""
    return replace(record, message=record.message | fields)


def status(second: float, *, device: str = "", **words: str) -> Record:
    """A message without values: the device says why there are none."""
    return says(vitals(second, device=device), status=words)


def every_second(first: int, last: int, **values: Any) -> list[Record]:
    """The same values each second, both ends included."""
    return [vitals(second, **values) for second in range(first, last + 1)]


def tick(second: float) -> Record:
    """The worker's clock."""
    return Record({"patient_id": "p", "time": at(second)}, at(second), "tick")


def command(second: float, kind: str, **fields: Any) -> Record:
    """A nurse asks."""
    message = {
        "command_id": f"c{second}",
        "type": kind,
        "patient_id": "p",
        "by": "nurse",
        "time": at(second),
    }
    return Record(message | fields, at(second), "command")


def limits(second: float, *changes: tuple[str, float], reason: str = "why") -> Record:
    """A nurse sets limits of this patient alone."""
    named = [{"code": code, "limit": limit} for code, limit in changes]
    return command(second, "set_limits", limits=named, reason=reason)


def acknowledge(second: float, code: str, onset: float) -> Record:
    """A nurse acknowledges."""
    return command(second, "acknowledge", alert_id=f"p:{code}:{at(onset)}")


def told(outcome: Outcome) -> list[str]:
    """What happened, as `second code event`."""
    return [
        f"{(t.time - DAY) / 1000:g} {t.code} {t.event}" for t in outcome.transitions
    ]


CASES: dict[str, tuple[list[Record], list[str]]] = {
    "asystole after four seconds": (
        [vitals(0, hr=80), *every_second(1, 5, hr=0)],
        ["5 hr.asystole raised"],
    ),
    "a first message that violates already": (
        every_second(0, 5, hr=30),
        ["5 hr.extreme_low raised"],
    ),
    "a zero with a pleth pulse is the ECG's fault": (
        every_second(0, 10, hr=0, pulse=80),
        ["4 hr.ecg_fault raised"],
    ),
    "a zero with a beating arterial line is the ECG's fault": (
        every_second(0, 10, hr=0, abp_sys=100, abp_dia=85),
        ["4 hr.ecg_fault raised"],
    ),
    "a line that does not beat is no second source": (
        every_second(0, 4, hr=0, abp_sys=100, abp_dia=86),
        ["4 hr.asystole raised"],
    ),
    "a pulse older than five seconds is no second source": (
        [vitals(0, hr=80, pulse=80), *every_second(1, 10, hr=0)],
        # 1 to 5 s: a fault. From 6 s on: asystole, and inside for the fault. The
        # pleth's own silence comes first.
        [
            "5 hr.ecg_fault raised",
            "10 pulse.no_data raised",
            "10 hr.asystole raised",
        ],
    ),
    "desaturation at once, and it silences the weaker": (
        [vitals(0, spo2=97), *every_second(1, 16, spo2=70)],
        ["1 spo2.desat raised", "16 spo2.low raised"],
    ),
    "the limit itself is not outside": (every_second(0, 20, spo2=90), []),
    "one value in between starts the delay anew": (
        [
            *every_second(0, 14, spo2=89),
            vitals(15, spo2=90),
            *every_second(16, 30, spo2=89),
        ],
        [],
    ),
    "a gap of the no-data time starts the delay anew": (
        [vitals(0, spo2=85), vitals(9, spo2=85), vitals(19, spo2=85)],
        ["19 bed.no_data raised", "19 bed.no_data cleared"],
    ),
    "a shorter gap does not": (
        [vitals(0, spo2=85), vitals(9, spo2=85), vitals(18, spo2=85)],
        ["18 spo2.low raised"],
    ),
    "inside by the deadband for five seconds, and over": (
        [
            *every_second(0, 15, spo2=85),
            *every_second(16, 19, spo2=91),
            vitals(20, spo2=90.9),
            *every_second(21, 26, spo2=91),
        ],
        ["15 spo2.low raised", "26 spo2.low cleared"],
    ),
    "each cuff reading stands for itself": (
        [vitals(0, nibp_sys=80), vitals(1, nibp_sys=93)],
        ["0 nibp_sys.low raised", "1 nibp_sys.low cleared"],
    ),
    "a high alarm that nobody saw is latched, and a new episode takes its place": (
        [
            vitals(0, spo2=70),
            *every_second(1, 6, spo2=97),
            vitals(7, spo2=70),
        ],
        [
            "0 spo2.desat raised",
            "6 spo2.desat latched",
            "7 spo2.desat cleared",
            "7 spo2.desat raised",
        ],
    ),
    "a latched alarm is over when it is acknowledged": (
        [
            vitals(0, spo2=70),
            *every_second(1, 6, spo2=97),
            acknowledge(6.5, "spo2.desat", 0),
            acknowledge(6.6, "spo2.desat", 0),
        ],
        [
            "0 spo2.desat raised",
            "6 spo2.desat latched",
            "6.5 spo2.desat acknowledged",
        ],
    ),
    "one message for a silent bed, not one for each signal": (
        [vitals(0, hr=80, spo2=97), tick(9.9), tick(10.5), tick(20), tick(70)],
        ["10 bed.no_data raised", "70 bed.no_data escalated"],
    ),
    "a signal that is silent alone": (
        [vitals(0, hr=80, spo2=97), *every_second(1, 10, spo2=97), vitals(11, hr=80)],
        ["10 hr.no_data raised", "11 hr.no_data cleared"],
    ),
    "what was taken off on purpose is not missed": (
        [
            vitals(0, hr=80, spo2=97),
            command(0.5, "signal_off", signal="hr"),
            *every_second(1, 20, spo2=97),
        ],
        [],
    ),
    "what was taken off is no second source": (
        [
            vitals(0, hr=80, pulse=80),
            command(0.5, "signal_off", signal="pulse"),
            *every_second(1, 5, hr=0),
        ],
        ["5 hr.asystole raised"],
    ),
    "discharge forgets the second source": (
        [
            vitals(0, hr=80, abp_sys=100, abp_dia=60),
            command(0.5, "discharge"),
            *every_second(1, 5, hr=0),
        ],
        ["5 hr.asystole raised"],
    ),
    "a declared interval gives time": (
        [
            Record(vitals(s, hr=80).message | {"interval_s": 60}, at(s))
            for s in (0, 60, 209, 359)
        ],
        ["359 bed.no_data raised", "359 bed.no_data cleared"],
    ),
    "nonsense is said once and decides nothing": (
        [
            vitals(0, temp=98.6),
            vitals(1, temp="hot"),
            vitals(2, temp=37),
            vitals(7, temp=37),
        ],
        ["0 temp.invalid raised", "7 temp.invalid cleared"],
    ),
    "late and duplicate messages decide nothing": (
        [vitals(1, spo2=97), vitals(1, spo2=40), vitals(0.5, spo2=40)],
        [],
    ),
    "a clock that jumps back is monitored from the third message on": (
        [
            vitals(0, spo2=97),
            vitals(-3600, arrived=1, spo2=70),
            vitals(-3599, arrived=2, spo2=70),
            vitals(-3598, arrived=3, spo2=70),
            vitals(4, spo2=97),
        ],
        [
            "3 bed.clock_jump raised",
            "3 spo2.desat raised",
            "4 bed.clock_jump cleared",
        ],
    ),
    "unseen it escalates, and it is stated every minute": (
        [vitals(0, rr=6), *every_second(1, 134, rr=6)],
        [
            "14 rr.low raised",
            "74 rr.low standing",
            "134 rr.low escalated",
        ],
    ),
    "seen and still there after three minutes it reminds": (
        [vitals(0, temp=40), acknowledge(1, "temp.high", 0), tick(181)],
        [
            "0 temp.high raised",
            "1 temp.high acknowledged",
            "10 bed.no_data raised",
            "70 bed.no_data escalated",
            "130 bed.no_data standing",
            "181 temp.high reminded",
        ],
    ),
    "discharge ends everything": (
        [vitals(0, temp=40), command(1, "discharge"), tick(100)],
        ["0 temp.high raised", "1 temp.high cleared"],
    ),
}


CASES_BY_RULE: dict[int, dict[str, tuple[list[Record], list[str]]]] = {
    22: {
        "a mean that cannot be holds a medium alarm back for ten seconds": (
            every_second(0, 14, abp_sys=80, abp_dia=70, abp_mean=70),
            ["14 abp_sys.low raised"],
        ),
        "and a value that can be raises it at once": (
            [
                *every_second(0, 5, abp_sys=80, abp_dia=70, abp_mean=70),
                vitals(6, abp_sys=80, abp_dia=60, abp_mean=70),
            ],
            ["6 abp_sys.low raised"],
        ),
        "a flat line holds no high alarm back": (
            [
                vitals(0, hr=80, spo2=97),
                *every_second(
                    1, 15, hr=80, spo2=97, abp_sys=39, abp_dia=38, abp_mean=38.5
                ),
            ],
            [
                "5 abp_mean.extreme_low raised",
                "15 abp_sys.low raised",
                "15 abp_mean.low raised",
            ],
        ),
        "a flat line while the heart rate falls is the patient": (
            [
                vitals(0, hr=80),
                *[vitals(s, hr=80 - 11 * s, abp_sys=80, abp_dia=76) for s in (1, 2)],
                *[
                    vitals(s, hr=58 - 11 * (s - 2), abp_sys=80, abp_dia=76)
                    for s in (3,)
                ],
                *[
                    vitals(s, hr=60 + 15 * (s % 2), abp_sys=80, abp_dia=76)
                    for s in (4, 5)
                ],
            ],
            ["5 abp_sys.low raised"],
        ),
        "a step holds back where it comes last": (
            [
                vitals(0, spo2=97),
                *every_second(1, 15, spo2=85),
                vitals(16, spo2=64.9),
                vitals(17, spo2=85.5),
                vitals(18, spo2=85.5),
            ],
            # 16: 20.1 % less than the value before, and so is 17; desaturation is high.
            ["16 spo2.desat raised", "18 spo2.low raised"],
        ),
        "a cuff on the same arm": (
            [
                says(record, status={"nibp_sys": "measuring"})
                for record in every_second(0, 25, spo2=85)
            ],
            ["25 spo2.low raised"],
        ),
        "a pulse of a sensor that is off does not hide an asystole": (
            [
                says(record, status={"pulse": "sensor_off"})
                for record in every_second(0, 4, hr=0, pulse=80)
            ],
            ["4 hr.asystole raised"],
        ),
    },
    23: {
        "pressures in kilopascal": (
            [
                vitals(0, hr=80, spo2=97, abp_sys=16, abp_dia=10, abp_mean=12),
                *every_second(1, 6, hr=80, spo2=97, abp_sys=120, abp_dia=70),
            ],
            ["0 abp_sys.unit raised", "6 abp_sys.unit cleared"],
        ),
        "a pressure so low while no oximeter reads is the patient's": (
            [vitals(0, hr=80, spo2=84, nibp_sys=30, nibp_dia=20)],
            ["0 nibp_sys.low raised"],
        ),
        "carbon dioxide in kilopascal is held back": (
            every_second(0, 24, spo2=97, etco2=5),
            ["0 etco2.unit raised", "24 etco2.low raised"],
        ),
    },
    24: {
        "leads off, and on again": (
            [vitals(0, hr=80), status(1, hr="lead_off"), vitals(2, hr=80)],
            ["1 hr.lead_off raised", "2 hr.lead_off cleared"],
        ),
        "a signal that nobody has had is not missed": ([status(1, hr="lead_off")], []),
        "whatever the device says, a bed that is silent is told": (
            [vitals(0, hr=80), *[status(s, hr="lead_off") for s in range(1, 12)]],
            ["1 hr.lead_off raised", "10 bed.no_data raised"],
        ),
        "while it stands, the signal's silence is not told too": (
            [
                vitals(0, hr=80, spo2=97),
                *[
                    says(record, status={"hr": "lead_off"})
                    for record in every_second(1, 20, spo2=97)
                ],
            ],
            ["1 hr.lead_off raised"],
        ),
        "searching for ten seconds": (
            [
                vitals(0, rr=16, spo2=97),
                *[
                    says(record, status={"rr": "searching"})
                    for record in every_second(1, 11, spo2=97)
                ],
            ],
            ["11 rr.searching raised"],
        ),
        "another word takes its place": (
            [vitals(0, hr=80), status(1, hr="lead_off"), status(2, hr="disconnected")],
            [
                "1 hr.lead_off raised",
                "2 hr.lead_off cleared",
                "2 hr.disconnected raised",
            ],
        ),
    },
    25: {
        "two devices for one signal": (
            [vitals(s / 2, device="ab"[s % 2], spo2=97) for s in range(22)],
            ["10.5 bed.two_devices raised"],
        ),
        "the worst of them is what counts": (
            [vitals(s / 2, device="ab"[s % 2], spo2=(97, 70)[s % 2]) for s in range(4)],
            ["0.5 spo2.desat raised"],
        ),
        "who is declared primary is believed alone": (
            [
                says(
                    vitals(s / 2, device="ab"[s % 2], spo2=(97, 70)[s % 2]),
                    primary=s % 2 == 0,
                )
                for s in range(30)
            ],
            [],
        ),
        "a primary that charts by the hour hides no monitor": (
            [
                says(vitals(0, device="a", hr=80), primary=True, interval_s=3600),
                *[vitals(s, device="b", hr=0) for s in range(1, 17)],
            ],
            # From 10 on the chart is as old as a monitor's silence.
            ["14 hr.asystole raised", "15 hr.extreme_low raised", "16 hr.low raised"],
        ),
        "the other ECG is a second source": (
            [vitals(s / 2, device="ab"[s % 2], hr=(80, 0)[s % 2]) for s in range(18)],
            [],
        ),
        "an ECG whose leads are off is none, whatever it repeats": (
            [
                vitals(0, device="b", hr=80),
                *[
                    says(
                        vitals(1 + s / 2, device="ab"[s % 2], hr=(0, 80)[s % 2]),
                        status={"hr": ("", "lead_off")[s % 2]},
                    )
                    for s in range(13)
                ],
            ],
            # At 1 s the other's 80 of before is a pulse; from 1.5 s on it is none.
            ["5.5 hr.asystole raised", "6.5 hr.extreme_low raised"],
        ),
        "a faster clock that is taken away stops no delay": (
            [
                vitals(9, device="b", arrived=0, hr=80),
                *[vitals(s + 0.5, device="a", hr=0) for s in range(11)],
            ],
            # The zeros count from 9 s on, at first beside the other's last pulse.
            ["13 hr.ecg_fault raised", "19 hr.asystole raised"],
        ),
    },
    26: {
        "worse by a fifth of the limit sounds through an acknowledgement": (
            [
                vitals(0, temp=34.9),
                acknowledge(1, "temp.low", 0),
                vitals(2, temp=27.91),
                vitals(3, temp=27.9),
                vitals(4, temp=27.9),
                vitals(5, temp=20.9),
            ],
            [
                "0 temp.low raised",
                "1 temp.low acknowledged",
                "3 temp.low worsened",
                "5 temp.low worsened",
            ],
        ),
        "and its escalation counts anew": (
            [
                *every_second(0, 15, spo2=89.5),
                acknowledge(15.5, "spo2.low", 0),
                vitals(16, spo2=80),
                vitals(17, spo2=71.5),
                *every_second(18, 130, spo2=71.5),
                *every_second(131, 138, spo2=71.5),
            ],
            [
                "15 spo2.low raised",
                "15.5 spo2.low acknowledged",
                "17 spo2.desat raised",
                "17 spo2.low worsened",
                "77 spo2.low standing",
                "77 spo2.desat standing",
                "137 spo2.low escalated",
                "137 spo2.desat standing",
            ],
        ),
    },
    27: {
        "a fourth time within a minute, and it must be inside for a minute": (
            [
                *[vitals(s, nibp_sys=80 if s % 2 == 0 else 120) for s in range(8)],
                *every_second(8, 66, nibp_sys=120),
                vitals(67, nibp_sys=120),
            ],
            [
                "0 nibp_sys.low raised",
                "1 nibp_sys.low cleared",
                "2 nibp_sys.low raised",
                "3 nibp_sys.low cleared",
                "4 nibp_sys.low raised",
                "5 nibp_sys.low cleared",
                "6 nibp_sys.low raised",
                "66 nibp_sys.low standing",
                "67 nibp_sys.low cleared",
            ],
        ),
        "nonsense that comes and goes": (
            [
                *[vitals(s, fio2=0.4 if s % 7 == 0 else 40) for s in range(22)],
                *every_second(22, 82, fio2=40),
            ],
            [
                "0 fio2.invalid raised",
                "6 fio2.invalid cleared",
                "7 fio2.invalid raised",
                "13 fio2.invalid cleared",
                "14 fio2.invalid raised",
                "20 fio2.invalid cleared",
                "21 fio2.invalid raised",
                "81 fio2.invalid standing",
                "82 fio2.invalid cleared",
            ],
        ),
    },
    28: {
        "a pause ends by itself, and what stands sounds again": (
            [
                vitals(0, nibp_sys=80),
                command(1, "pause", seconds=30, reason="washing"),
                vitals(2, temp=40, nibp_sys=80, spo2=70),
                *every_second(3, 31, nibp_sys=80, temp=40, spo2=70),
            ],
            [
                "0 nibp_sys.low raised",
                "1 bed.pause paused",
                "2 spo2.desat raised",
                "2 temp.high raised",
                "17 spo2.low raised",
                "31 bed.pause resumed",
                "31 nibp_sys.low reminded",
                "31 spo2.desat reminded",
                "31 temp.high reminded",
                "31 spo2.low reminded",
            ],
        ),
        "a pause asked before a monitor whose clock is an hour behind came": (
            [
                command(0, "pause", seconds=60, reason="why"),
                vitals(-3600, arrived=1, nibp_sys=80),
                vitals(-3595, arrived=6, nibp_sys=80),
                tick(60),
                tick(61),
            ],
            [
                "0 bed.pause paused",
                "-3600 nibp_sys.low raised",
                "-3585 bed.no_data raised",
                "-3541 bed.pause resumed",
                "-3541 nibp_sys.low reminded",
                "-3541 bed.no_data reminded",
            ],
        ),
        "a pause without a reason, for too long, or twice is none": (
            [
                vitals(0, spo2=97),
                command(1, "pause"),
                command(2, "pause", seconds=121, reason="why"),
                command(3, "pause", reason="why"),
                command(4, "pause", reason="why"),
                command(5, "resume"),
                command(6, "resume"),
            ],
            ["3 bed.pause paused", "5 bed.pause resumed"],
        ),
    },
    29: {
        "a limit of this patient alone, until it expires": (
            [
                vitals(0, nibp_sys=93),
                command(
                    1,
                    "set_limits",
                    limits=[{"code": "nibp_sys.low", "limit": 95}],
                    reason="why",
                    expires=at(3),
                ),
                vitals(2, nibp_sys=93),
                vitals(3, nibp_sys=93),
            ],
            ["2 nibp_sys.low raised", "3 nibp_sys.low cleared"],
        ),
        "what goes too far, contradicts, or has no reason changes nothing": (
            [
                vitals(0, nibp_sys=131, spo2=91),
                limits(1, ("nibp_sys.low", 131)),
                limits(2, ("nibp_sys.low", 130), ("nibp_sys.high", 133)),
                limits(3, ("nibp_sys.low", 130), reason=""),
                limits(4, ("nibp_sys.low", 130), ("nibp_sys.low", 130)),
                limits(5, ("spo2.low", 80)),
                limits(6, ("hr.asystole", 0)),
                vitals(7, nibp_sys=129, spo2=91),
            ],
            [],
        ),
        "a pending alarm goes on, decided by the new limit": (
            [
                *every_second(0, 10, spo2=89),
                limits(10.5, ("spo2.low", 88)),
                vitals(11, spo2=88),
                limits(11.5, ("spo2.low", 90)),
                *every_second(12, 27, spo2=89),
            ],
            ["27 spo2.low raised"],
        ),
        "and is over by it": (
            [
                *every_second(0, 15, spo2=89),
                limits(15.5, ("spo2.low", 85)),
                *every_second(16, 21, spo2=89),
            ],
            ["15 spo2.low raised", "21 spo2.low cleared"],
        ),
    },
    30: {
        "a target of 88 to 92 % wants no alarm at 89": (
            [
                vitals(0, spo2=89),
                command(0.5, "admit", profile="adult_spo2_88_92"),
                *every_second(1, 20, spo2=89),
                command(20.5, "discharge"),
                *every_second(21, 36, spo2=89),
            ],
            ["36 spo2.low raised"],
        ),
        "a profile that nobody has is refused": (
            [vitals(0, hr=80), command(1, "admit", profile="nobody's")],
            [],
        ),
    },
}
CASES |= {
    name: case for cases in CASES_BY_RULE.values() for name, case in cases.items()
}


@pytest.mark.parametrize("name", CASES)
def test_a_short_log_leads_to_what_is_plain_to_see(name: str) -> None:
    log, wanted = CASES[name]

    assert told(reference.expected("p", log)) == wanted


@pytest.mark.parametrize("name", CASES)
def test_the_core_agrees_on_a_short_log(name: str) -> None:
    log, _ = CASES[name]

    assert core.differences("p", log) == []


def test_the_weaker_alarm_makes_no_sound_while_the_stronger_stands() -> None:
    log = every_second(0, 15, spo2=70)

    raised = reference.expected("p", log).transitions

    assert [(t.code, t.annunciate) for t in raised] == [
        ("spo2.desat", True),
        ("spo2.low", False),
    ]


def test_counts_are_of_messages() -> None:
    log = [vitals(1, hr=80), vitals(1, hr=80), vitals(0, hr=80), tick(2)]

    outcome = reference.expected("p", log)

    assert (outcome.messages, outcome.duplicates, outcome.late) == (3, 1, 1)


def wire(outcome: Outcome) -> list[bytes]:
    """An outcome as a worker would publish it."""
    return [
        json.dumps(
            {name: getattr(t, name) for name in reference.FIELDS}
            | {
                "alert_id": t.alert_id,
                "transition": t.transition,
                "patient_id": "p",
            }
        ).encode()
        for t in outcome.transitions
    ]


@pytest.fixture
def outcomes() -> dict[str, Outcome]:
    """An alarm that is raised and over."""
    return {
        "p": reference.expected("p", [vitals(0, nibp_sys=80), vitals(1, nibp_sys=95)])
    }


def test_the_right_alerts_show_no_difference_also_when_repeated(
    outcomes: dict[str, Outcome],
) -> None:
    alerts = wire(outcomes["p"])

    assert reference.compare(outcomes, [*alerts, *alerts]) == []


def test_each_sort_of_difference_is_said(outcomes: dict[str, Outcome]) -> None:
    raised, cleared = wire(outcomes["p"])
    unlike = raised.replace(b'"medium"', b'"low"')
    other_id = raised.replace(b":17000", b":17001")

    def said(*alerts: bytes) -> str:
        return "\n".join(reference.compare(outcomes, alerts))

    assert "missing" in said(raised)
    assert "priority is 'low', want 'medium'" in said(unlike, cleared)
    assert "not the same bytes" in said(raised, unlike, cleared)
    assert "two ids for one episode" in said(raised, other_id, cleared)
    assert "extra" in said(raised, cleared, other_id)
    assert "out of order" in said(cleared, raised)


def test_a_code_that_is_not_judged_is_left_out(outcomes: dict[str, Outcome]) -> None:
    alerts = wire(outcomes["p"])
    fault = [
        alert.replace(b"nibp_sys.low", b"bed.monitoring_fault") for alert in alerts
    ]

    assert reference.compare(outcomes, [*alerts, *fault]) != []
    assert (
        reference.compare(outcomes, [*alerts, *fault], {"bed.monitoring_fault"}) == []
    )


def test_a_log_is_read_from_the_records_of_the_topic() -> None:
    measured, passed = vitals(1, hr=0), tick(2)
    asked = acknowledge(3, "hr.asystole", 0)
    raw = [
        (json.dumps(measured.message).encode(), at(1), [("icu-replay", b"1")]),
        (b"no JSON", at(1), []),
        (b"[]", at(1), []),
        (json.dumps(passed.message).encode(), at(2), [("icu-tick", b"")]),
        (json.dumps(asked.message).encode(), at(3), [("icu-command", b"")]),
    ]

    logs = reference.logs(raw)

    replayed = Record(measured.message, at(1), "vitals", replay=True)
    assert logs == {"p": [replayed, passed, asked]}
