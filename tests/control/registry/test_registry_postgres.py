"""The registry in PostgreSQL keeps the contract."""

import pytest

from cell_control.adapters.registry_url import open_registry
from tests.control.registry.postgres_process import Postgres
from tests.control.registry.samples import OpenRegistry
from tests.control.registry.suite import RegistryContract

pytestmark = pytest.mark.xdist_group("postgres")


class TestPostgresRegistry(RegistryContract):
    @pytest.fixture
    def make_registry(self, postgres: Postgres) -> OpenRegistry:
        return lambda: open_registry(postgres.url)
