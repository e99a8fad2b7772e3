"""Recordings: gaps stay gaps, nothing is invented, and a mistake is said in one line."""

import io
import tarfile

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import wfdb

from icu_stream.contracts.vitals import Vitals
from icu_stream.errors import ConfigurationError
from icu_stream.sources import readers, replay


ORIGIN = readers.UNDATED_MS
MINUTE = 60_000
HOUR = 3_600_000


def read(path: Path, **options: int) -> list[Vitals]:
    return list(replay.read(path, **options))


def stay(*lines: str) -> str:
    return "\n".join(("Time,Parameter,Value", "00:00,RecordID,1", *lines, ""))


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join((*lines, "")))
    return path


def archive(path: Path, **stays: str) -> Path:
    with tarfile.open(path, "w:xz") as tar:
        for name, text in stays.items():
            info = tarfile.TarInfo(f"set-a/{name}.txt")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


def eicu(path: Path, **columns: list[float] | list[int]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def record(directory: Path, name: str, signals: dict[str, list[float]], fs: float):
    wfdb.wrsamp(
        name,
        fs=fs,
        units=["mmHg" if code.startswith("ABP") else "bpm" for code in signals],
        sig_name=list(signals),
        p_signal=np.array(list(signals.values()), float).T,
        fmt=["16"] * len(signals),
        write_dir=str(directory),
    )


# --- PhysioNet 2012


def test_lines_of_one_minute_are_one_message_in_our_signals_and_units(tmp_path: Path):
    path = table(
        tmp_path / "7.txt", stay("00:07,HR,80", "00:07,FiO2,0.4", "00:07,Urine,900")
    )

    [vitals] = read(path)

    assert vitals.patient_id == "pn2012-7"
    assert vitals.time == ORIGIN + 7 * MINUTE
    assert vitals.values == {"hr": 80.0, "fio2": 40.0}


def test_unknown_text_and_nan_are_absent_and_what_is_out_of_range_is_passed_on(
    tmp_path: Path,
):
    path = table(
        tmp_path / "7.txt",
        stay("00:01,HR,-1", "00:01,RespRate,?", "00:01,MAP,nan", "00:01,Temp,-17.8"),
    )

    [vitals] = read(path)

    assert vitals.values == {"temp": -17.8}


def test_zero_is_a_value(tmp_path: Path):
    path = table(tmp_path / "7.txt", stay("00:01,HR,0"))

    assert read(path)[0].values == {"hr": 0.0}


def test_of_two_values_in_one_minute_the_last_stays(tmp_path: Path):
    path = table(tmp_path / "7.txt", stay("00:01,MAP,70", "00:01,MAP,75"))

    assert read(path)[0].values == {"abp_mean": 75.0}


def test_a_charted_row_says_when_the_next_one_comes_but_never_more_than_an_hour(
    tmp_path: Path,
):
    path = table(
        tmp_path / "7.txt", stay("00:00,HR,1", "00:15,HR,2", "02:00,HR,3", "02:30,HR,4")
    )

    intervals = [vitals.interval_s for vitals in read(path)]

    assert intervals == [900, 3600, 1800, 1800]


def test_a_time_that_goes_back_is_refused_with_file_and_line(tmp_path: Path):
    path = table(tmp_path / "7.txt", stay("00:20,HR,80", "00:10,HR,81"))

    with pytest.raises(ConfigurationError, match=r"7\.txt line 4, Time: '00:10'"):
        read(path)


def test_a_time_that_is_none_is_refused_with_file_and_line(tmp_path: Path):
    path = table(tmp_path / "7.txt", stay("noon,HR,80"))

    with pytest.raises(ConfigurationError, match=r"7\.txt line 3.*HH:MM"):
        read(path)


def test_an_archive_is_read_as_a_directory_is(tmp_path: Path):
    stays = {"1": stay("00:03,HR,80", "01:00,HR,81"), "2": stay("00:01,HR,90")}
    directory = tmp_path / "set-a"
    directory.mkdir()
    for name, text in stays.items():
        (directory / f"{name}.txt").write_text(text)

    packed = read(archive(tmp_path / "set-a.tar.xz", **stays))

    assert packed == read(directory)
    assert [vitals.patient_id for vitals in packed] == ["pn2012-2", *["pn2012-1"] * 2]


# --- eICU


def test_an_hourly_row_is_a_message_and_an_empty_row_is_none(tmp_path: Path):
    nan = float("nan")
    path = eicu(
        tmp_path / "x_dyn.parquet",
        stay_id=[5, 5, 5, 4],
        time=[0, 1, 2, 1],
        hr=[80.0, nan, 82.0, 60.0],
        temp=[nan, nan, 37.5, nan],
        lact=[1.0, 1.0, 1.0, 1.0],
    )

    got = [(v.patient_id, v.time - ORIGIN, v.values) for v in read(path)]

    assert got == [
        ("eicu-5", 0, {"hr": 80.0}),
        ("eicu-4", HOUR, {"hr": 60.0}),
        ("eicu-5", 2 * HOUR, {"hr": 82.0, "temp": 37.5}),
    ]
    assert {v.interval_s for v in read(path)} == {3600}


def test_a_pressure_of_unknown_source_is_taken_for_a_cuffs(tmp_path: Path):
    path = eicu(tmp_path / "x.parquet", stay_id=[1], time=[0], sbp=[120.0], map=[90.0])

    assert read(path)[0].values == {"nibp_sys": 120.0, "nibp_mean": 90.0}


def test_the_static_table_is_refused_with_the_one_to_take(tmp_path: Path):
    path = eicu(tmp_path / "x_sta.parquet", stay_id=[1], age=[70])

    with pytest.raises(ConfigurationError, match=r"_dyn\.parquet"):
        read(path)


def test_of_two_tables_in_a_directory_one_must_be_named(tmp_path: Path):
    for name in ("a_dyn.parquet", "b_dyn.parquet"):
        eicu(tmp_path / name, stay_id=[1], time=[0], hr=[80.0])

    with pytest.raises(ConfigurationError, match="name one of them"):
        read(tmp_path)


# --- WFDB


def test_samples_keep_their_spacing_and_a_sample_that_is_invalid_is_absent(
    tmp_path: Path,
):
    nan = float("nan")
    record(
        tmp_path,
        "r1n",
        {"HR": [80, 0, nan], "ABPSys": [120, nan, nan], "NOTES": [1, 1, 1]},
        1 / 60,
    )

    got = read(tmp_path / "r1n.hea")

    assert [(v.time - ORIGIN, v.values) for v in got] == [
        (0, {"hr": 80.0, "abp_sys": 120.0}),
        (MINUTE, {"hr": 0.0}),
    ]
    assert {v.interval_s for v in got} == {60}
    assert got == read(tmp_path / "r1n") == read(tmp_path)


def test_numerics_of_a_second_need_no_interval(tmp_path: Path):
    record(tmp_path, "r1n", {"HR": [80, 81]}, 1)

    assert [v.interval_s for v in read(tmp_path)] == [None, None]


def test_records_of_different_dates_start_together_when_they_are_moved(tmp_path: Path):
    for name in ("a", "b"):
        record(tmp_path, name, {"HR": [80, 81]}, 1 / 60)
    header = tmp_path / "b.hea"
    lines = header.read_text().splitlines()
    header.write_text("\n".join((f"{lines[0]} 10:00:00 01/02/2030", *lines[1:])))

    moved = read(tmp_path, start_ms=ORIGIN)
    kept = read(tmp_path)

    assert [(v.patient_id, v.time - ORIGIN) for v in moved] == [
        ("a", 0),
        ("b", 0),
        ("a", MINUTE),
        ("b", MINUTE),
    ]
    assert [v.patient_id for v in kept] == ["a", "a", "b", "b"]
    assert kept[2].time == 1_896_170_400_000  # 2030-02-01T10:00Z


def test_a_waveform_is_not_taken_for_numbers(tmp_path: Path):
    record(tmp_path, "w", {"RESP": [0.1] * 10}, 125)

    with pytest.raises(ConfigurationError, match="no numerics"):
        read(tmp_path / "w.hea")


def test_kilopascals_become_mmhg_and_an_unknown_unit_is_refused(tmp_path: Path):
    record(tmp_path, "r", {"ABPMean": [10.0]}, 1)
    header = tmp_path / "r.hea"
    text = header.read_text()

    header.write_text(text.replace("mmHg", "kPa"))
    [converted] = read(header)
    header.write_text(text.replace("mmHg", "inHg"))
    with pytest.raises(ConfigurationError, match="ABPMean is in 'inHg', want one of"):
        read(header)

    assert converted.values["abp_mean"] == pytest.approx(75.0062, abs=0.01)


def test_a_header_without_its_samples_is_said_to_be_unreadable(tmp_path: Path):
    record(tmp_path, "r", {"HR": [80]}, 1)
    (tmp_path / "r.dat").unlink()

    with pytest.raises(ConfigurationError, match="cannot be read"):
        read(tmp_path / "r.hea")


# --- CSV


def test_a_table_of_rows_in_any_order_comes_out_in_the_order_of_time(tmp_path: Path):
    path = table(
        tmp_path / "x.csv",
        "patient_id,time,bed,device,hr,spo2,temp",
        "b,2026-03-01T08:00:10Z,ICU1-02,m2,70,,",
        "a,1772352001000,ICU1-01,m1,80,97,36.8",
        "a,2026-03-01T08:00:00,ICU1-01,m1,,nan,36.9",
    )

    got = read(path)

    start = 1_772_352_000_000
    assert [(v.patient_id, v.time - start, v.bed, v.values) for v in got] == [
        ("a", 0, "ICU1-01", {"temp": 36.9}),
        ("a", 1000, "ICU1-01", {"hr": 80.0, "spo2": 97.0, "temp": 36.8}),
        ("b", 10_000, "ICU1-02", {"hr": 70.0}),
    ]


def test_a_row_says_when_the_next_of_its_patient_and_device_comes(tmp_path: Path):
    path = table(
        tmp_path / "x.csv",
        "patient_id,time,device,hr",
        *(f"a,{ORIGIN + 1000 * s},m1,80" for s in (0, 0, 5, 10)),
        f"a,{ORIGIN + 1000},m2,80",
        f"a,{ORIGIN + 10_000_000},m2,80",
    )

    intervals = [(v.device, v.interval_s) for v in read(path)]

    assert intervals == [
        ("m1", 5),
        ("m1", 5),
        ("m2", 3600),
        ("m1", 5),
        ("m1", 5),
        ("m2", 3600),
    ]


def test_a_patient_without_a_bed_is_given_one(tmp_path: Path):
    path = table(
        tmp_path / "x.csv", "patient_id,time,hr", f"a,{ORIGIN},1", f"b,{ORIGIN},2"
    )

    assert [v.bed for v in read(path)] == ["R-0001", "R-0002"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"a,{ORIGIN},eighty", r"line 3, column hr: 'eighty': no number"),
        (f"a,{ORIGIN},inf", r"line 3, column hr: 'inf': no number"),
        ("a,yesterday,80", r"line 3, column time: 'yesterday': no time"),
        ("a,1772352000,80", r"line 3, column time: '1772352000': no time"),
        (f" ,{ORIGIN},80", r"line 3, column patient_id: ''"),
        (f"a,{ORIGIN}", r"line 3: 2 cells, want 3"),
    ],
)
def test_a_wrong_cell_is_refused_with_line_and_column(
    tmp_path: Path, line: str, told: str
):
    path = table(tmp_path / "x.csv", "patient_id,time,hr", f"a,{ORIGIN},80", line)

    with pytest.raises(ConfigurationError, match=told):
        replay.read(path)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("patient_id,time,HR", "column 'HR' is no signal; did you mean hr"),
        ("patient_id,time,foo", "column 'foo' is no signal; known: hr"),
        ("patient_id,time,hr,hr", "column hr is there twice"),
        ("patient_id;time;hr", "the separator must be a comma"),
    ],
)
def test_a_wrong_header_is_refused_with_what_was_meant(
    tmp_path: Path, header: str, told: str
):
    path = table(tmp_path / "x.csv", header, f"a,{ORIGIN},80")

    with pytest.raises(ConfigurationError, match=told):
        read(path)


