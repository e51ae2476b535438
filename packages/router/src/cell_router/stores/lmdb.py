"""The registry in LMDB: one process writes, every worker reads the same pages, all of it on disk.

A snapshot is one write transaction, so a reader sees the old registry or the new one and never
less; the file settles at three times its content (22 MB for 1,000,000 tenants), because pages are
used again only when no reader can see them. A view is a held read transaction: `get` costs well
below a microsecond, `version` moves the view on. A reader that never calls `version` makes the file
grow. Refuses a second writer.
"""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import lmdb

from cell_core.domain.errors import InvariantBroken, Unavailable
from cell_core.wire.registry import (
    CellRecord,
    Change,
    GroupRecord,
    RegistryRefused,
    cell_text,
    group_text,
)
from cell_router.ports import StoreMeta
from cell_router.stores.forward import admits, key_of
from cell_router.stores.lmdb_files import (
    Opened,
    lock_for_writing,
    make_whole,
    mark,
    move_aside,
    open_to_read,
    open_to_write,
)

MAP_BYTES: Final = 1024**3
"""Address space, not memory: enough for 10,000,000 tenants. It doubles when it is full."""

MAP_BYTES_MAX: Final = 64 * 1024**3

_TENANT = b"t:"


class LmdbView:
    """A reader: one for each worker process, used by one thread. It cannot write."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._tenants, self._rest = opened.tenants, opened.rest
        self._begin()

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open the cache that a writer made in `directory`.

        Raises:
            InvariantBroken: `cache_unusable`: it is not there, or not a cache of this format.
        """
        return cls(open_to_read(directory))

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key` in the view of the last call of `version`."""
        if key[:2] == _TENANT:
            return self._get(key[2:], None, self._tenants)
        return self._get(key, None, self._rest)

    def version(self) -> int:
        """Move the view on to what was last written; return its number."""
        self._txn.abort()
        self._begin()
        return self._txn.id()

    def meta(self) -> StoreMeta:
        """Return what the view holds."""
        return StoreMeta(
            rev=int(self._get(b"m:rev", None, self._rest) or 0),
            created_ms=int(self._get(b"m:created_ms", None, self._rest) or 0),
            tenants=self._txn.stat(self._tenants)["entries"],
        )

    def close(self) -> None:
        """Give the reader's slot back."""
        self._txn.abort()
        self._opened.env.close()

    def __enter__(self) -> Self:
        """Return this view."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _begin(self) -> None:
        try:
            self._txn = self._opened.env.begin()
        except lmdb.MapResizedError:  # The writer's map grew: take its size.
            self._opened.env.set_mapsize(0)
            self._txn = self._opened.env.begin()
        self._get = self._txn.get


class LmdbStore(LmdbView):
    """The writer, and a view of its own; its threads may share it."""

    def __init__(self, opened: Opened, lock: int) -> None:
        super().__init__(opened)
        self._lock = lock
        self._viewing = threading.Lock()
        self._writing = threading.Lock()
        self.recovered = False
        """An unusable cache was found and moved aside; worth a line in the log."""

    @classmethod
    def open(cls, directory: Path, *, map_bytes: int = MAP_BYTES) -> Self:
        """Open, or make, the cache in `directory`; move one aside that cannot be used.

        Raises:
            Unavailable: Another process writes it, or the directory cannot be written.
        """
        lock = lock_for_writing(directory)
        recovered = False
        try:
            try:
                opened = open_to_write(directory, map_bytes)
            except InvariantBroken:
                move_aside(directory)
                opened, recovered = open_to_write(directory, map_bytes), True
            make_whole(opened)
        except BaseException:
            os.close(lock)
            raise
        store = cls(opened, lock)
        store.recovered = recovered
        return store

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, as of the last write or call of `version`."""
        with self._viewing:
            return super().get(key)

    def version(self) -> int:
        """Move the view on; return its number."""
        with self._viewing:
            return super().version()

    def meta(self) -> StoreMeta:
        """Return what the view holds."""
        with self._viewing:
            return super().meta()

    def close(self) -> None:
        """Let another process write."""
        with self._writing, self._viewing:
            super().close()
            os.close(self._lock)

    def replace(
        self,
        *,
        rev: int,
        created_ms: int,
        cells: Sequence[CellRecord],
        groups: Sequence[GroupRecord],
        tenants: Iterable[list[tuple[bytes, bytes]]],
    ) -> None:
        """Put a whole snapshot in place of everything, at once for readers.

        `tenants` should be iterable again: a map that is full grows, and the write starts over.

        Raises:
            RegistryRefused: The rows are not sorted. Nothing was written.
            Unavailable: The disk or the map is full. Nothing was written.
        """
        rows = {b"c:%d" % cell.ordinal: cell_text(cell) for cell in cells}
        rows |= {f"g:{group.group}".encode(): group_text(group) for group in groups}
        rows |= {b"m:rev": str(rev), b"m:created_ms": str(created_ms)}

        def write(txn: "lmdb.Transaction[bytes]") -> None:
            txn.drop(self._tenants, delete=False)
            txn.drop(self._rest, delete=False)
            mark(txn, self._rest)
            for key, text in rows.items():
                txn.put(key, text.encode(), db=self._rest)
            cursor = txn.cursor(self._tenants)
            for run in tenants:
                _append(cursor, run)

        self._write(write, again=iter(tenants) is not tenants)

    def apply(self, rev: int, changes: Sequence[Change]) -> None:
        """Apply `changes` up to `rev`, at once; no tenant and no group goes back in epoch.

        Raises:
            Unavailable: The disk or the map is full. Nothing was written.
        """

        def write(txn: "lmdb.Transaction[bytes]") -> None:
            for change in changes:
                key, table = key_of(change), self._rest
                if change.kind == "tenant":
                    key, table = key[2:], self._tenants
                if not admits(txn.get(key, None, table), change):
                    continue
                if change.value is None:
                    txn.delete(key, db=table)
                else:
                    txn.put(key, change.value.encode(), db=table)
            txn.put(b"m:rev", str(rev).encode(), db=self._rest)

        self._write(write, again=True)

    def _write(self, body: "Callable[[lmdb.Transaction[bytes]], None]", *, again: bool) -> None:
        with self._writing:
            self._opened.env.reader_check()  # A reader that was killed pins pages until then.
            try:
                while not self._written(body):
                    if not again or not self._grow():
                        raise Unavailable("registry_cache")
                make_whole(self._opened)
            except (lmdb.Error, OSError) as error:
                failed = Unavailable("registry_cache")
                failed.reason = type(error).__name__
                raise failed from None
            self.version()

    def _written(self, body: "Callable[[lmdb.Transaction[bytes]], None]") -> bool:
        try:
            with self._opened.env.begin(write=True) as txn:
                body(txn)
        except lmdb.MapFullError:
            return False
        return True

    def _grow(self) -> bool:
        size = self._opened.env.info()["map_size"] * 2
        if size > MAP_BYTES_MAX:
            return False
        with self._viewing:  # The map moves: nothing may look at it meanwhile.
            self._txn.abort()
            self._opened.env.set_mapsize(size)
            self._begin()
        return True


def _append(cursor: "lmdb.Cursor[bytes]", run: list[tuple[bytes, bytes]]) -> None:
    try:
        _taken, added = cursor.putmulti(run, append=True)
    except lmdb.KeyExistsError:
        added = -1
    if added != len(run):
        raise RegistryRefused(part="rows")
