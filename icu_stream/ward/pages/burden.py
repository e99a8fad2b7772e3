"""`/burden`: how much the alarms ask of people, in figures that can be printed.

What an alarm, a flood and a bed-day are is the domain's (`icu_stream.domain.burden`), the
same that the worker answers with on its port; here the log is folded, and who was monitored
comes from `watched.py`. Hours before the log begins are left out of both.
"""

import asyncio

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from icu_stream import clock
from icu_stream.access.roles import Page
from icu_stream.domain import burden
from icu_stream.domain.burden import Burden, Hourly, Question, Report, Summary
from icu_stream.ward import colours, wording
from icu_stream.ward.pages import frame, guard
from icu_stream.ward.pages.chronicle import PRIORITIES, Chronicle
from icu_stream.ward.pages.watched import Watched
from icu_stream.ward.wording import say


REFRESH_MS = 30_000
_HOURS = (8, 24, 72, 168)
_USUAL_HOURS = 24
# Legible on dark and on light; texts and lines follow the theme by pages.css.
_ALARMS, _SOUNDS = "#8A949E", "#5B8DEF"
_NOTHING = "---"


def found(
    log: Chronicle, watched: Watched, question: Question, now_ms: int
) -> Mapping[str, Any]:
    """The domain's answer to a question; may be worked out by another thread.

    Args:
        log: What was said.
        watched: Who was monitored.
        question: Which hours, and of whom.
        now_ms: Our clock.
    """
    burdens: dict[str, Burden] = {}

    def of(patient_id: str) -> Burden:
        known = burdens.get(patient_id)
        if known is None:
            known = burdens[patient_id] = Burden(patient_id)
        return known

    for told in log.alarms():
        burden.take(of(told.patient_id), told, told.time)
    for result in log.results():
        if result.patient_id in burdens:
            burden.mark(burdens[result.patient_id], result)
    since_ms = log.since_ms or now_ms
    for stay, begin, end in watched.spans(since_ms):
        patient = of(stay.patient_id)
        until = min(end, now_ms)
        for moment, is_monitored in ((begin, True), (until, True), (until, False)):
            burden.watch(patient, stay.bed, moment, moment, is_monitored=is_monitored)
    report = Report(question, now_ms)
    for patient in burdens.values():
        report.add(patient)
    return report.found()