def test_a_table_that_is_not_utf_8_is_refused_with_the_line(tmp_path: Path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"patient_id,time,bed,hr\na,946684800000,S\xfcd,80\n")

    with pytest.raises(ConfigurationError, match="line 2: not UTF-8"):
        read(path)


# --- what is no recording


def test_a_path_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="does not exist"):
        read(tmp_path / "nothing")


def test_an_empty_file_is_said(tmp_path: Path):
    (tmp_path / "x.csv").touch()

    with pytest.raises(ConfigurationError, match="is empty"):
        read(tmp_path / "x.csv")


def test_a_table_without_rows_is_said(tmp_path: Path):
    path = table(tmp_path / "x.csv", "patient_id,time,hr", f"a,{ORIGIN},")

    with pytest.raises(ConfigurationError, match="holds no value"):
        read(path)


def test_an_unknown_file_is_said_with_the_formats_that_are_known(tmp_path: Path):
    path = table(tmp_path / "x.txt", "hello")

    with pytest.raises(ConfigurationError, match=r"WFDB.*PhysioNet 2012.*eICU.*CSV"):
        read(path)


def test_an_empty_directory_is_said(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="no recording"):
        read(tmp_path)


def test_a_directory_of_two_formats_is_refused(tmp_path: Path):
    table(tmp_path / "7.txt", stay("00:01,HR,80"))
    record(tmp_path, "r", {"HR": [80]}, 1)

    with pytest.raises(ConfigurationError, match="several formats"):
        read(tmp_path)


