"""`/alarms`: the log of alarms and commands, filtered, as a table, as CSV, and on paper.

The filter is applied on the server, so the file and the paper hold every entry that it
takes, and not only those that the table shows.
"""

import asyncio
import csv
import io

from collections.abc import Awaitable, Callable, Iterator
from html import escape
from typing import Any, NamedTuple

import dash_ag_grid as dag

from dash import Dash, Input, Output, State, dcc, html, no_update
from fastapi import Request, Response

from icu_stream import clock
from icu_stream.access.roles import Page
from icu_stream.contracts.alerts import named
from icu_stream.contracts.commands import CommandType
from icu_stream.contracts.topics import HOUR_MS
from icu_stream.ward import wording
from icu_stream.ward.pages import frame, guard
from icu_stream.ward.pages.chronicle import (
    COMMANDS,
    EVENTS,
    KINDS,
    PRIORITIES,
    Asked,
    Chronicle,
    Entry,
    Filter,
    Told,
)
from icu_stream.ward.wording import say


# Ours: what anybody scrolls through; the rest is in the file. 60 kB.
SHOWN = 300
# Ours: 40 sheets of paper.
PRINTED = 2_000
REFRESH_MS = 5_000
_HOURS = (1, 4, 12, 24, 168)
_COLUMNS = (
    "time",
    "bed",
    "patient",
    "mark",
    "event",
    "what",
    "by",
    "station",
    "reason",
)
_WIDTHS = (225, 105, 105, 165, 250, 0, 130, 130, 170)

Row = dict[str, Any]


class Found(NamedTuple):
    """What a filter takes.

    Attributes:
        rows: As shown, the newest first.
        total: How many there are in all.
    """

    rows: list[Row]
    total: int


def register(
    app: Dash, log: Chronicle, bed_of: Callable[[str], str]
) -> Callable[[str], html.Div]:
    """Attach the page's callbacks.

    Args:
        app: The app.
        log: What is shown.
        bed_of: Where a patient lies now; empty where that is not known.

    Returns:
        The page: of one bed, if its address names one.
    """

    async def fill(
        _: int | None,
        bed: str | None,
        priority: str | None,
        kind: str | None,
        event: str | None,
        hours: int | None,
        known: list[Any] | None,
    ) -> tuple[Any, ...]:
        asked = [bed, priority, kind, event, hours]
        state = [log.version, log.since_ms, log.is_read_back, *asked]
        as_of = frame.as_of(clock.now_ms())
        if known == state:
            return no_update, no_update, as_of, no_update
        wanted = filter_of(asked, clock.now_ms())
        found = await asyncio.to_thread(search, log, wanted, bed_of, SHOWN)
        return found.rows, status(log, found), as_of, state

    guard.callback(
        app,
        Page.ALARMS,
        Output("log-grid", "rowData"),
        Output("log-status", "children"),
        Output("log-as-of", "children"),
        Output("log-state", "data"),
        Input("log-tick", "n_intervals"),
        *(Input(f"log-{name}", "value") for name in _FILTERS),
        State("log-state", "data"),
    )(fill)

    def links(*asked: Any) -> tuple[str, str]:
        query = query_of(asked)
        return f"/alarms.csv?{query}", f"/alarms.html?{query}"

    guard.callback(
        app,
        Page.ALARMS,
        Output("log-csv", "href"),
        Output("log-paper", "href"),
        *(Input(f"log-{name}", "value") for name in _FILTERS),
    )(links)
    return page


_FILTERS = ("bed", "priority", "kind", "event", "hours")


