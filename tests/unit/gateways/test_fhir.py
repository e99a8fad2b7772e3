"""FHIR R4B in and out, beside two libraries that know it."""

import json
import subprocess
import sys

from typing import Any

import pytest

from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.detectedissue import DetectedIssue
from fhir.resources.R4B.encounter import Encounter
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.patient import Patient
from fhirclient.models import bundle as client_bundle
from fhirclient.models import observation as client_observation

from icu_stream.contracts.alerts import Alert, Event, Kind, Priority, State
from icu_stream.contracts.commands import CommandType
from icu_stream.contracts.vitals import Vitals
from icu_stream.gateways import fhir, fhir_server
from icu_stream.gateways.fhir import FhirError, Stay


TIME = 1_772_352_000_250
ALL = Vitals(
    patient_id="p-0007",
    time=TIME,
    bed="ICU1-07",
    device="mon-17",
    values={
        "hr": 82,
        "pulse": 81,
        "spo2": 97,
        "rr": 16,
        "abp_sys": 121,
        "abp_dia": 70,
        "abp_mean": 88,
        "temp": 36.8,
        "etco2": 38,
        "cvp": 8,
        "fio2": 40,
    },
    status={"nibp_sys": "disconnected"},
)


def observation(**changes: Any) -> dict[str, Any]:
    made = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": "Patient/p-0007"},
        "effectiveDateTime": "2026-03-01T09:00:00.250+01:00",
        "device": {"display": "mon-17"},
        "valueQuantity": {
            "value": 82,
            "unit": "beats/minute",
            "system": "http://unitsofmeasure.org",
            "code": "/min",
        },
    }
    return {k: v for k, v in (made | changes).items() if v is not None}


def read(resource: dict[str, Any]) -> fhir.Receipt:
    return fhir.read(json.dumps(resource).encode(), "ehr", None)


