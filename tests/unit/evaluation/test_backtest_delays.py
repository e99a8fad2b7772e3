"""Other delays: what is read from the command line, and what of a profile they change."""

import pytest

from icu_stream import profiles
from icu_stream.errors import ConfigurationError
from icu_stream.evaluation import delays


ADULT = profiles.load("adult")


def delay_s(rules, code):
    return rules.rows[code].delay_ms / 1000


def test_a_scale_multiplies_the_delay_of_every_limit():
    half, double = delays.variants(ADULT, delays.scale("0.5,2"))

    for code, row in ADULT.rows.items():
        if row.condition is None:
            assert half.rows[code] == double.rows[code] == row
        else:
            assert half.rows[code].delay_ms == row.delay_ms / 2
            assert double.rows[code].delay_ms == row.delay_ms * 2


def test_a_sweep_changes_the_named_limit_alone():
    five, ten = delays.variants(ADULT, delays.sweep("spo2.low=10,5"))

    assert [delay_s(five, "spo2.low"), delay_s(ten, "spo2.low")] == [5, 10]
    changed = {c for c, row in five.rows.items() if row != ADULT.rows[c]}
    assert changed == {"spo2.low"}


def test_a_star_stands_for_any_limit():
    (same,) = delays.variants(ADULT, delays.sweep("rr.*=7"))

    changed = {c for c, row in same.rows.items() if row != ADULT.rows[c]}
    assert changed == {"rr.apnoea", "rr.low", "rr.high"}


def test_the_core_decides_by_the_changed_rows():
    (longer,) = delays.variants(ADULT, delays.sweep("*=99"))

    for rows in longer.limits.values():
        for row in rows:
            assert row is longer.rows[row.code]
            assert row.delay_ms == 99_000


@pytest.mark.parametrize(
    ("read", "text", "words"),
    [
        (delays.scale, "", "want numbers from 0 to 100"),
        (delays.scale, "1,x", "want numbers from 0 to 100"),
        (delays.scale, "-1", "want numbers from 0 to 100"),
        (delays.scale, "101", "want numbers from 0 to 100"),
        (delays.scale, "nan", "want numbers from 0 to 100"),
        (delays.sweep, "spo2.low", "want CODE=SECONDS"),
        (delays.sweep, "=5", "want CODE=SECONDS"),
        (delays.sweep, "spo2.low=3601", "want numbers from 0 to 3600"),
        (delays.sweep, "x=" + ",".join(map(str, range(26))), "want at most 25"),
    ],
)
def test_what_is_no_delay_is_refused_with_what_is_wanted(read, text, words):
    with pytest.raises(ConfigurationError, match=words):
        read(text)


def test_a_code_that_no_limit_has_is_refused_with_those_there_are():
    with pytest.raises(ConfigurationError, match=r"no such limit; it has .*spo2\.low"):
        delays.variants(ADULT, delays.sweep("spo2.lo=5"))


def test_a_technical_alarm_has_no_delay_to_sweep():
    with pytest.raises(ConfigurationError, match="no such limit"):
        delays.variants(ADULT, delays.sweep("bed.no_data=5"))
