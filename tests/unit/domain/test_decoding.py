"""A bad value must not lose the good ones; a useless message says why it is useless."""

import json
import math

import msgspec
import pytest

from icu_stream.contracts.vitals import Vitals
from icu_stream.domain import decoding
from icu_stream.domain.decoding import END_MS, FIRST_MS, MAX_BYTES, Mended
from icu_stream.errors import ContractError


TIME = 1_795_492_541_263
GOOD = {"patient_id": "p-1", "time": TIME, "values": {"hr": 80, "spo2": 97.5}}


def decoded(**changes) -> Vitals:
    return decoding.decode(json.dumps(GOOD | changes).encode())


def refusal(value: bytes) -> str:
    with pytest.raises(ContractError) as caught:
        decoding.decode(value)
    return str(caught.value)


def test_a_good_message_is_read_at_once():
    vitals = decoded(bed="ICU1-07", device="mon-17", interval_s=60, extra=[1])

    assert not isinstance(vitals, Mended)
    assert msgspec.structs.asdict(vitals) == {
        "patient_id": "p-1",
        "time": TIME,
        "bed": "ICU1-07",
        "device": "mon-17",
        "values": {"hr": 80.0, "spo2": 97.5},
        "status": {},
        "interval_s": 60.0,
        "primary": False,
    }


def test_zero_is_a_value_and_absent_is_not_zero():
    assert decoded(values={"hr": 0}).values == {"hr": 0.0}
    assert decoding.decode(b'{"patient_id":"p","time":%d}' % TIME).values == {}
    assert decoded(values={"hr": None, "spo2": 97}).values == {"spo2": 97.0}
    assert decoded(values=None).values == {}


def test_null_is_absent_and_costs_no_slow_reading():
    vitals = decoded(
        bed=None,
        device=None,
        status=None,
        interval_s=None,
        values={"hr": 80, "spo2": None},
    )

    assert not isinstance(vitals, Mended)
    assert vitals == decoded(values={"hr": 80})


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ('"eighty"', "eighty"),
        ('""', ""),
        ("true", True),
        ("false", False),
        ("[80]", "[80]"),
        ('{"v": 80}', '{"v": 80}'),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        ("1e999", math.inf),
        ("9" * 5000, math.inf),
        ("1e308", 1e308),
        ('"' + "x" * 500 + '"', "x" * 128),
        ("[" + "1," * 500 + "1]", ("[" + "1, " * 500)[:127] + "…"),
    ],
)
def test_what_is_no_number_is_kept_for_the_rule_on_invalid_values(raw, kept):
    value = f'{{"patient_id":"p-1","time":{TIME},"values":{{"hr":{raw},"spo2":97}}}}'

    vitals = decoding.decode(value.encode())

    assert vitals.values == {"hr": kept, "spo2": 97.0}


def test_a_nan_is_kept():
    value = f'{{"patient_id":"p-1","time":{TIME},"values":{{"hr":NaN,"spo2":97}}}}'

    vitals = decoding.decode(value.encode())

    assert math.isnan(vitals.values["hr"])
    assert vitals.values["spo2"] == 97.0


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("bed", 7),
        ("bed", "x" * 129),
        ("device", ["mon"]),
        ("status", "off"),
        ("status", {"hr": 1}),
        ("primary", "yes"),
        ("primary", 1),
    ],
)
def test_a_field_on_which_nothing_depends_is_left_out_and_counted(field, wrong):
    # A value that is no number makes the message take the slow path.
    vitals = decoded(**{field: wrong, "values": {"hr": 80, "rr": "x"}})

    assert isinstance(vitals, Mended)
    assert vitals.mended == 1
    assert not getattr(vitals, field)
    assert vitals.values["hr"] == 80.0


def test_what_is_right_is_kept_on_the_slow_path():
    vitals = decoded(bed="B", device="D", status={"hr": "lead_off"}, values={"rr": "x"})

    assert vitals.mended == 0
    assert (vitals.bed, vitals.device, vitals.status) == ("B", "D", {"hr": "lead_off"})
    nulls = decoded(
        bed=None, device=None, status=None, primary=None, values={"rr": "x"}
    )
    assert nulls.mended == 0


