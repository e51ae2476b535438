"""Take state away, a bounded part per call: truncate a quarantined tail, drop a tenant.

Only what is known to be held elsewhere may be removed: the caller copies orphans first. Each step
is one atomic write, so a call that is cut off half-way is simply made again.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from cell_core.domain.documents import (
    DIRECTORY,
    ENTITY,
    IDEMPOTENCY,
    LOG,
    ORPHAN,
    Advance,
    Batch,
    Delete,
    Document,
    Put,
    Remove,
    idempotency_key,
    log_key,
    tenant_key,
)
from cell_core.domain.errors import Diverged, LostRace, NotFound
from cell_core.domain.fence import GENESIS, Fence, Guard, Role
from cell_core.domain.ids import STRIPES_MAX, partition_of
from cell_core.domain.journal import Entry, read_entry
from cell_core.domain.limits import COMMIT_BYTES_MAX, ENTITY_BYTES_MAX, PAGE_MAX
from cell_core.domain.transitions import Sets, begin_drop, refuse
from cell_core.ports import CellStore
from cell_core.service.control import Controller
from cell_core.service.plan import entity_documents
from cell_core.service.positions import Positions

STEP_ENTRIES_MAX = 8
"""Entries undone in one write: two records and up to 10 entities each would fill it at 7; entries
with more entities are undone fewer at a time."""

RESTORED_MAX = COMMIT_BYTES_MAX // ENTITY_BYTES_MAX
"""Entities put back in one write; more than the 40 that one entry may have changed."""

STEPS_MAX = 5
DROP_DOCUMENTS_MAX = 80


class Remover:
    """The control interface's removing operations."""

    def __init__(self, store: CellStore, positions: Positions, controller: Controller) -> None:
        self._store = store
        self._positions = positions
        self._controller = controller

    def truncate(
        self, tenant: str, stripe: int, *, epoch: int, seq: int, chain: str
    ) -> tuple[Fence, bool]:
        """Undo a quarantined stripe's entries behind (seq, chain), then make it a standby.

        Returns the fence and whether there is more to undo; then call again.

        Raises:
            Fenced: Not quarantined at `epoch`, or the log here does not reach back far enough.
            Diverged: (seq, chain) is not a position of this log.
        """
        partition = partition_of(tenant, stripe)
        for _ in range(STEPS_MAX):
            fence = self._positions.learn(partition)
            if fence.role is Role.STANDBY and (fence.epoch, fence.seq) == (epoch, seq):
                return fence, False
            if fence.role is not Role.QUARANTINE or fence.epoch != epoch:
                raise refuse(fence)
            if fence.seq <= seq:
                self._release(partition, fence, seq, chain)
            else:
                self._undo(partition, fence, seq, chain)
        return self._positions.learn(partition), True

    def drop(self, tenant: str, epoch: int, deadline_ms: int) -> bool:
        """Remove a tenant that does not live here; return whether there is more to remove.

        Raises:
            NotFound: `tenant_not_found`; it is gone.
            Fenced: The tenant is active or frozen here, or a stripe is at a later epoch.
        """
        # Stripe 0 goes last: it tells how many there are when the call is made again.
        closed = self._close(tenant, epoch, deadline_ms)
        for stripe, fence in reversed(closed):
            if stripe == 0:
                self._unlist(tenant)
            for _ in range(STEPS_MAX):
                if not self._drop_some(partition_of(tenant, stripe), fence):
                    break
            else:
                return True
        if not closed or closed[0][0] != 0:
            self._unlist(tenant)
        return False

    def _close(self, tenant: str, epoch: int, deadline_ms: int) -> list[tuple[int, Fence]]:
        """Quarantine each stripe that is left, so that nothing is applied to it meanwhile."""

        def decide(fence: Fence, _stripe: int) -> Sets | None:
            return begin_drop(fence, epoch=epoch)

        closed: list[tuple[int, Fence]] = []
        try:
            first = self._controller.change_one(tenant, 0, decide, deadline_ms)
        except NotFound:
            if not self._controller.is_listed(tenant):
                raise
            # Provisioning was cut off before it came to stripe 0: any of the others may be there.
            count = STRIPES_MAX
        else:
            closed.append((0, first))
            count = first.stripes
        for stripe in range(1, count):
            with suppress(NotFound):  # An earlier call removed it.
                fence = self._controller.change_one(tenant, stripe, decide, deadline_ms)
                closed.append((stripe, fence))
        return closed

    def _unlist(self, tenant: str) -> None:
        line = self._store.read(DIRECTORY, (tenant_key(tenant),)).documents
        writes = tuple(Delete(document) for document in line.values())
        if writes:
            self._store.commit(Batch(partition=DIRECTORY, fence=None, writes=writes))

    def _drop_some(self, partition: str, fence: Fence) -> bool:
        """Remove some documents, or the fence if none is left; return whether any was there."""
        guard = Guard(role=Role.QUARANTINE, epoch=fence.epoch)
        for prefix in (ENTITY, IDEMPOTENCY, LOG, ORPHAN):
            page = self._store.page(partition, prefix, after=None, limit=DROP_DOCUMENTS_MAX)
            if page.documents:
                writes = tuple(Delete(document) for document in page.documents)
                change = Advance(guard, {"op": fence.op})
                self._store.commit(Batch(partition=partition, fence=change, writes=writes))
                return True
        with suppress(NotFound):  # An earlier call did it.
            self._store.commit(Batch(partition=partition, fence=Remove(guard)))
        self._positions.forget(partition)
        return False

    def _release(self, partition: str, fence: Fence, seq: int, chain: str) -> None:
        if (fence.seq, fence.chain) != (seq, chain):
            raise Diverged(seq=seq)
        guard = Guard(role=Role.QUARANTINE, epoch=fence.epoch, seq=seq, chain=chain)
        self._store.commit(Batch(partition=partition, fence=Advance(guard, {"role": Role.STANDBY})))

    def _undo(self, partition: str, fence: Fence, seq: int, chain: str) -> None:
        """Undo the last entries, restoring each entity they changed to what it was before."""
        self._check_prefix(partition, fence, seq, chain)
        first = max(seq + 1, fence.seq - STEP_ENTRIES_MAX + 1)
        undone = _fitting(self._entries(partition, first, fence.seq))
        before = undone[0].seq - 1
        keys = {key for entry in undone for key in entity_documents(entry)}
        earlier = self._earlier(partition, fence, keys, before)
        records = [log_key(e.seq) for e in undone] + [idempotency_key(e.command_id) for e in undone]
        held = self._store.read(partition, [*keys, *records]).documents
        writes: list[Put | Delete] = [Delete(held[key]) for key in records if key in held]
        for key in sorted(keys & held.keys()):
            old = earlier.get(key)
            writes.append(Delete(held[key]) if old is None else Put(old, held[key]))
        digest, at_chain = self._position(partition, before)
        guard = Guard(role=Role.QUARANTINE, epoch=fence.epoch, seq=fence.seq, chain=fence.chain)
        sets: dict[str, str | int] = {"seq": before, "chain": at_chain, "digest": digest}
        self._store.commit(
            Batch(partition=partition, fence=Advance(guard, sets), writes=tuple(writes))
        )

    def _check_prefix(self, partition: str, fence: Fence, seq: int, chain: str) -> None:
        found = self._store.read(partition, (log_key(1), log_key(seq))).documents
        if log_key(1) not in found:
            # Older history is not here, so older values are not: drop and copy again instead.
            raise refuse(fence)
        at = GENESIS if seq == 0 else read_entry(found[log_key(seq)].body).chain
        if at != chain:
            raise Diverged(seq=seq)

    def _entries(self, partition: str, first: int, last: int) -> list[Entry]:
        keys = [log_key(seq) for seq in range(first, last + 1)]
        found = self._store.read(partition, keys).documents
        if len(found) != len(keys):
            raise LostRace
        return [read_entry(found[key].body) for key in keys]

    def _earlier(
        self, partition: str, fence: Fence, keys: set[str], before: int
    ) -> Mapping[str, Document]:
        """Return the version of each of `keys` as it was at seq `before`."""
        earlier: dict[str, Document] = {}
        after: str | None = None
        for _ in range(fence.seq // PAGE_MAX + fence.seq + 1):
            page = self._store.page(partition, LOG, after=after, limit=PAGE_MAX)
            for document in page.documents:
                if document.version > before:
                    return earlier
                left = entity_documents(read_entry(document.body))
                earlier |= {key: left[key] for key in keys & left.keys()}
            after = page.after
            if after is None:
                break
        return earlier

    def _position(self, partition: str, seq: int) -> tuple[str, str]:
        if seq == 0:
            return GENESIS, GENESIS
        [entry] = self._entries(partition, seq, seq)
        return entry.digest, entry.chain


def _fitting(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Return the last entries whose undoing fits into one atomic write; at least one."""
    count, operations, restored = 0, 1, 0
    for entry in reversed(entries):
        operations += 2 + len(entry.changes)
        restored += len(entry.changes)
        if count and (operations > DROP_DOCUMENTS_MAX or restored > RESTORED_MAX):
            break
        count += 1
    return entries[len(entries) - count :]
