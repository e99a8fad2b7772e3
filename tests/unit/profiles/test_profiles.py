"""Profiles: what is shipped is what the page says, and what contradicts is refused."""

import re

from pathlib import Path

import pytest

from icu_stream import profiles
from icu_stream.contracts.signals import BY_CODE, SIGNALS
from icu_stream.domain.limits import Condition, Verdict
from icu_stream.errors import ConfigurationError


ROOT = Path(__file__).parents[3]
ADULT_TOML = ROOT / "icu_stream/profiles/adult.toml"
TEXT = ADULT_TOML.read_text("utf-8")
PAGE = (ROOT / "docs/alarms.md").read_text("utf-8")
ADULT = profiles.load("adult")

# Code, condition, limit, delay_s, priority, deadband: CLINICAL.md, "Default adult limits".
TABLE = """
hr.asystole           zero 0    4  high   2
hr.extreme_low        low  40   5  high   2
hr.extreme_high       high 140  5  high   2
hr.low                low  50   6  medium 2
hr.high               high 120  6  medium 2
spo2.desat            low  80   0  high   1
spo2.low              low  90   15 medium 1
rr.apnoea             zero 0    20 high   1
rr.low                low  8    14 medium 1
rr.high               high 30   14 medium 1
abp_sys.low           low  90   4  medium 3
abp_sys.high          high 160  10 medium 3
abp_mean.extreme_low  low  40   4  high   3
abp_mean.low          low  60   4  medium 3
abp_mean.high         high 110  10 medium 3
nibp_sys.low          low  90   0  medium 3
nibp_sys.high         high 160  0  medium 3
temp.low              low  35.0 0  low    0.1
temp.high             high 39.0 0  low    0.1
etco2.low             low  15   14 medium 2
etco2.high            high 50   14 medium 2
"""


def changed(tmp_path: Path, *pairs: tuple[str, str]) -> str:
    """The path of the adult profile with some text replaced."""
    text = TEXT
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    file = tmp_path / "mine.toml"
    file.write_text(text, "utf-8")
    return str(file)


