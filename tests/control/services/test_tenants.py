"""Tenants are created by placement, once each, and changed only as their place allows."""

from typing import Any

import pytest

from cell_control.adapters.registry_faulty import Fault, FaultyRegistry
from cell_control.adapters.registry_memory import MemoryRegistry
from cell_control.domain.records import Lifecycle, Policy
from cell_control.errors import Conflict, Invalid, NotFound, Refused, Unavailable
from cell_control.ports import Registry
from cell_control.service.desk import Desk
from cell_control.service.tenants import NewTenant, Tenants
from cell_core.domain.ids import owner
from tests.control.services.office import BY, Clock, Office, check_counts, desk_over


def _refused(office: Office, tenant: str, **fields: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        office.create(tenant, **fields)
    return refused.value


def test_a_tenant_is_created_with_its_place_its_lineage_and_its_audit() -> None:
    office = Office()
    before = office.registry.rev()

    created = office.tenants.create(NewTenant(id="T-1", stripes=4), by=BY, reason="new customer")

    tenant = created.tenant
    assert owner(tenant.epoch) == office.cells.show(tenant.home).cell.ordinal
    assert office.cells.show(tenant.standby).cell.cloud != office.cells.show(tenant.home).cell.cloud
    assert tenant.standby_ordinal == office.cells.show(tenant.standby).cell.ordinal
    changed = office.registry.changes(
        before, kinds=("tenant", "usage", "lineage", "audit"), limit=10
    )
    assert sorted(r.kind for r in changed.records) == [
        "audit", "lineage", "tenant", "usage", "usage",
    ]  # fmt: skip
    assert (office.audits()[-1].action, office.audits()[-1].reason) == (
        "tenant.create",
        "new customer",
    )


def test_the_same_request_again_is_the_same_tenant_wherever_it_moved_meanwhile() -> None:
    office = Office()
    first = office.create("T-1")
    office.begin_move("T-1", first.standby)
    moved = office.end_move("T-1", arrived=True)
    rev = office.registry.rev()

    again = office.create("T-1")

    assert again == moved
    assert office.registry.rev() == rev


@pytest.mark.parametrize(
    "other", [{"stripes": 2}, {"home": "aws-0"}, {"standby": False}, {"policy": Policy(priority=1)}]
)
def test_another_request_under_the_same_id_conflicts(other: dict[str, Any]) -> None:
    office = Office()
    office.create("T-1")

    with pytest.raises(Conflict) as conflict:
        office.create("T-1", **other)

    assert conflict.value.code == "id_taken"


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "a/b"},
        {"id": "canary~1"},
        {"id": "T-1", "stripes": 0},
        {"id": "T-1", "stripes": 65},
        {"id": "T-1", "home": "aws-0", "standby": "aws-0"},
        {"id": "T-1", "policy": Policy(priority=10)},
        {"id": "T-1", "policy": Policy(freeze_budget_ms=60_001)},
        {"id": "T-1", "policy": Policy(labels=("EU",))},
        {"id": "T-1", "policy": Policy(labels=("eu", "eu"))},
    ],
)
def test_a_malformed_request_is_refused_before_the_registry_is_asked(
    fields: dict[str, Any],
) -> None:
    office = Office()
    rev = office.registry.rev()

    with pytest.raises(Invalid):
        office.tenants.create(NewTenant(**fields), by=BY)

    assert office.registry.rev() == rev


def test_a_cell_that_is_named_must_exist() -> None:
    with pytest.raises(NotFound):
        Office().create("T-1", policy=Policy(allowed_cells=("nowhere",)))


def test_no_cell_fits_names_the_reason_of_each_cell_and_what_to_do() -> None:
    office = Office((0, 100, 100, 100))
    office.probe("azure-1", "read: status 200, not 503")
    office.cells.become("gcp-2", Lifecycle.DRAINING, by=BY)

    no = _refused(office, "T-1", policy=Policy(allowed_cells=("aws-0", "azure-1", "gcp-2")))

    assert {r.subject: r.code for r in no.reasons} == {
        "aws-0": "no_headroom",
        "azure-1": "probe_failing",
        "gcp-2": "lifecycle",
        "aws-3": "residency_cell",
    }
    assert no.fields["reasons"][0]["text"]
    check_counts(office)


def test_a_tenant_whose_writes_need_a_standby_is_not_created_without_one() -> None:
    office = Office((100, 0))

    no = _refused(office, "T-1", policy=Policy(ack="refuse"))

    assert "no_standby" in {reason.code for reason in no.reasons}


def test_a_full_cell_takes_no_tenant_by_name() -> None:
    office = Office((1, 100))
    office.create("T-1", home="aws-0")

    no = _refused(office, "T-2", home="aws-0")

    assert [reason.code for reason in no.reasons] == ["no_headroom"]


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.DONE])
def test_a_creation_whose_outcome_is_unknown_is_looked_up_and_done_once(fault: Fault) -> None:
    office = Office()
    faults = iter([fault])

    def plan(name: str) -> Fault:
        return next(faults, Fault.NONE) if name == "commit" else Fault.NONE

    shaky = Tenants(desk_over(FaultyRegistry(office.registry, plan), office.clock))

    created = shaky.create(NewTenant(id="T-1"), by=BY)

    assert office.everyone() == [created.tenant]
    check_counts(office)


