"""How a route asks something of the system: once for each key, audited, and answered."""

from typing import Any

import msgspec

from icu_stream.access.desk import Fate, Outcome, Why, Wish
from icu_stream.api import keys
from icu_stream.api.messages import Done
from icu_stream.api.problems import Kind, ProblemError, retry
from icu_stream.api.table import Ask
from icu_stream.contracts.canary import is_canary
from icu_stream.contracts.commands import CommandType


# What every command may come to, beside what its route says.
PROBLEMS = (
    Kind.REFUSED,
    Kind.UNDER_WAY,
    Kind.KEY_USED,
    Kind.UNSENT,
    Kind.UNCONFIRMED,
)


async def do(
    ask: Ask[Any, Any, Any], type_: CommandType, patient_id: str, **said: Any
) -> Done:
    """Have a command done.

    Args:
        ask: Who asks, and under which key.
        type_: What.
        patient_id: About whom.
        said: The rest of the `Wish`.

    Raises:
        ProblemError: It was not done, or nobody has said so.
    """
    if is_canary(patient_id):
        raise ProblemError(Kind.REFUSED, "no patient has such an id: it is a test's")
    by = ask.person.by
    key = ask.request.headers[keys.HEADER].strip('"')
    body = msgspec.json.encode(ask.body)
    digest = keys.digest(ask.request.method, ask.request.path, body)
    before = ask.parts.keys.begin(by, key, digest)
    if before is not None:
        return _told(before)
    answer = None
    try:
        id_ = keys.command_id(key, digest)
        try:
            wish = Wish(id=id_, type=type_, patient=patient_id, **said)
        except ValueError as error:
            raise ProblemError(Kind.REFUSED, str(error)) from error
        outcome = await ask.parts.desk.ask(ask.person, wish)
        done = (f"{by}/{id_}", outcome)
        if outcome.fate is Fate.DONE or (
            outcome.fate is Fate.REFUSED and outcome.why is not Why.TOO_MANY
        ):
            answer = done
        return _told(done)
    finally:
        ask.parts.keys.end(by, key, answer)


def _told(done: tuple[str, Outcome]) -> Done:
    command_id, outcome = done
    if outcome.fate is Fate.DONE:
        return Done(
            command_id=command_id,
            proposal=outcome.command or None,
            limits=outcome.limits,
            until=outcome.expires,
        )
    if outcome.why is Why.TOO_MANY:
        raise retry(Kind.TOO_MANY, 1, outcome.reason)
    if outcome.fate is Fate.REFUSED:
        raise ProblemError(Kind.REFUSED, outcome.reason)
    if outcome.fate is Fate.UNSENT:
        raise retry(Kind.UNSENT, 2, "repeat it with the same Idempotency-Key")
    detail = "repeat it with the same Idempotency-Key: it is done once"
    raise retry(Kind.UNCONFIRMED, 1, detail)
