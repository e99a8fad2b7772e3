"""Several devices that measure the same signal of one patient.

Rule 25 of `docs/alarms.md`. A device is a source of a signal for as long as the bed may
be silent after its last valid value. While there is one device, its last value is in the
signal's track; while there are more, each one's is in `Track.sources`.
"""

from collections.abc import Collection, Mapping

from icu_stream.domain import condition, notes
from icu_stream.domain.annunciation import Bedside
from icu_stream.domain.limits import Condition, Row, Verdict
from icu_stream.domain.patient import Device, Patient, Source, Track


CODE = "bed.two_devices"
# Clocks of one bed that differ by more are no clocks of one bed (ours, as rule 4).
_CLOCKS_MS = 60_000


def decided_ms(track: Track, device: Device, time: int, no_data_ms: int) -> int | None:
    """When a value is decided: at its own time, if only its own device's clock counts.

    Args:
        track: Of its signal, before it.
        device: Whose.
        time: Of the message, measurement time.
        no_data_ms: Of the signal, by this message.

    Returns:
        None when the value is late.
    """
    if time > track.time:
        return time
    if track.time - time >= max(no_data_ms, _CLOCKS_MS):
        return None
    # Its own clock goes on: a faster one that was taken away must not stop a delay.
    return time + track.ahead if track.device == device.name else track.time


def others(
    patient: Patient, track: Track, device_name: str, at: int
) -> dict[str, Source]:
    """The other sources of a signal, by device.

    Args:
        patient: Settled.
        track: Of the signal.
        device_name: Whose others.
        at: By the signal's time.
    """
    sources = _all(track)
    if not sources or (len(sources) == 1 and device_name in sources):
        return {}
    devices = patient.devices
    return {
        name: source
        for name, source in sources.items()
        if name != device_name
        and name in devices
        and at - source.valid < source.lasts_ms
    }


def _all(track: Track) -> dict[str, Source]:
    if track.sources is not None:
        return track.sources
    if track.device is None or not track.valid:
        return {}
    own = Source(track.valid, track.value, track.source_ms, track.is_off)
    return {track.device: own}


def is_put_aside(
    patient: Patient, device: Device, others: Mapping[str, Source], at: int
) -> bool:
    """Does a primary device's value stand for that of another?"""
    if device.is_primary:
        return False
    return any(
        patient.devices[name].is_primary and at - source.valid < device.bed_ms
        for name, source in others.items()
    )


def beside(
    patient: Patient, device: Device, others: dict[str, Source]
) -> dict[str, Source]:
    """Those that count beside a device whose value is not put aside."""
    if not device.is_primary:
        return others
    devices = patient.devices
    return {name: s for name, s in others.items() if devices[name].is_primary}


def remember(
    track: Track, device: Device, others: dict[str, Source], own: Source | None
) -> None:
    """Keep who says what of a signal; before the value itself is in the track.

    Args:
        track: Changed.
        device: Whose value it is.
        others: That count beside it.
        own: What it says; None where the value is not valid.
    """
    name = device.name
    if own is not None:
        track.sources = others | {name: own} if others else None
    elif others or track.is_shared or track.device not in {None, name}:
        before = _all(track).get(name)
        track.sources = others if before is None else others | {name: before}
    track.is_shared = track.sources is not None


def worst(
    row: Row, value: float, others: Mapping[str, Source], *, is_off: bool
) -> float:
    """The value of any source that is worst for a limit.

    A heart rate that is counted is a pulse: beside it, another's zero is none. One whose
    leads are off counts nothing.
    """
    is_beating = row.signal == "hr" and value > 0 and not is_off
    values = [value, *(s.value for s in others.values() if s.value or not is_beating)]
    return max(values) if row.condition is Condition.HIGH else min(values)


def has_pulse(others: Mapping[str, Source], oldest: int) -> bool:
    """Does another device count a heart rate, not before a moment?"""
    return any(
        s.value > 0 and not s.is_off and s.valid >= oldest for s in others.values()
    )


def judge(
    bedside: Bedside,
    device: Device,
    shared: Mapping[str, Mapping[str, Source]],
    time: int,
) -> None:
    """Raise or clear `bed.two_devices`, on a message with a value.

    Args:
        bedside: Where.
        device: Whose message.
        shared: By signal of the message: its other sources.
        time: Of the message.
    """
    patient, rules, _ = bedside
    row = rules.rows[CODE]
    note = ""
    if shared:
        patient.shared = patient.heard
        verdict = Verdict.VIOLATED
        signal, sources = next(iter(shared.items()))
        note = notes.devices(signal, _names(device, sources))
    elif CODE in patient.runs and time - patient.shared >= row.delay_ms:
        verdict = Verdict.INSIDE
    else:
        return
    condition.follow(bedside, row, verdict, time, value=None, is_gap=False, note=note)


def _names(device: Device, others: Collection[str]) -> list[str]:
    return sorted([device.name, *others])