def page(bed: str) -> html.Div:
    """The page; the table is filled by a callback."""
    events = [*EVENTS, *(c for c in COMMANDS if c not in EVENTS)]
    return frame.page(
        "log",
        say("log.title"),
        [
            html.Div(
                [
                    frame.labelled(
                        say("log.bed"),
                        dcc.Input(id="log-bed", value=bed, debounce=0.5, type="text"),
                    ),
                    frame.choice(
                        "log-priority",
                        say("log.priority"),
                        [(p, wording.ranked(p)) for p in PRIORITIES],
                    ),
                    frame.choice(
                        "log-kind",
                        say("log.kind"),
                        [(k, say(f"log.kinds.{k}")) for k in KINDS],
                    ),
                    frame.choice(
                        "log-event",
                        say("log.event"),
                        [(e, say(f"log.events.{e}")) for e in events],
                    ),
                    frame.choice(
                        "log-hours",
                        say("log.hours"),
                        [(h, say("log.last", hours=h)) for h in _HOURS],
                    ),
                    html.A(say("log.csv"), id="log-csv", className="button", href=""),
                    html.A(
                        say("page.print"),
                        id="log-paper",
                        className="button",
                        target="_blank",
                        href="",
                    ),
                ],
                className="filters",
            ),
            html.P(id="log-status", className="status", role="status"),
            dag.AgGrid(
                id="log-grid",
                columnDefs=[
                    {
                        "field": name,
                        "headerName": say(f"log.columns.{name}"),
                        "tooltipField": name,
                        **({"width": width} if width else {"flex": 1, "minWidth": 300}),
                        # Times are texts here: they are in their order already.
                        "sortable": name != "time",
                        **(_MARKED if name == "mark" else {}),
                    }
                    for name, width in zip(_COLUMNS, _WIDTHS, strict=True)
                ],
                rowData=[],
                getRowId="params.data.id",
                dashGridOptions=frame.GRID
                | {"localeText": {"noRowsToShow": say("log.nothing")}},
                className="grid",
                style={"height": None, "width": "100%"},
            ),
            dcc.Interval(id="log-tick", interval=REFRESH_MS),
            dcc.Store(id="log-state"),
        ],
        as_of="log-as-of",
    )


# Never by colour alone: the mark and the word are the text.
_MARKED = {
    "cellClassRules": {
        f"mark-{p}": f"params.value && params.value.startsWith('{wording.MARKS[p]} ')"
        for p in PRIORITIES
    }
}


def filter_of(asked: list[Any] | tuple[Any, ...], now_ms: int) -> Filter:
    """What the fields of the page, or of an address, say; what makes no sense is all."""
    bed, priority, kind, event, hours = asked
    span = int(hours) if str(hours).isdecimal() else 0
    return Filter(
        bed=str(bed or "").strip().lower()[:128],
        priority=str(priority) if priority in PRIORITIES else "",
        kind=str(kind) if kind in KINDS else "",
        event=str(event) if event in {*EVENTS, *COMMANDS} else "",
        from_ms=now_ms - span * HOUR_MS if span else None,
    )


def query_of(asked: tuple[Any, ...]) -> str:
    """The fields as a part of an address.

    >>> query_of(("ICU 1", None, None, "raised", 4))
    'bed=ICU%201&event=raised&hours=4'
    """
    return frame.query(dict(zip(_FILTERS, asked, strict=True)))


def search(
    log: Chronicle, wanted: Filter, bed_of: Callable[[str], str], most: int
) -> Found:
    """What the filter takes; may be done by another thread."""
    rows: list[Row] = []
    total = 0
    for entry in log.entries():
        bed = entry.bed if isinstance(entry, Told) else bed_of(entry.patient_id)
        if not wanted.takes(entry, bed):
            continue
        total += 1
        if len(rows) < most:
            rows.append(_row(log, entry, bed))
    return Found(rows, total)


def _row(log: Chronicle, entry: Entry, bed: str) -> Row:
    if isinstance(entry, Told):
        asked = log.asked_for(entry)
        reason = entry.explanation.reason or ("" if asked is None else asked.reason)
        word = wording.word(entry.kind)
        return {
            "id": f"{entry.alert_id}/{entry.transition}/{entry.event}",
            "time": frame.moment(entry.time),
            "bed": bed,
            "patient": entry.patient_id,
            "mark": f"{wording.ranked(entry.priority)} {word}".strip(),
            "event": say(f"log.events.{entry.event}"),
            "what": entry.text,
            "by": entry.by or "",
            "station": "" if asked is None else asked.station,
            "reason": reason,
        }
    return {
        "id": entry.command_id,
        "time": frame.moment(entry.time),
        "bed": bed,
        "patient": entry.patient_id,
        "mark": "",
        "event": say(f"log.events.{entry.type}"),
        "what": _deed(entry),
        "by": entry.by,
        "station": entry.station,
        "reason": entry.reason,
    }


def _deed(asked: Asked) -> str:
    """What was asked, and what became of it, in one line."""
    parts = [text for text in (_details(asked), named(asked.alert_id).code) if text]
    result = asked.result
    if result is None:
        parts.append(say("log.unanswered"))
    elif not result.accepted:
        parts.append(say("log.refused", reason=result.reason or ""))
    elif result.expires:
        parts.append(say("log.until", at=frame.moment(result.expires)))
    return "; ".join(parts)


