"""What a patient's model costs, and what it says of a stable patient, beside River's own.

python -m tests.benchmarks.models
"""

import math
import random
import sys
import time
import tracemalloc

from collections.abc import Callable, Iterator
from typing import Any

from river import anomaly

from icu_stream.domain import models


# Nine signals of a ventilated patient with an arterial line: centre and spread, ours.
USUAL = {
    "hr": (82.0, 4.0),
    "spo2": (96.0, 0.8),
    "rr": (16.0, 1.5),
    "abp_sys": (118.0, 6.0),
    "abp_dia": (62.0, 3.0),
    "abp_mean": (80.0, 4.0),
    "temp": (37.1, 0.05),
    "etco2": (37.0, 1.5),
    "cvp": (9.0, 1.0),
}
DETERIORATIONS = {
    "hr 128, abp 84/-/55": {"hr": 128.0, "abp_sys": 84.0, "abp_mean": 55.0},
    "spo2 88, rr 29": {"spo2": 88.0, "rr": 29.0},
    "hr 95, abp 104/-/70": {"hr": 95.0, "abp_sys": 104.0, "abp_mean": 70.0},
}
PLAN = [row for row in models._PLAN if row[0] in USUAL]
ROUNDS = 5


def aggregates(count: int, seed: int) -> Iterator[dict[str, float]]:
    """Means of `count` x 10 s; neighbours correlate by 0.9."""
    rng = random.Random(seed)
    state = dict.fromkeys(USUAL, 0.0)
    for _ in range(count):
        for code in USUAL:
            state[code] = 0.9 * state[code] + rng.gauss(0, math.sqrt(1 - 0.9**2))
        yield {c: m + s * state[c] for c, (m, s) in USUAL.items()}


def trained(seed: int) -> models.PatientModel:
    model = models.PatientModel()
    for means in aggregates(1000, seed):
        model.step(means, learn=True)
    return model


def in_use(seed: int) -> models.PatientModel:
    """A model that has scored since its last pivot, and so prepared for it."""
    model = trained(seed)
    for means in aggregates(1, seed):
        model.step(means, learn=True)
    return model


def microseconds(do: Callable[[Any], object], over: list[Any]) -> float:
    """The best of some rounds, one call each."""
    best = math.inf
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for one in over:
            do(one)
        best = min(best, time.perf_counter() - start)
    return best / len(over) * 1e6


def bytes_each(make: Callable[[], object], count: int = 10) -> float:
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = [make() for _ in range(count)]
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / len(kept)


def river() -> anomaly.HalfSpaceTrees:
    model = anomaly.HalfSpaceTrees(n_trees=10, height=6, window_size=250, seed=1)
    for x in features(list(aggregates(300, 1))):
        model.learn_one(x)
    return model


def features(sample: list[dict[str, float]]) -> list[dict[str, float]]:
    """What the trees see of each aggregate."""
    return [
        {code: (means[code] - low) / width for code, _, f, low, width in PLAN if f >= 0}
        for means in sample
    ]


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * len(values))]


def cost() -> Iterator[str]:
    sample = list(aggregates(2000, 3))
    model, theirs = trained(1), river()
    raw = models.snapshot(model)

    def score_and_learn(x: dict[str, float]) -> None:
        theirs.score_one(x)
        theirs.learn_one(x)

    yield f"step, score and learn     {microseconds(lambda m: model.step(m, True), sample):8.1f} us"
    yield f"step, score only          {microseconds(lambda m: model.step(m, False), sample):8.1f} us"
    yield f"River's trees alone       {microseconds(score_and_learn, features(sample)):8.1f} us"
    yield f"snapshot                  {microseconds(models.snapshot, [model] * 500):8.1f} us"
    yield f"restore                   {microseconds(models.restore, [raw] * 500):8.1f} us"
    yield f"snapshot                  {len(raw):8d} bytes"
    yield f"resident, a patient       {bytes_each(lambda: in_use(1)):8.0f} bytes"
    yield f"River's trees, resident   {bytes_each(river):8.0f} bytes"


def meaning(patients: int = 20) -> Iterator[str]:
    scores: list[float] = []
    signal_z: list[float] = []
    trees_z: list[float] = []
    found: dict[str, list[float]] = {name: [] for name in DETERIORATIONS}
    centre = {code: mean for code, (mean, _) in USUAL.items()}
    for seed in range(patients):
        model = trained(seed)
        for means in aggregates(500, 1000 + seed):
            scores.append(model.step(means, False)[0])
            signal_z.append(
                max(
                    abs(model._deviation(models._INDEX[code], value))
                    for code, value in means.items()
                )
            )
            (point,) = features([means])
            trees = model.trees.score_known([*point.values()])
            trees_z.append(model._deviation(models._TREES, trees))
        for name, changed in DETERIORATIONS.items():
            found[name].append(model.step(centre | changed, False)[0])
    yield f"score of {patients} stable patients: " + ", ".join(
        f"p{share:.0%} {percentile(scores, share):.2f}".replace("%", "")
        for share in (0.5, 0.9, 0.99)
    )
    yield f"  99th percentile: largest deviation {percentile(signal_z, 0.99):.1f} spreads,"
    yield f"    trees' score {percentile(trees_z, 0.99):.1f} spreads above its own"
    for name, values in found.items():
        yield f"  {name}: {min(values):.2f} to {max(values):.2f}"


def main() -> None:
    for line in (*cost(), *meaning()):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
