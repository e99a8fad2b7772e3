"""`/limits/<patient>`: which limits hold, where each comes from, and how to change one.

A change takes two steps: what is asked is told in full, and only then confirmed. It goes
out as any other command of a person (`desk.py`): the server checks the role once more, the
worker checks the limits, and nothing is shown as done before the worker says so. A second
try is the same command, which is done once.
"""

import uuid

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from icu_stream import clock
from icu_stream.access.desk import LONGEST_REASON, Change, Desk, Fate, Outcome, Wish
from icu_stream.access.roles import Page
from icu_stream.contracts.commands import CommandType, LimitChange
from icu_stream.domain.limits import Row, Rules
from icu_stream.ward import wording
from icu_stream.ward.pages import frame, guard
from icu_stream.ward.pages.chronicle import Asked, Chronicle
from icu_stream.ward.tiles import Patient, Ward
from icu_stream.ward.wording import say


REFRESH_MS = 5_000
# At most 72 h, 12 when nothing is said: docs/alarms.md, rule 29.
_HOURS = (1, 2, 4, 8, 12, 24, 48, 72)
_USUAL_HOURS = 12


class Limit(NamedTuple):
    """A limit with its delay."""

    limit: float
    delay_s: float


class Held(NamedTuple):
    """One limit as it holds for a patient.

    Attributes:
        row: As the profile has it.
        now: In force.
        own: Who set it, when, why, until when; None: it is the profile's.
    """

    row: Row
    now: Limit
    own: tuple[str, int, str, int] | None


class Offer(NamedTuple):
    """A proposal that can be taken.

    Attributes:
        asked: Who proposed it, and why.
        limits: What.
        until_ms: Until when.
    """

    asked: Asked
    limits: list[LimitChange]
    until_ms: int


def held(patient: Patient, rules: Rules, asked: list[Asked], now_ms: int) -> list[Held]:
    """Every limit on a value that holds for a patient, in the profile's order.

    Args:
        patient: Whose.
        rules: The profile.
        asked: Commands about the patient.
        now_ms: When.
    """
    shown = patient.record.limits(now_ms, rules)
    reasons = {
        (change.code, one.result.time): one.reason
        for one in asked
        if one.type is CommandType.SET_LIMITS and one.result is not None
        for change in one.result.limits
    }
    limits = []
    for row in shown:
        own = row["own"]
        limits.append(
            Held(
                rules.rows[row["c"]],
                Limit(row["limit"], row["delay"]),
                None
                if own is None
                else (
                    own["by"] or "",
                    own["at"],
                    reasons.get((row["c"], own["at"]), ""),
                    own["until"],
                ),
            )
        )
    return limits


def offer_of(asked: list[Asked], now_ms: int) -> Offer | None:
    """The proposal that can still be taken; the worker keeps the last one alone.

    Args:
        asked: Commands about one patient, the oldest first.
        now_ms: When.
    """
    last: Offer | None = None
    for one in asked:
        result, command = one.result, one.command
        if result is None or not result.accepted:
            continue
        taken = None if command is None else command.proposal
        if one.type is CommandType.PROPOSE_LIMITS and result.limits:
            last = Offer(one, result.limits, result.expires or 0)
        elif one.type is CommandType.DISCHARGE or (
            last is not None and taken == last.asked.command_id
        ):
            last = None
    return last if last is not None and last.until_ms > now_ms else None


def register(
    app: Dash, log: Chronicle, ward: Ward, desk: Desk, rules: Rules
) -> "LimitsPage":
    """Attach the page's callbacks.

    Args:
        app: The app.
        log: Who asked for what.
        ward: Who lies where.
        desk: Where commands go.
        rules: The profile.

    Returns:
        The page: of one patient, if its address names one, else of all.
    """
    page = LimitsPage(log, ward, desk, rules)
    about = State("limits-patient", "data")
    guard.callback(
        app,
        Page.LIMITS,
        Output("limits-live", "children"),
        Output("limits-as-of", "children"),
        Input("limits-tick", "n_intervals"),
        Input("limits-told", "children"),
        about,
    )(page.live)
    guard.callback(
        app,
        Page.LIMITS,
        Output("limits-plan", "data"),
        Output("limits-confirm", "children"),
        Output("limits-told", "children"),
        Input("limits-review", "n_clicks"),
        Input("limits-formula", "n_clicks"),
        Input({"reset": ALL}, "n_clicks"),
        Input({"take": ALL}, "n_clicks"),
        Input({"drop": ALL}, "n_clicks"),
        State({"limit": ALL}, "value"),
        State({"delay": ALL}, "value"),
        State({"limit": ALL}, "id"),
        State("limits-reason", "value"),
        State("limits-hours", "value"),
        about,
        prevent_initial_call=True,
    )(page.review)
    guard.callback(
        app,
        Page.LIMITS,
        Output("limits-plan", "data", allow_duplicate=True),
        Output("limits-confirm", "children", allow_duplicate=True),
        Output("limits-told", "children", allow_duplicate=True),
        Output({"limit": ALL}, "value"),
        Output({"delay": ALL}, "value"),
        Input({"confirm": ALL}, "n_clicks"),
        Input({"back": ALL}, "n_clicks"),
        State({"limit": ALL}, "id"),
        State("limits-plan", "data"),
        prevent_initial_call=True,
    )(page.confirm)
    return page


