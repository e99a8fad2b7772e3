"""A backtest as one HTML file: nothing in it is fetched from anywhere.

It says first what is compared and what the data can show, then the figures, then where
they come from, down to single alarms of single patients.
"""

from collections.abc import Iterator, Sequence
from html import escape
from importlib import resources

from icu_stream import __version__
from icu_stream.contracts.signals import BY_CODE
from icu_stream.evaluation import findings, svg
from icu_stream.evaluation.backtest import Curve, Result
from icu_stream.evaluation.findings import PRIORITIES, number, per_day
from icu_stream.evaluation.outcomes import Knowledge
from icu_stream.evaluation.strips import Change, Strip
from icu_stream.evaluation.svg import Line, Shown
from icu_stream.evaluation.tally import Judged


# Codes in the table, rows of the drawing of leads (ours); all of it is in the JSON.
_MOST_CODES = 20
_MOST_LEADS = 24
_STYLES = 4
_CHANGES = {
    Change.GONE: "not alarmed under",
    Change.NEW: "only alarmed under",
    Change.LATER: "later under",
    Change.EARLIER: "earlier under",
}
_SOURCE = "Görges et al., Anesth Analg 2009;108:1546"
# Delay, and what is left of ignored and ineffective alarms, of one: the source above.
_PUBLISHED = ((14.0, 0.50), (19.0, 0.33))


def html(result: Result) -> str:
    """The report.

    Args:
        result: Of `backtest.run`.
    """
    title = "What-if: " + " against ".join(p.label for p in result.profiles)
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">{escape(_read(result))}</p>',
        *_key_figures(result),
        *_section("What these data can and cannot show", _notes(result)),
        *_section("What differs between the profiles", _differences(result)),
        *_section("Alarms by code", _codes(result)),
        *_section("Delay against alarms", _curves(result)),
        *_section("Events", _events(result)),
        *_section("Examples that changed", _strips(result)),
        *_section("Everything that was said", _said(result)),
    ]
    style = resources.files(__package__) / "assets" / "report.css"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title>"
        f"<style>{style.read_text('utf-8')}</style></head>\n<body>"
        + "\n".join(parts)
        + f"<footer>icu-stream {__version__}, <code>icu-stream backtest</code>. A secondary notification and analysis "
        "system, not a medical device. A backtest proposes; limits are set by a named person.</footer></body></html>\n"
    )


def _read(result: Result) -> str:
    seen = result.seen
    commands = f", {seen.commands:,} commands" if seen.commands else ""
    return (
        f"{result.source}: {seen.patients:,} patients, {number(seen.days)} patient-days, "
        f"{seen.messages:,} messages with {seen.values:,} values{commands}."
    )


def _section(title: str, inside: Iterator[str]) -> Iterator[str]:
    """A heading and what is under it; neither where there is nothing."""
    text = "\n".join(inside)
    if text:
        yield f"<h2>{escape(title)}</h2>\n{text}"


def _style(index: int) -> str:
    return f"p{index % _STYLES}"


def _headings(result: Result, first: str) -> str:
    cells = "".join(
        f'<th class="{_style(n)}"><b>{escape(p.label)}</b></th>'
        for n, p in enumerate(result.profiles)
    )
    return f"<thead><tr><th>{escape(first)}</th>{cells}</tr></thead>"


def _key_figures(result: Result) -> Iterator[str]:
    yield f'<div class="scroll"><table>{_headings(result, "")}<tbody>'
    for row in findings.key_rows(result):
        cells = []
        for place, cell in enumerate(row.cells):
            told = findings.change(row.numbers[0], row.numbers[place]) if place else ""
            small = (
                f"<br><small>{escape(told)}</small>" if told and not row.is_part else ""
            )
            worse = ' class="worse"' if row.is_worse(place) else ""
            cells.append(f"<td{worse}>{escape(cell)}{small}</td>")
        style = ' class="part"' if row.is_part else ""
        yield f"<tr{style}><td>{escape(row.name)}</td>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"


def _notes(result: Result) -> Iterator[str]:
    yield '<ul class="notes">'
    for note in findings.notes(result):
        yield f"<li>{escape(note)}</li>"
    seen = result.seen
    if seen.unreadable:
        reasons = "; ".join(seen.reasons)
        yield (
            f"<li>{seen.unreadable:,} records could not be read; the worker sends such records to dead-letters. "
            f"The first: {escape(reasons)}.</li>"
        )
    faults = sum(profile.tally.faults for profile in result.profiles)
    if faults:
        yield f"<li>On {faults:,} records a rule raised: see <code>bed.monitoring_fault</code>.</li>"
    yield "</ul>"


