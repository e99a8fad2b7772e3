"""What is remembered of the last minute and the last day."""

import math
import random

import numpy as np
import pytest

from icu_stream.contracts.signals import BY_CODE, SIGNALS
from icu_stream.domain import windows
from icu_stream.domain.windows import HOUR_MS, MINUTE_MS, Windows
from icu_stream.errors import StateError


START = 1_700_002_800_000  # a whole hour


class Fed(Windows):
    """Windows that are fed as the monitor feeds them."""

    def take(self, time_ms: int, **values: float) -> dict[str, float] | None:
        means = self.turn(time_ms) if time_ms >= self.end_ms else None
        self.times.append(time_ms)
        self.rows.append(values)
        return means

    def minute(self, minute: int, code: str) -> tuple[int, float, float, float]:
        """A minute since `START`: samples, mean, lowest, highest."""
        hour, minute = divmod(START // MINUTE_MS + minute, 60)
        table = self._table if hour == self._hour else self.hour(hour)
        number = [signal.code for signal in SIGNALS].index(code)
        at = minute * windows._MINUTE_BYTES + number * windows._CELL.size
        n, mean, low, high = windows._CELL.unpack_from(table, at)
        scale = windows._SCALE_OF[code]
        shown = scale // 10
        return n, mean / scale, low / shown, high / shown

    def hour(self, hour: int) -> bytearray:
        table = self._hours[hour]
        if isinstance(table, bytes):
            return windows._expanded(table)
        return table.ljust(windows._HOUR_BYTES, b"\0")

    def plain(self) -> list[int]:
        """Closed hours that are not compressed, since `START`."""
        first = START // HOUR_MS
        plain = [h for h, t in self._hours.items() if isinstance(t, bytearray)]
        return sorted(hour - first for hour in plain)


def test_ten_seconds_are_folded_when_the_next_begin():
    fed = Fed()
    for second in range(10):
        assert fed.take(START + 1000 * second, hr=80.0 + second) is None

    assert fed.take(START + 10_000, hr=80.0) == {"hr": 84.5}


def test_means_come_in_the_order_of_the_signals():
    fed = Fed()
    fed.take(START, spo2=97.0, hr=80.0)

    assert list(fed.take(START + 10_000, hr=80.0)) == ["hr", "spo2"]


def test_signals_that_come_and_go_are_folded_apart():
    fed = Fed()
    fed.take(START, hr=80.0, spo2=96.0)
    fed.take(START + 1000, hr=82.0)
    fed.take(START + 2000, spo2=98.0, temp=37.0)

    assert fed.take(START + 10_000, hr=80.0) == {"hr": 81.0, "spo2": 97.0, "temp": 37.0}


def test_the_same_number_of_other_signals_is_folded_apart_too():
    fed = Fed()
    fed.take(START, hr=80.0, spo2=96.0)
    fed.take(START + 1000, hr=82.0, rr=16.0)

    means = fed.take(START + 10_000, hr=80.0)

    assert means == {"hr": 81.0, "spo2": 96.0, "rr": 16.0}


def test_a_minute_holds_samples_mean_and_both_ends():
    fed = Fed()
    for second in range(60):
        fed.take(START + 1000 * second, hr=60.0 + second, temp=37.25)
    fed.take(START + MINUTE_MS, hr=80.0)

    assert fed.minute(0, "hr") == (60, 89.5, 60, 119)
    assert fed.minute(0, "temp") == (60, 37.25, 37.2, 37.3)


def test_both_ends_of_a_minute_are_rounded_outwards_and_no_further():
    fed = Fed()
    fed.take(START, hr=79.5, temp=37.1)
    fed.take(START + 1000, hr=80.5, temp=37.2)
    fed.take(START + MINUTE_MS, hr=80.0)

    assert fed.minute(0, "hr") == (2, 80, 79, 81)
    assert fed.minute(0, "temp") == (2, 37.15, 37.1, 37.2)


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.code)
def test_both_ends_of_an_instrument_fit_a_minute(signal):
    fed = Fed()
    fed.take(START, **{signal.code: float(signal.low)})
    fed.take(START + 1000, **{signal.code: float(signal.high)})
    fed.take(START + MINUTE_MS, hr=80.0)

    _, _, low, high = fed.minute(0, signal.code)
    assert (low, high) == (signal.low, signal.high)


