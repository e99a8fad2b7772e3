"""What holds of every sentence, whatever alarm, event, value and language.

Alarms are made by hand, so that values and spans come together that no short log brings
about: a sentence must not fail, ever, or an alarm would go unsaid.
"""

import re

from typing import Any

import msgspec

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icu_stream.contracts.alerts import Alert, Event, Priority, State
from icu_stream.contracts.signals import BY_CODE
from icu_stream.domain import explain
from icu_stream.domain.alarm import TRANSITIONS
from icu_stream.domain.catalogue import LANGUAGES
from icu_stream.domain.limits import Condition, Row, Verdict, verdict
from icu_stream.domain.notes import Reason
from tests.unit.domain import sentences
from tests.unit.domain.sentences import Case


RULES = {language: sentences.rules(language) for language in LANGUAGES}
PATIENTS = [sentences.a_patient(), sentences.a_patient(known=False)]
ROWS = sentences.all_rows()
CODES = list(ROWS)
LIMITS = [row for row in ROWS.values() if row.condition is not None]
DAY_S = 86_400

many = settings(
    deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow]
)
languages = st.sampled_from(sorted(LANGUAGES))
# By whom and why, as people write it, without the end of a sentence.
names = st.text("abcdefghij.-_@ äöü", min_size=1, max_size=128).map(str.strip)
plain = st.text("abcdefghij äöü,-/", max_size=250)
reasons = st.one_of(
    st.just(""),
    st.sampled_from(list(Reason)),
    plain,
    plain.map(lambda text: f"{Reason.DISCHARGED}: {text}"),
)
wild = st.text(max_size=300)
SHAPES: dict[str, Any] = {
    "bed.news2": st.lists(
        st.sampled_from(
            ["rr=3", "spo2=3", "on_oxygen=2", "sys=3", "acvpu=3", "temp=2"]
        ),
        unique=True,
    ).flatmap(
        lambda pairs: st.integers(0, 7).map(lambda n: " ".join([str(n), *pairs]))
    ),
    "bed.unusual": st.sampled_from(
        ["", "hr", "rr hr spo2", "temp gcs", "abp_mean cvp"]
    ),
    "bed.two_devices": st.sampled_from(["spo2\ta\tb", "nibp_mean\t" + "x" * 90, ""]),
    "bed.pause": st.sampled_from(["", f"{2**50}\t{'x' * 128}\t{'y' * 200}"]),
}


@st.composite
def cases(draw: st.DrawFn, codes: list[str], notes: Any = None) -> Case:
    """An alarm after any transition that the table has."""
    code = draw(st.sampled_from(codes))
    (_, event), state = draw(st.sampled_from(sorted(TRANSITIONS.items(), key=str)))
    shape = SHAPES.get(code.rpartition("_")[0] if "news2" in code else code, plain)
    value = draw(values(ROWS[code]))
    seconds = draw(st.floats(0, 400 * DAY_S))
    return Case(
        "",
        code,
        event,
        state,
        seconds,
        draw(st.none() | names),
        draw(reasons if notes is None else notes),
        {
            "value": value,
            "extreme": draw(st.none() | values(ROWS[code])),
            "note": draw(shape if notes is None else notes),
            "priority": draw(st.sampled_from(list(Priority))),
            "ended": draw(st.sampled_from([0, 1, sentences.ms(sentences.NOW)])),
        },
        draw(st.sampled_from([0, 5, 90, DAY_S])),
    )


def values(row: Row) -> Any:
    """Values of its signal: near its limit, anywhere, or (no limit) none or absurd."""
    if row.code.endswith(".unit"):
        return st.floats(2, 35)
    if row.condition is None:
        return st.none() | st.floats(allow_nan=False, allow_infinity=False)
    signal, limit = BY_CODE[row.signal or ""], row.limit or 0.0
    near = st.sampled_from([0, 1e-12, 1e-7, 0.04, 0.05, 0.4, 0.5, 0.6, 2]).flatmap(
        lambda step: st.sampled_from([limit - step, limit + step])
    )
    return st.one_of(near, st.floats(signal.low, signal.high)).filter(
        lambda value: signal.low <= value <= signal.high
    )


