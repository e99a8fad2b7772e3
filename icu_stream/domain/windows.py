"""What one patient's signals were: 60 s raw, aggregates of 10 s, 24 h by the minute.

Theory of operation. Values come as the dict of one message and are kept as they are,
in two lists, until the bucket of 10 s that they belong to ends. Then the bucket is
folded once: into a *block* of bytes (the raw samples of the last 60 s are six of those),
into the means that the patient's model gets, and into the aggregates of the current
minute. When the minute ends they become 16-bit numbers in the table of the open hour.
When the hour ends its table is closed, and some minutes later compressed: all patients'
hours end at the same moment, and compressing takes longer than anything else here. All
boundaries are of measurement time, aligned to the epoch, and time passes here by messages
alone, never by ticks: what is in a window depends on what was measured and on nothing
else.

A late value goes where it belongs: into the open bucket, a block, the current minute, the
open hour or a closed one. In the last 60 s a sample that is already there is left alone;
further back a repeated sample cannot be told from a late one and counts again.

=======  ==================================================  =========================
piece    holds                                               changes
=======  ==================================================  =========================
`r0-6`   one bucket: index, offsets, signals, columns        the open one: each message
`h0-23`  one hour: index, bytes (plain for a while)          the open one: each minute
=======  ==================================================  =========================
"""

import math
import struct
import zlib

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from icu_stream.contracts.signals import INDEX, SIGNALS
from icu_stream.errors import StateError


BUCKET_MS = 10_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
RAW_BUCKETS = 6  # closed ones: 60 s
HOURS = 24
# Ours: less history says little about what is usual.
USUAL_MINUTES = 30

_VERSION = 1
# In version 1 no hour was plain but the open one.
_HOUR_VERSION = 2
_COUNT = len(SIGNALS)
# A mean is kept to one decimal more than the signal is shown with; lowest and highest as
# they are shown, rounded outwards. The widest range, -20 to 375, fits 16 bits 8 times.
_SCALES = tuple(10 ** (signal.digits + 1) for signal in SIGNALS)
_FINER = 10  # a mean's scale over that of lowest and highest
_SCALE_OF = {signal.code: scale for signal, scale in zip(SIGNALS, _SCALES, strict=True)}
# One minute of one signal: samples (255 = that many or more), mean, lowest, highest.
_CELL = struct.Struct("<Bhhh")
_CELL_TYPE = np.dtype([("n", "u1"), ("mean", "<i2"), ("low", "<i2"), ("high", "<i2")])
_MINUTE_BYTES = _COUNT * _CELL.size
_MINUTE = struct.Struct("<" + _CELL.format[1:] * _COUNT)
_HOUR_BYTES = 60 * _MINUTE_BYTES
# Closed hours that may be plain at once: the last one, and two for late values.
_MOST_PLAIN = 3
# Of zlib: 2 % more bytes than its best, in a third of the time.
_LEVEL = 4

_encode = msgspec.msgpack.Encoder().encode