class LimitsPage:
    """The page and what it is made from."""

    def __init__(self, log: Chronicle, ward: Ward, desk: Desk, rules: Rules) -> None:
        self._log = log
        self._ward = ward
        self._desk = desk
        self._rules = rules

    def __call__(self, patient_id: str) -> html.Div:
        """The page of a patient, or the choice of one."""
        if not patient_id:
            return self._choice()
        patient = self._ward.patient(patient_id)
        bed = "" if patient is None else patient.bed
        return frame.page(
            "limits",
            say("limiting.title", bed=bed, patient=patient_id),
            [
                html.P(
                    [
                        dcc.Link(say("limiting.all"), href="/limits"),
                        " · ",
                        dcc.Link(
                            say("limiting.bed", bed=bed),
                            href=f"/bed/{quote(patient_id, safe='')}",
                        ),
                        " · ",
                        say("limiting.profile", profile=self._rules.label),
                    ]
                ),
                html.Div(
                    [
                        html.Div(id="limits-live"),
                        html.Div(
                            [
                                self._form(),
                                html.Div(
                                    id="limits-confirm",
                                    role="group",
                                    **frame.aria(live="polite"),
                                ),
                                html.P(id="limits-told", role="status"),
                            ]
                        ),
                    ],
                    className="two",
                ),
                dcc.Store(id="limits-plan"),
                dcc.Store(id="limits-patient", data=patient_id),
                dcc.Interval(id="limits-tick", interval=REFRESH_MS),
            ],
            as_of="limits-as-of",
        )

    def _choice(self) -> html.Div:
        now_ms = clock.now_ms()
        rows = []
        commands = self._log.commands()
        for patient in sorted(self._ward.patients(), key=lambda p: p.bed):
            asked = commands.get(patient.patient_id, [])
            own = sum(
                row["own"] is not None
                for row in patient.record.limits(now_ms, self._rules)
            )
            told = [say("limiting.own", n=own)] if own else []
            if offer_of(asked, now_ms) is not None:
                told.append(say("limiting.offered"))
            rows.append(
                html.Tr(
                    [
                        html.Th(
                            dcc.Link(
                                f"{patient.bed} {patient.patient_id}",
                                href=f"/limits/{quote(patient.patient_id, safe='')}",
                            ),
                            scope="row",
                        ),
                        html.Td(", ".join(told)),
                    ]
                )
            )
        return frame.page(
            "limits",
            say("nav.limits"),
            [
                html.P(frame.as_of(now_ms), className="as-of"),
                html.P(say("limiting.choose", profile=self._rules.label)),
                html.Table(html.Tbody(rows), className="choice"),
            ],
        )

    # --- what holds

    def live(self, *values: Any) -> tuple[list[Component], str]:
        """What holds and what is proposed, as it is now."""
        patient_id, now_ms = str(values[-1]), clock.now_ms()
        patient = self._ward.patient(patient_id)
        as_of = frame.as_of(now_ms)
        if patient is None:
            return [html.P(say("limiting.unknown"), className="note")], as_of
        asked = self._log.commands_of(patient_id)
        offer = offer_of(asked, now_ms)
        offered = {} if offer is None else {c.code: c for c in offer.limits}
        may = guard.person().may(CommandType.SET_LIMITS)
        rows = [
            _line(limit, offered.get(limit.row.code), may=may)
            for limit in held(patient, self._rules, asked, now_ms)
        ]
        heads = ("limit", "now", "default", "proposed", "origin", "until", "action")
        table = html.Table(
            [
                html.Thead(
                    html.Tr([html.Th(say(f"limiting.{h}"), scope="col") for h in heads])
                ),
                html.Tbody(rows),
            ],
            className="held",
        )
        return [
            *([] if offer is None else [_offer(offer, may=may)]),
            html.Div(table, className="scroll"),
        ], as_of

    # --- a change, step by step

    def _form(self) -> Component:
        """Fields of every limit that may be moved; empty ones stay as they are."""
        may = guard.person().may(CommandType.SET_LIMITS)
        rows = [
            row
            for row in self._rules.rows.values()
            if row.condition is not None
            and (row.range is not None or row.longest_delay_ms is not None)
        ]
        return html.Details(
            [
                html.Summary(say("limiting.change")),
                html.Div(
                    [_fields(row) for row in rows] if may else [],
                    className="fields",
                ),
                html.Div(
                    [
                        frame.labelled(
                            say("limiting.reason"),
                            dcc.Input(
                                id="limits-reason",
                                type="text",
                                maxLength=LONGEST_REASON,
                            ),
                        ),
                        frame.choice(
                            "limits-hours",
                            say("limiting.hours"),
                            [(h, say("age.hours", n=h)) for h in _HOURS],
                            value=_USUAL_HOURS,
                            must=True,
                        ),
                        html.Button(say("limiting.review"), id="limits-review"),
                        html.Button(say("limiting.formula"), id="limits-formula"),
                    ],
                    className="filters",
                ),
            ],
            # Who may not change anything has no fields; the server would refuse, too.
            hidden=not may,
            open=True,
        )

    def review(self, *values: Any) -> tuple[Any, Any, Any]:
        """The first step: say in full what would be asked."""
        *_, limits, delays, names, reason, hours, patient_id = values
        pressed = ctx.triggered_id
        if not ctx.triggered or not ctx.triggered[0]["value"]:
            return no_update, no_update, no_update
        try:
            plan = self._plan(
                pressed, patient_id, (limits, delays, names), reason, hours
            )
        except ValueError as error:
            return None, [], str(error)
        said = html.Div(
            [
                html.P(html.B(self._said(plan))),
                html.Button(say("limiting.confirm"), id={"confirm": plan.id}),
                html.Button(say("limiting.back"), id={"back": plan.id}),
            ],
            className="confirm",
        )
        return msgspec.to_builtins(plan), said, ""

    def _plan(
        self,
        pressed: Any,
        patient_id: str,
        fields: tuple[list[Any], list[Any], list[Any]],
        reason: str | None,
        hours: float | None,
    ) -> Wish:
        """What was asked for by the button that was pressed.

        Raises:
            ValueError: It lacks something; says what.
        """
        told: dict[str, Any] = {"id": str(uuid.uuid4()), "patient": patient_id}
        why = (reason or "").strip()
        if pressed == "limits-formula":
            return Wish(type=CommandType.PROPOSE_LIMITS, **told)
        if isinstance(pressed, Mapping) and "reset" in pressed:
            taken = [Change(code=_dotted(pressed["reset"]))]
            return Wish(type=CommandType.RESET_LIMITS, limits=taken, **told)
        if not why:
            raise ValueError(say("limiting.no_reason"))
        if isinstance(pressed, Mapping) and "drop" in pressed:
            told |= {"proposal": pressed["drop"], "reason": why}
            return Wish(type=CommandType.PROPOSE_LIMITS, **told)
        told |= {"reason": why, "hours": hours or _USUAL_HOURS}
        if isinstance(pressed, Mapping) and "take" in pressed:
            return Wish(type=CommandType.SET_LIMITS, proposal=pressed["take"], **told)
        changes = self._changes(*fields)
        if not changes:
            raise ValueError(say("limiting.no_change"))
        return Wish(type=CommandType.SET_LIMITS, limits=changes, **told)

    def _changes(
        self, limits: list[Any], delays: list[Any], names: list[Any]
    ) -> list[Change]:
        changes = []
        for limit, delay, name in zip(limits, delays, names, strict=True):
            if limit is None and delay is None:
                continue
            row = self._rules.rows[_dotted(name["limit"])]
            changes.append(
                Change(
                    code=row.code,
                    limit=None
                    if limit is None
                    else wording.ours().measured(row.signal or "", limit),
                    delay_s=delay,
                )
            )
        return changes

    def _said(self, wish: Wish) -> str:
        """A wish in words: what is asked, of whom, why and for how long."""
        patient = self._ward.patient(wish.patient)
        bed = "" if patient is None else patient.bed
        changes = [
            frame.change_in_words(LimitChange(c.code, c.limit, c.delay_s))
            for c in wish.limits
        ]
        if wish.proposal is not None:
            asked = self._log.commands_of(wish.patient)
            offer = offer_of(asked, clock.now_ms())
            if offer is not None and offer.asked.command_id == wish.proposal:
                changes = [frame.change_in_words(c) for c in offer.limits]
        kind = wish.type.value
        if wish.type is CommandType.PROPOSE_LIMITS:
            kind = "withdraw" if wish.proposal else "formula"
        parts = [
            say(f"limiting.ask.{kind}", bed=bed, patient=wish.patient),
            "; ".join(changes),
        ]
        if wish.hours is not None:
            parts.append(say("limiting.for", n=f"{wish.hours:g}"))
        if wish.reason:
            parts.append(say("limiting.because", reason=wish.reason))
        return ". ".join(part for part in parts if part) + "."

    async def confirm(self, *values: Any) -> tuple[Any, ...]:
        """The second step: ask, and say what came of it."""
        pressed = ctx.triggered_id
        *_, names, plan = values
        kept = [no_update] * len(names)
        if not ctx.triggered or not ctx.triggered[0]["value"] or not plan:
            return no_update, no_update, no_update, kept, kept
        if isinstance(pressed, Mapping) and "back" in pressed:
            return None, [], "", kept, kept
        wish = msgspec.convert(plan, Wish)
        outcome = await self._desk.ask(guard.person(), wish)
        text = _told(outcome)
        if outcome.fate is Fate.DONE:
            emptied = [None] * len(names)
            return None, [], text, emptied, emptied
        if outcome.fate is Fate.REFUSED:
            return None, [], text, kept, kept
        # May be tried again, as the same command.
        return no_update, no_update, text, kept, kept


