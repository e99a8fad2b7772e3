"""Every language says all, with the same fields, and what is asked for exists."""

import re

import pytest

from icu_stream.ward import catalogue
from icu_stream.ward.wording import Words
from tests.kafka import ROOT


WARD = ROOT / "icu_stream" / "ward"
OTHERS = catalogue.LANGUAGES[1:]
# `say("bar.lost")`, `say('bar.lost')`; a key that is put together is not looked for.
ASKED = re.compile(r"""\bsay\(\s*["']([a-z0-9_.-]+)["']""")


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_the_keys_and_fields_of_the_reference(language: str):
    reference, other = catalogue.words("en"), catalogue.words(language)

    assert set(other) == set(reference)
    assert {
        key: (catalogue.fields(text), catalogue.fields(other[key]))
        for key, text in reference.items()
        if catalogue.fields(text) != catalogue.fields(other[key])
    } == {}


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_every_word_is_a_text_and_the_short_ones_have_six_characters(language: str):
    words = catalogue.words(language)

    assert [key for key, text in words.items() if not text.strip()] == []
    assert {
        key: text
        for key, text in words.items()
        if key.startswith("alarm.") and key.endswith(".short") and len(text) > 6
        if not catalogue.fields(text)
    } == {}


def test_one_and_many_are_a_pair_in_every_language():
    keys = catalogue.words("en")

    for key in keys:
        if key.endswith(".one"):
            assert key.removesuffix("one") + "many" in keys


def test_each_word_that_the_ward_asks_for_exists():
    known = catalogue.words("en")

    missing = [
        f"{path.name}: {key}"
        for path in [*WARD.rglob("*.py"), *WARD.rglob("*.js")]
        for key in ASKED.findall(path.read_text("utf-8"))
        if key not in known and f"{key}.many" not in known
    ]

    assert missing == []


def test_what_a_browser_gets_holds_the_words_and_ends_no_script():
    script = Words("de").script()

    assert '"bar.complete":"Alarme vollständig, {at}"' in script
    assert "</" not in script
