"""A backtest in words and rows: what the table on the screen and the report both say."""

import fnmatch
import itertools
import statistics

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from icu_stream.contracts.alerts import Kind, Priority
from icu_stream.contracts.signals import BY_CODE, Signal
from icu_stream.evaluation.backtest import ProfileResult, Result, Setting
from icu_stream.evaluation.outcomes import Knowledge
from icu_stream.evaluation.tally import CodeTally, Judged, ProfileTally


MINUTE_MS = 60_000
PRIORITIES = (Priority.HIGH, Priority.MEDIUM, Priority.LOW)
_UNITS = {"mm[Hg]": "mmHg", "Cel": "°C"}
# Beyond this spacing a delay of some seconds cannot be seen (ours: the longest delay of
# the adult profile is 20 s).
_CHARTED_S = 30.0


class Row(NamedTuple):
    """One figure of every profile.

    Attributes:
        name: What it is.
        cells: As a person reads it, in the order of the profiles.
        numbers: The same as numbers; None where there is none.
        is_part: It is a part of the row above it.
        is_harm: More of it is worse for patients, and not just for nerves.
    """

    name: str
    cells: list[str]
    numbers: list[float | None]
    is_part: bool = False
    is_harm: bool = False

    def is_worse(self, place: int) -> bool:
        """Does a profile do more harm than the first?"""
        before, after = self.numbers[0], self.numbers[place]
        return (
            self.is_harm and before is not None and after is not None and after > before
        )


def key_rows(result: Result) -> list[Row]:
    """What is compared first: alarms and annunciations a patient-day, and what they cost."""
    days = result.seen.days
    tallies = [profile.tally for profile in result.profiles]

    def rate(name: str, counts: Sequence[float], *, part: bool = False) -> Row:
        numbers = [per_day(count, days) for count in counts]
        return Row(name, [number(n) for n in numbers], [*numbers], part)

    rows = [rate("annunciations a patient-day", [t.annunciations() for t in tallies])]
    rows += [
        rate(str(priority), [t.annunciations(priority) for t in tallies], part=True)
        for priority in PRIORITIES
    ]
    rows.append(rate("alarms a patient-day", [t.alarms() for t in tallies]))
    rows += [
        rate(str(kind), [of_kind(t, kind) for t in tallies], part=True)
        for kind in Kind
        if any(of_kind(t, kind) for t in tallies)
    ]
    for name in ("any", "high", *Kind):
        minutes = [t.holding_ms.get(name, 0) / MINUTE_MS for t in tallies]
        if name == "any":
            rows.append(rate("minutes in alarm a patient-day", minutes))
        elif any(minutes):
            rows.append(rate(f"in {name} alarm", minutes, part=True))
    return rows + list(_judged_rows(result, [t.judged for t in tallies]))


def _judged_rows(result: Result, judged: Sequence[Judged | None]) -> Iterator[Row]:
    known = [one for one in judged if one is not None]
    if len(known) < len(judged):
        return
    kinds = sorted({what for one in known for what in one.total})
    for name, counts in (
        ("events caught", [one.caught for one in known]),
        ("events alarmed late", [one.late for one in known]),
        ("events missed", [one.missed for one in known]),
    ):
        sums = [sum(count.values()) for count in counts]
        totals = [sum(one.total.values()) for one in known]
        if name == "events alarmed late" and not any(sums):
            continue
        cells = [f"{n} of {total}" for n, total in zip(sums, totals, strict=True)]
        yield Row(
            name, cells, [float(n) for n in sums], is_harm=name != "events caught"
        )
    if result.knowledge is Knowledge.HOURS:
        for what in kinds:
            leads = [median_ms(one.lead_ms.get(what, [])) for one in known]
            yield Row(
                f"median lead before {what}",
                [span(lead) for lead in leads],
                [None if lead is None else lead / MINUTE_MS for lead in leads],
            )
    shares = [wrong_share(one) for one in known]
    yield Row(
        wrong_name(result),
        ["-" if share is None else f"{100 * share:.0f} %" for share in shares],
        [*shares],
    )


def wrong_name(result: Result) -> str:
    """What an alarm that the truth does not ask for is called, by what the truth is."""
    names = {
        Knowledge.STAYS: "audible alarms in stays that ended well",
        Knowledge.HOURS: "audible alarms with no event in the 12 h after",
    }
    if result.knowledge in names:
        return names[result.knowledge]
    return "false alarms, of those judged"


def wrong_share(judged: Judged) -> float | None:
    """Share of the alarms that nothing asked for, of those that can be judged."""
    wrong, right = sum(judged.wrong.values()), sum(judged.right.values())
    return wrong / (wrong + right) if wrong + right else None


