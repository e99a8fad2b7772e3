"""The page as Dash owns it: a frame of empty places that ward.js fills.

Dash never touches what is inside `#bar-live`, `#theme`, `#units`, `#attn`, `#mine`, `#ward`,
`#bed` and `#said`: components that React manages fall behind at a hundred beds and show old numbers as live.
"""

from html import escape

from dash import dcc, html
from dash.development.base_component import Component

from icu_stream.access.roles import Person
from icu_stream.ward import pages
from icu_stream.ward.pages import Place
from icu_stream.ward.pages.frame import aria
from icu_stream.ward.wording import ours, say


# While the page loads: the shape of the ward, without a digit that could be a value.
_INDEX = """<!DOCTYPE html>
<html lang="LANGUAGE" data-theme="dark">
    <head>
        {%metas%}
        <title>{%title%}</title>
        {%favicon%}
        <link rel="stylesheet" href="/colours.css">
        {%css%}
    </head>
    <body>
        {%app_entry%}
        <footer id="note">
            <span>NOTE</span> <span id="me"></span> <span id="printed"></span>
        </footer>
        <div hidden>
            <script src="/words.js"></script>
            {%config%}
            {%scripts%}
            {%renderer%}
        </div>
    </body>
</html>
"""


def index() -> str:
    """The document around every page, in the language of this ward."""
    note = escape(say("page.note"))
    return _INDEX.replace("LANGUAGE", ours().language).replace("NOTE", note)


def page() -> html.Div:
    """What every page has: bar, choice of a theme, place for the rest."""
    return html.Div(
        [
            dcc.Location(id="url", refresh=False),
            html.Header(
                [
                    html.Div(id="bar-live"),
                    html.Div(id="sound"),
                    html.Div(
                        [html.Div(id="theme"), html.Div(id="session")],
                        id="own",
                        role="group",
                        **aria(label=say("nav.me")),
                    ),
                ],
                id="bar",
            ),
            html.Div(
                id="live-alarm",
                role="alert",
                className="unseen",
                # What is added is read, and nothing twice.
                **aria(live="assertive", atomic="false", relevant="additions"),
            ),
            html.Main(id="page"),
            html.Div(
                [
                    html.Span(id="problem-text"),
                    html.Button(say("page.retry"), id="retry"),
                ],
                id="problem",
                role="alert",
                hidden=True,
            ),
            html.Div(id="said", role="status", hidden=True),
            html.Div(
                [
                    html.Nav(id="nav", **aria(label=say("nav.pages"))),
                    html.Button(say("nav.me"), id="own-tab", **aria(expanded="false")),
                ],
                id="tabs",
            ),
        ],
        id="shell",
    )


def ward() -> html.Div:
    """The ward itself: units, what needs attention, tiles."""
    return html.Div(
        [
            html.H1(say("ward.title"), className="unseen"),
            html.Section(id="mine", hidden=True, **aria(label=say("ward.mine"))),
            html.Aside(
                [
                    html.Div(id="units", role="group", **aria(label=say("ward.units"))),
                    html.Div(id="attn"),
                ],
                id="side",
            ),
            html.Div(id="ward", role="group", **aria(label=say("ward.beds"))),
            html.Div(
                id="bed", role="dialog", hidden=True, **aria(label=say("ward.bed"))
            ),
        ],
        id="wardpage",
    )


def links(who: Person, here: Place | None) -> list[Component]:
    """The way to every page that a person may see; the current one is marked."""
    return [
        html.A(place.title, href=place.path, **aria(current="page"))
        if place is here
        else dcc.Link(place.title, href=place.path)
        for place in pages.PLACES
        if who.sees(place.page)
    ]


def refused(place: Place, who: Person) -> html.Div:
    """A page that this person may not see."""
    return html.Div(
        [
            html.H1(say("page.refused")),
            html.P(
                say(
                    "page.refused_to",
                    page=place.title,
                    role=say(f"role.{who.role}"),
                )
            ),
            dcc.Link(say("page.home"), href="/"),
        ],
        id="missing",
    )


def missing(path: str) -> html.Div:
    """An address that leads nowhere."""
    return html.Div(
        [
            html.H1(say("page.missing")),
            html.P(say("page.missing_at", path=path)),
            dcc.Link(say("page.home"), href="/"),
        ],
        id="missing",
    )
