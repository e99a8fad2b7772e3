"""`IcuApp`, a Faust app with checkpoints of its own, and the one `app`.

What is overridden is the order of writes (`checkpoint.py`), the transport
(`transport.py`) and what happens when something is wrong: an exception of the engine
ends the process with a code and a reason, and the restart resumes from the last
checkpoint. Agents and tables are imported by `icu_stream.app`, never found by search.
"""

import asyncio
import gc
import os
import platform
import sys
import traceback

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, NoReturn, TypeVar, cast

import faust

from faust.types import TP
from faust.types.agents import AgentT
from mode.supervisors import CrashingSupervisor

from icu_stream import bus, clock, observability
from icu_stream.contracts import topics
from icu_stream.engine import topics as faust_topics
from icu_stream.engine.checkpoint import Checkpointer, Exit
from icu_stream.engine.notebook import NOTE_S, Notebook
from icu_stream.engine.partition import Chunk, Codec, Partition
from icu_stream.errors import ConfigurationError, IcuStreamError
from icu_stream.settings import Settings, load


# The loop may stand still for this share of the session before the worker gives up: a
# worker that was paused for longer may own nothing any more.
STALL_SHARE = 0.8
# Messages of a partition that may wait for the producer before reading waits for it, too.
MOST_WAITING = 2_000
# A store a partition and table, read once at the start and written a piece at a time:
# RocksDB's 3 x 64 MB to write and 2 GB to read would be more than all patients.
_MB = 1 << 20
_SMALL_STORE = {
    "write_buffer_size": 4 * _MB,
    "max_write_buffer_number": 2,
    "block_cache_size": 4 * _MB,
}

F = TypeVar("F", bound=Callable[..., Any])