def _told(outcome: Outcome) -> str:
    fate = outcome.fate.value
    text = say(f"ask.{fate}") if fate == "done" else say(f"limiting.fate.{fate}")
    return f"{text} {outcome.reason}".strip()


# --- rows and fields


def _line(limit: Held, offered: LimitChange | None, *, may: bool) -> Component:
    row, own = limit.row, limit.own
    default = Limit(row.limit or 0.0, row.delay_ms / 1000)
    cells: list[Any] = [
        html.Td(_in_words(row, limit.now)),
        html.Td(_in_words(row, default) if own else "="),
        html.Td("" if offered is None else frame.change_in_words(offered)),
    ]
    if own is None:
        cells += [html.Td(row.source, className="source"), html.Td(), html.Td()]
    else:
        by, at_ms, reason, until_ms = own
        told = say("limiting.by", by=by, at=frame.moment(at_ms))
        cells += [
            html.Td(f"{told}: {reason}" if reason else told, className="source"),
            html.Td(frame.moment(until_ms)),
            html.Td(
                html.Button(say("limiting.reset"), id={"reset": _undotted(row.code)})
                if may
                else ""
            ),
        ]
    head = html.Th(
        f"{wording.MARKS[row.priority]} {wording.signal_name(row.signal or '')}",
        scope="row",
        title=row.code,
    )
    return html.Tr([head, *cells], className="own" if own else "")


