"""`/system`: does the chain live, and which part of it does how well? For engineers.

No patient is named here, and no bed: a screen in a workshop may show it. What is dead is
said by the bar, on every page; this page says how each part is while all of it lives.
"""

import importlib.metadata

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from icu_stream import clock
from icu_stream.access.roles import Page
from icu_stream.contracts.alerts import Kind
from icu_stream.contracts.topics import TOPICS
from icu_stream.domain.limits import Rules
from icu_stream.domain.scores import HINTS
from icu_stream.ward.deadman import PAGER_SILENT_MS, DeadMan, Spread
from icu_stream.ward.pages import frame, guard
from icu_stream.ward.stations import Sound, Station, Stations
from icu_stream.ward.tiles import Ward
from icu_stream.ward.wording import number, say


REFRESH_MS = 2_000
_NEVER = "---"


def register(
    app: Dash, ward: Ward, stations: Stations, rules: Rules
) -> Callable[[str], html.Div]:
    """Attach the page's callbacks.

    Args:
        app: The app.
        ward: What is known of the chain and of the alarms.
        stations: The screens.
        rules: Whose versions are named.
    """

    def fill(_: int | None) -> tuple[list[Component], str]:
        now_ms = clock.now_ms()
        return body(ward, stations, rules, now_ms), frame.as_of(now_ms)

    guard.callback(
        app,
        Page.SYSTEM,
        Output("system-body", "children"),
        Output("system-as-of", "children"),
        Input("system-tick", "n_intervals"),
    )(fill)

    def page(_: str) -> html.Div:
        return frame.page(
            "system",
            say("system.title"),
            [
                html.Div(id="system-body"),
                dcc.Interval(id="system-tick", interval=REFRESH_MS),
            ],
            as_of="system-as-of",
        )

    return page


def body(ward: Ward, stations: Stations, rules: Rules, now_ms: int) -> list[Component]:
    """All sections."""
    deadman = ward.deadman
    return [
        _section("chain", _chain(deadman, now_ms)),
        _section("workers", _workers(deadman, now_ms)),
        _section("feeds", _feeds(deadman, now_ms)),
        _section("screens", _screens(stations, now_ms)),
        _section("alarms", _alarms(ward)),
        _section("pager", _pagers(deadman, now_ms)),
        _section("versions", _versions(rules)),
    ]


def _section(name: str, inside: Sequence[Component]) -> Component:
    return html.Section([html.H2(say(f"system.{name}")), *inside])


def _chain(deadman: DeadMan, now_ms: int) -> list[Component]:
    trouble = deadman.trouble(now_ms)
    if trouble is None:
        state = say("system.alive" if deadman.proven else "system.unproven")
    else:
        places = ", ".join(map(str, sorted(trouble.partitions)))
        state = say(f"system.hop.{trouble.hop}", partitions=places)
    return [
        html.P(state, className="status"),
        _table(
            ("test", "last", "p50", "p95", "count"),
            [
                (say("system.to_here"), *_times(deadman.trips)),
                (say("system.to_screen"), *_times(deadman.painted)),
            ],
        ),
    ]


def _times(spread: Spread | None) -> tuple[str, ...]:
    if spread is None:
        return (_NEVER, _NEVER, _NEVER, "0")
    return (
        _ms(spread.last),
        _ms(spread.p50),
        _ms(spread.p95),
        number(spread.n, 0),
    )


def _workers(deadman: DeadMan, now_ms: int) -> list[Component]:
    waits = deadman.waits_ms(now_ms)
    rows = []
    for partition, beat in sorted(deadman.beats.items()):
        silent_ms = deadman.silent_ms(partition, now_ms)
        rows.append(
            (
                number(partition, 0),
                beat.worker,
                _seconds(silent_ms),
                number(beat.lag, 0),
                number(beat.patients, 0),
                _seconds(beat.checkpoint_age_s * 1000),
                _seconds(waits[partition]) if waits.get(partition) else _NEVER,
            )
        )
    heads = ("partition", "worker", "beat", "lag", "patients", "saved", "awaited")
    return [_table(heads, rows)] if rows else [html.P(say("system.no_worker"))]


