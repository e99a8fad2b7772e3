"""Alerts out as IHE PCD-04 (ORU^R40): one message a transition, for an alarm manager.

========  =============================  ===============================================
facet     OBX-3                          what
========  =============================  ===============================================
1         MDC_EVT_LO, _HI, _ALARM, ...   the sentence; OBX-8: L or H, priority, kind
2         the signal                     its value, unit and limit; else where it is
3         MDC_ATTR_EVENT_PHASE           start, continue, end
4         MDC_ATTR_ALARM_STATE           active, latched, inactive
5         .._INACTIVATION_STATE          enabled, alert-acknowledged
6         MDC_ATTR_ALARM_PRIORITY        PH, PM, PL
7         MDC_ATTR_ALERT_TYPE            SP patient, ST technical, SA advisory
========  =============================  ===============================================

OBR-3 names the report, OBR-29 the alarm that it belongs to: our `alert_id`. MSH-10 is made
of the transition, so a message that is sent again is known by it. The alarm's own code is
OBX-3's alternate coding. There is no name of a patient in it.

Source: IHE PCD TF-2 9.0, transaction PCD-04.
"""

import uuid

from collections.abc import Iterator
from typing import NamedTuple

from icu_stream.contracts.alerts import Alert, Event, Kind, Priority, State
from icu_stream.contracts.envelope import alert_headers
from icu_stream.gateways import codes
from icu_stream.gateways.codes import Coding
from icu_stream.gateways.hl7v2 import Separators, written


PROFILE = "IHE_PCD_ACM_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.4.1^ISO"
# Our codes in a coded field: a local table, by HL7's own rule for its name.
LOCAL = "99ICU"

_PRIORITIES = {Priority.HIGH: "PH", Priority.MEDIUM: "PM", Priority.LOW: "PL"}
_KINDS = {Kind.PHYSIOLOGICAL: "SP", Kind.TECHNICAL: "ST", Kind.ADVISORY: "SA"}
_STATES = {
    State.ACTIVE: "active",
    State.ACKNOWLEDGED: "active",
    State.LATCHED: "latched",
    State.CLEARED: "inactive",
}
_STARTS = frozenset({Event.RAISED, Event.PAUSED})
_MONITOR = Coding(codes.System.MDC, "69965", "MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS")
_ATTRIBUTES = {
    2: "68480^MDC_ATTR_ALERT_SOURCE^MDC",
    3: "68481^MDC_ATTR_EVENT_PHASE^MDC",
    4: "68482^MDC_ATTR_ALARM_STATE^MDC",
    5: "68483^MDC_ATTR_ALARM_INACTIVATION_STATE^MDC",
    6: "68484^MDC_ATTR_ALARM_PRIORITY^MDC",
    7: "68485^MDC_ATTR_ALERT_TYPE^MDC",
}
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:icu-stream:alert")
_SEP = Separators()


class Ends(NamedTuple):
    """Who speaks with whom: MSH-3 to MSH-6.

    Attributes:
        application: We.
        facility: Ours.
        receiver: The alarm manager.
        receiver_facility: Its.
    """

    application: str = "ICU_STREAM"
    facility: str = ""
    receiver: str = ""
    receiver_facility: str = ""


def control_id(alert: Alert) -> str:
    """MSH-10 of an alert: the same whenever it is sent."""
    ce_id = dict(alert_headers(alert))["ce_id"].decode()
    return str(uuid.uuid5(_SPACE, ce_id))


def phase(alert: Alert) -> str:
    """Start, continue or end."""
    if alert.state is State.CLEARED:
        return "end"
    return "start" if alert.event in _STARTS else "continue"


def report(alert: Alert, ends: Ends, now_ms: int) -> bytes:
    """One alert as a message.

    Args:
        alert: What changed, or is stated again.
        ends: Who speaks with whom.
        now_ms: When it is sent.
    """
    ce_id = dict(alert_headers(alert))["ce_id"].decode()
    time = written(alert.time)
    us = _SEP.escaped(ends.application)
    filler = f"{_SEP.escaped(ce_id)}^{us}"
    parent = f"^{_SEP.escaped(alert.alert_id)}&{us}"
    lines = [
        [
            "MSH",
            "^~\\&",
            *(_SEP.escaped(end) for end in ends),
            written(now_ms),
            "",
            "ORU^R40^ORU_R40",
            control_id(alert),
            "P",
            "2.6",
            "",
            "",
            "AL",
            "NE",
            "",
            "UNICODE UTF-8",
            "",
            "",
            PROFILE,
        ],
        # PID-5: a name of unspecified type, which is none.
        ["PID", "", "", f"{_SEP.escaped(alert.patient_id)}^^^^PI", "", "^^^^^^U"],
        ["PV1", "", "I", f"^^{_SEP.escaped(alert.bed)}"],
        ["OBR", "1", filler, filler, _coded(codes.EVENT_ALARM), "", "", time]
        + [""] * 21
        + [parent],
        *_facets(alert, time, us),
    ]
    return "".join(f"{'|'.join(line)}\r" for line in lines).encode()


def _facets(alert: Alert, time: str, us: str) -> Iterator[list[str]]:
    source = _MONITOR
    place = "1.0.0.0"
    if alert.signal is not None:
        source = codes.mdc(alert.signal)
        place = f"1.1.1.{source.code}"
    event, flag = _event(alert)
    own = f"{_coded(event)}^{_SEP.escaped(alert.code)}^^{LOCAL}"
    flags = [flag, _PRIORITIES[alert.priority], _KINDS[alert.kind]]
    yield [
        *("OBX", "1", "ST", own, f"{place}.1", _SEP.escaped(alert.text), "", ""),
        *("~".join(flags), "", "", "F", "", "", time, "", "", "", us),
    ]
    if alert.signal is not None and alert.value is not None:
        unit = _coded(codes.mdc_unit(alert.signal))
        value = f"{alert.value:.10g}"
        limit = ""
        if alert.limit is not None and flag in {"L", "H"}:
            limit = f"{'>' if flag == 'L' else '<'}{alert.limit:.10g}"
        yield [
            *("OBX", "2", "NM", _coded(source), f"{place}.2", value, unit, limit),
            *("", "", "", "F", "", "", time),
        ]
    else:
        yield _facet(2, "CWE", place, _coded(source))
    acknowledged = alert.state is State.ACKNOWLEDGED
    yield _facet(3, "ST", place, phase(alert))
    yield _facet(4, "ST", place, _STATES[alert.state])
    yield _facet(5, "ST", place, "alert-acknowledged" if acknowledged else "enabled")
    yield _facet(6, "ST", place, _PRIORITIES[alert.priority])
    yield _facet(7, "ST", place, _KINDS[alert.kind])


def _facet(number: int, kind: str, place: str, value: str) -> list[str]:
    return [
        *("OBX", str(number), kind, _ATTRIBUTES[number], f"{place}.{number}", value),
        *("", "", "", "", "", "F"),
    ]


def _event(alert: Alert) -> tuple[Coding, str]:
    """The MDC event and the flag of OBX-8: low, high or otherwise abnormal."""
    condition = alert.code.rpartition(".")[2]
    if alert.signal is not None and alert.kind is Kind.PHYSIOLOGICAL:
        special = codes.EVENTS.get(alert.code)
        if special is not None:
            return special, "A"
        if condition.endswith("low"):
            return codes.EVENT_LOW, "L"
        if condition.endswith("high"):
            return codes.EVENT_HIGH, "H"
    return codes.EVENT_ALARM, "A"


def _coded(coding: Coding) -> str:
    return f"{coding.code}^{coding.name}^MDC"
