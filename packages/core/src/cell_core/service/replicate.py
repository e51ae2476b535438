"""Give a stripe to another cell, take one from it: export, apply, import (protocol.md 5).

Every document is a last-writer-wins register under the total order of seq, so any interleaving of
copy, tail, duplicates, restarts and two copiers converges. Nothing here overwrites a newer version
or joins two logs that differ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cell_core.domain.canonical import sent_bytes
from cell_core.domain.digest import term
from cell_core.domain.documents import (
    ENTITY,
    LOG,
    Advance,
    Batch,
    Document,
    Page,
    Put,
    log_key,
    orphan_key,
)
from cell_core.domain.errors import (
    Diverged,
    InvalidInput,
    LostRace,
    OutcomeUnknown,
    Throttled,
)
from cell_core.domain.fence import Fence, Guard, Role, with_sets
from cell_core.domain.ids import owner, partition_of
from cell_core.domain.journal import Entry, read_entry
from cell_core.domain.limits import COMMIT_BYTES_MAX, OPERATIONS_MAX
from cell_core.domain.transitions import Preparation, Sets, follow, prepare, refuse
from cell_core.ports import CellStore, Patience
from cell_core.service.control import Cell
from cell_core.service.importable import check_importable, check_links, check_sequence
from cell_core.service.paging import cut
from cell_core.service.plan import entity_documents, idempotency_document, log_document
from cell_core.service.positions import Positions


@dataclass(frozen=True, slots=True)
class Scan:
    """A part of a stripe's state digest: the sum over one page of entities."""

    sum: int
    count: int
    after: str | None


class Replicator:
    """The control interface's copying operations on one stripe."""

    def __init__(
        self, store: CellStore, patience: Patience, positions: Positions, cell: Cell
    ) -> None:
        self._store = store
        self._patience = patience
        self._positions = positions
        self._cell = cell

    def export(
        self, tenant: str, stripe: int, prefix: str, *, after: str | None, limit: int
    ) -> tuple[Fence, Page]:
        """Return documents in key order, and the fence read before them.

        Raises:
            NotFound: `tenant_not_found`.
        """
        partition = partition_of(tenant, stripe)
        fence = self._positions.learn(partition)
        page = self._store.page(partition, prefix, after=after, limit=limit)
        return fence, cut(page)

    def scan(
        self, tenant: str, stripe: int, *, after: str | None, limit: int
    ) -> tuple[Fence, Scan]:
        """Return the digest's terms over one page of entities, to be added up modulo 2^256.

        The whole sum equals the fence's digest if the fence stood still meanwhile.
        """
        fence, page = self.export(tenant, stripe, ENTITY, after=after, limit=limit)
        total = sum(term(tenant, document) for document in page.documents) % 2**256
        return fence, Scan(total, len(page.documents), page.after)

    def apply(
        self,
        tenant: str,
        stripe: int,
        epoch: int,
        bodies: Sequence[str],
        deadline_ms: int,
        *,
        wanted: Preparation | None = None,
    ) -> Fence:
        """Append the home's entries to this standby; what it already has is acknowledged.

        The standby's epoch follows the home's, `epoch`. Behind the last entry it is prepared as
        `wanted`, in the same write if it can be.

        Raises:
            InvalidInput: The texts are not consecutive entries of this stripe, or what is wanted
                is not an epoch of this cell above the home's.
            Fenced: Not a standby, or its epoch is above the home's.
            Gap: `have` says where to go on; entries sent are applied if only `wanted` is elsewhere.
            Diverged: An entry does not continue, or contradicts, the log held here.
        """
        if wanted is not None and (
            owner(wanted.epoch) != self._cell.ordinal or wanted.epoch <= epoch
        ):
            raise InvalidInput("invalid_data", problem="not an epoch that can be prepared here")
        entries = [read_entry(body) for body in bodies]
        attempt = 0
        while True:
            fence = self._positions.learn(partition_of(tenant, stripe))
            followed = follow(fence, epoch=epoch, ordinal=self._cell.ordinal)
            self._check_entries(tenant, stripe, fence, entries)
            taken = _fitting([entry for entry in entries if entry.seq > fence.seq])
            sets = {**followed, **_position(taken)}
            reached = with_sets(fence, sets)
            if wanted is not None and (not sets or wanted.is_at(reached)):
                sets |= prepare(reached, wanted) or {}
            if not sets:
                return fence
            try:
                self._append(partition_of(tenant, stripe), fence, sets, taken)
            except (LostRace, OutcomeUnknown, Throttled):
                attempt += 1
                if not self._patience.wait(attempt, deadline_ms):
                    raise

    def take(
        self, tenant: str, stripe: int, documents: Sequence[Document], deadline_ms: int
    ) -> tuple[Fence, int]:
        """Import the home's documents where this standby has none or an older one.

        Returns the fence and how many were written. Journal entries are taken backwards: each
        must be the one that the entry behind it, or the fence, continues.

        Raises:
            InvalidInput: A key is none that may be imported, or a body is not what its key says.
            Fenced: Not a standby.
            Diverged: A journal entry contradicts the log held here.
        """
        attempt, written = 0, 0
        while True:
            fence = self._positions.learn(partition_of(tenant, stripe))
            if fence.role is not Role.STANDBY:
                raise refuse(fence)
            puts = self._newer(tenant, stripe, fence, documents)
            if not puts:
                return fence, written
            taken = _first_fitting(puts)
            guard = Guard(role=Role.STANDBY, epoch=fence.epoch)
            try:
                self._store.commit(
                    Batch(
                        partition=partition_of(tenant, stripe),
                        fence=Advance(guard, {"op": fence.op}),
                        writes=tuple(taken),
                    )
                )
                written += len(taken)
            except (LostRace, OutcomeUnknown, Throttled):
                attempt += 1
                if not self._patience.wait(attempt, deadline_ms):
                    raise

    def adopt(self, tenant: str, stripe: int, bodies: Sequence[str]) -> tuple[Fence, int]:
        """Keep another cell's orphaned entries here, each once, without running them.

        Raises:
            Fenced: This cell is not the tenant's home.
        """
        partition = partition_of(tenant, stripe)
        fence = self._positions.learn(partition)
        if fence.role is not Role.ACTIVE:
            raise refuse(fence)
        orphans = [_orphan(tenant, read_entry(body)) for body in bodies]
        held = self._store.read(partition, [o.key for o in orphans]).documents
        puts = tuple(Put(o) for o in orphans if o.key not in held)
        if puts:
            guard = Guard(role=Role.ACTIVE, epoch=fence.epoch)
            change = Advance(guard, {"op": fence.op})
            self._store.commit(Batch(partition=partition, fence=change, writes=puts))
        return fence, len(puts)

    def _check_entries(
        self, tenant: str, stripe: int, fence: Fence, entries: Sequence[Entry]
    ) -> None:
        """Compare entries that are already here with the ones sent."""
        if not entries:
            return
        check_sequence(tenant, stripe, fence, entries)
        keys = [log_key(entry.seq) for entry in entries if entry.seq <= fence.seq]
        held: Mapping[str, Document] = {}
        if keys:
            held = self._store.read(partition_of(tenant, stripe), keys).documents
        for entry in entries:
            stored = held.get(log_key(entry.seq))
            if stored is not None and stored.body != entry.body:
                raise Diverged(seq=entry.seq)
            if entry.seq == fence.seq and entry.chain != fence.chain:
                raise Diverged(seq=entry.seq)
            if entry.seq == fence.seq + 1 and entry.prev_chain != fence.chain:
                raise Diverged(seq=entry.seq)

    def _append(self, partition: str, fence: Fence, sets: Sets, entries: Sequence[Entry]) -> None:
        wanted = _after(entries)
        held = self._store.read(partition, list(wanted)).documents if wanted else {}
        puts = [Put(new, held.get(k)) for k, new in wanted.items() if _is_newer(new, held.get(k))]
        guard = Guard(role=Role.STANDBY, epoch=fence.epoch, seq=fence.seq, chain=fence.chain)
        self._store.commit(
            Batch(partition=partition, fence=Advance(guard, sets), writes=tuple(puts))
        )

    def _newer(
        self, tenant: str, stripe: int, fence: Fence, documents: Sequence[Document]
    ) -> list[Put]:
        wanted: dict[str, Document] = {}
        for document in documents:
            check_importable(tenant, stripe, fence, document)
            if _is_newer(document, wanted.get(document.key)):
                wanted[document.key] = document
        behind = [log_key(d.version + 1) for d in wanted.values() if d.key.startswith(LOG)]
        keys = list(dict.fromkeys([*wanted, *behind]))
        held: dict[str, Document] = {}
        for start in range(0, len(keys), 100):
            part = keys[start : start + 100]
            held.update(self._store.read(partition_of(tenant, stripe), part).documents)
        check_links(fence, wanted, held)
        puts = [Put(d, held.get(k)) for k, d in wanted.items() if _is_newer(d, held.get(k))]
        # The journal's end first: an import that is cut off leaves no hole in it.
        return sorted(puts, key=lambda put: -put.document.version)


