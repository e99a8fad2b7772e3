"""What the stores hold, for whoever shows it: pages by cursor, figures by step.

Vitals and scores come from where the archive puts them, InfluxDB or PostgreSQL; all else
from PostgreSQL. A cursor is the key of the last row that was given, so a page neither
repeats nor misses a row because another one came meanwhile.
"""

import base64
import binascii

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple, TypeVar

import msgspec

from icu_stream.contracts.alerts import Alert
from icu_stream.contracts.audit import AuditEntry
from icu_stream.contracts.commands import Command, CommandResult, CommandType
from icu_stream.contracts.scores import Scores
from icu_stream.errors import ContractError
from icu_stream.settings import Settings
from icu_stream.storage import influx, postgres, sampling
from icu_stream.storage.influx import Influx, code, field, identifier, untag
from icu_stream.storage.intake import Measured
from icu_stream.storage.reading import MOST, Page, SeriesReader
from icu_stream.storage.sampling import Figures, Point
from icu_stream.storage.series import MINUTE_MS, QUARTER_MS


T = TypeVar("T")
# What came in the last minutes may not be in the downsamples yet; it is taken from the
# values. Ours: archives settle a minute within two.
_UNSETTLED_MS = 5 * MINUTE_MS
# Devices that speak of one patient at one moment; more than there are.
_TIES = 64


class Records:
    """All that is kept.

    Args:
        series: Where vitals and scores are.
        pool: Of PostgreSQL, where the rest is.
    """

    def __init__(self, series: SeriesReader, pool: Any) -> None:
        self.series = series
        self._pool = pool

    async def alarms(
        self,
        *,
        patient_id: str | None = None,
        bed: str | None = None,
        code: str | None = None,
        priority: str | None = None,
        is_open: bool | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        after: str | None = None,
        most: int = 100,
    ) -> Page[Alert]:
        """Alarms as their newest transition left them, the newest onset first.

        Args:
            patient_id: Whose.
            bed: Where the patient lay at the newest transition.
            code: `signal.condition`.
            priority: `high`, `medium`, `low`.
            is_open: Not cleared yet; False: cleared.
            start_ms: Onset from then on.
            end_ms: Onset before then.
            after: The cursor of the page before.
            most: How many at most.

        Raises:
            ContractError: `after` is no cursor of ours.
            StorageError: The store does not answer.
        """
        asked = _Asked(
            {"patient_id": patient_id, "bed": bed, "code": code, "priority": priority}
        )
        asked.span("onset_ms", start_ms, end_ms)
        if is_open is not None:
            asked.where.append("state <> 'cleared'" if is_open else "state = 'cleared'")
        keys = (("onset_ms", int), ("alert_id", str))
        return await self._page("alarms", Alert, asked, keys, after, most, newest=True)

    async def alarm(self, alert_id: str) -> Alert | None:
        """One alarm as its newest transition left it."""
        found = await self._page(
            "alarms", Alert, _Asked({"alert_id": alert_id}), _ALERT_KEY, None, 1
        )
        return found.rows[0] if found.rows else None

    async def transitions(
        self,
        *,
        alert_id: str | None = None,
        patient_id: str | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        standing: bool = True,
        after: str | None = None,
        most: int = 100,
        newest: bool = False,
    ) -> Page[Alert]:
        """Every message about alarms, by time; as `alarms`.

        Args:
            alert_id: Of one alarm.
            patient_id: Whose.
            start_ms: From then on.
            end_ms: Before then.
            standing: With restatements, one a minute.
            after: The cursor of the page before.
            most: How many at most.
            newest: The newest first.
        """
        asked = _Asked({"alert_id": alert_id, "patient_id": patient_id})
        asked.span("time_ms", start_ms, end_ms)
        if not standing:
            asked.where.append("event <> 'standing'")
        keys = (
            ("time_ms", int),
            ("alert_id", str),
            ("transition", int),
            ("event", str),
        )
        return await self._page(
            "transitions", Alert, asked, keys, after, most, newest=newest
        )

    async def commands(
        self,
        *,
        patient_id: str | None = None,
        by: str | None = None,
        command_id: str | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        after: str | None = None,
        most: int = 100,
    ) -> Page[Command]:
        """What people asked, the newest first; as `alarms`."""
        asked = _Asked({"patient_id": patient_id, "by": by, "command_id": command_id})
        asked.span("time_ms", start_ms, end_ms)
        return await self._page(
            "commands", Command, asked, _COMMAND_KEY, after, most, newest=True
        )

    async def command_results(
        self,
        *,
        patient_id: str | None = None,
        command_id: str | None = None,
        to: CommandType | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        after: str | None = None,
        most: int = 100,
    ) -> Page[CommandResult]:
        """The answers, to one type of command or all, the newest first; as `alarms`."""
        asked = _Asked(
            {
                "patient_id": patient_id,
                "command_id": command_id,
                "body ->> 'type'": to,
            }
        )
        asked.span("time_ms", start_ms, end_ms)
        return await self._page(
            "command_results",
            CommandResult,
            asked,
            _COMMAND_KEY,
            after,
            most,
            newest=True,
        )

    async def audit(
        self,
        *,
        by: str | None = None,
        deed: str | None = None,
        patient_id: str | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        after: str | None = None,
        most: int = 100,
    ) -> Page[AuditEntry]:
        """The audit trail, the newest first; as `alarms`."""
        asked = _Asked({"by": by, "deed": deed, "patient_id": patient_id})
        asked.span("time_ms", start_ms, end_ms)
        keys = (("time_ms", int), ("digest", int))
        return await self._page(
            "audit", AuditEntry, asked, keys, after, most, newest=True
        )

    async def _page(
        self,
        table: str,
        kind: type[T],
        asked: "_Asked",
        keys: "Keys",
        after: str | None,
        most: int,
        *,
        newest: bool = False,
    ) -> Page[T]:
        most = min(most, MOST)
        columns = ", ".join(name for name, _ in keys)
        if after is not None:
            places = [asked.put(part) for part in uncursor(after, keys)]
            sign = "<" if newest else ">"
            asked.where.append(f"({columns}) {sign} ({', '.join(places)})")
        order = ", ".join(f"{name} {'DESC' if newest else ''}" for name, _ in keys)
        # Tables and columns are our own; what was asked for is a parameter.
        statement = (
            f"SELECT {columns}, body FROM icu.{table} {asked.clause()} "  # noqa: S608
            f"ORDER BY {order} LIMIT {most + 1:d}"
        )
        async with postgres.connection(self._pool) as connection:
            rows = await connection.fetch(statement, *asked.values)
        last = cursor(rows[most - 1], keys) if len(rows) > most else None
        decode = msgspec.json.Decoder(kind).decode
        return Page([decode(row["body"]) for row in rows[:most]], last)


