"""What one message costs the core, and what a patient takes: decode, step, save, bytes.

    python -m tests.benchmarks.core [PATIENTS ...]       200 and 2,000 when not said

Nine signals at 1 Hz, in limits, no alarm; patients interleaved, one message of each a
second, as a partition's log has them. Processor time, the collector frozen after the
warm-up as in the worker. `step` is what the rules, windows and models take; `model` is
the models' part of it, measured apart. A save is taken of every patient each 50 s of
measurement: at 100,000 messages a second and 2,000 patients that is one a second.
`peer` is msgspec alone, reading the same message into the contract's struct: a yardstick
for how busy the machine is.
"""

import gc
import random
import sys
import time
import tracemalloc

from collections.abc import Callable, Iterator

import msgspec

from icu_stream import profiles
from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import decoding, monitor, patient
from icu_stream.domain.limits import Rules
from icu_stream.domain.patient import Patient


START_MS = 1_795_492_800_000
WARM_UP_S = 70
SECONDS = 200
SAVE_EVERY_S = 50
DAY_S = 86_400

# Centre and spread of nine signals of a ventilated patient, ours: numbers as monitors
# show them, whole but for the temperature.
USUAL = {
    "hr": (82, 4),
    "pulse": (82, 4),
    "spo2": (97, 1),
    "rr": (16, 2),
    "abp_sys": (120, 5),
    "abp_dia": (66, 3),
    "abp_mean": (84, 4),
    "temp": (37.0, 0.1),
    "etco2": (38, 2),
}
LOW_HIGH = {
    code: (centre - 5 * w, centre + 5 * w) for code, (centre, w) in USUAL.items()
}
LOW_HIGH["spo2"] = (93, 100)


class Bed:
    """One simulated patient's values: each wanders about its centre."""

    def __init__(self, number: int) -> None:
        self.random = random.Random(number)
        self.head = (
            f'{{"patient_id":"p-{number:05d}","bed":"ICU{number // 20}-{number % 20:02d}",'
            f'"device":"mon-{number:05d}","time":'
        )
        self.now = {code: centre for code, (centre, _) in USUAL.items()}

    def message(self, second: int) -> bytes:
        """The message of one second, as JSON."""
        parts = []
        for code, (centre, width) in USUAL.items():
            pull = 0.1 * (centre - self.now[code])
            self.now[code] += pull + self.random.gauss(0, width / 3)
            low, high = LOW_HIGH[code]
            value = min(high, max(low, self.now[code]))
            shown = f"{value:.1f}" if code == "temp" else f"{value:.0f}"
            parts.append(f'"{code}":{shown}')
        time_ms = START_MS + second * 1000
        return f'{self.head}{time_ms},"values":{{{",".join(parts)}}}}}'.encode()


def seconds(beds: list[Bed], first: int, count: int) -> Iterator[list[bytes]]:
    """The messages of each second, one a bed."""
    for second in range(first, first + count):
        yield [bed.message(second) for bed in beds]


class Ward:
    """Patients by id, and what was measured of the core."""

    def __init__(self, count: int, rules: Rules) -> None:
        self.rules = rules
        self.patients: dict[str, Patient] = {}
        self.spent: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.bytes_saved = 0
        self.beds = [Bed(number) for number in range(count)]

    def timed(self, name: str, count: int, do: Callable[[], None]) -> None:
        """Add the processor time of some messages to a name."""
        began = time.process_time()
        do()
        self.spent[name] = self.spent.get(name, 0.0) + time.process_time() - began
        self.counts[name] = self.counts.get(name, 0) + count

    def both(self, raw: list[bytes], second: int) -> None:
        """Decode and step each message, as the worker does."""
        patients, rules = self.patients, self.rules
        decode, step = decoding.decode, monitor.step
        arrived_ms = START_MS + second * 1000 + 40
        for value in raw:
            vitals = decode(value)
            known = patients.get(vitals.patient_id)
            if known is None:
                known = patients[vitals.patient_id] = patient.new(vitals.patient_id)
            step(known, vitals, arrived_ms, rules)

    def save(self) -> None:
        """Save every patient."""
        for known in self.patients.values():
            for piece in patient.save(known).values():
                self.bytes_saved += len(piece)

    def us(self, name: str) -> float:
        """Microseconds a message."""
        return self.spent[name] / self.counts[name] * 1e6


