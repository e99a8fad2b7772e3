"""What every test may ask for: a real Kafka, its settings, a browser."""

import os
import shutil

from collections.abc import Generator, Iterator
from typing import NoReturn

import pytest

from icu_stream.settings import Settings
from tests import influx, launch, postgres
from tests.influx import InfluxServer
from tests.kafka import Kafka, why_unavailable
from tests.postgres import Postgres


# The developer's own ICU_* settings must not reach the tests; these are the tests' own.
for _name in list(os.environ):
    if _name.startswith("ICU_") and _name not in {"ICU_CACHE", "ICU_SHARED"}:
        del os.environ[_name]


def unavailable(reason: str) -> NoReturn:
    """Skip the test with a reason; where everything must be there, let it fail."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _kafka(nodes: int = 1, *, secure: bool = False) -> Kafka:
    if reason := why_unavailable():
        unavailable(reason)
    return Kafka(nodes, secure=secure)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    """A failure tells what the processes that were there said."""
    report = yield
    if report.failed:
        report.sections += launch.said()
    return report


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """One Kafka for all tests: leave it as it is and take `kafka.settings()`."""
    with _kafka() as running:
        yield running


@pytest.fixture
def own_kafka() -> Iterator[Kafka]:
    """A Kafka for one test, which may stop, kill or freeze it (5 s to start)."""
    with _kafka() as running:
        yield running


@pytest.fixture(scope="module")
def module_kafka() -> Iterator[Kafka]:
    """A Kafka for one file's tests, which may stop, kill or freeze it."""
    with _kafka() as running:
        yield running


@pytest.fixture
def kafka_cluster() -> Iterator[Kafka]:
    """Three nodes for one test, each of which it may stop, kill or freeze."""
    with _kafka(3) as running:
        yield running


@pytest.fixture(scope="module")
def secure_kafka() -> Iterator[Kafka]:
    """A Kafka whose settings have TLS, a name and a password."""
    with _kafka(secure=True) as running:
        yield running


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One PostgreSQL for all tests: take a `database()` of your own, and leave it running."""
    found = postgres.binaries()
    if found is None:
        unavailable(
            "PostgreSQL not found: install it (Debian: apt-get install postgresql)"
        )
    with Postgres(found) as running:
        yield running


@pytest.fixture(scope="session")
def influx_server() -> Iterator[InfluxServer]:
    """One InfluxDB for all tests: take a database of your own, and leave it running."""
    found = influx.binary()
    if found is None:
        unavailable("InfluxDB not found: install it (Debian: apt-get install influxdb)")
    with InfluxServer(found) as running:
        yield running


@pytest.fixture
def settings(kafka: Kafka) -> Settings:
    """Settings with fresh topics (4 partitions) on the shared Kafka."""
    return kafka.settings()


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the Chromium that the browser tests drive."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    unavailable(
        "chromium not found: install it (Debian: apt-get install chromium fonts-dejavu-core)"
    )
