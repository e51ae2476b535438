"""The reference store keeps the contract; so does the decorator that breaks it on purpose."""

import pytest

from cell_core.memory import MemoryBackend, MemoryCellStore
from tests.contract.samples import OpenStore
from tests.contract.suite import CellStoreContract


class TestMemoryCellStore(CellStoreContract):
    @pytest.fixture
    def open_store(self) -> OpenStore:
        backend = MemoryBackend()
        return lambda: MemoryCellStore(backend)
