"""Who was monitored when, in steps of ten minutes: what rates by bed-day are divided by.

The worker states the scores of every patient who is monitored at least each minute
(docs/alarms.md, rule 32), so a patient was monitored in a step in which one statement of
it was heard. Of the past only samples are read: see `reading.py`.

Bounds: a week of steps a patient and bed, some 30 kB; 6 MB for 200 beds.
"""

from collections.abc import Iterator
from typing import NamedTuple


STEP_MS = 600_000
# As long as the burden's own hours: domain/burden.py, KEPT_HOURS.
STEPS = 168 * 6


class Stay(NamedTuple):
    """A patient in a bed."""

    patient_id: str
    bed: str


class Watched:
    """Steps of ten minutes by patient and bed."""

    def __init__(self) -> None:
        self._steps: dict[Stay, set[int]] = {}
        self._known: dict[int, int] = {}

    def see(self, patient_id: str, bed: str, time_ms: int, steps: int = 1) -> None:
        """A patient was monitored at a moment of measurement time.

        Args:
            patient_id: Who.
            bed: Where.
            time_ms: When.
            steps: For so many steps, this one the last, nothing else is looked at.
        """
        stay = Stay(patient_id, bed)
        known = self._steps.get(stay)
        if known is None:
            known = self._steps[stay] = set()
        last = time_ms // STEP_MS
        if steps == 1 and last in known:
            return
        for step in range(last - steps + 1, last + 1):
            # One object a step for all patients, not one each.
            known.add(self._known.setdefault(step, step))
        if len(known) > STEPS:
            first = max(known) - STEPS + 1
            known -= {step for step in known if step < first}
            self._known = {step: step for step in self._known if step >= first}

    def spans(self, since_ms: int) -> Iterator[tuple[Stay, int, int]]:
        """Stretches in which a patient lay in a bed without a gap, each in its order.

        Args:
            since_ms: Only what is after it.

        >>> watched = Watched()
        >>> for minute in (0, 3, 11, 45):
        ...     watched.see("p", "B1", minute * 60_000)
        >>> [(a // 60_000, b // 60_000) for _, a, b in watched.spans(5 * 60_000)]
        [(5, 20), (40, 50)]
        """
        for stay, known in list(self._steps.items()):
            begin = end = None
            for step in sorted(known):
                if (step + 1) * STEP_MS <= since_ms:
                    continue
                if step != end:
                    if begin is not None and end is not None:
                        yield stay, begin, end * STEP_MS
                    begin = max(step * STEP_MS, since_ms)
                end = step + 1
            if begin is not None and end is not None:
                yield stay, begin, end * STEP_MS
