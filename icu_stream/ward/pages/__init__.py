"""The pages of the ward view, beside the ward itself: where each is and what shows it.

`PLACES` is the only table of them: the navigation, the guard (`guard.py`) and the pages'
callbacks go by it; who may see which is in `icu_stream.access.roles`. A page is a function
from the rest of its address to a Dash component; `server.create_app` joins the two.
"""

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

from dash.development.base_component import Component

from icu_stream.access.roles import Page
from icu_stream.ward import wording


# From the rest of an address ("p-0007" of "/limits/p-0007") to what is shown there.
Show = Callable[[str], Component]


class Place(NamedTuple):
    """One page of the navigation."""

    page: Page

    @property
    def path(self) -> str:
        """Where its address begins."""
        return f"/{self.page}"

    @property
    def title(self) -> str:
        """What it is called."""
        return wording.say(f"nav.{self.page or 'ward'}")


# In the order of the navigation; one bed is a part of the ward.
PLACES = tuple(
    Place(page)
    for page in (
        Page.WARD,
        Page.ALARMS,
        Page.BURDEN,
        Page.WHATIF,
        Page.LIMITS,
        Page.SYSTEM,
    )
)


def place(address: str) -> Place | None:
    """The page that an address belongs to; None when it belongs to none.

    >>> place("/limits/p-0007").path, place("/alarms.csv").path, place("/alarmsystem")
    ('/limits', '/alarms', None)
    >>> place("/bed/p-0007").title
    'Ward'
    """
    if address.startswith(f"/{Page.BED}/"):
        address = f"/{Page.WARD}"  # the ward, with that bed open before it
    for known in PLACES:
        if address == known.path:
            return known
        below = (f"{known.path}/", f"{known.path}.")
        if known.page is not Page.WARD and address.startswith(below):
            return known
    return None


def rest(address: str) -> str:
    """What follows the page's own path, as it is meant: ids may hold any sign.

    >>> rest("/limits/p-0007"), rest("/alarms"), rest("/limits/7%2F12%20a")
    ('p-0007', '', '7/12 a')
    """
    return unquote(address.strip("/").partition("/")[2])
