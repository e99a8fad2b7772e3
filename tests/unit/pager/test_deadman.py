"""What says that paging itself fails: after 30 s, and not before."""

from icu_stream.contracts.heartbeats import Heartbeat
from icu_stream.pager.deadman import DeadMan, Hop


T0 = 1_795_492_541_000


class Watch:
    """Two partitions, looked at each second."""

    def __init__(self) -> None:
        self.deadman = DeadMan(T0, 2)
        self.at = T0
        self.told: list[tuple[int, Hop, bool]] = []

    def run(self, seconds: int, *, lags=lambda _: (0, 0), well=tuple(Hop)) -> None:
        for _ in range(seconds):
            for partition, lag in enumerate(lags((self.at - T0) // 1000)):
                if lag is not None:
                    self.deadman.beat(beat(partition, lag), self.at)
            for hop in {Hop.STORE, Hop.ALERTS, Hop.PAGES} & set(well):
                self.deadman.well(hop, self.at)
            self.at += 1000
            for change in self.deadman.changes(self.at):
                second = (self.at - T0) // 1000
                self.told.append((second, change.hop, bool(change.text)))


def beat(partition: int, lag: int) -> Heartbeat:
    return Heartbeat(
        worker="w:1",
        partition=partition,
        time=0,
        lag=lag,
        patients=1,
        applied=1,
        checkpoint_age_s=0,
    )


def test_a_chain_that_lives_is_left_in_peace():
    watch = Watch()

    watch.run(600, lags=lambda s: (s % 7, 500 - s % 13))

    assert watch.told == []


def test_a_partition_for_which_nobody_speaks_is_told_after_30_s_and_when_it_is_back():
    watch = Watch()

    watch.run(10)
    watch.run(40, lags=lambda _: (0, None))
    watch.run(10)

    assert watch.told == [(39, Hop.WORKER, True), (55, Hop.WORKER, False)]


def test_a_worker_that_never_spoke_is_told():
    watch = Watch()

    watch.run(31, lags=lambda _: (None, None))

    assert watch.told == [(30, Hop.WORKER, True)]


def test_a_lag_that_grows_or_stands_still_for_30_s_is_told():
    for lag in (lambda s: 10 + s, lambda _: 10):
        watch = Watch()

        watch.run(10)
        watch.run(40, lags=lambda s, lag=lag: (0, lag(s)))

        assert watch.told == [(39, Hop.LAG, True)]


def test_a_lag_that_falls_is_none():
    watch = Watch()

    watch.run(120, lags=lambda s: (100_000 - 10 * s, 0))

    assert watch.told == []


def test_a_store_that_does_not_answer_stands_for_what_waits_for_it():
    watch = Watch()

    watch.run(40, well=())
    watch.run(10)

    assert watch.told == [(30, Hop.STORE, True), (45, Hop.STORE, False)]


def test_a_consumer_that_is_stuck_and_pages_that_wait_are_told():
    watch = Watch()

    watch.run(31, well=(Hop.STORE,))

    assert watch.told == [(30, Hop.ALERTS, True), (30, Hop.PAGES, True)]


def test_what_comes_and_goes_is_one_trouble():
    watch = Watch()

    watch.run(40, lags=lambda _: (0, None))
    for _ in range(5):
        watch.run(3)
        watch.run(32, lags=lambda _: (0, None))

    assert [hop for _, hop, began in watch.told if began][:1] == [Hop.WORKER]
    assert all(
        b[0] - a[0] >= 5 for a, b in zip(watch.told, watch.told[1:], strict=False)
    )
