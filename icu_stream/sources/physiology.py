"""A healthy adult in intensive care, second by second, for many beds at once.

Every number is a function of seed, bed and second: no state is carried from one second
to the next, so any second can be asked for, and a bed is the same in a ward of one and of
30,000. What varies is built from three parts:

- *constants* of a bed: its baselines;
- *drifts*: noise with a correlation of half a minute and of ten minutes, drawn on a grid
  of such steps and interpolated between (in place of an AR process, which would need all
  the seconds before);
- *white* noise, drawn for each second.

All noise is bounded: a sum of four uniform numbers, never beyond 3.47 standard
deviations. So a healthy bed cannot cross an alarm limit, however long it runs.

Random bits come from Philox, whose stream numpy guarantees; only sums, products, one sine
and one cosine follow. The same seed gives the same numbers.
"""

import numpy as np

from numpy.typing import NDArray

from icu_stream.sources.story import (
    CVP,
    ETCO2,
    FIO2,
    HR,
    MAP,
    PP,
    ROWS,
    RR,
    SPO2,
    TEMP,
    State,
)


# Baselines, lowest and highest of a bed. The eICU demo's hourly adults (896 stays, sepsis
# set; 25th to 75th percentile) have hr 71-96, map 73-94, resp 16-23, o2sat 95-99, temp
# 36.5-37.2, fio2 35-50. Ours is the part of it that stays inside the default adult limits
# with all variation added, since a healthy bed must be silent.
_HR = (71.0, 94.0)
_MAP = (82.0, 93.0)
_RR = (13.0, 17.0)
_TEMP = (36.6, 37.2)
_FIO2 = (30.0, 50.0)
# Pulse pressure: sys and dia of 120/80 and 140/85 are 40 and 55 apart (ours).
_PP = (46.0, 54.0)
# Arterial PO2, mmHg: normal 80-100 (West, Respiratory Physiology, 10th ed.), a little
# more with oxygen (ours).
_PO2 = (88.0, 110.0)
# End-tidal CO2 normal 35-45, central venous pressure 2-8 and some more when ventilated,
# mmHg (ours, of the range of textbooks).
_ETCO2 = (36.0, 40.0)
_CVP = (5.0, 10.0)

# Heart rate answers to pressure: about 5 ms of RR interval a mmHg, at 75/min 0.47 /min a
# mmHg. Source: La Rovere et al., Lancet 1998 (ATRAMI), mean 7.2 ms/mmHg; ours is lower,
# as in the severely ill.
_BAROREFLEX = -0.47
# Standard deviations of drift (10 min, 30 s) and white noise (ours: a monitor's trend at
# rest moves by a few units).
_NOISE = {
    HR: (1.5, 1.2, 0.4),
    MAP: (1.8, 1.2, 0.5),
    PP: (0.6, 0.4, 0.2),
    RR: (0.4, 0.6, 0.2),
    SPO2: (2.5, 2.0, 0.0),
    ETCO2: (0.6, 0.5, 0.4),
    CVP: (0.5, 0.4, 0.2),
    TEMP: (0.03, 0.0, 0.01),
}
_CHANNELS = len(_NOISE)
# Breath moves the heart rate (respiratory sinus arrhythmia, averaged by the monitor) and
# the pressures, by so much at its height, /min and mmHg (ours).
_BREATH_HR = 0.8
_BREATH_CVP = 1.5
# Day and night: highest at 16:00; hr by 3 /min, temp by 0.2 Cel. Healthy adults have about
# twice as much; in intensive care the rhythm is damped (ours).
_DAY_S = 86_400
_DAY_PEAK_S = 16 * 3600
_DAY_HR = 3.0
_DAY_TEMP = 0.2
# Second 0 of a ward is 08:00 (ours).
_DAY_START_S = 8 * 3600
# CO2 falls when breath is faster, mmHg a /min (ours).
_ETCO2_A_BREATH = -0.8
# A ventilator breathes more evenly than a patient (ours).
_VENTILATED_RR = 0.3

# Severinghaus, J Appl Physiol 1979;46:599, eq. 1.
_ODC_A, _ODC_B = 23_400.0, 150.0

_SLOW_S, _QUICK_S = 600, 30
# Tags that keep the random streams apart.
_BEDS, _SLOW, _QUICK, _WHITE, _MONITOR = range(5)
_LANES = np.uint64(0x0000FFFF0000FFFF)
_LANE_SUM = np.uint64(0x3FFFF)
_SHIFT_16, _SHIFT_32 = np.uint64(16), np.uint64(32)
# Mean and standard deviation of a sum of four uniform 16-bit numbers.
_SUM_MEAN = 2.0 * 65_535
_SUM_SD = 65_536 / 3**0.5


def saturation(po2: State) -> State:
    """Saturation of haemoglobin, %, at an oxygen tension, mmHg.

    >>> saturation(np.array([27.0, 60.0, 100.0])).round(1)
    array([50.4, 90.6, 97.7])
    """
    percent: State = 100.0 / (_ODC_A / (po2**3 + _ODC_B * po2) + 1.0)
    return percent


def bits(seed: int, stream: int, at: int, beds: int, each: int) -> NDArray[np.uint64]:
    """Random bits, (beds, each) uint64: a bed's do not depend on how many beds there are."""
    words = np.random.Philox(key=[seed, stream], counter=[0, at, 0, 0])
    raw: NDArray[np.uint64] = words.random_raw(beds * each)
    return raw.reshape(beds, each)


