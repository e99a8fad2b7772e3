"""Each hop that dies is named within 10 s, and the first of them alone."""

import msgspec
import pytest

from icu_stream.contracts.heartbeats import Heartbeat
from icu_stream.ward.deadman import (
    ANSWERED_MS,
    EVERY_MS,
    READ_MS,
    TAKEN_MS,
    WORKER_MS,
    DeadMan,
    Hop,
    Painted,
    Spread,
    Trouble,
)


T0 = 1_795_492_541_000
BOTH = frozenset({0, 1})


class Chain:
    """Two workers with a partition each, which speak each second; every fifth, a test."""

    def __init__(self) -> None:
        self.deadman = DeadMan()
        self.deadman.expect(BOTH)
        self.deadman.listen(T0)
        self.alive = {hop: set(BOTH) for hop in Hop}
        self.at = T0
        self.number = 0

    def run(self, seconds: int, look_ms: int = 100) -> int | None:
        """Let time pass; after how many ms the first trouble was named."""
        began = self.at
        while self.at < began + 1000 * seconds:
            if (self.at - T0) % 1000 == 0:
                for partition in self.alive[Hop.WORKER]:
                    self.deadman.beat(beat(partition, str(partition)), self.at)
            if (self.at - T0) % EVERY_MS == 0:
                self.number = self.at
                tested = self.deadman.due()
                self.deadman.send(self.number, tested, self.at)
                for hop in (Hop.KAFKA, Hop.READING, Hop.ALERTS):
                    for partition in tested & self.alive[hop]:
                        self.deadman.reach(hop, partition, self.number, self.at + 40)
            self.at += look_ms
            if self.deadman.trouble(self.at) is not None:
                return self.at - began
        return None


def beat(
    partition: int, worker: str = "w", lag: int = 0, applied: int = 0
) -> Heartbeat:
    return Heartbeat(
        worker=worker,
        partition=partition,
        time=T0,
        lag=lag,
        patients=1,
        applied=applied,
        checkpoint_age_s=0,
    )


def test_a_chain_that_lives_is_in_no_trouble():
    chain = Chain()

    assert chain.run(120) is None
    assert chain.deadman.proven == chain.number
    assert chain.deadman.trips == Spread(40, 40, 40, 24)


@pytest.mark.parametrize("after_s", [30, 31, 32, 33, 34])
@pytest.mark.parametrize(
    ("hop", "silent"),
    [
        (Hop.KAFKA, tuple(Hop)),
        (Hop.READING, (Hop.READING, Hop.WORKER, Hop.ALERTS)),
        (Hop.WORKER, (Hop.WORKER, Hop.ALERTS)),
        (Hop.ALERTS, (Hop.ALERTS,)),
    ],
)
@pytest.mark.parametrize("dead", [BOTH, {1}])
def test_a_hop_that_dies_is_named_within_ten_seconds(
    hop: Hop, silent: tuple[Hop, ...], dead: set[int], after_s: int
):
    chain = Chain()
    chain.run(after_s)

    for each in silent:
        chain.alive[each] -= dead
    took_ms = chain.run(20)
    chain.run(1)

    assert took_ms is not None
    assert took_ms <= 10_000
    # Of a worker that died just before a test, the test's alarm is missed first.
    named = {Hop.ALERTS, Hop.WORKER} if hop is Hop.WORKER else {hop}
    trouble = chain.deadman.trouble(chain.at)
    assert trouble is not None
    assert trouble.hop in named
    assert trouble.partitions == dead


def test_of_a_dead_worker_it_is_said_that_it_is_the_worker():
    chain = Chain()
    chain.run(31)
    chain.alive[Hop.WORKER] = chain.alive[Hop.ALERTS] = {0}
    chain.run(1)

    chain.at += WORKER_MS
    chain.deadman.beat(beat(0, "0"), chain.at)

    assert chain.deadman.trouble(chain.at) == Trouble(Hop.WORKER, frozenset({1}))


def test_partitions_of_a_worker_are_tested_by_turns_and_a_missing_one_again():
    deadman = DeadMan()
    deadman.expect(range(4))
    for partition, worker in enumerate("aabb"):
        deadman.beat(beat(partition, worker), T0)

    tested = []
    for number in range(T0, T0 + 4 * EVERY_MS, EVERY_MS):
        tested.append(deadman.due())
        deadman.send(number, tested[-1], number)
        for partition in tested[-1] - {3}:
            deadman.reach(Hop.ALERTS, partition, number, number + 30)

    assert tested == [{0, 2}, {1, 3}, {0, 2, 3}, {1, 2, 3}]


def test_what_fails_for_one_partition_is_taken_to_fail_for_the_workers_others():
    deadman = DeadMan()
    deadman.expect(range(4))
    deadman.listen(T0)
    for number, partitions in ((T0, {0, 1, 2, 3}), (T0 + EVERY_MS, {0, 2})):
        deadman.send(number, partitions, number)
        for partition in partitions - ({0} if number > T0 else set()):
            deadman.reach(Hop.ALERTS, partition, number, number + 30)
    deadman.reach(Hop.READING, 0, T0 + EVERY_MS, T0 + EVERY_MS + 30)
    now_ms = T0 + EVERY_MS + ANSWERED_MS + 1
    for partition, worker in enumerate("aabb"):
        deadman.beat(beat(partition, worker), now_ms)

    assert deadman.trouble(now_ms) == Trouble(Hop.ALERTS, frozenset({0, 1}))


