"""What all pages have in common: heading, moments, choices, the table's look, the paper."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

from dash import dcc, html
from dash.development.base_component import Component

from icu_stream import clock
from icu_stream.contracts.commands import LimitChange
from icu_stream.ward import wording
from icu_stream.ward.pages import guard
from icu_stream.ward.wording import say


# The table follows the page's theme: its colours are the page's own variables.
GRID: dict[str, Any] = {
    "theme": {
        "function": "themeQuartz.withParams({"
        "backgroundColor: 'var(--tile)', foregroundColor: 'var(--text)', "
        "headerBackgroundColor: 'var(--page)', headerTextColor: 'var(--text)', "
        "borderColor: 'var(--edge)', rowHoverColor: 'var(--edge)', "
        "accentColor: 'var(--spo2)', fontFamily: 'inherit', fontSize: 15, "
        "rowHeight: 34, headerHeight: 40})"
    },
    "suppressCellFocus": False,
    "enableCellTextSelection": True,
    "tooltipShowDelay": 300,
    "animateRows": False,
}


def page(
    name: str, title: str, inside: Sequence[Any], *, as_of: str | None = None
) -> html.Div:
    """A page with its heading.

    Args:
        name: Of the page, for its style.
        title: What it is called.
        inside: What follows.
        as_of: Id of the place that says of when it is.
    """
    stamp = [] if as_of is None else [html.Span(id=as_of, className="as-of")]
    return html.Div(
        [html.Div([html.H1(title), *stamp], className="head"), *inside],
        className=f"report {name}",
        tabIndex="0",  # it scrolls: by the keys, too
    )


def as_of(now_ms: int) -> str:
    """Of when this is."""
    return say("page.as_of", at=wording.ours().hhmmss(now_ms))


def moment(time_ms: int) -> str:
    """Time to the second and date: where there is no room for both, the time is seen."""
    words = wording.ours()
    return f"{words.hhmmss(time_ms)} {words.moment(time_ms)[:-6]}"


def labelled(label: str, field: Component) -> html.Label:
    """A field and what it is called."""
    return html.Label([html.Span(label), field])


def choice(
    name: str,
    label: str,
    options: Sequence[tuple[Any, str]],
    *,
    value: Any = None,
    must: bool = False,
) -> html.Label:
    """A choice of one, or none.

    Args:
        name: Its id.
        label: What it is called.
        options: Value and text of each.
        value: Chosen at first.
        must: None is no choice.
    """
    field = dcc.Dropdown(
        id=name,
        options=[{"value": option, "label": text} for option, text in options],
        value=value,
        clearable=not must,
        searchable=False,
        placeholder=say("page.all"),
    )
    return html.Label([html.Span(label), field], htmlFor=name)


def query(fields: Mapping[str, Any]) -> str:
    """Fields as a part of an address; without those that are empty."""
    given = {name: value for name, value in fields.items() if value not in {None, ""}}
    return urlencode(given, quote_via=quote)


def change_in_words(change: LimitChange) -> str:
    """A limit that was set, in the ward's units: `spo2.low 88, 20 s`."""
    code = change.code.partition(".")[0]
    parts = []
    if change.limit is not None:
        words = wording.ours()
        parts.append(f"{words.value(code, change.limit)} {words.unit(code)}")
    if change.delay_s is not None:
        parts.append(f"{change.delay_s:g} s")
    return f"{change.code} {', '.join(parts)}".strip()


_SHEET = """<!DOCTYPE html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>
<link rel="stylesheet" href="/assets/pages.css"></head>
<body class="sheet"><h1>{title}</h1>{inside}<p class="printed">{printed}. {note}</p>
<script src="/assets/pages.js"></script></body></html>
"""


def sheet(title: str, inside: str) -> str:
    """A page of paper: black on white, by whom and when; its numbers are the browser's.

    Args:
        title: Its heading.
        inside: HTML.
    """
    return _SHEET.format(
        language=wording.ours().language,
        title=escape(title),
        inside=inside,
        printed=escape(printed()),
        note=escape(say("page.note")),
    )


def printed() -> str:
    """When, and by whom."""
    by = guard.person().by or say("page.printed_by_nobody")
    return say("page.printed", at=wording.ours().moment(clock.now_ms()), by=by)


def aria(**attributes: str) -> dict[str, Any]:
    """Attributes for those who hear the page."""
    return {f"aria-{name}": value for name, value in attributes.items()}
