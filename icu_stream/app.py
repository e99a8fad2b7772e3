"""Composition root of the worker: `faust -A icu_stream.app worker`.

Imports each agent and table by name (a search would only warn when one fails), gives the
app its rules, and refuses to start when a topic that must be read has no agent.
"""

import msgspec
import prometheus_client

from faust.web import Request, Response, View

import agents
import tables

from agents import burden, commands, heartbeats, vitals
from icu_stream import observability, profiles
from icu_stream.domain import models
from icu_stream.domain.burden import Question
from icu_stream.engine.application import IcuApp, app
from icu_stream.errors import ConfigurationError, IcuStreamError
from tables import burden as burden_table
from tables import patients


__all__ = [
    "app",
    "burden",
    "burden_table",
    "commands",
    "heartbeats",
    "models",  # River, before there is a patient who waits for it
    "patients",
    "vitals",
]


def compose(worker: IcuApp) -> None:
    """Give the worker its rules and its tasks, and check that it is whole.

    Raises:
        ConfigurationError: A foreign package hides ours, or a topic has no agent.
    """
    for package in (agents, tables):
        if not hasattr(package, "ICU_STREAM"):
            name = package.__name__
            msg = f"another package named {name!r} hides ours: uninstall it ({name} at {package.__path__})"
            raise ConfigurationError(msg)
    read = {
        name for agent in worker.agents.values() for name in agent.get_topic_names()
    }
    for wanted in (worker.vitals_name, worker.commands_name):
        if wanted not in read:
            msg = f"no agent reads {wanted}"
            raise ConfigurationError(msg)
    settings = worker.settings
    worker.rules = profiles.load_all(
        settings.profile, settings.language, shadow=settings.advisories == "shadow"
    )
    worker.task(worker.keep_saving)
    worker.task(worker.keep_noting)
    worker.task(worker.watch_stalls)


@app.page("/metrics")
async def metrics(view: View, _request: Request) -> Response:
    """Prometheus metrics."""
    return view.text(prometheus_client.generate_latest().decode())


@app.page("/healthz")
async def healthz(view: View, _request: Request) -> Response:
    """Is the process alive? It answers, so it is: a stalled loop ends itself."""
    return view.json({"worker": app.worker})


@app.page("/readyz")
async def readyz(view: View, _request: Request) -> Response:
    """Is every partition in memory and saved? 503 when not, with the reason."""
    age_s = app.checkpointer.age_s
    fresh = age_s < app.settings.session_timeout_s + app.checkpointer.interval_s
    status = 200 if app.is_ready and fresh else 503
    answer = {
        "ready": status == 200,
        "recovered": app.is_ready,
        "checkpoint_age_s": round(age_s, 1),
        "partitions": sorted(
            tp.partition for tp in app.parts if tp.topic == app.vitals_name
        ),
    }
    return view.json(answer, status=status)


@app.page("/burden")
async def alarm_burden(view: View, request: Request) -> Response:
    """What the alarms of this worker's partitions ask: `?bed=`, `?unit=`, `?hours=`."""
    asked = {name: request.query[name] for name in request.query}
    try:
        question = msgspec.convert(asked, Question, strict=False)
    except msgspec.ValidationError as error:
        return view.json({"error": str(error)}, status=400)
    body = await burden.answer(question)
    return view.bytes(body, content_type="application/json")


observability.configure(app.settings)
try:
    compose(app)
except IcuStreamError as error:
    reason = f"icu-stream: {error}"
    raise SystemExit(reason) from None