def refusal(path: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        profiles.load(path)
    return str(caught.value)


# --- what is shipped


def test_the_adult_limits_are_those_of_the_clinical_rules():
    found = [
        [
            row.code,
            row.condition,
            row.limit,
            row.delay_ms / 1000,
            row.priority,
            round(abs(row.inside - row.limit), 6),
        ]
        for row in ADULT.rows.values()
        if row.condition is not None
    ]
    wanted = [
        [code, condition, float(limit), float(delay), priority, float(deadband)]
        for code, condition, limit, delay, priority, deadband in map(
            str.split, TABLE.strip().splitlines()
        )
    ]

    assert found == wanted


def said(pattern: str) -> tuple[str, ...]:
    """The numbers that the page gives in a sentence, blanks taken as one."""
    match = re.search(pattern, re.sub(r"\s+", " ", PAGE))
    assert match, pattern
    return match.groups()


def test_the_numbers_of_the_page_are_those_of_the_profile():
    """docs/alarms.md, by rule."""
    rows = ADULT.rows

    tolerance, intervals = said(r"by more than max\((\d+) s, (\d+) x `interval_s`\)")
    assert (ADULT.clock_ms, ADULT.clock_intervals) == (
        int(tolerance) * 1000,
        int(intervals),
    )
    (steady,) = said(r"skew stays within (\d+) s of the first")
    assert ADULT.clock_steady_ms == int(steady) * 1000
    assert said(r"the (third) suspicious message")
    assert ADULT.clock_messages == 3
    assert said(r"`bed.clock_jump` \(technical, (\w+)\)") == (
        rows["bed.clock_jump"].priority,
    )

    (clear,) = said(r"valid value that comes (\d+) s or more after")
    assert rows["hr.invalid"].clear_ms == int(clear) * 1000
    pressure, window = said(
        r"`abp_sys - abp_dia` >= (\d+), either valid .*? not older than (\d+) s"
    )
    assert ADULT.pulse_pressure == int(pressure)
    assert ADULT.corroboration_ms == int(window) * 1000
    priority, delay = said(r"`hr.ecg_fault` \(technical, (\w+), delay (\d+) s")
    fault = rows["hr.ecg_fault"]
    assert (fault.priority, fault.delay_ms) == (priority, int(delay) * 1000)
    assert fault.delay_ms == rows["hr.asystole"].delay_ms

    (clear,) = said(r"first inside value in a row \+ (\d+) s")
    for row in rows.values():
        if row.condition is not None:
            is_cuff = row.code.startswith("nibp")
            assert row.clear_ms == (0 if is_cuff else int(clear) * 1000), row.code
    assert fault.clear_ms == int(clear) * 1000

    (times,) = said(r"no-data time is max\(the table's, ([\d.]+) x")
    assert ADULT.intervals == float(times)
    bed, times = said(
        r"The bed.\*\* Its no-data time is max\((\d+) s, ([\d.]+) x `interval_s`"
    )
    assert (ADULT.bed_ms, ADULT.intervals) == (int(bed) * 1000, float(times))
    (spoken,) = said(r"spoken at least ([\d.]+) x `interval_s`")
    assert ADULT.spoken_intervals == float(spoken)
    priority, after, to = said(
        r"`bed.no_data` \((\w+), onset = bed due\); (\d+) s later, .*? `escalated` to (\w+)"
    )
    silence = rows["bed.no_data"]
    assert (silence.priority, silence.escalate_ms, silence.escalate_to) == (
        priority,
        int(after) * 1000,
        to,
    )
    assert said(r"(`hr`, `spo2` medium, others low)")
    assert {s.code: rows[f"{s.code}.no_data"].priority for s in SIGNALS} == {
        s.code: "medium" if s.code in {"hr", "spo2"} else "low" for s in SIGNALS
    }
    for signal in SIGNALS:
        invalid = rows[f"{signal.code}.invalid"]
        assert invalid.priority is rows[f"{signal.code}.no_data"].priority

    codes, after, bed_after, remind = said(
        r"Escalation \([^)]*\): ((?:`[\w.]+`(?:, )?)+) (\d+) s and `bed.no_data` (\d+) s "
        r"after `raised`.*? Reminder: (\d+) s after"
    )
    escalates = {
        row.code: row.escalate_ms
        for row in rows.values()
        if row.escalate_ms is not None
    }
    assert escalates == dict.fromkeys(
        re.findall(r"[\w.]+", codes), int(after) * 1000
    ) | {"bed.no_data": int(bed_after) * 1000}
    assert {row.escalate_to for row in rows.values()} == {None, "high"}
    assert ADULT.remind_ms == int(remind) * 1000
    (standing,) = said(r"stated again when (\d+) s have passed")
    assert ADULT.standing_ms == int(standing) * 1000

    (clear,) = said(r"message with a value (\d+) s or more after the last fault")
    assert said(r"`bed.monitoring_fault` \(technical, (\w+),") == (
        rows["bed.monitoring_fault"].priority,
    )
    assert rows["bed.monitoring_fault"].clear_ms == int(clear) * 1000


def test_every_row_names_its_source():
    assert all(row.source for row in ADULT.rows.values())


def test_every_alarm_has_a_place_and_a_signal_that_exists():
    assert [row.rank for row in ADULT.rows.values()] == list(range(len(ADULT.rows)))
    assert {row.signal for row in ADULT.rows.values()} == {None, *BY_CODE}


def test_a_profile_says_whom_it_is_for():
    assert (ADULT.name, ADULT.version, ADULT.label) == ("adult", 1, "adult 1")
    assert "18 years" in ADULT.population


def test_a_profile_of_ones_own_is_read_by_its_path(tmp_path):
    rules = profiles.load(changed(tmp_path, ('name = "adult"', 'name = "mine"')))

    assert rules.name == "mine"
    assert rules.rows.keys() == ADULT.rows.keys()


# --- what is refused


def test_a_name_that_is_not_shipped_is_refused_with_those_that_are():
    assert refusal("neonate") == (
        "profile neonate: not among those shipped (adult, adult_spo2_88_92); "
        "to use a file of your own, give its path"
    )


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    assert "none.toml" in refusal(str(tmp_path / "none.toml"))
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    assert "bad.toml" in refusal(str(tmp_path / "bad.toml"))


def test_a_file_that_is_not_toml_is_refused(tmp_path):
    (tmp_path / "bad.toml").write_text("[meta", "utf-8")

    assert "not TOML" in refusal(str(tmp_path / "bad.toml"))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("[standing]", "[standign]", "section standign: unknown"),
        ("every_s = 60", "every_ms = 60", "section standing: .*every_ms"),
        ("every_s = 60", "every_s = 0", "section standing: .*every_s"),
        ('population = "adults, 18 years and older"', "", "section meta: .*population"),
        ("deadband = 2\n", "", "limit hr.asystole: .*deadband"),
        ("delay_s = 5\n", "delay_s = -1\n", "limit hr.extreme_low: .*delay_s"),
        ("limit = 40\n", 'limit = "40"\n', "limit hr.extreme_low: .*limit"),
        ("limit = 40\n", "limit = true\n", "limit hr.extreme_low: .*limit"),
        ("limit = 40\n", "limit = nan\n", "limit hr.extreme_low: limit nan /min"),
        (
            "limit = 40\n",
            "limit = -1\n",
            "limit hr.extreme_low: limit -1 /min is outside",
        ),
        ("limit = 140\n", "limit = 351\n", "limit hr.extreme_high: .*outside"),
        ('priority = "high"\ndeadband', 'priority = "urgent"\ndeadband', "hr.asystole"),
        ("limit = 40\n", "limit = 40\nlatch = true\n", "extreme_low: .*latch"),
        ('code = "hr.low"', 'code = "hr.high"', "limit hr.high: there are two rows"),
        ('code = "hr.low"', 'code = "gcs.low"', "limit gcs.low: unknown signal 'gcs'"),
        ('code = "hr.low"', 'code = "hr low"', "limit hr low: .*code"),
        ('code = "hr.low"', 'code = "hr.invalid"', "technical alarm's"),
        ('code = "hr.low"', 'code = "hr.ecg_fault"', "technical alarm's"),
        ("limit = 40\n", "limit = 55\n", "limit hr.low: .* swap the limits"),
        ("limit = 140\n", "limit = 110\n", "limit hr.high: .* swap the limits"),
        ("limit = 90\n", "limit = 79\n", "limit spo2.low: .* swap the limits"),
        ("limit = 50\n", "limit = 118\n", "limit hr.low: .* leaves nothing inside"),
        ("limit = 0\n", "limit = 1\n", "limit hr.asystole: a zero has limit 0"),
        ("deadband = 2\n", "deadband = 0\n", "limit hr.asystole: a zero has limit 0"),
        ("limit = 140\n", "limit = 1\n", "limit hr.extreme_high: no value is inside"),
        (
            'code = "bed.no_data"',
            'code = "bed.none"',
            "technical bed.none: there is no",
        ),
        ('code = "*.invalid"', 'code = "hr.invalid"', r"technical \*.invalid: missing"),
        (
            'code = "*.no_data"\npriority = "low"\n',
            'code = "*.no_data"\n',
            r"technical \*.no_data: priority missing",
        ),
        (
            'code = "spo2.low"\nafter',
            'code = "spo2.lo"\nafter',
            "escalation spo2.lo: there",
        ),
        (
            'to = "high"',
            'to = "medium"',
            "escalation spo2.low: to medium does not rise",
        ),
        ("messages = 3", "messages = 0", "section clock: .*messages"),
        ("longest_s = 120", "longest_s = 601", "section pause: .*longest_s"),
        ('"bed.news2_single"', '"bed.news2_double"', "news2 bed.news2_double"),
        ("points = 3", "points = 4", "news2 bed.news2_single: no input has 4"),
        ("points = 5", "points = 7", "news2 bed.news2_urgent: 7 points are not"),
        ("points = 7", "points = 0", "news2 bed.news2_emergency: .*points"),
        (
            'points = 7\npriority = "high"',
            'points = 7\npriority = "low"',
            "news2 bed.news2_urgent: it is stronger than bed.news2_emergency",
        ),
        ('code = "sepsis"', 'code = "wealth"', "risk wealth: there is no such model"),
        ("bound = 0.6", "bound = 1.1", "section advisory: .*bound"),
        ("buckets = 3", "buckets = 0", "section advisory: .*buckets"),
        ("budget = 6", "budget = -1", "section advisory: .*budget"),
        (
            'priority = "low"\nshadow',
            'priority = "high"\nshadow',
            "section advisory: .*high",
        ),
        ("longest_s = 120", "longest_s = 0.5", "section pause: .*longest_s"),
    ],
)
def test_a_contradiction_names_file_line_row_and_reason(tmp_path, old, new, reason):
    text = refusal(changed(tmp_path, (old, new)))

    assert text.startswith("profile mine.toml, ")
    assert re.search(reason, text), text


