"""What a day of every patient costs the ward view: `python -m tests.benchmarks.history`.

A ring takes all of its memory with its first value, so a day need not pass: each of 200
patients gets ten signals and a score, then half an hour of values, timed (of the processor, not of the clock).
"""

import gc
import time
import tracemalloc

import msgspec

from icu_stream.contracts.scores import Anomaly, News2, Scores
from icu_stream.ward.history import Past


BEDS = 200
MINUTES = 30
T0 = 1_795_492_800_000
# An arterial line and a cuff at once: more than most patients have.
VALUES = {
    "hr": 80.0,
    "spo2": 97.0,
    "rr": 16.0,
    "abp_sys": 120.0,
    "abp_dia": 70.0,
    "abp_mean": 86.0,
    "nibp_sys": 124.0,
    "nibp_dia": 74.0,
    "nibp_mean": 90.0,
    "temp": 37.1,
}


def scores(at_ms: int) -> Scores:
    """One statement, with shares of five signals."""
    return Scores(
        patient_id="p-1",
        bed="B1",
        time=at_ms,
        news2=News2(total=3, band="low", completeness=6, inputs={}),
        anomaly=Anomaly(
            score=0.4,
            shares=dict.fromkeys(["hr", "spo2", "rr", "abp_mean", "temp"], 0.2),
            warm=True,
            model="m 1",
        ),
    )


def main() -> None:
    """Measure memory, then times."""
    gc.collect()
    tracemalloc.start()
    pasts = [Past() for _ in range(BEDS)]
    for past in pasts:
        past.measure(VALUES, T0, T0)
        past.score(scores(T0), T0)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{BEDS} patients, {len(VALUES)} signals, 24 h: {used / 1e6:.1f} MB")

    began = time.process_time()
    count = 0
    for second in range(0, MINUTES * 60, 10):
        for past in pasts:
            at_ms = T0 + 1000 * second
            past.measure(VALUES, at_ms, at_ms)
            count += 1
    took_s = time.process_time() - began
    print(f"one message of {len(VALUES)} values: {1e6 * took_s / count:.0f} us")

    for hours in (1, 4, 12, 24):
        now_ms = T0 + MINUTES * 60_000
        began = time.process_time()
        shown = pasts[0].course(hours, now_ms)
        took_s = time.process_time() - began
        size = len(msgspec.json.encode(shown))
        print(f"course of {hours} h: {1e3 * took_s:.1f} ms, {size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