def judged_cells(judged: Judged | None) -> list[str]:
    """Of one delay: events alarmed late, events missed, share of wrong alarms."""
    if judged is None:
        return ["", "", ""]
    share = wrong_share(judged)
    return [
        f"{sum(judged.late.values())}",
        f"{sum(judged.missed.values())}",
        "" if share is None else f"{100 * share:.0f} %",
    ]


def codes(result: Result) -> list[str]:
    """Codes of alarms, the most annunciated of any profile first."""
    most: dict[str, int] = {}
    for profile in result.profiles:
        for code, tally in profile.tally.codes.items():
            count = sum(tally.annunciations.values()) + sum(tally.alarms.values())
            most[code] = max(most.get(code, 0), count)
    return sorted(most, key=lambda code: (-most[code], code))


def is_same(result: Result, code: str) -> bool:
    """Did every profile alarm this code alike?"""
    tallies = [profile.tally.codes.get(code) for profile in result.profiles]
    return all(tally == tallies[0] for tally in tallies)


def code_tally(profile: ProfileResult, code: str) -> CodeTally | None:
    """A code's counts; None when the profile never said it."""
    return profile.tally.codes.get(code)


def event_names(result: Result) -> list[str]:
    """Events of alarms, whatever there are, in the order of their names."""
    return sorted({e for p in result.profiles for e in p.tally.events()})


def differing(result: Result) -> list[tuple[str, list[Setting | None]]]:
    """Limits that are not the same in all profiles, by code."""
    own = [{s.code: s for s in profile.settings} for profile in result.profiles]
    names = dict.fromkeys(code for settings in own for code in settings)
    rows = [(code, [settings.get(code) for settings in own]) for code in names]
    return [(code, found) for code, found in rows if len({*map(_numbers, found)}) > 1]


def _numbers(setting: Setting | None) -> tuple[object, ...]:
    if setting is None:
        return ()
    return (setting.condition, setting.limit, setting.delay_s, setting.priority)


def in_words(setting: Setting | None) -> str:
    """A limit as a person says it.

    >>> from icu_stream.domain.limits import Condition
    >>> in_words(Setting(code="spo2.low", signal="spo2", condition=Condition.LOW,
    ...     limit=90, delay_s=15, priority=Priority.MEDIUM, source=""))
    'below 90 % for 15 s, medium'
    """
    if setting is None:
        return "none"
    side = {"low": "below ", "high": "above ", "zero": ""}[setting.condition]
    delay = f" for {setting.delay_s:g} s" if setting.delay_s else ", at once"
    return f"{side}{setting.limit:g} {unit(BY_CODE[setting.signal])}{delay}, {setting.priority}"


def unit(signal: Signal) -> str:
    """A signal's unit as on a monitor."""
    return _UNITS.get(signal.unit, signal.unit)


# --- what the data can show


def notes(result: Result, *, truth: bool = True) -> list[str]:
    """What this log can and cannot show, for whoever reads the figures.

    Args:
        result: Of `backtest.run`.
        truth: Say what is known of the patients, too; False where the caller does.
    """
    return list(
        itertools.chain(
            _about_spacing(result),
            _about_people(result),
            _about_truth(result) if truth else (),
            _about_curves(result),
        )
    )


def _about_spacing(result: Result) -> Iterator[str]:
    seen = result.seen
    spacing_s = seen.typical_spacing_s()
    if spacing_s > _CHARTED_S:
        told = (
            "an hour or more" if spacing_s >= 3600 else f"up to {spacing_s / 60:g} min"
        )
        yield (
            f"The data is charted: between two messages of a patient there is mostly {told}, longer than any delay of a "
            "limit. A limit with a delay is alarmed at the second violating value in a row, however long or short the delay; "
            "one without, at the first. So this log can compare limits, but not lengths of delays."
        )
        yield (
            "Charted values have been looked at by a person. Artefacts, and whatever lasted seconds, are mostly not in them: the "
            "figures are far below what a monitor at the bed would alarm."
        )
        no_data = sum(
            sum(tally.alarms.values())
            for code, tally in result.profiles[0].tally.codes.items()
            if code.endswith(".no_data")
        )
        alarms = result.profiles[0].tally.alarms()
        if alarms and no_data > 0.2 * alarms:
            yield (
                f"{100 * no_data / alarms:.0f} % of the alarms say that a signal was not charted for longer than 2.5 times the spacing of the "
                "record. That is how people chart; a monitor would have gone on measuring."
            )
    elif spacing_s:
        yield (
            f"There is mostly {spacing_s:g} s or less between two messages of a patient: differences of delays from that length on can be seen."
        )


