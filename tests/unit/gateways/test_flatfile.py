"""CSV that we write is CSV that `replay` reads."""

import math

from icu_stream.contracts.vitals import Vitals
from icu_stream.gateways import flatfile
from icu_stream.sources import readers


def test_replay_reads_what_was_written(tmp_path):
    messages = [
        Vitals(
            patient_id="p-7",
            time=1_772_352_000_250 + 1_000 * i,
            bed='ICU1, "07"',
            device="mon-17",
            values={"hr": 80.0 + i, "spo2": 97.25, "temp": 36.8},
        )
        for i in range(3)
    ]
    path = tmp_path / "stay.csv"
    path.write_text(flatfile.HEADER + "".join(map(flatfile.row, messages)))

    [stream] = readers.open_recording(path)

    assert list(stream.read(0)) == messages


def test_what_is_no_number_was_not_measured():
    values = {"hr": math.nan, "spo2": "97", "rr": True, "temp": 36.8}
    message = Vitals(patient_id="p", time=0, values=values)  # type: ignore[arg-type]

    cells = dict(
        zip(flatfile.COLUMNS, flatfile.row(message).strip().split(","), strict=True)
    )

    assert {c for c, v in cells.items() if v} == {"patient_id", "time", "temp"}


def test_a_message_without_a_value_is_no_row():
    message = Vitals(patient_id="p", time=0, status={"hr": "lead_off"})

    assert flatfile.row(message) == ""
