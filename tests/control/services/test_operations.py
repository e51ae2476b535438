"""Operations are asked once, planned within the rules, and written whole before they begin."""

from collections import Counter
from typing import Any

import pytest

from cell_control.adapters.registry_faulty import Fault, FaultyRegistry
from cell_control.codec import write_of
from cell_control.domain.placement import recount
from cell_control.domain.records import Lifecycle, Operation, OperationStatus, Policy
from cell_control.errors import Conflict, Invalid, NotFound, Refused, Unavailable
from cell_control.service.members import CHUNK_MAX
from cell_control.service.operations import NewOperation, Operations
from cell_control.service.sites import read_sites
from tests.control.placement.world import tenant
from tests.control.services.office import BY, Office, check_counts, desk_over


def _full(tenants: int = 6, capacities: tuple[int, ...] = (100, 100, 100)) -> Office:
    """Return an office whose tenants are all at home in aws-0, with standbys in azure-1."""
    office = Office(capacities)
    for number in range(tenants):
        office.create(f"T-{number:04}", home="aws-0", standby="azure-1")
    return office


def _move(*tenants: str, **fields: Any) -> NewOperation:
    return NewOperation(**{"id": "op-1", "kind": "move", "tenants": tenants, **fields})


def _members(office: Office, operation: str = "op-1") -> dict[str, tuple[str, str]]:
    members, _ = office.operations.members(operation, limit=1000)
    return {member.tenant: (member.dest, member.status) for member in members}


def test_a_drain_takes_every_tenant_of_the_cell_to_its_standby_and_closes_the_cell() -> None:
    office = _full()

    begun = office.drain("aws-0")

    assert begun.operation.status is OperationStatus.RUNNING
    assert begun.blast.destinations == {"azure-1": 6}
    assert set(_members(office).values()) == {("azure-1", "waiting")}
    assert office.cells.show("aws-0").cell.lifecycle is Lifecycle.DRAINING


def test_an_empty_cell_is_drained_at_once() -> None:
    office = Office()

    assert office.drain("aws-0").operation.status is OperationStatus.DONE


def test_the_same_request_again_is_the_same_operation() -> None:
    office = _full()
    first = office.drain("aws-0").operation
    rev = office.registry.rev()

    again = office.drain("aws-0")

    assert (again.operation, again.blast) == (first, None)
    assert office.registry.rev() == rev


