"""What an analyst and an auditor ask of the lake is what the cells hold."""

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, TableFeatures

from cell_core.domain.documents import ENTITY
from cell_lake.audit import Audit, FencePosition, audit
from cell_lake.domain.lineage import LineageRecord
from cell_lake.domain.rows import Row
from cell_lake.domain.shards import Stripe
from cell_lake.lineage_export import LineageTable
from cell_lake.query import connect
from cell_lake.table_delta import DeltaLakeTable
from tests.contract.cell_samples import (
    EPOCH,
    START_MS,
    ask,
    delete,
    hold,
    open_account,
    patch,
    put,
    transfer,
)
from tests.lake.bench import ALPHA, Side
from tests.lake.table_suite import ROW

TENANT = "T-1"


class Lake:
    """A lake in a folder, and what is asked of it."""

    def __init__(self, folder: Path) -> None:
        self.table = DeltaLakeTable(str(folder / "it's events"))
        self.lineage = LineageTable(str(folder / "lineage"))
        self.appends = 0

    def append(self, *rows: Row) -> None:
        self.appends += 1
        self.table.open("test/0").append(self.appends, rows)

    def connection(self) -> Any:
        return connect(self.table.url, self.lineage.url)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.connection().execute(sql).fetchall()
        return found

    def audit(self, fences: dict[Stripe, FencePosition]) -> Audit:
        return audit(self.connection(), fences)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def at(seq: int, **changes: Any) -> Row:
    return replace(ROW, seq=seq, chain=f"chain-{changes.get('epoch', 17)}-{seq}", **changes)


def epoch(number: int, *bases: int | None, rev: int = 0) -> LineageRecord:
    return LineageRecord(
        tenant=TENANT, epoch=number, rev=rev or number, home="x", mode="forced", source="",
        source_epoch=0, bases=tuple((base, "c") for base in bases if base is not None),
        time_ms=1, decided_by="test",
    )  # fmt: skip


def places(rows: Sequence[tuple[Any, ...]]) -> list[tuple[int, int]]:
    return sorted((row[0], row[1]) for row in rows)


def test_an_empty_lake_answers_every_view(lake: Lake) -> None:
    for view in ("events_canonical", "ledger_balances", "records_latest", "lake_gaps"):
        assert lake.ask(f"SELECT * FROM {view}") == []  # noqa: S608 - a view's name


@pytest.mark.parametrize("feature", [None, TableFeatures.DeletionVectors])
def test_a_table_in_which_another_engine_may_hide_rows_is_read_by_who_knows_how(
    lake: Lake, feature: TableFeatures | None
) -> None:
    lake.append(at(1), at(2))
    if feature is not None:
        DeltaTable(lake.table.url).alter.add_feature(feature, allow_protocol_versions_increase=True)

    held = lake.ask("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'events%'")

    assert held == ([] if feature is None else [("events_0",)])
    assert places(lake.ask("SELECT epoch, seq FROM events_canonical")) == [(17, 1), (17, 2)]


def test_orphans_are_those_behind_the_base_of_any_later_epoch(lake: Lake) -> None:
    lake.append(*(at(seq) for seq in range(1, 8)))
    lake.append(*(at(seq, epoch=18) for seq in range(4, 7)))
    lake.append(*(at(seq, epoch=33) for seq in range(5, 9)))
    lake.append(at(9, tenant_id="T-2"))
    lake.lineage.export([epoch(17), epoch(18, 3), epoch(33, 4)], 100)

    canonical = lake.ask("SELECT epoch, seq FROM events_canonical WHERE tenant_id = 'T-1'")
    orphaned = lake.ask("SELECT epoch, seq FROM events_orphaned")

    assert places(canonical) == [
        (17, 1), (17, 2), (17, 3), (18, 4), (33, 5), (33, 6), (33, 7), (33, 8),
    ]  # fmt: skip
    assert places(orphaned) == [(17, 4), (17, 5), (17, 6), (17, 7), (18, 5), (18, 6)]


def test_a_base_that_becomes_known_later_counts(lake: Lake) -> None:
    lake.append(at(1), at(2), at(2, epoch=18))
    lake.lineage.export([epoch(17), epoch(18)], 18)
    before = lake.ask("SELECT count(*) FROM events_orphaned")

    lake.lineage.export([epoch(18, 1, rev=30)], 30)

    assert before == [(0,)]
    assert places(lake.ask("SELECT epoch, seq FROM events_orphaned")) == [(17, 2)]


def test_gaps_are_told_as_ranges_from_the_first_entry_on(lake: Lake) -> None:
    lake.append(at(3), at(4), at(8), at(1, stripe=1))

    assert lake.ask("SELECT * FROM lake_gaps ORDER BY first_seq") == [
        ("T-1", 0, 1, 2),
        ("T-1", 0, 5, 7),
    ]


