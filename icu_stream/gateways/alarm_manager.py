"""The process `icu-stream gateway alerts`: alerts out to an alarm manager, as PCD-04.

Alerts are read in a consumer group of their own and sent one after the other. The offset is
committed after the answer: an outage delays alerts, and loses none; after a crash some come
again, with the same control id. An answer that says no is tried again and then kept in
dead-letters, loudly, because the alerts behind it must not wait for it for ever.

Without an answer (nobody there, silence, a closed connection) the same alert is sent until
there is one.
"""

import asyncio
import ssl

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError

from icu_stream import bus, clock
from icu_stream.contracts import topics
from icu_stream.contracts.alerts import Alert
from icu_stream.contracts.canary import is_canary
from icu_stream.errors import ConfigurationError, DeliveryError, StorageError
from icu_stream.gateways import gauges, hl7v2, pcd04, process
from icu_stream.gateways.hl7v2 import Hl7Error
from icu_stream.gateways.inlet import Inlet
from icu_stream.gateways.mllp import Line
from icu_stream.gateways.pcd04 import Ends
from icu_stream.observability import log
from icu_stream.settings import Settings


NAME = "alerts"
# Begins as our name for Kafka, which is what the access lists allow.
_GROUP = "icu-gateway-alerts"
# Ours. No answer: for ever, the last wait again and again.
_AGAIN_S = (0.5, 1.0, 2.0, 5.0)
# Ours. An answer that says no: so often, then dead-letters.
_REFUSED_S = (0.5, 1.0, 2.0)
_TAKEN = frozenset({"AA", "CA"})
_BATCH = 50
# An outage of days must not cost the place in the group; Kafka's own limit of an int.
_MOST_POLL_MS = 2_147_483_647


class Refused(NamedTuple):
    """An answer that says no.

    Attributes:
        code: AE, AR, CE or CR.
        reason: What it says.
    """

    code: str
    reason: str


class AlarmManager:
    """Sends alerts, and knows what became of the last one.

    Args:
        line: The connection.
        ends: Who speaks with whom.

    Attributes:
        why_silent: Why the alarm manager does not answer now; empty when it does.
    """

    def __init__(self, line: Line, ends: Ends) -> None:
        self.why_silent = ""
        self._line = line
        self._ends = ends

    async def deliver(self, alert: Alert) -> Refused | None:
        """Send one alert until it is answered; None when it was taken."""
        refused: Refused | None = None
        for wait_s in (0.0, *_REFUSED_S):
            await asyncio.sleep(wait_s)
            code, reason = await self._ask(alert)
            if code in _TAKEN:
                return None
            refused = Refused(code, reason)
            log.warning(
                "alert_refused", alert_id=alert.alert_id, code=code, reason=reason
            )
        return refused

    async def _ask(self, alert: Alert) -> tuple[str, str]:
        """One answer to one alert, however long it takes."""
        tries = 0
        wanted = pcd04.control_id(alert)
        while True:
            body = pcd04.report(alert, self._ends, clock.now_ms())
            try:
                code, control_id, reason = hl7v2.answered(await self._line.ask(body))
                if control_id == wanted:
                    self.why_silent = ""
                    return code, reason
                why = "the answer is to another message"
            except DeliveryError as error:
                why = str(error)
            except Hl7Error as error:
                why = f"no answer of HL7: {error}"
            # Whatever comes next on it may be the answer to this one.
            self._line.close()
            if why != self.why_silent:
                log.warning("alarm_manager_silent", reason=why)
                self.why_silent = why
            await asyncio.sleep(_AGAIN_S[min(tries, len(_AGAIN_S) - 1)])
            tries += 1


