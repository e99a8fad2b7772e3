"""Signatures: what is signed, now, and by whoever it says is believed, and nothing else."""

import base64

import pytest

from icu_stream.errors import ConfigurationError
from icu_stream.pager import signature
from icu_stream.pager.signature import Flaw
from tests.paging import KEY, SECRET


NOW_S = 1_795_492_541
BODY = b'{"answer": "accepted"}'


def signed(**changes: str) -> dict[str, str]:
    return signature.headers(KEY, "msg_1", NOW_S, BODY) | changes


def flaw(headers: dict[str, str], body: bytes = BODY, now_s: float = NOW_S):
    return signature.flaw(KEY, headers, body, round(now_s * 1000))


def test_the_example_of_standard_webhooks_is_signed_as_its_libraries_do():
    """Source: Standard Webhooks, libraries/python/tests: the same secret, id and payload."""
    key = signature.key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'

    made = signature.sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)

    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_is_signed_now_is_believed():
    assert flaw(signed()) is None


def test_one_signature_of_several_is_enough():
    """A secret is replaced without a gap."""
    other = signature.sign(b"x" * 32, "msg_1", NOW_S, BODY)
    both = f"v1a,abc {other} {signed()[signature.SIGNATURE]}"

    assert flaw(signed(**{signature.SIGNATURE: both})) is None


@pytest.mark.parametrize(
    "changes",
    [
        {signature.ID: "msg_2"},
        {signature.TIMESTAMP: str(NOW_S + 1)},
        {signature.SIGNATURE: "v1,AAAA"},
        {signature.SIGNATURE: "v1,\u2603"},
        {signature.SIGNATURE: "v1a," + signature.sign(KEY, "msg_1", NOW_S, BODY)[3:]},
    ],
)
def test_what_was_changed_is_forged(changes):
    assert flaw(signed(**changes)) is Flaw.FORGED


def test_another_body_is_forged():
    assert flaw(signed(), BODY + b" ") is Flaw.FORGED


@pytest.mark.parametrize(
    ("late_s", "wanted"),
    [(300, None), (300.001, Flaw.STALE), (-300, None), (-301, Flaw.STALE)],
)
def test_what_is_older_or_newer_than_five_minutes_is_stale(late_s, wanted):
    assert flaw(signed(), now_s=NOW_S + late_s) is wanted


@pytest.mark.parametrize(
    "changes",
    [
        {signature.ID: ""},
        {signature.ID: "x" * 129},
        {signature.ID: "a\nb"},
        {signature.TIMESTAMP: ""},
        {signature.TIMESTAMP: "-5"},
        {signature.TIMESTAMP: "٣"},
        {signature.TIMESTAMP: "9" * 13},
        {signature.SIGNATURE: ""},
    ],
)
def test_what_lacks_a_header_is_incomplete(changes):
    assert flaw(signed(**changes)) is Flaw.INCOMPLETE


@pytest.mark.parametrize(
    "given",
    [
        KEY.decode(),
        "whsec_",
        "whsec_%%%",
        "whsec_" + base64.b64encode(b"k" * 23).decode(),
        "whsec_" + base64.b64encode(b"k" * 65).decode(),
    ],
)
def test_what_is_no_secret_is_refused_without_being_told(given):
    with pytest.raises(ConfigurationError, match="want whsec_") as caught:
        signature.key(given)

    assert given not in str(caught.value) or given == "whsec_"


def test_a_secret_is_its_bytes():
    assert signature.key(SECRET) == KEY
