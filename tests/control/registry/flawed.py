"""Registries that are each wrong in one way; the contract has to notice every one."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from cell_control.adapters.registry_memory import MemoryRegistry
from cell_control.domain.records import Kind
from cell_control.ports import Changes, ChangesGone, Key, Record, RegistryConflict, Write


class IgnoresRevs(MemoryRegistry):
    def commit(self, writes: Sequence[Write]) -> int:
        keys = [Key(kind=write.kind, key=write.key) for write in writes[:100]]
        found = dict(zip(keys, self.get(keys), strict=True))
        revs = {key.key: record.rev if record else 0 for key, record in found.items()}
        return super().commit([replace(w, rev=revs.get(w.key, w.rev)) for w in writes])


class WritesUpToTheConflict(MemoryRegistry):
    def commit(self, writes: Sequence[Write]) -> int:
        try:
            return super().commit(writes)
        except RegistryConflict:
            for write in writes:
                super().commit([write])
            raise


class WritesOneByOne(MemoryRegistry):
    """Lets readers in between the writes of one commit."""

    def commit(self, writes: Sequence[Write]) -> int:
        rev = 0
        for write in writes:
            rev = super().commit([write])
            time.sleep(0)  # No waiting: only a chance for the next thread.
        return rev or super().commit(writes)


class SkipsARev(MemoryRegistry):
    def commit(self, writes: Sequence[Write]) -> int:
        rev = super().commit(writes)
        with self._held.lock:
            self._held.rev += len(writes) > 1
        return rev


class TakesARevForAConflict(MemoryRegistry):
    def commit(self, writes: Sequence[Write]) -> int:
        try:
            return super().commit(writes)
        except RegistryConflict:
            self._held.rev += 1
            raise


class SharesKeys(MemoryRegistry):
    def commit(self, writes: Sequence[Write]) -> int:
        return super().commit([replace(w, kind="tenant") for w in writes])


class ShowsTombstones(MemoryRegistry):
    def get(self, keys: Sequence[Key]) -> list[Record | None]:
        return [self._held.records.get((key.kind, key.key)) for key in keys]


class HidesDeletions(MemoryRegistry):
    def changes(self, after: int, *, kinds: Sequence[Kind], limit: int) -> Changes:
        found = super().changes(after, kinds=kinds, limit=limit)
        return replace(found, records=tuple(r for r in found.records if not r.deleted))


class SaysItIsFurtherThanItsPage(MemoryRegistry):
    def changes(self, after: int, *, kinds: Sequence[Kind], limit: int) -> Changes:
        return replace(super().changes(after, kinds=kinds, limit=limit), rev=self.rev())


class TakesAFullPageForACutOne(MemoryRegistry):
    def changes(self, after: int, *, kinds: Sequence[Kind], limit: int) -> Changes:
        found = super().changes(after, kinds=kinds, limit=limit)
        is_full = len(found.records) == limit
        return replace(found, rev=found.records[-1].rev) if is_full else found


class ListsInTheOrderOfRevs(MemoryRegistry):
    def list(self, kind: Kind, *, limit: int, **how: str) -> list[Record]:
        found = super().list(kind, limit=10_000, **how)
        return sorted(found, key=lambda record: record.rev)[:limit]


class TakesAPrefixForAPattern(MemoryRegistry):
    def list(self, kind: Kind, *, limit: int, prefix: str = "", **how: str) -> list[Record]:
        return super().list(kind, limit=limit, prefix=prefix.rstrip("%_"), **how)


class CountsTombstones(MemoryRegistry):
    def count(self, kind: Kind, *, tag: str | None = None) -> int:
        held = self._held.records.values()
        return sum(r.kind == kind and tag in (None, r.tag) for r in held)


class ForgetsInSilence(MemoryRegistry):
    def forget_tombstones(self, up_to: int) -> int:
        before = self._held.forgotten
        gone = super().forget_tombstones(up_to)
        self._held.forgotten = before
        return gone


class BelievesInTheFuture(MemoryRegistry):
    def changes(self, after: int, *, kinds: Sequence[Kind], limit: int) -> Changes:
        try:
            return super().changes(after, kinds=kinds, limit=limit)
        except ChangesGone as gone:
            return Changes(records=(), rev=gone.rev)


class LoadsOverWhatIsThere(MemoryRegistry):
    def load(self, records: Iterable[Record], rev: int) -> None:
        self._held.rev = 0
        super().load(records, rev)


class KeepsThePastOfAnother(MemoryRegistry):
    def load(self, records: Iterable[Record], rev: int) -> None:
        super().load(records, rev)
        self._held.forgotten = 0


class SkipsBack(MemoryRegistry):
    def skip_to(self, rev: int) -> int:
        self._held.rev = self._held.forgotten = rev
        return rev


class SkipsAndKeepsThePast(MemoryRegistry):
    def skip_to(self, rev: int) -> int:
        before = self._held.forgotten
        found = super().skip_to(rev)
        self._held.forgotten = before
        return found


class ForgetsThePastAtEachSkip(MemoryRegistry):
    def skip_to(self, rev: int) -> int:
        self._held.forgotten = super().skip_to(rev)
        return self._held.forgotten


class CannotLock(MemoryRegistry):
    """Looks, then writes, and lets others in between."""

    def commit(self, writes: Sequence[Write]) -> int:
        found = self.get([Key(kind=write.kind, key=write.key) for write in writes[:100]])
        for write, record in zip(writes, found, strict=False):
            if (record.rev if record else 0) != write.rev:
                raise RegistryConflict(write.kind, write.key)
        time.sleep(0)  # No waiting: only a chance for the next thread.
        now = self.get([Key(kind=write.kind, key=write.key) for write in writes[:100]])
        revs = [record.rev if record else 0 for record in now]
        return super().commit([replace(w, rev=r) for w, r in zip(writes, revs, strict=False)])


class WakesNobody(MemoryRegistry):
    def wait(self, after: int, timeout_s: float) -> int:
        return 0
