"""Partitions of PostgreSQL by time: made ahead of what comes, dropped when they are old.

A table's partition holds a number of whole days of `time_ms`. Those of the retention and of
tomorrow are made when something for them comes, the others never: what a device whose clock
is years off sends lies in `..._other`, and goes from there by its arrival. A partition that
is made takes with it what of its days lies there.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from icu_stream.contracts.topics import DAY_MS
from icu_stream.observability import log


# Any number that nothing else on this database uses: "icu partitions" as ASCII, cut.
_LOCK = 0x69637570
# A reader may hold a partition for long; the archive must not wait for it and hold up all
# other readers meanwhile.
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"
AHEAD_DAYS = 2


class Table(NamedTuple):
    """A table that is divided.

    Attributes:
        name: In the schema `icu`.
        days: In one partition.
    """

    name: str
    days: int


VITALS = Table("vitals", 1)
SCORES = Table("scores", 1)
# A row a signal and minute is a sixtieth of a row a second: 28 days are a partition of the
# same order.
MINUTES = Table("vitals_1m", 28)
QUARTERS = Table("vitals_15m", 28)
FINE = (VITALS, SCORES)
COARSE = (MINUTES, QUARTERS)


class Partitions:
    """The partitions of some tables, as this process knows them.

    Args:
        keep_days: How long rows of each table are kept.
    """

    def __init__(self, keep_days: dict[Table, int]) -> None:
        self._keep_days = keep_days
        self._known: set[tuple[str, int]] = set()

    async def ensure(
        self, connection: Any, table: Table, times: Iterable[int], now_ms: int
    ) -> None:
        """Make the partitions in which some rows belong, where they are to have one."""
        width = table.days * DAY_MS
        oldest = self._oldest(table, now_ms)
        newest = (now_ms + AHEAD_DAYS * DAY_MS) // width
        for number in sorted({time // width for time in times}):
            if (table.name, number) in self._known or not oldest <= number <= newest:
                continue
            await _make(connection, table, number)
            self._known.add((table.name, number))

    async def tend(self, connection: Any, now_ms: int) -> int:
        """Make the partitions of the next days, and drop what is older than its retention.

        Returns:
            How many partitions were dropped.

        Raises:
            asyncpg.LockNotAvailableError: A reader holds one; the rest comes next time.
        """
        dropped = 0
        for table in self._keep_days:
            ahead = range(0, (AHEAD_DAYS + 1) * DAY_MS, DAY_MS)
            await self.ensure(
                connection, table, (now_ms + more for more in ahead), now_ms
            )
            oldest = self._oldest(table, now_ms)
            for number in await _numbers(connection, table):
                if number < oldest:
                    await _drop(connection, table, number)
                    self._known.discard((table.name, number))
                    dropped += 1
            await connection.execute(
                f"DELETE FROM icu.{table.name}_other WHERE arrived_ms < $1",  # noqa: S608 - names of our own
                now_ms - self._keep_days[table] * DAY_MS,
            )
        return dropped

    def forget(self) -> None:
        """Look again at what there is: the database may be another one."""
        self._known.clear()

    def _oldest(self, table: Table, now_ms: int) -> int:
        """Number of the oldest partition that is kept."""
        return (now_ms - self._keep_days[table] * DAY_MS) // (table.days * DAY_MS)


def name_of(table: Table, number: int) -> str:
    """Of a partition: its table's, and its first day.

    >>> name_of(VITALS, 20_781)
    'vitals_20261124'
    """
    first = datetime.fromtimestamp(number * table.days * DAY_MS / 1000, UTC)
    return f"{table.name}_{first:%Y%m%d}"


async def _make(connection: Any, table: Table, number: int) -> None:
    name = name_of(table, number)
    start, end = (n * table.days * DAY_MS for n in (number, number + 1))
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        if await connection.fetchval("SELECT to_regclass($1)", f"icu.{name}"):
            return  # another process was faster
        await connection.execute(_LOCK_TIMEOUT)
        # Names are our own and numbers are numbers: nothing here comes from a message.
        await connection.execute(
            f"CREATE TABLE icu.{name} (LIKE icu.{table.name} INCLUDING ALL)"
        )
        await connection.execute(
            f"WITH moved AS (DELETE FROM icu.{table.name}_other "  # noqa: S608
            f"WHERE time_ms >= {start} AND time_ms < {end} RETURNING *) "
            f"INSERT INTO icu.{name} SELECT * FROM moved"
        )
        await connection.execute(
            f"ALTER TABLE icu.{table.name} ATTACH PARTITION icu.{name} "
            f"FOR VALUES FROM ({start}) TO ({end})"
        )
    log.info("partition_made", name=name)


async def _drop(connection: Any, table: Table, number: int) -> None:
    name = name_of(table, number)
    async with connection.transaction():
        await connection.execute(_LOCK_TIMEOUT)
        await connection.execute(f"DROP TABLE IF EXISTS icu.{name}")
    log.info("partition_dropped", name=name)


async def _numbers(connection: Any, table: Table) -> Collection[int]:
    """Numbers of the partitions that there are."""
    rows = await connection.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = to_regclass($1)",
        f"icu.{table.name}",
    )
    found = []
    for row in rows:
        digits = row["relname"].removeprefix(f"{table.name}_")
        if digits.isdigit():
            first = datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC)
            found.append(int(first.timestamp() * 1000) // (table.days * DAY_MS))
    return found
