"""Gateways under rubbish: nothing crashes, nothing is invented, what is sent comes back."""

import json

from datetime import UTC

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from icu_stream.contracts.signals import SIGNALS
from icu_stream.contracts.vitals import Vitals
from icu_stream.errors import ContractError
from icu_stream.gateways import fhir, flatfile, hl7v2, pcd01
from icu_stream.gateways.hl7v2 import Hl7Error, Separators
from icu_stream.gateways.mllp import Frames
from icu_stream.gateways.pcd01 import Options
from icu_stream.sources import readers
from tests import monitor


EXAMPLES = settings(max_examples=200, deadline=None)
BODY = st.binary(max_size=200).filter(
    lambda b: b"\x0b" not in b and b"\x1c\x0d" not in b and not b.endswith(b"\x1c")
)
RUBBISH = st.binary(max_size=50).map(lambda b: b.replace(b"\x0b", b""))
VALUES = st.dictionaries(
    st.sampled_from(sorted(monitor.TERMS)),
    st.integers(-100, 400).map(float),
    min_size=1,
)
TIMES = st.integers(946_684_800_000, 4_102_444_800_000)


@EXAMPLES
@given(st.lists(st.tuples(RUBBISH, BODY), max_size=8), st.data())
def test_every_whole_frame_is_found_however_the_stream_is_cut(parts, data):
    stream = b"".join(rubbish + monitor.framed(body) for rubbish, body in parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    frames = Frames(1_000)

    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += frames.feed(stream[start:end])

    assert [f.body for f in found] == [body for _, body in parts]
    assert frames.skipped == sum(len(rubbish) for rubbish, _ in parts)
    assert frames.halves == 0


@EXAMPLES
@given(st.lists(st.binary(max_size=300), max_size=10))
def test_any_bytes_leave_the_stream_in_order(chunks):
    frames = Frames(200)

    bodies = [f.body for chunk in chunks for f in frames.feed(chunk)]

    assert all(len(body) <= 200 and b"\x0b" not in body for body in bodies)


@EXAMPLES
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data):
    for made in (data, b"MSH|^~\\&|" + data, b"MSH" + data):
        try:
            pcd01.read(made, Options())
        except Hl7Error as error:
            hl7v2.answer(hl7v2.Header(), error, 0)
        hl7v2.without_names(made)


@EXAMPLES
@given(VALUES, TIMES, st.data())
def test_a_damaged_message_is_read_or_refused_and_gives_no_other_patient(
    values, time, data
):
    whole = bytearray(monitor.message("p-0007", time, values, "c-1"))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))

    try:
        found = pcd01.read(bytes(whole), Options())
    except Hl7Error:
        return

    for vitals in found.vitals:
        assert set(vitals.values) <= {row.code for row in SIGNALS}
        assert "Mustermann" not in repr(vitals)


@EXAMPLES
@given(VALUES, TIMES)
def test_what_a_monitor_sends_is_what_is_read(values, time):
    found = pcd01.read(
        monitor.message("p-0007", time, values, "c-1"), Options(zone=UTC)
    )

    [vitals] = found.vitals
    assert (vitals.patient_id, vitals.time, vitals.values) == ("p-0007", time, values)


@EXAMPLES
@given(st.text(max_size=100))
def test_escaping_and_back_changes_only_what_cannot_be_shown(text):
    shown = "".join(c if c.isprintable() else " " for c in text)

    assert Separators().unescaped(Separators().escaped(text)) == shown


@EXAMPLES
@given(st.text(max_size=60))
def test_no_time_is_read_that_is_not_one(text):
    try:
        hl7v2.moment(text, UTC)
    except (ValueError, OverflowError):
        return

    assert text[:12].isdecimal()


@EXAMPLES
@given(TIMES)
def test_a_time_that_is_written_is_read(time):
    assert hl7v2.moment(hl7v2.written(time), UTC) == time


KEYS = [
    *("resourceType", "status", "code", "coding", "subject", "component", "type"),
    *("valueQuantity", "value", "effectiveDateTime", "entry", "resource", "device"),
    *("encounter", "contained", "x"),
]
MEASURED = st.dictionaries(
    st.sampled_from([row.code for row in SIGNALS]),
    st.floats(-1_000, 1_000, allow_subnormal=False),
    min_size=1,
)


@EXAMPLES
@given(MEASURED, TIMES)
def test_what_is_written_as_fhir_is_read_as_it_was(values, time):
    vitals = Vitals(patient_id="p-0007", time=time, device="mon-17", values=values)
    out = fhir.Bundle(0)
    text = out.begin() + "".join(map(out.entry, fhir.vital_signs(vitals))) + out.end()

    found = fhir.read(text.encode(), "x", None).reading.vitals

    assert {c: v for part in found for c, v in part.values.items()} == values
    assert {(v.patient_id, v.time) for v in found} == {("p-0007", time)}


@EXAMPLES
@given(MEASURED, TIMES)
def test_what_is_written_as_csv_is_read_as_it_was(tmp_path_factory, values, time):
    vitals = Vitals(patient_id="p-0007", time=time, bed="b", device="d", values=values)
    path = tmp_path_factory.getbasetemp() / "stay.csv"
    path.write_text(flatfile.HEADER + flatfile.row(vitals))

    [stream] = readers.open_recording(path)

    assert list(stream.read(0)) == [vitals]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=20,
)


@EXAMPLES
@given(JSON, st.sampled_from(["Observation", "Bundle", "Patient"]))
def test_any_json_is_read_or_refused(value, kind):
    if isinstance(value, dict):
        value = value | {"resourceType": kind}

    try:
        receipt = fhir.read(json.dumps(value).encode(), "x", None)
    except ContractError:
        return

    json.dumps(fhir.answer(receipt))


@EXAMPLES
@given(st.binary(max_size=200))
def test_any_bytes_are_no_resource(data):
    with pytest.raises(ContractError):
        fhir.read(data, "x", None)
