"""What Dash itself does on the page: which page is shown, and in which theme."""

from dash import ClientsideFunction, Dash, Input, Output, html

from icu_stream.ward import layout


def register(app: Dash) -> None:
    """Attach the callbacks to the app."""
    app.callback(Output("page", "children"), Input("url", "pathname"))(page)
    # Theme and night are worked out in ward.js, which also keeps the clock.
    app.clientside_callback(  # type: ignore[no-untyped-call]  # Dash has no type here
        ClientsideFunction("ward", "theme"),
        Output("theme", "className"),
        Input("theme", "value"),
    )


def page(path: str | None) -> html.Div:
    """The page of an address."""
    return layout.ward() if path in {None, "/", ""} else layout.missing(path)