def measure(count: int) -> Ward:
    """Run a ward: half of the seconds as the worker does, the others in parts."""
    ward = Ward(count, profiles.load("adult"))
    for second, raw in enumerate(seconds(ward.beds, 0, WARM_UP_S)):
        ward.both(raw, second)
    ward.save()
    ward.bytes_saved = 0
    gc.collect()
    gc.freeze()
    for offset, raw in enumerate(seconds(ward.beds, WARM_UP_S, SECONDS)):
        second = WARM_UP_S + offset
        if offset % 20 < 10:
            ward.timed("both", count, lambda r=raw, s=second: ward.both(r, s))
        else:
            in_parts(ward, raw, second)
        if offset % SAVE_EVERY_S == 0:
            ward.timed("save", count * SAVE_EVERY_S, ward.save)
    gc.unfreeze()
    return ward


def in_parts(ward: Ward, raw: list[bytes], second: int) -> None:
    """Decode all messages of a second, then step them."""
    decoded = []
    arrived_ms = START_MS + second * 1000 + 40

    def decode() -> None:
        decoded.extend([decoding.decode(value) for value in raw])

    def step() -> None:
        patients, rules, step_one = ward.patients, ward.rules, monitor.step
        for vitals in decoded:
            step_one(patients[vitals.patient_id], vitals, arrived_ms, rules)

    def peer() -> None:
        read = msgspec.json.Decoder(Vitals).decode
        for value in raw:
            read(value)

    ward.timed("decode", len(raw), decode)
    ward.timed("step", len(raw), step)
    ward.timed("peer", len(raw), peer)


def model_us() -> float:
    """What the model takes, microseconds a message: a step each ten."""
    bed = Bed(0)
    known = patient.new("p")
    steps = 2_000
    means = [decoding.decode(bed.message(s)).values for s in range(steps)]
    began = time.process_time()
    for values in means:
        known.step_model(values, learn=True)
    return (time.process_time() - began) / steps / 10 * 1e6


def bytes_a_patient(count: int = 4) -> tuple[float, float]:
    """Bytes of one patient after a day, without and with the model."""
    rules = profiles.load("adult")
    ward = Ward(count, rules)
    for second, raw in enumerate(seconds(ward.beds, 0, 60)):
        ward.both(raw, second)
    ward.patients.clear()
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for second, raw in enumerate(seconds(ward.beds, 60, DAY_S), 60):
        ward.both(raw, second)
        if second % 600 == 0:
            ward.save()
    gc.collect()
    full, _ = tracemalloc.get_traced_memory()
    for known in ward.patients.values():
        known.model = None
    gc.collect()
    bare, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (bare - before) / count, (full - before) / count


def main(counts: list[int]) -> None:
    """Print one line for each number of patients, and bytes a patient."""
    print("patients  both decode  step  save  peer   us/message; bytes a save, patient")
    for count in counts:
        ward = measure(count)
        saves = SECONDS // SAVE_EVERY_S
        print(
            f"{count:8d} {ward.us('both'):5.2f} {ward.us('decode'):6.2f} "
            f"{ward.us('step'):5.2f} {ward.us('save'):5.2f} {ward.us('peer'):5.2f}   "
            f"{ward.bytes_saved / saves / count:,.0f}"
        )
    print(f"of step, the model: {model_us():.2f} us/message")
    bare, full = bytes_a_patient()
    print(f"bytes a patient after 24 h: {bare:,.0f}, with the model {full:,.0f}")


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or [200, 2000])
