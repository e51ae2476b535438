"""One account for the tests of a module, and a connected store onto it."""

from collections.abc import Iterator

import pytest

from cell_adapters_azure.store import CosmosCellStore
from tests.adapters_azure.wire import LocalCosmos, local_cosmos
from tests.contract.samples import new_partition


@pytest.fixture(scope="module")
def cosmos() -> Iterator[LocalCosmos]:
    with local_cosmos(partitions=4) as cosmos:
        yield cosmos


@pytest.fixture(scope="module")
def connected(cosmos: LocalCosmos) -> CosmosCellStore:
    store = cosmos.open_store()
    store.ping()
    return store


@pytest.fixture
def store(connected: CosmosCellStore, cosmos: LocalCosmos) -> Iterator[CosmosCellStore]:
    cosmos.wire.seen.clear()
    yield connected
    cosmos.wire.disturbance = None


@pytest.fixture
def partition() -> str:
    return new_partition()
