"""Many at once never overfill a cell, on a registry in memory and in SQLite."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cell_control.adapters.registry_memory import MemoryRegistry
from cell_control.adapters.registry_url import open_registry
from cell_control.domain.records import Lifecycle, Tenant
from cell_control.errors import ControlError, Refused
from cell_control.ports import Registry
from cell_control.service.tenants import NewTenant, Tenants
from tests.control.services.office import BY, Office, check_counts, desk_over

AT_ONCE = 32


@pytest.fixture(params=["memory", "sqlite"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    """Return an empty registry."""
    made: Registry
    if request.param == "memory":
        made = MemoryRegistry()
    else:
        made = open_registry(f"sqlite:///{tmp_path / 'registry.db'}")
    yield made
    made.close()


def _at_once(count: int, act: Callable[[int], Tenant]) -> list[Tenant | ControlError]:
    """Run `act` in `count` threads that begin together; return what each returned or raised."""
    start = threading.Barrier(count)

    def run(number: int) -> Tenant | ControlError:
        start.wait(10)
        try:
            return act(number)
        except ControlError as no:
            return no

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


def _create_at_once(office: Office, names: list[str]) -> list[Tenant | ControlError]:
    def create(number: int) -> Tenant:
        tenants = Tenants(desk_over(office.registry, office.clock, seed=number))
        return tenants.create(NewTenant(id=names[number]), by=BY).tenant

    return _at_once(len(names), create)


def test_creations_at_once_fill_the_cells_to_the_last_place_and_not_beyond(
    registry: Registry,
) -> None:
    office = Office((12, 12), registry=registry)

    ended = _create_at_once(office, [f"T-{number}" for number in range(AT_ONCE)])

    created = [one for one in ended if isinstance(one, Tenant)]
    refused = [one for one in ended if isinstance(one, Refused)]
    assert len(created) + len(refused) == AT_ONCE
    assert {one.code for one in refused} == {"no_cell_fits"}
    assert {site.free for site in office.cells.all()} == {0}
    check_counts(office)


def test_the_same_creation_at_once_is_one_tenant(registry: Registry) -> None:
    office = Office((12, 12), registry=registry)

    ended = _create_at_once(office, ["T-1"] * AT_ONCE)

    [tenant] = office.everyone()
    assert ended == [tenant] * AT_ONCE
    check_counts(office)


def test_moves_that_begin_at_once_share_the_places_that_are_left(registry: Registry) -> None:
    office = Office((100, 100, 5), registry=registry)
    for number in range(12):
        office.create(f"T-{number}", home="aws-0", standby=False)

    ended = _at_once(12, lambda number: office.begin_move(f"T-{number}", "gcp-2"))

    assert sum(isinstance(one, Tenant) for one in ended) == 5
    assert office.cells.show("gcp-2").free == 0
    check_counts(office)


def test_a_cell_that_is_closed_meanwhile_takes_nobody_afterwards(registry: Registry) -> None:
    office = Office((100, 100, 100), registry=registry)

    def act(number: int) -> Tenant:
        if number == 0:
            office.cells.become("aws-0", Lifecycle.DRAINING, by=BY)
            closed.append(office.cells.show("aws-0").places)
        return office.create(f"T-{number}")

    closed: list[int] = []
    _at_once(12, act)

    assert office.cells.show("aws-0").places == closed[0]
    check_counts(office)
