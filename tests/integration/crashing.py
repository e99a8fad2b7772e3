"""The worker with a question to Kafka that is never answered: where to begin to read."""

from typing import NoReturn

from aiokafka.errors import KafkaTimeoutError

from icu_stream.app import app
from icu_stream.engine.transport import Consumer


__all__ = ["app"]


async def unanswered(_: Consumer) -> NoReturn:
    """Raises."""
    msg = "planted"
    raise KafkaTimeoutError(msg)


Consumer.perform_seek = unanswered  # type: ignore[method-assign]