def uniform(raw: NDArray[np.uint64]) -> State:
    """Numbers 0 <= x < 1 from random bits."""
    numbers: State = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers


def bell(raw: NDArray[np.uint64]) -> State:
    """Numbers with mean 0 and standard deviation 1 from random bits, within +-3.47.

    About 10 ns a number (tests/benchmarks/simulator.py).
    """
    pairs = (raw & _LANES) + ((raw >> _SHIFT_16) & _LANES)
    sums = (pairs & _LANE_SUM) + (pairs >> _SHIFT_32)
    numbers: State = (sums.astype(np.float64) - _SUM_MEAN) / _SUM_SD
    return numbers


class Physiology:
    """The healthy patients of a ward; it keeps the noise's grid points and nothing else.

    Attributes:
        usual: What a bed varies around, (ROWS, n_beds).
    """

    def __init__(self, seed: int, beds: int, ventilated: NDArray[np.bool_]) -> None:
        self._seed = seed
        self._beds = beds
        draws = uniform(bits(seed, _BEDS, 0, beds, 12)).T
        self.usual: State = np.zeros((ROWS, beds))
        for row, (low, high), draw in (
            (HR, _HR, 0),
            (MAP, _MAP, 1),
            (RR, _RR, 2),
            (TEMP, _TEMP, 3),
            (PP, _PP, 4),
            (ETCO2, _ETCO2, 5),
            (CVP, _CVP, 6),
            (FIO2, _FIO2, 7),
        ):
            self.usual[row] = low + (high - low) * draws[draw]
        # Ventilators are set in steps of 5 %.
        self.usual[FIO2] = np.rint(self.usual[FIO2] / 5) * 5
        self._po2 = _PO2[0] + (_PO2[1] - _PO2[0]) * draws[8]
        self.usual[SPO2] = saturation(self._po2)
        self._breath = draws[9]
        self._body_clock_s = (draws[10] - 0.5) * 4 * 3600
        noise = np.array(list(_NOISE.values()))[:, :, None]
        self._slow, self._quick, self._white = np.repeat(noise, beds, axis=2).swapaxes(
            0, 1
        )
        calm = np.where(ventilated, _VENTILATED_RR, 1.0)
        at = list(_NOISE).index(RR)
        for level in (self._slow, self._quick, self._white):
            level[at] *= calm
        self._grid: dict[tuple[int, int], State] = {}

    def at(self, second: int) -> State:
        """The hidden state at a second, (ROWS, n_beds), a new array.

        About 0.6 us a bed (tests/benchmarks/simulator.py).
        """
        noise = self._drift(_SLOW, _SLOW_S, second) * self._slow
        noise += self._drift(_QUICK, _QUICK_S, second) * self._quick
        noise += bell(bits(self._seed, _WHITE, second, self._beds, _CHANNELS)).T * (
            self._white
        )
        state = self.usual.copy()
        po2 = self._po2.copy()
        for row, moves in zip(_NOISE, noise, strict=True):
            if row == SPO2:
                po2 += moves
            else:
                state[row] += moves
        day = self._day(second)
        breath = self.breath(second)
        state[HR] += (
            _BAROREFLEX * (state[MAP] - self.usual[MAP])
            + _BREATH_HR * breath
            + _DAY_HR * day
        )
        state[TEMP] += _DAY_TEMP * day
        state[CVP] += _BREATH_CVP * breath
        state[ETCO2] += _ETCO2_A_BREATH * (state[RR] - self.usual[RR])
        state[SPO2] = saturation(po2)
        return state

    def breath(self, second: int) -> State:
        """Where each bed is in its breath, -1..1, (n_beds)."""
        turns = second * (self.usual[RR] / 60) + self._breath
        height: State = np.sin(2 * np.pi * (turns % 1.0))
        return height

    def monitor(self, second: int) -> State:
        """Noise of the instruments, standard deviation 1, (2, n_beds)."""
        return bell(bits(self._seed, _MONITOR, second, self._beds, 2)).T

    def _day(self, second: int) -> State:
        of_day_s = _DAY_START_S + second - _DAY_PEAK_S + self._body_clock_s
        height: State = np.cos(of_day_s * (2 * np.pi / _DAY_S))
        return height

    def _drift(self, stream: int, step_s: int, second: int) -> State:
        """Correlated noise, standard deviation 1, (channels, n_beds)."""
        step, since_s = divmod(second, step_s)
        w = since_s / step_s
        before, after = self._point(stream, step), self._point(stream, step + 1)
        # Divided by the spread of the mixture, which is lower between the points.
        mixed: State = ((1 - w) * before + w * after) / ((1 - w) ** 2 + w**2) ** 0.5
        return mixed

    def _point(self, stream: int, step: int) -> State:
        point = self._grid.get((stream, step))
        if point is None:
            raw = bits(self._seed, stream, step, self._beds, _CHANNELS)
            point = np.ascontiguousarray(bell(raw).T)
            for old in [k for k in self._grid if k[0] == stream and k[1] < step - 1]:
                del self._grid[old]
            self._grid[stream, step] = point
        return point