def concept(*codes: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://loinc.org", "code": c} for c in codes]}


def quantity(value: float, code: str) -> dict[str, Any]:
    return {"value": value, "system": "http://unitsofmeasure.org", "code": code}


def stay_bundle() -> dict[str, Any]:
    out = fhir.Bundle(TIME)
    stay = Stay("p-0007", "ICU1-07", TIME, TIME + 1_000, True)
    resources = [
        fhir.patient("p-0007"),
        *fhir.vital_signs(ALL, TIME + 40),
        fhir.encounter(stay),
        fhir.detected_issue(episode()),
    ]
    text = out.begin() + "".join(map(out.entry, resources)) + out.end()
    made: dict[str, Any] = json.loads(text)
    return made


def episode() -> list[Alert]:
    def alert(transition: int, event: Event, state: State, **changes: object) -> Alert:
        return Alert(
            alert_id=f"p-0007:spo2.low:{TIME}",
            transition=transition,
            event=event,
            patient_id="p-0007",
            bed="ICU1-07",
            code="spo2.low",
            kind=Kind.PHYSIOLOGICAL,
            priority=changes.pop("priority", Priority.MEDIUM),  # type: ignore[arg-type]
            state=state,
            annunciate=True,
            onset=TIME,
            time=TIME + 15_000 * transition,
            text="SpO₂ 86 %, below 90 for 17 s",
            signal="spo2",
            value=86,
            **changes,  # type: ignore[arg-type]
        )

    return [
        alert(1, Event.RAISED, State.ACTIVE),
        alert(2, Event.ESCALATED, State.ACTIVE, priority=Priority.HIGH),
        alert(3, Event.ACKNOWLEDGED, State.ACKNOWLEDGED, by="RN Okafor"),
        alert(4, Event.CLEARED, State.CLEARED),
    ]


def test_a_stay_is_valid_by_the_rules_of_a_library_that_knows_them():
    made = stay_bundle()

    parsed = Bundle.model_validate(made)

    kinds = {
        "Patient": Patient,
        "Observation": Observation,
        "Encounter": Encounter,
        "DetectedIssue": DetectedIssue,
    }
    for entry, raw in zip(parsed.entry, made["entry"], strict=True):
        assert isinstance(entry.resource, kinds[raw["resource"]["resourceType"]])


def test_a_second_library_reads_the_same_numbers():
    made = client_bundle.Bundle(stay_bundle())

    found = {}
    for entry in made.entry:
        if isinstance(entry.resource, client_observation.Observation):
            for part in [entry.resource, *(entry.resource.component or [])]:
                if part.valueQuantity is not None:
                    code = [c.code for c in part.code.coding if "loinc" in c.system][-1]
                    found[code] = (part.valueQuantity.value, part.valueQuantity.code)

    assert found == {
        "8867-4": (82, "/min"),
        "8889-8": (81, "/min"),
        "59408-5": (97, "%"),
        "9279-1": (16, "/min"),
        "76215-3": (121, "mm[Hg]"),
        "76213-8": (70, "mm[Hg]"),
        "76214-6": (88, "mm[Hg]"),
        "8310-5": (36.8, "Cel"),
        "19889-5": (38, "mm[Hg]"),
        "60985-9": (8, "mm[Hg]"),
        "3150-0": (40, "%"),
    }


def test_blood_pressure_is_a_panel_with_what_its_profile_wants():
    [panel] = [r for r in fhir.vital_signs(ALL) if "component" in r]

    assert panel["code"]["coding"][0]["code"] == "85354-9"
    codes = [[c["code"] for c in part["code"]["coding"]] for part in panel["component"]]
    # The profile's own codes, ours, and MDC.
    assert codes == [
        ["8480-6", "76215-3", "150037"],
        ["8462-4", "76213-8", "150038"],
        ["8478-0", "76214-6", "150039"],
    ]


def test_a_panel_without_a_diastole_says_so():
    vitals = Vitals(patient_id="p", time=TIME, values={"nibp_sys": 120})

    [panel] = fhir.vital_signs(vitals)

    assert "dataAbsentReason" in panel["component"][1]
    assert len(panel["component"]) == 2


def test_both_clocks_are_told():
    made = next(iter(fhir.vital_signs(ALL, TIME + 40)))

    assert made["effectiveDateTime"] == "2026-03-01T08:00:00.250Z"
    assert made["issued"] == "2026-03-01T08:00:00.290Z"


def test_what_is_no_number_and_what_is_not_measured_has_a_reason():
    vitals = Vitals(
        patient_id="p",
        time=TIME,
        values={"hr": "-?-"},  # type: ignore[dict-item]
        status={"spo2": "sensor_off"},
    )

    hr, spo2 = fhir.vital_signs(vitals)

    assert hr["dataAbsentReason"]["coding"][0]["code"] == "not-a-number"
    assert spo2["dataAbsentReason"]["text"] == "sensor_off"
    for made in (hr, spo2):
        Observation.model_validate(made)


def test_what_is_written_is_read_back():
    found = read(stay_bundle()).reading

    # Temperature goes as a device of its own, as from any monitor.
    values = {}
    for vitals in found.vitals:
        assert (vitals.patient_id, vitals.bed, vitals.time) == (
            "p-0007",
            "ICU1-07",
            TIME,
        )
        values |= vitals.values
    assert values == ALL.values
    assert {v.device for v in found.vitals} == {"mon-17", "mon-17/temp"}


def test_an_alarm_is_one_issue_with_its_worst_priority_and_its_end():
    made = fhir.detected_issue(episode())

    assert made["status"] == "final"
    assert made["severity"] == "high"
    assert made["identifiedPeriod"] == {
        "start": "2026-03-01T08:00:00.250Z",
        "end": "2026-03-01T08:01:00.250Z",
    }
    assert made["detail"] == "SpO₂ 86 %, below 90 for 17 s"
    assert [m["author"]["display"] for m in made["mitigation"]] == ["RN Okafor"]


def test_a_patient_has_no_name():
    assert fhir.patient("p-0007").keys() == {"resourceType", "id", "identifier"}


def test_an_observation_becomes_a_message():
    receipt = read(observation())

    [vitals] = receipt.reading.vitals
    assert vitals == Vitals(
        patient_id="p-0007", time=TIME, device="mon-17", values={"hr": 82.0}
    )
    assert receipt.entries[0].status == 201


@pytest.mark.parametrize(
    "changes",
    [
        {"effectiveDateTime": None, "effectiveInstant": "2026-03-01T08:00:00.250Z"},
        {
            "effectiveDateTime": None,
            "effectivePeriod": {"end": "2026-03-01T08:00:00.25Z"},
        },
        {"subject": {"identifier": {"value": "p-0007"}}},
        {
            "subject": {
                "reference": "https://ehr.example/fhir/Patient/p-0007/_history/2"
            }
        },
        {
            "subject": {"reference": "#who"},
            "contained": [
                {
                    "resourceType": "Patient",
                    "id": "who",
                    "name": [{"family": "Mustermann"}],
                    "identifier": [{"system": "urn:mrn", "value": "p-0007"}],
                }
            ],
        },
    ],
)
def test_times_and_patients_may_be_said_in_several_ways(changes):
    [vitals] = read(observation(**changes)).reading.vitals

    assert (vitals.patient_id, vitals.time) == ("p-0007", TIME)


def test_a_panel_in_kpa_and_fahrenheit_come_into_our_units():
    panel = observation(
        code=concept("85354-9"),
        valueQuantity=None,
        component=[
            {"code": concept("8480-6"), "valueQuantity": quantity(16, "kPa")},
            {"code": concept("8462-4"), "valueQuantity": quantity(9.3, "kPa")},
        ],
    )
    warm = observation(code=concept("8310-5"), valueQuantity=quantity(98.6, "[degF]"))

    [cuff] = read(panel).reading.vitals
    [temp] = read(warm).reading.vitals

    assert cuff.values == {"nibp_sys": 120.0098, "nibp_dia": 69.7557}
    assert cuff.device == "mon-17/nibp"
    assert temp.values == {"temp": 37.0}


def test_a_laboratory_value_is_charted():
    lab = observation(code=concept("32693-4"), valueQuantity=quantity(1.4, "mmol/L"))

    [command] = read(lab).reading.commands

    assert (command.type, command.values) == (CommandType.OBSERVE, {"lactate": 1.4})
    assert command.command_id == read(lab).reading.commands[0].command_id


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"status": "entered-in-error"}, 422, "not-supported"),
        ({"subject": None}, 422, "required"),
        ({"subject": {"reference": "Patient/icu-canary-1"}}, 422, "value"),
        ({"effectiveDateTime": None}, 422, "value"),
        ({"effectiveDateTime": "2026-03-01"}, 422, "value"),
        ({"effectiveDateTime": "2026-03-01T08:00:00"}, 422, "value"),
        ({"effectiveDateTime": "0001-01-01T00:00:00+14:00"}, 422, "value"),
        ({"code": concept("1234-5")}, 422, "not-supported"),
        ({"code": concept("2708-6")}, 422, "not-supported"),
        ({"valueQuantity": quantity(82, "kg")}, 422, "value"),
        ({"valueQuantity": {"value": 82, "unit": "/min"}}, 422, "value"),
        ({"valueQuantity": quantity(82, "/min") | {"comparator": "<"}}, 422, "value"),
        ({"valueQuantity": None, "dataAbsentReason": concept()}, 422, "value"),
        ({"valueQuantity": {"value": "82"}}, 400, "structure"),
        ({"status": None}, 400, "structure"),
        ({"resourceType": "Patient"}, 422, "not-supported"),
        ({"resourceType": 5}, 400, "structure"),
    ],
)
def test_what_is_not_taken_is_refused_with_the_reason(changes, status, code):
    with pytest.raises(FhirError) as caught:
        read(observation(**changes))

    assert (caught.value.status, caught.value.issue.code) == (status, code)
    OperationOutcome.model_validate(fhir.outcome([caught.value.issue]))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 100_000, b'{"a":' * 100_000]
)
def test_what_is_no_json_object_is_refused(data):
    with pytest.raises(FhirError) as caught:
        fhir.read(data, "ehr", None)

    assert caught.value.status == 400


