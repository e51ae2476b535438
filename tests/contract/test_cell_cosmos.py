"""A cell keeps its promises on Cosmos DB, in a container that tests share."""

import functools
import itertools
from collections.abc import Iterator

import pytest

from cell_adapters_azure.store import CosmosCellStore
from tests.adapters_azure.wire import local_cosmos
from tests.contract.cell_suite import CellContract
from tests.contract.samples import OpenStore

# See test_cell_ministack: what is cheap to run of Cosmos DB in every run is elsewhere.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stores() -> Iterator[Iterator[CosmosCellStore]]:
    with local_cosmos(partitions=4) as cosmos:
        yield itertools.cycle([cosmos.open_store() for _ in range(2)])


class TestCellOnCosmos(CellContract):
    @pytest.fixture
    def open_store(self, stores: Iterator[CosmosCellStore]) -> OpenStore:
        return functools.partial(next, stores)
