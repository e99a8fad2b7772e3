"""Codes and units: every listed one is understood, and nothing else."""

import pytest

from icu_stream.contracts import observations, signals
from icu_stream.gateways import codes
from icu_stream.gateways.codes import Coding, Meaning, Refusal, System
from tests.kafka import ROOT


def mdc(code: str, name: str = "") -> Coding:
    return Coding(System.MDC, code, name)


def loinc(code: str) -> Coding:
    return Coding(System.LOINC, code)


@pytest.mark.parametrize("row", codes.MDC, ids=lambda row: row.names[0])
def test_each_term_is_known_by_number_and_by_each_of_its_names(row):
    by_number = codes.meaning([mdc(str(row.number))])

    assert isinstance(by_number, Meaning)
    assert by_number.code == row.signal
    for name in row.names:
        assert codes.meaning([mdc("0", name)]) == by_number
        assert codes.meaning([mdc(str(row.number), name)]) == by_number


def test_numbers_and_names_of_terms_are_each_of_one_row():
    numbers = [row.number for row in codes.MDC]
    names = [name for row in codes.MDC for name in row.names]

    assert len(numbers) == len(set(numbers))
    assert len(names) == len(set(names))
    # Partition 2 of ISO/IEEE 11073-10101, metrics, from 2 x 65536.
    assert all(n >> 16 == 2 for n in numbers)
    assert all(u.number is None or u.number >> 16 == 4 for u in codes.UNITS)


@pytest.mark.parametrize("signal", signals.SIGNALS, ids=lambda row: row.code)
def test_each_signal_has_a_term_a_unit_and_a_loinc_code_that_come_back(signal):
    unit = codes.mdc_unit(signal.code)

    sent = [*codes.loinc(signal.code), codes.mdc(signal.code)]

    found = codes.meaning(sent)
    assert isinstance(found, Meaning)
    assert (found.code, found.unit) == (signal.code, signal.unit)
    assert codes.in_unit(1.5, [unit], signal.unit) == 1.5


@pytest.mark.parametrize(
    "row",
    # The code of sao2 is a general one, see below.
    [row for row in observations.OBSERVATIONS if row.loinc and row.code != "sao2"],
    ids=lambda row: row.code,
)
def test_what_is_charted_is_known_by_its_own_loinc_and_unit(row):
    found = codes.meaning([loinc(row.loinc)])

    assert isinstance(found, Meaning)
    assert (found.code, found.unit) == (row.code, row.unit)
    assert codes.in_unit(2.5, [Coding(System.UCUM, row.unit)], row.unit) == 2.5


@pytest.mark.parametrize(
    ("codings", "meant"),
    [
        ([loinc("8480-6")], "nibp_sys"),
        ([loinc("8480-6"), loinc("76215-3")], "abp_sys"),
        ([loinc("8867-4")], "hr"),
        ([loinc("8867-4"), loinc("8889-8")], "pulse"),
        ([loinc("2708-6"), loinc("59408-5")], "spo2"),
        ([mdc("150017"), loinc("76215-3")], "abp_sys"),
        ([mdc("99999999"), loinc("9279-1")], "rr"),
        ([mdc("147842", "MDC_A_NAME_OF_LATER")], "hr"),
    ],
)
def test_a_more_exact_code_decides(codings, meant):
    found = codes.meaning(codings)

    assert isinstance(found, Meaning)
    assert found.code == meant


