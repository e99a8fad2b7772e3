"""Simulator and replay on a real broker: order, marks, and a replay that is cut."""

import asyncio
import itertools
import json
import math
import os
import re
import signal
import sys

from collections import Counter, defaultdict
from pathlib import Path

import msgspec
import pytest

from aiokafka import ConsumerRecord, TopicPartition

from icu_stream import bus, clock
from icu_stream.contracts.vitals import Vitals
from icu_stream.errors import ConfigurationError
from icu_stream.settings import Settings
from icu_stream.sources import replay, simulator
from icu_stream.sources.beds import Happening, Ward
from icu_stream.sources.progress import Counts
from icu_stream.sources.truth import Truth
from tests.integration.recordings import MIMIC3
from tests.kafka import ROOT, Kafka, free_port


ORIGIN = 1_700_000_000_000
PATIENTS = 40
decode = msgspec.json.Decoder(Vitals).decode


async def everything(settings: Settings) -> list[ConsumerRecord]:
    """All records of the vitals topic, partition by partition in their order."""
    consumer = bus.consumer(settings, auto_offset_reset="earliest")
    await consumer.start()
    topic = f"{settings.topic_prefix}vitals"
    partitions = [TopicPartition(topic, p) for p in range(settings.partitions)]
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    records: list[ConsumerRecord] = []
    while sum(ends.values()) > len(records):
        for batch in (await consumer.getmany(timeout_ms=500)).values():
            records += batch
    await consumer.stop()
    return sorted(records, key=lambda r: (r.partition, r.offset))


def recording(directory: Path, rows: int = 2000) -> Path:
    """A CSV of forty patients, a row each second in turn, which takes its time to read."""
    path = directory / "recording.csv"
    lines = ["patient_id,time,hr,spo2"]
    for row in range(rows):
        patient = f"p{row % PATIENTS:02d}"
        lines.append(f"{patient},{ORIGIN + 25 * row},{60 + row % 50},{row % 10 + 90}")
    path.write_text("\n".join(lines))
    return path


def by_patient(vitals: list[Vitals]) -> dict[str, list[Vitals]]:
    series: dict[str, list[Vitals]] = defaultdict(list)
    for sample in vitals:
        series[sample.patient_id].append(sample)
    return series


async def run_for(
    settings: Settings, path: Path, messages: int, **options: bool
) -> Counts:
    """Replay and stop once about so many messages have been sent."""
    stop = asyncio.Event()

    def tell(counts: Counts) -> None:
        if counts.messages >= messages:
            stop.set()

    return await replay.run(
        settings, path, math.inf, start="original", stop=stop, tell=tell, **options
    )


async def test_a_ward_arrives_in_the_order_of_each_patient_by_murmur2(
    settings: Settings,
):
    ward = Ward(50, happenings=[Happening("device_silent", 3, 5, 20)], start_ms=ORIGIN)

    counts = await simulator.run(
        settings, ward, speed=math.inf, until=30, stop=asyncio.Event()
    )

    records = await everything(settings)
    sent = [decode(record.value) for record in records]
    assert counts.finished
    assert counts.messages == len(records) == 50 * 30 - 20
    assert counts.values == sum(len(sample.values) for sample in sent)
    for record, sample in zip(records, sent, strict=True):
        assert record.key.decode() == sample.patient_id
        partition = bus.partition_of(sample.patient_id, settings.partitions)
        assert record.partition == partition
        assert record.headers == (("icu-replay", b"max"),)
    for series in by_patient(sent).values():
        times = [sample.time for sample in series]
        assert times == sorted(set(times))


async def test_a_live_ward_is_measured_now_and_bears_no_mark(
    settings: Settings, tmp_path: Path
):
    ward = Ward(4, happenings=[Happening("apnoea", 2, 1, 45)])
    before_ms = clock.now_ms()

    counts = await simulator.run(
        settings, ward, until=3, truth_file=tmp_path / "truth", stop=asyncio.Event()
    )

    records = await everything(settings)
    assert counts.messages == len(records) == 12
    for record in records:
        assert record.headers == ()
        # At most a portion (50 ms) late, and never ahead; the rest is a busy machine.
        assert 0 <= record.timestamp - decode(record.value).time < 1000
        assert before_ms <= record.timestamp <= clock.now_ms()
    lines = (tmp_path / "truth").read_bytes().splitlines()
    told = [msgspec.json.decode(line, type=Truth) for line in lines]
    assert Counter(line.story for line in told) == {"": 3, "apnoea": 1}
    assert all(before_ms <= line.start <= clock.now_ms() for line in told)


async def test_a_replay_sends_exactly_what_is_read(settings: Settings, tmp_path: Path):
    path = recording(tmp_path)

    counts = await replay.run(
        settings, path, math.inf, start="original", stop=asyncio.Event()
    )

    sent = [decode(record.value) for record in await everything(settings)]
    read = list(replay.read(path))
    assert by_patient(sent) == by_patient(read)
    assert counts == Counts(
        messages=2000,
        values=4000,
        patients=PATIENTS,
        measured_ms=read[-1].time,
        seconds=counts.seconds,
        finished=True,
    )


