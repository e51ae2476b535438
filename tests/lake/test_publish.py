"""A flush ends in one append for each intent, wherever it was cut off and whatever was lost."""

import pytest

from cell_core.domain.errors import Conflict
from cell_lake.domain.limits import Limits
from cell_lake.flows.steps import Append, Commit, Open, Read, ReadPage
from cell_lake.table_memory import MemoryLakeTable
from tests.contract.cell_samples import put
from tests.lake.bench import (
    ALPHA,
    Crashed,
    Drive,
    Fault,
    Side,
    check_once,
    copied,
    drive,
    journal,
    rows_of_journal,
    tenants_of_shard,
    written,
)

TENANTS = tenants_of_shard(3, 2)
FAULTS = list(Fault)
STEPS_MAX = 200


def prepared(rows_max: int = 3) -> tuple[Side, list]:
    side = Side(MemoryLakeTable(), limits=Limits(rows_max=rows_max, page_entries=2))
    stripes = [written(side, tenant, 4) for tenant in TENANTS]
    return side, stripes


def expected(side: Side, stripes: list) -> list:
    return [
        row for stripe in stripes for row in rows_of_journal(journal(side, stripe), stripe, ALPHA)
    ]


def run_out(side: Side, stripes: list, faults: dict[int, Fault]) -> int:
    """Flush until nothing is left; faults count steps over all flushes. Return the steps."""
    steps = 0
    for _ in range(40):
        left = {number - steps: fault for number, fault in faults.items()}
        flush = drive(side, stripes, left).run()
        steps += len(flush.steps)
        if flush.error is None and not flush.result.more:
            return steps
    raise AssertionError("never done")


def test_all_entries_of_two_stripes_are_published_once_in_several_appends() -> None:
    side, stripes = prepared()

    run_out(side, stripes, {})

    check_once(side.lake, expected(side, stripes))
    assert side.lake.versions == {"aws-alpha/3": side.lake.commits}
    assert side.lake.commits >= 3


def test_a_look_at_a_stripe_with_nothing_new_writes_nothing() -> None:
    side, stripes = prepared(rows_max=1000)
    run_out(side, stripes, {})

    flush = drive(side, stripes[:1]).run()

    assert [type(step) for step in flush.steps] == [Read, Read, ReadPage]
    assert (flush.result.rows, flush.result.more) == (0, ())


def test_the_intent_is_written_before_the_append_and_the_cursors_after_it() -> None:
    side, stripes = prepared(rows_max=1000)

    kinds = [type(step) for step in drive(side, stripes).run().steps]

    assert kinds[-5:] == [Open, Commit, Append, Read, Commit]


@pytest.mark.parametrize("fault", FAULTS)
def test_any_fault_at_any_step_of_all_flushes_loses_and_doubles_nothing(fault: Fault) -> None:
    origin, stripes = prepared()
    steps = run_out(copied(origin), stripes, {})
    wanted = expected(origin, stripes)

    for number in range(steps):
        side = copied(origin)
        run_out(side, stripes, {number: fault})
        check_once(side.lake, wanted)


def pairs_of_faults(every: int) -> int:
    """Try each `every`-th pair of faults in one flush and the next; return how many."""
    origin, stripes = prepared(rows_max=1000)
    wanted = expected(origin, stripes)
    steps = len(drive(copied(origin), stripes).run().steps)
    hard = [Fault.CRASH_BEFORE, Fault.LOST]
    pairs = [
        {first: one, second: other}
        for first in range(steps)
        for second in range(first + 1, first + 1 + steps)
        for one in hard
        for other in hard
    ][::every]
    for faults in pairs:
        side = copied(origin)
        run_out(side, stripes, faults)
        check_once(side.lake, wanted)
    return len(pairs)


def test_two_faults_in_one_flush_and_the_next_lose_and_double_nothing() -> None:
    assert pairs_of_faults(every=7) >= 40


@pytest.mark.slow
def test_any_two_faults_in_one_flush_and_the_next_lose_and_double_nothing() -> None:
    assert pairs_of_faults(every=1) >= 300


def run_both(flows: tuple[Drive, Drive], path: list[int], most: int) -> list[int]:
    """Run two flushes to their ends: 1 in `path` switches to the other one, at most `most` times.

    Returns how many ways there were at each choice.
    """
    widths: list[int] = []
    turn = switched = 0
    for _ in range(STEPS_MAX):
        alive = [number for number in (0, 1) if not flows[number].is_over]
        if not alive:
            return widths
        if len(alive) == 1:
            turn = alive[0]
        else:
            widths.append(2 if switched < most else 1)
            if len(widths) <= len(path) and path[len(widths) - 1]:
                turn, switched = 1 - turn, switched + 1
        flows[turn].step()
    raise AssertionError("never done")


def interleave(most: int) -> int:
    """Try every order of two flushes with at most `most` switches; return how many there are."""
    origin, stripes = prepared(rows_max=1000)
    drive(origin, stripes[:1]).run()
    wanted = expected(origin, stripes)
    path: list[int] = []
    runs = conflicts = 0
    while True:
        side = copied(origin)
        flows = (drive(side, stripes), drive(side, stripes))
        widths = run_both(flows, path, most)
        for one in flows:
            assert one.error is None or isinstance(one.error, Conflict), one.error
            conflicts += one.error is not None
        run_out(side, stripes, {})
        check_once(side.lake, wanted)
        runs += 1
        path += [0] * (len(widths) - len(path))
        while path and path[-1] + 1 == widths[len(path) - 1]:
            path.pop()
        if not path:
            break
        path[-1] += 1
    assert conflicts
    return runs


def test_two_relays_on_one_shard_are_safe_in_every_order_of_three_switches() -> None:
    assert interleave(most=3) >= 400


@pytest.mark.slow
def test_two_relays_on_one_shard_are_safe_in_every_order() -> None:
    assert interleave(most=STEPS_MAX) >= 10_000


def test_a_relay_that_sleeps_over_its_append_is_refused_when_it_wakes() -> None:
    side, stripes = prepared(rows_max=1000)
    sleeper = drive(side, stripes)
    while not isinstance(sleeper._next, Append):
        sleeper.step()

    run_out(side, stripes, {})
    sleeper.run()

    assert isinstance(sleeper.error, Conflict)
    check_once(side.lake, expected(side, stripes))


def test_a_relay_that_wakes_after_its_intent_was_finished_changes_no_cursor() -> None:
    side, stripes = prepared(rows_max=1000)
    sleeper = drive(side, stripes)
    while not isinstance(sleeper._next, Open):
        sleeper.step()
    run_out(side, stripes, {})
    side.cell.at(TENANTS[0]).one(put("later"))
    run_out(side, stripes, {})

    sleeper.run()

    assert isinstance(sleeper.error, Conflict)
    check_once(side.lake, expected(side, stripes))


def test_a_crash_leaves_an_intent_that_the_next_relay_finishes_first() -> None:
    side, stripes = prepared(rows_max=1000)
    steps = len(drive(copied(side), stripes).run().steps)
    crashed = drive(side, stripes, {steps - 3: Fault.CRASH_BEFORE}).run()

    resumed = drive(side, stripes).run()

    assert isinstance(crashed.error, Crashed)
    assert resumed.result.resumed
    assert resumed.result.n == 1
    assert set(resumed.result.more) == set(stripes)
