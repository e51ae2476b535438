"""Routes come from memory and only ever move forward in epoch."""

from collections.abc import Iterable

import pytest

from cell_core.wire.registry import CellRecord, Change, GroupRecord, TenantRecord, tenant_text
from cell_core.wire.registry_snapshot import tenant_row
from cell_router.limits import UNKNOWN_TENANT_S, UNKNOWN_TENANTS_MAX
from cell_router.registry import LEARNED_MAX, REFRESH_S, Registry, Standby
from cell_router.stores.memory import MemoryStore

CELLS = [
    CellRecord(
        id=f"cell-{ordinal}",
        ordinal=ordinal,
        cloud="aws",
        region="r",
        base_url=f"http://c{ordinal}",
    )
    for ordinal in (1, 2)
]


def store_of(tenants: Iterable[TenantRecord], groups: Iterable[GroupRecord] = ()) -> MemoryStore:
    store = MemoryStore()
    store.replace(
        rev=1,
        created_ms=5,
        cells=CELLS,
        groups=list(groups),
        tenants=[sorted(map(tenant_row, tenants))],
    )
    return store


def fresh(store: MemoryStore) -> Registry:
    registry = Registry(store)
    registry.refresh(0.0)
    return registry


def put(store: MemoryStore, record: TenantRecord, rev: int = 2) -> None:
    store.apply(rev, [Change(rev=rev, kind="tenant", key=record.tenant, value=tenant_text(record))])


def test_an_epoch_names_the_cell():
    registry = fresh(store_of([TenantRecord(tenant="T", epoch=18)]))

    route = registry.find("T")

    assert route is not None
    assert route.cell is not None
    assert (route.epoch, route.cell.id) == (18, "cell-2")


def test_a_cell_that_nobody_describes_is_none():
    registry = fresh(store_of([TenantRecord(tenant="T", epoch=19)]))

    route = registry.find("T")

    assert route is not None
    assert route.cell is None


def test_a_groups_newer_epoch_decides_until_the_tenants_is_newer():
    store = store_of(
        [TenantRecord(tenant="T", epoch=17, group="g")], [GroupRecord(group="g", epoch=34)]
    )
    registry = fresh(store)
    by_group = registry.find("T")

    put(store, TenantRecord(tenant="T", epoch=49, group="g"))
    registry.refresh(1.0)
    own = registry.find("T")

    assert by_group is not None
    assert own is not None
    assert (by_group.epoch, by_group.reason) == (34, "group")
    assert (own.epoch, own.reason) == (49, "tenant")


@pytest.mark.parametrize(
    ("record", "cell", "policy"),
    [
        (TenantRecord(tenant="T", epoch=17, standby=2, ack="refuse"), "cell-2", "refuse"),
        (TenantRecord(tenant="T", epoch=18, standby=1, ack="degrade"), "cell-1", "degrade"),
        (TenantRecord(tenant="T", epoch=17, standby=1, ack="refuse"), None, "refuse"),
        (TenantRecord(tenant="T", epoch=17, standby=9, ack="refuse"), None, "refuse"),
        (TenantRecord(tenant="T", epoch=17, group="g", standby=2, ack="refuse"), None, "refuse"),
    ],
)
def test_a_standby_is_another_cell_that_the_registry_describes(
    record: TenantRecord, cell: str | None, policy: str
):
    route = fresh(store_of([record], [GroupRecord(group="g", epoch=34)])).find("T")

    assert route is not None
    assert route.standby is not None
    found = route.standby.cell
    assert (found.id if found else None, route.standby.policy) == (cell, policy)


def test_a_home_that_acknowledges_alone_has_no_standby():
    route = fresh(store_of([TenantRecord(tenant="T", epoch=17)])).find("T")

    assert route is not None
    assert route.standby is None


def test_what_a_cell_teaches_makes_the_standby_no_standby_until_the_registry_tells():
    store = store_of([TenantRecord(tenant="T", epoch=17, standby=2, ack="refuse")])
    registry = fresh(store)

    learned = registry.learn("T", 18)
    put(store, TenantRecord(tenant="T", epoch=18, standby=1, ack="refuse"))
    registry.refresh(1.0)
    told = registry.find("T")

    assert learned is not None
    assert learned.standby == Standby(None, "refuse")
    assert told is not None
    assert told.standby is not None
    assert told.standby.cell == CELLS[0]


