"""What the server is made of: joined in `server.py`, handed to every route."""

from dataclasses import dataclass
from typing import Any

from icu_stream.access.desk import Desk
from icu_stream.access.door import Door
from icu_stream.access.whatif import Runs
from icu_stream.api.feed import Feed
from icu_stream.api.keys import Keys
from icu_stream.api.pace import Pace
from icu_stream.api.present import Present
from icu_stream.api.problems import Kind, ProblemError
from icu_stream.api.streaming import Hub
from icu_stream.domain.limits import Rules
from icu_stream.settings import Settings
from icu_stream.storage.records import Records


_NO_STORE = "set ICU_POSTGRES_DSN, and run icu-stream archive"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of one server.

    Attributes:
        settings: Where all is.
        door: Who may pass.
        desk: Where commands go.
        present: What is known now.
        hub: The live streams.
        feed: What reads Kafka.
        records: The past; None where no store is configured.
        runs: Backtests under way.
        keys: Idempotency keys.
        pace: How often a caller may ask.
        rules: The profile whose limits are shown.
        document: The OpenAPI document.
        page: The same for people, and the Content-Security-Policy that it needs.
    """

    settings: Settings
    door: Door
    desk: Desk
    present: Present
    hub: Hub
    feed: Feed
    records: Records | None
    runs: Runs
    keys: Keys
    pace: Pace
    rules: Rules
    document: dict[str, Any]
    page: tuple[str, str]

    @property
    def past(self) -> Records:
        """The past.

        Raises:
            ProblemError: No store is configured.
        """
        if self.records is None:
            raise ProblemError(Kind.NO_STORE, _NO_STORE)
        return self.records