def _differences(result: Result) -> Iterator[str]:
    if len(result.profiles) < 2:
        return
    rows = findings.differing(result)
    if not rows:
        yield "<p>No limit, delay or priority of a limit: the profiles differ in nothing that this table shows.</p>"
        return
    yield f'<div class="scroll"><table>{_headings(result, "alarm")}<tbody>'
    for code, settings in rows:
        cells = "".join(f"<td>{escape(findings.in_words(s))}</td>" for s in settings)
        yield f"<tr><td><code>{escape(code)}</code></td>{cells}</tr>"
    yield "</tbody></table></div>"


def _codes(result: Result) -> Iterator[str]:
    codes = findings.codes(result)
    days = result.seen.days
    most = max(
        (
            sum(tally.annunciations.values())
            for profile in result.profiles
            for tally in profile.tally.codes.values()
        ),
        default=0,
    )
    yield (
        f"<p>{_keys('high', 'medium', 'low')} Bars: annunciations, all on one scale. Figures: a patient-day.</p>"
        '<div class="scroll"><table><thead><tr><th>alarm</th><th></th><th></th><th>annun-<br>ciations</th>'
        "<th>alarms</th><th>minutes</th></tr></thead>"
    )
    for code in codes[:_MOST_CODES]:
        yield '<tbody class="code">'
        same = len(result.profiles) > 1 and findings.is_same(result, code)
        for place, profile in enumerate(result.profiles[: 1 if same else None]):
            tally = findings.code_tally(profile, code)
            sounds = {} if tally is None else tally.annunciations
            parts = [(str(p), float(sounds.get(p, 0))) for p in PRIORITIES]
            figures = (
                sum(sounds.values()),
                0 if tally is None else sum(tally.alarms.values()),
                0 if tally is None else tally.holding_ms / findings.MINUTE_MS,
            )
            cells = "".join(f"<td>{number(per_day(f, days))}</td>" for f in figures)
            name = f"<code>{escape(code)}</code>" if place == 0 else ""
            whose = (
                '<td class="words"><small>no difference</small></td>'
                if same
                else f'<td class="words {_style(place)}"><b>{escape(profile.label)}</b></td>'
            )
            yield (
                f"<tr><td>{name}</td>{whose}"
                f'<td class="bar">{svg.stack(parts, float(most))}</td>{cells}</tr>'
            )
        yield "</tbody>"
    yield "</table></div>"
    if len(codes) > _MOST_CODES:
        yield f"<p>{len(codes) - _MOST_CODES} rarer codes are not shown; they are in the JSON.</p>"


def _keys(*names: str) -> str:
    keys = (f'<span class="key {name}"></span>{name}' for name in names)
    return f'<span class="keys">{"".join(keys)}</span>'


def _curves(result: Result) -> Iterator[str]:
    for curve in result.curves:
        yield f"<h3>{escape(curve.label)}: {escape(curve.sweep.title)}</h3>"
        yield f"<figure>{_curve(curve, result.seen.days)}"
        if _is_published(curve):
            yield f"<figcaption>Crosses: what is left of ignored and ineffective alarms, {_SOURCE}.</figcaption>"
        yield "</figure>"
        yield from _curve_table(curve, result)


def _is_published(curve: Curve) -> bool:
    """Were all delays set to the same seconds, from none on, as in the publication?"""
    sweep = curve.sweep
    return sweep.codes == "*" and not sweep.is_scale and sweep.values[0] == 0


def _curve(curve: Curve, days: float) -> str:
    lines = [
        Line("annunciations", "p0", []),
        Line("alarms", "p1", []),
        Line("high alarms", "p3", []),
    ]
    for point in curve.points:
        counts = (
            point.tally.annunciations(),
            point.tally.alarms(),
            point.tally.alarms(PRIORITIES[0]),
        )
        for line, count in zip(lines, counts, strict=True):
            line.points.append((point.x, per_day(count, days)))
    marks = []
    if _is_published(curve):
        full = lines[0].points[0][1]
        longest = curve.points[-1].x
        marks = [
            (x, full * left, f"{100 * left:.0f} %")
            for x, left in _PUBLISHED
            if x <= longest
        ]
    unit = "times its own delay" if curve.sweep.is_scale else "seconds of delay"
    return svg.chart(lines, x_name=unit, y_name="a patient-day", marks=marks)


