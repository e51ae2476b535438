"""The registry at the far end of links: down at times, restored from a backup, and its feed.

The registry itself is the reference one. Refuses to answer anybody while it is down; what was
asked then has not been done.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from cell_control.adapters.registry_memory import MemoryRecords, MemoryRegistry
from cell_control.codec import read
from cell_control.domain.records import Operation, OperationStatus, Tenant
from cell_control.flows.effects import Commit, Get, ListRecords, SkipTo
from cell_control.flows.recover import RECOVERY
from cell_control.ports import (
    ChangesGone,
    Key,
    Record,
    RegistryError,
    RegistryUnavailable,
    Write,
)
from cell_control.service.publishing import (
    EDGE_KINDS,
    build_snapshot,
    changes_after,
    find_tenant,
    sealed_at,
)
from cell_router.ports import SourceGone, SourceUnavailable
from tests.core import registering
from tests.sim.kernel import START_MS, Kernel

NAME: Final = "registry"
POLL_MS: Final = 20_000
PACE_MS: Final = 10


class Counted(MemoryRegistry):
    """The registry, and who is told of each commit."""

    def __init__(self, records: MemoryRecords, told: Callable[[Sequence[Write]], None]) -> None:
        super().__init__(records, now_s=lambda: 0.0)
        self._told = told

    def commit(self, writes: Sequence[Write]) -> int:
        rev = super().commit(writes)
        self._told(writes)
        return rev


class SimRegistry:
    """What the simulated processes and routers reach.

    Attributes:
        registry: The one that holds now; restoring puts another in its place.
        restored: How often that happened.
        on_commit: Told the writes of each commit, and at which rev it left the registry.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._signer = registering.signer()
        self.records = MemoryRecords()
        self.registry = Counted(self.records, self._committed)
        self.is_down = False
        self.restored = 0
        self.on_commit: list[Callable[[Sequence[Write], int], None]] = []
        self.on_restore: list[Callable[[], None]] = []
        self.on_ahead: Callable[[int], None] = lambda _rev: None
        self._waiting: list[tuple[int, Callable[[], None]]] = []

    # ── For processes of the control plane ───────────────────────────────────

    def perform(self, effect: Get | ListRecords | Commit | SkipTo) -> tuple[Any, float] | None:
        """Return what the registry says, which may be an error, and how long it took."""
        if self.is_down:
            return RegistryUnavailable("down"), 0.5
        try:
            return self.at_once(effect), 0.5
        except RegistryError as error:
            return error, 0.5

    def at_once(self, effect: Any) -> Any:
        """Perform an effect on the registry, whether it is down for others or not."""
        match effect:
            case Get(keys):
                return tuple(self.registry.get(keys))
            case ListRecords():
                found = self.registry.list(
                    effect.kind,
                    tag=effect.tag,
                    prefix=effect.prefix,
                    after=effect.after,
                    limit=effect.limit,
                )
                return tuple(found)
            case Commit(writes):
                return self.registry.commit(writes)
            case SkipTo(rev):
                return self.registry.skip_to(rev)
        raise TypeError(type(effect).__name__)

    # ── Backup and restore ───────────────────────────────────────────────────

    def backup(self) -> list[Record]:
        """Return all there is now."""
        return [record for record in self.records.records.values() if not record.deleted]

    def restore(self, backup: Sequence[Record]) -> None:
        """Go back to `backup`, at a rev above every one that was ever given."""
        rev = self.records.rev + 1
        self.records = MemoryRecords()
        self.registry = Counted(self.records, self._committed)
        self.registry.load(backup, rev)
        self.restored += 1
        self._kernel.say("registry restored from a backup, goes on at", rev)
        for told in self.on_restore:
            told()

    # ── For routers ──────────────────────────────────────────────────────────

    def wait(self, after: int, then: Callable[[], None]) -> None:
        """Have `then` called once something is behind `after`, or when a poll ends."""
        entry = (after, then)
        self._waiting.append(entry)
        self._kernel.later(POLL_MS, lambda: self._wake(entry))
        if self.is_down or after != self.records.rev:
            self._kernel.later(0, lambda: self._wake(entry))

    @property
    def is_recovering(self) -> bool:
        """Whether the server tells routers and operators nothing until all epochs are right."""
        [record] = self.registry.get([Key(kind="operation", key=RECOVERY)])
        return record is not None and read(Operation, record).status is OperationStatus.RUNNING

    def snapshot(self, newer_than: int) -> bytes | Exception | None:
        """Return a sealed snapshot, None if there is none newer."""
        if self.is_down or self.is_recovering:
            return SourceUnavailable("down")
        if self.records.rev <= newer_than:
            return None
        return build_snapshot(self.registry, self._signer, self._now_ms()).data

    def changes(self, after: int) -> bytes | Exception:
        """Return a sealed batch."""
        if self.is_down or self.is_recovering:
            return SourceUnavailable("down")
        try:
            batch = changes_after(self.registry, after)
        except ChangesGone as gone:
            if after > gone.rev:
                self.on_ahead(after)
            return SourceGone("gone")
        return sealed_at(batch, self._signer, self._now_ms()).data

    def find(self, tenant: str) -> bytes | None:
        """Return a sealed batch with one tenant."""
        is_silent = self.is_down or self.is_recovering
        batch = None if is_silent else find_tenant(self.registry, tenant)
        return None if batch is None else sealed_at(batch, self._signer, self._now_ms()).data

    # ── For operators and oracles ────────────────────────────────────────────

    def tenants(self) -> list[Tenant]:
        """Return all tenants."""
        return [read(Tenant, r) for r in self.registry.list("tenant", limit=1000)]

    def _committed(self, writes: Sequence[Write]) -> None:
        for told in self.on_commit:
            told(writes, self.records.rev)
        if any(write.kind in EDGE_KINDS for write in writes):
            for entry in list(self._waiting):
                self._kernel.later(PACE_MS, lambda entry=entry: self._wake(entry))

    def _wake(self, entry: tuple[int, Callable[[], None]]) -> None:
        if entry in self._waiting:
            self._waiting.remove(entry)
            entry[1]()

    def _now_ms(self) -> int:
        return int(START_MS + self._kernel.now)
