"""A registry restored from an older backup comes up to the fences, whatever happens meanwhile."""

from contextlib import suppress
from dataclasses import replace
from functools import cache
from random import Random

import pytest

from cell_control.codec import read, write_of
from cell_control.domain.placement import recount
from cell_control.domain.records import (
    Audit,
    Leaving,
    Lineage,
    OperationStatus,
    Position,
    Tenant,
    Usage,
)
from cell_control.domain.recovery import JUMP
from cell_control.flows.calling import do
from cell_control.flows.cells import (
    Prepare,
    activate,
    apply,
    freeze,
    provision_home,
    provision_standby,
    seal,
)
from cell_control.flows.effects import Ask, CellAnswer, NoAnswer
from cell_control.flows.recover import (
    RECOVERY,
    Found,
    Walked,
    ask_recovery,
    begin_recovery,
    is_recovering,
    recover_step,
)
from cell_control.ports import Key, RegistryUnavailable, RegistryUnknown
from cell_core.app.routes import cursor
from cell_core.domain.ids import next_epoch
from cell_core.domain.limits import INTEGER_MAX
from tests.control.bench import START_MS, Bench
from tests.control.flows.lives import AWAY, EPOCH, HOME, MOVED_EPOCH, THIRD, settled, write
from tests.control.shell import Crashed, Drive, Fault, run

WALKED_MAX = 20


def begun(bench: Bench) -> Bench:
    """Begin a recovery."""
    run(bench, begin_recovery(START_MS, by="tester", reason="restored"))
    return bench


def walk(bench: Bench, **options: tuple[str, ...]) -> list[Found]:
    """Take steps until the recovery is over; return what was found."""
    found: list[Found] = []
    for _ in range(WALKED_MAX):
        walked = run(bench, recover_step(START_MS, **options))  # type: ignore[arg-type]
        found += walked.found
        assert not walked.dark
        if walked.over:
            return found
    raise AssertionError("the walk does not end")


def move_away(bench: Bench, id_: str = "T-1") -> None:
    """Move a tenant to its standby at AWAY without a word to the registry."""
    source = run(bench, do(freeze(HOME, id_, epoch=EPOCH, op="op-1.1")))
    at = [Position(seq=fence.seq, chain=fence.chain) for fence in source]
    run(bench, do(activate(AWAY, id_, epoch=MOVED_EPOCH, mode="planned", positions=at)))
    run(bench, do(seal(HOME, id_, epoch=MOVED_EPOCH, home=AWAY)))


def lineages(bench: Bench) -> list[Lineage]:
    return [read(Lineage, record) for record in bench.registry.list("lineage", limit=1000)]


def counted(bench: Bench) -> dict[str, Usage]:
    """Return the usages in the registry, and check that they are what its tenants come to."""
    tenants = [read(Tenant, record) for record in bench.registry.list("tenant", limit=1000)]
    usages = {r.key: read(Usage, r) for r in bench.registry.list("usage", limit=16)}
    assert {u.cell: u for u in usages.values() if u.homes or u.standbys} == recount(tenants)
    return usages


def test_a_registry_that_lost_nothing_is_left_as_it_is() -> None:
    bench = Bench()
    settled(bench, standby=AWAY)
    before = bench.tenant()

    assert walk(begun(bench)) == []

    assert bench.tenant() == before


def test_a_tenant_that_moved_after_the_backup_is_raised_to_where_it_is() -> None:
    bench = Bench()
    settled(bench, standby=AWAY)
    bench.put(Usage(cell=HOME, homes=1))
    bench.put(Usage(cell=AWAY, standbys=1))
    move_away(bench)

    assert walk(begun(bench)) == [Found("T-1", "raised")]

    tenant = bench.tenant()
    assert (tenant.epoch, tenant.home, tenant.standby) == (MOVED_EPOCH, AWAY, HOME)
    assert (tenant.settled, tenant.base.mode) == (False, "recovered")
    assert [(line.epoch, line.home) for line in lineages(bench)] == [(MOVED_EPOCH, AWAY)]
    counted(bench)


