"""One PostgreSQL for all tests of the registry; they share one xdist group, so one worker."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.control.registry.postgres_process import Postgres, postgres_running, programs


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    if programs() is None:
        pytest.skip("NOT TESTED: no PostgreSQL on PATH or in /usr/lib/postgresql")
    with postgres_running() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: Postgres) -> Postgres:
    """Return a server without a registry."""
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS registry_head, registry_records")
    return postgres_server
