"""Vitals and scores in PostgreSQL: second by second, by 1 min and by 15 min.

A row of `icu.vitals` is one message. One that comes twice changes nothing, and two that one
device sent of one moment are one row with the signals of both; where they contradict each
other the first one stays, whatever the order of repeats.

The figures of a minute are made anew from its rows whenever something of it came, so what
is late is in them, and a repeat makes the same; those of 15 min are made from the minutes.
A minute is never made from less than it was made from before: what is older than the
retention has lost its rows, and keeps its figures.
"""

import asyncio

from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from icu_stream.errors import ContractError
from icu_stream.settings import Settings
from icu_stream.storage import postgres
from icu_stream.storage.intake import Measured, Row, Said
from icu_stream.storage.partitions import (
    COARSE,
    FINE,
    MINUTES,
    QUARTERS,
    SCORES,
    VITALS,
    Partitions,
)


MINUTE_MS = 60_000
QUARTER_MS = 15 * MINUTE_MS
_WORTH_TWO = 1_000  # rows


class Minute(NamedTuple):
    """One minute of one patient.

    Attributes:
        patient_id: Whose.
        time_ms: Its begin, by the device's clock.
    """

    patient_id: str
    time_ms: int


class Store(Protocol):
    """Where the archive puts rows; whatever it does twice it has done once."""

    async def write(self, rows: Sequence[Row], now_ms: int) -> int:
        """Keep rows.

        Returns:
            How many of them were too old to be kept.

        Raises:
            ContractError: It will never take at least one of them; the others may be kept.
            StorageError: It takes nothing now.
        """

    async def settle(self, minutes: Collection[Minute], now_ms: int) -> None:
        """Make the figures of some minutes anew.

        Raises:
            StorageError: Not now.
        """

    async def tend(self, now_ms: int) -> None:
        """Do what is to be done once in a while: make room, drop what is old.

        Raises:
            StorageError: Not now.
        """


async def in_portions(
    rows: Sequence[Row], act: Callable[[Sequence[Row]], Coroutine[Any, Any, None]]
) -> None:
    """Write a large batch as two, so that the store works on one while we make the other.

    All of one patient is in one of them: no key is in both.

    Raises:
        StorageError: One was not taken now; trying both again is harmless.
        ContractError: One will never be taken.
    """
    if len(rows) < _WORTH_TWO:
        await act(rows)
        return
    halves: tuple[list[Row], list[Row]] = [], []
    for row in rows:
        whose = row.patient_id if isinstance(row, Measured) else row.message.patient_id
        halves[hash(whose) & 1].append(row)
    tasks = []
    for half in halves:
        tasks.append(asyncio.create_task(act(half)))
        await asyncio.sleep(0)  # it sends what it has to send
    try:
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    failed = [error for error in ended if isinstance(error, BaseException)]
    # What is not taken now comes first: it may be the reason of the other.
    for error in sorted(failed, key=lambda e: isinstance(e, ContractError)):
        raise error


