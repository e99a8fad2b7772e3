"""MLLP: HL7 over a socket, one frame a message, one answer a frame.

A frame is 0x0B, the message, 0x1C 0x0D. Inside of a message there is neither 0x0B nor that
end, so a frame that breaks off is known by the next one's beginning.

A server has to live with clients that send rubbish, half of something, too much, nothing,
or a byte a minute, and with a thousand of them. Each has its own task, and no more than one
message and one chunk in memory; each is judged by itself:

- what comes before a frame is skipped, 64 KiB of it;
- a frame must end within `message_s` of its beginning, and is at most `max_bytes` long;
- who sends nothing for `idle_s` is let go, and who does not read the answers in `message_s`;
- where there are too many, whoever has gone longest without a message that was taken goes
  first: a crowd that says nothing cannot keep a monitor out.

An answer is sent when the handler has one. Without one the connection is closed, so that
the sender sends again; it is never answered what is not kept.

Source: HL7 version 2.6, appendix C (MLLP release 1).
"""

import asyncio
import socket
import ssl

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import NamedTuple

from icu_stream import clock
from icu_stream.errors import DeliveryError
from icu_stream.observability import log


START = b"\x0b"
END = b"\x1c\x0d"
CHUNK = 65_536
# Ours: a sender that begins with so much rubbish does not speak MLLP.
MOST_GARBAGE = 65_536
_BACKLOG = 512
_CLOSING_S = 1.0
_ACCEPT_AGAIN_S = 0.1


class Trouble(StrEnum):
    """Why a connection was closed, or what of it was skipped."""

    GARBAGE = "garbage"
    HALF = "half_frame"
    TOO_LONG = "too_long"
    SLOW = "slow"
    IDLE = "idle"
    CROWDED = "crowded"
    UNANSWERED = "unanswered"
    BROKEN = "broken"


class Frame(NamedTuple):
    """One message.

    Attributes:
        body: Without its frame.
        complete: False of one that was longer than allowed: its beginning.
    """

    body: bytes
    complete: bool = True


class Frames:
    """Takes a stream of bytes apart; does not read them.

    Args:
        max_bytes: Of a message.

    Attributes:
        garbage: Bytes outside of frames, since the last frame began.
        skipped: Bytes outside of frames, in all.
        halves: Frames that broke off.
    """

    def __init__(self, max_bytes: int) -> None:
        self.garbage = 0
        self.skipped = 0
        self.halves = 0
        self._max_bytes = max_bytes
        self._open = False
        self._body = bytearray()

    @property
    def is_open(self) -> bool:
        """Has a frame begun that has not ended?"""
        return self._open

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that end in these bytes, in their order.

        One that is too long ends the stream: what comes after it is not looked at.

        >>> frames = Frames(100)
        >>> frames.feed(b"rubbish" + START + b"MSH|"), frames.feed(b"1" + END + b"x")
        ([], [Frame(body=b'MSH|1', complete=True)])
        """
        found: list[Frame] = []
        i, stop = 0, len(data)
        # One pass, whatever is in it: the last of many beginnings is looked for, not each.
        while i < stop:
            if not self._open:
                i = self._begin(data, i)
                continue
            if self._body[-1:] == END[:1] and data[i : i + 1] == END[1:]:
                del self._body[-1:]
                end, after = i, i + 1
            else:
                end = data.find(END, i)
                after = end + len(END)
            until = stop if end < 0 else end
            again = data.rfind(START, i, until)
            if again >= 0:
                self.halves += data.count(START, i, until)
                self._body.clear()
                i = again + 1
                continue
            self._body += data[i:until]
            if len(self._body) > self._max_bytes:
                found.append(Frame(bytes(self._body[: self._max_bytes]), False))
                self._close()
                break
            if end < 0:
                break
            found.append(Frame(bytes(self._body)))
            self._close()
            i = after
        return found

    def _begin(self, data: bytes, i: int) -> int:
        """Skip to after the next beginning."""
        at = data.find(START, i)
        skipped = (len(data) if at < 0 else at) - i
        self.garbage += skipped
        self.skipped += skipped
        if at < 0:
            return len(data)
        self._open, self.garbage = True, 0
        return at + 1

    def _close(self) -> None:
        self._open = False
        self._body = bytearray()


class Limits(NamedTuple):
    """What one client, and all of them, may take.

    Attributes:
        max_bytes: Of a message.
        connections: At once.
        idle_s: Seconds without a byte.
        message_s: Seconds from a frame's beginning to its end, and for reading an answer.
    """

    max_bytes: int = 1_048_576
    connections: int = 512
    idle_s: float = 600.0
    message_s: float = 10.0


class Reply(NamedTuple):
    """What becomes of a frame.

    Attributes:
        answer: To the sender; empty: it wants none; None: the connection is closed.
        taken: Was the message taken? Whoever sends such is let go last.
    """

    answer: bytes | None
    taken: bool


Handler = Callable[[Frame], Awaitable[Reply]]


class _Client:
    """One connection, from the moment that it is accepted."""

    def __init__(self, now_s: float) -> None:
        self.since_s = now_s
        self.has_spoken = False
        self.trouble: Trouble | None = None
        self.transport: asyncio.BaseTransport | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def rank(self) -> tuple[bool, float]:
        """Who goes first when there are too many: the lowest."""
        return self.has_spoken, self.since_s

    def let_go(self) -> None:
        """End it now."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()
        elif self.task is not None:
            self.task.cancel()  # it has not shaken hands yet


