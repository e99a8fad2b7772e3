"""Scenarios of the limits of one patient (rule 29)."""

from tests.scenarios.bed import HIGH, MEDIUM, Bed, at, between, story


@story(
    61,
    "A limit of one patient holds for that patient, and says whose hand it was",
    "hr.high to 135; hr 130 for 15 s; taken back; hr 130 goes on",
)
def own_limit(bed: Bed) -> None:
    bed.calm(0, 5)
    moved = bed.ask(
        "set_limits", limits=[{"code": "hr.high", "limit": 135}], reason="known AF"
    )
    bed.every(15, 30, hr=130)
    back = bed.ask("reset_limits")
    bed.every(40, 50, hr=130)
    bed.answered(moved)
    bed.answered(back)
    bed.expect(at(46), "hr.high", MEDIUM, limit=120.0)
    bed.one_alarm("hr.high")


@story(
    62,
    "What is dangerous cannot be set, and the answer says why",
    "no reason; asystole moved; a limit beyond its range; low below extreme; no such code",
)
def refused_limits(bed: Bed) -> None:
    bed.calm(0, 5)

    def ask(code: str, limit: float, **fields: str) -> int:
        return bed.ask("set_limits", limits=[{"code": code, "limit": limit}], **fields)

    why = {"reason": "known"}
    bed.answered(ask("hr.high", 130), "reason is missing")
    bed.answered(ask("hr.asystole", 20, **why), "a zero cannot be moved")
    bed.answered(ask("spo2.desat", 1, **why), "outside its range")
    bed.answered(ask("hr.low", 35, **why), "")
    bed.answered(ask("no.such", 1, **why), "")
    bed.every(15, 20, hr=0, without=("abp_sys", "abp_dia", "abp_mean"))
    bed.expect(at(19), "hr.asystole", HIGH)


@story(
    63,
    "A limit of one patient ends by itself",
    "hr.high to 135 for 6 s on the wall; hr 130 before and after",
)
def expires(bed: Bed) -> None:
    bed.is_live = True
    bed.calm(0, 5)
    moved = bed.ask(
        "set_limits",
        limits=[{"code": "hr.high", "limit": 135}],
        reason="known AF",
        expires=lambda now_ms: now_ms + 6000,
    )
    bed.every(6, 7, hr=130)
    bed.wait(8)
    bed.every(18, 28, hr=130)
    bed.answered(moved)
    bed.one_alarm("hr.high")


@story(
    64,
    "Limits are proposed, and nothing changes until a person says yes",
    "31 min of hr 80; a proposal; hr 105 for 10 s; the proposal taken; hr 105",
)
def proposal(bed: Bed) -> None:
    bed.calm(0, 1860)
    early = bed.ask("propose_limits")
    bed.every(1870, 1880, hr=105)
    taken = bed.ask("set_limits", proposal="s64-1", reason="as proposed")
    bed.every(1890, 1900, hr=105)
    bed.answered(early)
    bed.answered(taken)
    bed.expect(between(1890, 1900), "hr.high", MEDIUM, limit=100.0)
    bed.one_alarm("hr.high")
