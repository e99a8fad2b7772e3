"""Alarms, commands, answers and the audit trail in PostgreSQL: each as it was said.

`icu.alarms` has one row an alarm, as its newest transition left it; `icu.transitions` has
every message about it. Nothing here is ever dropped: how long records must be kept is the
hospital's rule (docs/archive.md).
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from icu_stream.contracts.alerts import Alert
from icu_stream.contracts.audit import AuditEntry
from icu_stream.contracts.commands import Command, CommandResult
from icu_stream.errors import ContractError
from icu_stream.storage import postgres
from icu_stream.storage.intake import Row, Said
from icu_stream.storage.series import Minute


class PostgresTrail:
    """What was alarmed, asked, answered and done.

    Args:
        pool: Of a database with the newest tables.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def write(self, rows: Sequence[Row], now_ms: int) -> int:  # noqa: ARG002
        """Keep rows, all or none; see `series.Store`."""
        kinds: defaultdict[type, list[Said]] = defaultdict(list)
        for row in rows:
            assert isinstance(row, Said)  # noqa: S101 - of these topics all are
            kinds[type(row.message)].append(row)
        try:
            async with (
                postgres.connection(self._pool) as connection,
                connection.transaction(),
            ):
                for kind, said in kinds.items():
                    for statement, columns in _STATEMENTS[kind]:
                        await connection.execute(statement, *columns(said))
        except Exception as error:
            if postgres.is_of_rows(error):
                msg = f"PostgreSQL: {error}"
                raise ContractError(msg) from error
            raise
        return 0

    async def settle(self, minutes: Collection[Minute], now_ms: int) -> None:
        """Nothing is figured from these."""

    async def tend(self, now_ms: int) -> None:
        """Nothing of these is dropped."""


def _alarms(rows: Sequence[Said]) -> tuple[list[Any], ...]:
    """Columns of the newest transition of each alarm."""
    newest: dict[str, Said] = {}
    for row in rows:
        known = newest.setdefault(row.message.alert_id, row)
        if _order(known.message) < _order(row.message):
            newest[row.message.alert_id] = row
    kept = newest.values()
    said = [row.message for row in kept]
    return (
        [m.alert_id for m in said],
        [m.patient_id for m in said],
        [m.bed for m in said],
        [m.code for m in said],
        [m.kind.value for m in said],
        [m.priority.value for m in said],
        [m.state.value for m in said],
        [m.event.value for m in said],
        [m.transition for m in said],
        [m.onset for m in said],
        [m.time for m in said],
        [row.arrived_ms for row in kept],
        [row.body for row in kept],
    )


def _order(alert: Alert) -> tuple[int, int]:
    return alert.transition, alert.time


def _transitions(rows: Sequence[Said]) -> tuple[list[Any], ...]:
    said = [row.message for row in rows]
    return (
        [m.alert_id for m in said],
        [m.transition for m in said],
        [m.event.value for m in said],
        [m.time for m in said],
        [m.patient_id for m in said],
        [m.bed for m in said],
        [m.code for m in said],
        [m.priority.value for m in said],
        [m.state.value for m in said],
        [row.arrived_ms for row in rows],
        [row.body for row in rows],
    )


def _commands(rows: Sequence[Said]) -> tuple[list[Any], ...]:
    said = [row.message for row in rows]
    return (
        [m.command_id for m in said],
        [row.digest for row in rows],
        [m.patient_id for m in said],
        [m.type.value for m in said],
        [m.by for m in said],
        [m.time for m in said],
        [row.arrived_ms for row in rows],
        [row.body for row in rows],
    )


def _results(rows: Sequence[Said]) -> tuple[list[Any], ...]:
    said = [row.message for row in rows]
    return (
        [m.command_id for m in said],
        [row.digest for row in rows],
        [m.patient_id for m in said],
        [m.accepted for m in said],
        [
            row.arrived_ms if m.time is None else m.time
            for m, row in zip(said, rows, strict=True)
        ],
        [row.arrived_ms for row in rows],
        [row.body for row in rows],
    )


def _audit(rows: Sequence[Said]) -> tuple[list[Any], ...]:
    said = [row.message for row in rows]
    return (
        [m.time for m in said],
        [row.digest for row in rows],
        [m.deed.value for m in said],
        [m.by for m in said],
        [m.patient_id for m in said],
        [m.command_id for m in said],
        [row.arrived_ms for row in rows],
        [row.body for row in rows],
    )


_ALARMS_SQL = """
INSERT INTO icu.alarms AS kept (
    alert_id, patient_id, bed, code, kind, priority, state, event, transition, onset_ms,
    time_ms, arrived_ms, body
)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::integer[], $10::bigint[], $11::bigint[], $12::bigint[], $13::jsonb[]
)
ON CONFLICT (alert_id) DO UPDATE SET
    bed = excluded.bed, priority = excluded.priority, state = excluded.state,
    event = excluded.event, transition = excluded.transition, time_ms = excluded.time_ms,
    arrived_ms = excluded.arrived_ms, body = excluded.body
WHERE (excluded.transition, excluded.time_ms) > (kept.transition, kept.time_ms)
"""
_TRANSITIONS_SQL = """
INSERT INTO icu.transitions (
    alert_id, transition, event, time_ms, patient_id, bed, code, priority, state,
    arrived_ms, body
)
SELECT * FROM unnest(
    $1::text[], $2::integer[], $3::text[], $4::bigint[], $5::text[], $6::text[],
    $7::text[], $8::text[], $9::text[], $10::bigint[], $11::jsonb[]
)
ON CONFLICT DO NOTHING
"""
_COMMANDS_SQL = """
INSERT INTO icu.commands (
    command_id, digest, patient_id, type, by, time_ms, arrived_ms, body
)
SELECT * FROM unnest(
    $1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[],
    $7::bigint[], $8::jsonb[]
)
ON CONFLICT DO NOTHING
"""
_RESULTS_SQL = """
INSERT INTO icu.command_results (
    command_id, digest, patient_id, accepted, time_ms, arrived_ms, body
)
SELECT * FROM unnest(
    $1::text[], $2::bigint[], $3::text[], $4::boolean[], $5::bigint[], $6::bigint[],
    $7::jsonb[]
)
ON CONFLICT DO NOTHING
"""
_AUDIT_SQL = """
INSERT INTO icu.audit (
    time_ms, digest, deed, by, patient_id, command_id, arrived_ms, body
)
SELECT * FROM unnest(
    $1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
    $7::bigint[], $8::jsonb[]
)
ON CONFLICT DO NOTHING
"""

_STATEMENTS: dict[type, tuple[tuple[str, Any], ...]] = {
    Alert: ((_TRANSITIONS_SQL, _transitions), (_ALARMS_SQL, _alarms)),
    Command: ((_COMMANDS_SQL, _commands),),
    CommandResult: ((_RESULTS_SQL, _results),),
    AuditEntry: ((_AUDIT_SQL, _audit),),
}
