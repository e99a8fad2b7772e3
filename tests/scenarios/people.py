"""Scenarios of what people say of alarms and of patients (rules 30 and 31)."""

from tests.scenarios.bed import Bed, Heard, story


@story(
    65,
    "Feedback is of an alarm that there was",
    "spo2 70; feedback on it, and on one that never was",
)
def feedback(bed: Bed) -> None:
    bed.at(0, spo2=70)
    good = bed.ask("feedback", "spo2.desat", actionable=True)
    never = bed.ask("feedback", alert_id="s65:hr.high:1", actionable=True)
    what = bed.ask("feedback", "spo2.desat")
    bed.answered(good)
    bed.answered(never, "no such alarm")
    bed.answered(what, "actionable is missing")

    def audited(heard: Heard) -> str | None:
        (answer,) = heard.answers[good]
        wanted = {"type": "feedback", "by": "rn-okafor", "actionable": True}
        wrong = {name: answer.get(name) for name in wanted} != wanted
        return f"answer {answer}" if wrong else None

    bed.holds("the answer says what was asked and by whom", audited)


@story(
    66,
    "An unknown profile is refused",
    "admit with a profile that nobody has",
)
def profile(bed: Bed) -> None:
    bed.calm(0, 2)
    number = bed.ask("admit", profile="nobody-has-this")
    bed.answered(number, "profile")