def _curve_table(curve: Curve, result: Result) -> Iterator[str]:
    days = result.seen.days
    judged = result.knowledge is not None
    more = "<th>events late</th><th>events missed</th><th>wrong</th>" if judged else ""
    yield (
        f'<div class="scroll"><table><thead><tr><th>delay</th><th>annunciations a day</th><th></th>'
        f"<th>alarms a day</th><th>minutes in alarm a day</th>{more}</tr></thead><tbody>"
    )
    first = curve.points[0].tally.annunciations()
    for point in curve.points:
        tally = point.tally
        sounds = tally.annunciations()
        minutes = tally.holding_ms.get("any", 0) / findings.MINUTE_MS
        cells = [
            number(per_day(sounds, days)),
            f"<small>{findings.change(first, sounds)}</small>",
            number(per_day(tally.alarms(), days)),
            number(per_day(minutes, days)),
        ]
        if judged:
            cells += findings.judged_cells(tally.judged)
        told = "".join(f"<td>{cell}</td>" for cell in cells)
        yield f"<tr><td>{point.x:g} {curve.sweep.unit}</td>{told}</tr>"
    yield "</tbody></table></div>"


def _events(result: Result) -> Iterator[str]:
    judged = [p.tally.judged for p in result.profiles]
    if result.knowledge is None or None in judged:
        return
    kinds = sorted({w for one in judged if one is not None for w in one.total})
    yield f'<div class="scroll"><table>{_headings(result, "event")}<tbody>'
    for what in kinds:
        cells = []
        for one in judged:
            if one is None:
                continue
            told = f"{one.caught.get(what, 0)} of {one.total.get(what, 0)}"
            for name, counts in (("late", one.late), ("missed", one.missed)):
                if number_of := counts.get(what, 0):
                    told += f', <span class="worse">{number_of} {name}</span>'
            lead = _lead(result, one.lead_ms.get(what, []))
            cells.append(f"<td>{told}<br><small>{lead}</small></td>")
        yield f"<tr><td>{escape(what)}</td>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"
    rows = [
        (f"{what}, {profile.label}", _style(place), one.lead_ms.get(what, []))
        for what in kinds
        if _is_drawn(result, [one for one in judged if one is not None], what)
        for place, (profile, one) in enumerate(
            zip(result.profiles, judged, strict=True)
        )
        if one is not None and one.lead_ms.get(what)
    ]
    if rows:
        yield f"<figure>{svg.leads(rows[:_MOST_LEADS])}</figure>"


def _is_drawn(result: Result, judged: Sequence[Judged], what: str) -> bool:
    """A lead that is known; of a simulated ward, one that is not always the same."""
    if result.knowledge is Knowledge.STAYS:
        return False
    leads = [one.lead_ms.get(what) for one in judged]
    return result.knowledge is Knowledge.HOURS or any(own != leads[0] for own in leads)


def _lead(result: Result, leads: Sequence[int]) -> str:
    median = findings.median_ms(leads)
    if result.knowledge is Knowledge.STAYS or median is None:
        return ""
    if median < 0 or (median == 0 and result.knowledge is Knowledge.TRUTH):
        return f"median {findings.span(-median)} after it began"
    return f"median {findings.span(median)} before"


def _strips(result: Result) -> Iterator[str]:
    if len(result.profiles) < 2:
        return
    if not result.strips:
        yield "<p>No alarm of any patient is different.</p>"
        return
    yield (
        f"<p>{_keys('pending', 'high', 'medium', 'low', 'sound')} Chosen by a hash, strongest first; other alarms of the same signal are faint. "
        "Time runs from the strip's beginning.</p>"
    )
    for example in result.strips:
        yield _example(result, example)


def _example(result: Result, example: Strip) -> str:
    told = example.candidate
    pair = (0, told.profile)
    profiles = [
        Shown(
            result.profiles[index].label,
            _style(index),
            result.profiles[index].settings,
            (told.before, told.after)[place],
        )
        for place, index in enumerate(pair)
    ]
    other = result.profiles[told.profile].label
    shift = findings.span(abs(told.shift_ms)) + " " if told.shift_ms else ""
    signal = BY_CODE[told.signal]
    return (
        f"<h3><code>{escape(told.code)}</code> {shift}{_CHANGES[told.change]} {escape(other)} "
        f"<small>patient {escape(told.patient_id)}; {escape(signal.name)}, {escape(findings.unit(signal))}</small></h3>"
        f"<figure>{svg.strip(example, profiles)}</figure>"
    )


def _said(result: Result) -> Iterator[str]:
    yield f'<p>Alerts by event, whatever its priority; restatements are left out.</p><div class="scroll"><table>{_headings(result, "event")}<tbody>'
    for event in findings.event_names(result):
        cells = "".join(
            f"<td>{p.tally.events().get(event, 0):,}</td>" for p in result.profiles
        )
        yield f"<tr><td>{escape(event)}</td>{cells}</tr>"
    yield "</tbody></table></div>"
