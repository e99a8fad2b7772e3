"""Backtests as jobs: what would another limit or delay have alarmed?"""

import math

import msgspec

from icu_stream.access.desk import Change
from icu_stream.access.roles import Page
from icu_stream.access.whatif import Question, Run, Source
from icu_stream.api.messages import (
    Asking,
    Backtest,
    Backtests,
    Found,
    OfBacktest,
)
from icu_stream.api.problems import Kind, ProblemError, retry, unknown
from icu_stream.api.table import Ask, Nothing, Reply, Route
from icu_stream.contracts.commands import LimitChange


async def begin(ask: Ask[Nothing, Nothing, Asking]) -> Reply:
    """Begin one; a person has one at a time."""
    said, runs, by = ask.body, ask.parts.runs, ask.person.by
    change = said.change
    if said.source is Source.TOPIC and not said.patients:
        detail = "patients is empty: say whose past"
        raise ProblemError(Kind.REFUSED, detail)
    if change.code not in ask.parts.rules.rows:
        raise ProblemError(Kind.REFUSED, f"the profile has no alarm {change.code}")
    question = Question(
        source=said.source,
        patients=said.patients,
        title=f"{len(said.patients)} patients",
        hours=math.ceil(said.hours),
        change=LimitChange(change.code, change.limit, change.delay_s),
    )
    if not runs.begin(by, question):
        mine = runs.of(by)
        if mine is not None and not mine.is_over:
            raise ProblemError(Kind.REFUSED, "you have one under way: cancel it first")
        raise retry(Kind.TOO_MANY, 30, "others have some under way")
    ask.parts.door.ledger.backtest(ask.person, _in_words(said))
    run = runs.of(by)
    assert run is not None  # noqa: S101 - it was begun just now
    location = {"Location": f"/v1/backtests/{run.id}"}
    return Reply(content=_told(run), headers=location)


async def list_mine(ask: Ask[Nothing, Nothing, None]) -> Backtests:
    """The last one of whoever asks."""
    run = ask.parts.runs.of(ask.person.by)
    return Backtests(items=[] if run is None else [_told(run)])


async def see(ask: Ask[OfBacktest, Nothing, None]) -> Backtest:
    """How far it is, and what came of it."""
    return _told(_mine(ask))


async def cancel(ask: Ask[OfBacktest, Nothing, None]) -> None:
    """Stop it."""
    _mine(ask)
    ask.parts.runs.cancel(ask.person.by)


def _mine(ask: Ask[OfBacktest, object, object]) -> Run:
    run = ask.parts.runs.of(ask.person.by)
    if run is None or run.id != ask.path.backtest_id:
        raise unknown(what="you have no such backtest: only the last one is kept")
    return run


def _told(run: Run) -> Backtest:
    question, answer = run.question, run.answer
    state = "running"
    if run.is_over:
        state = "done" if answer is not None else "failed"
        state = "cancelled" if state == "failed" and run.cancel.is_set() else state
    result = None
    if answer is not None:
        names = Found.__struct_fields__
        result = Found(**{name: getattr(answer, name) for name in names})
    return Backtest(
        backtest_id=run.id,
        state=state,  # type: ignore[arg-type]  # one of the four, as above
        progress=1.0 if answer is not None else run.share,
        asked=Asking(
            source=question.source,
            patients=question.patients,
            hours=question.hours,
            change=Change(**msgspec.structs.asdict(question.change)),
        ),
        failure=run.failure or None,
        result=result,
    )


def _in_words(said: Asking) -> str:
    change = said.change
    parts = [f"{change.code}"]
    parts += [] if change.limit is None else [f"limit {change.limit:g}"]
    parts += [] if change.delay_s is None else [f"delay {change.delay_s:g} s"]
    whose = f"{len(said.patients)} patients" if said.patients else "a simulated ward"
    return f"{', '.join(parts)}; {whose}, {said.hours:g} h"


ROUTES = (
    Route(
        method="POST",
        path="/v1/backtests",
        summary="Begin a backtest of one changed limit or delay",
        detail="It runs beside everything else, with the lowest standing. Nothing is "
        "applied by it.",
        handle=begin,
        needs=Page.WHATIF,
        body=Asking,
        answer=Backtest,
        status=202,
        problems=(Kind.REFUSED,),
    ),
    Route(
        method="GET",
        path="/v1/backtests",
        summary="My last backtest",
        handle=list_mine,
        needs=Page.WHATIF,
        answer=Backtests,
    ),
    Route(
        method="GET",
        path="/v1/backtests/{backtest_id}",
        summary="How far a backtest is, and its result",
        handle=see,
        needs=Page.WHATIF,
        where=OfBacktest,
        answer=Backtest,
    ),
    Route(
        method="DELETE",
        path="/v1/backtests/{backtest_id}",
        summary="Cancel a backtest",
        handle=cancel,
        needs=Page.WHATIF,
        where=OfBacktest,
        status=204,
    ),
)
