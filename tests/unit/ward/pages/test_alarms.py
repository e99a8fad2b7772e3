"""Rows of the log as they are shown, filtered, and written to a file."""

import pytest

from icu_stream.contracts.alerts import Kind, Priority
from icu_stream.contracts.commands import CommandType, LimitChange
from icu_stream.ward.pages import alarms
from icu_stream.ward.pages.chronicle import Chronicle, Filter
from tests.unit.ward.pages.test_chronicle import answered, command, told


def bed_of(_: str) -> str:
    return "ICU1-02"


def log_of(*entries: object) -> Chronicle:
    log = Chronicle()
    for asked in entries:
        log.ask(asked)
        log.answer(answered(asked, limits=asked.limits, expires=7_200_000))
    return log


def rows(log: Chronicle, wanted: Filter | None = None) -> list[alarms.Row]:
    return alarms.search(log, wanted or Filter(), bed_of, 100).rows


def test_a_priority_is_a_mark_and_a_word_and_never_a_colour_alone():
    log = Chronicle()
    log.tell(told(kind=Kind.TECHNICAL, priority=Priority.MEDIUM))

    (row,) = rows(log)

    assert row["mark"] == "!! medium Tech"
    assert (row["bed"], row["event"]) == ("ICU1-01", "began")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"limits": [LimitChange("spo2.low", 87, 20)]},
            "spo2.low 87 %, 20 s; until ",
        ),
        (
            {
                "type": CommandType.FEEDBACK,
                "actionable": False,
                "alert_id": "p:hr.high:1",
            },
            "not worth it; hr.high; until ",
        ),
        ({"type": CommandType.OBSERVE, "acvpu": "V"}, "acvpu V; until "),
        ({"type": CommandType.TRANSFER, "bed": "ICU1-09"}, "ICU1-09; until "),
    ],
)
def test_a_command_says_what_was_asked_and_what_came_of_it(fields, said):
    (row,) = rows(log_of(command(**fields)))

    assert row["what"].startswith(said)
    assert (row["by"], row["station"], row["bed"]) == ("RN Okafor", "desk", "ICU1-02")


def test_a_command_without_an_answer_says_so():
    log = Chronicle()
    log.ask(command())

    assert rows(log)[0]["what"] == "no answer yet"


def test_all_that_the_filter_takes_is_counted_though_not_all_is_shown():
    log = Chronicle()
    for second in range(20):
        log.tell(told(1_000 * second))

    found = alarms.search(log, Filter(from_ms=5_000), bed_of, 10)

    assert (len(found.rows), found.total) == (10, 15)
    assert found.rows[0]["id"].endswith(":19000/1/raised")  # the newest first


def test_what_makes_no_sense_in_an_address_is_no_filter():
    wanted = alarms.filter_of(["  ICU1-01 ", "purple", "x", "y", "-4"], 0)

    assert wanted == Filter(bed="icu1-01")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_no_cell_of_the_file_is_a_formula(text):
    row = dict.fromkeys(
        ("time", "bed", "patient", "mark", "event", "what", "by", "station"), ""
    )

    assert f"'{text}" in alarms.as_csv([row | {"reason": text}])
