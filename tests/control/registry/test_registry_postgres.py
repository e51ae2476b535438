"""The registry in PostgreSQL keeps the contract, and knows what a lost connection means."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy.engine import make_url

from cell_control.adapters.registry_postgres import open_postgres
from cell_control.adapters.registry_sql import SqlRegistry
from cell_control.adapters.registry_url import open_registry
from cell_control.ports import RegistryUnavailable, RegistryUnknown
from tests.control.registry.cutting import CutLink, When, cut_link
from tests.control.registry.postgres_process import Postgres
from tests.control.registry.samples import OpenRegistry, found, put
from tests.control.registry.suite import RegistryContract

pytestmark = pytest.mark.xdist_group("postgres")


class TestPostgresRegistry(RegistryContract):
    @pytest.fixture
    def make_registry(self, postgres: Postgres) -> OpenRegistry:
        return lambda: open_registry(postgres.url)


@pytest.fixture
def link(postgres: Postgres) -> Iterator[CutLink]:
    with cut_link(postgres.port) as link:
        yield link


@pytest.fixture
def behind_link(link: CutLink) -> Iterator[SqlRegistry]:
    """Return a registry that has one record and whose connection can be cut."""
    registry = open_registry(f"postgresql://cells@127.0.0.1:{link.port}/postgres?sslmode=disable")
    registry.commit([put("a")])
    yield registry
    registry.close()


@pytest.fixture
def witness(postgres: Postgres) -> Iterator[SqlRegistry]:
    registry = open_registry(postgres.url)
    yield registry
    registry.close()


@pytest.mark.parametrize(("when", "rev"), [("before", 1), ("answered", 2)])
def test_a_connection_lost_during_a_commit_leaves_it_unknown(
    link: CutLink, behind_link: SqlRegistry, witness: SqlRegistry, when: When, rev: int
) -> None:
    link.cut_at(b"COMMIT\0", when)  # As it ends: a transaction also begins READ COMMITTED.

    with pytest.raises(RegistryUnknown):
        behind_link.commit([put("a", 1, '"new"')])

    assert link.cuts == 1
    assert (witness.rev(), found(witness, "a").rev) == (rev, rev)
    assert found(behind_link, "a").rev == rev


@pytest.mark.parametrize("when", ["before", "answered"])
@pytest.mark.parametrize("word", [b"UPDATE registry_head", b"UPDATE registry_records", b"INSERT"])
def test_a_connection_lost_before_the_end_of_a_commit_is_only_a_delay(
    link: CutLink, behind_link: SqlRegistry, witness: SqlRegistry, word: bytes, when: When
) -> None:
    link.cut_at(word, when)

    assert behind_link.commit([put("a", 1, '"new"'), put("b")]) == 3

    assert link.cuts == 1
    assert (witness.rev(), found(witness, "a").rev) == (3, 2)


def test_connections_that_died_in_the_pool_are_not_noticed(
    postgres: Postgres, behind_link: SqlRegistry
) -> None:
    for step in range(1, 3):
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'cell-control'"
            )

        assert behind_link.rev() == step
        assert behind_link.commit([put("a", step)]) == step + 1


def test_a_server_that_fails_all_the_time_is_given_up(
    link: CutLink, behind_link: SqlRegistry, witness: SqlRegistry
) -> None:
    link.stop()
    behind_link.close()

    with pytest.raises(RegistryUnavailable):
        behind_link.commit([put("b")])

    assert witness.rev() == 1


def test_a_commit_that_the_database_refuses_as_a_lost_race_is_done_again(
    postgres: Postgres, witness: SqlRegistry
) -> None:
    # What an optimistic database does at COMMIT, done here by a trigger: the first one is refused.
    witness.commit([put("a")])
    _refuse_at_commit(postgres, times=2)

    assert witness.commit([put("a", 1)]) == 2

    assert (witness.rev(), found(witness, "a").rev) == (2, 2)


def test_a_commit_that_always_loses_its_race_is_given_up_and_wrote_nothing(
    postgres: Postgres, witness: SqlRegistry
) -> None:
    witness.commit([put("a")])
    _refuse_at_commit(postgres, times=1000)

    with pytest.raises(RegistryUnavailable, match="40001"):
        witness.commit([put("a", 1)])

    assert witness.rev() == 1


def test_the_database_is_told_to_wait_a_bounded_time_for_everything(
    postgres: Postgres, witness: SqlRegistry
) -> None:
    witness.commit([put("a")])

    database = open_postgres(make_url(postgres.url))
    with database.writing.connect() as connection:
        settings = [
            connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        ]
    database.writing.pool.dispose()

    assert settings == ["5s", "4s", "10s"]


def _refuse_at_commit(postgres: Postgres, times: int) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(
            f"""
            CREATE SEQUENCE IF NOT EXISTS refused; ALTER SEQUENCE refused RESTART;
            CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF nextval('refused') <= {times} THEN
                    RAISE EXCEPTION 'lost' USING ERRCODE = '40001';
                END IF;
                RETURN NULL;
            END $$;
            CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON registry_head
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
            """
        )