def test_an_archive_that_is_cut_off_is_said_to_be_unreadable(tmp_path: Path):
    whole = archive(tmp_path / "a.tar.xz", **{"1": stay(*["00:01,HR,80"] * 9999)})
    part = tmp_path / "b.tar.xz"
    part.write_bytes(whole.read_bytes()[:-40])

    with pytest.raises(ConfigurationError, match="cannot be read"):
        read(part)


def test_a_parquet_file_that_is_cut_off_is_said_to_be_unreadable(tmp_path: Path):
    path = eicu(tmp_path / "x_dyn.parquet", stay_id=[1], time=[0], hr=[80.0])
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(ConfigurationError, match="cannot be read"):
        read(path)


# --- merging


def test_only_the_first_patients_are_read(tmp_path: Path):
    stays = {str(n): stay(f"00:0{n},HR,8{n}") for n in range(1, 5)}
    rows = [f"p{n},{ORIGIN + n},80" for n in range(5)]

    packed = read(archive(tmp_path / "a.tar.xz", **stays), patients=2)
    listed = read(table(tmp_path / "x.csv", "patient_id,time,hr", *rows), patients=2)

    assert [v.patient_id for v in packed] == ["pn2012-1", "pn2012-2"]
    assert [v.patient_id for v in listed] == ["p0", "p1"]


def test_the_first_message_comes_at_the_start_and_the_rest_keeps_its_distance(
    tmp_path: Path,
):
    path = table(tmp_path / "7.txt", stay("00:07,HR,80", "01:07,HR,81"))

    moved = read(path, start_ms=1_800_000_000_000)

    assert [v.time - 1_800_000_000_000 for v in moved] == [0, HOUR]
