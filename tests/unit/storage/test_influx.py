"""Lines of InfluxDB's protocol: what a message says stays what it says."""

import pytest

from hypothesis import given
from hypothesis import strategies as st

from icu_stream.errors import ContractError
from icu_stream.storage import influx
from icu_stream.storage.intake import Measured, legible


T0 = 1_795_492_541_000


def row(**fields: object) -> Measured:
    plain = Measured(
        "p-0007", T0, "mon 1", "ICU1-07", T0 + 9, {"hr": 0.0}, {}, None, False
    )
    return plain._replace(**fields)


def test_a_message_is_one_line():
    line = influx.line(row(values={"hr": 0.0, "spo2": 97.0}, status={"temp": "off"}))

    assert line == (
        b"vitals,bed=ICU1-07,device=mon\\ 1,patient_id=p-0007 "
        b'hr=0.0,spo2=97.0,status.temp="off",meta.arrived_ms=1795492541009i '
        b"1795492541000000000"
    )


@given(st.text(), st.text(), st.text())
def test_no_text_of_a_message_ends_a_line_or_begins_another_field(bed, device, code):
    made = row(bed=legible(bed), device=legible(device), values={legible(code): 1.5})

    line = influx.line(made).decode()

    assert "\n" not in line
    # Blanks that are not escaped divide a line: tags, fields, time.
    assert len(line.replace("\\ ", "_").split(" ")) == 3
    assert line.replace("\\ ", "_").split(" ")[1].count(",") == 1


@given(st.text(min_size=0, max_size=40))
def test_names_of_fields_and_values_of_tags_come_back(text):
    assert influx.code(influx.field(text)) == text
    assert influx.untag(influx.tag(text)) == text


def test_a_time_that_influxdb_does_not_have_is_refused():
    with pytest.raises(ContractError, match="2262"):
        influx.line(row(time_ms=9_300_000_000_000))


def test_a_question_quotes_what_it_is_given():
    where = influx.condition(["p' OR 'a'='a"], 0, 1)

    assert "patient_id = 'p\\' OR \\'a\\'=\\'a'" in where
