"""One message of a device about one patient at one moment."""

from typing import Annotated

import msgspec


# Ids are keys, labels and log fields: short, printable, no white space at the ends.
Identifier = Annotated[
    str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[!-~]([ -~]*[!-~])?$")
]


class Vitals(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one device measured of one patient at one moment.

    Attributes:
        patient_id: Whose.
        time: Measurement time by the device's clock, epoch ms UTC.
        bed: Where.
        device: Which device; several may speak for one patient.
        values: By signal code, in the signal's unit. A signal that was not measured
            is absent; zero is a value.
        status: By signal code, where the device says why there is no value:
            `lead_off`, `sensor_off`, `disconnected`, `searching`.
        interval_s: Seconds to this device's next message, when it is not 1.
        primary: This device is the one to believe where several measure the same.
    """

    patient_id: Identifier
    time: int
    bed: str = ""
    device: str = ""
    values: dict[str, float] = {}
    status: dict[str, str] = {}
    interval_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)] | None = None
    primary: bool = False
