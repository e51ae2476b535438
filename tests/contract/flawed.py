"""Stores with one flaw each, of the kind that adapters really have; no test is in here."""

import time
from collections.abc import Sequence
from dataclasses import replace

from cell_core.domain.documents import Advance, Batch, Create, Delete, Page, Put, Snapshot
from cell_core.domain.errors import Conflict, Fenced, LostRace
from cell_core.memory import MemoryBackend, MemoryCellStore


class IgnoresSeq(MemoryCellStore):
    def commit(self, batch: Batch) -> None:
        if isinstance(batch.fence, Advance):
            guard = replace(batch.fence.guard, seq=None)
            batch = replace(batch, fence=replace(batch.fence, guard=guard))
        super().commit(batch)


class IgnoresChain(MemoryCellStore):
    def commit(self, batch: Batch) -> None:
        if isinstance(batch.fence, Advance):
            guard = replace(batch.fence.guard, chain=None)
            batch = replace(batch, fence=replace(batch.fence, guard=guard))
        super().commit(batch)


class CreatesOverAFence(MemoryCellStore):
    def commit(self, batch: Batch) -> None:
        if isinstance(batch.fence, Create):
            self._backend.partition(batch.partition).fence = None
        super().commit(batch)


class OverwritesWhatItDidNotRead(MemoryCellStore):
    def commit(self, batch: Batch) -> None:
        found = self.read(batch.partition, [write.document.key for write in batch.writes])
        writes = tuple(
            Put(write.document, found.documents.get(write.document.key))
            if isinstance(write, Put)
            else write
            for write in batch.writes
        )
        super().commit(replace(batch, writes=writes))


class DeletesWhatItDidNotRead(MemoryCellStore):
    def commit(self, batch: Batch) -> None:
        found = self.read(batch.partition, [write.document.key for write in batch.writes])
        writes = tuple(
            Delete(found.documents.get(write.document.key, write.document))
            if isinstance(write, Delete)
            else write
            for write in batch.writes
        )
        super().commit(replace(batch, writes=writes))


class MovesTheFenceFirst(MemoryCellStore):
    def commit(self, batch: Batch) -> None:
        super().commit(replace(batch, writes=()))
        super().commit(Batch(partition=batch.partition, fence=None, writes=batch.writes))


class WritesDocumentsFirst(MemoryCellStore):
    def commit(self, batch: Batch) -> None:
        super().commit(Batch(partition=batch.partition, fence=None, writes=batch.writes))
        super().commit(replace(batch, writes=()))


class SaysMovedForEverything(MemoryCellStore):
    def commit(self, batch: Batch) -> None:
        try:
            super().commit(batch)
        except LostRace as lost:
            raise Fenced(**lost.fields) from None


class HidesTheFenceFound(MemoryCellStore):
    def commit(self, batch: Batch) -> None:
        try:
            super().commit(batch)
        except Conflict as refused:
            raise type(refused)(refused.code) from None


class HidesTombstones(MemoryCellStore):
    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        snapshot = super().read(partition, keys)
        shown = {key: line for key, line in snapshot.documents.items() if not line.deleted}
        return Snapshot(snapshot.fence, shown)


class ReadsAnOldFence(MemoryCellStore):
    def __init__(self, backend: MemoryBackend) -> None:
        super().__init__(backend)
        self._seen: dict[str, Snapshot] = {}

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        now = super().read(partition, keys)
        old = self._seen.setdefault(partition, now)
        return Snapshot(old.fence, now.documents)


class StopsAtAShortPage(MemoryCellStore):
    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        shown = super().page(partition, prefix, after=after, limit=min(limit, 5))
        return Page(shown.documents, shown.after if len(shown.documents) == limit else None)


class ShowsTheLastKeyAgain(MemoryCellStore):
    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        below = None if after is None else after[:-1] + chr(ord(after[-1]) - 1) + "~"
        return super().page(partition, prefix, after=below, limit=limit)


class PagesPastThePrefix(MemoryCellStore):
    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        return super().page(partition, prefix.rstrip(":"), after=after, limit=limit)


class SharesPartitions(MemoryCellStore):
    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        return super().read(partition.lower(), keys)

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        return super().page(partition.lower(), prefix, after=after, limit=limit)

    def commit(self, batch: Batch) -> None:
        super().commit(replace(batch, partition=batch.partition.lower()))


class NormalisesText(MemoryCellStore):
    def commit(self, batch: Batch) -> None:
        writes = tuple(
            replace(write, document=replace(write.document, body=write.document.body.strip()))
            for write in batch.writes
        )
        super().commit(replace(batch, writes=writes))


class CannotLock(MemoryCellStore):
    """Checks, then writes, and lets others in between."""

    def commit(self, batch: Batch) -> None:
        keys = [write.document.key for write in batch.writes]
        before = self.read(batch.partition, keys)
        trial = MemoryCellStore()
        held = trial._backend.partition(batch.partition)
        held.fence, held.documents = before.fence, dict(before.documents)
        trial.commit(batch)
        time.sleep(0)  # No waiting: only a chance for the next thread.
        after = trial.read(batch.partition, keys)
        real = self._backend.partition(batch.partition)
        real.fence = after.fence
        real.documents.update(after.documents)
