"""Retries within a fifth of the requests; a bucket for each tenant."""

from cell_router.budget import TENANTS_MAX, RateLimits, RetryBudget


def test_a_fifth_of_the_requests_may_be_sent_again():
    budget = RetryBudget()
    for _ in range(3):
        budget.spend(0.0)

    for _ in range(100):
        budget.earn()
    spent = sum(budget.spend(0.0) for _ in range(100))

    assert spent == 20


def test_three_retries_a_second_are_always_there():
    budget = RetryBudget()

    first = [budget.spend(10.0) for _ in range(4)]
    later = [budget.spend(11.0) for _ in range(4)]

    assert first == later == [True, True, True, False]


def test_a_quiet_hour_saves_no_more_than_a_second_of_the_floor():
    budget = RetryBudget()
    for _ in range(3):
        budget.spend(0.0)

    assert sum(budget.spend(3600.0) for _ in range(100)) == 3


def test_what_is_earned_is_bounded():
    budget = RetryBudget()

    for _ in range(100_000):
        budget.earn()

    assert sum(budget.spend(0.0) for _ in range(10_000)) <= 1004


def test_a_tenant_may_burst_and_then_has_its_rate():
    limits = RateLimits(rate=10.0, burst=5)

    burst = [limits.take("T-1", 0.0) for _ in range(6)]
    after = [limits.take("T-1", 0.1) for _ in range(2)]

    assert burst == [True] * 5 + [False]
    assert after == [True, False]


def test_one_tenant_does_not_use_up_what_is_anothers():
    limits = RateLimits(rate=1.0, burst=1)
    limits.take("T-1", 0.0)

    assert not limits.take("T-1", 0.0)
    assert limits.take("T-2", 0.0)


def test_a_rate_of_nothing_is_no_limit():
    limits = RateLimits(rate=0.0, burst=1)

    assert all(limits.take("T-1", 0.0) for _ in range(1000))


def test_the_buckets_are_bounded_and_the_longest_unused_goes():
    limits = RateLimits(rate=1.0, burst=1)

    for number in range(TENANTS_MAX + 10):
        limits.take(f"T-{number}", 0.0)

    assert not limits.take(f"T-{TENANTS_MAX}", 0.0)
    assert limits.take("T-0", 0.0)
