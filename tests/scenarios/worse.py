"""Scenarios of what gets worse, of pauses, and of what flaps (rules 26 to 28)."""

from tests.scenarios.bed import (
    ANSWER_S,
    HIGH,
    LOW,
    MEDIUM,
    Bed,
    Event,
    Heard,
    at,
    between,
    story,
)


@story(
    8,
    "What gets worse is announced again, acknowledged, paused or just told",
    "rr 33, acknowledged; rr 40; a pause; rr 47, then spo2 70",
)
def worsening(bed: Bed) -> None:
    bed.every(0, 20, rr=33)
    seen = bed.ask("acknowledge", "rr.high")
    bed.every(30, 32, rr=40)
    paused = bed.ask("pause", seconds=60, reason="suction")
    bed.every(42, 44, rr=47)
    bed.at(45, rr=47, spo2=70)
    bed.answered(seen)
    bed.answered(paused)
    bed.expect(at(14), "rr.high", MEDIUM, annunciate=True)
    bed.expect(at(30), "rr.high", MEDIUM, Event.WORSENED, annunciate=True)
    bed.expect(at(42), "rr.high", MEDIUM, Event.WORSENED, annunciate=True)
    bed.expect(at(45), "spo2.desat", HIGH, annunciate=True)


@story(
    18,
    "A pause ends at its moment, also when the worker was down then",
    "a pause of 5 s; kill -9; 6 s later a start",
)
def pause_over_a_restart(bed: Bed) -> None:
    bed.calm(0, 5)
    paused = bed.ask("pause", seconds=5, reason="turning")
    bed.worker_is_killed(down_s=6)
    bed.calm(30, 40)
    bed.answered(paused)
    bed.expect(between(5, 5 + ANSWER_S), "bed.pause", LOW, Event.PAUSED, by="rn-okafor")

    def exact(heard: Heard) -> str | None:
        times = {
            row["event"]: row["time"]
            for row in heard.alerts
            if row["code"] == "bed.pause" and row["event"] != "standing"
        }
        if times.keys() != {"paused", "resumed"}:
            return f"events {sorted(times)}"
        lasted = times["resumed"] - times["paused"]
        return None if lasted == 5000 else f"lasted {lasted} ms"

    bed.holds("bed.pause resumed exactly 5 s after it began", exact)


@story(
    49,
    "A pause silences what is not high; a high alarm breaks through",
    "a pause; hr 130 for 8 s; spo2 70; resume",
)
def breaks_through(bed: Bed) -> None:
    bed.calm(0, 5)
    paused = bed.ask("pause", reason="suction")
    bed.every(15, 23, hr=130)
    bed.at(24, hr=130, spo2=70)
    over = bed.ask("resume")
    bed.answered(paused)
    bed.answered(over)
    bed.expect(at(21), "hr.high", MEDIUM, annunciate=False)
    bed.expect(at(24), "spo2.desat", HIGH, annunciate=True)
    bed.expect(
        between(24, 24 + ANSWER_S), "hr.high", MEDIUM, Event.REMINDED, annunciate=True
    )


@story(
    50,
    "No pause is longer than allowed, without a reason, or on top of another",
    "pauses of 121 s, without a reason, of 60 s, and one more",
)
def pauses_refused(bed: Bed) -> None:
    bed.calm(0, 2)
    long = bed.ask("pause", seconds=121, reason="rest")
    why = bed.ask("pause", seconds=60)
    good = bed.ask("pause", seconds=60, reason="suction")
    more = bed.ask("pause", seconds=60, reason="suction")
    bed.answered(long, "120")
    bed.answered(why, "reason is missing")
    bed.answered(good)
    bed.answered(more, "paused already")


@story(
    51,
    "A pause ends by itself, and what still holds is said again",
    "a pause of 20 s; hr 130 for 40 s",
)
def pause_ends(bed: Bed) -> None:
    bed.calm(0, 5)
    paused = bed.ask("pause", seconds=20, reason="suction")
    bed.every(15, 50, hr=130)
    bed.answered(paused)
    bed.expect(at(21), "hr.high", MEDIUM, annunciate=False)
    bed.expect(between(25, 25 + ANSWER_S), "bed.pause", LOW, Event.RESUMED)
    bed.expect(
        between(25, 25 + ANSWER_S), "hr.high", MEDIUM, Event.REMINDED, annunciate=True
    )


@story(
    52,
    "What flaps is one chattering alarm, not many",
    "temp 39.5 for a second in each seven, six times; then 37",
)
def chattering(bed: Bed) -> None:
    for second in range(130):
        flaps = second % 7 == 0 and second < 42
        bed.at(second, temp=39.5 if flaps else 37.0)
    for second in (0, 7, 14, 21):
        bed.expect(at(second), "temp.high", LOW)
    bed.one_alarm("temp.high", episodes=4)
    # Inside since 36 s, for 60 s.
    bed.expect(at(96), "temp.high", LOW, Event.CLEARED)


@story(
    53,
    "19 % worse is the same alarm, 20 % is a worsening",
    "rr 31 for 15 s; 36.9; 37",
)
def worse_edge(bed: Bed) -> None:
    bed.every(0, 15, rr=31)
    bed.every(16, 18, rr=36.9)
    bed.at(19, rr=37)
    bed.expect(at(19), "rr.high", MEDIUM, Event.WORSENED, annunciate=True)
    bed.no_other(Event.WORSENED, "rr.high", count=1)
