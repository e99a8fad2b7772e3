"""Patients who have been there for a day, and their saved state in the changelog.

A patient's models are warm and the windows full only after hours. A few patients are
stepped through a day by the core itself; their saved state, under other ids of the same
length, is what the changelog of a hospital holds.
"""

import itertools

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from icu_stream import bus
from icu_stream.contracts.alerts import Alert, State
from icu_stream.contracts.commands import Command, CommandType
from icu_stream.contracts.envelope import Headers
from icu_stream.contracts.topics import changelog
from icu_stream.domain import decoding, monitor, patient
from icu_stream.domain.limits import Rules
from icu_stream.engine.partition import COVERS, SEPARATOR, send
from icu_stream.settings import Settings
from tests.benchmarks.courses import Course
from tests.benchmarks.load import Bed, Stretch, beds


# A day in fewer messages: one in 20 s, and the last five minutes second by second, which
# is longer than anything that the patient remembers second by second. What is kept of an
# hour takes 1.0 KB then instead of 1.3 KB; of each minute there are three samples, not 60.
SLOW_S = 20
SECONDS = 300
SLOW = (24 * 3_600 - SECONDS) // SLOW_S
POINTS = SLOW + SECONDS
DAY_MS = (SLOW * SLOW_S + SECONDS) * 1_000

# Records of each partition that such a patient has seen: state and offset are saved
# together, and a worker says so when they differ.
SAVED = 1

Pieces = Mapping[bytes, bytes]
Record = tuple[bytes, bytes, Headers]


class Aged(NamedTuple):
    """One patient after a day.

    Attributes:
        key: The patient's id.
        pieces: The saved state.
        said: Messages of the day.
    """

    key: bytes
    pieces: Pieces
    said: int


def day(
    count: int, courses: Sequence[Course], partitions: int, end_ms: int
) -> tuple[Stretch, Stretch]:
    """A day of beds that ends at a moment: its slow part, then its last seconds."""
    slow = Stretch(
        beds(count, courses, partitions, interval_s=SLOW_S),
        end_ms - DAY_MS,
        SLOW,
        step_ms=SLOW_S * 1_000,
    )
    seconds = Stretch(
        beds(count, courses, partitions), slow.end_ms, SECONDS, first=SLOW
    )
    return slow, seconds


def aged(stretches: Sequence[Stretch], rules: Rules) -> list[Aged]:
    """Step the patients of stretches through them; at the end somebody has seen it all.

    Without that, each alarm that was high in that day would be stated every minute.
    """
    known: dict[bytes, patient.Patient] = {}
    alarms: dict[bytes, dict[str, Alert]] = {}
    said: Counter[bytes] = Counter()
    for stretch in stretches:
        for bed, time_ms, value in stretch.records():
            one = known.get(bed.key)
            if one is None:
                one = known[bed.key] = patient.new(bed.key.decode())
                alarms[bed.key] = {}
            messages = monitor.step(one, decoding.decode(value), time_ms, rules)
            for message in messages:
                said[bed.key] += 1
                if isinstance(message, Alert):
                    alarms[bed.key][message.alert_id] = message
    end_ms = max(stretch.end_ms for stretch in stretches) - 1
    for key, one in known.items():
        for alert in alarms[key].values():
            if alert.state in {State.ACTIVE, State.LATCHED}:
                monitor.command(one, _acknowledge(alert, end_ms), end_ms, rules)
        one.last_offset = SAVED - 1
    return [Aged(key, patient.save(one), said[key]) for key, one in known.items()]


def _acknowledge(alert: Alert, time_ms: int) -> Command:
    return Command(
        command_id=f"seen {alert.alert_id}",
        type=CommandType.ACKNOWLEDGE,
        patient_id=alert.patient_id,
        by="nurse",
        time=time_ms,
        alert_id=alert.alert_id,
    )


async def write_changelog(
    settings: Settings, hospital: Sequence[Bed], patients: Sequence[Aged]
) -> int:
    """Write a state for each bed into the changelog.

    Args:
        settings: Of the application whose changelog it is.
        hospital: The beds.
        patients: Whose states they get, one after the other.

    Returns:
        Bytes of all values.
    """
    topic = changelog(settings.app_id)
    producer = bus.producer(settings)
    await producer.start()
    total = 0
    try:
        for partition in range(settings.partitions):
            rows = [
                (bed, patients[i % len(patients)])
                for i, bed in enumerate(hospital)
                if bed.partition == partition
            ]
            covers: Record = (COVERS, b"%d" % (SAVED - 1), [])
            pieces = itertools.chain([covers], records(rows))
            for ack in await send(producer, topic, partition, pieces):
                await ack
            total += sum(len(p) for _, one in rows for p in one.pieces.values())
    finally:
        await producer.stop()
    return total


def records(
    rows: Sequence[tuple[Bed, Aged]],
) -> Iterator[Record]:
    """Key, value and no headers of each piece of beds that have these states."""
    for bed, one in rows:
        for piece, value in one.pieces.items():
            # Ids are of one length, so that lengths inside of the value stay right.
            yield bed.key + SEPARATOR + piece, value.replace(one.key, bed.key), []