def written(lake: Lake) -> Side:
    """Publish a ledger and records that a cell really holds."""
    side = Side(lake.table)
    home = side.cell.provision(TENANT)
    for one in [
        open_account("a"), open_account("b"), transfer("a", "b", 700), transfer("b", "a", 100),
        hold("h", "a", "b", START_MS + 10**9), hold("i", "a", "b", START_MS + 10**9),
        ask("ledger", ("post_hold", {"hold": "h", "debit": "a", "credit": "b"})),
        ask("ledger", ("void_hold", {"hold": "i", "debit": "a", "credit": "b"})),
        transfer("a", "nobody", 5),
        put("p", {"a": {"b": 1, "c": None}, "l": [1, 2]}), patch("p", {"a": {"b": None, "d": "ü"}}),
        patch("p", {"l": None}), put("gone"), delete("gone"), put("again"), delete("again"),
        put("again", 5), put("n", 1), patch("n", {"x": 1}), put("s", "text"),
    ]:  # fmt: skip
        home.run(one)
    side.settle()
    return side


def entities(side: Side, kind: str) -> dict[str, Any]:
    found = side.cell.at(TENANT).exported(ENTITY)
    return {
        document.key.rpartition(f"{kind}.")[2]: json.loads(document.body)
        for document in found
        if f":{kind}." in document.key and not document.deleted
    }


def test_balances_are_those_of_the_ledger_s_accounts(lake: Lake) -> None:
    side = written(lake)

    found = lake.ask(
        "SELECT account, debits_posted, credits_posted, debits_pending, credits_pending"
        " FROM ledger_balances"
    )

    names = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")
    assert {account: tuple(str(n) for n in rest) for account, *rest in found} == {
        account: tuple(body[name] for name in names)
        for account, body in entities(side, "account").items()
    }
    assert lake.ask("SELECT sum(balance) FROM ledger_balances") == [(Decimal(0),)]


def test_latest_records_are_those_of_the_records_entities(lake: Lake) -> None:
    side = written(lake)

    found = lake.ask("SELECT record, rev, value FROM records_latest")

    assert {record: {"rev": rev, "value": json.loads(value)} for record, rev, value in found} == (
        entities(side, "record")
    )


def fences_of(side: Side) -> dict[Stripe, FencePosition]:
    fence = side.cell.at(TENANT).fence()
    return {Stripe(TENANT, 0): FencePosition(seq=fence.seq, chain=fence.chain)}


def test_an_audit_of_all_that_a_cell_wrote_is_complete(lake: Lake) -> None:
    side = written(lake)

    found = lake.audit(fences_of(side))

    assert found.is_complete
    assert (found.seqs, found.positions, found.dead, found.orphaned) == (20, 20, 0, 0)
    assert found.lag_max_ms >= found.lag_p99_ms >= 0


def findings(found: Audit) -> list[tuple[str, int, int]]:
    return [(one.kind, one.first_seq, one.last_seq) for one in found.findings]


STRIPE = Stripe(TENANT, 0)


@pytest.mark.parametrize(
    ("rows", "fence", "wanted"),
    [
        ([at(1), at(2)], (3, "chain-17-3"), [("missing", 3, 3)]),
        ([], (2, "chain-17-2"), [("missing", 1, 2)]),
        ([at(1), at(3)], (3, "chain-17-3"), [("gap", 2, 2)]),
        ([at(1), at(1)], (1, "chain-17-1"), [("duplicate", 1, 1)]),
        ([at(1, events=2)], (1, "chain-17-1"), [("torn", 1, 1)]),
        ([at(1)], (1, "another"), [("diverged", 1, 1)]),
        ([at(1), at(2)], (1, "chain-17-1"), [("ahead", 2, 2)]),
    ],
)
def test_an_audit_finds(
    lake: Lake, rows: list[Row], fence: tuple[int, str], wanted: list[tuple[str, int, int]]
) -> None:
    lake.append(*rows)

    found = lake.audit({STRIPE: FencePosition(seq=fence[0], chain=fence[1])})

    assert findings(found) == wanted
    assert not found.is_complete


def test_an_audit_without_a_stripe_s_fence_says_that_it_does_not_know(lake: Lake) -> None:
    lake.append(at(1))

    found = lake.audit({})

    assert findings(found) == [("unknown", 0, 1)]


def test_rows_name_who_wrote_them_and_the_client_s_trace(lake: Lake) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    side = Side(lake.table)
    home = side.cell.provision(TENANT)
    home.one(replace(put("a", command_id="c-9"), trace=trace))
    side.settle()

    found = lake.ask("SELECT cell, cloud, epoch, command_id, traceparent, data FROM events")

    assert found == [
        (ALPHA.cell, "aws", EPOCH, "c-9", trace, '{"id":"a","rev":1,"value":1}'),
    ]
