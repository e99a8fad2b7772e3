"""The worker steps a canary as any patient, and counts it as none."""

import msgspec

from aiokafka import ConsumerRecord
from faust.types import TP

from agents import burden as load
from agents import heartbeats, vitals
from icu_stream import bus, profiles, settings
from icu_stream.contracts.alerts import Event
from icu_stream.contracts.canary import PREFIX
from icu_stream.contracts.heartbeats import Heartbeat
from icu_stream.domain import burden, patient
from icu_stream.domain.patient import Patient
from icu_stream.engine.partition import Codec, Partition
from icu_stream.ward import canary
from tests.fakes import kafka


RULES = profiles.load("adult")
START = 1_795_500_000_000
DAY_MS = 86_400_000
NAME = f"{PREFIX}ward-8050-0"
ONE = settings.Settings(_env_file=None, partitions=1)


def ward() -> Partition[Patient]:
    codec = Codec(patient.new, patient.save, patient.restore)
    producer = kafka.Producer("outlet", kafka.Log())
    return Partition(TP("icu.vitals", 0), codec, producer, ONE)


def in_log(topic: str, values: list[bytes], key: str) -> list[ConsumerRecord]:
    return [
        ConsumerRecord(
            topic, 0, n, START + n, 0, key.encode(), value, None, 1, len(value), ()
        )
        for n, value in enumerate(values)
    ]


def after_a_test() -> Partition[Patient]:
    """A worker's partition after one test, and a message of one patient."""
    part = ward()
    test = [msgspec.json.encode(r) for r in canary.records(NAME, START)]
    vitals.apply(part, in_log("icu.vitals", test, NAME), RULES)
    patients = [b'{"patient_id":"p-1","time":%d,"values":{"hr":80}}' % START]
    vitals.apply(part, in_log("icu.vitals", patients, "p-1"), RULES)
    return part


def test_its_alarm_is_told_as_any_other():
    told = [msgspec.json.decode(out.value) for out in after_a_test()._out]

    assert [(a["patient_id"], a["code"], a["event"]) for a in told if "code" in a] == [
        (NAME, canary.CODE, Event.RAISED),
        (NAME, canary.CODE, Event.CLEARED),
    ]


def test_it_is_no_patient_in_a_heartbeat(monkeypatch):
    part = after_a_test()
    monkeypatch.setattr(heartbeats.app, "lag", lambda _: 0)

    beat = msgspec.json.decode(heartbeats._heartbeat(part, START).value, type=Heartbeat)

    assert len(part.hot) == 2
    assert beat.patients == 1


def test_one_that_fell_silent_is_not_missed_and_a_patient_is():
    part = after_a_test()

    heartbeats.tick_due(part, START + DAY_MS)

    ticked = {out.key for out in part._out if out.topic.endswith("vitals")}
    assert ticked == {b"p-1"}


def test_its_alarms_are_nobodys_burden():
    codec = Codec(burden.new, burden.save, burden.restore)
    part = Partition(TP(load._ALERTS, 0), codec, None, ONE)
    alerts = [out.value for out in after_a_test()._out if out.topic.endswith("alerts")]
    records = in_log(load._ALERTS, alerts, NAME)
    assert bus.partition_of(NAME, 1) == 0

    load.weigh(part, records)

    assert len(records) == 2
    assert not part.hot
    assert not part._out
