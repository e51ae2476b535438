"""An operation brings its tenants there, never too many at a time, and says who could not go."""

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import count
from random import Random
from typing import Any

import pytest

from cell_control.codec import read
from cell_control.domain.eligibility import Facts
from cell_control.domain.placement import recount, usage_writes
from cell_control.domain.records import (
    Capacity,
    Cell,
    Member,
    Move,
    Operation,
    OperationStatus,
    Policy,
    Probe,
    State,
    Tenant,
    Usage,
)
from cell_control.flows.campaign import Stepped, campaign_step
from cell_control.flows.mover import Mover
from cell_control.ports import Key, RegistryConflict, RegistryUnavailable, RegistryUnknown
from tests.control.bench import CELLS, START_MS, Bench
from tests.control.flows.lives import AWAY, EPOCH, HOME, THIRD, settled
from tests.control.shell import Crashed, Drive, Fault, run

FACTS = Facts(now_ms=START_MS, contract="1")
STEPS_MAX = 200


def operation(bench: Bench, tenants: list[str], **fields: Any) -> Operation:
    """Ask for a move of `tenants` to AWAY."""
    asked = Operation(id="op-1", kind="move", tenants=len(tenants), dest=AWAY)
    asked = replace(asked, **{"parallel_max": 4, **fields})
    bench.put(asked)
    for tenant in tenants:
        bench.put(Member(operation="op-1", tenant=tenant, dest=asked.dest))
    return asked


@cache
def _world(tenants: int) -> Bench:
    bench = Bench()
    for id_ in CELLS:
        [record] = bench.registry.get([Key(kind="cell", key=id_)])
        assert record is not None
        bench.put(replace(read(Cell, record), probe=Probe(at_ms=START_MS, contract="1")))
    for number in range(tenants):
        standby = AWAY if number % 2 else ""
        bench.put(
            Tenant(id=f"T-{number:02d}", epoch=EPOCH, home=HOME, standby=standby, settled=True)
        )
    for usage in recount(all_tenants(bench)).values():
        bench.put(usage)
    return bench


def world(tenants: int = 3) -> Bench:
    """Return a world whose tenants are at HOME in the registry; every second has its standby."""
    return _world(tenants).copied()


def names(tenants: int = 3) -> list[str]:
    return [f"T-{number:02d}" for number in range(tenants)]


def all_tenants(bench: Bench) -> list[Tenant]:
    return [read(Tenant, record) for record in bench.registry.list("tenant", limit=1000)]


def members(bench: Bench) -> dict[str, Member]:
    found = [read(Member, record) for record in bench.registry.list("member", limit=1000)]
    return {member.tenant: member for member in found}


def asked(bench: Bench) -> Operation:
    [record] = bench.registry.get([Key(kind="operation", key="op-1")])
    assert record is not None
    return read(Operation, record)


def step(bench: Bench, facts: Facts = FACTS) -> Stepped:
    return run(bench, campaign_step("op-1", facts))


def arrive(bench: Bench, id_: str, *, freeze_ms: int = 40, gives_up: bool = False) -> None:
    """End a tenant's move as a mover does."""
    before, member = bench.tenant(id_), members(bench)[id_]
    after = replace(before, move=None, state=State.ACTIVE)
    if not gives_up:
        after = replace(after, home=AWAY, standby=HOME, epoch=EPOCH + 1)
    usages = {r.key: read(Usage, r) for r in bench.registry.list("usage", limit=16)}
    for usage in usage_writes(before, after, usages):
        bench.put(usage)
    bench.put(after)
    status = "failed" if gives_up else "done"
    bench.put(replace(member, status=status, freeze_ms=freeze_ms))


def moving(bench: Bench) -> list[Tenant]:
    return [tenant for tenant in all_tenants(bench) if tenant.move is not None]


def assert_counted(bench: Bench) -> None:
    """Assert that usages are what the tenants come to."""
    usages = {r.key: read(Usage, r) for r in bench.registry.list("usage", limit=16)}
    assert {u.cell: u for u in usages.values() if u.homes or u.standbys} == recount(
        all_tenants(bench)
    )


def test_what_begins_copies_or_catches_up_where_its_own_standby_is() -> None:
    bench = world()
    operation(bench, names())

    stepped = step(bench)

    assert stepped.begun == ("T-00", "T-01", "T-02")
    assert [tenant.state for tenant in moving(bench)] == [
        State.COPYING,
        State.CATCHING_UP,
        State.COPYING,
    ]
    move = bench.tenant("T-00").move
    assert move is not None
    assert (move.operation, move.kind, move.dest) == ("op-1", "move", AWAY)
    assert {member.status for member in members(bench).values()} == {"moving"}
    assert_counted(bench)


