"""A seed says what goes wrong, and when."""

from itertools import pairwise

from tests.router.soak.schedule import CRASH, STOP, schedule


def plan(seed):
    return schedule(seed, requests=30_000, cells=["a", "b"], segment=1000, tenants_moved=3)


def test_one_seed_is_one_schedule():
    assert plan(3) == plan(3)
    assert plan(3) != plan(4)


def test_a_long_run_sees_every_kind_of_fault_one_at_a_time():
    faults, moves = plan(1)

    assert {CRASH, STOP} < {event.what for event in faults}
    assert all(a.at < a.until <= b.at for a, b in pairwise(faults))
    assert faults[-1].until < 30_000
    assert len(moves) == len(faults)