def test_the_numbers_of_scores_and_hints_are_those_of_the_profile():
    """docs/alarms.md, rules 32 and 33."""
    rows = ADULT.rows
    for code, pattern in (
        ("bed.news2_single", r"single` \(any input of (\d) points; (\w+)\)"),
        ("bed.news2_urgent", r"urgent` \(>= (\d); (\w+)\)"),
        ("bed.news2_emergency", r"emergency` \(>= (\d); (\w+)\)"),
    ):
        points, priority = said(pattern)
        assert (rows[code].limit, rows[code].priority) == (int(points), priority)
        delay, minutes = said(
            r"with a delay of (\d+) s, over when the score has been below for (\d+) min"
        )
        assert rows[code].delay_ms == int(delay) * 1000
        assert rows[code].clear_ms == int(minutes) * 60_000
    (priority,) = said(r"`bed.unusual` \(advisory, (\w+)\)")
    assert rows["bed.unusual"].priority == priority
    assert said(r"bound in (three) buckets")
    assert ADULT.advisory.buckets == 3
    budget, below = said(
        r"budget \((\d)\) began .*? below half of the bound for (\d+) s"
    )
    assert ADULT.advisory.budget == int(budget)
    assert ADULT.advisory.clear_ms == int(below) * 1000
    assert not ADULT.advisory.is_shadow