@pytest.mark.parametrize("field", ["bed", "device"])
def test_a_text_that_is_no_unicode_is_left_out(field):
    value = f'{{"patient_id":"p-1","time":{TIME},"{field}":"\\ud800"}}'

    assert decoding.decode(value.encode()).mended == 1


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"hello", "not JSON"),
        (b"", "not JSON"),
        (b'{"patient_id": "p"', "not JSON"),
        (b"[1]", "not an object but a list"),
        (b'"text"', "not an object but a text"),
        (b"null", "not an object but null"),
        (b"true", "not an object but true or false"),
        (b"5", "not an object but a number"),
        (b'{"patient_id": "\xff", "time": 1}', "not UTF-8"),
        (b"[" * 60_000, "not JSON"),
        (b'{"time": 1795492541263}', "patient_id is missing"),
        (b'{"patient_id": null, "time": 1795492541263}', "patient_id is null"),
        (b'{"patient_id": 7, "time": 1795492541263}', "patient_id is a number"),
        (b'{"patient_id": {}, "time": 1795492541263}', "patient_id is an object"),
        (b'{"patient_id": "", "time": 1795492541263}', "patient_id of 0 characters"),
        (b'{"patient_id": " p", "time": 1795492541263}', "no blank at either end"),
        (b'{"patient_id": "p"}', "time is missing"),
        (b'{"patient_id": "p", "time": "now"}', "time is a text"),
        (b'{"patient_id": "p", "time": true}', "time is true or false"),
        (b'{"patient_id": "p", "time": 1795492541263.5}', "time is a number"),
        (b'{"patient_id": "p", "time": 1e999}', "time is a number"),
    ],
)
def test_a_useless_message_says_why(value, reason):
    assert reason in refusal(value)


def test_no_value_at_all_is_refused():
    with pytest.raises(ContractError, match="no value"):
        decoding.decode(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [128, 129])
def test_an_id_has_at_most_128_characters(length):
    value = json.dumps(GOOD | {"patient_id": "x" * length}).encode()

    if length == 128:
        assert len(decoding.decode(value).patient_id) == 128
    else:
        assert "patient_id of 129 characters" in refusal(value)


def test_an_id_that_is_refused_is_refused_again():
    for _ in range(2):
        assert "patient_id" in refusal(json.dumps(GOOD | {"patient_id": "ü"}).encode())


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (FIRST_MS, None),
        (FIRST_MS - 1, "not between"),
        (END_MS - 1, None),
        (END_MS, "not between the years 2000 and 3000"),
        (1_795_492_541, "looks like seconds"),
        (FIRST_MS // 1000, "looks like seconds"),
        (FIRST_MS // 1000 - 1, "not between"),
        (TIME * 1000, "not between"),
        (0, "not between"),
        (-TIME, "not between"),
    ],
)
def test_a_time_is_milliseconds_of_this_millennium(time, reason):
    for values in ({"hr": 80}, {"hr": "x"}):
        value = json.dumps(GOOD | {"time": time, "values": values}).encode()
        if reason is None:
            assert decoding.decode(value).time == time
        else:
            assert reason in refusal(value)


def test_a_time_that_is_a_whole_number_with_a_point_is_taken():
    assert decoded(time=float(TIME)).time == TIME


@pytest.mark.parametrize("interval", [0, -1, 86_401, "60", True, [60], 1e999])
def test_a_wrong_interval_is_refused_by_name(interval):
    value = json.dumps(GOOD | {"interval_s": interval}).encode()

    assert refusal(value).startswith("interval_s is")


def test_an_interval_is_kept_on_the_slow_path():
    assert decoded(interval_s=86_400, values={"hr": "x"}).interval_s == 86_400
    assert decoded(interval_s=None, values={"hr": "x"}).interval_s is None


@pytest.mark.parametrize("wrong", [[80], "x", 5, True])
def test_values_that_are_no_object_are_refused(wrong):
    value = json.dumps(GOOD | {"values": wrong}).encode()

    assert refusal(value).startswith("values is")


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("value", [80, "x"])
def test_a_message_has_at_most_64_kib(more, value):
    raw = json.dumps(GOOD | {"values": {"hr": value}}).encode()
    raw += b" " * (MAX_BYTES + more - len(raw))

    if more:
        assert "too large: 65537 bytes" in refusal(raw)
    else:
        assert decoding.decode(raw).time == TIME
