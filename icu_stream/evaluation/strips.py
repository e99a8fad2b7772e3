"""Example strips: where two profiles disagree about an alarm of one patient.

Alarms of one code are the same episode when they hold at the same time. What has no
counterpart is gone or new; what has one that was raised at another moment came later or
earlier. Of each code and change a few are kept, chosen by a hash and not by their order,
so that they are typical and always the same.
"""

import zlib

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

import msgspec

from icu_stream.domain.limits import STRENGTH
from icu_stream.evaluation.logs import Record, Span
from icu_stream.evaluation.trial import Episode


# Ours: what fits a report that is read to its end.
MOST = 12
# Of one code and change, while parts are counted.
_KEPT = 2
# Around an episode, and at most of it (ours): 30 s, or six charted points; five minutes,
# or a day of hourly ones.
_AROUND_MS, _AROUND_POINTS = 30_000, 6
_LONGEST_MS, _LONGEST_POINTS = 300_000, 24
# Of a bed's alarm, which has no signal of its own, this one is shown.
_SHOWN = "hr"


class Change(StrEnum):
    """What became of an alarm."""

    GONE = "gone"
    NEW = "new"
    LATER = "later"
    EARLIER = "earlier"


class Candidate(msgspec.Struct, kw_only=True):
    """An alarm that is not the same under two profiles.

    Attributes:
        patient_id: Whose.
        part: In which part of the log.
        profile: Index of the profile that differs from the first one.
        code: Of the alarm.
        signal: What is shown.
        strength: Of its priority.
        change: What became of it.
        shift_ms: How much later it was raised; negative = earlier.
        from_ms: First moment that is shown, measurement time.
        to_ms: Last moment.
        before: Alarms of the signal in that time, under the first profile.
        after: And under the other.
        order: A hash.
    """

    patient_id: str
    part: int
    profile: int
    code: str
    signal: str
    strength: int
    change: Change
    shift_ms: int
    from_ms: int
    to_ms: int
    before: list[Episode]
    after: list[Episode]
    order: int

    @property
    def span(self) -> Span:
        """Where its samples are."""
        return Span(self.patient_id, self.from_ms, self.to_ms)


class Strip(msgspec.Struct, kw_only=True):
    """One example, with its samples.

    Attributes:
        candidate: What it shows.
        times: Measurement time of each sample, epoch ms.
        values: As measured, in the signal's unit.
    """

    candidate: Candidate
    times: list[int] = []
    values: list[float] = []


def candidates(
    patient_id: str,
    part: int,
    profile: int,
    before: Sequence[Episode],
    after: Sequence[Episode],
    *,
    interval_ms: int,
    log_end: int,
) -> Iterator[Candidate]:
    """The alarms of one patient that are not the same under two profiles.

    Args:
        patient_id: Whose.
        part: Index of the part.
        profile: Index of the second profile.
        before: Under the first profile.
        after: Under the second.
        interval_ms: Between two messages.
        log_end: The patient's last moment.
    """
    for episode, change, shift_ms in _changes(before, after, log_end):
        around = max(_AROUND_MS, _AROUND_POINTS * interval_ms)
        longest = max(_LONGEST_MS, _LONGEST_POINTS * interval_ms)
        last = min(episode.end(log_end), episode.onset + longest)
        signal = episode.signal or _SHOWN
        shown = Span(patient_id, episode.onset - around, last + around)
        key = f"{patient_id}:{episode.code}:{episode.onset}:{profile}"
        yield Candidate(
            patient_id=patient_id,
            part=part,
            profile=profile,
            code=episode.code,
            signal=signal,
            strength=STRENGTH[episode.priority],
            change=change,
            shift_ms=shift_ms,
            from_ms=shown.from_ms,
            to_ms=shown.to_ms,
            before=_within(before, episode, shown, log_end),
            after=_within(after, episode, shown, log_end),
            order=zlib.crc32(key.encode()),
        )


def _changes(
    before: Sequence[Episode], after: Sequence[Episode], log_end: int
) -> Iterator[tuple[Episode, Change, int]]:
    for episode in before:
        other = _counterpart(episode, after, log_end)
        if other is None:
            yield episode, Change.GONE, 0
        elif shift_ms := other.raised - episode.raised:
            change = Change.LATER if shift_ms > 0 else Change.EARLIER
            yield episode, change, shift_ms
    for episode in after:
        if _counterpart(episode, before, log_end) is None:
            yield episode, Change.NEW, 0


def _counterpart(
    episode: Episode, others: Sequence[Episode], log_end: int
) -> Episode | None:
    return next(
        (
            other
            for other in others
            if other.code == episode.code
            and other.onset <= episode.end(log_end)
            and episode.onset <= other.end(log_end)
        ),
        None,
    )


def _within(
    episodes: Sequence[Episode], about: Episode, shown: Span, log_end: int
) -> list[Episode]:
    """Alarms of the same signal (of a bed: of the same code) in what is shown."""
    return [
        episode
        for episode in episodes
        if (
            episode.signal == about.signal
            if about.signal
            else episode.code == about.code
        )
        and episode.onset <= shown.to_ms
        and episode.end(log_end) >= shown.from_ms
    ]


def fewest(found: Iterable[Candidate], most: int = _KEPT) -> list[Candidate]:
    """A few of each code and change; the same few, in whatever order they come."""
    groups: dict[tuple[int, str, str], list[Candidate]] = {}
    for candidate in found:
        key = (candidate.profile, candidate.code, str(candidate.change))
        groups.setdefault(key, []).append(candidate)
    return [
        candidate
        for key in sorted(groups)
        for candidate in sorted(groups[key], key=lambda c: (c.order, c.patient_id))[
            :most
        ]
    ]


def chosen(found: Iterable[Candidate], most: int = MOST) -> list[Candidate]:
    """Those to be shown, each code and change in its turn.

    Strongest first; of the same strength, what is gone before what comes later.
    """
    groups: dict[tuple[int, str, str], list[Candidate]] = {}
    for candidate in fewest(found, most):
        key = (candidate.profile, candidate.code, str(candidate.change))
        groups.setdefault(key, []).append(candidate)
    order = list(Change)
    turns = sorted(
        groups.values(),
        key=lambda own: (
            -own[0].strength,
            order.index(own[0].change),
            own[0].code,
            own[0].profile,
        ),
    )
    longest = max((len(own) for own in turns), default=0)
    taken = [own[turn] for turn in range(longest) for own in turns if turn < len(own)]
    return taken[:most]


def filled(
    wanted: Sequence[tuple[int, Candidate]], records: Iterable[object]
) -> dict[int, Strip]:
    """Give candidates their samples.

    Args:
        wanted: Candidates of one part, numbered.
        records: What was read of that part again.
    """
    strips = {number: Strip(candidate=candidate) for number, candidate in wanted}
    by_patient: dict[str, list[Strip]] = {}
    for strip in strips.values():
        by_patient.setdefault(strip.candidate.patient_id, []).append(strip)
    for record in records:
        if not isinstance(record, Record):
            continue
        for strip in by_patient.get(record.patient_id, ()):
            told = strip.candidate
            values = getattr(record.message, "values", {})
            value = values.get(told.signal)
            time = record.message.time
            # A text or a list is no point on a line; it is what `invalid` is about.
            if told.from_ms <= time <= told.to_ms and isinstance(value, int | float):
                strip.times.append(time)
                strip.values.append(float(value))
    for strip in strips.values():
        order = sorted(range(len(strip.times)), key=strip.times.__getitem__)
        strip.times = [strip.times[place] for place in order]
        strip.values = [strip.values[place] for place in order]
    return strips
