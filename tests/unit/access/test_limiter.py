"""How long somebody waits who guesses, and that nobody waits for ever."""

from icu_stream.access.limiter import ADDRESS, FORGOTTEN_S, MOST, NAME, PAIR, Limiter


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        return self.s


def tries(limiter: Limiter, clock: Clock, name: str, address: str, n: int) -> float:
    """Fail n times, waiting as told; how long that took."""
    began_s = clock.s
    for _ in range(n):
        while wait_s := limiter.attempt(name, address):
            clock.s += wait_s
    return clock.s - began_s


def test_the_first_failures_cost_nothing_then_each_costs_more_up_to_a_bound():
    clock = Clock()
    limiter = Limiter(clock)

    waits = [tries(limiter, clock, "rn", "10.0.0.1", 1) for _ in range(12)]

    assert waits[: PAIR.free + 1] == [0] * (PAIR.free + 1)
    assert waits[PAIR.free + 1 :] == [2, 4, 8, 16, 30, 30]


def test_a_try_during_a_wait_is_refused_and_makes_it_no_longer():
    clock = Clock()
    limiter = Limiter(clock)
    tries(limiter, clock, "rn", "10.0.0.1", PAIR.free + 1)

    waits = [limiter.attempt("rn", "10.0.0.1") for _ in range(50)]

    assert waits == [2.0] * 50


def test_who_is_attacked_from_elsewhere_signs_in_at_the_own_station_within_seconds():
    clock = Clock()
    limiter = Limiter(clock)
    for n in range(400):
        limiter.attempt("rn", f"10.0.{n // 200}.{n % 200}")

    assert 0 < limiter.attempt("rn", "10.9.9.9") <= NAME.longest_s


def test_guessing_many_names_from_one_address_waits_too():
    clock = Clock()
    limiter = Limiter(clock)

    took_s = sum(tries(limiter, clock, f"n{n}", "10.0.0.1", 1) for n in range(200))

    assert took_s > (200 - ADDRESS.free - 8) * ADDRESS.longest_s


def test_success_forgets_the_failures_of_this_name_here_and_counts_for_nothing():
    clock = Clock()
    limiter = Limiter(clock)
    for _ in range(200):
        assert limiter.attempt("rn", "10.0.0.1") == 0
        limiter.succeeded("rn", "10.0.0.1")
    tries(limiter, clock, "rn", "10.0.0.1", PAIR.free)

    limiter.attempt("rn", "10.0.0.1")
    limiter.succeeded("rn", "10.0.0.1")

    assert tries(limiter, clock, "rn", "10.0.0.1", PAIR.free) == 0


def test_tries_at_once_are_all_counted_before_the_first_has_failed():
    limiter = Limiter(Clock())

    passed = sum(limiter.attempt("rn", "10.0.0.1") == 0 for _ in range(100))

    assert passed == PAIR.free + 1


def test_failures_are_forgotten_after_a_quarter_of_an_hour():
    clock = Clock()
    limiter = Limiter(clock)
    tries(limiter, clock, "rn", "10.0.0.1", 12)

    clock.s += FORGOTTEN_S + 1

    assert tries(limiter, clock, "rn", "10.0.0.1", PAIR.free) == 0


def test_what_is_kept_is_bounded():
    limiter = Limiter(Clock())

    for n in range(MOST):
        limiter.attempt(f"n{n}", f"a{n}")

    assert len(limiter) == MOST