def test_a_registry_that_is_gone_is_said_so() -> None:
    office = Office()
    gone = FaultyRegistry(office.registry, lambda _name: Fault.REFUSED)

    with pytest.raises(Unavailable) as unavailable:
        Tenants(desk_over(gone, office.clock)).create(NewTenant(id="T-1"), by=BY)

    assert unavailable.value.code == "registry_unavailable"


def test_a_commit_that_always_loses_gives_up_after_a_bounded_number_of_attempts() -> None:
    office = Office(desk=_hasty)
    office.create("T-1")
    reads = []

    class Meddling(MemoryRegistry):
        """Another process pins the tenant whenever this one has read it."""

        def get(self, keys: Any) -> Any:
            found = office.registry.get(keys)
            reads.append(keys)
            way = office.tenants.quarantine if len(reads) % 2 else office.tenants.release
            way("T-1", by="other")
            return found

        def commit(self, writes: Any) -> int:
            return office.registry.commit(writes)

    with pytest.raises(Conflict) as conflict:
        Tenants(_hasty(Meddling(), office.clock)).pin("T-1", office.tenants.show("T-1").home, by=BY)

    assert conflict.value.code == "contention"
    assert len(reads) == 5


def _hasty(registry: Registry, clock: Clock) -> Desk:
    return desk_over(registry, clock, attempts_max=5)


def test_a_tenant_is_pinned_where_it_is_and_nowhere_else() -> None:
    office = Office()
    home = office.create("T-1").home
    other = next(s.cell.id for s in office.cells.all() if s.cell.id != home)

    with pytest.raises(Refused):
        office.tenants.pin("T-1", other, by=BY)

    assert office.tenants.pin("T-1", home, by=BY).pin == home
    assert office.tenants.unpin("T-1", by=BY).pin == ""


def test_a_tenant_on_its_way_is_not_pinned() -> None:
    office = Office()
    tenant = office.create("T-1")
    office.begin_move("T-1", tenant.standby)

    with pytest.raises(Refused):
        office.tenants.pin("T-1", tenant.home, by=BY)


def test_quarantine_is_shown_to_the_edge_until_release() -> None:
    office = Office()
    office.create("T-1")

    blocked = office.tenants.quarantine("T-1", by=BY, reason="poison")
    [row] = office.registry.list("tenant", limit=10)
    released = office.tenants.release("T-1", by=BY)

    assert blocked.blocked
    assert not released.blocked
    assert "blocked" in (row.edge or "")


def test_a_change_that_changes_nothing_writes_nothing() -> None:
    office = Office()
    office.create("T-1")
    rev = office.registry.rev()

    office.tenants.release("T-1", by=BY)

    assert office.registry.rev() == rev


def test_a_policy_that_the_place_keeps_is_set() -> None:
    office = Office()
    tenant = office.create("T-1")
    allowed = Policy(allowed_cells=(tenant.home, tenant.standby), priority=1)

    assert office.tenants.set_policy("T-1", allowed, by=BY).policy == allowed


def test_a_policy_that_the_place_violates_is_refused_with_what_to_do() -> None:
    office = Office()
    tenant = office.create("T-1")

    with pytest.raises(Refused) as refused:
        office.tenants.set_policy("T-1", Policy(labels=("eu",)), by=BY)

    assert {r.subject for r in refused.value.reasons} == {tenant.home, tenant.standby}
    assert all("move it away" in reason.text for reason in refused.value.reasons)
    assert office.tenants.show("T-1").policy == Policy()


def test_a_policy_is_held_against_where_a_move_goes_too() -> None:
    office = Office()
    tenant = office.create("T-1", standby=False)
    dest = next(s.cell.id for s in office.cells.all() if s.cell.id != tenant.home)
    office.begin_move("T-1", dest)

    with pytest.raises(Refused):
        office.tenants.set_policy("T-1", Policy(allowed_cells=(tenant.home,)), by=BY)


def test_an_unknown_tenant_is_not_found() -> None:
    with pytest.raises(NotFound) as not_found:
        Office().tenants.pin("T-9", "aws-0", by=BY)

    assert not_found.value.fields == {"tenant": "T-9"}


def test_pages_end_and_may_be_of_one_cell() -> None:
    office = Office()
    for number in range(5):
        office.create(f"T-{number}", home="aws-0", standby=False)

    first, after = office.tenants.page(limit=3)
    second, end = office.tenants.page(limit=3, after=after)
    other, _ = office.tenants.page(limit=10, cell="gcp-2")

    assert [t.id for t in (*first, *second)] == [f"T-{n}" for n in range(5)]
    assert (end, other) == ("", [])
