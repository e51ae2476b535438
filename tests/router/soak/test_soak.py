"""A short soak: the long one is `make soak`."""

import pytest

from tests.router.soak.run import Plan, soak

REQUESTS = 8000


@pytest.mark.slow
def test_a_router_over_cells_that_fail_restart_move_and_slow_down_is_never_wrong(tmp_path):
    plan = Plan(requests=REQUESTS, seed=5, tenants=60, segment=600)

    verdict = soak(plan, tmp_path)

    assert not verdict.problems
    assert verdict.books.wrong_count == 0
    assert verdict.books.requests >= REQUESTS
    assert verdict.moves > 0
    assert {"crash", "break", "move"} <= verdict.happened.keys()
    assert verdict.books.failures, "nothing ever failed: the faults did not happen"
