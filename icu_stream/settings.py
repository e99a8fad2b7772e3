"""The settings of every process; the only reader of the environment.

Each setting is read from `ICU_<NAME>`, from an `.env` file in the working directory, or
(secrets) from a file named like the setting in the directory `ICU_SECRETS_DIR`.
"""

import os

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import pydantic

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from icu_stream.errors import ConfigurationError


class Settings(BaseSettings):
    """What an operator may set. A wrong value names itself and what is allowed."""

    model_config = SettingsConfigDict(
        env_prefix="ICU_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        secrets_dir=os.environ.get("ICU_SECRETS_DIR"),
    )

    broker: Annotated[str, Field(description="Kafka brokers: host:port,host:port")] = (
        "127.0.0.1:9092"
    )
    broker_kind: Annotated[
        Literal["kafka", "embedded"],
        Field(description="embedded: the demo's broker, without transactions"),
    ] = "kafka"
    topic_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,64}$")] = "icu."
    partitions: Annotated[int, Field(ge=1, le=1024)] = 8
    replication: Annotated[int, Field(ge=1, le=9)] = 1
    app_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = "icu-worker"
    data_dir: Path = Path("data")
    web_host: str = "127.0.0.1"
    web_port: Annotated[
        int, Field(ge=0, le=65535, description="worker's metrics and health")
    ] = 6066
    ward_host: str = "127.0.0.1"
    ward_port: Annotated[int, Field(ge=0, le=65535)] = 8050
    profile: Annotated[
        str, Field(description="alarm profile: a name, or a path to a .toml")
    ] = "adult"
    checkpoint_s: Annotated[
        float, Field(gt=0, le=60, description="seconds between checkpoints")
    ] = 1.0
    session_timeout_s: Annotated[float, Field(ge=6, le=300)] = 10.0
    standby_replicas: Annotated[int, Field(ge=0, le=3)] = 0
    instance_id: Annotated[
        str | None, Field(description="static membership: a name for each worker")
    ] = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_json: bool = False
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ward_token: Annotated[
        SecretStr | None,
        Field(description="one-time sign-in token of the ward view (demo)"),
    ] = None


def environment(settings: Settings) -> dict[str, str]:
    """The whole environment of a process that is to have these settings."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("ICU_")}
    return plain | {
        f"ICU_{name.upper()}": value.get_secret_value()
        if isinstance(value, SecretStr)
        else str(value)
        for name, value in settings
        if value is not None
    }


@cache
def load() -> Settings:
    """Read the settings once.

    Raises:
        ConfigurationError: A value is not allowed; the message names it.
    """
    try:
        return Settings()
    except pydantic.ValidationError as error:
        lines = [
            f"ICU_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}"
            for e in error.errors(include_input=False)
        ]
        raise ConfigurationError("\n".join(lines)) from None
