"""The promises of `LakeTable`, as tests that each table runs; names say what must be true."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from cell_lake.domain.rows import Row
from cell_lake.domain.shards import Stripe
from cell_lake.errors import LakeConflict
from cell_lake.ports import LakeTable

APP, OTHER = "aws-alpha/3", "aws-alpha/4"
DAY_MS = 86_400_000
INGESTED_MS = 1_700_000_000_000
ROW = Row(
    tenant_id="T-1",
    domain="records",
    stream="main",
    stripe=0,
    seq=1,
    index=0,
    epoch=17,
    events=1,
    outcome="applied",
    code="",
    type="record_put.v1",
    time_ms=1_699_999_999_123,
    ingest_time_ms=INGESTED_MS,
    cell="aws-alpha",
    cloud="aws",
    command_id="c-1",
    traceparent="",
    data='{"id":"ü"}',
    chain="ab" * 32,
)


def rows(first: int, count: int, **changes: Any) -> list[Row]:
    return [replace(ROW, seq=seq, **changes) for seq in range(first, first + count)]


Reads = Callable[[LakeTable], Sequence[Row]]


class LakeTablePromises:
    """A binding gives `table`, empty, and `read`, which returns all of its rows."""

    @pytest.fixture
    def table(self) -> LakeTable:
        raise NotImplementedError("a binding gives it")

    @pytest.fixture
    def read(self) -> Reads:
        raise NotImplementedError("a binding gives it")

    def test_what_was_appended_is_read_as_it_was(self, table: LakeTable, read: Reads) -> None:
        dead = replace(
            ROW, seq=2, outcome="dead", domain=None, stream=None, type=None, time_ms=None,
            command_id=None, data=None, chain="",
        )  # fmt: skip

        table.open(APP).append(1, [ROW, dead])

        assert sorted(read(table), key=lambda row: row.seq) == [ROW, dead]

    def test_a_fresh_handle_tells_the_last_append_of_its_application(
        self, table: LakeTable
    ) -> None:
        table.open(APP).append(1, rows(1, 2))
        table.open(APP).append(2, rows(3, 2))

        assert (table.open(APP).version, table.open(OTHER).version) == (2, 0)

    def test_an_append_without_rows_counts(self, table: LakeTable, read: Reads) -> None:
        table.open(APP).append(1, [])

        assert table.open(APP).version == 1
        assert read(table) == []

    def test_a_second_append_from_before_the_first_is_refused(
        self, table: LakeTable, read: Reads
    ) -> None:
        first, second = table.open(APP), table.open(APP)
        first.append(1, rows(1, 2))

        with pytest.raises(LakeConflict):
            second.append(1, rows(1, 2))
        with pytest.raises(LakeConflict):
            second.append(2, rows(3, 2))
        assert len(read(table)) == 2

    def test_appends_of_other_applications_come_between_unnoticed(
        self, table: LakeTable, read: Reads
    ) -> None:
        handle = table.open(APP)
        for n in range(1, 4):
            table.open(OTHER).append(n, rows(n * 10, 2))

        handle.append(1, rows(1, 2))

        assert len(read(table)) == 8

    def test_appends_of_many_shards_at_once_all_go_through(
        self, table: LakeTable, read: Reads
    ) -> None:
        def publish(shard: int) -> None:
            for n in range(1, 5):
                table.open(f"cell/{shard}").append(n, rows(shard * 100 + n, 1))

        table.open(APP)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(publish, range(4)))

        assert len({row.seq for row in read(table)}) == 16
        assert [table.open(f"cell/{shard}").version for shard in range(4)] == [4] * 4

    def test_a_handle_tells_which_rows_of_a_stripe_are_there(self, table: LakeTable) -> None:
        table.open(APP).append(1, rows(1, 5) + rows(3, 1, epoch=33) + rows(3, 1, stripe=1))
        table.open(APP).append(2, rows(3, 2, tenant_id="T-2"))

        held = table.open(APP).held(Stripe("T-1", 0), 3, 4)

        assert held == {(17, 3, 0), (17, 4, 0), (33, 3, 0)}

    def test_a_compaction_and_a_vacuum_change_no_row_and_no_version(
        self, table: LakeTable, read: Reads
    ) -> None:
        for n in range(1, 4):
            table.open(APP).append(n, rows(n * 10, 2))
        before = sorted(read(table), key=lambda row: row.seq)

        table.compact("2023-11-14")
        table.vacuum(0)

        assert sorted(read(table), key=lambda row: row.seq) == before
        assert table.open(APP).version == 3

    def test_an_append_goes_through_although_its_table_was_compacted_meanwhile(
        self, table: LakeTable, read: Reads
    ) -> None:
        table.open(APP).append(1, rows(1, 2))
        table.open(APP).append(2, rows(3, 2))
        handle = table.open(APP)
        table.compact("2023-11-14")

        handle.append(3, rows(5, 2))

        assert {row.seq for row in read(table)} == {1, 2, 3, 4, 5, 6}

    def test_one_tenant_is_erased_and_no_other(self, table: LakeTable, read: Reads) -> None:
        table.open(APP).append(1, rows(1, 3) + rows(1, 2, tenant_id="T-2"))

        assert table.erase("T-1") == 3
        assert table.erase("T-1") == 0
        assert table.erase("T-' OR '1'='1") == 0
        assert {row.tenant_id for row in read(table)} == {"T-2"}
        assert table.open(APP).version == 1