def test_no_more_are_under_way_than_the_operation_allows() -> None:
    bench = world(10)
    operation(bench, names(10), parallel_max=3)

    assert len(step(bench).begun) == 3
    assert step(bench).begun == ()
    arrive(bench, "T-01")

    assert step(bench).begun == ("T-03",)
    assert len(moving(bench)) == 3


def test_an_operation_whose_members_are_all_there_is_done_with_its_counts() -> None:
    bench = world()
    operation(bench, names())
    step(bench)
    for id_ in names():
        arrive(bench, id_)

    ended = step(bench).operation

    assert ended is not None
    assert (ended.status, ended.finished, ended.failed) == (OperationStatus.DONE, 3, 0)
    assert ended.freeze_ms_total == 120
    assert asked(bench) == ended
    assert step(bench).begun == ()


def play(bench: Bench, draw: Random, *, processes: int = 2, faults: bool = True) -> None:
    """Let processes take steps in any order, be cut off anywhere, and a mover end moves."""
    drives: list[Drive] = []
    for _ in range(STEPS_MAX * 100):
        if asked(bench).status is not OperationStatus.RUNNING:
            return
        while len(drives) < processes:
            fault: dict[int, Fault] = {}
            if faults and draw.random() < 0.4:
                fault = {draw.randrange(12): draw.choice(["crash", "lost", "failed"])}
            drives.append(Drive(bench, campaign_step("op-1", FACTS), faults=fault))
        drive = draw.choice(drives)
        with suppress(Crashed, RegistryUnavailable, RegistryUnknown, RegistryConflict):
            drive.step()
            if not drive.is_over:
                continue
        drives.remove(drive)
        under_way = moving(bench)
        assert len(under_way) <= asked(bench).parallel_max
        for tenant in under_way:
            if draw.random() < 0.5:
                arrive(bench, tenant.id)
    raise AssertionError("the operation does not end")


@pytest.mark.parametrize("seed", range(2))
def test_fifty_tenants_arrive_whatever_is_cut_off_and_never_too_many_at_once(seed: int) -> None:
    bench = world(50)
    operation(bench, names(50), parallel_max=6)

    play(bench, Random(seed))

    assert {tenant.home for tenant in all_tenants(bench)} == {AWAY}
    ended = asked(bench)
    assert (ended.status, ended.finished, ended.failed) == (OperationStatus.DONE, 50, 0)
    assert_counted(bench)


def test_a_crash_at_any_step_of_a_step_begins_everything_or_nothing() -> None:
    whole = Drive(begun := world(), campaign_step("op-1", FACTS))
    assert whole.run().operation is None
    operation(begun, names())
    whole = Drive(begun.copied(), campaign_step("op-1", FACTS))
    whole.run()

    for number in range(len(whole.steps)):
        bench = begun.copied()
        with pytest.raises(Crashed):
            Drive(bench, campaign_step("op-1", FACTS), faults={number: "crash"}).run()
        assert moving(bench) == []

        assert len(step(bench).begun) == 3


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"pin": HOME}, "pinned"),
        ({"policy": Policy(allowed_cells=(HOME,))}, "does not allow"),
        ({"policy": Policy(labels=("eu",))}, "not labelled"),
        ({"alarm": "diverged"}, "alarm"),
    ],
)
def test_who_may_not_go_is_failed_with_the_reason_and_the_others_go(
    fields: dict[str, Any], word: str
) -> None:
    bench = world()
    operation(bench, names())
    bench.change("T-01", **fields)

    stepped = step(bench)

    assert stepped.begun == ("T-00", "T-02")
    failed = members(bench)["T-01"]
    assert failed.status == "failed"
    assert word in failed.note
    for id_ in stepped.begun:
        arrive(bench, id_)
    ended = step(bench).operation
    assert ended is not None
    assert (ended.status, ended.finished, ended.failed) == (OperationStatus.FAILED, 2, 1)


def test_a_tenant_that_is_gone_is_failed_and_one_that_is_there_is_done() -> None:
    bench = world(2)
    operation(bench, ["T-00", "T-none"])
    bench.change("T-00", home=AWAY, epoch=EPOCH + 1)

    step(bench)

    assert members(bench)["T-none"].status == "failed"
    assert members(bench)["T-00"].status == "done"


def test_a_full_cell_takes_as_many_as_fit() -> None:
    bench = world()
    operation(bench, names())
    [record] = bench.registry.get([Key(kind="cell", key=AWAY)])
    assert record is not None
    bench.put(replace(read(Cell, record), capacity=Capacity(tenants=2)))

    step(bench)

    # T-01 has its place there already, as a standby.
    statuses = [members(bench)[id_].status for id_ in names()]
    assert statuses == ["moving", "moving", "failed"]
    assert "raise its capacity" in members(bench)["T-02"].note
    assert_counted(bench)


