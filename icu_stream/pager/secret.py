"""Secrets: where they are, never what they are.

The pager's TOML names a file or a variable of the environment. What is in it is a
`SecretStr`, which does not print itself.
"""

from pathlib import Path

import msgspec

from pydantic import SecretStr

from icu_stream import settings
from icu_stream.errors import ConfigurationError


_LONGEST = 4_096


class Secret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a secret is: `{ file = "..." }` or `{ env = "..." }`.

    Attributes:
        file: Its first line is the secret.
        env: This variable of the environment is.

    Raises:
        ValueError: Neither or both are given.
    """

    file: str | None = None
    env: str | None = None

    def __post_init__(self) -> None:
        """Refuse neither and both."""
        if (self.file is None) == (self.env is None):
            msg = "want { file = ... } or { env = ... }"
            raise ValueError(msg)

    def read(self) -> SecretStr:
        """What it is.

        Raises:
            ConfigurationError: There is none; says where it was looked for.
        """
        if self.env is not None:
            found = settings.variable(self.env)
            if not found:
                msg = f"variable {self.env} of the environment is not set"
                raise ConfigurationError(msg)
            return SecretStr(found)
        assert self.file is not None  # noqa: S101 - see above
        try:
            with Path(self.file).open(encoding="utf-8") as text:
                found = text.readline(_LONGEST).rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8"
            msg = f"file {self.file}: {why}"
            raise ConfigurationError(msg) from None
        if not found:
            msg = f"file {self.file}: its first line is empty"
            raise ConfigurationError(msg)
        return SecretStr(found)