def numbers(text: str, language: str) -> list[float]:
    """The numbers in a sentence, units and names aside."""
    bare = re.sub("SpO₂|etCO₂|FiO₂|NEWS2", "", text)
    if language == "de":
        bare = re.sub(r"(\d),(\d)", r"\1.\2", bare)
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", bare)]


def told(case: Case, language: str, patient: int = 0) -> Alert:
    return sentences.told(case, language, PATIENTS[patient], RULES[language])


@many
@given(cases(CODES), languages, st.sampled_from([0, 1]))
def test_a_text_is_one_short_printable_sentence(case, language, patient):
    alert = told(case, language, patient)

    assert 0 < len(alert.text) <= explain.LONGEST
    assert alert.text.isprintable()
    assert alert.text == alert.text.strip() or alert.text.endswith(" ")
    written_by_people = case.by or "" + case.reason + str(case.fields["note"])
    if ". " not in written_by_people:
        assert not re.search(r"[.!?] ", alert.text)
    assert "{" not in alert.text + alert.explanation.rule
    assert msgspec.json.encode(alert) == msgspec.json.encode(
        told(case, language, patient)
    )


@many
@given(cases(CODES, notes=wild), languages)
def test_nothing_that_people_or_devices_write_breaks_a_sentence(case, language):
    alert = told(case, language)

    assert 0 < len(alert.text) <= explain.LONGEST
    assert alert.text.isprintable()


@many
@given(cases([row.code for row in LIMITS]), languages, st.sampled_from([0, 1]))
def test_a_limit_is_told_with_value_limit_duration_and_usual(case, language, patient):
    rules = RULES[language]
    row, words = rules.rows[case.code], LANGUAGES[language]
    alert = told(case, language, patient)
    signal = BY_CODE[row.signal or ""]
    found = numbers(alert.text.partition(" (")[0], language)

    assert alert.text.startswith(words.signals[signal.code])
    assert row.limit in found
    lasted = alert.explanation.violation_s
    assert lasted is not None
    if row.delay_ms or case.event is not Event.RAISED:
        assert explain.duration(round(lasted * 1000), language) in alert.text
    usual = alert.explanation.usual
    if usual is not None:
        shown = numbers(alert.text.split(words.usual.partition("{")[0])[1], language)[0]
        assert abs(shown - usual) <= 10**-signal.digits
    assert (usual is None) == (patient == 1)


def _is_shown(case: Case) -> bool:
    """Does the sentence begin with the value?"""
    is_over = case.state in {State.CLEARED, State.LATCHED}
    return is_over or case.event is Event.RAISED


@many
@given(
    cases([row.code for row in LIMITS if row.condition is not Condition.ZERO]).filter(
        _is_shown
    ),
    languages,
)
def test_a_value_is_never_rounded_onto_or_over_its_limit(case, language):
    row, words = RULES[language].rows[case.code], LANGUAGES[language]
    limit, value = row.limit or 0.0, case.fields["value"]
    text = told(case, language).text
    rest = text.removeprefix(words.signals[row.signal or ""])

    shown = numbers(rest, language)[0]

    assert (shown < limit, shown > limit) == (value < limit, value > limit)
    is_violated = verdict(row, value) is Verdict.VIOLATED
    assert is_violated is (verdict(row, shown) is Verdict.VIOLATED)
    assert abs(shown - value) <= 0.5 * 10 ** -BY_CODE[row.signal or ""].digits + 1e-6


@many
@given(cases([row.code for row in LIMITS]))
def test_german_numbers_have_a_comma_and_english_ones_a_point(case):
    case = case._replace(by=None, reason="")

    assert not re.search(r"\d\.\d", told(case, "de").text)
    assert not re.search(r"\d,\d", told(case, "en").text)


@many
@given(cases(CODES))
def test_languages_say_the_same(case):
    """The same numbers of a limit, in any order, in other words."""
    row = ROWS[case.code]
    german, english = told(case, "de"), told(case, "en")

    assert german.text != english.text
    if row.condition is not None:
        case = case._replace(by=None, reason="")
        one, other = told(case, "de").text, told(case, "en").text
        assert sorted(numbers(one, "de")) == sorted(numbers(other, "en"))