def test_a_worker_may_keep_the_hints_of_all_its_profiles_in_shadow():
    rules = profiles.load_all("adult", shadow=True)

    assert {r.advisory.is_shadow for r in rules.profiles.values()} == {True}
    assert not profiles.load_all("adult").advisory.is_shadow


def test_a_ward_that_wants_no_alarms_of_news2_leaves_them_out(tmp_path):
    text = TEXT
    while "[[news2]]" in text:
        start = text.index("[[news2]]")
        end = text.index("\n\n", start)
        text = text[:start] + text[end:]
    (tmp_path / "mine.toml").write_text(text, "utf-8")

    rules = profiles.load(str(tmp_path / "mine.toml"))

    assert rules.news2 == ()
    assert "bed.unusual" in rules.rows


def test_of_the_alarms_of_news2_a_stronger_one_stands_for_a_weaker_one():
    assert [(row.code, row.limit, row.covered_by) for row in ADULT.news2] == [
        ("bed.news2_emergency", 7, ()),
        ("bed.news2_urgent", 5, ("bed.news2_emergency",)),
        ("bed.news2_single", 3, ("bed.news2_emergency", "bed.news2_urgent")),
    ]


def test_a_section_that_is_missing_is_refused(tmp_path):
    text = TEXT[: TEXT.index("[silence]")] + TEXT[TEXT.index("[reminder]") :]
    (tmp_path / "mine.toml").write_text(text, "utf-8")

    assert "section silence: missing" in refusal(str(tmp_path / "mine.toml"))


def test_a_table_instead_of_rows_is_refused(tmp_path):
    text = TEXT[: TEXT.index("[[escalation]]")] + '[escalation]\ncode = "spo2.low"\n'
    (tmp_path / "mine.toml").write_text(text, "utf-8")

    assert "want rows: [[escalation]]" in refusal(str(tmp_path / "mine.toml"))


def test_a_row_that_is_no_table_is_refused_by_its_number(tmp_path):
    text = TEXT[: TEXT.index("[[escalation]]")]
    (tmp_path / "mine.toml").write_text("escalation = [5]\n" + text, "utf-8")

    assert "escalation 1: " in refusal(str(tmp_path / "mine.toml"))


