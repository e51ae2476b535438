"""The reference store keeps the contract; it cannot fail, so `FaultyStore` fails for it."""

import pytest

from cell_core.memory import MemoryBackend, MemoryCellStore
from tests.contract.samples import OpenStore
from tests.contract.suite import CellStoreContract


class TestMemoryCellStore(CellStoreContract):
    @pytest.fixture
    def open_store(self) -> OpenStore:
        backend = MemoryBackend()
        return lambda: MemoryCellStore(backend)
