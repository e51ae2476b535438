"""The reference store: every promise of `CellStore` in plain dictionaries, the executable spec.

Refuses to be durable. Any number of stores may stand on one `MemoryBackend`, from any thread.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from cell_core.domain.documents import (
    Advance,
    Batch,
    Create,
    Delete,
    Document,
    FenceChange,
    Page,
    Put,
    Remove,
    Snapshot,
)
from cell_core.domain.errors import LostRace
from cell_core.domain.fence import Fence, refusal, with_sets


@dataclass(slots=True)
class _Partition:
    fence: Fence | None = None
    documents: dict[str, Document] = field(default_factory=dict)


class MemoryBackend:
    """What the stores of one cell share."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.partitions: dict[str, _Partition] = {}
        self.writes = 0

    def partition(self, key: str) -> _Partition:
        """Return the partition at `key`, made if new. Call it with `lock` held."""
        return self.partitions.setdefault(key, _Partition())


class MemoryCellStore:
    """`CellStore` on a `MemoryBackend`."""

    def __init__(self, backend: MemoryBackend | None = None) -> None:
        self._backend = backend or MemoryBackend()

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        """See `CellStore.read`."""
        with self._backend.lock:
            held = self._backend.partition(partition)
            found = {key: held.documents[key] for key in keys if key in held.documents}
            return Snapshot(held.fence, found)

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        """See `CellStore.page`."""
        with self._backend.lock:
            held = self._backend.partition(partition).documents
            keys = sorted(k for k in held if k.startswith(prefix) and (after is None or k > after))
            documents = tuple(held[key] for key in keys[:limit])
        return Page(documents, documents[-1].key if len(keys) > limit else None)

    def commit(self, batch: Batch) -> None:
        """See `CellStore.commit`."""
        with self._backend.lock:
            held = self._backend.partition(batch.partition)
            fence = _changed(batch.fence, held.fence)
            for write in batch.writes:
                _check(write, held.documents)
            held.fence = fence
            for write in batch.writes:
                self._backend.writes += 1
                if isinstance(write, Delete):
                    del held.documents[write.document.key]
                else:
                    new = write.document
                    tag = str(self._backend.writes)
                    held.documents[new.key] = Document(
                        new.key, new.version, new.body, new.deleted, tag
                    )

    def ping(self) -> None:
        """See `CellStore.ping`."""


def _changed(change: FenceChange | None, found: Fence | None) -> Fence | None:
    match change:
        case None:
            return found
        case Create(fence):
            if found is not None:
                raise LostRace
            return fence
        case Advance(guard, sets):
            if found is None or not guard.admits(found):
                raise refusal(guard, found)
            return with_sets(found, sets)
        case Remove(guard):
            if found is None or not guard.admits(found):
                raise refusal(guard, found)
            return None


def _check(write: Put | Delete, documents: dict[str, Document]) -> None:
    found = documents.get(write.document.key)
    expected = write.over if isinstance(write, Put) else write.document
    if (found is None) != (expected is None):
        raise LostRace
    if found is not None and expected is not None and found.version != expected.version:
        raise LostRace