class PostgresSeries:
    """Vitals and scores in PostgreSQL.

    Args:
        pool: Of a database with the newest tables.
        settings: How long what is kept.
    """

    def __init__(self, pool: Any, settings: Settings) -> None:
        self._pool = pool
        keep = dict.fromkeys(FINE, settings.retention_days)
        keep |= dict.fromkeys(COARSE, settings.retention_coarse_days)
        self._partitions = Partitions(keep)

    async def write(self, rows: Sequence[Row], now_ms: int) -> int:
        """Keep rows; see `Store`."""
        await in_portions(rows, lambda portion: self._write(portion, now_ms))
        return 0

    async def _write(self, rows: Sequence[Row], now_ms: int) -> None:
        """Keep rows, all or none."""
        measured = [row for row in rows if isinstance(row, Measured)]
        said = [row for row in rows if isinstance(row, Said)]
        try:
            async with postgres.connection(self._pool) as connection:
                times = (row.time_ms for row in measured)
                await self._partitions.ensure(connection, VITALS, times, now_ms)
                times = (row.message.time for row in said)
                await self._partitions.ensure(connection, SCORES, times, now_ms)
                async with connection.transaction():
                    if measured:
                        await connection.execute(_VITALS, *_vitals(measured))
                    if said:
                        await connection.execute(_SCORES, *_scores(said))
        except Exception as error:
            if postgres.is_of_rows(error):
                msg = f"PostgreSQL: {error}"
                raise ContractError(msg) from error
            raise

    async def settle(self, minutes: Collection[Minute], now_ms: int) -> None:
        """Make the figures of some minutes anew, and of the quarters they are in."""
        patients = [minute.patient_id for minute in minutes]
        begins = [minute.time_ms for minute in minutes]
        quarters = {(p, t // QUARTER_MS * QUARTER_MS) for p, t in minutes}
        async with postgres.connection(self._pool) as connection:
            for table in COARSE:
                await self._partitions.ensure(connection, table, begins, now_ms)
            async with connection.transaction():
                await connection.execute(_MINUTES, patients, begins)
                whose, begin = zip(*quarters, strict=True) if quarters else ((), ())
                await connection.execute(_QUARTERS, list(whose), list(begin))

    async def tend(self, now_ms: int) -> None:
        """Make the partitions of the next days and drop the old ones."""
        async with postgres.connection(self._pool) as connection:
            await self._partitions.tend(connection, now_ms)


def _vitals(rows: Sequence[Measured]) -> tuple[list[Any], ...]:
    """Columns; one statement may not meet the same key twice."""
    merged: dict[tuple[str, int, str], Measured] = {}
    for row in rows:
        first = merged.setdefault(row[:3], row)
        if first is not row:
            merged[row[:3]] = first._replace(
                values={**row.values, **first.values},
                status={**row.status, **first.status},
            )
    encode = msgspec.json.encode
    kept = merged.values()
    return (
        [row.patient_id for row in kept],
        [row.time_ms for row in kept],
        [row.device for row in kept],
        [row.bed for row in kept],
        [row.arrived_ms for row in kept],
        [encode(row.values).decode() for row in kept],
        [encode(row.status).decode() if row.status else None for row in kept],
        [row.interval_s for row in kept],
        [row.is_primary for row in kept],
    )


def _scores(rows: Sequence[Said]) -> tuple[list[Any], ...]:
    return (
        [row.message.patient_id for row in rows],
        [row.message.time for row in rows],
        [row.digest for row in rows],
        [row.message.bed for row in rows],
        [row.arrived_ms for row in rows],
        [row.message.news2.total if row.message.news2 else None for row in rows],
        [row.body for row in rows],
    )


# As texts: an array of jsonb is made whole before it is taken apart, 15 % slower.
_VITALS = """
INSERT INTO icu.vitals AS kept (
    patient_id, time_ms, device, bed, arrived_ms, measured, status, interval_s, is_primary
)
SELECT patient_id, time_ms, device, bed, arrived_ms, measured::jsonb, status::jsonb,
    interval_s, is_primary
FROM unnest(
    $1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[],
    $7::text[], $8::float8[], $9::boolean[]
) AS told (
    patient_id, time_ms, device, bed, arrived_ms, measured, status, interval_s, is_primary
)
ON CONFLICT (patient_id, time_ms, device) DO UPDATE SET
    measured = excluded.measured || kept.measured,
    status = coalesce(excluded.status || kept.status, kept.status, excluded.status)
WHERE excluded.measured || kept.measured <> kept.measured
    OR coalesce(excluded.status || kept.status, kept.status, excluded.status)
        IS DISTINCT FROM kept.status
"""

_SCORES = """
INSERT INTO icu.scores (patient_id, time_ms, digest, bed, arrived_ms, news2, body)
SELECT * FROM unnest(
    $1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::smallint[],
    $7::jsonb[]
)
ON CONFLICT DO NOTHING
"""

# Names in it are our own, and so are the numbers. `LATERAL`: one look into the index for each minute, in the one partition that has it.
_MINUTES = f"""
INSERT INTO icu.{MINUTES.name} AS kept
SELECT owed.patient_id, one.signal, owed.time_ms, min(one.value), max(one.value),
    avg(one.value), count(*),
    (array_agg(one.value ORDER BY one.time_ms DESC, one.device DESC))[1],
    max(one.arrived_ms)
FROM unnest($1::text[], $2::bigint[]) AS owed (patient_id, time_ms)
CROSS JOIN LATERAL (
    SELECT v.time_ms, v.device, v.arrived_ms, m.key AS signal, m.value::float8 AS value
    FROM icu.vitals v CROSS JOIN LATERAL jsonb_each_text(v.measured) m
    WHERE v.patient_id = owed.patient_id
        AND v.time_ms >= owed.time_ms AND v.time_ms < owed.time_ms + {MINUTE_MS}
) one
GROUP BY owed.patient_id, one.signal, owed.time_ms
ON CONFLICT (patient_id, signal, time_ms) DO UPDATE SET
    low = excluded.low, high = excluded.high, mean = excluded.mean, n = excluded.n,
    latest = excluded.latest, arrived_ms = excluded.arrived_ms
WHERE excluded.n >= kept.n AND (excluded.*) IS DISTINCT FROM (kept.*)
"""  # noqa: S608

_QUARTERS = f"""
INSERT INTO icu.{QUARTERS.name} AS kept
SELECT owed.patient_id, one.signal, owed.time_ms, min(one.low), max(one.high),
    sum(one.mean * one.n) / sum(one.n), sum(one.n),
    (array_agg(one.latest ORDER BY one.time_ms DESC))[1], max(one.arrived_ms)
FROM unnest($1::text[], $2::bigint[]) AS owed (patient_id, time_ms)
CROSS JOIN LATERAL (
    SELECT m.* FROM icu.{MINUTES.name} m
    WHERE m.patient_id = owed.patient_id
        AND m.time_ms >= owed.time_ms AND m.time_ms < owed.time_ms + {QUARTER_MS}
) one
GROUP BY owed.patient_id, one.signal, owed.time_ms
ON CONFLICT (patient_id, signal, time_ms) DO UPDATE SET
    low = excluded.low, high = excluded.high, mean = excluded.mean, n = excluded.n,
    latest = excluded.latest, arrived_ms = excluded.arrived_ms
WHERE excluded.n >= kept.n AND (excluded.*) IS DISTINCT FROM (kept.*)
"""  # noqa: S608
