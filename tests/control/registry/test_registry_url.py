"""A registry's URL opens it lazily, or is refused; none of its secrets is ever repeated."""

import sqlite3
import traceback
from pathlib import Path

import pytest

from cell_control.adapters.registry_sql import SqlRegistry
from cell_control.adapters.registry_sql_schema import SchemaRefused
from cell_control.adapters.registry_sqlite import open_sqlite
from cell_control.adapters.registry_url import open_registry
from cell_control.ports import RegistryUnavailable
from tests.control.registry.samples import put

_SECRET = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hunter2",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:hunter2?mode=memory&uri=true",
        "sqlite:///x?timeout=hunter2",
        "sqlite://hunter2/x",
        "mysql://u:hunter2@h/d",
        "postgresql+asyncpg://u:hunter2@h/d",
        "postgresql://u:hunter2@h:port/d",
        "postgresql://u@h/d?options=-chunter2",
        "postgresql://u@h/d?passfile=hunter2",
        "postgresql://u@h/d?connect_timeout=900&password=hunter2",
    ],
)
def test_a_url_that_means_no_registry_is_refused_without_a_word_of_it(url: str) -> None:
    with pytest.raises(ValueError, match="registry's URL") as error:
        open_registry(url)

    assert _SECRET not in _told(error.value)


def test_a_server_that_does_not_listen_is_unavailable_and_its_secrets_are_not_told() -> None:
    registry = open_registry("postgresql://cells:hunter2@127.0.0.1:1/registry")

    with pytest.raises(RegistryUnavailable) as reading:
        registry.rev()
    with pytest.raises(RegistryUnavailable) as writing:
        registry.commit([put("a")])

    for error in (reading.value, writing.value):
        assert _SECRET not in _told(error)


def test_a_file_that_cannot_be_made_is_unavailable_until_it_can(tmp_path: Path) -> None:
    registry = open_registry(f"sqlite:///{tmp_path / 'later' / 'registry.db'}")

    with pytest.raises(RegistryUnavailable):
        registry.commit([put("a")])
    (tmp_path / "later").mkdir()

    assert registry.commit([put("a")]) == 1
    registry.close()


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "registry.db").write_bytes(b"hunter2" * 1000)
    registry = open_registry(f"sqlite:///{tmp_path / 'registry.db'}")

    with pytest.raises(RegistryUnavailable, match="SQLITE_NOTADB"):
        registry.rev()
    registry.close()


def test_a_commit_waits_for_another_process_a_bounded_time_and_writes_nothing(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "registry.db")
    registry = SqlRegistry(open_sqlite(path, busy_s=0.02))
    registry.commit([put("a")])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(RegistryUnavailable, match="SQLITE_BUSY"):
        registry.commit([put("b")])
    assert registry.rev() == 1  # Readers do not wait.
    other.execute("ROLLBACK")
    other.close()

    assert registry.commit([put("b")]) == 2
    registry.close()


def test_a_schema_of_another_version_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    registry = open_registry(url)
    registry.commit([put("a")])
    registry.close()
    with sqlite3.connect(tmp_path / "registry.db") as file:
        file.execute("UPDATE registry_head SET version = 2")
    file.close()

    newer = open_registry(url)
    with pytest.raises(SchemaRefused, match="schema 2, not 1"):
        newer.commit([put("b")])
    newer.close()


def test_an_acknowledged_commit_is_on_disk_and_in_the_log(tmp_path: Path) -> None:
    database = open_sqlite(str(tmp_path / "registry.db"))

    with database.writing.connect() as connection:
        settings = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("synchronous", "journal_mode")
        ]

    assert settings == [2, "wal"]  # 2 is FULL.
    database.writing.pool.dispose()


def _told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)
