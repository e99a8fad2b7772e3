"""HL7 version 2 as bytes: taking apart, answering, and leaving out who somebody is."""

from datetime import UTC
from zoneinfo import ZoneInfo

import hl7
import pytest

from hl7apy.parser import parse_message

from icu_stream.gateways import hl7v2
from icu_stream.gateways.hl7v2 import Code, Hl7Error, Separators
from tests import monitor
from tests.unit.gateways import samples


HEAD = rb"MSH|^~\&|MON|ICU|US|HERE|20260301080000+0100||ORU^R01^ORU_R01|c-1|P|2.6"


def test_a_message_is_read_as_a_second_library_reads_it():
    for data in (samples.POCD, samples.B40, samples.VS, samples.DEMO):
        ours = hl7v2.parse(data)
        theirs = hl7.parse(data.decode("latin-1"))

        assert [s.name for s in ours.segments] == [str(s[0]) for s in theirs]
        for segment, other in zip(ours.segments[1:], theirs[1:], strict=True):
            for field in range(1, len(other)):
                assert segment.raw(field) == str(other[field])


@pytest.mark.parametrize(
    ("charset", "codec", "name"),
    [
        (b"UNICODE UTF-8", "utf-8", "Köln-Süd 3"),
        (b"8859/1", "latin-1", "Köln-Süd 3"),
        (b"8859/15", "iso8859-15", "Bett 5€"),
        (b"8859/5", "iso8859-5", "Палата 2"),
        (b"~ISO IR87", "iso2022_jp", "病室"),
        (b"GB 18030-2000", "gb18030", "重症"),
        (b"KS X 1001", "euc_kr", "중환자실"),
    ],
)
def test_text_is_read_in_the_declared_character_set(charset, codec, name):
    data = HEAD + b"||||||" + charset + b"\rPV1|1|I|" + name.encode(codec) + b"^^7\r"

    [pv1] = hl7v2.parse(data).all("PV1")

    assert pv1.text(3) == name
    assert pv1.text(3, 3) == "7"


def test_a_sign_outside_of_the_character_set_is_marked_and_spoils_nothing_else():
    [pid] = hl7v2.parse(HEAD + "\rPID|||7||Müller\r".encode("latin-1")).all("PID")

    assert pid.text(3) == "7"
    assert pid.text(5) == "M\ufffdller"


@pytest.mark.parametrize(
    ("data", "code", "where"),
    [
        (b"", Code.SEQUENCE, "MSH"),
        (b"\x00\xff\xfe", Code.SEQUENCE, "MSH"),
        (b"GET / HTTP/1.1\r\n\r\n", Code.SEQUENCE, "MSH"),
        (b"MSH|^~", Code.SEQUENCE, "MSH"),
        (b"MSH|^^^^|a|b", Code.DATA_TYPE, "MSH-2"),
        (b"MSHA^~\\&|a|b", Code.DATA_TYPE, "MSH-2"),
        (HEAD + b"||||||EBCDIC", Code.NOT_FOUND, "MSH-18"),
        (HEAD + b"\r" + HEAD, Code.SEQUENCE, "MSH"),
        (HEAD + b"\rOBX|1" * 5_000, Code.SEQUENCE, "MSH"),
    ],
)
def test_what_is_no_message_is_rejected_with_the_place(data, code, where):
    with pytest.raises(Hl7Error) as caught:
        hl7v2.parse(data)

    assert (caught.value.code, caught.value.where) == (code, where)
    assert caught.value.reject


def test_an_escape_cannot_make_a_text_longer():
    text = r"a\.sp99999999999\b\X414243\\H\c\N\\Zx\d\open"

    assert Separators().unescaped(text) == "a bABCc\ufffdd\\open"