@asynccontextmanager
async def opened(settings: Settings, pool: Any = None) -> AsyncIterator[Records]:
    """What is kept, for a while.

    Args:
        settings: Where the stores are.
        pool: Of PostgreSQL, where the caller has one; else one is made.
    """
    async with AsyncExitStack() as stack:
        if pool is None:
            pool = await stack.enter_async_context(
                postgres.pool(settings, name="icu-stream records")
            )
        reader = await stack.enter_async_context(opened_series(settings, pool))
        yield Records(reader, pool)


@asynccontextmanager
async def opened_series(
    settings: Settings, pool: Any = None
) -> AsyncIterator[SeriesReader]:
    """Vitals and scores alone: with InfluxDB there is no PostgreSQL to reach for them."""
    if settings.influx_url is not None:
        async with influx.opened(settings) as connected:
            yield InfluxReader(connected)
    elif pool is not None:
        yield PostgresReader(pool)
    else:
        async with postgres.pool(settings, name="icu-stream history") as made:
            yield PostgresReader(made)


class PostgresReader:
    """Vitals and scores from PostgreSQL; see `SeriesReader`."""

    name = "postgresql"

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def vitals(
        self,
        patient_id: str,
        start_ms: int,
        end_ms: int,
        *,
        after: str | None = None,
        most: int = 1_000,
    ) -> Page[Measured]:
        """Messages as they were measured."""
        most = min(most, MOST)
        time_ms, device = uncursor(after, _VITALS_KEY) if after else (start_ms, "")
        rows = await self._fetch(
            "SELECT * FROM icu.vitals WHERE patient_id = $1 AND time_ms >= $2 AND "
            "time_ms < $3 AND ($4 OR (time_ms, device) > ($2, $5)) "
            "ORDER BY time_ms, device LIMIT $6",
            patient_id,
            max(time_ms, start_ms),
            end_ms,
            after is None,
            device,
            most + 1,
        )
        last = cursor(rows[most - 1], _VITALS_KEY) if len(rows) > most else None
        return Page([_measured(row) for row in rows[:most]], last)

    async def values(
        self, patient_id: str, signals: Sequence[str], start_ms: int, end_ms: int
    ) -> dict[str, list[Point]]:
        """Each value of some signals."""
        found: dict[str, list[Point]] = {}
        for signal in signals:
            rows = await self._fetch(
                "SELECT time_ms, (measured ->> $2)::float8 AS value FROM icu.vitals "
                "WHERE patient_id = $1 AND time_ms >= $3 AND time_ms < $4 "
                "AND measured ? $2 ORDER BY time_ms, device",
                patient_id,
                signal,
                start_ms,
                end_ms,
            )
            if rows:
                found[signal] = [(row["time_ms"], row["value"]) for row in rows]
        return found

    async def figures(
        self,
        patient_id: str,
        signals: Sequence[str] | None,
        start_ms: int,
        end_ms: int,
        step_ms: int,
        now_ms: int,
    ) -> dict[str, list[Figures]]:
        """Figures of each step."""
        parts = _split(start_ms, end_ms, step_ms, now_ms)
        found: dict[str, list[Figures]] = {}
        for part in parts:
            if part.table is None:
                rows = await self._fetch(
                    _RAW, patient_id, part.start_ms, part.end_ms, part.step_ms, signals
                )
            else:
                rows = await self._fetch(
                    _COARSE[part.table], patient_id, part.start_ms, part.end_ms, signals
                )
            for row in rows:
                made = Figures(*(row[name] for name in Figures._fields))
                found.setdefault(row["signal"], []).append(made)
        return {signal: sampling.fold(all_, step_ms) for signal, all_ in found.items()}

    async def scores(
        self,
        patient_id: str,
        start_ms: int,
        end_ms: int,
        *,
        after: str | None = None,
        most: int = 1_000,
    ) -> Page[Scores]:
        """Scores of one patient."""
        most = min(most, MOST)
        time_ms, digest = uncursor(after, _SCORES_KEY) if after else (start_ms, 0)
        rows = await self._fetch(
            "SELECT time_ms, digest, body FROM icu.scores WHERE patient_id = $1 "
            "AND time_ms >= $2 AND time_ms < $3 "
            "AND ($4 OR (time_ms, digest) > ($2, $5)) ORDER BY time_ms, digest LIMIT $6",
            patient_id,
            max(time_ms, start_ms),
            end_ms,
            after is None,
            digest,
            most + 1,
        )
        last = cursor(rows[most - 1], _SCORES_KEY) if len(rows) > most else None
        return Page([_decode_scores(row["body"]) for row in rows[:most]], last)

    async def _fetch(self, statement: str, *values: Any) -> list[Any]:
        async with postgres.connection(self._pool) as connection:
            rows: list[Any] = await connection.fetch(statement, *values)
        return rows