def test_who_is_busy_with_something_else_goes_later_and_holds_up_nobody() -> None:
    bench = world()
    operation(bench, names())
    bench.change("T-00", settled=False)
    other = Move(operation="op-2", kind="standby", dest=THIRD, began_ms=0)
    bench.change("T-01", state=State.COPYING, move=other)

    stepped = step(bench)

    assert stepped.begun == ("T-02",)
    assert "not settled" in stepped.waits
    assert asked(bench).status is OperationStatus.RUNNING
    bench.change("T-00", settled=True)
    bench.change("T-01", state=State.ACTIVE, move=None)
    assert step(bench).begun == ("T-00", "T-01")


def test_nobody_begins_while_the_destination_is_not_fit_and_the_operation_says_why() -> None:
    bench = world()
    operation(bench, names())

    stepped = step(bench, replace(FACTS, now_ms=START_MS + 10**9))

    assert (stepped.begun, stepped.moving) == ((), 0)
    assert "parity probe" in asked(bench).note
    assert len(step(bench).begun) == 3
    assert asked(bench).note == ""


def test_an_operation_that_was_aborted_begins_nobody_and_counts_who_is_over() -> None:
    bench = world(6)
    operation(bench, names(6), parallel_max=2)
    step(bench)
    bench.put(replace(asked(bench), status=OperationStatus.ABORTED))

    stepped = step(bench)

    assert (stepped.begun, stepped.moving) == ((), 2)
    assert Counter(m.status for m in members(bench).values()) == {"moving": 2, "aborted": 4}
    arrive(bench, "T-00")
    arrive(bench, "T-01", gives_up=True)
    ended = step(bench).operation
    assert ended is not None
    assert (ended.status, ended.finished, ended.failed) == (OperationStatus.ABORTED, 1, 1)


def test_an_operation_whose_freeze_budget_is_spent_begins_nobody_else() -> None:
    bench = world(6)
    operation(bench, names(6), parallel_max=2, freeze_budget_ms=100)
    step(bench)
    arrive(bench, "T-00", freeze_ms=60)
    assert step(bench).begun == ("T-02",)
    arrive(bench, "T-01", freeze_ms=60)

    stepped = step(bench)

    assert (stepped.begun, stepped.moving) == ((), 1)
    assert members(bench)["T-05"].note == "The operation's freeze budget was spent."
    arrive(bench, "T-02")
    ended = step(bench).operation
    assert ended is not None
    assert (ended.status, ended.finished) == (OperationStatus.FAILED, 3)
    assert "3 not begun" in ended.note


def test_a_member_whose_move_is_gone_is_ended_as_its_record_says() -> None:
    bench = world(2)
    operation(bench, names(2))
    step(bench)
    bench.change("T-00", move=None, state=State.ACTIVE, home=AWAY, epoch=EPOCH + 1)
    bench.change("T-01", move=None, state=State.ACTIVE)

    step(bench)

    assert members(bench)["T-00"].status == "done"
    assert members(bench)["T-01"].status == "failed"
    assert asked(bench).status is OperationStatus.FAILED


def test_more_waiting_members_than_are_looked_at_do_not_end_the_operation() -> None:
    bench = world(2)
    operation(bench, [f"T-{number}-none" for number in range(150)])

    step(bench)
    assert asked(bench).status is OperationStatus.RUNNING
    step(bench)

    assert asked(bench).failed == 150
    assert asked(bench).status is OperationStatus.FAILED


def test_a_standby_is_made_without_moving_anybody() -> None:
    bench = world(2)
    operation(bench, names(2), kind="standby")

    stepped = step(bench)

    assert stepped.begun == ("T-00",)
    move = bench.tenant("T-00").move
    assert move is not None
    assert move.kind == "standby"
    assert members(bench)["T-01"].status == "done"
    assert_counted(bench)


@pytest.mark.parametrize(
    "fields", [{"status": OperationStatus.PLANNING}, {"kind": "recover"}], ids=str
)
def test_what_is_no_campaign_or_is_still_planned_is_left_alone(fields: dict[str, Any]) -> None:
    bench = world()
    operation(bench, names(), **fields)
    rev = bench.registry.rev()

    assert step(bench).begun == ()
    assert bench.registry.rev() == rev


def test_the_real_mover_brings_them_there() -> None:
    bench = world(0)
    for id_ in names():
        settled(bench, id_)
    operation(bench, names())
    parts = count()
    mover = Mover(bench.clock, name="mover-1", part=lambda: f"p{next(parts)}")

    for _ in range(STEPS_MAX):
        for id_ in step(bench, replace(FACTS, now_ms=bench.clock.now_ms())).begun:
            run(bench, mover.run(id_))
        if asked(bench).status is not OperationStatus.RUNNING:
            break

    assert asked(bench).status is OperationStatus.DONE
    assert {bench.tenant(id_).home for id_ in names()} == {AWAY}