def test_escaping_and_back_changes_nothing_that_is_printable():
    text = r"5 < 6 | ^ & ~ \ end"

    assert Separators().unescaped(Separators().escaped(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20260301080000+0100", 1772348400000),
        ("20260301080000.2+0100", 1772348400200),
        ("20260301080000.2504+0100", 1772348400250),
        ("20260301020000-0500", 1772348400000),
        ("20260301080000", 1772348400000),  # the zone given
        ("202603010800", 1772348400000),
        ("20260701090000", 1782889200000),  # in summer
    ],
)
def test_a_time_is_read_with_its_own_zone_or_the_given_one(text, expected):
    assert hl7v2.moment(text, ZoneInfo("Europe/Berlin")) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026", "20260301", "2026030108", "20261301080000", "20260230080000"),
        *("20260301250000", "20260301080060", "20260301080000+2500", "20260301080000Z"),
        *("2026-03-01T08:00:00", "00000101000000", "x" * 10_000),
    ],
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        hl7v2.moment(text, UTC)


@pytest.mark.parametrize(
    ("accept", "application", "taken", "refused"),
    [
        ("", "", "AA", "AE"),
        ("AL", "NE", "CA", "CE"),  # IHE PCD-01
        ("NE", "AL", "AA", "AE"),
        ("AL", "AL", "CA", "CE"),
        ("NE", "NE", None, None),
        ("ER", "NE", None, "CE"),
        ("SU", "NE", "CA", None),
    ],
)
def test_a_sender_gets_the_acknowledgement_that_it_asks_for(
    accept, application, taken, refused
):
    head = hl7v2.header(HEAD + f"|||{accept}|{application}".encode())
    error = Hl7Error("no identifier", Code.REQUIRED, "PID-3")

    answers = [hl7v2.answer(head, None, 0), hl7v2.answer(head, error, 0)]

    codes = [a and hl7v2.answered(a)[0] for a in answers]
    assert codes == [taken, refused]


def test_an_answer_names_the_message_the_reason_and_the_place():
    head = hl7v2.header(HEAD)
    error = Hl7Error("no identifier of type MR", Code.REQUIRED, "PID-3", reject=True)

    answer = hl7v2.answer(head, error, 1_772_348_400_000)

    assert answer is not None
    msh, msa, err, _ = answer.decode().split("\r")
    assert (
        msh
        == r"MSH|^~\&|US|HERE|MON|ICU|20260301070000.000+0000||ACK^R01^ACK|Ac-1|P|2.6"
    )
    assert msa == "MSA|AR|c-1|PID-3: no identifier of type MR"
    assert err == (
        "ERR||PID^1^3|101^Required field missing^HL70357|E||||PID-3: no identifier of type MR"
    )


@pytest.mark.parametrize("refused", [False, True])
def test_answers_are_valid_by_the_rules_of_a_library_that_knows_them(refused):
    error = Hl7Error("no identifier", Code.REQUIRED, "PID-3") if refused else None

    answer = hl7v2.answer(hl7v2.header(HEAD), error, 1_772_348_400_000)

    assert answer is not None
    parsed = parse_message(answer.decode(), find_groups=True)
    assert parsed.validate()
    assert parsed.msa.msa_2.value == "c-1"


def test_an_answer_is_read_though_it_says_the_least():
    data = b"MSH|^~\\&|||||||ACK||||||||||EBCDIC\rMSA|AA|c-1\r"

    assert hl7v2.answered(data) == ("AA", "c-1", "")


def test_an_answer_to_what_is_no_message_is_an_answer():
    error = Hl7Error("no HL7", Code.SEQUENCE, reject=True)

    answer = hl7v2.answer(hl7v2.Header(), error, 0)

    assert answer is not None
    assert answer.split(b"\r")[1].startswith(b"MSA|AR||")


def test_nobodys_name_birth_date_address_or_doctor_is_kept():
    data = monitor.message("p-7", 1_772_348_400_000, {"hr": 80}, "c-1")
    data += b"NK1|1|Mustermann^Max\rOBX|9|ST|1^note^L|1|Erika ist wach\r"

    kept = hl7v2.without_names(data).decode()

    for personal in ("Muster", "Erika", "1956", "Heidestr", "Köln", "Doktor", "Max"):
        assert personal not in kept
    for wanted in ("p-7", "ICU1^^07", "147842^MDC_ECG_HEART_RATE^MDC", "|80|", "c-1"):
        assert wanted in kept


def test_nothing_is_kept_of_what_cannot_be_told_apart():
    assert hl7v2.without_names(b"Erika Mustermann, 1956") == b""
