"""The breaker: when it opens, whom it lets through, when it closes."""

import random

from cell_router.breaker import OPEN_MAX_S, OPEN_MIN_S, Breaker


class Middle(random.Random):
    """No jitter: the middle of every range."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def breaker() -> Breaker:
    return Breaker(Middle())


def opened(at: float = 100.0) -> Breaker:
    made = breaker()
    for _ in range(5):
        made.failed(at)
    return made


def test_it_stays_closed_while_the_cell_answers():
    made = breaker()

    for second in range(100):
        made.succeeded(float(second))

    assert made.admits(100.0)
    assert made.state_at(100.0) == "closed"


def test_five_failures_in_a_row_open_it():
    made = breaker()

    for _ in range(4):
        made.failed(1.0)
    before = made.admits(1.0)
    made.failed(1.0)

    assert before
    assert not made.admits(1.0)


def test_four_failures_and_an_answer_begin_the_count_anew():
    made = breaker()

    for _ in range(3):
        for _ in range(4):
            made.failed(1.0)
        made.succeeded(1.0)
        made.succeeded(1.0)

    assert made.admits(1.0)


def test_half_of_twenty_failing_open_it():
    made = breaker()

    for _ in range(9):
        made.succeeded(1.0)
        made.failed(1.0)
    before = made.admits(1.0)
    made.succeeded(1.0)
    made.failed(1.0)

    assert before
    assert not made.admits(1.0)


def test_failures_of_the_last_window_do_not_count_in_this_one():
    made = breaker()
    for _ in range(9):
        made.failed(1.0)
        made.succeeded(1.0)

    for _ in range(4):
        made.succeeded(12.0)
        made.failed(12.0)

    assert made.admits(12.0)


def test_an_open_one_admits_nobody_for_five_seconds():
    made = opened()

    assert not made.admits(100.0 + OPEN_MIN_S - 0.01)
    assert made.state_at(100.0 + OPEN_MIN_S - 0.01) == "open"
    assert made.state_at(100.0 + OPEN_MIN_S) == "half_open"


def test_after_that_one_probe_at_a_time_is_admitted():
    made = opened()

    assert made.admits(100.0 + OPEN_MIN_S)
    assert not made.admits(100.0 + OPEN_MIN_S)


def test_a_probe_that_is_answered_closes_it():
    made = opened()
    made.admits(106.0)

    made.succeeded(106.1)

    assert made.state_at(106.1) == "closed"
    assert made.admits(106.1)


def test_a_probe_that_fails_opens_it_for_twice_as_long():
    made = opened()
    made.admits(106.0)

    made.failed(106.0)

    assert not made.admits(106.0 + 2 * OPEN_MIN_S - 0.01)
    assert made.admits(106.0 + 2 * OPEN_MIN_S)


def test_it_is_never_open_for_longer_than_a_minute():
    made = opened(0.0)
    now = 0.0
    for _ in range(10):
        now = made.until
        made.admits(now)
        made.failed(now)

    assert made.until - now <= OPEN_MAX_S


def test_a_probe_that_is_never_reported_does_not_block_for_ever():
    made = opened()
    made.admits(106.0)

    assert made.admits(106.0 + OPEN_MIN_S)


def test_what_was_under_way_when_it_opened_does_not_prolong_it():
    made = opened()

    for _ in range(50):
        made.failed(101.0)

    assert made.until == 100.0 + OPEN_MIN_S
