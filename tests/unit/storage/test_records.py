"""Cursors: what is not ours is refused."""

import pytest

from hypothesis import given
from hypothesis import strategies as st

from icu_stream.errors import ContractError
from icu_stream.storage.records import cursor, uncursor


KEYS = (("time_ms", int), ("device", str))


@given(st.integers(-(2**63), 2**63 - 1), st.text())
def test_a_cursor_is_the_key_of_its_row(time_ms, device):
    text = cursor({"time_ms": time_ms, "device": device}, KEYS)

    assert uncursor(text, KEYS) == (time_ms, device)
    assert "=" not in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "'; DROP TABLE icu.vitals; --",
        cursor({"time_ms": "1", "device": "x"}, KEYS),
        cursor({"time_ms": 2**70, "device": "x"}, KEYS),
        cursor({"time_ms": 1}, KEYS[:1]),
        "é",
    ],
)
def test_what_is_no_cursor_is_refused(text):
    with pytest.raises(ContractError, match="want the cursor"):
        uncursor(text, KEYS)
