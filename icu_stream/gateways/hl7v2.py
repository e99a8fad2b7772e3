r"""HL7 version 2: bytes into segments and back; no socket, no clock, no meaning.

What a message says is read by position, `segment.text(field, component)`, and an empty
text is a part that is not there. Only what is asked for is unescaped. A message is read in
one pass over its bytes, and what a sender may ask of us is bounded: segments, the length of
a field that is used, and escapes that make text longer do not exist here.

python-hl7 0.4.5 is not used, though it reads the same (the tests compare): 1 MiB of
separators takes it 14 s (13 ms here), and ``\.sp50000000\``, unescaped, 50 MB.

=====  ==================  ========================================================
MSH    what                here
=====  ==================  ========================================================
1, 2   separators          any that are different, printable and no letter or digit
11     processing id       P, or what the caller takes; others are rejected
15, 16  acknowledgement    filled in: enhanced mode, CA CE CR; empty: AA AE AR
18     character set       table 0211; empty: ASCII, and what is not is marked unreadable
=====  ==================  ========================================================

Sources: HL7 version 2.6, chapters 2 and 2.A; IHE PCD TF-2, appendix B.
"""

import re
import string

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from typing import NamedTuple

from icu_stream.errors import ContractError


# Ours: a monitor's message has some 100 segments.
MOST_SEGMENTS = 5_000
# Ours: no segment of HL7 2.9 has more.
_MOST_FIELDS = 100
# Ours: longer than any identifier, unit, number or time that is used.
_LONGEST = 1_000

# Table 0211 of HL7 2.6, with the names that Python has for the sets.
CHARSETS = {
    "": "ascii",
    "ASCII": "ascii",
    "8859/1": "iso8859-1",
    "8859/2": "iso8859-2",
    "8859/3": "iso8859-3",
    "8859/4": "iso8859-4",
    "8859/5": "iso8859-5",
    "8859/6": "iso8859-6",
    "8859/7": "iso8859-7",
    "8859/8": "iso8859-8",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
    "ISO IR6": "ascii",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
}
# Marks a character that the declared set does not have.
UNREADABLE = "\ufffd"

_TIME = re.compile(
    r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(?:(\d\d)(\.\d{1,4})?)?([+-]\d{4})?",
    re.ASCII,
)
_SIGNS = frozenset(string.punctuation)
_ESCAPE = {"F": 0, "S": 1, "R": 2, "E": 3, "T": 4}


class Code(StrEnum):
    """What was wrong, by HL7's table 0357."""

    SEQUENCE = "100"
    REQUIRED = "101"
    DATA_TYPE = "102"
    NOT_FOUND = "103"
    MESSAGE_TYPE = "200"
    EVENT = "201"
    PROCESSING = "202"
    VERSION = "203"
    INTERNAL = "207"


_CODE_TEXT = {
    Code.SEQUENCE: "Segment sequence error",
    Code.REQUIRED: "Required field missing",
    Code.DATA_TYPE: "Data type error",
    Code.NOT_FOUND: "Table value not found",
    Code.MESSAGE_TYPE: "Unsupported message type",
    Code.EVENT: "Unsupported event code",
    Code.PROCESSING: "Unsupported processing id",
    Code.VERSION: "Unsupported version id",
    Code.INTERNAL: "Application internal error",
}


class Hl7Error(ContractError):
    """A message that is not taken; says why, and never what a patient is called.

    Attributes:
        code: For the sender's ERR.
        where: Segment, and field where there is one, as PID-3.
        reject: It can never be taken, however often it comes (AR); else AE.
    """

    def __init__(
        self, message: str, code: Code, where: str = "MSH", *, reject: bool = False
    ) -> None:
        super().__init__(f"{where}: {message}")
        self.code = code
        self.where = where
        self.reject = reject