@pytest.mark.parametrize(
    ("codings", "refusal"),
    [
        ([], Refusal.UNKNOWN),
        ([mdc("150488", "MDC_BLD_PERF_INDEX")], Refusal.UNKNOWN),
        ([Coding(System.OTHER, "147842")], Refusal.UNKNOWN),
        ([mdc("147842", "MDC_PULS_OXIM_SAT_O2")], Refusal.CONTRADICTION),
        ([mdc("268224", "MDC_TEMP")], Refusal.CONTRADICTION),
        ([loinc("8480-6"), loinc("9279-1")], Refusal.CONTRADICTION),
        ([loinc("8867-4"), mdc("150456")], Refusal.CONTRADICTION),
        ([loinc("8480-6"), loinc("8462-4")], Refusal.CONTRADICTION),
        ([loinc("2708-6")], Refusal.AMBIGUOUS),
        ([mdc("150017", "MDC_PRESS_BLD_SYS")], Refusal.AMBIGUOUS),
        # A cuff's pulse from minutes ago would hide an asystole.
        ([mdc("149546", "MDC_PULS_RATE_NON_INV")], Refusal.UNKNOWN),
    ],
)
def test_what_is_unknown_contradictory_or_ambiguous_is_refused(codings, refusal):
    assert codes.meaning(codings) is refusal


@pytest.mark.parametrize(
    ("value", "unit", "wanted", "ours"),
    [
        # 98.6 °F is 37 °C, 212 °F is 100 °C, -40 is -40: by definition.
        (98.6, Coding(System.UCUM, "[degF]"), "Cel", 37.0),
        (212.0, mdc("266560", "MDC_DIM_FAHR"), "Cel", 100.0),
        (-40.0, Coding(System.OTHER, "°F"), "Cel", -40.0),
        (310.15, Coding(System.UCUM, "K"), "Cel", 37.0),
        (36.6, mdc("268192", "MDC_DIM_DEGC"), "Cel", 36.6),
        # NIST SP 811: 1 mmHg = 133.3224 Pa; 1 cmH2O = 98.0665 Pa.
        (16.0, mdc("265987", "MDC_DIM_KILO_PASCAL"), "mm[Hg]", 120.0098),
        (13.33224, Coding(System.UCUM, "kPa"), "mm[Hg]", 100.0),
        (160.0, Coding(System.OTHER, "mbar"), "mm[Hg]", 120.0098),
        (10.0, Coding(System.UCUM, "cm[H2O]"), "mm[Hg]", 7.3556),
        (120.0, Coding(System.UCUM, "mm[Hg]"), "mm[Hg]", 120.0),
        (0.0, Coding(System.OTHER, "mmHg"), "mm[Hg]", 0.0),
        (80.0, Coding(System.UCUM, "{beats}/min"), "/min", 80.0),
        (80.0, Coding(System.UCUM, "1/min"), "/min", 80.0),
        (16.0, mdc("264928", "MDC_DIM_RESP_PER_MIN"), "/min", 16.0),
    ],
)
def test_a_value_comes_into_our_unit(value, unit, wanted, ours):
    assert codes.in_unit(value, [unit], wanted) == ours


@pytest.mark.parametrize(
    ("unit", "wanted", "refusal"),
    [
        (Coding(System.OTHER, ""), "/min", Refusal.NO_UNIT),
        (Coding(System.UCUM, "%"), "/min", Refusal.UNKNOWN_UNIT),
        (Coding(System.UCUM, "mm[Hg]"), "Cel", Refusal.UNKNOWN_UNIT),
        # End-tidal CO2 in percent is no pressure without the air's.
        (Coding(System.UCUM, "%"), "mm[Hg]", Refusal.UNKNOWN_UNIT),
        (Coding(System.UCUM, "1"), "%", Refusal.UNKNOWN_UNIT),
        (Coding(System.OTHER, "Pa"), "mm[Hg]", Refusal.UNKNOWN_UNIT),
        (mdc("266016", "MDC_DIM_KILO_PASCAL"), "mm[Hg]", Refusal.UNKNOWN_UNIT),
        (mdc("268224", "MDC_DIM_FAHR"), "Cel", Refusal.UNKNOWN_UNIT),
    ],
)
def test_another_unit_is_refused_and_never_guessed(unit, wanted, refusal):
    assert codes.in_unit(1.0, [unit], wanted) is refusal


def test_the_documented_table_is_that_of_the_code():
    text = (ROOT / "docs" / "gateways.md").read_text()

    assert codes.page() in text, f"want:\n{codes.page()}"
