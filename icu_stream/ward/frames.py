"""Frames: what changed on the ward, encoded once, sent to every browser.

A browser's socket begins with a snapshot and goes on with deltas. Each frame has the
number after the one before; a browser that misses one asks for a snapshot by connecting
anew, and so does one that sees another `boot`. There are at most ten frames a second, and
at least one: a browser that hears nothing for three seconds hides every value.

A browser has a queue of eight frames. One that is slower loses them and gets a snapshot
instead, so it is never shown the past, and it never delays another browser.

=========  =========================================================================
frame      meaning
=========  =========================================================================
``k``      ``snap``: forget everything before. ``delta``: what changed
``boot``   This run of the server
``q``      Number of the frame
``t``      The server's clock, epoch ms
``w``      Arrival of the newest vitals, epoch ms; 0 before the first
``st``     Status, only when it changed: ``c`` from when on all open alarms are known
           (epoch ms, null while nothing is read), ``r`` 1 when the past has been read
           back, ``dead`` the hop of the chain that is dead (``h``: deadman.py) and for
           how many patients (``n``), or null; ``k`` the moment of the newest test alarm
           that came through (epoch ms; 0: none yet) and ``ms`` how long it took; ``hb``
           seconds since the quietest worker spoke, ``lag`` records that workers have
           before them. A screen that has drawn a new ``k`` says ``{"painted": k}``
``x``      Ids of rows that are gone; they go before ``b`` is applied
``b``      Rows, and of each only the fields that changed
=========  =========================================================================

=========  =========================================================================
row        meaning
=========  =========================================================================
``i``      Id of the row
``d``      Bed, patient's id, unit
``e``      1: an empty bed, which has no other fields
``v``      HR, SpO2, pressure, RR, temperature; null: nothing fresh.
           Pressure is systolic, diastolic, mean, and a cuff's time (epoch ms) or null
``u``      Positions in ``v`` of suspect values
``al``     Open alarms, the most pressing first
``h``      Hints of a model, each as an alarm; they are counted nowhere
``n``      NEWS2: total, inputs present (of 7), rise since it last changed, band; or null
``z``      The pause of the alarms, or null: ``u`` until when (epoch ms, null: not known),
           ``by`` initials and identity or null, ``why``, ``f`` the whole sentence
``off``    1: a hop of the chain is dead, this patient's alarms are not known to run
``g``      The line: ``c`` signal, ``l`` limit or null, ``y`` points (one each 5 s)
``p``      Its next point
=========  =========================================================================

=========  =========================================================================
alarm      meaning
=========  =========================================================================
``i``      Its id
``p``      Priority: 3 high, 2 medium, 1 low
``k``      Kind, and ``w``: the word that goes with it
``s``      ``on``, ``ack`` (acknowledged) or ``latched`` (over, not acknowledged)
``m``      Texts for a tile, from long to short; ``f``: the whole sentence
``g``      Position in ``v`` of the number that it is about; -1: none
``o``      Onset, epoch ms; ``at``: since when it is in its state, or null
``by``     Initials and identity of who acknowledged, or null
``x``      Not confirmed since, epoch ms, or null
``l``      Limit, or null
``e``      What told it anew (``worsened``, ``escalated``, ``reminded``) and when; or null
``q``      1: it makes no sound now: paused, or a stronger one stands for it
=========  =========================================================================
"""

import asyncio
import secrets

from collections import deque
from collections.abc import Callable

import msgspec

from icu_stream import clock
from icu_stream.ward.tiles import Row, Ward


FRAME_S = 0.1
HEARTBEAT_MS = 400  # and at most one frame's time more: two a second when all is quiet
QUEUE = 8


class Mailbox:
    """The frames that wait for one browser."""

    def __init__(self, snapshot: Callable[[], str]) -> None:
        self._snapshot = snapshot
        self._frames: deque[str] = deque()
        self._closed = False
        self._overflowed = True  # every browser begins with a snapshot
        self._filled = asyncio.Event()
        self._filled.set()

    def put(self, frame: str) -> None:
        """Queue a frame; what a full queue holds is dropped for a snapshot."""
        if self._overflowed:
            return  # the snapshot, when it is taken, is newer than this frame
        if len(self._frames) >= QUEUE:
            self._frames.clear()
            self._overflowed = True
        else:
            self._frames.append(frame)
        self._filled.set()

    def close(self) -> None:
        """The browser is gone: `get` returns None from now on."""
        self._closed = True
        self._filled.set()

    async def get(self) -> str | None:
        """Wait for the next frame."""
        await self._filled.wait()
        if self._closed:
            return None
        if self._overflowed:
            self._overflowed = False
            self._filled.clear()
            return self._snapshot()
        frame = self._frames.popleft()
        if not self._frames:
            self._filled.clear()
        return frame


class Hub:
    """Makes the frames and hands them to every browser's mailbox."""

    def __init__(self, ward: Ward, now_ms: Callable[[], int] = clock.now_ms) -> None:
        self._ward = ward
        self._now_ms = now_ms
        self._boot = secrets.token_hex(4)
        self._number = 0
        self._status: Row = {}
        self._mailboxes: set[Mailbox] = set()
        self._sent_ms = 0
        self._taken: tuple[int, str] = (-1, "")

    def join(self) -> Mailbox:
        """A mailbox for a new browser; its first frame is a snapshot."""
        mailbox = Mailbox(self.snapshot)
        self._mailboxes.add(mailbox)
        return mailbox

    def leave(self, mailbox: Mailbox) -> None:
        """A browser is gone."""
        self._mailboxes.discard(mailbox)

    async def run(self) -> None:
        """Make frames until cancelled."""
        while True:
            await asyncio.sleep(FRAME_S)
            self.step()

    def step(self) -> None:
        """Send one delta if there is anything to say, or a silence to end."""
        now_ms = self._now_ms()
        rows: list[Row] = []
        gone: list[str] = []
        if self._ward.caught_up:
            # Before that, alarms of the past would flash up and go.
            rows, gone = self._ward.changes(now_ms)
        status = self._ward.status(now_ms)
        is_due = not 0 <= now_ms - self._sent_ms < HEARTBEAT_MS
        if not (rows or gone or status != self._status or is_due):
            return
        fields: Row = {"b": rows} if rows else {}
        if gone:
            fields["x"] = gone
        if status != self._status:
            fields["st"] = status
            self._status = status
        self._number += 1
        self._sent_ms = now_ms
        frame = self._encode("delta", now_ms, fields)
        for mailbox in self._mailboxes:
            mailbox.put(frame)

    def snapshot(self) -> str:
        """Everything, as the last delta left it; encoded once for its number."""
        if self._taken[0] != self._number:
            rows = self._ward.snapshot()
            fields = {"st": self._status, "b": rows}
            self._taken = (
                self._number,
                self._encode("snap", self._now_ms(), fields),
            )
        return self._taken[1]

    def _encode(self, kind: str, now_ms: int, fields: Row) -> str:
        head = {
            "k": kind,
            "boot": self._boot,
            "q": self._number,
            "t": now_ms,
            "w": self._ward.newest_ms,
        }
        return msgspec.json.encode(head | fields).decode()