def test_a_minute_of_very_many_samples_is_counted_as_255():
    fed = Fed()
    for step in range(1000):
        fed.take(START + 50 * step, hr=80.0)
    fed.take(START + MINUTE_MS, hr=80.0)

    assert fed.minute(0, "hr")[0] == 255


def test_an_hour_is_the_same_after_it_was_closed():
    rng = random.Random(1)
    fed = Fed()
    seen = {}
    for minute in range(60):
        for code in ("hr", "spo2", "temp"):
            if code == "spo2" and minute in range(20, 40):
                continue
            signal = BY_CODE[code]
            value = round(rng.uniform(signal.low, signal.high), signal.digits)
            seen[minute, code] = value
        values = {c: v for (m, c), v in seen.items() if m == minute}
        fed.take(START + MINUTE_MS * minute, **values)
    fed.take(START + HOUR_MS, hr=80.0)

    assert (list(fed._hours), fed.plain()) == ([START // HOUR_MS], [0])
    for compressed in (False, True):
        if compressed:
            fed.take(START + HOUR_MS + 59 * MINUTE_MS, hr=80.0)
        for (minute, code), value in seen.items():
            assert fed.minute(minute, code) == (1, value, value, value)
        assert fed.minute(25, "spo2")[0] == 0
    assert fed.plain() == []


def test_patients_compress_their_hours_at_different_minutes():
    minutes = set()
    for patient in range(20):
        fed = Fed()
        for minute in range(60):
            fed.take(START + MINUTE_MS * minute, hr=60.0 + (patient + minute) % 50)
        minute = 60
        fed.take(START + MINUTE_MS * minute, hr=80.0)
        while fed.plain():
            minute += 1
            fed.take(START + MINUTE_MS * minute, hr=80.0)
        minutes.add(minute)

    assert len(minutes) > 10
    assert max(minutes) <= 110


def test_usual_is_the_mean_of_at_least_30_minutes():
    fed = Fed()
    for minute in range(30):
        fed.take(START + MINUTE_MS * minute, hr=70.0 + minute % 2)
    assert fed.usual("hr") is None

    fed.take(START + MINUTE_MS * 30, hr=80.0)

    assert fed.usual("hr") == pytest.approx(70.5)
    assert fed.usual("spo2") is None


def test_what_is_older_than_a_day_is_forgotten():
    fed = Fed()
    for hour in range(40):
        for minute in range(0, 60, 2):
            fed.take(START + HOUR_MS * hour + MINUTE_MS * minute, hr=float(hour))

    assert len(fed._hours) == 23
    minutes, total = fed._totals["hr"]
    assert minutes == 23 * 30 + 29
    assert fed.usual("hr") == pytest.approx(total / minutes / 10)
    assert fed.usual("hr") == pytest.approx(
        (30 * sum(range(16, 39)) + 29 * 39) / minutes
    )


def test_a_week_of_silence_leaves_nothing():
    fed = Fed()
    for minute in range(60):
        fed.take(START + MINUTE_MS * minute, hr=80.0)

    fed.take(START + 7 * 24 * HOUR_MS, hr=60.0)

    assert fed.usual("hr") is None
    assert (fed._hours, fed._blocks, fed._totals) == ({}, {}, {})


@pytest.mark.parametrize("late_minutes", [0, 1, 30, 59, 61, 120, 23 * 60])
def test_a_late_value_goes_where_it_belongs(late_minutes):
    fed = Fed()
    last = 23 * 60 + 30
    for minute in range(last + 1):
        fed.take(START + MINUTE_MS * minute, hr=80.0)
    when = START + MINUTE_MS * (last - late_minutes) + 5000

    fed.place(when, {"hr": 60.0})
    fed.take(START + MINUTE_MS * (last + 1), hr=80.0)

    assert fed.minute(last - late_minutes, "hr") == (2, 70, 60, 80)
    minutes = last + 1
    assert fed.usual("hr") == pytest.approx((80 * (minutes - 1) + 70) / minutes)


def test_hours_of_late_values_are_plain_until_others_come():
    fed = Fed()
    for minute in range(0, 10 * 60 + 60, 5):
        fed.take(START + MINUTE_MS * minute, hr=80.0)
    assert fed.plain() == []

    for minute in range(8 * 60):
        fed.place(START + MINUTE_MS * minute, {"rr": 16.0 + minute % 7})

    assert fed.plain() == [5, 6, 7]
    for minute in range(8 * 60):
        value = 16 + minute % 7
        assert fed.minute(minute, "rr") == (1, value, value, value)
        assert fed.minute(minute, "hr")[0] == (minute % 5 == 0)
    again = Fed.restored(fed.saved(), fed.pieces())
    assert (again._hours, again._totals) == (fed._hours, fed._totals)
    for minute in (2, 1):
        fed.take(START + 12 * HOUR_MS - MINUTE_MS * minute, hr=80.0)
    assert fed.plain() == []


def test_an_hour_is_forgotten_as_it_was_counted_plain_or_not():
    for late in (False, True):
        fed = Fed()
        for minute in range(60):
            fed.take(START + MINUTE_MS * minute, hr=70.0, temp=37.1 - minute % 3)
        for hour in range(1, 24):
            fed.take(START + HOUR_MS * hour + 59 * MINUTE_MS, hr=80.0)
        if late:
            fed.place(START + 7 * MINUTE_MS, {"temp": 35.0, "rr": 12.0})
            assert 0 in fed.plain()

        fed.take(START + 24 * HOUR_MS, hr=80.0)

        assert fed._totals == {"hr": (23, 23 * 800)}


def test_a_late_value_of_a_minute_without_any_is_its_only_one():
    fed = Fed()
    fed.take(START, hr=80.0)
    fed.take(START + 3 * HOUR_MS, hr=80.0)

    fed.place(START + 5 * MINUTE_MS, {"rr": 16.0})
    fed.place(START + 65 * MINUTE_MS, {"rr": 17.0})
    fed.place(START + 181 * MINUTE_MS - MINUTE_MS, {"rr": 18.0})
    fed.take(START + 182 * MINUTE_MS, hr=80.0)

    assert fed.minute(5, "rr") == (1, 16, 16, 16)
    assert fed.minute(65, "rr") == (1, 17, 17, 17)
    assert fed.minute(180, "rr") == (1, 18, 18, 18)


def test_what_is_more_than_a_day_late_is_dropped():
    fed = Fed()
    fed.take(START, hr=80.0)

    fed.place(START - 24 * HOUR_MS, {"hr": 60.0})

    assert fed._hours == {}


def test_nothing_can_be_late_for_windows_that_hold_nothing():
    fed = Fed()

    fed.place(START, {"hr": 60.0})

    assert fed.rows == []


def test_a_raw_sample_that_is_there_is_left_alone():
    fed = Fed()
    for second in range(25):
        fed.take(START + 1000 * second, hr=80.0)

    fed.place(START + 3000, {"hr": 60.0, "rr": 16.0})
    fed.place(START + 23_000, {"hr": 60.0})
    fed.take(START + MINUTE_MS, hr=80.0)

    assert fed.minute(0, "hr") == (25, 80, 80, 80)
    assert fed.minute(0, "rr") == (1, 16, 16, 16)


def test_a_late_sample_of_a_bucket_that_had_none_makes_one():
    fed = Fed()
    fed.take(START, hr=80.0)
    fed.take(START + 35_000, hr=80.0)

    fed.place(START + 12_000, {"hr": 70.0})

    block = windows._block(fed._blocks[START // 10_000 + 1])
    assert windows._unfolded(block) == ([START + 12_000], [{"hr": 70.0}])


def test_late_samples_are_in_order_in_their_bucket():
    fed = Fed()
    for second in (1, 5, 9):
        fed.take(START + 1000 * second, hr=80.0 + second)
    fed.place(START + 3000, {"hr": 70.0})
    fed.take(START + 10_000, hr=80.0)

    times, rows = windows._unfolded(windows._block(fed._blocks[START // 10_000]))

    assert times == [START + 1000 * second for second in (1, 3, 5, 9)]
    assert [row["hr"] for row in rows] == [81, 70, 85, 89]


def test_only_what_changed_is_saved():
    fed = Fed()
    for second in range(61):
        fed.take(START + 1000 * second, hr=80.0)
    assert len(fed.pieces()) == 8  # seven buckets, one hour

    assert fed.pieces() == {}
    fed.take(START + 61_000, hr=80.0)
    assert set(fed.pieces()) == {windows._raw_name(START // 10_000 + 6)}


def test_what_is_gone_is_an_empty_piece():
    fed = Fed()
    for second in range(61):
        fed.take(START + 1000 * second, hr=80.0)
    pieces = fed.pieces()

    fed.take(START + 30 * HOUR_MS, hr=80.0)
    pieces |= fed.pieces()

    assert {name for name, piece in pieces.items() if piece} == {
        windows._raw_name((START + 30 * HOUR_MS) // 10_000),
        windows._hour_name(START // HOUR_MS + 30),
    }


def saved_day() -> tuple[Fed, dict[bytes, bytes]]:
    rng = random.Random(2)
    fed = Fed()
    for minute in range(25 * 60):
        fed.take(START + MINUTE_MS * minute, hr=float(rng.randint(60, 90)), temp=37.0)
    for second in range(1, 95):
        fed.take(START + 25 * HOUR_MS + 1000 * second, hr=80.0, temp=37.0)
    return fed, fed.pieces()


def test_windows_are_the_same_after_restore():
    fed, pieces = saved_day()

    again = Windows.restored(fed.saved(), pieces)

    for name in Windows.__slots__:
        if name != "_changed":
            assert getattr(again, name) == getattr(fed, name), name


def test_a_raw_piece_that_should_be_gone_is_left_alone():
    fed, pieces = saved_day()
    old = windows._block(pieces[windows._raw_name(fed.bucket - 6)])
    stale = windows._encode((1, old.bucket - 70, [], [], []))
    name = windows._raw_name(old.bucket - 70)

    again = Windows.restored(fed.saved(), pieces | {name: stale})

    assert len(again._blocks) == len(fed._blocks) - 1


@pytest.mark.parametrize(
    ("signals", "columns"), [([0, 1], [[80.0]]), ([0], [[80.0], []]), ([200], [[80.0]])]
)
def test_a_raw_piece_that_is_damaged_inside_is_refused(signals, columns):
    fed, pieces = saved_day()
    name = windows._raw_name(fed.bucket - 1)
    damaged = windows._encode((1, fed.bucket - 1, [0], signals, columns))

    with pytest.raises(StateError, match=name.decode()):
        Windows.restored(fed.saved(), pieces | {name: damaged})


@pytest.mark.parametrize("kind", [b"r", b"h"])
def test_a_piece_that_cannot_be_read_is_refused(kind):
    fed, pieces = saved_day()
    for name in (name for name in pieces if name[:1] == kind):
        for wrong in (b"\x00", pieces[name][:-3], b"\x95\x63" + pieces[name][2:]):
            with pytest.raises(StateError, match=name.decode()):
                Windows.restored(fed.saved(), pieces | {name: wrong})


def test_a_closed_hour_that_is_damaged_inside_is_refused():
    fed, pieces = saved_day()
    name = windows._hour_name(START // HOUR_MS + 10)
    hour = windows._hour(pieces[name])

    for table in (b"", hour.table[:-9], b"\x01\xff" + hour.table[2:], b"\x09"):
        damaged = windows._encode((1, hour.hour, 14, True, table))
        with pytest.raises(StateError, match=name.decode()):
            Windows.restored(fed.saved(), pieces | {name: damaged})


def test_an_open_hour_of_the_wrong_size_is_refused():
    fed, pieces = saved_day()
    name = windows._hour_name(START // HOUR_MS + 25)
    assert not windows._hour(pieces[name]).is_compressed

    for size in (61 * windows._MINUTE_BYTES, 60 * windows._MINUTE_BYTES - 1):
        damaged = windows._encode(
            (2, START // HOUR_MS + 25, windows._COUNT, False, bytes(size))
        )
        with pytest.raises(StateError, match="no hour's table"):
            Windows.restored(fed.saved(), pieces | {name: damaged})


def test_hours_of_the_version_before_are_read():
    fed, pieces = saved_day()
    old = {
        name: b"\x95\x01" + piece[2:] if piece and name[:1] == b"h" else piece
        for name, piece in pieces.items()
    }
    assert old != pieces

    again = Windows.restored(fed.saved(), old)

    assert (again._hours, again._table) == (fed._hours, fed._table)


def test_an_open_hour_of_before_a_signal_was_appended_is_read():
    fed = Fed()
    for minute in range(5):
        fed.take(START + MINUTE_MS * minute, hr=80.0 + minute, spo2=97.0)
    few = 3 * windows._CELL.size  # hr, pulse, spo2
    width = windows._MINUTE_BYTES
    old = b"".join(
        bytes(fed._table[at : at + few]) for at in range(0, len(fed._table), width)
    )
    hour = START // HOUR_MS
    piece = windows._encode((1, hour, 3, False, old))

    again = Windows.restored(fed.saved(), {windows._hour_name(hour): piece})

    assert again._table == fed._table


def test_an_hour_of_unknown_signals_is_refused():
    raw = windows.zlib.compress(bytes(7 * 60))

    with pytest.raises(ValueError, match="unknown signals"):
        windows._expanded(bytes([1, 200]) + raw)


def test_a_day_takes_a_few_kilobytes():
    rng = random.Random(3)
    fed = Fed()
    codes = ("hr", "pulse", "spo2", "rr", "abp_sys", "abp_dia", "abp_mean", "temp")
    for minute in range(24 * 60):
        for second in (0, 20, 40):
            values = {code: float(round(rng.gauss(90, 2))) for code in codes[:-1]}
            values["temp"] = round(rng.gauss(37, 0.1), 1)
            fed.take(START + MINUTE_MS * minute + 1000 * second, **values)

    assert sum(map(len, fed._hours.values())) < 25_000


def test_the_last_hour_is_the_sixty_minutes_that_have_ended():
    windows = Windows()
    for minute in range(200):
        if minute % 7 != 3:
            windows.turn(minute * MINUTE_MS)
            windows.times.append(minute * MINUTE_MS)
            windows.rows.append({"hr": 60.0 + minute, "temp": 36.5})
    windows.turn(200 * MINUTE_MS)

    found = windows.last_hour(["temp", "hr", "spo2"])

    want = [60 + m if m % 7 != 3 else math.nan for m in range(140, 200)]
    np.testing.assert_array_equal(found[1], want)
    assert np.nanmax(found[0]) == np.nanmin(found[0]) == 36.5
    assert np.isnan(found[2]).all()


def test_the_last_hour_of_a_new_patient_is_empty():
    assert np.isnan(Windows().last_hour(["hr"])).all()


def test_the_last_hour_of_no_signal_is_empty():
    windows = Windows()
    for minute in range(3):
        windows.turn(minute * MINUTE_MS)
        windows.times.append(minute * MINUTE_MS)
        windows.rows.append({"hr": 60.0})
    windows.turn(3 * MINUTE_MS)

    assert windows.last_hour([]).shape == (0, 60)