def test_a_weaker_row_before_a_stronger_one_is_refused(tmp_path):
    path = changed(
        tmp_path,
        ('code = "abp_mean.extreme_low"', 'code = "abp_mean.x"'),
        ('code = "abp_mean.low"', 'code = "abp_mean.extreme_low"'),
        ('code = "abp_mean.x"', 'code = "abp_mean.low"'),
        (
            'limit = 40\ndelay_s = 4\npriority = "high"',
            'limit = 40\ndelay_s = 4\npriority = "low"',
        ),
    )

    assert "stronger than abp_mean.low: put it before" in refusal(path)


# --- rules that are added

ADDED = """
[[rule]]
code = "hr.planted"
function = "tests.unit.profiles.test_profiles:planted"
signals = ["hr", "abp_sys"]
priority = "medium"
kind = "physiological"
delay_s = 5
clear_s = 5
words = "planted"
source = "a test"
"""


def planted(view, vitals, time):
    return Verdict.VIOLATED


def with_rule(tmp_path: Path, *pairs: tuple[str, str]) -> str:
    rule = ADDED
    for old, new in pairs:
        assert old in rule
        rule = rule.replace(old, new)
    file = tmp_path / "mine.toml"
    file.write_text(TEXT + rule, "utf-8")
    return str(file)


def test_a_rule_can_be_added_by_the_name_of_its_function(tmp_path):
    rules = profiles.load(with_rule(tmp_path))

    (rule,) = rules.added
    assert rule.decide(None, None, 0) is Verdict.VIOLATED
    assert rules.rows["hr.planted"].delay_ms == 5000
    assert rules.rows["hr.planted"].rank == len(rules.rows) - 1
    assert rules.rows["hr.planted"].condition is None
    assert not any(row.condition is Condition.ZERO for row in rules.limits["temp"])


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("hr.planted", "hr.low", "there is an alarm of this code"),
        ("hr.planted", "abp_sys.planted", "want hr.<condition>"),
        ('"abp_sys"]', '"gcs"]', "unknown signal 'gcs'"),
        (":planted", ":nothing", "nothing"),
        ("tests.unit.profiles.test_profiles", "no_such_module", "no_such_module"),
        (":planted", "", "function"),
        ('["hr", "abp_sys"]', "[]", "signals"),
    ],
)
def test_a_wrong_added_rule_is_refused(tmp_path, old, new, reason):
    text = refusal(with_rule(tmp_path, (old, new)))

    assert re.match(r"profile mine.toml, line \d+, rule ", text)
    assert reason in text


# --- where it stands


def line_of(text: str, wanted: str) -> int:
    return text[: text.index(wanted)].count("\n") + 1


def test_a_refusal_names_the_line_of_the_row(tmp_path):
    path = changed(tmp_path, ("limit = 39.0", "limit = 35.1"))
    line = line_of(Path(path).read_text(), 'code = "temp.low"')

    assert refusal(path) == (
        f"profile mine.toml, line {line}, limit temp.low: the low limit 35 with its "
        "deadband of 0.1 leaves nothing inside the high limit 35.1 of temp.high"
    )


def test_a_row_that_is_there_twice_is_refused_at_the_second(tmp_path):
    text = TEXT + '\n[[escalation]]\ncode = "rr.low"\nafter_s = 1\nto = "high"\n'
    text += 'source = "x"\n'
    (tmp_path / "mine.toml").write_text(text, "utf-8")

    line = text[: text.rindex('code = "rr.low"')].count("\n") + 1
    assert f"line {line}, escalation rr.low: " in refusal(str(tmp_path / "mine.toml"))


# --- ranges for one patient


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("range = [80, 95]", "range = [91, 95]", "spo2.low: limit 90 is outside its"),
        ("longest_delay_s = 4", "longest_delay_s = 3", "hr.asystole: delay 4 s is"),
        ("longest_delay_s = 4", "range = [0, 1]", "hr.asystole: a zero has no range"),
        ("range_source = ", "words = ", "hr.asystole: .*words"),
    ],
)
def test_a_range_that_contradicts_its_row_is_refused(tmp_path, old, new, reason):
    assert re.search(reason, refusal(changed(tmp_path, (old, new))))


def test_a_range_without_a_source_is_refused(tmp_path):
    start = TEXT.index("range_source")
    text = TEXT[:start] + TEXT[TEXT.index("\n", start) + 1 :]
    (tmp_path / "mine.toml").write_text(text, "utf-8")

    assert "hr.asystole: range_source missing" in refusal(str(tmp_path / "mine.toml"))


