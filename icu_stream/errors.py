"""Everything that icu-stream raises, named for what its catcher can do.

::

    IcuStreamError
    ├── ConfigurationError      mend the settings; the process has not started
    ├── ContractError           the sender's message is wrong: dead-letter it
    ├── ImplausibleValueError   the sensor is wrong: technical alarm
    ├── TransitionError         not allowed in this state: refuse the command
    ├── ProviderError           identity not told: sign in another way
    ├── StateError              one patient's saved state is unusable
    ├── StorageError            retry after .retry_after_s
    └── DeliveryError           page not delivered
"""


class IcuStreamError(Exception):
    """The root: catches what icu-stream raises on purpose and nothing else."""


class ConfigurationError(IcuStreamError):
    """The settings are wrong or a service is not as it must be; says what to do."""


class ContractError(IcuStreamError):
    """A message does not keep its contract: dead-letter it and go on."""


class ImplausibleValueError(IcuStreamError, ValueError):
    """A number that no patient and no instrument can have."""


class TransitionError(IcuStreamError):
    """An event that the alarm's state does not allow; nothing was changed."""


class ProviderError(IcuStreamError):
    """The identity provider did not say who somebody is; says why and what to do."""


class StateError(IcuStreamError):
    """One patient's saved state cannot be read: keep it aside, start anew, say so."""


class StorageError(IcuStreamError):
    """A store did not take a write.

    Attributes:
        retry_after_s: When to try again, seconds.
    """

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeliveryError(IcuStreamError):
    """A page was not delivered.

    Attributes:
        retry_after_s: When to try again at the earliest, seconds; None: never.
        is_gone: The target wants no page any more.
    """

    def __init__(
        self, message: str, *, retry_after_s: float | None, is_gone: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.is_gone = is_gone