async def run(
    settings: Settings, *, stop: asyncio.Event, say: Callable[[str], None]
) -> None:
    """Send alerts until told to stop.

    Raises:
        ConfigurationError: No alarm manager is set, or Kafka is not as it must be.
    """
    if settings.hl7_alerts_to is None:
        msg = "ICU_HL7_ALERTS_TO: want the alarm manager's host:port"
        raise ConfigurationError(msg)
    host, _, port = settings.hl7_alerts_to.rpartition(":")
    line = Line(host, int(port), _tls(settings), settings.hl7_alerts_timeout_s)
    ends = Ends(
        settings.hl7_application,
        settings.hl7_facility,
        settings.hl7_alerts_application,
        settings.hl7_alerts_facility,
    )
    manager = AlarmManager(line, ends)
    inlet = Inlet(settings)
    async with (
        gauges.page(
            settings, settings.hl7_alerts_web_port, lambda: manager.why_silent
        ) as web_port,
        process.opened(inlet, stop),
    ):
        if stop.is_set():
            return

        def begun() -> None:
            say(f"alerts to {settings.hl7_alerts_to}, metrics on {web_port}")

        reader = _Reader(settings, manager, inlet, begun)
        reading = asyncio.ensure_future(reader.run())
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({reading, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
        finally:
            for task in (reading, stopped):
                task.cancel()
            await asyncio.wait({reading, stopped})
            line.close()


class _Reader:
    """The alerts topic, in a group of its own."""

    def __init__(
        self,
        settings: Settings,
        manager: AlarmManager,
        inlet: Inlet,
        begun: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._manager = manager
        self._inlet = inlet
        self._begun: Callable[[], None] | None = begun
        self._decoder = msgspec.json.Decoder(Alert)

    async def run(self) -> None:
        """Read and deliver until cancelled."""
        said = ""
        while True:
            consumer = bus.consumer(
                self._settings,
                topics.ALERTS.name,
                group_id=f"{_GROUP}-{self._settings.app_id}",
                max_poll_interval_ms=_MOST_POLL_MS,
                session_timeout_ms=round(1_000 * self._settings.session_timeout_s),
                # With a name it gets its place back at once after it was killed.
                group_instance_id=self._settings.instance_id,
            )
            try:
                await consumer.start()
                await self._begin(consumer)
                said = ""
                await self._follow(consumer)
            except (KafkaError, TimeoutError, OSError) as error:
                if str(error) != said:
                    log.warning("alerts_awaited", reason=str(error))
                    said = str(error)
                await asyncio.sleep(_AGAIN_S[-1])
            finally:
                await asyncio.wait(
                    {asyncio.ensure_future(consumer.stop())}, timeout=_AGAIN_S[-2]
                )

    async def _begin(self, consumer: AIOKafkaConsumer) -> None:
        """Fix where a new group begins, so that a restart begins there, too."""
        while not consumer.assignment():
            await consumer.getmany(timeout_ms=100, max_records=0)
        new = {
            tp: await consumer.position(tp)
            for tp in consumer.assignment()
            if await consumer.committed(tp) is None
        }
        if new:
            await consumer.commit(new)
        if self._begun is not None:
            self._begun()
            self._begun = None

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            batches = await consumer.getmany(timeout_ms=1_000, max_records=_BATCH)
            for tp, records in batches.items():
                for record in records:
                    await self._deliver(record)
                await consumer.commit({tp: records[-1].offset + 1})
            behind = 0
            for tp in consumer.assignment():
                end = consumer.highwater(tp)
                if end is not None:
                    behind += max(0, end - await consumer.position(tp))
            gauges.ALERTS_BEHIND.set(behind)

    async def _deliver(self, record: ConsumerRecord) -> None:
        if is_canary(record.key):
            return
        try:
            alert = self._decoder.decode(record.value or b"")
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            gauges.ALERTS_OUT.labels("unreadable").inc()
            await self._bury(record, f"no alert: {error}")
            return
        refused = await self._manager.deliver(alert)
        if refused is None:
            gauges.ALERTS_OUT.labels("delivered").inc()
            return
        gauges.ALERTS_OUT.labels("refused").inc()
        log.error("alert_given_up", alert_id=alert.alert_id, code=refused.code)
        await self._bury(record, f"alarm manager: {refused.code} {refused.reason}")

    async def _bury(self, record: ConsumerRecord, reason: str) -> None:
        """Keep it; while Kafka does not take that, nothing goes on."""
        value = record.value or b""
        while True:
            try:
                if await self._inlet.bury(NAME, reason, value, value):
                    return
            except StorageError as error:
                log.warning("alerts_awaited", reason=str(error))
            await asyncio.sleep(_AGAIN_S[0])


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.hl7_alerts_tls_ca is None:
        return None
    try:
        context = ssl.create_default_context(cafile=str(settings.hl7_alerts_tls_ca))
        if settings.hl7_tls_cert is not None:
            context.load_cert_chain(settings.hl7_tls_cert, settings.hl7_tls_key)
    except OSError as error:  # ssl.SSLError is one
        msg = (
            f"ICU_HL7_ALERTS_TLS_CA, ICU_HL7_TLS_CERT or _KEY: {error}; want PEM files"
        )
        raise ConfigurationError(msg) from error
    return context
