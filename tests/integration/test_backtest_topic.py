"""A backtest of the vitals topic: the range, who is whose, and what the worker said."""

import asyncio
import math
import sys

from pathlib import Path

import msgspec
import pytest

from icu_stream import bus, profiles
from icu_stream.contracts import envelope, topics
from icu_stream.contracts.commands import Command, CommandType
from icu_stream.contracts.vitals import Vitals
from icu_stream.errors import ConfigurationError
from icu_stream.evaluation import backtest, delays, outcomes
from icu_stream.evaluation.backtest import Result
from icu_stream.evaluation.logs import SimulatedWard, Topic
from icu_stream.settings import Settings
from icu_stream.sources import simulator
from icu_stream.sources.beds import Happening
from tests.kafka import Kafka, free_port


ADULT = profiles.load("adult")
START = 1_700_002_800_000
STORIES = (
    Happening("asystole", 2, 20, 30),
    Happening("desaturation", 3, 25, 60),
    Happening("device_silent", 5, 40, 30),
)
BEDS, SECONDS = 6, 120


async def simulated(settings: Settings, truth: Path) -> None:
    """The ward on the topic, as fast as it goes."""
    ward = SimulatedWard(BEDS, SECONDS, happenings=STORIES, start_ms=START)
    await simulator.run(
        settings,
        ward.ward(),
        speed=math.inf,
        until=SECONDS,
        truth_file=truth,
        stop=asyncio.Event(),
    )


async def sent(
    settings: Settings, *records: tuple[str, bytes, str], elsewhere: bool = False
) -> int:
    """Records (patient, value, header) at the end of the log; the last one's arrival."""
    name = settings.topic_prefix + topics.VITALS.name
    producer = bus.producer(settings)
    await producer.start()
    arrived = 0
    for patient_id, value, header in records:
        home = bus.partition_of(patient_id, settings.partitions)
        partition = (home + elsewhere) % settings.partitions
        headers = [(header, b"1")] if header else []
        done = await producer.send_and_wait(
            name, value, key=patient_id.encode(), partition=partition, headers=headers
        )
        arrived = done.timestamp
    await producer.stop()
    return arrived


async def run(log: Topic, **options: object) -> Result:
    """In a thread of its own, as the ward view does; it has loops of its own."""
    return await asyncio.to_thread(backtest.run, log, [ADULT], processes=1, **options)


def vitals(time: int, patient_id: str = "p-0001", **values: float) -> bytes:
    return msgspec.json.encode(
        Vitals(patient_id=patient_id, time=time, device="mon-01", values=values)
    )


async def test_a_ward_on_the_topic_is_judged_by_its_truth_file(
    settings: Settings, tmp_path: Path
):
    await simulated(settings, tmp_path / "truth")
    last = await sent(
        settings,
        ("p-0001", b"{poison", ""),
        ("p-0001", vitals(START + 999_000), envelope.TICK),
        ("p-0001", b'{"command_id": 3}', envelope.COMMAND),
    )

    result = await run(Topic(settings), outcomes=outcomes.read(tmp_path / "truth"))

    (profile,) = result.profiles
    judged = profile.tally.judged
    assert result.seen.patients == BEDS
    assert result.seen.messages == BEDS * SECONDS - 30
    assert result.seen.unreadable == 2
    assert all("partition" in reason for reason in result.seen.reasons)
    assert judged is not None
    assert judged.caught == judged.total != {}
    assert judged.wrong == {}
    assert last > 0


async def test_the_topic_says_what_the_simulated_ward_itself_says(
    settings: Settings, tmp_path: Path
):
    await simulated(settings, tmp_path / "truth")
    ward = SimulatedWard(BEDS, SECONDS, happenings=STORIES, start_ms=START)
    (longer,) = delays.variants(ADULT, delays.sweep("*=12"))

    on_topic, itself = [
        await asyncio.to_thread(backtest.run, log, [ADULT, longer], processes=1)
        for log in (Topic(settings, to_ms=2**42), ward)
    ]

    assert [p.tally.alarms() for p in itself.profiles] != [0, 0]
    for one, other in zip(on_topic.profiles, itself.profiles, strict=True):
        # The end of the range passes on the topic, so its beds fall silent.
        silent = one.tally.codes.pop("bed.no_data").alarms["medium"]
        assert silent == other.tally.codes.pop("bed.no_data").alarms["medium"] + BEDS
        assert alarms(one.tally) == alarms(other.tally)
    assert [s.candidate.code for s in on_topic.strips] == [
        s.candidate.code for s in itself.strips
    ]
    assert [s.values for s in on_topic.strips] == [s.values for s in itself.strips]


def alarms(tally) -> dict[str, dict[str, int]]:
    return {code: one.alarms for code, one in tally.codes.items()}


async def test_a_range_begins_and_ends_with_an_arrival(settings: Settings):
    low = {"hr": 30.0, "spo2": 97.0}
    before = [("p-0001", vitals(START + 1000 * s, **low), "") for s in range(10)]
    within = [
        ("p-0002", vitals(START + 1000 * s, "p-0002", **low), "") for s in range(9)
    ]
    after = [
        ("p-0003", vitals(START + 1000 * s, "p-0003", **low), "") for s in range(8)
    ]
    bounds = []
    for records in (before, within, after):
        bounds.append(await sent(settings, *records) + 1)
        await asyncio.sleep(0.05)

    result = await run(Topic(settings, from_ms=bounds[0], to_ms=bounds[1]))

    assert result.seen.patients == 1
    assert result.seen.messages == 9
    assert result.profiles[0].tally.codes["hr.extreme_low"].alarms == {"high": 1}


async def test_a_record_in_a_foreign_partition_is_read_where_the_worker_sends_it(
    settings: Settings,
):
    record = ("p-0001", vitals(START, hr=30.0), "")
    await sent(settings, record, elsewhere=True)
    await sent(settings, (*record[:2], envelope.FORWARDED))

    assert (await run(Topic(settings))).seen.messages == 1


async def test_commands_are_given_where_they_stand_in_the_log(settings: Settings):
    onset = START + 1000
    low = [("p-0001", vitals(onset + 1000 * s, hr=30.0), "") for s in range(10)]
    command = Command(
        command_id="c-1",
        type=CommandType.ACKNOWLEDGE,
        patient_id="p-0001",
        by="a nurse",
        time=START,
        alert_id=f"p-0001:hr.extreme_low:{onset}",
    )
    asked = ("p-0001", msgspec.json.encode(command), envelope.COMMAND)
    await sent(settings, *low, asked)

    result = await run(Topic(settings))

    (profile,) = result.profiles
    assert result.seen.commands == 1
    assert profile.tally.answers == {"accepted": 1}
    assert profile.tally.codes["hr.extreme_low"].events["acknowledged"] == 1


async def test_an_empty_topic_is_said_by_the_command(
    settings: Settings, tmp_path: Path
):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "icu_stream", "backtest", "--topic"),
        *("--report", str(tmp_path / "r.html")),
        env=Kafka.env(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()

    assert process.returncode == 1
    assert b"no patient in it" in err


async def test_no_broker_is_said_with_the_setting(kafka: Kafka):
    settings = kafka.settings(create=False, broker=f"127.0.0.1:{free_port()}")

    with pytest.raises(ConfigurationError, match="ICU_BROKER"):
        await run(Topic(settings))