def test_a_move_whose_commit_may_have_been_lost_goes_forward() -> None:
    bench = Bench()
    settled(bench, standby=AWAY)
    [last] = run(bench, do(freeze(HOME, "T-1", epoch=EPOCH, op="op-1.1")))
    prepare = Prepare(MOVED_EPOCH, Position(seq=last.seq, chain=last.chain))
    run(bench, do(apply(AWAY, "T-1", 0, epoch=EPOCH, entries=(), prepare=prepare)))

    walk(begun(bench))

    tenant = bench.tenant()
    assert (tenant.epoch, tenant.home) == (MOVED_EPOCH, AWAY)
    assert tenant.base.positions == (Position(seq=last.seq, chain=last.chain),)


def test_a_home_that_was_frozen_and_not_given_away_goes_on_at_a_larger_epoch() -> None:
    bench = Bench()
    settled(bench, standby=AWAY)
    run(bench, do(freeze(HOME, "T-1", epoch=EPOCH, op="op-1.1")))

    walk(begun(bench))

    tenant = bench.tenant()
    assert (tenant.epoch, tenant.home) == (next_epoch(EPOCH, 1), HOME)
    assert not tenant.settled


def test_a_tenant_that_was_created_after_the_backup_is_adopted() -> None:
    bench = Bench()
    run(bench, do(provision_home(HOME, "T-1", epoch=EPOCH, stripes=2)))
    start = bench.cells[HOME].fences("T-1")
    for cell in (THIRD, AWAY):
        run(bench, do(provision_standby(cell, "T-1", epoch=EPOCH, home=HOME, start=start)))

    assert walk(begun(bench)) == [Found("T-1", "adopted")]

    tenant = bench.tenant()
    assert (tenant.home, tenant.standby, tenant.stripes) == (HOME, AWAY, 2)
    assert (tenant.epoch, tenant.standby_ordinal) == (EPOCH, 2)
    assert "adopted" in tenant.reason
    assert counted(bench)[HOME].homes == 1


def test_a_tenant_that_no_cell_has_is_reported_and_kept() -> None:
    bench = Bench()
    settled(bench)
    ghost = Tenant(id="T-2", epoch=EPOCH, home=HOME, settled=True)
    bench.put(ghost)

    assert walk(begun(bench)) == [Found("T-2", "missing")]
    assert bench.tenant("T-2") == ghost


def test_an_epoch_of_no_declared_cell_is_reported_and_kept() -> None:
    bench = Bench()
    settled(bench, standby=AWAY)
    move_away(bench)
    [record] = bench.registry.get([Key(kind="cell", key=AWAY)])
    assert record is not None
    unowned = record.body.replace('"ordinal":2', '"ordinal":9')
    bench.registry._records["cell", AWAY] = replace(record, body=unowned)

    assert walk(begun(bench)) == [Found("T-1", "stuck")]
    assert bench.tenant().epoch == EPOCH


def test_a_standby_that_the_record_does_not_know_wakes_the_movers() -> None:
    bench = Bench()
    settled(bench, standby=AWAY)
    bench.change(standby="", standby_ordinal=-1)

    assert walk(begun(bench)) == []
    assert not bench.tenant().settled


def test_what_a_forgotten_operation_left_in_a_cell_is_named_so_that_it_goes() -> None:
    bench = Bench()
    settled(bench, standby=AWAY)
    bench.change(standby="", standby_ordinal=-1)

    walk(begun(bench))

    assert bench.tenant().leaving == Leaving(cell=AWAY, drop_after_ms=0)


def test_what_a_parity_probe_left_is_no_tenant() -> None:
    bench = Bench()
    run(bench, do(provision_home(HOME, "canary~home", epoch=EPOCH, stripes=1)))

    walk(begun(bench))

    assert bench.registry.get([Key(kind="tenant", key="canary~home")]) == [None]


