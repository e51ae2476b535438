"""Where new tenants go, and where those that move go."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cell_control.domain.eligibility import Site, reasons_against
from cell_control.domain.placement import (
    Choice,
    NoCellFits,
    Placement,
    destination_for,
    place,
    recount,
    usage_writes,
)
from cell_control.domain.records import Capacity, Lifecycle, Policy, Tenant
from tests.control.placement.world import FACTS, site, tenant, wants

ALONE = Choice(standby=False)


def _home(placed: Placement | NoCellFits) -> str:
    assert isinstance(placed, Placement)
    return placed.home.cell.id


def _standby(placed: Placement | NoCellFits) -> str:
    assert isinstance(placed, Placement)
    assert placed.standby is not None
    return placed.standby.cell.id


def test_a_new_tenant_goes_to_the_least_loaded_cell() -> None:
    sites = [site(0, homes=5), site(1, homes=4), site(2, homes=6)]

    assert _home(place(wants(), ALONE, sites, FACTS)) == "azure-1"


def test_a_cell_of_twice_the_weight_takes_twice_as_many() -> None:
    sites = [site(0, weight=200), site(1, weight=100)]

    for number in range(30):
        home = _home(place(wants(f"T-{number}"), ALONE, sites, FACTS))
        sites = [_with_home(one) if one.cell.id == home else one for one in sites]

    assert [one.usage.homes for one in sites] == [20, 10]


def test_a_standby_goes_to_another_cloud_although_a_cell_beside_is_emptier() -> None:
    sites = [site(0), site(3), site(1, homes=50)]

    placed = place(wants(), Choice(home="aws-0"), sites, FACTS)

    assert _standby(placed) == "azure-1"


def test_a_standby_goes_to_another_cell_of_the_same_cloud_if_no_other_cloud_may_be() -> None:
    sites = [site(0), site(3), site(1)]

    placed = place(wants(allowed_cells=("aws-0", "aws-3")), Choice(home="aws-0"), sites, FACTS)

    assert _standby(placed) == "aws-3"


def test_a_tenant_without_a_fitting_standby_is_placed_and_told_why() -> None:
    sites = [site(0), site(1, probe=None)]

    placed = place(wants(), Choice(), sites, FACTS)

    assert isinstance(placed, Placement)
    assert placed.standby is None
    assert {r.subject: r.code for r in placed.without} == {
        "azure-1": "probe_missing",
        "aws-0": "is_home",
    }


def test_a_standby_that_was_named_has_to_fit() -> None:
    sites = [site(0), site(1, probe=None), site(2)]

    placed = place(wants(), Choice(home="aws-0", standby="azure-1"), sites, FACTS)

    assert isinstance(placed, NoCellFits)
    assert "probe_missing" in {reason.code for reason in placed.reasons}


def test_a_home_that_was_named_is_not_exchanged_for_one_that_fits() -> None:
    placed = place(wants(), Choice(home="aws-0"), [site(0, homes=100), site(1)], FACTS)

    assert isinstance(placed, NoCellFits)
    assert [(r.subject, r.code) for r in placed.reasons] == [("aws-0", "no_headroom")]


def test_no_cell_at_all_says_so() -> None:
    placed = place(wants(), Choice(), [], FACTS)

    assert isinstance(placed, NoCellFits)
    assert [reason.code for reason in placed.reasons] == ["no_cells"]


def test_a_tenant_moves_to_its_own_standby_even_where_that_is_full() -> None:
    sites = [site(0), site(1, homes=50, standbys=50), site(2)]

    found = destination_for(tenant("aws-0", "azure-1"), sites, FACTS)

    assert isinstance(found, Site)
    assert found.cell.id == "azure-1"


def test_a_tenant_moves_elsewhere_if_its_standby_is_not_fit() -> None:
    sites = [site(0), site(1, probe=None), site(2)]

    found = destination_for(tenant("aws-0", "azure-1"), sites, FACTS)

    assert isinstance(found, Site)
    assert found.cell.id == "gcp-2"


def test_a_pinned_tenant_moves_nowhere() -> None:
    found = destination_for(tenant("aws-0", "azure-1", pin="aws-0"), [site(0), site(1)], FACTS)

    assert isinstance(found, NoCellFits)
    assert [reason.code for reason in found.reasons] == ["pinned"]


def test_a_pin_holds_the_home_and_not_the_standby() -> None:
    placed = place(wants(pin="aws-0"), Choice(), [site(0), site(1)], FACTS)

    assert (_home(placed), _standby(placed)) == ("aws-0", "azure-1")


def test_moving_home_says_that_it_is_there() -> None:
    found = destination_for(tenant("aws-0"), [site(0), site(1)], FACTS, dest="aws-0")

    assert isinstance(found, NoCellFits)
    assert [reason.code for reason in found.reasons] == ["is_home"]


def _with_home(one: Site) -> Site:
    return replace(one, usage=replace(one.usage, homes=one.usage.homes + 1))


_LABELS = ("eu", "us", "pci")
_labels = st.lists(st.sampled_from(_LABELS), unique=True, max_size=3).map(tuple)


@st.composite
def _worlds(draw: st.DrawFn) -> list[Site]:
    return [
        site(
            ordinal,
            homes=draw(st.integers(0, 6)),
            standbys=draw(st.integers(0, 6)),
            tenants=draw(st.integers(0, 12)),
            weight=draw(st.sampled_from((1, 50, 100))),
            labels=draw(_labels),
            lifecycle=draw(st.sampled_from((Lifecycle.ACTIVE, Lifecycle.ACTIVE, *Lifecycle))),
        )
        for ordinal in range(draw(st.integers(1, 5)))
    ]


@st.composite
def _policies(draw: st.DrawFn) -> Policy:
    cells = [site(ordinal).cell.id for ordinal in range(5)]
    some = st.lists(st.sampled_from(cells), unique=True, max_size=3).map(tuple)
    return Policy(allowed_cells=draw(some), labels=draw(st.just(()) | _labels))


@given(_worlds(), _policies())
def test_a_placement_keeps_every_rule_and_a_no_names_every_cell(
    sites: list[Site], policy: Policy
) -> None:
    asked = replace(wants(), policy=policy)

    placed = place(asked, Choice(), sites, FACTS)

    fits = [one for one in sites if not reasons_against(one, asked, FACTS)]
    if isinstance(placed, NoCellFits):
        assert not fits
        assert {reason.subject for reason in placed.reasons} == {one.cell.id for one in sites}
        return
    assert placed.home in fits
    others = [one for one in fits if one is not placed.home]
    assert (placed.standby in others) if others else placed.standby is None
    clouds = {one.cell.cloud for one in others} - {placed.home.cell.cloud}
    if clouds and placed.standby is not None:
        assert placed.standby.cell.cloud in clouds


@given(st.integers(1, 40), st.integers(2, 4))
def test_filling_the_cells_leaves_room_to_lose_any_of_them(tenants: int, cells: int) -> None:
    sites = [site(ordinal, tenants=12) for ordinal in range(cells)]
    made: list[Tenant] = []

    for number in range(tenants):
        placed = place(wants(f"T-{number}"), Choice(), sites, FACTS)
        if isinstance(placed, Placement):
            standby = "" if placed.standby is None else placed.standby.cell.id
            made.append(tenant(placed.home.cell.id, standby, id=f"T-{number}"))
            usages = {one.cell.id: one.usage for one in sites}
            usages |= {u.cell: u for u in usage_writes(None, made[-1], usages)}
            sites = [replace(one, usage=usages[one.cell.id]) for one in sites]

    for lost in sites:
        homes = Counter(t.standby if t.home == lost.cell.id else t.home for t in made)
        assert all(homes[one.cell.id] <= one.cell.capacity.tenants for one in sites)


@given(st.text("abc", min_size=1, max_size=6), st.integers(1, 6))
def test_a_new_cell_takes_tenants_and_exchanges_none_between_the_old_ones(
    name: str, cells: int
) -> None:
    old = [site(ordinal) for ordinal in range(cells)]
    new = site(cells)

    before = _home(place(wants(name), ALONE, old, FACTS))
    after = _home(place(wants(name), ALONE, [new, *old], FACTS))

    assert after in (before, new.cell.id)


def test_equal_cells_share_tenants_evenly() -> None:
    sites = [site(ordinal, tenants=10_000) for ordinal in range(3)]

    homes = Counter(_home(place(wants(f"T-{n}"), ALONE, sites, FACTS)) for n in range(300))

    assert min(homes.values()) > 70


def test_recounting_no_tenants_counts_nothing() -> None:
    assert recount([]) == {}


def test_capacity_is_that_of_homes_and_standbys_together() -> None:
    full = site(0, homes=1, standbys=1, capacity=Capacity(tenants=2))

    assert full.free == 0
