"""What is known to be true, and how alarms are held against it."""

import datetime as dt

from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from icu_stream.contracts.alerts import Kind, Priority
from icu_stream.errors import ConfigurationError
from icu_stream.evaluation import outcomes
from icu_stream.evaluation.outcomes import HOUR_MS, Hours, Knowledge, Stays
from icu_stream.evaluation.trial import Episode
from icu_stream.sources.readers import UNDATED_MS
from icu_stream.sources.truth import Expected, Truth
from tests.unit.evaluation.past import ms


def episode(code, raised, ended=None, *, kind=Kind.PHYSIOLOGICAL, silent=False):
    """An alarm, in seconds."""
    return Episode(
        code=code,
        kind=kind,
        signal=code.partition(".")[0],
        priority=Priority.MEDIUM,
        onset=ms(raised - 5),
        raised=ms(raised),
        ended=None if ended is None else ms(ended),
        sounds=[] if silent else [ms(raised)],
    )


# --- a simulated ward


def story(**fields):
    usual = {"patient_id": "p-1", "bed": "B", "story": "apnoea", "start": ms(100)}
    must = Expected(
        code="rr.low", priority=Priority.MEDIUM, earliest=ms(114), latest=ms(120)
    )
    return Truth(
        **(usual | {"end": ms(200), "must": [must], "may": ["etco2.*"]} | fields)
    )


def judge(*episodes, **fields):
    told = outcomes.told([story(**fields)], "truth")
    return told.judge("p-1", episodes)


@pytest.mark.parametrize(
    ("raised", "what"),
    [(114, "caught"), (120, "caught"), (121, "late"), (200, "late"), (201, "missed")],
)
def test_an_alarm_that_must_come_is_caught_until_its_latest_moment(raised, what):
    judged = judge(episode("rr.low", raised))

    assert getattr(judged, what) == {"apnoea (medium)": 1}
    assert judged.total == {"apnoea (medium)": 1}


def test_an_alarm_that_was_over_before_it_had_to_come_catches_nothing():
    assert judge(episode("rr.low", 90, 113)).missed == {"apnoea (medium)": 1}


def test_an_alarm_that_came_sooner_and_holds_is_caught():
    judged = judge(episode("rr.low", 105, 160))

    assert judged.caught == {"apnoea (medium)": 1}
    assert judged.lead_ms == {"apnoea (medium)": [-5000]}


def test_a_high_alarm_that_is_raised_weaker_is_missed_until_it_has_risen():
    must = Expected(
        code="rr.apnoea", priority=Priority.HIGH, earliest=ms(114), latest=ms(120)
    )
    weak, risen = (episode("rr.apnoea", 115) for _ in range(2))
    risen.rose.append((ms(140), Priority.HIGH))

    assert judge(weak, must=[must]).missed == {"apnoea (high)": 1}
    assert judge(risen, must=[must]).late == {"apnoea (high)": 1}


def test_alarms_are_right_wrong_or_not_judged_by_the_story_of_their_moment():
    judged = judge(
        episode("rr.low", 115),
        episode("etco2.low", 115),
        episode("hr.high", 150),
        episode("hr.high", 250),
        episode("hr.unusual", 150, kind=Kind.ADVISORY),
    )

    assert judged.right == {"medium": 2}
    assert judged.wrong == {"medium": 1}
    assert judged.unjudged == {"medium": 1}


def test_where_nothing_happens_every_alarm_is_wrong():
    judged = judge(
        episode("hr.high", 9), story="", start=ms(0), end=None, must=[], may=[]
    )

    assert judged.wrong == {"medium": 1}
    assert judged.patients == {"without": 1, "alarmed_without": 1}


def test_nothing_is_said_of_a_patient_of_whom_nothing_is_known():
    told = outcomes.told([story()], "truth")
    hours = Hours(title="", what="sepsis", onsets={})
    stays = Stays(title="", what="death", ill={})

    assert [k.judge("p-2", []) for k in (told, hours, stays)] == [None, None, None]


# --- the hour of an event


ONSET = ms(100_000)


def warned(*seconds_before, onset=ONSET, **more):
    hours = Hours(title="", what="sepsis", onsets={"p-1": onset})
    return hours.judge(
        "p-1", [episode("hr.high", 100_000 - s, **more) for s in seconds_before]
    )


