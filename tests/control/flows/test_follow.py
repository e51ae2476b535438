"""Followers come to hold what the home holds; logs that differ stop it, once and for good."""

from contextlib import suppress
from dataclasses import replace

import pytest

from cell_control.domain.records import Leaving, Move, State
from cell_control.flows.abreast import abreast
from cell_control.flows.calling import Dark, Diverged, Refused, do
from cell_control.flows.cells import fence_off, fences, freeze
from cell_control.flows.effects import Ask, CellAnswer, Commit, Flow, NoAnswer
from cell_control.flows.follow import Lag, Visit, follow, followers_of
from cell_control.flows.replicate import Followed, catch_up
from tests.control.bench import Bench
from tests.control.flows.lives import (
    AWAY,
    EPOCH,
    HOME,
    THIRD,
    assert_copied,
    contents,
    follow_up,
    following_up,
    make_standby,
    settled,
    write,
)
from tests.control.shell import Drive, Fault, run


def followed(count: int = 40, *, stripes: int = 1) -> Bench:
    """Return a world whose tenant has an empty standby at AWAY that lacks `count` entries."""
    bench = Bench()
    settled(bench, stripes=stripes, standby=AWAY)
    write(bench, count)
    return bench


def test_what_a_standby_lacks_is_applied_in_parts_of_thirty() -> None:
    bench = followed(70)
    drive = Drive(bench, following_up(bench))

    done: Followed = drive.run()

    assert_copied(bench)
    assert (done.have, done.home_seq, done.applied) == (70, 70, 70)
    assert done.chain == bench.cells[HOME].fences("T-1")[0].chain
    assert [s.name for s in drive.steps].count("apply azure-beta") == 3


def test_nothing_is_sent_to_a_standby_that_is_level() -> None:
    bench = followed()
    follow_up(bench)

    drive = Drive(bench, following_up(bench))

    assert drive.run().applied == 0
    assert "apply azure-beta" not in [step.name for step in drive.steps]


def test_a_budget_bounds_what_is_sent() -> None:
    bench = followed(70)

    done = follow_up(bench, budget=31)

    assert (done.applied, done.have, done.home_seq) == (31, 31, 70)


def test_the_next_page_is_read_while_the_last_one_is_applied() -> None:
    bench = followed(300)
    drive = Drive(bench, following_up(bench))

    drive.run()

    assert_copied(bench)
    names = [step.name for step in drive.steps]
    assert names.count("get journal aws-alpha") == 2
    assert names[names.index("get journal aws-alpha") + 1] == "apply azure-beta"


@pytest.mark.parametrize("thought", [0, 12, 40])
def test_whatever_was_thought_the_standby_says_where_it_is(thought: int) -> None:
    bench = followed(40)
    follow_up(bench, budget=20)

    done = run(bench, catch_up("T-1", HOME, AWAY, 0, EPOCH, thought, budget_entries=100))

    assert done.home_seq == 40
    if thought < 40:
        assert_copied(bench)


def test_a_gap_is_filled_from_what_the_standby_has() -> None:
    bench = followed(40)
    follow_up(bench, budget=5)

    done = run(bench, catch_up("T-1", HOME, AWAY, 0, EPOCH, 30, budget_entries=100))

    assert done.have == 40
    assert_copied(bench)


@pytest.mark.parametrize("fault", ["lost", "failed"])
def test_an_answer_or_request_that_was_lost_costs_lag_only(fault: Fault) -> None:
    bench = followed(70)

    for number in range(4):
        world = bench.copied()
        with suppress(Dark):
            Drive(world, following_up(world), faults={number: fault}).run()
        follow_up(world)

        assert_copied(world)


def test_two_replicators_at_once_apply_each_entry_once() -> None:
    bench = followed(70)
    one, two = (Drive(bench, following_up(bench)) for _ in range(2))
    while not (one.is_over and two.is_over):
        for drive in (one, two):
            if not drive.is_over:
                drive.step()

    assert_copied(bench)


def test_a_journal_that_differs_is_not_overwritten() -> None:
    bench = diverged()
    before = contents(bench, AWAY)

    with pytest.raises(Diverged):
        follow_up(bench)

    assert contents(bench, AWAY) == before


def test_a_home_that_lost_writes_which_its_standby_has_is_an_alarm() -> None:
    bench = followed(10)
    follow_up(bench)
    older = followed(6)
    bench.cells[HOME] = older.cells[HOME]

    with pytest.raises(Diverged) as error:
        follow_up(bench)

    assert error.value.seq == 6


def test_an_old_home_that_was_fenced_off_is_not_followed() -> None:
    bench = followed()
    run(bench, do(fence_off(HOME, "T-1", epoch=18, home=AWAY)))

    with pytest.raises(Refused):
        follow_up(bench)

    assert contents(bench, AWAY) == []


def test_what_was_applied_before_a_failure_is_told() -> None:
    bench = followed(70)
    asked: list[Ask] = []

    def refuses(ask: Ask) -> CellAnswer | NoAnswer | None:
        asked.append(ask)
        applies = sum(a.path.endswith("/apply") for a in asked)
        busy = CellAnswer(status=429, body={"code": "throttled"})
        return busy if ask.path.endswith("/apply") and applies == 2 else None

    done: Followed = Drive(bench, following_up(bench), refuses=refuses).run()

    assert (done.have, done.applied, done.home_seq) == (30, 30, 70)


