"""What the archive keeps: measurements, scores, alarms, commands and the audit trail.

Every key is made of what a record says, never of where it was read, so a record that is
read again changes nothing. `digest` is 64 bits of a hash of the message, where two of them
may differ in nothing else that is a column.

Vitals and scores are in one partition a day of `time_ms`, the downsamples in one for each
28 days; the archive makes them ahead and drops the old ones. What a clock far from ours
puts outside all of them is in the partition `..._other`.
"""

from alembic import op


revision = "0001"
down_revision = None

_STATEMENTS = (
    """
    CREATE TABLE icu.vitals (
        patient_id text NOT NULL,
        time_ms bigint NOT NULL,
        device text NOT NULL,
        bed text NOT NULL,
        arrived_ms bigint NOT NULL,
        measured jsonb NOT NULL,
        status jsonb,
        interval_s float8,
        is_primary boolean NOT NULL,
        PRIMARY KEY (patient_id, time_ms, device)
    ) PARTITION BY RANGE (time_ms)
    """,
    "CREATE TABLE icu.vitals_other PARTITION OF icu.vitals DEFAULT",
    "COMMENT ON COLUMN icu.vitals.time_ms IS 'by the device''s clock, epoch ms UTC'",
    "COMMENT ON COLUMN icu.vitals.arrived_ms IS 'by the broker''s clock, epoch ms UTC'",
    """
    CREATE TABLE icu.scores (
        patient_id text NOT NULL,
        time_ms bigint NOT NULL,
        digest bigint NOT NULL,
        bed text NOT NULL,
        arrived_ms bigint NOT NULL,
        news2 smallint,
        body jsonb NOT NULL,
        PRIMARY KEY (patient_id, time_ms, digest)
    ) PARTITION BY RANGE (time_ms)
    """,
    "CREATE TABLE icu.scores_other PARTITION OF icu.scores DEFAULT",
    *(
        statement
        for table in ("vitals_1m", "vitals_15m")
        for statement in (
            f"""
            CREATE TABLE icu.{table} (
                patient_id text NOT NULL,
                signal text NOT NULL,
                time_ms bigint NOT NULL,
                low float8 NOT NULL,
                high float8 NOT NULL,
                mean float8 NOT NULL,
                n integer NOT NULL,
                latest float8 NOT NULL,
                arrived_ms bigint NOT NULL,
                PRIMARY KEY (patient_id, signal, time_ms)
            ) PARTITION BY RANGE (time_ms)
            """,
            f"CREATE TABLE icu.{table}_other PARTITION OF icu.{table} DEFAULT",
            f"COMMENT ON COLUMN icu.{table}.time_ms IS 'begin, epoch ms UTC'",
            f"COMMENT ON COLUMN icu.{table}.arrived_ms IS 'of the newest value'",
        )
    ),
    """
    CREATE TABLE icu.alarms (
        alert_id text PRIMARY KEY,
        patient_id text NOT NULL,
        bed text NOT NULL,
        code text NOT NULL,
        kind text NOT NULL,
        priority text NOT NULL,
        state text NOT NULL,
        event text NOT NULL,
        transition integer NOT NULL,
        onset_ms bigint NOT NULL,
        time_ms bigint NOT NULL,
        arrived_ms bigint NOT NULL,
        body jsonb NOT NULL
    )
    """,
    "COMMENT ON TABLE icu.alarms IS 'one row an alarm, as its newest transition left it'",
    "CREATE INDEX alarms_onset ON icu.alarms (onset_ms, alert_id)",
    "CREATE INDEX alarms_patient ON icu.alarms (patient_id, onset_ms, alert_id)",
    "CREATE INDEX alarms_open ON icu.alarms (onset_ms, alert_id) WHERE state <> 'cleared'",
    """
    CREATE TABLE icu.transitions (
        alert_id text NOT NULL,
        transition integer NOT NULL,
        event text NOT NULL,
        time_ms bigint NOT NULL,
        patient_id text NOT NULL,
        bed text NOT NULL,
        code text NOT NULL,
        priority text NOT NULL,
        state text NOT NULL,
        arrived_ms bigint NOT NULL,
        body jsonb NOT NULL,
        PRIMARY KEY (alert_id, transition, event, time_ms)
    )
    """,
    "CREATE INDEX transitions_time ON icu.transitions (time_ms, alert_id, transition, event)",
    "CREATE INDEX transitions_patient ON icu.transitions (patient_id, time_ms)",
    """
    CREATE TABLE icu.commands (
        command_id text NOT NULL,
        digest bigint NOT NULL,
        patient_id text NOT NULL,
        type text NOT NULL,
        by text NOT NULL,
        time_ms bigint NOT NULL,
        arrived_ms bigint NOT NULL,
        body jsonb NOT NULL,
        PRIMARY KEY (command_id, digest)
    )
    """,
    "CREATE INDEX commands_time ON icu.commands (time_ms, command_id, digest)",
    "CREATE INDEX commands_patient ON icu.commands (patient_id, time_ms)",
    """
    CREATE TABLE icu.command_results (
        command_id text NOT NULL,
        digest bigint NOT NULL,
        patient_id text,
        accepted boolean NOT NULL,
        time_ms bigint NOT NULL,
        arrived_ms bigint NOT NULL,
        body jsonb NOT NULL,
        PRIMARY KEY (command_id, digest)
    )
    """,
    "CREATE INDEX command_results_time ON icu.command_results (time_ms, command_id, digest)",
    """
    CREATE TABLE icu.audit (
        time_ms bigint NOT NULL,
        digest bigint NOT NULL,
        deed text NOT NULL,
        by text NOT NULL,
        patient_id text,
        command_id text,
        arrived_ms bigint NOT NULL,
        body jsonb NOT NULL,
        PRIMARY KEY (time_ms, digest)
    )
    """,
    "CREATE INDEX audit_by ON icu.audit (by, time_ms)",
    "CREATE INDEX audit_patient ON icu.audit (patient_id, time_ms)",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