def test_every_limit_says_within_what_one_patient_may_have_it():
    for row in ADULT.rows.values():
        if row.condition is not None:
            assert row.longest_delay_ms is not None, row.code
            assert (row.range is None) is (row.condition == "zero"), row.code


# --- a profile on another


def on_adult(tmp_path: Path, rows: str) -> str:
    text = 'base = "adult"\n\n[meta]\nname = "mine"\nversion = 2\npopulation = "ours"\n'
    (tmp_path / "mine.toml").write_text(text + rows, "utf-8")
    return str(tmp_path / "mine.toml")


def test_the_profile_for_a_target_of_88_to_92_differs_in_one_limit():
    """BTS guideline for oxygen use in adults, 2017; NEWS2 SpO2 scale 2."""
    rules = profiles.load("adult_spo2_88_92")

    moved = {c for c, row in rules.rows.items() if row != ADULT.rows[c]}
    assert moved == {"spo2.low"}
    assert rules.rows["spo2.low"].limit == 88
    assert "BTS" in rules.rows["spo2.low"].source
    assert rules.quiet["spo2"] == (88, 100)


def test_a_row_on_a_base_replaces_what_it_names_and_a_new_one_comes_last(tmp_path):
    rows = """
[[limit]]
code = "rr.high"
limit = 35
source = "ours, a test"

[[limit]]
code = "cvp.high"
condition = "high"
limit = 20
delay_s = 30
priority = "low"
deadband = 2
clear_s = 5
source = "ours, a test"
"""

    rules = profiles.load(on_adult(tmp_path, rows))

    assert (rules.rows["rr.high"].limit, rules.rows["rr.high"].delay_ms) == (35, 14_000)
    assert [row.code for row in rules.limits["cvp"]] == ["cvp.high"]
    assert rules.label == "mine 2"


def test_what_a_base_makes_contradictory_names_file_and_line_of_its_own(tmp_path):
    path = on_adult(
        tmp_path, '[[limit]]\ncode = "hr.low"\nlimit = 39\nsource = "ours, a test"\n'
    )

    assert refusal(path).startswith("profile mine.toml, line 8, limit hr.low: ")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ('[[limit]]\ncode = "hr.low"\nlimit = 45\n', "limit hr.low: source missing"),
        ("[[limit]]\nlimit = 45\n", "limit 1: want one row with a code"),
        ("[oxygen]\n", "line 7, section oxygen: unknown"),
    ],
)
def test_a_row_on_a_base_that_is_not_whole_is_refused(tmp_path, rows, reason):
    assert reason in refusal(on_adult(tmp_path, rows))


@pytest.mark.parametrize("base", ['"neonate"', "1"])
def test_a_base_that_is_none_is_refused(tmp_path, base):
    (tmp_path / "mine.toml").write_text(f"base = {base}\n", "utf-8")

    assert "profile " in refusal(str(tmp_path / "mine.toml"))


def test_a_profile_on_itself_is_refused(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(f'base = "{file}"\n', "utf-8")

    assert "want the name of a profile that has none" in refusal(str(file))


# --- all of a worker's


def test_a_worker_knows_the_shipped_profiles_and_its_own(tmp_path):
    own = changed(tmp_path, ('name = "adult"', 'name = "mine"'))

    rules = profiles.load_all(own)

    assert rules.name == "mine"
    assert set(rules.profiles) == {"mine", "adult", "adult_spo2_88_92"}
    assert rules.profiles["mine"] is rules
    assert rules.profiles["adult"].profiles is rules.profiles


def test_a_profile_of_ones_own_stands_for_the_shipped_one_of_its_name(tmp_path):
    rules = profiles.load_all(changed(tmp_path, ("version = 1", "version = 9")))

    assert rules.profiles["adult"].label == "adult 9"


def test_profiles_that_judge_clocks_differently_are_refused_together(tmp_path):
    path = changed(tmp_path, ("tolerance_s = 60", "tolerance_s = 30"))

    with pytest.raises(ConfigurationError, match="section clock: differs"):
        profiles.load_all(path)
