"""What Dash itself does on the page: which page an address shows, and the way to others."""

from collections.abc import Mapping
from typing import Any

from dash import Dash, Input, Output
from dash.development.base_component import Component

from icu_stream.access.roles import Page
from icu_stream.ward import layout, pages
from icu_stream.ward.pages import Show, guard


def register(app: Dash, shows: Mapping[Page, Show]) -> None:
    """Attach the callbacks to the app.

    Args:
        app: The app.
        shows: What each page shows; of the ward itself, `layout` knows.
    """

    def page(address: str | None, _retries: int | None) -> tuple[Any, ...]:
        """The page of an address, the navigation from there, and no problem."""
        return (*shown(address or "/", shows), True)

    guard.callback(
        app,
        Page.WARD,
        Output("page", "children"),
        Output("nav", "children"),
        Output("problem", "hidden"),
        Input("url", "pathname"),
        Input("retry", "n_clicks"),
    )(page)


def shown(
    address: str, shows: Mapping[Page, Show]
) -> tuple[Component, list[Component]]:
    """What is at an address for who asks, and the navigation that marks it."""
    who = guard.person()
    place = pages.place(address)
    links = layout.links(who, place)
    if place is None:
        return layout.missing(address), links
    if not who.sees(place.page):
        return layout.refused(place, who), links
    if place.page is Page.WARD:
        return layout.ward(), links
    show = shows.get(place.page)
    return layout.missing(address) if show is None else show(pages.rest(address)), links
