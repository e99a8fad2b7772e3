"""Device clocks: how far each is from ours, and what happens when one jumps.

Rule 4 of `docs/alarms.md`. The skew of a device is its measurement time minus arrival.
A message whose skew differs from it by more than a minute is suspicious: it may come
from a buffer, or the clock has moved. Only messages that keep coming with the same new
skew, while time passes, are a clock that has moved.
"""

from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import annunciation, notes
from icu_stream.domain.annunciation import Bedside
from icu_stream.domain.limits import Rules
from icu_stream.domain.patient import Device, Patient


def measured_ms(
    device: Device, vitals: Vitals, arrived_ms: int, rules: Rules, *, replay: bool
) -> int | None:
    """The message's measurement time; changes what the device's clock is known for.

    Args:
        device: Whose message.
        vitals: The message.
        arrived_ms: When it came.
        rules: What is suspicious.
        replay: Recorded earlier: its arrival says nothing.

    Returns:
        None when the message is suspicious and behind: it is late.
    """
    skew = vitals.time - arrived_ms
    interval_ms = round((vitals.interval_s or 1) * 1000)
    allowed = max(rules.clock_ms, rules.clock_intervals * interval_ms)
    if replay or abs(skew - device.skew) <= allowed:
        return vitals.time
    agrees = device.odd and abs(skew - device.odd_skew) <= rules.clock_steady_ms
    if agrees:
        device.odd += 1
    else:
        device.odd, device.odd_skew, device.odd_arrived = 1, skew, arrived_ms
    # A buffer that is emptied at once has equal skews, too, but no time passes.
    passed_ms = arrived_ms - device.odd_arrived
    if device.odd >= rules.clock_messages and passed_ms * 2 >= interval_ms:
        device.is_off = True
    if device.is_off or skew > device.skew:
        return arrived_ms + device.skew
    return None


def follow(device: Device, vitals: Vitals, time: int, arrived_ms: int) -> None:
    """Take over the clock of a message that is not late."""
    if time != vitals.time:
        device.own = vitals.time
        return
    device.own = 0
    device.skew = time - arrived_ms
    device.odd = 0
    device.is_off = False


def judge(bedside: Bedside, time: int) -> None:
    """`bed.clock_jump` stands as long as any device's clock is off."""
    patient = bedside.patient
    off = [device for device in patient.devices.values() if device.is_off]
    is_said = patient.is_holding("bed.clock_jump")
    if off and not is_said:
        device = off[0]
        note = notes.clock(device.odd_skew - device.skew, device.name)
        row = bedside.rules.rows["bed.clock_jump"]
        annunciation.begin(bedside, row, time, time, note=note)
    elif is_said and not off:
        annunciation.end(bedside, "bed.clock_jump", time)


def make_room(patient: Patient, limit: int) -> None:
    """Forget the devices that were heard longest ago, until there is room for one."""
    while len(patient.devices) >= limit:
        others = [d for d in patient.devices.values() if d is not patient.last]
        oldest = min(others, key=lambda d: (d.heard, d.name))
        del patient.devices[oldest.name]
