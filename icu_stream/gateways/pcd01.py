"""HL7 v2 in: what monitors measured (ORU^R01, IHE PCD-01), and who came and went (ADT).

Bytes in, messages of ours out. What is read of an OBX, and what of it counts:

======  ====================================  ==============================================
field   what                                  here
======  ====================================  ==============================================
OBX-2   type                                  NM and SN are values; others are none
OBX-3   what was measured, MDC or LOINC       `codes`; also its alternate coding
OBX-4   containment MDS.VMD.channel.metric    which device, where a message has several
OBX-5   value                                 a number; other signs raise the signal's alarm
OBX-6   unit, MDC or UCUM                     `codes`; also its alternate coding
OBX-8   INV, NAV, CAL, BUSY; DEMO, TEST       no value; no patient
OBX-11  F, R, P, C; X, D, W, ...              a value; none
OBX-14  when it was measured                  else OBR-7, else MSH-7
OBX-18  the device                            the MDS's, else its own, else MSH-3
======  ====================================  ==============================================

PID-3 is the patient, PV1-3 the bed; nothing else of PID is read.

Sources: IHE PCD TF-2 9.0, transaction PCD-01 and appendix B; HL7 2.6, chapters 3 and 7.
"""

import math
import re

from collections import Counter
from datetime import UTC, tzinfo
from enum import StrEnum
from typing import NamedTuple

from icu_stream.contracts.commands import Command, CommandType
from icu_stream.contracts.vitals import Identifier
from icu_stream.gateways import codes
from icu_stream.gateways.codes import Coding, Refusal, System
from icu_stream.gateways.hl7v2 import (
    Code,
    Hl7Error,
    Message,
    Segment,
    moment,
    parse,
    zone_of,
)
from icu_stream.gateways.reading import (
    Passed,
    Place,
    Reading,
    Sheet,
    identity,
    name,
    patient_id,
)


class Options(NamedTuple):
    """What a site decides.

    Attributes:
        id_type: CX-5 of the PID-3 that is the patient's id, as MR; empty: the first.
        zone: Of times that say none, nor does MSH-7.
        interval_s: Seconds between a device's messages; None: 1.
        processing: Of MSH-11; others are rejected.
    """

    id_type: str = ""
    zone: tzinfo = UTC
    interval_s: float | None = None
    processing: str = "P"


_NO_VALUE = frozenset({"INV", "NAV", "CAL", "BUSY", "OFF"})
_NO_PATIENT = frozenset({"DEMO", "TEST"})
_RESULT = frozenset({"", "F", "R", "P", "C", "S", "U"})
_WITHDRAWN = frozenset({"D", "W"})
# Signs of a display that shows no number; nothing that could be a name.
_DISPLAY = re.compile(r"[0-9+\-.,*?<>=/ eE]{1,16}")
_SYSTEMS = {
    "MDC": System.MDC,
    "LN": System.LOINC,
    "LOINC": System.LOINC,
    "UCUM": System.UCUM,
}
_MOVES = {
    "A01": CommandType.ADMIT,
    "A02": CommandType.TRANSFER,
    "A03": CommandType.DISCHARGE,
}


def read(data: bytes, options: Options) -> Reading:
    """Read one message.

    Raises:
        Hl7Error: It is not taken, and why: for the sender's answer.
    """
    message = parse(data)
    head = message.header
    if not head.control_id:
        msg = "no message control id"
        raise Hl7Error(msg, Code.REQUIRED, "MSH-10", reject=True)
    if head.processing_id.upper() != options.processing:
        msg = f"processing id {head.processing_id[:9]!r}: want {options.processing}"
        raise Hl7Error(msg, Code.PROCESSING, "MSH-11", reject=True)
    if head.kind == "ORU" and head.event == "R01":
        return _Observations(message, options).read()
    if head.kind == "ADT":
        return _move(message, options)
    msg = f"{head.kind[:9]}^{head.event[:9]}: want ORU^R01, or ADT^A01, A02 or A03"
    raise Hl7Error(msg, Code.MESSAGE_TYPE, "MSH-9", reject=True)


class _Observations:
    """One ORU^R01 while it is read."""

    def __init__(self, message: Message, options: Options) -> None:
        self._message = message
        self._options = options
        self._zone = zone_of(message.header.time, options.zone)
        self._devices = _devices(message)
        control_id = message.header.control_id
        by = _by(message)
        self._sheet = Sheet(
            options.interval_s, by, lambda _, time: identity(by, control_id, str(time))
        )

    def read(self) -> Reading:
        patient = bed = ""
        obr: Segment | None = None
        has_obx = False
        for segment in self._message.segments:
            if segment.name == "PID":
                patient, bed, obr = _patient_id(segment, self._options), "", None
            elif segment.name == "PV1":
                bed = _bed(segment)
            elif segment.name == "OBR":
                obr = segment
            elif segment.name == "OBX":
                has_obx = True
                if not patient:
                    msg = "no PID before OBX"
                    raise Hl7Error(msg, Code.SEQUENCE, "PID")
                self._take(segment, obr, Place(patient, bed, ""))
        if not has_obx:
            msg = "no OBX: nothing was measured"
            raise Hl7Error(msg, Code.SEQUENCE, "OBX")
        return self._sheet.reading()

    def _take(self, obx: Segment, obr: Segment | None, place: Place) -> None:
        if not obx.text(5) and (obx.text(11) == "X" or not obx.text(2)):
            return  # a device or a channel: none that measures
        meaning = codes.meaning(_codings(obx, 3))
        if isinstance(meaning, Refusal):
            code = "^".join(obx.text(3, i) for i in (1, 2, 3))
            self._sheet.pass_over(meaning, code if meaning is Refusal.UNKNOWN else "")
            return
        value = _doubt(obx) or _value(obx, meaning.unit)
        if isinstance(value, StrEnum):
            self._sheet.pass_over(value)
            return
        time = self._time(obx, obr)
        if time is None:
            self._sheet.pass_over(Passed.NO_TIME)
            return
        device = _device(obx, self._devices, self._message)
        self._sheet.add(place._replace(device=device), time, meaning, value)

    def _time(self, obx: Segment, obr: Segment | None) -> int | None:
        told = (
            obx.text(14)
            or (obr.text(7) if obr is not None else "")
            or self._message.header.time
        )
        try:
            return moment(told, self._zone)
        except (ValueError, OverflowError):
            return None


