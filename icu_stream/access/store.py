"""Where the local accounts are: as `ICU_ACCOUNTS` says."""

from pathlib import Path

from icu_stream.access.accounts import Accounts, FileAccounts
from icu_stream.settings import Settings


FILE = "accounts.jsonl"


def accounts(settings: Settings) -> Accounts:
    """The store of the local accounts; nothing is opened yet."""
    place = settings.accounts
    if place is not None and place.startswith(("postgresql://", "postgres://")):
        # Its client takes 0.1 s to import.
        from icu_stream.access.postgres import PostgresAccounts  # noqa: PLC0415

        password = settings.accounts_password
        return PostgresAccounts(
            place, password.get_secret_value() if password else None
        )
    return FileAccounts(Path(place) if place else settings.data_dir / FILE)
