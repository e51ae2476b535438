"""The registry in an SQLite file keeps the contract, and what it acknowledged."""

import pytest

from cell_control.adapters.registry_url import open_registry
from tests.control.registry.samples import OpenRegistry
from tests.control.registry.suite import RegistryContract


class TestSqliteRegistry(RegistryContract):
    @pytest.fixture
    def make_registry(self, tmp_path) -> OpenRegistry:
        return lambda: open_registry(f"sqlite:///{tmp_path / 'registry.db'}")
