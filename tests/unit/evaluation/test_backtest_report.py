"""The report: one file, complete, and nothing in it that could run or be fetched."""

import re

from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from rich.console import Console

from icu_stream import profiles
from icu_stream.contracts.commands import CommandType
from icu_stream.evaluation import backtest, console, delays, findings, outcomes, report
from icu_stream.evaluation.logs import Unreadable
from icu_stream.evaluation.outcomes import Hours, Stays
from tests.unit.evaluation.past import Past, ms


ADULT = profiles.load("adult")
(CALM,) = delays.variants(ADULT, delays.sweep("spo2.low=30"))
GOOD = {"hr": 80, "spo2": 97, "rr": 16}
HOUR = 3600
VOID = {"meta", "br", "link", "img"}


class Reader(HTMLParser):
    """Every element, and that each is closed where it must be."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def desaturated(patient: str = "p-1", seconds: int = 20) -> Past:
    past = Past().every(range(60), patient=patient, **GOOD)
    bad = range(60, 60 + seconds)
    past.every(bad, patient=patient, **(GOOD | {"spo2": 85}))
    return past.every(range(60 + seconds, 200), patient=patient, **GOOD)


def charted() -> Past:
    past = Past()
    for hour in range(30):
        past.at(hour * HOUR, interval_s=HOUR, hr=80, spo2=85 if 10 < hour < 20 else 97)
    return past


def run(log, **options):
    return backtest.run(log, [ADULT, CALM], processes=1, **options)


def words(result) -> str:
    return " ".join(" ".join(read(report.html(result)).text).split())


def test_it_is_one_whole_file_that_fetches_and_runs_nothing():
    result = run(
        desaturated(),
        sweeps=[delays.scale("0,1,2"), delays.sweep("*=0,14,19")],
        outcomes=Stays(title="deaths", what="death", ill={"p-1": True}),
    )

    html = report.html(result)

    reader = read(html)
    assert result.strips
    tags = {tag for tag, _ in reader.elements}
    assert {"table", "svg", "polyline"} <= tags
    assert not tags & {"script", "link", "img", "iframe", "object"}
    for tag, attributes in reader.elements:
        assert not {"src", "href"} & attributes.keys(), tag
        assert not any(name.startswith("on") for name in attributes), tag
    assert not re.search(r"https?:|@import|url\(", html)
    for drawing in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        ET.fromstring(drawing)  # noqa: S314 - our own
    assert "nan" not in html


def test_a_patients_name_is_text_and_nothing_else():
    html = report.html(run(desaturated("p<script>alert('1')</script>&\"")))

    assert "<script>" not in html
    assert "p&lt;script&gt;" in html


def test_it_says_what_differs_between_the_profiles_and_what_became_of_alarms():
    told = words(run(desaturated()))

    assert "below 90 % for 15 s, medium below 90 % for 30 s, medium" in told
    assert "spo2.low not alarmed under adult 1 (2) patient p-1" in told


def test_profiles_that_do_not_differ_have_no_examples():
    result = backtest.run(desaturated(), [ADULT, ADULT], processes=1)

    assert "No alarm of any patient is different." in words(result)


def test_one_profile_alone_is_reported_without_comparison():
    result = backtest.run(desaturated(), [ADULT], processes=1)

    told = words(result)
    assert "What-if: adult 1 " in told
    assert "Examples that changed" not in told


def test_charted_data_cannot_show_lengths_of_delays_and_says_so():
    result = backtest.run(
        charted(), [ADULT], processes=1, sweeps=[delays.sweep("spo2.low=0,5,600")]
    )

    told = words(result)

    assert "mostly an hour or more, longer than any delay" in told
    # That is what it says: any delay means the second value in a row.
    onset = ms(11 * HOUR)
    zero, short, long = (p.tally.codes["spo2.low"] for p in result.curves[0].points)
    end = ms(20 * HOUR)
    assert zero.holding_ms - HOUR * 1000 == short.holding_ms == long.holding_ms
    assert zero.holding_ms >= end - onset


def test_streamed_data_says_from_which_length_on_delays_can_be_seen():
    assert "mostly 1 s or less between two messages" in words(run(desaturated()))


def test_what_is_not_known_is_said():
    told = words(run(desaturated()))

    assert "It is not known what became of these patients" in told
    assert "Nobody acknowledges anything here" in told
    assert "median lead" not in told
    assert "false alarms, of those judged" not in told


def test_commands_and_a_cut_range_are_told():
    past = desaturated().asked(201, CommandType.PAUSE, seconds=60, reason="washing")
    past.is_live = True

    told = words(run(past))

    assert "1 commands of people" in told
    assert "What was before the range is not known" in told


def test_what_could_not_be_read_is_told():
    past = desaturated()
    past.records.insert(5, Unreadable("partition 0, offset 7: not JSON"))

    result = run(past)

    assert "1 records could not be read" in words(result)
    assert "offset 7: not JSON" in shown(result)


def test_events_missed_are_told_with_their_leads():
    hours = Hours(
        title="sepsis by the hour", what="sepsis", onsets={"p-1": ms(3600), "p-2": None}
    )
    past = desaturated()
    past.every(range(200), patient="p-2", **GOOD)

    told = words(run(past, outcomes=hours))

    assert "sepsis 1 of 1 median 59 min before 0 of 1, 1 missed" in told
    assert "in 1 of 2 stays" in told


def test_the_published_delays_stand_beside_a_curve_of_seconds():
    of_seconds = run(desaturated(), sweeps=[delays.sweep("*=0,14,19")])
    of_scale = run(desaturated(), sweeps=[delays.scale("0,1")])

    assert "Anesth Analg 2009;108:1546" in words(of_seconds)
    assert "Anesth Analg" not in words(of_scale)


def test_delays_that_no_profile_may_have_are_said_to_be_so():
    allowed = run(desaturated(), sweeps=[delays.sweep("spo2.low=0,30")])
    beyond = run(desaturated(), sweeps=[delays.sweep("spo2.*=0,31")])

    assert "no profile may have" not in words(allowed)
    assert "longer than the longest allowed of spo2.desat, spo2.low." in words(beyond)


def test_a_log_without_an_alarm_is_reported():
    result = run(Past().every(range(60), **GOOD))

    assert "0.00" in words(result)
    assert "adult 1 (1)" in shown(result)


def shown(result) -> str:
    terminal = Console(
        width=200, record=True, quiet=False, file=None, force_terminal=False
    )
    with terminal.capture() as captured:
        console.show(result, terminal)
    return captured.get()


def test_the_terminal_says_the_same_figures():
    result = run(
        desaturated(),
        sweeps=[delays.scale("0,1")],
        outcomes=outcomes.told([], "the truth of nothing"),
    )

    told = shown(result)

    for row in findings.key_rows(result):
        line = next(line for line in told.splitlines() if row.name in line)
        assert all(cell in line for cell in row.cells)
    assert "every delay of the profile" in told


@pytest.mark.parametrize("events", [{"worsened": 3}, {"paused": 1, "resumed": 1}])
def test_events_that_nobody_knew_of_are_reported_by_their_name(events):
    result = run(desaturated())
    result.profiles[0].tally.codes["spo2.low"].events |= events

    told = words(result)

    for event, number in events.items():
        assert f"{event} {number} 0" in told
