"""The route table: one file a resource, one row a route."""

from icu_stream.api.routes import (
    alerts,
    backtests,
    beds,
    burden,
    documents,
    limits,
    patients,
    scores,
    session,
    stream,
    system,
    vitals,
)
from icu_stream.api.table import Route


ROUTES: tuple[Route, ...] = (
    *session.ROUTES,
    *beds.ROUTES,
    *patients.ROUTES,
    *vitals.ROUTES,
    *scores.ROUTES,
    *alerts.ROUTES,
    *limits.ROUTES,
    *stream.ROUTES,
    *burden.ROUTES,
    *backtests.ROUTES,
    *system.ROUTES,
    *documents.ROUTES,
)
