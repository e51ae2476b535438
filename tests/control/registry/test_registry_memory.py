"""The reference registry keeps the contract."""

import pytest

from cell_control.adapters.registry_memory import MemoryRecords, MemoryRegistry
from tests.control.registry.samples import OpenRegistry
from tests.control.registry.suite import RegistryContract


class TestMemoryRegistry(RegistryContract):
    @pytest.fixture
    def make_registry(self) -> OpenRegistry:
        records = MemoryRecords()
        return lambda: MemoryRegistry(records)
