"""FHIR R4B: vital signs in and out, alarms and a stay out; bytes, and nothing else.

In: an Observation, or a Bundle of them (batch, transaction, collection), in JSON. What is
read of it:

=====================  ==============================================================
element                here
=====================  ==============================================================
status                 final, amended, corrected, preliminary; others are no values
subject                the patient: identifier, else the reference's id
effective[x]           dateTime, instant or the end of a Period, with its time zone
code, component.code   LOINC or MDC, by `codes`
value[x]               Quantity in UCUM, without a comparator
device                 identifier, display, else the reference's id
encounter              of a Bundle: the bed is its first location's name
=====================  ==============================================================

A reference may lead to a resource of the same Bundle, or a contained one; of a Patient only
identifier and id are looked at. In a transaction all is taken or nothing; in a batch and a
collection each Observation is judged by itself.

Out: Observation by the profiles of vital signs, blood pressure as a panel, DetectedIssue for
an alarm, and a Bundle of one stay. A Patient has an identifier and no name.

Nothing here needs a model of all of FHIR: fhir.resources takes 0.4 s to its first answer, and
what we write is compared with it in the tests.

Sources: HL7 FHIR 4.3.0, Observation, DetectedIssue, Bundle; its vital signs profiles.
"""

import hashlib
import json
import uuid

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from icu_stream.contracts import signals
from icu_stream.contracts.alerts import Alert, Event, Priority, State
from icu_stream.contracts.vitals import Vitals
from icu_stream.errors import ContractError
from icu_stream.gateways import codes
from icu_stream.gateways.codes import Coding, Meaning, Refusal, System
from icu_stream.gateways.reading import (
    Passed,
    Place,
    Reading,
    Sheet,
    identity,
    instant,
    monitor_of,
    name,
    patient_id,
)


MOST_ENTRIES = 2_000
LOINC = "http://loinc.org"
MDC = "urn:iso:std:iso:11073:10101"
UCUM = "http://unitsofmeasure.org"
ALARMS = "urn:icu-stream:alarm"
_PROFILES = "http://hl7.org/fhir/StructureDefinition/"
_TERMS = "http://terminology.hl7.org/CodeSystem/"

# Signals that have a profile of their own; all others are vital signs in general.
_PROFILE = {
    "hr": "heartrate",
    "spo2": "oxygensat",
    "rr": "resprate",
    "temp": "bodytemp",
}
_SEVERITIES = {
    Priority.HIGH: "high",
    Priority.MEDIUM: "moderate",
    Priority.LOW: "low",
}
_STATUSES = frozenset({"final", "amended", "corrected", "preliminary"})
_SYSTEMS = {
    LOINC: System.LOINC,
    MDC: System.MDC,
    UCUM: System.UCUM,
}
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:icu-stream:fhir")