def register(
    app: Dash, log: Chronicle, watched: Watched, units: Callable[[], list[str]]
) -> Callable[[str], html.Div]:
    """Attach the page's callbacks.

    Args:
        app: The app.
        log: What was said.
        watched: Who was monitored.
        units: Of the beds that are known.
    """

    async def fill(
        _: int | None, hours: int | None, unit: str | None, known: list[Any] | None
    ) -> tuple[Any, ...]:
        now_ms = clock.now_ms()
        state = [log.version, now_ms // REFRESH_MS, hours, unit]
        if known == state:
            return no_update, frame.as_of(now_ms), no_update
        question = Question(
            hours=hours if hours in _HOURS else _USUAL_HOURS, unit=unit or None
        )
        answer = await asyncio.to_thread(found, log, watched, question, now_ms)
        return body(answer, log, now_ms), frame.as_of(now_ms), state

    guard.callback(
        app,
        Page.BURDEN,
        Output("burden-body", "children"),
        Output("burden-as-of", "children"),
        Output("burden-state", "data"),
        Input("burden-tick", "n_intervals"),
        Input("burden-hours", "value"),
        Input("burden-unit", "value"),
        State("burden-state", "data"),
    )(fill)

    def page(_: str) -> html.Div:
        return frame.page(
            "burden",
            say("burden.title"),
            [
                html.Div(
                    [
                        frame.choice(
                            "burden-hours",
                            say("burden.hours"),
                            [(h, say("log.last", hours=h)) for h in _HOURS],
                            value=_USUAL_HOURS,
                            must=True,
                        ),
                        frame.choice(
                            "burden-unit",
                            say("burden.unit"),
                            [(unit, unit) for unit in units()],
                        ),
                        html.Button(say("page.print"), className="print"),
                    ],
                    className="filters",
                ),
                html.Div(id="burden-body"),
                dcc.Interval(id="burden-tick", interval=REFRESH_MS),
                dcc.Store(id="burden-state"),
            ],
            as_of="burden-as-of",
        )

    return page


# --- what is shown


def body(answer: Mapping[str, Any], log: Chronicle, now_ms: int) -> list[Component]:
    """Figures, drawings, and each drawing in words."""
    summary: Summary = answer["all"]
    hourly: list[Hourly] = answer["hourly"]
    groups: Mapping[str, Summary] = answer.get("units") or answer.get("beds") or {}
    return [
        html.P(_known(answer, log, now_ms), className="status"),
        _figures(summary),
        html.Div(
            [
                _drawing(
                    say("burden.hourly"),
                    _by_hour(hourly),
                    _table(
                        (
                            say("burden.hour"),
                            say("burden.alarms"),
                            say("burden.annunciations"),
                        ),
                        [
                            (
                                wording.ours().moment(h.hour),
                                h.alarms,
                                h.annunciations,
                            )
                            for h in hourly
                        ],
                    ),
                    _hours_said(hourly),
                ),
                _drawing(
                    say("burden.mix"),
                    _by_priority(summary),
                    _table(
                        (
                            say("log.priority"),
                            say("burden.alarms"),
                            say("burden.annunciations"),
                            say("burden.share"),
                        ),
                        [
                            (
                                wording.ranked(p),
                                summary.alarms[p],
                                summary.annunciations[p],
                                _percent(summary.mix[p]),
                            )
                            for p in PRIORITIES
                        ],
                    ),
                    ", ".join(
                        f"{say(f'priority.{p}')} {_percent(summary.mix[p])}"
                        for p in PRIORITIES
                    ),
                ),
            ],
            className="drawings",
        ),
        html.Div(
            [
                html.Section(
                    [
                        html.H2(
                            say("burden.top", share=_percent(summary.top_share)),
                        ),
                        _table(
                            (
                                say("log.columns.bed"),
                                say("burden.code"),
                                say("burden.alarms"),
                                say("burden.share"),
                            ),
                            [
                                (t.bed, t.code, t.alarms, _percent(t.share))
                                for t in summary.top
                            ],
                        ),
                    ]
                ),
                html.Section(
                    [
                        html.H2(
                            say("burden.beds" if "beds" in answer else "burden.units")
                        ),
                        _table(
                            (
                                "",
                                say("burden.bed_days"),
                                say("burden.alarms"),
                                say("burden.a_bed_day"),
                                say("burden.floods"),
                                say("burden.chattering"),
                                say("burden.to_acknowledge"),
                            ),
                            [
                                (
                                    name or _NOTHING,
                                    _number(one.bed_days),
                                    sum(one.alarms.values()),
                                    _number(one.alarms_a_bed_day),
                                    one.floods,
                                    one.chattering,
                                    _seconds(one.acknowledged.median_s),
                                )
                                for name, one in groups.items()
                            ],
                        ),
                    ]
                ),
            ],
            className="drawings",
        ),
        html.Details(
            [
                html.Summary(say("burden.what")),
                html.Ul(
                    [
                        html.Li(say(f"burden.is.{name}"))
                        for name in burden.DEFINITIONS
                        if name != "source"
                    ]
                ),
                html.P(burden.DEFINITIONS["source"]),
            ],
            className="note",
        ),
        html.P(frame.printed(), className="printed"),
    ]


def _known(answer: Mapping[str, Any], log: Chronicle, now_ms: int) -> str:
    """What hours this is about, and what is missing of them."""
    begin = (now_ms // burden.HOUR_MS - answer["hours"] + 1) * burden.HOUR_MS
    since = log.since_ms or now_ms
    parts = [say("burden.from", at=frame.moment(max(begin, since)))]
    if since > begin:
        parts.append(say("burden.begins"))
    if not log.is_read_back:
        parts.append(say("log.reading"))
    lost = answer["all"].lost
    if lost:
        parts.append(say("burden.lost", n=lost))
    return ". ".join(parts) + "."


def _figures(summary: Summary) -> html.Dl:
    acknowledged, judged = summary.acknowledged, summary.feedback
    figures = [
        (
            _number(summary.alarms_a_bed_day),
            say("burden.alarms_a_bed_day"),
            say(
                "burden.of",
                n=sum(summary.alarms.values()),
                days=_number(summary.bed_days),
            ),
        ),
        (
            _number(summary.annunciations_a_bed_day),
            say("burden.annunciations_a_bed_day"),
            say("burden.in_all", n=sum(summary.annunciations.values())),
        ),
        (
            str(summary.floods),
            say("burden.floods"),
            say("burden.worst", n=summary.worst_10_min),
        ),
        (
            str(summary.chattering),
            say("burden.chattering"),
            say("burden.stale", n=summary.stale),
        ),
        (
            _seconds(acknowledged.median_s),
            say("burden.median"),
            say(
                "burden.p90",
                n=acknowledged.count,
                p90=_seconds(acknowledged.p90_s),
            ),
        ),
        (
            _NOTHING if judged.share is None else _percent(judged.share),
            say("burden.actionable"),
            say("burden.judged", n=judged.marked),
        ),
    ]
    return html.Dl(
        [
            html.Div([html.Dd(number), html.Dt(name), html.Dd(more, className="more")])
            for number, name, more in figures
        ],
        className="figures",
    )


def _drawing(title: str, figure: go.Figure, table: Component, said: str) -> Component:
    """A drawing, what it shows in a sentence, and its numbers."""
    return html.Section(
        [
            html.H2(title),
            html.Div(
                dcc.Graph(
                    figure=figure,
                    config={"displayModeBar": False, "staticPlot": False},
                    responsive=True,
                ),
                role="img",
                className="drawing",
                **frame.aria(label=f"{title}: {said}"),
            ),
            html.Details([html.Summary(say("burden.numbers")), table]),
        ]
    )


def _head(head: str) -> Component:
    return html.Th(head, scope="col") if head else html.Td()


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> Component:
    if not rows:
        return html.P(say("burden.nothing"), className="note")
    return html.Div(
        html.Table(
            [
                html.Thead(html.Tr([_head(head) for head in heads])),
                html.Tbody([html.Tr([html.Td(cell) for cell in row]) for row in rows]),
            ]
        ),
        className="scroll",
    )


def _layout(**more: Any) -> dict[str, Any]:
    return {
        "margin": {"l": 44, "r": 8, "t": 8, "b": 40},
        "height": 260,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "legend": {"orientation": "h", "y": 1.15},
        "font": {"size": 13},
    } | more


def _by_hour(hourly: Sequence[Hourly]) -> go.Figure:
    words = wording.ours()
    hours = [f"{words.moment(h.hour)[:5]} {words.hhmm(h.hour)}" for h in hourly]
    return go.Figure(
        [
            go.Bar(
                x=hours,
                y=[h.annunciations for h in hourly],
                name=say("burden.annunciations"),
                marker_color=_SOUNDS,
            ),
            go.Bar(
                x=hours,
                y=[h.alarms for h in hourly],
                name=say("burden.alarms"),
                marker_color=_ALARMS,
            ),
        ],
        _layout(
            barmode="group",
            xaxis={"type": "category", "nticks": 12},
            yaxis={"rangemode": "tozero"},
        ),
    )


def _hours_said(hourly: Sequence[Hourly]) -> str:
    if not hourly:
        return say("burden.nothing")
    worst = max(hourly, key=lambda h: h.annunciations)
    return say(
        "burden.hours_said",
        alarms=sum(h.alarms for h in hourly),
        hours=len(hourly),
        most=worst.annunciations,
        at=wording.ours().moment(worst.hour),
    )


def _by_priority(summary: Summary) -> go.Figure:
    names = [wording.ranked(p) for p in PRIORITIES]
    return go.Figure(
        [
            go.Bar(
                x=[summary.alarms[p] for p in PRIORITIES],
                y=names,
                orientation="h",
                marker_color=[colours.alarm(p) for p in PRIORITIES],
                text=[_percent(summary.mix[p]) for p in PRIORITIES],
                textposition="outside",
                cliponaxis=False,
            )
        ],
        _layout(
            showlegend=False,
            margin={"l": 90, "r": 60, "t": 8, "b": 40},
            yaxis={"autorange": "reversed"},
            xaxis={"rangemode": "tozero"},
        ),
    )


def _number(value: float | None) -> str:
    if value is None:
        return _NOTHING
    return wording.number(value, 0 if value >= 100 else 1 if value >= 1 else 2)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _seconds(value: float | None) -> str:
    if value is None:
        return _NOTHING
    return f"{wording.number(value, 0)} s" if value < 120 else f"{value / 60:.0f} min"
