"""Where a tenant is counted."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cell_control.domain.placement import recount, usage_of, usage_writes
from cell_control.domain.records import Leaving, Move, Tenant, Usage
from tests.control.placement.world import tenant

CELLS = ("a", "b", "c")
AWAY = Leaving(cell="b", drop_after_ms=1)


def _move(dest: str, kind: str = "move") -> Move:
    return Move(operation="op", kind=kind, dest=dest, began_ms=0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "counted"),
    [
        (tenant("a"), {"a": (1, 0)}),
        (tenant("a", "b"), {"a": (1, 0), "b": (0, 1)}),
        (tenant("a", move=_move("b")), {"a": (1, 0), "b": (1, 0)}),
        (tenant("a", "b", move=_move("b")), {"a": (1, 0), "b": (1, 0)}),
        (tenant("a", "c", move=_move("b")), {"a": (1, 0), "b": (1, 0), "c": (0, 1)}),
        (tenant("a", move=_move("b", "standby")), {"a": (1, 0), "b": (0, 1)}),
        (tenant("a", "b", leaving=AWAY), {"a": (1, 0), "b": (0, 1)}),
        (tenant("a", "c", leaving=AWAY), {"a": (1, 0), "b": (0, 1), "c": (0, 1)}),
        (None, {}),
    ],
)
def test_a_tenant_takes_one_place_in_each_of_its_cells(
    found: Tenant | None, counted: dict[str, tuple[int, int]]
) -> None:
    assert usage_of(found) == counted


def test_only_what_differs_is_written() -> None:
    before, usages = tenant("a", "b"), {c: Usage(cell=c, homes=5, standbys=5) for c in CELLS}

    writes = usage_writes(before, replace(before, move=_move("c")), usages)

    assert writes == [Usage(cell="c", homes=6, standbys=5)]


def test_a_switch_to_the_standby_keeps_the_places_of_both_cells() -> None:
    before, usages = tenant("a", "b"), {"a": Usage(cell="a", homes=1), "b": Usage(cell="b")}

    begun = usage_writes(before, replace(before, move=_move("b")), usages | {"b": _one_standby()})

    assert begun == [Usage(cell="b", homes=1, standbys=0)]


def test_a_wrong_count_never_falls_below_zero() -> None:
    assert usage_writes(tenant("a"), None, {}) == [Usage(cell="a")]


def _one_standby() -> Usage:
    return Usage(cell="b", standbys=1)


_cells = st.sampled_from(CELLS)
_tenants = st.builds(
    tenant,
    home=_cells,
    standby=st.sampled_from(("", *CELLS)),
    leaving=st.none() | st.builds(Leaving, cell=_cells, drop_after_ms=st.just(1)),
    move=st.none() | st.builds(_move, _cells, st.sampled_from(("move", "standby"))),
)


@given(st.lists(_tenants, max_size=8), st.data())
def test_differences_add_up_to_a_recount(tenants: list[Tenant], data: st.DataObject) -> None:
    usages = {c: Usage(cell=c) for c in CELLS} | recount(tenants)
    after = [data.draw(st.none() | _tenants) for _ in tenants]

    for old, new in zip(tenants, after, strict=True):
        usages |= {usage.cell: usage for usage in usage_writes(old, new, usages)}

    recounted = recount(found for found in after if found is not None)
    assert usages == {c: Usage(cell=c) for c in CELLS} | recounted
