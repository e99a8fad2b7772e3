"""The simulated ward of the evidence: its stories, its hours near a limit, bare limits."""

from itertools import pairwise
from typing import NamedTuple

import pytest

from icu_stream import profiles
from icu_stream.contracts.vitals import Vitals
from icu_stream.evaluation import stories
from icu_stream.evaluation.logs import Record, SimulatedWard, Span


RULES = profiles.load("adult")


def test_stories_fit_into_the_day_and_leave_the_last_hour_of_each_part_alone():
    told = stories.happenings(20)

    assert told == stories.happenings(20)
    assert len(told) == 20 * 6
    for one in told:
        assert one.at_s % 14_400 + one.duration_s <= 600 + 7200
    for before, after in pairwise(told):
        assert before.bed < after.bed or before.at_s + before.duration_s < after.at_s


def around_the_hour(beds):
    """A minute of a restless ward, its hours beginning in the middle."""
    ward = SimulatedWard(beds, 14_400, seed=stories.SEED)
    (part,) = stories.RestlessWard(ward, RULES).parts(1)
    begins_ms = ward.start_ms + 10_800_000
    spans = [
        Span(patient, begins_ms - 30_000, begins_ms + 30_000) for patient in part.hours
    ]
    return part, spans


def test_in_an_hour_near_a_limit_a_signal_begins_at_it():
    part, spans = around_the_hour(12)

    messages = [read.message for read in part.read(spans)]
    untouched = [read.message for read in part.part.read(spans)]

    near = {patient: hours[0] for patient, hours in part.hours.items()}
    begun = set()
    for moved, before in zip(messages, untouched, strict=True):
        hour = near[moved.patient_id]
        if moved.time < hour.first_ms:
            assert moved == before
        elif hour.signal in moved.values and moved.patient_id not in begun:
            begun.add(moved.patient_id)
            assert moved.values[hour.signal] == pytest.approx(hour.limit)
    assert begun


def test_a_bare_limit_sounds_at_each_value_that_leaves_it():
    class Written(NamedTuple):
        values: list

        def read(self, spans=None):
            for second, value in enumerate(self.values):
                message = Vitals(
                    patient_id="p", bed="b", device="d", time=second, values=value
                )
                yield Record("p", message, second, False)

    rates = [{"hr": rate} for rate in (120, 121, 130, 120, 121, 119, 45, 55)]

    told = stories.crossings(RULES, Written([*rates, {"spo2": 89}]), lambda _: None)

    assert told == {"hr": 3, "spo2": 1}
