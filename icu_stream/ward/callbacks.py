"""What Dash itself does on the page: which page an address shows."""

from dash import Dash, Input, Output, html

from icu_stream.ward import layout


def register(app: Dash) -> None:
    """Attach the callbacks to the app."""
    app.callback(Output("page", "children"), Input("url", "pathname"))(page)


def page(path: str | None) -> html.Div:
    """The page of an address."""
    return layout.ward() if path in {None, "/", ""} else layout.missing(path)
