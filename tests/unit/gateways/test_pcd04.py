"""Alerts as PCD-04, beside IHE's own example and two libraries that know HL7."""

import hl7
import pytest

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from icu_stream.contracts.alerts import Alert, Event, Kind, Priority, State
from icu_stream.gateways import hl7v2, pcd04
from icu_stream.gateways.pcd04 import Ends
from tests.unit.gateways import samples


ENDS = Ends("ICU_STREAM", "ICU1", "AM", "IEM")
NOW = 1_772_348_410_000


def alert(**changes: object) -> Alert:
    fields: dict[str, object] = {
        "alert_id": "p-0007:spo2.low:1772348400000",
        "transition": 1,
        "event": Event.RAISED,
        "patient_id": "p-0007",
        "bed": "ICU1-07",
        "code": "spo2.low",
        "kind": Kind.PHYSIOLOGICAL,
        "priority": Priority.MEDIUM,
        "state": State.ACTIVE,
        "annunciate": True,
        "onset": 1_772_348_385_000,
        "time": 1_772_348_400_000,
        "text": "SpO₂ 86 %, below 90 for 17 s | & ^ (usual 94)",
        "signal": "spo2",
        "value": 86.0,
        "limit": 90.0,
        "unit": "%",
    }
    return Alert(**(fields | changes))  # type: ignore[arg-type]


def facets(of: Alert) -> dict[str, hl7v2.Segment]:
    message = hl7v2.parse(pcd04.report(of, ENDS, NOW))
    return {obx.text(1): obx for obx in message.all("OBX")}


def test_a_limit_alarm_has_the_facets_of_ihes_own_example():
    ours = facets(alert())
    head = r"MSH|^~\&|A||||20120111150457||ORU^R40|1|P|2.6"
    theirs = hl7v2.parse("\r".join([head, *samples.ACM]).encode())

    for obx in theirs.all("OBX"):
        same = ours[obx.text(1)]
        assert same.text(3, 1) == obx.text(3, 1)
        assert same.text(3, 2) == obx.text(3, 2)
        assert same.text(2) == obx.text(2)
        assert same.raw(8) == obx.raw(8)
        assert same.text(4).endswith(f"150456.{obx.text(1)}")
        if obx.text(1) in {"3", "4", "5"}:
            assert same.text(5) == obx.text(5)


def test_the_sentence_comes_back_whole():
    assert (
        facets(alert())["1"].text(5) == "SpO₂ 86 %, below 90 for 17 s | & ^ (usual 94)"
    )


def test_the_alarm_is_named_by_its_id_and_the_report_by_its_transition():
    first = hl7v2.parse(pcd04.report(alert(), ENDS, NOW))
    later = hl7v2.parse(
        pcd04.report(alert(transition=2, event=Event.REMINDED), ENDS, NOW)
    )

    for message, transition in ((first, 1), (later, 2)):
        [obr] = message.all("OBR")
        assert obr.text(3) == f"p-0007:spo2.low:1772348400000/{transition}"
        assert obr.raw(29) == "^p-0007:spo2.low:1772348400000&ICU_STREAM"
    assert first.header.control_id != later.header.control_id


def test_a_repeat_has_the_same_control_id_at_any_time():
    ids = {
        hl7v2.parse(pcd04.report(alert(), ENDS, now)).header.control_id
        for now in (0, NOW)
    }

    assert ids == {pcd04.control_id(alert())}


@pytest.mark.parametrize(
    ("event", "state", "phase", "alarm_state", "inactivation"),
    [
        (Event.RAISED, State.ACTIVE, "start", "active", "enabled"),
        (Event.ESCALATED, State.ACTIVE, "continue", "active", "enabled"),
        (Event.STANDING, State.ACTIVE, "continue", "active", "enabled"),
        (
            Event.ACKNOWLEDGED,
            State.ACKNOWLEDGED,
            "continue",
            "active",
            "alert-acknowledged",
        ),
        (Event.LATCHED, State.LATCHED, "continue", "latched", "enabled"),
        (Event.ACKNOWLEDGED, State.CLEARED, "end", "inactive", "enabled"),
        (Event.CLEARED, State.CLEARED, "end", "inactive", "enabled"),
        (Event.PAUSED, State.ACTIVE, "start", "active", "enabled"),
        (Event.RESUMED, State.CLEARED, "end", "inactive", "enabled"),
    ],
)
def test_each_transition_has_its_phase_and_states(
    event, state, phase, alarm_state, inactivation
):
    found = facets(alert(event=event, state=state, by="rn.k"))

    assert [found[n].text(5) for n in "345"] == [phase, alarm_state, inactivation]


@pytest.mark.parametrize(
    ("changes", "event", "flags"),
    [
        ({}, "196670^MDC_EVT_LO", "L~PM~SP"),
        (
            {"code": "hr.extreme_high", "priority": Priority.HIGH},
            "196648^MDC_EVT_HI",
            "H~PH~SP",
        ),
        (
            {"code": "hr.asystole", "signal": "hr"},
            "199684^MDC_EVT_ECG_ASYSTOLE",
            "A~PM~SP",
        ),
        ({"code": "rr.apnoea", "signal": "rr"}, "199680^MDC_EVT_APNEA", "A~PM~SP"),
        (
            {"code": "hr.lead_off", "kind": Kind.TECHNICAL, "priority": Priority.LOW},
            "196616^MDC_EVT_ALARM",
            "A~PL~ST",
        ),
        (
            {
                "code": "bed.unusual",
                "kind": Kind.ADVISORY,
                "signal": None,
                "value": None,
            },
            "196616^MDC_EVT_ALARM",
            "A~PM~SA",
        ),
    ],
)
def test_each_alarm_has_its_event_priority_and_kind(changes, event, flags):
    found = facets(alert(**changes))["1"]

    assert found.raw(3).startswith(f"{event}^MDC^{alert(**changes).code}^")
    assert found.raw(8) == flags


def test_a_beds_alarm_names_the_monitor_instead_of_a_signal():
    found = facets(alert(code="bed.no_data", signal=None, value=None, limit=None))["2"]

    assert found.text(3) == "68480"
    assert found.text(5) == "69965"


def test_there_is_no_name_in_it():
    [pid] = hl7v2.parse(pcd04.report(alert(), ENDS, NOW)).all("PID")

    assert pid.text(3) == "p-0007"
    assert pid.raw(5) == "^^^^^^U"
    assert len(pid.fields) == 6


@pytest.mark.parametrize("changes", [{}, {"code": "bed.no_data", "signal": None}])
def test_it_is_valid_by_the_rules_of_a_library_that_knows_them(changes):
    # ORU_R40 is ORU_R01 by another name, which IHE took from a later version of HL7.
    data = pcd04.report(alert(**changes), ENDS, NOW).decode()
    data = data.replace("ORU^R40^ORU_R40", "ORU^R01^ORU_R01")

    parsed = parse_message(
        data, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True
    )

    assert parsed.validate()
    assert str(hl7.parse(data)).rstrip("\r") == data.rstrip("\r")