def test_in_a_batch_each_is_judged_by_itself():
    batch = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [
            {"resource": observation()},
            {"resource": observation(code=concept("1234-5"))},
            {"resource": {"resourceType": "Device", "id": "mon-17"}},
        ],
    }

    receipt = read(batch)

    assert [e.status for e in receipt.entries] == [201, 422, 200]
    assert len(receipt.reading.vitals) == 1
    assert receipt.reading.unknown == {"LN 1234-5"}
    Bundle.model_validate(fhir.answer(receipt))


def test_a_transaction_is_taken_as_a_whole_or_not_at_all():
    transaction = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": observation()},
            {"resource": observation(status="cancelled")},
        ],
    }

    with pytest.raises(FhirError) as caught:
        read(transaction)

    assert caught.value.issue.where == "Bundle.entry[1].resource"


def test_what_the_server_can_do_is_a_valid_statement():
    from fhir.resources.R4B.capabilitystatement import (  # noqa: PLC0415 - 0.2 s
        CapabilityStatement,
    )

    CapabilityStatement.model_validate(fhir_server.CAPABILITIES)


def test_the_process_never_waits_for_a_model_of_all_of_fhir():
    code = "import sys, icu_stream.gateways.fhir_server; print([m for m in sys.modules if m.startswith(('fhir.', 'hl7'))])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