class IcuApp(faust.App):
    """The worker: partitions in memory, saved by checkpoints.

    Attributes:
        settings: As read from the environment.
        rules: What the agents hand to the core; set by `icu_stream.app`.
        parts: The partitions that this worker owns now.
        notebooks: What is remembered beside the patients.
        outlet: The producer of everything but the changelog.
        worker: Host and process id, for heartbeats.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rules: Any = None
        self.parts: dict[TP, Partition[Any]] = {}
        self.checkpointer = Checkpointer(self)
        self.worker = f"{platform.node()}-{os.getpid()}"
        self.vitals_name = settings.topic_prefix + topics.VITALS.name
        self.commands_name = settings.topic_prefix + topics.COMMANDS.name
        self.sources = {self.vitals_name, self.commands_name}
        self.notebooks: list[Notebook[Any]] = []
        self.recovered_at: float | None = None
        self.outlet: Any = None
        self.state_table: Any = None
        self._codec: Codec[Any] | None = None
        super().__init__(settings.app_id, **_faust_settings(settings))

    # --- what agents and tables declare

    def watcher(self, topic: topics.Topic) -> Callable[[F], F]:
        """Decorate an agent that reads a topic in chunks and crashes fast."""
        source = faust_topics.source(self, self.settings, topic)
        agent: Any = self.agent(source, supervisor_strategy=CrashingSupervisor)
        return cast("Callable[[F], F]", agent)

    def while_running(self, task: F) -> F:
        """Decorate a coroutine that runs from the start to the stop of the app."""
        self.task(task)
        return task

    def keep(self, name: str, codec: Codec[Any]) -> Any:
        """Declare the table that holds the patients' saved state."""
        table = self._table(name)
        table.on_recover(self._recovered)
        self.state_table, self._codec = table, codec
        return table

    def note(
        self, name: str, codec: Codec[Any], source: topics.Topic, *also: topics.Topic
    ) -> "Notebook[Any]":
        """Declare a table of what is remembered beside the patients.

        Args:
            name: Of the table.
            codec: How one entry is made, saved and restored.
            source: The topic whose partitions the entries belong to.
            also: Other topics of which something goes into the entries.
        """
        prefix = self.settings.topic_prefix
        notebook = Notebook(
            self,
            self._table(name),
            codec,
            prefix + source.name,
            {prefix + topic.name for topic in also},
        )
        self.notebooks.append(notebook)
        self.sources |= notebook.topics
        return notebook

    def _table(self, name: str) -> Any:
        return self.Table(
            name,
            key_type=bytes,
            value_type=bytes,
            partitions=self.settings.partitions,
            options={"driver": "rocksdict", **_SMALL_STORE},
        )

    async def chunks(self, stream: Any) -> AsyncIterator[Chunk]:
        """The chunks of a source topic whose partition this worker owns."""
        async for event in stream.noack().events():
            message = event.message
            current = message.generation_id == self.consumer_generation_id
            if not (current and self.flow_control.is_active()):
                continue  # fetched before a rebalance: it will be fetched again
            tp = TP(message.topic, message.partition)
            part = self.parts.get(tp)
            if part is None:
                continue
            chunk = Chunk(tp, message.value)
            first, last = chunk.records[0].offset, chunk.records[-1].offset
            expected = part.pos + 1 if part.pos >= 0 else self._start(tp)
            if first > expected and self._is_noted(tp):
                observability.log.warning("notes_gap", topic=tp.topic, at=first)
            elif first > expected:
                self.fatal(Exit.GAP, f"{tp} goes on at offset {first}, not {expected}")
            yield chunk
            part.pos = max(part.pos, last)
            observability.RECORDS.labels(message.topic).inc(len(chunk.records))
            part.flush_soon()
            if part.waiting > MOST_WAITING:
                await part.flush()
            await asyncio.sleep(0)

    def covered(self, tp: TP) -> int:
        """Offset up to which what this worker remembers is complete."""
        kept = {self.vitals_name, *(notebook.source for notebook in self.notebooks)}
        return self.parts[tp].covers if tp.topic in kept else sys.maxsize

    def _is_noted(self, tp: TP) -> bool:
        return any(tp.topic in notebook.topics for notebook in self.notebooks)

    def _start(self, tp: TP) -> int:
        consumer: Any = self.consumer
        return int(consumer.starts[tp])

    # --- life

    async def on_first_start(self) -> None:
        """Refuse to start on a cluster whose topics are not as they must be."""
        await super().on_first_start()
        if self.settings.broker_kind == "kafka":
            try:
                await bus.check_topics(self.settings)
            except ConfigurationError as error:
                self.fatal(Exit.CONFIGURATION, str(error))

    async def _on_partitions_assigned(
        self, assigned: set[TP], generation_id: int = 0
    ) -> None:
        # Before Faust reads the changelog: whoever owned a partition until now must
        # not be able to write to it any more.
        if not self.should_stop:
            tables: Any = self.tables
            tables.recovery.signal_recovery_end.clear()
            await self._or_fatal(self._take_over(assigned))
        await super()._on_partitions_assigned(assigned, generation_id)

    async def _take_over(self, assigned: set[TP]) -> None:
        if self.outlet is None:
            self.outlet = bus.producer(self.settings)
            await self.outlet.start()
        await self.checkpointer.fence(
            tp.partition for tp in assigned if tp.topic == self.vitals_name
        )

    async def _recovered(self) -> None:
        """The table is complete and the flow still stopped: warm the hot state."""
        await self._or_fatal(self._warm())

    async def _warm(self) -> None:
        if self._codec is None:
            msg = "no table was declared with IcuApp.keep"
            raise IcuStreamError(msg)
        kept = {self.vitals_name: (self.state_table, self._codec)}
        kept |= {book.source: (book.table, book.codec) for book in self.notebooks}
        self.parts.clear()
        for tp in sorted(self.consumer.assignment()):
            if tp.topic not in self.sources:
                continue
            table, codec = kept.get(tp.topic, (None, self._codec))
            part = Partition(tp, codec, self.outlet, self.settings)
            if table is not None:
                store = table.data
                database = store._db_for_partition(tp.partition)  # noqa: SLF001
                part.load(
                    (key, value)
                    for key, value in database.items()
                    if key != store.offset_key
                )
            self.parts[tp] = part
            await asyncio.sleep(0)
        self.recovered_at = clock.monotonic_s()
        self.checkpointer.saved_at = self.recovered_at
        # What was restored lives long: the collector need not look at it again.
        gc.collect()
        gc.freeze()

    async def commit_through(self, offsets: dict[TP, int]) -> None:
        """Commit source offsets as given, past Faust's own tracking."""
        consumer: Any = self.consumer
        await consumer._commit_offsets(offsets)  # noqa: SLF001

    async def give_back(self) -> None:
        """Partitions are revoked, or the worker stops: save, and drop hot state."""
        self.recovered_at = None
        parts = dict(self.parts)
        await self.checkpointer.run(final=True)
        for notebook in self.notebooks:
            await notebook.save(parts)

    async def on_stop(self) -> None:
        """Stop the producers after Faust has stopped the consumer."""
        await super().on_stop()
        await self.checkpointer.close()
        if self.outlet is not None:
            await self.outlet.stop()

    async def keep_saving(self) -> None:
        """Write checkpoints until the app stops."""
        while not self.should_stop:
            await asyncio.sleep(self.checkpointer.interval_s)
            if not self.rebalancing:
                await self.checkpointer.run()

    async def keep_noting(self) -> None:
        """Save the notebooks until the app stops."""
        while not self.should_stop:
            await asyncio.sleep(NOTE_S)
            for notebook in self.notebooks:
                if not self.rebalancing:
                    await notebook.save(self.parts)

    async def watch_stalls(self) -> None:
        """End a worker whose loop stood still: others may own its patients by now."""
        limit_s = self.settings.session_timeout_s * STALL_SHARE
        last = clock.monotonic_s()
        while not self.should_stop:
            await asyncio.sleep(0.25)
            now = clock.monotonic_s()
            if now - last > limit_s:
                self.fatal(
                    Exit.STALLED, f"event loop stood still for {now - last:.1f} s"
                )
            last = now

    def lag(self, tp: TP) -> int:
        """Records of a partition that are not applied yet."""
        part = self.parts[tp]
        end = self.consumer.highwater(tp)
        return max(0, end - 1 - part.pos) if end and part.pos >= 0 else end or 0

    @property
    def is_ready(self) -> bool:
        """Is every partition in memory and being read?"""
        return self.recovered_at is not None and not self.rebalancing

    # --- when something is wrong

    def fatal(
        self, code: Exit, why: str, error: BaseException | None = None
    ) -> NoReturn:
        """End the process at once: nothing is flushed, nothing committed.

        The supervisor (systemd, Kubernetes, the demo) restarts it, and it resumes from
        the last checkpoint.
        """
        if error is not None:
            traceback.print_exception(error, file=sys.__stderr__)
        print(
            f"icu-stream worker: {why} (exit {code})", file=sys.__stderr__, flush=True
        )
        os._exit(code)

    async def _on_agent_error(self, agent: AgentT[Any], exc: BaseException) -> None:
        # Faust would go on without the chunk. (`@app.agent(on_error=)` is a TypeError.)
        self.fatal(Exit.AGENT, f"agent {agent.name}: {exc!r}", exc)

    def _crash(self, reason: BaseException) -> None:
        # A service of Faust failed. It would stop all others in order, which takes
        # seconds and waits for what may have failed.
        self.fatal(Exit.CRASHED, f"a part of Faust failed: {reason!r}", reason)

    async def _or_fatal(self, work: Coroutine[Any, Any, None]) -> None:
        """Faust logs what its callbacks raise, and goes on; we do not."""
        try:
            await work
        except Exception as error:  # noqa: BLE001
            self.fatal(Exit.CHECKPOINT, f"take-over failed: {error!r}", error)