def test_a_dark_cell_is_waited_for_until_an_operator_gives_it_up() -> None:
    bench = begun(Bench())
    settled(bench, standby=AWAY)
    bench.cells[THIRD].is_dark = True

    walked = run(bench, recover_step(START_MS))

    assert walked == Walked(after="", dark=(THIRD,))
    assert run(bench, is_recovering())
    assert walk(bench, without=(THIRD,)) == []
    assert not run(bench, is_recovering())


def test_a_recovery_runs_from_its_beginning_to_its_end_and_is_one_however_often_begun() -> None:
    bench = Bench()
    settled(bench)
    assert not run(bench, is_recovering())

    begun(bench)
    first = run(bench, begin_recovery(START_MS + 5, by="other", reason="again"))

    assert (first.by, first.began_ms) == ("tester", START_MS)
    assert run(bench, is_recovering())
    walk(bench)
    assert not run(bench, is_recovering())
    assert run(bench, recover_step(START_MS)).over
    begun(bench)
    assert run(bench, is_recovering())


def test_a_registry_goes_on_far_above_what_a_follower_holds_of_a_lost_past() -> None:
    bench = Bench()
    settled(bench)

    run(bench, begin_recovery(START_MS, by="tester", reason="ahead", above=5000))
    during = bench.registry.rev()
    walk(bench)

    assert during < 5000
    assert bench.registry.rev() == 5000 + JUMP + 1


def test_an_operator_s_word_is_written_once_with_its_audit_and_goes_far_above_the_registry() -> (
    None
):
    bench = Bench()
    settled(bench)
    rev = bench.registry.rev()

    for at in (1, 2):
        audit = write_of(
            Audit(at_ms=at, by="ada", action="recovery.begin", subject="~"), 0, key=f"{at}"
        )
        run(bench, ask_recovery(START_MS, by="ada", reason="set back", rev=rev, audit=audit))
    begun_at = bench.registry.rev()
    walk(bench)

    assert len(bench.registry.list("audit", limit=9)) == 1
    assert begun_at > rev
    assert bench.registry.rev() == rev + JUMP + 1


def test_it_goes_above_whoever_is_furthest_however_often_it_is_begun() -> None:
    bench = Bench()
    settled(bench)

    for above in (5000, 7000, 6000, 0):
        run(bench, begin_recovery(START_MS, by="tester", reason="ahead", above=above))
    walk(bench)

    assert bench.registry.rev() == 7000 + JUMP + 1


def test_a_recovery_of_what_nobody_is_ahead_of_leaves_no_rev_out() -> None:
    bench = Bench()
    settled(bench)
    before = bench.registry.rev()

    begun(bench)
    walk(bench)

    assert bench.registry.rev() == before + 2


def test_no_word_of_a_follower_uses_up_the_revs() -> None:
    bench = Bench()
    settled(bench)

    run(bench, begin_recovery(START_MS, by="tester", reason="ahead", above=INTEGER_MAX))
    walk(bench)

    assert bench.registry.rev() == INTEGER_MAX // 2 + 1


@pytest.mark.parametrize("fault", ["crash", "lost", "failed"])
def test_a_recovery_never_ends_below_what_a_follower_holds_wherever_it_is_cut_off(
    fault: Fault,
) -> None:
    begin = Bench()
    settled(begin)
    run(begin, begin_recovery(START_MS, by="tester", reason="ahead", above=5000))
    whole = Drive(begin.copied(), recover_step(START_MS))
    whole.run()
    assert "skipto" in [step.name for step in whole.steps]

    for number in range(len(whole.steps)):
        bench = begin.copied()
        with suppress(Crashed, RegistryUnavailable, RegistryUnknown):
            Drive(bench, recover_step(START_MS), faults={number: fault}).run()
        assert not run(bench, is_recovering()) or walk(bench) == []
        assert bench.registry.rev() > 5000 + JUMP


