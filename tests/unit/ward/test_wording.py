import pytest

from icu_stream.contracts.alerts import Alert, Event, Explanation, Kind, Priority, State
from icu_stream.ward import wording


def alert(code: str, **fields: object) -> Alert:
    signal = code.split(".", maxsplit=1)[0]
    common = {
        "alert_id": f"p:{code}:0",
        "transition": 1,
        "event": Event.RAISED,
        "patient_id": "p",
        "bed": "B1",
        "code": code,
        "kind": Kind.PHYSIOLOGICAL,
        "priority": Priority.MEDIUM,
        "state": State.ACTIVE,
        "annunciate": True,
        "onset": 0,
        "time": 0,
        "text": "",
        "signal": None if signal == "bed" else signal,
    }
    return Alert(**(common | fields))


def test_a_limit_alarm_shows_the_extreme_and_the_limit():
    shown = wording.texts(
        alert("hr.high", value=131, limit=120, explanation=Explanation(extreme=138))
    )

    assert shown == ("HR 138 > 120", "HR 138>120", "HR138")


@pytest.mark.parametrize(
    ("value", "limit", "text"),
    [
        (79.6, 80, "SpO₂ 79.6 < 80"),  # never "80 < 80"
        (79.4, 80, "SpO₂ 79 < 80"),
        (79, 80.5, "SpO₂ 79 < 80.5"),
    ],
)
def test_a_value_never_reads_as_its_limit(value: float, limit: float, text: str):
    assert wording.texts(alert("spo2.low", value=value, limit=limit)).long == text


def test_a_heart_rate_of_zero_is_a_value():
    assert wording.texts(alert("hr.low", value=0, limit=50)).long == "HR 0 < 50"


@pytest.mark.parametrize(
    "code",
    [
        "hr.asystole",
        "rr.apnoea",
        "hr.ecg_fault",
        "bed.no_data",
        "bed.clock_jump",
        "bed.monitoring_fault",
        "spo2.no_data",
        "temp.invalid",
        "abp_mean.extreme_low",
        "nibp_sys.low",
        "etco2.high",
        "news2.band",
        "something.new",
    ],
)
def test_every_alarm_has_three_texts_and_the_short_one_has_six_characters(code: str):
    long, medium, short = wording.texts(alert(code, value=39.25, limit=140))

    assert long
    assert len(medium) <= len(long)
    assert 0 < len(short) <= 6


@pytest.mark.parametrize(
    ("who", "letters"),
    [("RN Okafor", "RO"), ("jane.doe@ward-3", "JDW"), ("nurse-12", "N1"), ("x", "X")],
)
def test_a_person_is_shown_by_initials(who: str, letters: str):
    assert wording.initials(who) == letters


@pytest.mark.parametrize(
    ("code", "fields", "long", "short"),
    [
        ("bed.news2_urgent", {"value": 6}, "NEWS2 6", "NEWS6"),
        ("bed.news2_emergency", {"value": 12}, "NEWS2 12", "NEWS12"),
        ("bed.news2_single", {}, "NEWS2 high", "NEWS2"),
        ("bed.unusual", {}, "unusual for this patient", "UNUSU"),
        ("hr.lead_off", {}, "HR lead off", "LEAD"),
        ("spo2.searching", {}, "SpO₂ searching", "SEARCH"),
        ("abp_sys.unit", {"value": 16}, "Sys in another unit?", "UNIT ?"),
        ("hr.invalid", {}, "HR invalid", "HR ?"),
    ],
)
def test_every_alarm_has_a_name_on_a_tile(
    code: str, fields: dict[str, object], long: str, short: str
):
    shown = wording.texts(alert(code, **fields))

    assert (shown.long, shown.short) == (long, short)


@pytest.mark.parametrize(
    ("code", "value", "limit", "long", "short"),
    [
        ("abp_mean.low", 58, 60, "MAP 7.7 < 8 kPa", "MAP7.7"),
        ("temp.high", 39.4, 39, "Temp 102.9 > 102.2", "T102.9"),
        ("hr.high", 131, 120, "HR 131 > 120", "HR131"),
    ],
)
def test_a_tile_speaks_in_the_units_of_its_ward(
    code: str, value: float, limit: float, long: str, short: str
):
    words = wording.Words(pressure="kPa", temperature="F")

    shown = words.texts(alert(code, value=value, limit=limit))

    assert (shown.long, shown.short) == (long.removesuffix(" kPa"), short)


def test_a_converted_value_never_reads_as_its_limit():
    words = wording.Words("de", pressure="kPa")

    # 59.9 mmHg is 7.986 kPa, and the limit of 60 mmHg is 7.999.
    shown = words.texts(alert("abp_mean.low", value=59.9, limit=60))

    assert shown.long == "MAD 7,99 < 8"


def test_the_sentence_of_the_worker_is_kept_and_the_wards_unit_is_added():
    words = wording.Words(pressure="kPa")
    text = "ABP mean 58 mmHg, below 60 for 4 s"

    pressure = words.sentence(alert("abp_mean.low", value=58, limit=60, text=text))
    rate = words.sentence(alert("hr.high", value=131, limit=120, text="HR 131 /min"))

    assert pressure == f"{text} · 7.7 < 8 kPa"
    assert rate == "HR 131 /min"


@pytest.mark.parametrize(
    ("code", "fields", "texts"),
    [
        ("hr.high", {"value": 131, "limit": 120}, ("HF 131 > 120", "HF131")),
        ("temp.high", {"value": 39.4, "limit": 39}, ("Temp 39,4 > 39", "T39,4")),
        ("hr.asystole", {}, ("ASYSTOLIE", "ASYST")),
        ("spo2.no_data", {}, ("SpO₂ keine Daten", "O₂ —")),
        ("bed.no_data", {}, ("keine Daten vom Bett", "KEINE")),
        ("hr.lead_off", {}, ("HF Elektrode ab", "ELEKTR")),
        ("abp_sys.extreme_low", {}, ("Sys sehr tief", "Sys se")),
    ],
)
def test_a_german_ward_reads_german(
    code: str, fields: dict[str, object], texts: tuple[str, str]
):
    shown = wording.Words("de").texts(alert(code, **fields))

    assert (shown.long, shown.short) == texts


def test_times_are_those_of_the_ward_in_every_language():
    noon = 1_764_072_000_000  # 2025-11-25 12:00 UTC

    german = wording.Words("de", time_zone="Europe/Berlin")
    english = wording.Words("en", time_zone="America/New_York")

    assert german.moment(noon) == "25.11.2025 13:00"
    assert english.moment(noon) == "25/11/2025 07:00"
    assert german.hhmmss(noon) == "13:00:00"
