"""What no record names is found in a cell's directory, named, and touched by nobody else."""

import pytest

from cell_control.codec import read
from cell_control.domain.placement import recount
from cell_control.domain.records import Leaving, Move, State, Usage
from cell_control.flows.calling import NotDone, do
from cell_control.flows.cells import provision_home
from cell_control.flows.tidy import Tidied, tidy_step
from cell_control.ports import RegistryConflict
from tests.control.bench import START_MS, Bench
from tests.control.flows.lives import AWAY, EPOCH, HOME, THIRD, make_standby, settled
from tests.control.shell import run


def tidied(bench: Bench, cell: str = AWAY, after: str = "") -> Tidied:
    return run(bench, tidy_step(cell, after, START_MS))


def test_a_copy_that_no_record_names_is_named_as_one_to_be_left() -> None:
    bench = Bench()
    settled(bench)
    make_standby(bench, AWAY)

    assert tidied(bench) == Tidied(after="", named=("T-1",))

    tenant = bench.tenant()
    assert tenant.leaving == Leaving(cell=AWAY, drop_after_ms=START_MS)
    assert not tenant.settled
    [usage] = [read(Usage, r) for r in bench.registry.list("usage", limit=16) if r.key == AWAY]
    assert usage.standbys == recount([tenant])[AWAY].standbys


def test_home_and_standby_are_left_alone() -> None:
    bench = Bench()
    before = settled(bench, standby=AWAY)

    assert tidied(bench, HOME) == tidied(bench, AWAY) == Tidied(after="")
    assert bench.tenant() == before


@pytest.mark.parametrize(
    "busy",
    [
        {"settled": False},
        {"leaving": Leaving(cell=THIRD, drop_after_ms=START_MS + 1)},
        {
            "state": State.COPYING,
            "move": Move(operation="op-1", kind="move", dest=AWAY, began_ms=0),
        },
    ],
    ids=["not settled", "leaving another", "moving"],
)
def test_a_tenant_that_is_not_at_rest_is_left_alone(busy: dict[str, object]) -> None:
    bench = Bench()
    settled(bench)
    make_standby(bench, AWAY)
    before = bench.change(**busy)

    assert tidied(bench).named == ()
    assert bench.tenant() == before


def test_a_record_that_changes_meanwhile_wins() -> None:
    bench = Bench()
    settled(bench)
    make_standby(bench, AWAY)
    flow = tidy_step(AWAY, "", START_MS)
    records = flow.send(bench.cells[AWAY].ask(next(flow)))
    usages = flow.send(tuple(bench.registry.get(records.keys)))
    commit = flow.send(tuple(bench.registry.get(usages.keys)))
    bench.change(pin=HOME)

    with pytest.raises(RegistryConflict) as conflict:
        bench.registry.commit(commit.writes)
    with pytest.raises(StopIteration) as over:
        flow.throw(conflict.value)

    assert over.value.value == Tidied(after="")
    assert bench.tenant().leaving is None


def test_what_no_record_knows_is_told_and_a_probes_canary_is_not() -> None:
    bench = Bench()
    for tenant in ("T-9", "canary~home"):
        run(bench, do(provision_home(HOME, tenant, epoch=EPOCH, stripes=1)))

    assert tidied(bench, HOME) == Tidied(after="", unknown=("T-9",))


def test_a_large_directory_is_looked_through_a_page_at_a_time() -> None:
    bench = Bench()
    for number in range(60):
        settled(bench, f"T-{number:03d}")

    first = tidied(bench, HOME)

    assert first == Tidied(after="T-049")
    assert tidied(bench, HOME, first.after) == Tidied(after="")


def test_a_cell_that_does_not_answer_is_for_the_next_time() -> None:
    bench = Bench()
    bench.cells[AWAY].is_dark = True

    with pytest.raises(NotDone):
        tidied(bench)
