"""`/whatif`: what another limit would have alarmed on the ward's own past.

It proposes and never applies: for one patient the proposal goes to the worker, where a
physician takes it or not (`/limits`); for a unit it is a line for whoever keeps the profile.
"""

import uuid

from typing import Any

import plotly.graph_objects as go

from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from icu_stream import clock
from icu_stream.access.desk import LONGEST_REASON, Change, Desk, Fate, Wish
from icu_stream.access.roles import Page
from icu_stream.access.whatif import (
    Answer,
    Example,
    Figure,
    Mark,
    Question,
    Run,
    Runs,
    Source,
    Span,
)
from icu_stream.contracts.alerts import named
from icu_stream.contracts.commands import CommandType, LimitChange
from icu_stream.domain.burden import unit_of
from icu_stream.domain.limits import Rules
from icu_stream.ward import colours, wording
from icu_stream.ward.pages import frame, guard
from icu_stream.ward.pages.chronicle import Chronicle
from icu_stream.ward.tiles import Ward
from icu_stream.ward.wording import say


POLL_MS = 1_000
_HOURS = (1, 4, 12, 24, 72)
_USUAL_HOURS = 4
_UNIT = "unit:"


def register(
    app: Dash, log: Chronicle, ward: Ward, desk: Desk, rules: Rules, runs: Runs
) -> "WhatifPage":
    """Attach the page's callbacks.

    Args:
        app: The app.
        log: What people said of alarms.
        ward: Who lies where.
        desk: Where a proposal goes.
        rules: The profile.
        runs: What is under way.
    """
    page = WhatifPage(log, ward, desk, rules, runs)
    guard.callback(
        app,
        Page.WHATIF,
        Output("whatif-progress", "children"),
        Output("whatif-answer", "children"),
        Output("whatif-told", "children"),
        Output("whatif-as-of", "children"),
        Output("whatif-shown", "data"),
        Output("whatif-run", "disabled"),
        Output("whatif-cancel", "disabled"),
        Input("whatif-run", "n_clicks"),
        Input("whatif-cancel", "n_clicks"),
        Input("whatif-tick", "n_intervals"),
        State("whatif-source", "value"),
        State("whatif-whom", "value"),
        State("whatif-hours", "value"),
        State("whatif-code", "value"),
        State("whatif-limit", "value"),
        State("whatif-delay", "value"),
        State("whatif-shown", "data"),
    )(page.turn)
    guard.callback(
        app,
        Page.WHATIF,
        Output("whatif-proposed", "children"),
        Input("whatif-propose", "n_clicks"),
        State("whatif-reason", "value"),
        prevent_initial_call=True,
    )(page.propose)
    return page


