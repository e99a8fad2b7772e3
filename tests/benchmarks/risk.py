"""What scoring a patient by a population's prior costs.

python -m tests.benchmarks.risk
"""

import sys
import time

from icu_stream.evaluation import priors


ROUNDS = 5
CALLS = 20_000
HOUR_MS = 3_600_000


def main() -> None:
    for name in priors.NAMES:
        risk = priors.load(name)
        patient = risk.patient()
        inputs = risk.prior.inputs
        for hour in range(24):
            for one in inputs:
                middle = (one.knots[0] + one.knots[-1]) / 2
                patient.observe(one.code, middle, hour * HOUR_MS)
        scoring, observing = [], []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            for _ in range(CALLS):
                patient.score(24 * HOUR_MS)
            scored = time.perf_counter()
            for i in range(CALLS):
                patient.observe("hr", 80.0, 24 * HOUR_MS + i)
            scoring.append((scored - began) / CALLS)
            observing.append((time.perf_counter() - scored) / CALLS)
            patient = risk.restore(patient.snapshot())
            for one in inputs:
                middle = (one.knots[0] + one.knots[-1]) / 2
                patient.observe(one.code, middle, 24 * HOUR_MS)
        state = len(patient.snapshot()) + sys.getsizeof(patient)
        print(
            f"{name}: {len(inputs)} inputs, score {1e6 * min(scoring):.1f} us, "
            f"observe {1e6 * min(observing):.2f} us, {state} bytes a patient"
        )


if __name__ == "__main__":
    main()