def _about_people(result: Result) -> Iterator[str]:
    if not result.seen.commands:
        yield (
            "Nobody acknowledges anything here. So escalations come as if nobody had, reminders never come, and a high alarm that went "
            "away stays latched until the next of its code; minutes in alarm count only while the condition holds."
        )
    else:
        answers = [
            f"{profile.label}: {profile.tally.answers.get('accepted', 0)} done, "
            f"{profile.tally.answers.get('refused', 0)} refused"
            for profile in result.profiles
        ]
        yield (
            f"{result.seen.commands} commands of people are in it and were given to every profile ({'; '.join(answers)}). A command about an "
            "alarm that a profile never raised is refused; what people would have done instead, nobody knows."
        )
    if result.is_live:
        yield (
            "What was before the range is not known: what was already active when it begins counts as raised, and limits set by hand "
            "before it are not in force. Where the range ends, time passes until its end, so a bed that has fallen silent is alarmed."
        )
    else:
        yield "The end of a record is not silence: what falls due after the last message is not counted."


def _about_truth(result: Result) -> Iterator[str]:
    judged = [profile.tally.judged for profile in result.profiles]
    known = next((one for one in judged if one is not None), None)
    if known is None:
        yield (
            "It is not known what became of these patients, so there are no events caught or missed, no lead times and no false alarms: "
            "fewer alarms are not yet better alarms."
        )
    elif result.knowledge is Knowledge.STAYS:
        ill, well = known.patients.get("with", 0), known.patients.get("without", 0)
        yield (
            f"Known is only how each stay ended ({result.outcomes}: {ill} of {ill + well}), not when. So there is no lead time; a stay is "
            "caught when it has any audible alarm of the patient, which is a low bar: "
            + "; ".join(
                f"{profile.label} alarmed {one.patients.get('alarmed_with', 0)} of {ill} that ended badly and "
                f"{one.patients.get('alarmed_without', 0)} of {well} that did not"
                for profile, one in zip(result.profiles, judged, strict=True)
                if one is not None
            )
            + "."
        )
    elif result.knowledge is Knowledge.TRUTH:
        yield (
            f"Known is what was simulated ({result.outcomes}): which alarms each story must bring by the adult profile's delays, and which it may. "
            "An alarm outside of every story of its bed is not judged. Stories are far more frequent than in life, and so are their alarms."
        )
    else:
        ill, well = known.patients.get("with", 0), known.patients.get("without", 0)
        yield (
            f"Known is {result.outcomes}, in {ill} of {ill + well} stays. An event is caught by an audible alarm of the patient in the 12 h before "
            "it; an alarm followed by no such event is not therefore false: it may have been about something else. The onset is taken to be 6 h "
            "after the label begins, as the labels of this table span 6 h before to 6 h after."
        )


def _about_curves(result: Result) -> Iterator[str]:
    for curve in result.curves:
        sweep = curve.sweep
        beyond = [
            setting.code
            for setting in result.profiles[0].settings
            if fnmatch.fnmatchcase(setting.code, sweep.codes)
            and setting.longest_delay_s is not None
            and max(sweep.values) * (setting.delay_s if sweep.is_scale else 1)
            > setting.longest_delay_s
        ]
        if beyond:
            yield (
                f'The curve "{sweep.title}" asks about delays that no profile may have: longer than the longest allowed of '
                f"{', '.join(beyond)}."
            )


# --- numbers


def of_kind(tally: ProfileTally, kind: Kind) -> int:
    """Alarms of one kind."""
    return sum(
        sum(code.alarms.values()) for code in tally.codes.values() if code.kind is kind
    )


def per_day(count: float, days: float) -> float:
    """A rate; 0 where nothing was monitored."""
    return count / days if days else 0.0


def number(value: float) -> str:
    """Three digits, and no more than anybody can use.

    >>> number(1234.5), number(123.45), number(1.2345), number(0.01234)
    ('1,234', '123', '1.23', '0.01')
    """
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def change(before: float | None, after: float | None) -> str:
    """What became of a figure, in percent.

    >>> change(4.0, 3.0), change(4.0, 4.0), change(0.0, 3.0)
    ('-25 %', 'same', '')
    """
    if before is None or after is None:
        return ""
    if before == after:
        return "same"
    return f"{100 * (after - before) / before:+.0f} %" if before else ""


def median_ms(values: Sequence[int]) -> float | None:
    """The middle of them; None of none."""
    return statistics.median(values) if values else None


def span(ms: float | None) -> str:
    """How long, as a person says it.

    >>> span(26_000), span(26 * 60_000), span(7.5 * 3_600_000), span(None)
    ('26 s', '26 min', '7.5 h', '-')
    """
    if ms is None:
        return "-"
    if abs(ms) < 120_000:
        return f"{ms / 1000:g} s"
    if abs(ms) < 7_200_000:
        return f"{ms / 60_000:.0f} min"
    return f"{ms / 3_600_000:.1f} h"