def _faust_settings(settings: Settings) -> dict[str, Any]:
    context = bus.ssl_context(settings)
    credentials: Any = None
    if settings.sasl_mechanism is not None:
        password = settings.sasl_password
        credentials = faust.SASLCredentials(
            mechanism=settings.sasl_mechanism,
            username=settings.sasl_username,
            password=password.get_secret_value() if password else None,
            ssl_context=context,
        )
    elif context is not None:
        credentials = faust.SSLCredentials(context)
    session_s = settings.session_timeout_s
    hosts = settings.broker.split(",")
    # Faust's assignor asserts that a static member is where its assignment says.
    instance = settings.instance_id
    home = {"canonical_url": f"http://{instance}"} if instance else {}
    return home | {
        "autodiscover": False,
        "broker": [f"kafka://{host}" for host in hosts],
        "broker_consumer": [f"chunked://{host}" for host in hosts],
        "broker_credentials": credentials,
        "store": "rocksdb://",
        "datadir": settings.data_dir / "worker",
        "topic_partitions": settings.partitions,
        "topic_replication_factor": settings.replication,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "table_standby_replicas": settings.standby_replicas,
        "consumer_auto_offset_reset": "earliest",
        "consumer_group_instance_id": settings.instance_id,
        "consumer_max_fetch_size": 1 << 20,
        "broker_max_poll_records": 4_000,
        "broker_session_timeout": session_s,
        "broker_heartbeat_interval": session_s / 10,
        "broker_rebalance_timeout": 3 * session_s,
        "broker_request_timeout": max(30.0, session_s),
        "producer_request_timeout": 30.0,
        "stream_buffer_maxsize": 16,  # chunks, not records
        "stream_wait_empty": True,
        "stream_recovery_delay": 0.0,
        "web_bind": settings.web_host,
        "web_host": settings.web_host,
        "web_port": settings.web_port,
        "web_in_thread": False,
    }


def _create() -> IcuApp:
    try:
        return IcuApp(load())
    except ConfigurationError as error:
        # Faust imports us before its command line begins: a line, not a traceback.
        reason = f"icu-stream: {error}"
        raise SystemExit(reason) from None


app = _create()
