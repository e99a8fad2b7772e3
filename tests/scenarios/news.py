"""Scenarios of NEWS2 (rule 32). Source: Royal College of Physicians, NEWS2, 2017."""

from typing import Any

from tests.scenarios.bed import HIGH, LOW, Bed, between, story


def points(scores: dict[str, Any]) -> dict[str, int]:
    """The points of each input that is there."""
    news2 = scores.get("news2") or {"inputs": {}}
    return {name: row["points"] for name, row in news2["inputs"].items()}


@story(
    6,
    "No reading falls between two bands",
    "spo2 91.5 and hr 40.5 for 30 s: they score as 92 (2) and 41 (1)",
)
def between_bands(bed: Bed) -> None:
    bed.every(0, 30, spo2=91.5, hr=40.5)
    bed.scored(
        "spo2 2 points, pulse 1 point",
        lambda said: points(said).get("spo2") == 2 and points(said).get("pulse") == 1,
    )


@story(
    7,
    "A missing parameter does not score 0",
    "no temperature and no ACVPU: the score says 'at least', from 4 of 7",
)
def missing(bed: Bed) -> None:
    bed.every(0, 30, rr=22, without=("temp",))
    bed.scored(
        "rr 2 points, 4 of 7 inputs, no temp and no acvpu among them",
        lambda said: (
            points(said) == {"rr": 2, "spo2": 0, "sys": 0, "pulse": 0}
            and said["news2"]["completeness"] == 4
        ),
    )


@story(
    67,
    "A band that rises and stays is one alarm",
    "hr 135, rr 26, spo2 95 (3 + 3 + 1 points) for 5 min",
)
def emergency(bed: Bed) -> None:
    bed.calm(0, 29)
    bed.every(30, 330, hr=135, rr=26, spo2=95)
    bed.expect(between(90, 110), "bed.news2_emergency", HIGH)
    bed.one_alarm("bed.news2_emergency")


@story(
    68,
    "What a nurse charts counts, and who charted it is known",
    "acvpu V, then an unknown value",
)
def charted(bed: Bed) -> None:
    bed.calm(0, 15)
    good = bed.ask("observe", acvpu="V", on_oxygen=True)
    wrong = bed.ask("observe", values={"mood": 3})
    bed.calm(25, 40)
    bed.answered(good)
    bed.answered(wrong, "mood")
    bed.scored(
        "acvpu 3 points, on_oxygen 2 points",
        lambda said: (
            points(said).get("acvpu") == 3 and points(said).get("on_oxygen") == 2
        ),
    )


@story(
    69,
    "A single red score is a low alarm by itself",
    "rr 8 for 2 min, all else normal",
)
def single(bed: Bed) -> None:
    bed.calm(0, 9)
    bed.every(10, 130, rr=8)
    bed.expect(between(70, 90), "bed.news2_single", LOW)
    bed.never("bed.news2_urgent", "bed.news2_emergency")
