"""A cell keeps its promises on the reference store."""

import pytest

from cell_core.memory import MemoryBackend, MemoryCellStore
from tests.contract.cell_suite import CellContract
from tests.contract.samples import OpenStore


class TestCellOnMemory(CellContract):
    @pytest.fixture
    def open_store(self) -> OpenStore:
        backend = MemoryBackend()
        return lambda: MemoryCellStore(backend)
