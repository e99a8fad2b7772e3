"""The page of the system names every part of the chain, and no patient."""

import json

from icu_stream import profiles
from icu_stream.access.roles import Person, Role
from icu_stream.contracts.alerts import Alert, Event, Kind, Priority, State
from icu_stream.contracts.heartbeats import Heartbeat
from icu_stream.contracts.pagers import PagerReport
from icu_stream.contracts.vitals import Vitals
from icu_stream.ward.deadman import EVERY_MS, DeadMan, Hop
from icu_stream.ward.pages import system
from icu_stream.ward.stations import Stations
from icu_stream.ward.tiles import Ward


T0 = 1_795_492_541_000
ADULT = profiles.load("adult")


def text_of(ward: Ward, stations: Stations, now_ms: int = T0) -> str:
    parts = system.body(ward, stations, ADULT, now_ms)
    return json.dumps([part.to_plotly_json() for part in parts], default=_plain)


def _plain(component: object) -> object:
    return component.to_plotly_json()  # type: ignore[attr-defined]


def proven(deadman: DeadMan) -> None:
    deadman.send(T0 - 700, [0], T0 - 700)
    deadman.reach(Hop.ALERTS, 0, T0 - 700, T0 - 660)
    deadman.paint(T0 - 700, T0 - 580)


def test_a_view_that_has_heard_nothing_says_so():
    text = text_of(Ward(), Stations())

    assert "No test alarm has come through yet." in text
    assert "No worker has spoken." in text
    assert "No screen has said anything." in text
    assert "No pager has spoken for an hour" in text
    assert ADULT.label in text


def test_every_part_has_its_figures_and_no_patient_is_named():
    ward, stations = Ward(), Stations()
    ward.listen(T0 - 60_000, T0)
    ward.measure(
        Vitals(patient_id="p-77", time=T0, bed="ICU1-07", values={"hr": 80}), T0, 0
    )
    off = Alert(
        alert_id="p-77:spo2.sensor_off:0",
        transition=1,
        event=Event.RAISED,
        patient_id="p-77",
        bed="ICU1-07",
        code="spo2.sensor_off",
        kind=Kind.TECHNICAL,
        priority=Priority.MEDIUM,
        state=State.ACTIVE,
        annunciate=True,
        onset=T0,
        time=T0,
        text="SpO₂: sensor off",
    )
    ward.state(off, T0, 0)
    beat = Heartbeat(
        worker="host-7",
        partition=0,
        time=T0,
        lag=31,
        patients=1,
        applied=5,
        checkpoint_age_s=0.4,
    )
    ward.deadman.beat(beat, T0 - 1_200)
    ward.deadman.heard["vitals"] = T0 - 400
    proven(ward.deadman)
    person = Person(by="RN Okafor", role=Role.NURSE, until_ms=T0, station="desk 1")
    said = b'{"id": "0123456789abcdef", "sound": "locked", "volume": 60}'
    stations.hear(said, person, T0 - 3_000)

    text = text_of(ward, stations)

    for figure in ("host-7", "1.2 s", "31", "0.4 s", "40 ms", "120 ms"):
        assert f'"{figure}"' in text, figure
    assert "Every part is alive" in text
    assert "desk 1" in text
    assert "LOCKED" in text
    assert "spo2.sensor_off" in text
    for name in ("p-77", "ICU1-07", "Okafor"):
        assert name not in text


def test_a_pager_has_its_figures_and_a_silent_one_is_said_to_be():
    ward = Ward()
    report = PagerReport(
        pager="host-a:4720", time=T0, waiting=2, overdue_s=0, delivered=14, dead=3
    )
    ward.deadman.hear_pager(report, T0)

    alive = text_of(ward, Stations(), T0 + 29_400)
    silent = text_of(ward, Stations(), T0 + 30_000)

    for figure in ("host-a:4720", "29.4 s", "2", "14", "3"):
        assert f'"{figure}"' in alive, figure
    assert "People are called." in alive
    assert "SILENT: no pager has spoken for 30 s" in silent
    assert "People are called." not in silent


def test_a_dead_hop_is_named_with_its_partitions():
    ward = Ward()
    ward.deadman.expect([0, 3])
    proven(ward.deadman)
    ward.deadman.send(T0, [3], T0)

    text = text_of(ward, Stations(), T0 + EVERY_MS)

    assert "Kafka does not take records (partitions 0, 3)" in text
