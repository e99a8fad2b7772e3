"""The system itself: can it be asked, and how is the chain?"""

from typing import Literal

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from icu_stream import __version__
from icu_stream.access.roles import Page
from icu_stream.api.messages import Health, Partition, System
from icu_stream.api.table import Ask, Nothing, Reply, Route
from icu_stream.clock import now_ms
from icu_stream.errors import StorageError


# As the ward view's dead-man: docs/ward.md, the chain.
_SILENT_MS = 8_500


async def health(ask: Ask[Nothing, Nothing, None]) -> Reply:
    """For whoever sends requests here: send them elsewhere when it fails."""
    is_ready = ask.parts.feed.is_ready
    content = Health(status="pass" if is_ready else "fail")
    return Reply(content=content, status=200 if is_ready else 503)


async def ready(ask: Ask[Nothing, Nothing, None]) -> Reply:
    """The same, where others look for it."""
    return await health(ask)


async def alive(_ask: Ask[Nothing, Nothing, None]) -> Health:
    """The process answers."""
    return Health(status="pass")


async def system(ask: Ask[Nothing, Nothing, None]) -> System:
    """How the chain is, as this server sees it."""
    parts, at_ms = ask.parts, now_ms()
    beats = [
        (beat, heard)
        for beat, heard in parts.present.beats.values()
        if at_ms - heard <= _SILENT_MS
    ]
    spoken = {beat.partition for beat, _ in beats}
    return System(
        version=__version__,
        kafka=parts.feed.is_ready,
        behind=parts.feed.behind,
        store=await _store(ask),
        partitions=[
            Partition(
                partition=beat.partition,
                worker=beat.worker,
                heard=heard,
                lag=beat.lag,
                patients=beat.patients,
                checkpoint_age_s=beat.checkpoint_age_s,
            )
            for beat, heard in sorted(beats, key=lambda known: known[0].partition)
        ],
        partitions_silent=[
            number
            for number in range(parts.settings.partitions)
            if number not in spoken
        ],
        patients=sum(1 for _ in parts.present.patients()),
        streams=len(parts.hub),
    )


async def metrics(_ask: Ask[Nothing, Nothing, None]) -> web.Response:
    """For Prometheus."""
    headers = {"Content-Type": CONTENT_TYPE_LATEST}
    return web.Response(body=generate_latest(), headers=headers)


async def _store(ask: Ask[Nothing, Nothing, None]) -> Literal["none", "pass", "fail"]:
    if ask.parts.records is None:
        return "none"
    try:
        await ask.parts.records.alarms(most=1)
    except StorageError:
        return "fail"
    return "pass"


ROUTES = (
    Route(
        method="GET",
        path="/v1/health",
        summary="Can this server be asked?",
        detail="503 before all that Kafka had was read, and while Kafka does not answer.",
        handle=health,
        is_public=True,
        answer=Health,
    ),
    Route(
        method="GET",
        path="/readyz",
        summary="The same",
        handle=ready,
        is_public=True,
        answer=Health,
    ),
    Route(
        method="GET",
        path="/healthz",
        summary="Does the process answer?",
        handle=alive,
        is_public=True,
        answer=Health,
    ),
    Route(
        method="GET",
        path="/v1/system",
        summary="The state of the chain",
        handle=system,
        needs=Page.SYSTEM,
        answer=System,
    ),
    Route(
        method="GET",
        path="/metrics",
        summary="Figures for Prometheus",
        detail="With the token of an account of the role `engineer`.",
        handle=metrics,
        needs=Page.SYSTEM,
        answer=str,
        media="text/plain",
    ),
)