class InfluxReader:
    """Vitals and scores from InfluxDB; see `SeriesReader`."""

    name = "influxdb"

    def __init__(self, connected: Influx) -> None:
        self._influx = connected

    async def vitals(
        self,
        patient_id: str,
        start_ms: int,
        end_ms: int,
        *,
        after: str | None = None,
        most: int = 1_000,
    ) -> Page[Measured]:
        """Messages as they were measured."""
        most = min(most, MOST)
        key = uncursor(after, _VITALS_KEY) if after else (start_ms, "")
        where = influx.condition([patient_id], max(int(key[0]), start_ms), end_ms)
        # It orders by time alone; the devices of one moment are put in order here.
        [found] = await self._influx.query(
            f"SELECT * FROM {influx.VITALS} WHERE {where} "  # noqa: S608 - quoted
            f"ORDER BY time LIMIT {most + _TIES:d}"
        )
        rows = [_told(patient_id, row) for one in found for row in one.rows()]
        rows.sort(key=lambda row: (row.time_ms, row.device))
        if after is not None:
            rows = [row for row in rows if (row.time_ms, row.device) > key]
        last = None
        if len(rows) > most:
            at = rows[most - 1]
            last = cursor({"time_ms": at.time_ms, "device": at.device}, _VITALS_KEY)
        return Page(rows[:most], last)

    async def values(
        self, patient_id: str, signals: Sequence[str], start_ms: int, end_ms: int
    ) -> dict[str, list[Point]]:
        """Each value of some signals."""
        where = influx.condition([patient_id], start_ms, end_ms)
        found: dict[str, list[Point]] = {}
        for signal in signals:
            name = identifier(field(signal))
            [answer] = await self._influx.query(
                f"SELECT {name} FROM {influx.VITALS} WHERE {where} ORDER BY time"  # noqa: S608
            )
            points = [(row[0], float(row[1])) for one in answer for row in one.values]
            if points:
                found[signal] = points
        return found

    async def figures(
        self,
        patient_id: str,
        signals: Sequence[str] | None,
        start_ms: int,
        end_ms: int,
        step_ms: int,
        now_ms: int,
    ) -> dict[str, list[Figures]]:
        """Figures of each step."""
        found: dict[str, list[Figures]] = {}
        for part in _split(start_ms, end_ms, step_ms, now_ms):
            where = influx.condition([patient_id], part.start_ms, part.end_ms)
            if part.table is None:
                statement = (
                    f"SELECT {influx.wanted()} FROM {influx.VITALS} WHERE {where} "  # noqa: S608
                    f"GROUP BY time({part.step_ms:d}ms) fill(none)"
                )
            else:
                name = part.table
                if self._influx.coarse is not None:
                    name = f"{self._influx.coarse}.{name}"
                statement = f"SELECT * FROM {name} WHERE {where} ORDER BY time"  # noqa: S608
            [answer] = await self._influx.query(statement)
            for one in answer:
                for row in one.rows():
                    for signal, made in influx.figures(row):
                        found.setdefault(signal, []).append(made)
        chosen = found if signals is None else {s: found.get(s, []) for s in signals}
        return {
            signal: sampling.fold(all_, step_ms)
            for signal, all_ in chosen.items()
            if all_
        }

    async def scores(
        self,
        patient_id: str,
        start_ms: int,
        end_ms: int,
        *,
        after: str | None = None,
        most: int = 1_000,
    ) -> Page[Scores]:
        """Scores of one patient."""
        most = min(most, MOST)
        more = ""
        if after is not None:
            more = f" AND time > {int(uncursor(after, _NS_KEY)[0]):d}"
        where = influx.condition([patient_id], start_ms, end_ms, more=more)
        [found] = await self._influx.query(
            f'SELECT "meta.body" FROM {influx.SCORES} WHERE {where} '  # noqa: S608
            f"ORDER BY time LIMIT {most + 1:d}",
            epoch="ns",
        )
        rows = [row for one in found for row in one.values]
        last = (
            cursor({"time_ns": rows[most - 1][0]}, _NS_KEY)
            if len(rows) > most
            else None
        )
        return Page([_decode_scores(body) for _, body in rows[:most]], last)


