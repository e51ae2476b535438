"""The rules that no operation passes."""

from typing import Any

import pytest

from cell_control.domain.evacuation import (
    reasons_against_begin,
    reasons_against_member,
    reasons_against_operation,
)
from cell_control.domain.lifecycle import TABLE, reasons_against_change
from cell_control.domain.records import Lifecycle, Move, Operation, Tenant
from tests.control.placement.world import FACTS, site, tenant

MOVE = Move(operation="op-1", kind="move", dest="azure-1", began_ms=0)
SITES = [site(0, homes=5), site(1, homes=5), site(2)]


def _operation(kind: str, source: str = "", dest: str = "", id_: str = "asked") -> Operation:
    return Operation(id=id_, kind=kind, tenants=1, source=source, dest=dest)  # type: ignore[arg-type]


def _codes(asked: Operation, *running: Operation, sites: Any = SITES) -> list[str]:
    return [r.code for r in reasons_against_operation(asked, sites, running, FACTS)]


def test_a_drain_with_other_cells_left_may_begin() -> None:
    assert _codes(_operation("drain", "aws-0")) == []


@pytest.mark.parametrize("change", [{"probe": None}, {"lifecycle": Lifecycle.DRAINING}])
def test_the_last_cell_that_takes_tenants_is_not_drained(change: dict[str, Any]) -> None:
    sites = [site(0), site(1, **change)]

    assert _codes(_operation("drain", "aws-0"), sites=sites) == ["last_cell"]


def test_a_destination_that_fails_its_probe_is_refused() -> None:
    sites = [site(0), site(1, probe=None), site(2)]

    codes = _codes(_operation("drain", "aws-0", "azure-1"), sites=sites)

    assert codes == ["probe_missing"]


def test_a_cell_is_not_drained_into_itself() -> None:
    assert "is_home" in _codes(_operation("drain", "aws-0", "aws-0"))


@pytest.mark.parametrize(
    ("asked", "running"),
    [
        (_operation("drain", "aws-0", "azure-1"), _operation("drain", "azure-1", "aws-0", "o")),
        (_operation("drain", "aws-0", "azure-1"), _operation("drain", "azure-1", "gcp-2", "o")),
        (_operation("drain", "aws-0", "gcp-2"), _operation("drain", "azure-1", "aws-0", "o")),
        (_operation("drain", "aws-0", "gcp-2"), _operation("drain", "azure-1", "", "o")),
        (_operation("drain", "aws-0"), _operation("failback", "", "aws-0", "o")),
        (_operation("failback", "", "aws-0"), _operation("drain", "aws-0", "azure-1", "o")),
    ],
)
def test_two_opposite_evacuations_do_not_run_at_once(asked: Operation, running: Operation) -> None:
    assert "opposite_evacuation" in _codes(asked, running)


@pytest.mark.parametrize(
    "running",
    [
        _operation("drain", "azure-1", "gcp-2", "o"),
        _operation("move", "", "aws-0", "o"),
        _operation("drain", "gcp-2", "aws-0", "asked"),
    ],
)
def test_what_does_not_oppose_runs_beside(running: Operation) -> None:
    assert _codes(_operation("drain", "aws-0", "gcp-2"), running) == []


def test_a_cell_is_not_drained_twice_at_once() -> None:
    asked, running = _operation("drain", "aws-0"), _operation("drain", "aws-0", "", "o")

    assert _codes(asked, running) == ["already_under_way"]


@pytest.mark.parametrize(
    ("found", "code"),
    [(tenant(move=MOVE), "already_moving"), (tenant(alarm="diverged"), "alarm")],
)
def test_a_tenant_that_moves_or_has_an_alarm_is_no_member(found: Tenant, code: str) -> None:
    assert [reason.code for reason in reasons_against_member(found)] == [code]


def test_a_member_begins_only_where_it_still_fits() -> None:
    full = site(1, homes=100)

    def codes(found: Tenant, kind: Any = "move") -> list[str]:
        return [r.code for r in reasons_against_begin(found, full, FACTS, kind=kind)]

    assert codes(tenant("aws-0")) == ["no_headroom"]
    assert codes(tenant("aws-0", "azure-1")) == []
    assert codes(tenant("aws-0", "azure-1", pin="aws-0")) == ["pinned"]
    assert codes(tenant("aws-0", "azure-1", pin="aws-0"), "standby") == []
    assert codes(tenant("azure-1")) == ["is_home"]


@pytest.mark.parametrize("before", Lifecycle)
@pytest.mark.parametrize("to", Lifecycle)
def test_what_is_not_in_the_table_cannot_happen(before: Lifecycle, to: Lifecycle) -> None:
    here = site(0, lifecycle=before)

    reasons = reasons_against_change(here, to, [here, site(1)], FACTS)

    assert bool(reasons) is ((before, to) not in TABLE)


@pytest.mark.parametrize(
    ("change", "to", "code"),
    [
        ({"lifecycle": Lifecycle.PROVISIONING, "probe": None}, Lifecycle.ACTIVE, "probe_missing"),
        ({"lifecycle": Lifecycle.DRAINING, "homes": 1}, Lifecycle.EVACUATED, "not_empty"),
        ({"lifecycle": Lifecycle.EVACUATED, "standbys": 1}, Lifecycle.RETIRED, "not_empty"),
        ({}, Lifecycle.DRAINING, "last_cell"),
    ],
)
def test_a_lifecycle_has_conditions(change: dict[str, Any], to: Lifecycle, code: str) -> None:
    here = site(0, **change)

    reasons = reasons_against_change(here, to, [here], FACTS)

    assert [reason.code for reason in reasons] == [code]
