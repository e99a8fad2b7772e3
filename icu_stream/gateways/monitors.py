"""The process `icu-stream gateway hl7`: monitors' messages in, over MLLP.

A message is answered once Kafka has all of it: AA. What cannot be read is kept in
dead-letters without the patient's name, and answered with the reason: AE, or AR when it can
never be taken. While Kafka does not answer nobody is answered, so that all send again.
"""

import asyncio
import resource
import ssl
import zoneinfo

from collections.abc import Callable
from typing import TypeVar

from icu_stream import clock
from icu_stream.errors import ConfigurationError, StorageError
from icu_stream.gateways import gauges, hl7v2, pcd01, process
from icu_stream.gateways.gauges import Tally
from icu_stream.gateways.hl7v2 import Code, Header, Hl7Error
from icu_stream.gateways.inlet import Inlet
from icu_stream.gateways.mllp import Frame, Limits, Reply, Server
from icu_stream.gateways.pcd01 import Options
from icu_stream.gateways.reading import Reading, Spots
from icu_stream.observability import log
from icu_stream.settings import Settings


T = TypeVar("T")

NAME = "hl7"
# Longer ones take milliseconds to read, in which others would wait.
_IN_A_THREAD = 32_768
_FILES_BESIDE = 128


class Monitors:
    """Answers what monitors say.

    Args:
        inlet: The way to Kafka.
        options: What the site decides.
        tally: Counts.
        as_asked: Answer as the sender asks for; else AA, AE and AR to everybody.
    """

    def __init__(
        self, inlet: Inlet, options: Options, tally: Tally, *, as_asked: bool = True
    ) -> None:
        self._inlet = inlet
        self._options = options
        self._tally = tally
        self._as_asked = as_asked
        self._spots = Spots()

    async def answer(self, frame: Frame) -> Reply:
        """The answer to one message, once it is kept; none while it cannot be."""
        head = Header()
        try:
            head = hl7v2.header(frame.body)
            if not self._as_asked:
                head = head.original
            said = await self._read(frame)
        except Hl7Error as error:
            return await self._refuse(frame, head, error)
        except Exception as error:  # noqa: BLE001 - one message must not end the others
            log.exception("hl7_reader_failed", control_id=head.control_id)
            fault = Hl7Error(f"{type(error).__name__} while reading", Code.INTERNAL)
            return await self._refuse(frame, head, fault)
        try:
            fresh = self._spots.fresh(said.vitals)
            await self._inlet.put(fresh, said.commands)
        except StorageError as error:
            return self._unkept(error)
        self._spots.remember(fresh)
        self._tally.values(said)
        self._tally.message("accepted")
        return Reply(hl7v2.answer(head, None, clock.now_ms()) or b"", taken=True)

    async def _read(self, frame: Frame) -> Reading:
        if not frame.complete:
            msg = f"longer than {len(frame.body)} bytes"
            raise Hl7Error(msg, Code.DATA_TYPE, reject=True)
        return await _apart(frame, pcd01.read, self._options)

    async def _refuse(self, frame: Frame, head: Header, error: Hl7Error) -> Reply:
        try:
            kept = b""
            if frame.complete:
                kept = await _apart(frame, hl7v2.without_names)
            buried = await self._inlet.bury(NAME, str(error), kept, frame.body)
        except StorageError as unkept:
            return self._unkept(unkept)
        if buried:
            log.warning("hl7_refused", reason=str(error), sender=head.sender[:80])
        self._tally.message("rejected" if error.reject else "refused")
        return Reply(hl7v2.answer(head, error, clock.now_ms()) or b"", taken=False)

    def _unkept(self, error: StorageError) -> Reply:
        log.warning("hl7_unanswered", reason=str(error))
        self._tally.message("unanswered")
        return Reply(None, taken=False)


async def run(
    settings: Settings, *, stop: asyncio.Event, say: Callable[[str], None]
) -> None:
    """Take messages until told to stop.

    Raises:
        ConfigurationError: A port, a certificate or Kafka is not as it must be.
    """
    tls = _tls(settings)
    limits = Limits(
        max_bytes=settings.hl7_max_bytes,
        connections=settings.hl7_connections,
        idle_s=settings.hl7_idle_s,
        message_s=settings.hl7_message_s,
    )
    _check_files(limits.connections)
    options = Options(
        id_type=settings.hl7_id_type,
        zone=zoneinfo.ZoneInfo(settings.hl7_time_zone),
        interval_s=settings.hl7_interval_s,
    )
    inlet = Inlet(settings)
    tally = Tally(NAME)
    as_asked = settings.hl7_acknowledge == "asked"
    monitors = Monitors(inlet, options, tally, as_asked=as_asked)
    server = Server(monitors.answer, limits, tally.trouble)
    gauges.CLIENTS.labels(NAME).set_function(lambda: len(server.clients))
    gauges.WAITING.labels(NAME).set_function(lambda: inlet.waiting)
    async with (
        gauges.page(
            settings, settings.hl7_web_port, lambda: _why_not(inlet, server)
        ) as web_port,
        process.opened(inlet, stop),
    ):
        if stop.is_set():
            return
        where = f"{settings.hl7_host}:{settings.hl7_port}"
        try:
            server.listen(settings.hl7_host, settings.hl7_port, tls)
        except OSError as error:
            why = error.strerror or error
            msg = f"{where}: {why}; see ICU_HL7_HOST and ICU_HL7_PORT"
            raise ConfigurationError(msg) from error
        how = "MLLP over TLS" if tls else "MLLP"
        say(f"{how} on {settings.hl7_host}:{server.port}, metrics on {web_port}")
        try:
            await stop.wait()
        finally:
            await server.close()


async def _apart(frame: Frame, read: Callable[..., T], *more: object) -> T:
    """Read a frame; a long one where it holds nobody up."""
    if len(frame.body) > _IN_A_THREAD:
        return await asyncio.to_thread(read, frame.body, *more)
    return read(frame.body, *more)


def _why_not(inlet: Inlet, server: Server) -> str:
    if not server.port:
        return "not listening yet: Kafka is awaited"
    return "" if inlet.is_open else "Kafka does not answer"


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.hl7_tls_cert is None:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(settings.hl7_tls_cert, settings.hl7_tls_key)
        if settings.hl7_tls_clients is not None:
            context.load_verify_locations(settings.hl7_tls_clients)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # ssl.SSLError is one
        msg = f"ICU_HL7_TLS_CERT, _KEY or _CLIENTS: {error}; want PEM files"
        raise ConfigurationError(msg) from error
    return context


def _check_files(connections: int) -> None:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and connections + _FILES_BESIDE > most:
        msg = (
            f"ICU_HL7_CONNECTIONS={connections}: this process may open {most} files; "
            f"raise its limit (ulimit -n) or set at most {most - _FILES_BESIDE}"
        )
        raise ConfigurationError(msg)