class Server:
    """Accepts clients and has their messages answered.

    Args:
        handle: Says what becomes of a frame.
        limits: What clients may take.
        count: Gets each trouble.

    Attributes:
        clients: Connections now, those whose TLS is not agreed yet, too.
    """

    def __init__(
        self, handle: Handler, limits: Limits, count: Callable[[Trouble, int], None]
    ) -> None:
        self.clients: set[_Client] = set()
        self._handle = handle
        self._limits = limits
        self._count = count
        self._tls: ssl.SSLContext | None = None
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Where it listens; 0 when it does not."""
        return 0 if self._listener is None else int(self._listener.getsockname()[1])

    def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Begin to accept.

        Raises:
            OSError: The address is not ours, or taken.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Not asyncio's own server: it counts a client only once its TLS is agreed, and a
        # thousand that never agree would take all files that we may open.
        self._listener = socket.create_server(
            (host, port), family=family, backlog=_BACKLOG
        )
        self._listener.setblocking(False)
        self._tls = tls
        self._accepting = asyncio.create_task(self._accept(self._listener))

    async def close(self) -> None:
        """Stop accepting, and let everybody go."""
        ending = [client.task for client in self.clients if client.task is not None]
        if self._accepting is not None:
            self._accepting.cancel()
            ending.append(self._accepting)
        for client in self.clients:
            client.let_go()
        if ending:
            await asyncio.wait(ending, timeout=_CLOSING_S)
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                log.warning("mllp_accept_failed", reason=error.strerror)
                await asyncio.sleep(_ACCEPT_AGAIN_S)
                continue
            self._make_room()
            client = _Client(clock.monotonic_s())
            self.clients.add(client)
            client.task = asyncio.create_task(self._serve(client, connection))

    async def _serve(self, client: _Client, connection: socket.socket) -> None:
        frames = Frames(self._limits.max_bytes)
        trouble: Trouble | None = None
        try:
            reader, writer = await self._welcome(client, connection)
            try:
                trouble = await self._converse(reader, writer, client, frames)
            finally:
                await _close(writer)
        except (OSError, ssl.SSLError):
            trouble = Trouble.BROKEN
        finally:
            self.clients.discard(client)
            if client.transport is None:
                connection.close()
            self._tell(client.trouble or trouble, frames)

    async def _welcome(
        self, client: _Client, connection: socket.socket
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Agree on TLS, where it is wanted."""
        # Answers are short. The kernel would keep megabytes of them for whoever reads none.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHUNK)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=CHUNK)
        protocol = asyncio.StreamReaderProtocol(reader)
        client.transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            connection,
            ssl=self._tls,
            ssl_handshake_timeout=None if self._tls is None else self._limits.message_s,
        )
        return reader, asyncio.StreamWriter(client.transport, protocol, reader, loop)

    async def _converse(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        client: _Client,
        frames: Frames,
    ) -> Trouble | None:
        """Frames in, answers out, until somebody has had enough; why, if it was us."""
        deadline_s: float | None = None
        while True:
            now_s = clock.monotonic_s()
            if not frames.is_open:
                deadline_s = None
            elif deadline_s is None:
                deadline_s = now_s + self._limits.message_s
            wait_s = self._limits.idle_s if deadline_s is None else deadline_s - now_s
            try:
                async with asyncio.timeout(max(wait_s, 0)):
                    data = await reader.read(CHUNK)
            except TimeoutError:
                return Trouble.IDLE if deadline_s is None else Trouble.SLOW
            if not data:
                return None
            for frame in frames.feed(data):
                deadline_s = None
                trouble = await self._answer(writer, client, frame)
                if trouble is not None:
                    return trouble
            if frames.garbage > MOST_GARBAGE:
                return Trouble.GARBAGE

    async def _answer(
        self, writer: asyncio.StreamWriter, client: _Client, frame: Frame
    ) -> Trouble | None:
        reply = await self._handle(frame)
        if reply.answer is None:
            return Trouble.UNANSWERED
        if reply.answer:
            writer.write(START + reply.answer + END)
        try:
            async with asyncio.timeout(self._limits.message_s):
                await writer.drain()
        except TimeoutError:
            writer.transport.abort()
            return Trouble.SLOW
        if not frame.complete:
            return Trouble.TOO_LONG
        if reply.taken:
            client.has_spoken = True
            client.since_s = clock.monotonic_s()
        return None

    def _make_room(self) -> None:
        if len(self.clients) < self._limits.connections:
            return
        first = min(self.clients, key=lambda client: client.rank)
        first.trouble = Trouble.CROWDED
        self.clients.discard(first)
        first.let_go()

    def _tell(self, trouble: Trouble | None, frames: Frames) -> None:
        if frames.skipped and trouble is not Trouble.GARBAGE:
            self._count(Trouble.GARBAGE, 1)
        # The last one broke off, too, when the client went away in the middle of it.
        last = frames.is_open and trouble in {None, Trouble.BROKEN}
        if frames.halves or last:
            self._count(Trouble.HALF, frames.halves + last)
        if trouble is not None:
            self._count(trouble, 1)


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close a connection; what its client does not read is not waited for."""
    writer.close()
    try:
        async with asyncio.timeout(_CLOSING_S):
            await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()


class Line:
    """A connection of ours to somebody who answers each message.

    Args:
        host: Where.
        port: Likewise.
        tls: None for none.
        timeout_s: For connecting, and for each answer.
    """

    def __init__(
        self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float
    ) -> None:
        self._where = (host, port, tls)
        self._timeout_s = timeout_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, body: bytes) -> bytes:
        """Send a message and wait for its answer.

        Raises:
            DeliveryError: No connection, or no answer in time; the next call connects anew.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(body)
        except TimeoutError:
            why = f"no answer in {self._timeout_s:g} s"
        except (OSError, ssl.SSLError) as error:
            why = str(error) or type(error).__name__
        except asyncio.CancelledError:
            self.close()
            raise
        self.close()
        host, port, _ = self._where
        msg = f"{host}:{port}: {why}"
        raise DeliveryError(msg, retry_after_s=1.0)

    def close(self) -> None:
        """Let the connection go."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _exchange(self, body: bytes) -> bytes:
        if self._streams is None:
            host, port, tls = self._where
            self._streams = await asyncio.open_connection(
                host, port, ssl=tls, limit=CHUNK
            )
        reader, writer = self._streams
        writer.write(START + body + END)
        await writer.drain()
        frames = Frames(Limits().max_bytes)
        while True:
            data = await reader.read(CHUNK)
            if not data:
                msg = "the connection was closed before the answer"
                raise ConnectionError(msg)
            for frame in frames.feed(data):
                return frame.body
