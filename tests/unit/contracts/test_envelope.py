"""Headers on the wire, name by name and byte by byte."""

import msgspec

from icu_stream.contracts import dead_letters, envelope
from icu_stream.contracts.alerts import Alert, Event
from tests.unit.contracts.examples import FULL, TIME


[ALERT] = [example for example in FULL if isinstance(example, Alert)]


def test_an_alert_has_the_headers_of_cloudevents_in_kafka_binary_mode():
    """CloudEvents 1.0, Kafka protocol binding 1.0.2, section 3.2."""
    assert envelope.alert_headers(ALERT) == [
        ("ce_specversion", b"1.0"),
        ("ce_type", b"icu_stream.alert.v1"),
        ("ce_source", b"/icu-stream/worker"),
        ("ce_id", f"p-0007:spo2.low:{TIME}/1".encode()),
        ("ce_subject", b"p-0007"),
        ("content-type", b"application/json"),
    ]


def test_a_standing_alert_is_another_event_than_the_transition_it_restates():
    standing = msgspec.structs.replace(ALERT, event=Event.STANDING, time=TIME + 60_000)

    ce_id = dict(envelope.alert_headers(standing))["ce_id"]

    assert ce_id == f"p-0007:spo2.low:{TIME}/1@{TIME + 60_000}".encode()


def test_a_dead_letter_says_where_it_was_and_why():
    made = dead_letters.headers("icu.vitals", 3, 42, "not JSON", 7)

    assert dead_letters.key("icu.vitals", 3, 42) == b"icu.vitals-3-42"
    assert made == [
        ("topic", b"icu.vitals"),
        ("partition", b"3"),
        ("offset", b"42"),
        ("reason", b"not JSON"),
        ("size", b"7"),
    ]


def test_a_dead_letter_keeps_the_end_of_a_long_traceback():
    made = dead_letters.headers("t", 0, 0, "r" * 500, 1, "a" * 9_000 + "the cause")

    assert len(dict(made)["reason"]) == 400
    assert len(dict(made)["detail"]) == 8_000
    assert dict(made)["detail"].endswith(b"the cause")
