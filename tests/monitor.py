"""A bedside monitor that speaks IHE PCD-01 over MLLP, and the alarm manager it speaks to.

They know HL7 by its standard and share no code with the gateways that they test.
"""

import asyncio
import contextlib
import socket
import ssl

from collections.abc import Mapping
from datetime import UTC, datetime


# ISO/IEEE 11073-10101: term and unit of what a monitor of the tests measures.
TERMS = {
    "hr": ("147842^MDC_ECG_HEART_RATE^MDC", "264864^MDC_DIM_BEAT_PER_MIN^MDC"),
    "pulse": ("149530^MDC_PULS_OXIM_PULS_RATE^MDC", "264864^MDC_DIM_BEAT_PER_MIN^MDC"),
    "spo2": ("150456^MDC_PULS_OXIM_SAT_O2^MDC", "262688^MDC_DIM_PERCENT^MDC"),
    "rr": ("151562^MDC_RESP_RATE^MDC", "264928^MDC_DIM_RESP_PER_MIN^MDC"),
    "abp_sys": ("150037^MDC_PRESS_BLD_ART_ABP_SYS^MDC", "266016^MDC_DIM_MMHG^MDC"),
    "abp_dia": ("150038^MDC_PRESS_BLD_ART_ABP_DIA^MDC", "266016^MDC_DIM_MMHG^MDC"),
    "abp_mean": ("150039^MDC_PRESS_BLD_ART_ABP_MEAN^MDC", "266016^MDC_DIM_MMHG^MDC"),
}
HEAD = (
    r"MSH|^~\&|MON^00A037FFFE000001^EUI-64|ICU|||{now}||ORU^R01^ORU_R01|{control}|P|2.6"
    "|||AL|NE||UNICODE UTF-8|||IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO"
)
START, END = b"\x0b", b"\x1c\r"


def stamp(time_ms: int) -> str:
    """A time of HL7, with its zone."""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{moment:%Y%m%d%H%M%S}.{time_ms % 1000:03d}+0000"


def message(
    patient_id: str,
    time_ms: int,
    values: Mapping[str, float],
    control: str,
    *,
    bed: str = "ICU1^^07",
    name: str = "Mustermann^Erika",
) -> bytes:
    """One ORU^R01 as a monitor sends it, with all that should never be kept."""
    lines = [
        HEAD.format(now=stamp(time_ms), control=control),
        f"PID|1||{patient_id}^^^Hospital^MR||{name}^^^^L||19560301|F|||Heidestr. 17^^Köln",
        f"PV1|1|I|{bed}||||1234^Doktor^Daniela",
        f"OBR|1|{control}|{control}|182777000^monitoring of patient^SCT|||{stamp(time_ms)}",
        "OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X|||||||mon-17",
    ]
    for number, (signal, value) in enumerate(values.items(), 2):
        term, unit = TERMS[signal]
        lines.append(
            f"OBX|{number}|NM|{term}|1.1.1.{number}|{value:g}|{unit}|||||R|||{stamp(time_ms)}"
        )
    return "\r".join([*lines, ""]).encode()


def framed(body: bytes) -> bytes:
    """In MLLP's frame."""
    return START + body + END


class Monitor:
    """A connection to the gateway; sends again what is not answered, as monitors do.

    Args:
        port: Of the gateway, on loopback.
        source: The loopback address that it calls from.
        tls: None for none.
        timeout_s: How long it waits for an answer.
    """

    def __init__(
        self,
        port: int,
        *,
        source: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self.tries = 0
        self._port = port
        self._source = source
        self._tls = tls
        self._timeout_s = timeout_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, body: bytes) -> str:
        """Send until there is an answer; the answer."""
        while True:
            self.tries += 1
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await self.ask(body)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                self.close()
                await asyncio.sleep(0.05)

    async def ask(self, body: bytes) -> str:
        """Send once; the answer."""
        reader, writer = await self.open()
        writer.write(framed(body))
        await writer.drain()
        answer = await reader.readuntil(END)
        assert answer.startswith(START)
        return answer[1:-2].decode()

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection, made when there is none."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                "127.0.0.1", self._port, ssl=self._tls, local_addr=(self._source, 0)
            )
        return self._streams

    def close(self) -> None:
        """Let the connection go."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


class AlarmManager:
    """Receives PCD-04 over MLLP, and does in turn what it is told to.

    Attributes:
        received: The messages, in their order, those it did not answer, too.
        manners: What it does to the next messages: `yes`, `no` (AE), `hang`, `drop`,
            `other` (answers another message); `yes` when there is none left.
    """

    def __init__(self) -> None:
        self.received: list[str] = []
        self.manners: list[str] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> "AlarmManager":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()

    async def start(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Be away: nobody listens, and every connection is reset."""
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._open.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while not writer.is_closing():
                body = (await reader.readuntil(END))[1:-2].decode()
                self.received.append(body)
                manner = self.manners.pop(0) if self.manners else "yes"
                if manner == "drop":
                    break
                if manner == "hang":
                    continue
                msh = body.split("\r")[0].split("|")
                control = "somebody-else" if manner == "other" else msh[9]
                code = "AE" if manner == "no" else "AA"
                answer = (
                    rf"MSH|^~\&|AM||{msh[2]}||20260301080000||ACK^R40^ACK|a{control}|P|2.6"
                    f"\rMSA|{code}|{control}\r"
                )
                writer.write(framed(answer.encode()))
                await writer.drain()
        self._open.discard(writer)
        writer.transport.abort()


def flood(port: int, count: int) -> list[socket.socket]:
    """Connections that say nothing."""
    return [socket.create_connection(("127.0.0.1", port), 5) for _ in range(count)]
