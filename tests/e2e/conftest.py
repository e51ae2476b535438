"""One world for each module, from the zips as they are built from this tree."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from cell_devstack.world import AWS, AZURE, LocalCell, World, Zips
from tests.e2e.caller import Caller
from tests.e2e.edge import Edge, Resident, edge_before
from tools.local_zips import local_zips

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def zips() -> Zips:
    return Zips(**local_zips())


@pytest.fixture(scope="module")
def world(zips: Zips) -> Iterator[World]:
    with World(zips) as started:
        yield started


@pytest.fixture(params=[AWS, AZURE])
def cell(request: pytest.FixtureRequest, world: World) -> Iterator[LocalCell]:
    """Yield one cell after the other; whatever a test broke is whole again afterwards."""
    found = world.cells[request.param]
    yield found
    found.client.close()
    found.link.clear()
    found.database.restore()
    found.host.restore()


@pytest.fixture
def new_caller(cell: LocalCell) -> Callable[[], Caller]:
    """Return callers, each with a tenant of its own that has accounts."""

    def make() -> Caller:
        caller = Caller(cell, f"T-{next(_NUMBERS)}")
        caller.provision()
        return caller

    return make


@pytest.fixture
def caller(new_caller: Callable[[], Caller]) -> Caller:
    return new_caller()


@pytest.fixture
def is_commit(cell: LocalCell) -> bytes:
    """Return what matches the one request that writes, on its way to the database."""
    return {
        AWS: rb"(?i)x-amz-target: DynamoDB_20120810\.TransactWriteItems",
        AZURE: rb"(?i)x-ms-cosmos-is-batch-request",
    }[cell.id]


@pytest.fixture(scope="module")
def edge(zips: Zips) -> Iterator[Edge]:
    with edge_before(zips) as started:
        yield started


@pytest.fixture(params=[AWS, AZURE])
def home(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def new_resident(edge: Edge) -> Iterator[Callable[[str], Resident]]:
    """Return tenants behind the edge; whatever a test broke is whole again afterwards.

    After every test, nothing that was ever sent may have gone to another tenant's or a guessed
    cell.
    """
    yield lambda name: Resident(edge, f"T-{next(_NUMBERS)}", name)
    for name, cell in edge.world.cells.items():
        edge.proxies[name].clear()
        cell.client.close()
        cell.link.clear()
        cell.host.restore()
    edge.client.close()
    assert any(recorder.sent for recorder in edge.recorders.values())
    assert edge.illegitimate() == []


@pytest.fixture
def resident(new_resident: Callable[[str], Resident], home: str) -> Resident:
    return new_resident(home)