@cache
def _many() -> Bench:
    bench = Bench()
    for number in range(58):
        id_ = f"T-{number:03d}"
        settled(bench, id_, standby=AWAY if number % 9 == 0 else "")
        if number % 18 == 0:
            write(bench, 1, id_=id_)
    for number in (0, 18, 54):
        id_ = f"T-{number:03d}"
        fence = bench.cells[HOME].fences(id_)[0]
        body = bench.cells[HOME].entries(id_)[0].body
        run(bench, do(apply(AWAY, id_, 0, epoch=EPOCH, entries=[body])))
        assert bench.cells[AWAY].fences(id_)[0].seq == fence.seq
        move_away(bench, id_)
    for usage in recount(map(bench.tenant, (f"T-{n:03d}" for n in range(58)))).values():
        bench.put(usage)
    return begun(bench)


def many() -> Bench:
    """Return a world of 58 tenants, more than one step takes; three moved after the backup."""
    return _many().copied()


def assert_recovered(bench: Bench) -> None:
    moved = {r.key for r in bench.registry.list("tenant", limit=100) if '"home":"azure' in r.body}
    assert moved == {"T-000", "T-018", "T-054"}
    assert len(lineages(bench)) == 3
    [record] = bench.registry.get([Key(kind="operation", key=RECOVERY)])
    assert record is not None
    assert '"tenants":58' in record.body
    assert '"finished":3' in record.body
    counted(bench)


def test_all_tenants_of_all_cells_are_walked_page_by_page() -> None:
    bench = many()

    walk(bench)

    assert_recovered(bench)


@pytest.mark.parametrize("fault", ["crash", "lost", "failed"])
def test_after_a_fault_anywhere_the_walk_goes_on_where_it_was(fault: Fault) -> None:
    draw = Random(fault)
    bench = many()
    for _ in range(4):
        with suppress(Crashed, RegistryUnavailable, RegistryUnknown):
            Drive(bench, recover_step(START_MS), faults={draw.randrange(60): fault}).run()

    walk(bench)

    assert_recovered(bench)


def test_a_directory_that_comes_in_short_pages_is_walked_whole() -> None:
    bench = many()

    def one_at_first(ask: Ask) -> CellAnswer | NoAnswer | None:
        if ask.cell != HOME or ask.path != "?limit=50":
            return None
        return CellAnswer(status=200, body={"tenants": ["T-000"], "after": cursor("T-000")})

    first = Drive(bench, recover_step(START_MS), refuses=one_at_first).run()
    walk(bench)

    assert first.after == "T-000"
    assert_recovered(bench)


def test_a_cell_that_goes_dark_meanwhile_keeps_everything_as_it_was() -> None:
    bench = Bench()
    settled(bench, standby=AWAY)
    move_away(bench)
    begun(bench)
    whole = Drive(world := bench.copied(), recover_step(START_MS))
    whole.run()
    assert world.tenant().home == AWAY
    asks = [step.number for step in whole.steps if step.name.startswith("get ")][1:]
    rev = bench.registry.rev()

    for number in asks:
        drive = Drive(bench, recover_step(START_MS), faults={number: "lost"})

        assert len(drive.run().dark) == 1
        assert bench.registry.rev() == rev


def test_two_processes_walk_together_and_count_once() -> None:
    bench = many()
    drives = [Drive(bench, recover_step(START_MS)) for _ in range(2)]
    while any(not drive.is_over for drive in drives):
        for drive in drives:
            if not drive.is_over:
                drive.step()
    assert [drive.result.contended for drive in drives] == [False, True]

    walk(bench)

    assert_recovered(bench)


def test_a_registry_that_goes_away_says_so() -> None:
    bench = many()

    with pytest.raises(RegistryUnavailable):
        Drive(bench, recover_step(START_MS), faults={0: "failed"}).run()


def test_the_operation_tells_how_it_ended() -> None:
    bench = Bench()
    settled(bench)
    walk(begun(bench))

    [record] = bench.registry.get([Key(kind="operation", key=RECOVERY)])

    assert record is not None
    assert f'"status":"{OperationStatus.DONE.value}"' in record.body