async def test_a_recording_of_a_real_patient_is_replayed(settings: Settings):
    if not MIMIC3.with_suffix(".hea").exists():
        pytest.skip("no recordings in the shared folder (ICU_SHARED)")

    counts = await replay.run(settings, MIMIC3, math.inf, stop=asyncio.Event())

    sent = [decode(record.value) for record in await everything(settings)]
    assert counts.messages == len(sent) == 1936
    assert abs(sent[0].time - clock.now_ms()) < 60_000
    assert {b.time - a.time for a, b in itertools.pairwise(sent)} == {60_000}


async def test_a_replay_keeps_its_speed(settings: Settings, tmp_path: Path):
    path = recording(tmp_path, rows=81)  # two seconds

    counts = await replay.run(
        settings, path, 4.0, start="original", stop=asyncio.Event()
    )

    records = await everything(settings)
    assert 0.5 <= counts.seconds < 5
    assert {record.headers for record in records} == {(("icu-replay", b"4"),)}


async def test_a_live_replay_is_measured_now_and_bears_no_mark(
    settings: Settings, tmp_path: Path
):
    await replay.run(settings, recording(tmp_path, rows=41), 1.0, stop=asyncio.Event())

    for record in await everything(settings):
        assert record.headers == ()
        assert abs(record.timestamp - decode(record.value).time) < 1000


async def test_a_stopped_replay_goes_on_where_it_was(
    settings: Settings, tmp_path: Path
):
    path = recording(tmp_path)

    first = await run_for(settings, path, 500)
    second = await run_for(settings, path, 700, resume=True)
    third = await run_for(settings, path, 10_000, resume=True)

    sent = [decode(record.value) for record in await everything(settings)]
    assert (first.finished, second.finished, third.finished) == (False, False, True)
    assert second.earlier == first.messages
    assert third.earlier == first.messages + second.messages
    assert by_patient(sent) == by_patient(list(replay.read(path)))


async def test_a_finished_replay_leaves_nothing_to_resume(
    settings: Settings, tmp_path: Path
):
    path = recording(tmp_path, rows=40)
    await run_for(settings, path, 10_000)

    with pytest.raises(ConfigurationError, match="without --resume to start anew"):
        await run_for(settings, path, 10_000, resume=True)


async def test_a_recording_that_has_changed_is_not_resumed(
    settings: Settings, tmp_path: Path
):
    path = recording(tmp_path)
    await run_for(settings, path, 500)
    recording(tmp_path, rows=1999)

    with pytest.raises(ConfigurationError, match="has changed"):
        await run_for(settings, path, 500, resume=True)


async def test_a_live_replay_that_was_stopped_goes_on_now(
    settings: Settings, tmp_path: Path
):
    path = recording(tmp_path, rows=400)  # ten seconds
    stop = asyncio.Event()
    task = asyncio.create_task(replay.run(settings, path, 1.0, stop=stop))
    await asyncio.sleep(0.7)
    stop.set()
    first = await task
    await asyncio.sleep(0.5)

    stop = asyncio.Event()
    task = asyncio.create_task(replay.run(settings, path, 1.0, resume=True, stop=stop))
    await asyncio.sleep(0.7)
    stop.set()
    second = await task

    records = await everything(settings)
    assert first.messages + second.messages == len(records)
    series = by_patient(
        [decode(r.value) for r in sorted(records, key=lambda r: r.timestamp)]
    )
    read = by_patient(list(replay.read(path)))
    for patient, samples in series.items():
        expected = read[patient][: len(samples)]
        assert [s.values for s in samples] == [s.values for s in expected]
    for record in records:
        assert record.headers == ()
        assert abs(record.timestamp - decode(record.value).time) < 1000


async def test_an_outage_is_waited_out(own_kafka: Kafka, tmp_path: Path):
    settings = own_kafka.settings()
    path = recording(tmp_path, rows=8000)
    loop = asyncio.get_running_loop()
    frozen: list[int] = []

    def tell(counts: Counts) -> None:
        if counts.messages >= 3000 and not frozen:
            own_kafka.freeze()
            frozen.append(counts.messages)
            loop.call_later(3, own_kafka.thaw)

    counts = await replay.run(
        settings, path, 1000.0, start="original", stop=asyncio.Event(), tell=tell
    )

    sent = [decode(record.value) for record in await everything(settings)]
    assert frozen
    assert counts.finished
    assert by_patient(sent) == by_patient(list(replay.read(path)))