def _move(message: Message, options: Options) -> Reading:
    """Admission, transfer or discharge."""
    head = message.header
    kind = _MOVES.get(head.event)
    if kind is None:
        msg = f"event {head.event[:9]!r}: want A01, A02 or A03"
        raise Hl7Error(msg, Code.EVENT, "MSH-9", reject=True)
    pid = next(message.all("PID"), None)
    if pid is None:
        msg = "no PID"
        raise Hl7Error(msg, Code.SEQUENCE, "PID")
    pv1 = next(message.all("PV1"), None)
    bed = _bed(pv1) if pv1 is not None else ""
    if kind is CommandType.TRANSFER and not bed:
        msg = "no bed to go to"
        raise Hl7Error(msg, Code.REQUIRED, "PV1-3")
    evn = next(message.all("EVN"), None)
    zone = zone_of(head.time, options.zone)
    try:
        time = moment((evn.text(2) if evn is not None else "") or head.time, zone)
    except (ValueError, OverflowError) as error:
        raise Hl7Error(str(error), Code.DATA_TYPE, "EVN-2") from None
    command = Command(
        command_id=identity(_by(message), head.control_id),
        type=kind,
        patient_id=_patient_id(pid, options),
        by=_by(message),
        time=time,
        bed=bed or None if kind is not CommandType.DISCHARGE else None,
    )
    return Reading([], [command], Counter(), 0)


def _codings(obx: Segment, field: int) -> list[Coding]:
    """A coded field: its coding and its alternate one, where they are there."""
    found = []
    for first in (1, 4):
        code, name = obx.text(field, first), obx.text(field, first + 1)
        system = obx.text(field, first + 2).upper()
        if code or name:
            found.append(Coding(_SYSTEMS.get(system, System.OTHER), code, name))
    return found


def _doubt(obx: Segment) -> Passed | None:
    """Why an OBX has no value of this patient."""
    flags = {flag.strip().upper() for flag in obx.repetitions(8)}
    status = obx.text(11).upper()
    if flags & _NO_PATIENT:
        return Passed.NO_PATIENT
    if status in _WITHDRAWN:
        return Passed.WITHDRAWN
    is_empty = obx.raw(5) in {"", '""'}
    if status not in _RESULT or flags & _NO_VALUE or is_empty:
        return Passed.NO_VALUE
    return None


def _value(obx: Segment, unit: str) -> float | str | Passed | Refusal:
    """A number in our unit, or what a display shows instead of one."""
    kind, text = obx.text(2), obx.text(5)
    if kind == "SN" and text in {"", "="} and not obx.text(5, 3):
        text = obx.text(5, 2)
    elif kind != "NM":
        return Passed.NO_NUMBER  # a word, more than a number, or a range
    try:
        number = float(text) if "_" not in text else math.nan
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return codes.in_unit(number, _codings(obx, 6), unit)
    return text if _DISPLAY.fullmatch(text) else "?"


def _devices(message: Message) -> dict[str, str]:
    """The device of each MDS, by its number in the containment.

    It is what the MDS's own OBX says, or else the first OBX below it that says one: some
    monitors say it once.
    """
    own: dict[str, str] = {}
    below: dict[str, str] = {}
    for obx in message.all("OBX"):
        mds, *path = obx.text(4).split(".")
        told = _equipment(obx)
        if path and told:
            (own if set(path) == {"0"} else below).setdefault(mds, told)
    return below | own


def _device(obx: Segment, devices: dict[str, str], message: Message) -> str:
    mds, _, path = obx.text(4).partition(".")
    told = (devices.get(mds) if path else None) or _equipment(obx)
    return name(told or message.header.sender)


def _equipment(obx: Segment) -> str:
    """OBX-18: the universal id, else the entity's."""
    return obx.text(18, 3) or obx.text(18)


def _patient_id(pid: Segment, options: Options) -> str:
    for cx in pid.repetitions(3):
        told = pid.part(cx)
        if not told or options.id_type not in {"", pid.part(cx, 5)}:
            continue
        try:
            return patient_id(told)
        except ValueError as error:
            raise Hl7Error(str(error), Code.DATA_TYPE, "PID-3") from None
    kind = f" of type {options.id_type}" if options.id_type else ""
    msg = f"no identifier{kind}"
    raise Hl7Error(msg, Code.REQUIRED, "PID-3")


def _bed(pv1: Segment) -> str:
    """Point of care, room and bed, as one name."""
    parts = (pv1.text(3, component) for component in (1, 2, 3))
    return name("-".join(filter(None, parts)))


def _by(message: Message) -> Identifier:
    """Who asks: the system that sends."""
    return identity("hl7", message.header.sender)
