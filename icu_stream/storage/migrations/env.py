"""What Alembic runs to apply revisions: on a connection that it is given, or as SQL.

Not for import: Alembic gives it the context.
"""

from alembic import context


# Any number that nothing else on this database uses: "icu migrations" as ASCII, cut.
_LOCK = 0x6963756D
_TABLE, _SCHEMA = "migrations", "icu"


def _apply() -> None:
    with context.begin_transaction():
        context.execute(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}")
        context.run_migrations()


if context.is_offline_mode():
    context.configure(
        dialect_name="postgresql",
        literal_binds=True,
        version_table=_TABLE,
        version_table_schema=_SCHEMA,
    )
    _apply()
else:
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection, version_table=_TABLE, version_table_schema=_SCHEMA
    )
    with connection.begin():
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        _apply()
