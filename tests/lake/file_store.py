"""A `CellStore` in a file, which outlives its processes, for tests that kill them.

Each commit is the reference store's, over what the file holds. Refuses to survive a machine that
stops: nothing is flushed to the disk.
"""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from cell_core.domain.documents import Batch, Document, Page, Snapshot
from cell_core.domain.fence import Fence, fence_fields, fence_from
from cell_core.memory import MemoryBackend, MemoryCellStore

_TABLES = """
CREATE TABLE IF NOT EXISTS documents (
    partition TEXT, key TEXT, version INTEGER, body TEXT, deleted INTEGER,
    PRIMARY KEY (partition, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fences (partition TEXT PRIMARY KEY, fence TEXT);
"""
_FIELDS = "key, version, body, deleted"


class FileCellStore:
    """A `CellStore` for one thread; any number of processes may open the same file."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(_TABLES)

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        """See `CellStore.read`."""
        marks = ", ".join("?" * len(keys))
        found = self._documents(f"partition = ? AND key IN ({marks})", (partition, *keys))
        return Snapshot(self._fence(partition), {document.key: document for document in found})

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        """See `CellStore.page`."""
        found = self._documents(
            "partition = ? AND key >= ? AND key < ? AND key > ? ORDER BY key LIMIT ?",
            (partition, prefix, prefix + "\x7f", after or "", limit + 1),
        )
        documents = tuple(found[:limit])
        return Page(documents, documents[-1].key if len(found) > limit else None)

    def commit(self, batch: Batch) -> None:
        """See `CellStore.commit`."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._commit(batch)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def ping(self) -> None:
        """See `CellStore.ping`."""

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def partitions(self) -> list[str]:
        """Return every partition that has a fence."""
        found = self._db.execute("SELECT partition FROM fences ORDER BY partition").fetchall()
        return [partition for (partition,) in found]

    def _commit(self, batch: Batch) -> None:
        reference = MemoryBackend()
        held = reference.partition(batch.partition)
        keys = [write.document.key for write in batch.writes]
        found = self.read(batch.partition, keys)
        held.fence = found.fence
        held.documents.update(found.documents)
        MemoryCellStore(reference).commit(batch)
        self._db.execute("DELETE FROM fences WHERE partition = ?", (batch.partition,))
        if held.fence is not None:
            fence = json.dumps(fence_fields(held.fence))
            self._db.execute("INSERT INTO fences VALUES (?, ?)", (batch.partition, fence))
        self._db.executemany(
            "DELETE FROM documents WHERE partition = ? AND key = ?",
            [(batch.partition, key) for key in keys],
        )
        self._db.executemany(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?)",
            [
                (batch.partition, d.key, d.version, d.body, int(d.deleted))
                for d in (held.documents[key] for key in keys if key in held.documents)
            ],
        )

    def _fence(self, partition: str) -> Fence | None:
        found = self._db.execute(
            "SELECT fence FROM fences WHERE partition = ?", (partition,)
        ).fetchone()
        return None if found is None else fence_from(json.loads(found[0]))

    def _documents(self, where: str, values: Sequence[object]) -> list[Document]:
        sql = f"SELECT {_FIELDS} FROM documents WHERE {where}"  # noqa: S608 - texts of this file
        found = self._db.execute(sql, values)
        return [Document(key, version, body, bool(gone)) for key, version, body, gone in found]
