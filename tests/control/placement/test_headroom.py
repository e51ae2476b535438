"""Whether the rest could take over."""

from hypothesis import given
from hypothesis import strategies as st

from cell_control.domain.eligibility import Site
from cell_control.domain.headroom import SAMPLES_MAX, Absorption, absorptions, crowds_of
from cell_control.domain.placement import recount
from cell_control.domain.records import Policy, Tenant, Usage
from tests.control.placement.world import FACTS, cell, tenant


def _sites(tenants: list[Tenant], *, cells: int = 3, room: int = 10) -> list[Site]:
    usages = recount(tenants)
    made = [cell(ordinal, tenants=room) for ordinal in range(cells)]
    return [Site(one, usages.get(one.id, Usage(cell=one.id))) for one in made]


def _cloud(tenants: list[Tenant], cloud: str, sites: list[Site]) -> Absorption:
    clouds, _ = absorptions(crowds_of(tenants), sites, FACTS)
    return next(one for one in clouds if one.lost == cloud)


def test_tenants_with_a_standby_in_another_cloud_are_ready() -> None:
    tenants = [tenant("aws-0", "azure-1", id=f"T-{n}") for n in range(10)]

    found = _cloud(tenants, "aws", _sites(tenants))

    assert found.whole
    assert [(level.priority, level.ready) for level in found.levels] == [(5, 10)]


def test_a_standby_in_the_lost_cloud_does_not_help() -> None:
    tenants = [tenant("aws-0", "aws-3")]

    found = _cloud(tenants, "aws", _sites(tenants, cells=4))

    assert not found.whole
    assert (found.levels[0].ready, found.levels[0].room) == (0, 1)


def test_a_cell_of_the_cloud_alone_may_be_lost_though_the_cloud_may_not() -> None:
    tenants = [tenant("aws-0", "aws-3")]

    _, cells = absorptions(crowds_of(tenants), _sites(tenants, cells=4), FACTS)

    assert next(one for one in cells if one.lost == "aws-0").whole


def test_the_first_in_priority_take_what_room_there_is() -> None:
    first, last = Policy(priority=0), Policy(priority=9)
    tenants = [tenant("aws-0", id=f"A-{n}", policy=last) for n in range(3)]
    tenants += [tenant("aws-0", id=f"B-{n}", policy=first) for n in range(3)]

    found = _cloud(tenants, "aws", _sites(tenants, cells=2, room=4))

    assert [(lv.priority, lv.room, lv.stuck) for lv in found.levels] == [(0, 3, 0), (9, 1, 2)]
    assert found.why == {"no_headroom": 2}
    assert set(found.samples) <= {"A-0", "A-1", "A-2"}


def test_what_may_go_nowhere_is_stuck_for_its_reason() -> None:
    here = Policy(allowed_cells=("aws-0",))
    tenants = [tenant("aws-0", id=f"T-{n}", policy=here) for n in range(20)]

    found = _cloud(tenants, "aws", _sites(tenants, room=50))

    assert (found.levels[0].stuck, found.why) == (20, {"residency_cell": 20})
    assert len(found.samples) == SAMPLES_MAX


_tenants = st.builds(
    tenant,
    home=st.sampled_from(("aws-0", "azure-1", "gcp-2")),
    standby=st.sampled_from(("", "aws-0", "azure-1", "gcp-2")),
    policy=st.builds(
        Policy,
        priority=st.integers(0, 2),
        allowed_cells=st.sampled_from(((), ("aws-0", "azure-1"))),
    ),
)


@given(st.lists(_tenants, max_size=12), st.integers(0, 12))
def test_every_tenant_is_counted_once_and_room_is_never_given_twice(
    tenants: list[Tenant], room: int
) -> None:
    sites = _sites(tenants, room=room)

    clouds, cells = absorptions(crowds_of(tenants), sites, FACTS)

    for found in (*clouds, *cells):
        lost = {s.cell.id for s in sites if found.lost in (s.cell.id, s.cell.cloud)}
        levels = found.levels
        assert sum(lv.tenants for lv in levels) == sum(t.home in lost for t in tenants)
        assert all(lv.tenants == lv.ready + lv.room + lv.stuck for lv in levels)
        free = sum(s.free for s in sites if s.cell.id not in lost)
        held = sum(t.home in lost and t.standby not in ("", *lost) for t in tenants)
        assert sum(lv.room for lv in levels) <= free + held