@pytest.mark.parametrize("other", [{"dest": "gcp-2"}, {"parallel_max": 5}])
def test_another_request_under_the_same_id_conflicts(other: dict[str, Any]) -> None:
    office = _full()
    office.drain("aws-0")

    with pytest.raises(Conflict) as conflict:
        office.drain("aws-0", **other)

    assert conflict.value.code == "id_taken"


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "a/b"},
        {"parallel_max": 0},
        {"parallel_max": 65},
        {"freeze_budget_ms": -1},
        {"tenants": ("T-1", "T-1")},
        {"tenants": ()},
        {"kind": "drain"},
        {"kind": "drain", "tenants": ()},
        {"kind": "failback", "tenants": ()},
    ],
)
def test_a_malformed_request_is_invalid(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        Office().operations.begin(_move("T-1", **fields), by=BY)


def test_what_is_named_must_exist() -> None:
    office = _full()

    with pytest.raises(NotFound):
        office.operations.begin(_move("T-9"), by=BY)
    with pytest.raises(NotFound):
        office.operations.begin(_move("T-0001", dest="nowhere"), by=BY)


def test_a_dry_run_tells_the_blast_radius_and_writes_nothing() -> None:
    office = _full(10)
    office.tenants.pin("T-0003", "aws-0", by=BY)
    rev = office.registry.rev()
    asked = NewOperation(id="d", kind="drain", source="aws-0", freeze_budget_ms=350)

    blast = office.operations.dry_run(asked, by=BY).blast

    assert (blast.tenants, blast.refused, blast.bytes) == (9, 1, None)
    assert (blast.freeze_ms, blast.duration_ms, blast.within_budget) == (900, 9000, 4)
    assert [reason.code for reason in blast.reasons] == ["pinned"] * 2
    assert office.registry.rev() == rev


def test_members_go_by_priority() -> None:
    office = Office()
    office.create("A", home="aws-0", policy=Policy(priority=9))
    office.create("B", home="aws-0", policy=Policy(priority=0))

    plan = office.operations.dry_run(NewOperation(id="d", kind="drain", source="aws-0"), by=BY)

    assert [member.tenant for member in plan.members] == ["B", "A"]
    assert plan.blast.priorities == {0: 1, 9: 1}


def test_a_plan_gives_each_free_place_once() -> None:
    office = Office((100, 3, 2))
    for number in range(8):
        office.create(f"T-{number}", home="aws-0", standby=False)

    begun = office.drain("aws-0")

    assert begun.blast.destinations == {"azure-1": 3, "gcp-2": 2}
    assert Counter(status for _, status in _members(office).values()) == {
        "waiting": 5,
        "failed": 3,
    }
    assert (begun.operation.tenants, begun.operation.failed) == (8, 3)


def test_an_operation_in_which_nobody_may_go_is_refused_with_the_reasons() -> None:
    office = _full(1)
    office.tenants.pin("T-0000", "aws-0", by=BY)

    with pytest.raises(Refused) as refused:
        office.drain("aws-0")

    assert refused.value.code == "nothing_fits"
    assert {reason.code for reason in refused.value.reasons} == {"pinned"}
    assert office.cells.show("aws-0").cell.lifecycle is Lifecycle.ACTIVE


def test_the_last_cell_is_not_drained() -> None:
    office = _full(1, (100, 100))
    office.probe("azure-1", "broken")

    with pytest.raises(Refused) as refused:
        office.drain("aws-0")

    assert "last_cell" in {reason.code for reason in refused.value.reasons}
    assert office.operations.page() == ([], "")


def test_two_opposite_evacuations_are_not_both_begun() -> None:
    office = _full()
    office.create("B", home="azure-1")
    office.drain("aws-0", dest="azure-1")

    with pytest.raises(Refused) as refused:
        office.drain("azure-1", "op-2", dest="gcp-2")

    assert "opposite_evacuation" in {reason.code for reason in refused.value.reasons}


def test_a_tenant_that_moves_already_is_failed_from_the_start() -> None:
    office = _full(2)
    office.begin_move("T-0000", "azure-1")

    office.operations.begin(_move("T-0000", "T-0001"), by=BY)

    assert _members(office) == {"T-0000": ("", "failed"), "T-0001": ("azure-1", "waiting")}


def test_a_move_out_of_residency_is_refused_also_by_name() -> None:
    office = Office()
    office.create("T-1", home="aws-0", policy=Policy(allowed_cells=("aws-0", "azure-1")))

    with pytest.raises(Refused) as refused:
        office.operations.begin(_move("T-1", dest="gcp-2"), by=BY)

    assert [r.code for r in refused.value.reasons] == ["residency_cell"]


def test_a_failback_takes_home_those_that_came_from_there() -> None:
    office = _full(3)
    for name in ("T-0000", "T-0001"):
        office.begin_move(name, "azure-1")
        office.end_move(name, arrived=True)

    begun = office.operations.begin(NewOperation(id="b", kind="failback", dest="aws-0"), by=BY)

    assert set(_members(office, "b")) == {"T-0000", "T-0001"}
    assert begun.blast is not None
    assert begun.blast.destinations == {"aws-0": 2}


def test_a_standby_is_made_for_those_that_have_none_and_costs_no_freeze() -> None:
    office = _full(1)
    office.create("B", home="aws-0", standby=False)
    office.tenants.pin("B", "aws-0", by=BY)

    begun = office.operations.begin(NewOperation(id="s", kind="standby", source="aws-0"), by=BY)

    assert list(_members(office, "s")) == ["B"]
    assert begun.blast is not None
    assert begun.blast.freeze_ms == 0


def test_an_operation_that_is_aborted_begins_no_member_and_stays_so() -> None:
    office = _full()
    office.drain("aws-0")

    aborted = office.operations.abort("op-1", by=BY, reason="wrong cell")
    rev = office.registry.rev()
    again = office.operations.abort("op-1", by=BY)

    assert again == aborted
    assert office.registry.rev() == rev
    assert {status for _, status in _members(office).values()} == {"aborted"}


def test_an_operation_that_is_over_is_not_aborted() -> None:
    office = Office()
    office.drain("aws-0")

    with pytest.raises(Conflict) as conflict:
        office.operations.abort("op-1", by=BY)

    assert conflict.value.fields["status"] == "done"


def test_the_recovery_of_a_registry_is_not_aborted() -> None:
    office = Office()
    recovery = Operation(id="~recovery", kind="recover", tenants=0)
    office.registry.commit([write_of(recovery, 0)])

    with pytest.raises(Refused):
        office.operations.abort("~recovery", by=BY)

    assert office.operations.show("~recovery").status is OperationStatus.RUNNING


@pytest.fixture(scope="module")
def crowd() -> Office:
    office = Office((2000, 2000, 2000))
    count = CHUNK_MAX + 100
    made = [tenant("aws-0", "azure-1", id=f"T-{number:04}") for number in range(count)]
    sites = read_sites(office.registry)
    for usage in recount(made).values():
        office.registry.commit([write_of(usage, sites.usage_revs[usage.cell])])
    for start in range(0, count, 500):
        office.registry.commit([write_of(one, 0) for one in made[start : start + 500]])
    return office


def test_many_members_are_written_in_parts_and_a_cut_off_request_goes_on(crowd: Office) -> None:
    commits = iter(range(100))

    def plan(name: str) -> Fault:
        # The first takes the id, the second writes the first part, the third is lost.
        refused = name == "commit" and next(commits) == 2
        return Fault.REFUSED if refused else Fault.NONE

    shaky = Operations(desk_over(FaultyRegistry(crowd.registry, plan), crowd.clock))
    asked = NewOperation(id="op-1", kind="drain", source="aws-0")

    with pytest.raises(Unavailable):
        shaky.begin(asked, by=BY)
    half = crowd.operations.show("op-1")
    begun = crowd.operations.begin(asked, by=BY).operation

    assert half.status is OperationStatus.PLANNING
    assert (begun.status, begun.tenants) == (OperationStatus.RUNNING, CHUNK_MAX + 100)
    assert crowd.registry.count("member") == CHUNK_MAX + 100


def test_operations_and_members_come_in_pages() -> None:
    office = _full(3)
    office.drain("aws-0")

    first, after = office.operations.members("op-1", limit=2)
    second, end = office.operations.members("op-1", limit=2, after=after)
    running, _ = office.operations.page(status=OperationStatus.RUNNING)
    done, _ = office.operations.page(status=OperationStatus.DONE)

    assert [m.tenant for m in (*first, *second)] == ["T-0000", "T-0001", "T-0002"]
    assert (end, [o.id for o in running], done) == ("", ["op-1"], [])
    check_counts(office)