def _offer(offer: Offer, *, may: bool) -> Component:
    asked = offer.asked
    text = say(
        "limiting.offer",
        by=asked.by,
        what="; ".join(frame.change_in_words(c) for c in offer.limits),
        until=frame.moment(offer.until_ms),
    )
    why = [say("limiting.because", reason=asked.reason)] if asked.reason else []
    buttons = [
        html.Button(say("limiting.take"), id={"take": asked.command_id}),
        html.Button(say("limiting.drop"), id={"drop": asked.command_id}),
    ]
    return html.Div(
        [html.P([html.B(text), " ", *why]), *(buttons if may else [])],
        className="offer",
    )


def _fields(row: Row) -> Component:
    """Limit and delay of one row, each with how far it may go."""
    code, signal = _undotted(row.code), row.signal or ""
    words = wording.ours()
    inputs: list[Any] = []
    if row.range is not None:
        low, high = (words.shown(signal, edge) for edge in row.range)
        digits = words.scale(signal).digits
        span = f"{words.number(low, digits)}-{words.number(high, digits)}"
        inputs.append(
            frame.labelled(
                f"{span} {words.unit(signal)}",
                dcc.Input(
                    id={"limit": code}, type="number", min=low, max=high, step="any"
                ),
            )
        )
    else:
        inputs.append(dcc.Input(id={"limit": code}, type="hidden"))
    if row.longest_delay_ms is not None:
        longest = row.longest_delay_ms / 1000
        inputs.append(
            frame.labelled(
                f"0-{longest:g} s",
                dcc.Input(
                    id={"delay": code}, type="number", min=0, max=longest, step="any"
                ),
            )
        )
    else:
        inputs.append(dcc.Input(id={"delay": code}, type="hidden"))
    name = f"{wording.MARKS[row.priority]} {wording.signal_name(signal)} {_sign(row)}"
    return html.Fieldset([html.Legend(name, title=row.code), *inputs])


def _sign(row: Row) -> str:
    return "" if row.condition is None else wording.SIGNS[row.condition]


def _in_words(row: Row, limit: Limit) -> str:
    words = wording.ours()
    signal = row.signal or ""
    digits = max(words.scale(signal).digits, 1)
    value = words.number(words.shown(signal, limit.limit), digits)
    delay = (
        say("limits.at_once")
        if not limit.delay_s
        else say("age.seconds", n=words.number(limit.delay_s, 1))
    )
    return f"{_sign(row)} {value} {words.unit(signal)}, {delay}"


# Dash allows no dot in an id.
def _undotted(code: str) -> str:
    return code.replace(".", ":")


def _dotted(name: str) -> str:
    return name.replace(":", ".", 1)
