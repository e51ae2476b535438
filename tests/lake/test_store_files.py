"""DuckDB reads a lake's files where they are: those that it needs, and the parts that it needs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable

from cell_lake.errors import LakeUnavailable
from cell_lake.query import is_silence, silence_told
from cell_lake.store_files import StoreFiles
from cell_lake.table_delta import DeltaLakeTable
from tests.lake.table_suite import APP, ROW, rows

DAYS = (1_767_225_600_000, 1_767_312_000_000)  # The first two of 2026.


class Counted(StoreFiles):
    """Notes what is opened, and how many bytes are read of it."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.bytes = 0

    def open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        self.opened.append(path)
        reader = super().open(path, mode, **more)
        read = reader.read

        def counted(count: int) -> bytes:
            part: bytes = read(count)
            self.bytes += len(part)
            return part

        reader.read = counted
        return reader


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table = DeltaLakeTable(str(tmp_path / "events"))
    for number, day in enumerate(DAYS):
        first = 1 + number * 100
        bulky = [
            replace(
                row,
                ingest_time_ms=day,
                data=f'{{"much": "{Random(row.seq).randbytes(4000).hex()}"}}',
            )
            for row in rows(first, 100)
        ]
        table.open(APP).append(number + 1, bulky)
    return tmp_path / "events"


@pytest.fixture
def files() -> Counted:
    return Counted()


@pytest.fixture
def asked(folder: Path, files: Counted) -> Iterator[Any]:
    with duckdb.connect() as connection:
        connection.register_filesystem(files)
        names = files.add(DeltaTable(folder), None)
        source = f"read_parquet({names}, hive_partitioning = true)"
        connection.execute(f"CREATE VIEW events AS SELECT * FROM {source}")  # noqa: S608
        files.opened.clear()
        files.bytes = 0
        yield connection


def test_it_finds_all_that_the_table_has(asked: Any):
    found = asked.execute("SELECT count(*), sum(seq) FROM events").fetchall()

    assert found == [(200, sum(range(1, 201)))]
    assert asked.execute("SELECT max(tenant_id) FROM events").fetchall() == [(ROW.tenant_id,)]


def test_only_the_files_of_a_day_that_was_asked_for_are_opened(asked: Any, files: Counted):
    found = asked.execute("SELECT count(*) FROM events WHERE ingest_date = '2026-01-02'").fetchall()

    assert found == [(100,)]
    assert files.opened
    assert all("2026-01-02" in path for path in files.opened)


def test_columns_that_were_not_asked_for_are_not_read(asked: Any, files: Counted):
    asked.execute("SELECT sum(seq) FROM events").fetchall()
    few = files.bytes
    asked.execute("SELECT max(data) FROM events").fetchall()

    assert files.bytes - few > 5 * few


def test_a_file_that_is_not_given_is_no_fault_of_the_query_and_nothing_of_it_is_told(
    asked: Any, folder: Path
):
    for file in folder.rglob("*.parquet"):
        file.unlink()

    with pytest.raises(duckdb.Error) as told:
        asked.execute("SELECT sum(seq), max(data) FROM events").fetchall()
    with pytest.raises(LakeUnavailable), silence_told():
        asked.execute("SELECT sum(seq), max(data) FROM events").fetchall()

    assert is_silence(told.value)
    assert str(folder) not in str(told.value)


def test_another_fault_stays_what_it_is(asked: Any):
    with pytest.raises(duckdb.Error) as told, silence_told():
        asked.execute("SELECT nonsense FROM events")

    assert not is_silence(told.value)


def test_nothing_is_written(asked: Any, folder: Path):
    before = sorted(folder.rglob("*"))

    with pytest.raises(duckdb.Error):
        asked.execute("COPY (SELECT 1) TO 'lake://0/new.parquet' (FORMAT parquet)")

    assert sorted(folder.rglob("*")) == before


def test_two_tables_are_told_apart(tmp_path: Path, files: Counted):
    for name, count in (("one", 3), ("two", 5)):
        DeltaLakeTable(str(tmp_path / name)).open(APP).append(1, rows(1, count))
    names = {n: files.add(DeltaTable(tmp_path / n), None) for n in ("one", "two")}

    with duckdb.connect() as connection:
        connection.register_filesystem(files)
        counts = {
            name: connection.read_parquet(paths).aggregate("count(*)").fetchall()
            for name, paths in names.items()
        }

    assert counts == {"one": [(3,)], "two": [(5,)]}