class Severity(StrEnum):
    """How bad an issue is, by FHIR's own words."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"


class Issue(NamedTuple):
    """One thing that is said about a resource.

    Attributes:
        severity: How bad.
        code: FHIR's issue-type.
        text: For a person; no name of a patient.
        where: FHIRPath, where there is one.
    """

    severity: Severity
    code: str
    text: str
    where: str = ""


class FhirError(ContractError):
    """A request that is not taken as a whole.

    Attributes:
        issue: Why.
        status: Of HTTP.
    """

    def __init__(
        self, text: str, code: str, where: str = "", *, status: int = 400
    ) -> None:
        super().__init__(text)
        self.issue = Issue(Severity.ERROR, code, text, where)
        self.status = status


class Entry(NamedTuple):
    """What became of one resource.

    Attributes:
        status: Of HTTP.
        kind: Resource type.
        id: Ours; empty when it is not kept.
        issues: What is said about it.
    """

    status: int
    kind: str
    id: str
    issues: tuple[Issue, ...]


class Receipt(NamedTuple):
    """What a request says, and what its sender is told.

    Attributes:
        kind: Observation, or the Bundle's type.
        reading: What is taken.
        entries: One a resource, in the order of the request.
    """

    kind: str
    reading: Reading
    entries: list[Entry]


class _Coding(msgspec.Struct, frozen=True):
    system: str = ""
    code: str = ""
    display: str = ""


class _Concept(msgspec.Struct, frozen=True):
    coding: list[_Coding] = []


class _Identifier(msgspec.Struct, frozen=True):
    value: str = ""


class _Reference(msgspec.Struct, frozen=True):
    reference: str = ""
    display: str = ""
    identifier: _Identifier = _Identifier()


class _Quantity(msgspec.Struct, frozen=True):
    value: float | None = None
    comparator: str = ""
    unit: str = ""
    system: str = ""
    code: str = ""


class _Period(msgspec.Struct, frozen=True):
    start: str = ""
    end: str = ""


class _Component(msgspec.Struct, frozen=True):
    code: _Concept
    valueQuantity: _Quantity | None = None  # noqa: N815 - FHIR's names


class _Location(msgspec.Struct, frozen=True):
    location: _Reference = _Reference()


class _Other(msgspec.Struct, frozen=True):
    """A Patient, Device or Encounter, as far as it is looked at."""

    resourceType: str = ""  # noqa: N815
    id: str = ""
    identifier: list[_Identifier] | _Identifier = []
    location: list[_Location] = []


class _Observation(
    msgspec.Struct, frozen=True, tag="Observation", tag_field="resourceType"
):
    status: str
    code: _Concept
    subject: _Reference = _Reference()
    encounter: _Reference = _Reference()
    device: _Reference = _Reference()
    effectiveDateTime: str = ""  # noqa: N815
    effectiveInstant: str = ""  # noqa: N815
    effectivePeriod: _Period = _Period()  # noqa: N815
    valueQuantity: _Quantity | None = None  # noqa: N815
    component: list[_Component] = []
    contained: list[msgspec.Raw] = []


class _Entry(msgspec.Struct, frozen=True):
    resource: msgspec.Raw = msgspec.Raw(b"{}")
    fullUrl: str = ""  # noqa: N815


class _Bundle(msgspec.Struct, frozen=True):
    type: str
    entry: list[_Entry] = []


class _Kind(msgspec.Struct, frozen=True):
    resourceType: str  # noqa: N815


def read(data: bytes, sender: str, interval_s: float | None) -> Receipt:
    """Read a request.

    Args:
        data: JSON.
        sender: Who sends, for what is charted.
        interval_s: Seconds between a device's messages; None: 1.

    Raises:
        FhirError: Nothing of it is taken.
    """
    kind = _decoded(_Kind, data).resourceType
    digest = hashlib.sha256(data).hexdigest()
    sheet = Sheet(
        interval_s,
        identity("fhir", sender),
        lambda patient, time: identity(
            "fhir", sender, f"{uuid.uuid5(_SPACE, f'{digest}/{patient}/{time}')}"
        ),
    )
    if kind == "Observation":
        entry = _Reader(sheet, {}).take(data)
        if entry.status >= 400:
            issue = entry.issues[0]
            raise FhirError(issue.text, issue.code, issue.where, status=entry.status)
        return Receipt(kind, sheet.reading(), [entry])
    if kind != "Bundle":
        text = f"{kind[:40]}: want an Observation, or a Bundle of them"
        raise FhirError(text, "not-supported", status=422)
    bundle = _decoded(_Bundle, data)
    if bundle.type not in {"batch", "transaction", "collection", "message"}:
        text = f"a Bundle of type {bundle.type[:20]!r}: want batch, transaction or collection"
        raise FhirError(text, "not-supported", "Bundle.type", status=422)
    if len(bundle.entry) > MOST_ENTRIES:
        text = f"{len(bundle.entry)} entries: want at most {MOST_ENTRIES}"
        raise FhirError(text, "too-costly", "Bundle.entry", status=413)
    others = {entry.fullUrl: entry.resource for entry in bundle.entry if entry.fullUrl}
    reader = _Reader(sheet, others)
    entries = [reader.take(bytes(entry.resource)) for entry in bundle.entry]
    if bundle.type == "transaction":
        for number, entry in enumerate(entries):
            if entry.status >= 400:
                issue = entry.issues[0]
                where = f"Bundle.entry[{number}].resource"
                raise FhirError(issue.text, issue.code, where, status=entry.status)
    return Receipt(bundle.type, sheet.reading(), entries)


class _Reader:
    """Reads the resources of one request."""

    def __init__(self, sheet: Sheet, others: dict[str, msgspec.Raw]) -> None:
        self._sheet = sheet
        self._others = others
        self._found: dict[str, _Other] = {}

    def take(self, data: bytes) -> Entry:
        """Read one resource; what is wrong with it is said in its entry."""
        try:
            kind = _decoded(_Kind, data).resourceType
            if kind != "Observation":
                text = "read for its references, and not kept"
                issue = Issue(Severity.INFORMATION, "informational", text)
                return Entry(200, kind[:40], "", (issue,))
            return self._observation(_decoded(_Observation, data), data)
        except FhirError as error:
            return Entry(error.status, "Observation", "", (error.issue,))

    def _observation(self, resource: _Observation, data: bytes) -> Entry:
        if resource.status not in _STATUSES:
            self._sheet.pass_over(Passed.WITHDRAWN)
            text = f"status {resource.status[:20]!r} is no value: want final"
            raise FhirError(text, "not-supported", "Observation.status", status=422)
        contained = {
            f"#{found.id}": found
            for found in (_decoded(_Other, bytes(raw)) for raw in resource.contained)
        }
        place = Place(
            self._patient(resource.subject, contained),
            self._bed(resource.encounter, contained),
            self._device(resource.device, contained),
        )
        time = _time(resource)
        measured = (
            [(resource.code, resource.valueQuantity)]
            if (resource.valueQuantity is not None or not resource.component)
            else []
        )
        measured += [(part.code, part.valueQuantity) for part in resource.component]
        issues = []
        taken = 0
        for concept, quantity in measured:
            issue = self._value(place, time, concept, quantity)
            if issue is None:
                taken += 1
            else:
                issues.append(issue)
        if not taken:
            issue = issues[0]
            return Entry(
                422, "Observation", "", (issue._replace(severity=Severity.ERROR),)
            )
        return Entry(
            201,
            "Observation",
            str(uuid.uuid5(_SPACE, hashlib.sha256(data).hexdigest())),
            tuple(issues),
        )

    def _value(
        self, place: Place, time: int, concept: _Concept, quantity: _Quantity | None
    ) -> Issue | None:
        """Take one value; what is said when it is not."""
        codings = [
            Coding(
                _SYSTEMS.get(c.system, System.OTHER),
                c.code,
                c.display if c.system == MDC else "",
            )
            for c in concept.coding
        ]
        said = (
            ", ".join(f"{c.system or '?'} {c.code}" for c in codings)[:120] or "no code"
        )
        meaning = codes.meaning(codings)
        if isinstance(meaning, Refusal):
            unknown = said if meaning is Refusal.UNKNOWN else ""
            self._sheet.pass_over(meaning, unknown)
            return Issue(Severity.WARNING, "not-supported", f"{said}: {meaning}")
        reason, value = _number(quantity, meaning)
        if reason is not None:
            self._sheet.pass_over(reason)
            return Issue(Severity.WARNING, "value", f"{said}: {reason}")
        passed = self._sheet.add(place, time, meaning, value)
        if passed is None:
            return None
        return Issue(Severity.WARNING, "value", f"{said}: {passed}")

    def _patient(self, reference: _Reference, contained: dict[str, _Other]) -> str:
        other = self._resolved(reference, contained)
        told = reference.identifier.value or _identified(other) or _id_of(reference)
        if not told:
            text = "no patient: want subject.identifier, or a reference to a Patient"
            raise FhirError(text, "required", "Observation.subject", status=422)
        try:
            return patient_id(told)
        except ValueError as error:
            where = "Observation.subject"
            raise FhirError(str(error), "value", where, status=422) from None

    def _device(self, reference: _Reference, contained: dict[str, _Other]) -> str:
        other = self._resolved(reference, contained)
        told = reference.identifier.value or _identified(other)
        return name(told or reference.display or _id_of(reference) or "fhir")

    def _bed(self, reference: _Reference, contained: dict[str, _Other]) -> str:
        other = self._resolved(reference, contained)
        if other is None or not other.location:
            return ""
        where = other.location[0].location
        return name(where.display or where.identifier.value)

    def _resolved(
        self, reference: _Reference, contained: dict[str, _Other]
    ) -> _Other | None:
        url = reference.reference
        if url in contained:
            return contained[url]
        if url not in self._found and url in self._others:
            self._found[url] = _decoded(_Other, bytes(self._others[url]))
        return self._found.get(url)


def _decoded(kind: type[Any], data: bytes) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
        # msgspec says what was expected and where, never what was there.
        code = "structure" if isinstance(error, msgspec.ValidationError) else "invalid"
        raise FhirError(str(error)[:200], code) from None
    except UnicodeDecodeError:
        text = "not UTF-8"
        raise FhirError(text, "invalid") from None


def _time(resource: _Observation) -> int:
    told = (
        resource.effectiveDateTime
        or resource.effectiveInstant
        or resource.effectivePeriod.end
        or resource.effectivePeriod.start
    )
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or "T" not in told:
        text = "want a moment with its time zone, as 2026-03-01T08:00:00.250Z"
        raise FhirError(text, "value", "Observation.effective", status=422)
    try:
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        text = "a moment that is none"
        raise FhirError(text, "value", "Observation.effective", status=422) from None


def _number(
    quantity: _Quantity | None, meaning: Meaning
) -> tuple[StrEnum | None, float]:
    if quantity is None or quantity.value is None:
        return Passed.NO_VALUE, 0.0
    if quantity.comparator:
        return Passed.NO_NUMBER, 0.0
    system = _SYSTEMS.get(quantity.system, System.OTHER)
    # Without a system, `unit` is for people and is no code.
    coding = Coding(system, quantity.code if quantity.system else "")
    value = codes.in_unit(quantity.value, [coding], meaning.unit)
    return (value, 0.0) if isinstance(value, Refusal) else (None, value)


def _identified(other: _Other | None) -> str:
    if other is None:
        return ""
    identifiers = other.identifier
    if isinstance(identifiers, list):
        return next((i.value for i in identifiers if i.value), other.id)
    return identifiers.value or other.id


def _id_of(reference: _Reference) -> str:
    """The id in a literal reference: Patient/p-7, .../Patient/p-7/_history/2."""
    url = reference.reference.split("/_history/")[0]
    return "" if url.startswith(("urn:", "#")) else url.rpartition("/")[2]


def outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """An OperationOutcome."""
    said = [
        {"severity": issue.severity, "code": issue.code, "diagnostics": issue.text}
        | ({"expression": [issue.where]} if issue.where else {})
        for issue in issues
    ]
    everything = {"severity": "information", "code": "informational"}
    return {"resourceType": "OperationOutcome", "issue": said or [everything]}


def answer(receipt: Receipt) -> dict[str, Any]:
    """What the sender of a request is told."""
    if receipt.kind == "Observation":
        return outcome(receipt.entries[0].issues)
    kind = "transaction-response" if receipt.kind == "transaction" else "batch-response"
    entries = []
    for entry in receipt.entries:
        response: dict[str, Any] = {"status": str(entry.status)}
        if entry.id:
            response["location"] = f"{entry.kind}/{entry.id}"
        if entry.issues:
            response["outcome"] = outcome(entry.issues)
        entries.append({"response": response})
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


class Stay(NamedTuple):
    """One patient's stay, as far as it is told.

    Attributes:
        patient_id: Whose.
        bed: The last one.
        first_ms: When it began, or its first record.
        last_ms: Its last record; None while it has none.
        is_over: Was the patient discharged?
    """

    patient_id: str
    bed: str
    first_ms: int | None
    last_ms: int | None
    is_over: bool


def urn(*parts: object) -> str:
    """The address of a resource in a Bundle: the same each time."""
    return f"urn:uuid:{uuid.uuid5(_SPACE, '/'.join(map(str, parts)))}"


def patient(whose: str) -> dict[str, Any]:
    """A Patient without a name."""
    return {
        "resourceType": "Patient",
        "id": urn("patient", whose)[9:],
        "identifier": [{"value": whose}],
    }


def encounter(stay: Stay) -> dict[str, Any]:
    """The Encounter of a stay in intensive care."""
    made: dict[str, Any] = {
        "resourceType": "Encounter",
        "id": urn("encounter", stay.patient_id)[9:],
        "status": "finished" if stay.is_over else "in-progress",
        "class": {"system": f"{_TERMS}v3-ActCode", "code": "IMP"},
        "subject": _subject(stay.patient_id),
    }
    if stay.first_ms is not None:
        made["period"] = {"start": instant(stay.first_ms)}
        if stay.is_over and stay.last_ms is not None:
            made["period"]["end"] = instant(stay.last_ms)
    if stay.bed:
        made["location"] = [{"location": {"display": stay.bed}}]
    return made


def vital_signs(
    vitals: Vitals, arrived_ms: int | None = None
) -> Iterator[dict[str, Any]]:
    """The Observations of one message.

    Args:
        vitals: What a device measured.
        arrived_ms: When it reached us, by Kafka's clock: `issued`.
    """
    left = dict(vitals.values)
    for panel in codes.PRESSURES:
        of_panel = {code: left.pop(code) for code in panel if code in left}
        if of_panel:
            made = _observation(vitals, panel[0], arrived_ms)
            made["meta"] = {"profile": [f"{_PROFILES}bp"]}
            made["code"] = {"coding": [_coding(codes.PRESSURE_PANEL)]}
            made["component"] = [
                {"code": _concept(code)} | _quantity(code, of_panel.get(code))
                for code in panel
                if code in of_panel or code is not panel[2]
            ]
            yield made
    for code, value in left.items():
        if code in signals.BY_CODE:
            yield _observation(vitals, code, arrived_ms) | _quantity(code, value)
    for code, word in vitals.status.items():
        if code in signals.BY_CODE and code not in vitals.values:
            made = _observation(vitals, code, arrived_ms)
            made["dataAbsentReason"] = _absent("error", word)
            yield made


def detected_issue(alerts: list[Alert]) -> dict[str, Any]:
    """The DetectedIssue of one alarm.

    Args:
        alerts: Its alerts, in the order of their transitions; at least one.
    """
    first, last = alerts[0], alerts[-1]
    worst = next(
        (a for a in reversed(alerts) if a.event in {Event.RAISED, Event.WORSENED}),
        first,
    )
    is_over = last.state is State.CLEARED
    period = {"start": instant(last.onset)}
    if is_over:
        period["end"] = instant(max(last.time, last.onset))
    made: dict[str, Any] = {
        "resourceType": "DetectedIssue",
        "id": urn("alarm", last.alert_id)[9:],
        "identifier": [{"system": ALARMS, "value": last.alert_id}],
        "status": "final" if is_over else "preliminary",
        "code": {
            "coding": [{"system": ALARMS, "code": last.code}],
            "text": worst.explanation.rule or last.code,
        },
        "severity": _SEVERITIES[max((a.priority for a in alerts), key=_rank)],
        "patient": _subject(last.patient_id),
        "identifiedPeriod": period,
        "detail": worst.text,
    }
    mitigation = [
        {
            "action": {"text": "acknowledged"},
            "date": instant(alert.time),
            "author": {"display": alert.by},
        }
        for alert in alerts
        if alert.event is Event.ACKNOWLEDGED and alert.by
    ]
    if mitigation:
        made["mitigation"] = mitigation
    return made


class Bundle:
    """A Bundle of resources, written piece by piece: a stay may have millions.

    Args:
        now_ms: When it is made.
    """

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._before = "\n"

    def begin(self) -> str:
        """What comes before the entries."""
        made = {
            "resourceType": "Bundle",
            "type": "collection",
            "timestamp": instant(self._now_ms),
        }
        return json.dumps(made)[:-1] + ', "entry": ['

    def entry(self, resource: dict[str, Any]) -> str:
        """One resource, which has an `id`."""
        made = {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}
        before, self._before = self._before, ",\n"
        return before + json.dumps(made, ensure_ascii=False)

    def end(self) -> str:
        """What comes after them."""
        return "\n]}\n"


def _observation(vitals: Vitals, code: str, arrived_ms: int | None) -> dict[str, Any]:
    profile = _PROFILE.get(code, "vitalsigns")
    address = urn("observation", vitals.patient_id, vitals.device, vitals.time, code)
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "id": address[9:],
        "meta": {"profile": [f"{_PROFILES}{profile}"]},
        "status": "final",
        "category": [
            {
                "coding": [
                    {"system": f"{_TERMS}observation-category", "code": "vital-signs"}
                ]
            }
        ],
        "code": _concept(code),
        "subject": _subject(vitals.patient_id),
        "encounter": {"reference": urn("encounter", vitals.patient_id)},
        "effectiveDateTime": instant(vitals.time),
    }
    if arrived_ms is not None:
        made["issued"] = instant(arrived_ms)
    device = monitor_of(vitals.device)
    if device:
        made["device"] = {"identifier": {"value": device}, "display": device}
    return made


def _concept(code: str) -> dict[str, Any]:
    row = signals.BY_CODE[code]
    term = codes.mdc(code)
    mdc = {"system": MDC, "code": term.code, "display": term.name}
    return {"coding": [*map(_coding, codes.loinc(code)), mdc], "text": row.name}


def _coding(coding: Coding) -> dict[str, Any]:
    made = {"system": LOINC, "code": coding.code}
    return made | ({"display": coding.name} if coding.name else {})


def _quantity(code: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {"dataAbsentReason": _absent("not-performed", "")}
    if isinstance(value, bool) or not isinstance(value, int | float):
        return {"dataAbsentReason": _absent("not-a-number", "")}
    unit = signals.BY_CODE[code].unit
    return {
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit}
    }


def _absent(code: str, text: str) -> dict[str, Any]:
    concept: dict[str, Any] = {
        "coding": [{"system": f"{_TERMS}data-absent-reason", "code": code}]
    }
    return concept | ({"text": text} if text else {})


def _subject(whose: str) -> dict[str, Any]:
    return {"reference": urn("patient", whose), "identifier": {"value": whose}}


def _rank(priority: Priority) -> int:
    return (Priority.LOW, Priority.MEDIUM, Priority.HIGH).index(priority)