class WhatifPage:
    """The page and what it is made from."""

    def __init__(
        self, log: Chronicle, ward: Ward, desk: Desk, rules: Rules, runs: Runs
    ) -> None:
        self._log = log
        self._ward = ward
        self._desk = desk
        self._rules = rules
        self._runs = runs

    def __call__(self, _: str) -> html.Div:
        """The page: the question, and what came of the person's last one."""
        patients = sorted(self._ward.patients(), key=lambda p: p.bed)
        units = sorted({unit_of(p.bed) for p in patients} - {""})
        whom = [(f"{_UNIT}{unit}", say("whatif.unit", unit=unit)) for unit in units]
        whom += [(p.patient_id, f"{p.bed} {p.patient_id}") for p in patients]
        rows = [
            row
            for row in self._rules.rows.values()
            if row.condition is not None and row.range is not None
        ]
        return frame.page(
            "whatif",
            say("whatif.title"),
            [
                html.P(say("whatif.what"), className="note"),
                html.Div(
                    [
                        frame.choice(
                            "whatif-source",
                            say("whatif.source"),
                            [
                                (s.value, say(f"whatif.sources.{s.value}"))
                                for s in Source
                            ],
                            value=Source.TOPIC.value,
                            must=True,
                        ),
                        frame.choice(
                            "whatif-whom",
                            say("whatif.whom"),
                            whom,
                            value=whom[0][0] if whom else None,
                            must=True,
                        ),
                        frame.choice(
                            "whatif-hours",
                            say("log.hours"),
                            [(h, say("log.last", hours=h)) for h in _HOURS],
                            value=_USUAL_HOURS,
                            must=True,
                        ),
                        frame.choice(
                            "whatif-code",
                            say("limiting.limit"),
                            [(row.code, self._named(row.code)) for row in rows],
                            value=rows[0].code if rows else None,
                            must=True,
                        ),
                        frame.labelled(
                            say("whatif.limit"),
                            dcc.Input(id="whatif-limit", type="number", step="any"),
                        ),
                        frame.labelled(
                            say("whatif.delay"),
                            dcc.Input(
                                id="whatif-delay", type="number", min=0, step="any"
                            ),
                        ),
                        html.Button(say("whatif.run"), id="whatif-run"),
                        html.Button(
                            say("whatif.cancel"), id="whatif-cancel", disabled=True
                        ),
                    ],
                    className="filters",
                ),
                html.Div(id="whatif-progress"),
                html.P(id="whatif-told", role="status"),
                html.Div(id="whatif-answer"),
                dcc.Interval(id="whatif-tick", interval=POLL_MS),
                dcc.Store(id="whatif-shown"),
            ],
            as_of="whatif-as-of",
        )

    def _named(self, code: str) -> str:
        """A limit as the profile has it."""
        row = self._rules.rows[code]
        words, signal = wording.ours(), row.signal or ""
        limit = words.number(words.shown(signal, row.limit or 0.0), 1)
        sign = "" if row.condition is None else wording.SIGNS[row.condition]
        return (
            f"{wording.MARKS[row.priority]} {words.signal_name(signal)} {sign} {limit} "
            f"{words.unit(signal)}, {row.delay_ms / 1000:g} s"
        )

    # --- a run

    def turn(self, *values: Any) -> tuple[Any, ...]:
        """Begin, cancel, or look how far it is."""
        by = guard.person().by
        told: Any = no_update
        *_, source, whom, hours, code, limit, delay, shown = values
        pressed = ctx.triggered_id
        if pressed == "whatif-run":
            told = self._begin(by, source, whom, hours, code, limit, delay)
        elif pressed == "whatif-cancel":
            self._runs.cancel(by)
        run = self._runs.of(by)
        as_of = frame.as_of(clock.now_ms())
        if run is None:
            return [], no_update, told, as_of, None, False, True
        state = [id(run), run.is_over]
        answer: Any = no_update
        if state != shown:
            answer = self._found(run)
            if run.failure and pressed != "whatif-run":
                told = say("whatif.failed", reason=run.failure)
            elif run.is_over:
                told = ""
        return (
            _progress(run),
            answer,
            told,
            as_of,
            state,
            not run.is_over,
            run.is_over,
        )

    def _begin(
        self,
        by: str,
        source: str,
        whom: str | None,
        hours: int | None,
        code: str,
        limit: float | None,
        delay: float | None,
    ) -> str:
        """Begin a run; says what is wrong, or nothing."""
        if limit is None and delay is None:
            return say("limiting.no_change")
        chosen = self._patients(whom or "")
        if source == Source.TOPIC and not chosen:
            return say("whatif.nobody")
        signal = self._rules.rows[code].signal or ""
        moved = None if limit is None else wording.ours().measured(signal, limit)
        question = Question(
            source=Source(source),
            patients=chosen,
            title=self._title(source, whom or ""),
            hours=hours or _USUAL_HOURS,
            change=LimitChange(code, moved, delay),
            worth=self._worth(set(chosen)),
        )
        return "" if self._runs.begin(by, question) else say("whatif.busy")

    def _patients(self, whom: str) -> list[str]:
        if not whom.startswith(_UNIT):
            return [whom] if whom else []
        unit = whom.removeprefix(_UNIT)
        return [p.patient_id for p in self._ward.patients() if unit_of(p.bed) == unit]

    def _title(self, source: str, whom: str) -> str:
        if source == Source.SIMULATED:
            return say("whatif.sources.simulated")
        if whom.startswith(_UNIT):
            return say("whatif.unit", unit=whom.removeprefix(_UNIT))
        patient = self._ward.patient(whom)
        return whom if patient is None else f"{patient.bed} {whom}"

    def _worth(self, patients: set[str]) -> list[Mark]:
        """Alarms of these patients that people called worth it, the last word."""
        last: dict[str, tuple[int, bool]] = {}
        for result in self._log.results():
            known = result.accepted and result.actionable is not None
            if known and result.alert_id and result.patient_id in patients:
                at = result.time or 0
                if at >= last.get(result.alert_id, (0, False))[0]:
                    last[result.alert_id] = (at, bool(result.actionable))
        marks = []
        for alert_id, (_, is_worth) in last.items():
            patient_id, code, onset = named(alert_id)
            if is_worth and onset.isdecimal():
                marks.append(Mark(patient_id, code, int(onset)))
        return marks

    # --- what came of it

    def _found(self, run: Run) -> list[Component]:
        answer = run.answer
        if answer is None:
            return []
        question = answer.question
        return [
            html.H2(
                say(
                    "whatif.found",
                    whom=question.title,
                    change=frame.change_in_words(question.change),
                )
            ),
            html.P(
                say(
                    "whatif.read",
                    n=answer.patients,
                    days=wording.number(answer.days, 2),
                    source=answer.read,
                ),
                className="status",
            ),
            html.Div(
                [
                    html.Section([html.H2(say("whatif.figures")), _figures(answer)]),
                    html.Section([html.H2(say("whatif.codes")), _codes(answer)]),
                    html.Section(
                        [html.H2(say("whatif.propose")), self._proposal(answer)]
                    ),
                ],
                className="drawings",
            ),
            html.H2(say("whatif.examples")),
            html.Div(
                [_example(example) for example in answer.examples]
                or [html.P(say("whatif.no_example"), className="note")],
                className="drawings",
            ),
            html.Details(
                [
                    html.Summary(say("whatif.notes")),
                    html.Ul([html.Li(note) for note in answer.notes]),
                ],
                className="note",
            ),
        ]

    def _proposal(self, answer: Answer) -> Component:
        question = answer.question
        if question.source is Source.TOPIC and len(question.patients) == 1:
            return html.Div(
                [
                    html.P(say("whatif.to_patient")),
                    frame.labelled(
                        say("limiting.reason"),
                        dcc.Input(
                            id="whatif-reason", type="text", maxLength=LONGEST_REASON
                        ),
                    ),
                    html.Button(say("whatif.propose"), id="whatif-propose"),
                    html.P(id="whatif-proposed", role="status"),
                ]
            )
        return html.Div(
            [html.P(say("whatif.to_profile")), html.Pre(_for_profile(question.change))]
        )

    async def propose(self, clicks: int | None, reason: str | None) -> Any:
        """Send the change of the last answer to the worker as a proposal."""
        run = self._runs.of(guard.person().by)
        if not clicks or run is None or run.answer is None:
            return no_update
        why = (reason or "").strip()
        if not why:
            return say("limiting.no_reason")
        question = run.answer.question
        change = question.change
        wish = Wish(
            id=str(uuid.uuid4()),
            type=CommandType.PROPOSE_LIMITS,
            patient=question.patients[0],
            limits=[
                Change(code=change.code, limit=change.limit, delay_s=change.delay_s)
            ],
            reason=why,
        )
        outcome = await self._desk.ask(guard.person(), wish)
        if outcome.fate is not Fate.DONE:
            fate = say(f"limiting.fate.{outcome.fate.value}")
            return f"{fate} {outcome.reason}"
        return [
            say("whatif.proposed"),
            " ",
            dcc.Link(say("nav.limits"), href=f"/limits/{question.patients[0]}"),
        ]