def test_an_alarm_warns_of_what_comes_in_the_twelve_hours_after():
    at_the_edge = warned(12 * 3600, 0)
    too_soon_or_late = warned(12 * 3600 + 1, -1)

    assert at_the_edge.caught == {"sepsis": 1}
    assert at_the_edge.lead_ms == {"sepsis": [12 * HOUR_MS]}
    assert at_the_edge.right == {"medium": 2}
    assert too_soon_or_late.missed == {"sepsis": 1}
    assert too_soon_or_late.wrong == {"medium": 2}


def test_a_failing_sensor_and_what_nobody_hears_are_no_warning():
    assert warned(60, kind=Kind.TECHNICAL).missed == {"sepsis": 1}
    assert warned(60, silent=True).missed == {"sepsis": 1}


def test_every_alarm_of_a_patient_who_did_not_fall_ill_is_followed_by_nothing():
    judged = warned(60, 30, onset=None)

    assert judged.total == {}
    assert judged.wrong == {"medium": 2}
    assert judged.patients == {"without": 1, "alarmed_without": 1}


# --- how a stay ended


@pytest.mark.parametrize(
    ("ill", "episodes", "caught", "missed"),
    [
        (True, [episode("hr.high", 5)], {"death": 1}, {}),
        (True, [], {}, {"death": 1}),
        (False, [episode("hr.high", 5)], {}, {}),
    ],
)
def test_a_stay_is_caught_by_any_audible_alarm(ill, episodes, caught, missed):
    judged = Stays(title="", what="death", ill={"p-1": ill}).judge("p-1", episodes)

    assert (judged.caught, judged.missed) == (caught, missed)
    assert judged.lead_ms == {}


# --- files


def test_deaths_of_physionet_2012_are_found_beside_the_recording(tmp_path: Path):
    (tmp_path / "Outcomes-a.txt").write_text(
        "RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death\n"
        "132539,6,1,5,-1,0\n132540,16,8,8,5,1\n"
    )

    for recording in (tmp_path, tmp_path / "set-a.tar.xz", tmp_path / "132539.txt"):
        known = outcomes.beside(recording)

        assert known.ill == {"pn2012-132539": False, "pn2012-132540": True}
        assert known.knowledge is Knowledge.STAYS
    assert outcomes.beside(tmp_path / "other.csv") is None


def test_the_onset_is_six_hours_after_the_label_begins(tmp_path: Path):
    rows = [(1, h, h >= 3) for h in range(9)] + [(2, h, False) for h in range(2)]
    table = {
        "stay_id": pa.array([stay for stay, _, _ in rows], pa.int32()),
        "time": pa.array([dt.timedelta(hours=h) for _, h, _ in rows], pa.duration("s")),
        "label": [label for _, _, label in rows],
    }
    pq.write_table(pa.table(table), tmp_path / "sepsis_outc.parquet")

    known = outcomes.beside(tmp_path / "sepsis_dyn.parquet")

    assert known.onsets == {"eicu-1": UNDATED_MS + 9 * HOUR_MS, "eicu-2": None}
    assert known.knowledge is Knowledge.HOURS


def test_labels_without_an_hour_say_how_a_stay_ended(tmp_path: Path):
    table = pa.table({"stay_id": [7, 8], "label": [1, 0]})
    pq.write_table(table, tmp_path / "mortality_outc.parquet")

    known = outcomes.read(tmp_path / "mortality_outc.parquet")

    assert known.ill == {"eicu-7": True, "eicu-8": False}


def test_the_truth_that_simulate_wrote_is_read(tmp_path: Path):
    path = tmp_path / "truth.jsonl"
    path.write_bytes(msgspec.json.encode(story()) + b"\n")

    assert outcomes.read(path).by_patient == {"p-1": [story()]}


@pytest.mark.parametrize(
    "text", ["", "hello", "RecordID,nothing\n1,2\n", "PAR1", '{"patient_id": 3}']
)
def test_what_holds_no_outcomes_is_refused(text: str, tmp_path: Path):
    (tmp_path / "file").write_text(text)

    with pytest.raises(ConfigurationError, match="holds no outcomes"):
        outcomes.read(tmp_path / "file")