class Separators(NamedTuple):
    r"""The characters that divide, in the order of MSH-1 and MSH-2.

    >>> Separators().unescaped(r"70 \T\ over\E\ \X41\ \.br\end")
    '70 & over\\ A  end'
    """

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    def unescaped(self, text: str) -> str:
        """Without escapes; what shows how text is laid out becomes a space."""
        if self.escape not in text:
            return text
        parts = text.split(self.escape)
        plain = [parts[0]]
        for i in range(1, len(parts) - 1, 2):
            plain.append(self._meant(parts[i]))
            plain.append(parts[i + 1])
        if not len(parts) % 2:  # an escape that does not end
            plain.append(self.escape + parts[-1])
        return "".join(plain)

    def escaped(self, text: str) -> str:
        """Safe inside of a field; control characters become spaces."""
        names = {self[i]: name for name, i in _ESCAPE.items()}
        return "".join(
            f"{self.escape}{names[c]}{self.escape}"
            if c in names
            else (c if c.isprintable() else " ")
            for c in text
        )

    def _meant(self, name: str) -> str:
        if name in _ESCAPE:
            return self[_ESCAPE[name]]
        if name[:1] == "X":
            try:
                return bytes.fromhex(name[1:]).decode("ascii", "replace")
            except ValueError:
                return UNREADABLE
        # Highlighting says nothing; a character set is not changed in mid-field.
        if name in {"H", "N"}:
            return ""
        return " " if name[:1] == "." else UNREADABLE


class Segment(NamedTuple):
    """One line.

    Attributes:
        name: MSH, PID, ...
        fields: Raw; `fields[n]` is field n of the standard.
        separators: Of the message.
    """

    name: str
    fields: list[str]
    separators: Separators

    def raw(self, field: int) -> str:
        """A whole field as it came."""
        return self.fields[field] if field < len(self.fields) else ""

    def repetitions(self, field: int) -> list[str]:
        """The repetitions of a field, raw; none when it is empty."""
        raw = self.raw(field)[: 4 * _LONGEST]
        return raw.split(self.separators.repetition) if raw else []

    def text(self, field: int, component: int = 1) -> str:
        """A component of the first repetition of a field, in plain text."""
        first, _, _ = self.raw(field).partition(self.separators.repetition)
        return self.part(first, component)

    def part(self, repetition: str, component: int = 1) -> str:
        """A component of one repetition, its first subcomponent, in plain text."""
        parts = repetition[:_LONGEST].split(self.separators.component, component)
        if len(parts) < component:
            return ""
        first, _, _ = parts[component - 1].partition(self.separators.subcomponent)
        return self.separators.unescaped(first).strip()


class Header(NamedTuple):
    """What MSH says, as far as it is needed for an answer.

    Attributes:
        separators: Of the message.
        application: MSH-3, raw: who sends.
        facility: MSH-4, raw.
        receiver: MSH-5, raw.
        receiver_facility: MSH-6, raw.
        time: MSH-7.
        kind: MSH-9.1, as ORU.
        event: MSH-9.2, as R01.
        control_id: MSH-10.
        processing_id: MSH-11.1.
        version: MSH-12.1.
        accept: MSH-15: AL, NE, ER or SU.
        answer: MSH-16: likewise.
        charset: MSH-18, the first.
    """

    separators: Separators = Separators()
    application: str = ""
    facility: str = ""
    receiver: str = ""
    receiver_facility: str = ""
    time: str = ""
    kind: str = ""
    event: str = ""
    control_id: str = ""
    processing_id: str = ""
    version: str = ""
    accept: str = ""
    answer: str = ""
    charset: str = ""

    @property
    def is_enhanced(self) -> bool:
        """Does the sender want HL7's enhanced acknowledgement?"""
        return bool(self.accept or self.answer)

    @property
    def sender(self) -> str:
        """Who sends, in plain text: application, and its number where it has one."""
        msh = Segment("MSH", ["MSH", "", "", self.application], self.separators)
        return "^".join(filter(None, (msh.text(3), msh.text(3, 2))))

    @property
    def original(self) -> "Header":
        """The same, for the original acknowledgement, which every system knows."""
        return self._replace(accept="", answer="")


class Message(NamedTuple):
    """A message, taken apart.

    Attributes:
        header: Its MSH.
        segments: All of them, MSH first.
    """

    header: Header
    segments: list[Segment]

    def all(self, name: str) -> Iterator[Segment]:
        """Every segment of a name."""
        return (segment for segment in self.segments if segment.name == name)