def test_a_worker_that_speaks_and_applies_nothing_is_in_trouble():
    deadman = DeadMan()
    for second in range(9):
        assert deadman.trouble(T0 + second * 1000) is None
        now_ms = T0 + second * 1000
        deadman.beat(beat(0, lag=second, applied=min(second, 2)), now_ms)
        deadman.beat(beat(1, lag=50, applied=second), now_ms)
        deadman.beat(beat(2, lag=0, applied=2), now_ms)

    assert deadman.trouble(T0 + 8_000) == Trouble(Hop.ALERTS, frozenset({0}))


def test_it_is_over_when_the_hop_lives_again():
    chain = Chain()
    chain.run(30)
    for hop in Hop:
        chain.alive[hop] = set()
    chain.run(60)
    assert chain.run(20) is not None

    for hop in Hop:
        chain.alive[hop] = set(BOTH)
    chain.at += EVERY_MS - (chain.at - T0) % EVERY_MS
    chain.run(1)

    assert chain.deadman.trouble(chain.at) is None


@pytest.mark.parametrize(
    ("hop", "longest_ms", "passed"),
    [
        (Hop.KAFKA, TAKEN_MS, ()),
        (Hop.READING, READ_MS, (Hop.KAFKA,)),
        (Hop.ALERTS, ANSWERED_MS, (Hop.KAFKA, Hop.READING)),
    ],
)
def test_a_test_is_missing_from_its_time_on_and_not_at_it(
    hop: Hop, longest_ms: int, passed: tuple[Hop, ...]
):
    deadman = DeadMan()
    deadman.send(T0, [0], T0)
    for each in passed:
        deadman.reach(each, 0, T0, T0 + 10)

    assert deadman.trouble(T0 + longest_ms) is None
    assert deadman.trouble(T0 + longest_ms + 1) == Trouble(hop, frozenset({0}))


def test_what_is_answered_was_taken_whenever_the_broker_says_so():
    deadman = DeadMan()
    deadman.send(T0, [0], T0)
    deadman.reach(Hop.ALERTS, 0, T0, T0 + 30)
    deadman.reach(Hop.KAFKA, 0, T0, T0 + 31)

    assert deadman.trouble(T0 + 4_900) is None
    assert (deadman.proven, deadman.took_ms) == (T0, 30)


def test_a_test_of_somebody_else_or_of_an_earlier_life_proves_nothing():
    deadman = DeadMan()
    deadman.send(T0, [0], T0)
    deadman.reach(Hop.ALERTS, 0, T0 - EVERY_MS, T0 + 30)
    deadman.reach(Hop.ALERTS, 7, T0, T0 + 30)

    assert deadman.proven == 0
    assert deadman.trouble(T0 + TAKEN_MS + 1) == Trouble(Hop.KAFKA, frozenset({0}))


def test_nothing_is_proven_while_one_partition_has_not_answered():
    deadman = DeadMan()
    deadman.send(T0, [0, 1], T0)
    deadman.reach(Hop.ALERTS, 0, T0, T0 + 30)
    assert deadman.proven == 0

    deadman.reach(Hop.ALERTS, 1, T0, T0 + 700)
    assert (deadman.proven, deadman.took_ms) == (T0, 700)


def test_a_worker_may_take_a_moment_to_speak_and_must_speak_where_patients_are():
    deadman = DeadMan()
    deadman.listen(T0)

    assert deadman.trouble(T0 + WORKER_MS - 1, [3]) is None
    assert deadman.trouble(T0 + WORKER_MS, [3]) == Trouble(Hop.WORKER, frozenset({3}))


def test_the_row_counts_the_patients_of_a_dead_hop_and_changes_once_a_second():
    deadman = DeadMan()
    deadman.listen(T0)
    deadman.beat(beat(0, lag=3), T0)
    first = deadman.row(T0 + 100, [0, 1, 1])
    deadman.beat(beat(0, lag=5), T0 + 200)

    assert first == {"dead": None, "k": 0, "ms": 0, "hb": 0, "lag": 3}
    assert deadman.row(T0 + 1_000, [0, 1, 1]) == first
    assert deadman.row(T0 + 1_100, [0, 1, 1])["lag"] == 5
    assert deadman.row(T0 + WORKER_MS, [0, 1, 1])["dead"] == {"h": "worker", "n": 2}


def test_hours_of_silence_take_no_memory():
    deadman = DeadMan()
    for number in range(5_000):
        deadman.send(T0 + number * EVERY_MS, BOTH, T0 + number * EVERY_MS)

    now_ms = T0 + 5_000 * EVERY_MS
    assert deadman.waits_ms(now_ms) == dict.fromkeys(BOTH, now_ms - T0)
    assert all(len(way.sent) <= 100 for way in deadman._ways.values())
    assert len(deadman._rounds) <= 100


def test_a_screen_that_has_drawn_the_newest_proof_is_measured_and_no_other():
    deadman = DeadMan()
    deadman.send(T0, [0], T0)
    deadman.reach(Hop.ALERTS, 0, T0, T0 + 30)

    assert deadman.hear_screen(msgspec.json.encode(Painted(T0)), T0 + 90)
    assert deadman.hear_screen(msgspec.json.encode(Painted(T0 - 5)), T0 + 95)
    assert not deadman.hear_screen(b'{"painted": "no"}', T0 + 95)
    assert not deadman.hear_screen("\ud800", T0 + 95)
    assert not deadman.hear_screen(b"\xff", T0 + 95)
    assert deadman.painted == Spread(90, 90, 90, 1)


@pytest.mark.parametrize(
    ("times", "spread"),
    [
        ([], None),
        ([159, 137], Spread(137, 148, 159, 2)),
        (list(range(1, 101)), Spread(100, 50, 95, 100)),
    ],
)
def test_of_few_and_of_many_nineteen_in_twenty_took_at_most_so_long(
    times: list[int], spread: Spread | None
):
    assert Spread.over(times) == spread
