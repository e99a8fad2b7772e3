"""What a worker remembers beside the patients: at its own pace, and never in their way.

A notebook is a Faust table whose entries are folded from a topic (and from others). It
is saved as the patients are (`checkpoint.py`), with three differences:

- At its own pace, and always after the patients: nothing of theirs waits for it.
- What goes wrong with it is logged and counted, and tried again at the next save. It
  never ends the worker, and never holds a rebalance up for longer than `PATIENCE_S`.
- Without a transaction: the entries, then the offsets. After a crash records are read
  again that are in the entries already, so what is folded must not mind a repeat.

A worker that was paused past its session could write entries that are older than those of
its successor; `IcuApp.watch_stalls` ends it before it gets so far.
"""

import asyncio

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from faust.types import TP

from icu_stream import observability
from icu_stream.contracts.envelope import Headers
from icu_stream.engine.checkpoint import write
from icu_stream.engine.partition import COVERS, Codec, Kept, Partition, send


if TYPE_CHECKING:
    from icu_stream.engine.application import IcuApp


# Between two saves. Ours: what a crash makes us read again is then a few alerts.
NOTE_S = 10.0
# Ours: far below any session timeout.
PATIENCE_S = 5.0

P = TypeVar("P", bound=Kept)


class Notebook(Generic[P]):
    """Entries of patients, folded from topics and kept in a table.

    Attributes:
        table: The Faust table.
        codec: How one entry is made, saved and restored.
        source: Full name of the topic whose partitions the entries belong to.
        topics: All topics that something of is noted, by their full names.
    """

    def __init__(
        self, app: "IcuApp", table: Any, codec: Codec[P], source: str, also: set[str]
    ) -> None:
        self.table = table
        self.codec = codec
        self.source = source
        self.topics = {source, *also}
        self._app = app
        self._also = also
        self._lock = asyncio.Lock()

    async def save(self, parts: Mapping[TP, Partition[Any]]) -> None:
        """Save what is new in some partitions; a failure is counted and tried again."""
        try:
            async with asyncio.timeout(PATIENCE_S), self._lock:
                await self._save_all(dict(parts))
        except Exception as error:  # noqa: BLE001 - never in the alarms' way
            observability.NOTES_FAILED.inc()
            observability.log.error("notes_not_saved", error=repr(error))

    async def _save_all(self, parts: Mapping[TP, Partition[Any]]) -> None:
        # The entries that are saved next know the other topics up to here.
        known = {tp: part.pos for tp, part in parts.items() if tp.topic in self._also}
        for tp, part in list(parts.items()):
            is_new = part.pos > part.done or part.dirty or part.unsaved
            if tp.topic == self.source and is_new:
                await self._save(part)
        offsets = {tp: pos + 1 for tp, pos in known.items() if pos > parts[tp].done}
        for tp in offsets:
            await parts[tp].settled()
        if offsets:
            await self._app.commit_through(offsets)
        for tp in offsets:
            parts[tp].done = known[tp]

    async def _save(self, part: Partition[P]) -> None:
        pieces, pos = part.snapshot(), part.pos
        try:
            await part.settled()
            rows = {key: value or None for key, value in pieces.items()}
            rows[COVERS] = b"%d" % max(pos, part.covers)
            messages: list[tuple[bytes, bytes | None, Headers]] = [
                (key, value, []) for key, value in rows.items()
            ]
            number, topic = part.tp.partition, self.table.changelog_topic_name
            acks = await send(self._app.outlet, topic, number, messages)
            await asyncio.wait(acks)
            write(self.table, number, rows, max(ack.result().offset for ack in acks))
            if pos > part.done:
                await self._app.commit_through({part.tp: pos + 1})
        except BaseException:
            part.put_back(pieces)
            raise
        part.done = pos