def header(data: bytes) -> Header:
    """Read MSH alone, of a message that may be broken elsewhere.

    Raises:
        Hl7Error: There is no MSH that one could answer.
    """
    first = re.split(rb"[\r\n]", data[: _LONGEST * 4].lstrip(), maxsplit=1)[0]
    if not first.startswith(b"MSH") or len(first) < 8:
        msg = "no HL7 version 2 message: it does not begin with MSH"
        raise Hl7Error(msg, Code.SEQUENCE, reject=True)
    # MSH itself is ASCII as far as it is read; what is not, is not needed.
    line = "".join(
        c if c.isprintable() else " " for c in first.decode("ascii", "replace")
    )
    separators = _separators(line)
    msh = _segment(line, separators)
    return Header(
        separators=separators,
        application=msh.raw(3)[:_LONGEST],
        facility=msh.raw(4)[:_LONGEST],
        receiver=msh.raw(5)[:_LONGEST],
        receiver_facility=msh.raw(6)[:_LONGEST],
        time=msh.text(7),
        kind=msh.text(9),
        event=msh.text(9, 2),
        control_id=msh.text(10)[:199],
        processing_id=msh.text(11),
        version=msh.text(12),
        accept=msh.text(15).upper(),
        answer=msh.text(16).upper(),
        charset=next((c.strip().upper() for c in msh.repetitions(18) if c.strip()), ""),
    )


def parse(data: bytes) -> Message:
    """Take a message apart; 1 MiB takes some 10 ms.

    Raises:
        Hl7Error: It is none, or its character set is not known.
    """
    head = header(data)
    codec = CHARSETS.get(head.charset)
    if codec is None:
        msg = f"character set {head.charset[:40]!r}: want one of table 0211, as UNICODE UTF-8"
        raise Hl7Error(msg, Code.NOT_FOUND, "MSH-18", reject=True)
    return _parsed(data, head, codec)


def _parsed(data: bytes, head: Header, codec: str) -> Message:
    text = data.decode(codec, "replace")
    lines = [line for line in re.split(r"[\r\n]+", text) if line and not line.isspace()]
    if len(lines) > MOST_SEGMENTS:
        msg = f"{len(lines)} segments: want at most {MOST_SEGMENTS}"
        raise Hl7Error(msg, Code.SEQUENCE, reject=True)
    segments = [_segment(line.lstrip(), head.separators) for line in lines]
    if any(segment.name == "MSH" for segment in segments[1:]):
        msg = "a second MSH: one message a frame"
        raise Hl7Error(msg, Code.SEQUENCE, reject=True)
    return Message(head, segments)


def moment(text: str, zone: tzinfo) -> int:
    """A time of HL7 as epoch milliseconds.

    Args:
        text: `YYYYMMDDHHMM[SS[.SSSS]][+ZZZZ]`; a date without minutes is none.
        zone: Of a time that does not say its own.

    Raises:
        ValueError: It is no time.

    >>> moment("20260301080000.250+0100", UTC), moment("202603010800", UTC)
    (1772348400250, 1772352000000)
    """
    found = _TIME.fullmatch(text)
    if found is None:
        msg = f"{text[:40]!r} is no time: want YYYYMMDDHHMMSS, best with +ZZZZ"
        raise ValueError(msg)
    *numbers, fraction, offset = found.groups()
    if offset is not None:
        minutes = int(offset[1:3]) * 60 + int(offset[3:5])
        zone = timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
    year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
    told = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    return round(told.timestamp()) * 1000 + round(float(fraction or 0) * 1000)


def zone_of(text: str, other: tzinfo) -> tzinfo:
    """The time zone that a time says, or another: MSH-7's holds for the message."""
    found = _TIME.fullmatch(text)
    if found is None or found[8] is None:
        return other
    minutes = int(found[8][1:3]) * 60 + int(found[8][3:5])
    if minutes >= 24 * 60:
        return other
    return timezone(timedelta(minutes=-minutes if found[8][0] == "-" else minutes))


def written(time_ms: int) -> str:
    """Epoch milliseconds as a time of HL7.

    >>> written(1772348400250)
    '20260301070000.250+0000'
    """
    told = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{told:%Y%m%d%H%M%S}.{time_ms % 1000:03d}+0000"


