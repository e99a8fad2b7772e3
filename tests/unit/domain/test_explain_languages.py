"""Every sentence in every language, and the page that a clinician reviews."""

import dataclasses

from typing import get_args

import pytest

from icu_stream import profiles
from icu_stream.contracts.signals import BY_CODE
from icu_stream.domain import catalogue, explain, news2, notes
from icu_stream.domain.catalogue import LANGUAGES
from icu_stream.settings import Settings
from tests.kafka import ROOT
from tests.unit.domain import sentences
from tests.unit.domain.bed import Bed, ms


ENGLISH = LANGUAGES["en"]
GERMAN = profiles.load("adult", "de")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_every_entry_with_the_same_fields(language):
    assert catalogue.differences(LANGUAGES[language], ENGLISH) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_names_every_signal_every_input_and_every_reason(language):
    words = LANGUAGES[language]

    assert words.signals.keys() == BY_CODE.keys()
    assert set(words.inputs) == set(news2.INPUTS)
    assert set(words.reasons) == set(notes.Reason)
    assert len(set(words.signals.values())) == len(words.signals)


def test_a_language_that_lacks_something_is_told_what():
    broken = dataclasses.replace(
        LANGUAGES["de"],
        lasting=" seit {ms}",
        unseen="",
        signals={c: n for c, n in LANGUAGES["de"].signals.items() if c != "cvp"}
        | {"gcs": "GCS"},
    )

    assert catalogue.differences(broken, ENGLISH) == [
        "signals.cvp: missing",
        "signals.gcs: not in the reference",
        "lasting: fields ['ms'], want ['duration']",
        "unseen: '' is no text",
    ]


def test_the_languages_that_can_be_set_are_those_that_are_there():
    allowed = Settings.model_fields["language"].annotation

    assert set(get_args(allowed)) == set(LANGUAGES)


def test_the_page_of_all_sentences_is_as_the_catalogues_say():
    page = (ROOT / "docs/texts.md").read_text()

    assert page == sentences.page(), (
        "run: python -m tests.unit.domain.sentences > docs/texts.md"
    )


def test_a_german_nurse_reads_german():
    bed = Bed(GERMAN)
    for minute in range(40):
        bed.at(60 * minute, interval_s=60, spo2=96, temp=37.4)
    bed.every_second(2400, 2418, spo2=84, temp=37.4)
    bed.acknowledge(2420, "spo2.low")
    bed.at(2421, spo2=84, temp=39.25)

    assert [a.text for a in bed.alerts] == [
        "SpO₂ 84 %, unter 90 seit 15 s (sonst 96)",
        "SpO₂ unter 90 seit 20 s, tiefster Wert 84 (sonst 96), quittiert von nurse",
        "Temp 39,2 °C, über 39,0 (sonst 37,4)",
    ]
    data = bed.alerts[0].explanation
    assert data.rule == "SpO₂ unter 90 % für 15 s"
    assert data.limit_source.endswith(
        "; hier ist niemand aufgenommen: Profil für adults, 18 years and older"
    )


def test_the_language_changes_words_and_nothing_else():
    beds = {language: Bed(profiles.load("adult", language)) for language in LANGUAGES}
    for bed in beds.values():
        bed.every_second(0, 20, spo2=84, hr=999)
        bed.ask(21, "pause", reason="suctioning")
        bed.ask(22, "signal_off", signal="hr")
        bed.tick(200)

    def data(bed):
        return [
            (a.code, a.event, a.time, a.value, a.annunciate, a.explanation.usual)
            for a in bed.alerts
        ]

    assert data(beds["de"]) == data(beds["en"])
    assert all(
        one.text != other.text
        for one, other in zip(beds["de"].alerts, beds["en"].alerts, strict=True)
    )


def test_a_limit_of_ones_own_says_whose_hand_and_until_when_in_utc():
    source = explain.own_source(
        GERMAN, by="dr.brown", since_ms=ms(0), until_ms=ms(3600), reason="COPD"
    )

    assert source == (
        "eigene Grenze dieses Patienten, gesetzt von dr.brown am 14.11.2023 23:00 UTC "
        "bis 15.11.2023 00:00 UTC: COPD"
    )


def test_a_moment_that_no_calendar_has_is_said_all_the_same():
    source = explain.own_source(
        GERMAN, by="dr.brown", since_ms=-(2**60), until_ms=2**60, reason="?"
    )

    assert "am 01.01.1970 00:00 UTC bis 31.12.9999 23:59 UTC" in source