async def test_who_stops_a_replay_in_an_outage_can_resume_it_and_loses_nothing(
    own_kafka: Kafka, tmp_path: Path
):
    settings = own_kafka.settings()
    path = recording(tmp_path, rows=8000)
    stop = asyncio.Event()

    def tell(counts: Counts) -> None:
        if counts.messages >= 3000 and not stop.is_set():
            own_kafka.freeze()
            stop.set()

    began_s = clock.monotonic_s()
    first = await replay.run(
        settings, path, 1000.0, start="original", stop=stop, tell=tell
    )
    took_s = clock.monotonic_s() - began_s
    own_kafka.thaw()
    own_kafka.wait_until_ready(steady_s=3.0)
    second = await replay.run(
        settings, path, math.inf, start="original", resume=True, stop=asyncio.Event()
    )

    sent = by_patient([decode(record.value) for record in await everything(settings)])
    assert not first.finished
    assert took_s < 15
    assert second.finished
    # Nobody can know whether a batch on its way was taken: it may be there twice, and
    # the worker drops what is late. Nothing may be missing.
    for patient, samples in by_patient(list(replay.read(path))).items():
        assert {s.time for s in samples} == {s.time for s in sent[patient]}


async def test_the_source_of_the_how_to_sends_what_its_page_says(settings: Settings):
    page = (ROOT / "docs" / "how-to" / "source.md").read_text()
    blocks = dict(
        re.findall(r"^```(python|csv)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    )
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        blocks["python"],
        env=Kafka.env(settings),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )

    _, said = await program.communicate(blocks["csv"].encode())

    records = await everything(settings)
    sent = [decode(record.value) for record in records]
    home = bus.partition_of("p-0007", settings.partitions)
    assert program.returncode == 0
    assert b"not sent" not in said  # of a broker that has just started librdkafka warns
    assert {record.partition for record in records} == {home}
    # Zero is a value, and what is not there is absent.
    assert [(v.bed, v.time, v.values) for v in sent] == [
        ("ICU1-07", 1_795_492_541_000, {"hr": 82, "spo2": 97, "rr": 16}),
        ("ICU1-07", 1_795_492_542_000, {"hr": 0, "rr": 16}),
    ]


async def test_a_missing_topic_is_said_with_the_command_to_run(
    kafka: Kafka, tmp_path: Path
):
    settings = kafka.settings(create=False)

    with pytest.raises(ConfigurationError, match="icu-stream topics create"):
        await replay.run(
            settings, recording(tmp_path, 10), math.inf, stop=asyncio.Event()
        )


async def test_no_broker_is_said_with_the_setting(kafka: Kafka, tmp_path: Path):
    settings = kafka.settings(create=False, broker=f"127.0.0.1:{free_port()}")

    with pytest.raises(ConfigurationError, match="ICU_BROKER"):
        await simulator.run(settings, Ward(1), until=1, stop=asyncio.Event())


async def command(settings: Settings, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "icu_stream",
        *arguments,
        env=Kafka.env(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def told(process: asyncio.subprocess.Process) -> tuple[str, str]:
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return out.decode(), err.decode()


async def test_ctrl_c_stops_a_replay_and_resume_ends_it(
    settings: Settings, tmp_path: Path
):
    path = recording(tmp_path)  # fifty seconds
    options = ("replay", str(path), "--start", "original", "--json")
    process = await command(settings, *options, "--speed", "20")
    for _ in range(100):
        if await everything(settings):
            break
        await asyncio.sleep(0.1)
    process.send_signal(signal.SIGINT)
    first, _ = await told(process)

    again = await command(settings, *options, "--speed", "max", "--resume")
    second, _ = await told(again)

    counts = [json.loads(text) for text in (first, second)]
    sent = [decode(record.value) for record in await everything(settings)]
    assert process.returncode == 128 + signal.SIGINT
    assert again.returncode == os.EX_OK
    assert [count["finished"] for count in counts] == [False, True]
    assert sum(count["messages"] for count in counts) == len(sent) == 2000
    assert by_patient(sent) == by_patient(list(replay.read(path)))


async def test_a_simulated_ward_is_sent_and_counted(settings: Settings, tmp_path: Path):
    truth = tmp_path / "truth.jsonl"
    process = await command(
        settings,
        *("simulate", "--beds", "5", "--story", "asystole@2@10"),
        *("--duration", "60", "--speed", "max", "--truth", str(truth)),
    )

    out, err = await told(process)

    assert process.returncode == os.EX_OK, err
    assert out.startswith("sent 300 messages of 5 patients")
    assert len(await everything(settings)) == 300
    assert len(truth.read_bytes().splitlines()) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("simulate", "--story", "fever@1@5"), "no story 'fever'"),
        (("simulate", "--speed", "fast"), "speed 'fast'"),
        (("simulate", "--start", "original"), "want now or a moment"),
        (("simulate", "--stories", "loop", "--period", "9"), "no --period"),
        (("replay", "/nowhere"), "/nowhere does not exist"),
    ],
)
async def test_a_wrong_option_is_one_line_on_stderr(
    settings: Settings, arguments: tuple[str, ...], words: str
):
    process = await command(settings, *arguments)

    out, err = await told(process)

    assert process.returncode == 1
    assert out == ""
    assert words in err
    assert len(err.splitlines()) == 1