def test_a_visit_brings_all_stripes_of_all_followers_level() -> None:
    bench = followed(40, stripes=2)
    make_standby(bench, THIRD)
    write(bench, 20, first=41)
    bench.change(leaving=Leaving(cell=THIRD, drop_after_ms=10**15))

    visit = run(bench, follow("T-1"))

    assert visit.lag == 0
    assert {(lag.cell, lag.stripe) for lag in visit.lags} == {
        (AWAY, 0), (AWAY, 1), (THIRD, 0), (THIRD, 1)
    }  # fmt: skip
    assert_copied(bench)


def test_a_visit_tells_what_is_left_when_its_budget_is_spent() -> None:
    bench = followed(40)

    visit = run(bench, follow("T-1", budget_entries=10))

    assert visit.lags == (Lag(cell=AWAY, stripe=0, entries=30),)


def test_a_tenant_without_followers_or_without_a_record_costs_nothing() -> None:
    bench = Bench()
    settled(bench)

    assert run(bench, follow("T-1")) == Visit(tenant="T-1")
    assert run(bench, follow("T-none")) == Visit(tenant="T-none")


def test_logs_that_differ_set_the_alarm_once_and_then_nothing_is_asked() -> None:
    bench = diverged()

    first = run(bench, follow("T-1"))
    rev = bench.registry.rev()
    again = Drive(bench, follow("T-1"))

    assert first.alarm.startswith("diverged at azure-beta, stripe 0")
    assert bench.tenant().alarm == first.alarm
    assert again.run().alarm == first.alarm
    assert [step.name for step in again.steps] == ["get"]
    assert bench.registry.rev() == rev


def test_standbys_at_one_position_with_two_journals_differ() -> None:
    bench = diverged()
    write(bench, 35, first=6)

    assert run(bench, follow("T-1")).alarm


def test_a_fence_that_is_not_as_recorded_wakes_the_movers() -> None:
    bench = followed()
    run(bench, do(freeze(HOME, "T-1", epoch=EPOCH, op="x")))

    visit = run(bench, follow("T-1"))

    assert visit.unsettled
    assert not bench.tenant().settled
    assert contents(bench, AWAY) == []


def test_a_standby_that_is_not_there_wakes_the_movers() -> None:
    bench = Bench()
    settled(bench)
    bench.change(standby=AWAY)

    assert run(bench, follow("T-1")).unsettled


@pytest.mark.parametrize("dark", [HOME, AWAY])
def test_a_dark_cell_wakes_nobody_and_is_named(dark: str) -> None:
    bench = followed()
    bench.cells[dark].is_dark = True

    visit = run(bench, follow("T-1"))

    assert visit.dark == (dark,)
    assert not visit.unsettled
    assert bench.tenant().settled


def test_an_alarm_that_others_overtook_is_set_at_the_next_visit() -> None:
    bench = diverged()
    whole = Drive(world := bench.copied(), follow("T-1"))
    whole.run()
    assert whole.steps[-1].name == "commit tenant"
    assert world.tenant().alarm
    drive = Drive(bench, follow("T-1"))
    for _ in whole.steps[:-1]:
        drive.step()
    bench.change(reason="changed")

    drive.run()
    assert bench.tenant().alarm == ""

    run(bench, follow("T-1"))
    assert bench.tenant().alarm


def test_a_cell_that_asks_for_less_is_told() -> None:
    bench = followed()

    def refuses(ask: Ask) -> CellAnswer | NoAnswer | None:
        busy = CellAnswer(status=429, body={"code": "throttled", "retry_after_ms": 700})
        return busy if ask.path.endswith("/apply") else None

    visit = Drive(bench, follow("T-1"), refuses=refuses).run()

    assert (visit.busy_ms, visit.lag) == (700, 40)


def test_the_mover_alone_carries_what_it_moves() -> None:
    bench = followed()
    tenant = bench.tenant()
    move = Move(operation="op-1", kind="move", dest=AWAY, began_ms=0)

    assert followers_of(replace(tenant, move=move, state=State.CATCHING_UP)) == (AWAY,)
    assert followers_of(replace(tenant, move=move, state=State.CUTOVER)) == ()
    third = replace(move, dest=THIRD)
    assert followers_of(replace(tenant, move=third, state=State.CUTOVER)) == (AWAY,)


def test_flows_that_run_side_by_side_ask_together_and_fail_alone() -> None:
    bench = followed(5)
    bench.cells[THIRD].is_dark = True
    drive = Drive(bench, abreast([do(fences(c, "T-1")) for c in (HOME, THIRD, AWAY)]))

    home, third, away = drive.run()

    assert (home[0].seq, away[0].seq) == (5, 0)
    assert isinstance(third, Dark)


def test_a_flow_that_does_not_only_ask_is_not_run_side_by_side() -> None:
    def commits() -> Flow[None]:
        yield Commit(())

    with pytest.raises(TypeError):
        next(abreast([commits()]))


def diverged() -> Bench:
    """Return a world in which the standby went on by itself after entry 3."""
    bench, other = followed(5), Bench()
    follow_up(bench, budget=3)
    settled(other, standby=AWAY)
    write(other, 40, first=1001)
    follow_up(other)
    bench.cells[AWAY] = other.cells[AWAY].copied(bench.clock)
    return bench