def _position(entries: Sequence[Entry]) -> dict[str, str | int]:
    """Return where a fence stands after `entries`; empty for none."""
    if not entries:
        return {}
    last = entries[-1]
    return {"seq": last.seq, "chain": last.chain, "digest": last.digest}


def _fitting(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Return the first entries that fit into one atomic write; at least one if there is one."""
    for count in range(1, len(entries)):
        taken = entries[: count + 1]
        documents = _after(taken)
        total = sum(sent_bytes(d.body) + 400 for d in documents.values())
        if 1 + len(documents) > OPERATIONS_MAX or total > COMMIT_BYTES_MAX:
            return entries[:count]
    return entries


def _first_fitting(puts: Sequence[Put]) -> Sequence[Put]:
    """Return the first puts that fit into one atomic write; at least one."""
    total = 0
    for count, put in enumerate(puts):
        total += sent_bytes(put.document.body) + 400
        if count and (1 + count >= OPERATIONS_MAX or total > COMMIT_BYTES_MAX):
            return puts[:count]
    return puts


def _after(entries: Sequence[Entry]) -> dict[str, Document]:
    """Return what `entries` leave behind: their records and the last version of each entity."""
    documents: dict[str, Document] = {}
    for entry in entries:
        for new in (log_document(entry), idempotency_document(entry)):
            documents[new.key] = new
        documents |= entity_documents(entry)
    return documents


def _is_newer(new: Document, held: Document | None) -> bool:
    return held is None or held.version < new.version


def _orphan(tenant: str, entry: Entry) -> Document:
    if entry.tenant != tenant:
        raise InvalidInput("invalid_data", problem="an entry of another tenant")
    body = f'{{"entry":{entry.body},"status":"copied"}}'
    return Document(orphan_key(entry.epoch, entry.seq), entry.seq, body)
