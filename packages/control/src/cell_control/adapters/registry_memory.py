"""The reference registry: every promise of `Registry` in dictionaries, the executable spec.

Refuses to be durable. Any number of registries may stand on one `MemoryRecords`, from any thread.
"""

import builtins
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from cell_control.adapters.registry_pulse import Pulse
from cell_control.adapters.registry_rules import (
    Name,
    RegistryNotEmpty,
    first_lost,
    record_of,
    require_keys,
    require_limit,
    require_remembered,
    require_writes,
)
from cell_control.domain.records import Kind
from cell_control.ports import Changes, Key, Record, RegistryConflict, Write


class MemoryRecords:
    """What registries share.

    Attributes:
        records: In the order of their revs, tombstones included.
        forgotten: Tombstones up to this rev may be gone, or it was skipped to.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.records: dict[Name, Record] = {}
        self.rev = 0
        self.forgotten = 0

    def put(self, record: Record) -> None:
        """Store `record`, the newest of all. Call it with `lock` held."""
        self.records.pop((record.kind, record.key), None)
        self.records[record.kind, record.key] = record
        self.rev = record.rev

    def live(self, kind: Kind, tag: str | None) -> builtins.list[Record]:
        """Return the records of `kind` that are no tombstones. Call it with `lock` held."""
        return [
            record
            for record in self.records.values()
            if record.kind == kind and not record.deleted and tag in (None, record.tag)
        ]


class MemoryRegistry:
    """A `Registry` on `MemoryRecords`."""

    def __init__(
        self,
        records: MemoryRecords | None = None,
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._held = records or MemoryRecords()
        self._pulse = Pulse(now_s)

    def rev(self) -> int:
        """See `Registry.rev`."""
        with self._held.lock:
            return self._held.rev

    def get(self, keys: Sequence[Key]) -> builtins.list[Record | None]:
        """See `Registry.get`."""
        require_keys(keys)
        with self._held.lock:
            found = [self._held.records.get((key.kind, key.key)) for key in keys]
        return [None if record is None or record.deleted else record for record in found]

    def list(
        self, kind: Kind, *, tag: str | None = None, prefix: str = "", after: str = "", limit: int
    ) -> builtins.list[Record]:
        """See `Registry.list`."""
        require_limit(limit)
        with self._held.lock:
            live = self._held.live(kind, tag)
        wanted = [one for one in live if one.key.startswith(prefix) and one.key > after]
        return sorted(wanted, key=lambda record: record.key)[:limit]

    def count(self, kind: Kind, *, tag: str | None = None) -> int:
        """See `Registry.count`."""
        with self._held.lock:
            return len(self._held.live(kind, tag))

    def commit(self, writes: Sequence[Write]) -> int:
        """See `Registry.commit`."""
        require_writes(writes)
        with self._held.lock:
            lost = first_lost(writes, self._live_revs(writes))
            if lost is not None:
                raise RegistryConflict(lost.kind, lost.key)
            for write in writes:
                self._held.put(record_of(write, self._held.rev + 1))
            rev = self._held.rev
        self._pulse.note(rev)
        return rev

    def skip_to(self, rev: int) -> int:
        """See `Registry.skip_to`."""
        with self._held.lock:
            if self._held.rev < rev:
                self._held.rev = self._held.forgotten = rev
            found = self._held.rev
        self._pulse.note(found)
        return found

    def changes(self, after: int, *, kinds: Sequence[Kind], limit: int) -> Changes:
        """See `Registry.changes`."""
        require_limit(limit)
        with self._held.lock:
            rev = self._held.rev
            require_remembered(after, rev=rev, forgotten=self._held.forgotten)
            found: builtins.list[Record] = []
            for record in reversed(self._held.records.values()):
                if record.rev <= after:
                    break
                if record.kind in kinds:
                    found.append(record)
        records = tuple(found[: -limit - 1 : -1])
        return Changes(records=records, rev=rev if len(found) <= limit else records[-1].rev)

    def wait(self, after: int, timeout_s: float) -> int:
        """See `Registry.wait`."""
        return self._pulse.wait(after, timeout_s, self.rev)

    def close(self) -> None:
        """See `Registry.close`."""
        self._pulse.close()

    def forget_tombstones(self, up_to: int) -> int:
        """See `SqlRegistry.forget_tombstones`."""
        with self._held.lock:
            gone = [r for r in self._held.records.values() if r.deleted and r.rev <= up_to]
            for record in gone:
                del self._held.records[record.kind, record.key]
            self._held.forgotten = max([self._held.forgotten, *(r.rev for r in gone)])
        return len(gone)

    def load(self, records: Iterable[Record], rev: int) -> None:
        """See `SqlRegistry.load`."""
        loaded = sorted(records, key=lambda record: record.rev)
        with self._held.lock:
            if self._held.rev:
                raise RegistryNotEmpty("the registry is not empty")
            for record in loaded:
                self._held.put(record)
            self._held.rev = self._held.forgotten = rev
        self._pulse.note(rev)

    def _live_revs(self, writes: Sequence[Write]) -> dict[Name, int]:
        names = [(write.kind, write.key) for write in writes]
        found = [(name, self._held.records.get(name)) for name in names]
        return {name: one.rev for name, one in found if one is not None and not one.deleted}