class _Block(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One bucket: for each signal a column, None where a message lacked it."""

    version: int
    bucket: int
    offsets: list[int]
    signals: list[int]
    columns: list[list[float | None]]


class _Hour(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One hour: a plain table, or a compressed one.

    `signals` is how many signals a minute of a plain table has: more may have been
    appended to the signals since it was written.
    """

    version: int
    hour: int
    signals: Annotated[int, msgspec.Meta(ge=1)]
    is_compressed: bool
    table: bytes


# A signal's running aggregate of the current minute: samples, sum, lowest, highest.
# A list, because its items are read and written in half the time of attributes.
Minute = list[float]


class Saved(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What belongs to the hot state: where the windows are, and the open minute."""

    bucket: int
    minute: int
    hour: int
    minutes: dict[int, tuple[int, float, float, float]]
    totals: dict[int, tuple[int, int]]


_block = msgspec.msgpack.Decoder(_Block).decode
_hour = msgspec.msgpack.Decoder(_Hour).decode


@lru_cache(maxsize=1024)
def _plan(codes: tuple[str, ...]) -> tuple[tuple[str, ...], list[int], Any]:
    """Signals in their order, their numbers, and how to get them from a message."""
    ordered = tuple(sorted(codes, key=INDEX.__getitem__))
    return ordered, [INDEX[code] for code in ordered], itemgetter(*ordered)


class Windows:
    """The windows of one patient. Every method that places a value changes them.

    Attributes:
        times: Of the open bucket, measurement time.
        rows: Values of the open bucket; not to be changed, others hold them too.
        bucket: Index of the open bucket since the epoch; -1 before the first message.
    """

    __slots__ = (
        "_blocks",
        "_changed",
        "_hour",
        "_hours",
        "_minute",
        "_minutes",
        "_saved_rows",
        "_table",
        "_totals",
        "bucket",
        "rows",
        "times",
    )

    def __init__(self) -> None:
        self.times: list[int] = []
        self.rows: list[dict[str, float]] = []
        self.bucket = -1
        self._blocks: dict[int, bytes] = {}
        self._minute = -1
        self._minutes: dict[str, Minute] = {}
        self._hour = -1
        self._table = bytearray()
        # Closed ones: compressed, or plain in a bytearray.
        self._hours: dict[int, bytes | bytearray] = {}
        # By signal: minutes in the 24 h, and the sum of their scaled means. Integers,
        # so that adding and taking away leaves no residue.
        self._totals: dict[str, tuple[int, int]] = {}
        self._changed: set[bytes] = set()
        # Of the open bucket at the last save: the usual message leaves no other mark.
        self._saved_rows = 0

    @property
    def start_ms(self) -> int:
        """First moment of the open bucket."""
        return self.bucket * BUCKET_MS

    @property
    def end_ms(self) -> int:
        """The open bucket holds what is before; 0 when there is none."""
        return (self.bucket + 1) * BUCKET_MS

    def usual(self, signal: str) -> float | None:
        """Mean of the signal's minutes in the last 24 h; None when there are not 30."""
        minutes, total = self._totals.get(signal, (0, 0))
        if minutes < USUAL_MINUTES:
            return None
        mean: float = total / minutes / _SCALE_OF[signal]
        return mean

    def last_hour(self, signals: Sequence[str]) -> npt.NDArray[np.float64]:
        """The means of the 60 minutes that have ended. Costs 100 us.

        Args:
            signals: Known ones.

        Returns:
            ``(n_signals, 60) float64``, oldest first, NaN = nothing measured.
        """
        numbers = [INDEX[signal] for signal in signals]
        scales = np.array([float(_SCALES[n]) for n in numbers]).reshape(-1, 1)
        means = np.full((len(numbers), 120), np.nan)
        for first, hour in ((0, self._hour - 1), (60, self._hour)):
            table = self._table if hour == self._hour else self._hours.get(hour, b"")
            if hour != self._hour and isinstance(table, bytes) and table:
                table = _expanded(table)
            cells = np.frombuffer(bytes(table), _CELL_TYPE).reshape(-1, _COUNT)
            own = cells[:, numbers].T
            part = np.where(own["n"] > 0, own["mean"] / scales, np.nan)
            means[:, first : first + part.shape[1]] = part
        minute = self._minute % 60
        return means[:, minute : minute + 60]

    # --- time passes

    def turn(self, time_ms: int) -> dict[str, float] | None:
        """End the open bucket and open that of a later moment.

        Args:
            time_ms: Not before `end_ms`.

        Returns:
            Signal to mean of the bucket that ended; None when there is nothing in it.
        """
        means = self._fold() if self.rows else None
        self.bucket = time_ms // BUCKET_MS
        for old in [b for b in self._blocks if b < self.bucket - RAW_BUCKETS]:
            del self._blocks[old]
            self._changed.add(_raw_name(old))
        minute = time_ms // MINUTE_MS
        if minute != self._minute:
            self._end_minute()
            self._minute = minute
            if minute // 60 != self._hour:
                self._end_hour(minute // 60)
            else:
                self._compress(minute % 60)
        return means

    def _fold(self) -> dict[str, float]:
        """Fold the open bucket into a block, the open minute, and means."""
        codes, numbers, offsets, columns = self._columns()
        self._blocks[self.bucket] = _encode(
            (_VERSION, self.bucket, offsets, numbers, columns)
        )
        self._changed.add(_raw_name(self.bucket))
        self.times.clear()
        self.rows.clear()
        self._saved_rows = 0
        minutes = self._minutes
        means = {}
        for code, column in zip(codes, columns, strict=True):
            # Sorting gives both ends for less than min() and max() take.
            try:
                values = sorted(column)
            except TypeError:  # a message lacked the signal
                values = sorted([v for v in column if v is not None])
            total = sum(values)
            n = len(values)
            means[code] = total / n
            low, high = values[0], values[-1]
            now = minutes.get(code)
            if now is None:
                minutes[code] = [n, total, low, high]
                continue
            now[0] += n
            now[1] += total
            if low < now[2]:  # noqa: PLR1730 - min() costs five times as much
                now[2] = low
            if high > now[3]:  # noqa: PLR1730 - so does max()
                now[3] = high
        return means

    def _columns(self) -> tuple[tuple[str, ...], list[int], list[int], list[Any]]:
        """The open bucket by signal, in the order of time."""
        times, rows = self.times, self.rows
        if times != sorted(times):
            order = sorted(range(len(times)), key=times.__getitem__)
            times = [times[i] for i in order]
            rows = [rows[i] for i in order]
        start = self.bucket * BUCKET_MS
        offsets = [time - start for time in times]
        codes, numbers, get = _plan(tuple(rows[0]))
        if len(codes) > 1 and set(map(len, rows)) == {len(codes)}:
            try:
                return codes, numbers, offsets, list(zip(*map(get, rows), strict=True))
            except KeyError:
                pass
        seen = dict.fromkeys(code for row in rows for code in row)
        codes, numbers, _ = _plan(tuple(seen))
        columns = [[row.get(code) for row in rows] for code in codes]
        return codes, numbers, offsets, columns

    def _end_minute(self) -> None:
        """Write the open minute into the table of the open hour."""
        if not self._minutes:
            return
        cells = [0] * (4 * _COUNT)
        for code, (n, total, low, high) in self._minutes.items():
            number = INDEX[code]
            mean = round(total / n * _SCALES[number])
            below, above = _outwards(number, low, high)
            at = 4 * number
            cells[at : at + 4] = min(int(n), 255), mean, below, above
            self._count(code, 1, mean)
        base = self._minute % 60 * _MINUTE_BYTES
        _lengthen(self._table, base + _MINUTE_BYTES)
        _MINUTE.pack_into(self._table, base, *cells)
        self._minutes.clear()
        self._changed.add(_hour_name(self._hour))

    def _end_hour(self, hour: int) -> None:
        """Close the open hour, forget those of the day before, open another."""
        if self._hour >= 0:
            self._hours[self._hour] = self._table
            self._limit_plain(self._hour)
            self._changed.add(_hour_name(self._hour))
        for old in [h for h in self._hours if h <= hour - HOURS]:
            self._forget(self._hours.pop(old))
            self._changed.add(_hour_name(old))
        self._hour = hour
        self._table = bytearray()
        self._changed.add(_hour_name(hour))

    def _compress(self, minute: int) -> None:
        """Compress the plain hours whose minute has come.

        Args:
            minute: Of the open hour.
        """
        for hour, table in self._hours.items():
            # Depends on what was measured alone, and differs from patient to patient.
            if isinstance(table, bytearray) and minute > zlib.crc32(table) % 50:
                self._hours[hour] = _compressed(table)
                self._changed.add(_hour_name(hour))

    def _limit_plain(self, kept: int) -> None:
        """Compress the oldest plain hours when there are too many; never `kept`."""
        plain = [h for h, table in self._hours.items() if isinstance(table, bytearray)]
        others = sorted(hour for hour in plain if hour != kept)
        for hour in others[: len(plain) - _MOST_PLAIN]:
            self._hours[hour] = _compressed(self._hours[hour])
            self._changed.add(_hour_name(hour))

    def _forget(self, hour: bytes | bytearray) -> None:
        """Take an hour out of what is usual."""
        for number, minutes, total in _summed(hour):
            self._count(SIGNALS[number].code, -minutes, -total)

    def _count(self, code: str, minutes: int, total: int) -> None:
        had, sum_ = self._totals.get(code, (0, 0))
        if had + minutes:
            self._totals[code] = (had + minutes, sum_ + total)
        else:
            self._totals.pop(code, None)

    def clear(self) -> None:
        """Forget everything; the lists of the open bucket stay the same objects."""
        for bucket in (self.bucket, *self._blocks):
            self._changed.add(_raw_name(bucket))
        for hour in (self._hour, *self._hours):
            self._changed.add(_hour_name(hour))
        self.times.clear()
        self.rows.clear()
        self._saved_rows = 0
        self.bucket = self._minute = self._hour = -1
        self._blocks.clear()
        self._minutes.clear()
        self._table = bytearray()
        self._hours.clear()
        self._totals.clear()

    # --- late values

    def place(self, time_ms: int, values: Mapping[str, float]) -> None:
        """Put late values where they belong; what is older than 24 h is dropped.

        Args:
            time_ms: Before `end_ms`.
            values: Valid ones, by known signal.
        """
        if self.bucket < 0 or not values:
            return
        bucket = time_ms // BUCKET_MS
        if bucket >= self.bucket:
            self._place_row(self.times, self.rows, time_ms, values)
            self._changed.add(_raw_name(self.bucket))
            return
        if bucket >= self.bucket - RAW_BUCKETS:
            values = self._place_raw(bucket, time_ms, values)
        minute = time_ms // MINUTE_MS
        if minute == self._minute:
            for code, value in values.items():
                self._add_to_minute(code, value)
        elif minute // 60 == self._hour:
            self._place_in(self._table, minute % 60, values)
            self._changed.add(_hour_name(self._hour))
        elif self._hour - HOURS < minute // 60 < self._hour:
            self._place_in_closed(minute, values)

    def _place_row(
        self,
        times: list[int],
        rows: list[dict[str, float]],
        time_ms: int,
        values: Mapping[str, float],
    ) -> dict[str, float]:
        """Put values into a bucket; returns those that were not there yet."""
        there = [row for time, row in zip(times, rows, strict=True) if time == time_ms]
        new = {
            code: value
            for code, value in values.items()
            if not any(code in row for row in there)
        }
        if new:
            times.append(time_ms)
            rows.append(new)
        return new

    def _place_raw(
        self, bucket: int, time_ms: int, values: Mapping[str, float]
    ) -> dict[str, float]:
        times: list[int] = []
        rows: list[dict[str, float]] = []
        if bucket in self._blocks:
            times, rows = _unfolded(_block(self._blocks[bucket]))
        new = self._place_row(times, rows, time_ms, values)
        if new:
            other = Windows()
            other.bucket, other.times, other.rows = bucket, times, rows
            self._blocks[bucket] = other.open_block()
            self._changed.add(_raw_name(bucket))
        return new

    def _add_to_minute(self, code: str, value: float) -> None:
        now = self._minutes.get(code)
        if now is None:
            self._minutes[code] = [1, value, value, value]
            return
        n, total, low, high = now
        now[:] = n + 1, total + value, min(low, value), max(high, value)

    def _place_in(
        self, table: bytearray, minute: int, values: Mapping[str, float]
    ) -> None:
        _lengthen(table, (minute + 1) * _MINUTE_BYTES)
        for code, value in values.items():
            number = INDEX[code]
            at = minute * _MINUTE_BYTES + number * _CELL.size
            scaled = round(value * _SCALES[number])
            below, above = _outwards(number, value, value)
            n, mean, low, high = _CELL.unpack_from(table, at)
            if not n:
                _CELL.pack_into(table, at, 1, scaled, below, above)
                self._count(code, 1, scaled)
                continue
            moved = round((mean * n + scaled) / (n + 1))
            low, high = min(low, below), max(high, above)
            _CELL.pack_into(table, at, min(n + 1, 255), moved, low, high)
            self._count(code, 0, moved - mean)

    def _place_in_closed(self, minute: int, values: Mapping[str, float]) -> None:
        hour = minute // 60
        table = self._hours.get(hour)
        if not isinstance(table, bytearray):
            # Plain from now on: late values come by the hour.
            table = bytearray() if table is None else _expanded(table)
            self._hours[hour] = table
            self._limit_plain(hour)
        self._place_in(table, minute % 60, values)
        self._changed.add(_hour_name(hour))

    # --- saving

    def open_block(self) -> bytes:
        """The open bucket as a block."""
        _, numbers, offsets, columns = self._columns()
        return _encode((_VERSION, self.bucket, offsets, numbers, columns))

    def saved(self) -> Saved:
        """What goes into the hot state."""
        return Saved(
            self.bucket,
            self._minute,
            self._hour,
            {INDEX[code]: _as_saved(*m) for code, m in self._minutes.items()},
            {INDEX[code]: total for code, total in self._totals.items()},
        )

    def pieces(self) -> dict[bytes, bytes]:
        """What changed since the last call; an empty piece is gone."""
        if len(self.rows) != self._saved_rows:
            self._changed.add(_raw_name(self.bucket))
            self._saved_rows = len(self.rows)
        found = dict.fromkeys(sorted(self._changed), b"")
        if self.rows and _raw_name(self.bucket) in found:
            found[_raw_name(self.bucket)] = self.open_block()
        for bucket, block in self._blocks.items():
            name = _raw_name(bucket)
            if name in self._changed and bucket != self.bucket:
                found[name] = block
        for hour, table in self._hours.items():
            name = _hour_name(hour)
            if name in self._changed:
                found[name] = _hour_piece(hour, table)
        name = _hour_name(self._hour)
        if self._hour >= 0 and name in self._changed:
            found[name] = _hour_piece(self._hour, self._table)
        self._changed.clear()
        return found

    @classmethod
    def restored(cls, saved: Saved, pieces: Mapping[bytes, bytes]) -> "Windows":
        """Windows from what `saved` and `pieces` gave.

        Raises:
            StateError: A piece cannot be read, or is of an unknown version.
        """
        windows = cls()
        windows.bucket = saved.bucket
        windows._minute, windows._hour = saved.minute, saved.hour
        windows._minutes = {SIGNALS[i].code: [*m] for i, m in saved.minutes.items()}
        windows._totals = {SIGNALS[i].code: t for i, t in saved.totals.items()}
        for name, raw in sorted(pieces.items()):
            if raw and name[:1] == b"r":
                windows._restore_block(name, raw)
            elif raw and name[:1] == b"h":
                windows._restore_hour(name, raw)
        return windows

    def _restore_block(self, name: bytes, raw: bytes) -> None:
        block = _read(name, raw, _block, _VERSION)
        # Unfolded here even if closed, so that a damaged one is found now.
        try:
            times, rows = _unfolded(block)
        except (ValueError, IndexError) as error:
            msg = f"piece {name.decode()}: {error}"
            raise StateError(msg) from error
        if block.bucket == self.bucket:
            self.times, self.rows = times, rows
            self._saved_rows = len(rows)
        elif self.bucket - RAW_BUCKETS <= block.bucket < self.bucket:
            self._blocks[block.bucket] = raw

    def _restore_hour(self, name: bytes, raw: bytes) -> None:
        hour = _read(name, raw, _hour, _HOUR_VERSION)
        if hour.is_compressed:
            # Unpacked once here, so that a damaged one is found now.
            try:
                _unpacked(hour.table)
            except (zlib.error, ValueError) as error:
                msg = f"piece {name.decode()}: {error}"
                raise StateError(msg) from error
            self._hours[hour.hour] = hour.table
            return
        table = _widened(hour.table, hour.signals)
        if len(table) > _HOUR_BYTES or len(table) % _MINUTE_BYTES:
            msg = f"piece {name.decode()}: {len(table)} bytes are no hour's table"
            raise StateError(msg)
        if hour.hour == self._hour:
            self._table = table
        else:
            self._hours[hour.hour] = table


def _lengthen(table: bytearray, size: int) -> None:
    """A table is as long as its last minute that holds anything."""
    if len(table) < size:
        table.extend(bytes(size - len(table)))


def _widened(table: bytes, signals: int) -> bytearray:
    """A plain table with room for the signals that were appended since."""
    old = signals * _CELL.size
    if old >= _MINUTE_BYTES:
        return bytearray(table)
    rows = [table[at : at + old] for at in range(0, len(table), old)]
    return bytearray(b"".join(row.ljust(_MINUTE_BYTES, b"\0") for row in rows))


def _outwards(number: int, low: float, high: float) -> tuple[int, int]:
    """Lowest and highest as a signal is shown, not inside what they were."""
    scale = _SCALES[number] // _FINER
    below, above = low * scale, high * scale
    # As most are: measured with the digits that are shown.
    if (lowest := int(below)) == below and (highest := int(above)) == above:
        return lowest, highest
    # Rounded first: the product of a decimal may be a little off.
    return math.floor(round(below, 6)), math.ceil(round(above, 6))


def _as_saved(
    n: float, total: float, low: float, high: float
) -> tuple[int, float, float, float]:
    return int(n), total, low, high


def _raw_name(bucket: int) -> bytes:
    return b"r%d" % (bucket % (RAW_BUCKETS + 1))


def _hour_name(hour: int) -> bytes:
    return b"h%02d" % (hour % HOURS)


def _hour_piece(hour: int, table: bytes | bytearray) -> bytes:
    is_compressed = not isinstance(table, bytearray)
    return _encode((_HOUR_VERSION, hour, _COUNT, is_compressed, bytes(table)))


def _read(name: bytes, raw: bytes, decode: Any, newest: int) -> Any:
    try:
        piece = decode(raw)
    except msgspec.MsgspecError as error:
        msg = f"piece {name.decode()}: {error}"
        raise StateError(msg) from error
    if not 1 <= piece.version <= newest:
        msg = f"piece {name.decode()}: version {piece.version}, want at most {newest}"
        raise StateError(msg)
    return piece


def _unfolded(block: _Block) -> tuple[list[int], list[dict[str, float]]]:
    """The messages of a bucket again, in the order of time."""
    start = block.bucket * BUCKET_MS
    codes = [SIGNALS[number].code for number in block.signals]
    rows = [
        {c: v for c, v in zip(codes, values, strict=True) if v is not None}
        for values in zip(*block.columns, strict=True)
    ]
    return [start + offset for offset in block.offsets], rows


def _compressed(table: bytes | bytearray) -> bytes:
    """An hour's table without absent signals, as small differences, zlib.

    Layout before zlib: samples, then the low and the high bytes of: steps of the mean,
    mean minus lowest, highest minus mean (the mean as it is shown); each by signal, then
    by minute.
    """
    whole = table + bytes(_HOUR_BYTES - len(table))
    cells = np.frombuffer(whole, _CELL_TYPE).reshape(60, _COUNT)
    present = np.flatnonzero(cells["n"].any(axis=0))
    kept = cells[:, present]
    mean = kept["mean"]
    steps = np.diff(mean, axis=0, prepend=np.zeros((1, len(present)), np.int16))
    shown = mean // _FINER
    numbers = np.stack([steps, shown - kept["low"], kept["high"] - shown])
    halves = np.ascontiguousarray(numbers.transpose(0, 2, 1), "<i2").view("u1")
    planes = halves.reshape(-1, 2).T.tobytes()
    counts = kept["n"].T.tobytes()
    return bytes([len(present), *present.tolist()]) + zlib.compress(
        counts + planes, _LEVEL
    )


def _unpacked(packed: bytes) -> tuple[list[int], bytes]:
    """The signals of an hour that `_compressed` made, and its numbers.

    Raises:
        zlib.error: Not zlib.
        ValueError: Not of the right size, or of signals that we do not know.
    """
    count = packed[0] if packed else 0
    present = list(packed[1 : 1 + count])
    unpacker = zlib.decompressobj()
    raw = unpacker.decompress(packed[1 + count :], 60 * _CELL.size * count + 1)
    if len(present) != count or len(raw) != 60 * _CELL.size * count or not unpacker.eof:
        msg = f"an hour of {count} signals does not take {len(raw)} bytes"
        raise ValueError(msg)
    if any(number >= _COUNT for number in present):
        msg = f"unknown signals in {present}"
        raise ValueError(msg)
    return present, raw


def _expanded(packed: bytes) -> bytearray:
    """The table of an hour that `_compressed` made; raises as `_unpacked` does."""
    present, raw = _unpacked(packed)
    count = len(present)
    size = 60 * count
    planes = np.frombuffer(raw, "u1", offset=size).reshape(2, -1).T
    numbers = np.ascontiguousarray(planes).view("<i2").reshape(3, count, 60)
    steps, below, above = numbers.transpose(0, 2, 1)
    mean = np.cumsum(steps, axis=0, dtype=np.int16)
    shown = mean // _FINER
    table = bytearray(_HOUR_BYTES)
    cells = np.frombuffer(table, _CELL_TYPE).reshape(60, _COUNT)
    cells["n"][:, present] = np.frombuffer(raw, "u1", size).reshape(count, 60).T
    cells["mean"][:, present] = mean
    cells["low"][:, present] = shown - below
    cells["high"][:, present] = shown + above
    return table


def _summed(hour: bytes | bytearray) -> list[tuple[int, int, int]]:
    """Of each signal of a plain or compressed hour: number, minutes, sum of means."""
    if isinstance(hour, bytearray):
        cells = np.frombuffer(bytes(hour), _CELL_TYPE).reshape(-1, _COUNT)
        n, means = cells["n"].T, cells["mean"].T
        present = list(range(_COUNT))
    else:
        present, raw = _unpacked(hour)
        size = 60 * len(present)
        n = np.frombuffer(raw, "u1", size).reshape(-1, 60)
        # Of the six planes: the low and the high bytes of the mean's steps.
        below = np.frombuffer(raw, "u1", size, size).astype(np.uint16)
        above = np.frombuffer(raw, "u1", size, 4 * size).astype(np.uint16)
        steps = (below | above << 8).view(np.int16).reshape(-1, 60)
        means = np.cumsum(steps, axis=1, dtype=np.int16)
    minutes = np.count_nonzero(n, axis=1).tolist()
    totals = means.sum(axis=1, dtype=np.int64).tolist()
    summed = zip(present, minutes, totals, strict=True)
    return [signal for signal in summed if signal[1]]