Keys = Sequence[tuple[str, type]]
_VITALS_KEY: Keys = (("time_ms", int), ("device", str))
_SCORES_KEY: Keys = (("time_ms", int), ("digest", int))
_NS_KEY: Keys = (("time_ns", int),)
_ALERT_KEY: Keys = (("alert_id", str),)
_COMMAND_KEY: Keys = (("time_ms", int), ("command_id", str), ("digest", int))

_decode_scores = msgspec.json.Decoder(Scores).decode


def cursor(row: Any, keys: Keys) -> str:
    """The key of a row, as a text that goes into an address.

    >>> uncursor(cursor({"a": 7, "b": "x"}, (("a", int), ("b", str))), (("a", int), ("b", str)))
    (7, 'x')
    """
    packed = msgspec.json.encode([row[name] for name, _ in keys])
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def uncursor(text: str, keys: Keys) -> tuple[Any, ...]:
    """The key that a cursor stands for.

    Raises:
        ContractError: It is none of ours.
    """
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        parts = msgspec.json.decode(packed, type=list[int | str])
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        parts = []
    if [type(part) for part in parts] != [kind for _, kind in keys] or any(
        isinstance(part, int) and not -_I64 <= part < _I64 for part in parts
    ):
        msg = "after: want the cursor that came with the page before"
        raise ContractError(msg)
    return tuple(parts)


_I64 = 2**63


