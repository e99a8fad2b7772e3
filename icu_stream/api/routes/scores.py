"""Scores: NEWS2, others, trends and the models' hint; now, and in the past."""

from icu_stream.access.roles import Page
from icu_stream.api.messages import UNSET, OfPatient, Within
from icu_stream.api.problems import Kind, unknown
from icu_stream.api.routes.patients import known
from icu_stream.api.table import Ask, Listed, Nothing, Route
from icu_stream.clock import now_ms
from icu_stream.contracts.scores import Scores
from icu_stream.contracts.topics import DAY_MS


async def see_scores(ask: Ask[OfPatient, Nothing, None]) -> Scores:
    """The scores that hold now."""
    scores = known(ask).scored(now_ms())
    if scores is None:
        raise unknown(what="no scores are stated for this patient now")
    return scores


async def list_scores(ask: Ask[OfPatient, Within, None]) -> Listed[Scores]:
    """Past scores, the oldest first."""
    query = ask.query
    last = now_ms() if query.last is UNSET else query.last
    first = last - DAY_MS if query.first is UNSET else query.first
    page = await ask.parts.past.series.scores(
        ask.path.patient_id,
        first,
        last,
        after=query.cursor or None,
        most=query.limit,
    )
    return Listed(items=page.rows, next=page.after)


ROUTES = (
    Route(
        method="GET",
        path="/v1/patients/{patient_id}/scores",
        summary="The scores that hold now",
        handle=see_scores,
        needs=Page.BED,
        where=OfPatient,
        answer=Scores,
    ),
    Route(
        method="GET",
        path="/v1/patients/{patient_id}/scores/history",
        summary="Past scores, the oldest first; the last day without `from`",
        handle=list_scores,
        needs=Page.BED,
        where=OfPatient,
        query=Within,
        answer=Listed[Scores],
        problems=(Kind.NO_STORE, Kind.STORE),
    ),
)
