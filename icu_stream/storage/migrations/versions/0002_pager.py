"""The tables of the pager: alarms that are paged, pages, answers, targets that are gone.

Moments of sending are `timestamptz` by the database's clock, the one that all pagers share;
moments of the alarm are milliseconds since the epoch, as in messages.
"""

from alembic import op


revision = "0002"
down_revision = "0001"

_STATEMENTS = (
    """
    CREATE TABLE icu.pager_alarms (
        alert_id text PRIMARY KEY,
        patient_id text NOT NULL,
        bed text NOT NULL,
        code text NOT NULL,
        priority text NOT NULL,
        state text NOT NULL,
        transition integer NOT NULL,
        alert jsonb NOT NULL,
        -- Of which transition the chain was begun last; null: it never was.
        round integer,
        lap integer NOT NULL DEFAULT 0,
        -- How many levels of this lap were paged.
        level integer NOT NULL DEFAULT 0,
        -- When the next level is paged; null: nobody else is.
        next_at timestamptz,
        -- When it was stated last; one that nobody states any more pages nobody.
        heard_at timestamptz NOT NULL DEFAULT now(),
        changed_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE INDEX pager_alarms_next ON icu.pager_alarms (next_at)
        WHERE next_at IS NOT NULL
    """,
    "CREATE INDEX pager_alarms_changed ON icu.pager_alarms (changed_at)",
    """
    CREATE TABLE icu.pager_outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        -- Of the delivery: the same at every attempt, and when it is written again.
        delivery text NOT NULL UNIQUE,
        alert_id text NOT NULL,
        occasion text NOT NULL,
        target text NOT NULL,
        person text NOT NULL,
        action text NOT NULL,
        priority text NOT NULL,
        page jsonb NOT NULL,
        state text NOT NULL DEFAULT 'waiting'
            CHECK (state IN ('waiting', 'held', 'sent', 'dead', 'dropped')),
        -- Of a held one: the digest that it waits in.
        digest bigint,
        due_at timestamptz NOT NULL,
        until_at timestamptz NOT NULL,
        leased_until timestamptz,
        lease text,
        attempts integer NOT NULL DEFAULT 0,
        reason text NOT NULL DEFAULT '',
        made_at timestamptz NOT NULL DEFAULT now(),
        settled_at timestamptz,
        delivered_at timestamptz,
        read_at timestamptz,
        accepted_at timestamptz,
        rejected_at timestamptz
    )
    """,
    """
    CREATE INDEX pager_outbox_due ON icu.pager_outbox (due_at)
        WHERE state = 'waiting'
    """,
    "CREATE INDEX pager_outbox_alarm ON icu.pager_outbox (alert_id, target, id)",
    "CREATE INDEX pager_outbox_person ON icu.pager_outbox (person, made_at)",
    "CREATE INDEX pager_outbox_made ON icu.pager_outbox (made_at)",
    """
    CREATE TABLE icu.pager_targets (
        target text PRIMARY KEY,
        -- Of its settings: whoever changes them has another target.
        mark text NOT NULL,
        gone_at timestamptz NOT NULL DEFAULT now(),
        reason text NOT NULL
    )
    """,
    """
    CREATE TABLE icu.pager_answers (
        person text NOT NULL,
        webhook_id text NOT NULL,
        delivery text NOT NULL,
        answer text NOT NULL,
        outcome text,
        taken_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (person, webhook_id)
    )
    """,
    "CREATE INDEX pager_answers_taken ON icu.pager_answers (taken_at)",
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement)
