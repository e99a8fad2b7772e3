"""The page as Dash owns it: a frame of empty places that ward.js fills.

Dash never touches what is inside `#bar-live`, `#theme`, `#units`, `#attn`, `#ward`, `#bed`
and `#said`: components that React manages fall behind at a hundred beds and show old numbers as live.
"""

from typing import Any

from dash import dcc, html


FOOTER = "Secondary notification only. Use the bedside monitor."

# While the page loads: the shape of the ward, without a digit that could be a value.
INDEX = """<!DOCTYPE html>
<html lang="en" data-theme="dark">
    <head>
        {%metas%}
        <title>{%title%}</title>
        {%favicon%}
        {%css%}
    </head>
    <body>
        {%app_entry%}
        <footer id="note"><span>FOOTER</span> <span id="me"></span></footer>
        <div hidden>
            {%config%}
            {%scripts%}
            {%renderer%}
        </div>
    </body>
</html>
""".replace("FOOTER", FOOTER)


def page() -> html.Div:
    """What every page has: bar, choice of a theme, place for the rest."""
    return html.Div(
        [
            dcc.Location(id="url", refresh=False),
            html.Header(
                [
                    html.Div(id="bar-live"),
                    html.Div(id="theme"),
                ],
                id="bar",
            ),
            html.Div(
                id="live-alarm",
                role="alert",
                className="unseen",
                **_aria(live="assertive"),
            ),
            html.Main(id="page"),
            html.Div(id="said", role="status", hidden=True),
        ],
        id="shell",
    )


def ward() -> html.Div:
    """The ward itself: units, what needs attention, tiles."""
    return html.Div(
        [
            html.H1("Ward", className="unseen"),
            html.Aside(
                [
                    html.Div(id="units", role="group", **_aria(label="Units")),
                    html.Div(id="attn"),
                ],
                id="side",
            ),
            html.Div(id="ward", role="group", **_aria(label="Beds")),
            html.Div(id="bed", role="dialog", hidden=True, **_aria(label="Bed")),
        ],
        id="wardpage",
    )


def missing(path: str) -> html.Div:
    """An address that leads nowhere."""
    return html.Div(
        [
            html.H1("No such page"),
            html.P(f"There is nothing at {path}."),
            dcc.Link("Back to the ward", href="/"),
        ],
        id="missing",
    )


def _aria(**attributes: str) -> dict[str, Any]:
    return {f"aria-{name}": value for name, value in attributes.items()}