def answer(head: Header, error: Hl7Error | None, now_ms: int) -> bytes | None:
    """The acknowledgement of a message; None when the sender wants none.

    Args:
        head: Of the message.
        error: Why it was not taken; None when it was.
        now_ms: The wall clock.
    """
    sep = head.separators
    if head.is_enhanced:
        first, wanted = (
            ("C", head.accept) if head.accept != "NE" else ("A", head.answer)
        )
        if wanted in {"", "NE"} or wanted == ("SU" if error else "ER"):
            return None
    else:
        first = "A"
    second = "A" if error is None else ("R" if error.reject else "E")
    trigger = f"{sep.component}{head.event}" if head.event.isalnum() else ""
    encoding = sep.component + sep.repetition + sep.escape + sep.subcomponent
    msh = [
        "MSH",
        encoding,
        head.receiver,
        head.receiver_facility,
        head.application,
        head.facility,
        written(now_ms),
        "",
        f"ACK{trigger}{sep.component}ACK" if trigger else "ACK",
        sep.escaped(f"A{head.control_id}")[:199],
        sep.escaped(head.processing_id) or "P",
        sep.escaped(head.version) or "2.6",
    ]
    lines = [msh, ["MSA", first + second, sep.escaped(head.control_id)]]
    if error is not None:
        lines[1].append(sep.escaped(str(error))[:80])
        lines.append(_err(error, sep))
    text = "".join(f"{sep.field.join(line)}\r" for line in lines)
    return text.encode("utf-8", "replace")


def answered(data: bytes) -> tuple[str, str, str]:
    """What an acknowledgement says.

    Returns:
        Code (AA, AE, AR, CA, CE or CR), control id of the message, the reason.

    Raises:
        Hl7Error: It is none.
    """
    # Whoever answers may leave out much; only the reason may be anything but ASCII.
    message = _parsed(data, header(data), "utf-8")
    msa = next(message.all("MSA"), None)
    if msa is None:
        msg = "an answer without MSA"
        raise Hl7Error(msg, Code.SEQUENCE, "MSA")
    reason = msa.text(3)
    for err in message.all("ERR"):
        reason = reason or err.text(8) or err.text(3, 2)
    return msa.text(1), msa.text(2), reason[:200]


# What of a message that could not be taken is kept: nobody's name, birth date, address or
# doctor. A field of text may hold anything, a number or a code may not.
_KEPT = {
    "MSH": frozenset(range(1, 22)),
    "EVN": frozenset({1, 2}),
    "PID": frozenset({1, 3}),
    "PV1": frozenset({1, 2, 3}),
    "OBR": frozenset({1, 2, 3, 4, 7, 8, 29}),
    "OBX": frozenset({1, 2, 3, 4, 5, 6, 7, 8, 11, 14, 18}),
}
_NUMBERS = frozenset({"NM", "SN", "DTM", "TS"})


def without_names(data: bytes) -> bytes:
    """A message without what says who the patient is beyond the identifier.

    What is no message at all is not kept: nobody could tell what is in it.
    """
    try:
        message = parse(data)
    except Hl7Error:
        return b""
    sep = message.header.separators
    lines = []
    for segment in message.segments:
        kept = _KEPT.get(segment.name, frozenset())
        if segment.name == "OBX" and segment.text(2) not in _NUMBERS:
            kept -= {5}
        fields = [
            value if i == 0 or i in kept else ""
            for i, value in enumerate(segment.fields)
        ]
        if segment.name == "MSH":
            del fields[1]
        lines.append(sep.field.join(fields).rstrip(sep.field))
    return "\r".join([*lines, ""]).encode("utf-8", "replace")


def _separators(line: str) -> Separators:
    field = line[3]
    told = line[4:].split(field, 1)[0]
    found = Separators(field, *told[:4]) if len(told) >= 4 else None
    if found is None or len(set(found)) < len(found) or not _SIGNS.issuperset(found):
        msg = "separators are not four or five different signs, as |^~\\&"
        raise Hl7Error(msg, Code.DATA_TYPE, "MSH-2", reject=True)
    return found


def _segment(line: str, separators: Separators) -> Segment:
    fields = line.split(separators.field, _MOST_FIELDS)
    if fields[0] == "MSH":
        # MSH-1 is the separator itself.
        fields.insert(1, separators.field)
    return Segment(fields[0], fields, separators)


def _err(error: Hl7Error, sep: Separators) -> list[str]:
    """ERR as of version 2.5: where, what, how bad, and one line for a person."""
    segment, _, field = error.where.partition("-")
    where = sep.component.join(filter(None, [segment, "1", field]))
    code = sep.component.join([error.code, _CODE_TEXT[error.code], "HL70357"])
    return ["ERR", "", where, code, "E", "", "", "", sep.escaped(str(error))[:250]]
