"""A patient's state, saved in pieces and restored."""

import pytest

from icu_stream.domain import models, patient
from icu_stream.domain.patient import SNAPSHOT_STEPS
from icu_stream.errors import StateError
from tests.unit.domain.bed import Bed, encoded


def eventful() -> Bed:
    """Alarms of every state, two devices, commands, more than an hour."""
    bed = Bed()
    bed.ask(0, "admit", bed="ICU1-01")
    for minute in range(70):
        bed.at(60 * minute, interval_s=60, hr=80, spo2=96, rr=16, abp_mean=87, temp=37)
    start = 4200
    bed.every_second(start, start + 20, hr=80, spo2=85, rr=16, abp_mean=50, temp=40)
    bed.at(start + 20.5, device="pump", cvp="x")
    bed.acknowledge(start + 21, "abp_mean.low")
    bed.at(start + 22, hr=80, spo2=70, rr=0)
    bed.every_second(start + 23, start + 28, hr=80, spo2=97, rr=0)
    bed.at(9000, arrived=start + 29, hr=80)
    return bed


def rest(bed: Bed) -> list[bytes]:
    """What comes after `eventful`."""
    before = len(bed.said)
    bed.every_second(4230, 4300, hr=0, pulse=80, spo2=97)
    bed.at(4250, hr=60)
    bed.tick(4400)
    bed.every_second(4401, 4420, hr=130, spo2=85)
    return encoded(bed.said[before:])


def test_a_restored_patient_continues_as_if_never_saved():
    assert rest(eventful().saved_and_restored()) == rest(eventful())


def test_saving_changes_nothing():
    bed = eventful()
    patient.save(bed.patient)

    assert rest(bed) == rest(eventful())


def test_a_restored_patient_saves_the_same_hot_state():
    bed = eventful()
    bed.patient.last_offset = 41
    pieces = patient.save(bed.patient)

    again = patient.restore("p-1", pieces)

    assert patient.save(again) == {b"s": pieces[b"s"]}
    assert again.last_offset == 41


def saved_each(seconds: int) -> dict[bytes, bytes]:
    """The pieces of a patient that was saved each so many seconds, and at the end."""
    pieces: dict[bytes, bytes] = {}
    bed = Bed()
    for second in range(700):
        bed.at(second, hr=80 + second % 7, spo2=97)
        if second % seconds == 0 or second == 699:
            pieces.update(patient.save(bed.patient))
    return {name: piece for name, piece in pieces.items() if piece}


def test_what_is_saved_does_not_depend_on_when_it_is_saved():
    assert saved_each(3) == saved_each(1000)


def test_the_hot_state_alone_is_saved_when_only_time_passed():
    bed = eventful()
    patient.save(bed.patient)

    bed.tick(4231)

    assert set(patient.save(bed.patient)) == {b"s"}


def test_the_hot_state_is_small():
    bed = Bed()
    bed.every_second(
        0,
        99,
        hr=80,
        pulse=80,
        spo2=97,
        rr=16,
        abp_sys=120,
        abp_dia=70,
        abp_mean=87,
        temp=37,
        etco2=38,
    )

    assert len(patient.save(bed.patient)[b"s"]) <= 1536


def test_a_model_is_restored_to_the_last_bit():
    bed = Bed()
    for step in range(SNAPSHOT_STEPS * 10 + 35):
        bed.at(step, hr=80 + step % 5, spo2=97)
    steps = len(bed.patient._steps)
    snapshot = models.snapshot(bed.patient.model)

    bed.saved_and_restored()

    assert steps == 3
    assert models.snapshot(bed.patient.model) == snapshot


@pytest.mark.parametrize("name", [b"m", b"n"])
def test_a_model_that_cannot_be_read_begins_anew_and_is_counted(name):
    bed = Bed()
    for step in range(SNAPSHOT_STEPS * 10 + 35):
        bed.at(step, hr=80 + step % 5, spo2=97)
    pieces = patient.save(bed.patient)

    again = patient.restore("p-1", pieces | {name: b"\xc1damaged"})

    assert again.model_restarts == 1
    assert not again.model.warm
    assert patient.restore("p-1", pieces | patient.save(again)).model_restarts == 1


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        (b"s", b""),
        (b"s", b"\xc1"),
        (b"s", None),
        (b"c", b"\xc1"),
        (b"s", "version"),
        (b"c", "version"),
    ],
)
def test_a_state_that_cannot_be_read_is_refused(name, wrong):
    bed = eventful()
    pieces = patient.save(bed.patient)
    if wrong == "version":
        wrong = pieces[name][:1] + b"\x63" + pieces[name][2:]
    pieces[name] = wrong
    if wrong is None:
        del pieces[name]

    with pytest.raises(StateError, match="p-1"):
        patient.restore("p-1", pieces)


def test_a_state_that_names_an_unknown_device_is_refused():
    bed = Bed()
    bed.at(0, device="zzz-1", hr=80)
    hot = patient.save(bed.patient)[b"s"]

    with pytest.raises(StateError, match="p-1"):
        patient.restore("p-1", {b"s": hot.replace(b"zzz-1", b"zzz-2", 1)})


def test_a_discharged_patient_leaves_empty_pieces():
    bed = eventful()
    pieces = patient.save(bed.patient)
    bed.ask(4300, "discharge")

    pieces |= patient.save(bed.patient)

    assert {name for name, piece in pieces.items() if piece} == {b"s", b"c"}
    again = patient.restore("p-1", pieces)
    assert (again.model, again.alarms, again.runs) == (None, {}, {})
    assert [track.is_expected for track in again.tracks.values()] == [False] * 6