def test_a_registry_without_a_snapshot_is_not_ready():
    assert not Registry(MemoryStore()).ready
    assert fresh(store_of([])).ready


def test_a_change_is_seen_at_the_next_refresh_and_not_before_its_time():
    store = store_of([TenantRecord(tenant="T", epoch=17)])
    registry = fresh(store)
    registry.find("T")
    put(store, TenantRecord(tenant="T", epoch=18))

    early = registry.refresh(REFRESH_S / 2), registry.find("T")
    late = registry.refresh(REFRESH_S), registry.find("T")

    assert early[1] is not None
    assert late[1] is not None
    assert (early[0], early[1].epoch) == (False, 17)
    assert (late[0], late[1].epoch) == (True, 18)


def test_what_a_cell_teaches_is_taken_forward_only():
    registry = fresh(store_of([TenantRecord(tenant="T", epoch=33)]))

    older = registry.learn("T", 18)
    newer = registry.learn("T", 34)
    older_again = registry.learn("T", 33)

    assert older is not None
    assert newer is not None
    assert older_again is not None
    assert (older.epoch, newer.epoch, older_again.epoch) == (33, 34, 34)
    assert newer.reason == "learned"


def test_what_was_learned_outlives_a_registry_that_is_behind():
    store = store_of([TenantRecord(tenant="T", epoch=17), TenantRecord(tenant="U", epoch=17)])
    registry = fresh(store)
    registry.learn("T", 34)

    put(store, TenantRecord(tenant="U", epoch=18))
    registry.refresh(1.0)
    route = registry.find("T")

    assert route is not None
    assert route.epoch == 34


def test_what_was_learned_is_forgotten_when_the_registry_has_caught_up():
    store = store_of([TenantRecord(tenant="T", epoch=17)])
    registry = fresh(store)
    registry.learn("T", 34)

    put(store, TenantRecord(tenant="T", epoch=49))
    registry.refresh(1.0)
    route = registry.find("T")

    assert route is not None
    assert (route.epoch, route.reason) == (49, "tenant")


def test_what_is_learned_is_bounded():
    store = store_of([TenantRecord(tenant="T-0", epoch=17)])
    registry = fresh(store)

    for number in range(LEARNED_MAX + 1):
        registry.learn(f"T-{number}", 34)
    put(store, TenantRecord(tenant="U", epoch=17))
    registry.refresh(1.0)
    route = registry.find("T-0")

    assert route is not None
    assert route.epoch == 17


def test_a_removed_tenant_is_not_found():
    store = store_of([TenantRecord(tenant="T", epoch=17)])
    registry = fresh(store)
    registry.find("T")

    store.apply(2, [Change(rev=2, kind="tenant", key="T", value=None)])
    registry.refresh(1.0)

    assert registry.find("T") is None


def test_an_unknown_tenant_is_remembered_as_such_for_five_seconds():
    registry = fresh(store_of([]))

    registry.note_unknown("T", 10.0)

    assert registry.is_unknown("T", 10.0 + UNKNOWN_TENANT_S - 0.1)
    assert not registry.is_unknown("T", 10.0 + UNKNOWN_TENANT_S)
    assert not registry.is_unknown("U", 10.0)


def test_a_change_of_the_registry_forgets_who_was_unknown():
    store = store_of([])
    registry = fresh(store)
    registry.note_unknown("T", 0.0)

    put(store, TenantRecord(tenant="T", epoch=17))
    registry.refresh(1.0)

    assert not registry.is_unknown("T", 1.0)


def test_the_memory_of_unknown_tenants_is_bounded():
    registry = fresh(store_of([]))

    for number in range(UNKNOWN_TENANTS_MAX + 1):
        registry.note_unknown(f"T-{number}", 0.0)

    assert not registry.is_unknown("T-0", 0.0)
    assert registry.is_unknown(f"T-{UNKNOWN_TENANTS_MAX}", 0.0)
