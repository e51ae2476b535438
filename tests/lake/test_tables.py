"""Every table keeps the promises of `LakeTable`; the Delta table keeps some more of its own."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from deltalake import DeltaTable, Field, Schema
from deltalake.schema import PrimitiveType

from cell_lake.arrow import batch_of_lineage, batch_of_rows
from cell_lake.domain.housekeeping import KEPT_H, LIVE_FILES_MAX, DateFiles
from cell_lake.domain.lineage import LineageRecord, rows_of_lineage
from cell_lake.domain.rows import Row
from cell_lake.domain.schema import EVENTS, LINEAGE, Column, faults_of
from cell_lake.errors import LakeConflict, LakeSchemaDiffers, LakeUnavailable
from cell_lake.housekeeping import compact_due
from cell_lake.lineage_export import LineageTable
from cell_lake.ports import LakeHandle, LakeTable
from cell_lake.table_delta import DeltaLakeTable
from cell_lake.table_memory import MemoryLakeTable
from tests.lake.table_suite import APP, DAY_MS, INGESTED_MS, ROW, LakeTablePromises, Reads, rows


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)


def rows_in(table: LakeTable) -> Sequence[Row]:
    """Return the rows of a Delta table, read by delta-rs."""
    assert isinstance(table, DeltaLakeTable)
    options = dict(table.options) if table.options else None
    found = DeltaTable(table.url, storage_options=options).scan().read_all()
    columns = {name: found[name].to_pylist() for name in found.schema.names}
    times = {"time": "time_ms", "ingest_time": "ingest_time_ms"}
    return [
        Row(**{
            times.get(name, name): _ms(columns[name][at]) if name in times else columns[name][at]
            for name in columns
            if name in {column.name for column in EVENTS} - {"ingest_date"}
        })
        for at in range(found.num_rows)
    ]  # fmt: skip


class TestMemoryLakeTable(LakeTablePromises):
    @pytest.fixture
    def table(self) -> LakeTable:
        return MemoryLakeTable()

    @pytest.fixture
    def read(self) -> Reads:
        return lambda table: table.rows  # type: ignore[attr-defined]  # of the memory's own


class TestDeltaLakeTable(LakeTablePromises):
    @pytest.fixture
    def table(self, tmp_path: Path) -> LakeTable:
        return DeltaLakeTable(str(tmp_path / "events"))

    @pytest.fixture
    def read(self) -> Reads:
        return rows_in

    def test_a_file_without_a_commit_goes_with_the_vacuum_and_no_other_does(
        self, table: DeltaLakeTable, tmp_path: Path, read: Reads
    ) -> None:
        table.open(APP).append(1, rows(1, 2))
        orphan = tmp_path / "events" / "ingest_date=2023-11-14" / "part-00000-dead.snappy.parquet"
        orphan.write_bytes(b"PAR1")

        gone = table.vacuum(0)

        assert (gone, orphan.exists()) == (1, False)
        assert len(read(table)) == 2

    def test_only_closed_dates_and_a_live_one_with_many_files_are_compacted(
        self, table: DeltaLakeTable
    ) -> None:
        for n in range(1, 4):
            day = INGESTED_MS + (n // 2) * DAY_MS
            table.open(APP).append(n, rows(n * 10, 1, ingest_time_ms=day))

        kept = compact_due(table, INGESTED_MS + DAY_MS)
        later = compact_due(table, INGESTED_MS + 2 * DAY_MS)

        assert (kept.compacted, kept.files_before) == (0, 0)
        assert (later.compacted, later.files_before, later.files_after) == (1, 2, 1)
        assert table.dates() == [
            DateFiles(date="2023-11-14", files=1, small=1),
            DateFiles(date="2023-11-15", files=1, small=1),
        ]
        assert table.vacuum(KEPT_H) == 0

    def test_a_column_that_newer_code_added_stays_empty_in_rows_of_older_code(
        self, table: DeltaLakeTable, read: Reads
    ) -> None:
        table.open(APP).append(1, rows(1, 1))
        DeltaTable(table.url).alter.add_columns([Field("added", PrimitiveType("string"))])

        table.open(APP).append(2, rows(2, 1))

        assert {row.seq for row in read(table)} == {1, 2}

    def test_a_table_of_other_columns_is_not_written_to(self, tmp_path: Path) -> None:
        url = str(tmp_path / "other")
        DeltaTable.create(url, Schema([Field("tenant_id", PrimitiveType("long"))]))

        with pytest.raises(LakeSchemaDiffers) as refused:
            DeltaLakeTable(url).open(APP)

        assert "tenant_id is int64, not text" in refused.value.fields["faults"]
        assert DeltaTable(url).version() == 0

    def test_a_log_that_cannot_be_read_is_no_new_table(self, tmp_path: Path) -> None:
        table = DeltaLakeTable(str(tmp_path / "events"))
        table.open(APP).append(1, rows(1, 1))
        for commit in (tmp_path / "events" / "_delta_log").glob("*.json"):
            commit.write_text("{")

        with pytest.raises(LakeUnavailable):
            table.open(APP)

    def test_of_many_relays_at_one_shard_one_appends(
        self, table: DeltaLakeTable, read: Reads
    ) -> None:
        handles = [table.open(APP) for _ in range(4)]

        def publish(handle: LakeHandle) -> bool:
            try:
                handle.append(1, rows(1, 3))
            except LakeConflict:
                return False
            return True

        with ThreadPoolExecutor(4) as threads:
            done = list(threads.map(publish, handles))

        assert sum(done) == 1
        assert len(read(table)) == 3

    def test_the_table_forgets_no_transaction(self, table: DeltaLakeTable) -> None:
        table.open(APP)

        settings = DeltaTable(table.url).metadata().configuration

        assert "delta.setTransactionRetentionDuration" not in settings

    def test_any_reader_of_delta_can_read_it(self, table: DeltaLakeTable) -> None:
        table.open(APP).append(1, rows(1, 1))
        table.compact("2023-11-14")
        table.erase("T-1")

        protocol = DeltaTable(table.url).protocol()

        assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)

    def test_versions_outlive_a_checkpoint_and_the_commits_before_it(
        self, table: DeltaLakeTable, tmp_path: Path
    ) -> None:
        table.open(APP).append(1, rows(1, 1))
        DeltaTable(table.url).create_checkpoint()
        for commit in sorted((tmp_path / "events" / "_delta_log").glob("*.json"))[:-1]:
            commit.unlink()
        table.open("other/1").append(1, rows(2, 1))

        assert table.open(APP).version == 1


def test_a_batch_has_the_columns_of_the_schema_in_their_order() -> None:
    record = LineageRecord(
        tenant="T-1", epoch=17, rev=3, home="a", mode="forced", source="b", source_epoch=2,
        bases=((4, "c"),), time_ms=0, decided_by="ada",
    )  # fmt: skip

    events, lineage = batch_of_rows([ROW]), batch_of_lineage(rows_of_lineage(record))

    assert events.schema.names == [column.name for column in EVENTS]
    assert lineage.schema.names == [column.name for column in LINEAGE]
    for name in ("tenant_id", "stream", "outcome", "code", "type", "cell", "cloud", "chain"):
        assert events[name][0].as_py() == getattr(ROW, name)
    assert lineage["base_seq"][0].as_py() == 4


@pytest.mark.parametrize(
    ("held", "faults"),
    [
        ({}, ["a is new and not optional"]),
        ({"a": "text"}, []),
        ({"a": "text", "b": "int64", "later": "text"}, []),
        ({"a": "int64", "b": "text"}, ["a is int64, not text", "b is text, not int64"]),
    ],
)
def test_only_columns_that_may_be_empty_are_added(held: dict[str, str], faults: list[str]) -> None:
    wanted = [Column("a", "text"), Column("b", "int64", optional=True)]

    assert faults_of(held, wanted) == faults


def lineage(epoch: int, rev: int, *bases: tuple[int, str]) -> LineageRecord:
    return LineageRecord(
        tenant="T-1", epoch=epoch, rev=rev, home="aws-alpha", mode="planned", source="",
        source_epoch=0, bases=bases, time_ms=1, decided_by="ada",
    )  # fmt: skip


def test_lineage_is_exported_once_up_to_a_rev(tmp_path: Path) -> None:
    table = LineageTable(str(tmp_path / "lineage"))
    records = [lineage(17, 3), lineage(18, 9, (5, "c"), (6, "d"))]

    counts = [
        table.export(records, 4),
        table.export(records, 4),
        table.export(records, 9),
        table.export([], 20),
    ]

    assert counts == [1, 0, 2, 0]
    assert table.exported() == 9


@pytest.mark.slow
def test_many_exports_of_lineage_are_joined_and_no_record_is_exported_again(tmp_path: Path) -> None:
    table = LineageTable(str(tmp_path / "lineage"))
    for rev in range(1, LIVE_FILES_MAX):
        table.export([lineage(16 + rev, rev)], rev)
    table.tidy(0)
    before = len(list((tmp_path / "lineage").glob("*.parquet")))
    table.export([lineage(200, LIVE_FILES_MAX)], LIVE_FILES_MAX)

    table.tidy(0)

    after = len(list((tmp_path / "lineage").glob("*.parquet")))
    assert (before, after, table.exported()) == (LIVE_FILES_MAX - 1, 1, LIVE_FILES_MAX)
