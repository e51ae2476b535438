"""The registry in an SQLite file keeps the contract, and what it acknowledged."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from cell_control.adapters.registry_sql import SqlRegistry
from cell_control.adapters.registry_sqlite import open_sqlite
from cell_control.adapters.registry_url import open_registry
from cell_control.domain.records import KINDS
from cell_control.ports import Key
from tests.control.registry.samples import OpenRegistry, delete, put, revs
from tests.control.registry.suite import RegistryContract


class TestSqliteRegistry(RegistryContract):
    @pytest.fixture
    def make_registry(self, tmp_path: Path) -> OpenRegistry:
        return lambda: open_registry(f"sqlite:///{tmp_path / 'registry.db'}")


def test_no_statement_scans_or_sorts_the_table(tmp_path: Path) -> None:
    database = open_sqlite(str(tmp_path / "registry.db"))
    registry = SqlRegistry(database)
    said: list[tuple[str, object]] = []
    registry.commit([put("a", tag="open"), put("b")])
    event.listen(
        database.reading,  # What the other engines are made of.
        "before_cursor_execute",
        lambda _c, _cursor, text, values, _context, is_many: said.append(
            (text, values[0] if is_many else values)
        ),
    )

    registry.commit([put("a", 1), put("c"), put("d")])
    registry.get([Key(kind="tenant", key="a"), Key(kind="cell", key="a")])
    registry.list("tenant", prefix="a", after="a", limit=10)
    registry.list("tenant", tag="open", limit=10)
    registry.count("tenant")
    registry.count("tenant", tag="open")
    registry.changes(1, kinds=("cell", "group", "tenant"), limit=10)
    registry.commit([delete("b", 2)])
    registry.forget_tombstones(10)

    plans = [
        step
        for text, values in said
        if not text.startswith(("BEGIN", "PRAGMA"))
        for step in _plan(database.reading, text, values)
    ]
    assert any("registry_by_rev" in step for step in plans)
    assert any(text.startswith("UPDATE registry_records") for text, _values in said)
    assert [step for step in plans if "SCAN registry_records" in step or "B-TREE" in step] == []
    registry.close()


def _plan(engine: Engine, text: str, values: object) -> list[str]:
    with engine.connect() as connection:
        raw = connection.connection.cursor()
        return [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {text}", values)]


@pytest.mark.slow
def test_a_process_killed_in_the_middle_of_commits_loses_nothing_it_acknowledged(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    acknowledged: dict[str, int] = {}

    for life in range(10):
        acknowledged |= _killed_after(url, life, commits=40 + 17 * life)

        registry = open_registry(url)
        kept = {r.key: r.rev for r in registry.list("tenant", limit=10_000)}
        audits = [r.key for r in registry.list("audit", limit=10_000)]
        everything = registry.changes(0, kinds=KINDS, limit=10_000)
        registry.close()
        assert {key: kept.get(key) for key in acknowledged} == acknowledged
        assert sorted(kept) == audits
        assert revs(everything.records) == list(range(1, everything.rev + 1))


def _killed_after(url: str, life: int, commits: int) -> dict[str, int]:
    """Return what a process acknowledged: each key and its rev, up to the moment it was killed."""
    command = [sys.executable, "-m", "tests.control.registry.committer", url, str(life)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(commits)]
        child.kill()
        lines += child.stdout.readlines()
    told = [line.split() for line in lines if line.endswith("\n")]
    # The rev is that of the commit's last write, the audit record.
    return {key: int(rev) - 1 for rev, key in told}
