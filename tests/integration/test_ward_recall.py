"""What a view that was just started knows of the time before, from a real Kafka."""

import asyncio

import msgspec

from icu_stream import clock, profiles
from icu_stream.contracts import topics
from icu_stream.contracts.alerts import Event, Priority, State
from icu_stream.contracts.scores import Scores
from icu_stream.contracts.vitals import Vitals
from icu_stream.ward.recall import Recall
from icu_stream.ward.tiles import Ward
from tests.benchmarks import load
from tests.browser.hospital import Hospital


MINUTE = 60_000


async def test_hours_before_the_start_are_read_back_for_those_who_are_here(kafka):
    settings = kafka.settings(create=False)
    # Records of the past, which on a real ward are stamped as they arrive.
    await load.make_topics(settings)
    now_ms = clock.now_ms() // MINUTE * MINUTE
    ward = Ward()
    hospital = Hospital(settings, 2)
    hospital.is_silent = True  # the past comes before the present, as it does in life
    async with hospital:
        here, gone = hospital.patients
        for patient in (here, gone):
            for ago, hr in ((100, 71), (45, 72), (45, 78), (12, 73)):
                at_ms = now_ms - ago * MINUTE
                vitals = Vitals(
                    patient_id=patient.patient_id,
                    time=at_ms,
                    bed=patient.bed,
                    device="m",
                    values={"hr": hr},
                )
                await hospital.send(topics.VITALS, patient, vitals, timestamp_ms=at_ms)
        score = hospital._news2(here)
        at_ms = now_ms - 45 * MINUTE
        scores = Scores(
            patient_id=here.patient_id, bed=here.bed, time=at_ms, news2=score
        )
        await hospital.send(topics.SCORES, here, scores, timestamp_ms=at_ms)
        began = await hospital.alarm(
            here.index,
            "hr.high",
            Priority.MEDIUM,
            onset=at_ms,
            time=at_ms,
            timestamp_ms=at_ms,
        )
        over = msgspec.structs.replace(
            began,
            transition=2,
            event=Event.CLEARED,
            state=State.CLEARED,
            time=at_ms + MINUTE,
        )
        await hospital.send(topics.ALERTS, here, over, timestamp_ms=at_ms + MINUTE)
        await asyncio.sleep(0.1)
    # Only one of them is on the ward when the view starts.
    current = Vitals(patient_id=here.patient_id, time=now_ms, values={"hr": 80})
    ward.measure(current, now_ms, 0)
    ward.caught_up = True

    recall = Recall(settings, ward, day_ms=60 * MINUTE)
    async with asyncio.timeout(20):
        await recall.run()

    past = ward.past(here.patient_id)
    patient = ward.patient(here.patient_id)
    assert past is not None
    assert patient is not None
    assert ward.past(gone.patient_id) is None
    course = past.course(4, now_ms)
    heart = course.lines["hr"]
    known = [(240 - 1 - i, mean) for i, mean in enumerate(heart.mean) if mean]
    # 100 minutes ago is farther back than it was asked to go.
    assert known == [(45, 75), (12, 73), (0, 80)]
    assert (heart.low[-46], heart.high[-46]) == (72, 78)
    assert course.news2[-46] is not None
    assert course.since == now_ms - 45 * MINUTE
    assert recall.since_ms is not None
    (episode,) = patient.record.page(now_ms, profiles.load("adult"))["alarms"]
    assert [step[0] for step in episode["steps"]] == ["raised", "cleared"]
