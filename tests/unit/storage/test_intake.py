"""From records to rows: what is kept, what is passed over, what is refused."""

from typing import Any, NamedTuple

import msgspec
import pytest

from icu_stream.contracts import envelope
from icu_stream.errors import ContractError
from icu_stream.storage import intake
from icu_stream.storage.intake import Measured, Said


T0 = 1_795_492_541_000


class Record(NamedTuple):
    """A record as a consumer gives it."""

    value: bytes | None
    key: bytes | None = b"p-0007"
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = T0 + 40
    topic: str = "icu.vitals"
    partition: int = 0
    offset: int = 0


def vitals(**fields: Any) -> bytes:
    return msgspec.json.encode({"patient_id": "p-0007", "time": T0} | fields)


def test_both_clocks_are_kept_and_zero_is_a_value():
    row = intake.vitals(Record(vitals(values={"hr": 0, "spo2": None})))

    assert isinstance(row, Measured)
    assert (row.time_ms, row.arrived_ms) == (T0, T0 + 40)
    assert row.values == {"hr": 0.0}


@pytest.mark.parametrize(
    "record",
    [
        Record(vitals(), headers=((envelope.TICK, b"1"),)),
        Record(vitals(), headers=((envelope.COMMAND, b"1"),)),
        Record(vitals(patient_id="icu-canary-1"), key=b"icu-canary-1"),
        Record(vitals(patient_id="icu-canary-1"), key=None),
    ],
    ids=["tick", "command", "canary by key", "canary by id"],
)
def test_what_no_device_measured_is_passed_over(record):
    assert intake.vitals(record) is None


@pytest.mark.parametrize("value", [True, "80", float("nan"), 1e300, -1e300])
def test_a_value_that_cannot_be_measured_was_not(value):
    body = vitals(values={"spo2": 97}).replace(b"{}", b"")
    number = str(value).lower() if not isinstance(value, str) else f'"{value}"'
    body = body.replace(b'"spo2":97', f'"spo2":97,"hr":{number}'.encode())
    body = body.replace(b":nan", b":NaN")

    row = intake.vitals(Record(body))

    assert isinstance(row, Measured)
    assert row.values == {"spo2": 97.0}


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"time": 1}', b"\xff"])
def test_what_is_no_message_is_refused(value):
    for read in intake.READERS.values():
        with pytest.raises(ContractError):
            read(Record(value))


def test_two_long_names_stay_two():
    names = [f"{'b' * 300}{n}" for n in range(2)]

    rows = [intake.vitals(Record(vitals(device=name))) for name in names]

    devices = [row.device for row in rows if row]
    assert len(set(devices)) == 2
    assert {len(device) for device in devices} == {128}


def test_a_text_that_postgresql_cannot_hold_is_mended_and_the_rest_is_kept():
    body = msgspec.json.encode(
        {
            "command_id": "c-1",
            "type": "pause",
            "patient_id": "p-0007",
            "by": "nurse.k",
            "time": T0,
            "reason": "su\x00ction",
            "unheard of": [1],
        }
    )

    row = intake.commands(Record(body))

    assert isinstance(row, Said)
    assert "\\u0000" not in row.body
    assert msgspec.json.decode(row.body)["unheard of"] == [1]


@pytest.mark.parametrize("field", ["command_id", "patient_id", "by"])
def test_an_id_that_cannot_be_a_key_is_refused(field):
    command = {"command_id": "c", "type": "pause", "patient_id": "p", "by": "n"}
    body = msgspec.json.encode(command | {"time": T0, field: "x\ny"})

    with pytest.raises(ContractError):
        intake.commands(Record(body))