def _progress(run: Run) -> list[Component]:
    if run.is_over:
        return []
    percent = round(100 * run.share)
    word = say("whatif.cancelling" if run.cancel.is_set() else "whatif.running")
    return [
        html.Progress(value=str(percent), max="100", **frame.aria(label=word)),
        html.Span(f" {word} {percent} %"),
    ]


def _figures(answer: Answer) -> Component:
    return html.Table(
        [
            html.Thead(
                html.Tr(
                    [
                        html.Td(),
                        html.Th(say("whatif.before"), scope="col"),
                        html.Th(say("whatif.after"), scope="col"),
                        html.Th(say("whatif.change"), scope="col"),
                    ]
                )
            ),
            html.Tbody([_figure(figure) for figure in answer.figures]),
        ]
    )


def _figure(figure: Figure) -> Component:
    digits = 1 if figure.name == "minutes" else 0
    worse = figure.is_harm and figure.after > figure.before
    step = figure.after - figure.before
    told = "=" if not step else f"{'+' if step > 0 else '-'}{abs(step):.{digits}f}"
    mark = wording.MARKS.get(figure.name, "")
    return html.Tr(
        [
            html.Th(
                f"{mark} {say(f'whatif.figure.{figure.name}')}".strip(), scope="row"
            ),
            html.Td(wording.number(figure.before, digits)),
            html.Td(wording.number(figure.after, digits)),
            html.Td(told),
        ],
        className="worse" if worse else "",
    )


