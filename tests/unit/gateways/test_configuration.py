"""A gateway that cannot do its work says so before it begins, and what to do."""

import asyncio
import resource

from pathlib import Path

import pydantic
import pytest

from icu_stream.errors import ConfigurationError
from icu_stream.gateways import alarm_manager, fhir_server, monitors, stay
from icu_stream.settings import Settings


def run(process, settings: Settings) -> None:
    async def main() -> None:
        await process.run(settings, stop=asyncio.Event(), say=print)

    asyncio.run(main())


def given(**fields: object) -> Settings:
    return Settings(_env_file=None, **fields)  # type: ignore[call-arg,arg-type]


@pytest.mark.parametrize(
    ("process", "fields", "says"),
    [
        (fhir_server, {}, "ICU_FHIR_TOKEN"),
        (alarm_manager, {}, "ICU_HL7_ALERTS_TO"),
        (
            alarm_manager,
            {"hl7_alerts_to": "am:2575", "hl7_alerts_tls_ca": Path("none.pem")},
            "ICU_HL7_ALERTS_TLS_CA",
        ),
        (
            monitors,
            {"hl7_tls_cert": Path("none.pem"), "hl7_tls_key": Path("none.key")},
            "ICU_HL7_TLS_CERT",
        ),
    ],
)
def test_a_gateway_names_the_setting_that_it_lacks(process, fields, says):
    with pytest.raises(ConfigurationError, match=says):
        run(process, given(**fields))


def test_more_connections_than_files_are_refused_at_the_start():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (600, before[1]))
    try:
        with pytest.raises(
            ConfigurationError, match=r"ICU_HL7_CONNECTIONS=512.*ulimit"
        ):
            run(monitors, given(hl7_connections=512))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(
    "fields",
    [
        {"hl7_tls_cert": "a.pem"},
        {"hl7_tls_clients": "a.pem"},
        {"hl7_time_zone": ""},
        {"hl7_time_zone": "Mars/Olympus"},
        {"hl7_alerts_to": "no-port"},
        {"fhir_token": "short"},
        {"hl7_max_bytes": 10},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(fields):
    with pytest.raises(pydantic.ValidationError):
        given(**fields)


@pytest.mark.parametrize("name", ["stay.xml", "stay"])
def test_a_stay_is_json_or_csv(name, tmp_path):
    with pytest.raises(ConfigurationError, match=r"\.csv or \.json"):
        stay.export(
            given(), stay.span("p", None, None), tmp_path / name, from_records=False
        )


def test_a_moment_that_is_none_is_told():
    with pytest.raises(ConfigurationError, match="yesterday"):
        stay.span("p", "yesterday", None)
