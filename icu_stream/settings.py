"""The settings of every process; the only reader of the environment.

Each setting is read from `ICU_<NAME>`, from an `.env` file in the working directory, or
(secrets) from a file named like the setting in the directory `ICU_SECRETS_DIR`.
"""

import json
import os
import re
import zoneinfo

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from icu_stream.errors import ConfigurationError


def _zone(name: str) -> str:
    if name and name not in zoneinfo.available_timezones():
        msg = f"no time zone {name!r}: want an IANA name, as Europe/Berlin"
        raise ValueError(msg)
    return name


# A person or a screen, or nobody: printable ASCII, no white space at the ends.
_NAME = r"^([!-~]([ -~]{0,62}[!-~])?)?$"


_OPEN_SECRET = r"postgres\w*://[^/@]*:"  # noqa: S105 - a pattern


def _object(given: Any) -> Any:
    """What a value in JSON says; it is JSON in the environment."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError:
        msg = "want JSON"
        raise ValueError(msg) from None


class Settings(BaseSettings):
    """What an operator may set. A wrong value names itself and what is allowed."""

    model_config = SettingsConfigDict(
        env_prefix="ICU_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        secrets_dir=os.environ.get("ICU_SECRETS_DIR"),
    )

    broker: Annotated[
        str,
        Field(
            pattern=r"^[^\s,]+:\d{1,5}(,[^\s,]+:\d{1,5})*$",
            description="Kafka brokers: host:port,host:port",
        ),
    ] = "127.0.0.1:9092"
    broker_kind: Annotated[
        Literal["kafka", "embedded"],
        Field(description="embedded: the demo's broker, without transactions"),
    ] = "kafka"
    topic_prefix: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9._-]{0,64}$",
            description="goes before each topic's name",
        ),
    ] = "icu."
    partitions: Annotated[
        int,
        Field(
            ge=1, le=1024, description="of the patients' topics; cannot change later"
        ),
    ] = 8
    replication: Annotated[
        int, Field(ge=1, le=9, description="copies of each topic; 3 on a real cluster")
    ] = 1
    app_id: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9._-]{1,64}$",
            description="the worker's consumer group and the name of its saved state",
        ),
    ] = "icu-worker"
    data_dir: Annotated[
        Path, Field(description="a process's own files; one directory a worker")
    ] = Path("data")
    web_host: Annotated[
        str, Field(description="where the worker's metrics and health listen")
    ] = "127.0.0.1"
    web_port: Annotated[
        int, Field(ge=0, le=65535, description="worker's metrics and health")
    ] = 6066
    ward_host: Annotated[str, Field(description="where the ward view listens")] = (
        "127.0.0.1"
    )
    ward_port: Annotated[
        int, Field(ge=0, le=65535, description="of the ward view; 0: any free one")
    ] = 8050
    profile: Annotated[
        str, Field(description="alarm profile: a name, or a path to a .toml")
    ] = "adult"
    language: Annotated[
        Literal["en", "de"], Field(description="of the alerts' texts; one a worker")
    ] = "en"
    advisories: Annotated[
        Literal["profile", "shadow"],
        Field(description="models' hints: as the profile says, or only counted"),
    ] = "profile"
    checkpoint_s: Annotated[
        float, Field(gt=0, le=60, description="seconds between checkpoints")
    ] = 1.0
    session_timeout_s: Annotated[
        float,
        Field(
            ge=6,
            le=300,
            description="a worker that is silent for so long is taken for dead",
        ),
    ] = 10.0
    standby_replicas: Annotated[
        int,
        Field(ge=0, le=3, description="workers that keep a copy of another's state"),
    ] = 0
    instance_id: Annotated[
        str | None, Field(description="static membership: a name for each worker")
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Field(description="what is worth a line"),
    ] = "info"
    log_json: Annotated[bool, Field(description="logs for a machine: JSON lines")] = (
        False
    )
    tls_ca: Annotated[
        Path | None,
        Field(description="PEM of the brokers' certificate authority; turns TLS on"),
    ] = None
    tls_cert: Annotated[
        Path | None, Field(description="PEM of our own certificate, with tls_key")
    ] = None
    tls_key: Annotated[
        Path | None, Field(description="PEM of our own key, with tls_cert")
    ] = None
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None,
        Field(description="how we sign in to the brokers"),
    ] = None
    sasl_username: Annotated[str | None, Field(description="with sasl_mechanism")] = (
        None
    )
    sasl_password: Annotated[
        SecretStr | None, Field(description="with sasl_mechanism; best as a file")
    ] = None
    ward_token: Annotated[
        SecretStr | None,
        Field(description="one-time sign-in token of the ward view (demo)"),
    ] = None
    ward_user: Annotated[
        str,
        Field(
            pattern=_NAME,
            description="whom the ward view's link signs in: the name in every command",
        ),
    ] = ""
    ward_role: Annotated[
        Literal["viewer", "nurse", "physician", "charge", "engineer"],
        Field(description="what that person may do; see docs/ward.md"),
    ] = "viewer"
    ward_colours: Annotated[
        Path | None,
        Field(description="a site's own colours of parameters: ward/colours.toml"),
    ] = None
    ward_pressure: Annotated[
        Literal["mmHg", "kPa"],
        Field(description="unit of pressures on the ward view; messages are in mmHg"),
    ] = "mmHg"
    ward_temperature: Annotated[
        Literal["C", "F"],
        Field(description="unit of temperatures on the ward view; messages are in °C"),
    ] = "C"
    ward_time_zone: Annotated[
        str,
        pydantic.AfterValidator(_zone),
        Field(description="of the ward view, as Europe/Berlin; empty: each machine's"),
    ] = ""

    ward_station: Annotated[
        str,
        Field(
            pattern=_NAME,
            description="the screen that the ward view's link signs in, by name",
        ),
    ] = ""
    ward_idle_s: Annotated[
        float,
        Field(
            gt=0,
            le=900,
            description="seconds without an act that end a person's session",
        ),
    ] = 900.0
    ward_url: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[^\s/?#@]+/$",
            description="address of the ward view in browsers: https://ward.example/",
        ),
    ] = None
    ward_proxy: Annotated[
        bool,
        Field(
            description="believe X-Forwarded-Proto and X-Forwarded-For: our own proxy is "
            "in front and sets both"
        ),
    ] = False
    api_host: Annotated[str, Field(description="where the API listens")] = "127.0.0.1"
    api_port: Annotated[
        int, Field(ge=0, le=65535, description="of the API; 0: any free one")
    ] = 8060
    api_proxy: Annotated[
        bool, Field(description="as ICU_WARD_PROXY, of what is in front of the API")
    ] = False
    api_origins: Annotated[
        str,
        Field(
            pattern=r"^(https?://[^\s/?#@,]+(,https?://[^\s/?#@,]+)*)?$",
            description="origins whose pages may ask the API: https://a.example,...; "
            "empty: none",
        ),
    ] = ""
    api_rate: Annotated[
        int,
        Field(
            ge=10,
            le=1_000_000,
            description="requests a minute of one caller of the API",
        ),
    ] = 1_200
    api_streams: Annotated[
        int, Field(ge=1, le=10_000, description="live streams of the API at once")
    ] = 64
    accounts: Annotated[
        str | None,
        Field(
            min_length=1,
            description="local accounts: a file, or postgresql://user@host/database. "
            "Unset: accounts.jsonl in the data directory",
        ),
    ] = None
    accounts_password: Annotated[
        SecretStr | None,
        Field(description="of the database of accounts; best as a file"),
    ] = None
    oidc_issuer: Annotated[
        str | None,
        Field(
            pattern=r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/])[^\s?#@]*$",
            description="OpenID Connect: the provider's issuer",
        ),
    ] = None
    oidc_client_id: Annotated[
        str | None, Field(description="with oidc_issuer: what it knows us as")
    ] = None
    oidc_client_secret: Annotated[
        SecretStr | None,
        Field(description="with oidc_issuer, unless we are a public client"),
    ] = None
    oidc_scopes: Annotated[
        str,
        Field(
            pattern=r"^openid( [!-~]+)*$", description="what we ask the provider for"
        ),
    ] = "openid profile"
    oidc_name_claim: Annotated[
        str, Field(min_length=1, description="the claim that is the name in commands")
    ] = "preferred_username"
    oidc_role_claim: Annotated[
        str, Field(min_length=1, description="the claim with groups; dots lead inwards")
    ] = "groups"
    oidc_roles: Annotated[
        dict[str, Literal["viewer", "nurse", "physician", "charge", "engineer"]],
        NoDecode,
        pydantic.BeforeValidator(_object),
        Field(description='role of each group, as JSON: {"icu-nurses": "nurse"}'),
    ] = {}
    oidc_label: Annotated[
        str,
        Field(
            pattern=r"^[^<>&\x00-\x1f]{1,40}$",
            description="of its button: Sign in with ...",
        ),
    ] = "OpenID"

    postgres_dsn: Annotated[
        str | None,
        Field(
            pattern=r"^postgres(ql)?://[^\s]+$",
            description="records: postgresql://user@host:port/database, without a "
            "password. Unset: an embedded one in the data directory",
        ),
    ] = None
    postgres_password: Annotated[
        SecretStr | None, Field(description="with postgres_dsn; best as a file")
    ] = None
    influx_url: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[^\s/?#@]+(/[^\s?#@]*)?$",
            description="InfluxDB, for vitals and scores: http://host:8086. Unset: they "
            "go to PostgreSQL",
        ),
    ] = None
    influx_database: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9_.-]{1,64}$",
            description="with influx_url; of InfluxDB 2: the database of a DBRP mapping",
        ),
    ] = "icu"
    influx_username: Annotated[
        str | None, Field(description="with influx_url: InfluxDB 1 with accounts")
    ] = None
    influx_password: Annotated[
        SecretStr | None, Field(description="with influx_username; best as a file")
    ] = None
    influx_token: Annotated[
        SecretStr | None,
        Field(description="with influx_url: of InfluxDB 2 and 3; best as a file"),
    ] = None
    retention_days: Annotated[
        int,
        Field(
            ge=1,
            le=36_500,
            description="how long vitals and scores are kept second by second",
        ),
    ] = 30
    retention_coarse_days: Annotated[
        int,
        Field(
            ge=1,
            le=36_500,
            description="how long the 1-min and 15-min figures of vitals are kept",
        ),
    ] = 730
    archive_host: Annotated[
        str, Field(description="where the archive's metrics and health listen")
    ] = "127.0.0.1"
    archive_port: Annotated[
        int, Field(ge=0, le=65535, description="archive's metrics and health")
    ] = 8065

    pager_config: Annotated[
        Path | None,
        Field(description="who is paged, how and when: a TOML file, see docs/pager.md"),
    ] = None
    pager_host: Annotated[
        str,
        Field(description="where the pager's answers, metrics and health listen"),
    ] = "127.0.0.1"
    pager_port: Annotated[
        int, Field(ge=0, le=65535, description="pager's answers, metrics and health")
    ] = 8070

    hl7_host: Annotated[
        str, Field(description="where the HL7 gateway takes monitors' messages")
    ] = "127.0.0.1"
    hl7_port: Annotated[
        int, Field(ge=0, le=65535, description="of the HL7 gateway; 0: any free one")
    ] = 2575
    hl7_tls_cert: Annotated[
        Path | None,
        Field(description="PEM of the HL7 gateway's certificate; turns TLS on"),
    ] = None
    hl7_tls_key: Annotated[
        Path | None, Field(description="PEM of its key, with hl7_tls_cert")
    ] = None
    hl7_tls_clients: Annotated[
        Path | None,
        Field(
            description="PEM of the authority that monitors' certificates must be of"
        ),
    ] = None
    hl7_max_bytes: Annotated[
        int, Field(ge=4_096, le=16_777_216, description="the longest HL7 message")
    ] = 1_048_576
    hl7_connections: Annotated[
        int, Field(ge=1, le=20_000, description="monitors connected at once")
    ] = 512
    hl7_idle_s: Annotated[
        float,
        Field(gt=0, le=86_400, description="seconds of silence that end a connection"),
    ] = 600.0
    hl7_message_s: Annotated[
        float,
        Field(gt=0, le=600, description="seconds in which a message must have come"),
    ] = 10.0
    hl7_interval_s: Annotated[
        float | None,
        Field(
            gt=0,
            le=86_400,
            description="how often monitors send, where not each second",
        ),
    ] = None
    hl7_time_zone: Annotated[
        str,
        pydantic.AfterValidator(_zone),
        Field(min_length=1, description="of times that say none, as Europe/Berlin"),
    ] = "UTC"
    hl7_id_type: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9]{0,5}$",
            description="type of the PID-3 that is the patient's id, as MR; empty: first",
        ),
    ] = ""
    hl7_acknowledge: Annotated[
        Literal["asked", "original"],
        Field(
            description="as MSH-15 and 16 ask (CA, CE, CR), or AA, AE, AR to everybody"
        ),
    ] = "asked"
    hl7_web_port: Annotated[
        int, Field(ge=0, le=65535, description="HL7 gateway's metrics and health")
    ] = 8075
    hl7_application: Annotated[
        str, Field(pattern=_NAME, min_length=1, description="we, in MSH-3 of alerts")
    ] = "ICU_STREAM"
    hl7_facility: Annotated[
        str, Field(pattern=_NAME, description="ours, in MSH-4 of alerts")
    ] = ""
    hl7_alerts_to: Annotated[
        str | None,
        Field(
            pattern=r"^[^\s,:]+:\d{1,5}$",
            description="the alarm manager that alerts go to (IHE PCD-04): host:port",
        ),
    ] = None
    hl7_alerts_tls_ca: Annotated[
        Path | None,
        Field(description="PEM of the alarm manager's authority; turns TLS on"),
    ] = None
    hl7_alerts_timeout_s: Annotated[
        float, Field(gt=0, le=120, description="seconds that an answer may take")
    ] = 10.0
    hl7_alerts_application: Annotated[
        str, Field(pattern=_NAME, description="the alarm manager, in MSH-5")
    ] = ""
    hl7_alerts_facility: Annotated[
        str, Field(pattern=_NAME, description="its, in MSH-6")
    ] = ""
    hl7_alerts_web_port: Annotated[
        int, Field(ge=0, le=65535, description="alert gateway's metrics and health")
    ] = 8076
    fhir_host: Annotated[
        str, Field(description="where the FHIR gateway takes Observations")
    ] = "127.0.0.1"
    fhir_port: Annotated[
        int, Field(ge=0, le=65535, description="of the FHIR gateway; 0: any free one")
    ] = 8090
    fhir_token: Annotated[
        SecretStr | None,
        Field(min_length=16, description="bearer token of who sends; best as a file"),
    ] = None
    fhir_max_bytes: Annotated[
        int, Field(ge=4_096, le=16_777_216, description="the longest request")
    ] = 1_048_576
    fhir_interval_s: Annotated[
        float | None,
        Field(gt=0, le=86_400, description="how often devices send, likewise"),
    ] = None
    fhir_web_port: Annotated[
        int, Field(ge=0, le=65535, description="FHIR gateway's metrics and health")
    ] = 8077

    @pydantic.model_validator(mode="after")
    def _belong_together(self) -> "Settings":
        if (self.tls_cert is None) != (self.tls_key is None):
            msg = "ICU_TLS_CERT and ICU_TLS_KEY: want both or neither"
            raise ValueError(msg)
        if self.tls_cert is not None and self.tls_ca is None:
            msg = "ICU_TLS_CERT without ICU_TLS_CA: TLS is not on"
            raise ValueError(msg)
        if self.ward_role not in {"viewer", "engineer"} and not self.ward_user:
            msg = (
                f"ICU_WARD_ROLE={self.ward_role}: want ICU_WARD_USER, too: who commands"
            )
            raise ValueError(msg)
        sign_in = (self.sasl_mechanism, self.sasl_username, self.sasl_password)
        if None in sign_in and any(part is not None for part in sign_in):
            msg = (
                "ICU_SASL_MECHANISM, ICU_SASL_USERNAME and ICU_SASL_PASSWORD: want all "
                "or none"
            )
            raise ValueError(msg)
        return self

    @pydantic.model_validator(mode="after")
    def _sign_in_belongs_together(self) -> "Settings":
        if self.accounts is not None and re.match(_OPEN_SECRET, self.accounts):
            msg = (
                "ICU_ACCOUNTS: want no password in it: set ICU_ACCOUNTS_PASSWORD, best as "
                "a file in ICU_SECRETS_DIR"
            )
            raise ValueError(msg)
        if self.oidc_issuer is not None and not (
            self.oidc_client_id and self.oidc_roles and self.ward_url
        ):
            msg = (
                "ICU_OIDC_ISSUER: want ICU_OIDC_CLIENT_ID, ICU_OIDC_ROLES and "
                "ICU_WARD_URL, too"
            )
            raise ValueError(msg)
        return self

    @pydantic.model_validator(mode="after")
    def _stores_belong_together(self) -> "Settings":
        if self.postgres_dsn is not None and re.match(_OPEN_SECRET, self.postgres_dsn):
            msg = (
                "ICU_POSTGRES_DSN: want no password in it: set ICU_POSTGRES_PASSWORD, "
                "best as a file in ICU_SECRETS_DIR"
            )
            raise ValueError(msg)
        if self.postgres_password is not None and self.postgres_dsn is None:
            msg = "ICU_POSTGRES_PASSWORD: want ICU_POSTGRES_DSN, too"
            raise ValueError(msg)
        named = (self.influx_username, self.influx_password)
        if (None in named and any(named)) or (any(named) and self.influx_token):
            msg = (
                "ICU_INFLUX_USERNAME and ICU_INFLUX_PASSWORD: want both, or "
                "ICU_INFLUX_TOKEN instead, or nothing"
            )
            raise ValueError(msg)
        if self.influx_url is None and (any(named) or self.influx_token):
            msg = "ICU_INFLUX_USERNAME or ICU_INFLUX_TOKEN: want ICU_INFLUX_URL, too"
            raise ValueError(msg)
        return self

    @pydantic.model_validator(mode="after")
    def _gateways_belong_together(self) -> "Settings":
        if (self.hl7_tls_cert is None) != (self.hl7_tls_key is None):
            msg = "ICU_HL7_TLS_CERT and ICU_HL7_TLS_KEY: want both or neither"
            raise ValueError(msg)
        if self.hl7_tls_clients is not None and self.hl7_tls_cert is None:
            msg = "ICU_HL7_TLS_CLIENTS without ICU_HL7_TLS_CERT: TLS is not on"
            raise ValueError(msg)
        return self


def table() -> str:
    """The settings as a Markdown table, for the documentation."""
    lines = ["| setting | default | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        lines.append(f"| `ICU_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines)


def environment(settings: Settings) -> dict[str, str]:
    """The whole environment of a process that is to have these settings."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("ICU_")}
    return plain | {
        f"ICU_{name.upper()}": _text(value)
        for name, value in settings
        if value is not None
    }


def variable(name: str) -> str | None:
    """A variable of the environment that another configuration names for a secret."""
    return os.environ.get(name)


def _text(value: object) -> str:
    """A value as it is written in the environment."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, dict) else str(value)


@cache
def load() -> Settings:
    """Read the settings once.

    Raises:
        ConfigurationError: A value is not allowed; the message names it.
    """
    try:
        return Settings()
    except pydantic.ValidationError as error:
        lines = [_said(e) for e in error.errors(include_input=False)]
        raise ConfigurationError("\n".join(lines)) from None


def _said(error: Any) -> str:
    """One line for one wrong value; the value itself may be a secret."""
    if not error["loc"]:
        return str(error["msg"]).removeprefix("Value error, ")
    name = str(error["loc"][0])
    return f"ICU_{name.upper()}: {error['msg']} ({Settings.model_fields[name].description})"
