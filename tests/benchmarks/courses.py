"""What monitors show of the simulator's patients, second by second, as encoded values."""

from collections.abc import Sequence

import msgspec
import numpy as np

from icu_stream.sources.beds import Happening, Ward


# The values of one patient's messages, encoded, in the order of time.
Course = Sequence[bytes]

# Signals in each message: an arterial line and what most such patients have besides.
SIGNALS = 9
# One bed in ten has exactly these nine.
_BEDS_A_COURSE = 10
# Something happens at a bed about every quarter of an hour, which gives an alarm every
# few minutes, as in intensive care (the figure is in the report). What silences a monitor
# or turns its clock is left out: each bed has a message at each point.
_HAPPENS_EVERY_S = 900
_HAPPENING = {
    "desaturation": 60,
    "apnoea": 45,
    "tachyarrhythmia": 40,
    "line_flush": 6,
    "lead_off": 60,
    "sensor_off": 60,
    "haemorrhage": 600,
}


def courses(count: int, seconds: int, seed: int = 1) -> list[Course]:
    """Simulate patients who have nine signals.

    Args:
        count: How many.
        seconds: How long, one point a second.
        seed: Of all randomness.
    """
    beds = _BEDS_A_COURSE * count
    ward = Ward(beds, seed=seed, happenings=_happenings(beds, seconds, seed))
    places = [place for place in range(beds) if _has_nine(ward, place)][:count]
    assert len(places) == count, "too few beds have nine signals"
    order = {bed: at for at, bed in enumerate(ward.order)}
    positions = [order[place] for place in places]
    made: list[list[bytes]] = [[] for _ in positions]
    for second in range(seconds):
        messages = ward.second(second).messages
        for course, position in zip(made, positions, strict=True):
            message = messages[position]
            assert message is not None
            course.append(message[message.index(b'"values":') + 9 : -1])
    return list(made)


def _has_nine(ward: Ward, bed: int) -> bool:
    always = ward.signals[:, bed] & (ward.every_s[:, bed] == 1)
    return int(always.sum()) == SIGNALS


def _happenings(beds: int, seconds: int, seed: int) -> list[Happening]:
    random = np.random.default_rng(seed)
    names = list(_HAPPENING)
    made = []
    for bed in range(1, beds + 1):
        at_s = 1 + int(random.exponential(_HAPPENS_EVERY_S))
        while at_s < seconds:
            name = names[random.integers(len(names))]
            made.append(Happening(name, bed, at_s, _HAPPENING[name]))
            at_s += _HAPPENING[name] + 1 + int(random.exponential(_HAPPENS_EVERY_S))
    return made


def desaturating() -> list[Course]:
    """Ten patients who desaturate for one second in ten, one after the other.

    Two hundred of their beds raise 20 `spo2.desat` a second, which has no delay; five
    seconds after each it is over. Nobody is that ill: it is for measuring latency.
    """
    values = {
        "hr": 80,
        "pulse": 80,
        "spo2": 97,
        "rr": 16,
        "abp_sys": 124,
        "abp_dia": 66,
        "abp_mean": 85,
        "temp": 37.0,
        "cvp": 8,
    }
    usual = msgspec.json.encode(values)
    desaturated = msgspec.json.encode(values | {"spo2": 70})
    return [
        [desaturated if second == start else usual for second in range(10)]
        for start in range(10)
    ]