class _Asked:
    """Conditions of a question; whatever somebody else chose is a parameter."""

    def __init__(self, equal: Mapping[str, str | None]) -> None:
        self.where: list[str] = []
        self.values: list[Any] = []
        for column, value in equal.items():
            if value is not None:
                self.where.append(f"{column} = {self.put(value)}")

    def put(self, value: Any) -> str:
        """A parameter's place."""
        self.values.append(value)
        return f"${len(self.values)}"

    def span(self, column: str, start_ms: int | None, end_ms: int | None) -> None:
        """From a moment on, until another; the second is not in it."""
        if start_ms is not None:
            self.where.append(f"{column} >= {self.put(start_ms)}")
        if end_ms is not None:
            self.where.append(f"{column} < {self.put(end_ms)}")

    def clause(self) -> str:
        """All of it."""
        return f"WHERE {' AND '.join(self.where)}" if self.where else ""


class _Part(NamedTuple):
    """A span of time and where its figures come from.

    Attributes:
        start_ms: Begin.
        end_ms: End; not in it.
        step_ms: Of the figures there.
        table: Downsamples; None: the values.
    """

    start_ms: int
    end_ms: int
    step_ms: int
    table: str | None


def _split(start_ms: int, end_ms: int, step_ms: int, now_ms: int) -> list[_Part]:
    """Where the figures of a span come from: what is settled, then what may not be yet."""
    start_ms = start_ms // step_ms * step_ms
    if step_ms % MINUTE_MS:
        return [_Part(start_ms, end_ms, step_ms, None)]
    fine = QUARTER_MS if step_ms % QUARTER_MS == 0 else MINUTE_MS
    table = influx.QUARTERS if fine == QUARTER_MS else influx.MINUTES
    # Where the downsamples end, and where the span does, a step of theirs is not cut.
    settled = min(now_ms - _UNSETTLED_MS, end_ms) // fine * fine
    parts = [
        _Part(start_ms, settled, fine, table),
        _Part(max(start_ms, settled), end_ms, MINUTE_MS, None),
    ]
    return [part for part in parts if part.start_ms < part.end_ms]


def _measured(row: Any) -> Measured:
    return Measured(
        row["patient_id"],
        row["time_ms"],
        row["device"],
        row["bed"],
        row["arrived_ms"],
        msgspec.json.decode(row["measured"], type=dict[str, float]),
        msgspec.json.decode(row["status"] or "{}", type=dict[str, str]),
        row["interval_s"],
        row["is_primary"],
    )


def _told(patient_id: str, row: Mapping[str, Any]) -> Measured:
    """A point of InfluxDB as what it was made of."""
    values, status = {}, {}
    interval_s = row.get("meta.interval_s")
    for name, value in row.items():
        if value is None or name in _TAGS or name.startswith("meta."):
            continue
        if name.startswith("status."):
            status[code(name.removeprefix("status."))] = value
        else:
            values[code(name)] = float(value)
    return Measured(
        patient_id,
        row["time"],
        untag(row.get("device")),
        untag(row.get("bed")),
        row.get("meta.arrived_ms") or 0,
        values,
        status,
        None if interval_s is None else float(interval_s),
        bool(row.get("meta.is_primary")),
    )


_TAGS = frozenset(("time", "bed", "device", "patient_id"))

_RAW = """
SELECT m.key AS signal, v.time_ms / $4 * $4 AS time_ms,
    min(m.value::float8) AS low, max(m.value::float8) AS high,
    avg(m.value::float8) AS mean, count(*) AS n,
    (array_agg(m.value::float8 ORDER BY v.time_ms DESC, v.device DESC))[1] AS latest
FROM icu.vitals v CROSS JOIN LATERAL jsonb_each_text(v.measured) m
WHERE v.patient_id = $1 AND v.time_ms >= $2 AND v.time_ms < $3
    AND ($5::text[] IS NULL OR m.key = ANY ($5::text[]))
GROUP BY 1, 2 ORDER BY 1, 2
"""
_COARSE = {
    table: f"""
SELECT signal, time_ms, low, high, mean, n, latest FROM icu.{table}
WHERE patient_id = $1 AND time_ms >= $2 AND time_ms < $3
    AND ($4::text[] IS NULL OR signal = ANY ($4::text[]))
ORDER BY signal, time_ms
"""  # noqa: S608 - names of our own
    for table in (influx.MINUTES, influx.QUARTERS)
}
