"""What it costs to score a patient at the end of 10 s.

    python -m tests.benchmarks.assessment

Nine signals, the means of each 10 s as in `tests.benchmarks.core`. *unchanged*: every
reading stays in its band and nothing is due. *moved*: one reading came into another band,
so that everything is worked out and told. *day*: what one bucket costs on the average of a
stable patient's day, statements included.
"""

import timeit

from icu_stream import profiles
from icu_stream.domain import assessment, patient
from icu_stream.domain.annunciation import Bedside
from icu_stream.domain.models import PatientModel
from icu_stream.domain.patient import Track
from icu_stream.domain.windows import BUCKET_MS
from tests.benchmarks.core import START_MS, USUAL
from tests.benchmarks.core import Bed as Wandering


RUNS = 2000
DAY_BUCKETS = 8640
MEANS = {code: float(centre) for code, (centre, _) in USUAL.items()}
# Three points more for the rate than usual: NEWS2 moves by three each time.
MOVED = MEANS | {"rr": 26.0}


def bedside() -> Bedside:
    """A patient of whom everything was measured once."""
    known = patient.new("p-1")
    known.model = PatientModel()
    for code in MEANS:
        known.tracks[code] = Track(time=START_MS, is_expected=True, no_data_ms=10_000)
    return Bedside(known, profiles.load("adult"), [])


def cost_us(means: list[dict[str, float]], buckets: int = RUNS) -> float:
    """Microseconds a bucket; the best of five."""

    def run() -> float:
        here = bedside()
        end_ms = START_MS

        def go() -> None:
            nonlocal end_ms
            for number in range(buckets):
                end_ms += BUCKET_MS
                assessment.step(here, end_ms, means[number % len(means)], (), (0.0, {}))
                here.said.clear()

        assessment.step(here, end_ms, means[0], (), (0.0, {}))
        return timeit.timeit(go, number=1)

    return min(run() for _ in range(5)) / buckets * 1e6


def unchanged_us() -> float:
    """Microseconds of a bucket in which nothing moved and nothing was due."""
    here = bedside()
    assessment.step(here, START_MS, MEANS, (), (0.0, {}))
    here.patient.chart.check = START_MS * 2

    def go() -> None:
        end_ms = START_MS
        for _ in range(RUNS):
            end_ms += BUCKET_MS
            assessment.step(here, end_ms, MEANS, (), (0.0, {}))

    timings = []
    for _ in range(5):
        here.patient.chart.assessed = 0
        timings.append(timeit.timeit(go, number=1))
    return min(timings) / RUNS * 1e6


def a_day() -> list[dict[str, float]]:
    """The means of each 10 s of a stable patient's day."""
    bed = Wandering(1)
    means = []
    for bucket in range(DAY_BUCKETS):
        bed.message(bucket)
        means.append(dict(bed.now))
    return means


def main() -> None:
    """Print what was measured."""
    print("us a bucket of 10 s")
    print(f"unchanged {unchanged_us():6.1f}")
    print(f"moved     {cost_us([MEANS, MOVED]):6.1f}")
    print(f"day       {cost_us(a_day(), DAY_BUCKETS):6.1f}")


if __name__ == "__main__":
    main()