def _details(asked: Asked) -> str:
    command, result = asked.command, asked.result
    limits = (result.limits if result else []) or (command.limits if command else [])
    if limits:
        return ", ".join(frame.change_in_words(change) for change in limits)
    if asked.type is CommandType.FEEDBACK:
        told = command or result
        yes = told is not None and told.actionable
        return say("log.actionable" if yes else "log.not_actionable")
    if command is None:
        return ""
    if command.type is CommandType.PAUSE and command.seconds:
        return say("log.seconds", n=f"{command.seconds:g}")
    if command.type is CommandType.OBSERVE:
        charted: dict[str, object] = dict(command.values)
        for name in ("acvpu", "on_oxygen", "spo2_scale"):
            if (value := getattr(command, name)) is not None:
                charted[name] = value
        return ", ".join(f"{name} {value}" for name, value in charted.items())
    return command.bed or command.signal or ""


def status(log: Chronicle, found: Found) -> str:
    """How much there is, how much of it is shown, and since when it is complete."""
    parts = [say("log.count", n=found.total)]
    if found.total > len(found.rows):
        parts.append(say("log.newest", n=len(found.rows)))
    if log.since_ms is not None:
        parts.append(say("log.since", at=frame.moment(log.since_ms)))
    if not log.is_read_back:
        parts.append(say("log.reading"))
    return ". ".join(parts) + "."


# --- files and paper


def table(
    log: Chronicle, bed_of: Callable[[str], str]
) -> Callable[[Request], Awaitable[Response]]:
    """`/alarms.csv`: every entry that the filter takes."""

    async def handle(request: Request) -> Response:
        wanted = _asked(request)
        found = await asyncio.to_thread(search, log, wanted, bed_of, 10**9)
        text = await asyncio.to_thread(as_csv, found.rows)
        name = f"icu-alarms-{clock.now_ms() // 1000}.csv"
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        }
        # With a mark of the encoding: spreadsheets take UTF-8 for something else.
        return Response("\ufeff" + text, 200, headers, "text/csv; charset=utf-8")

    return handle


def as_csv(rows: list[Row]) -> str:
    """Rows as a spreadsheet reads them; what would be a formula there is not one.

    >>> row = dict.fromkeys(_COLUMNS, "") | {"bed": "B1", "reason": "=1+1"}
    >>> as_csv([row]).splitlines()[1]
    ",B1,,,,,,,'=1+1"
    """
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([say(f"log.columns.{name}") for name in _COLUMNS])
    for row in rows:
        writer.writerow([_harmless(str(row[name])) for name in _COLUMNS])
    return file.getvalue()


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def paper(
    log: Chronicle, bed_of: Callable[[str], str]
) -> Callable[[Request], Awaitable[Response]]:
    """`/alarms.html`: the same on paper; the browser's print dialog opens by itself."""

    async def handle(request: Request) -> Response:
        found = await asyncio.to_thread(search, log, _asked(request), bed_of, PRINTED)
        head = "".join(
            f"<th scope='col'>{escape(say(f'log.columns.{name}'))}</th>"
            for name in _COLUMNS
        )
        body = "".join(_printed(found.rows))
        text = frame.sheet(
            say("log.title"),
            f"<p>{escape(_said(request))} {escape(status(log, found))}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>",
        )
        return Response(text, 200, {"Cache-Control": "no-store"}, "text/html")

    return handle


def _printed(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        cells = "".join(f"<td>{escape(str(row[name]))}</td>" for name in _COLUMNS)
        yield f"<tr>{cells}</tr>"


def _said(request: Request) -> str:
    """The filter in words, for the paper."""
    wanted, asked = _asked(request), request.query_params
    words = {
        "bed": wanted.bed,
        "priority": wanted.priority and say(f"priority.{wanted.priority}"),
        "kind": wanted.kind and say(f"log.kinds.{wanted.kind}"),
        "event": wanted.event and say(f"log.events.{wanted.event}"),
        "hours": wanted.from_ms and say("log.last", hours=asked.get("hours", "")),
    }
    return " ".join(
        f"{say(f'log.{name}')}: {word}." for name, word in words.items() if word
    )


def _asked(request: Request) -> Filter:
    fields = [request.query_params.get(name) for name in _FILTERS]
    return filter_of(fields, clock.now_ms())
