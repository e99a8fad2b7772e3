"""Frames of MLLP out of a stream of bytes, however it is cut."""

import time

import pytest

from icu_stream.gateways.mllp import Frame, Frames


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_frames_are_found_however_the_stream_is_cut(size):
    stream = b"\r\n\x0bMSH|1\x1c\x0d\x0bMSH|2\x1c3\x1c\x0drubbish\x0b\x1c\x0d"
    frames = Frames(100)

    found = [
        frame
        for i in range(0, len(stream), size)
        for frame in frames.feed(stream[i : i + size])
    ]

    assert [f.body for f in found] == [b"MSH|1", b"MSH|2\x1c3", b""]
    assert frames.skipped == 2 + 7
    assert not frames.is_open


def test_a_frame_that_breaks_off_is_left_for_the_next_one():
    frames = Frames(100)

    found = frames.feed(b"\x0bMSH|half") + frames.feed(b"\x0bMSH|whole\x1c\x0d")

    assert found == [Frame(b"MSH|whole")]
    assert frames.halves == 1


@pytest.mark.parametrize("extra", [0, 1])
def test_a_frame_may_be_as_long_as_allowed_and_no_longer(extra):
    frames = Frames(100)

    [frame] = frames.feed(b"\x0b" + b"x" * (100 + extra) + b"\x1c\x0d")

    assert frame == Frame(b"x" * 100, complete=not extra)


def test_a_frame_without_an_end_takes_no_more_memory_than_allowed():
    frames = Frames(1_000)
    found: list[Frame] = []
    for _ in range(100):
        found += frames.feed(b"x" * 400 if found or frames.is_open else b"\x0b")
        if found:
            break

    assert found == [Frame(b"x" * 1_000, complete=False)]


@pytest.mark.parametrize(
    "chunk",
    [b"\x0b" * 65_536, b"\x0b\x1c\x0d" * 21_845, b"\x1c" * 65_536, b"\x0bx" * 32_768],
    ids=["beginnings", "empty frames", "near ends", "halves"],
)
def test_no_stream_of_bytes_takes_long(chunk):
    frames = Frames(1_000_000)
    frames.feed(b"\x0b")

    begin = time.process_time()
    for _ in range(3):
        frames.feed(chunk)

    # 192 KiB: up to 0.2 s. A look at each byte's rest would take many seconds.
    assert time.process_time() - begin < 2.0