def _codes(answer: Answer) -> Component:
    if not answer.codes:
        return html.P(say("whatif.same"), className="note")
    return html.Table(
        html.Tbody(
            [
                html.Tr(
                    [
                        html.Th(code.code, scope="row"),
                        html.Td(code.before),
                        html.Td(code.after),
                    ]
                )
                for code in answer.codes
            ]
        )
    )


def _for_profile(change: LimitChange) -> str:
    """The change as a profile has it."""
    lines = ["[[limit]]", f'code = "{change.code}"']
    if change.limit is not None:
        lines.append(f"limit = {change.limit:g}")
    if change.delay_s is not None:
        lines.append(f"delay_s = {change.delay_s:g}")
    return "\n".join(lines)


# --- examples


def _example(example: Example) -> Component:
    shift = f" {abs(example.shift_ms) / 1000:g} s" if example.shift_ms else ""
    words = wording.ours()
    title = say(
        f"whatif.changed.{example.change}",
        code=example.code,
        patient=example.patient_id,
    )
    low, high = (
        (words.value(example.signal, edge) for edge in _edges(example.values))
        if example.values
        else ("", "")
    )
    said = say(
        "whatif.example_said",
        name=words.signal_name(example.signal),
        low=low,
        high=high,
        before=len(example.before),
        after=len(example.after),
    )
    return html.Section(
        [
            html.H3(f"{title}{shift}"),
            html.Div(
                dcc.Graph(
                    figure=_drawn(example),
                    config={"displayModeBar": False},
                    responsive=True,
                ),
                role="img",
                className="drawing",
                **frame.aria(label=f"{title}{shift}. {said}"),
            ),
            html.P(said, className="note"),
        ]
    )


def _edges(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)


def _drawn(example: Example) -> go.Figure:
    """The signal, both limits, and below it when the alarm was on."""
    words = wording.ours()
    start = example.times[0] if example.times else 0
    seconds = [(t - start) / 1000 for t in example.times]
    shown = [words.shown(example.signal, value) for value in example.values]
    figure = go.Figure(
        go.Scatter(
            x=seconds,
            y=shown,
            mode="lines",
            line={"color": "#5B8DEF", "width": 2},
            name=words.signal_name(example.signal),
        ),
        {
            "margin": {"l": 70, "r": 8, "t": 8, "b": 44},
            "height": 260,
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "showlegend": False,
            "font": {"size": 13},
            "xaxis": {"title": {"text": "s", "standoff": 4}, "anchor": "y2"},
            "yaxis": {
                "domain": [0.32, 1],
                "title": {"text": words.unit(example.signal)},
            },
            "yaxis2": {
                "domain": [0, 0.24],
                "range": [-0.5, 1.5],
                "tickvals": [0, 1],
                "ticktext": [say("whatif.after"), say("whatif.before")],
                "anchor": "x",
                "showgrid": False,
                "zeroline": False,
            },
        },
    )
    for limit, dash in zip(example.limits, ("dot", "dash"), strict=True):
        if limit is not None:
            figure.add_hline(
                y=words.shown(example.signal, limit),
                line={"color": "#8A949E", "dash": dash, "width": 2},
            )
    for place, spans in ((1, example.before), (0, example.after)):
        for span in spans:
            figure.add_trace(_bar(span, place, start))
    return figure


def _bar(span: Span, place: int, start: int) -> go.Scatter:
    return go.Scatter(
        x=[(span.begin - start) / 1000, (span.end - start) / 1000],
        y=[place, place],
        yaxis="y2",
        mode="lines+text",
        line={"color": colours.alarm(span.priority), "width": 14},
        text=[wording.MARKS[span.priority], ""],
        textposition="middle left",
        hoverinfo="skip",
    )
