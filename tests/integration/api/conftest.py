"""One ward with an archive and an API: it runs for these tests, and not beside others."""

from collections.abc import Iterator

import pytest

from tests import service
from tests.kafka import Kafka
from tests.postgres import Postgres
from tests.service import House


@pytest.fixture(scope="package")
def house(kafka: Kafka, postgres_server: Postgres) -> Iterator[House]:
    """The ward."""
    with service.house(kafka, postgres_server) as running:
        yield running
