"""What is true of a simulated ward: which alarms must come, may come, and must not.

It follows from the stories and docs/alarms.md alone and knows nothing of the code that
raises alarms, so it can judge it.
"""

import itertools

from collections.abc import Iterator

import msgspec

from icu_stream.contracts.alerts import Priority
from icu_stream.contracts.signals import INDEX
from icu_stream.sources.beds import Happening, Ward
from icu_stream.sources.story import Must


# An alarm may come this much later than story and delay say: a sample.
SLACK_S = 1
# A suspect sample holds a medium or low alarm back by so much (CLINICAL.md,
# "Corroboration and artefact"); stories that begin abruptly have such samples.
HELD_BACK_S = 10
# After a story ends, what it explains may still come for so long (ours).
SETTLE_S = 30


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm that must be raised; when its `raised` alert happens, epoch ms UTC."""

    code: str
    priority: Priority
    earliest: int
    latest: int


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What the alarms of one patient must be while one story lasts.

    A physiological or technical alarm that is raised from `start` to `end` and is in
    neither `must` nor `may` is wrong. Where nothing happens, `story` is empty and every
    alarm is wrong.

    Attributes:
        patient_id: Whose.
        bed: Where.
        story: Name of the story.
        start: First moment of it, epoch ms UTC.
        end: Last moment at which something of it may be raised; None = for ever.
        must: Alarms that must be raised at least once.
        may: Codes that may be raised; a `*` at the end stands for anything.
        must_not: Codes that would be most wrong.
    """

    patient_id: str
    bed: str
    story: str
    start: int
    end: int | None = None
    must: list[Expected] = []
    may: list[str] = []
    must_not: list[str] = []

    def allows(self, code: str) -> bool:
        """May this alarm be raised?"""
        return any(
            code.startswith(known[:-1]) if known.endswith("*") else code == known
            for known in (*self.may, *(expected.code for expected in self.must))
        )


def truth(
    ward: Ward, *, until_s: int | None = None, live: bool = False
) -> Iterator[tuple[int, Truth]]:
    """The truth about a ward, in the order of the stories' start; endless when they loop.

    Args:
        ward: With its start.
        until_s: The ward ends before this second: what would come later need not.
        live: Are messages sent as they are measured? In a replay nobody can see that a
            device's clock has jumped.

    Yields:
        The second at which a story begins, and what is true of it.
    """
    eventful = {happening.bed for happening in ward.happenings}
    for bed in range(ward.beds):
        if bed + 1 not in eventful:
            yield (
                0,
                Truth(
                    patient_id=ward.patient_id(bed),
                    bed=ward.bed_name(bed),
                    story="",
                    start=ward.time_ms(bed, 0),
                    must_not=["*"],
                ),
            )
    for happening in _in_order(ward):
        if until_s is not None and happening.at_s >= until_s:
            return
        yield happening.at_s, _of(ward, happening, until_s, live)


def _in_order(ward: Ward) -> Iterator[Happening]:
    if ward.period_s is None or not ward.happenings:
        yield from ward.happenings
        return
    for shift_s in itertools.count(0, ward.period_s):
        for happening in ward.happenings:
            yield happening._replace(at_s=happening.at_s + shift_s)


def _of(ward: Ward, happening: Happening, until_s: int | None, live: bool) -> Truth:
    story, bed = happening.story, happening.bed - 1
    must: list[Expected] = []
    may = list(story.may)
    for wanted in story.must:
        if not ward.signals[INDEX[wanted.signal], bed]:
            continue
        if wanted.signal in story.leads_only and ward.ventilated[bed]:
            continue
        window = _window(ward, happening, wanted)
        seen = not story.clock_ms or live
        if window is None or not seen or (until_s is not None and window[1] > until_s):
            may.append(wanted.code)
            continue
        must.append(
            Expected(
                code=wanted.code,
                priority=wanted.priority,
                earliest=ward.time_ms(bed, window[0]),
                latest=ward.time_ms(bed, window[1]),
            )
        )
    return Truth(
        patient_id=ward.patient_id(bed),
        bed=ward.bed_name(bed),
        story=story.name,
        start=ward.time_ms(bed, happening.at_s),
        end=ward.time_ms(bed, happening.at_s + happening.duration_s + SETTLE_S),
        must=must,
        may=may,
        must_not=list(story.must_not),
    )


def _window(ward: Ward, happening: Happening, wanted: Must) -> tuple[int, int] | None:
    """Seconds between which an alarm must come; None when it need not."""
    story, bed = happening.story, happening.bed - 1
    risen_s = happening.at_s + story.rise * wanted.crossed * happening.duration_s
    holds_s = happening.at_s + (1 - story.fall) * happening.duration_s
    slack_s = SLACK_S
    if story.act and story.rise == 0 and wanted.priority != Priority.HIGH:
        slack_s += HELD_BACK_S
    if ward.every_s[INDEX[wanted.signal], bed] > 1:
        # Measured now and then: the first reading at the height of the story decides.
        for t in range(int(risen_s) + 1, int(holds_s)):
            if ward.measures(wanted.signal, bed, t):
                return happening.at_s, t + slack_s
        return None
    if risen_s + wanted.after_s + 1 > holds_s:
        return None
    return (
        int(happening.at_s + wanted.after_s),
        int(risen_s + wanted.after_s) + slack_s,
    )
