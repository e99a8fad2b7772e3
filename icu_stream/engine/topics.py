"""Faust topics made from the contracts, with chunks as they were fetched."""

from typing import Any

import faust

from faust.types import AppT, Message

from icu_stream.contracts import topics
from icu_stream.settings import Settings


class Raw(faust.Schema[Any, Any]):
    """No decoding by Faust: the agent gets the chunk of records itself."""

    def loads_key(self, app: AppT, message: Message, **_: Any) -> Any:  # noqa: ARG002
        """The key as it is."""
        return message.key

    def loads_value(self, app: AppT, message: Message, **_: Any) -> Any:  # noqa: ARG002
        """The chunk as it is."""
        return message.value


def source(app: faust.App, settings: Settings, topic: topics.Topic) -> Any:
    """A topic that an agent reads in chunks; its offsets are ours to commit."""
    return app.topic(
        settings.topic_prefix + topic.name,
        schema=Raw(key_serializer="raw", value_serializer="raw"),
        partitions=settings.partitions,
        acks=False,  # takes Faust's acknowledgement tracking out
    )