def _feeds(deadman: DeadMan, now_ms: int) -> list[Component]:
    rows = []
    for topic in TOPICS:
        heard_ms = deadman.heard.get(topic.name)
        age = _NEVER if heard_ms is None else _seconds(now_ms - heard_ms)
        if topic.name in deadman.heard or topic.patients:
            rows.append((topic.name, age))
    behind = say("system.behind", n=deadman.behind)
    return [_table(("feed", "age"), rows), html.P(behind)]


def _screens(stations: Stations, now_ms: int) -> list[Component]:
    here = [station for station in stations if station.is_here(now_ms)]
    here.sort(key=lambda s: (s.report.sound is Sound.ON, s.name))
    if not here:
        return [html.P(say("system.no_screen"))]
    rows = [_screen(station, now_ms) for station in here]
    silent = sum(station.is_silent(now_ms) for station in here)
    return [
        html.P(say("system.silent", n=silent), className="status"),
        _table(("screen", "sound", "paused", "seen"), rows),
    ]


def _screen(station: Station, now_ms: int) -> tuple[str, ...]:
    report = station.report
    sound = say(f"system.sound_{report.sound}", volume=report.volume)
    seen = _seconds(now_ms - station.seen_ms)
    return station.name, sound, number(report.paused, 0), seen


def _alarms(ward: Ward) -> list[Component]:
    counts = Counter(
        alarm.alert.code
        for patient in ward.patients()
        for alarm in patient.alarms.values()
        if alarm.alert.kind is Kind.TECHNICAL
    )
    told = html.P(say("system.technical", n=counts.total()), className="status")
    rows = [(code, number(count, 0)) for code, count in counts.most_common()]
    return [told, _table(("code", "count"), rows)] if rows else [told]


def _pagers(deadman: DeadMan, now_ms: int) -> list[Component]:
    told = [
        (report, now_ms - arrived_ms)
        for _, (report, arrived_ms) in sorted(deadman.pagers.items())
    ]
    if not told:
        return [html.P(say("system.no_pager"), className="status")]
    is_alive = any(silent_ms < PAGER_SILENT_MS for _, silent_ms in told)
    rows = [
        (
            report.pager,
            _seconds(silent_ms),
            number(report.delivered, 0),
            number(report.waiting, 0),
            _seconds(1_000 * report.overdue_s) if report.overdue_s else _NEVER,
            number(report.dead, 0),
            ", ".join(report.troubles) or _NEVER,
        )
        for report, silent_ms in told
    ]
    heads = ("pager", "seen", "delivered", "waiting", "overdue", "dead", "troubles")
    state = "system.pager_alive" if is_alive else "system.pager_silent"
    return [html.P(say(state), className="status"), _table(heads, rows)]


def _versions(rules: Rules) -> list[Component]:
    priors = (f"{risk.prior.name} {risk.prior.version}" for risk in rules.risks)
    rows = [
        (say("system.program"), importlib.metadata.version("icu-stream")),
        (say("system.profile"), rules.label),
        (say("system.hints"), HINTS),
        *((say("system.risk"), prior) for prior in priors),
    ]
    return [_table(("part", "version"), rows)]


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> Component:
    return html.Div(
        html.Table(
            [
                html.Thead(
                    html.Tr(
                        [html.Th(say(f"system.head.{h}"), scope="col") for h in heads]
                    )
                ),
                html.Tbody([html.Tr([html.Td(cell) for cell in row]) for row in rows]),
            ]
        ),
        className="scroll",
    )


def _ms(value: float) -> str:
    return say("system.ms", n=number(value, 0))


def _seconds(value_ms: float) -> str:
    return say("system.s", n=number(max(0.0, value_ms) / 1000, 1))
