"""What monitors send by HL7, on its way through the rules: stories that the format makes."""

import pytest

from icu_stream.gateways import pcd01
from icu_stream.gateways.pcd01 import Options
from icu_stream.gateways.reading import Spots
from tests import monitor
from tests.unit.domain.bed import DAY, Bed


SYS = "150301^MDC_PRESS_CUFF_SYS^MDC|1.1.9.1"
MMHG = "266016^MDC_DIM_MMHG^MDC"


def send(
    bed: Bed,
    spots: Spots,
    second: float,
    values: dict[str, float],
    *,
    cuff: tuple[float, float] | None = None,
    interval_s: float | None = None,
) -> list[str]:
    """One message of a monitor; what was told on it."""
    body = monitor.message("p-1", DAY + round(1_000 * second), values, "c-1")
    if cuff is not None:
        at, pressure = cuff
        taken = monitor.stamp(DAY + round(1_000 * at))
        body += f"OBX|9|NM|{SYS}|{pressure:g}|{MMHG}|||||R|||{taken}\r".encode()
    fresh = spots.fresh(pcd01.read(body, Options(interval_s=interval_s)).vitals)
    told = []
    for vitals in fresh:
        told += bed.take(vitals, DAY + round(1_000 * second))
    spots.remember(fresh)
    return told


def test_a_cuffs_reading_alarms_though_the_rates_beside_it_are_newer():
    bed, spots = Bed(), Spots()
    told = []

    for second in range(60):
        # The cuff has measured at 25 s; the monitor tells it from 30 s on, each second.
        cuff = (25.0, 70.0) if second >= 30 else None
        told += [(second, x) for x in send(bed, spots, second, {"hr": 80}, cuff=cuff)]

    # At 30 s it is told, with the onset of its reading.
    assert [(second, x) for second, x in told if "nibp_sys.low" in x] == [
        (30, "25 nibp_sys.low raised")
    ]
    assert not any("clock_jump" in x or "two_devices" in x for _, x in told)


def test_an_old_reading_that_is_repeated_is_no_clock_that_jumps():
    bed, spots = Bed(), Spots()
    told = []

    for second in range(60):
        told += send(bed, spots, second, {"hr": 80}, cuff=(-1_440.0, 70.0))

    assert not any("clock_jump" in x for x in told)


@pytest.mark.parametrize("interval_s", [None, 60.0])
def test_a_monitor_that_sends_each_minute_is_silent_only_when_its_interval_is_not_said(
    interval_s,
):
    bed, spots = Bed(), Spots()
    told = []

    for minute in range(5):
        for second in range(60):
            told += bed.tick(60 * minute + second)
        at = 60 * (minute + 1)
        told += send(bed, spots, at, {"hr": 80}, interval_s=interval_s)

    assert any("no_data" in x for x in told) == (interval_s is None)
